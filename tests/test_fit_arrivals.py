"""Arrivals: days from rows, the reduced likelihood, the volume as the simulator means it, shares of types in closed form, the sampler."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from scipy.special import gammaln

from models import parameters, process
from models.conditions import PRODUCTION
from models.evidence.daily_arrivals import MOST_ROWS, DailyArrivals, daily
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.fits import arrivals
from models.fits.seam import Sampling
from models.posterior import SubModel, posterior_of
from models.process import day_factors
from models.schema import CaseFile
from tests.evidence_tables import shipped, table

pytestmark = pytest.mark.xdist_group("sampler")


ABOUT = EvidenceSettings()
DAYS = range(-200, -2)


@pytest.fixture(scope="module")
def case() -> CaseFile:
    return shipped("invoice_processing")


def dates(case: CaseFile, days) -> list[str]:
    return [(case.go_live + timedelta(days=int(d))).isoformat() for d in days]


def simulated(case: CaseFile, level: float, cv: float, seed: int = 1):
    """The open days and cases of `DAYS`, with the case file's own pattern."""
    rng = np.random.default_rng(seed)
    factor = np.asarray(day_factors(case, DAYS))
    mean = level * factor
    cases = rng.poisson(rng.gamma(1 / cv**2, mean * cv**2))
    is_open = factor > 0
    return np.asarray(DAYS)[is_open], cases[is_open]


def test_days_are_told_apart_by_weekday_and_month_end(case):
    """August 2026: its last three working days are Thursday 27th to Monday 31st; weekend cases count on the next open day."""
    days = [f"2026-08-{d:02d}" for d in range(17, 32)]
    found = daily(case, ABOUT, table("arrivals", day=days, cases=[10] * 15))
    assert found.weekday.tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0]
    assert found.month_end.tolist() == [0] * 8 + [1, 1, 1]
    assert found.cases.tolist() == [10, 10, 10, 10, 10, 30, 10, 10, 10, 10, 30]
    assert (found.moved, found.missing, found.by_type) == (40, 0, None)


def test_rows_of_types_add_up_and_days_without_a_row_are_not_zero(case):
    days = dates(case, [d for d in range(-30, -9) if day_factors(case, range(-31, 0))[d + 31] > 0])
    rows = table(
        "arrivals", day=[d for d in days for _ in (1, 2)], type=["po_standard", "non_po"] * len(days), cases=[6, 4] * len(days)
    )
    found = daily(case, ABOUT, rows)
    assert (found.cases == 10).all()
    assert found.by_type is not None
    assert found.by_type[0].tolist() == [6, 0, 4, 0]
    gap = table("arrivals", day=days[:5] + days[6:], cases=[10] * (len(days) - 1))
    assert (daily(case, ABOUT, gap).missing, len(daily(case, ABOUT, gap).cases)) == (1, len(days) - 1)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"cases": [3] * 3, "day": ["2026-09-04", "2026-09-05", "2026-09-08"]}, "at least 3"),
        ({"cases": [3, 3], "day": ["2026-09-01"] * 2, "type": ["non_po", ""]}, "name it in all rows or in none"),
    ],
)
def test_rows_that_show_no_pattern_are_refused(case, columns, words):
    with pytest.raises(UnusableEvidenceError, match=words):
        daily(case, ABOUT, table("arrivals", **columns))


def log_likelihood(weekday, month_end, cases, days, mean, cv) -> float:
    """Negative binomial with expected cases `mean` by (weekday, month-end), without ln k!, which holds no parameter."""
    m, n = mean[weekday, month_end], 1 / cv**2
    log = gammaln(cases + n) - gammaln(n) + n * np.log(n / (n + m)) + cases * np.log(m / (n + m))
    return float(days @ log)


def test_equal_days_are_counted_once_and_merged_ones_change_nothing_that_matters():
    """With as many different counts as rows allow the likelihood is exact; beyond, differences stay under 0.05."""
    rng = np.random.default_rng(3)
    mean = rng.uniform(80, 140, (7, 2))
    for number, exact in ((250, True), (3_000, False)):
        weekday, month_end = rng.integers(0, 7, number), rng.integers(0, 2, number)
        m = mean[weekday, month_end]
        cases = rng.poisson(rng.gamma(25, m / 25)).astype(float)
        whole = DailyArrivals(np.arange(number), weekday, month_end, cases, None, 0.0, 0)
        reduced = whole.condensed()
        assert len(reduced[0]) <= MOST_ROWS
        assert reduced[3].sum() == number
        gaps = []
        for scale, cv in ((1.0, 0.2), (1.01, 0.2), (1.0, 0.21), (0.99, 0.19)):
            rows = log_likelihood(weekday, month_end, cases, np.ones(number), mean * scale, cv)
            gaps.append(rows - log_likelihood(*reduced, mean * scale, cv))
        assert np.ptp(gaps) < (1e-9 * abs(rows) if exact else 0.05)


def test_a_volume_is_what_the_simulator_makes_of_it(case):
    """The prior's middle, with the case file's own pattern, is the case file's number; so is the simulator's expected volume."""
    prior = arrivals.volume_prior(case)
    draws = {
        "level": np.asarray([prior.level.mean]),
        "log_cv": np.zeros(1),
        "weekday": prior.weekday[None],
        "month_end": np.asarray([prior.month_end]),
    }
    assert arrivals.volume(case, draws)["arrivals.per_month"] == pytest.approx([2_500])
    flow = process.build(case, process.today_columns(parameters.sample(case, 1, None)), process.today_horizon(case))
    assert flow.arrivals is not None
    assert np.exp(prior.level.mean) == pytest.approx(float(np.asarray(flow.arrivals.per_day).reshape(-1)[0]))
    daily_case = case.model_copy(
        update={"arrivals": case.arrivals.model_copy(update={"per_month": None, "per_working_day": case.arrivals.per_month})}
    )
    prior = arrivals.volume_prior(daily_case)
    assert arrivals.volume(daily_case, {**draws, "level": np.asarray([prior.level.mean])})[
        "arrivals.per_working_day"
    ] == pytest.approx([2_500])


def test_shares_of_types_are_dirichlet(case):
    """Counts of 100 equal days, so the design effect is 1: Dirichlet(2 a type × share + counts), exactly in its mean."""
    by_type = np.tile([6.0, 1.0, 2.0, 1.0], (100, 1))
    days = DailyArrivals(np.arange(100), np.zeros(100, int), np.zeros(100, int), by_type.sum(1), by_type, 0.0, 0)
    after, before = arrivals.type_shares(case, days, 20_000, np.random.default_rng(1))
    assert arrivals.type_design_effect(by_type) == 1.0
    weight = 8 * np.asarray([0.6, 0.1, 0.22, 0.08])
    expected = (weight + by_type.sum(0)) / (8 + 1_000)
    found = np.stack(list(after.values()), axis=1)
    assert found.sum(axis=1) == pytest.approx(np.ones(20_000))
    assert found.mean(0) == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(1_000 * 20_000))
    assert before["types.po_standard.share"].mean() == pytest.approx(0.6, abs=0.01)
    mixed = by_type * np.where(np.arange(100)[:, None] % 2, [2, 0, 0, 0], [0, 2, 2, 2])
    assert arrivals.type_design_effect(mixed) == pytest.approx(
        1_000 / (99 * 3)
    )  # the day tells all: chi-square = number of cases


@pytest.mark.slow
def test_the_sampler_recovers_the_volume_and_passes_its_checks(case):
    """195 days of level 118 and cv 0.25: volume, overdispersion and pattern within 4 posterior standard deviations, and all checks."""
    day, cases = simulated(case, 118.0, 0.25)
    rows = table("arrivals", day=dates(case, day), cases=cases.tolist())
    fit = arrivals.fit(case, {"arrivals": rows}, ABOUT, Sampling(5))
    assert fit is not None
    assert fit.passed, fit.diagnostics
    year = day_factors(case, process.REFERENCE_YEAR)
    truth = {"arrivals.per_month": 118 * sum(year) / len(year) * 365.25 / 12, "arrivals.day_cv": 0.25}
    assert set(fit.columns) == set(truth) == set(fit.prior) == set(fit.informed_by)
    for name, value in truth.items():
        assert abs(fit.columns[name].mean() - value) < 4 * fit.columns[name].std(), name
    assert fit.columns["arrivals.per_month"].std() < 0.03 * truth["arrivals.per_month"]
    weights = fit.reported["weekday weights"]
    stated = np.asarray([1.25, 1.05, 1.0, 0.95, 0.75])
    assert (np.abs(weights.mean(0) - stated) < 4 * weights.std(0)).all()
    assert fit.coords["weekday weights"] == (("mon", "tue", "wed", "thu", "fri"),)
    assert all(0.005 < c.share_below < 0.995 for c in fit.predictive)
    assert np.corrcoef(fit.badness, fit.columns["arrivals.per_month"])[0, 1] > 0.5
    assert "Pattern of days" in fit.notes[1]


def test_the_simulation_takes_the_pattern_that_was_fitted(case):
    """Mondays twice as busy as Fridays in the data, no weight else; month-ends three times: cases come so, and as many a month as before."""
    weights = np.tile([1.6, 0.8, 0.9, 0.9, 0.8], (10, 1))
    reported = {process.WEEKDAY_WEIGHTS: weights, process.MONTH_END_FACTOR: np.full(10, 3.0)}
    column = {"arrivals.per_month": np.full(10, 2_500.0)}
    names = ("mon", "tue", "wed", "thu", "fri")
    fit = SubModel("arrivals", column, column, np.zeros(10), (), reported=reported, coords={process.WEEKDAY_WEIGHTS: (names,)})
    fitted = case.with_posterior(posterior_of([fit], {}))
    factors = np.asarray(day_factors(fitted, range(28)))
    weekdays = factors.reshape(4, 7)
    assert weekdays[1, :5].tolist() == pytest.approx([1.6, 0.8, 0.9, 0.9, 0.8])
    assert (weekdays[:, 5:] == 0).all()
    last = day_factors(fitted, range(25, 26))[0]  # 29 January 2027, the last Friday of the month
    assert last == pytest.approx(3 * 0.8)
    for pattern in (case, fitted):
        draws = parameters.sample(pattern, 7, None)
        flow = process.build(pattern, process.arm_columns(draws, PRODUCTION), process.full_horizon(pattern))
        year = np.asarray(day_factors(pattern, process.REFERENCE_YEAR))
        assert float(np.ravel(flow.arrivals.per_day)[0]) * year.sum() / len(year) * 365.25 / 12 == pytest.approx(2_500.0)
