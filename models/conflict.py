"""Do the data contradict what was believed before? The chance of data as far from it as these (Evans and Moshonov, 2006).

Belief and data are normal on one scale (`models.priors`): believed N(m, s²), the data summarised by an estimate with its standard error e.
Before the data, the estimate was expected to follow N(m, s² + e²); the tail probability of what was seen, on both sides, tells how
surprising it is. A small one does not say who is wrong: the belief, the data, or the idea that both speak of the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, log, sqrt
from typing import Literal

from models import units
from models.priors import Prior, from_scale

SURPRISING, STRONG = 0.05, 0.01
"""Tail probabilities below which a conflict is told, and is told as a strong one."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """How far what was seen lies from what was believed. `distance`: in standard deviations of what was expected to be seen."""

    estimate: float
    distance: float
    tail: float
    strength: Literal["none", "some", "strong"]
    believed: tuple[float, float]
    seen: tuple[float, float, float]

    def sentence(self, what: str, dimension: str = "number") -> str:
        """The finding in plain words; `believed` is the middle 90 %, `seen` the estimate with its own 90 % range."""
        low, high = (_text(dimension, x) for x in self.believed)
        middle, bottom, top = (_text(dimension, x) for x in self.seen)
        data = f"{what}: the data say {middle} (between {bottom} and {top})"
        belief = f"believed was {low} to {high}"
        if self.strength == "none":
            return f"{data}, {belief}: both fit together."
        verb = "lies outside" if self.strength == "some" else "lies far outside"
        chance = f"1 in {1 / self.tail:,.0f}" if self.tail > 1e-6 else "less than 1 in a million"
        return (
            f"{data}, {belief}: what the data say {verb} what was believed (chance of such data: {chance}). "
            "Find out whether both speak of the same thing."
        )


def _text(dimension: str, value: float) -> str:
    return f"{float(f'{value:.3g}'):,g}" if dimension == "number" else units.text(dimension, value)


def prior_predictive(prior: Prior, estimate: float, standard_error: float) -> Conflict:
    """Compares a data summary with a belief; both on the scale of the belief. Raises ValueError for impossible widths."""
    expected = sqrt(prior.sd**2 + standard_error**2)
    if prior.sd < 0 or standard_error < 0 or expected == 0:
        raise ValueError("a belief or an estimate needs a width above 0")
    distance = (estimate - prior.mean) / expected
    tail = erfc(abs(distance) / sqrt(2))
    strength: Literal["none", "some", "strong"] = "strong" if tail < STRONG else "some" if tail < SURPRISING else "none"
    margin = 1.6448536269514722 * standard_error
    low, high = (float(x) for x in prior.quantile([0.05, 0.95]))
    middle, bottom, top = (float(x) for x in from_scale([estimate, estimate - margin, estimate + margin], prior.scale))
    return Conflict(estimate, distance, tail, strength, (low, high), (middle, bottom, top))


def logit_summary(happened: int, tried: int) -> tuple[float, float]:
    """Counts as an estimate and its standard error on the logit scale (half a case added to each side)."""
    if not 0 <= happened <= tried or tried < 1:
        raise ValueError(f"{happened} of {tried} is impossible")
    yes, no = happened + 0.5, tried - happened + 0.5
    return log(yes / no), sqrt(1 / yes + 1 / no)


def log_summary(mean_of_logs: float, sd_of_logs: float, count: int) -> tuple[float, float]:
    """Observed times as an estimate and its standard error on the log scale."""
    if count < 1 or sd_of_logs < 0:
        raise ValueError("at least one observed time is needed, and a spread that is not negative")
    return mean_of_logs, sd_of_logs / sqrt(count)
