"""The backtest: its scores against figures worked by hand, its companies against their own truth, and two of them end to end."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from docs.make_backtest import FIGURES, PAGE, page
from models import parameters
from models.parameters import Scope
from scenarios.validation import scoring
from scenarios.validation.backtest import LINES, Line, Settings, known_lines, one_company, run, wanted
from scenarios.validation.backtest_summary import summary
from scenarios.validation.company import OUTSIDE, PENALTY, company
from scenarios.validation.company_files import AI, DEFECT, MIX, PILOTED, SUPPLIERS, Sizes, chance_right, checked, evidence

pytestmark = pytest.mark.xdist_group("sampler")


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
    r = checked(alone, False, PILOTED, n, rng.random(SUPPLIERS), (1.0, 0.0), rng)
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
        r = checked(case, False, ["plain"], 60, rng.random(SUPPLIERS), (1.0, 0.0), rng)
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


def test_times_follow_their_laws_and_late_ones_are_open(truth):
    """Minutes of work: mean within 5 standard errors. Requests still open at the export are those not yet decided."""
    sizes = Sizes(100, 100, True, 100, 100, 5_000, 50_000, 100, 100, 100)
    files = {
        name: list(csv.DictReader(io.StringIO(text))) for name, text in evidence(truth, sizes, np.random.default_rng(6)).items()
    }
    minutes = np.asarray([float(row["minutes"]) for row in files["times"] if row["step"] == "entry"])
    mean, cv = truth.value("steps.entry.service.mean") / 60, truth.value("steps.entry.service.cv")
    assert abs(minutes.mean() - mean) < 5 * mean * cv / np.sqrt(len(minutes))
    days = [
        (np.datetime64(row["decided"]) - np.datetime64(row["asked"])) / np.timedelta64(1, "D")
        for row in files["approvals"]
        if row["decided"]
    ]
    path = "steps.approve.levels.1.response"
    median = truth.value(f"{path}.mean") / 86_400 / np.sqrt(1 + truth.value(f"{path}.cv") ** 2)
    asked = [np.datetime64(row["asked"]) for row in files["approvals"]]
    early = sum(a < np.datetime64("2026-10-15") for a in asked)
    quick = sum(
        d <= median
        for d, row in zip(days, [r for r in files["approvals"] if r["decided"]], strict=True)
        if row["asked"] < "2026-10-15"
    )
    assert abs(quick / early - 0.5) < 5 * 0.5 / np.sqrt(early)
    assert 0 < sum(row["decided"] == "" for row in files["approvals"]) < 1_000
    assert all(np.datetime64(row["decided"]) < np.datetime64("2026-12-01") for row in files["approvals"] if row["decided"])


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
    r = checked(found["labels"], True, list(MIX), 100_000, rng.random(SUPPLIERS), (1.0, 0.5), rng)
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


# ---------------------------------------------------------------- the page


def made_up(kind, number):
    """A line of a company whose nine promises come true exactly as often as stated."""
    rng = np.random.default_rng([number, len(kind)])
    p = np.sort(rng.random(9))
    kept = rng.random() < p
    targets, below = tuple(np.arange(1.0, 10.0)), {"steps.review.catch": float(rng.random())}
    return Line(
        "", number, kind, 8.0, 0.3, 5.0, float(rng.random()), float(rng.random()), targets, tuple(p), tuple(map(bool, kept)),
        5.5, 0.9, True, (), 0, 5.0, 2.0, 4.0, below,
    )  # fmt: skip


def test_figures_of_made_up_lines():
    lines = [made_up("inside", k) for k in range(200)]
    figures = summary(lines, QUICK)["kinds"]["inside"]
    assert (figures["companies"], figures["judged"]) == (200, 200)
    assert figures["narrower"]["value"] == pytest.approx(0.5)
    assert figures["signed"]["business_case"]["signed"]["value"] == pytest.approx(4 / 9)
    inside = [b["kept"]["low"] - 0.02 <= b["stated"] <= b["kept"]["high"] + 0.02 for b in figures["reliability"]]
    assert sum(inside) >= 7


def test_refused_verdicts_are_counted_and_not_judged():
    lines = [made_up("inside", k) for k in range(6)]
    refused = replace(lines[0], gate=False, problems=("accuracy: R-hat",), pit=0.0)
    figures = summary([refused, *lines[1:]], QUICK)["kinds"]["inside"]
    assert (figures["companies"], figures["judged"], figures["reasons"]) == (6, 5, {"accuracy: R-hat": 1})
    assert figures["pit"] == summary(lines[1:], QUICK)["kinds"]["inside"]["pit"]
    assert "pit" not in summary(lines[:4], QUICK)["kinds"]["inside"]


def test_the_page_is_made_of_the_figures():
    lines = [made_up(kind, k) for kind in ("inside", *OUTSIDE) for k in range(6)]
    text = page(json.loads(json.dumps(summary(lines, QUICK), allow_nan=False)))
    assert all(f"| {kind} | 6 | 6 | – |" in text for kind in OUTSIDE)
    nothing = page(summary([replace(line, p=(0.1,) * 9, naive=99.0) for line in lines], QUICK))
    assert "– | –" in nothing
    assert not {"nan", "None"} & set(nothing.replace("|", " ").split())
    assert text.count("## ") == 7
    if FIGURES.exists():
        assert PAGE.read_text(encoding="utf-8") == page(json.loads(FIGURES.read_text(encoding="utf-8")))
