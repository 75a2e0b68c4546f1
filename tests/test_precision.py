"""`--precision`: futures until the range is narrow enough, and what the answer says of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pilotproof as pp
from scenarios.report import precision_report
from scenarios.study import Means, verdict
from scenarios.study.draws import Collected, Parts, SeenParts, collect, verdict_plan
from scenarios.study.precision import Precision, collect_until
from simulator.statistics import wilson
from simulator.stopping import Look, ShareRule
from tests.test_cli import refused, run
from tests.test_compare import case


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("precise")
    fewer = [{"to": "answer", "share": {"simple": 0.05, "hard": 0.3}}, {"to": "done"}]
    return case(folder, "slow"), case(folder, "fast", **{"steps.question.options": fewer})


def test_a_verdict_at_a_precision_is_that_of_as_many_draws(files):
    data = json.loads(run("verdict", files[0], "--precision", "5.5%", "--at-most", "220", "--json").stdout)
    found, study = data.pop("precision"), json.loads(run("verdict", files[0], "--draws", str(data["draws"]), "--json").stdout)

    assert data == study
    assert found["draws"] == data["draws"] == found["effective_draws"]
    assert found["half_width"] == pytest.approx((data["probability_high"] - data["probability_low"]) / 2, abs=1e-6)
    assert found["reached"] == (found["half_width"] <= 0.055)
    assert data["draws"] >= 200


def test_a_precision_that_is_not_reached_is_said_with_what_it_takes(files):
    text = run("verdict", files[0], "--precision", "1%", "--at-most", "200").stdout
    last = text.splitlines()[-1]

    assert "Precision NOT REACHED: ± " in last
    assert "from 200 futures; asked for: ± 1 percentage points, which takes about " in last
    assert "(--at-most " in last


def test_a_comparison_ends_when_the_paired_difference_is_precise(files):
    data = json.loads(run("compare", *files, "--precision", "0.25 d", "--json").stdout)
    found, row = data["precision"], data["figures"]["mean_cycle_time_days"]

    assert (found["reached"], found["unit"], found["half_width_asked"]) == (True, "days", 0.25)
    assert found["half_width"] == pytest.approx((row["high"] - row["low"]) / 2, rel=1e-6)
    assert 100 <= found["draws"] == data["replications"]
    assert data["values"] == "draws"


def test_a_comparison_that_is_not_precise_says_so(files):
    assert "Precision NOT REACHED" in run("compare", *files, "--precision", "1 min", "--at-most", "100").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verdict", "A", "--precision", "5 d"], "a share is a number from 0 to 1 or a percentage"),
        (["verdict", "A", "--precision", "5"], 'for per cent write "5 %"'),
        (["verdict", "A", "--precision", "60%"], "must be above 0 and below 50 %"),
        (["verdict", "A", "--precision", "5%", "--at-most", "100"], "name at least 200"),
        (["verdict", "A", "--precision", "5%", "--draws", "100"], "cannot be combined with --draws"),
        (["verdict", "A", "--at-most", "300"], "has no effect without --precision"),
        (["compare", "A", "B", "--precision", "0.25"], "has no unit"),
        (["compare", "A", "B", "--precision", "0 d"], "must be above 0"),
        (["compare", "A", "B", "--precision", "1 d", "--at-most", "99"], "name at least 100"),
        (["compare", "A", "B", "--precision", "1 d", "--replications", "9"], "cannot be combined with --replications"),
    ],
)
def test_what_cannot_be_asked_is_refused(files, arguments, message):
    names = {"A": files[0], "B": files[1]}

    assert message in refused(run(*[names.get(a, a) for a in arguments]), "E601")


# -- stages


class Counted(Parts):
    """Counts the chunks that are computed."""

    def __init__(self) -> None:
        self.saved: list[int] = []

    def save(self, first: int, done: object) -> None:
        self.saved.append(first)


def growing(stages: list[int]) -> object:
    """A look that asks for the next of some numbers of draws."""

    def look(done: Collected) -> Look:
        following = next((n for n in stages if n > len(done.results)), None)
        return Look(len(done.results), float(len(done.results)), wilson(0.5, 10), False, following)

    return look


def test_stages_go_on_where_the_one_before_ended(files):
    loaded, parts = pp.load(files[0]).case, Counted()
    rule = ShareRule(0.1, minimum=7, at_most=23)
    done, precision = collect_until(loaded, verdict_plan(loaded), rule, growing([7, 12, 23]), 7, Means(), parts=parts)  # type: ignore[arg-type]
    whole = collect(loaded, verdict_plan(loaded), 23, 7)

    assert [r.draw for r in done.results] == [r.draw for r in whole.results] == list(range(23))
    assert [r.arms["production"].figures for r in done.results] == [r.arms["production"].figures for r in whole.results]
    assert sorted(parts.saved) == sorted(set(parts.saved))
    assert not precision.reached


def test_chunks_that_are_stored_are_not_computed_again(files):
    loaded, kept = pp.load(files[0]).case, SeenParts()
    first = verdict(loaded, 10, 7, parts=kept)
    counted = Counted()
    again = verdict(loaded, 10, 7, parts=SeenParts(counted, kept.known))

    assert counted.saved == []
    assert again.verdict == first.verdict


def test_without_a_single_draw_nothing_is_claimed():
    precision = Precision(ShareRule(0.05), None)

    assert not precision.reached
    assert precision_report.line(precision, "points").startswith("Precision: none")
    assert precision_report.as_json(precision, "points")["draws"] == 0


def test_the_page_of_concepts_states_the_minimum_numbers():
    text = (Path(__file__).parents[1] / "docs" / "concepts.md").read_text(encoding="utf-8")

    assert "at least 200 futures" in text
    assert "at least 100 pairs" in text
