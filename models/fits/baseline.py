"""Today's result from an export of cases: its mean with the sampling error, and the days of each dated leg, jointly.

Bayesian bootstrap (Rubin 1981) over weeks of arrival: cases of a week share its backlog, so weeks and not cases are independent.
Dates alone stand for the middle of their day: arrivals and ends are assumed to come at the same time of day on average. A case still open counts
with the age at which it was seen plus the mean of what longer cases took beyond that age (Kaplan and Meier 1958, exponential beyond the last
tenth): of the leg it is in, if there are legs, and with the mean of the legs to come. So the legs of a case add up to its days.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models import units
from models.evidence.cycles import DAY, Cycles
from models.legs import COLUMN, OBSERVED, Leg, legs_between
from models.posterior import Diagnostic, SubModel
from models.schema import CaseFile

Floats = NDArray[np.float64]
ROWS = 4_000
WEEK = 7 * DAY
MIN_WEEKS = 6
"""Fewer independent weeks say too little of how weeks differ."""
DATED_SHARE = 0.95
"""An event dated in fewer of the cases cuts no leg: the undated ones took another way."""
MAX_OPEN = 0.05


class BaselineEvidenceError(ValueError):
    """The export cannot say what today's result is."""


@dataclass(frozen=True, slots=True, eq=False)
class Legs:
    """Days of the legs by case, shape (cases, legs); what is not dated is completed."""

    legs: tuple[Leg, ...]
    days: Floats


def fit_baseline(cycles: Cycles, case: CaseFile, seed: int) -> SubModel:
    """Columns `baseline.observed` and `baseline.legs.EVENT` in seconds a case. Raises BaselineEvidenceError."""
    if case.baseline is None:
        raise BaselineEvidenceError("the case states no [baseline], so an export of today's cases informs nothing there")
    week = np.floor(cycles.arrival.mean(axis=1) / WEEK).astype(np.int64)
    _, number = np.unique(week, return_inverse=True)
    weeks = int(number.max()) + 1
    if weeks < MIN_WEEKS:
        raise BaselineEvidenceError(
            f"the cases come from {weeks} weeks; at least {MIN_WEEKS} are needed to say how sure the mean is: export a longer period, or take "
            "the export away and state baseline.observed and baseline.standard_error"
        )
    legs, skipped = _legs(cycles, case)
    days = legs.days.sum(axis=1) if legs.legs else completed_days(cycles)
    rng = np.random.default_rng(seed)
    weights = rng.standard_exponential((ROWS, weeks))
    total = _mean(weights, number, days)
    columns = {OBSERVED: total * DAY}
    for i, leg in enumerate(legs.legs):
        columns[f"{COLUMN}{leg.last}"] = _mean(weights, number, legs.days[:, i]) * DAY
    prior = rng.normal(case.baseline.observed.uncertain().median, units.seconds(case.baseline.standard_error), ROWS)
    open_share = float(cycles.open.mean())
    check = Diagnostic("open cases, share", open_share, f"at most {MAX_OPEN:.0%}", open_share <= MAX_OPEN)
    notes = (_how(cycles, days, open_share), *skipped)
    reported = {"mean days": total, "naive mean days": np.asarray([_naive(cycles)]), "weeks": np.asarray([float(weeks)])}
    informed = dict.fromkeys(columns, (cycles.file,))
    return SubModel("baseline", columns, {OBSERVED: prior}, total, (check,), (), informed, reported, {}, notes)


def completed_days(cycles: Cycles) -> Floats:
    """Days from arrival to end of every case, open ones completed by what longer cases took."""
    end = np.where(cycles.open, cycles.exported, cycles.end.mean(axis=1))
    return _completed(np.maximum((end - cycles.arrival.mean(axis=1)) / DAY, 0.0), cycles.open)


def _completed(days: Floats, is_open: NDArray[np.bool_]) -> Floats:
    """Durations, and the ages of open ones plus the mean of what remains."""
    if not is_open.any():
        return days
    return np.where(is_open, days + mean_residual(days, is_open)(days), days)


def completed_legs(at: Floats, is_open: NDArray[np.bool_], exported: float) -> Floats:
    """Days of every leg of every case, shape (cases, legs), adding up to the case's days.

    at: instants of the stops in seconds, shape (cases, legs + 1), NaN where there is no date: the last stop of open cases, and here and
    there one between. A stretch without a date inside is split as the legs are on average; the leg in which an open case is is completed.
    """
    count = at.shape[1] - 1
    known = ~np.isnan(at)
    last = count - np.argmax(known[:, ::-1], axis=1)  # last dated stop of a case
    days = np.diff(at, axis=1) / DAY
    for leg in range(count):
        waiting = is_open & (last == leg)
        days[waiting, leg] = np.maximum((exported - at[waiting, leg]) / DAY, 0.0)
        seen = ~np.isnan(days[:, leg])
        days[seen, leg] = _completed(np.maximum(days[seen, leg], 0.0), waiting[seen])
    means = np.nan_to_num(np.nanmean(days, axis=0))
    for row in np.flatnonzero(np.isnan(days).any(axis=1)):
        _fill(days[row], at[row], means, int(last[row]))
    return days


def _fill(days: Floats, at: Floats, means: Floats, last: int) -> None:
    """One case: legs to come take their means; a stretch between two dates is split in proportion to them."""
    missing = np.isnan(days)
    days[missing & (np.arange(len(days)) > last)] = means[missing & (np.arange(len(days)) > last)]
    stops = np.flatnonzero(~np.isnan(at))
    for a, b in pairwise(stops.tolist()):
        if b - a > 1:
            share = means[a:b] / means[a:b].sum() if means[a:b].sum() > 0 else np.full(b - a, 1 / (b - a))
            days[a:b] = max((at[b] - at[a]) / DAY, 0.0) * share


def mean_residual(days: Floats, is_open: NDArray[np.bool_]) -> Residual:
    """The mean time beyond an age, by Kaplan and Meier; beyond the age that a tenth reach it is taken as constant."""
    order = np.lexsort((is_open, days))
    t, done = days[order], ~is_open[order]
    at_risk = np.arange(len(t), 0, -1)
    survival: Floats = np.cumprod(1 - done / at_risk, dtype=np.float64)
    before = np.append(1.0, survival[:-1])
    tail = t[int(np.searchsorted(-before, -0.1, side="left").clip(0, len(t) - 1))]
    beyond = days >= tail
    deaths = max(1, int((beyond & ~is_open).sum()))
    constant = float((days[beyond] - tail).sum() / deaths)
    area = np.append(0.0, np.cumsum(np.diff(t) * survival[:-1]))  # ∫ S from the first time on
    return Residual(t, survival, area, float(tail), constant)


@dataclass(frozen=True, slots=True, eq=False)
class Residual:
    """Mean residual life: (∫ from the age to the tail of S + S(tail) · constant) / S(age)."""

    at: Floats
    survival: Floats
    area: Floats
    tail: float
    constant: float

    def __call__(self, age: Floats) -> Floats:
        """Mean days beyond each age."""
        end = int(np.searchsorted(self.at, self.tail, side="right")) - 1
        i = np.clip(np.searchsorted(self.at, age, side="right") - 1, 0, end)
        left = np.maximum(self.area[end] - self.area[i] - (np.maximum(age, self.at[0]) - self.at[i]) * self.survival[i], 0.0)
        found = (left + self.survival[end] * self.constant) / np.maximum(self.survival[i], 1e-12)
        return np.where(age >= self.tail, self.constant, found)


def _legs(cycles: Cycles, case: CaseFile) -> tuple[Legs, tuple[str, ...]]:
    """Legs between events that nearly all finished cases have; and what was left out, in words."""
    done, skipped, used = ~cycles.open, list[str](), list[str]()
    for event, instants in cycles.events.items():
        share = float((~np.isnan(instants[done, 0])).mean()) if done.any() else 0.0
        if share >= DATED_SHARE:
            used.append(event)
        else:
            skipped.append(
                f"{event} is dated in {share:.0%} of the finished cases: those without it went another way, so it cuts no leg"
            )
    legs = legs_between(case, used)
    if not used:
        return Legs((), np.empty((len(cycles), 0))), tuple(skipped)
    dates = {**cycles.events, "arrival": cycles.arrival, "end": cycles.end}
    at = np.stack([dates[name].mean(axis=1) for name in (legs[0].first, *(leg.last for leg in legs))], axis=1)
    return Legs(legs, completed_legs(at, cycles.open, cycles.exported)), tuple(skipped)


def _mean(weights: Floats, week: NDArray[np.int64], values: Floats) -> Floats:
    """Means under each row of weights of weeks, shape (rows,)."""
    count = weights.shape[1]
    total, number = np.bincount(week, weights=values, minlength=count), np.bincount(week, minlength=count)
    return np.asarray((weights @ total) / (weights @ number))


def _naive(cycles: Cycles) -> float:
    """The mean of the finished cases alone."""
    done = ~cycles.open
    return float((cycles.end[done] - cycles.arrival[done]).mean() / DAY) if done.any() else float("nan")


def _how(cycles: Cycles, days: Floats, open_share: float) -> str:
    text = f"{len(cycles):,} cases, mean {days.mean():.2f} d, selected by {cycles.selected_by}"
    if open_share:
        text += f"; {cycles.open.sum():,} open ones completed by what longer cases took: without them the mean would be {_naive(cycles):.2f} d"
    return text
