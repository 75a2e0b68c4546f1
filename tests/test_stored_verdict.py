"""The verdict that is kept in the user's cache: what cannot be kept does no harm, and nothing stale is taken."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from scenarios.files import load
from scenarios.problems import CaseError, Problem
from scenarios.runs import Store
from scenarios.study import Means
from scenarios.study.draws import VERDICT, decision_plan
from scenarios.study.stored import own_folder, stored_verdict
from tests.case_builder import SMALL_FILE

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
    assert own_folder(loaded, VERDICT, DRAWS, 1, compiled) != own_folder(loaded, VERDICT, DRAWS, 1, simpy)
    assert own_folder(loaded, VERDICT, DRAWS, 1, compiled) != own_folder(loaded, decision_plan(loaded.case), DRAWS, 1, compiled)
    before = own_folder(loaded, VERDICT, DRAWS, 1, compiled)
    with patch("scenarios.runs.manifest.versions", lambda: {"numpy": "0"}):
        assert own_folder(loaded, VERDICT, DRAWS, 1, compiled) != before


def test_the_second_time_nothing_is_simulated(loaded):
    first = figures(stored_verdict(loaded, DRAWS, 1, Means()))
    with patch("scenarios.study.draws.simulate_chunk", side_effect=AssertionError("simulated again")):
        assert figures(stored_verdict(loaded, DRAWS, 1, Means())) == first
