"""From instants (UTC) to the clocks of a case: wall-clock seconds since go-live, and open seconds of calendars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from models.evidence.refusals import UnusableEvidenceError
from models.process import Horizon, calendar
from models.schema import CaseFile
from simulator.clock import DAY, HOUR, Calendar

Floats = NDArray[np.float64]
LONGEST_DAYS = 40 * 366
"""Evidence further than this from go-live is refused: its dates are wrong."""


def local_seconds(utc: Floats, go_live: date, zone: str = "UTC") -> Floats:
    """Instants in seconds since 1970 UTC → wall-clock seconds since go-live in a zone; NaN stays NaN, same shape.

    Raises UnusableEvidenceError for an unknown zone.
    """
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise UnusableEvidenceError(f'there is no time zone "{zone}"; write for example "Europe/Amsterdam"') from None
    start = datetime(go_live.year, go_live.month, go_live.day, tzinfo=UTC).timestamp()
    known = np.isfinite(utc)
    hours, inverse = np.unique(np.floor(utc[known] / HOUR).astype(np.int64), return_inverse=True)
    offsets = np.asarray([_offset(where, int(h) * HOUR) for h in hours], dtype=np.float64)
    result = np.asarray(utc, dtype=np.float64) - start
    result[known] += offsets[inverse] if len(hours) else 0.0
    return result


def _offset(where: ZoneInfo, second: int) -> float:
    offset = datetime.fromtimestamp(second, tz=where).utcoffset()
    return 0.0 if offset is None else offset.total_seconds()


def open_hours(case: CaseFile, names: Sequence[str], seconds: Floats) -> Calendar:
    """The open time of any of the named calendars over the days of some instants (wall-clock seconds since go-live).

    Raises UnusableEvidenceError for dates decades away from go-live.
    """
    known = seconds[np.isfinite(seconds)]
    first, last = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    if max(-first, last) > LONGEST_DAYS * DAY:
        raise UnusableEvidenceError("dates lie more than 40 years from go-live; check the columns of dates")
    horizon = Horizon(int(first // DAY - 1) * DAY, int(last // DAY + 2) * DAY, 1, 1)
    windows = [w for name in names for c in (calendar(case, name, horizon),) for w in zip(c.starts, c.ends, strict=True)]
    return Calendar.of(windows, " + ".join(names))


def open_seconds(hours: Calendar, seconds: Floats) -> Floats:
    """Open seconds from the calendar's beginning up to each instant: a clock that stands still while all is closed; same shape."""
    if not hours.starts:
        return np.where(np.isfinite(seconds), 0.0, seconds)
    starts, ends = np.asarray(hours.starts, dtype=np.float64), np.asarray(hours.ends, dtype=np.float64)
    before = np.asarray(hours.open_before, dtype=np.float64)
    known = np.where(np.isfinite(seconds), seconds, starts[0])
    window = np.searchsorted(starts, known, side="right") - 1
    inside = np.clip(known, starts[window], ends[window]) - starts[window]
    passed = np.where(window >= 0, before[window] + inside, 0.0)
    return np.where(np.isfinite(seconds), passed, seconds)
