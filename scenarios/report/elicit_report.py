"""What somebody said about a number, shown back: what follows from it, and how many observations it is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from models import units
from models.elicitation import ElicitationError
from models.uncertainty import PARSERS
from models.views import OBSERVATION_CV, View, view_of, worth
from scenarios.problems import CaseError, Problem, nearest

KINDS = ("share", "duration", "accuracy", "number")
SCHEMA_VERSION = 1
_FAMILIES = {
    "beta": "Beta", "logit_normal": "normal on the logit scale", "lognormal": "lognormal", "normal": "normal", "pert": "PERT",
}  # fmt: skip
_MEANINGS = {
    "share": "about {n} cases seen",
    "accuracy": "about {n} cases checked",
    "duration": "about {n} observed times (whose spread is {cv:g} times their mean)",
    "number": "about {n} observed values (whose spread is {cv:g} times their mean)",
}


@dataclass(frozen=True, slots=True)
class ShownBack:
    """`stated`: low, likely, high as typed · `quantiles`: 5, 50 and 95 % in base units · `worth`: NaN if no number of cases says it."""

    stated: tuple[str, str, str]
    mass: float
    view: View
    quantiles: tuple[float, float, float]
    worth: float
    cv: float


def shown_back(low: str, likely: str, high: str, kind: str, sure: str = "90 %", cv: float = OBSERVATION_CV) -> ShownBack:
    """Reads the three numbers and how sure one is. Raises CaseError that names what is wrong."""
    if kind not in KINDS:
        raise _refused("--as", f'no kind "{kind}"', nearest(kind, KINDS))
    if not (math.isfinite(cv) and cv > 0):
        raise _refused("--cv", f"{cv:g} must be above 0")
    stated, read = (low, likely, high), []
    for name, text in zip(("LOW", "LIKELY", "HIGH"), stated, strict=True):
        try:
            read.append(PARSERS[kind](text))
        except units.UnitError as error:
            raise _refused(name, str(error)) from None
    try:
        mass = units.share(sure)
        if not 0 < mass <= 1:
            raise units.RangeError("must be above 0 %, at most 100 %")
    except units.UnitError as error:
        raise _refused("--sure", str(error)) from None
    try:
        view = view_of(kind, read[0], read[1], read[2], mass)
    except ElicitationError as error:
        raise CaseError("command line", [Problem("E212", "LOW LIKELY HIGH", str(error))]) from None
    quantiles = tuple(float(x) for x in view.quantile([0.05, 0.5, 0.95]))
    value = worth(kind, view.scale, *view.moments(view.scale), cv)
    return ShownBack(stated, mass, view, (quantiles[0], quantiles[1], quantiles[2]), value, cv)


def _refused(place: str, message: str, remedy: str = "") -> CaseError:
    return CaseError("command line", [Problem("E601", place, message, remedy)])


def text(found: ShownBack) -> str:
    """The answer as a small table, and the line to put into a case file."""
    view = found.view
    low, likely, high = (_shown(found, PARSERS[view.dimension](x)) for x in found.stated)
    middle = "in the middle" if view.family in ("logit_normal", "normal") else "most likely"
    sure = "never outside" if found.mass == 1 else f"{100 * found.mass:.0f} % sure:"
    cells = [_shown(found, x) for x in found.quantiles]
    width = max(len(c) for c in (*cells, "1 in 20 below", "1 in 20 above"))
    heads = ("1 in 20 below", "half below", "1 in 20 above")
    lines = [
        f"{view.dimension}: {middle} {likely}, {sure} {low} to {high}",
        "",
        "  " + "   ".join(f"{head:>{width}}" for head in heads),
        "  " + "   ".join(f"{cell:>{width}}" for cell in cells),
        "",
        f"  That is worth {_worth(found)}. If you know less than that, widen it; if more, say how many were counted.",
        f"  In a case file: {_toml(found)}",
    ]
    return "\n".join(lines)


def _shown(found: ShownBack, value: float) -> str:
    """To three digits, times in the unit in which the most likely one was stated."""
    if found.view.dimension == "duration":
        unit = units.split(found.stated[1])[1]
        return f"{value / units.SECONDS_PER_UNIT.get(unit, 1.0):.3g} {unit or 's'}"
    return units.text(found.view.dimension, float(f"{value:.3g}"))


def _worth(found: ShownBack) -> str:
    if not math.isfinite(found.worth):
        return "no stated number of cases (a number that can be 0 or negative)"
    shown = f"{found.worth:,.0f}" if found.worth >= 10 else f"{found.worth:.1f}"
    return _MEANINGS[found.view.dimension].format(n=shown, cv=found.cv)


def _toml(found: ShownBack) -> str:
    view = found.view
    if view.family == "normal":
        return f'{{ mean = {view.first:g}, sd = {view.second:.4g}, source = "elicited" }}'
    low, likely, high = (t if view.dimension == "number" else f'"{t}"' for t in found.stated)
    mass = "" if found.mass == 0.9 else f", mass = {found.mass:g}"
    return f'{{ low = {low}, likely = {likely}, high = {high}{mass}, source = "elicited" }}'


def as_json(found: ShownBack) -> dict[str, Any]:
    """The same for scripts; values in base units (seconds, shares, plain numbers)."""
    view = found.view
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": view.dimension,
        "stated": dict(zip(("low", "likely", "high"), found.stated, strict=True)),
        "sure": found.mass,
        "distribution": {"family": _FAMILIES[view.family], "parameters": [view.first, view.second]},
        "quantiles": dict(zip(("0.05", "0.5", "0.95"), found.quantiles, strict=True)),
        "equivalent_observations": found.worth if math.isfinite(found.worth) else None,
    }
