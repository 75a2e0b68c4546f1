"""How many cases come: a negative binomial a day with effects of the weekday and of month-ends; shares of types in closed form.

log of a day's expected cases = level + weekday + month-end; weekday = the case file's weight + a deviation (the seven add up to 0),
month-end = the case file's factor + a deviation. day_cv is the coefficient of variation of the rate beyond Poisson: variance = m + (cv m)².
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from importlib import import_module
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.daily_arrivals import MOST_ROWS, WEEKDAYS, DailyArrivals, daily
from models.evidence.settings import EvidenceSettings
from models.evidence.table import Table
from models.fits.seam import Compiled, Sampled, Sampling
from models.fits.timed_laws import predictive_check, standard
from models.posterior import Predictive, SubModel
from models.priors import Prior, prior_of
from models.process import MONTH_END_FACTOR, REFERENCE_YEAR, WEEKDAY_WEIGHTS, arrival_days, is_month_end

Floats = NDArray[np.float64]
NAME = "arrivals"
FILES = ("arrivals",)
PRIOR_ROWS = 4_000
USUAL_LOG_LEVEL_SD = 1.0
USUAL_LOG_CV = Prior(float(np.log(0.2)), 0.7, "log", "usual prior")
WEEKDAY_SD, MONTH_END_SD = 0.3, 0.3
USUAL_TYPES_WEIGHT = 2.0
"""Usual prior of the shares of types, in cases for each type."""
SIZES = (128, MOST_ROWS)
"""Rows of the compiled models' tables: a quarter of daily counts is sampled three times as fast in the small one."""
NAMES = ("level", "log_cv", "weekday", "month_end")
DAYS_A_MONTH = 365.25 / 12


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns `arrivals.per_month` (or `arrivals.per_working_day`), `arrivals.day_cv`, and `types.T.share` if rows name types.

    The simulation takes the middle of the pattern of weekdays and month-ends, which is reported. None without the file `arrivals`.
    Raises UnusableEvidenceError, StoppedError.
    """
    table = tables.get("arrivals")
    if table is None:
        return None
    days = daily(case, about, table)
    prior = volume_prior(case)
    found = sample(days, prior, sampling, stop)
    rng = np.random.default_rng([sampling.seed, 4])
    after, before = found.values, drawn_prior(prior, rng)
    shares, believed = type_shares(case, days, len(after["level"]), rng)
    columns = {**volume(case, after), **shares}
    return SubModel(
        NAME, columns, {**volume(case, before), **believed},
        standard(np.log(volume(case, after)[_rate_name(case)])) + standard(after["log_cv"]),
        found.diagnostics, tuple(checks(days, after, rng)), dict.fromkeys(columns, FILES),
        {WEEKDAY_WEIGHTS: weekday_weights(case, after), MONTH_END_FACTOR: np.exp(after["month_end"])},
        {WEEKDAY_WEIGHTS: (_open_weekdays(case),)}, tuple(_notes(case, days, after)),
    )  # fmt: skip


def sample(days: DailyArrivals, prior: VolumePrior, sampling: Sampling, stop: Event | None = None) -> Sampled:
    """Draws of `NAMES`, in the smallest table that holds the days."""
    count = len(days.condensed()[2])
    rows = next(size for size in SIZES if size >= count)
    return compiled(rows).sample(pack(days, prior, rows), sampling, stop)


# -- the model


@dataclass(frozen=True, slots=True, eq=False)
class VolumePrior:
    """level: of the log of cases a day of factor 1 · log_cv · weekday (7,) and month_end: the case file's logs, centres of deviations."""

    level: Prior
    log_cv: Prior
    weekday: Floats
    month_end: float


def volume_prior(case: schema.CaseFile) -> VolumePrior:
    """What the case file believes of the volume, on the scale of the fit."""
    spec = case.arrivals
    weights = np.asarray([max(spec.weekday.get(d, 1.0), 1e-3) for d in _WEEKDAY_NAMES])
    log_weekday, log_end = np.log(weights), float(np.log(spec.month_end_factor))
    parameter = spec.per_month if spec.per_month is not None else spec.per_working_day
    assert parameter is not None
    rate = prior_of(parameter.in_arm("production").uncertain(), "log", float(np.log(100.0)), USUAL_LOG_LEVEL_SD)
    one = {"level": np.zeros(1), "weekday": log_weekday[None], "month_end": np.asarray([log_end]), "log_cv": np.zeros(1)}
    per_unit = float(np.log(volume(case, one)[_rate_name(case)][0]))
    cv = spec.day_cv.in_arm("production").uncertain()
    log_cv = USUAL_LOG_CV if cv.fixed == 0 else prior_of(cv, "log", USUAL_LOG_CV.mean, USUAL_LOG_CV.sd)
    return VolumePrior(Prior(rate.mean - per_unit, rate.sd, "log", rate.origin), log_cv, log_weekday, log_end)


_WEEKDAY_NAMES: tuple[schema.Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def build_model(rows: int) -> Any:
    """The PyMC model of a table of so many rows; all data are padded to fixed shapes and enter as `pm.Data`."""
    pm, pt = import_module("pymc"), import_module("pytensor.tensor")
    with pm.Model(coords={"weekday_name": list(_WEEKDAY_NAMES), "row": range(rows)}) as model:
        d = {name: pm.Data(name, value) for name, value in _no_data(rows).items()}
        z = pm.Flat("z", shape=2)  # level and log cv, in widths of their posterior around its centre
        level, log_cv = (pm.Deterministic(name, d["centre"][i] + d["width"][i] * z[i]) for i, name in enumerate(NAMES[:2]))
        prior = -0.5 * (
            ((level - d["prior_mean"][0]) / d["prior_sd"][0]) ** 2 + ((log_cv - d["prior_mean"][1]) / d["prior_sd"][1]) ** 2
        )
        deviation = pm.ZeroSumNormal("weekday_deviation", sigma=WEEKDAY_SD, dims="weekday_name")
        weekday = pm.Deterministic("weekday", d["weekday_centre"] + deviation)
        month_end = pm.Deterministic("month_end", d["month_end_centre"] + MONTH_END_SD * pm.Normal("z_end"))
        log_mean = level + weekday[d["row_weekday"]] + month_end * d["row_month_end"]
        size, k = pt.exp(-2 * log_cv), d["row_cases"]
        # ln NB(k; m, size) without ln k!
        log_total = pt.log(size + pt.exp(log_mean))
        log = pt.gammaln(k + size) - pt.gammaln(size) + size * (-2 * log_cv - log_total) + k * (log_mean - log_total)
        pm.Potential("log_posterior", prior + (d["row_days"] * log).sum())
    return model


@lru_cache(maxsize=2)
def compiled(rows: int) -> Compiled:
    """The model of a size, compiled once a process (20 to 40 s)."""
    return Compiled(lambda: build_model(rows), NAMES)


def _no_data(rows: int) -> dict[str, NDArray[Any]]:
    return {
        "centre": np.zeros(2), "width": np.ones(2), "prior_mean": np.zeros(2), "prior_sd": np.ones(2),
        "weekday_centre": np.zeros(WEEKDAYS), "month_end_centre": np.asarray(0.0),
        "row_weekday": np.zeros(rows, dtype=np.int64), "row_month_end": np.zeros(rows),
        "row_cases": np.zeros(rows), "row_days": np.zeros(rows),
    }  # fmt: skip


def pack(days: DailyArrivals, prior: VolumePrior, rows: int) -> dict[str, NDArray[Any]]:
    """The data of the compiled model."""
    weekday, month_end, cases, number = days.condensed()
    data = _no_data(rows)
    for name, values in (("weekday", weekday), ("month_end", month_end), ("cases", cases), ("days", number)):
        data[f"row_{name}"][: len(values)] = values
    expected = np.exp(prior.weekday[weekday] + prior.month_end * month_end)
    scale = np.log(max(float(cases @ number), 0.5) / float(expected @ number))
    mean = expected * np.exp(scale)
    excess = float((number * ((cases - mean) ** 2 - mean)).sum() / (number * mean**2).sum())
    cv = float(np.sqrt(max(excess, 0.05**2)))
    error = np.sqrt((cv**2 + 1 / max(float(mean.mean()), 0.5)) / number.sum())
    data["centre"], data["width"] = (
        np.asarray([scale, np.log(cv)]),
        np.asarray([error, min(1 / np.sqrt(2 * number.sum()) + 0.05, 0.5)]),
    )
    data["prior_mean"] = np.asarray([prior.level.mean, prior.log_cv.mean])
    data["prior_sd"] = np.asarray([prior.level.sd, prior.log_cv.sd])
    return data | {"weekday_centre": prior.weekday, "month_end_centre": np.asarray(prior.month_end)}


def drawn_prior(prior: VolumePrior, rng: np.random.Generator, rows: int = PRIOR_ROWS) -> dict[str, Floats]:
    """Draws of the model's variables before the data."""
    deviation = rng.normal(0, WEEKDAY_SD, (rows, WEEKDAYS))
    return {
        "level": rng.normal(prior.level.mean, prior.level.sd, rows),
        "log_cv": rng.normal(prior.log_cv.mean, prior.log_cv.sd, rows),
        "weekday": prior.weekday + deviation - deviation.mean(axis=1, keepdims=True),
        "month_end": rng.normal(prior.month_end, MONTH_END_SD, rows),
    }


# -- from draws to columns


def _rate_name(case: schema.CaseFile) -> str:
    return "arrivals.per_month" if case.arrivals.per_month is not None else "arrivals.per_working_day"


def volume(case: schema.CaseFile, draws: Mapping[str, Floats]) -> dict[str, Floats]:
    """The volume as the case file states it, over the same year as the simulator's, and day_cv."""
    sorts = _year(case)
    expected = np.exp(draws["level"][:, None] + draws["weekday"][:, sorts[:, 0]] + draws["month_end"][:, None] * sorts[:, 1])
    total = expected @ sorts[:, 2]
    days = len(REFERENCE_YEAR) / DAYS_A_MONTH if case.arrivals.per_month is not None else sorts[:, 2].sum()
    return {_rate_name(case): total / days, "arrivals.day_cv": np.exp(draws["log_cv"])}


def _year(case: schema.CaseFile) -> NDArray[np.int64]:
    """Sorts of open days of the reference year: weekday, month-end, number of days."""
    ends, is_open = case.arrivals.month_end_days, arrival_days(case, REFERENCE_YEAR)
    dates = [case.go_live + timedelta(days=d) for d in REFERENCE_YEAR]
    kinds = [(d.weekday(), int(bool(ends) and is_month_end(d, ends, is_open))) for d in dates if is_open(d)]
    unique, number = np.unique(np.asarray(kinds, dtype=np.int64), axis=0, return_counts=True)
    return np.column_stack([unique, number])


def _open_weekdays(case: schema.CaseFile) -> tuple[str, ...]:
    days = case.calendars[case.arrivals.calendar].days
    return tuple(d for d in _WEEKDAY_NAMES if d in days)


def weekday_weights(case: schema.CaseFile, draws: Mapping[str, Floats]) -> Floats:
    """Weights of the open weekdays with mean 1, shape (rows, open weekdays)."""
    days = case.calendars[case.arrivals.calendar].days
    weights = np.exp(draws["weekday"][:, [_WEEKDAY_NAMES.index(d) for d in _WEEKDAY_NAMES if d in days]])
    return np.asarray(weights / weights.mean(axis=1, keepdims=True))


def type_shares(
    case: schema.CaseFile, days: DailyArrivals, rows: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Shares of types after and before the data: Dirichlet, with the counts divided by their design effect over days.

    The prior has the case file's shares as its mean; its weight is what their ranges are worth in cases, or two a type.
    """
    if days.by_type is None or len(case.types) == 1:
        return {}, {}
    beliefs = [t.share.in_arm("production").uncertain() for t in case.types.values()]
    u = (np.arange(400) + 0.5) / 400
    mean = np.asarray([float(b.quantile(u).mean()) for b in beliefs])
    mean = np.maximum(mean / mean.sum(), 1e-3)
    worth = [
        m * (1 - m) / max(float(b.quantile(u).var()), 1e-9) - 1 for m, b in zip(mean, beliefs, strict=True) if b.fixed is None
    ]
    weight = float(np.median(worth)) if worth else USUAL_TYPES_WEIGHT * len(mean)
    counts = days.by_type.sum(axis=0) / type_design_effect(days.by_type)
    names = [f"types.{t}.share" for t in case.types]
    after, before = rng.dirichlet(weight * mean + counts, rows), rng.dirichlet(weight * mean, PRIOR_ROWS)
    return {n: after[:, k] for k, n in enumerate(names)}, {n: before[:, k] for k, n in enumerate(names)}


def type_design_effect(by_type: Floats) -> float:
    """Pearson's chi-square of types by days over its degrees of freedom, at least 1: days differ in their mix."""
    total, share = by_type.sum(axis=1), by_type.sum(axis=0) / max(by_type.sum(), 1.0)
    expected = total[:, None] * share
    seen = expected > 0
    chi_square = (np.square(by_type - expected)[seen] / expected[seen]).sum()
    return float(max(1.0, chi_square / max(((total > 0).sum() - 1) * ((share > 0).sum() - 1), 1)))


# -- checks and words


def checks(days: DailyArrivals, draws: Mapping[str, Floats], rng: np.random.Generator, replicates: int = 400) -> list[Predictive]:
    """The busiest day, the spread of days, and the last quarter of days against the rest, in replicated days."""
    k = rng.choice(len(draws["level"]), replicates)
    mean = np.exp(draws["level"][k, None] + draws["weekday"][k][:, days.weekday] + draws["month_end"][k, None] * days.month_end)
    size = np.exp(-2 * draws["log_cv"][k, None])
    made = rng.poisson(rng.gamma(size, mean / size)).astype(np.float64)
    late = slice(-max(len(days.cases) // 4, 1), None)

    def figures(x: Floats) -> dict[str, Floats]:
        average = x.mean(axis=-1)
        return {
            "arrivals: busiest day": x.max(axis=-1),
            "arrivals: standard deviation of days": x.std(axis=-1),
            "arrivals: last quarter of the days against all (a trend is not modelled)": x[..., late].mean(axis=-1)
            / np.maximum(average, 1e-9),
        }

    observed, replicated = figures(days.cases), figures(made)
    return [predictive_check(name, float(observed[name]), replicated[name]) for name in observed]


def _calendar(case: schema.CaseFile) -> str:
    """The calendar of arrivals with its days and holidays in words."""
    name = case.arrivals.calendar
    calendar = case.calendars[name]
    holidays = f", holidays {calendar.holidays}" if calendar.holidays else ""
    return f'calendar "{name}" ({" ".join(calendar.days)}{holidays})'


def _notes(case: schema.CaseFile, days: DailyArrivals, draws: Mapping[str, Floats]) -> list[str]:
    names, weights = _open_weekdays(case), weekday_weights(case, draws).mean(axis=0)
    pattern = ", ".join(f"{n} = {w:.2f}" for n, w in zip(names, weights, strict=True))
    notes = [
        f"{len(days.cases)} open days with {days.cases.sum():,.0f} cases.",
        f"Pattern of days, of which the simulation takes these middle values: weekday = {{ {pattern} }}"
        + (f" and month_end_factor = {float(np.exp(draws['month_end']).mean()):.2f}." if case.arrivals.month_end_days else "."),
    ]
    if days.moved:
        notes.append(
            f"{days.moved:,.0f} cases came on days that {_calendar(case)} has closed; they count on the next open day. If you work on such days, "
            "correct that calendar in the case file."
        )
    if days.missing:
        notes.append(
            f"{days.missing} open days in between have no row; they are taken as not looked at, not as days without cases."
        )
    return notes
