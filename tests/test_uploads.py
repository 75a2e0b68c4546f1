"""Files that visitors upload: hostile names, sizes and contents end in a plain message, and nothing lands outside of the case."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.evidence.defects import Defect
from scenarios.case_folder import new_case
from scenarios.evidence import Limits
from scenarios.evidence.apart import Checked, _found, checked, checked_here, checking
from scenarios.evidence.limits import Bounds
from scenarios.posterior_file import FILE
from scenarios.problems import CaseError
from scenarios.uploads import EXPORT, add, add_all, likely_kind, remove, shown_name, stored, stored_name
from tests.evidence_files import formula, parquet, xlsx

SEEDED = b"step,reviewer,waiting_per_head,shown,caught\nreview,A,2,20,18\nreview,B,9,20,16\n"
PILOT = [["right", "tried"], [5, 6], [4, 4]]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new case folder, to be copied."""
    return new_case(tmp_path_factory.mktemp("fresh") / "mine")


@pytest.fixture
def folder(tmp_path: Path, fresh: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "case" / "mine"))


def everything(folder: Path) -> set[str]:
    """All files around a case, by their path."""
    return {str(p.relative_to(folder.parent.parent)) for p in folder.parent.parent.rglob("*") if p.is_file()}


def message(found: Checked, code: str = "E510") -> str:
    assert [d.code for d in found.defects if d.code != "E540"][:1] == [code], found.defects
    assert found.blocked
    return next(f"{d.place} {d.message}" for d in found.defects if d.code == code)


# -- names


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("pilot.csv", "pilot.csv"),
        ("PILOT.CSV", "pilot.csv"),
        ("../../../etc/pilot.csv", "pilot.csv"),
        ("C:\\temp\\..\\pilot.xlsx", "pilot.xlsx"),
        ("/abs/olute/seeded.parquet", "seeded.parquet"),
        ("pilot.example.csv", "pilot.csv"),
        ("live_sample.csv", "production.csv"),
        ("ｐｉｌｏｔ.csv", "pilot.csv"),
        ("invoices.toml", "invoices.toml"),
        ("settings.toml", "settings.toml"),
        ("Q3 results.csv", None),
        ("CON.csv", None),
        ("case.csv", None),
        ("posterior.csv", None),
    ],
)
def test_a_name_becomes_one_of_a_closed_list_or_is_asked_for(name, target):
    assert stored_name(name) == target


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", "/", ".csv", ".pilot.csv", "~$pilot.xlsx", "pi\0lot.csv", "pilot.csv\0.exe", "pi\nlot.csv", "\u202ecsv.pilot.csv",
        "pi\x1b[2Jlot.csv", "a" * 300 + ".csv", "a" * 1_000_000 + ".csv", "pilot", "pilot.xls", "pilot.csv.exe", "pilot.pkl", "case.toml",
        "posterior.nc", "../case.toml", "pilot.csv/..",
    ],
)  # fmt: skip
def test_other_names_are_refused_in_a_plain_message(folder, name):
    before = everything(folder)
    with pytest.raises(CaseError) as error:
        add(folder, name, SEEDED)
    assert {p.code for p in error.value.problems} == {"E511"}
    assert all(p.remedy for p in error.value.problems)
    assert str(error.value).count("\n") < 4
    assert everything(folder) == before


def test_names_in_messages_hold_nothing_that_cannot_be_seen():
    assert shown_name("../x/\u202epilot\x1b.csv") == "�pilot�.csv"
    assert len(shown_name("ä" * 10_000)) <= 60


def test_a_file_whose_name_says_nothing_takes_the_kind_that_is_said(folder):
    with pytest.raises(CaseError, match="does not say"):
        add(folder, "Q3.csv", SEEDED)
    assert add(folder, "Q3.csv", SEEDED, "seeded")[0].name == "seeded.csv"
    assert add(folder, "SAP export.csv", b"Number;Received\n1;2026-09-01\n", EXPORT)[0].name == "invoices.csv"
    assert add(folder, "again.csv", b"Number;Received\n1;2026-09-01\n", EXPORT)[0].kind == EXPORT
    assert [likely_kind(n) for n in ("Pilot results 2026.csv", "our_invoices.xlsx", "approvals-q3.csv", "x.csv")] == [
        "pilot", EXPORT, "approvals", "",
    ]  # fmt: skip
    with pytest.raises(CaseError):
        add(folder, "Q3.csv", SEEDED, "../../case")


# -- storing


def test_a_file_is_stored_whole_beside_a_salt_and_replaced_by_the_next(folder):
    kept, replaced = add(folder, "seeded.csv", SEEDED)
    assert (kept.name, kept.kind, kept.size, replaced) == ("seeded.csv", "seeded", len(SEEDED), False)
    assert (folder / "evidence" / "seeded.csv").read_bytes() == SEEDED
    salt = (folder / "evidence" / "settings.toml").read_text()
    assert "salt = " in salt
    assert add(folder, "seeded.csv", SEEDED + b"review,C,1,5,5\n")[1]
    assert (folder / "evidence" / "settings.toml").read_text() == salt
    assert [f.name for f in stored(folder)] == ["seeded.csv"]
    assert not [p for p in (folder / "evidence").iterdir() if p.name.startswith(".")]


def test_sizes_are_bounded_for_one_file_and_for_all_together(folder):
    small = Limits(bytes=100)
    for data, what in ((b"", "is empty"), (b"x" * 101, "is larger than")):
        with pytest.raises(CaseError, match=what):
            add(folder, "pilot.csv", data, limits=small)
    with pytest.raises(CaseError, match="is larger than 2 MB"):
        add(folder, "invoices.toml", b"#" * 2_000_001)
    add(folder, "seeded.csv", SEEDED)
    few = Bounds(folder=len(SEEDED) + 200)
    with pytest.raises(CaseError, match="files of this case larger than"):
        add(folder, "pilot.csv", b"x" * 500, bounds=few)
    assert [f.name for f in stored(folder)] == ["seeded.csv"]


def test_two_files_of_one_name_are_both_left_out_and_the_others_taken(folder):
    found = {
        i: outcome
        for i, outcome, _ in add_all(
            folder, [("pilot.csv", b"a"), ("sub/Pilot.csv", b"b"), ("seeded.csv", SEEDED), ("x.csv", b"1")]
        )
    }
    assert isinstance(found[0], CaseError)
    assert "came twice" in str(found[1])
    assert found[3] is None
    assert [f.name for f in stored(folder)] == ["seeded.csv"]


def test_what_is_removed_is_gone_with_its_mapping_and_with_the_last_what_was_learned(folder):
    add(folder, "invoices.csv", b"Number;Received\n1;2026-09-01\n")
    add(folder, "invoices.toml", b"schema_version = 1\n")
    add(folder, "seeded.csv", SEEDED)
    (folder / FILE).write_bytes(b"fit")
    remove(folder, "invoices.csv")
    assert sorted(p.name for p in (folder / "evidence").iterdir()) == ["seeded.csv", "settings.toml"]
    assert (folder / FILE).exists()
    for name in ("invoices.csv", "../case.toml", "settings.toml", "/etc/passwd"):
        with pytest.raises(CaseError, match="not there"):
            remove(folder, name)
    remove(folder, "seeded.csv")
    assert not (folder / FILE).exists()
    assert (folder / "case.toml").exists()


def test_a_folder_of_evidence_that_leads_elsewhere_is_not_written_to(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (folder / "evidence").rmdir()
    (folder / "evidence").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CaseError, match="link"):
        add(folder, "seeded.csv", SEEDED)
    assert not list((tmp_path / "elsewhere").iterdir())


# -- contents


def bomb(part: str, size: int) -> bytes:
    """A workbook of some kB that unpacks to `size` bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx(PILOT))) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with new.open(part, "w", force_zip64=True) as stream:
            for _ in range(size // 1_000_000):
                stream.write(bytes(1_000_000))
    return out.getvalue()


def wide_parquet(columns: int, rows: int = 1) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({f"c{i}": pa.nulls(rows, pa.int8()) for i in range(columns)}), out)
    return out.getvalue()


HOSTILE = {
    "a workbook that unpacks to more than it may": ("pilot.xlsx", lambda: bomb("xl/media/zeros.bin", 60_000_000), "unpacks to more than"),
    "a Parquet file of too many rows": ("pilot.parquet", lambda: wide_parquet(1, 20_001), "has 20,001 rows"),
    "a Parquet file of too many columns": ("pilot.parquet", lambda: wide_parquet(501), "has 501 columns"),
    "a hundred thousand columns": ("pilot.csv", lambda: ",".join(f"c{i}" for i in range(100_000)).encode() + b"\n", "has 100,000 columns"),
    "a program named as a table": ("pilot.csv", lambda: b"\x7fELF\x02\x01\x00\x00" + bytes(range(256)), "is neither UTF-8 nor Windows-1252 text"),
    "a workbook named as a table": ("pilot.csv", lambda: xlsx(PILOT), "looks like"),
    "a pickle named as Parquet": ("pilot.parquet", lambda: b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.", "cannot be read as a Parquet file"),
    "a Parquet file cut off": ("pilot.parquet", lambda: parquet(PILOT)[:-20], "cannot be read as a Parquet file"),
    "a single huge cell": ("pilot.csv", lambda: b"right,cluster\n1," + b"x" * 200_000 + b"\n", "longer than 131,072"),
    "too many rows": ("pilot.csv", lambda: b"right\n" + b"1\n" * 20_001, "has more than 20,000 rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_one_plain_defect_each(folder, what):
    name, made, told = HOSTILE[what]
    add(folder, name, made())
    found = checked_here(folder, Limits(unpacked=50_000_000, rows=20_000))
    assert told in message(found)
    assert found.kinds == ()
    assert all(len(d.message) < 300 for d in found.defects)


def test_cells_that_are_no_values(folder):
    add(folder, "pilot.xlsx", xlsx([["right", "tried"], [formula("2+3", None), 6], [formula("2+3", 5), 6]]))
    found = checked_here(folder)
    assert message(found, "E521") == "row 2, column right holds a formula without a stored value"
    remove(folder, "pilot.xlsx")
    out = io.BytesIO()
    pq.write_table(pa.table({"right": [1.0, float("nan")], "tried": [2.0, float("inf")]}), out)
    add(folder, "pilot.parquet", out.getvalue())
    assert "E521" in message_codes(checked_here(folder))
    remove(folder, "pilot.parquet")
    add(folder, "pilot.csv", b'right,tried,cluster\n=1+1,6,"=cmd|calc"\n')
    assert message(checked_here(folder), "E521").startswith("row 2, column right")
    add(folder, "pilot.csv", b"right,tried\n7,6\n")
    assert message(checked_here(folder), "E530").startswith("row 2, column right")


def message_codes(found: Checked) -> list[str]:
    return [d.code for d in found.defects]


def test_two_files_of_one_kind_are_told_and_neither_is_passed_over(folder):
    add(folder, "pilot.csv", b"right,tried\n5,6\n")
    add(folder, "pilot.xlsx", xlsx(PILOT))
    assert "is of the same kind as pilot.csv" in message(checked_here(folder), "E511")


# -- in a process of its own


def test_the_process_apart_finds_the_same_as_this_one(folder):
    add(folder, "seeded.csv", SEEDED.replace(b"16", b"21"))
    add(folder, "invoices.csv", "Number;Type;Received\n1;PO;2026-09-01\n2;Größe;2026-09-02\n".encode())
    there, here = checked(folder), checked_here(folder)
    assert there == here
    assert [(d.code, d.place) for d in there.defects if d.code == "E530"] == [("E530", "row 3, column caught")]
    assert there.exports["invoices.csv"].columns == ("Number", "Type", "Received")
    assert there.exports["invoices.csv"].values["Type"] == ("Größe", "PO")


def test_reading_that_takes_too_long_is_ended_and_said(folder):
    rows = b"".join(
        b"%d,2026-09-%02d %02d:%02d:%02d.%03d\n" % (i, i % 28 + 1, i % 24, i % 60, i // 60 % 60, i % 1000) for i in range(200_000)
    )
    add(folder, "approvals.csv", b"case,asked\n" + rows)
    begun = time.monotonic()
    found = checked(folder, Bounds(seconds=0.3))
    assert time.monotonic() - begun < 40
    assert found.defects[0].file == "evidence/approvals.csv"
    assert "takes longer than 0.3 s to read" in message(found)
    assert found.defects[0].remedy


def test_reading_that_takes_too_much_memory_is_ended_and_said(folder):
    add(folder, "pilot.xlsx", bomb("xl/sharedStrings.xml", 300_000_000))
    found = checked(folder, Bounds(memory=500_000_000))
    assert found.defects[0].file == "evidence/pilot.xlsx"
    assert "more than 0.5 GB of memory" in message(found)
    assert _found([{"begun": "evidence/pilot.csv"}, {"memory": True}], 0, Bounds(memory=2_000_000_000)).defects == (
        Defect("E510", "evidence/pilot.csv", "needs more than 2.0 GB of memory to read", found.defects[0].remedy),
    )


def test_a_check_that_nobody_waits_for_is_ended(folder):
    add(folder, "seeded.csv", SEEDED)
    running = checking(folder)
    assert next(running) is None
    running.close()
    with pytest.raises(StopIteration):
        next(running)


def test_a_case_that_is_spoilt_is_told_as_such(folder):
    add(folder, "seeded.csv", SEEDED)
    (folder / "case.toml").write_text("nothing = 1\n")
    with pytest.raises(CaseError) as error:
        checked(folder)
    assert error.value.problems


def test_what_is_no_table_of_its_kind_takes_no_other_place(folder):
    good = b"parameter,happened,tried\nsteps.recheck.options.1.share,214,1000\n"
    add(folder, "counts.csv", good)
    with pytest.raises(CaseError, match="none of the columns of its kind"):
        add(folder, "counts.csv", b"Dear Sir, please find enclosed our figures.\nYours, Bob\n")
    assert (folder / "evidence" / "counts.csv").read_bytes() == good
    better = good.replace(b",", b";").replace(b"214", b"215")
    assert add(folder, "counts.csv", better)[1]
    assert (folder / "evidence" / "counts.csv").read_bytes() == better
