"""The calibration itself: a known fit passes, a biased one is found as often as promised; fits without a sampler are calibrated."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models.fits.seam import Sampling
from models.posterior import Diagnostic
from scenarios.validation.sbc import MODELS, Calibrated, calibrate, detectable, holm, main, quantity, uniformity

pytestmark = pytest.mark.xdist_group("sampler")


def known(shift: float = 0.0, passes: bool = True) -> Calibrated:
    """Normal mean of ten observations with a N(0, 1) prior; the posterior is exact but for a shift in its standard deviations."""

    def fit(data: np.ndarray, sampling: Sampling):
        sd = 1 / np.sqrt(11)
        draws = data.sum() / 11 + sd * (shift + np.random.default_rng(sampling.seed).standard_normal(4_000))
        return {"mean": draws}, (Diagnostic("x", 1.0, "", passes),)

    return Calibrated(
        "known", lambda rng: {"mean": np.asarray(rng.normal())}, lambda rng, truth: rng.normal(truth["mean"], 1, 10), fit
    )


def test_an_exact_posterior_is_calibrated():
    found = calibrate(known(), 400)
    assert (found.fits, found.passed_gate, found.rejected) == (400, 400, ())
    (q,) = found.quantities
    assert abs(q.covered_50 - 0.5) < 4 * q.error_50
    assert abs(q.covered_90 - 0.9) < 4 * q.error_90


def test_the_bias_that_is_promised_to_be_found_is_found():
    """100 calibrations at the detectable shift: 80 ± 4 standard errors of a binomial (4) are rejected."""
    shift, rng = detectable(200, 1), np.random.default_rng(7)
    from scipy.stats import norm

    found = 0
    for _ in range(100):
        place = norm.cdf(rng.standard_normal(200) - shift)
        found += uniformity(np.minimum((place * 100).astype(np.int64), 99)) < 0.01
    assert abs(found - 80) <= 4 * 4
    assert calibrate(known(2.5 * shift), 200).rejected == ("mean",)
    assert detectable(800, 1) < shift < detectable(200, 20)


def test_fits_that_do_not_converge_are_counted_and_left_out():
    found = calibrate(known(passes=False), 5)
    assert (found.passed_gate, found.quantities) == (0, ())


def test_holm_steps_down():
    assert holm({"a": 0.001, "b": 0.006, "c": 0.5}) == ("a",)
    assert holm({"a": 0.001, "b": 0.004, "c": 0.5}) == ("a", "b")
    assert holm({"a": 0.2}) == ()


def test_ranks_in_bins_by_hand():
    assert uniformity(np.arange(100)) == 1.0
    assert uniformity(np.zeros(100, dtype=np.int64)) < 1e-100
    q = quantity("x", np.arange(100)[:, None])
    assert (q.covered_50, q.covered_90) == (0.5, 0.9)


@pytest.mark.parametrize("name", ["shares", "catch"])
def test_fits_without_a_sampler_are_calibrated(name):
    (model,) = [m for m in MODELS if m.name == name]
    found = calibrate(model, 40)
    assert found.passed_gate == 40
    assert found.rejected == ()


@pytest.mark.slow
def test_accuracy_is_calibrated():
    """20 fits at full length. They find a posterior that is shifted by 1.1 of its standard deviations or more; `make sbc` runs 200."""
    (model,) = [m for m in MODELS if m.name == "accuracy"]
    found = calibrate(model, 20)
    assert found.passed_gate >= 18
    assert found.rejected == ()
    assert found.detectable < 1.5
    for q in found.quantities:
        assert abs(q.covered_50 - 0.5) < 4 * q.error_50
        assert q.covered_90 > 0.9 - 4 * q.error_90


def test_results_are_kept_beside_each_other(tmp_path):
    out = tmp_path / "sbc.json"
    out.write_text('{"times": {"fits": 3}}')
    main(["--fits", "20", "--model", "catch", "--out", str(out)])
    data = json.loads(out.read_text())
    assert data["times"] == {"fits": 3}
    assert data["catch"]["fits"] == 20
