"""Correlated errors: a normal effect of clusters and days on the logit, so that the mean over clusters stays the stated probability."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.priors import Prior, to_scale
from models.uncertainty import Uncertain

Floats = NDArray[np.float64]
LOGIT_PER_PROBIT = (16 * np.sqrt(3) / (15 * np.pi)) ** 2
"""c² of the usual approximation of a logit-normal mean: E expit(a + s z) ≈ expit(a / sqrt(1 + c² s²)) (Zeger et al. 1988)."""
USUAL = Prior(float(np.log(0.7)), 0.7, "log", "usual spread of clusters")
_WIDTH = 0.5
"""Width (log) of the spread around a plain value of the correlation."""
_GRID = (np.arange(2_000) + 0.5) / 2_000


def nodes(count: int) -> tuple[Floats, Floats]:
    """Gauss-Hermite nodes and weights of a standard normal, both of shape (count,)."""
    x, w = np.polynomial.hermite_e.hermegauss(count)
    return np.asarray(x), np.asarray(w / w.sum())


def conditional_logit(mean: ArrayLike, spread: ArrayLike, count: int = 40) -> Floats:
    """The logit of a middle cluster, so that the mean over clusters of expit(logit + spread · z) is `mean`. Broadcasts."""
    from scipy.special import expit

    goal, s = np.broadcast_arrays(np.asarray(mean, dtype=np.float64), np.asarray(spread, dtype=np.float64))
    x, w = nodes(count)
    at = np.log(goal) - np.log1p(-goal)
    at = at * np.sqrt(1 + LOGIT_PER_PROBIT * s**2)
    for _ in range(6):
        p = expit(at[..., None] + s[..., None] * x)
        at = at + np.clip((goal - p @ w) / np.maximum((p * (1 - p)) @ w, 1e-12), -1.0, 1.0)
    return np.asarray(at, dtype=np.float64)


def correlation(mean: ArrayLike, spread: ArrayLike, count: int = 40) -> Floats:
    """Correlation of two errors of one cluster, as the case file's `cluster_correlation` means it. Broadcasts."""
    from scipy.special import expit

    goal, s = np.broadcast_arrays(np.asarray(mean, dtype=np.float64), np.asarray(spread, dtype=np.float64))
    x, w = nodes(count)
    p = expit(conditional_logit(goal, s, count)[..., None] + s[..., None] * x)
    return np.asarray(((p**2) @ w - (p @ w) ** 2) / (goal * (1 - goal)), dtype=np.float64)


def spread_of(correlation_: ArrayLike, mean: float) -> Floats:
    """The spread that gives a correlation at a mean, by interpolation between 0 and 8."""
    grid = np.concatenate([[0.0], np.geomspace(0.01, 8.0, 200)])
    return np.asarray(np.interp(np.asarray(correlation_, dtype=np.float64), correlation(mean, grid), grid), dtype=np.float64)


def spread_prior(belief: Uncertain, mean: float) -> Prior:
    """The prior of the log of the spread, from the belief about the correlation; the usual one if that is 0 or not stated."""
    if belief.median <= 0:
        return USUAL
    x = to_scale(spread_of(belief.quantile(_GRID), mean), "log")
    width = _WIDTH if belief.fixed is not None or belief.counted else max(float(x.std()), 0.1)
    return Prior(float(x.mean()), width, "log", "the case file's correlation within clusters")
