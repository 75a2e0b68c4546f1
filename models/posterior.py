"""Joint draws of the production parameters: what a fit leaves, and how a simulated draw takes its row of them.

A column is named by its parameter path (`steps.review.catch`), followed by `@` and the arm if the parameter differs by arm and the
evidence speaks of one arm only (`steps.match_ai.permanent@production`). Values are in base units: seconds, shares, plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One check of a fit: a figure, the limit it must keep, and whether it does."""

    name: str
    value: float
    limit: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Predictive:
    """A posterior predictive check: an observed figure, and where it lies among replicated ones (share that is not larger)."""

    what: str
    observed: float
    low: float
    high: float
    share_below: float


@dataclass(frozen=True, slots=True, eq=False)
class SubModel:
    """What one fit found. Rows are joint: row i of every column belongs to one draw.

    columns: column name → values, shape (rows,) · prior: the same names before the data, any number of rows
    badness: shape (rows,), rises with what makes the promise harder to keep; declared correlations between sub-models act on its order
    informed_by: column name → files whose rows inform it · reported: further figures for reports, any shape (rows, …)
    coords: names along the further axes of `reported` (figure name → one tuple of names per axis)
    """

    name: str
    columns: Mapping[str, Floats]
    prior: Mapping[str, Floats]
    badness: Floats
    diagnostics: tuple[Diagnostic, ...] = ()
    predictive: tuple[Predictive, ...] = ()
    informed_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reported: Mapping[str, Floats] = field(default_factory=dict)
    coords: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all its checks passed: only then may it carry a verdict."""
        return all(d.passed for d in self.diagnostics)
