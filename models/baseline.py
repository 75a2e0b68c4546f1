"""The baseline is evidence: each draw is solved so that its own as-is arm reproduces a draw of today's observed result.

The unknown is the total of the days nobody has located; an uncertain split (Dirichlet) says where they lie. A draw whose sourced
steps alone exceed the observed result, or whose split breaks a place's own limit, has no root: it is rejected and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from models import schema, units
from models.outcomes import Outcome
from models.process import UNLOCATED
from simulator.clock import DAY
from simulator.draws import Entity, entity_of, purpose_of, uniforms

SOLVED_WITHIN_DAYS = 0.05
MAX_ITERATIONS = 6
MAX_REJECTED_SHARE = 0.2
MAX_OPEN_SHARE = 0.05
"""With more of today's cases unfinished at the end of the run its mean is a bound, not a mean: no verdict."""
MIN_PROPOSALS = 50
"""The gate judges the share of rejected draws from this many proposals on."""

Simulate = Callable[[Mapping[str, float]], Outcome]
"""Runs the as-is arm of one draw with unlocated days per visit (step -> days)."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """One draw whose as-is arm reproduces its draw of the baseline."""

    goal_days: float
    unlocated_days: float
    shares: Mapping[str, float]
    per_visit: Mapping[str, float]
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


def solve(
    baseline: schema.Baseline, goal_days: float, shares: Mapping[str, float], simulate: Simulate, start: Solved | None = None
) -> Solved | Rejected:
    """Finds the unlocated days at which the as-is mean is `goal_days`, by secant steps that begin with slope 1.

    `start`: a solved neighbour (the medians) whose days and visits are the first guess; without one the search begins at 0 days.
    """
    if not shares:
        return Solved(goal_days, 0.0, {}, {}, simulate({}))
    days = start.unlocated_days + goal_days - start.goal_days if start is not None else 0.0
    seen = start.as_is if start is not None else None
    points: list[tuple[float, float]] = []
    for _ in range(MAX_ITERATIONS):
        days = max(days, 0.0)
        per_visit = _per_visit(days, shares, seen) if seen is not None else dict.fromkeys(shares, 0.0)
        seen = simulate(per_visit)
        mean = seen.figures["mean_cycle_time_days"]
        if abs(mean - goal_days) <= SOLVED_WITHIN_DAYS:
            broken = _broken_limit(baseline, seen)
            return Rejected(broken) if broken else Solved(goal_days, days, dict(shares), per_visit, seen)
        if days == 0.0 and mean > goal_days:
            return Rejected(f"the sourced steps alone take {mean:.1f} of {goal_days:.1f} days")
        points.append((days, mean))
        days += (goal_days - mean) / _slope(points)
    return Rejected(f"no unlocated days bring the mean within {SOLVED_WITHIN_DAYS} of {goal_days:.1f} days")


def _slope(points: list[tuple[float, float]]) -> float:
    """Days of the mean per unlocated day, from the last two points; 1 if they say nothing sensible."""
    if len(points) < 2 or points[-1][0] == points[-2][0]:
        return 1.0
    (x0, y0), (x1, y1) = points[-2:]
    slope = (y1 - y0) / (x1 - x0)
    return slope if 0.2 < slope < 5 else 1.0


def _per_visit(days: float, shares: Mapping[str, float], result: Outcome) -> dict[str, float]:
    """Mean days a case at each place, turned into days a visit by the visits seen."""
    visits = {name: result.step_visits.get(f"{name}.{UNLOCATED}", 0.0) for name in shares}
    return {name: days * share / visits[name] if visits[name] > 0 else 0.0 for name, share in shares.items()}


def _broken_limit(baseline: schema.Baseline, result: Outcome) -> str:
    for name, place in baseline.places.items():
        if place.at_most is not None and result.step_days[name] > units.seconds(place.at_most) / DAY:
            return f'"{name}" would take {result.step_days[name]:.1f} days, more than its own limit of {place.at_most}'
    return ""


def extreme_per_visit(baseline: schema.Baseline, solved: Solved) -> dict[str, tuple[float, dict[str, float]]]:
    """For each place: the share of the unlocated days that fits there (all of them, or up to its limit), and the days per visit.

    What does not fit is spread evenly over the other places. The total stays that of `solved`, so today's mean stays reproduced.
    """
    extremes = {}
    for name, place in baseline.places.items():
        share = 1.0
        if place.at_most is not None:
            located = solved.as_is.step_days[name] - solved.unlocated_days * solved.shares[name]
            room = units.seconds(place.at_most) / DAY - located
            share = float(np.clip(room / max(solved.unlocated_days, 1e-9), 0.0, 1.0))
        others = (1 - share) / max(1, len(baseline.places) - 1)
        shares = {other: share if other == name else others for other in baseline.places}
        extremes[name] = (share, _per_visit(solved.unlocated_days, shares, solved.as_is))
    return extremes


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
    problem: str = ""


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
    unfinished = max((s.as_is.figures["open_share"] for s in solved), default=0.0)
    problem = ""
    if unfinished > MAX_OPEN_SHARE:
        problem = f"{unfinished:.0%} of today's cases are not finished when the run ends; raise run_out_weeks (and warm_up_weeks)"
    passed = near and few and bool(solved) and not problem
    return BaselineReport(observed, simulated, located, proposals, len(rejected), reasons, passed, problem)
