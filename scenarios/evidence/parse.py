"""From cells to a table of a kind: every column is read as what it is about, every defect is collected, only sound rows are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evidence import names
from models.evidence.rules import broken_rules
from models.evidence.settings import EvidenceSettings
from models.evidence.table import ColumnSpec, FileKind, Table
from models.schema import CaseFile
from scenarios.evidence.cells import is_sum, parse_choices, parse_flags, parse_names, parse_texts, pseudonyms
from scenarios.evidence.dates import Reading, parse_times
from scenarios.evidence.findings import Findings
from scenarios.evidence.limits import LIMITS, Limits
from scenarios.evidence.numbers import parse_numbers
from scenarios.evidence.raw import RawColumn, RawTable
from scenarios.evidence.values import Parsed, shown
from scenarios.evidence.zones import Zone
from scenarios.problems import nearest

Rows = NDArray[np.bool_]
NO_SALT = (
    "salt is missing: files name people, and pseudonyms are made with it",
    'write random letters, for example salt = "q7vX2mB9…"',
)
WORDS = {"types": "type", "steps": "step", "systems": "connected system", "parameters": "parameter", "defects": "data defect"}
"""Sort of name → what one is called."""


@dataclass(frozen=True, slots=True)
class Context:
    """What all files of a case are read with."""

    case: CaseFile
    settings: EvidenceSettings
    zone: Zone | None
    limits: Limits = LIMITS

    @classmethod
    def of(cls, case: CaseFile, settings: EvidenceSettings, limits: Limits = LIMITS) -> Context:
        return cls(case, settings, Zone.of(settings.zone) if settings.zone else None, limits)

    def until(self, exported: date | None) -> float | None:
        """The first instant after the day of the export, None if that or the zone is not known."""
        if exported is None or self.zone is None:
            return None
        return float(self.zone.days(np.asarray([exported.toordinal() - _EPOCH]))[0, 1])

    def reading(self, exported: date | None) -> Reading:
        return Reading(self.zone, self.settings.dates, self.until(exported))


_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(slots=True)
class Parser:
    """One file on its way to a table. `bad`: rows that have a defect · `done`: what was read, by column · `notes`: said aloud."""

    raw: RawTable
    context: Context
    findings: Findings
    bad: Rows
    done: dict[str, NDArray[Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, raw: RawTable, context: Context, findings: Findings) -> Parser:
        parser = cls(raw, context, findings, np.zeros(len(raw), dtype=np.bool_), notes=list(raw.notes))
        width = len(raw.columns) + len(raw.unnamed)
        for line, cells in raw.ragged.items():
            findings.add("E515", f"has {cells} cells, the header {width}", "check separators and quotation marks", line)
        for name in raw.doubled:
            findings.add("E512", f"two columns are called {shown(name)}", "give each column a name of its own")
        for number in raw.unnamed:
            findings.add("E512", f"column {number} holds cells but has no name", "name it in the header, or delete it")
        return parser

    def drop(self, rows: Rows) -> None:
        self.bad |= rows

    def sums(self, columns: list[str]) -> None:
        """Finds rows that sum up others by the words in some columns."""
        for name in columns:
            column = self.raw.columns[name]
            hits = column.expand(np.asarray([is_sum(cell) for cell in column.values], dtype=np.bool_)) & ~self.bad
            shown_cells = [shown(column.cell(i)) for i in np.flatnonzero(hits).tolist()]
            for line, cell in zip(self.raw.lines[hits].tolist(), shown_cells, strict=True):
                self.findings.add("E533", f"{cell} marks a sum of other rows", "delete the line", line, name)
            self.drop(hits)

    def keep(self, name: str, parsed: Parsed, column: RawColumn, secret: bool = False) -> NDArray[Any]:
        """Takes over what was read of a column, and its defects. `secret`: cells are not quoted."""
        for code, message, remedy, examples in parsed.column:
            self.findings.add(code, message + self._examples(column, examples), remedy, None, name)
        if parsed.note:
            self.notes.append(f"{name}: {parsed.note}")
        if parsed.wrong:
            self._wrong_cells(name, parsed, column, secret)
        if parsed.column:
            self.drop(column.expand(np.asarray([cell is not None for cell in column.values], dtype=np.bool_)))
        self.done[name] = column.expand(parsed.values)
        return self.done[name]

    def _examples(self, column: RawColumn, examples: tuple[int, ...]) -> str:
        parts = []
        for value in examples:
            row = int(np.argmax(column.codes == value))
            parts.append(f"{shown(column.values[value])} in row {self.raw.lines[row]}")
        return f": {', '.join(parts)}" if parts else ""

    def _wrong_cells(self, name: str, parsed: Parsed, column: RawColumn, secret: bool) -> None:
        hits = column.expand(np.asarray([i in parsed.wrong for i in range(len(column.values))], dtype=np.bool_)) & ~self.bad
        by_code: dict[tuple[str, str], list[int]] = {}
        for i in np.flatnonzero(hits).tolist():
            code, _, remedy = parsed.wrong[int(column.codes[i])]
            by_code.setdefault((code, remedy), []).append(i)
        for (code, remedy), rows in by_code.items():

            def message(i: int) -> str:
                return "cannot be read" if secret else parsed.wrong[int(column.codes[i])][1]

            self.findings.add_rows(code, name, np.asarray(rows), self.raw.lines, message, remedy)
        self.drop(hits)

    def required(self, name: str, remedy: str, where: Rows | None = None) -> None:
        """Finds rows (of those in `where`) in which a column that must be given is empty."""
        column = self.raw.columns[name]
        empty = column.expand(np.asarray([cell is None for cell in column.values], dtype=np.bool_)) & ~self.bad
        empty &= True if where is None else where
        self.findings.add_rows("E520", name, np.flatnonzero(empty), self.raw.lines, lambda _: "is empty", remedy)
        self.drop(empty)

    def unique(self, name: str, values: NDArray[Any], where: Rows) -> None:
        """Finds rows that hold the same text in a column as an earlier row."""
        index = np.flatnonzero(where & ~self.bad & (values != ""))
        _, opening, inverse = np.unique(values[index].astype(str), return_index=True, return_inverse=True)
        first = index[opening[inverse]] if len(index) else index
        again = index[first != index]
        original = dict(zip(again.tolist(), first[first != index].tolist(), strict=True))

        def message(i: int) -> str:
            return f"{shown(values[i])} stands in row {self.raw.lines[original[i]]} already"

        self.findings.add_rows("E532", name, again, self.raw.lines, message, "one row for each")
        twice = np.zeros(len(self.raw), dtype=np.bool_)
        twice[again] = True
        self.drop(twice)


# -- files of a kind


def parse_kind(raw: RawTable, kind: FileKind, context: Context, findings: Findings) -> tuple[Table, Parser]:
    """The sound rows of a file of a kind; everything else is in `findings`."""
    parser = Parser.of(raw, context, findings)
    columns = _matched(raw, kind, findings)
    if not len(raw) and not raw.ragged and columns:
        findings.add("E516", "has a header and no rows", "a line for each row, or remove the file")
    first = next(iter(columns), "")
    parser.sums([columns[name] for name in columns if name == first or kind.column(name).kind not in ("text", "number", "share")])
    for name, header in columns.items():
        spec, column = kind.column(name), raw.columns[header]
        parser.done.pop(header, None)
        values = _typed(parser, kind, spec, column, header)
        parser.done.pop(header, None)
        parser.done[name] = values
        if spec.required:
            parser.required(header, f"it says: {spec.meaning}")
    _fill_step(parser, kind, columns)
    table = _table(parser, kind)
    return _ruled(_fill_observed(table, context), parser), parser


def _matched(raw: RawTable, kind: FileKind, findings: Findings) -> dict[str, str]:
    """Column of the kind → header of the file, in the file's order."""
    known = {spec.name: spec for spec in kind.columns}
    columns = {key: header for header in raw.columns if (key := header.lower().replace(" ", "_")) in known}
    if not columns:
        expected = ", ".join(known)
        findings.add("E512", f"its first line names none of the columns of {kind.name}", f"known: {expected}")
        return {}
    for header in raw.columns:
        if header not in columns.values():
            findings.add("E513", f"column {shown(header)} informs nothing here", nearest(header.lower(), known))
    for spec in kind.columns:
        if spec.required and spec.name not in columns:
            findings.add("E514", f'has no column "{spec.name}"', f"it says: {spec.meaning}")
    return columns


def _typed(parser: Parser, kind: FileKind, spec: ColumnSpec, column: RawColumn, header: str) -> NDArray[Any]:
    context, cells = parser.context, column.values
    if spec.kind == "text":
        parsed = parse_texts(cells)
        values = parser.keep(header, parsed, column, spec.person)
        return _pseudonymous(parser, header, parsed, column) if spec.person else values
    if spec.kind == "choice":
        return parser.keep(header, _choices(cells, spec, kind.name), column)
    if spec.kind == "name":
        allowed = names.fitting(kind.name, spec, context.case)
        refused = {
            name: names.WHY_NOT.get(spec.names, "does not fit") for name in names.known(spec, context.case) if name not in allowed
        }
        return parser.keep(header, parse_names(cells, allowed, WORDS[spec.names], refused), column)
    if spec.kind == "flag":
        return parser.keep(header, parse_flags(cells), column)
    if spec.kind in ("day", "time"):
        return parser.keep(header, parse_times(cells, context.reading(context.settings.exported), spec.kind == "day"), column)
    return parser.keep(header, parse_numbers(cells, spec.kind, context.settings.decimal), column)


def _choices(cells: tuple[Any, ...], spec: ColumnSpec, kind: str) -> Parsed:
    """A file of one environment cannot hold rows of another."""
    parsed = parse_choices(cells, spec.choices)
    if spec.name == "environment" and spec.choices == (kind,):
        wrong = {
            i: (
                "E534",
                f"{shown(cells[i])} contradicts the file, which is of {kind}",
                "put the row into the file of its environment",
            )
            for i in parsed.wrong
        }
        return Parsed(parsed.values, wrong)
    return parsed


def _pseudonymous(parser: Parser, header: str, parsed: Parsed, column: RawColumn) -> NDArray[Any]:
    salt = parser.context.settings.salt
    if not salt:
        parser.findings.add("E540", *NO_SALT)
    return column.expand(pseudonyms(parsed.values.tolist(), salt or "none"))


def _fill_step(parser: Parser, kind: FileKind, columns: Mapping[str, str]) -> None:
    """A step that is left out is the only one that fits; if several fit, the file must say which."""
    spec = next((s for s in kind.columns if s.name == "step" and not s.required), None)
    if spec is None or not len(parser.raw):
        return
    allowed = names.fitting(kind.name, spec, parser.context.case)
    values = parser.done.get("step", np.full(len(parser.raw), "", dtype=object))
    empty = (values == "") & ~parser.bad
    if len(allowed) == 1:
        parser.done["step"] = np.where(values == "", allowed[0], values)
        if empty.any():
            parser.notes.append(f'rows without a step are about "{allowed[0]}", the only one that fits')
    elif not allowed:
        parser.findings.add(
            "E535", "the case has no step that this file could be about", "remove the file, or add the step to the case"
        )
        parser.drop(np.ones(len(parser.raw), dtype=np.bool_))
    elif "step" not in columns:
        parser.findings.add("E514", 'has no column "step", and more than one step fits', f"one of: {', '.join(allowed)}")
        parser.drop(empty)
    else:
        parser.findings.add_rows(
            "E520", "step", np.flatnonzero(empty), parser.raw.lines, lambda _: "is empty", f"one of: {', '.join(allowed)}"
        )
        parser.drop(empty)


def _table(parser: Parser, kind: FileKind) -> Table:
    keep = ~parser.bad
    if any(spec.required and spec.name not in parser.done for spec in kind.columns):
        keep &= False
    return Table(kind, parser.findings.file, {name: values[keep] for name, values in parser.done.items()}, parser.raw.lines[keep])


def _ruled(table: Table, parser: Parser) -> Table:
    """The rows that satisfy the rules of their kind; the others become defects."""
    keep = np.ones(len(table), dtype=np.bool_)
    if len(table):
        for found in broken_rules(table, parser.context.case):
            parser.findings.add_rows(
                found.code, found.column, np.flatnonzero(found.rows), table.lines, found.message, found.remedy
            )
            keep &= ~found.rows
    parser.drop(np.isin(parser.raw.lines, table.lines[~keep]))
    return select(table, keep)


def select(table: Table, keep: Rows) -> Table:
    """The rows of a table that a mask keeps."""
    return Table(
        table.kind, table.file, {name: values[keep] for name, values in table.columns.items()}, table.lines[keep], table.selection
    )


def _fill_observed(table: Table, context: Context) -> Table:
    """What is open without a date was open on the day of the export, if the settings say when that was."""
    until = context.until(context.settings.exported)
    if table.kind.name not in ("times", "approvals") or until is None or not len(table):
        return table
    empty = np.isnan(table.times("observed_until")[:, 0])
    if table.kind.name == "approvals":
        is_open = np.isnan(table.times("decided")[:, 0])
    else:
        dated = [~np.isnan(table.times(name)[:, 0]) for name in ("entered", "started", "ended")]
        is_open = ~dated[2] & (dated[0] ^ dated[1]) & np.isnan(table.numbers("minutes"))
    observed = np.where((empty & is_open)[:, None], [[until - 60, until]], table.times("observed_until"))
    return Table(table.kind, table.file, {**table.columns, "observed_until": observed}, table.lines)
