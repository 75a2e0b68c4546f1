"""Each cause switched on alone, and last: what it does to the result over the same simulated futures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.conditions import CAUSES, PILOT, PRODUCTION
from models.outcomes import target_value
from models.schema import CaseFile, Cause
from scenarios.arms import ArmKey, name_of
from scenarios.files import LoadedCase
from scenarios.study.draws import Collected, Plan
from scenarios.study.means import Means
from scenarios.study.stored import cached_parts, in_slices, plan_for
from simulator.statistics import Estimate, mean_interval

Floats = NDArray[np.float64]
ALONE: dict[Cause, frozenset[Cause]] = {cause: frozenset({cause}) for cause in CAUSES}
ALL_BUT: dict[Cause, frozenset[Cause]] = {cause: PRODUCTION - {cause} for cause in CAUSES}
_ARMS: tuple[ArmKey, ...] = ("as_is", "pilot", "production", *ALONE.values(), *ALL_BUT.values())
APART = Plan(tuple((arm, 1) for arm in _ARMS))
"""Today, the pilot's conditions, live; each cause alone; all causes but each."""


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """What one cause changes in the target's statistic, in days or as a share, one value a future.

    alone: it alone as live, minus pilot conditions · last: everything live, minus everything but it.
    """

    cause: Cause
    alone: Floats
    last: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CausesApart:
    """All four causes over the same futures. whole: live minus pilot conditions, one value a future."""

    case: CaseFile
    effects: tuple[Effect, ...]
    whole: Floats

    @property
    def futures(self) -> int:
        return len(self.whole)


def interval(values: Floats) -> Estimate:
    """Mean of paired differences with its 90 % range; the range is open to both sides below two futures."""
    if len(values) < 2:
        return Estimate(float(values.mean()) if len(values) else float("nan"), -np.inf, np.inf, np.inf)
    return mean_interval(values)


def apart(case: CaseFile, done: Collected) -> CausesApart:
    """From draws that hold the arms of APART."""

    def values(arm: ArmKey) -> Floats:
        return np.asarray([target_value(case, r.arms[name_of(arm)].figures) for r in done.results], dtype=np.float64)

    pilot, live = values(PILOT), values(PRODUCTION)
    effects = tuple(Effect(c, values(ALONE[c]) - pilot, live - values(ALL_BUT[c])) for c in CAUSES)
    return CausesApart(case, effects, live - pilot)


def causes_apart(loaded: LoadedCase, draws: int, seed: int, means: Means) -> Iterator[CausesApart]:
    """On ever more futures, kept in the user's cache; a finished decision run holds all that is needed. Raises Cancelled."""
    plan = plan_for(APART, loaded, draws, seed, means)
    with cached_parts(loaded, plan, draws, seed, means) as kept:
        for count, done in in_slices(loaded, plan, draws, seed, means, kept):
            if count == draws:
                kept.finish({"accepted_draws": len(done.results), "rejected_draws": len(done.rejected)})
            yield apart(loaded.case, done)
