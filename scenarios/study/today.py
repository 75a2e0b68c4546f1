"""What a draw's today must reproduce: the goal, where unlocated days may lie, and the stretches that dates tell of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import baseline as b
from models.legs import COLUMN, dated, dated_legs, timed_steps
from models.schema import Baseline
from scenarios.arms import OneFuture
from simulator.clock import DAY


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What a draw's today must reproduce, and where its unlocated days may lie."""

    baseline: Baseline
    goal_days: float
    shares: Mapping[str, float]
    legs: tuple[b.DatedLeg, ...]

    def solve(self, as_is: b.Simulate, start: b.Solved | None = None) -> b.Solved | b.Rejected:
        """The unlocated days at which `as_is` reproduces it; `start`: a solved neighbour."""
        return b.solve(self.baseline, self.goal_days, self.shares, as_is, start, self.legs)


def asked_of(one: OneFuture, draw: int | None) -> Asked:
    """What the row of this future must reproduce: the goal and the split of a draw (None: the medians)."""
    case, seed = one.arms.case, one.arms.draws.seed
    assert case.baseline is not None
    split = b.split_of_draw(case.baseline, seed, draw)
    if not dated(case):
        return Asked(case.baseline, b.goal_of_draw(case.baseline, seed, draw), split, ())
    goal = float(one.arms.draws.values["baseline.observed"]["as_is"][one.row]) / DAY
    open_places = _normed({name: share for name, share in split.items() if name not in timed_steps(case)})
    return Asked(case.baseline, goal, open_places, tuple(_legs(one, open_places)))


def _normed(shares: dict[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()} if total > 0 else {}


def _legs(one: OneFuture, places: Mapping[str, float]) -> list[b.DatedLeg]:
    """The dated legs with their mean days in this draw, and those of the places in them that may hold unlocated days."""
    values = one.arms.draws.values
    return [
        b.DatedLeg(
            leg.last, leg.steps, tuple(p for p in leg.places if p in places),
            float(values[f"{COLUMN}{leg.last}"]["as_is"][one.row]) / DAY,
        )
        for leg in dated_legs(one.arms.case)
    ]  # fmt: skip


def solved_record(solved: b.Solved | b.Rejected) -> dict[str, Any]:
    """A solution as plain data for the cache."""
    if isinstance(solved, b.Rejected):
        return {"rejected": solved.reason}
    names = ("goal_days", "unlocated_days", "shares", "per_visit")
    return {name: dict(v) if isinstance(v := getattr(solved, name), Mapping) else v for name in names}
