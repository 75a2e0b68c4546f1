"""How many draws are enough: stop once the interval of a share or of a mean is as narrow as was asked for.

A rule looks at all draws so far and says whether they are precise enough, and with how many to look again. It looks seldom: at a
minimum, then at the number that the draws so far call for, at least a tenth more each time. Every look is a chance to stop by luck
on a spread that happens to be small, so few looks and a minimum keep the coverage of the interval at the end: for a 90 % interval
it is measured in tests/test_stopping.py.

Half-widths are absolute. A relative one has no meaning for a small share or a difference near zero.

Draws may carry less information than their number says (chains of a fitted model): `effective_share` = effective sample size over
number, and every interval is that of n_eff = effective_share × n draws, never narrower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from simulator.statistics import Estimate, normal_quantile, t_quantile, wilson

SHARE_MINIMUM = 200
"""Effective draws before a share may be precise: one that stops at fewer because no success came yet covers far too seldom."""
MEAN_MINIMUM = 100
"""Effective draws before a mean may be precise: with 30, skewed values (lognormal, cv 0.8) are covered in 84 % instead of 90 %."""
GROWTH = 1.1
"""Each look is at so many times the draws of the one before, or more."""
AT_MOST = 1_000
"""Draws after which a rule gives up, unless told."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is known after `draws` draws.

    estimate: with the interval at the rule's level · effective: draws that the interval counts ·
    reached: whether it is as narrow as asked for · next_look: with how many draws to look again; None: stop.
    """

    draws: int
    effective: float
    estimate: Estimate
    reached: bool
    next_look: int | None

    @property
    def half_width(self) -> float:
        """Half the length of the interval, in the unit of the value."""
        return self.estimate.half_width


@dataclass(frozen=True, slots=True)
class Rule:
    """half_width: asked for, absolute, in the unit of the value · at_most: draws after which it stops in any case.

    level: of the two-sided interval · minimum: effective draws before it may stop · effective_share: effective draws a draw, in (0, 1].
    Raises ValueError for numbers outside these limits.
    """

    half_width: float
    at_most: int = AT_MOST
    level: float = 0.9
    minimum: int = 2
    effective_share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.half_width < math.inf:
            raise ValueError(f"half-width {self.half_width} must be positive and finite")
        if not 0 < self.effective_share <= 1:
            raise ValueError(f"effective share {self.effective_share} must lie above 0 and be at most 1")
        if not 0 < self.level < 1 or self.minimum < 2:
            raise ValueError("the level must lie between 0 and 1, and the minimum be at least 2")
        if self.at_most < self.first_look:
            raise ValueError(f"at most {self.at_most} draws are too few: the first look is at {self.first_look}")

    @property
    def first_look(self) -> int:
        """Draws at the first look: those with `minimum` effective ones."""
        return math.ceil(self.minimum / self.effective_share - 1e-9)

    def effective(self, draws: int) -> float:
        """The effective sample size of so many draws."""
        return self.effective_share * draws

    def _look(self, draws: int, estimate: Estimate, effective_needed: float) -> Look:
        """`effective_needed`: effective draws that the spread so far calls for."""
        effective = self.effective(draws)
        reached = effective >= self.minimum - 1e-9 and estimate.half_width <= self.half_width
        following = None
        if not reached and draws < self.at_most:
            wanted = max(self.first_look, GROWTH * draws, effective_needed / self.effective_share)
            following = math.ceil(min(float(self.at_most), wanted))
        return Look(draws, effective, estimate, reached, following)

    def _z(self) -> float:
        return normal_quantile((1 + self.level) / 2)


@dataclass(frozen=True, slots=True)
class ShareRule(Rule):
    """Stops on the half-width of the Wilson interval of a share."""

    minimum: int = SHARE_MINIMUM

    def look(self, successes: int, draws: int) -> Look:
        """After `successes` of `draws`. The next look is at z² p (1 - p) / h², what Wilson's interval nearly needs."""
        if not 0 <= successes <= draws or draws < 1:
            raise ValueError(f"{successes} of {draws} is no share")
        share = successes / draws
        estimate = wilson(float(share), self.effective(draws), self.level)
        return self._look(draws, estimate, (self._z() / self.half_width) ** 2 * share * (1 - share))


@dataclass(frozen=True, slots=True)
class MeanRule(Rule):
    """Stops on the half-width of the t interval of a mean, or of a mean paired difference."""

    minimum: int = MEAN_MINIMUM

    def look(self, values: ArrayLike) -> Look:
        """After these values, shape (draws,). The next look is at z² s² / h². Raises ValueError unless finite and at least two."""
        x = np.asarray(values, dtype=np.float64)
        if x.ndim != 1 or len(x) < 2 or not np.isfinite(x).all():
            raise ValueError("a look needs at least two values, all finite")
        spread = float(x.std(ddof=1))
        estimate = t_interval(float(x.mean()), spread, self.effective(len(x)), self.level)
        return self._look(len(x), estimate, (self._z() * spread / self.half_width) ** 2)


def t_interval(mean: float, spread: float, effective: float, level: float = 0.9) -> Estimate:
    """Mean ± t((1 + level) / 2, n - 1) s / √n at an effective sample size n, which need not be whole; infinite if n <= 1."""
    if effective <= 1:
        return Estimate(mean, -math.inf, math.inf, math.inf)
    error = spread / math.sqrt(effective)
    margin = t_quantile((1 + level) / 2, effective - 1) * error
    return Estimate(mean, mean - margin, mean + margin, error)
