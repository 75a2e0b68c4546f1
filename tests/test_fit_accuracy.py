"""The fit of accuracy: closed forms, an independent sampler, the simulator's own arithmetic, clusters, labels, refusals, calibration."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from models import parameters, process
from models.compositions.ai import acceptance, accuracy_by_quality, case_accuracy
from models.compositions.build import Builder
from models.conditions import PRODUCTION
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.fits import accuracy as fit
from models.fits.accuracy import Unknowns
from models.fits.accuracy_graph import compiled
from models.fits.accuracy_setup import Setup, set_up
from models.fits.seam import Sampling
from models.posterior import posterior_of
from models.schema import Ai, CaseFile
from tests.evidence_tables import shipped, table

pytestmark = pytest.mark.xdist_group("sampler")


PLAIN = EvidenceSettings.model_validate({"design_effect": 1.0, "label_sensitivity": 0.9999, "label_specificity": 0.9999})
AI = "steps.send_to_ai"


def case(**changes: object) -> CaseFile:
    """The default scenario with other fields of its AI step."""
    plain = shipped("invoice_processing")
    steps = [Ai.model_validate({**s.model_dump(exclude_unset=True), **changes}) if isinstance(s, Ai) else s for s in plain.steps]
    return plain.model_copy(update={"steps": steps})


def results(**more: object) -> dict:
    """Pilot: 400 and 150 cases of two types; live: 300, 120 and 60 of one never piloted."""
    return {
        "pilot": table("pilot", type=["po_standard", "non_po"], tried=[400, 150], right=[376, 135]),
        "production": table(
            "production", type=["po_standard", "non_po", "po_complex"], tried=[300, 120, 60], right=[264, 100, 42]
        ),
        **more,
    }


@pytest.fixture(scope="session")
def found():
    return fit.fit(shipped("invoice_processing"), results(), PLAIN, Sampling(5))


def test_it_converges_and_would_produce_its_data(found):
    assert found.passed, found.diagnostics
    assert all(p.low <= p.observed <= p.high for p in found.predictive)
    assert len(found.predictive) == 5


def test_accuracy_by_type_lies_between_the_data_and_the_others(found):
    """Where there are many cases it is the observed rate; a type without results is wide and below the piloted ones."""
    accuracy = found.reported[f"{AI}: accuracy"]
    means, widths = accuracy.mean(axis=0), accuracy.std(axis=0)
    assert means[0, 0] == pytest.approx(0.94, abs=0.012)
    assert means[1, 0] == pytest.approx(0.88, abs=0.02)
    assert 0.70 < means[1, 1] < means[0, 1]
    assert widths[1, 3] > 2 * widths[1, 0]
    assert np.allclose(
        found.reported[f"{AI}: headline gap"], found.reported[f"{AI}: gap from data"] + found.reported[f"{AI}: gap from scope"]
    )


def test_the_simulator_computes_the_accuracy_that_was_fitted():
    """Shares of defects fixed, so that there is nothing else to draw: accuracy by type of every draw, to 1e-9."""
    fixed = {
        "quality": {
            "missing_fields": {
                "share": {"pilot": 0.02, "production": 0.08, "cause": "data"},
                "volume_slope": 0.4,
                "effect": -1.2,
            },
            "legacy_format": {"share": {"pilot": 0.0, "production": 0.05, "cause": "data"}, "effect": -1.5},
        }
    }
    plain = case(**fixed)
    step = next(s for s in plain.steps if isinstance(s, Ai))
    setup = setup_of(plain, step)
    rng = np.random.default_rng(1)
    unknowns = Unknowns.of(setup, rng.standard_normal((50, 7)), rng.standard_normal((50, 2)), rng.standard_normal((50, 2, 4)))
    drawn = fit.columns(setup, unknowns)
    model = fit.SubModel("accuracy", drawn, drawn, np.arange(50.0))
    fitted = plain.with_posterior(posterior_of([model], {}))
    draws = parameters.sample(fitted, 7, range(30))
    rows = [int(np.flatnonzero(drawn[f"{AI}.shift"] == x)[0]) for x in draws.values[f"{AI}.shift"]["production"]]
    expected = fit.by_type(setup, unknowns)[rows]
    for on, e in ((frozenset(), 0), (PRODUCTION, 1)):
        scope = process.arm_columns(draws, on)
        build = Builder(fitted, {}, scope, 4, {}, {})
        by_quality = accuracy_by_quality(build, step)
        q = np.asarray([0.02, 0.0]) if e == 0 else np.asarray([0.08, 0.05])
        mixed = sum(
            p[:, :, 1] * np.prod([s if has else 1 - s for s, has in zip(q, d, strict=True)]) for d, p in by_quality.items()
        )
        assert np.abs(mixed - expected[:, e]).max() < 1e-9
    at = process.arm_columns(draws, PRODUCTION).into("steps").into("send_to_ai")
    right, wrong = acceptance(at, step)
    assert np.allclose(right, expit(unknowns.number[rows, 3]), atol=1e-9)
    assert np.allclose(wrong, expit(unknowns.number[rows, 4]), atol=1e-9)
    assert np.allclose(case_accuracy(at.as_in_pilot(), step), drawn[f"{AI}.accuracy"][rows])


def test_before_any_result_the_beliefs_are_those_of_the_case_file():
    """Of 20,000 draws before the data: accuracy of the pilot's mix, although types differ by much and defects cost some; coverage and
    accepted errors, which depend on it. Middles within 0.01 of the beliefs, widths within 40 %."""
    stated = {"accuracy": (0.84, 0.9, 0.94), "coverage": (0.72, 0.775, 0.83), "accepted_error": (0.008, 0.018, 0.035)}
    plain = case(
        type_effect={"po_standard": {"mean": 0.8, "sd": 0.1}, "non_po": {"mean": -0.4, "sd": 0.1}},
        **{name: {"low": low, "likely": likely, "high": high} for name, (low, likely, high) in stated.items()},
    )
    step = next(s for s in plain.steps if isinstance(s, Ai))
    setup = setup_of(plain, step)
    rng = np.random.default_rng(8)
    shape = (20_000, 7), (20_000, 2), (20_000, 2, len(setup.types))
    drawn = fit.columns(setup, Unknowns.of(setup, *(rng.standard_normal(s) for s in shape)))
    for name in stated:
        believed = getattr(step, name).in_arm("pilot").uncertain()
        low, middle, high = np.quantile(drawn[f"{AI}.{name}"], [0.05, 0.5, 0.95])
        assert middle == pytest.approx(believed.median, abs=0.01), name
        width = float(np.diff(believed.quantile(np.asarray([0.05, 0.95])))[0])
        assert high - low == pytest.approx(width, rel=0.4), name


def setup_of(plain: CaseFile, step: Ai) -> Setup:
    tables = list(results().values())
    return set_up(plain, step, fit.counted(plain, step, tables, PLAIN, True), fit.labels(PLAIN))


# ---------------------------------------------------------------- oracles


def log_posterior(setup: Setup, z: np.ndarray, tables: dict) -> np.ndarray:
    """Of standard normal unknowns, shape (chains, …): written anew from the model's description, types without defects."""
    number, spread, by_type = z[:, :7], np.abs(z[:, 7:9]), z[:, 9:].reshape(len(z), 2, 4)
    log = -0.5 * np.square(z).sum(axis=1)
    mu, shift, penalty = (p.mean + p.sd * number[:, i] for i, p in enumerate((setup.level, setup.shift, setup.penalty)))
    se, sp = (expit(p.mean + p.sd * number[:, i]) for i, p in ((5, setup.sensitivity), (6, setup.specificity)))
    for k, name in enumerate(setup.types):
        pilot = mu + 0.75 * spread[:, 0] * by_type[:, 0, k] + penalty * (0.0 if setup.piloted[k] else 1.0)
        live = pilot + shift + 0.5 * spread[:, 1] * by_type[:, 1, k]
        for kind, logit in (("pilot", pilot), ("production", live)):
            rows = tables[kind].texts("type") == name
            y, n = tables[kind].numbers("right")[rows].sum(), tables[kind].numbers("tried")[rows].sum()
            p = expit(logit)
            q = p * sp + (1 - p) * (1 - se)
            log += y * np.log(q) + (n - y) * np.log(1 - q)
    return log


def test_an_independent_sampler_gives_the_same():
    """Random-walk Metropolis with a likelihood of its own, 64 chains: means of live accuracy by type within 0.012 (about five of its
    standard errors at some 300 independent draws), the headline within 0.006."""
    plain = case(quality={})
    step = next(s for s in plain.steps if isinstance(s, Ai))
    tables, setup = results(), setup_of(plain, step)
    mine = fit.fit(plain, tables, PLAIN, Sampling(3)).reported[f"{AI}: accuracy"]
    rng = np.random.default_rng(11)
    z = rng.normal(0, 0.3, (64, 17))
    scale, now, kept = 0.22, log_posterior(setup, z, tables), []
    for i in range(12_000):
        step_to = z + scale * rng.standard_normal(z.shape)
        then = log_posterior(setup, step_to, tables)
        accepted = np.log(rng.random(64)) < then - now
        z, now = np.where(accepted[:, None], step_to, z), np.where(accepted, then, now)
        if i < 3_000 and i % 100 == 99:
            scale *= 1.1 if accepted.mean() > 0.25 else 0.9
        if i >= 3_000 and i % 45 == 0:
            kept.append(z.copy())
    draws = np.concatenate(kept)
    other = fit.by_type(setup, Unknowns.of(setup, draws[:, :7], draws[:, 7:9], draws[:, 9:].reshape(-1, 2, 4)))
    assert np.abs(mine.mean(axis=0) - other.mean(axis=0)).max() < 0.012
    assert (setup.live_mix * (mine - other.mean(axis=0)).mean(axis=0)[1]).sum() == pytest.approx(0.0, abs=0.006)
    assert np.abs(mine.std(axis=0) - other.std(axis=0)).max() < 0.012


def test_without_counts_the_turned_variables_are_the_prior():
    """The anchors of real results, all counts 0: what is kept are independent standard normals, spreads half-normal ones. Means within 5
    standard errors at 2,000 independent draws, correlations of the turned pairs too."""
    plain = case(quality={})
    step = next(s for s in plain.steps if isinstance(s, Ai))
    counts = fit.counted(plain, step, list(results().values()), PLAIN, True)
    setup = set_up(plain, step, counts, fit.labels(PLAIN))
    size = fit.size_of(setup, counts)
    given = fit.data(setup, counts, size)
    anchor = given["anchors"].argmax(axis=1)
    assert given["anchors"].sum(axis=1).tolist() == [1.0, 1.0]
    found = compiled(size).sample(
        given | {name: np.zeros_like(given[name]) for name in ("cases", "accepted", "accepted_only", "audited")}, Sampling(4)
    )
    number, types, spread = (found.values[name] for name in ("number_z", "type_z", "spread_z"))
    for z in (*number.T, *types.reshape(len(types), -1).T):
        assert abs(z.mean()) < 5 / np.sqrt(2_000)
        assert abs(z.std() - 1) < 5 / np.sqrt(2 * 2_000)
    assert np.abs(spread.mean(axis=0) - np.sqrt(2 / np.pi)).max() < 5 * 0.6 / np.sqrt(1_000)
    for e in (0, 1):
        assert abs(np.corrcoef(number[:, e], types[:, e, anchor[e]])[0, 1]) < 5 / np.sqrt(2_000)
        assert abs(np.corrcoef(number[:, e] * types[:, e, anchor[e]], spread[:, e])[0, 1]) < 5 / np.sqrt(1_000)


def test_rows_and_counts_say_the_same():
    """One row a case, or one a group: the same sufficient statistics, so the same draws."""
    counted = {"pilot": table("pilot", type=["po_standard"], tried=[50], right=[45], accepted=[40], accepted_right=[39])}
    right = [1] * 45 + [0] * 5
    accepted = [1] * 39 + [0] * 6 + [1] + [0] * 4
    both = [a * r for a, r in zip(accepted, right, strict=True)]
    rows = {"pilot": table("pilot", type=["po_standard"] * 50, right=right, accepted=accepted, accepted_right=both)}
    plain = shipped("invoice_processing")
    step = next(s for s in plain.steps if isinstance(s, Ai))
    data = []
    for tables in (counted, rows):
        counts = fit.counted(plain, step, list(tables.values()), PLAIN, True)
        setup = set_up(plain, step, counts, fit.labels(PLAIN))
        data.append(fit.data(setup, counts, fit.size_of(setup, counts)))
    assert all(np.array_equal(data[0][name], data[1][name]) for name in data[0])


def test_what_was_accepted_is_learned():
    """5,000 cases: 90 % right, 85 % of the right and 12 % of the wrong accepted; an audit agrees."""
    rng = np.random.default_rng(4)
    right = rng.binomial(5_000, 0.9)
    taken_right, taken_wrong = rng.binomial(right, 0.85), rng.binomial(5_000 - right, 0.12)
    tables = {
        "pilot": table("pilot", tried=[5_000], right=[right], accepted=[taken_right + taken_wrong], accepted_right=[taken_right]),
        "audit": table("audit", environment=["pilot"], accepted=[4_000], audited=[800], wrong=[rng.binomial(800, 0.012 / 0.777)]),
    }
    made = fit.fit(shipped("invoice_processing"), tables, PLAIN, Sampling(2))
    coverage, error = made.columns[f"{AI}.coverage"], made.columns[f"{AI}.accepted_error"]
    assert abs(coverage.mean() - 0.777) < 4 * coverage.std() < 0.05
    assert abs(error.mean() - 0.012) < 4 * error.std() < 0.012


def test_labels_that_are_sometimes_wrong_widen_what_is_known():
    doubtful = EvidenceSettings.model_validate(
        {
            "design_effect": 1.0,
            "label_sensitivity": {"low": 0.7, "likely": 0.85, "high": 0.95},
            "label_specificity": {"low": 0.9, "likely": 0.95, "high": 0.99},
        }
    )
    sure, unsure = (
        fit.fit(shipped("invoice_processing"), results(), about, Sampling(2)).reported[f"{AI}: accuracy"]
        for about in (PLAIN, doubtful)
    )
    assert unsure[:, 0, 0].std() > 1.3 * sure[:, 0, 0].std()


def test_what_only_referred_outputs_show_is_corrected():
    """90 % right; 85 % of the right and 12 % of the wrong are accepted, so that of the referred ones only 61 % are right. With audits of
    accepted outputs the accuracy of all is found again, once the settings say what was checked; unsaid, the file is refused."""
    referred = 0.9 * 0.15 / (0.9 * 0.15 + 0.1 * 0.88)
    tables = {
        "pilot": table("pilot", tried=[2_000], right=[1_800], accepted=[1_554], accepted_right=[1_530]),
        "production": table("production", tried=[1_000], right=[round(1_000 * referred)], accepted=[0]),
        "audit": table("audit", environment=["production"], accepted=[3_000], audited=[600], wrong=[9]),
    }
    with pytest.raises(UnusableEvidenceError, match=r"none of the checked cases of production.*checked = \{ production"):
        fit.fit(shipped("invoice_processing"), tables, PLAIN, Sampling(1))
    about = EvidenceSettings.model_validate({**PLAIN.model_dump(exclude_unset=True), "checked": {"production": "referred"}})
    made = fit.fit(shipped("invoice_processing"), tables, about, Sampling(2).preview())
    accuracy, mix = made.reported[f"{AI}: accuracy"][:, 1], made.reported[f"{AI}: mix"][1]
    live = accuracy @ mix
    assert abs(live.mean() - 0.9) < 3 * live.std() < 0.08


def test_versions_are_not_pooled():
    two = {"pilot": table("pilot", model_version=["v1", "v2"], tried=[100, 50], right=[92, 40])}
    with pytest.raises(UnusableEvidenceError, match=r"v1: 100 cases, v2: 50 cases"):
        fit.fit(shipped("invoice_processing"), two, PLAIN, Sampling(1))
    chosen = EvidenceSettings.model_validate({**PLAIN.model_dump(exclude_unset=True), "model_version": "v2"})
    made = fit.fit(shipped("invoice_processing"), two, chosen, Sampling(1).preview())
    assert any("40 of 50 right" in note for note in made.notes)
    with pytest.raises(UnusableEvidenceError, match="version"):
        fit.fit(shipped("invoice_processing"), two, EvidenceSettings.model_validate({"model_version": "v3"}), Sampling(1))


# ---------------------------------------------------------------- clusters


def test_few_clusters_count_by_the_correlation_of_the_case():
    """Three suppliers of 60, 80 and 50 cases: a case meets 64.7 of its own; correlation .15 gives a design effect of 10.6. Of ten
    clusters that differ by chance alone the counts themselves say that it is about 1."""
    plain = shipped("invoice_processing")
    step = next(s for s in plain.steps if isinstance(s, Ai))
    few = table("pilot", cluster=["a", "b", "c"], tried=[60, 80, 50], right=[56, 74, 44])
    about = EvidenceSettings.model_validate({})
    assert fit.effect_of(fit.counted(plain, step, [few], about, True), "pilot") == pytest.approx(1 + (12_500 / 190 - 1) * 0.15)
    many = table("pilot", cluster=[f"s{i}" for i in range(10)], tried=[40] * 10, right=[36, 37, 35, 36, 38, 34, 36, 37, 35, 36])
    assert fit.effect_of(fit.counted(plain, step, [many], about, True), "pilot") < 1.5


@pytest.mark.slow
def test_clusters_widen_the_interval_as_they_should():
    """400 cases of 25 suppliers, ICC .15: a Jeffreys 95 % interval covers the population's rate in about three of four samples, ours in
    95 %. Of 20 samples ours may miss five standard errors of a binomial (1.0) more than that, and theirs stay below 19. Short chains:
    what is judged is the interval, not convergence. (100 samples at full length were seen to cover as they should.)"""
    p, correlation, covered, naive = 0.9, 0.15, 0, 0
    a, b = p * (1 / correlation - 1), (1 - p) * (1 / correlation - 1)
    plain = case(quality={}, accuracy={"right": 9, "tried": 10, "source": "guess"})
    sure = EvidenceSettings.model_validate({"label_sensitivity": 0.9999, "label_specificity": 0.9999})
    for k in range(20):
        rng = np.random.default_rng([21, k])
        right = rng.binomial(16, rng.beta(a, b, 25))
        rows = table("pilot", type=["po_standard"] * 25, cluster=[f"s{i}" for i in range(25)], tried=[16] * 25, right=right)
        made = fit.fit(plain, {"pilot": rows}, sure, Sampling(k).preview())
        low, high = np.quantile(made.reported[f"{AI}: accuracy"][:, 0, 0], [0.025, 0.975])
        covered += low <= p <= high
        y = right.sum()
        naive += stats.beta.ppf(0.025, y + 0.5, 400.5 - y) <= p <= stats.beta.ppf(0.975, y + 0.5, 400.5 - y)
    assert naive < 19
    assert covered > 19 - 5 * 1.0


def banded_results() -> dict:
    """900 right and 100 wrong outputs of the pilot with their confidence: 855 and 40 of them from 0.8 on; flags of another threshold."""
    confidence = [0.95, 0.85, 0.6, 0.95, 0.85, 0.6]
    tried, right = [700, 155, 45, 15, 25, 60], [700, 155, 45, 0, 0, 0]
    flags = [700, 0, 0, 15, 0, 0]
    both = [min(f, r) for f, r in zip(flags, right, strict=True)]
    return {"pilot": table("pilot", confidence=confidence, tried=tried, right=right, accepted=flags, accepted_right=both)}


def test_a_threshold_decides_what_was_accepted():
    """0.8 accepts 855 of 900 right and 40 of 100 wrong outputs, whatever the flags say; how many differ is told."""
    plain = case(quality={}, coverage=0.8, accepted_error=0.03)
    about = EvidenceSettings.model_validate({**PLAIN.model_dump(exclude_unset=True), "threshold": 0.8, "design_effect": 1.0})
    found = fit.fit(plain, banded_results(), about, Sampling(5))
    assert found.columns[f"{AI}.coverage"].mean() == pytest.approx(0.895, abs=0.015)
    assert found.columns[f"{AI}.accepted_error"].mean() == pytest.approx(0.04, abs=0.008)
    assert any("180 cases" in note and "threshold counts" in note for note in found.notes)
    at = {row[0]: row for row in found.reported[f"{AI}: thresholds"].tolist()}
    assert at[0.8][2] == pytest.approx(0.895, abs=0.015)
    assert at[0.9][2] == pytest.approx(0.715, abs=0.02)
    assert at[0.0][1:4] == pytest.approx([1, 1, 1])
    assert at[0.9][8] < at[0.8][8] < at[0.0][8]


def test_a_threshold_without_confidence_is_refused():
    about = EvidenceSettings.model_validate({**PLAIN.model_dump(exclude_unset=True), "threshold": 0.8})
    with pytest.raises(UnusableEvidenceError, match="export the AI's confidence"):
        fit.fit(case(quality={}), results(), about, Sampling(5))
