"""`run` without draws: one arm at the medians of all parameters, several futures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models import baseline as b
from models import parameters
from models.legs import dates_of
from models.outcomes import Outcome
from models.schema import Arm, CaseFile
from scenarios.arms import Arms, OneFuture
from scenarios.records import Record
from scenarios.store import SolvedCache
from scenarios.study.means import Means
from scenarios.study.middle import median_baseline
from scenarios.study.single import Run, run_arm
from simulator.batch import Cancelled, run_chunks
from simulator.engines import Engine, EngineName, engine_of
from simulator.laws import LawCheck

CHUNK = 10
"""Futures a chunk."""

AUDIT_EVERY = 20
"""One future in so many is checked by all laws, the others by the laws of their sums."""


LAW = "law."
"""Before the name of a law in a stored row."""


@dataclass(frozen=True, slots=True, eq=False)
class Replication:
    """One future. `laws`: name -> whether it obeyed it, of those it was checked by."""

    future: int
    outcome: Outcome
    laws: Mapping[str, bool]


@dataclass(frozen=True, slots=True, eq=False)
class Replications:
    """Futures of one arm at the medians of all parameters."""

    case: CaseFile
    seed: int
    arm: Arm
    runs: tuple[Replication, ...]
    baseline: b.BaselineReport | None
    engine: EngineName


class ReplicationParts:
    """Where finished chunks are kept; this one keeps nothing."""

    def load(self, first: int) -> tuple[Replication, ...] | None:
        """The chunk that begins with a future, if it is there."""

    def save(self, first: int, done: tuple[Replication, ...]) -> None:
        """Keeps a chunk."""


def records_of(arm: Arm, done: tuple[Replication, ...]) -> list[Record]:
    """A row a future; the draw -1 stands for the medians."""
    return [
        Record(-1, arm, r.future, r.future, r.outcome, "", {f"{LAW}{name}": float(ok) for name, ok in r.laws.items()})
        for r in done
    ]


def replications_of(rows: list[Record]) -> tuple[Replication, ...]:
    """From the rows that `records_of` gave."""
    return tuple(
        Replication(r.future, r.outcome, {key.removeprefix(LAW): bool(ok) for key, ok in r.baseline.items()})
        for r in rows
        if r.outcome is not None
    )


def replicate(
    case: CaseFile,
    arm: Arm,
    replications: int,
    seed: int,
    means: Means | None = None,
    cache: SolvedCache | None = None,
    parts: ReplicationParts | None = None,
) -> Replications:
    """Simulates an arm at the medians, calibrated once to the baseline. Raises BaselineError if it cannot be, Cancelled if stopped."""
    means, parts = means or Means(), parts or ReplicationParts()
    means.progress("today's result", 0, 1)
    solved = median_baseline(case, seed, means, cache)
    days = solved.per_visit if solved else {}
    arms = Arms(case, parameters.sample(case, seed, None)).prepare([arm])
    stored = {first: done for first in range(0, replications, CHUNK) if (done := parts.load(first)) is not None}

    def chunk(first: int, engine: Engine) -> tuple[Replication, ...]:
        if first in stored:
            return stored[first]
        futures = range(first, min(first + CHUNK, replications))
        return tuple(_one(arms, arm, future, days, engine, means) for future in futures)

    runs: list[Replication] = []
    firsts = range(0, replications, CHUNK)
    for first, done in zip(firsts, run_chunks(chunk, firsts, means.engine, means.threads, means.stop), strict=True):
        if first not in stored:
            parts.save(first, done)
        runs += done
        means.progress("futures", len(runs), replications)
    report = b.report(case.baseline, [solved], [], dates_of(case)) if case.baseline is not None and solved is not None else None
    return Replications(case, seed, arm, tuple(runs), report, means.engine)


def _one(arms: Arms, arm: Arm, future: int, days: Mapping[str, float], engine: Engine, means: Means) -> Replication:
    if means.stop.is_set():
        raise Cancelled
    one, laws = OneFuture(arms, 0, future, engine), list[LawCheck]()
    outcome = one.outcome(arm, days, laws)
    if future % AUDIT_EVERY == 0:
        laws += one.audit(arm, days)
    return Replication(future, outcome, {law.name: law.passed for law in laws})


def replicate_one(
    case: CaseFile, arm: Arm, seed: int, future: int, cache: SolvedCache | None = None, engine: EngineName = "compiled"
) -> Run:
    """One future of an arm at the medians with its ledger, calibrated to the baseline. Raises BaselineError if it cannot be."""
    runner = engine_of(engine)
    solved = median_baseline(case, seed, Means(engine), cache)
    return run_arm(case, parameters.sample(case, seed, None), arm, future, solved.per_visit if solved else {}, runner)
