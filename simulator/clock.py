"""Time: seconds since go-live, weeks, and calendars as absolute windows.

Go-live is second 0, 00:00 local time on a Monday. Windows are [start, end). Wall-clock time only, without daylight-saving
arithmetic (a stated simplification).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

MINUTE = 60
HOUR = 3_600
DAY = 86_400
WEEK = 604_800
NEVER = 2**62
"""Later than any stop: what a calendar answers when its table ends."""

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")


def week_index(second: int) -> int:
    """0 before go-live, 1 in the first week after it, and so on."""
    return 0 if second < 0 else 1 + second // WEEK


@dataclass(frozen=True, slots=True)
class Calendar:
    """Sorted, disjoint windows of open time in absolute seconds."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    name: str = ""
    _open_before: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        edges = [edge for window in zip(self.starts, self.ends, strict=True) for edge in window]
        if any(b <= a for a, b in zip(edges[::2], edges[1::2], strict=True)):
            raise ValueError(f"calendar {self.name!r}: a window ends before it starts")
        if any(b < a for a, b in zip(edges[1::2], edges[2::2], strict=False)):
            raise ValueError(f"calendar {self.name!r}: windows overlap or are not in order")
        lengths = (end - start for start, end in zip(self.starts, self.ends, strict=True))
        object.__setattr__(self, "_open_before", (0, *accumulate(lengths)))

    @property
    def open_before(self) -> tuple[int, ...]:
        """Open seconds before each window, and in all of them."""
        return self._open_before

    @classmethod
    def of(cls, windows: Iterable[tuple[int, int]], name: str = "") -> Calendar:
        """From windows in any order; windows that touch or overlap are merged, empty ones dropped."""
        merged: list[list[int]] = []
        for start, end in sorted(w for w in windows if w[0] < w[1]):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(merged[-1][1], end)
            else:
                merged.append([start, end])
        return cls(tuple(w[0] for w in merged), tuple(w[1] for w in merged), name)

    def within(self, begin: int, stop: int) -> tuple[tuple[int, int], ...]:
        """The windows as far as they lie in [begin, stop)."""
        windows = zip(self.starts, self.ends, strict=True)
        return tuple((max(start, begin), min(end, stop)) for start, end in windows if start < stop and end > begin)

    def is_open(self, second: int) -> bool:
        i = bisect_right(self.starts, second) - 1
        return i >= 0 and second < self.ends[i]

    def next_open(self, second: int) -> int:
        """The first open instant at or after `second`; NEVER if the table ends before."""
        i = bisect_right(self.starts, second) - 1
        if i >= 0 and second < self.ends[i]:
            return second
        return self.starts[i + 1] if i + 1 < len(self.starts) else NEVER

    def end_of(self, second: int) -> int:
        """The end of the window that holds `second` (which must be open)."""
        return self.ends[bisect_right(self.starts, second) - 1]

    def age(self, second: int) -> int:
        """Seconds since the latest window start at or before `second`; 0 if there was none."""
        i = bisect_right(self.starts, second) - 1
        return second - self.starts[i] if i >= 0 else 0

    def open_until(self, second: int) -> int:
        """Open seconds in all windows up to `second`."""
        i = bisect_right(self.starts, second) - 1
        if i < 0:
            return 0
        return self._open_before[i] + min(second, self.ends[i]) - self.starts[i]

    def open_between(self, start: int, end: int) -> int:
        """Open seconds in [start, end)."""
        return self.open_until(end) - self.open_until(start)

    def add(self, second: int, open_seconds: int) -> int:
        """When `open_seconds` of open time have passed since `second` (work may end exactly at a window's end).

        Zero seconds end at once, open or not; NEVER if the table ends before.
        """
        if open_seconds == 0:
            return second
        target = self.open_until(second) + open_seconds
        if target > self._open_before[-1]:
            return NEVER
        i = bisect_left(self._open_before, target, lo=1) - 1  # the first window whose cumulative end reaches the target
        return self.starts[i] + target - self._open_before[i]


def open_until(clock: Calendar, seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """`Calendar.open_until` for an array of seconds."""
    if not clock.starts:
        return np.zeros_like(seconds)
    starts, ends = np.asarray(clock.starts), np.asarray(clock.ends)
    before = np.concatenate([[0], np.cumsum(ends - starts)])
    i = np.searchsorted(starts, seconds, side="right") - 1
    inside = np.minimum(seconds, ends[np.maximum(i, 0)]) - starts[np.maximum(i, 0)]
    return np.where(i < 0, 0, before[np.maximum(i, 0)] + inside)


def always(begin: int, stop: int, name: str = "always") -> Calendar:
    """Open without a break."""
    return Calendar((begin,), (stop,), name)


def parse_hours(text: str) -> tuple[int, int]:
    """`"09:00-17:30"` as seconds after midnight. Raises ValueError with the remedy."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f'hours "{text}" are not of the form "09:00-17:00"')
    h1, m1, h2, m2 = map(int, match.groups())
    start, end = h1 * HOUR + m1 * MINUTE, h2 * HOUR + m2 * MINUTE
    if m1 > 59 or m2 > 59 or end > DAY or start >= end:
        raise ValueError(f'hours "{text}" must run forward within one day (00:00-24:00)')
    return start, end


def public_holidays(country: str, subdivision: str | None, first: date, last: date) -> frozenset[date]:
    """Public holidays between two dates (package `holidays`). Raises ValueError for an unknown country or subdivision."""
    import holidays

    known = holidays.list_supported_countries(include_aliases=True)  # the package itself also takes names of its own modules
    if country not in known or (subdivision and subdivision not in known[country]):
        place = f"{country!r}{f' / {subdivision!r}' if subdivision else ''}"
        raise ValueError(f'no holidays are known for {place}; use a code such as "NL" or "DE-BY"')
    found = holidays.country_holidays(country, subdiv=subdivision or None, years=range(first.year, last.year + 1))
    return frozenset(day for day in found if first <= day <= last)


def weekly(
    hours: Mapping[str, Iterable[tuple[int, int]]],
    go_live: date,
    begin: int,
    stop: int,
    closed: frozenset[date] = frozenset(),
    name: str = "",
) -> Calendar:
    """A weekly pattern (weekday name -> windows in seconds after midnight) over [begin, stop), without the closed dates."""
    windows: list[tuple[int, int]] = []
    for day in range(begin // DAY, -(-stop // DAY)):
        when = go_live + timedelta(days=day)
        if when in closed:
            continue
        for start, end in hours.get(WEEKDAYS[when.weekday()], ()):
            windows.append((max(begin, day * DAY + start), min(stop, day * DAY + end)))
    return Calendar.of(windows, name)
