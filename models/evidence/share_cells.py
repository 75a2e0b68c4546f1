"""Counts behind shares: tallies of rows, and what they come to by type once results that come together are counted for what they tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evidence.refusals import UnusableEvidenceError

Floats = NDArray[np.float64]
Texts = NDArray[np.object_]
FEWEST_GROUPS = 8
"""A design effect is estimated from at least so many clusters (or days)."""


def equal(column: Texts, value: str) -> NDArray[np.bool_]:
    """Which cells of a column of text hold a value."""
    return np.isin(column.astype(str), (value,))


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Counts of one share, one row a count: type ("" = as they come), environment ("" = not said), group of results that come together."""

    path: str
    type: Texts
    environment: Texts
    group: Texts
    happened: Floats
    tried: Floats
    file: str

    def select(self, rows: NDArray[np.bool_]) -> Tally:
        """Some of the rows."""
        labels = (self.type[rows], self.environment[rows], self.group[rows])
        return Tally(self.path, *labels, self.happened[rows], self.tried[rows], self.file)


@dataclass(frozen=True, slots=True)
class Count:
    """So many of so many, after division by the design effect; `raw`: as counted."""

    happened: float
    tried: float
    raw: tuple[float, float]
    design_effect: float = 1.0


def total(tallies: Sequence[Tally], stated_design_effect: float | None = None) -> Count:
    """All rows together. Raises UnusableEvidenceError if more happened than was tried."""
    happened = np.concatenate([np.empty(0), *(t.happened for t in tallies)])
    tried = np.concatenate([np.empty(0), *(t.tried for t in tallies)])
    group = np.concatenate([np.empty(0, dtype=object), *(t.group for t in tallies)])
    if (happened > tried).any():
        raise UnusableEvidenceError(f"{tallies[0].path}: more happened than was tried in a row of {tallies[0].file}")
    raw = (float(happened.sum()), float(tried.sum()))
    effect = design_effect(happened, tried, group, stated_design_effect)
    return Count(raw[0] / effect, raw[1] / effect, raw, effect)


def design_effect(happened: Floats, tried: Floats, group: Texts, stated: float | None) -> float:
    """By how much results that come together shrink what the counts tell: the ratio estimator over groups, at least 1.

    Variance of a share over k groups: k / (k - 1) · Σ (y - p n)² / N², against p (1 - p) / N (Cochran 1977, §11). With fewer than eight
    groups the stated design effect of the settings is taken, or 1.
    """
    named = group != ""
    names, index = np.unique(group[named].astype(str), return_inverse=True)
    if len(names) < FEWEST_GROUPS or not named.all():
        return 1.0 if stated is None or named.any() else stated
    y, n = np.bincount(index, happened), np.bincount(index, tried)
    p = y.sum() / max(n.sum(), 1.0)
    if not 0 < p < 1:
        return 1.0
    between = len(names) / (len(names) - 1) * np.square(y - p * n).sum()
    return float(max(1.0, between / (p * (1 - p) * n.sum())))
