"""Times: likelihoods from sufficient statistics against rows, censoring and truncation against known truths, the sampler against quadrature."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import lognorm, norm

from models.evidence.duration_cells import (
    MOST_TERMS,
    Cell,
    Spans,
    _groups,
    double_nodes,
    log_interval,
    log_likelihood,
    reduce,
)
from models.evidence.refusals import UnusableEvidenceError
from models.fits.durations import (
    LARGE,
    SMALL,
    CellPrior,
    Prepared,
    compiled,
    goes,
    log_posterior,
    pack,
    sample_cells,
    worst,
)
from models.fits.law_priors import gamma_of, law_prior
from models.fits.seam import Sampling
from models.fits.timed_laws import TimedLaw, exponential_posterior, fit_laws
from models.laws import Time
from models.priors import Prior
from models.schema import Share

pytestmark = pytest.mark.xdist_group("sampler")


DAY = 86_400.0
Z90 = 1.2815515655446004


def prior(mu: float, by_mean: bool = False) -> CellPrior:
    return CellPrior(Prior(mu, 1.0, "log", ""), Prior(np.log(0.8), 0.5, "log", ""), Prior(0.0, 1.0, "logit", ""), by_mean)


def wide(mu: float = 0.0) -> CellPrior:
    """So wide that the mode is the maximum of the likelihood."""
    return CellPrior(Prior(mu, 50.0, "log", ""), Prior(0.0, 20.0, "log", ""), Prior(0.0, 1.0, "logit", ""), False)


def fitted(spans: Spans, mu: float = 10.0) -> tuple[np.ndarray, np.ndarray]:
    """Maximum of the likelihood (mu, sigma) and standard errors (mu, log sigma)."""
    ready = Prepared.of(reduce(spans), wide(mu))
    return np.asarray([ready.centre[0], np.exp(ready.centre[1])]), np.sqrt(np.diag(ready.root @ ready.root.T))[:2]


def days(x: np.ndarray) -> np.ndarray:
    """Dates alone: the day of each instant."""
    first = np.floor(x / DAY) * DAY
    return np.stack([first, first + DAY], axis=1)


# ---------------------------------------------------------------- likelihoods


@pytest.mark.parametrize(("mu", "sigma"), [(5.0, 0.5), (6.5, 1.2), (4.0, 0.2)])
def test_sufficient_statistics_give_the_likelihood_of_the_rows(mu, sigma):
    """Exact times with weights, and open ones: equal to the sum over rows to 1e-9 (relative)."""
    rng = np.random.default_rng(1)
    x = rng.lognormal(6, 0.8, 500)
    weight = rng.integers(1, 4, 500).astype(float)
    is_open = np.zeros(500, dtype=bool)
    is_open[:MOST_TERMS] = True  # few enough to be kept apart
    rows = lognorm(sigma, scale=np.exp(mu))
    by_row = (weight[~is_open] * rows.logpdf(x[~is_open])).sum() + (weight[is_open] * rows.logsf(np.round(x[is_open], 9))).sum()
    cell = reduce(Spans.lengths(x, weight, is_open))
    assert float(log_likelihood(cell, mu, sigma)) == pytest.approx(by_row, rel=1e-9)
    assert (cell.visits, cell.open_visits) == (weight.sum(), weight[:MOST_TERMS].sum())


def test_intervals_lose_no_digits_in_the_tails():
    a = np.asarray([-40.0, -8.0, -1.0, 0.3, 7.0, 35.0])
    b = a + 0.01
    exact = [float(np.log(0.01) + norm.logpdf(m)) for m in (a + b) / 2]  # midpoint: error 0.01² (z² - 1) / 24
    assert log_interval(a, b) == pytest.approx(exact, abs=0.01**2 * 40**2 / 24 + 1e-4)
    assert log_interval(-1.0, 2.0) == pytest.approx(np.log(ndtr(2.0) - ndtr(-1.0)), rel=1e-14)
    assert log_interval(-1e5, 1e5) == 0.0


def integral_of_cdf(x: np.ndarray, mu: float, sigma: float) -> np.ndarray:
    """∫₀ˣ F(t) dt of a lognormal in closed form."""
    safe = np.maximum(x, 1e-300)
    z = (np.log(safe) - mu) / sigma
    return np.where(x > 0, x * ndtr(z) - np.exp(mu + sigma**2 / 2) * ndtr(z - sigma), 0.0)


@pytest.mark.parametrize(("median", "sigma", "error"), [(1.0, 0.8, 1e-3), (3.0, 0.5, 1e-4), (0.3, 1.3, 0.02), (10.0, 1.0, 1e-5)])
def test_dates_alone_have_the_chance_of_two_uniform_ends(median, sigma, error):
    """P(d days apart) by five nodes, against the closed form; errors in the log, for the numbers of days that hold 99 % of visits."""
    number = np.arange(0, 60, dtype=float)
    mu = np.log(median)
    exact = (
        integral_of_cdf(number + 1, mu, sigma) - 2 * integral_of_cdf(number, mu, sigma) + integral_of_cdf(number - 1, mu, sigma)
    )
    cell = [reduce(Spans.of(np.asarray([[0.0, DAY]]), np.asarray([[d * DAY, (d + 1) * DAY]]))) for d in number[:48]]
    found = np.asarray([float(log_likelihood(c, mu + np.log(DAY), sigma)) for c in cell if len(c.doubles)])
    held = (np.cumsum(exact) < 0.99)[: len(found)]
    assert np.abs(found - np.log(exact[: len(found)]))[held].max() < error


def test_reminded_waits_have_a_density_that_adds_up_to_one():
    """Chances of consecutive intervals after a reminder, and of the time before it, add up to 1 for any multiplier."""
    mu, sigma, after = np.log(3 * DAY), 0.9, 2 * DAY
    edges = np.concatenate([np.geomspace(60.0, 400 * DAY, 400)])
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    for m in (0.2, 0.7, 1.0):
        total = ndtr((np.log(after) - mu) / sigma)
        for centre, h in zip(middle, half, strict=True):
            rest = after + np.asarray([[centre - h, centre + h]])
            cell = reduce(Spans.of(np.zeros((1, 2)), rest, after=np.asarray([after])))
            scale = h / max(h, 0.01 * centre)  # a narrow interval is widened to 2 %
            total += float(np.exp(log_likelihood(cell, mu, sigma, m))) * scale
        assert total == pytest.approx(1, abs=2e-3)


def test_a_binned_age_moves_the_fit_by_less_than_a_tenth_of_its_error():
    """5,000 open visits in 48 bins against each of them: log-likelihood differences at 2 standard errors, and the maximum."""
    rng = np.random.default_rng(5)
    x, seen = rng.lognormal(12, 1.0, 10_000), rng.uniform(0, 4e5, 10_000)
    spans = Spans.lengths(np.minimum(x, seen), None, x > seen)
    cell = reduce(spans)
    assert len(cell.terms) <= MOST_TERMS
    is_open = spans.is_open
    terms = np.stack([spans.open_at[is_open], *(np.zeros(is_open.sum()) for _ in range(3)), np.ones(is_open.sum())], axis=1)
    terms[:, 2] = np.inf
    apart = Cell(cell.n, cell.s1, cell.s2, cell.total, terms, cell.doubles, cell.visits, cell.open_visits, None)
    one, other = (Prepared.of(c, wide(12.0)) for c in (cell, apart))
    error = np.sqrt(np.diag(other.root @ other.root.T))
    assert (np.abs(one.centre - other.centre)[:2] < error[:2] / 10).all()


# ---------------------------------------------------------------- known truths

TRUE_MU, TRUE_SIGMA = float(np.log(1.5 * DAY)), 0.9


def close(found: np.ndarray, error: np.ndarray, sigmas: float = 4.0) -> bool:
    off = np.asarray([found[0] - TRUE_MU, np.log(found[1] / TRUE_SIGMA)])
    return bool((np.abs(off) < sigmas * error).all())


def test_dates_alone_recover_the_truth_and_their_middles_do_not():
    rng = np.random.default_rng(11)
    start = rng.uniform(0, 300 * DAY, 20_000)
    end = start + rng.lognormal(TRUE_MU, TRUE_SIGMA, 20_000)
    found, error = fitted(Spans.of(days(start), days(end)))
    assert close(found, error)
    assert error.max() < 0.02
    number = (days(end)[:, 0] - days(start)[:, 0])[days(end)[:, 0] > days(start)[:, 0]]
    assert np.abs(np.log(number).mean() - TRUE_MU) > 10 * error[0]  # whole days, those of the same day left out


def test_open_visits_recover_the_truth_and_dropping_them_is_biased():
    """Arrivals over 10 days, export at day 10: dropping the open 22 % gives a mean a quarter too short (0.75 of it)."""
    rng = np.random.default_rng(12)
    start = rng.uniform(0, 10 * DAY, 20_000)
    length = rng.lognormal(TRUE_MU, TRUE_SIGMA, 20_000)
    is_open = start + length > 10 * DAY
    spans = Spans.lengths(np.where(is_open, 10 * DAY - start, length), None, is_open)
    found, error = fitted(spans)
    assert close(found, error)
    dropped, _ = fitted(spans.select(~is_open))
    ratio = np.exp(dropped[0] + dropped[1] ** 2 / 2 - TRUE_MU - TRUE_SIGMA**2 / 2)
    assert is_open.mean() == pytest.approx(0.22, abs=0.01)
    assert ratio == pytest.approx(0.75, abs=0.02)


def test_an_export_chosen_by_its_end_recovers_the_truth_and_ignoring_that_is_biased():
    rng = np.random.default_rng(13)
    start = rng.uniform(0, 10 * DAY, 40_000)
    end = start + rng.lognormal(TRUE_MU, TRUE_SIGMA, 40_000)
    window = (2 * DAY, 10 * DAY)
    kept = (end >= window[0]) & (end < window[1])
    s, e = (np.stack([x[kept], x[kept]], axis=1) for x in (start, end))
    found, error = fitted(Spans.of(s, e, window=window))
    assert close(found, error)
    naive, naive_error = fitted(Spans.of(s, e))
    assert abs(naive[0] - TRUE_MU) > 10 * naive_error[0]


def test_reminders_recover_their_multiplier():
    """Half of the visits are reminded after a day; the rest is then 0.4 times as long."""
    rng = np.random.default_rng(14)
    x = rng.lognormal(TRUE_MU, TRUE_SIGMA, 20_000)
    reminded = (rng.random(20_000) < 0.5) & (x > DAY)
    length = np.where(reminded, DAY + 0.4 * (x - DAY), x)
    is_open = length > 8 * DAY
    spans = Spans.lengths(np.minimum(length, 8 * DAY), None, is_open)
    spans = Spans(spans.start, spans.end, spans.open_at, spans.weight, np.where(reminded, DAY, np.nan))
    ready = Prepared.of(reduce(spans), wide(TRUE_MU))
    error = np.sqrt(np.diag(ready.root @ ready.root.T))
    found = np.asarray([ready.centre[0] - TRUE_MU, ready.centre[1] - np.log(TRUE_SIGMA), ready.centre[2] - np.log(0.4 / 0.6)])
    assert (np.abs(found) < 4 * error).all()
    assert error.max() < 0.1


def test_equal_rows_are_counted_once_whatever_their_number():
    start = np.repeat([[0.0, DAY]], 100_000, axis=0)
    end = start + np.random.default_rng(1).integers(0, 30, 100_000)[:, None] * DAY
    cell = reduce(Spans.of(start, end))
    assert len(cell.doubles) == 30
    assert cell.doubles[:, 3].sum() == 100_000
    assert np.unique(_groups(np.random.default_rng(1).lognormal(0, 2, (5_000, 2)), 48)).size <= 48


def test_life_tables_are_of_times_that_are_known():
    """The product limit of 100 exact times is their share; dates alone, windows and reminders have none."""
    x = np.arange(1.0, 101.0)
    life = reduce(Spans.lengths(x)).life
    assert life is not None
    for k, edge in enumerate(life.edges[1:]):
        assert life.survival()[k] == pytest.approx((x >= edge).mean(), abs=1e-12)
    start = np.tile([0.0, DAY], (5, 1))
    end = start + np.arange(5)[:, None] * DAY
    exact = np.stack([x, x], axis=1)
    reminded = np.where(x > 50, 10.0, np.nan)
    for spans in (
        Spans.of(start, end),
        Spans.of(0 * exact, exact, window=(0.0, 200.0)),
        Spans.of(0 * exact, exact, after=reminded),
    ):
        assert reduce(spans).life is None


def test_impossible_nodes_weigh_nothing():
    low, high, weight = double_nodes(np.asarray([[0.0, 10.0, 100.0, 1.0]]))
    assert (weight[0] > 0).tolist() == [True, False, False, False, False]
    assert (high > low).all()


# ---------------------------------------------------------------- refusals

LOG_NORMAL = {"kind": "lognormal", "median": "1 d", "p90": "4 d"}


def law(data) -> object:
    return Time.model_validate(data).law


@pytest.mark.parametrize(
    ("stated", "words"),
    [("6 min", "stated as constant"), ({"kind": "uniform", "low": "1 h", "high": "2 h"}, "stated as uniform")],
)
def test_other_laws_are_refused_with_the_remedy(stated, words):
    cell = reduce(Spans.lengths([60.0, 70.0]))
    with pytest.raises(UnusableEvidenceError, match=words) as error:
        fit_laws("x", [TimedLaw("steps.a.service", law(stated), cell)], Sampling(1))
    assert 'write kind = "lognormal"' in str(error.value)


def test_no_rows_and_impossible_rows_are_refused():
    with pytest.raises(UnusableEvidenceError, match="no rows to fit"):
        fit_laws("x", [], Sampling(1))
    backwards = Spans.of(np.asarray([[10.0, 11.0]]), np.asarray([[3.0, 4.0]]))
    with pytest.raises(UnusableEvidenceError, match="end before they start"):
        reduce(backwards)
    unseen = Spans.of(np.zeros((1, 2)), np.full((1, 2), np.nan))
    with pytest.raises(UnusableEvidenceError, match="needs observed_until"):
        reduce(unseen)
    chosen = Spans.of(np.zeros((1, 2)), np.full((1, 2), np.nan), np.ones(1), window=(0.0, 5.0))
    with pytest.raises(UnusableEvidenceError, match="cannot hold open ones"):
        reduce(chosen)
    late = Spans.of(np.full((1, 2), 9.0), np.full((1, 2), 9.5), window=(0.0, 5.0))
    with pytest.raises(UnusableEvidenceError, match="began after the end of the period"):
        reduce(late)


def test_exponentials_refuse_what_has_no_closed_form():
    start = np.asarray([[0.0, DAY]] * 3)
    timed = TimedLaw("steps.a.time", law({"kind": "exponential", "mean": "1 d"}), reduce(Spans.of(start, start + DAY)))
    with pytest.raises(UnusableEvidenceError, match='need kind = "lognormal"'):
        exponential_posterior(timed)


def test_too_many_rows_do_not_fit_one_go_and_are_spread_over_several():
    rng = np.random.default_rng(1)
    x = rng.lognormal(10, 1, 500)
    ready = Prepared(reduce(Spans.lengths(x, None, rng.random(500) < 0.5)), prior(10), np.zeros(3), np.eye(3))
    assert [len(go) for go in goes([ready] * 5)] == [3, 2]
    assert [
        len(go) for go in goes([Prepared(reduce(Spans.lengths(x)), prior(10), np.zeros(3), np.eye(3))] * (LARGE.cells + 1))
    ] == [
        LARGE.cells,
        1,
    ]
    with pytest.raises(ValueError, match="do not fit"):
        pack([ready] * 5, LARGE)


# ---------------------------------------------------------------- closed forms and priors


def test_an_exponential_is_gamma():
    """Three ended, one open visit, by hand: shape + 3, rate + all seconds."""
    timed = TimedLaw(
        "steps.a.time",
        law({"kind": "exponential", "mean": "100 s"}),
        reduce(Spans.lengths([50.0, 80.0, 200.0, 40.0], None, [0, 0, 0, 1])),
    )
    shape, rate, ended, seconds = exponential_posterior(timed)
    assert (ended, seconds) == (3, pytest.approx(370))
    fit = fit_laws("x", [timed], Sampling(1, draws=5_000))
    assert fit.columns["steps.a.time.mean"].mean() == pytest.approx((rate + 370) / (shape + 3 - 1), rel=0.02)
    assert fit.diagnostics == ()
    assert fit.passed


def test_the_gamma_of_a_rate_has_the_moments_of_the_log():
    shape, rate = gamma_of(Prior(3.0, 0.5, "log", ""))
    log = -np.log(np.random.default_rng(1).gamma(shape, 1 / rate, 400_000))
    assert log.mean() == pytest.approx(3.0, abs=0.005)
    assert log.std() == pytest.approx(0.5, abs=0.005)


def test_priors_come_from_the_case_file():
    plain = law_prior(law(LOG_NORMAL), "p", "production")
    assert plain.first.mean == pytest.approx(np.log(DAY))
    assert np.exp(plain.log_sigma.mean) == pytest.approx(np.log(4) / Z90)
    assert (plain.first.sd, plain.log_sigma.sd, plain.by_mean) == (1.0, 0.5, False)
    ranged = law_prior(
        law({"kind": "lognormal", "mean": {"low": "4 d", "likely": "6.5 d", "high": "10 d"}, "cv": 1.0}), "p", "production"
    )
    assert ranged.by_mean
    assert ranged.first.sd == pytest.approx(0.28, abs=0.02)
    assert np.exp(ranged.log_sigma.mean) == pytest.approx(np.sqrt(np.log(2)))
    same = law_prior(law({"kind": "lognormal", "median": "1 d", "p90": "1 d"}), "p", "production")
    assert np.exp(same.log_sigma.mean) == pytest.approx(0.8)


def test_a_law_by_arm_needs_all_its_numbers_by_arm_and_rows_that_say_where():
    from models.fits.law_priors import arm_of, stated_parameters

    by_arm = {"pilot": "1 s", "production": "3 s", "cause": "integration"}
    mixed = stated_parameters(law({"kind": "lognormal", "median": by_arm, "p90": "9 s"}), "p")
    with pytest.raises(UnusableEvidenceError, match="give pilot and production for all"):
        arm_of(mixed, "p", "pilot")
    both = stated_parameters(
        law({"kind": "lognormal", "median": by_arm, "p90": {**by_arm, "pilot": "3 s", "production": "9 s"}}), "p"
    )
    with pytest.raises(UnusableEvidenceError, match="column environment"):
        arm_of(both, "p", None)
    assert [arm_of(both, "p", a) for a in ("pilot", "production", "as_is")] == ["@pilot", "@production", "@production"]


# ---------------------------------------------------------------- the sampler


def quadrature(ready: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of the posterior by a grid in the first two numbers (the third has its prior)."""
    z = np.linspace(-6, 6, 121)
    grid = np.stack(np.meshgrid(z, z, indexing="ij"), axis=-1)
    theta = ready.centre + np.concatenate([grid, np.zeros((121, 121, 1))], axis=-1) @ ready.root.T
    log = log_posterior(ready.cell, ready.prior, theta)
    weight = np.exp(log - log.max())[..., None]
    mean = (weight * theta).sum((0, 1)) / weight.sum()
    return mean[:2], np.sqrt((weight * (theta - mean) ** 2).sum((0, 1)) / weight.sum())[:2]


@pytest.mark.slow
def test_the_sampler_agrees_with_quadrature_passes_its_checks_and_costs_the_same_for_a_million_rows():
    """One compilation serves all: cells of every sort in one go; then 1e3 and 1e6 rows in time. Monte Carlo error: sd / sqrt(1000)."""
    rng = np.random.default_rng(3)
    start = rng.uniform(0, 100 * DAY, 800)
    x = rng.lognormal(12, 1, 3_000)
    seen = rng.uniform(0, 5e5, 3_000)
    cells = [
        Prepared.of(reduce(Spans.lengths(rng.lognormal(6, 0.7, 30))), prior(5.5)),
        Prepared.of(reduce(Spans.lengths(rng.lognormal(6, 0.7, 300))), prior(5.5, by_mean=True)),
        Prepared.of(reduce(Spans.lengths(np.minimum(x, seen), None, x > seen)), prior(11)),
        Prepared.of(reduce(Spans.of(days(start), days(start + rng.lognormal(TRUE_MU, TRUE_SIGMA, 800)))), prior(11)),
        Prepared.of(reduce(Spans.lengths([300.0, 500.0])), prior(5.5)),
    ]
    draws, checks = sample_cells(cells, Sampling(7))
    assert all(c.passed for c in checks), checks
    for k, ready in enumerate(cells):
        mean, sd = quadrature(ready)
        assert draws[:, k, :2].mean(0) == pytest.approx(mean, abs=4 * sd.max() / np.sqrt(1_000)), k
        assert draws[:, k, :2].std(0) == pytest.approx(sd, rel=0.12), k
    assert draws[:, 0, 2].std() == pytest.approx(1.0, rel=0.1)  # no reminder: the prior
    took = {}
    for rows in (1_000, 1_000_000):
        cell = Prepared.of(reduce(Spans.lengths(rng.lognormal(6, 0.7, rows))), prior(5.5))
        begin = time.process_time()
        compiled(SMALL).sample(pack([cell], SMALL), Sampling(7).preview())
        took[rows] = time.process_time() - begin
    assert took[1_000_000] < 2 * took[1_000] + 1.0, took
    fit = fit_laws(
        "x",
        [TimedLaw("steps.a.service", law(LOG_NORMAL), reduce(Spans.lengths(rng.lognormal(11, 0.9, 400), None)), "", ("times",))],
        Sampling(2).preview(),
    )
    assert set(fit.columns) == {"steps.a.service.median", "steps.a.service.p90"} == set(fit.prior) == set(fit.informed_by)
    assert np.median(fit.columns["steps.a.service.median"]) == pytest.approx(np.exp(11), rel=0.15)
    assert np.corrcoef(fit.badness, fit.columns["steps.a.service.median"])[0, 1] > 0.5
    assert all(0.005 < c.share_below < 0.995 for c in fit.predictive)
    assert len(fit.predictive) == 2


def test_the_worst_of_several_goes_is_what_counts():
    from models.posterior import Diagnostic

    good, bad = Diagnostic("R-hat", 1.0, "", True), Diagnostic("R-hat", 1.2, "", False)
    assert worst([(good,), (bad,), (good,)]) == (bad,)
    assert worst([(good,)]) == (good,)
    assert worst([]) == ()


def test_a_column_of_a_reminder_appears_only_with_reminders():
    spans = Spans.lengths([2 * DAY, 3 * DAY])
    reminded = Spans(spans.start, spans.end, spans.open_at, spans.weight, np.asarray([DAY, np.nan]))
    share = Share.model_validate(0.7)
    for rows, informed in ((spans, False), (reminded, True)):
        timed = TimedLaw("r.response", law(LOG_NORMAL), reduce(rows), "", (), 1.0, share, "r.remind.multiplier")
        assert timed.informs_multiplier == informed
        assert ("r.remind.multiplier" in timed.columns(timed.prior(), np.zeros((5, 3)))) == informed
