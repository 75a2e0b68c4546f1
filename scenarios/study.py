"""The only place that runs things: arms × draws × replications of a case, and the studies made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models import baseline as b
from models import parameters, schema
from models.decisions.verdict import Verdict, judge
from models.outcomes import Outcome, case_costs, met, outcome
from models.parameters import Draws
from models.schema import Arm, CaseFile
from scenarios.arms import ArmKey, Arms, OneFuture, name_of
from scenarios.store import SolvedCache
from simulator.batch import run_chunks
from simulator.engines import Engine, EngineName, engine_of
from simulator.laws import LawCheck, check_laws
from simulator.ledger import Ledger
from simulator.summary import summarise

Floats = NDArray[np.float64]


class Progress(Protocol):
    """Hears what is done, how much of it, and in a few words what is known so far."""

    def __call__(self, what: str, done: int, total: int, so_far: str = "", /) -> None: ...


PERFECT = {"shift": 40.0, "scope_penalty": 0.0}
"""Logits that make every live output right; the threshold stays, so coverage follows."""

CHUNK = 2
"""Draws a chunk: small enough for a first preview within seconds."""

BLOCK = 32
"""Draws for which arms are lowered at once, which costs little more than for one."""

AUDIT_EVERY = 20
"""One draw in so many has one of its arms checked by all laws; every run is checked by the laws of its sums."""


def quiet(_: str, __: int, ___: int, ____: str = "", /) -> None:
    """Shows no progress."""


class BaselineError(ValueError):
    """The case's own figures cannot produce today's observed result."""


# -- one run, with its ledger


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


def run_arm(
    case: CaseFile, draws: Draws, arm: ArmKey, future: int, unlocated: Mapping[str, float], engine: Engine | None = None
) -> Run:
    """Simulates one future of the first draw in one arm, or with some causes live. `unlocated`: step -> days per visit."""
    arms, name = Arms(case, draws if len(draws) == 1 else draws.select([0])).prepare([arm]), name_of(arm)
    engine = engine or engine_of("compiled")
    one, lowered = OneFuture(arms, 0, future, engine), arms.known[name]
    ledger = engine.ledger(one.program(name, unlocated), 0, one.future(name))
    result = outcome(case, summarise(ledger, lowered.question), lowered.horizon, case_costs(case, lowered.columns.now, 0))
    return Run(case, name, draws.numbers[0], future, ledger, result, check_laws(ledger))


def with_values(draws: Draws, values: Mapping[str, float]) -> Draws:
    """The same draws with some parameters set to a value in every arm. Raises KeyError for an unknown path."""
    changed: dict[str, Any] = dict(draws.values)
    for path, value in values.items():
        changed[path] = {arm: np.full_like(column, value) for arm, column in draws.values[path].items()}
    return replace(draws, values=changed)


# -- the baseline of one draw


def solve_baseline(
    one: OneFuture,
    draw: int | None,
    known: Mapping[str, Any] | None,
    start: b.Solved | None,
    broken: list[LawCheck] | None = None,
) -> b.Solved | b.Rejected:
    """The unlocated days of a draw (None: the medians), so that its as-is arm reproduces its draw of the baseline.

    `known`: the record of an earlier solution. Laws of sums that a run breaks are added to `broken`.
    """
    case, seed = one.arms.case, one.arms.draws.seed
    assert case.baseline is not None

    def as_is(days: Mapping[str, float]) -> Outcome:
        return one.outcome("as_is", days, broken)

    if known is not None and "rejected" in known:
        return b.Rejected(known["rejected"])
    if known is not None:
        per_visit = dict(known["per_visit"])
        return b.Solved(known["goal_days"], known["unlocated_days"], known["shares"], per_visit, as_is(per_visit))
    goal = b.goal_of_draw(case.baseline, seed, draw)
    return b.solve(case.baseline, goal, b.split_of_draw(case.baseline, seed, draw), as_is, start)


def solved_record(solved: b.Solved | b.Rejected) -> dict[str, Any]:
    """A solution as plain data for the cache."""
    if isinstance(solved, b.Rejected):
        return {"rejected": solved.reason}
    names = ("goal_days", "unlocated_days", "shares", "per_visit")
    return {name: dict(v) if isinstance(v := getattr(solved, name), Mapping) else v for name in names}


def median_baseline(case: CaseFile, draws: Draws, cache: SolvedCache | None, engine: Engine | None = None) -> b.Solved | None:
    """The baseline solved at the medians; None if the case states none. Raises BaselineError."""
    solved = _at_medians(case, draws, cache, engine or engine_of("compiled")) if case.baseline is not None else None
    if isinstance(solved, b.Rejected):
        raise BaselineError(f"today's result cannot be reproduced at the middle values: {solved.reason}")
    return solved


def _at_medians(case: CaseFile, draws: Draws, cache: SolvedCache | None, engine: Engine) -> b.Solved | b.Rejected:
    one = OneFuture(Arms(case, draws).prepare(["as_is"]), 0, draws.numbers[0], engine)
    solved = solve_baseline(one, None, cache.get("medians") if cache is not None else None, None)
    if cache is not None:
        cache.put({"medians": solved_record(solved)})
    return solved


# -- run: one parameter row (the medians), several replications


@dataclass(frozen=True, slots=True, eq=False)
class Replications:
    """Runs of one arm at the medians of all parameters."""

    case: CaseFile
    seed: int
    arm: Arm
    runs: tuple[Run, ...]
    unlocated: Mapping[str, float]
    baseline: b.BaselineReport | None
    engine: EngineName


def replicate(
    case: CaseFile,
    arm: Arm,
    replications: int,
    seed: int,
    progress: Progress = quiet,
    cache: SolvedCache | None = None,
    engine: EngineName = "compiled",
) -> Replications:
    """Simulates an arm at the medians, calibrated once to the baseline. Raises BaselineError if it cannot be."""
    draws, runner = parameters.sample(case, seed, None), engine_of(engine)
    progress("today's result", 0, 1)
    solved = median_baseline(case, draws, cache, runner)
    unlocated = solved.per_visit if solved else {}
    runs = []
    for r in range(replications):
        progress("futures", r, replications)
        runs.append(run_arm(case, draws, arm, r, unlocated, runner))
    progress("futures", replications, replications)
    report = b.report(case.baseline, [solved], []) if case.baseline is not None and solved is not None else None
    return Replications(case, seed, arm, tuple(runs), unlocated, report, engine)


def replicate_one(
    case: CaseFile, arm: Arm, seed: int, future: int, cache: SolvedCache | None = None, engine: EngineName = "compiled"
) -> Run:
    """One future of an arm at the medians, calibrated to the baseline. Raises BaselineError if it cannot be."""
    draws, runner = parameters.sample(case, seed, None), engine_of(engine)
    solved = median_baseline(case, draws, cache, runner)
    return run_arm(case, draws, arm, future, solved.per_visit if solved else {}, runner)


# -- the decision run: many draws, several arms each


@dataclass(frozen=True, slots=True)
class Plan:
    """Which arms are simulated in every accepted draw, and how often each: at most FUTURES_PER_DRAW times."""

    arms: tuple[tuple[ArmKey, int], ...]

    def keys(self) -> list[ArmKey]:
        """The arms."""
        return [arm for arm, _ in self.arms]


FUTURES_PER_DRAW = 2
"""Numbers reserved for the futures of one draw, the same in every plan, so that plans share their futures."""

VERDICT = Plan((("as_is", 1), ("pilot", 1), ("production", 1)))


@dataclass(frozen=True, slots=True, eq=False)
class DrawResult:
    """One accepted draw: its baseline, and its arms (the first replication; further ones by replication number)."""

    draw: int
    solved: b.Solved | None
    arms: Mapping[str, Outcome]
    again: Mapping[int, Mapping[str, Outcome]]


@dataclass(frozen=True, slots=True, eq=False)
class DrawsDone:
    """A chunk: accepted and rejected draws in order, what a solution cost to find, and laws that did not hold."""

    results: tuple[DrawResult, ...]
    rejected: tuple[tuple[int, b.Rejected], ...]
    solved: Mapping[str, Any]
    broken: tuple[LawCheck, ...]
    audited: int


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """Simulates chunks of draws by a plan; safe to share between threads."""

    case: CaseFile
    seed: int
    plan: Plan
    start: b.Solved | None
    known: Mapping[str, Any]

    def arms(self, first: int) -> Arms:
        """The plan's arms lowered for the block of draws that begins with `first`."""
        draws = parameters.sample(self.case, self.seed, range(first, first + BLOCK))
        return Arms(self.case, draws).prepare([*self.plan.keys(), "as_is"])

    def chunk(self, part: tuple[Arms, range], engine: Engine) -> DrawsDone:
        """Some draws of a block, one after the other."""
        results, rejected, solved, broken, audited = [], [], {}, list[LawCheck](), 0
        arms, rows = part
        for row in rows:
            draw = arms.draws.numbers[row]
            one = OneFuture(arms, row, draw * FUTURES_PER_DRAW, engine)
            answer = self._solved(one, draw, broken)
            if answer is not None:
                solved[str(draw)] = solved_record(answer)
            if isinstance(answer, b.Rejected):
                rejected.append((draw, answer))
                continue
            results.append(self._draw(one, draw, answer, broken))
            if draw % AUDIT_EVERY == 0:
                keys = self.plan.keys()
                days = answer.per_visit if answer is not None else {}
                broken += [law for law in one.audit(name_of(keys[draw // AUDIT_EVERY % len(keys)]), days) if not law.passed]
                audited += 1
        return DrawsDone(tuple(results), tuple(rejected), solved, tuple(broken), audited)

    def _solved(self, one: OneFuture, draw: int, broken: list[LawCheck]) -> b.Solved | b.Rejected | None:
        if self.case.baseline is None:
            return None
        return solve_baseline(one, draw, self.known.get(str(draw)), self.start, broken)

    def _draw(self, one: OneFuture, draw: int, solved: b.Solved | None, broken: list[LawCheck]) -> DrawResult:
        days = solved.per_visit if solved is not None else {}
        by_replication: dict[int, dict[str, Outcome]] = {}
        for r in range(FUTURES_PER_DRAW):
            future = one if r == 0 else OneFuture(one.arms, one.row, one.number + r, one.engine)
            for arm, times in self.plan.arms:
                if r < times:
                    ready = solved.as_is if solved is not None and r == 0 and arm == "as_is" else None
                    outcomes = by_replication.setdefault(r, {})
                    outcomes[name_of(arm)] = ready or future.outcome(name_of(arm), days, broken)
        return DrawResult(draw, solved, by_replication.pop(0), by_replication)


@dataclass(slots=True, eq=False)
class Collected:
    """Accepted draws so far, in order, up to the number asked for."""

    wanted: int
    start: b.Solved | None
    results: list[DrawResult] = field(default_factory=list)
    rejected: list[b.Rejected] = field(default_factory=list)
    broken: list[LawCheck] = field(default_factory=list)
    audited: int = 0
    asked: int = 0

    def enough(self) -> bool:
        """Whether no further draw is needed, or so many were rejected that more are no use."""
        return len(self.results) >= self.wanted or len(self.rejected) > 2 * max(b.MIN_PROPOSALS, self.wanted)

    def add(self, done: DrawsDone) -> None:
        """Takes a chunk over, in the order of its draws, until there are enough."""
        merged: list[tuple[int, DrawResult | b.Rejected]] = [*((r.draw, r) for r in done.results), *done.rejected]
        for _, item in sorted(merged, key=lambda pair: pair[0]):
            if self.enough():
                return
            if isinstance(item, DrawResult):
                self.results.append(item)
            else:
                self.rejected.append(item)
        self.broken += done.broken
        self.audited += done.audited

    def chunks(self, worker: Worker) -> Iterator[tuple[Arms, range]]:
        """Chunks of draws as long as more may be needed, all that are asked for counted as accepted."""
        arms = None
        while not self.enough() and self.asked - len(self.rejected) < self.wanted:
            row = self.asked % BLOCK
            arms = arms if arms is not None and row else worker.arms(self.asked - row)
            self.asked += CHUNK
            yield arms, range(row, row + CHUNK)


@dataclass(frozen=True, slots=True)
class Means:
    """How things are run: by which engine, on how many threads (None: all), and when to stop."""

    engine: EngineName = "compiled"
    threads: int | None = None
    stop: Event | None = None


def collect(
    case: CaseFile,
    plan: Plan,
    draws: int,
    seed: int,
    progress: Progress = quiet,
    cache: SolvedCache | None = None,
    means: Means | None = None,
) -> Collected:
    """Simulates `draws` accepted draws by a plan, each calibrated to its draw of the baseline. Raises Cancelled if it was stopped."""
    means = means or Means()
    progress("today's result", 0, 1)
    answer = None
    if case.baseline is not None:
        answer = _at_medians(case, parameters.sample(case, seed, None), cache, engine_of(means.engine))
    collected = Collected(draws, answer if isinstance(answer, b.Solved) else None)
    worker = Worker(case, seed, plan, collected.start, dict(cache.known) if cache is not None else {})
    while not collected.enough():
        for done in run_chunks(worker.chunk, collected.chunks(worker), means.engine, means.threads, means.stop):
            collected.add(done)
            if cache is not None:
                cache.put(done.solved)
            progress("futures", len(collected.results), draws, so_far(case, collected.results))
    return collected


def so_far(case: CaseFile, results: Sequence[DrawResult]) -> str:
    """In how many futures the promise is kept, as a preview."""
    live = [met(case, r.arms["production"].figures) for r in results if "production" in r.arms]
    return f"promise kept in {sum(live)} of {len(live)}" if live else ""


# -- verdict: many draws, three arms


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
    audited: int


def verdict(
    case: CaseFile,
    draws: int,
    seed: int,
    progress: Progress = quiet,
    cache: SolvedCache | None = None,
    means: Means | None = None,
) -> VerdictStudy:
    """Simulates as-is, pilot and production under `draws` accepted draws and judges the promise. Raises Cancelled."""
    means = means or Means()
    done = collect(case, VERDICT, draws, seed, progress, cache, means)
    report = None
    if case.baseline is not None:
        report = b.report(case.baseline, [r.solved for r in done.results if r.solved is not None], done.rejected)
    judged = judge([met(case, r.arms["production"].figures) for r in done.results], report is None or report.passed)
    extremes, perfect = _at_the_medians(case, seed, done.start, engine_of(means.engine), progress) if done.results else ((), None)
    return VerdictStudy(case, seed, tuple(done.results), report, judged, extremes, perfect, tuple(done.broken), done.audited)


def _at_the_medians(
    case: CaseFile, seed: int, solved: b.Solved | None, engine: Engine, progress: Progress
) -> tuple[tuple[Extreme, ...], Outcome | None]:
    """Production with the unlocated days at one place, for each place; and with an AI that is always right."""
    extremes, draws = [], parameters.sample(case, seed, None)
    if case.baseline is not None and solved is not None and case.baseline.places:
        splits = b.extreme_per_visit(case.baseline, solved)
        for i, (place, (share, per_visit)) in enumerate(splits.items()):
            progress("where the unlocated days lie", i, len(splits))
            result = _production(case, draws, per_visit, engine)
            extremes.append(Extreme(place, share, result, met(case, result.figures)))
    ais = [s.id for s in case.steps if isinstance(s, schema.Ai)]
    if not ais:
        return tuple(extremes), None
    progress("an AI without errors", 0, 1)
    flawless = with_values(draws, {f"steps.{a}.{k}": v for a in ais for k, v in PERFECT.items()})
    return tuple(extremes), _production(case, flawless, solved.per_visit if solved else {}, engine)


def _production(case: CaseFile, draws: Draws, unlocated: Mapping[str, float], engine: Engine) -> Outcome:
    return OneFuture(Arms(case, draws).prepare(["production"]), 0, 0, engine).outcome("production", unlocated)
