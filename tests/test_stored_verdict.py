"""The verdict that is kept in the user's cache: what cannot be kept does no harm, and nothing stale is taken."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest

from models.outcomes import met, target_value
from scenarios.files import changed, load
from scenarios.problems import CaseError, Problem
from scenarios.runs import Store
from scenarios.study import Means, collect, replicate
from scenarios.study.accuracy_curve import curves
from scenarios.study.draws import AUDIT_EVERY, decision_plan, verdict_plan
from scenarios.study.stored import decide, own_folder, stored_verdict, tightening
from simulator.compiled_engine import CompiledEngine
from simulator.engines import SimpyEngine
from simulator.futures import given
from simulator.laws import LawCheck, check_sums
from simulator.program import lower
from simulator.summary import Question
from tests.case_builder import SMALL_FILE
from tests.oracles.generate import generate
from tests.survival import leave_requests
from tests.tiny import team, tiny, work

DRAWS = 12


@pytest.fixture
def loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path / "cache"))
    return load(str(SMALL_FILE))


def figures(study):
    return study.verdict, [r.arms["production"].figures for r in study.results]


def test_a_disk_that_is_full_in_the_middle_of_a_run_is_no_error(loaded):
    whole = figures(stored_verdict(loaded, DRAWS, 1, Means(threads=2)))
    written = []

    def full(self, name, rows):
        written.append(name)
        if len(written) == 2:
            raise CaseError(name, [Problem("E602", "", "no space")])

    with patch.object(Store, "write", full):
        means = Means(threads=2)
        assert figures(stored_verdict(loaded, DRAWS, 2, means)) == figures(stored_verdict(loaded, DRAWS, 2, Means(threads=1)))
        assert not means.stop.is_set()
    assert len(written) >= 2
    assert figures(stored_verdict(loaded, DRAWS, 1, Means(threads=1))) == whole


def test_a_kept_run_belongs_to_its_engine_and_to_its_versions(loaded):
    compiled, simpy = Means(), Means(engine="simpy")
    assert own_folder(loaded, verdict_plan(loaded.case), DRAWS, 1, compiled) != own_folder(
        loaded, verdict_plan(loaded.case), DRAWS, 1, simpy
    )
    assert own_folder(loaded, verdict_plan(loaded.case), DRAWS, 1, compiled) != own_folder(
        loaded, decision_plan(loaded.case), DRAWS, 1, compiled
    )
    before = own_folder(loaded, verdict_plan(loaded.case), DRAWS, 1, compiled)
    with patch("scenarios.runs.manifest.versions", lambda: {"numpy": "0"}):
        assert own_folder(loaded, verdict_plan(loaded.case), DRAWS, 1, compiled) != before


def test_the_second_time_nothing_is_simulated(loaded):
    first = figures(stored_verdict(loaded, DRAWS, 1, Means()))
    with patch("scenarios.study.draws.simulate_chunk", side_effect=AssertionError("simulated again")):
        assert figures(stored_verdict(loaded, DRAWS, 1, Means())) == first


def test_the_verdict_is_taken_from_a_finished_decision_run(loaded):
    decided = figures(decide(loaded, DRAWS, 1, Means()))
    with patch("scenarios.study.draws.simulate_chunk", side_effect=AssertionError("simulated again")):
        assert figures(stored_verdict(loaded, DRAWS, 1, Means())) == decided
    assert figures(stored_verdict(loaded, DRAWS, 2, Means())) != decided


def test_a_verdict_tightens_and_ends_as_the_whole_one(loaded):
    """Each look holds the futures of the one before it; nothing is simulated twice; the last look is kept for the command line."""
    looks = [figures(study) for study in tightening(loaded, 24, 1, Means())]
    counts = [len(found) for _, found in looks]
    assert counts == [10, 20, 24]
    assert looks[0][1] == looks[-1][1][:10]
    with patch("scenarios.study.draws.simulate_chunk", side_effect=AssertionError("simulated again")):
        assert figures(stored_verdict(loaded, 24, 1, Means())) == looks[-1]


def test_a_kept_run_says_that_it_is_complete(loaded):
    study = stored_verdict(loaded, DRAWS, 1, Means())
    with Store.open(own_folder(loaded, verdict_plan(loaded.case), DRAWS, 1, Means())) as store:
        result = store.result()
    assert result is not None
    assert (result["probability"], result["accepted_draws"]) == (study.verdict.probability, DRAWS)
    assert result["promise_kept_in"]["production"] == sum(met(loaded.case, r.arms["production"].figures) for r in study.results)


def test_the_decision_run_holds_every_combination_and_every_option():
    case = load("invoice_processing").case
    times = dict(zip(decision_plan(case).names(), (n for _, n in decision_plan(case).arms), strict=True))
    assert len(times) == 1 + 16 + 1 + len(case.options)
    assert times["as_is"] == times["production"] == 2
    assert [times[f"option:{name}"] for name in case.options] == [2] * len(case.options) != []
    assert times["pilot"] == times["data+integration+organisation"] == times["flawless"] == 1


def test_an_ai_that_is_never_wrong_is_simulated_in_every_future_and_the_curve_over_accuracy_ends_there(
    loaded, monkeypatch, tmp_path
):
    loaded = leave_requests(tmp_path)
    monkeypatch.setattr("scenarios.study.accuracy_curve.STAGES", (DRAWS,))
    study = stored_verdict(loaded, DRAWS, 1, Means())
    (curve,) = curves(loaded, 1, Means())
    flawless = [outcome.figures for outcome in study.flawless()]
    assert len(flawless) == DRAWS
    assert all(f["errors_never_found_share"] == f["errors_found_late_share"] == 0 for f in flawless)
    assert any(r.arms["production"].figures["errors_never_found_share"] > 0 for r in study.results)
    assert curve.points[-1].accuracy == 1
    assert curve.points[-1].result.estimate == pytest.approx(np.mean([target_value(loaded.case, f) for f in flawless]), abs=1e-12)
    assert curve.points[-1].kept == np.mean([met(loaded.case, f) for f in flawless])


def test_without_an_ai_nothing_is_said_of_one_that_is_never_wrong():
    case = tiny(work(), teams={"team": team()})
    assert "flawless" not in verdict_plan(case).names()
    assert "flawless" not in decision_plan(case).names()


def test_what_is_told_on_the_way_ends_with_the_verdict(loaded):
    middle = np.median([r["mean_cycle_time_days"] for r in figures(stored_verdict(loaded, DRAWS, 1, Means()))[1]])
    loaded = changed(loaded, {"target.level": f"{middle:.4f} d"})
    told = []
    study = stored_verdict(loaded, DRAWS, 1, Means(progress=lambda *words: told.append(words)))
    kept = sum(met(loaded.case, r.arms["production"].figures) for r in study.results)
    futures = [words for words in told if words[0] == "futures"]
    assert 0 < kept < len(study.results)  # else a wrong count could not show
    assert futures[-1][1:3] == (DRAWS, DRAWS)
    made = len(futures)  # whole chunks: some draws more than asked for
    assert futures[-1][3].endswith(f" of {made}")
    assert kept <= int(futures[-1][3].split()[3]) <= kept + made - DRAWS


def broken(_):
    return (LawCheck("planted", False, 1, 0, ""),)


def test_one_draw_in_twenty_is_checked_by_all_laws(loaded):
    draws = 2 * AUDIT_EVERY + 1
    assert collect(loaded.case, verdict_plan(loaded.case), draws, 1).audited() == 3
    with patch("scenarios.arms.check_laws", broken):
        assert collect(loaded.case, verdict_plan(loaded.case), draws, 1).broken() == ("planted",)
        result = replicate(loaded.case, "production", AUDIT_EVERY + 1, 1)
    assert [r.future for r in result.runs if "planted" in r.laws] == [0, AUDIT_EVERY]


def test_who_would_come_after_the_stop_is_not_asked_for():
    run = generate(5)
    program = lower(run.workflow, run.begin, run.stop)
    late = given(program, run.draw, 1, 0, [(run.begin, 0), (run.stop, 0), (run.stop + 5, 0)])
    question = Question(run.begin, run.stop + 100, np.zeros(len(program.steps), dtype=np.int64))
    for engine in (SimpyEngine(), CompiledEngine()):
        summary = engine.summary(program, run.draw, late, question)
        assert np.arange(3)[summary.chosen].tolist() == [0]
        assert all(law.passed for law in check_sums(summary))
