"""The baseline is evidence: each draw is solved so that its own as-is arm reproduces a draw of today's observed result.

What was observed tells of the mean that futures have, not of the one future in which a draw is judged. The unknown is the total of the
days nobody has located; an uncertain split (Dirichlet) says where they lie. A draw whose sourced steps alone exceed the observed result, or whose split breaks a place's own limit, has no root: it is rejected and counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import schema, units
from models.legs import NO_DATES, Dates
from models.outcomes import Outcome
from models.process import UNLOCATED
from simulator.clock import DAY
from simulator.draws import Entity, entity_of, purpose_of, uniforms

SOLVED_WITHIN_DAYS = 0.05
MAX_ITERATIONS = 6
MAX_LEG_ITERATIONS = 12
LEG_WITHIN_DAYS = 0.1
MAX_REJECTED_SHARE = 0.2
MAX_OPEN_SHARE = 0.05
"""With more of its cases unfinished at the end of the run, a future's mean is a bound, not a mean."""
MAX_LATE_SHARE = 0.05
"""Share of futures with so many unfinished cases up to which a verdict is possible: rare luck, such as a long absence in a team of one."""
MIN_PROPOSALS = 50
"""The gate judges the share of rejected draws from this many proposals on."""

Simulate = Callable[[Mapping[str, float]], Outcome]
"""Runs the as-is arm of one draw with unlocated days per visit (step -> days)."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """One draw whose as-is arm reproduces its draw of the baseline. as_is: where it was solved, or in the draw's own future."""

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
    baseline: schema.Baseline,
    goal_days: float,
    shares: Mapping[str, float],
    simulate: Simulate,
    start: Solved | None = None,
    legs: Sequence[DatedLeg] = (),
) -> Solved | Rejected:
    """Finds the unlocated days at which the as-is mean is `goal_days`, by secant steps that begin with slope 1.

    `start`: a solved neighbour (the medians) whose days and visits are the first guess; without one the search begins at 0 days.
    `legs`: stretches whose mean days are known from dates; the days of the places in them are located.
    """
    if shares and any(leg.places for leg in legs):
        return _solve_legs(baseline, goal_days, shares, simulate, start, legs)
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


def _without_days(baseline: schema.Baseline, goal_days: float, shares: Mapping[str, float], seen: Outcome) -> Solved | Rejected:
    """A draw whose steps alone take as long as observed, within the tolerance, reproduces it; one that takes longer does not."""
    mean = seen.figures["mean_cycle_time_days"]
    if mean - goal_days > units.seconds(baseline.tolerance) / DAY:
        return Rejected(f"the sourced steps alone take {mean:.1f} of {goal_days:.1f} days")
    return Solved(goal_days, 0.0, dict(shares), dict.fromkeys(shares, 0.0), seen)


@dataclass(frozen=True, slots=True)
class DatedLeg:
    """A stretch of today's process whose mean days a case are known from two dates."""

    name: str
    steps: tuple[str, ...]
    places: tuple[str, ...]
    days: float


def _solve_legs(
    baseline: schema.Baseline, goal_days: float, shares: Mapping[str, float], simulate: Simulate, start: Solved | None,
    legs: Sequence[DatedLeg],
) -> Solved | Rejected:  # fmt: skip
    """Days of each dated leg, and of all other places together, by repeated correction with slope 1.

    A leg whose own steps take longer than the dates say keeps 0 days; only the whole decides whether the draw is rejected.
    """
    rest = [name for name in shares if not any(name in leg.places for leg in legs)]
    without = [leg for leg in legs if not leg.places]
    legs = [leg for leg in legs if leg.places]
    groups = [*(leg.places for leg in legs), tuple(rest)]
    days, seen = [sum(_case_days(start, name) for name in group) for group in groups], start.as_is if start is not None else None
    left = 0.0
    for _ in range(MAX_LEG_ITERATIONS):
        days = [max(d, 0.0) for d in days]
        by_place = {name: d * _within(shares, group, name) for d, group in zip(days, groups, strict=True) for name in group}
        per_visit = _per_visit(1.0, by_place, seen) if seen is not None else dict.fromkeys(shares, 0.0)
        seen = simulate(per_visit)
        off = [leg.days - _leg_days(leg, seen) for leg in legs]
        whole = goal_days - seen.figures["mean_cycle_time_days"]
        stuck = [d == 0.0 and o <= 0 for d, o in zip(days, off, strict=False)]
        held = all(s or abs(o) <= LEG_WITHIN_DAYS for s, o in zip(stuck, off, strict=True))
        if abs(whole) <= SOLVED_WITHIN_DAYS and held:
            total = sum(days)
            split = {name: d / total if total > 0 else 0.0 for name, d in by_place.items()}
            broken = _broken_limit(baseline, seen)
            return Rejected(broken) if broken else Solved(goal_days, total, split, per_visit, seen)
        if not any(days) and whole < 0 and all(stuck):
            return _without_days(baseline, goal_days, shares, seen)
        moved = [0.0 if s else o for s, o in zip(stuck, off, strict=True)]
        left = whole - sum(moved)
        if rest:
            days = [*(d + m for d, m in zip(days, moved, strict=False)), days[-1] + left]
        else:  # nothing else can take what the dates and the whole differ by
            parts = [d + m for d, m in zip(days, moved, strict=False)]
            days = [*(p + left * (p / sum(parts) if sum(parts) > 0 else 1 / len(parts)) for p in parts), 0.0]
            if abs(left) <= units.seconds(baseline.tolerance) / DAY and abs(whole) <= SOLVED_WITHIN_DAYS:
                return Solved(goal_days, sum(by_place.values()), _normed(by_place), per_visit, seen)
    assert seen is not None
    return Rejected(_unreached(goal_days, left, without, seen))


def _unreached(goal_days: float, left: float, without: Sequence[DatedLeg], seen: Outcome) -> str:
    """Why dates and the whole do not go together. left: days of the whole that remain once every dated leg is as its dates say ·
    without: dated legs in which the case has no place for unlocated days."""
    if abs(left) <= SOLVED_WITHIN_DAYS:
        return f"the dated stretches do not all come within {LEG_WITHIN_DAYS} days of what their dates say"
    told = f"with every dated stretch as its dates say, the whole takes {goal_days - left:.1f} of the {goal_days:.1f} days of that future"
    missing = {leg.name: leg.days - _leg_days(leg, seen) for leg in without}
    name = max(missing, key=lambda key: abs(missing[key]), default="")
    if not name:
        return told
    leg = next(leg for leg in without if leg.name == name)
    return (
        f'{told}; the stretch that ends with "{name}" takes {leg.days:.1f} days by its dates and {_leg_days(leg, seen):.1f} by its steps, '
        f"of which none may hold days that its times do not explain; add one to the case file, say [baseline.places.{leg.steps[0]}]"
    )


def _leg_days(leg: DatedLeg, seen: Outcome) -> float:
    return sum(seen.step_days.get(step, 0.0) for step in leg.steps)


def _normed(days: Mapping[str, float]) -> dict[str, float]:
    total = sum(days.values())
    return {name: d / total if total > 0 else 0.0 for name, d in days.items()}


def _within(shares: Mapping[str, float], group: Sequence[str], name: str) -> float:
    """A place's share of its group; equal ones if all of them are 0."""
    total = sum(shares[other] for other in group)
    return shares[name] / total if total > 0 else 1 / len(group)


def _case_days(solved: Solved | None, name: str) -> float:
    return solved.unlocated_days * solved.shares.get(name, 0.0) if solved is not None else 0.0


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


def extreme_per_visit(
    baseline: schema.Baseline, solved: Solved, stretches: Sequence[Sequence[str]] = ()
) -> dict[str, tuple[float, dict[str, float]]]:
    """For each place: the share of the unlocated days that fits there (all of them, or up to its limit), and the days per visit.

    What does not fit is spread evenly over the other places. The total stays that of `solved`, so today's mean stays reproduced. Places
    whose waits were fitted hold no unlocated days, so they are left out. `stretches`: places between two dates; days stay in their stretch,
    so a place alone in one is left out too.
    """
    extremes = {}
    apart = {name for stretch in stretches for name in stretch}
    for stretch in [*stretches, [name for name in baseline.places if name not in apart]]:
        places = [name for name in stretch if name in solved.shares]
        if len(places) < 2 and stretches:
            continue
        days = solved.unlocated_days * sum(solved.shares[name] for name in places)
        for name in places:
            share = _fits(baseline, solved, name, days)
            others = (1 - share) / max(1, len(places) - 1)
            by_place = {other: solved.unlocated_days * part for other, part in solved.shares.items()}
            by_place |= {other: days * (share if other == name else others) for other in places}
            extremes[name] = (share, _per_visit(1.0, by_place, solved.as_is))
    return extremes


def _fits(baseline: schema.Baseline, solved: Solved, name: str, days: float) -> float:
    """The share of some days that fits at a place beside what is located there."""
    limit = baseline.places[name].at_most
    if limit is None:
        return 1.0
    room = units.seconds(limit) / DAY - (solved.as_is.step_days[name] - solved.unlocated_days * solved.shares[name])
    return float(np.clip(room / max(days, 1e-9), 0.0, 1.0))


def open_days(solved: Solved, located: frozenset[str]) -> float:
    """Days a case that nobody has located, neither sources nor dates."""
    return solved.unlocated_days * sum(share for name, share in solved.shares.items() if name not in located)


@dataclass(frozen=True, slots=True)
class BaselineReport:
    """What the baseline says of a study. `located_share`: share of today's mean that sourced steps or dates explain · `near`: whether the
    simulated mean is the observed one, as far as can be told · `passed`: that, and enough draws that could be solved and ended."""

    observed: float
    simulated: float
    located_share: float
    proposals: int
    rejected: int
    reasons: tuple[str, ...]
    near: bool
    passed: bool
    problem: str = ""


def report(baseline: schema.Baseline, solved: list[Solved], rejected: list[Rejected], dates: Dates = NO_DATES) -> BaselineReport:
    """The gate: simulated within tolerance (and three standard errors) of observed, at most 20 % of at least 50 proposals rejected."""
    observed = baseline.observed.uncertain().median / DAY if dates.observed_days is None else dates.observed_days
    simulated = float(np.mean([s.as_is.figures["mean_cycle_time_days"] for s in solved])) if solved else float("nan")
    proposals = len(solved) + len(rejected)
    located = float(np.mean([1 - open_days(s, dates.located) / s.goal_days for s in solved])) if solved else float("nan")
    # each draw is shown in a future of its own, so the mean over draws carries the luck of these futures beside that of the goals
    luck = [s.as_is.figures["mean_cycle_time_days"] - s.goal_days for s in solved]
    apart = float(np.std(luck, ddof=1)) if len(luck) > 1 else 0.0
    error = float(np.hypot(units.seconds(baseline.standard_error) / DAY, apart)) / max(1, len(solved)) ** 0.5
    near = bool(solved) and abs(simulated - observed) <= units.seconds(baseline.tolerance) / DAY + 3 * error
    few = proposals < MIN_PROPOSALS or len(rejected) <= MAX_REJECTED_SHARE * proposals
    reasons = tuple(dict.fromkeys(r.reason for r in rejected))
    late = sum(s.as_is.figures["open_share"] > MAX_OPEN_SHARE for s in solved)
    problem = ""
    if late > MAX_LATE_SHARE * len(solved):
        problem = (
            f"in {late} of {len(solved)} futures more than {MAX_OPEN_SHARE:.0%} of today's cases are not finished when the run ends; "
            "raise run_out_weeks (and warm_up_weeks)"
        )
    passed = near and few and bool(solved) and not problem
    return BaselineReport(observed, simulated, located, proposals, len(rejected), reasons, near, passed, problem)
