"""Stopping at a precision: what a look says, that it never claims more than the effective draws give, and how often it covers."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.statistics import mean_interval, t_quantile, wilson
from simulator.stopping import GROWTH, MEAN_MINIMUM, SHARE_MINIMUM, Look, MeanRule, Rule, ShareRule, t_interval

# -- one look


def test_a_share_is_precise_when_wilsons_interval_is():
    """130 of 200 at 90 %: half-width 0.0553."""
    half = wilson(130, 200).half_width

    assert ShareRule(half + 1e-9).look(130, 200).reached
    assert not ShareRule(half - 1e-9).look(130, 200).reached
    assert ShareRule(half + 1e-9).look(130, 200).estimate == wilson(130, 200)


def test_no_success_at_all_does_not_stop_before_the_minimum():
    look = ShareRule(0.05).look(0, SHARE_MINIMUM - 1)

    assert look.half_width < 0.05
    assert not look.reached
    assert look.next_look == math.ceil(GROWTH * (SHARE_MINIMUM - 1))


def test_a_mean_is_precise_when_its_t_interval_is():
    values = np.arange(120) % 7
    estimate = mean_interval(values)

    assert MeanRule(estimate.half_width + 1e-9).look(values).reached
    assert not MeanRule(estimate.half_width - 1e-9).look(values).reached
    found = MeanRule(1.0).look(values).estimate
    assert (found.low, found.high) == (pytest.approx(estimate.low), pytest.approx(estimate.high))


def test_the_next_look_is_where_the_spread_so_far_calls_for():
    """z² p (1 - p) / h² = 1.645² × 0.25 / 0.03² = 751.5 draws."""
    assert ShareRule(0.03).look(100, 200).next_look == 752
    assert ShareRule(0.03, at_most=500).look(100, 200).next_look == 500
    assert ShareRule(0.03, at_most=500).look(250, 500) == Look(500, 500.0, wilson(250, 500), False, None)


def test_values_that_never_differ_are_precise_at_the_minimum():
    look = MeanRule(0.25).look([0.0] * MEAN_MINIMUM)

    assert look.reached
    assert look.half_width == 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: ShareRule(0.0),
        lambda: ShareRule(math.nan),
        lambda: ShareRule(0.05, effective_share=0.0),
        lambda: ShareRule(0.05, effective_share=1.01),
        lambda: ShareRule(0.05, at_most=199),
        lambda: ShareRule(0.05, at_most=1_000, effective_share=0.1),
        lambda: MeanRule(1.0, level=1.0),
        lambda: MeanRule(1.0).look([1.0]),
        lambda: MeanRule(1.0).look([1.0, math.inf]),
        lambda: ShareRule(0.05).look(3, 2),
    ],
)
def test_what_makes_no_sense_is_refused(make: Callable[[], object]):
    with pytest.raises(ValueError, match=r"must|too few|needs|no share"):
        make()


# -- draws that carry less than their number


def test_draws_of_half_the_worth_need_twice_as_many():
    rule, half = ShareRule(0.05, effective_share=0.5), ShareRule(0.05)

    assert rule.first_look == 2 * half.first_look
    assert rule.look(270, 540).estimate == half.look(135, 270).estimate
    assert rule.look(200, 400).next_look == pytest.approx(2 * (half.look(100, 200).next_look or 0), abs=1)


@given(st.integers(2, 3_000), st.floats(0, 1), st.floats(0.02, 1), st.floats(0.001, 0.4))
def test_a_share_never_claims_more_than_its_effective_draws_give(draws, part, worth, half_width):
    rule = ShareRule(half_width, at_most=100_000, effective_share=worth)
    successes = round(part * draws)
    look = rule.look(successes, draws)

    assert look.effective == worth * draws <= draws
    assert look.half_width >= wilson(successes, draws).half_width - 1e-12
    assert look.half_width == pytest.approx(wilson(successes / draws, worth * draws).half_width)
    if look.reached:
        assert look.effective >= SHARE_MINIMUM - 1e-6
        assert look.half_width <= half_width
    else:
        assert look.next_look is not None
        assert look.next_look >= min(rule.first_look, 100_000)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=400), st.floats(0.02, 1), st.floats(0.001, 1e6))
def test_a_mean_never_claims_more_than_its_effective_draws_give(values, worth, half_width):
    look = MeanRule(half_width, at_most=100_000, effective_share=worth).look(values)
    n = worth * len(values)

    assert look.half_width >= mean_interval(values).half_width - 1e-9 * max(1.0, look.half_width)
    if n > 1:
        exact = t_quantile(0.95, n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
        assert look.half_width == pytest.approx(exact, rel=1e-6, abs=1e-6)
    if look.reached:
        assert look.effective >= MEAN_MINIMUM - 1e-6
        assert look.half_width <= half_width


def test_one_effective_draw_says_nothing_of_a_spread():
    assert t_interval(3.0, 1.0, 1.0).half_width == math.inf


# -- how often the interval at the stop covers the truth; pytest -m slow -rP tests/test_stopping.py prints the figures

REPETITIONS = 3_000
LOSS = 0.015
"""What sequential stopping on relative half-widths was measured to lose on lognormal values: 0.935 of a nominal 0.95."""
TOLERANCE = LOSS + 3 * math.sqrt(0.9 * 0.1 / REPETITIONS)
"""A nominal 90 % may be measured this much lower: the known loss and three binomial standard errors of the measurement (0.031)."""


def stopped(rule: Rule, look: Callable[[int], Look]) -> Look:
    """Looks until the rule stops."""
    at: int | None = rule.first_look
    while at is not None:
        seen = look(at)
        at = seen.next_look
    return seen


def coverage(rule: Rule, looks: Callable[[np.random.Generator], Callable[[int], Look]], truth: float) -> tuple[float, float]:
    """Share of repetitions whose interval holds the truth, and the mean number of draws."""
    source, held, draws = np.random.default_rng(11), 0, 0
    for _ in range(REPETITIONS):
        end = stopped(rule, looks(source))
        assert end.reached
        held += end.estimate.low <= truth <= end.estimate.high
        draws += end.draws
    return held / REPETITIONS, draws / REPETITIONS


@pytest.mark.slow
@pytest.mark.parametrize("half_width", [0.05, 0.02])
@pytest.mark.parametrize("truth", [0.05, 0.2, 0.5, 0.8, 0.95])
def test_the_interval_of_a_share_at_the_stop_covers(truth, half_width):
    rule = ShareRule(half_width, at_most=4_000)

    def looks(source: np.random.Generator) -> Callable[[int], Look]:
        successes = np.cumsum(source.random(4_000) < truth)
        return lambda n: rule.look(int(successes[n - 1]), n)

    found, draws = coverage(rule, looks, truth)
    sys.stdout.write(f"share {truth} ± {half_width}: {found:.3f} from {draws:.0f} draws\n")

    assert found >= 0.9 - TOLERANCE


def lognormal(source: np.random.Generator, sigma: float, size: int) -> np.ndarray:
    """With mean 1."""
    return np.exp(sigma * source.standard_normal(size) - sigma * sigma / 2)


def mild(source: np.random.Generator, size: int) -> np.ndarray:
    """B − A where both are lognormal with the same luck: a common factor and one of its own."""
    common = lognormal(source, 0.5, size)
    return 9.0 * common * lognormal(source, 0.2, size) - 8.0 * common


def skewed(source: np.random.Generator, size: int) -> np.ndarray:
    """A change that is itself lognormal, cv 0.8, skewness 2.9."""
    return lognormal(source, math.sqrt(math.log(1 + 0.8**2)), size)


@pytest.mark.slow
@pytest.mark.parametrize("needed", [40, 150, 600])
@pytest.mark.parametrize("differences", [mild, skewed])
def test_the_interval_of_a_paired_difference_at_the_stop_covers(differences, needed):
    """`needed`: draws that would be enough if the spread were known; 40 is below the minimum."""
    spread = differences(np.random.default_rng(5), 1_000_000).std()
    rule = MeanRule(1.645 * spread / math.sqrt(needed), at_most=8_000)

    def looks(source: np.random.Generator) -> Callable[[int], Look]:
        values = differences(source, 8_000)
        return lambda n: rule.look(values[:n])

    found, draws = coverage(rule, looks, 1.0)
    sys.stdout.write(f"{differences.__name__}, {needed} needed: {found:.3f} from {draws:.0f} draws\n")

    assert found >= 0.9 - TOLERANCE


@pytest.mark.slow
def test_the_interval_covers_when_draws_are_worth_half():
    """Chains with autocorrelation 1/3: n_eff = n (1 − ρ) / (1 + ρ) = n / 2."""
    rule = MeanRule(0.1, at_most=8_000, effective_share=0.5)

    def looks(source: np.random.Generator) -> Callable[[int], Look]:
        steps, values = source.standard_normal(2_500), np.empty(2_500)
        values[0] = steps[0]
        for i in range(1, len(values)):
            values[i] = values[i - 1] / 3 + math.sqrt(8 / 9) * steps[i]
        return lambda n: rule.look(values[:n])

    found, _ = coverage(rule, looks, 0.0)

    assert found >= 0.9 - TOLERANCE
