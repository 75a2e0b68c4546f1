"""`compare`: the chance that the promise is kept in both cases, and what the same luck is worth, in plain words."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import tomlkit

import pilotproof as pp
from scenarios.study import verdict
from tests.case_builder import SMALL_FILE, with_changes
from tests.test_cli import refused, run

WAIT = "steps.answer.time"
UNCERTAIN = {"kind": "exponential", "mean": {"low": "2 d", "likely": "5 d", "high": "12 d"}}
PROMISE = {"target.level": "2 d", WAIT: UNCERTAIN}
BASELINE = {"observed": "4 d", "standard_error": "0.1 d", "places": {"entry": {"weight": 1.0}}}


def case(folder: Path, name: str, **changes: object) -> str:
    file = folder / f"{name}.toml"
    file.write_text(tomlkit.dumps(with_changes({**PROMISE, "name": name, **changes})), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two cases; in the second, fewer wait for an answer."""
    folder = tmp_path_factory.mktemp("pairs")
    fewer = [{"to": "answer", "share": {"simple": 0.05, "hard": 0.3}}, {"to": "done"}]
    return case(folder, "slow"), case(folder, "fast", **{"steps.question.options": fewer})


def test_with_draws_it_tells_both_chances_and_their_paired_change(files):
    data = json.loads(run("compare", *files, "--draws", "12", "--json").stdout)
    chance = data["chance"]

    assert (data["values"], data["replications"], data["chance_not_told_because"]) == ("draws", 12, None)
    for name, file in zip(("first", "second"), files, strict=True):
        study = verdict(pp.load(file).case, 12, 7)
        assert chance[name]["estimate"] == pytest.approx(study.verdict.probability)
        assert (chance[name]["low"], chance[name]["high"]) == pytest.approx((study.verdict.low, study.verdict.high))
    change = chance["difference"]
    assert change["estimate"] == pytest.approx(chance["second"]["estimate"] - chance["first"]["estimate"])
    assert change["estimate"] > 0
    assert change["low"] < change["estimate"] < change["high"]


def test_the_page_says_the_chances_first_and_that_it_is_a_preview(files):
    text = run("compare", *files, "--draws", "12").stdout

    assert text.index("Chance that the promise is kept") < text.index("mean cycle time days")
    assert re.search(r"A +\d+ % \(between \d+ % and \d+ %\) +promise: 2\.0 d on average, weeks 5–8", text)
    assert re.search(r"B − A +\+\d+ percentage points \(between [+−]?\d+ and \+\d+\)", text)
    assert "PREVIEW from 12 futures; a decision takes 200" in text


def test_at_the_middle_values_it_says_why_there_is_no_chance(files):
    text, data = run("compare", *files).stdout, json.loads(run("compare", *files, "--json").stdout)

    assert "not told: every future here uses the middle value of each uncertain number; with --draws 20" in text
    assert data["chance"] is None
    assert data["chance_not_told_because"] in text
    assert (data["values"], data["replications"]) == ("middle", 8)


def test_the_gain_is_a_sentence_on_the_page_and_a_figure_for_scripts(files):
    text, data = run("compare", *files).stdout, json.loads(run("compare", *files, "--json").stdout)
    gain = data["figures"]["mean_cycle_time_days"]["gain_of_common_random_numbers"]
    times = f"{gain:.0f}" if gain >= 10 else f"{gain:.1f}"

    assert f"The same luck in both: as precise as {times} times as many independent simulations (mean cycle time days)." in text
    assert "pairing" not in text
    assert math.isfinite(gain)


def test_a_draw_that_one_case_cannot_reconcile_with_today_is_left_out_of_both(tmp_path):
    """Today takes 4 days in both; long answers alone take more in some of the draws."""
    long = {"kind": "exponential", "mean": {"low": "8 d", "likely": "14 d", "high": "30 d"}}
    first, second = (
        pp.load(case(tmp_path, name, baseline=BASELINE, **{WAIT: wait})) for name, wait in (("a", UNCERTAIN), ("b", long))
    )
    found = pp.compare(first, second, draws=4)

    accepted = [result.draw for result in verdict(second.case, 4, 7).results]
    same = [r for r in verdict(first.case, accepted[-1] + 1, 7).results if r.draw in accepted]
    mean = sum(r.arms["production"].figures["mean_cycle_time_days"] for r in same) / len(same)
    assert accepted != [0, 1, 2, 3]
    assert (found.replications, len(same)) == (4, 4)
    assert next(row.first for row in found.rows if row.name == "mean_cycle_time_days") == pytest.approx(mean)


def test_a_case_that_never_reproduces_today_is_refused(tmp_path):
    never = case(tmp_path, "never", baseline={**BASELINE, "observed": "1 h"}, **{WAIT: "4 d"})

    assert "does not reproduce today's" in refused(run("compare", str(SMALL_FILE), never, "--draws", "2"), "E405")


def test_draws_and_replications_exclude_each_other(files):
    assert "cannot be combined" in refused(run("compare", *files, "--draws", "5", "--replications", "5"), "E601")


def test_equal_cases_have_no_row_but_still_a_chance(files):
    text = run("compare", files[0], files[0], "--draws", "3").stdout

    assert "No figure differs between A and B." in text
    assert "B − A  0 percentage points" in text


def test_every_promise_is_named_as_it_is(tmp_path):
    share = {"target": {"statistic": "share_within", "level": "80 %", "within": "2 d", "direction": "at_least", "weeks": [5, 8]}}
    first = case(tmp_path, "first", **{**share, "target.level": "80 %"})
    second = case(tmp_path, "second", **{"run.warm_up_weeks": 2})
    text = run("compare", first, second, "--draws", "3").stdout

    assert "promise: 80 % within 2 d, weeks 5–8" in text
    assert "promise: 2.0 d on average, weeks 5–8" in text
