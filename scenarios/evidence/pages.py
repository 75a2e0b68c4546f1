"""What every file of evidence may say, as Markdown: the page of the documentation, and the README beside the files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from models.evidence.kinds import KINDS
from models.evidence.mapping import ExportColumns, ExportMapping
from models.evidence.settings import EvidenceSettings
from models.evidence.table import ColumnSpec, FileKind
from scenarios.evidence.limits import LIMITS

READ_AS = {
    "text": "text", "choice": "one of its words", "name": "a name of the case file", "day": "a date", "time": "a date, or date and time",
    "count": "a whole number", "number": "a number", "share": "0 to 1, or per cent", "amount": "an amount", "flag": "yes or no",
}  # fmt: skip
RULES = f"""\
- One file a kind, with the name of the kind: `pilot.csv`, `pilot.xlsx` or `pilot.parquet`. Files with `.example` in their name are never read.
- The first line names the columns, in any order; columns that are not required may be left out. A column that the kind does not know is an error: it would inform nothing.
- CSV: comma, semicolon or tab; UTF-8 (Windows-1252 is read too, and said aloud). Excel: one sheet; formulas are taken by their stored value, nothing is computed.
- **Numbers**: decimal comma or point, with or without separators for thousands, `"1.234,50 EUR"`, `"8 %"`. Which it is, is decided for a whole column; a column that leaves it open (only `1.234`) is an error that asks.
- **Dates**: `2026-09-01`, `01.09.2026`, `9/1/2026 2:05 PM`, `1 Sep 2026`; the order of day and month is decided for a whole column, or asked. Times without an offset are local: `zone` in `settings.toml` says where.
- **How exact a time is, is kept**: a date alone is a day long, a time to the minute a minute. A repeated hour in autumn is two hours wide; a skipped one in spring is an error.
- An empty cell means: not recorded, or still open. `n/a`, `-` and `NaN` are errors, because nobody can tell what they mean.
- **Nothing is repaired and nothing is dropped in silence.** Every defect is listed by row and column. By default one defect blocks; `defective_rows_at_most` in `settings.toml` lets a stated share of rows be left out.
- People: columns that name people are kept as pseudonyms, made with the `salt` of `settings.toml`; names are neither stored nor printed.
- Limits: {LIMITS.bytes // 1_000_000} MB a file, {LIMITS.rows:,} rows, {LIMITS.columns} columns.
"""


def kinds_text(depth: str = "##") -> str:
    """A section for each kind of file. `depth`: the marks of its heading."""
    return "\n".join("\n".join(_section(kind, depth)) for kind in KINDS)


def _section(kind: FileKind, depth: str) -> Iterator[str]:
    yield f"{depth} `{kind.name}`: {kind.title}\n"
    yield f"{kind.meaning}\n"
    yield "| column | meaning | read as | informs |\n| --- | --- | --- | --- |"
    for spec in kind.columns:
        yield f"| {'**' if spec.required else ''}`{spec.name}`{'**' if spec.required else ''} | {meaning(spec)} | {read_as(spec)} | {spec.informs or '–'} |"
    yield f"\nLikelihood: {kind.likelihood}.\n"
    yield "```csv"
    yield from csv_lines(kind, kind.example)
    yield "```\n"


def meaning(spec: ColumnSpec) -> str:
    """What a column holds, and what an empty cell of it counts as."""
    default = (
        ""
        if spec.default is None
        else f" (empty: {spec.default:g})"
        if isinstance(spec.default, float)
        else f" (empty: {spec.default})"
    )
    return f"{spec.meaning}{default}"


def read_as(spec: ColumnSpec) -> str:
    """How its cells are read: the words they may be, or the sort of value."""
    return " · ".join(f"`{choice}`" for choice in spec.choices) if spec.choices else READ_AS[spec.kind]


def csv_lines(kind: FileKind, rows: tuple[tuple[str, ...], ...]) -> Iterator[str]:
    """Header and rows as CSV, without columns that no row fills unless they are required."""
    filled = [i for i, spec in enumerate(kind.columns) if spec.required or any(row[i] for row in rows)]
    yield ",".join(kind.columns[i].name for i in filled)
    for row in rows:
        yield ",".join(f'"{row[i]}"' if "," in row[i] else row[i] for i in filled)


def settings_text() -> str:
    """The keys of settings.toml as a table."""
    return _keys(EvidenceSettings)


def mapping_text() -> str:
    """The keys of invoices.toml as tables."""
    return f"{_keys(ExportMapping)}\n`[columns]`:\n\n{_keys(ExportColumns)}"


def _keys(model: Any) -> str:
    lines = ["| key | meaning |", "| --- | --- |"]
    for name, field in model.model_fields.items():
        lines.append(f"| `{name}` | {field.description or 'see below'} |")
    return "\n".join(lines) + "\n"
