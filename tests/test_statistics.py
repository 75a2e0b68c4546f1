"""Intervals and splits against worked examples, exact coverage, and properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from simulator.statistics import (
    Estimate,
    bonferroni_critical,
    effective_sample_size,
    mean_interval,
    normal_share_interval,
    paired_difference,
    paired_share_difference,
    quantile_interval,
    replications_needed,
    variance_split,
    wilson,
)

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: round(x, 3))
SAMPLES = st.lists(NUMBERS, min_size=2, max_size=40)


# Means and differences.


def test_the_t_interval_of_one_to_five() -> None:
    """s² = 2.5, t(.975, 4) = 2.776445: 3 ± 2.776445 √(2.5 / 5)."""
    found = mean_interval([1, 2, 3, 4, 5], 0.95)
    assert found.estimate == 3
    assert found.standard_error == pytest.approx(math.sqrt(0.5))
    assert found.high - 3 == pytest.approx(2.776445 * math.sqrt(0.5), rel=1e-6)
    assert found.half_width == pytest.approx(3 - found.low)


def test_the_t_interval_covers_as_often_as_it_says() -> None:
    """20,000 samples of 5: standard error of the coverage 0.2 %."""
    samples = np.random.default_rng(1).normal(size=(20_000, 5))
    covered = [found.low <= 0 <= found.high for found in map(mean_interval, samples)]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.008)


def test_a_paired_difference_worked_by_hand() -> None:
    """Differences 1, 1, 3, 3: mean 2, variance 4/3. Var a = 20/3, Var b = 8/3, so covariance 4 and gain 7."""
    a, b = [2, 4, 8, 6], [1, 3, 5, 3]
    found = paired_difference(a, b)
    assert found.difference.estimate == 2
    assert found.difference.standard_error == pytest.approx(math.sqrt(4 / 3 / 4))
    assert found.gain == pytest.approx(7)
    assert found.correlation == pytest.approx(4 / math.sqrt(20 / 3 * 8 / 3))


def test_the_gain_is_one_without_correlation_and_below_one_with_a_negative_one() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 100_000))
    assert paired_difference(a, b).gain == pytest.approx(1, abs=0.02)
    assert paired_difference(a, -a).gain == pytest.approx(0.5)
    assert paired_difference(a, a + 0.1 * b).gain == pytest.approx(201, rel=0.02)


def test_what_never_varies() -> None:
    found = paired_difference([1, 2, 3], [0, 1, 2])
    assert found.gain == math.inf
    assert (found.difference.low, found.difference.high) == (1, 1)
    assert math.isnan(paired_difference([1, 1], [1, 2]).correlation)


def test_replications_needed_are_enough_and_no_more() -> None:
    pilot = np.random.default_rng(3).normal(0, 0.8, 20)
    s = pilot.std(ddof=1)
    for half_width in (2.0, 0.5, 0.1, 0.02):
        n = replications_needed(pilot, half_width)
        assert stats.t.ppf(0.95, n - 1) * s / math.sqrt(n) <= half_width
        assert n == 2 or stats.t.ppf(0.95, n - 2) * s / math.sqrt(n - 1) > half_width
    assert replications_needed([1.0, 1.0, 1.0], 0.1) == 2


def test_critical_values_of_twenty_checks() -> None:
    """Verification plan, section 4: 5.21 at 20 replications, 4.56 at 40."""
    assert bonferroni_critical(0.001, 20, 19) == pytest.approx(5.21, abs=0.005)
    assert bonferroni_critical(0.001, 20, 39) == pytest.approx(4.56, abs=0.005)
    assert bonferroni_critical(0.05, 1, 1e9) == pytest.approx(1.959964, abs=1e-5)


# Shares.


def test_wilson_against_published_intervals() -> None:
    """Newcombe (1998), table I, method 3: 81/263, 15/148, 0/20, 1/29 at 95 %."""
    for successes, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(successes, n, 0.95)
        assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
        assert found.estimate == successes / n


def test_an_integer_is_a_count_and_a_float_a_share() -> None:
    assert wilson(3, 12) == wilson(0.25, 12)
    assert wilson(np.int64(1), 10) == wilson(0.1, 10)
    assert wilson(1.0, 10).estimate == 1
    with pytest.raises(ValueError, match="not between 0 and 1"):
        wilson(3.0, 12)
    with pytest.raises(ValueError, match="sample size"):
        wilson(0.5, 0)


def test_wilson_covers_as_often_as_it_says() -> None:
    """Exact, over all outcomes: 90 % on average over the shares .01 to .99, never below 80 %."""
    for n in (30, 200):
        found = [wilson(k, n) for k in range(n + 1)]
        low, high = (np.asarray([getattr(f, side) for f in found]) for side in ("low", "high"))
        shares = np.linspace(0.01, 0.99, 197)
        covered = [(stats.binom.pmf(np.arange(n + 1), n, p) * ((low <= p) & (p <= high))).sum() for p in shares]
        assert np.mean(covered) == pytest.approx(0.9, abs=0.01)
        assert min(covered) > 0.8


@for_all(st.floats(0, 1), st.floats(0.5, 1e6), st.floats(0.5, 0.999))
def test_wilson_properties(share: float, n: float, level: float) -> None:
    found, mirror = wilson(share, n, level), wilson(1 - share, n, level)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.standard_error > 0
    assert mirror.low == pytest.approx(1 - found.high, abs=1e-9)
    assert wilson(share, 2 * n, level).half_width < found.half_width


# Quantiles.


def pairs_of(both: int, first: int, second: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Two samples of yes and no with these counts of pairs."""
    cells = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    return [a for a, _ in cells], [b for _, b in cells]


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    [((36, 2, 12, 0), 0.0569, 0.3404), ((20, 2, 12, 16), 0.0562, 0.3292), ((0, 0, 30, 0), 0.8395, 1.0)],
)
def test_paired_shares_against_published_intervals(cells, low, high) -> None:
    """Newcombe (1998), method 10, at 95 %. The last one: Wilson's 30 of 30 from 88.65 %, joined: 1 - √(2 · 0.1135²)."""
    found = paired_share_difference(*pairs_of(*cells), level=0.95)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


@pytest.mark.parametrize("shares", [(0.4, 0.1, 0.3, 0.2), (0.2, 0.0, 0.1, 0.7), (0.45, 0.05, 0.05, 0.45), (0.1, 0.0, 0.3, 0.6)])
def test_paired_shares_cover_as_often_as_they_say(shares) -> None:
    """All results of 20 pairs, each with its probability."""
    n, covered = 20, 0.0
    for a in range(n + 1):
        for b in range(n + 1 - a):
            for c in range(n + 1 - a - b):
                counts = (a, b, c, n - a - b - c)
                probability = float(stats.multinomial.pmf(counts, n, shares))
                if probability > 1e-9:
                    found = paired_share_difference(*pairs_of(*counts))
                    covered += probability * (found.low - 1e-12 <= shares[2] - shares[1] <= found.high + 1e-12)
    assert covered >= 0.89


def test_paired_shares_that_agree_leave_room_and_pairs_must_fit() -> None:
    found = paired_share_difference([True] * 6, [True] * 6)
    assert found.low == -found.high < -0.2
    with pytest.raises(ValueError, match="one length"):
        paired_share_difference([True], [True, False])


def test_the_ranks_for_a_median_of_25() -> None:
    """Binomial(25, 1/2): P(B <= 7) = 2.2 %, so the 95 % interval runs from the 8th to the 18th value."""
    found = quantile_interval(np.arange(1, 26), 0.5, 0.95)
    assert (found.low, found.estimate, found.high) == (8, 13, 18)


def test_a_sample_too_small_for_a_bound() -> None:
    assert quantile_interval([1, 2, 3], 0.9, 0.9).high == math.inf
    assert quantile_interval([1, 2, 3], 0.1, 0.9).low == -math.inf


def test_open_cases_are_infinite_and_make_the_upper_bound_infinite() -> None:
    """10 of 100 cases are open: the 80 % quantile is known, the 95 % quantile is not."""
    days = np.append(np.arange(90.0), np.full(10, math.inf))
    assert quantile_interval(days, 0.8).high < math.inf
    assert quantile_interval(days, 0.95).estimate == math.inf
    with pytest.raises(ValueError, match="finite"):
        mean_interval(days)


def test_the_quantile_interval_covers_and_its_standard_error_is_right() -> None:
    """4,000 exponential samples of 50: coverage at least 90 % (discrete ranks), standard error within 10 %."""
    samples = np.random.default_rng(4).exponential(size=(4000, 50))
    found = [quantile_interval(sample, 0.8) for sample in samples]
    truth = -math.log(0.2)
    assert 0.89 < np.mean([f.low <= truth <= f.high for f in found]) < 0.96
    spread = np.std([f.estimate for f in found])
    assert np.mean([f.standard_error for f in found]) == pytest.approx(spread, rel=0.1)


@for_all(SAMPLES, st.floats(0.01, 0.99))
def test_quantile_properties(values: list[float], q: float) -> None:
    found = quantile_interval(values, q)
    assert found.low <= found.estimate <= found.high
    assert found.estimate == pytest.approx(float(np.quantile(values, q)), abs=1e-6)
    assert quantile_interval(values[::-1], q) == found


@for_all(SAMPLES, st.sampled_from([0.25, 2.0, 8.0]), NUMBERS)
def test_the_interval_of_a_mean_moves_with_the_values(values: list[float], scale: float, shift: float) -> None:
    before, after = mean_interval(values), mean_interval(np.asarray(values) * scale + shift)
    for side in ("estimate", "low", "high"):
        assert getattr(after, side) == pytest.approx(getattr(before, side) * scale + shift, rel=1e-6, abs=1e-3)


@for_all(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30))
def test_a_difference_turned_round_changes_its_sign(pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*pairs, strict=True)
    forth, back = paired_difference(a, b), paired_difference(b, a)
    assert forth.difference.low == pytest.approx(-back.difference.high, abs=1e-6)
    assert forth.gain == pytest.approx(back.gain)
    assert forth.difference.standard_error == pytest.approx(back.difference.standard_error)


# Effective sample sizes.


def test_independent_draws_count_fully() -> None:
    assert effective_sample_size([0, 1, 1, 0, 0]) == 5
    assert effective_sample_size([0, 1, 1, 0, 0], np.full(5, 0.3)) == pytest.approx(5)


def test_weights_reduce_the_size() -> None:
    """Two of four draws weigh nothing: 2 are left. Kish's size where the indicator never varies."""
    assert effective_sample_size([0, 1, 0, 1], [1, 1, 0, 0]) == pytest.approx(2)
    assert effective_sample_size([1, 1, 1, 1], [3, 1, 1, 1]) == pytest.approx(36 / 12)


def test_the_weighted_size_gives_the_standard_error_of_the_share() -> None:
    """Normal draws reweighted to a mean of 1/2: the share above 1 over 2,000 repetitions of 400 draws."""
    rng = np.random.default_rng(5)
    draws = rng.normal(size=(2000, 400))
    weights = np.exp(0.5 * draws)
    indicator = (draws > 1).astype(float)
    shares = (weights * indicator).sum(1) / weights.sum(1)
    sizes = [effective_sample_size(i, w) for i, w in zip(indicator, weights, strict=True)]
    assert np.std(shares) == pytest.approx(math.sqrt(shares.mean() * (1 - shares.mean()) / np.mean(sizes)), rel=0.06)


def test_the_size_of_autocorrelated_chains() -> None:
    """AR(1) with correlation r: n (1 - r) / (1 + r). Chains at different levels count almost nothing."""
    rng = np.random.default_rng(6)
    for r in (0.0, 0.5, 0.9):
        x = np.empty((4, 5000))
        x[:, 0] = rng.normal(size=4)
        for t in range(1, x.shape[1]):
            x[:, t] = r * x[:, t - 1] + math.sqrt(1 - r * r) * rng.normal(size=4)
        assert effective_sample_size(x, chains=True) == pytest.approx(20_000 * (1 - r) / (1 + r), rel=0.12)
    assert effective_sample_size(x + 10 * np.arange(4)[:, None], chains=True) < 20
    assert effective_sample_size(np.ones((2, 50)), chains=True) == 100


# Ignorance and chance.


def test_a_split_worked_by_hand() -> None:
    """Means 2 and 6, variance 2 within each: MSB = 16, MSW = 2, ignorance (16 - 2) / 2 = 7, chance 2, share 7/9."""
    found = variance_split([[1, 3], [5, 7]])
    assert (found.ignorance, found.chance, found.share.estimate) == (7, 2, pytest.approx(7 / 9))
    f0, p = 8, 0.95
    low, high = ((f0 / stats.f.ppf(q, 1, 2) - 1) / 2 for q in (p, 1 - p))
    found_low, found_high = normal_share_interval([[1, 3], [5, 7]])
    assert found_low == pytest.approx(max(0, low) / (1 + max(0, low)))
    assert found_high == pytest.approx(high / (1 + high))


def test_only_chance_only_ignorance_and_nothing() -> None:
    rng = np.random.default_rng(7)
    assert variance_split(np.repeat(rng.normal(size=(50, 1)), 3, axis=1)).share.estimate == 1
    assert variance_split([[0, 1], [1, 0], [0, 1]]).share == Estimate(0, 0, 0, 0)
    assert variance_split(np.ones((5, 2))).share.estimate == 0
    assert variance_split([[1, 3], [5, 7]]).best_replications() == 2
    assert variance_split([[0, 1], [1, 0]]).best_replications(20) == 20


def test_the_error_of_the_split_agrees_with_the_plan() -> None:
    """Decisions, section 2, 1,000 runs: RMSE of the ignorance .096 (sI = sS, n = 2) and .448 (sS = 3 sI, n = 2)."""
    rng = np.random.default_rng(8)
    for chance, n, rmse in ((1.0, 2, 0.096), (3.0, 2, 0.448), (3.0, 10, 0.262)):
        draws = 1000 // n
        y = rng.normal(size=(400, draws, 1)) + chance * rng.normal(size=(400, draws, n))
        errors = [variance_split(one, resamples=2).ignorance - 1 for one in y]
        assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(rmse, rel=0.12)


@pytest.mark.parametrize("skewed", [False, True])
def test_the_interval_of_the_share_covers(skewed: bool) -> None:
    """300 repetitions of 200 x 2 (true share 1/2): standard error of the coverage 1.7 %."""
    rng = np.random.default_rng(9)
    hits = []
    for _ in range(300):
        sample = rng.exponential if skewed else rng.normal
        draws, chance = sample(size=(200, 1)), sample(size=(200, 2))
        share = variance_split(draws + chance, resamples=400).share
        hits.append(share.low <= 0.5 <= share.high)
    assert 0.82 < np.mean(hits) < 0.96


@settings(max_examples=30, deadline=None)
@for_all(st.integers(0, 10_000), st.floats(0.1, 10), st.floats(-100, 100))
def test_the_share_has_no_unit(seed: int, scale: float, shift: float) -> None:
    y = np.random.default_rng(seed).normal(size=(6, 3)) + np.arange(6)[:, None]
    before, after = (variance_split(values, resamples=50).share for values in (y, y * scale + shift))
    assert after.estimate == pytest.approx(before.estimate, abs=1e-6)
    assert after.low == pytest.approx(before.low, abs=1e-6)
    assert 0 <= after.low <= after.high <= 1


# Refusals.


@pytest.mark.parametrize(
    "call",
    [
        lambda: mean_interval([1.0]),
        lambda: mean_interval([1.0, math.nan]),
        lambda: mean_interval([[1.0, 2.0]]),
        lambda: mean_interval([1, 2], 1.0),
        lambda: paired_difference([1, 2], [1, 2, 3]),
        lambda: replications_needed([1, 2], 0),
        lambda: quantile_interval([], 0.5),
        lambda: quantile_interval([1, 2], 1.0),
        lambda: effective_sample_size([1, 2], [1, -1]),
        lambda: effective_sample_size([[1, 2]], chains=True),
        lambda: variance_split([[1], [2]]),
    ],
)
def test_what_cannot_be_estimated_is_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ValueError, match=r"."):
        call()
