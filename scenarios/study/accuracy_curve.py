"""The result live over the AI's accuracy, up to an AI that is always right: the same futures at every level."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.outcomes import met, target_value
from models.schema import Change, WhatIf
from scenarios.files import LoadedCase, with_what_if
from scenarios.store import SolvedCache
from scenarios.study.ai_level import Level, level
from scenarios.study.draws import SeenParts, collect
from scenarios.study.means import Means
from scenarios.study.what_if import LIVE
from simulator.statistics import Estimate, mean_interval

LEVELS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.94, 0.97, 0.99, 1.0)
STAGES = (5, 10, 20, 40, 100, 200)
"""Futures at each level, stage by stage; at the last one as many as an answer takes, so that both say the same of an AI that is always right."""


@dataclass(frozen=True, slots=True)
class Point:
    """One level. result: of the target, in its own unit, the mean over futures with its 90 % interval · kept: share that keep the promise."""

    accuracy: float
    result: Estimate
    kept: float
    futures: int


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """All levels, ascending. now: the level of the case."""

    now: float
    points: tuple[Point, ...]


def curves(loaded: LoadedCase, seed: int, means: Means) -> Iterator[Curve]:
    """The curve of a case (with its what-if, if it has one) on ever more futures; nothing if it has no AI. Raises Cancelled."""
    present = level(loaded.case)
    if present is None:
        return
    cache, now = SolvedCache(loaded.today, seed, loaded.cache), present.accuracy()
    path = f"steps.{present.step.id}.shift"
    base = _without(loaded, path)
    found = level(base.case) or present
    cases = {a: _at(base, path, found, a) for a in LEVELS}
    parts = {a: SeenParts() for a in LEVELS}
    for futures in STAGES:
        points = list[Point]()
        for accuracy, case in cases.items():
            done = collect(case.case, LIVE, futures, seed, means, cache, parts[accuracy]).results
            outcomes = [r.arms["production"].figures for r in done]
            result = mean_interval([target_value(case.case, figures) for figures in outcomes])
            points.append(Point(accuracy, result, sum(met(case.case, f) for f in outcomes) / len(outcomes), len(outcomes)))
        yield Curve(now, tuple(points))


def _without(loaded: LoadedCase, path: str) -> LoadedCase:
    """The case without one change of its what-if. The curve sets the accuracy itself: on top of a shift that is tried out already it would
    not be the same curve, and its upper end would leave what a shift may be."""
    tried = loaded.case.what_if
    if tried is None or path not in tried.changes:
        return loaded
    others = {place: change for place, change in tried.changes.items() if place != path}
    return with_what_if(loaded, tried.model_copy(update={"changes": others}) if others else None)


def _at(base: LoadedCase, path: str, found: Level, accuracy: float) -> LoadedCase:
    """The case at one level, all else that is tried out kept. found: its level before."""
    tried = base.case.what_if
    own = found.step.shift
    most = (
        own.limits.high - own.in_arm("production").uncertain().median
    )  # with more the case would be refused; far beyond certain
    shift = Change.model_validate({"add": min(found.shift_to(accuracy), most)})
    changes = {**(tried.changes if tried is not None else {}), path: shift}
    return with_what_if(base, WhatIf(title=f"accuracy {100 * accuracy:.0f} %", changes=changes))
