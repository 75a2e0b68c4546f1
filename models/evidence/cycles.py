"""Today's cases with their dates: what an export says about the days from arrival to end, and where in between they lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DAY = 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Cycles:
    """One row a case. Instants are [earliest, latest) in seconds since 1970 UTC, shape (cases, 2), NaN where nothing is dated.

    lines: line of the file · case: its number · type, cluster: "" if unknown · amount: NaN if unknown, currency beside it
    arrival, end: instants; `end` is NaN and `open` true for a case that was not done when the export was made
    events: event (`entry.ended`) → instants of its first time, in the order of the mapping, without arrival and end
    people: column → pseudonym · selected_by, window: all cases that arrived (or ended) in [window) are in the file
    exported: the instant until which the file knows what happened
    """

    file: str
    lines: NDArray[np.int64]
    case: NDArray[np.object_]
    type: NDArray[np.object_]
    cluster: NDArray[np.object_]
    amount: Floats
    currency: NDArray[np.object_]
    arrival: Floats
    end: Floats
    open: NDArray[np.bool_]
    events: Mapping[str, Floats]
    people: Mapping[str, NDArray[np.object_]]
    selected_by: Literal["arrival", "end"]
    window: tuple[float, float]
    exported: float

    def __len__(self) -> int:
        return len(self.lines)

    def days(self) -> tuple[Floats, Floats]:
        """Days from arrival to end, as least and most that the dates allow; an open case has its age and infinity."""
        earliest, latest = self.days_until(self.end)
        age = np.maximum(0.0, self.exported - self.arrival[:, 1]) / DAY
        return np.where(self.open, age, earliest), np.where(self.open, np.inf, latest)

    def days_to(self, event: str) -> tuple[Floats, Floats]:
        """Days from arrival to the first time of an event, as least and most; NaN where it has no date. Raises KeyError."""
        return self.days_until(self.events[event])

    def days_until(self, instants: Floats) -> tuple[Floats, Floats]:
        """Days from arrival to instants of shape (cases, 2), as least and most that the dates allow; NaN where there is none."""
        least = np.maximum(0.0, instants[:, 0] - self.arrival[:, 1]) / DAY
        return np.where(np.isnan(instants[:, 0]), np.nan, least), (instants[:, 1] - self.arrival[:, 0]) / DAY
