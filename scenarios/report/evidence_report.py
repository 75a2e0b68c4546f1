"""What the files of evidence hold, what they inform, what is missing, and every defect: as text and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from models.evidence.defects import Defect
from models.evidence.evidence import Evidence, FileFigures, Informed
from models.evidence.informs import possible
from models.evidence.kinds import KINDS
from models.schema import CaseFile

SCHEMA_VERSION = 1
WIDTH = 120
PATHS_SHOWN = 4


def text(evidence: Evidence, case: CaseFile, name: str) -> str:
    """The whole page; `name`: of the case folder."""
    used = sum(f.rows_used for f in evidence.files)
    count = _count(evidence)
    state = f"{count:,} defect{'' if count == 1 else 's'}" if count else "no defects"
    head = (
        f"{name}: {len(evidence.files)} file{'' if len(evidence.files) == 1 else 's'} of evidence · {used:,} rows used · {state}"
    )
    blocks = [[head], *(list(_file(f)) for f in evidence.files), list(_defects(evidence)), list(_missing(evidence, case))]
    lines = "\n\n".join("\n".join(block) for block in blocks if block)
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in lines)


def _count(evidence: Evidence) -> int:
    return len(evidence.defects) + sum(sum(f.unlisted.values()) for f in evidence.files)


def _file(f: FileFigures) -> Iterator[str]:
    yield f"  {f.name} · {f.title}"
    left_out = f", {f.rows_left_out:,} left out as the mapping says" if f.rows_left_out else ""
    period = f" · {f.period[0]} to {f.period[1]}" if f.period else ""
    yield f"    {f.rows_read:,} row{'' if f.rows_read == 1 else 's'} read, {f.rows_used:,} used, {f.rows_defective:,} with defects{left_out}{period}"
    if f.totals:
        yield from _wrapped("sums: ", ", ".join(f"{key} {_number(value)}" for key, value in f.totals.items()))
    for (meaning, parameters), columns in _alike(f.informs).items():
        more = len(parameters) - PATHS_SHOWN
        paths = ", ".join(parameters[:PATHS_SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield from _wrapped(f"{', '.join(columns)}: ", f"{meaning}{f' → {paths}' if paths else ''}")
    if f.not_used:
        yield from _wrapped("not used: ", ", ".join(f.not_used))
    for note in f.notes:
        yield from _wrapped("note: ", note)


def _alike(informs: tuple[Informed, ...]) -> dict[tuple[str, tuple[str, ...]], list[str]]:
    """Columns that inform the same, together."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for item in informs:
        found.setdefault((item.meaning, item.parameters), []).append(item.column)
    return found


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _wrapped(first: str, content: str) -> list[str]:
    return textwrap.wrap(content, WIDTH, initial_indent=f"    {first}", subsequent_indent="      ", break_long_words=False)


def _defects(evidence: Evidence) -> Iterator[str]:
    if not evidence.defects:
        return
    more = {(f.name, code): count for f in evidence.files for code, count in f.unlisted.items()}
    blocking = sum(d.blocks for d in evidence.defects)
    yield "Defects" if blocking else "Defects (so few rows may be left out, as settings.toml says)"
    for file in dict.fromkeys(d.file for d in evidence.defects):
        yield f"  {file}"
        mine = [d for d in evidence.defects if d.file == file]
        for code in dict.fromkeys(d.code for d in mine):
            yield from _lines([d for d in mine if d.code == code])
            if (file, code) in more:
                yield f"    {code}  and {more[file, code]:,} more"


ALIKE = 4
"""As many defects that differ in nothing but the row are told in one line."""

SPANS = 6
"""Stretches of rows named in one line."""


def _lines(defects: list[Defect]) -> Iterator[str]:
    alike: dict[tuple[str, str, str], list[Defect]] = {}
    for d in defects:
        alike.setdefault((d.column, d.message, d.remedy), []).append(d)
    for same in alike.values():
        rows = [d.row for d in same if d.row is not None]
        if len(rows) == len(same) >= ALIKE:
            yield _line(same[0], _rows(sorted(rows)) + (f", column {same[0].column}" if same[0].column else ""))
        else:
            yield from (_line(d, d.place) for d in same)


def _rows(rows: list[int]) -> str:
    """rows 3 to 7, 9 (6 rows)."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    told = ", ".join(f"{a}" if a == b else f"{a} to {b}" for a, b in spans[:SPANS])
    return f"rows {told}{', …' if len(spans) > SPANS else ''} ({len(rows)} rows)"


def _line(d: Defect, place: str) -> str:
    remedy = f"; {d.remedy}" if d.remedy else ""
    return f"    {d.code}  {place:<28} {d.message}{remedy}" if place else f"    {d.code}  {d.message}{remedy}"


def missing(evidence: Evidence, case: CaseFile) -> list[dict[str, Any]]:
    """Kinds of files that are not there, and what they would inform in this case."""
    found = []
    for kind in KINDS:
        if kind.name not in evidence.tables and not any(f.kind == kind.name for f in evidence.files):
            informs = sorted({part for spec in kind.columns if spec.informs for part in spec.informs.split(", ")})
            found.append(
                {"kind": kind.name, "title": kind.title, "would_inform": informs, "parameters": list(possible(kind, case))}
            )
    return found


def _missing(evidence: Evidence, case: CaseFile) -> Iterator[str]:
    absent = missing(evidence, case)
    if absent:
        yield "Not there (none of it is needed; each would make the answer rest less on assumptions)"
    for item in absent:
        yield from (line[2:] for line in _wrapped(f"{item['kind']:<11} ", f"{item['title']}: {', '.join(item['would_inform'])}"))
    if evidence.cycles is None and not any(f.kind == "export" for f in evidence.files):
        yield from (
            line[2:]
            for line in _wrapped(
                f"{'invoices':<11} ", "Export of your own with date columns: today's result, and where its days lie"
            )
        )


def as_json(evidence: Evidence, case: CaseFile, name: str, case_hash: str) -> dict[str, Any]:
    """The same for scripts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "folder": name,
        "scenario_hash": case_hash,
        "evidence_hash": evidence.hash,
        "blocked": evidence.blocked,
        "defects_in_all": _count(evidence),
        "files": [_file_json(f) for f in evidence.files],
        "defects": [
            {
                "code": d.code,
                "file": d.file,
                "row": d.row,
                "column": d.column,
                "message": d.message,
                "remedy": d.remedy,
                "blocks": d.blocks,
            }
            for d in evidence.defects
        ],
        "tables": {kind: {"file": table.file, "rows": len(table)} for kind, table in evidence.tables.items()},
        "missing": missing(evidence, case),
    }


def _file_json(f: FileFigures) -> dict[str, Any]:
    return {
        "name": f.name, "kind": f.kind, "title": f.title, "sha256": f.sha256,
        "rows": {"read": f.rows_read, "used": f.rows_used, "with_defects": f.rows_defective, "left_out": f.rows_left_out},
        "period": list(f.period) if f.period else None,
        "sums": dict(f.totals),
        "informs": [{"column": i.column, "meaning": i.meaning, "parameters": list(i.parameters)} for i in f.informs],
        "columns_not_used": list(f.not_used), "defects_not_listed": dict(f.unlisted), "notes": list(f.notes),
    }  # fmt: skip
