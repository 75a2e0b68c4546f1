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
    found = level(loaded.case)
    if found is None:
        return
    cache, now = SolvedCache(loaded.today, seed, loaded.cache), found.accuracy()
    cases = {a: _at(loaded, found, a) for a in LEVELS}
    parts = {a: SeenParts() for a in LEVELS}
    for futures in STAGES:
        points = list[Point]()
        for accuracy, case in cases.items():
            done = collect(case.case, LIVE, futures, seed, means, cache, parts[accuracy]).results
            outcomes = [r.arms["production"].figures for r in done]
            result = mean_interval([target_value(case.case, figures) for figures in outcomes])
            points.append(Point(accuracy, result, sum(met(case.case, f) for f in outcomes) / len(outcomes), len(outcomes)))
        yield Curve(now, tuple(points))


def _at(loaded: LoadedCase, found: Level, accuracy: float) -> LoadedCase:
    """The case at one level, on top of what is tried out already."""
    tried = loaded.case.what_if
    path = f"steps.{found.step.id}.shift"
    before = tried.changes.get(path) if tried is not None else None
    shift = found.shift_to(accuracy) + (before.add or 0.0 if before is not None else 0.0)
    changes = {**(tried.changes if tried is not None else {}), path: Change.model_validate({"add": shift})}
    return with_what_if(loaded, WhatIf(title=f"accuracy {100 * accuracy:.0f} %", changes=changes))
