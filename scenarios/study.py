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
from models.schema import Arm, CaseFile, Cause
from scenarios.store import SolvedCache
from simulator.futures import realise
from simulator.laws import LawCheck, check_laws
from simulator.ledger import Ledger
from simulator.program import lower
from simulator.simpy_engine import simulate

Floats = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
ARM_CAUSES: dict[Arm, frozenset[Cause]] = {"pilot": PILOT, "production": PRODUCTION}
PERFECT = {"shift": 40.0, "scope_penalty": 0.0}
"""Logits that make every live output right; the threshold stays, so coverage follows."""


def quiet(_: str, __: int, ___: int) -> None:
    """Shows no progress."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One simulated future of one arm."""

    case: CaseFile
    arm: str
    draw: int
    future: int
    ledger: Ledger
    outcome: Outcome
    laws: tuple[LawCheck, ...]


def columns_of(draws: Draws, arm: Arm | frozenset[Cause]) -> Scope:
    """The columns of one of the three named arms, or of the arm in which some causes are at their production state."""
    if arm == "as_is":
        return process.today_columns(draws)
    return process.arm_columns(draws, arm if isinstance(arm, frozenset) else ARM_CAUSES[arm])


def name_of(arm: Arm | frozenset[Cause]) -> str:
    """An arm in one word."""
    return arm if isinstance(arm, str) else "+".join(sorted(arm)) or "pilot"


def run_arm(case: CaseFile, draws: Draws, arm: Arm | frozenset[Cause], future: int, unlocated: Mapping[str, Floats]) -> Run:
    """Simulates one future of the first draw in one arm, or with some causes live. `unlocated`: step -> days per visit, shape (1,)."""
    one = draws if len(draws) == 1 else draws.select([0])
    columns = columns_of(one, arm)
    horizon = process.today_horizon(case) if arm == "as_is" else process.full_horizon(case)
    program = lower(process.build(case, columns, horizon, unlocated), horizon.begin, horizon.stop)
    ledger = simulate(program, 0, realise(program, 0, draws.seed, future))
    result = outcome(case, ledger, horizon, case_costs(case, columns.now, 0))
    return Run(case, name_of(arm), draws.numbers[0], future, ledger, result, check_laws(ledger))


def solve_baseline(
    case: CaseFile,
    draws: Draws,
    cache: SolvedCache | None = None,
    start: b.Solved | None = None,
    median: bool = False,
    laws: list[LawCheck] | None = None,
) -> b.Solved | b.Rejected:
    """The unlocated days of the first draw, so that its as-is arm reproduces its draw of the baseline; cached by case and seed.

    Laws that a run breaks are added to `laws`.
    """
    assert case.baseline is not None
    number = draws.numbers[0]
    key = "medians" if median else str(number)

    def as_is(days: Mapping[str, Floats]) -> Outcome:
        run = run_arm(case, draws, "as_is", number, days)
        if laws is not None:
            laws.extend(law for law in run.laws if not law.passed)
        return run.outcome

    known = cache.get(key) if cache is not None else None
    if known is not None:
        if "rejected" in known:
            return b.Rejected(known["rejected"])
        per_visit = {place: np.asarray([days]) for place, days in known["per_visit"].items()}
        return b.Solved(known["goal_days"], known["unlocated_days"], known["shares"], per_visit, as_is(per_visit))
    split = b.split_of_draw(case.baseline, draws.seed, None if median else number)
    goal = b.goal_of_draw(case.baseline, draws.seed, None if median else number)
    solved = b.solve(case.baseline, goal, split, as_is, start)
    if cache is not None:
        cache.put(key, _as_record(solved))
    return solved


def _as_record(solved: b.Solved | b.Rejected) -> dict[str, Any]:
    if isinstance(solved, b.Rejected):
        return {"rejected": solved.reason}
    return {
        "goal_days": solved.goal_days,
        "unlocated_days": solved.unlocated_days,
        "shares": dict(solved.shares),
        "per_visit": {place: float(days[0]) for place, days in solved.per_visit.items()},
    }


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


def replicate(
    case: CaseFile, arm: Arm, replications: int, seed: int, progress: Progress = quiet, cache: SolvedCache | None = None
) -> Replications:
    """Simulates an arm at the medians, calibrated once to the baseline. Raises BaselineError if it cannot be."""
    draws = parameters.sample(case, seed, None)
    progress("today's result", 0, 1)
    solved = median_baseline(case, draws, cache)
    unlocated = solved.per_visit if solved else {}
    runs = []
    for r in range(replications):
        progress("futures", r, replications)
        runs.append(run_arm(case, draws, arm, r, unlocated))
    progress("futures", replications, replications)
    report = b.report(case.baseline, [solved], []) if case.baseline is not None and solved is not None else None
    return Replications(case, seed, arm, tuple(runs), unlocated, report)


def replicate_one(case: CaseFile, arm: Arm, seed: int, future: int, cache: SolvedCache | None = None) -> Run:
    """One future of an arm at the medians, calibrated to the baseline. Raises BaselineError if it cannot be."""
    draws = parameters.sample(case, seed, None)
    solved = median_baseline(case, draws, cache)
    return run_arm(case, draws, arm, future, solved.per_visit if solved else {})


class BaselineError(ValueError):
    """The case's own figures cannot produce today's observed result."""


def median_baseline(case: CaseFile, draws: Draws, cache: SolvedCache | None) -> b.Solved | None:
    """The baseline solved at the medians; None if the case states none. Raises BaselineError."""
    if case.baseline is None:
        return None
    solved = solve_baseline(case, draws, cache, median=True)
    if isinstance(solved, b.Rejected):
        raise BaselineError(f"today's result cannot be reproduced at the middle values: {solved.reason}")
    return solved


# -- verdict: many draws, three arms


@dataclass(frozen=True, slots=True, eq=False)
class DrawResult:
    """One accepted draw: its three arms and its baseline."""

    draw: int
    solved: b.Solved | None
    arms: Mapping[Arm, Outcome]


@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """The production arm at the medians when the unlocated days lie at one place: all of them, or the share that fits there."""

    place: str
    share: float
    production: Outcome
    met: bool


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


def verdict(case: CaseFile, draws: int, seed: int, progress: Progress = quiet, cache: SolvedCache | None = None) -> VerdictStudy:
    """Simulates as-is, pilot and production under `draws` accepted draws and judges the promise."""
    results: list[DrawResult] = []
    rejected: list[b.Rejected] = []
    laws: list[LawCheck] = []
    progress("today's result", 0, 1)
    medians = parameters.sample(case, seed, None)
    start = solve_baseline(case, medians, cache, median=True) if case.baseline is not None else None
    start = None if isinstance(start, b.Rejected) else start
    while len(results) < draws and len(rejected) <= 2 * max(b.MIN_PROPOSALS, draws):
        progress("futures", len(results), draws)
        number = len(results) + len(rejected)
        answer = _one_draw(case, parameters.sample(case, seed, range(number, number + 1)), laws, start, cache)
        if isinstance(answer, b.Rejected):
            rejected.append(answer)
        else:
            results.append(answer)
    progress("futures", len(results), draws)
    report = None
    if case.baseline is not None:
        report = b.report(case.baseline, [r.solved for r in results if r.solved is not None], rejected)
    judged = judge([met(case, r.arms["production"].figures) for r in results], report is None or report.passed)
    extremes, perfect = _at_the_medians(case, medians, start, progress) if results else ((), None)
    return VerdictStudy(case, seed, tuple(results), report, judged, extremes, perfect, tuple(laws))


def _one_draw(
    case: CaseFile, draws: Draws, laws: list[LawCheck], start: b.Solved | None, cache: SolvedCache | None
) -> DrawResult | b.Rejected:
    solved: b.Solved | None = None
    unlocated: Mapping[str, Floats] = {}
    arms: dict[Arm, Outcome] = {}
    if case.baseline is not None:
        answer = solve_baseline(case, draws, cache, start, laws=laws)
        if isinstance(answer, b.Rejected):
            return answer
        solved, unlocated = answer, answer.per_visit
        arms["as_is"] = answer.as_is
    for arm in parameters.ARMS:
        if arm not in arms:
            run = run_arm(case, draws, arm, draws.numbers[0], unlocated)
            arms[arm] = run.outcome
            laws += [law for law in run.laws if not law.passed]
    return DrawResult(draws.numbers[0], solved, arms)


def _at_the_medians(
    case: CaseFile, draws: Draws, solved: b.Solved | None, progress: Progress
) -> tuple[tuple[Extreme, ...], Outcome | None]:
    """Production with the unlocated days at one place, for each place; and with an AI that is always right."""
    extremes = []
    if case.baseline is not None and solved is not None and case.baseline.places:
        splits = b.extreme_per_visit(case.baseline, solved)
        for i, (place, (share, per_visit)) in enumerate(splits.items()):
            progress("where the unlocated days lie", i, len(splits))
            result = run_arm(case, draws, "production", 0, per_visit).outcome
            extremes.append(Extreme(place, share, result, met(case, result.figures)))
    ais = [s.id for s in case.steps if isinstance(s, schema.Ai)]
    if not ais:
        return tuple(extremes), None
    progress("an AI without errors", 0, 1)
    flawless = with_values(draws, {f"steps.{a}.{k}": v for a in ais for k, v in PERFECT.items()})
    perfect = run_arm(case, flawless, "production", 0, solved.per_visit if solved else {}).outcome
    return tuple(extremes), perfect


def with_values(draws: Draws, values: Mapping[str, float]) -> Draws:
    """The same draws with some parameters set to a value in every arm. Raises KeyError for an unknown path."""
    changed: dict[str, Any] = dict(draws.values)
    for path, value in values.items():
        changed[path] = {arm: np.full_like(column, value) for arm, column in draws.values[path].items()}
    return replace(draws, values=changed)
