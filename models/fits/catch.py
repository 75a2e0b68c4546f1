"""How many errors reviewers notice, and how that falls with the load: seeded errors, exact on a grid.

caught ~ Binomial(shown, p), logit p = logit(catch) − load_slope · waiting cases a rostered head, as the simulator uses it. Both unknowns
have normal priors (the catch rate on the logit). Errors of one reviewer or day come together: counts are divided by a design effect,
estimated from the groups where there are enough of them (`share_cells.design_effect`), else the settings' own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import design_effect
from models.evidence.table import Table
from models.fits.seam import Sampling
from models.posterior import Predictive, SubModel
from models.priors import Prior, prior_of

Floats = NDArray[np.float64]
NAME, KIND = "catch", "seeded"
USUAL_CATCH = Prior(1.7, 1.0, "logit", "usual prior: 0.53 to 0.97")
USUAL_SLOPE_SD = 0.05
CELLS, WIDTH, PASSES = 201, 6.0, 3
"""Cells a side, half-width in posterior standard deviations, and refinements of the grid."""


@dataclass(frozen=True, slots=True, eq=False)
class Reviews:
    """Seeded errors of one review step: shown and caught (effective counts), and waiting cases a head; shape (rows,) each."""

    shown: Floats
    caught: Floats
    waiting: Floats
    effect: float


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A posterior on a grid of cells: centres of both axes, and the probability of each cell, shape (cells, cells)."""

    catch: Floats
    slope: Floats
    probability: Floats

    def draws(self, rows: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Logit of the catch rate and load slope, uniform within their cells, shape (rows,) each."""
        flat = rng.choice(self.probability.size, rows, p=self.probability.ravel())
        i, j = np.unravel_index(flat, self.probability.shape)
        a, b = (np.asarray(x[1] - x[0]) for x in (self.catch, self.slope))
        u, v = rng.random((2, rows)) - 0.5
        return self.catch[i] + u * a, self.slope[j] + v * b


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns `steps.X.catch` and `steps.X.load_slope` of the reviews with seeded errors; None without the file.

    Raises UnusableEvidenceError if rows leave open which review they are about.
    """
    table = tables.get(KIND)
    if table is None or not len(table):
        return None
    rng, rows = np.random.default_rng([sampling.seed, 8]), sampling.chains * sampling.draws
    columns: dict[str, Floats] = {}
    prior: dict[str, Floats] = {}
    checks, notes, bad = list[Predictive](), list[str](), np.zeros(rows)
    for step, reviews in by_step(case, table, about):
        catch, slope = priors(step)
        found = posterior(reviews, catch, slope)
        logit, falls = found.draws(rows, rng)
        names = (f"steps.{step.id}.catch", f"steps.{step.id}.load_slope")
        columns.update(zip(names, (1 / (1 + np.exp(-logit)), falls), strict=True))
        prior.update(zip(names, (catch.quantile(rng.random(rows)), slope.quantile(rng.random(rows))), strict=True))
        checks.append(_check(step.id, reviews, logit, falls, rng))
        notes += _notes(step.id, reviews)
        bad -= logit
    files: dict[str, tuple[str, ...]] = dict.fromkeys(columns, (KIND,))
    return SubModel(NAME, columns, prior, bad, (), tuple(checks), files, {}, {}, tuple(notes))


def priors(step: schema.Review) -> tuple[Prior, Prior]:
    """Of the catch rate (logit) and of the load slope."""
    catch, slope = (p.in_arm("production").uncertain() for p in (step.catch, step.load_slope))
    return (
        prior_of(catch, "logit", USUAL_CATCH.mean, USUAL_CATCH.sd),
        prior_of(slope, "plain", 0.0, USUAL_SLOPE_SD),
    )


def by_step(case: schema.CaseFile, table: Table, about: EvidenceSettings) -> list[tuple[schema.Review, Reviews]]:
    """The rows of each review step. Raises UnusableEvidenceError."""
    reviews = {s.id: s for s in case.steps if isinstance(s, schema.Review)}
    names = table.texts("step")
    if (names == "").any():
        if len(reviews) != 1:
            raise UnusableEvidenceError(f"{KIND}: the case has {len(reviews)} review steps; name the step in every row")
        names = np.where(names == "", next(iter(reviews)), names)
    found = []
    for step in dict.fromkeys(names.tolist()):
        mine = names == step
        shown, caught = table.numbers("shown")[mine], table.numbers("caught")[mine]
        days = table.times("day")[mine, 0]
        group = table.texts("reviewer")[mine].astype(str) + np.where(np.isnan(days), "", days.astype(str))
        effect = design_effect(caught, shown, group.astype(object), about.design_effect)
        found.append((reviews[step], Reviews(shown / effect, caught / effect, table.numbers("waiting_per_head")[mine], effect)))
    return found


def log_likelihood(reviews: Reviews, logit: Floats, slope: Floats) -> Floats:
    """Of effective counts, for arrays of both unknowns (broadcast); rows without a load count as without waiting cases."""
    waiting = np.nan_to_num(reviews.waiting)
    x = logit[..., None] - slope[..., None] * waiting
    return np.asarray((reviews.caught * x - reviews.shown * np.logaddexp(0.0, x)).sum(axis=-1))


def posterior(reviews: Reviews, catch: Prior, slope: Prior) -> Grid:
    """Normal priors times the likelihood; the grid moves to where the posterior lies, and fits its width."""
    centre, width = np.asarray([catch.mean, slope.mean]), np.asarray([catch.sd, slope.sd])
    known = not np.isnan(reviews.waiting).all() and np.nan_to_num(reviews.waiting).any()
    for _ in range(PASSES):
        a, b = (c + WIDTH * w * np.linspace(-1, 1, CELLS) for c, w in zip(centre, width, strict=True))
        first, second = np.meshgrid(a, b, indexing="ij")
        log = -0.5 * (((first - catch.mean) / catch.sd) ** 2 + ((second - slope.mean) / slope.sd) ** 2)
        log = log + log_likelihood(reviews, first, second if known else np.zeros_like(second))
        p = np.exp(log - log.max())
        p /= p.sum()
        centre = np.asarray([(p * x).sum() for x in (first, second)])
        width = np.sqrt(np.asarray([(p * (x - c) ** 2).sum() for x, c in zip((first, second), centre, strict=True)]))
    return Grid(a, b, p)


def _check(step: str, reviews: Reviews, logit: Floats, slope: Floats, rng: np.random.Generator) -> Predictive:
    """The share caught, against replicated reviews."""
    pick = rng.integers(0, len(logit), 400)
    x = logit[pick, None] - slope[pick, None] * np.nan_to_num(reviews.waiting)
    shown = np.maximum(np.rint(reviews.shown), 1).astype(np.int64)
    replicated = rng.binomial(shown, 1 / (1 + np.exp(-x))).sum(axis=1) / shown.sum()
    observed = float(reviews.caught.sum() / reviews.shown.sum())
    low, high = np.quantile(replicated, [0.05, 0.95])
    return Predictive(
        f"steps.{step}: share of seeded errors noticed", observed, float(low), float(high), float((replicated <= observed).mean())
    )


def _notes(step: str, reviews: Reviews) -> list[str]:
    shown, caught = reviews.shown.sum() * reviews.effect, reviews.caught.sum() * reviews.effect
    notes = [f"steps.{step}: {caught:,.0f} of {shown:,.0f} seeded errors noticed."]
    if reviews.effect > 1:
        notes.append(f"steps.{step}: errors of one reviewer and day come together, so each counts {1 / reviews.effect:.2f}.")
    if np.isnan(reviews.waiting).all():
        notes.append(f"steps.{step}: no row says how many cases waited; how attention falls under load stays a belief.")
    notes.append(
        f"steps.{step}: people who expect seeded errors look harder than on an ordinary day; the share live is then lower."
    )
    return notes
