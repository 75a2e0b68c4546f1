"""Today at the middle values: the first guess of every draw, and the typical futures in which all draws are solved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from models import baseline as b
from models import parameters
from models.outcomes import Outcome
from models.schema import CaseFile
from scenarios.arms import Arms, OneFuture
from scenarios.store import SolvedCache
from scenarios.study.means import Means
from scenarios.study.today import asked_of, solved_record
from simulator.batch import run_chunks
from simulator.engines import Engine, engine_of
from simulator.laws import LawCheck

MEDIANS = "medians"
"""Key of the solution at the medians in the cache; a draw's is its number."""

FUTURES_PER_DRAW = 2
"""Numbers reserved for the futures of one draw, the same in every plan, so that plans share their futures."""

SOME_FUTURES = 40
"""Futures, of the first draws, among which the typical ones are found."""

TRIMMED = 4
"""Futures left out at either end when the mean of these is taken: one disaster must not decide what is usual."""

TYPICAL_FUTURES = 2
"""Futures over whose mean today's result is reproduced (docs/decisions/0005 tells what one or four would give)."""

AVERAGED = ("figures", "step_days", "step_visits")
NOTHING = Outcome({}, {}, {}, {}, {}, {}, {}, {}, {}, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))


class BaselineError(ValueError):
    """The case's own figures cannot produce today's observed result."""


@dataclass(frozen=True, slots=True, eq=False)
class Middle:
    """Today at the middle values, solved; and the futures in which every draw is solved.

    These are the typical ones: in which the middle values give nearly what they give on average. All draws are solved in the same ones,
    and judged in futures of their own (only the draws to which the typical ones belong meet theirs again), so that chance before and
    after go-live does not cancel.
    """

    answer: b.Solved | b.Rejected
    typical: tuple[int, ...]

    def start(self) -> b.Solved | None:
        """The solution, if there is one."""
        return self.answer if isinstance(self.answer, b.Solved) else None

    def solve(
        self,
        one: OneFuture,
        draw: int | None,
        known: Mapping[str, Any] | None = None,
        laws: list[LawCheck] | None = None,
        again: bool = True,
    ) -> b.Solved | b.Rejected:
        """The unlocated days of a draw (None: the medians) that reproduce its draw of the baseline, and today in the draw's own future.

        `known`: the record of an earlier solution · `again`: whether today is simulated; without, its outcome is empty. The laws of every
        run's sums are added to `laws`.
        """
        if known is not None and "rejected" in known:
            return b.Rejected(known["rejected"])
        if known is None:
            futures = [OneFuture(one.arms, one.row, number, one.engine) for number in self.typical]

            def as_is(days: Mapping[str, float]) -> Outcome:
                return _mean_of([future.outcome("as_is", days, laws) for future in futures])

            asked = asked_of(one, draw)
            if not asked.shares:  # nothing to be solved
                return asked.solve(lambda days: one.outcome("as_is", days, laws))
            answer = asked.solve(as_is, self.start())
            if isinstance(answer, b.Rejected):
                return answer
            known = solved_record(answer)
        per_visit = dict(known["per_visit"])
        today = one.outcome("as_is", per_visit, laws) if again else NOTHING
        return b.Solved(known["goal_days"], known["unlocated_days"], known["shares"], per_visit, today)


def at_medians(case: CaseFile, seed: int, means: Means, cache: SolvedCache | None = None) -> Middle | None:
    """The baseline solved at the medians; None if the case states none. Raises Cancelled."""
    if case.baseline is None:
        return None
    known = cache.get(MEDIANS) if cache is not None else None
    middle = _middle_of(known) if known is not None else _solved(case, seed, means)
    if cache is not None:
        cache.put({MEDIANS: _record(middle)})
    return middle


def _solved(case: CaseFile, seed: int, means: Means) -> Middle:
    """Solved in one future first; some are simulated at that solution to find the typical ones; in these it is solved again."""
    arms = Arms(case, parameters.sample(case, seed, None)).prepare(["as_is"])
    first = OneFuture(arms, 0, 0, engine_of(means.engine))
    asked = asked_of(first, None)
    answer = asked.solve(lambda days: first.outcome("as_is", days))
    days = answer.per_visit if isinstance(answer, b.Solved) else dict.fromkeys(asked.shares, 0.0)

    def one(future: int, engine: Engine) -> Outcome:
        return OneFuture(arms, 0, future, engine).outcome("as_is", days)

    numbers = range(0, SOME_FUTURES * FUTURES_PER_DRAW, FUTURES_PER_DRAW)
    seen = run_chunks(one, numbers, means.engine, means.threads, means.stop)
    typical = _typical(numbers, [outcome.figures["mean_cycle_time_days"] for outcome in seen])
    futures = [OneFuture(arms, 0, number, engine_of(means.engine)) for number in typical]
    start = answer if isinstance(answer, b.Solved) else None
    return Middle(asked.solve(lambda days: _mean_of([f.outcome("as_is", days) for f in futures]), start), typical)


def _typical(numbers: Sequence[int], mean_days: Sequence[float]) -> tuple[int, ...]:
    """The futures nearest to the trimmed mean of all."""
    usual = float(np.mean(np.sort(mean_days)[TRIMMED:-TRIMMED]))
    nearest = np.argsort(np.abs(np.asarray(mean_days) - usual), kind="stable")[:TYPICAL_FUTURES]
    return tuple(sorted(numbers[int(k)] for k in nearest))


def _record(middle: Middle) -> dict[str, Any]:
    """As plain data for the cache."""
    record = solved_record(middle.answer) | {"typical": list(middle.typical)}
    if isinstance(middle.answer, b.Solved):
        record["as_is"] = {name: dict(getattr(middle.answer.as_is, name)) for name in AVERAGED}
    return record


def _middle_of(known: Mapping[str, Any]) -> Middle:
    typical = tuple(known["typical"])
    if "rejected" in known:
        return Middle(b.Rejected(known["rejected"]), typical)
    as_is = replace(NOTHING, **known["as_is"])
    return Middle(b.Solved(known["goal_days"], known["unlocated_days"], known["shares"], known["per_visit"], as_is), typical)


def _mean_of(outcomes: list[Outcome]) -> Outcome:
    """Figures, and days and visits of the steps, averaged over futures; nothing else."""

    def mean(rows: list[Mapping[str, float]]) -> dict[str, float]:
        return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}

    means: dict[str, Any] = {name: mean([getattr(o, name) for o in outcomes]) for name in AVERAGED}
    return replace(NOTHING, **means)


def median_baseline(case: CaseFile, seed: int, means: Means | None = None, cache: SolvedCache | None = None) -> b.Solved | None:
    """The solution at the medians; its `as_is` is a mean over typical futures. Raises BaselineError if today's result cannot be reproduced."""
    middle = at_medians(case, seed, means or Means(), cache)
    if middle is not None and isinstance(middle.answer, b.Rejected):
        raise BaselineError(f"today's result cannot be reproduced at the middle values: {middle.answer.reason}")
    return middle.start() if middle is not None else None
