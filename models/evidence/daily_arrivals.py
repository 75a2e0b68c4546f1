"""Cases received a day → counts by sort of day (weekday, month-end), equal ones counted once, in a size that does not grow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import equal
from models.evidence.table import Table
from models.evidence.wall_clock import local_seconds
from models.process import arrival_days, is_month_end
from models.schema import CaseFile
from simulator.clock import DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
WEEKDAYS = 7
MOST_ROWS = 360
"""Most different counts that are kept apart; more are binned within their sort of day."""
MONTH = 31
FEWEST_DAYS = 3


@dataclass(frozen=True, slots=True, eq=False)
class DailyArrivals:
    """Cases of the open days, one entry a day in order of date: number since go-live, weekday (0 = Monday), month-end (0 or 1), cases.

    by_type: cases of each type by day (days, types), or None if types were not told apart
    moved: cases of closed days, added to the next open one · missing: open days between the first and the last without a row
    """

    day: Ints
    weekday: Ints
    month_end: Ints
    cases: Floats
    by_type: Floats | None
    moved: float
    missing: int

    def condensed(self) -> tuple[Ints, Ints, Floats, Floats]:
        """Rows of equal sort and count: weekday, month-end, cases, and how many days; at most `MOST_ROWS`.

        If there are more different ones, neighbouring counts of one sort of day are merged, the wider the further the limit is exceeded:
        half of their days at the mean less the standard deviation of the merged counts, half at the mean plus it.
        """
        weekday, month_end, cases, days, spread = self._merged(1.0)
        if len(cases) <= MOST_ROWS:
            return weekday, month_end, cases, days
        width = 1.5
        while 2 * len(cases) > MOST_ROWS:
            weekday, month_end, cases, days, spread = self._merged(width)
            width *= 1.5
        return np.tile(weekday, 2), np.tile(month_end, 2), np.concatenate([cases - spread, cases + spread]), np.tile(days / 2, 2)

    def _merged(self, width: float) -> tuple[Ints, Ints, Floats, Floats, Floats]:
        """Weekday, month-end, mean and number of the days whose counts share a bin of a width, and the counts' standard deviation."""
        key = np.stack([self.weekday, self.month_end, np.floor(self.cases / width).astype(np.int64)])
        unique, index = np.unique(key, axis=1, return_inverse=True)
        index = index.reshape(-1)
        days = np.bincount(index).astype(np.float64)
        mean = np.bincount(index, self.cases) / days
        spread = np.sqrt(np.bincount(index, np.square(self.cases - mean[index])) / days)
        return unique[0], unique[1], mean, days, spread


def daily(case: CaseFile, about: EvidenceSettings, table: Table) -> DailyArrivals:
    """The days of the file `arrivals`. Raises UnusableEvidenceError for fewer than three open days, or types that are partly left out."""
    second = local_seconds(table.times("day"), case.go_live, about.zone or "UTC").mean(axis=1)
    days = np.floor(second / DAY).astype(np.int64)
    first, last = int(days.min()), int(days.max())
    span = range(first, last + MONTH)
    is_open = arrival_days(case, span)
    dates = [case.go_live + timedelta(days=d) for d in span]
    open_ = np.asarray([is_open(d) for d in dates])
    rows = np.bincount(days - first, minlength=len(span)) > 0
    counts, moved = _moved(_counts(case, table, days - first, len(span)), open_, rows)
    kept = np.flatnonzero(open_ & rows)
    if len(kept) < FEWEST_DAYS:
        raise UnusableEvidenceError(f"arrivals: {len(kept)} open days with a row; a pattern of days needs at least {FEWEST_DAYS}")
    ends = case.arrivals.month_end_days
    month_end = [int(bool(ends) and is_month_end(dates[k], ends, is_open)) for k in kept]
    return DailyArrivals(
        kept + first, np.asarray([dates[k].weekday() for k in kept]), np.asarray(month_end), counts[kept].sum(axis=1),
        counts[kept] if counts.shape[1] > 1 or len(case.types) == 1 else None, moved,
        int((open_ & ~rows)[: last - first + 1].sum()),
    )  # fmt: skip


def _counts(case: CaseFile, table: Table, day: Ints, length: int) -> Floats:
    """Cases by day and type (length, types), or (length, 1) if no row names a type."""
    kinds, cases = table.texts("type"), table.numbers("cases")
    if equal(kinds, "").all():
        return np.asarray(np.bincount(day, cases, length), dtype=np.float64)[:, None]
    if equal(kinds, "").any():
        raise UnusableEvidenceError("arrivals: some rows name a type and some do not; name it in all rows or in none")
    return np.stack([np.bincount(day[mine], cases[mine], length) for t in case.types for mine in (equal(kinds, t),)], axis=1)


def _moved(counts: Floats, is_open: NDArray[np.bool_], rows: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Cases of closed days moved to the next open day that has a row (the last ones are lost); how many."""
    moved, carried, total = counts.copy(), np.zeros(counts.shape[1]), 0.0
    for k in range(len(counts)):
        if not is_open[k]:
            carried = carried + moved[k]
            total += float(moved[k].sum())
        elif rows[k]:
            moved[k] += carried
            carried = np.zeros(counts.shape[1])
    return moved, total
