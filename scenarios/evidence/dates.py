"""Dates and times as people write them: the order of day and month is decided for a column; local times become instants of one zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scenarios.evidence.raw import CellError
from scenarios.evidence.values import Parsed, shown
from scenarios.evidence.zones import DAY, Zone

_TIME = (
    r"(?:(?:[T\s]|,\s*)\s*(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<half>[AaPp]\.?[Mm]\.?)?(?:\s*Uhr)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?"
)
_FORMS = tuple(
    re.compile(form + _TIME, re.ASCII)
    for form in (
        r"(?P<y>\d{4})(?P<sep>[-/.])(?P<a>\d{1,2})(?P=sep)(?P<b>\d{1,2})",
        r"(?P<y>(?:19|20)\d{2})(?P<a>\d{2})(?P<b>\d{2})",
        r"(?P<a>\d{1,2})(?P<sep>[-/.])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4})",
        r"(?P<b>\d{1,2})\.?[-\s](?P<name>[A-Za-zÄä]{3,9})\.?[-\s](?P<y>\d{4})",
        r"(?P<name>[A-Za-zÄä]{3,9})\.?\s(?P<b>\d{1,2}),?\s(?P<y>\d{4})",
    )
)
_SHORT_YEAR = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?:\s.*)?", re.ASCII)
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"), 1
    )
    for name in names.split()
}
NO_ZONE = ("E540", "zone is missing: files hold local dates and times", 'say it once, for example zone = "Europe/Berlin"', ())
EXPECTED = 'a date such as 2026-09-01, with a time as in "2026-09-01 10:30"; an empty cell where there is none'
MANY = 5
"""So many times, all at midnight, are dates alone: exports add 00:00:00 to dates."""


class _Moment(NamedTuple):
    """One cell: the two numbers that are month and day in either order (`sure`: in this order), seconds of the day, length in seconds.

    `offset`: seconds east of UTC, None for local time · `ordered`: by its separator alone, which is only kept if nothing contradicts
    """

    year: int
    first: int
    second: int
    sure: bool
    dotted: bool
    seconds: float
    length: float
    offset: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """How dates are to be read. `zone`: of local times, None if nobody said · `order`: day_first or month_first for what is left open.

    first, until: instants (UTC seconds) outside which a date cannot lie, `until` with what to call it
    """

    zone: Zone | None
    order: str
    until: float | None


EARLIEST = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
LATEST = datetime(2101, 1, 1, tzinfo=UTC).timestamp()


def parse_times(cells: Sequence[Any], reading: Reading, day_only: bool) -> Parsed:
    """Instants as [earliest, latest) in UTC seconds, shape (cells, 2), NaN where a cell is empty. `day_only`: the local day of each."""
    moments, wrong = dict[int, _Moment](), dict[int, tuple[str, str, str]]()
    parts: dict[str, _Moment | str] = {}
    for i, cell in enumerate(cells):
        if cell is None:
            continue
        found = _of_parts(cell, parts) if isinstance(cell, str) else _moment(cell)
        if isinstance(found, str):
            wrong[i] = ("E524", found, EXPECTED)
        else:
            moments[i] = found
    nothing = np.full((len(cells), 2), np.nan)
    day_first, column = _order(moments, reading.order)
    column += _mixed(moments)
    if reading.zone is None and any(m.offset is None for m in moments.values()):
        column += (NO_ZONE,)
    if column:
        return Parsed(nothing, wrong, column)
    rounded, note = _resolution(moments)
    values = _instants(cells, rounded, day_first, reading.zone, wrong, nothing)
    if day_only and reading.zone is not None:
        known = ~np.isnan(values[:, 0])
        values[known] = reading.zone.days(np.floor(reading.zone.local(values[known, 0]) / DAY).astype(np.int64))
    _in_range(cells, values, reading.until, wrong)
    return Parsed(values, wrong, (), None, note)


def _of_parts(cell: str, parts: dict[str, _Moment | str]) -> _Moment | str:
    """The same as `_moment`, from a date of ten letters and a time of day that were read before: a column has few of each."""
    day, clock = cell[:10], cell[10:]
    if clock[:1] not in (" ", "T"):
        return _moment(cell)
    first, second = parts.get(day), parts.get(clock)
    if first is None:
        first = parts[day] = _moment(day)
    if second is None:
        second = parts[clock] = _moment(f"2000-01-01{clock}")
    if isinstance(first, str) or isinstance(second, str):
        return _moment(cell)
    return _Moment(first.year, first.first, first.second, first.sure, first.dotted, second.seconds, second.length, second.offset)


def _moment(cell: Any) -> _Moment | str:
    """What a cell says, or what is wrong with it."""
    if isinstance(cell, CellError):
        return cell.message
    if isinstance(cell, datetime):
        offset = cell.utcoffset()
        seconds = cell.hour * 3_600 + cell.minute * 60 + cell.second + cell.microsecond / 1e6
        whole = cell.second == 0 and cell.microsecond == 0
        return _Moment(
            cell.year,
            cell.month,
            cell.day,
            True,
            False,
            seconds,
            60.0 if whole else 1.0,
            None if offset is None else offset.total_seconds(),
        )
    if isinstance(cell, date):
        return _Moment(cell.year, cell.month, cell.day, True, False, 0.0, float(DAY), None)
    if isinstance(cell, str):
        for number, form in enumerate(_FORMS):
            match = form.fullmatch(cell)
            if match is not None:
                return _written(cell, match, number)
        if _SHORT_YEAR.fullmatch(cell):
            return f"{shown(cell)} has a year of two digits"
    hint = "; format the column as a date" if isinstance(cell, int | float) and not isinstance(cell, bool) else ""
    return f"{shown(cell)} is not a date{hint}"


def _written(cell: str, match: re.Match[str], form: int) -> _Moment | str:
    parts = match.groupdict()
    if parts.get("name"):
        month = _MONTHS.get(parts["name"][:3].lower())
        if month is None:
            return f"{shown(cell)} is not a date"
        first, sure = month, True
    else:
        first, sure = int(parts["a"]), form < 2
    seconds, length = _clock(parts)
    if seconds is None:
        return f"{shown(cell)} has no such time of day"
    offset = parts["zone"]
    shift = None if offset is None else 0.0 if offset == "Z" else _shift(offset)
    if shift is not None and abs(shift) > 64_800:
        return f"{shown(cell)} has no such offset"
    return _Moment(int(parts["y"]), first, int(parts["b"]), sure, parts.get("sep") == ".", seconds, length, shift)


def _clock(parts: dict[str, Any]) -> tuple[float | None, float]:
    """Seconds of the day (None: no such time), and how long the cell leaves open."""
    if parts["h"] is None:
        return 0.0, float(DAY)
    hour, minute, second = int(parts["h"]), int(parts["m"]), int(parts["s"] or 0)
    if parts["half"]:
        if not 1 <= hour <= 12:
            return None, 0.0
        hour = hour % 12 + (12 if parts["half"][0] in "pP" else 0)
    if hour > 23 or minute > 59 or second > 59:
        return None, 0.0
    fraction = float(f"0.{parts['f']}") if parts["f"] else 0.0
    return hour * 3_600 + minute * 60 + second + fraction, 60.0 if parts["s"] is None else 1.0


def _shift(offset: str) -> float:
    digits = offset[1:].replace(":", "")
    size = int(digits[:2]) * 3_600 + int(digits[2:] or 0) * 60
    return float(-size if offset[0] == "-" else size)


Whole = tuple[tuple[str, str, str, tuple[int, ...]], ...]


def _order(moments: dict[int, _Moment], stated: str) -> tuple[bool, Whole]:
    """Whether the day comes first, and the defect if that cannot be told or the cells contradict each other."""
    either = {i: m for i, m in moments.items() if not m.sure and min(m.first, m.second) <= 12}
    day_first = [i for i, m in either.items() if m.first > 12]
    month_first = [i for i, m in either.items() if m.second > 12]
    if day_first and month_first:
        remedy = "write all dates of the column alike"
        return True, (
            ("E525", "has dates with the day first and others with the month first", remedy, (day_first[0], month_first[0])),
        )
    if day_first or month_first:
        found = "day_first" if day_first else "month_first"
        if stated not in ("", found):
            example = (day_first or month_first)[0]
            remedy = f'correct dates = "{stated}" in settings.toml, or the column'
            return True, (
                ("E525", f"does not have its dates {stated.replace('_', ' ')}, as settings.toml says", remedy, (example,)),
            )
        return bool(day_first), ()
    open_ones = [i for i, m in either.items() if not m.dotted and m.first != m.second]
    if open_ones and not stated:
        remedy = 'say in settings.toml which comes first: dates = "day_first" or dates = "month_first"'
        return True, (("E525", "does not show whether the day or the month comes first", remedy, (open_ones[0],)),)
    return stated != "month_first", ()


def _mixed(moments: dict[int, _Moment]) -> Whole:
    """The defect of a column in which only some times of day carry an offset."""
    timed = {i: m for i, m in moments.items() if m.length < DAY}
    with_offset = [i for i, m in timed.items() if m.offset is not None]
    without = [i for i, m in timed.items() if m.offset is None]
    if with_offset and without:
        remedy = "give all times of the column an offset, or none"
        return (("E526", "has times with an offset from UTC and times without one", remedy, (with_offset[0], without[0])),)
    return ()


def _resolution(moments: dict[int, _Moment]) -> tuple[dict[int, _Moment], str]:
    """Times that are all at midnight are dates alone; times that are all at full minutes are known to the minute."""
    timed = [i for i, m in moments.items() if m.length < DAY]
    if len(timed) >= MANY and all(moments[i].seconds == 0 and moments[i].offset is None for i in timed):
        return {i: m._replace(length=float(DAY)) for i, m in moments.items()}, "all times are at midnight: read as dates alone"
    if len(timed) >= MANY and all(moments[i].seconds % 60 == 0 for i in timed):
        return {i: m._replace(length=60.0) if m.length < 60 else m for i, m in moments.items()}, ""
    return moments, ""


def _instants(
    cells: Sequence[Any], moments: dict[int, _Moment], day_first: bool, zone: Zone | None,
    wrong: dict[int, tuple[str, str, str]], values: NDArray[np.float64],
) -> NDArray[np.float64]:  # fmt: skip
    """Fills in [earliest, latest) of each cell."""
    index, days, rest, known_days = [], [], [], dict[tuple[int, int, int], int | None]()
    for i, m in moments.items():
        written = (m.year, m.first, m.second) if m.sure or not day_first else (m.year, m.second, m.first)
        if written not in known_days:
            known_days[written] = _day_number(*written)
        number = known_days[written]
        if number is None:
            wrong[i] = ("E524", f"{shown(cells[i])} is not a day of the calendar", EXPECTED)
            continue
        days.append(number)
        index.append(i)
        rest.append((m.seconds, m.length, np.nan if m.offset is None else m.offset))
    if not index:
        return values
    at, day_numbers, (seconds, length, offset) = np.asarray(index), np.asarray(days, dtype=np.int64), np.asarray(rest).T
    wall = day_numbers * float(DAY) + seconds
    known = ~np.isnan(offset)
    values[at] = np.stack([wall - offset, wall - offset + length], axis=-1)
    if zone is not None and not known.all():
        alone, timed = ~known & (length == DAY), ~known & (length < DAY)
        values[at[alone]] = zone.days(day_numbers[alone])
        first, last, skipped = zone.instants(wall[timed])
        values[at[timed]] = np.stack([first, last + length[timed]], axis=-1)
        for i in at[timed][skipped].tolist():
            wrong[i] = (
                "E526",
                f"{shown(cells[i])} does not exist in {zone.name}: clocks went forward",
                "correct the time, or give its offset",
            )
    return values


def _day_number(year: int, month: int, day: int) -> int | None:
    """Days since 1970, None if there is no such day."""
    try:
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError:
        return None


_EPOCH = date(1970, 1, 1).toordinal()


def _in_range(
    cells: Sequence[Any], values: NDArray[np.float64], until: float | None, wrong: dict[int, tuple[str, str, str]]
) -> None:
    for i in np.flatnonzero(values[:, 0] < EARLIEST).tolist():
        wrong.setdefault(i, ("E527", f"{shown(cells[i])} lies before 1990", "check the year"))
    for i in np.flatnonzero(values[:, 0] >= LATEST).tolist():
        wrong.setdefault(i, ("E527", f"{shown(cells[i])} lies after 2100", "check the year"))
    if until is not None:
        for i in np.flatnonzero(values[:, 0] >= until).tolist():
            wrong.setdefault(
                int(i),
                ("E527", f"{shown(cells[i])} lies after the day of the export", "check it, and `exported` in settings.toml"),
            )
