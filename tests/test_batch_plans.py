"""Batches: the points of a plan, the same futures at each, one table in every form, all problems before anything runs, resuming."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomlkit

import pilotproof as pp
from scenarios import batch, study
from scenarios.batch.design import points_of
from scenarios.batch.plan import Plan
from scenarios.batch.runner import fill
from scenarios.batch.table import opened
from scenarios.batch.work import FIGURES
from scenarios.problems import CaseError
from scenarios.study import Means
from simulator.batch import Cancelled
from tests.case_builder import AI, SMALL_FILE, with_changes
from tests.test_cli import COMMAND, ROOT, refused, run

HEADS, WAIT = "teams.clerks.headcount", "steps.answer.time.mean"
GRID: dict[str, Any] = {HEADS: [2, 3], WAIT: ["1 d", "36 h"]}
PAGE = (ROOT / "docs" / "batch.md").read_text(encoding="utf-8")


def plan(**changes: Any) -> dict[str, Any]:
    data = {"schema_version": 1, "case": str(SMALL_FILE), "draws": 3, "parameters": GRID, **changes}
    return {key: value for key, value in data.items() if value is not None}


def written(folder: Path, name: str = "plan.toml", **changes: Any) -> str:
    file = folder / name
    file.write_text(tomlkit.dumps(plan(**changes)), encoding="utf-8")
    return str(file)


def errors(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    with pytest.raises(CaseError) as caught:
        batch.prepare(data)
    return [(p.code, p.place, f"{p.message}; {p.remedy}") for p in caught.value.problems]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pp.batch(plan(arms=["today", "production"]))


# -- the table


def test_a_row_a_point_an_arm_and_a_draw_with_the_columns_of_the_design(frame):
    assert list(frame.columns) == [
        "case", "point", HEADS, f"{WAIT} (d)", "arm", "draw", "future", "kept", "rejected_draws", "problem",
        *(f"figures.{name}" for name in FIGURES),
    ]  # fmt: skip
    assert len(frame) == 4 * 2 * 3
    first = frame.groupby("point").first()
    assert list(zip(first[HEADS], first[f"{WAIT} (d)"], strict=True)) == [(2, 1.0), (2, 1.5), (3, 1.0), (3, 1.5)]
    assert list(frame.arm[:2]) == ["as_is", "production"]
    assert set(frame.draw) == {0, 1, 2}


def test_the_figures_are_all_those_of_an_outcome():
    loaded = pp.load(str(SMALL_FILE))

    assert set(FIGURES) == set(pp.simulate(loaded).outcome.figures)


def test_every_point_is_the_changed_case_under_the_same_futures(frame):
    changed = pp.change(pp.load(str(SMALL_FILE)), {HEADS: 3, WAIT: "36 h"})
    results = study.verdict(changed.case, 3, 7).results
    rows = frame[(frame.point == 4) & (frame.arm == "production")]

    assert list(rows["figures.mean_cycle_time_days"]) == [r.arms["production"].figures["mean_cycle_time_days"] for r in results]
    assert list(rows.draw) == [r.draw for r in results]


def test_what_moves_nothing_changes_nothing():
    """Common random numbers: points that differ in the promise alone have the same days."""
    found = pp.batch(plan(parameters={"target.level": ["1 h", "30 d"]}))
    days = [list(rows["figures.mean_cycle_time_days"]) for _, rows in found.groupby("point")]

    assert days[0] == days[1]
    assert [rows.kept.mean() for _, rows in found.groupby("point")] == [0, 1]


def test_at_the_middle_values_it_is_what_run_gives():
    found = pp.batch(plan(draws=None, replications=12, parameters={HEADS: [3]}))
    case = pp.change(pp.load(str(SMALL_FILE)), {HEADS: 3}).case
    runs = study.replicate(case, "production", 12, 7).runs

    assert list(found["figures.p90_cycle_time_days"]) == [r.outcome.figures["p90_cycle_time_days"] for r in runs]
    assert list(found.future) == list(range(12))
    assert set(found.draw) == {-1}


def test_any_number_of_threads_gives_the_same_table(frame):
    for threads in (1, 5):
        pd.testing.assert_frame_equal(pp.batch(plan(arms=["as_is", "live"]), threads=threads), frame)


def test_arms_can_be_combinations_of_causes(tmp_path):
    data = with_changes({"steps.first": AI | {"shift": {"pilot": 0.0, "production": -1.0, "cause": "data"}}})
    (tmp_path / "ai.toml").write_text(tomlkit.dumps(data), encoding="utf-8")
    arms = ["pilot", "production", "scope", "scope+data"]
    with pytest.raises(CaseError, match="named more than once"):
        pp.batch(plan(case=str(tmp_path / "ai.toml"), arms=["data+scope", "scope+data"], parameters={}))
    found = pp.batch(plan(case=str(tmp_path / "ai.toml"), arms=arms, parameters={}))
    days = found.groupby("arm")["figures.mean_cycle_time_days"].mean()

    assert set(days.index) == {"pilot", "production", "scope", "data+scope"}
    assert days["data+scope"] == days["production"] != days["pilot"] == days["scope"]


def test_several_cases_beside_the_plan(tmp_path):
    (tmp_path / "a.toml").write_text(SMALL_FILE.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "case.toml").write_text(tomlkit.dumps(with_changes({HEADS: 3})), encoding="utf-8")
    found = pp.batch(written(tmp_path, case=None, cases=["a.toml", "b"], parameters={}))

    assert list(found.case) == ["a.toml"] * 3 + ["b"] * 3
    assert set(found.point) == {1}


# -- designs


def test_a_latin_hypercube_has_a_point_in_every_stratum():
    values = {"a": {"low": 0, "high": 16}, "b": {"low": "10 %", "high": "26 %"}, "c": {"low": 1, "high": 4, "whole": True}}
    points = points_of("lhs", 16, 3, values)

    assert sorted(int(float(p.values["a"])) for p in points) == list(range(16))
    assert sorted(int(float(str(p.values["b"]).removesuffix(" %"))) for p in points) == list(range(10, 26))
    assert sorted(int(p.values["c"]) for p in points) == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert points == points_of("lhs", 16, 3, values) != points_of("lhs", 16, 4, values)


def test_a_sobol_sequence_is_balanced():
    points = points_of("sobol", 64, 7, {"a": {"low": 0, "high": 8}, "b": {"low": 0, "high": 8}})
    cells = np.array([[int(float(p.values["a"])), int(float(p.values["b"]))] for p in points])

    assert (np.bincount(cells @ [8, 1], minlength=64) == 1).all()


def test_points_in_ranges_are_numbers_in_the_unit_of_low():
    span = {"low": "12 h", "high": "1.5 d"}
    found = pp.batch(plan(design="lhs", points=3, draws=1, parameters={WAIT: span, HEADS: {"low": 2, "high": 4, "whole": True}}))

    assert found[f"{WAIT} (h)"].between(12, 36).all()
    assert found[f"{WAIT} (h)"].nunique() == 3
    assert sorted(found[HEADS]) == [2, 3, 4]


def test_paths_may_be_written_as_tables():
    nested = tomllib.loads("[parameters]\nteams.clerks.headcount = [2, 3]\nsteps.answer.time.mean.low = ['6 h']")

    assert [p.values for p in batch.prepare(plan(**nested)).points] == [
        {HEADS: 2, f"{WAIT}.low": "6 h"}, {HEADS: 3, f"{WAIT}.low": "6 h"},
    ]  # fmt: skip


# -- what is refused


@pytest.mark.parametrize(
    ("changes", "code", "place", "message"),
    [
        ({"schema_version": 2}, "E103", "schema_version", "this program reads version 1"),
        ({"drwas": 3}, "E101", "drwas", 'did you mean "draws"?'),
        ({"draws": 0}, "E213", "draws", "must be at least 1"),
        ({"draws": "3"}, "E103", "draws", "must be a whole number"),
        ({"draws": None}, "E102", "draws", "either draws"),
        ({"replications": 3}, "E103", "draws", "either draws"),
        ({"case": None}, "E102", "case", "either case or cases"),
        ({"cases": ["small"]}, "E103", "case", "either case or cases"),
        ({"case": "smal"}, "E100", "smal", "no such file"),
        ({"arms": ["pilto"]}, "E104", "arms", 'did you mean "pilot"?'),
        ({"arms": ["data+data"]}, "E104", "arms", "no arm"),
        ({"arms": ["live", "production"]}, "E105", "arms", "more than once"),
        ({"design": "random"}, "E103", "design", "is not possible"),
        ({"points": 3}, "E103", "points", "a grid has as many points"),
        ({"design": "lhs", "points": 3, "parameters": {HEADS: [2]}}, "E103", f"parameters.{HEADS}", "must be a range"),
        ({"design": "lhs", "points": 3, "parameters": {}}, "E102", "parameters", "needs a range"),
        ({"design": "lhs", "parameters": {HEADS: {"low": 1, "high": 2}}}, "E102", "points", "needs the number of points"),
        ({"design": "sobol", "points": 100, "parameters": {HEADS: {"low": 1, "high": 2}}}, "E213", "points", "take 64 or 128"),
        ({"design": "lhs", "points": 2, "parameters": {HEADS: {"low": 3, "high": 2}}}, "E212", f"parameters.{HEADS}", "below high"),
        ({"design": "lhs", "points": 2, "parameters": {HEADS: {"low": 1, "high": 2, "step": 1}}}, "E101", f"parameters.{HEADS}.step", "known: low, high, whole"),
        ({"design": "lhs", "points": 2, "parameters": {WAIT: {"low": "1 d", "high": "9 %"}}}, "E307", f"parameters.{WAIT}", "do not fit together"),
        ({"design": "lhs", "points": 2, "parameters": {WAIT: {"low": "1 d", "high": "2 d", "whole": True}}}, "E103", f"parameters.{WAIT}.whole", "without a unit"),
        ({"parameters": {HEADS: 3}}, "E103", f"parameters.{HEADS}", "must be a list"),
        ({"parameters": {HEADS: []}}, "E103", f"parameters.{HEADS}", "must be a list"),
        ({"parameters": {HEADS: [[1]]}}, "E103", f"parameters.{HEADS}", "no number, text"),
        ({"parameters": {HEADS: [10**400]}}, "E213", f"parameters.{HEADS}", "between"),
        ({"parameters": {HEADS: [float("nan")]}}, "E213", f"parameters.{HEADS}", "between"),
        ({"design": "lhs", "points": 2, "parameters": {HEADS: {"low": 1, "high": 10**400}}}, "E103", f"parameters.{HEADS}", "between"),
        ({"parameters": {HEADS: [2, 2]}}, "E105", f"parameters.{HEADS}", "more than once"),
        ({"parameters": {f"steps.entry.{i}": list(range(9)) for i in range(12)}}, "E213", "parameters", "at most 100,000 points"),
        ({"parameters": {"teams.clarks.headcount": [2]}}, "E104", "parameters.teams.clarks.headcount", "no parameter"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_work_is_refused(changes, code, place, message):
    found = errors(plan(**changes))

    assert [(c, p) for c, p, _ in found] == [(code, place)]
    assert message in found[0][2]


def test_all_problems_come_at_once():
    found = errors(plan(drwas=1, points=3, parameters={HEADS: 3}))

    assert {code for code, _, _ in found} == {"E101", "E103"}
    assert len(found) == 3


def test_values_that_the_case_refuses_are_named_with_point_and_path_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.setattr("scenarios.batch.runner.parts", None)
    file = written(tmp_path, parameters={"arrivals.per_working_day": [12, 40], WAIT: ["1 d", "5", -3]})
    text = refused(run("batch", file, "--out", str(tmp_path / "table.csv")), "E307")

    assert re.search(rf'E307  point 2 and 1 more: {WAIT} +"5" has no unit', text)
    assert re.search(r"E404  point 4: teams\.clerks\.headcount +cannot do today's work", text)
    assert f"point 3 and 1 more: {WAIT}" in text
    assert sorted(p.name for p in tmp_path.iterdir()) == ["plan.toml"]


def test_an_unknown_key_in_a_path_is_a_problem():
    assert errors(plan(parameters={"teams.clerks.headcont": [2]}))[0][:2] == ("E101", "point 1: teams.clerks.headcont")


# -- points without a result


def test_a_point_at_which_today_cannot_be_reproduced_says_so(tmp_path):
    impossible = {"observed": "4 d", "standard_error": "0.1 d", "places": {"entry": {"weight": 1.0}}}
    (tmp_path / "case.toml").write_text(tomlkit.dumps(with_changes({"baseline": impossible})), encoding="utf-8")
    file = written(tmp_path, case="case.toml", draws=2, parameters={"baseline.observed": ["4 d", "2 min"]})
    found, data = pp.batch(file), json.loads(run("batch", file, "--json").stdout)

    assert list(found.problem != "") == [False, False, True]
    assert found.iloc[2]["figures.mean_cycle_time_days"] != found.iloc[2]["figures.mean_cycle_time_days"]
    assert (found.rejected_draws.iloc[0], found.rejected_draws.iloc[2] > 50) == (0, True)
    assert [line["probability"] is None for line in data["points"]] == [False, True]
    assert "Not to be used, point 2: today's " in run("batch", file).stdout


# -- where the table goes


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "folder"])
def test_every_form_holds_the_same(tmp_path, frame, name):
    file = written(tmp_path, arms=["as_is", "production"])
    result = run("batch", file, "--out", str(tmp_path / name))
    read = (
        pd.read_csv(tmp_path / name, keep_default_na=False)
        if name.endswith("csv")
        else pd.read_parquet(tmp_path / name / "parts" if name == "folder" else tmp_path / name)
    )

    assert (result.returncode, result.stdout) == (0, f"wrote {tmp_path / name}\n")
    assert "4 points × 2 arms × 3 futures = 24 simulations" in result.stderr
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert {p.name for p in tmp_path.iterdir()} == {"plan.toml", name}


def test_the_summary_states_mean_range_and_chance(tmp_path, frame):
    result = run("batch", written(tmp_path, arms=["as_is", "production"]))
    data = json.loads(run("batch", written(tmp_path, arms=["as_is", "production"]), "--json").stdout)
    line, rows = data["points"][7], frame[(frame.point == 4) & (frame.arm == "production")]
    days = rows["figures.mean_cycle_time_days"]

    assert "P(promise kept)" in result.stdout
    assert "PREVIEW from 3 futures a point; a decision takes 200" in result.stdout
    assert (line["point"], line["arm"], line["values"]) == (4, "production", {HEADS: 3, f"{WAIT} (d)": 1.5})
    assert line["probability"] == rows.kept.mean()
    assert line["figures"]["mean_cycle_time_days"]["mean"] == pytest.approx(days.mean(), rel=1e-8)
    assert line["figures"]["mean_cycle_time_days"]["low"] == pytest.approx(days.quantile(0.05), rel=1e-8)


def test_at_the_middle_values_no_chance_is_told(tmp_path):
    file = written(tmp_path, draws=None, replications=2)

    assert "P(promise kept)" not in run("batch", file).stdout
    assert {line["probability"] for line in json.loads(run("batch", file, "--json").stdout)["points"]} == {None}


def test_the_table_is_refused_where_it_cannot_go(tmp_path):
    file = written(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    (tmp_path / "old.csv").touch()

    for out, message in (("table.xlsx", "no kind of table"), ("old.csv", "exists already"), ("notes", "no folder of a batch")):
        assert message in refused(run("batch", file, "--out", str(tmp_path / out)), "E601")
    assert "cannot be written" in refused(run("batch", file, "--out", str(tmp_path / "none" / "table.csv")), "E602")


# -- interrupted


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def stopped_after(parts: int, out: Path) -> None:
    """Runs the plan and stops it when so many parts are there."""
    with pytest.raises(Cancelled):
        stopped(parts, out)


def stopped(parts: int, out: Path) -> None:
    prepared, means = batch.prepare(plan()), Means(threads=1)
    with opened(prepared, out) as table:
        add = table.add

        def adding(part: Any) -> None:
            add(part)
            if part.job.point.number == parts:
                means.stop.set()

        table.add = adding  # type: ignore[method-assign]
        fill(prepared, means, table)


def test_a_folder_goes_on_where_it_stopped_and_ends_in_the_same_bytes(tmp_path):
    pp.batch(plan(), tmp_path / "whole")
    stopped_after(2, tmp_path / "stopped")
    assert len(list((tmp_path / "stopped" / "parts").iterdir())) == 2
    again = pp.batch(plan(), tmp_path / "stopped")

    assert tree(tmp_path / "stopped") == tree(tmp_path / "whole")
    pd.testing.assert_frame_equal(again, pp.batch(plan()))


def test_a_file_does_not_appear_half_written(tmp_path):
    for name in ("table.csv", "table.parquet"):
        stopped_after(1, tmp_path / name)

    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_another_plan_is_refused(tmp_path):
    pp.batch(plan(draws=1, parameters={}), tmp_path / "out")
    with pytest.raises(CaseError) as caught:
        pp.batch(plan(draws=2, seed=8, parameters={}), tmp_path / "out")

    assert [(p.code, p.place) for p in caught.value.problems] == [("E703", "plan.seed"), ("E703", "plan.draws")]


def test_a_damaged_part_is_named(tmp_path):
    pp.batch(plan(draws=1, parameters={}), tmp_path / "out")
    part = next((tmp_path / "out" / "parts").iterdir())
    part.write_bytes(part.read_bytes()[:-9])

    with pytest.raises(CaseError, match="is damaged; delete this file"):
        pp.batch(plan(draws=1, parameters={}), tmp_path / "out")


@pytest.mark.slow
def test_ctrl_c_ends_it_quietly_and_the_same_command_goes_on(tmp_path):
    file, out = written(tmp_path, draws=40, parameters={HEADS: [2, 3, 4, 5], WAIT: ["1 d", "2 d", "3 d"]}), tmp_path / "out"
    words = [*COMMAND, "batch", file, "--out", str(out), "--threads", "1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    while process.poll() is None and not list(out.glob("parts/*.parquet")):
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert f"what is done is kept in {out}; the same command goes on with it" in err
    assert 0 < len(list(out.glob("parts/*.parquet"))) < 12
    assert run("batch", file, "--out", str(out)).returncode == 0
    assert len(list(out.glob("parts/*.parquet"))) == 12


# -- the page


def test_the_example_of_the_page_runs(tmp_path, monkeypatch):
    """The command on the shipped plan, and the Python lines as they stand."""
    monkeypatch.chdir(ROOT)
    blocks = dict(re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL))
    assert blocks["toml"].strip() in (ROOT / "docs" / "examples" / "plan.toml").read_text(encoding="utf-8")
    space: dict[str, Any] = {}
    exec(blocks["python"], space)

    assert space["chance"].shape == (2, 3)
    assert (space["chance"].loc[2].diff().dropna() <= 0).all()


def test_the_page_names_every_key_and_column(frame):
    for key in Plan.model_fields:
        assert re.search(rf"^\| .*`{key}`", PAGE, re.MULTILINE), key
    for column in ("case", "point", "arm", "draw", "future", "kept", "rejected_draws", "problem", "figures.X"):
        assert f"`{column}`" in PAGE
