"""Local times of one zone as instants, with the hours that a change of clocks leaves out or repeats."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
DAY = 86_400
FIRST, LAST = 1989, 2102
"""Earlier and later dates are refused anyway."""
STRIDE = 4
"""Days between two looks at the offset; no zone has changed its clocks there and back within so few."""


@dataclass(frozen=True, slots=True, eq=False)
class Zone:
    """`starts`: UTC seconds from which an offset (seconds east of UTC) holds, the first one for ever before."""

    name: str
    starts: Seconds
    offsets: Seconds

    @classmethod
    def of(cls, name: str) -> Zone:
        """The zone of an IANA name, with its changes from 1989 to 2102; made once for a name."""
        return _zone(name)

    @classmethod
    def searched(cls, name: str) -> Zone:
        """The same, found anew: offsets are compared every few days, a change between two of them is sought by halving."""
        zone = ZoneInfo(name)
        first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST, LAST))
        days = list(range(first, last, STRIDE * DAY))
        offsets = [_offset(zone, day) for day in days]
        starts, found = [-np.inf], [offsets[0]]
        for i in range(1, len(days)):
            if offsets[i] != offsets[i - 1]:
                starts.append(_change(zone, days[i - 1], days[i]))
                found.append(offsets[i])
        return cls(name, np.asarray(starts, dtype=np.float64), np.asarray(found, dtype=np.float64))

    def instants(self, local: Seconds) -> tuple[Seconds, Seconds, NDArray[np.bool_]]:
        """Wall-clock seconds since 1970 → first and last instant (UTC seconds) that shows them, and whether none does.

        Both are equal except in a repeated hour; in a skipped one both are the change itself.
        """
        if not len(local):
            return local, local, np.zeros(0, dtype=np.bool_)
        begin = self.starts + self.offsets  # what the clock shows when an offset begins
        finish = np.append(self.starts[1:], np.inf) + self.offsets
        last = np.searchsorted(begin, local, side="right") - 1
        before = np.maximum(last - 1, 0)
        skipped = local >= finish[last]
        repeated = (last > 0) & (local < finish[before]) & ~skipped
        late = local - self.offsets[last]
        change = np.append(self.starts[1:], np.inf)[last]
        early = np.where(repeated, local - self.offsets[before], late)
        return np.where(skipped, change, early), np.where(skipped, change, late), skipped

    def local(self, instants: Seconds) -> Seconds:
        """Instants (UTC seconds) → what the wall clock shows, in seconds since 1970; NaN stays NaN."""
        known = np.where(np.isnan(instants), 0.0, instants)
        shown = instants + self.offsets[np.searchsorted(self.starts, known, side="right") - 1]
        return np.asarray(shown, dtype=np.float64)

    def days(self, local_days: NDArray[np.int64]) -> Seconds:
        """Local days since 1970 → [first instant, first instant of the next day), shape (n, 2)."""
        edges = np.stack([local_days, local_days + 1], axis=-1).astype(np.float64) * DAY
        return np.stack([self.instants(edges[..., 0])[0], self.instants(edges[..., 1])[0]], axis=-1)


@lru_cache(maxsize=16)
def _zone(name: str) -> Zone:
    return Zone.searched(name)


def _offset(zone: ZoneInfo, second: int) -> float:
    offset = datetime.fromtimestamp(second, tz=zone).utcoffset()
    return 0.0 if offset is None else offset / timedelta(seconds=1)


def _change(zone: ZoneInfo, low: int, high: int) -> float:
    """The first second at which the offset of `high` holds."""
    wanted = _offset(zone, high)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(zone, middle) == wanted else (middle, high)
    return float(high)
