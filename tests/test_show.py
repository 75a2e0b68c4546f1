"""`scenario show`: the workflow, every parameter with its source, every input that changes by week."""

from __future__ import annotations

import json
import re

import pytest

from models.leaves import leaves
from scenarios.catalogue import shipped_names
from scenarios.files import load
from scenarios.report import show_report
from scenarios.report.weekly import weekly_inputs
from tests.case_builder import AI, SMALL_FILE, loaded

RAMP = {"start": 0.2, "weeks": 6}
WEEKLY_AI = {
    **AI, "routed": {"simple": 1.0, "hard": 0.5}, "adoption": RAMP, "drift": {"logit_drop": 0.5, "midpoint_week": 4, "scale_weeks": 1}, "referred": "look",
}  # fmt: skip
LOOK = {
    "id": "look", "kind": "review", "of": "machine", "team": "clerks", "service": "5 min", "catch": 0.8, "next": "done",
    "learning": {"start": 2, "half_life_weeks": 2},
}  # fmt: skip
WEEKLY = {
    "steps.first": WEEKLY_AI,
    "steps.+": LOOK,
    "teams.clerks.change": {"from_week": 5, "headcount": {"as_is": 2, "pilot": 2, "production": 1, "cause": "organisation"}},
}


@pytest.mark.parametrize("name", shipped_names())
def test_the_page_fits_in_120_columns(name):
    text = show_report.text(load(name))

    assert all(len(line) <= 120 for line in text.splitlines() if "-->" not in line)
    assert not any(line != line.rstrip() for line in text.splitlines())


@pytest.mark.parametrize("name", shipped_names())
def test_every_parameter_step_and_citation_is_there(name):
    case = load(name)
    text, data = show_report.text(case), show_report.as_json(case)

    assert {p["path"] for p in data["parameters"]} == {leaf.path for leaf in leaves(case.case)}
    assert [s["id"] for s in data["steps"]] == [s.id for s in case.case.steps]
    assert all(re.search(rf"^{step.id}\b", text, re.MULTILINE) for step in case.case.steps)
    assert all(f"  {key}: " in text for key in case.case.sources)
    assert sum(data["parameters_by_source"].values()) == sum(leaf.stated for leaf in leaves(case.case))
    json.dumps(data, allow_nan=False)


def test_a_parameter_row_says_range_unit_source_and_owner():
    rows = {(p["path"], p["arm"]): p for p in show_report.as_json(load(str(SMALL_FILE)))["parameters"]}
    row = rows["steps.answer.time.mean", None]

    assert (row["unit"], row["source"], row["owner"], row["stated"]) == ("s", "elicited", "front office", True)
    assert (row["low"], row["high"]) == pytest.approx((86_400, 432_000), rel=0.15)
    assert row["low"] < row["middle"] < row["high"]
    assert rows["arrivals.day_cv", None]["stated"] is False


def test_a_value_that_differs_by_arm_has_a_row_for_each_with_its_cause():
    case = loaded({"teams.clerks.headcount": {"pilot": 3, "production": 2, "cause": "organisation", "source": "measured"}})
    rows = [p for p in show_report.as_json(case)["parameters"] if p["path"] == "teams.clerks.headcount"]

    assert [(r["arm"], r["middle"], r["cause"]) for r in rows] == [
        ("as_is", 2.0, "organisation"), ("pilot", 3.0, "organisation"), ("production", 2.0, "organisation"),
    ]  # fmt: skip
    assert "live (organisation)" in show_report.text(case)


def test_uncertain_numbers_of_people_are_said_to_be_rounded():
    case = loaded({"teams.clerks.headcount": {"low": 2, "likely": 2.6, "high": 4}})

    assert "rounded to whole people in each future: teams.clerks.headcount" in " ".join(show_report.text(case).split())


def test_the_diagram_has_every_way_and_escapes_labels():
    case = loaded({"steps.answer.label": 'ask "them" <now>'})
    lines = list(show_report.mermaid(case.case))

    assert lines[0] == "flowchart TD"
    assert '  s_answer("ask &quot;them&quot; &lt;now>")' in lines
    assert '  s_question -->|"simple 0.1, hard 0.5"| s_answer' in lines
    assert '  s_question -->|"rest"| s_done' in lines
    assert "  s_entry --> s_question" in lines
    assert '  s_done(["done"])' in lines


def test_every_kind_of_weekly_input_is_listed_with_its_values():
    items = {
        i.what.split(":")[0] + (i.what.split("of ")[1][:6] if "routing" in i.what else ""): i
        for i in weekly_inputs(loaded(WEEKLY).case, 8)
    }

    assert set(items) == {"adoption", "routingsimple", "routinghard t", "drift", "learning", "staffing"}
    assert items["adoption"].values[0] == pytest.approx(0.2)
    assert items["adoption"].values == tuple(sorted(items["adoption"].values))
    assert items["routinghard t"].values == pytest.approx([0.5 * v for v in items["routingsimple"].values], abs=1e-6)
    assert items["drift"].values[3] == pytest.approx(0.25)
    assert items["learning"].values[:3] == pytest.approx((2.0, 1 + 2**-0.5, 1.5), abs=1e-6)
    assert items["staffing"].values == (2, 2, 2, 2, 1, 1, 1, 1)
    assert all(len(i.values) == 8 and i.source == "guess" for i in items.values())


def test_support_is_listed_until_its_last_week():
    case = load("invoice_processing").case
    support = next(i for i in weekly_inputs(case, 26) if i.path == "steps.exceptions.levels.1.support")

    assert support.values == (0.5,) * 6 + (0.0,) * 20
    assert "project support leaves after week 6" in support.source


def test_no_weekly_input_is_said_so():
    assert "none: after go-live everything stays as it is" in show_report.text(load(str(SMALL_FILE)))
