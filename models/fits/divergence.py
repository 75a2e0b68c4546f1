"""Does the AI do worse live than in the pilot? Three meanings of "10 points worse", and how many cases it takes to tell.

1. within: accuracy of one type, pilot minus live. 2. headline: accuracy of the pilot's mix in the pilot minus accuracy of the live mix
live. 3. observed: the difference of the observed rates alone, of whatever was checked. They differ when the mix differs.
The exact split of the headline gap (one order: data first, at the live mix; then the mix, at the pilot's accuracy):
Σ w_live (p_pilot − p_live) + Σ (w_pilot − w_live) p_pilot.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
THRESHOLD = 0.10
MIN_DAYS = 30
"""A parallel run that is shorter meets neither a month-end nor the rarer cases."""
Z = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """Draws of the headline gap and its two parts, shape (draws,); they add up draw by draw."""

    headline: Floats
    data: Floats
    scope: Floats


def split(pilot: Floats, live: Floats, pilot_mix: Floats, live_mix: Floats) -> Gap:
    """From accuracies by type, shape (draws, types), and mixes, shape (types,) or (draws, types), each adding up to 1."""
    data = (live_mix * (pilot - live)).sum(axis=-1)
    scope = ((pilot_mix - live_mix) * pilot).sum(axis=-1)
    return Gap((pilot_mix * pilot).sum(axis=-1) - (live_mix * live).sum(axis=-1), data, scope)


def chance_above(differences: Floats, threshold: float = THRESHOLD) -> float:
    """P(difference > threshold) over draws."""
    return float(np.mean(differences > threshold))


def half_width(share: float, first: float, second: float) -> float:
    """Of the 95 % interval of a difference of two rates near `share`, from samples of effective sizes `first` and `second`."""
    return float(Z * np.sqrt(share * (1 - share) * (1 / first + 1 / second)))


def cases_to_tell(difference: float, share: float) -> int:
    """Effective cases a side at which the 95 % interval of the difference is as wide as the difference itself, to each side.

    Raises ValueError for a difference of 0.
    """
    if difference == 0:
        raise ValueError("no number of cases tells a difference of 0")
    return int(np.ceil(2 * share * (1 - share) * (Z / difference) ** 2))


@dataclass(frozen=True, slots=True)
class Observed:
    """Two observed rates with their effective sizes. `cannot_tell`: the sample could miss a difference of the threshold."""

    difference: float
    half_width: float
    cases_to_tell: int
    cannot_tell: bool


def observed(
    right: tuple[float, float], tried: tuple[float, float], effect: float = 1.0, threshold: float = THRESHOLD
) -> Observed:
    """Pilot and live counts; `effect`: design effect of both. Raises ValueError without cases on a side."""
    if min(tried) <= 0:
        raise ValueError("both sides need checked cases")
    rates = right[0] / tried[0], right[1] / tried[1]
    pooled = float(np.clip(sum(right) / sum(tried), 0.5 / sum(tried), 1 - 0.5 / sum(tried)))
    width = half_width(pooled, tried[0] / effect, tried[1] / effect)
    return Observed(rates[0] - rates[1], width, int(np.ceil(cases_to_tell(threshold, pooled) * effect)), width > threshold)


def days_of(day: ArrayLike) -> int:
    """Calendar days that a run covers, first and last included, from instants in seconds; 0 if none is known."""
    known = np.asarray(day, dtype=np.float64)
    known = known[~np.isnan(known)]
    return int(np.floor((known.max() - known.min()) / 86_400.0 + 0.5)) + 1 if len(known) else 0
