"""Data against belief: tail probabilities in closed form, words, impossible input."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from models.conflict import log_summary, logit_summary, prior_predictive
from models.priors import Prior

NUMBERS = st.floats(-5, 5)
WIDTHS = st.floats(0.05, 3)


@settings(deadline=None)
@given(NUMBERS, WIDTHS, NUMBERS, WIDTHS)
def test_the_tail_is_that_of_what_was_expected_to_be_seen(mean, sd, estimate, error):
    found = prior_predictive(Prior(mean, sd, "plain", "a range"), estimate, error)

    expected = 2 * norm.sf(abs(estimate - mean), scale=sqrt(sd**2 + error**2))
    assert found.tail == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert found.distance == pytest.approx((estimate - mean) / sqrt(sd**2 + error**2))


def test_under_the_belief_itself_the_tail_is_uniform():
    rng = np.random.default_rng(3)
    prior = Prior(1.0, 0.4, "plain", "a range")
    truth = rng.normal(1.0, 0.4, 4_000)
    seen = rng.normal(truth, 0.3)
    tails = np.array([prior_predictive(prior, float(x), 0.3).tail for x in seen])

    assert np.abs(np.sort(tails) - (np.arange(4_000) + 0.5) / 4_000).max() < 1.95 / sqrt(4_000)  # Kolmogorov, one in a thousand


@pytest.mark.parametrize(
    ("estimate", "strength", "words"),
    [
        (0.2, "none", "both fit together"),
        (2.2, "some", "what the data say lies outside what was believed"),
        (3.0, "strong", "lies far outside"),
    ],
)
def test_the_words_follow_the_tail(estimate, strength, words):
    found = prior_predictive(Prior(0.0, 1.0, "plain", "a range"), estimate, 0.1)

    assert found.strength == strength
    assert words in found.sentence("catch")


def test_the_sentence_speaks_in_the_units_of_the_number():
    found = prior_predictive(Prior(log(86_400.0), 0.2, "log", "a range"), *log_summary(log(5 * 86_400.0), 0.5, 100))

    assert found.seen[0] == pytest.approx(5 * 86_400)
    assert "the data say 5 d (between 4.605 d and 5.429 d)" in found.sentence("answers", "duration")
    assert "less than 1 in a million" in found.sentence("answers", "duration")


@settings(deadline=None)
@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_counts_on_the_logit_scale_are_symmetric(counts):
    happened, tried = counts
    there, back = logit_summary(happened, tried), logit_summary(tried - happened, tried)

    assert there[0] == pytest.approx(-back[0])
    assert there[1] == pytest.approx(back[1])


def test_impossible_summaries_are_refused():
    for call in (
        lambda: logit_summary(5, 4),
        lambda: logit_summary(0, 0),
        lambda: log_summary(1.0, 0.1, 0),
        lambda: log_summary(1.0, -0.1, 3),
    ):
        with pytest.raises(ValueError, match=r"impossible|needed"):
            call()
    with pytest.raises(ValueError, match="width"):
        prior_predictive(Prior(0.0, 0.0, "plain", "a value"), 1.0, 0.0)
