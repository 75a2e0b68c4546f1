"""What an expert says (low, most likely, high) as a distribution: closed forms, solved numerically where needed.

Sources of the formulas: shares as Beta with mode `likely` and the stated mass between low and high; durations and other
positive numbers as lognormal with that mode; accuracies as normal on the logit scale with median `likely`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


class ElicitationError(ValueError):
    """What is stated about a number does not fit together."""


class NoDistributionError(ElicitationError):
    """Low, likely, high and mass that no distribution of the family has."""


def ordered(low: float, likely: float, high: float, mass: float) -> None:
    """Raises ElicitationError unless low < likely < high and 0 < mass < 1."""
    if not low < high:
        raise ElicitationError(f"low ({low:g}) must lie below high ({high:g})")
    if not low < likely < high:
        raise ElicitationError(f"likely ({likely:g}) must lie between low ({low:g}) and high ({high:g})")
    if not 0 < mass < 1:
        raise ElicitationError(f"mass ({mass:g}) must lie between 0 and 1")


def beta_shapes(low: float, likely: float, high: float, mass: float = 0.9) -> tuple[float, float]:
    """a = 1 + k m, b = 1 + k (1 - m) with mode m = likely and P(low < x < high) = mass."""
    from scipy.optimize import brentq
    from scipy.special import betainc

    ordered(low, likely, high, mass)

    def excess(log_k: float) -> float:
        a, b = 1 + np.exp(log_k) * likely, 1 + np.exp(log_k) * (1 - likely)
        return float(betainc(a, b, high) - betainc(a, b, low) - mass)

    if excess(-10.0) > 0 or excess(16.0) < 0:
        raise NoDistributionError(f"no Beta distribution has mode {likely:g} and {mass:.0%} between {low:g} and {high:g}")
    k = float(np.exp(brentq(excess, -10.0, 16.0, xtol=1e-12)))
    return 1 + k * likely, 1 + k * (1 - likely)


def lognormal_parameters(low: float, likely: float, high: float, mass: float = 0.9) -> tuple[float, float]:
    """mu, sigma with mode exp(mu - sigma²) = likely and P(low < x < high) = mass."""
    from scipy.optimize import brentq
    from scipy.special import ndtr

    ordered(low, likely, high, mass)
    if low <= 0:
        raise ElicitationError(f"low ({low:g}) must be above 0")

    def excess(sigma: float) -> float:
        mu = np.log(likely) + sigma * sigma
        return float(ndtr((np.log(high) - mu) / sigma) - ndtr((np.log(low) - mu) / sigma) - mass)

    if excess(1e-6) < 0 or excess(10.0) > 0:
        raise NoDistributionError(f"no lognormal distribution has mode {likely:g} and {mass:.0%} between {low:g} and {high:g}")
    sigma = float(brentq(excess, 1e-6, 10.0, xtol=1e-14))
    return float(np.log(likely) + sigma * sigma), sigma


def logit_normal_parameters(low: float, likely: float, high: float, mass: float = 0.9) -> tuple[float, float]:
    """mu = logit(likely), sigma = (logit high - logit low) / (2 z) on the logit scale; `likely` is the median."""
    from scipy.special import logit, ndtri

    ordered(low, likely, high, mass)
    if low <= 0 or high >= 1:
        raise ElicitationError("low and high of an accuracy must lie strictly between 0 and 1")
    return float(logit(likely)), float((logit(high) - logit(low)) / (2 * ndtri(0.5 + mass / 2)))


def beta_quantile(u: ArrayLike, a: float, b: float) -> Floats:
    """Quantiles of a Beta distribution."""
    from scipy.special import betaincinv

    return np.asarray(betaincinv(a, b, np.asarray(u)), dtype=np.float64)


def lognormal_quantile(u: ArrayLike, mu: float, sigma: float) -> Floats:
    """Quantiles of a lognormal distribution."""
    from scipy.special import ndtri

    return np.asarray(np.exp(mu + sigma * ndtri(np.asarray(u))), dtype=np.float64)


def logit_normal_quantile(u: ArrayLike, mu: float, sigma: float) -> Floats:
    """Quantiles of a distribution that is normal on the logit scale."""
    from scipy.special import expit, ndtri

    return np.asarray(expit(mu + sigma * ndtri(np.asarray(u))), dtype=np.float64)


def pert_quantile(u: ArrayLike, low: float, likely: float, high: float) -> Floats:
    """Beta on [low, high]: a = 1 + 4 (m - low) / (high - low), b = 1 + 4 (high - m) / (high - low)."""
    width = high - low
    a, b = 1 + 4 * (likely - low) / width, 1 + 4 * (high - likely) / width
    return low + width * beta_quantile(u, a, b)
