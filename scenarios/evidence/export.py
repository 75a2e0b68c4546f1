"""An export of the company's own, one row a case or one row an event, as today's cases with their dates."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evidence.cycles import Cycles
from models.evidence.events import Event, known_events
from models.evidence.mapping import ExportMapping
from scenarios.evidence.cells import parse_names, parse_texts, pseudonyms
from scenarios.evidence.dates import parse_times
from scenarios.evidence.findings import Findings
from scenarios.evidence.numbers import parse_numbers
from scenarios.evidence.parse import NO_SALT, Context, Parser, Rows
from scenarios.evidence.raw import RawColumn, RawTable
from scenarios.evidence.values import Parsed, shown, texts_of
from scenarios.evidence.visits import Dated
from scenarios.problems import nearest

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]


@dataclass(frozen=True, slots=True, eq=False)
class Export:
    """What was read: cases with their dates, every event (also repeated ones), and what is to be said about rows and columns.

    `events`: event → all its times, `case` is the place in `cycles` · `left_out`: rows that the mapping does not use ·
    `whole`: it holds all cases of its period, no sample of them
    """

    cycles: Cycles
    events: dict[str, Dated]
    by_time: bool
    left_out: int
    not_used: tuple[str, ...]
    whole: bool


# -- the mapping against the file and the case


def check_mapping(mapping: ExportMapping, raw: RawTable, context: Context, findings: Findings) -> None:
    """Columns that the file does not have, events and types that the case does not know, periods that do not fit the export."""
    for place, header in _named_columns(mapping):
        if header not in raw.columns:
            findings.add("E541", f"{place}: the file has no column {shown(header)}", nearest(header, raw.columns))
    events = known_events(context.case)
    section = "dates" if mapping.form == "wide" else "activities"
    for name, event in mapping.events.items():
        if event not in events:
            findings.add(
                "E541", f"{section}: {shown(name)} is to be {shown(event)}, which is no event of the case", nearest(event, events)
            )
    for value, name in mapping.types.items():
        if name not in context.case.types:
            findings.add(
                "E541",
                f"types: {shown(value)} is to be {shown(name)}, which is no type of the case",
                nearest(name, context.case.types),
            )
    for value in sorted(set(mapping.types) & set(mapping.leave_out_types)):
        findings.add("E541", f"{shown(value)} is in types and in leave_out_types", "keep one of them")
    if (mapping.types or mapping.leave_out_types) and not mapping.columns.type:
        findings.add("E541", "types are given, but no column of types", "name it: columns.type")
    exported = mapping.exported or context.settings.exported
    if exported is None:
        findings.add(
            "E540", "exported is missing: what is open was open on which day?", "say the day of the export: exported = 2026-09-30"
        )
    elif mapping.last_day > exported:
        findings.add(
            "E541", f"last_day ({mapping.last_day}) lies after the day of the export ({exported})", "correct one of them"
        )


def _named_columns(mapping: ExportMapping) -> list[tuple[str, str]]:
    named = [(f"columns.{role}", header) for role, header in mapping.columns.named().items()]
    return [*named, *(("people", header) for header in mapping.people), *(("dates", header) for header in mapping.dates)]


# -- rows


@dataclass(slots=True)
class _Reader:
    """An export on its way to cases."""

    mapping: ExportMapping
    context: Context
    parser: Parser
    left_out: Rows

    def column(self, role: str) -> RawColumn | None:
        header = getattr(self.mapping.columns, role)
        return self.parser.raw.columns[header] if header else None

    def texts(self, role: str) -> Texts:
        column, header = self.column(role), getattr(self.mapping.columns, role)
        if column is None:
            return np.full(len(self.parser.raw), "", dtype=object)
        return self.parser.keep(header, parse_texts(column.values), column)

    def types(self) -> Texts:
        """Types of the case file; rows of types that are to be left out are marked, others that are unknown are defects."""
        column, header = self.column("type"), self.mapping.columns.type
        if column is None:
            return np.full(len(self.parser.raw), "", dtype=object)
        found, outside = parse_texts(column.values), set(self.mapping.leave_out_types)
        self.left_out |= column.expand(np.asarray([name in outside for name in found.values], dtype=np.bool_)) & ~self.parser.bad
        mapped = [self.mapping.types.get(name, "" if name in outside else name) for name in found.values]
        checked = parse_names(mapped, tuple(self.context.case.types), "type", {})
        remedy = "map it under [types], or name it in leave_out_types"
        untyped = column.expand(np.asarray(found.values == "", dtype=np.bool_)) & ~self.parser.bad
        if untyped.any():
            note = f"{int(untyped.sum()):,} rows have no type: they count for all types, and cases a day are not counted by type"
            self.parser.notes.append(note)
        wrong = {
            i: ("E528", f"there is no type {shown(column.values[i])}", remedy) for i in checked.wrong if i not in found.wrong
        }
        return self.parser.keep(header, Parsed(checked.values, {**found.wrong, **wrong}), column)

    def amounts(self) -> tuple[Floats, Texts]:
        """Amounts, and their currencies: of the cell, or of a column of their own."""
        column, header, currency = self.column("amount"), self.mapping.columns.amount, self.texts("currency")
        if column is None:
            return np.full(len(self.parser.raw), np.nan), currency
        parsed = parse_numbers(column.values, "amount", self.context.settings.decimal)
        values = self.parser.keep(header, parsed, column)
        written = column.expand(parsed.more if parsed.more is not None else texts_of([""] * len(column.values)))
        differ = (written != "") & (currency != "") & (written != currency) & ~self.parser.bad
        remedy = f'correct one of them (column "{self.mapping.columns.currency}")'
        self.parser.findings.add_rows(
            "E534", header, np.flatnonzero(differ), self.parser.raw.lines,
            lambda i: f"is in {written[i]}, the row's currency is {shown(currency[i])}", remedy,
        )  # fmt: skip
        self.parser.drop(differ)
        return values, np.where(currency != "", currency, written)

    def people(self) -> dict[str, Texts]:
        """Pseudonyms by column; the names themselves go no further than here."""
        salt, found = self.context.settings.salt, {}
        for header in self.mapping.people:
            column = self.parser.raw.columns[header]
            parsed = parse_texts(column.values)
            if not salt:
                self.parser.findings.add("E540", *NO_SALT)
            self.parser.keep(header, parsed, column, secret=True)
            found[header] = column.expand(pseudonyms(parsed.values.tolist(), salt or "none"))
        return found

    def times(self, header: str) -> Floats:
        column = self.parser.raw.columns[header]
        reading = self.context.reading(self.mapping.exported or self.context.settings.exported)
        return self.parser.keep(header, parse_times(column.values, reading, day_only=False), column)


def read_export(raw: RawTable, mapping: ExportMapping, context: Context, findings: Findings) -> tuple[Export | None, Parser]:
    """Today's cases; None if not a single one is left. The mapping has been checked against the file."""
    parser = Parser.of(raw, context, findings)
    if not len(raw) and not raw.ragged:
        findings.add("E516", "has a header and no rows", "a line for each case")
    reader = _Reader(mapping, context, parser, np.zeros(len(raw), dtype=np.bool_))
    columns = mapping.columns
    parser.sums([h for h in (columns.case, columns.type, columns.activity, *mapping.dates) if h])
    case = reader.texts("case")
    parser.required(columns.case, "the number of the case")
    read = _Attributes(case, reader.types(), reader.texts("cluster"), *reader.amounts(), reader.people())
    export = _wide(reader, read) if mapping.form == "wide" else _log(reader, read)
    return export, parser


@dataclass(frozen=True, slots=True, eq=False)
class _Attributes:
    """What rows say of their case, one value a row."""

    case: Texts
    type: Texts
    cluster: Texts
    amount: Floats
    currency: Texts
    people: dict[str, Texts]


def _wide(reader: _Reader, read: _Attributes) -> Export | None:
    """One row a case: every date column is one event."""
    mapping, parser = reader.mapping, reader.parser
    at = {event: reader.times(header) for header, event in mapping.dates.items()}
    headers = {event: header for header, event in mapping.dates.items()}
    parser.unique(mapping.columns.case, read.case, ~reader.left_out)
    rows = np.flatnonzero(~parser.bad & ~reader.left_out)
    dated = {event: _dated(np.arange(len(rows)), times[rows], parser.raw.lines[rows]) for event, times in at.items()}
    return _checked(reader, read, rows, dated, headers, None)


def _dated(case: NDArray[np.int64], at: Floats, line: NDArray[np.int64]) -> Dated:
    known = ~np.isnan(at[:, 0])
    return Dated(case[known], at[known], line[known])


def _log(reader: _Reader, read: _Attributes) -> Export | None:
    """One row an event: a case is left out as a whole if one of its rows has a defect."""
    mapping, parser, columns = reader.mapping, reader.parser, reader.mapping.columns
    activity = reader.texts("activity")
    unmapped = ~np.isin(activity.astype(str), list(mapping.activities)) & ~parser.bad
    for name, count in Counter(activity[unmapped].tolist()).most_common(20):
        parser.notes.append(f"activity {shown(name)} is not used ({count:,} rows)")
    end = reader.times(columns.time)
    parser.required(columns.time, "when it happened", ~unmapped & ~reader.left_out)
    start = reader.times(columns.start) if columns.start else np.full_like(end, np.nan)
    _check_start(parser, columns.start, start, end)
    _contradicting(parser, read, columns.type)
    spoilt = np.isin(read.case.astype(str), np.unique(read.case[parser.bad & (read.case != "")].astype(str)))
    used = ~parser.bad & ~reader.left_out & ~spoilt & ~unmapped
    _, opening, place = np.unique(read.case[used].astype(str), return_index=True, return_inverse=True)
    rows = np.flatnonzero(used)
    reader.left_out |= (spoilt | unmapped) & ~parser.bad
    dated: dict[str, list[Dated]] = {}
    for name, event in mapping.activities.items():
        here = activity[rows] == name
        _add(dated, event, place[here], end[rows[here]], parser.raw.lines[rows[here]])
        begins = f"{event.removesuffix('.ended')}.started"
        if event.endswith(".ended") and columns.start:
            _add(dated, begins, place[here], start[rows[here]], parser.raw.lines[rows[here]])
    joined = {event: _joined(parts) for event, parts in dated.items()}
    return _checked(reader, read, rows[opening], joined, {}, activity)


def _add(dated: dict[str, list[Dated]], event: str, case: Any, at: Floats, line: Any) -> None:
    dated.setdefault(event, []).append(_dated(case, at, line))


def _joined(parts: list[Dated]) -> Dated:
    return Dated(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("case", "at", "line")))


def _check_start(parser: Parser, header: str, start: Floats, end: Floats) -> None:
    reversed_ = (end[:, 1] <= start[:, 0]) & ~parser.bad
    parser.findings.add_rows(
        "E531", header, np.flatnonzero(reversed_), parser.raw.lines, lambda _: "lies after the end of the activity", "check both"
    )
    parser.drop(reversed_)


def _contradicting(parser: Parser, read: _Attributes, header: str) -> None:
    """Rows that give their case another type than its first row."""
    if not header or not len(read.case):
        return
    _, opening, place = np.unique(read.case.astype(str), return_index=True, return_inverse=True)
    first = read.type[opening[place]]
    differ = (read.type != first) & ~parser.bad & (read.case != "")
    parser.findings.add_rows(
        "E534", header, np.flatnonzero(differ), parser.raw.lines,
        lambda i: f"is {shown(read.type[i])}, elsewhere the case has {shown(first[i])}", "one type a case",
    )  # fmt: skip
    parser.drop(differ)


# -- cases


def _checked(
    reader: _Reader,
    read: _Attributes,
    rows: NDArray[np.int64],
    dated: dict[str, Dated],
    headers: dict[str, str],
    activity: Texts | None,
) -> Export | None:
    """Cases whose dates fit together. `rows`: a row of the file for each case."""
    cases = _cycles(reader, read, rows, dated)
    keep = np.ones(len(rows), dtype=np.bool_)
    lines = {event: found.first(len(rows))[1] for event, found in dated.items()}
    for code, event, broken, message, remedy in _broken(reader, cases):
        now = broken & keep
        where = np.where(lines[event] > 0, lines[event], cases.lines) if event in lines else cases.lines
        for line in where[now].tolist():
            reader.parser.findings.add(code, message, remedy, line, headers.get(event, event))
        keep &= ~now
    _drop_cases(reader, read, rows[~keep], activity is None)
    if not keep.any():
        return None
    place = np.cumsum(keep) - 1
    kept = {event: _kept(found, keep, place) for event, found in dated.items()}
    not_used = _not_used(reader)
    left_out, whole = int((reader.left_out & ~reader.parser.bad).sum()), reader.mapping.holds == "all"
    return Export(_select(cases, keep), kept, activity is not None, left_out, not_used, whole)


def _not_used(reader: _Reader) -> tuple[str, ...]:
    named = {header for _, header in _named_columns(reader.mapping)}
    return tuple(header for header in reader.parser.raw.columns if header not in named)


def _kept(found: Dated, keep: Rows, place: NDArray[np.int64]) -> Dated:
    here = keep[found.case]
    return Dated(place[found.case[here]], found.at[here], found.line[here])


def _drop_cases(reader: _Reader, read: _Attributes, rows: NDArray[np.int64], one_row_each: bool) -> None:
    bad = np.zeros(len(read.case), dtype=np.bool_)
    bad[rows] = True
    if not one_row_each and len(rows):
        bad = np.isin(read.case.astype(str), read.case[rows].astype(str))
    reader.parser.drop(bad)


def _cycles(reader: _Reader, read: _Attributes, rows: NDArray[np.int64], dated: dict[str, Dated]) -> Cycles:
    mapping, context, zone = reader.mapping, reader.context, reader.context.zone
    count = len(rows)
    firsts = {event: found.first(count)[0] for event, found in dated.items()}
    arrival = firsts.get("arrival", np.full((count, 2), np.nan))
    end = dated["end"].last(count)[0] if "end" in dated else np.full((count, 2), np.nan)
    until = context.until(mapping.exported or context.settings.exported)
    days = np.asarray([mapping.first_day.toordinal(), mapping.last_day.toordinal()]) - _EPOCH
    window = zone.days(days) if zone is not None else days[:, None] * 86_400.0 + [0.0, 86_400.0]
    between = {event: times for event, times in firsts.items() if event not in ("arrival", "end")}
    return Cycles(
        reader.parser.findings.file, reader.parser.raw.lines[rows], read.case[rows], read.type[rows], read.cluster[rows],
        read.amount[rows], read.currency[rows], arrival, end, np.isnan(end[:, 0]), between,
        {header: names[rows] for header, names in read.people.items()}, mapping.selected_by,
        (float(window[0, 0]), float(window[1, 1])), np.inf if until is None else until,
    )  # fmt: skip


_EPOCH = 719_163
"""The ordinal of 1970-01-01."""
_Broken = tuple[str, str, Rows, str, str]


def _broken(reader: _Reader, c: Cycles) -> list[_Broken]:
    """Code, event, cases, message and remedy of whatever does not fit together."""
    found: list[_Broken] = [
        (
            "E520",
            "arrival",
            np.isnan(c.arrival[:, 0]),
            "is empty",
            "when the case came; without it nothing can be said of its days",
        )
    ]
    remedy = "check both dates"
    found.append(("E531", "end", c.end[:, 1] <= c.arrival[:, 0], "lies before the arrival", remedy))
    for event, at in c.events.items():
        found.append(("E531", event, at[:, 1] <= c.arrival[:, 0], "lies before the arrival", remedy))
        found.append(("E531", event, at[:, 0] >= c.end[:, 1], "lies after the end", remedy))
    if reader.mapping.form == "wide":
        found += _unordered(reader, c)
    name = reader.mapping.selected_by
    inside = f"{reader.mapping.first_day} to {reader.mapping.last_day}"
    remedy = "correct selected_by, first_day and last_day of the mapping, or the row"
    if name == "end":
        found.append(("E534", "end", c.open, f"is empty, but the export is said to hold cases that ended from {inside}", remedy))
    at = c.arrival if name == "arrival" else c.end
    outside = (at[:, 1] <= c.window[0]) | (at[:, 0] >= c.window[1])
    found.append(("E534", name, outside, f"lies outside the period of the export, {inside}", remedy))
    return found


def _unordered(reader: _Reader, c: Cycles) -> list[_Broken]:
    """Phases of one step that do not follow each other."""
    known, found = known_events(reader.context.case), list[_Broken]()
    by_step: dict[tuple[str, int], list[Event]] = {}
    for name in c.events:
        event = known[name]
        by_step.setdefault((event.step, event.level), []).append(event)
    order = ("entered", "started", "ended", "asked", "reminded", "decided")
    for events in by_step.values():
        events.sort(key=lambda e: order.index(e.phase))
        for i, first in enumerate(events):
            for then in events[i + 1 :]:
                broken = c.events[then.name][:, 1] <= c.events[first.name][:, 0]
                found.append(("E531", then.name, broken, f"lies before {first.name}", "check both dates"))
    return found


def _select(c: Cycles, keep: Rows) -> Cycles:
    return replace(
        c, lines=c.lines[keep], case=c.case[keep], type=c.type[keep], cluster=c.cluster[keep], amount=c.amount[keep],
        currency=c.currency[keep], arrival=c.arrival[keep], end=c.end[keep], open=c.open[keep],
        events={event: at[keep] for event, at in c.events.items()}, people={header: names[keep] for header, names in c.people.items()},
    )  # fmt: skip
