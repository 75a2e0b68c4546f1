"""Seeded errors: the grid against closed forms and quadrature; the load; refusals. Divergence: hand-worked figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit, logit

from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.fits import catch
from models.fits.divergence import cases_to_tell, chance_above, days_of, half_width, observed, split
from models.fits.seam import Sampling
from models.priors import Prior
from tests.evidence_tables import shipped, table

pytestmark = pytest.mark.xdist_group("sampler")


ABOUT = EvidenceSettings.model_validate({})
FLAT = Prior(0.0, 20.0, "logit", "")
NO_SLOPE = Prior(0.0, 1e-6, "plain", "")


def reviews(shown, caught, waiting=None) -> catch.Reviews:
    load = np.full(len(shown), np.nan) if waiting is None else np.asarray(waiting, float)
    return catch.Reviews(np.asarray(shown, float), np.asarray(caught, float), load, 1.0)


def test_a_flat_prior_gives_the_beta_of_the_counts():
    """A nearly flat prior on the logit is Haldane's: the posterior is Beta(caught, missed)."""
    grid = catch.posterior(reviews([30, 20], [26, 15]), FLAT, NO_SLOPE)
    x, _ = grid.draws(200_000, np.random.default_rng(1))
    exact = stats.beta(41, 9)
    for q in (0.05, 0.5, 0.95):
        assert np.quantile(expit(x), q) == pytest.approx(exact.ppf(q), abs=0.002)


def test_the_grid_is_the_integral():
    """Mean of both unknowns under prior and loaded data, by adaptive quadrature."""
    data, a, b = reviews([20, 20, 20], [19, 16, 10], [0, 5, 12]), Prior(1.7, 1.0, "logit", ""), Prior(0.05, 0.1, "plain", "")
    grid = catch.posterior(data, a, b)

    def density(s: float, x: float) -> float:
        log = -0.5 * ((x - a.mean) / a.sd) ** 2 - 0.5 * ((s - b.mean) / b.sd) ** 2
        return float(np.exp(log + catch.log_likelihood(data, np.asarray(x), np.asarray(s)) + 20))

    box = (-2.0, 7.0, lambda _: -0.6, lambda _: 0.8)
    total = integrate.dblquad(density, *box, epsrel=1e-8)[0]
    means = [integrate.dblquad(lambda s, x, k=k: (x, s)[k] * density(s, x), *box, epsrel=1e-8)[0] / total for k in (0, 1)]
    first, second = np.meshgrid(grid.catch, grid.slope, indexing="ij")
    assert (grid.probability * first).sum() == pytest.approx(means[0], abs=1e-4)
    assert (grid.probability * second).sum() == pytest.approx(means[1], abs=1e-5)


def test_a_truth_with_load_is_found():
    """2,000 seeded errors, catch 0.9 without load, slope 0.08: both within four posterior standard deviations."""
    rng = np.random.default_rng(3)
    waiting = rng.uniform(0, 15, 100)
    shown = np.full(100, 20)
    caught = rng.binomial(shown, expit(logit(0.9) - 0.08 * waiting))
    found = catch.fit(
        shipped("invoice_processing"),
        {"seeded": table("seeded", shown=shown, caught=caught, waiting_per_head=waiting)},
        ABOUT,
        Sampling(1),
    )
    rate, slope = found.columns["steps.review.catch"], found.columns["steps.review.load_slope"]
    assert abs(logit(rate).mean() - logit(0.9)) < 4 * logit(rate).std()
    assert abs(slope.mean() - 0.08) < 4 * slope.std()
    assert slope.std() < 0.02
    assert found.passed
    (check,) = found.predictive
    assert check.low <= check.observed <= check.high


def test_without_a_load_the_slope_stays_a_belief():
    found = catch.fit(
        shipped("invoice_processing"), {"seeded": table("seeded", shown=[40, 40], caught=[34, 30])}, ABOUT, Sampling(1)
    )
    slope = found.columns["steps.review.load_slope"]
    assert slope.mean() == pytest.approx(0.03, abs=0.005)
    assert slope.std() == pytest.approx(catch.USUAL_SLOPE_SD, rel=0.05)
    assert any("stays a belief" in note for note in found.notes)
    assert catch.fit(shipped("invoice_processing"), {}, ABOUT, Sampling(1)) is None


def test_reviewers_who_differ_make_the_counts_say_less():
    even = table("seeded", reviewer=list("abcdefghij"), shown=[20] * 10, caught=[16] * 10)
    apart = table("seeded", reviewer=list("abcdefghij"), shown=[20] * 10, caught=[20, 12] * 5)
    widths = [
        catch.fit(shipped("invoice_processing"), {"seeded": t}, ABOUT, Sampling(1)).columns["steps.review.catch"].std()
        for t in (even, apart)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_rows_must_say_which_review_they_are_about():
    case = shipped("invoice_processing")
    first = next(s for s in case.steps if s.id == "review")
    two = case.model_copy(update={"steps": [*case.steps, first.model_copy(update={"id": "second"})]})
    with pytest.raises(UnusableEvidenceError, match="2 review steps"):
        catch.fit(two, {"seeded": table("seeded", shown=[1], caught=[1])}, ABOUT, Sampling(1))


# ---------------------------------------------------------------- divergence


def test_the_gap_splits_exactly():
    """Pilot .95 / .80 at a mix of .8 / .2, live .90 / .60 at .5 / .5: .92 − .75 = data .125 + scope .045."""
    gap = split(np.asarray([[0.95, 0.80]]), np.asarray([[0.90, 0.60]]), np.asarray([0.8, 0.2]), np.asarray([0.5, 0.5]))
    assert (gap.headline[0], gap.data[0], gap.scope[0]) == (pytest.approx(0.17), pytest.approx(0.125), pytest.approx(0.045))
    rng = np.random.default_rng(2)
    p, q = rng.uniform(size=(2, 50, 4))
    v, w = rng.dirichlet(np.ones(4), 2)
    gap = split(p, q, v, w)
    assert np.allclose(gap.headline, gap.data + gap.scope, atol=1e-14)
    assert chance_above(np.asarray([0.05, 0.11, 0.2, 0.1])) == 0.5


def test_widths_and_sample_sizes():
    """Two rates near .9: 4.2 points at 400 a side, 11.8 at 50; 10 points need 70 a side."""
    assert half_width(0.9, 400, 400) == pytest.approx(0.0416, abs=1e-4)
    assert half_width(0.9, 50, 50) == pytest.approx(0.1176, abs=1e-4)
    assert cases_to_tell(0.1, 0.9) == 70
    assert half_width(0.9, 70, 70) <= 0.1 < half_width(0.9, 69, 69)
    with pytest.raises(ValueError, match="difference of 0"):
        cases_to_tell(0.0, 0.9)


def test_a_small_parallel_run_cannot_tell():
    small = observed((368, 43), (400, 50))
    assert small.difference == pytest.approx(0.06)
    assert not observed((368, 368), (400, 400)).cannot_tell
    assert observed((46, 43), (50, 50)).cannot_tell
    assert observed((368, 360), (400, 400), effect=8.0).cannot_tell
    with pytest.raises(ValueError, match="both sides"):
        observed((1, 0), (1, 0))


def test_days_of_a_run():
    day = 86_400.0
    assert days_of(np.asarray([0.0, 29 * day, np.nan])) == 30
    assert days_of(np.asarray([np.nan])) == 0
