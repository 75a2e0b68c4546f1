"""Today's result in one draw: the days nobody has located, solved so that the as-is arm reproduces it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models import baseline as b
from models import parameters
from models.legs import COLUMN, dated, legs_between
from models.outcomes import Outcome
from models.posterior import parts_of
from models.schema import CaseFile
from scenarios.arms import Arms, OneFuture
from scenarios.store import SolvedCache
from simulator.clock import DAY
from simulator.engines import Engine, engine_of
from simulator.laws import LawCheck

MEDIANS = "medians"
"""Key of the solution at the medians in the cache; a draw's is its number."""


class BaselineError(ValueError):
    """The case's own figures cannot produce today's observed result."""


def solve_baseline(
    one: OneFuture,
    draw: int | None,
    known: Mapping[str, Any] | None = None,
    start: b.Solved | None = None,
    laws: list[LawCheck] | None = None,
) -> b.Solved | b.Rejected:
    """The unlocated days of a draw (None: the medians), so that its as-is arm reproduces its draw of the baseline.

    `known`: the record of an earlier solution. The laws of every run's sums are added to `laws`.
    """
    case, seed = one.arms.case, one.arms.draws.seed
    assert case.baseline is not None

    def as_is(days: Mapping[str, float]) -> Outcome:
        return one.outcome("as_is", days, laws)

    if known is not None and "rejected" in known:
        return b.Rejected(known["rejected"])
    if known is not None:
        per_visit = dict(known["per_visit"])
        return b.Solved(known["goal_days"], known["unlocated_days"], known["shares"], per_visit, as_is(per_visit))
    split = b.split_of_draw(case.baseline, seed, draw)
    if not dated(case):
        return b.solve(case.baseline, b.goal_of_draw(case.baseline, seed, draw), split, as_is, start)
    goal = float(one.arms.draws.values["baseline.observed"]["as_is"][one.row]) / DAY
    open_places = _normed({name: share for name, share in split.items() if name not in _timed(case)})
    return b.solve(case.baseline, goal, open_places, as_is, start, _legs(one, open_places))


def _normed(shares: dict[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()} if total > 0 else {}


def _timed(case: CaseFile) -> set[str]:
    """Steps whose waits themselves were fitted: no day in front of them is unlocated."""
    names = () if case.posterior is None else case.posterior.names()
    paths = [parts_of(name)[0].split(".") for name in names]
    return {path[1] for path in paths if path[0] == "steps" and ("response" in path or path[2] == "time")}


def _legs(one: OneFuture, places: Mapping[str, float]) -> list[b.DatedLeg]:
    """The dated legs with their mean days in this draw, and those of the places in them that may hold unlocated days."""
    values = one.arms.draws.values
    names = [name.removeprefix(COLUMN) for name in values if name.startswith(COLUMN)]
    legs = legs_between(one.arms.case, names) if names else ()
    return [
        b.DatedLeg(
            leg.last, leg.steps, tuple(p for p in leg.places if p in places),
            float(values[f"{COLUMN}{leg.last}"]["as_is"][one.row]) / DAY,
        )
        for leg in legs
    ]  # fmt: skip


def solved_record(solved: b.Solved | b.Rejected) -> dict[str, Any]:
    """A solution as plain data for the cache."""
    if isinstance(solved, b.Rejected):
        return {"rejected": solved.reason}
    names = ("goal_days", "unlocated_days", "shares", "per_visit")
    return {name: dict(v) if isinstance(v := getattr(solved, name), Mapping) else v for name in names}


def at_medians(case: CaseFile, seed: int, cache: SolvedCache | None, engine: Engine) -> b.Solved | b.Rejected | None:
    """The baseline solved at the medians; None if the case states none."""
    if case.baseline is None:
        return None
    draws = parameters.sample(case, seed, None)
    one = OneFuture(Arms(case, draws).prepare(["as_is"]), 0, draws.numbers[0], engine)
    solved = solve_baseline(one, None, cache.get(MEDIANS) if cache is not None else None)
    if cache is not None:
        cache.put({MEDIANS: solved_record(solved)})
    return solved


def median_baseline(case: CaseFile, seed: int, cache: SolvedCache | None = None, engine: Engine | None = None) -> b.Solved | None:
    """The same, but a case whose figures cannot produce today's result raises BaselineError."""
    solved = at_medians(case, seed, cache, engine or engine_of("compiled"))
    if isinstance(solved, b.Rejected):
        raise BaselineError(f"today's result cannot be reproduced at the middle values: {solved.reason}")
    return solved
