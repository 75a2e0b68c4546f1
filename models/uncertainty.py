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
    """A number in base units (seconds, shares, plain): fixed, or with a quantile function."""

    fixed: float | None
    inverse: Callable[[ArrayLike], Floats] | None = None

    def quantile(self, u: ArrayLike) -> Floats:
        """Its value at each probability in `u`, same shape."""
        if self.inverse is None:
            return np.full(np.shape(u), self.fixed)
        return self.inverse(u)

    @property
    def median(self) -> float:
        return float(self.quantile(np.asarray([0.5]))[0])


def belief_of(dimension: str, fields: Mapping[str, Any]) -> Uncertain:
    """The quantile function of a belief's fields. Raises UnitError or ElicitationError."""
    parse = PARSERS[dimension]
    given = [form for form in ("value", "low", "right", "mean") if fields.get(form) is not None]
    if len(given) != 1:
        raise e.ElicitationError("give exactly one of: value · low, likely, high · right, tried · mean, sd")
    match given[0]:
        case "value":
            return Uncertain(parse(fields["value"]))
        case "low":
            return _elicited(dimension, parse, fields)
        case "right":
            return _counted(dimension, fields)
        case _:
            return _normal(dimension, parse, fields)


def _elicited(dimension: str, parse: Callable[[object], float], fields: Mapping[str, Any]) -> Uncertain:
    if fields.get("likely") is None or fields.get("high") is None:
        raise e.ElicitationError("low, likely and high are needed together")
    low, likely, high = (parse(fields[k]) for k in ("low", "likely", "high"))
    mass = float(fields["mass"])
    if mass == 1.0:
        e.ordered(low, likely, high, 0.5)
        return Uncertain(None, lambda u: e.pert_quantile(u, low, likely, high))
    if dimension == "share":
        a, b = e.beta_shapes(low, likely, high, mass)
        return Uncertain(None, lambda u: e.beta_quantile(u, a, b))
    family = e.logit_normal_parameters if dimension == "accuracy" else e.lognormal_parameters
    quantile = e.logit_normal_quantile if dimension == "accuracy" else e.lognormal_quantile
    mu, sigma = family(low, likely, high, mass)
    return Uncertain(None, lambda u: quantile(u, mu, sigma))


def _counted(dimension: str, fields: Mapping[str, Any]) -> Uncertain:
    """Jeffreys: Beta(right + ½, wrong + ½), counts times the effective share of the trials."""
    if dimension not in ("share", "accuracy"):
        raise e.ElicitationError("right and tried describe a share")
    if fields.get("tried") is None:
        raise e.ElicitationError("right needs tried")
    right, tried, effective = fields["right"], fields["tried"], fields["effective"]
    if right > tried:
        raise e.ElicitationError(f"more right ({right}) than tried ({tried})")
    a, b = right * effective + 0.5, (tried - right) * effective + 0.5
    return Uncertain(None, lambda u: e.beta_quantile(u, a, b))


def _normal(dimension: str, parse: Callable[[object], float], fields: Mapping[str, Any]) -> Uncertain:
    if fields.get("sd") is None:
        raise e.ElicitationError("mean needs sd")
    mean, sd = parse(fields["mean"]), parse(fields["sd"])
    if sd <= 0:
        raise e.ElicitationError("sd must be above 0")
    if dimension != "number" and mean < 4 * sd:
        raise e.ElicitationError("a normal that reaches below 0; give low, likely and high instead")
    from scipy.special import ndtri

    return Uncertain(None, lambda u: np.asarray(mean + sd * ndtri(np.asarray(u)), dtype=np.float64))
