"""What people say as distributions: the worked numbers of the method, and properties for everything that can be said."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from models import elicitation as e
from models.schema import Accuracy, Duration, Number, Share
from models.uncertainty import belief_of

Z = NormalDist().inv_cdf


def test_a_share_becomes_a_beta():
    """5 %, 10 %, 20 % at mass 0.9: worth 46.8 cases."""
    a, b = e.beta_shapes(0.05, 0.10, 0.20)
    assert (a, b) == (pytest.approx(5.48, abs=0.005), pytest.approx(41.31, abs=0.005))
    assert a + b == pytest.approx(46.8, abs=0.05)
    assert a / (a + b) == pytest.approx(0.117, abs=5e-4)
    assert e.beta_quantile([0.05, 0.5, 0.95], a, b) == pytest.approx([0.051, 0.112, 0.202], abs=5e-4)


def test_a_share_with_absolute_limits_becomes_a_pert():
    u = np.linspace(0.01, 0.99, 9)
    assert e.pert_quantile(u, 0.05, 0.10, 0.20) == pytest.approx(0.05 + 0.15 * stats.beta(2.3333333, 3.6666667).ppf(u), abs=1e-7)
    assert e.pert_quantile([0.0, 1.0], 0.05, 0.10, 0.20) == pytest.approx([0.05, 0.20])


def test_a_duration_becomes_a_lognormal():
    """1, 2, 10 days: mode 2, mass 0.9 between 1 and 10."""
    mu, sigma = e.lognormal_parameters(1, 2, 10)
    assert (mu, sigma) == (pytest.approx(1.182, abs=5e-4), pytest.approx(0.699, abs=5e-4))
    assert e.lognormal_quantile([0.05, 0.5, 0.95], mu, sigma) == pytest.approx([1.03, 3.26, 10.30], abs=0.005)


def test_an_accuracy_becomes_normal_on_the_logit_scale():
    mu, sigma = e.logit_normal_parameters(0.85, 0.92, 0.96)
    assert (mu, sigma) == (pytest.approx(2.442, abs=5e-4), pytest.approx(0.439, abs=5e-4))
    assert e.logit_normal_quantile([0.05, 0.5, 0.95], mu, sigma) == pytest.approx([0.848, 0.92, 0.959], abs=5e-4)


ordered = st.tuples(st.floats(0.001, 0.999), st.floats(0.001, 0.999), st.floats(0.001, 0.999)).map(sorted)


@given(ordered, st.floats(0.5, 0.99))
def test_a_beta_has_its_mode_and_mass_or_is_refused(numbers, mass):
    low, likely, high = numbers
    assume(low < likely - 1e-3 and likely < high - 1e-3)
    try:
        a, b = e.beta_shapes(low, likely, high, mass)
    except e.NoDistributionError:
        return
    belief = stats.beta(a, b)
    assert (a - 1) / (a + b - 2) == pytest.approx(likely, rel=1e-6)
    assert belief.cdf(high) - belief.cdf(low) == pytest.approx(mass, abs=1e-6)


@given(ordered, st.floats(0.5, 0.99))
def test_a_lognormal_has_its_mode_and_mass_or_is_refused(numbers, mass):
    low, likely, high = numbers
    assume(low < likely - 1e-3 and likely < high - 1e-3)
    try:
        mu, sigma = e.lognormal_parameters(low, likely, high, mass)
    except e.NoDistributionError:
        return
    belief = stats.lognorm(sigma, scale=math.exp(mu))
    assert math.exp(mu - sigma**2) == pytest.approx(likely, rel=1e-9)
    assert belief.cdf(high) - belief.cdf(low) == pytest.approx(mass, abs=1e-6)


@pytest.mark.parametrize("family", [e.beta_shapes, e.lognormal_parameters, e.logit_normal_parameters])
@pytest.mark.parametrize(
    ("low", "likely", "high", "mass", "says"),
    [
        (0.3, 0.2, 0.1, 0.9, "low .* must lie below high"),
        (0.1, 0.4, 0.3, 0.9, "likely .* must lie between"),
        (0.1, 0.1, 0.3, 0.9, "likely .* must lie between"),
        (0.1, 0.2, 0.3, 1.5, "mass"),
    ],
)
def test_what_does_not_fit_together_is_named(family, low, likely, high, mass, says):
    with pytest.raises(e.ElicitationError, match=says):
        family(low, likely, high, mass)


def test_limits_of_an_accuracy_lie_inside_0_to_1():
    with pytest.raises(e.ElicitationError, match="strictly"):
        e.logit_normal_parameters(0.0, 0.5, 0.9)


# ---------------------------------------------------------------- as the case file writes them


def test_counts_are_jeffreys_with_their_effective_size():
    """368 of 400, which count as 240: Beta(221.3, 19.7)."""
    belief = Accuracy.model_validate({"right": 368, "tried": 400, "effective": 0.6}).uncertain()
    u = np.asarray([0.05, 0.5, 0.95])
    assert belief.quantile(u) == pytest.approx(stats.beta(368 * 0.6 + 0.5, 32 * 0.6 + 0.5).ppf(u), rel=1e-9)


def test_mean_and_sd_are_normal():
    belief = Number.model_validate({"mean": -0.45, "sd": 0.25}).uncertain()
    assert belief.quantile([0.1, 0.5, 0.9]) == pytest.approx([-0.45 + 0.25 * Z(0.1), -0.45, -0.45 + 0.25 * Z(0.9)])


def test_the_form_depends_on_what_is_asked():
    said = {"low": 0.85, "likely": 0.92, "high": 0.96}
    assert Accuracy.model_validate(said).uncertain().median == pytest.approx(0.92)
    a, b = e.beta_shapes(0.85, 0.92, 0.96)
    assert Share.model_validate(said).uncertain().median == pytest.approx(stats.beta(a, b).median())
    days = Duration.model_validate({"low": "1 d", "likely": "2 d", "high": "10 d"}).uncertain()
    assert days.median / 86_400 == pytest.approx(3.26, abs=0.005)


def test_mass_1_means_absolute_limits():
    belief = Duration.model_validate({"low": "1 h", "likely": "2 h", "high": "4 h", "mass": 1.0}).uncertain()
    assert belief.quantile([0.0, 1.0]) == pytest.approx([3_600, 14_400])


@pytest.mark.parametrize(
    ("dimension", "fields", "says"),
    [
        ("share", {}, "exactly one of"),
        ("share", {"value": 0.5, "right": 1, "tried": 2}, "not both of value and right"),
        ("share", {"right": 3, "tried": 2, "effective": 1.0}, "more right"),
        ("share", {"right": 3}, "tried missing"),
        ("duration", {"right": 1, "tried": 2, "effective": 1.0}, "describe a share"),
        ("share", {"mean": 0.5, "sd": 0.2}, "above 1|below 0"),
        ("number", {"mean": 1.0, "sd": 0.0}, "sd must be above 0"),
        ("number", {"low": -1.0, "likely": 1.0, "high": 2.0, "mass": 0.9}, "give mean and sd"),
        ("duration", {"low": "1 d", "likely": "2 d", "high": "3 d", "mass": 1.2}, "mass"),
    ],
)
def test_refusals_name_the_form(dimension, fields, says):
    with pytest.raises(e.ElicitationError, match=says):
        belief_of(dimension, fields)
