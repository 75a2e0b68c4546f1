"""What the page Answer says, as data: the chance in words, what accuracy alone could give, files that are not used yet."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np
import pytest

from models.outcomes import met
from scenarios.files import LoadedCase
from scenarios.pages.answer import AnswerPage, answer_page
from scenarios.pages.answer_html import as_html
from scenarios.study import Means, VerdictStudy
from scenarios.study.verdict import verdict
from tests.survival import leave_requests

DRAWS = 10


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedCase:
    return leave_requests(tmp_path_factory.mktemp("answer"))


@pytest.fixture(scope="module")
def study(loaded: LoadedCase) -> VerdictStudy:
    return verdict(loaded.case, DRAWS, 7, Means())


@pytest.fixture
def page(study: VerdictStudy, loaded: LoadedCase) -> AnswerPage:
    return answer_page(study, loaded)


def test_it_says_what_an_ai_that_is_never_wrong_would_give(page, study, loaded):
    days = np.mean([outcome.figures["mean_cycle_time_days"] for outcome in study.flawless()])
    kept = sum(met(loaded.case, outcome.figures) for outcome in study.flawless())
    (sentence,) = page.never_wrong
    assert f"would be {days:.1f} d" in sentence
    assert f"kept in {100 * kept // DRAWS} % of the futures" in sentence
    assert sentence in page.reasons


def test_the_days_of_each_world_add_up_to_its_result(page, study):
    for world, arm in (("today", "as_is"), ("as in the pilot", "pilot"), ("live", "production")):
        drawn = sum(part.days for part in page.days if part.world == world)
        mean = np.mean([r.arms[arm].figures["mean_cycle_time_days"] for r in study.results])
        assert drawn == pytest.approx(mean, abs=0.05 * len({part.name for part in page.days}))


def test_files_that_nothing_was_learned_from_are_named_first(page, study, loaded):
    assert not any("not used yet" in check.words for check in page.checks)
    waiting = answer_page(study, replace(loaded, unfitted=("approvals.csv", "counts.csv")))
    (told,) = [check for check in waiting.checks if "not used yet" in check.words]
    assert told.words == "2 of your files are not used yet"
    assert told.passed is None
    assert waiting.actions[0].startswith("Learn from the files you added, on the page Evidence")
    assert "Approval requests (CSV)" in waiting.actions[0]
    assert waiting.actions[1:] == page.actions


def test_fewer_futures_than_an_answer_takes_are_a_first_look(page):
    assert page.preview
    assert page.verdict.startswith("So far: ")
    assert any(f"A first look: {DRAWS} of 200" in check.words for check in page.checks)


def test_the_page_to_take_away_says_the_same_and_asks_no_other_host(page, loaded):
    text = as_html(page, loaded.case)
    assert page.chance is not None
    assert page.chance.value in text
    assert all(escape(sentence) in text for sentence in page.actions)
    assert "http" not in text.replace("http://www.w3.org", "")
