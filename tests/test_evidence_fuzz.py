"""No bytes, cells, settings or mapping make a traceback: whatever comes in ends in tables or in plain defects."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, given
from hypothesis import settings as trial
from hypothesis import strategies as st
from pydantic import ValidationError

from models.evidence.evidence import Evidence
from models.evidence.kinds import KINDS
from models.evidence.mapping import ExportMapping
from scenarios.evidence import read_bytes
from scenarios.problems import CODES
from scenarios.report import evidence_report
from tests.evidence_files import case, csv_text, parquet, settings, xlsx
from tests.test_evidence_export import EVENTS, GERMAN, LOG, MAPPED, ROWS

ODD = st.sampled_from([
    "", " ", "-", "0", "1", "-1", "1e9", "1e308", "1e999", "nan", "inf", "1.234", "1,234", "1.234,5", "8 %", "5 EUR", "€", "%", "yes", "nein", "Total", "=1+1", "#REF!",
    "2026-09-01", "2026-09-01 02:30", "2026-03-29 02:30", "2026-10-25 02:30", "01.09.2026", "03/04/2026", "13/04/2026", "04/13/2026", "2026-09-01T10:00Z", "0001-01-01",
    "9999-12-31", "9999-12-31T23:59-14:00", "29.02.2025", "1 Sep 2026", "po_standard", "send_to_ai", "review", "entry", "approve", "exceptions", "match_ai", "erp", "pilot",
    "production", "steps.review.catch", "steps.match_ai.transient", "missing_fields", "ok", "timeout", "approved", "\u202e", "\x1b[2J", "🙂", "ſ", "٣", "'", '"', "a" * 600, "\ud7ff", "²",
])  # fmt: skip
CELL = ODD | st.text(max_size=8)
TYPED = st.none() | st.integers(-(10**20), 10**20) | st.floats() | st.booleans() | st.dates() | st.datetimes()
QUICK = trial(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


def sound(found: Evidence) -> None:
    """What is said is printable and of known codes; figures add up; tables hold what they promise."""
    assert all(d.code in CODES and d.message for d in found.defects)
    assert all(line.isprintable() for line in evidence_report.text(found, case(), "folder").split("\n"))
    assert evidence_report.as_json(found, case(), "folder", "")
    for f in found.files:
        assert f.rows_used >= 0
        if f.rows_read:
            assert f.rows_used + f.rows_defective + f.rows_left_out <= f.rows_read
    for table in found.tables.values():
        assert all(len(values) == len(table) for values in table.columns.values())
    if found.cycles is not None:
        least, most = found.cycles.days()
        assert (least <= most).all()
        assert (least >= 0).all()


@st.composite
def damaged(draw, rows):
    """A table with some cells, headers or rows replaced, added or taken away."""
    rows = [list(row) for row in rows]
    for _ in range(draw(st.integers(1, 5))):
        i = draw(st.integers(0, len(rows) - 1))
        match draw(st.sampled_from(["cell", "cell", "cell", "cell", "copy", "longer", "shorter", "delete"])):
            case "cell" if rows[i]:
                rows[i][draw(st.integers(0, len(rows[i]) - 1))] = draw(CELL)
            case "copy":
                rows.append(list(rows[i]))
            case "longer":
                rows[i].append(draw(CELL))
            case "shorter" if rows[i]:
                rows[i].pop()
            case "delete" if len(rows) > 1:
                rows.pop(i)
    return rows


KIND = st.sampled_from(KINDS)
SAID = st.fixed_dictionaries({}, optional={
    "zone": st.sampled_from(["", "UTC", "America/New_York"]), "exported": st.sampled_from([None, "2026-09-15"]), "decimal": st.sampled_from([".", ","]),
    "dates": st.sampled_from(["day_first", "month_first"]), "defective_rows_at_most": st.sampled_from([0.0, 0.5]), "salt": st.sampled_from(["", "s"]),
})  # fmt: skip


@QUICK
@given(st.data(), KIND, SAID)
def test_damaged_examples(data, kind, said):
    rows = data.draw(damaged([[spec.name for spec in kind.columns], *kind.example]))
    sound(read_bytes(f"{kind.name}.csv", csv_text(rows).encode(errors="replace"), case(), settings(**said)))


@QUICK
@given(st.data(), KIND)
def test_typed_cells(data, kind):
    names = data.draw(st.lists(st.sampled_from([spec.name for spec in kind.columns]), min_size=1, max_size=6, unique=True))
    columns = [
        data.draw(st.lists(data.draw(st.sampled_from([TYPED, CELL, st.floats(), st.datetimes()])), min_size=3, max_size=3))
        for _ in names
    ]
    rows = [names, *map(list, zip(*columns, strict=True))]
    packed = None
    with contextlib.suppress(Exception):  # a column of mixed types is no Parquet column
        packed = parquet(rows)
    if packed is not None:
        sound(read_bytes(f"{kind.name}.parquet", packed, case(), settings()))
    plain = [[str(cell) if not isinstance(cell, int | float | bool) else cell for cell in row] for row in rows]
    sound(read_bytes(f"{kind.name}.xlsx", xlsx(plain), case(), settings()))


@QUICK
@given(st.data(), SAID, st.booleans())
def test_damaged_exports(data, said, log):
    rows, how = (LOG, EVENTS) if log else ([GERMAN, *ROWS], MAPPED)
    try:
        mapping = ExportMapping.model_validate({**how, "selected_by": data.draw(st.sampled_from(["arrival", "end"]))})
    except ValidationError:
        return
    sound(
        read_bytes(
            "invoices.csv", csv_text(data.draw(damaged(rows)), ";").encode(errors="replace"), case(), settings(**said), mapping
        )
    )


@QUICK
@given(
    st.sampled_from(["pilot.csv", "times.csv", "experts.csv", "pilot.xlsx", "pilot.parquet", "invoices.csv"]),
    st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")),
)
def test_any_bytes(name, content):
    sound(read_bytes(name, content, case(), settings()))


@QUICK
@given(st.sampled_from(["xlsx", "parquet"]), st.data())
def test_damaged_bytes_of_packed_files(form, data):
    rows = [["right", "tried", "cluster"], [5, 6, "a"], [4, 4, "b"]]
    content = bytearray(xlsx(rows) if form == "xlsx" else parquet(rows))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    sound(read_bytes(f"pilot.{form}", bytes(content), case(), settings()))


@QUICK
@given(st.text(max_size=30))
def test_any_name_of_a_file(name):
    sound(read_bytes(name, b"right,tried\n5,6\n", case(), settings()))
