"""The backtest: its scores against figures worked by hand, its companies against their own truth, and two of them end to end."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from models import parameters
from models.parameters import Scope
from scenarios.validation import scoring
from scenarios.validation.backtest import LINES, Line, Settings, known_lines, one_company, run, wanted
from scenarios.validation.backtest_summary import summary
from scenarios.validation.company import OUTSIDE, PENALTY, company
from scenarios.validation.company_files import AI, DEFECT, MIX, PILOTED, SUPPLIERS, Sizes, chance_right, checked, evidence

SEED = 11
QUICK = Settings(SEED, 10, 10, ("counts", "quality"))
"""Files whose fits need no sampler."""


@pytest.fixture(scope="module")
def truth():
    return company(0, "inside", SEED)


# ---------------------------------------------------------------- scores


def test_pit_counts_the_futures_below():
    assert scoring.pit(2.5, [1, 2, 3, 4], 0.5) == pytest.approx((2 + 0.5) / 5)
    assert scoring.pit(2.0, [1, 2, 2, 3], 0.5) == pytest.approx((1 + 0.5 * 3) / 5)
    assert scoring.pit(0.0, [1, 2], 0.0) == 0.0


def test_pit_of_one_more_future_is_uniform():
    """10 000 companies with 19 futures each: the mean is 1/2 and the variance 1/12, within 5 standard errors."""
    rng = np.random.default_rng(1)
    places = np.asarray(
        [scoring.pit(x[0], x[1:], u) for x, u in zip(rng.integers(0, 8, (10_000, 20)), rng.random(10_000), strict=True)]
    )
    assert abs(places.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 10_000)
    assert abs(places.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / 10_000)


def test_ks_distance_by_hand():
    """At .2 the empirical distribution steps from 0 to 1/2, at .9 to 1: the largest gap is .9 − .5 = .4."""
    assert scoring.ks_distance([0.9, 0.2]) == pytest.approx(0.4)


def test_brier_parts_by_hand():
    """Two bins: .2 twice (one of two kept), .7 and .75 (both kept). Base rate 3/4."""
    p, y = np.asarray([0.2, 0.2, 0.7, 0.75]), np.asarray([0.0, 1.0, 1.0, 1.0])
    reliable, resolved, uncertain, within = scoring.brier_parts(p, y)
    assert reliable == pytest.approx((2 * 0.3**2 + 2 * 0.275**2) / 4)
    assert resolved == pytest.approx((2 * 0.25**2 + 2 * 0.25**2) / 4)
    assert uncertain == pytest.approx(0.75 * 0.25)
    assert within == pytest.approx(2 * 0.025**2 / 4)
    assert reliable - resolved + uncertain + within == pytest.approx(((p - y) ** 2).mean())


def test_reliability_and_signing_by_hand():
    p = np.asarray([[0.05, 0.95], [0.09, 1.0]])
    kept = np.asarray([[False, True], [True, False]])
    low, high = scoring.reliability(p, kept)
    assert (low.low, low.forecasts, low.companies, low.stated, low.kept.value) == (0.0, 2, 2, pytest.approx(0.07), 0.5)
    assert (high.low, high.high, high.forecasts, high.kept.value) == (0.9, 1.0, 2, 0.5)
    rule = scoring.signed(p >= 0.8, kept)
    assert (rule.signed.value, rule.failed.value, rule.brier.value) == (0.5, 0.5, 0.5)
    assert np.isnan(scoring.signed(p > 2, kept).failed.value)


def test_bins_of_tenths_hold_their_lower_edge():
    assert scoring.bin_of([0.0, 0.1, 0.3, 0.7, 0.999, 1.0]).tolist() == [0, 1, 3, 7, 9, 9]


def test_intervals_draw_whole_companies_again():
    """Nine equal targets of each of 100 companies say no more than one: the interval is that of 100 coins, about ± .082."""
    kept = np.repeat((np.arange(100) % 2 == 0)[:, None], 9, axis=1)
    found = scoring.bootstrap(100, lambda k: float(kept[k].mean()))
    assert found.high - found.low == pytest.approx(2 * 1.645 * 0.05, rel=0.15)


# ---------------------------------------------------------------- companies and their files


def test_a_company_is_fixed_by_its_number_and_seed(truth):
    again = company(0, "inside", SEED)
    assert (again.observed, again.standard_error, again.outcome) == (truth.observed, truth.standard_error, truth.outcome)
    assert company(1, "inside", SEED).outcome != truth.outcome


def test_chances_are_those_of_the_simulated_workflow(truth):
    """The generator's own rules against the compositions': P(right) by type and defect, in the pilot and live."""
    from models import process
    from models.compositions.ai import accuracy_by_quality
    from models.compositions.build import Builder
    from models.conditions import PILOT, PRODUCTION
    from scenarios.validation.company import case_of

    case = case_of(truth.observed, truth.standard_error).case
    step = next(s for s in case.steps if s.id == "send_to_ai")
    for live, causes in ((False, PILOT), (True, PRODUCTION)):
        columns: Scope = process.arm_columns(truth.draws, causes)
        table = accuracy_by_quality(Builder(case, {}, columns, 12, {}, {}), step)
        for defect in (False, True):
            for k, kind in enumerate(MIX):
                assert chance_right(truth, live, kind, defect) == pytest.approx(table[(defect,)][0, k, -1], abs=1e-9)


def test_results_have_the_expected_counts(truth):
    """100 000 cases, no shared errors: right, accepted, and accepted errors within 5 standard errors."""
    alone = replace(truth, draws=with_value(truth.draws, f"{AI}.cluster_correlation", 0.0))
    n, rng = 100_000, np.random.default_rng(2)
    r = checked(alone, False, PILOTED, n, rng.random(SUPPLIERS), rng)
    expected = {
        "right": (r.right, truth.value(f"{AI}.accuracy")),
        "accepted": (r.accepted, truth.value(f"{AI}.coverage")),
        "accepted errors": (r.accepted & ~r.right, truth.value(f"{AI}.accepted_error")),
    }
    for name, (seen, p) in expected.items():
        assert abs(seen.mean() - p) < 5 * np.sqrt(p * (1 - p) / n), name
    assert (r.labelled == r.right).all()


def test_errors_of_one_supplier_go_together(truth):
    """Over 1 500 pairs of cases of one supplier, the correlation of errors is the case's own, within 5 standard errors."""
    rho = 0.3
    case = replace(truth, draws=with_value(truth.draws, f"{AI}.cluster_correlation", rho))
    rng = np.random.default_rng(3)
    wrong = []
    while len(wrong) < 1_500:
        r = checked(case, False, ["plain"], 60, rng.random(SUPPLIERS), rng)
        mine = ~r.right[r.supplier == 0]
        wrong += [mine[:2].astype(float)] if len(mine) >= 2 else []
    a, b = np.asarray(wrong).T
    p = np.asarray(wrong).mean()
    product = (a - p) * (b - p) / (p * (1 - p))
    assert abs(product.mean() - rho) < 5 * product.std() / np.sqrt(len(product))


def test_counts_have_the_expected_shares(truth):
    sizes = Sizes(100, 100, True, 200_000, 200_000, 100, 100, 100, 200_000, 200_000)
    files = {
        name: list(csv.DictReader(io.StringIO(text))) for name, text in evidence(truth, sizes, np.random.default_rng(4)).items()
    }
    shares = {row["parameter"]: int(row["happened"]) / int(row["tried"]) for row in files["counts"]}
    shares[f"{DEFECT}.share"] = int(files["quality"][0]["with_defect"]) / 200_000
    shares["steps.review.catch"] = int(files["seeded"][0]["caught"]) / 200_000
    for path, seen in shares.items():
        p = truth.value(path)
        assert abs(seen - p) < 5 * np.sqrt(p * (1 - p) / 200_000), path
    assert sum(int(row["tried"]) for row in files["pilot"]) == 100
    assert {row["type"] for row in files["pilot"]} <= set(PILOTED)


def test_kinds_outside_the_model_move_only_what_they_say():
    """Same number, other seeds: the moved numbers are at their places; a label is wrong for half of the wrong outputs."""
    found = {kind: company(0, kind, SEED) for kind in OUTSIDE}
    assert found["scope"].value(PENALTY) == pytest.approx(-0.7 - 3 * 0.5, abs=1e-3)
    assert found["correlated"].value(f"{AI}.shift") == pytest.approx(-0.4 - 1.645 * 0.4, abs=1e-3)
    assert found["correlated"].value("steps.exceptions.levels.1.resolves", "pilot") == 0.85
    assert found["clusters"].value(f"{AI}.cluster_correlation") == 0.4
    rng = np.random.default_rng(5)
    files = evidence(found["clusters"], Sizes.drawn(rng), rng)
    assert {row["cluster"] for row in csv.DictReader(io.StringIO(files["pilot"]))} == {""}
    r = checked(found["labels"], True, list(MIX), 100_000, rng.random(SUPPLIERS), rng)
    wrong = ~r.right
    assert abs(r.labelled[wrong].mean() - 0.5) < 5 * 0.5 / np.sqrt(wrong.sum())


def with_value(draws: parameters.Draws, path: str, value: float) -> parameters.Draws:
    changed = {arm: np.full_like(x, value) for arm, x in draws.values[path].items()}
    return replace(draws, values={**draws.values, path: changed})


# ---------------------------------------------------------------- end to end


@pytest.mark.slow
def test_two_companies_end_to_end(tmp_path):
    """Without fits that sample: the same line again, a run that goes on, and a summary of it."""
    file, jobs = tmp_path / LINES, wanted(2, 0)
    first = run(file, jobs[:1], QUICK)
    file.write_text(file.read_text() + '{"cut off', encoding="utf-8")
    both = run(file, jobs, QUICK)
    assert both[0] == first[0]
    assert [json.loads(line)["company"] for line in file.read_text().splitlines()] == [0, 1]
    assert one_company(1, "inside", QUICK).text() == both[1].text()
    assert all(0 <= line.pit <= 1 and len(line.p) == 9 and list(line.p) == sorted(line.p) for line in both)
    assert Line.of(both[0].text()) == both[0]
    figures = summary([replace(both[k % 2], company=k) for k in range(6)], QUICK)
    assert figures["kinds"]["inside"]["companies"] == 6
    with pytest.raises(ValueError, match="other settings"):
        known_lines(file, replace(QUICK, draws=11))
