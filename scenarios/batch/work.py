"""The simulations of a plan: point by point, several at a time, each point with the same futures."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

from models import baseline as b
from models import parameters
from models.legs import dates_of
from models.outcomes import Outcome, met
from models.schema import CaseFile
from scenarios import study
from scenarios.arms import Arms, OneFuture
from scenarios.batch.design import Point
from scenarios.batch.plan import Prepared
from scenarios.files import LoadedCase, changed
from scenarios.problems import CaseError, Problem
from scenarios.study import BaselineError, Means, draws, replications
from scenarios.study.middle import FUTURES_PER_DRAW
from simulator.batch import run_chunks, usable_cores
from simulator.checks import WorkflowError
from simulator.engines import Engine
from simulator.laws import LawCheck

FIGURES = (
    "mean_cycle_time_days", "median_cycle_time_days", "p90_cycle_time_days", "share_within_target", "cases",
    "straight_through_share", "ai_share", "accepted_share", "review_share", "escalated_share", "rework_share",
    "errors_found_late_share", "errors_never_found_share", "open_share", "direct_cost_per_case",
)  # fmt: skip
"""The figures of an outcome: a column each."""
FIGURE = "figures."
"""Before the name of a figure in a column."""
AT_THE_MIDDLE = -1
"""Stands for the draw where all numbers have their middle value, as in stored runs."""
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """One point of one case. `case`: number of the case in the plan, from 1."""

    case: int
    point: Point

    @property
    def name(self) -> str:
        """The name of its part."""
        return f"case-{self.case:03d}-point-{self.point.number:06d}"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """All rows of one job."""

    job: Job
    rows: list[Row]


@dataclass(slots=True)
class _Tally:
    """Simulations done, told by several jobs at once."""

    means: Means
    total: int
    done: int
    lock: Lock = field(default_factory=Lock)

    def add(self, simulations: int) -> None:
        with self.lock:
            self.done += simulations
            self.means.progress("simulations", min(self.done, self.total), self.total)


def jobs(prepared: Prepared) -> Iterator[Job]:
    """All points of the first case, then of the next."""
    for case in range(1, len(prepared.cases) + 1):
        for point in prepared.points:
            yield Job(case, point)


def parts(prepared: Prepared, means: Means, done: Collection[str] = ()) -> Generator[Part, None, None]:
    """The parts of a plan in the order of its jobs, without those whose names are in `done`.

    A part is computed when a thread is free, and nothing of it is kept here. Raises Cancelled, CaseError.
    """
    outer, inner = _threads(prepared, means.threads or usable_cores())
    each = len(prepared.arms) * prepared.plan.futures()
    todo = [job for job in jobs(prepared) if job.name not in done]
    tally = _Tally(means, prepared.simulations(), prepared.simulations() - each * len(todo))

    def work(job: Job, _: Engine) -> Part:
        heard = _Heard(tally, len(prepared.arms))
        rows = _rows(prepared, job, replace(means, threads=inner, progress=heard))
        tally.add(each - heard.told)
        return Part(job, rows)

    yield from run_chunks(work, todo, means.engine, outer, means.stop)


def _threads(prepared: Prepared, cores: int) -> tuple[int, int]:
    """Jobs at a time, and threads of each: a point with few futures cannot use all cores, many of them together can."""
    chunk = draws.CHUNK if prepared.plan.draws else replications.CHUNK
    inner = min(cores, -(-prepared.plan.futures() // chunk))
    return (min(cores, max(2, -(-cores // inner))), inner)


@dataclass(slots=True)
class _Heard:
    """Turns what one job tells of its futures into simulations of the plan."""

    tally: _Tally
    arms: int
    told: int = 0
    lock: Lock = field(default_factory=Lock)

    def __call__(self, what: str, done: int, total: int, so_far: str = "", /) -> None:
        if what != "futures":
            return
        with self.lock:
            news = max(0, done * self.arms - self.told)
            self.told += news
        self.tally.add(news)


# -- one point of one case


def _rows(prepared: Prepared, job: Job, means: Means) -> list[Row]:
    named = prepared.cases[job.case - 1]
    loaded = changed(named, job.point.values) if job.point.values else named
    start = {"case": named.file, "point": job.point.number}
    start |= {column.name: column.cell(job.point.values[column.path]) for column in prepared.columns}
    try:
        found = (_under_draws if prepared.plan.draws else _at_the_middle)(prepared, loaded, means)
    except WorkflowError as error:
        problems = [Problem("E403", f"point {job.point.number}: {p.place}", p.message) for p in error.problems]
        raise CaseError(prepared.file, problems) from None
    return [start | row for row in found]


def _under_draws(prepared: Prepared, loaded: LoadedCase, means: Means) -> list[Row]:
    """A row an accepted draw and arm; one an arm without figures if there is none."""
    case, plan = loaded.case, prepared.plan
    arms = draws.Plan(tuple((arm, 1) for arm in prepared.arms.values()))
    done = study.collect(case, arms, plan.draws or 0, plan.seed, means)
    problem = _problem(case, done)
    found = [
        _row(case, arm, r.draw, r.draw * FUTURES_PER_DRAW, r.arms[arm], len(done.rejected), problem)
        for r in done.results
        for arm in prepared.arms
    ]
    return found or [_row(case, arm, None, None, None, len(done.rejected), problem) for arm in prepared.arms]


def _problem(case: CaseFile, done: study.Collected) -> str:
    """Why the figures of a point cannot be used; empty if they can."""
    broken = [f"laws broken: {', '.join(done.broken())}"] if done.broken() else []
    if case.baseline is None:
        return "; ".join(broken)
    report = b.report(case.baseline, [r.solved for r in done.results if r.solved is not None], done.rejected, dates_of(case))
    if report.passed:
        return "; ".join(broken)
    why = report.problem or next(iter(report.reasons), f"the simulation gives {report.simulated:.1f} days")
    return "; ".join([f"today's {report.observed:.1f} days are not reproduced: {why}", *broken])


def _at_the_middle(prepared: Prepared, loaded: LoadedCase, means: Means) -> list[Row]:
    """A row a future and arm; one an arm without figures if today's result cannot be reproduced."""
    case, seed, arms = loaded.case, prepared.plan.seed, prepared.arms
    try:
        solved = study.median_baseline(case, seed, means)
    except BaselineError as error:
        return [_row(case, arm, None, None, None, 0, str(error)) for arm in arms]
    days = solved.per_visit if solved is not None else {}
    lowered = Arms(case, parameters.sample(case, seed, None)).prepare(arms.values())
    return [
        _row(case, arm, AT_THE_MIDDLE, future, outcome, 0, broken)
        for future, outcomes, broken in _futures(lowered, list(arms), days, prepared.plan.futures(), means)
        for arm, outcome in outcomes.items()
    ]


def _futures(
    arms: Arms, names: list[str], days: Mapping[str, float], count: int, means: Means
) -> Iterator[tuple[int, dict[str, Outcome], str]]:
    """Futures at the middle values: number, outcome of each arm, and the laws that one of them broke."""

    def one(future: int, engine: Engine) -> tuple[int, dict[str, Outcome], str]:
        world, laws = OneFuture(arms, 0, future, engine), list[LawCheck]()
        outcomes = {name: world.outcome(name, days, laws) for name in names}
        if future % replications.AUDIT_EVERY == 0:
            laws += world.audit(names[future // replications.AUDIT_EVERY % len(names)], days)
        broken = sorted({law.name for law in laws if not law.passed})
        return future, outcomes, f"laws broken: {', '.join(broken)}" if broken else ""

    for done, found in enumerate(run_chunks(one, range(count), means.engine, means.threads, means.stop), 1):
        means.progress("futures", done, count)
        yield found


def _row(
    case: CaseFile, arm: str, draw: int | None, future: int | None, outcome: Outcome | None, rejected: int, problem: str
) -> Row:
    kept = None if outcome is None else bool(met(case, outcome.figures))
    figures = {f"{FIGURE}{name}": None if outcome is None else float(outcome.figures[name]) for name in FIGURES}
    start = {"arm": arm, "draw": draw, "future": future, "kept": kept, "rejected_draws": rejected, "problem": problem}
    return start | figures


def columns(prepared: Prepared) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    """Name and Arrow type (a function of pyarrow) of every column of the table, in order."""
    kinds = {"number": "float64", "whole": "int64", "text": "string", "yes_no": "bool_"}
    names = {"case": "string", "point": "int64"} | {c.name: kinds[c.kind] for c in prepared.columns}
    names |= {
        "arm": "string",
        "draw": "int64",
        "future": "int64",
        "kept": "bool_",
        "rejected_draws": "int64",
        "problem": "string",
    }
    names |= {f"{FIGURE}{name}": "float64" for name in FIGURES}
    return tuple((name, lambda pa, kind=kind: getattr(pa, kind)()) for name, kind in names.items())
