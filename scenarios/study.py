"""The only place that runs things: arms × draws × replications of a case, and the studies made of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import baseline as b
from models import parameters, process, schema
from models.conditions import PILOT, PRODUCTION
from models.decisions.verdict import Verdict, judge
from models.outcomes import Outcome, case_costs, met, outcome
from models.parameters import Draws, Scope
from models.process import Horizon
from models.schema import Arm, CaseFile, Cause
from simulator.futures import realise
from simulator.laws import LawCheck, check_laws
from simulator.ledger import Ledger
from simulator.program import lower
from simulator.simpy_engine import simulate

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
ARM_CAUSES: dict[Arm, frozenset[Cause]] = {"pilot": PILOT, "production": PRODUCTION}
PERFECT = {"accuracy": 1 - 1e-9, "shift": 0.0, "scope_penalty": 0.0, "accepted_error": 1e-9}


def quiet(_: str, __: int, ___: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One simulated future of one arm."""

    arm: str
    draw: int
    future: int
    ledger: Ledger
    outcome: Outcome
    laws: tuple[LawCheck, ...]


def columns_of(draws: Draws, arm: Arm) -> Scope:
    """The columns of one of the three named arms."""
    return process.today_columns(draws) if arm == "as_is" else process.arm_columns(draws, ARM_CAUSES[arm])


def run_arm(
    case: CaseFile,
    draws: Draws,
    position: int,
    arm: Arm,
    future: int,
    unlocated: Mapping[str, Floats],
    horizon: Horizon | None = None,
) -> Run:
    """Simulates one future of one draw in one arm. `unlocated`: step -> days per visit, shape (1,)."""
    one = draws.select([position])
    columns = columns_of(one, arm)
    if horizon is None:
        horizon = process.today_horizon(case) if arm == "as_is" else process.full_horizon(case)
    program = lower(process.build(case, columns, horizon, unlocated), horizon.begin, horizon.stop)
    ledger = simulate(program, 0, realise(program, 0, draws.seed, future))
    result = outcome(case, ledger, horizon, case_costs(case, columns.now, 0))
    return Run(arm, draws.numbers[position], future, ledger, result, check_laws(ledger))


def solve_baseline(
    case: CaseFile, draws: Draws, position: int, shares: Mapping[str, float] | None = None, median: bool = False
) -> b.Solved | b.Rejected:
    """The unlocated days of one draw, so that its as-is arm reproduces its draw of the baseline."""
    assert case.baseline is not None
    number = None if median else draws.numbers[position]
    split = shares if shares is not None else b.split_of_draw(case.baseline, draws.seed, number)
    goal = b.goal_of_draw(case.baseline, draws.seed, number)
    return b.solve(
        case.baseline, goal, split, lambda days: run_arm(case, draws, position, "as_is", draws.numbers[position], days).outcome
    )


# -- run: one parameter row (the medians), several replications


@dataclass(frozen=True, slots=True, eq=False)
class Replications:
    """Runs of one arm at the medians of all parameters."""

    case: CaseFile
    seed: int
    arm: Arm
    runs: tuple[Run, ...]
    unlocated: Mapping[str, Floats]
    baseline: b.BaselineReport | None


def replicate(case: CaseFile, arm: Arm, replications: int, seed: int, progress: Progress = quiet) -> Replications:
    """Simulates an arm at the medians, calibrated once to the baseline. Raises BaselineError if it cannot be."""
    draws = parameters.sample(case, seed, None)
    unlocated, report = _median_baseline(case, draws)
    runs = []
    for r in range(replications):
        progress(arm, r, replications)
        runs.append(run_arm(case, draws, 0, arm, r, unlocated))
    progress(arm, replications, replications)
    return Replications(case, seed, arm, tuple(runs), unlocated, report)


class BaselineError(ValueError):
    """The case's own figures cannot produce today's observed result."""


def _median_baseline(case: CaseFile, draws: Draws) -> tuple[Mapping[str, Floats], b.BaselineReport | None]:
    if case.baseline is None:
        return {}, None
    solved = solve_baseline(case, draws, 0, median=True)
    if isinstance(solved, b.Rejected):
        raise BaselineError(f"today's result cannot be reproduced at the medians: {solved.reason}")
    return solved.per_visit, b.report(case.baseline, [solved], [])


# -- verdict: many draws, three arms


@dataclass(frozen=True, slots=True, eq=False)
class DrawResult:
    """One accepted draw: its three arms and its baseline."""

    draw: int
    solved: b.Solved | None
    arms: Mapping[Arm, Outcome]


@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """The production arm at the medians when all unlocated days lie at one place."""

    place: str
    production: Outcome | None
    met: bool | None
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class VerdictStudy:
    """All that a verdict rests on."""

    case: CaseFile
    seed: int
    results: tuple[DrawResult, ...]
    baseline: b.BaselineReport | None
    verdict: Verdict
    extremes: tuple[Extreme, ...]
    perfect: Outcome | None
    laws: tuple[LawCheck, ...]


def verdict(case: CaseFile, draws: int, seed: int, progress: Progress = quiet) -> VerdictStudy:
    """Simulates as-is, pilot and production under `draws` accepted draws and judges the promise."""
    results: list[DrawResult] = []
    rejected: list[b.Rejected] = []
    laws: list[LawCheck] = []
    number = 0
    while len(results) < draws:
        progress("futures", len(results), draws)
        outcome_of_draw = _one_draw(case, parameters.sample(case, seed, range(number, number + 1)), laws)
        number += 1
        if isinstance(outcome_of_draw, b.Rejected):
            rejected.append(outcome_of_draw)
            if len(rejected) > max(b.MIN_PROPOSALS, draws) * 2:
                break
        else:
            results.append(outcome_of_draw)
    progress("futures", draws, draws)
    report = None
    if case.baseline is not None:
        report = b.report(case.baseline, [r.solved for r in results if r.solved is not None], rejected)
    judged = judge([met(case, r.arms["production"].figures) for r in results], report is None or report.passed)
    return VerdictStudy(
        case, seed, tuple(results), report, judged, _extremes(case, seed, progress), _perfect(case, seed, progress), tuple(laws)
    )


def _one_draw(case: CaseFile, draws: Draws, laws: list[LawCheck]) -> DrawResult | b.Rejected:
    solved: b.Solved | None = None
    unlocated: Mapping[str, Floats] = {}
    arms: dict[Arm, Outcome] = {}
    if case.baseline is not None:
        answer = solve_baseline(case, draws, 0)
        if isinstance(answer, b.Rejected):
            return answer
        solved, unlocated = answer, answer.per_visit
        arms["as_is"] = answer.as_is
    for arm in parameters.ARMS:
        if arm not in arms:
            run = run_arm(case, draws, 0, arm, draws.numbers[0], unlocated)
            arms[arm] = run.outcome
            laws += [law for law in run.laws if not law.passed]
    return DrawResult(draws.numbers[0], solved, arms)


def _extremes(case: CaseFile, seed: int, progress: Progress) -> tuple[Extreme, ...]:
    """Production at the medians with all unlocated days at one place, for each place."""
    if case.baseline is None or not case.baseline.places:
        return ()
    draws = parameters.sample(case, seed, None)
    splits = b.extreme_splits(case.baseline)
    found = []
    for i, (place, shares) in enumerate(splits.items()):
        progress("where the unlocated days lie", i, len(splits))
        solved = solve_baseline(case, draws, 0, shares, median=True)
        if isinstance(solved, b.Rejected):
            found.append(Extreme(place, None, None, solved.reason))
        else:
            run = run_arm(case, draws, 0, "production", 0, solved.per_visit)
            found.append(Extreme(place, run.outcome, met(case, run.outcome.figures), ""))
    return tuple(found)


def _perfect(case: CaseFile, seed: int, progress: Progress) -> Outcome | None:
    """Production at the medians with an AI that is always right: what no level of accuracy can beat."""
    ais = [s.id for s in case.steps if isinstance(s, schema.Ai)]
    if not ais:
        return None
    progress("an AI without errors", 0, 1)
    draws = parameters.sample(case, seed, None)
    unlocated, _ = _median_baseline(case, draws)
    return run_arm(
        case, with_values(draws, {f"steps.{a}.{k}": v for a in ais for k, v in PERFECT.items()}), 0, "production", 0, unlocated
    ).outcome


def with_values(draws: Draws, values: Mapping[str, float]) -> Draws:
    """The same draws with some parameters set to a value in every arm. Raises KeyError for an unknown path."""
    changed: dict[str, Any] = dict(draws.values)
    for path, value in values.items():
        changed[path] = {arm: np.full_like(column, value) for arm, column in draws.values[path].items()}
    return replace(draws, values=changed)
