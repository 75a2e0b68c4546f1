"""What simulation-based calibration needs of the fits of times, volumes and shares: draw from the prior, make data, fit, compare.

Each model is four plain functions: `*_prior(rng)` → truth, `*_data(rng, truth)` → data, `*_fit(data, sampling)` → draws, and both give
the same quantities by name. One fit of times holds a cell of each of four sorts, so four ranks of each quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.evidence.accuracy_counts import AccuracyCounts, DesignEffect, Group
from models.evidence.daily_arrivals import DailyArrivals
from models.evidence.duration_cells import Cell, Spans, reduce
from models.evidence.share_cells import Count
from models.fits import accuracy, arrivals
from models.fits.accuracy import Unknowns
from models.fits.accuracy_setup import SURE_LABELS, Setup, set_up
from models.fits.catch import Reviews
from models.fits.catch import posterior as catch_posterior
from models.fits.durations import CellPrior, Prepared, sample_cells
from models.fits.seam import Sampling
from models.fits.shares import Belief, by_type, spread_scale
from models.posterior import Diagnostic
from models.priors import Prior
from models.schema import Ai
from scenarios.files import load

Floats = NDArray[np.float64]
Truth = Mapping[str, Floats]
Fitted = tuple[Mapping[str, Floats], tuple[Diagnostic, ...]]
"""Draws by quantity, the last axis as in the truth, and the checks of the sampler."""
SORTS = ("open", "dates", "reminded", "mean")
CELLS = 4
ROWS = 20
DAY = 86_400.0

# -- times


def times_cell_prior(cell: int) -> CellPrior:
    """The prior of one cell; every fourth one states its mean instead of its median."""
    return CellPrior(
        Prior(float(np.log(2 * DAY)), 0.6, "log", ""), Prior(float(np.log(0.8)), 0.4, "log", ""), Prior(0.0, 1.0, "logit", ""), sort_of(cell) == "mean"
    )  # fmt: skip


def sort_of(cell: int) -> str:
    """What the rows of a cell are like."""
    return SORTS[cell % len(SORTS)]


def times_prior(rng: np.random.Generator) -> Truth:
    """first, log_sigma, logit_multiplier of the cells, each (cells,)."""
    priors = [times_cell_prior(k) for k in range(CELLS)]
    theta = np.stack([p.mean + p.sd * rng.standard_normal(3) for p in priors])
    return {name: theta[:, i] for i, name in enumerate(("first", "log_sigma", "logit_multiplier"))}


def times_data(rng: np.random.Generator, truth: Truth) -> tuple[Cell, ...]:
    """Rows of each cell, reduced."""
    theta = np.stack([truth[n] for n in ("first", "log_sigma", "logit_multiplier")], axis=1)
    return tuple(reduce(_rows(rng, k, *times_cell_prior(k).mu_sigma_multiplier(theta[k]))) for k in range(CELLS))


def _rows(rng: np.random.Generator, cell: int, mu: Floats, sigma: Floats, multiplier: Floats) -> Spans:
    x = rng.lognormal(float(mu), float(sigma), ROWS)
    match sort_of(cell):
        case "open":
            seen = rng.uniform(0.5 * DAY, 6 * DAY, ROWS)
            return Spans.lengths(np.minimum(x, seen), None, x > seen)
        case "dates":
            start = rng.uniform(0, 200 * DAY, ROWS)
            first, last = (np.floor(t / DAY)[:, None] * DAY + np.asarray([0, DAY]) for t in (start, start + x))
            return Spans.of(first, last)
        case "reminded":
            length = np.where(x > DAY, DAY + float(multiplier) * (x - DAY), x)
            is_open = length > 5 * DAY
            spans = Spans.lengths(np.minimum(length, 5 * DAY), None, is_open)
            return replace(spans, after=np.where(x > DAY, DAY, np.nan))
        case _:
            return Spans.lengths(x)


def times_fit(data: tuple[Cell, ...], sampling: Sampling) -> Fitted:
    """Draws of the three numbers of all cells, each (rows, cells)."""
    draws, checks = sample_cells([Prepared.of(cell, times_cell_prior(k)) for k, cell in enumerate(data)], sampling)
    return {name: draws[:, :, i] for i, name in enumerate(("first", "log_sigma", "logit_multiplier"))}, checks


# -- volumes

VOLUME_DAYS = 90
VOLUME = arrivals.VolumePrior(
    Prior(float(np.log(60.0)), 0.5, "log", ""), Prior(float(np.log(0.2)), 0.5, "log", ""), np.zeros(7), 0.3
)


def volume_prior(rng: np.random.Generator) -> Truth:
    """level, log_cv, weekday (7,), month_end."""
    return {name: x[0] for name, x in arrivals.drawn_prior(VOLUME, rng, 1).items()}


def volume_data(rng: np.random.Generator, truth: Truth) -> DailyArrivals:
    """Ninety days, all weekdays, the last three of every twenty at a month-end."""
    day = np.arange(VOLUME_DAYS)
    weekday, end = day % 7, (day % 20 >= 17).astype(np.int64)
    mean = np.exp(truth["level"] + truth["weekday"][weekday] + truth["month_end"] * end)
    size = np.exp(-2 * truth["log_cv"])
    cases = rng.poisson(rng.gamma(size, mean / size)).astype(np.float64)
    return DailyArrivals(day, weekday, end, cases, None, 0.0, 0)


def volume_fit(data: DailyArrivals, sampling: Sampling) -> Fitted:
    """Draws of the same numbers."""
    found = arrivals.sample(data, VOLUME, sampling)
    return found.values, found.diagnostics


# -- shares by type

SHARE_TYPES, SHARE_TRIED = 4, (200, 40, 10, 0)
_BELIEF = Belief(None, Prior(-1.5, 0.8, "logit", ""))


def shares_prior(rng: np.random.Generator) -> Truth:
    """share (types,), spread."""
    spread = np.abs(rng.standard_normal()) * spread_scale(SHARE_TYPES)
    x = _BELIEF.normal.mean + _BELIEF.normal.sd * rng.standard_normal() + spread * rng.standard_normal(SHARE_TYPES)
    return {"share": 1 / (1 + np.exp(-x)), "spread": np.asarray(spread)}


def shares_data(rng: np.random.Generator, truth: Truth) -> tuple[Count, ...]:
    """Counts of the four types, the last one never counted."""
    happened = rng.binomial(SHARE_TRIED, truth["share"])
    return tuple(Count(float(y), float(n), (float(y), float(n))) for y, n in zip(happened, SHARE_TRIED, strict=True))


def shares_fit(data: tuple[Count, ...], sampling: Sampling) -> Fitted:
    """Draws of the same numbers; there is no sampler, so no checks."""
    rng = np.random.default_rng(sampling.seed)
    share, spread = by_type([_BELIEF] * SHARE_TYPES, data, sampling.chains * sampling.draws, rng)
    return {"share": share, "spread": spread}, ()


# -- ranks


def ranks(truth: Truth, draws: Mapping[str, Floats], thinned: int = 99) -> dict[str, NDArray[np.int64]]:
    """How many of `thinned` evenly spaced draws lie below the truth, by quantity, shaped as the truth."""
    found = {}
    for name in draws:
        value = truth[name]
        rows = np.linspace(0, len(draws[name]) - 1, thinned).astype(np.int64)
        found[name] = (draws[name][rows] < value).sum(axis=0)
    return found


# -- seeded errors

CATCH_PRIOR, SLOPE_PRIOR = Prior(1.7, 1.0, "logit", ""), Prior(0.03, 0.05, "plain", "")
CATCH_ROWS, CATCH_SHOWN = 12, 15


def catch_prior(rng: np.random.Generator) -> Truth:
    """logit of the catch rate, load slope."""
    return {
        "catch": np.asarray(CATCH_PRIOR.mean + CATCH_PRIOR.sd * rng.standard_normal()),
        "slope": np.asarray(SLOPE_PRIOR.mean + SLOPE_PRIOR.sd * rng.standard_normal()),
    }


def catch_data(rng: np.random.Generator, truth: Truth) -> Reviews:
    """Twelve days of fifteen seeded errors under changing load."""
    waiting, shown = rng.uniform(0, 12, CATCH_ROWS), np.full(CATCH_ROWS, float(CATCH_SHOWN))
    p = 1 / (1 + np.exp(-(truth["catch"] - truth["slope"] * waiting)))
    return Reviews(shown, rng.binomial(CATCH_SHOWN, p).astype(np.float64), waiting, 1.0)


def catch_fit(data: Reviews, sampling: Sampling) -> Fitted:
    """Draws of the same numbers; there is no sampler, so no checks."""
    rng = np.random.default_rng(sampling.seed)
    logit, slope = catch_posterior(data, CATCH_PRIOR, SLOPE_PRIOR).draws(sampling.chains * sampling.draws, rng)
    return {"catch": logit, "slope": slope}, ()


# -- accuracy

ACCURACY_GROUPS = (
    ("pilot", "po_standard", 300), ("pilot", "non_po", 80), ("production", "po_standard", 200), ("production", "non_po", 60),
    ("production", "po_complex", 40),
)  # fmt: skip
"""Environment, type and cases of each group; the fourth type is never seen."""


@lru_cache(maxsize=1)
def accuracy_setup() -> Setup:
    """The default scenario without data defects, its labels uncertain."""
    case = load("invoice_processing").case
    steps = [
        Ai.model_validate({**s.model_dump(exclude_unset=True), "quality": {}}) if isinstance(s, Ai) else s for s in case.steps
    ]
    plain = case.model_copy(update={"steps": steps})
    step = next(s for s in plain.steps if isinstance(s, Ai))
    return set_up(plain, step, accuracy_counts(np.ones((len(ACCURACY_GROUPS), 4))), (SURE_LABELS, SURE_LABELS))


def accuracy_counts(quads: Floats) -> AccuracyCounts:
    """Counts of the groups: accepted and right, referred and right, accepted and wrong, referred and wrong; shape (groups, 4)."""
    groups = tuple(Group("pilot" if e == "pilot" else "production", kind) for e, kind, _ in ACCURACY_GROUPS)
    n, right = len(groups), quads[:, :2].sum(axis=1)
    none, one = np.full(n, -1), DesignEffect(1.0, "independent")
    return AccuracyCounts(
        groups, (), (), np.arange(n), none, none, right, quads[:, 2:].sum(axis=1), quads.sum(axis=1), right, quads,
        np.zeros((n, 2)), np.zeros((n, 2)), {}, {"pilot": one, "production": one},
    )  # fmt: skip


def accuracy_quantities(unknowns: Unknowns) -> dict[str, Floats]:
    """What is ranked, shape (rows,) or (rows, types)."""
    setup = accuracy_setup()
    p = accuracy.by_type(setup, unknowns)
    number = {name: unknowns.number[:, i] for i, name in enumerate(("level", "shift", "penalty", "accept_right", "accept_wrong"))}
    return {
        **number, "type spread": unknowns.spread[:, 0], "live headline": (setup.live_mix * p[:, 1]).sum(axis=1),
        "live, most cases": p[:, 1, 0], "live, never seen": p[:, 1, 3],
    }  # fmt: skip


def accuracy_prior(rng: np.random.Generator) -> Truth:
    """One draw of the quantities, and of the unknowns behind them (names that begin with _)."""
    z = rng.standard_normal((1, 7)), rng.standard_normal((1, 2)), rng.standard_normal((1, 2, 4))
    known = {name: x[0] for name, x in accuracy_quantities(Unknowns.of(accuracy_setup(), *z)).items()}
    return {**known, "_number": z[0], "_spread": z[1], "_type": z[2]}


def accuracy_data(rng: np.random.Generator, truth: Truth) -> AccuracyCounts:
    """Labelled and accepted cases of every group."""
    setup = accuracy_setup()
    unknowns = Unknowns.of(setup, truth["_number"], truth["_spread"], truth["_type"])
    p = accuracy.by_type(setup, unknowns)[0]
    right, wrong, sensitivity, specificity = (1 / (1 + np.exp(-unknowns.number[0, i])) for i in range(3, 7))
    quads = []
    for environment, kind, cases in ACCURACY_GROUPS:
        chance = p[int(environment == "production"), setup.types.index(kind)]
        sound = rng.random(cases) < chance
        taken = rng.random(cases) < np.where(sound, right, wrong)
        label = rng.random(cases) < np.where(sound, specificity, 1 - sensitivity)
        quads.append([(taken & label).sum(), (~taken & label).sum(), (taken & ~label).sum(), (~taken & ~label).sum()])
    return accuracy_counts(np.asarray(quads, dtype=np.float64))


def accuracy_fit(data: AccuracyCounts, sampling: Sampling) -> Fitted:
    """Draws of the same quantities."""
    setup = accuracy_setup()
    found = accuracy.sample(setup, data, sampling)
    unknowns = Unknowns.of(setup, *(found.values[name] for name in ("number_z", "spread_z", "type_z")))
    return accuracy_quantities(unknowns), found.diagnostics
