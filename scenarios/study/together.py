"""The answer if what several fits found goes wrong independently, and if it goes wrong together: a declared correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.decisions.verdict import judge
from models.outcomes import met, target_value
from models.posterior import PosteriorDraws
from scenarios.files import LoadedCase, with_posterior
from scenarios.store import SolvedCache
from scenarios.study.draws import Plan, collect
from scenarios.study.means import Means

LIVE = Plan((("as_is", 1), ("production", 1)))
CORRELATIONS = {0.0: "independent", 0.5: "correlated, 0.5"}


@dataclass(frozen=True, slots=True)
class Together:
    """One correlation. outcome: mean of the target's statistic · chance with its 90 % bounds."""

    correlation: float
    words: str
    outcome: float
    chance: float
    low: float
    high: float
    futures: int


def together(loaded: LoadedCase, posterior: PosteriorDraws, draws: int, seed: int, means: Means) -> tuple[Together, ...]:
    """At every correlation; empty with fewer than two fits. Raises Cancelled."""
    if len(posterior.sub_models) < 2:
        return ()
    return tuple(_one(loaded, posterior, c, words, draws, seed, means) for c, words in CORRELATIONS.items())


def _one(
    loaded: LoadedCase, posterior: PosteriorDraws, correlation: float, words: str, draws: int, seed: int, means: Means
) -> Together:
    there = with_posterior(loaded, posterior.correlated(correlation))
    done = collect(there.case, LIVE, draws, seed, means, SolvedCache(there.hash, seed))
    figures = [r.arms["production"].figures for r in done.results]
    verdict = judge([met(there.case, f) for f in figures], bool(figures))
    outcome = float(np.mean([target_value(there.case, f) for f in figures])) if figures else float("nan")
    chance, low, high = (float("nan") if x is None else x for x in (verdict.probability, verdict.low, verdict.high))
    return Together(correlation, words, outcome, chance, low, high, len(figures))
