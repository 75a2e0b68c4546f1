"""The summary of a plan: for every point and arm the mean and range of each figure, and the chance that the promise is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.batch.plan import Prepared
from scenarios.batch.work import FIGURE, FIGURES, Job, Row
from simulator.statistics import Estimate, wilson


@dataclass(frozen=True, slots=True)
class Range:
    """Mean over the futures, and their 5 % and 95 % quantiles; nan without futures."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One arm of one point of one case.

    chance: of the promise with its 90 % range; None at the middle values, where it would leave out what is uncertain, and where
    `problem` says why the figures cannot be used.
    """

    job: Job
    arm: str
    futures: int
    rejected_draws: int
    figures: dict[str, Range]
    chance: Estimate | None
    problem: str


class Summary:
    """Collects lines, part by part; rows are not kept."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.lines: list[Line] = []

    def add(self, job: Job, rows: Sequence[Row]) -> None:
        """Takes all rows of a job."""
        for arm in self.prepared.arms:
            self.lines.append(self._line(job, arm, [row for row in rows if row["arm"] == arm]))

    def _line(self, job: Job, arm: str, rows: Sequence[Row]) -> Line:
        kept = [row["kept"] for row in rows if row["kept"] is not None]
        problem = next((row["problem"] for row in rows if row["problem"]), "")
        told = self.prepared.plan.draws is not None and kept and not problem
        chance = wilson(sum(kept), len(kept)) if told else None
        figures = {name: _range([row[f"{FIGURE}{name}"] for row in rows]) for name in FIGURES}
        return Line(job, arm, len(kept), rows[0]["rejected_draws"], figures, chance, problem)


def _range(values: Sequence[float | None]) -> Range:
    known = np.array([v for v in values if v is not None], dtype=np.float64)
    if not len(known):
        return Range(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(known, [0.05, 0.95])
    return Range(float(known.mean()), float(low), float(high))
