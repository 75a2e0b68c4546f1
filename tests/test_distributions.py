"""Distributions: moments and quantiles against scipy.stats and integration, the tables engines read, refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from simulator.checks import WorkflowError
from simulator.distributions import (
    Column,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Kind,
    Kinked,
    Lognormal,
    Lowered,
    Mixture,
    Pert,
    Triangular,
    Uniform,
    Weibull,
    octave_nodes,
)
from simulator.program import Program, lower
from simulator.quantiles import quantile_of
from simulator.workflow import Delay, End, Workflow

HOUR = 3_600.0
LEVELS = np.asarray([1e-6, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 - 1e-6])


@dataclass(frozen=True)
class Family:
    """One distribution of ours and the same one in scipy."""

    name: str
    ours: Distribution
    scipy: Any

    def __repr__(self) -> str:
        return self.name


FAMILIES = [
    Family("exponential", Exponential(2 * HOUR), stats.expon(scale=2 * HOUR)),
    Family("lognormal", Lognormal(8.0, 0.5), stats.lognorm(0.5, scale=np.exp(8.0))),
    Family("heavy lognormal", Lognormal(8.0, 1.2), stats.lognorm(1.2, scale=np.exp(8.0))),
    Family("gamma 0.5", Gamma(0.5, HOUR), stats.gamma(0.5, scale=HOUR)),
    Family("gamma 3", Gamma(3.0, HOUR), stats.gamma(3.0, scale=HOUR)),
    Family("weibull 0.8", Weibull(0.8, HOUR), stats.weibull_min(0.8, scale=HOUR)),
    Family("weibull 2", Weibull(2.0, HOUR), stats.weibull_min(2.0, scale=HOUR)),
    Family("uniform", Uniform(HOUR, 3 * HOUR), stats.uniform(HOUR, 2 * HOUR)),
    Family("triangular", Triangular(0.0, HOUR, 5 * HOUR), stats.triang(0.2, scale=5 * HOUR)),
    Family("triangular, mode low", Triangular(HOUR, HOUR, 2 * HOUR), stats.triang(0.0, HOUR, HOUR)),
    Family("triangular, mode high", Triangular(HOUR, 2 * HOUR, 2 * HOUR), stats.triang(1.0, HOUR, HOUR)),
    Family("pert", Pert(HOUR, 2 * HOUR, 9 * HOUR), stats.beta(1.5, 4.5, HOUR, 8 * HOUR)),
]
CLOSED_FORMS = [f for f in FAMILIES if f.ours.lowered().kind is not Kind.TABLE]
BY_NAME = {f.name: f for f in FAMILIES}


def program_of(distribution: Distribution) -> Program:
    return lower(Workflow(("case",), (Delay("wait", distribution, "end"), End("end")), ()), 0, 10)


def scalar(distribution: Distribution, draw: int = 0) -> Callable[[float], float]:
    """The quantile function that the SimPy engine uses."""
    program = program_of(distribution)
    return quantile_of(program, 0, program.slots[draw].tolist())


def number(column: Column) -> float:
    assert np.ndim(column) == 0
    return float(column)


def integrated(distribution: Distribution) -> tuple[float, float]:
    """Mean and variance as integrals of the quantile function over (0, 1)."""

    def moment(order: int) -> float:
        def power(u: float) -> float:
            return float(distribution.quantile([u])[0]) ** order

        return float(integrate.quad(power, 0, 0.5, limit=400)[0] + integrate.quad(power, 0.5, 1, limit=400)[0])

    first = moment(1)
    return first, moment(2) - first**2


def of_table(lowered: Lowered) -> tuple[float, float, float]:
    """Mean, standard deviation and 99 % quantile of a table that is linear between nodes and flat beyond them."""
    assert lowered.nodes_u is not None
    assert lowered.nodes_x is not None
    u = np.concatenate([[0.0], lowered.nodes_u, [1.0]])
    x = np.concatenate([lowered.nodes_x[:1], lowered.nodes_x, lowered.nodes_x[-1:]])
    width, a, b = np.diff(u), x[:-1], x[1:]
    mean = float((width * (a + b) / 2).sum())
    square = float((width * (a * a + a * b + b * b) / 3).sum())
    return mean, (square - mean**2) ** 0.5, float(np.interp(0.99, u, x))


# Moments and quantiles


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_mean_and_variance_are_those_of_scipy(family: Family) -> None:
    assert number(family.ours.mean()) == pytest.approx(family.scipy.mean(), rel=1e-12)
    assert number(family.ours.variance()) == pytest.approx(family.scipy.var(), rel=1e-9)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_quantiles_are_those_of_scipy(family: Family) -> None:
    assert family.ours.quantile(LEVELS) == pytest.approx(family.scipy.ppf(LEVELS), rel=1e-9)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_the_integral_of_the_quantile_function_is_the_mean(family: Family) -> None:
    mean, variance = integrated(family.ours)
    assert mean == pytest.approx(number(family.ours.mean()), rel=1e-6)
    assert variance == pytest.approx(number(family.ours.variance()), rel=1e-3)


def test_a_constant_has_no_variance() -> None:
    five = Constant(5.0)
    assert (five.mean(), five.variance()) == (5.0, 0.0)
    assert five.quantile([0.01, 0.99]).tolist() == [5.0, 5.0]


def test_a_lognormal_from_median_and_90_percent_quantile_has_both() -> None:
    days = Lognormal.from_median_p90(2.0, 6.0)
    assert days.quantile([0.5, 0.9]) == pytest.approx([2.0, 6.0], rel=1e-12)


def test_a_lognormal_from_mean_and_variation_has_both() -> None:
    days = Lognormal.from_mean_cv(3.0, 0.8)
    assert number(days.mean()) == pytest.approx(3.0, rel=1e-12)
    assert number(days.variance()) ** 0.5 / 3.0 == pytest.approx(0.8, rel=1e-12)


def test_an_empirical_distribution_is_linear_between_its_nodes() -> None:
    hours = Empirical.of([(0.0, 1.0), (0.5, 2.0), (1.0, 6.0)])
    assert hours.quantile([0.25, 0.5, 0.75]).tolist() == [1.5, 2.0, 4.0]
    assert number(hours.mean()) == 0.5 * 1.5 + 0.5 * 4.0 == 2.75
    assert integrated(hours) == pytest.approx((2.75, number(hours.variance())), rel=1e-9)


def test_an_empirical_jump_counts_as_passed_at_its_probability() -> None:
    """60 % of the cases take 1, the others 10: nothing in between."""
    hours = Empirical.of([(0.0, 1.0), (0.6, 1.0), (0.6, 10.0), (1.0, 10.0)])
    levels = [0.3, np.nextafter(0.6, 0), 0.6, 0.9]
    assert hours.quantile(levels).tolist() == [1.0, 1.0, 10.0, 10.0]
    assert [scalar(hours)(u) for u in levels] == [1.0, 1.0, 10.0, 10.0]
    assert number(hours.mean()) == pytest.approx(0.6 * 1 + 0.4 * 10)
    assert number(hours.variance()) == pytest.approx(0.6 * 0.4 * 9**2)


def test_an_empirical_distribution_keeps_exactly_its_own_nodes() -> None:
    lowered = Empirical.of([(0.0, 3.0), (0.6, 3.0), (0.6, 8.0), (1.0, 9.0)]).lowered()
    assert lowered.nodes_u is not None
    assert lowered.nodes_x is not None
    assert (lowered.nodes_u.tolist(), lowered.nodes_x.tolist()) == ([0.0, 0.6, 0.6, 1.0], [3.0, 3.0, 8.0, 9.0])


def test_a_mixture_has_the_moments_of_its_parts() -> None:
    mixture = Mixture((0.7, 0.3), (Exponential(2.0), Lognormal(1.0, 0.5)))
    first = 0.7 * 2.0 + 0.3 * np.exp(1.125)
    second = 0.7 * 8.0 + 0.3 * np.exp(2 * 1.0 + 2 * 0.25)
    assert number(mixture.mean()) == pytest.approx(first, rel=1e-12)
    assert number(mixture.variance()) == pytest.approx(second - first**2, rel=1e-12)


def test_quantiles_of_a_mixture_invert_its_distribution_function() -> None:
    """To two thousandths in probability in the body, a twentieth of that in the last per cent."""
    mixture = Mixture((0.7, 0.3), (Exponential(2.0), Lognormal(1.0, 0.5)))

    def error(u: NDArray[np.float64]) -> float:
        x = mixture.quantile(u)
        cdf = 0.7 * stats.expon(scale=2).cdf(x) + 0.3 * stats.lognorm(0.5, scale=np.e).cdf(x)
        return float(np.abs(cdf - u).max())

    assert error(np.linspace(0.01, 0.99, 99)) < 2e-3
    assert error(np.linspace(0.99, 0.9999, 100)) < 1e-4


def test_a_mixture_of_separate_parts_jumps_within_one_cell() -> None:
    mixture = Mixture((0.25, 0.75), (Constant(1.0), Constant(9.0)))
    assert mixture.quantile([0.1, 0.24, 0.26, 0.9]).tolist() == [1.0, 1.0, 9.0, 9.0]


# A kink: the reminder


def test_a_reminder_halves_what_remains_after_it() -> None:
    hours = Kinked(Constant(10.0), after=4.0, multiplier=0.5)
    assert hours.quantile([0.5]).tolist() == [4.0 + 6.0 * 0.5]
    assert Kinked(Constant(4.0), 4.0, 0.5).quantile([0.5]).tolist() == [4.0]
    assert Kinked(Constant(3.0), 4.0, 0.5).quantile([0.5]).tolist() == [3.0]


def test_a_reminder_after_an_exponential_wait_keeps_what_happened_before_it() -> None:
    """Mean m, remaining time memoryless: E = m - m exp(-a/m) (1 - k)."""
    wait, after, multiplier = 8.0, 6.0, 0.25
    kinked = Kinked(Exponential(wait), after, multiplier)
    expected = wait - wait * np.exp(-after / wait) * (1 - multiplier)
    assert number(kinked.mean()) == pytest.approx(expected, rel=1e-4)
    assert integrated(kinked) == pytest.approx((expected, number(kinked.variance())), rel=1e-3)
    before = np.asarray([0.01, 0.3, 0.5])
    assert kinked.quantile(before).tolist() == Exponential(wait).quantile(before).tolist()


def test_a_reminder_that_ends_the_wait_cuts_every_longer_one() -> None:
    assert Kinked(Exponential(8.0), 6.0, 0.0).quantile([0.1, 0.9, 0.999]).max() == 6.0


@pytest.mark.parametrize("base", [Exponential(8.0), Gamma(0.5, 8.0), Empirical.of([(0.0, 0.0), (1.0, 20.0)])])
def test_the_engine_reads_a_kink_exactly_as_the_distribution_says(base: Distribution) -> None:
    kinked = Kinked(base, 6.0, 0.25)
    quantile = scalar(kinked)
    levels = [0.05, 0.3, 0.5, 0.7, 0.95]
    assert [quantile(u) for u in levels] == pytest.approx(kinked.quantile(levels).tolist(), rel=1e-3)
    assert quantile(0.95) < scalar(base)(0.95)


def test_the_engine_reads_a_kink_of_an_exponential_wait() -> None:
    """The median wait of 5.55 stays, the 90 % quantile of 18.42 becomes 6 + 12.42 / 4."""
    quantile = scalar(Kinked(Exponential(8.0), 6.0, 0.25))
    assert quantile(0.5) == pytest.approx(8 * np.log(2))
    assert quantile(0.9) == pytest.approx(6 + (8 * np.log(10) - 6) / 4)


# What the engines read


@pytest.mark.parametrize("family", CLOSED_FORMS, ids=repr)
@given(u=st.floats(0.001, 0.999))
@settings(max_examples=40, deadline=None)
def test_scalar_and_vector_quantiles_agree_to_12_digits(family: Family, u: float) -> None:
    assert scalar(family.ours)(u) == pytest.approx(float(family.ours.quantile([u])[0]), rel=1e-12)


@pytest.mark.parametrize("family", CLOSED_FORMS, ids=repr)
@pytest.mark.parametrize("u", [2.0**-53, 1e-9, 1e-5, 1 - 1e-5, 1 - 1e-9, 1 - 2.0**-53])
def test_scalar_and_vector_quantiles_agree_far_in_the_tails(family: Family, u: float) -> None:
    """To 12 digits of the value or of the mean: log(1 - u) cannot resolve more near 0, and seconds are whole."""
    expected = float(family.ours.quantile([u])[0])
    assert scalar(family.ours)(u) == pytest.approx(expected, rel=1e-9, abs=1e-9 * number(family.ours.mean()))


@pytest.mark.parametrize("name", ["gamma 0.5", "gamma 3", "pert"])
def test_table_families_reach_the_engine_within_a_ten_thousandth(name: str) -> None:
    family = BY_NAME[name]
    quantile, levels = scalar(family.ours), np.linspace(0.001, 0.999, 997)
    ours = np.asarray([quantile(float(u)) for u in levels])
    assert np.abs(ours / family.scipy.ppf(levels) - 1).max() < 1e-3
    assert np.abs(ours / family.scipy.ppf(levels) - 1).mean() < 1e-4


DEMANDED = {"mean": 0.0002, "sd": 0.001, "p99": 0.0002}


def shortfall(distribution: Distribution, exact: Any) -> dict[str, float]:
    """By how many times the demanded accuracy a lowered table is wrong (at most 1 is fine)."""
    mean, sd, p99 = of_table(distribution.lowered())
    errors = {"mean": mean / exact.mean() - 1, "sd": sd / exact.std() - 1, "p99": p99 / exact.ppf(0.99) - 1}
    return {name: abs(error) / DEMANDED[name] for name, error in errors.items()}


def test_the_table_of_gamma_one_half_is_as_exact_as_demanded() -> None:
    worst = shortfall(Gamma(0.5, HOUR), stats.gamma(0.5, scale=HOUR))
    assert max(worst.values()) <= 1, worst


def test_the_table_of_a_lognormal_with_sigma_1_2_is_as_exact_as_demanded() -> None:
    worst = shortfall(Mixture((1.0,), (Lognormal(8.0, 1.2),)), stats.lognorm(1.2, scale=np.exp(8.0)))
    assert max(worst.values()) <= 1, worst


def test_the_table_of_two_mixed_heavy_lognormals_is_as_exact_as_demanded() -> None:
    parts = Lognormal(0.0, 1.2), Lognormal(1.0, 1.2)
    mixture = Mixture((0.6, 0.4), parts)
    mean, sd, p99 = of_table(mixture.lowered())
    cdf = 0.6 * stats.lognorm(1.2).cdf(p99) + 0.4 * stats.lognorm(1.2, scale=np.e).cdf(p99)
    assert mean == pytest.approx(number(mixture.mean()), rel=DEMANDED["mean"])
    assert sd == pytest.approx(number(mixture.variance()) ** 0.5, rel=DEMANDED["sd"])
    assert 1 - cdf == pytest.approx(0.01, rel=1e-3)


def test_octave_nodes_are_dense_towards_both_ends_and_symmetric() -> None:
    nodes = octave_nodes()
    assert len(nodes) == 2 * 24 * 32 + 1
    assert nodes[0] == 2.0**-25
    assert nodes[-1] == 1 - 2.0**-25
    assert (np.diff(nodes) > 0).all()
    assert nodes + nodes[::-1] == pytest.approx(np.ones(len(nodes)), abs=1e-15)
    assert np.searchsorted(nodes, 0.99) < len(nodes) - 500  # a third of the nodes describe the last per cent


# Columns: one number per draw

COLUMN = np.asarray([1.0, 2.0, 4.0])
WIDE: list[tuple[str, Callable[[Any], Distribution]]] = [
    ("constant", Constant),
    ("exponential", Exponential),
    ("lognormal", lambda c: Lognormal(c, 0.5)),
    ("lognormal sigma", lambda c: Lognormal(1.0, c / 4)),
    ("gamma", lambda c: Gamma(c, 2.0)),
    ("weibull", lambda c: Weibull(c, 2.0)),
    ("uniform", lambda c: Uniform(0.0, c)),
    ("triangular", lambda c: Triangular(0.0, c, 5.0)),
    ("pert", lambda c: Pert(0.0, c, 5.0)),
    ("mixture", lambda c: Mixture((0.5, 0.5), (Exponential(c), Exponential(3.0)))),
    ("kinked", lambda c: Kinked(Exponential(3.0), c, 0.5)),
    ("kinked base", lambda c: Kinked(Exponential(c), 2.0, 0.5)),
]


@pytest.mark.parametrize(("name", "make"), WIDE, ids=[name for name, _ in WIDE])
def test_a_column_gives_each_draw_what_a_single_number_gives(name: str, make: Callable[[Any], Distribution]) -> None:
    wide, levels = make(COLUMN), [0.1, 0.5, 0.9]
    quantiles, mean, variance = wide.quantile(levels), np.asarray(wide.mean()), np.asarray(wide.variance())
    assert quantiles.shape == (3, 3)
    program = program_of(wide)
    assert program.draws == 3
    for draw, value in enumerate(COLUMN):
        single = make(float(value))
        assert single.quantile(levels).shape == (3,)
        assert quantiles[draw] == pytest.approx(single.quantile(levels), rel=1e-12)
        assert mean[draw] == pytest.approx(number(single.mean()), rel=1e-12)
        assert np.broadcast_to(variance, 3)[draw] == pytest.approx(number(single.variance()), rel=1e-12)
        row = program.slots[draw].tolist()
        assert quantile_of(program, 0, row)(0.9) == scalar(single)(0.9)


def test_an_empirical_distribution_may_have_values_per_draw() -> None:
    values: NDArray[np.float64] = np.asarray([[0.0, 10.0], [0.0, 20.0]])
    wide = Empirical((0.0, 1.0), values)
    assert wide.quantile([0.5, 0.75]).tolist() == [[5.0, 7.5], [10.0, 15.0]]
    assert np.asarray(wide.mean()).tolist() == [5.0, 10.0]
    assert scalar(wide, draw=1)(0.75) == 15.0


def test_columns_with_different_numbers_of_draws_are_refused_by_name() -> None:
    steps = (Delay("first", Exponential(np.ones(3)), "second"), Delay("second", Exponential(np.ones(2)), "end"))
    with pytest.raises(ValueError, match=r"columns differ in their number of draws: second\[0\]"):
        lower(Workflow(("case",), (*steps, End("end")), ()), 0, 10)


# Refusals


@pytest.mark.parametrize(
    "nodes",
    [
        [(0.0, 1.0)],
        [(0.1, 1.0), (1.0, 2.0)],
        [(0.0, 1.0), (0.9, 2.0)],
        [(0.0, 1.0), (0.6, 2.0), (0.5, 3.0), (1.0, 4.0)],
    ],
    ids=["one node", "starts late", "ends early", "goes back"],
)
def test_empirical_probabilities_must_rise_from_0_to_1(nodes: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="needs probabilities rising from 0 to 1, one value each"):
        Empirical.of(nodes)


def test_empirical_values_must_not_fall() -> None:
    with pytest.raises(ValueError, match="the values of an empirical distribution must not fall"):
        Empirical.of([(0.0, 2.0), (1.0, 1.0)])


@pytest.mark.parametrize("weights", [(0.5, 0.6), (1.0,), (1.5, -0.5)])
def test_mixture_weights_add_up_to_1(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="weights of a mixture are one per part, not negative, and add up to 1"):
        Mixture(weights, (Constant(1.0), Constant(2.0)))


def test_a_second_kink_is_refused() -> None:
    with pytest.raises(ValueError, match="at most one kink"):
        lower(Workflow(("a",), (Delay("w", Kinked(Kinked(Constant(1.0), 1, 1), 1, 1), "e"), End("e")), ()), 0, 10)


@pytest.mark.parametrize(
    "distribution",
    [Constant(-1.0), Uniform(-1.0, 5.0), Triangular(-1.0, 2.0, 5.0), Empirical.of([(0.0, -1.0), (1.0, 5.0)])],
    ids=["constant", "uniform", "triangular", "empirical"],
)
def test_a_duration_that_can_be_negative_is_refused_with_its_step(distribution: Distribution) -> None:
    with pytest.raises(WorkflowError, match=r"steps\.wait: can be negative"):
        program_of(distribution)


def test_one_negative_draw_among_many_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"steps\.wait: can be negative"):
        program_of(Constant(np.asarray([3.0, -1.0, 2.0])))


def test_a_kink_that_makes_long_waits_negative_is_refused() -> None:
    """8 hours on average, but everything beyond 6 runs backwards: 20 hours become 6 - 3 x 14 = -36."""
    with pytest.raises(WorkflowError, match=r"steps\.wait"):
        program_of(Kinked(Exponential(8.0), 6.0, -3.0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_with_their_place(value: float) -> None:
    with pytest.raises(WorkflowError, match=r"steps\.wait: holds a number that is not finite"):
        program_of(Constant(value))


def test_a_draw_of_a_pert_without_width_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match="low must lie below high"):
        program_of(Pert(5.0, 5.0, np.asarray([9.0, 5.0])))
