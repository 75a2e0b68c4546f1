"""What was believed before the evidence, on the scale a fit works on: a normal distribution of the logit, the log or the number itself.

A view (low, likely, high; mean and sd) is taken over with its mean and standard deviation on that scale. A plain value has no width, so
it is only the centre of the sub-model's usual width: whoever brings evidence about a number does not hold it for certain. Counts
(right of tried) are evidence themselves and would be used twice; the sub-model's usual prior takes their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.uncertainty import Uncertain

Floats = NDArray[np.float64]
Scale = Literal["logit", "log", "plain"]
_GRID = (np.arange(2_000) + 0.5) / 2_000
_EDGE = 1e-6
"""Shares and times of exactly 0 are moved this far from it before their logit or log is taken."""


@dataclass(frozen=True, slots=True)
class Prior:
    """Normal(mean, sd) on a scale. `origin`: where it comes from, in words."""

    mean: float
    sd: float
    scale: Scale
    origin: str

    def quantile(self, u: ArrayLike) -> Floats:
        """In base units."""
        from scipy.special import ndtri

        return from_scale(self.mean + self.sd * ndtri(np.asarray(u, dtype=np.float64)), self.scale)


def to_scale(values: ArrayLike, scale: Scale) -> Floats:
    """Base units → the scale of the fit."""
    x = np.asarray(values, dtype=np.float64)
    if scale == "plain":
        return x
    if scale == "log":
        return np.log(np.maximum(x, _EDGE))
    x = np.clip(x, _EDGE, 1 - _EDGE)
    return np.log(x) - np.log1p(-x)


def from_scale(values: ArrayLike, scale: Scale) -> Floats:
    """The scale of the fit → base units."""
    from scipy.special import expit

    x = np.asarray(values, dtype=np.float64)
    return x if scale == "plain" else np.exp(x) if scale == "log" else np.asarray(expit(x), dtype=np.float64)


def prior_of(belief: Uncertain, scale: Scale, usual_mean: float, usual_sd: float) -> Prior:
    """The prior that a belief of the case file stands for. `usual_*`: the sub-model's own prior, on the scale."""
    if belief.counted:
        return Prior(usual_mean, usual_sd, scale, "usual prior (the case file's counts are evidence, not a prior)")
    if belief.fixed is not None:
        return Prior(
            float(to_scale(belief.fixed, scale)), usual_sd, scale, "around the case file's plain value, with the usual width"
        )
    x = to_scale(belief.quantile(_GRID), scale)
    return Prior(float(x.mean()), float(x.std()), scale, "the case file's range")
