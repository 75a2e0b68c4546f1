"""Shares: closed forms exactly, grids against quadrature, partial pooling against brute force; counts, defects, readiness, weekly figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import beta, norm

from models import weeks
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import Count, design_effect
from models.fits import drift, events, quality, readiness
from models.fits.seam import Sampling, StoppedError
from models.fits.shares import (
    Belief,
    belief_of,
    by_type,
    inverted,
    level_grid,
    log_binomial,
    log_evidence,
    one_share,
    prior_by_type,
    prior_share,
    tabulated,
)
from models.priors import Prior
from models.schema import CaseFile, Share
from tests.evidence_tables import shipped, table

ABOUT = EvidenceSettings()
SAMPLING = Sampling(1)
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def case() -> CaseFile:
    return shipped("invoice_processing")


def count(happened: float, tried: float) -> Count:
    return Count(happened, tried, (happened, tried))


def share(value: object) -> Share:
    return Share.model_validate(value)


# ---------------------------------------------------------------- one share


def test_beliefs_without_a_view_give_jeffreys_posterior_exactly():
    """Beta(½ + 8, ½ + 32), one draw in each of 4,000 equal cells: counts of the case file are not used twice."""
    for stated in ({"right": 90, "tried": 100}, 0, 1):
        draws = one_share(belief_of(share(stated), "production"), count(8, 40), 4_000, RNG(1))
        assert (np.floor(np.sort(beta(8.5, 32.5).cdf(draws)) * 4_000) == np.arange(4_000)).all()
        assert draws.mean() == pytest.approx(8.5 / 41, rel=1e-3)


def test_an_elicited_share_is_updated_as_beta():
    belief = belief_of(share({"low": 0.05, "likely": 0.1, "high": 0.2}), "production")
    assert belief.shapes == pytest.approx((5.48, 41.31), abs=0.01)
    draws = one_share(belief, count(30, 100), 4_000, RNG(1))
    assert draws.mean() == pytest.approx(35.48 / 146.79, rel=1e-3)
    before = prior_share(belief, 4_000, RNG(1))
    assert np.quantile(before, [0.05, 0.95]) == pytest.approx([0.051, 0.202], abs=0.001)


@pytest.mark.parametrize(("y", "n"), [(0, 5), (3, 10), (400, 1_000), (99_000, 100_000)])
def test_a_plain_value_is_the_centre_of_a_tabulated_posterior(y, n):
    """Against adaptive quadrature of normal × binomial on the logit."""
    from scipy.integrate import quad

    belief = belief_of(share(0.2), "production")
    assert (belief.normal.mean, belief.normal.sd) == (pytest.approx(logit(0.2)), 1.0)
    x, log = tabulated(belief, count(y, n))
    top = log.max()

    def density(z: float, power: int) -> float:
        value = -0.5 * (z - belief.normal.mean) ** 2 + float(log_binomial(z, y, n)) - top
        return float(np.exp(value) * expit(z) ** power)

    low, high = float(x[0]), float(x[-1])
    mode = float(x[np.argmax(log)])
    total, first = (quad(density, low, high, (k,), points=[mode], limit=400)[0] for k in (0, 1))
    draws = one_share(belief, count(y, n), 20_000, RNG(1))
    assert draws.mean() == pytest.approx(first / total, rel=2e-3)


def test_inversion_draws_from_the_tabulated_density():
    x = np.linspace(-8, 8, 2_001)
    u = (np.arange(10_000) + 0.5) / 10_000
    assert inverted(u, x, norm.logpdf(x)) == pytest.approx(norm.ppf(u), abs=1e-3)


# ---------------------------------------------------------------- shares by type


BELIEFS = [Belief(None, Prior(float(logit(p)), 1.0, "logit", "")) for p in (0.2, 0.3, 0.1)]
COUNTS = [count(30, 100), count(2, 40), count(0, 0)]


def test_partial_pooling_agrees_with_brute_force():
    """Importance sampling of (a, d, three types) from their prior, 4 million draws, against quadrature: means and spreads."""
    rng = RNG(2)
    n = 4_000_000
    d, a = np.abs(rng.standard_normal(n)) * 0.35, rng.standard_normal(n)
    x = np.asarray([b.normal.mean for b in BELIEFS]) + a[:, None] + d[:, None] * rng.standard_normal((n, 3))
    log = sum(log_binomial(x[:, k], c.happened, c.tried) for k, c in enumerate(COUNTS))
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    effective = 1 / np.square(weight).sum()
    p = expit(x)
    mean = weight @ p
    sd = np.sqrt(weight @ (p - mean) ** 2)
    drawn, spread = by_type(BELIEFS, COUNTS, 20_000, RNG(1))
    assert effective > 10_000
    assert drawn.mean(0) == pytest.approx(mean, abs=4 * sd.max() / 100)
    assert drawn.std(0) == pytest.approx(sd, rel=0.03)
    assert spread.mean() == pytest.approx(weight @ d, rel=0.03)


def test_the_evidence_of_a_type_is_the_integral():
    """Gauss-Hermite against a fine sum, for counts from none to many and spreads from narrow to wide."""
    z = np.linspace(-80, 80, 800_001)
    for y, n in ((0, 0), (0, 30), (5, 9), (900, 1_000), (1_000, 1_000)):
        for sd in (0.05, 0.5, 1.5):
            log = norm.logpdf(z) + log_binomial(-1 + sd * z, y, n)
            exact = log.max() + np.log(np.exp(log - log.max()).sum() * (z[1] - z[0]))
            assert float(log_evidence(-1.0, sd, y, n, 0.0)) == pytest.approx(exact, abs=2e-3)


def test_the_grid_of_levels_holds_the_posterior():
    spread, level, log = level_grid(
        np.asarray([b.normal.mean for b in BELIEFS]),
        1.0,
        *(np.asarray([getattr(c, k) for c in COUNTS]) for k in ("happened", "tried")),
        np.zeros(3),
    )
    weight = np.exp(log - log.max())
    assert weight[:, [0, -1]].sum() / weight.sum() < 1e-6
    assert level.shape == log.shape == (len(spread), 41)


def test_cost_does_not_grow_with_counts_and_many_types_shrink_to_each_other():
    beliefs = [Belief(None, Prior(-1.0, 1.0, "logit", ""))] * 8
    thin = [count(30 + k, 100) for k in range(7)] + [count(0, 0)]
    after, _ = by_type(beliefs, thin, 4_000, RNG(1))
    assert after[:, 7].mean() == pytest.approx(0.33, abs=0.03)  # known by the others
    assert after[:, 0].std() < after[:, 7].std() < np.sqrt(0.3 * 0.7 / 100)
    many, _ = by_type(beliefs, [count(c.happened * 1e4, c.tried * 1e4) for c in thin], 4_000, RNG(1))
    assert many[:, 0].mean() == pytest.approx(0.3, abs=0.002)
    assert prior_by_type(beliefs, 4_000, RNG(1)).std() > 0.15


# ---------------------------------------------------------------- results that come together


def test_the_design_effect_is_the_ratio_estimator():
    """Ten groups of ten with all or nothing: each group is worth one case."""
    happened, tried = np.asarray([10.0, 0.0] * 5), np.full(10, 10.0)
    groups = np.asarray([f"s{k}" for k in range(10)], dtype=object)
    assert design_effect(happened, tried, groups, None) == pytest.approx(10 * 10 / 9)
    assert design_effect(happened, tried, np.asarray(["a"] * 10, dtype=object), 3.0) == 1.0
    assert design_effect(happened, tried, np.full(10, "", dtype=object), 3.0) == 3.0
    assert design_effect(tried / 2, tried, groups, None) == 1.0


# ---------------------------------------------------------------- counts


def fit_counts(case, **columns):
    return events.fit(case, {"counts": table("counts", **columns)}, ABOUT, SAMPLING)


def test_counts_inform_any_share(case):
    fit = fit_counts(
        case,
        parameter=["steps.is_exception.options.1.share", "steps.exceptions.levels.1.resolves", "steps.late_check.chance"],
        environment=["", "production", ""],
        happened=[214, 61, 12],
        tried=[1_000, 80, 20],
    )
    assert set(fit.columns) == {
        "steps.is_exception.options.1.share",
        "steps.exceptions.levels.1.resolves@production",
        "steps.late_check.chance",
    }
    assert set(fit.prior) == set(fit.informed_by) == set(fit.columns)
    assert fit.columns["steps.is_exception.options.1.share"].mean() == pytest.approx(0.2137, abs=0.002)
    assert fit.columns["steps.exceptions.levels.1.resolves@production"].mean() == pytest.approx(0.76, abs=0.01)
    assert fit.passed
    assert len(fit.predictive) == 3
    assert np.corrcoef(fit.badness, fit.columns["steps.is_exception.options.1.share"])[0, 1] > 0.3
    assert np.corrcoef(fit.badness, fit.columns["steps.exceptions.levels.1.resolves@production"])[0, 1] < -0.3


def test_a_parallel_run_compares_escalation(case):
    """The pilot's support (0.5 on the logit) is taken out of what was counted there."""
    path = "steps.exceptions.levels.1.resolves"
    fit = fit_counts(case, parameter=[path, path], environment=["pilot", "production"], happened=[180, 140], tried=[200, 200])
    assert fit.columns[f"{path}@pilot"].mean() == pytest.approx(expit(logit(0.9) - 0.5), abs=0.02)
    gap = fit.reported[f"{path}: escalation rate, production minus pilot"]
    assert gap.mean() == pytest.approx(0.15, abs=0.03)
    assert fit.reported[f"{path}: escalation rate, production minus pilot, P(above 5%)"][0] > 0.95
    assert any("support, whose help is taken out" in n for n in fit.notes)


def test_shares_by_type_are_pooled_in_part(case):
    base = "steps.approve.levels.2.needed"
    fit = fit_counts(case, parameter=[f"{base}.types.non_po"], happened=[45], tried=[50])
    assert set(fit.columns) == {f"{base}.types.non_po", f"{base}.types.non_po_large"}
    assert f"{base}.types.non_po_large" not in fit.informed_by
    assert any("known by the other types" in n for n in fit.notes)
    assert f"{base}: spread of types (logit)" in fit.reported


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"parameter": ["steps.exceptions.levels.1.resolves"], "happened": [1], "tried": [2]}, "column environment"),
        ({"parameter": ["steps.send_to_ai.accuracy"], "happened": [1], "tried": [2]}, "files pilot and production"),
        ({"parameter": ["steps.nowhere.share"], "happened": [1], "tried": [2]}, "not a share of the case file"),
        ({"parameter": ["steps.late_check.chance"], "happened": [3], "tried": [2]}, "more happened than was tried"),
    ],
)
def test_counts_that_cannot_be_told_apart_are_refused(case, columns, words):
    with pytest.raises(UnusableEvidenceError, match=words):
        fit_counts(case, **columns)


def test_nothing_counted_is_no_sub_model_and_stopping_stops(case):
    from threading import Event

    assert events.fit(case, {}, ABOUT, SAMPLING) is None
    assert quality.fit(case, {}, ABOUT, SAMPLING) is None
    stopped = Event()
    stopped.set()
    rows = {"counts": table("counts", parameter=["steps.late_check.chance"], happened=[1], tried=[2])}
    with pytest.raises(StoppedError):
        events.fit(case, rows, ABOUT, SAMPLING, stopped)


# ---------------------------------------------------------------- data defects


def test_more_defects_on_busy_days_are_found_as_the_simulator_means_them(case):
    """60 days, logit 0.08 with a slope of 0.8 on the volume relative to the day's expected one."""
    from datetime import timedelta

    from models.process import day_factors

    rng = RNG(4)
    day = [k for k in range(90) if day_factors(case, range(k, k + 1))[0] > 0][:60]
    factor = np.asarray(day_factors(case, range(0, 150)))[day]
    relative = rng.normal(0, 0.3, 60)
    volume = np.rint(300 * factor * (1 + relative))
    with_defect = rng.binomial(volume.astype(int), expit(logit(0.08) + 0.8 * relative))
    dates = [(case.go_live + timedelta(days=int(d))).isoformat() for d in day]
    rows = table(
        "quality", step=["send_to_ai"] * 60, defect=["missing_fields"] * 60, environment=["production"] * 60,
        day=dates, volume=volume.tolist(), cases=volume.tolist(), with_defect=with_defect.tolist(),
    )  # fmt: skip
    fit = quality.fit(case, {"quality": rows}, ABOUT, SAMPLING)
    path = "steps.send_to_ai.quality.missing_fields"
    assert set(fit.columns) == {f"{path}.share@production", f"{path}.volume_slope"} == set(fit.prior)
    slope, part = fit.columns[f"{path}.volume_slope"], fit.columns[f"{path}.share@production"]
    assert abs(slope.mean() - 0.8) < 4 * slope.std()
    assert slope.std() < 0.2
    assert abs(part.mean() - 0.08) < 4 * part.std()
    assert 0.01 < fit.predictive[0].share_below < 0.99


def test_without_volumes_the_slope_stays_a_belief(case):
    rows = table("quality", defect=["legacy_format"], environment=["production"], cases=[500], with_defect=[27])
    fit = quality.fit(case, {"quality": rows}, ABOUT, SAMPLING)
    assert list(fit.columns) == ["steps.send_to_ai.quality.legacy_format.share@production"]
    belief = belief_of(case.steps[0].quality["legacy_format"].share.all, "production")
    a, b = belief.shapes
    draws = next(iter(fit.columns.values()))
    assert draws.mean() == pytest.approx((a + 27) / (a + b + 500), abs=4 * draws.std() / np.sqrt(4_000))
    assert "the slope stays a belief" in fit.notes[0]


def test_defects_that_do_not_fit_are_refused(case):
    more = table("quality", defect=["legacy_format"], environment=["production"], cases=[5], with_defect=[27])
    with pytest.raises(UnusableEvidenceError, match="more cases with the defect"):
        quality.fit(case, {"quality": more}, ABOUT, SAMPLING)
    nowhere = table("quality", defect=["legacy_format"], cases=[50], with_defect=[27])
    with pytest.raises(UnusableEvidenceError, match="column environment"):
        quality.fit(case, {"quality": nowhere}, ABOUT, SAMPLING)


# ---------------------------------------------------------------- readiness


def checks(**changes):
    columns = {
        "check": ["a", "b"],
        "cause": ["integration"] * 2,
        "passed": [1, 0],
        "passes_if_ready": [0.95, 0.9],
        "passes_if_not": [0.4, 0.3],
    }
    return {"readiness": table("readiness", **{**columns, **changes})}


def test_readiness_is_bayes_rule(case):
    """0.5 × 0.95 × 0.1 against 0.5 × 0.4 × 0.7."""
    fit = readiness.fit(case, checks(), {"integration": 0.5}, SAMPLING)
    expected = 0.5 * 0.095 / (0.5 * 0.095 + 0.5 * 0.28)
    assert fit.columns["conditions.integration.ready"].mean() == pytest.approx(expected, abs=1 / 4_000)
    assert set(np.unique(fit.columns["conditions.integration.ready"])) == {0.0, 1.0}
    assert fit.prior["conditions.integration.ready"].mean() == 0.5
    assert (fit.badness == -fit.columns["conditions.integration.ready"]).all()


def test_what_was_certain_stays_so(case):
    fit = readiness.fit(case, checks(), {}, SAMPLING)
    assert fit.columns["conditions.integration.ready"].sum() == 0
    assert "the checks change nothing" in fit.notes[0]
    assert readiness.fit(case, {}, {}, SAMPLING) is None


@pytest.mark.parametrize(
    ("changes", "before", "words"),
    [
        ({"passes_if_ready": [0.95, 1.2]}, 0.5, "chances from 0 to 1"),
        ({"passes_if_not": [0.4, None]}, 0.5, "needed for every check"),
        ({"passed": [1, None]}, 0.5, "without an outcome"),
        ({}, 1.5, "no chance from 0 to 1"),
        ({"passes_if_ready": [0.95, 1.0], "passes_if_not": [0.0, 0.3]}, 0.5, "impossible"),
    ],
)
def test_checks_that_cannot_be_are_refused(case, changes, before, words):
    with pytest.raises(UnusableEvidenceError, match=words):
        readiness.fit(case, checks(**changes), {"integration": before}, SAMPLING)


# ---------------------------------------------------------------- after go-live


def weekly(curve: np.ndarray, eligible: int, right: np.ndarray, checked: int, seed: int = 1):
    rng = RNG(seed)
    n = len(curve)
    columns = {"week": list(range(1, n + 1)), "eligible": [eligible] * n, "sent": rng.binomial(eligible, curve).tolist()}
    columns |= {"checked": [checked] * n, "right": rng.binomial(checked, right).tolist() if checked else [0] * n}
    return {"weekly": table("weekly", **columns)}


def test_before_weekly_figures_come_there_is_only_the_belief(case):
    fit = drift.fit(case, {}, SAMPLING)
    assert fit.informed_by == {}
    assert all("a belief only" in n for n in fit.notes)
    assert (fit.columns["steps.send_to_ai.adoption.start"] == 0.3).all()
    assert set(fit.columns) == set(fit.prior)


def test_adoption_is_learned_from_weeks(case):
    curve = weeks.adoption(np.asarray([0.2]), np.asarray([16.0]), 10)[0]
    fit = drift.fit(case, weekly(curve, 560, np.full(10, 0.9), 0), SAMPLING)
    start, ramp = fit.columns["steps.send_to_ai.adoption.start"], fit.columns["steps.send_to_ai.adoption.weeks"]
    assert abs(start.mean() - 0.2) < 4 * start.std()
    assert abs(ramp.mean() - 16) < 4 * ramp.std()
    assert start.std() < 0.03
    assert "steps.send_to_ai.drift.logit_drop" not in fit.informed_by
    assert 0.005 < fit.predictive[0].share_below < 0.995


def test_drift_is_learned_from_weeks_and_absent_without_it(case):
    level, n = expit(logit(0.92) - 0.45), 16
    lost = weeks.drift(np.asarray([1.2]), np.asarray([7.0]), np.asarray([1.0]), n)[0]
    dropped = drift.fit(case, weekly(np.full(n, 0.9), 500, expit(logit(level) - lost), 80), SAMPLING)
    steady = drift.fit(case, weekly(np.full(n, 0.9), 500, np.full(n, level), 80), SAMPLING)
    name = "steps.send_to_ai.drift.logit_drop"
    a, b = dropped.columns[name], steady.columns[name]
    assert abs(a.mean() - 1.2) < 4 * a.std()
    assert abs(b.mean()) < 3 * b.std()
    assert a.std() < 0.5 * dropped.prior[name].std()
    assert dropped.passed
    assert dropped.diagnostics[0].name == "effective draws of the drift"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"week": [0], "eligible": [5], "sent": [1]}, "weeks count from 1"),
        ({"week": [1], "eligible": [5], "sent": [6]}, "more sent than eligible"),
        ({"week": [1], "checked": [5], "right": [6]}, "more right than checked"),
    ],
)
def test_weekly_figures_that_cannot_be_are_refused(case, columns, words):
    with pytest.raises(UnusableEvidenceError, match=words):
        drift.fit(case, {"weekly": table("weekly", **columns)}, SAMPLING)
