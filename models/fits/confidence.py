"""What another threshold would accept: the AI's confidence in right and in wrong outputs, by band, in closed form.

P(band | right) and P(band | wrong) are Dirichlet: 1 / (number of bands) of a case in each band before (Perks), the effective counts on
top. From a threshold at the edge of a band follow P(accepted | right) and P(accepted | wrong); with an accuracy, coverage and accepted
errors. Flags of what one threshold accepted say nothing about any other: they are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evidence.accuracy_counts import rows_of_step
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.table import Table

Floats = NDArray[np.float64]
EDGES = (0.0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Where the usual bands begin; the last one ends at 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Bands:
    """Checked outputs by band of confidence: where each band begins, and effective counts of right and wrong ones, shape (bands,)."""

    edges: Floats
    right: Floats
    wrong: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Draws at one threshold, shape (draws,) each: P(accepted | right), P(accepted | wrong), coverage, accepted errors of all outputs."""

    threshold: float
    accept_right: Floats
    accept_wrong: Floats
    coverage: Floats
    accepted_error: Floats


def bands_of(
    tables: Iterable[Table],
    step: str,
    only: bool = True,
    effect: float = 1.0,
    edges: tuple[float, ...] = EDGES,
    version: str = "",
) -> Bands:
    """Counts of the rows that state a confidence and speak of the step. `only`: it is the only AI step, so rows that name none are its
    own · `effect`: design effect of the counts · `version`: of the AI, where several are there.

    Raises UnusableEvidenceError if no row states a confidence, ValueError for edges that do not rise from 0.
    """
    begin = np.asarray(edges, dtype=np.float64)
    if begin[0] != 0 or (np.diff(begin) <= 0).any() or begin[-1] >= 1:
        raise ValueError("edges rise from 0 and stay below 1")
    right, wrong = np.zeros(len(begin)), np.zeros(len(begin))
    for table in tables:
        confidence = table.numbers("confidence")
        used = rows_of_step(table, step, only) & ~np.isnan(confidence)
        if version:
            used &= table.texts("model_version").astype(str) == version
        band = np.searchsorted(begin, confidence[used], side="right") - 1
        good = table.numbers("right")[used]
        right += np.bincount(band, good, minlength=len(begin))
        wrong += np.bincount(band, table.numbers("tried")[used] - good, minlength=len(begin))
    if right.sum() + wrong.sum() == 0:
        raise UnusableEvidenceError(
            "no row states a confidence: what was accepted at one threshold says nothing about another one; export the AI's confidence"
        )
    return Bands(begin, right / effect, wrong / effect)


def edges_with(threshold: float | None) -> tuple[float, ...]:
    """The usual bands, and one that begins at a threshold of one's own."""
    own = () if threshold is None or not 0 < threshold < 1 else (threshold,)
    return tuple(sorted({*EDGES, *own}))


def outcomes(bands: Bands, accuracy: Floats, rng: np.random.Generator) -> tuple[Outcome, ...]:
    """What a threshold at the beginning of each band gives, for draws of the accuracy; the first one accepts everything."""
    above = [_above(counts, len(accuracy), rng) for counts in (bands.right, bands.wrong)]
    return tuple(
        Outcome(float(edge), r, w, accuracy * r + (1 - accuracy) * w, (1 - accuracy) * w)
        for edge, r, w in zip(bands.edges, *(np.moveaxis(a, 1, 0) for a in above), strict=True)
    )


def _above(counts: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Draws of the probability of each band and all above it, shape (draws, bands)."""
    share = rng.dirichlet(counts + 1 / len(counts), draws)
    tail = np.cumsum(share[:, ::-1], axis=1)[:, ::-1]
    tail[:, 0] = 1.0
    return np.clip(tail, 0.0, 1.0)
