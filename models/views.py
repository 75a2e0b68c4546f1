"""What somebody believes about a number (low, most likely, high, how sure) as a distribution: quantiles, chances, what it is worth.

The families are those of the case file (`models.uncertainty`): a share is a Beta, an accuracy normal on the logit scale, times and other
positive numbers lognormal; with certainty (mass 1) low and high are absolute limits (PERT). Beyond the case file, a plain number that can
be 0 or negative is a normal distribution around `likely`, as wide as low to high says. All values are in base units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import elicitation as e
from models import units
from models.priors import Scale, to_scale

Floats = NDArray[np.float64]
Family = Literal["beta", "logit_normal", "lognormal", "normal", "pert"]
OBSERVATION_CV = 1.0
"""Spread of single observed times (standard deviation / mean) when a view is compared with a number of them."""
_GRID = (np.arange(4_000) + 0.5) / 4_000
SCALES: dict[str, Scale] = {"share": "plain", "accuracy": "logit", "duration": "log", "money": "log", "number": "log"}
"""Dimension → the scale on which its views are compared: where their families are simple."""


@dataclass(frozen=True, slots=True)
class View:
    """One distribution. `first`, `second`: Beta shapes, or mean and standard deviation on its scale; `low`, `high`: as stated."""

    dimension: str
    family: Family
    first: float
    second: float
    low: float
    high: float

    def quantile(self, u: ArrayLike) -> Floats:
        """Its value at each probability, same shape."""
        from scipy.special import ndtri

        match self.family:
            case "beta":
                return e.beta_quantile(u, self.first, self.second)
            case "pert":
                return self.low + (self.high - self.low) * e.beta_quantile(u, self.first, self.second)
            case "logit_normal":
                return e.logit_normal_quantile(u, self.first, self.second)
            case "lognormal":
                return e.lognormal_quantile(u, self.first, self.second)
            case "normal":
                return np.asarray(self.first + self.second * ndtri(np.asarray(u)), dtype=np.float64)

    def cdf(self, x: ArrayLike) -> Floats:
        """The chance that the number is at most x, same shape."""
        from scipy.special import betainc, logit, ndtr

        values = np.asarray(x, dtype=np.float64)
        if self.family in ("beta", "pert"):
            low, high = (self.low, self.high) if self.family == "pert" else (0.0, 1.0)
            return np.asarray(betainc(self.first, self.second, np.clip((values - low) / (high - low), 0.0, 1.0)))
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.family == "logit_normal":
                values = logit(np.clip(values, 0.0, 1.0))
            elif self.family == "lognormal":
                values = np.log(np.maximum(values, 0.0))
            return np.asarray(ndtr((values - self.first) / self.second))

    @property
    def scale(self) -> Scale:
        """Where it is compared with others."""
        return "plain" if self.dimension == "number" and self.low <= 0 else SCALES[self.dimension]

    def moments(self, scale: Scale) -> tuple[float, float]:
        """Mean and variance on a scale: exact where the family is simple there, else from 4,000 quantiles."""
        a, b = self.first, self.second
        if (self.family, scale) in (("logit_normal", "logit"), ("lognormal", "log"), ("normal", "plain")):
            return a, b * b
        if self.family in ("beta", "pert") and scale == "plain":
            low, width = (self.low, self.high - self.low) if self.family == "pert" else (0.0, 1.0)
            return low + width * a / (a + b), width * width * a * b / ((a + b) ** 2 * (a + b + 1))
        values = to_scale(self.quantile(_GRID), scale)
        return float(values.mean()), float(values.var())


def view_of(dimension: str, low: float, likely: float, high: float, mass: float = 0.9) -> View:
    """The distribution of a view in base units. Raises ElicitationError if there is none."""
    _in_order(dimension, low, likely, high, mass)
    if dimension in ("share", "accuracy") and not (low >= 0 and high <= 1):
        raise e.ElicitationError("a share lies between 0 and 1")
    if mass == 1:
        width = high - low
        return View(dimension, "pert", 1 + 4 * (likely - low) / width, 1 + 4 * (high - likely) / width, low, high)
    if dimension == "number" and low <= 0:
        from scipy.special import ndtri

        return View(dimension, "normal", likely, (high - low) / (2 * float(ndtri(0.5 + mass / 2))), low, high)
    family, parameters = _FAMILIES.get(dimension, ("lognormal", e.lognormal_parameters))
    try:
        return View(dimension, family, *parameters(low, likely, high, mass), low, high)
    except e.NoDistributionError:
        shown = [units.text(dimension, x) for x in (likely, low, high)]
        message = f"no distribution is most likely at {shown[0]} and has {mass:.0%} between {shown[1]} and {shown[2]}"
        raise e.ElicitationError(message) from None


_FAMILIES: dict[str, tuple[Family, Callable[[float, float, float, float], tuple[float, float]]]] = {
    "share": ("beta", e.beta_shapes),
    "accuracy": ("logit_normal", e.logit_normal_parameters),
}
"""Dimension → family and its parameters; all others are lognormal."""


def _in_order(dimension: str, low: float, likely: float, high: float, mass: float) -> None:
    shown = [units.text(dimension, x) for x in (low, likely, high)]
    if not low < high:
        raise e.ElicitationError(f"low ({shown[0]}) must lie below high ({shown[2]})")
    if not low < likely < high:
        raise e.ElicitationError(f"the most likely ({shown[1]}) must lie between low ({shown[0]}) and high ({shown[2]})")
    if not 0 < mass <= 1:
        raise e.ElicitationError(f"how sure ({mass:g}) must be above 0 and at most 1")


def worth(dimension: str, scale: Scale, mean: float, variance: float, cv: float = OBSERVATION_CV) -> float:
    """How many observations would make as sure: cases for shares, observed values of spread `cv` for times and numbers; NaN if none can.

    Shares: a + b of the Beta with this mean and variance. Accuracies: the same for the logit's. Others: ln(1 + cv²) / variance of the
    logarithm, since that is the variance of the logarithm of one lognormal observation.
    """
    if variance <= 0:
        return float("inf")
    if dimension == "share" and scale == "plain":
        return mean * (1 - mean) / variance - 1
    if dimension == "accuracy" and scale == "logit":
        return sum(logit_beta(mean, variance))
    return float(np.log1p(cv * cv) / variance) if scale == "log" else float("nan")


def logit_beta(mean: float, variance: float) -> tuple[float, float]:
    """The Beta whose logit has this mean and variance: ψ(a) − ψ(b) = mean, ψ′(a) + ψ′(b) = variance."""
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    def other(a: float) -> float:
        """b with ψ(b) = ψ(a) − mean."""
        goal = float(digamma(a)) - mean
        return float(np.exp(brentq(lambda log_b: float(digamma(np.exp(log_b))) - goal, -40.0, 60.0, xtol=1e-13)))

    def excess(log_a: float) -> float:
        a = float(np.exp(log_a))
        return float(np.log(polygamma(1, a) + polygamma(1, other(a))) - np.log(variance))

    a = float(np.exp(brentq(excess, -12.0, 20.0, xtol=1e-12)))
    return a, other(a)


def overlap(views: Sequence[View]) -> float:
    """The share of probability that all views have in common: 1 if they are the same, 0 if they do not touch."""
    edges = np.unique(np.concatenate([view.quantile(np.linspace(0.0005, 0.9995, 1_000)) for view in views]))
    steps = np.array([np.diff(view.cdf(edges), prepend=0.0, append=1.0) for view in views])
    return float(steps.min(axis=0).sum())
