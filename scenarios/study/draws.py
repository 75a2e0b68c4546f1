"""Many draws, several arms each, over the same futures: the plan, the work on one chunk of draws, and what is collected."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock
from typing import Any

from models import baseline as b
from models import parameters
from models.outcomes import Outcome, met
from models.schema import Ai, CaseFile
from scenarios.arms import FLAWLESS, ArmKey, Arms, OneFuture, between, name_of
from scenarios.files import hash_of
from scenarios.records import Record
from scenarios.store import SolvedCache
from scenarios.study.blocks import Kept
from scenarios.study.means import Means
from scenarios.study.middle import FUTURES_PER_DRAW, Middle, at_medians
from scenarios.study.today import solved_record
from simulator.batch import Cancelled
from simulator.engines import Engine
from simulator.laws import LawCheck

BLOCK = 40
"""Draws for which arms are lowered at once, which costs little more than for one."""

CHUNK = 5
"""Draws a chunk: the unit of work of a thread or of a cluster's worker, and of what is stored."""

KEPT_BLOCKS = 3
"""Blocks of lowered arms that a process keeps: its threads work on neighbouring chunks."""

AUDIT_EVERY = 20
"""One draw in so many has one of its arms checked by all laws; every run is checked by the laws of its sums."""


BROKEN = "law_broken."
"""Before the name of a law in a stored row."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which arms are simulated in every accepted draw, and how often each: at most FUTURES_PER_DRAW times.

    again: whether today is simulated in a draw's own future even where its solution is known; without, nothing can be said of today
    """

    arms: tuple[tuple[ArmKey, int], ...]
    again: bool = True

    def names(self) -> tuple[str, ...]:
        """The arms in one word each."""
        return tuple(name_of(arm) for arm, _ in self.arms)


NAMED = ("as_is", "pilot", "production")
"""Arms of which reports tell more than figures and days."""


def _flawless(case: CaseFile) -> tuple[tuple[ArmKey, int], ...]:
    """What accuracy alone could give, of a case that has an AI."""
    return ((FLAWLESS, 1),) if any(isinstance(s, Ai) for s in case.steps) else ()


def verdict_plan(case: CaseFile) -> Plan:
    """What a verdict needs."""
    return Plan((("as_is", 1), ("pilot", 1), ("production", 1), *_flawless(case)))


def decision_plan(case: CaseFile) -> Plan:
    """The decision run: today and live twice (ignorance and chance can be told apart), all other combinations of causes and a flawless AI once,
    the case's options twice."""
    options: list[tuple[ArmKey, int]] = [(f"option:{name}", 2) for name in case.options]
    return Plan(
        (("as_is", 2), ("pilot", 1), ("production", 2), *_flawless(case), *((causes, 1) for causes in between()), *options)
    )


@dataclass(frozen=True, slots=True, eq=False)
class DrawResult:
    """One accepted draw: its baseline, its arms, and further replications of some arms by their number (1, …).

    `broken`: names of laws that a run did not obey · `audited`: whether one of its arms was checked by all laws.
    """

    draw: int
    solved: b.Solved | None
    arms: Mapping[str, Outcome]
    again: Mapping[int, Mapping[str, Outcome]]
    broken: tuple[str, ...] = ()
    audited: bool = False

    def light(self) -> DrawResult:
        """What is held in memory of many draws: of all but the named arms' first futures only the figures and the days."""
        again = {r: {name: _light(o) for name, o in arms.items()} for r, arms in self.again.items()}
        return replace(self, arms={name: o if name in NAMED else _light(o) for name, o in self.arms.items()}, again=again)

    def records(self) -> Iterator[Record]:
        """A row a simulated future."""
        solved = self.solved
        values: dict[str, float] = {"audited": float(self.audited)} | {f"{BROKEN}{name}": 1.0 for name in self.broken}
        if solved is not None:
            values |= {"goal_days": solved.goal_days, "unlocated_days": solved.unlocated_days}
            values |= {f"share.{name}": v for name, v in solved.shares.items()}
            values |= {f"per_visit.{name}": v for name, v in solved.per_visit.items()}
        for r, arms in ((0, self.arms), *self.again.items()):
            for arm, outcome in arms.items():
                yield Record(self.draw, arm, r, self.draw * FUTURES_PER_DRAW + r, outcome, "", values)


def _light(whole: Outcome) -> Outcome:
    return replace(
        whole, step_days={}, step_visits={}, by_type={}, by_week={}, by_ai={}, utilisation={}, mean_queue={},
        weeks=whole.weeks[:0].copy(), backlog=whole.backlog[:0].copy(),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DrawsDone:
    """A chunk: its accepted and rejected draws in order, and the solutions found, for the cache."""

    draws: tuple[DrawResult | tuple[int, b.Rejected], ...]
    solved: Mapping[str, Any] = field(default_factory=dict)

    def records(self) -> list[Record]:
        """A row a simulated future; a rejected draw has one row with the reason."""
        rows: list[Record] = []
        for item in self.draws:
            if isinstance(item, DrawResult):
                rows += item.records()
            else:
                rows.append(Record(item[0], "as_is", 0, item[0] * FUTURES_PER_DRAW, None, item[1].reason, {}))
        return rows

    @classmethod
    def of(cls, rows: list[Record]) -> DrawsDone:
        """From the rows that `records` gave."""
        by_draw: dict[int, list[Record]] = {}
        for row in rows:
            by_draw.setdefault(row.draw, []).append(row)
        return cls(tuple(_draw_of(draw, mine) for draw, mine in by_draw.items()))


def _draw_of(draw: int, rows: list[Record]) -> DrawResult | tuple[int, b.Rejected]:
    if rows[0].rejected:
        return draw, b.Rejected(rows[0].rejected)
    arms: dict[int, dict[str, Outcome]] = {}
    for row in rows:
        assert row.outcome is not None
        arms.setdefault(row.replication, {})[row.arm] = row.outcome
    values, solved = rows[0].baseline, None
    if "goal_days" in values:
        shares, per_visit = (
            {key.removeprefix(f"{kind}."): v for key, v in values.items() if key.startswith(f"{kind}.")}
            for kind in ("share", "per_visit")
        )
        solved = b.Solved(values["goal_days"], values["unlocated_days"], shares, per_visit, arms[0]["as_is"])
    broken = tuple(key.removeprefix(BROKEN) for key in values if key.startswith(BROKEN))
    return DrawResult(draw, solved, arms.pop(0), arms, broken, bool(values["audited"]))


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """What all chunks of a run share. `middle`: today at the medians · `case_hash`: tells one case from another."""

    case: CaseFile
    case_hash: str
    seed: int
    plan: Plan
    middle: Middle | None

    @classmethod
    def of(cls, case: CaseFile, seed: int, plan: Plan, cache: SolvedCache | None, means: Means) -> Job:
        """With today's result solved at the medians, or taken from the cache. Raises Cancelled."""
        return cls(case, hash_of(case), seed, plan, at_medians(case, seed, means, cache))

    def arms(self, first: int) -> Arms:
        """The plan's arms lowered for the block of draws that begins with `first`; kept for the next chunks of this process."""

        def lowered() -> Arms:
            draws = parameters.sample(self.case, self.seed, range(first, first + BLOCK))
            return Arms(self.case, draws).prepare([*(arm for arm, _ in self.plan.arms), "as_is"])

        return _blocks.get((self.case_hash, self.seed, self.plan.names(), first, BLOCK), lowered)


_blocks: Kept[Arms] = Kept(KEPT_BLOCKS)
"""The blocks of arms that this process lowered last, for all its threads."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some draws of a run as plain data, which may be sent to another machine. `known`: draw -> its solution, if it is known."""

    job: Job
    first: int
    known: Mapping[str, Any]
    draws: int

    @classmethod
    def of(cls, job: Job, first: int, known: Mapping[str, Any], draws: int | None = None) -> Chunk:
        """The chunk that begins with a draw, with its own solutions only; CHUNK draws if not stated."""
        draws = draws or CHUNK
        keys = map(str, range(first, first + draws))
        return cls(job, first, {key: known[key] for key in keys if key in known}, draws)


def simulate_chunk(
    chunk: Chunk,
    engine: Engine,
    heard: Callable[[DrawResult | None], None] | None = None,
    stopped: Callable[[], bool] | None = None,
) -> DrawsDone:
    """The draws of a chunk, one after the other. Raises Cancelled between two draws once it is to stop."""
    job, row = chunk.job, chunk.first % BLOCK
    arms = job.arms(chunk.first - row)
    draws, solved = list[DrawResult | tuple[int, b.Rejected]](), dict[str, Any]()
    for number in range(row, row + chunk.draws):
        if stopped is not None and stopped():
            raise Cancelled
        draw = arms.draws.numbers[number]
        one = OneFuture(arms, number, draw * FUTURES_PER_DRAW, engine)
        answer, laws = None, list[LawCheck]()
        if job.middle is not None:
            answer = job.middle.solve(one, draw, chunk.known.get(str(draw)), laws, job.plan.again)
            solved[str(draw)] = solved_record(answer)
        result = (draw, answer) if isinstance(answer, b.Rejected) else _one_draw(job.plan, one, draw, answer, laws)
        draws.append(result)
        if heard is not None:
            heard(result if isinstance(result, DrawResult) else None)
    return DrawsDone(tuple(draws), solved)


def _one_draw(plan: Plan, one: OneFuture, draw: int, solved: b.Solved | None, laws: list[LawCheck]) -> DrawResult:
    days = solved.per_visit if solved is not None else {}
    by_replication: dict[int, dict[str, Outcome]] = {}
    for r in range(FUTURES_PER_DRAW):
        future = one if r == 0 else OneFuture(one.arms, one.row, one.number + r, one.engine)
        for arm, times in plan.arms:
            if r < times:
                ready = solved.as_is if solved is not None and r == 0 and arm == "as_is" else None
                outcomes = by_replication.setdefault(r, {})
                outcomes[name_of(arm)] = ready or future.outcome(name_of(arm), days, laws)
    audited, names = draw % AUDIT_EVERY == 0, plan.names()
    if audited:  # another arm each time
        laws += one.audit(names[draw // AUDIT_EVERY % len(names)], days)
    found = tuple(sorted({law.name for law in laws if not law.passed}))
    return DrawResult(draw, solved, by_replication.pop(0), by_replication, found, audited)


@dataclass(slots=True, eq=False)
class Collected:
    """Draws so far, in order, up to the number of accepted ones asked for."""

    wanted: int
    start: b.Solved | None
    results: list[DrawResult] = field(default_factory=list)
    rejected: list[b.Rejected] = field(default_factory=list)
    asked: int = 0

    def enough(self) -> bool:
        """Whether no further draw is needed, or so many were rejected that more are no use."""
        return len(self.results) >= self.wanted or len(self.rejected) > 2 * max(b.MIN_PROPOSALS, self.wanted)

    def add(self, done: DrawsDone) -> None:
        """Takes a chunk over, in the order of its draws, until there are enough."""
        for item in done.draws:
            if self.enough():
                break
            if isinstance(item, DrawResult):
                self.results.append(item.light())
            else:
                self.rejected.append(item[1])

    def broken(self) -> tuple[str, ...]:
        """Names of laws that some run did not obey."""
        return tuple(sorted({name for r in self.results for name in r.broken}))

    def audited(self) -> int:
        """Runs that were checked by all laws."""
        return sum(r.audited for r in self.results)

    def next_chunk(self) -> int | None:
        """Number of the first draw of the next chunk, if it is sure to be needed: all draws asked for may turn out accepted."""
        if self.enough() or self.asked - len(self.rejected) >= self.wanted:
            return None
        self.asked += CHUNK
        return self.asked - CHUNK


class Parts:
    """Where finished chunks are kept; this one keeps nothing."""

    def load(self, first: int) -> DrawsDone | None:
        """The chunk that begins with a draw, if it is there."""

    def save(self, first: int, done: DrawsDone) -> None:
        """Keeps a chunk."""


@dataclass(slots=True, eq=False)
class SeenParts(Parts):
    """Chunks in memory, before those of another place."""

    behind: Parts = field(default_factory=Parts)
    known: dict[int, DrawsDone] = field(default_factory=dict)

    def load(self, first: int) -> DrawsDone | None:
        found = self.known.get(first) or self.behind.load(first)
        if found is not None:
            self.known[first] = found
        return found

    def save(self, first: int, done: DrawsDone) -> None:
        self.known[first] = done
        self.behind.save(first, done)


def collect(
    case: CaseFile,
    plan: Plan,
    draws: int,
    seed: int,
    means: Means | None = None,
    cache: SolvedCache | None = None,
    parts: Parts | None = None,
) -> Collected:
    """Simulates `draws` accepted draws by a plan, each calibrated to its draw of the baseline; chunks in `parts` are taken as they are.

    Raises Cancelled if it was stopped.
    """
    means, parts = means or Means(), parts or Parts()
    means.progress("today's result", 0, 1)
    job = Job.of(case, seed, plan, cache, means)
    start = job.middle.start() if job.middle is not None else None
    collected, preview = Collected(draws, start), _Preview(case, draws, means)
    for first, done, fresh in _chunks(job, collected, parts, means, preview, dict(cache.known) if cache is not None else {}):
        if fresh and not collected.enough():  # what was begun and turns out not to be needed is not kept
            parts.save(first, done)
        if fresh and cache is not None:
            cache.put(done.solved)
        collected.add(done)
    if cache is not None:
        cache.flush()
    return collected


def _chunks(
    job: Job, collected: Collected, parts: Parts, means: Means, preview: _Preview, known: Mapping[str, Any]
) -> Iterator[tuple[int, DrawsDone, bool]]:
    """Chunks in order, from the store or fresh: first draw, the chunk, whether it is fresh."""
    far = means.scheduler is not None
    work = simulate_chunk if far else partial(simulate_chunk, heard=preview.heard, stopped=means.stop.is_set)
    asked: deque[tuple[int, DrawsDone | None]] = deque()

    def missing() -> Iterator[Chunk]:
        while (first := collected.next_chunk()) is not None:
            asked.append((first, parts.load(first)))
            if asked[-1][1] is None:
                yield Chunk.of(job, first, known)

    def stored() -> Iterator[tuple[int, DrawsDone, bool]]:
        while asked and (done := asked[0][1]) is not None:
            preview.heard_all(done)
            yield asked.popleft()[0], done, False

    while not collected.enough():
        for done in means.run(work, missing()):
            yield from stored()
            if far:
                preview.heard_all(done)
            yield asked.popleft()[0], done, True
        yield from stored()


@dataclass(slots=True, eq=False)
class _Preview:
    """Tells how far it is and in how many futures the promise is kept, draw by draw, from any thread."""

    case: CaseFile
    wanted: int
    means: Means
    done: int = 0
    kept: int = 0
    judged: int = 0
    lock: Lock = field(default_factory=Lock)

    def heard(self, result: DrawResult | None) -> None:
        with self.lock:
            if result is not None:
                self.done += 1
                if "production" in result.arms:
                    self.judged += 1
                    self.kept += met(self.case, result.arms["production"].figures)
            so_far = f"promise kept in {self.kept} of {self.judged}" if self.judged else ""
            self.means.progress("futures", min(self.done, self.wanted), self.wanted, so_far)

    def heard_all(self, done: DrawsDone) -> None:
        """A whole chunk, from the store or from another machine."""
        for item in done.draws:
            self.heard(item if isinstance(item, DrawResult) else None)
