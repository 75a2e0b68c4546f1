"""From dated events to visits of steps: which start belongs to which end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Dated:
    """Events of one sort. `case`: place of the case among all, `at`: [earliest, latest) in UTC seconds, `line`: of the file."""

    case: Ints
    at: Floats
    line: Ints

    def first(self, cases: int) -> tuple[Floats, Ints]:
        """The first time of each case, shape (cases, 2), NaN without one; and its line."""
        order = np.lexsort((self.line, self.at[:, 0], self.case))
        return self._pick(order[::-1], cases)

    def last(self, cases: int) -> tuple[Floats, Ints]:
        """The last time of each case, likewise."""
        order = np.lexsort((self.line, self.at[:, 1], self.case))
        return self._pick(order, cases)

    def _pick(self, order: Ints, cases: int) -> tuple[Floats, Ints]:
        """Of each case the one that comes last in an order."""
        at, line = np.full((cases, 2), np.nan), np.zeros(cases, dtype=np.int64)
        at[self.case[order]], line[self.case[order]] = self.at[order], self.line[order]
        return at, line


@dataclass(frozen=True, slots=True, eq=False)
class Visits:
    """Visits of one step and level. `at`: shape (visits, phases, 2), NaN where nothing is dated; `line`: of the visit's first event."""

    case: Ints
    at: Floats
    line: Ints


def visits_of(phases: list[Dated | None], by_time: bool) -> Visits:
    """Puts the phases of a step together, in their natural order (None = not in the file).

    `by_time`: a case may come several times; a phase that does not come after the one before it opens a new visit.
    Otherwise each case has at most one of each phase, and one visit.
    """
    given = [(number, dated) for number, dated in enumerate(phases) if dated is not None]
    case = np.concatenate([d.case for _, d in given]) if given else np.zeros(0, dtype=np.int64)
    at = np.concatenate([d.at for _, d in given]) if given else np.zeros((0, 2))
    line = np.concatenate([d.line for _, d in given]) if given else np.zeros(0, dtype=np.int64)
    phase = np.concatenate([np.full(len(d.case), number) for number, d in given]) if given else np.zeros(0, dtype=np.int64)
    order = np.lexsort((phase, at[:, 0], case)) if by_time else np.lexsort((phase, case))
    case, at, line, phase = case[order], at[order], line[order], phase[order]
    opens = np.ones(len(case), dtype=np.bool_)
    opens[1:] = (case[1:] != case[:-1]) | (phase[1:] <= phase[:-1])
    visit = np.cumsum(opens) - 1
    times = np.full((int(opens.sum()), len(phases), 2), np.nan)
    times[visit, phase] = at
    return Visits(case[opens], times, line[opens])
