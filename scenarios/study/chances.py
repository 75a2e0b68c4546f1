"""How probable the promise is for a case that was changed, beside the answer itself: today and live only, judged as the verdict is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.decisions.verdict import judge
from models.outcomes import met, target_value
from scenarios.files import LoadedCase
from scenarios.store import SolvedCache
from scenarios.study.draws import Plan, collect
from scenarios.study.means import Means

LIVE = Plan((("as_is", 1), ("production", 1)))


@dataclass(frozen=True, slots=True)
class Chance:
    """outcome: mean of the target's statistic · chance with its 90 % bounds; all NaN without any accepted future."""

    outcome: float
    chance: float
    low: float
    high: float
    futures: int


def chance_of(loaded: LoadedCase, draws: int, seed: int, means: Means) -> Chance:
    """Simulates and judges. Raises Cancelled."""
    done = collect(loaded.case, LIVE, draws, seed, means, SolvedCache(loaded.today, seed, loaded.cache))
    figures = [r.arms["production"].figures for r in done.results]
    verdict = judge([met(loaded.case, f) for f in figures], bool(figures))
    outcome = float(np.mean([target_value(loaded.case, f) for f in figures])) if figures else float("nan")
    chance, low, high = (float("nan") if x is None else x for x in (verdict.probability, verdict.low, verdict.high))
    return Chance(outcome, chance, low, high, len(figures))
