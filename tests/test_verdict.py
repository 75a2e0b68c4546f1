"""The verdict: its classes, and what a script gets of it: the documented keys, sums that add up, the same bytes twice."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.decisions.verdict import DECISION_DRAWS, judge
from scenarios.report.verdict_json import as_json
from scenarios.study import verdict
from simulator.jit import cache_folder

ROOT = Path(__file__).parent.parent

# ---------------------------------------------------------------- classes


def shares(kept: int, of: int) -> list[bool]:
    return [k < kept for k in range(of)]


@pytest.mark.parametrize(
    ("kept", "of", "verdict_class", "would_be"),
    [
        (200, 200, "supported", "supported"),
        (170, 200, "supported", "supported"),  # 0.8 + 1.645 √(0.8 × 0.2 / 200) = 84.65 %
        (169, 200, "open", "open"),
        (100, 200, "open", "open"),
        (31, 200, "open", "open"),
        (30, 200, "not_supported", "not_supported"),  # 15.35 %
        (0, 200, "not_supported", "not_supported"),
        (199, 199, "preview", "supported"),
        (10, 10, "preview", "open"),
        (0, 50, "preview", "not_supported"),
    ],
)
def test_classes_by_wilson_bounds(kept, of, verdict_class, would_be):
    found = judge(shares(kept, of), True)
    assert (found.verdict, found.would_be) == (verdict_class, would_be)
    assert found.probability == kept / of


def test_the_bounds_are_wilsons():
    """130 of 200 at 90 %: centre (p + z²/2n) / (1 + z²/n), half-width by hand."""
    z, p, n = 1.6448536269514722, 0.65, 200
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    found = judge(shares(130, 200), True)
    assert (found.low, found.high) == (pytest.approx(centre - half), pytest.approx(centre + half))
    assert found.standard_error == pytest.approx(math.sqrt(p * (1 - p) / n))


@pytest.mark.parametrize("draws", [DECISION_DRAWS, 20, 0])
def test_without_today_there_is_no_probability(draws):
    found = judge([True] * draws, False)
    assert (found.probability, found.low, found.high, found.standard_error) == (None, None, None, None)
    assert (found.verdict, found.would_be) == ("no_verdict", "no_verdict")


# ---------------------------------------------------------------- the whole way: a file, the command line, JSON

CASE = """
schema_version = 1
name = "leave_requests"
title = "Leave requests"
go_live = 2027-01-04
[target]
level = "{level}"
weeks = [3, 6]
[run]
warm_up_weeks = 2
run_out_weeks = 3
[baseline]
observed = "{observed}"
standard_error = "0.05 d"
[baseline.places.decide]
weight = 1.0
[money]
cost_per_case_today = "12 USD"
[calendars.office]
[types.short]
share = 0.8
[types.long]
share = 0.2
piloted = false
[arrivals]
per_working_day = 12
calendar = "office"
[teams.clerks]
headcount = 2
calendar = "office"
cost_per_hour = "40 USD"
[[steps]]
id = "read"
kind = "ai"
routed = 1.0
manual = "decide"
accepted = "granted"
referred = "check"
accuracy = {{ right = 92, tried = 100 }}
shift = {{ mean = -0.4, sd = 0.2 }}
scope_penalty = -0.5
coverage = 0.7
accepted_error = 0.02
[[steps]]
id = "check"
kind = "review"
of = "read"
team = "clerks"
service = "5 min"
catch = {{ low = 0.7, likely = 0.85, high = 0.95 }}
[[steps]]
id = "decide"
kind = "wait"
time = {{ kind = "lognormal", median = "4 h", p90 = "12 h" }}
clock = "office"
on = "approval"
[[steps]]
id = "granted"
kind = "end"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("verdict")
    for name, values in {
        "case": {"level": "1.2 d", "observed": "2 d"},
        "impossible": {"level": "1.2 d", "observed": "0.5 d"},
    }.items():
        (made / f"{name}.toml").write_text(CASE.format(**values), encoding="utf-8")
    return made


def command(folder: Path, *arguments: str, cache: str = "cache") -> subprocess.CompletedProcess[bytes]:
    """With a cache of its own, in which only the compiled kernel is not new."""
    kernel = cache_folder()
    assert kernel is not None
    if not (folder / cache).exists():
        (folder / cache).mkdir()
        (folder / cache / kernel.name).symlink_to(kernel)
    environment = {**os.environ, "PILOTPROOF_CACHE": str(folder / cache), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "scenarios.cli.main", "verdict", *arguments]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def printed(folder) -> bytes:
    result = command(folder, "case.toml", "--draws", "3", "--seed", "5", "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    return result.stdout


@pytest.fixture(scope="module")
def answer(printed) -> dict[str, Any]:
    data = json.loads(printed)
    assert isinstance(data, dict)
    return data


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_the_documented_keys_are_there(answer):
    keys = {
        "schema_version", "scenario", "scenario_hash", "seed", "draws", "target", "probability", "standard_error", "verdict",
        "baseline", "arms", "where_the_days_go", "trust",
    }  # fmt: skip
    assert keys <= set(answer)
    assert (answer["scenario"], answer["seed"], answer["draws"]) == ("leave_requests", 5, 3)
    assert re.fullmatch("[0-9a-f]{12}", answer["scenario_hash"])
    assert answer["target"] == {
        "outcome": "cycle_time", "statistic": "mean", "direction": "at_most", "level": 1.2, "unit": "days", "weeks": [3, 6],
    }  # fmt: skip
    assert 0 <= answer["probability"] <= 1
    assert answer["verdict"] == "preview"
    assert isinstance(answer["trust"], dict)


def test_the_baseline_is_plain_numbers(answer):
    found = answer["baseline"]
    assert all(is_number(found[key]) for key in ("observed", "simulated", "located_share", "rejected_draws"))
    assert (found["unit"], found["passed"], found["observed"]) == ("days", True, 2.0)
    assert abs(found["simulated"] - 2.0) < 0.25


FIGURES = (
    "mean_cycle_time_days", "median_cycle_time_days", "p90_cycle_time_days", "share_within_target", "straight_through_share",
    "cost_per_case",
)  # fmt: skip


@pytest.mark.parametrize("arm", ["as_is", "pilot", "production"])
def test_every_arm_has_its_figures_and_its_days_add_up(answer, arm):
    for name in FIGURES:
        figure = answer["arms"][arm][name]
        assert all(is_number(figure[key]) for key in ("estimate", "low", "high"))
        assert figure["low"] <= figure["estimate"] <= figure["high"]
    days = answer["where_the_days_go"][arm]
    assert all(is_number(d) for d in days.values())
    assert sum(days.values()) == pytest.approx(answer["arms"][arm]["mean_cycle_time_days"]["estimate"], abs=1e-6)


def test_today_costs_what_it_costs_today(answer):
    assert answer["arms"]["as_is"]["cost_per_case"] == {"estimate": 12.0, "low": 12.0, "high": 12.0}


def test_the_same_bytes_twice_with_and_without_a_cache(folder, printed):
    arguments = ("case.toml", "--draws", "3", "--seed", "5", "--json")
    assert command(folder, *arguments).stdout == printed
    assert command(folder, *arguments, cache="empty").stdout == printed


def test_no_clock_times_and_no_folders(folder, printed):
    text = printed.decode()
    assert not re.search(r"\d\d:\d\d|20\d\d-\d\d-\d\d|seconds|elapsed", text)
    assert str(folder) not in text
    assert str(ROOT) not in text


def test_another_seed_gives_other_figures_and_the_same_keys(folder, answer):
    other = json.loads(command(folder, "case.toml", "--draws", "3", "--seed", "6", "--json").stdout)
    assert set(other) == set(answer)
    assert other["arms"]["production"] != answer["arms"]["production"]
    assert other["scenario_hash"] == answer["scenario_hash"]


def test_a_failed_gate_is_an_answer(folder):
    """Today's 0.5 d cannot be reproduced: no probability, said in the baseline, exit code 0."""
    result = command(folder, "impossible.toml", "--draws", "1", "--json")
    assert (result.returncode, result.stderr) == (0, b"")
    found = json.loads(result.stdout)
    assert (found["probability"], found["standard_error"], found["verdict"]) == (None, None, "no_verdict")
    assert (found["baseline"]["passed"], found["arms"]) == (False, None)
    assert "sourced steps alone" in found["baseline"]["reasons"][0]


def test_the_command_line_prints_what_python_gets(folder, answer):
    from scenarios.files import load

    loaded = load(str(folder / "case.toml"))
    data = as_json(verdict(loaded.case, 3, 5), loaded)
    for key in ("arms", "where_the_days_go", "probability", "baseline", "scenario_hash"):
        assert json.loads(json.dumps(data[key])) == answer[key]


def test_laws_of_every_arm_are_checked(answer):
    assert answer["trust"]["laws_hold"] is True
    assert answer["trust"]["laws_broken"] == []
