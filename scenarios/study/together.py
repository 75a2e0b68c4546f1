"""The answer if what several fits found goes wrong independently, and if it goes wrong together: a declared correlation."""

from __future__ import annotations

from dataclasses import dataclass

from models.posterior import PosteriorDraws
from scenarios.files import LoadedCase, with_posterior
from scenarios.study.chances import Chance, chance_of
from scenarios.study.means import Means

CORRELATIONS = {0.0: "independent", 0.5: "correlated, 0.5"}


@dataclass(frozen=True, slots=True)
class Together:
    """One correlation between fits, and what comes of it."""

    correlation: float
    words: str
    found: Chance


def together(loaded: LoadedCase, posterior: PosteriorDraws, draws: int, seed: int, means: Means) -> tuple[Together, ...]:
    """At every correlation; empty with fewer than two fits. Raises Cancelled."""
    if len(posterior.sub_models) < 2:
        return ()
    cases = {c: with_posterior(loaded, posterior.correlated(c)) for c in CORRELATIONS}
    return tuple(Together(c, words, chance_of(cases[c], draws, seed, means)) for c, words in CORRELATIONS.items())
