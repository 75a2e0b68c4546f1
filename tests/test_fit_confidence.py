"""Thresholds from banded confidence: tails of a Dirichlet are Beta exactly; counting by band; refusals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from models.evidence.refusals import UnusableEvidenceError
from models.fits.confidence import Bands, bands_of, outcomes
from tests.evidence_tables import table

EDGES = (0.0, 0.5, 0.8, 0.9)
BANDS = Bands(np.asarray(EDGES), np.asarray([5.0, 40, 155, 700]), np.asarray([20.0, 40, 25, 15]))


def test_rows_are_counted_by_band():
    """Counted rows and single cases; a band holds its lower edge; other steps and rows without a confidence are left out."""
    rows = table(
        "pilot", step=["a", "", "b", "a", "a"], confidence=[0.5, 0.79, 0.9, "", 0.9], tried=[10, 1, 50, 5, 20], right=[7, 1, 40, 5, 19]
    )  # fmt: skip
    found = bands_of([rows], "a", edges=EDGES)
    assert found.right.tolist() == [0, 8, 0, 19]
    assert found.wrong.tolist() == [0, 3, 0, 1]
    assert bands_of([rows], "a", effect=2.0, edges=EDGES).right.tolist() == [0, 4, 0, 9.5]


def test_the_chances_of_being_accepted_are_beta():
    """From 0.8 on: 855 of 900 right and 40 of 100 wrong outputs, with half a case of the four bands' prior on either side."""
    found = outcomes(BANDS, np.full(20_000, 0.9), np.random.default_rng(1))
    for draws, yes, no in ((found[2].accept_right, 855, 45), (found[2].accept_wrong, 40, 60)):
        assert stats.kstest(draws, stats.beta(yes + 0.5, no + 0.5).cdf).pvalue > 1e-4


def test_coverage_and_accepted_errors_follow_from_the_accuracy():
    accuracy = np.linspace(0.8, 0.95, 4_000)
    found = outcomes(BANDS, accuracy, np.random.default_rng(2))
    for o in found:
        assert o.coverage == pytest.approx(accuracy * o.accept_right + (1 - accuracy) * o.accept_wrong)
        assert (o.accepted_error <= o.coverage).all()
    assert found[0].coverage == pytest.approx(1.0)
    assert found[0].accepted_error == pytest.approx(1 - accuracy)
    for lower, higher in pairwise(found):
        assert (higher.coverage <= lower.coverage).all()
        assert (higher.accepted_error <= lower.accepted_error).all()


def test_flags_alone_are_refused():
    flags = table("pilot", tried=[400], right=[368], accepted=[300], accepted_right=[294])
    with pytest.raises(UnusableEvidenceError, match="says nothing about another one"):
        bands_of([flags], "a")
    with pytest.raises(ValueError, match="edges"):
        bands_of([flags], "a", edges=(0.1, 0.5))
