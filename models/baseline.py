"""The baseline is evidence: each draw is solved so that its own as-is arm reproduces a draw of today's observed result.

The unknown is the total of the days nobody has located; an uncertain split (Dirichlet) says where they lie. A draw whose sourced
steps alone exceed the observed result, or whose split breaks a place's own limit, has no root: it is rejected and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import schema, units
from models.outcomes import Outcome
from models.process import UNLOCATED
from simulator.clock import DAY
from simulator.draws import Entity, entity_of, purpose_of, uniforms

Floats = NDArray[np.float64]
SOLVED_WITHIN_DAYS = 0.02
MAX_ITERATIONS = 6
MAX_REJECTED_SHARE = 0.2
MIN_PROPOSALS = 50
"""The gate judges the share of rejected draws from this many proposals on."""

Simulate = Callable[[Mapping[str, Floats]], Outcome]
"""Runs the as-is arm of one draw with unlocated days per visit (step -> array of shape (1,))."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """One draw whose as-is arm reproduces its draw of the baseline."""

    goal_days: float
    unlocated_days: float
    shares: Mapping[str, float]
    per_visit: Mapping[str, Floats]
    as_is: Outcome


@dataclass(frozen=True, slots=True)
class Rejected:
    """A draw without a root, and why."""

    reason: str


def goal_of_draw(baseline: schema.Baseline, seed: int, draw: int | None) -> float:
    """A draw of the observed mean in days (normal, its sampling error); its median for `draw` None."""
    from scipy.special import ndtri

    mean = baseline.observed.uncertain().median / DAY
    if draw is None:
        return mean
    u, _ = uniforms(seed, draw, entity_of(Entity.PARAMETER, 0), purpose_of("baseline.observed:sampling"))
    return mean + units.seconds(baseline.standard_error) / DAY * float(ndtri(u))


def split_of_draw(baseline: schema.Baseline, seed: int, draw: int | None) -> dict[str, float]:
    """A Dirichlet draw of the shares of the places (gammas by inverse CDF); their means for `draw` None."""
    from scipy.special import gammaincinv

    weights = {name: place.weight for name, place in baseline.places.items()}
    if draw is not None:
        entity = entity_of(Entity.PARAMETER, 0)
        weights = {
            name: float(gammaincinv(w, uniforms(seed, draw, entity, purpose_of(f"baseline.places.{name}:split"))[0]))
            for name, w in weights.items()
        }
    total = sum(weights.values())
    return {name: w / total for name, w in weights.items()}


def solve(baseline: schema.Baseline, goal_days: float, shares: Mapping[str, float], simulate: Simulate) -> Solved | Rejected:
    """Finds the unlocated days at which the as-is mean is `goal_days`, by secant steps that start with slope 1."""
    result = simulate({name: np.zeros(1) for name in shares})
    located = result.figures["mean_cycle_time_days"]
    if not shares:
        return Solved(goal_days, 0.0, {}, {}, result)
    if located > goal_days + SOLVED_WITHIN_DAYS:
        return Rejected(f"the sourced steps alone take {located:.1f} of {goal_days:.1f} days")
    days, points = goal_days - located, [(0.0, located)]
    per_visit = _per_visit(days, shares, result)
    for _ in range(MAX_ITERATIONS):
        result = simulate(per_visit)
        mean = result.figures["mean_cycle_time_days"]
        if abs(mean - goal_days) <= SOLVED_WITHIN_DAYS:
            broken = _broken_limit(baseline, result)
            return Rejected(broken) if broken else Solved(goal_days, days, dict(shares), per_visit, result)
        points.append((days, mean))
        (x0, y0), (x1, y1) = points[-2:]
        slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 1.0
        days = max(0.0, days + (goal_days - mean) / (slope if 0.2 < slope < 5 else 1.0))
        per_visit = _per_visit(days, shares, result)
    return Rejected(f"no unlocated days bring the mean within {SOLVED_WITHIN_DAYS} of {goal_days:.1f} days")


def _per_visit(days: float, shares: Mapping[str, float], result: Outcome) -> dict[str, Floats]:
    """Mean days a case at each place, turned into days a visit by the visits seen."""
    visits = {name: result.step_visits.get(f"{name}.{UNLOCATED}", 0.0) for name in shares}
    return {name: np.asarray([days * share / visits[name] if visits[name] > 0 else 0.0]) for name, share in shares.items()}


def _broken_limit(baseline: schema.Baseline, result: Outcome) -> str:
    for name, place in baseline.places.items():
        if place.at_most is not None and result.step_days[name] > units.seconds(place.at_most) / DAY:
            return f'"{name}" would take {result.step_days[name]:.1f} days, more than its own limit of {place.at_most}'
    return ""


def extreme_splits(baseline: schema.Baseline) -> dict[str, dict[str, float]]:
    """For each place: all unlocated days there."""
    return {name: {other: float(other == name) for other in baseline.places} for name in baseline.places}


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """What the baseline says of a study. `located_share`: share of today's mean that sourced steps explain."""

    observed: float
    simulated: float
    located_share: float
    proposals: int
    rejected: int
    reasons: tuple[str, ...]
    passed: bool


def report(baseline: schema.Baseline, solved: list[Solved], rejected: list[Rejected]) -> BaselineReport:
    """The gate: simulated within tolerance of observed, and at most 20 % of at least 50 proposals rejected."""
    observed = baseline.observed.uncertain().median / DAY
    simulated = float(np.mean([s.as_is.figures["mean_cycle_time_days"] for s in solved])) if solved else float("nan")
    proposals = len(solved) + len(rejected)
    located = float(np.mean([1 - s.unlocated_days / s.goal_days for s in solved])) if solved else float("nan")
    error = units.seconds(baseline.standard_error) / DAY / max(1, len(solved)) ** 0.5
    near = bool(solved) and abs(simulated - observed) <= units.seconds(baseline.tolerance) / DAY + 3 * error
    few = proposals < MIN_PROPOSALS or len(rejected) <= MAX_REJECTED_SHARE * proposals
    reasons = tuple(dict.fromkeys(r.reason for r in rejected))
    return BaselineReport(observed, simulated, located, proposals, len(rejected), reasons, near and few and bool(solved))
