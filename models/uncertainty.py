"""One uncertain number: its quantile function, whatever form it was given in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import elicitation as e
from models import units

Floats = NDArray[np.float64]
PARSERS: dict[str, Callable[[object], float]] = {
    "number": units.number,
    "duration": units.seconds,
    "share": units.share,
    "accuracy": units.share,
    "money": units.money,
}


@dataclass(frozen=True, slots=True, eq=False)
class Uncertain:
    """A number in base units (seconds, shares, plain): fixed, or with a quantile function. `counted`: it states trials, not a view."""

    fixed: float | None
    inverse: Callable[[ArrayLike], Floats] | None = None
    counted: bool = False

    def quantile(self, u: ArrayLike) -> Floats:
        """Its value at each probability in `u`, same shape."""
        if self.inverse is None:
            return np.full(np.shape(u), self.fixed)
        return self.inverse(u)

    @property
    def median(self) -> float:
        return float(self.quantile(np.asarray([0.5]))[0])

    @property
    def lowest(self) -> float:
        """What it practically never falls below (one in a million)."""
        return float(self.quantile(np.asarray([1e-6]))[0])


@dataclass(frozen=True, slots=True)
class Limits:
    """What a number may be: from `low` (`above`: not `low` itself) to `high`; `whole`: a fixed value is a whole number."""

    low: float = -1e9
    high: float = 1e9
    above: bool = False
    whole: bool = False

    def text(self) -> str:
        """The rule in words, empty if there is none to speak of."""
        if self.low < 0:
            return f"{self.low:g} to {self.high:g}" if self.low > -1e9 else ""
        return "above 0" if self.above else "at least 0"

    def broken_by(self, value: Uncertain, dimension: str) -> str:
        """What is wrong with a value, empty if nothing is."""
        if value.fixed is None:
            lowest, verb = value.lowest, "can fall to"
        else:
            lowest, verb = value.fixed, "is"
        if lowest < self.low or (self.above and lowest == self.low):
            rule = "above" if self.above else "at least"
            return f"{verb} {units.text(dimension, lowest)}, must be {rule} {units.text(dimension, self.low)}"
        if value.median > self.high:
            return f"is {units.text(dimension, value.median)}, must be at most {units.text(dimension, self.high)}"
        if self.whole and value.fixed is not None and value.fixed != int(value.fixed):
            return f"is {value.fixed:g}, must be a whole number"
        return ""


FORMS = {
    "value": ("value",),
    "low": ("low", "likely", "high", "mass"),
    "right": ("right", "tried", "effective"),
    "mean": ("mean", "sd"),
}
"""The forms of a belief: the key that must be given -> all its keys."""
DEFAULTS = {"mass": 0.9, "effective": 1.0}
CLEAR_OF_ZERO = 5.0
"""A normal distribution of something that cannot be negative keeps this many standard deviations from the impossible."""


def belief_of(dimension: str, fields: Mapping[str, Any]) -> Uncertain:
    """The quantile function of a belief's fields. Raises UnitError or ElicitationError."""
    parse = PARSERS[dimension]
    given = [form for form, keys in FORMS.items() if any(fields.get(k) not in (None, DEFAULTS.get(k)) for k in keys)]
    if len(given) != 1:
        found = f", not both of {' and '.join(given)}" if given else ""
        raise e.ElicitationError(f"give exactly one of: value · low, likely, high · right, tried · mean, sd{found}")
    match given[0]:
        case "value":
            return Uncertain(parse(fields["value"]))
        case "low":
            return _elicited(dimension, parse, fields)
        case "right":
            return _counted(dimension, fields)
        case _:
            return _normal(dimension, parse, fields)


def _needed(fields: Mapping[str, Any], *keys: str) -> None:
    missing = [key for key in keys if fields.get(key) is None]
    if missing:
        raise e.ElicitationError(f"{' and '.join(missing)} missing; {', '.join(keys)} are needed together")


def _elicited(dimension: str, parse: Callable[[object], float], fields: Mapping[str, Any]) -> Uncertain:
    _needed(fields, "low", "likely", "high")
    low, likely, high = (parse(fields[k]) for k in ("low", "likely", "high"))
    mass = float(fields["mass"])
    _ordered(dimension, low, likely, high, mass)
    if mass == 1.0:
        return Uncertain(None, lambda u: e.pert_quantile(u, low, likely, high))
    if dimension == "number" and low <= 0:
        raise e.ElicitationError(f"low is {low:g}: for a number that can be 0 or negative give mean and sd, or mass = 1")
    family, quantile = _FAMILIES.get(dimension, (e.lognormal_parameters, e.lognormal_quantile))
    try:
        first, second = family(low, likely, high, mass)
    except e.NoDistributionError:
        between = " and ".join(units.text(dimension, x) for x in (low, high))
        raise e.ElicitationError(
            f"no distribution is most likely at {units.text(dimension, likely)} and has {mass:.0%} between {between}"
        ) from None
    return Uncertain(None, lambda u: quantile(u, first, second))


_FAMILIES = {
    "share": (e.beta_shapes, e.beta_quantile),
    "accuracy": (e.logit_normal_parameters, e.logit_normal_quantile),
}
"""Dimension -> parameters and quantile function of its elicited form; all others are lognormal."""


def _ordered(dimension: str, low: float, likely: float, high: float, mass: float) -> None:
    """The order of the three, in the units that people read."""
    shown = [units.text(dimension, x) for x in (low, likely, high)]
    if not low < high:
        raise e.ElicitationError(f"low ({shown[0]}) must lie below high ({shown[2]})")
    if not low < likely < high:
        raise e.ElicitationError(f"likely ({shown[1]}) must lie between low ({shown[0]}) and high ({shown[2]})")
    if not 0 < mass <= 1:
        raise e.ElicitationError(f"mass ({mass:g}) is the probability between low and high: above 0, at most 1")


def _counted(dimension: str, fields: Mapping[str, Any]) -> Uncertain:
    """Jeffreys: Beta(right + ½, wrong + ½), counts times the effective share of the trials."""
    if dimension not in ("share", "accuracy"):
        raise e.ElicitationError("right and tried describe a share")
    _needed(fields, "right", "tried")
    right, tried, effective = fields["right"], fields["tried"], fields["effective"]
    if right > tried:
        raise e.ElicitationError(f"more right ({right}) than tried ({tried})")
    a, b = right * effective + 0.5, (tried - right) * effective + 0.5
    return Uncertain(None, lambda u: e.beta_quantile(u, a, b), counted=True)


def _normal(dimension: str, parse: Callable[[object], float], fields: Mapping[str, Any]) -> Uncertain:
    _needed(fields, "mean", "sd")
    mean, sd = parse(fields["mean"]), parse(fields["sd"])
    if sd <= 0:
        raise e.ElicitationError("sd must be above 0")
    if dimension != "number" and mean < CLEAR_OF_ZERO * sd:
        raise e.ElicitationError("a normal that reaches below 0; give low, likely and high instead")
    top = 1.0 if dimension in ("share", "accuracy") else np.inf
    if mean > top - CLEAR_OF_ZERO * sd:
        raise e.ElicitationError("a normal that reaches above 1; give low, likely and high instead")
    bottom = -np.inf if dimension == "number" else 0.0
    from scipy.special import ndtri

    return Uncertain(None, lambda u: np.clip(mean + sd * ndtri(np.asarray(u)), bottom, top))
