"""`--precision`: what was asked for, read from the command line, and whether it was reached, in words and for scripts."""

from __future__ import annotations

import math
from typing import Any, Literal

from models import units
from scenarios.problems import CaseError, Problem
from scenarios.report.verdict_json import rounded
from scenarios.study.precision import Precision
from simulator.clock import DAY
from simulator.stopping import AT_MOST, MEAN_MINIMUM, SHARE_MINIMUM, MeanRule, ShareRule

Unit = Literal["points", "days"]


def share_rule(text: str, at_most: int | None) -> ShareRule:
    """The rule of a verdict, from a text such as "5%". Raises CaseError (E601) with all that is wrong."""
    half, problems = _half_width(text, "points")
    problems += _too_few(at_most, SHARE_MINIMUM)
    if problems:
        raise CaseError("command line", problems)
    return ShareRule(half, at_most or AT_MOST)


def mean_rule(text: str, at_most: int | None) -> MeanRule:
    """The rule of a comparison, in days, from a text such as "0.25 d". Raises CaseError (E601) with all that is wrong."""
    half, problems = _half_width(text, "days")
    problems += _too_few(at_most, MEAN_MINIMUM)
    if problems:
        raise CaseError("command line", problems)
    return MeanRule(half, at_most or AT_MOST)


def _half_width(text: str, unit: Unit) -> tuple[float, list[Problem]]:
    example = '"5%"' if unit == "points" else '"0.25 d"'
    try:
        half = units.share(text) if unit == "points" else units.seconds(text) / DAY
    except units.UnitError as error:
        return 0.0, [Problem("E601", "--precision", str(error), f"write for example {example}")]
    if not 0 < half < (0.5 if unit == "points" else math.inf):
        limits = "above 0 and below 50 %" if unit == "points" else "above 0"
        return 0.0, [Problem("E601", "--precision", f'is "{text}", must be {limits}', f"write for example {example}")]
    return half, []


def _too_few(at_most: int | None, minimum: int) -> list[Problem]:
    if at_most is None or at_most >= minimum:
        return []
    message = f"is {at_most}, but no range is trusted before {minimum} futures"
    return [Problem("E601", "--at-most", message, f"name at least {minimum}")]


def line(precision: Precision, unit: Unit) -> str:
    """Whether it was reached, in a sentence."""
    asked, look = _shown(precision.rule.half_width, unit), precision.look
    if look is None:
        return f"Precision: none, no future could be judged; asked for: {asked}"
    found = f"{_shown(look.half_width, unit)} from {look.draws} futures"
    if precision.reached:
        return f"Precision: {found}; asked for: {asked}"
    needed = _needed(precision)
    more = f", which takes about {needed} (--at-most {needed})" if needed > look.draws else ""
    return f"Precision NOT REACHED: {found}; asked for: {asked}{more}"


def as_json(precision: Precision, unit: Unit) -> dict[str, Any]:
    """The same for scripts; half-widths of the 90 % range as a share or in days."""
    rule, look = precision.rule, precision.look
    return {
        "reached": precision.reached,
        "unit": "share" if unit == "points" else "days",
        "half_width_asked": rounded(rule.half_width),
        "half_width": None if look is None else rounded(look.half_width),
        "draws": 0 if look is None else look.draws,
        "effective_draws": 0.0 if look is None else rounded(look.effective),
        "at_most": rule.at_most,
    }


def _needed(precision: Precision) -> int:
    """Draws that the half-width seen calls for, to two digits upwards: it shrinks with the square root of their number."""
    look = precision.look
    if look is None or not math.isfinite(look.half_width):
        return 0
    needed = look.draws * (look.half_width / precision.rule.half_width) ** 2
    step = 10.0 ** max(0, math.floor(math.log10(max(needed, 1.0))) - 1)
    return round(math.ceil(needed / step) * step)


def _shown(half_width: float, unit: Unit) -> str:
    return f"± {100 * half_width:.3g} percentage points" if unit == "points" else f"± {half_width:.3g} days"
