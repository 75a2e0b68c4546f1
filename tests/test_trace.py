"""`trace`: what each stretch of a case's time was, in words that need no knowledge of the program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from tests.case_builder import small, with_changes
from tests.test_cli import run

OFFICE = {"hours": ["09:00-17:00"]}
NIGHTLY = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "hours": ["03:00-03:10"]}


def step(kind: str, **more: Any) -> dict[str, Any]:
    return {"id": "it", "kind": kind, "label": "the step", **more}


def story(folder: Path, steps: Sequence[dict[str, Any]], *options: str, **tables: Any) -> tuple[dict[str, Any], str]:
    """The trace of a case in a process of these steps, as JSON and as text."""
    data = {**small(), **tables, "steps": [*steps, {"id": "done", "kind": "end"}]}
    file = folder / "case.toml"
    file.write_text(tomlkit.dumps(data), encoding="utf-8")
    shown, plain = run("trace", str(file), *options, "--json"), run("trace", str(file), *options)
    assert (shown.returncode, plain.returncode) == (0, 0), plain.stderr + shown.stdout
    return json.loads(shown.stdout), plain.stdout


NOBODY: dict[str, Any] = {"teams": {}}
APPROVAL = {"needed": 1.0, "response": "30 h"}


@pytest.mark.parametrize(
    ("wait", "tables", "what", "line"),
    [
        (step("wait", time="30 h"), NOBODY, "waiting for somebody outside", "the step [it]"),
        (step("wait", time="30 h", on="inbox"), NOBODY, "in the inbox, before the work starts", "the step [it]"),
        (step("wait", time="30 h", on="step"), NOBODY, "waiting at this step", "the step [it]"),
        (step("wait", time="30 h", on="integration"), NOBODY, "waiting for a connected system", "the step [it]"),
        (step("approval", levels=[APPROVAL]), NOBODY, "waiting for the approver's answer", "the step [it.1.response]"),
        (step("approval", levels=[APPROVAL] * 2), NOBODY, "waiting for the approver's answer", "the step, level 2 of 2 [it.2.response]"),
        (step("gate", calendar="runs"), {**NOBODY, "calendars": {"office": OFFICE, "runs": NIGHTLY}},
         "waiting for a fixed date", "waiting for a fixed date (runs)"),
        (step("collect", size=1000, max_wait="30 h"), NOBODY, "waiting until enough have come together", "the step [it]"),
        (step("system", system="erp", latency="10 min", timeout="1 h", failed="done"), {**NOBODY, "systems": {"erp": {"label": "the ERP"}}},
         "connected system", "connected system (the ERP)"),
    ],
    ids=lambda value: value.get("on", value.get("kind")) if isinstance(value, dict) else "",
)  # fmt: skip
def test_every_kind_of_wait_is_named(tmp_path, wait, tables, what, line):
    data, text = story(tmp_path, [wait], **tables)

    assert next(iter(data["hours"])) == what
    assert line in text


def test_work_is_told_from_waiting_for_people_and_from_closed_hours(tmp_path):
    """12 cases a day for one person who takes 35 minutes: queues over night, in parts that add up."""
    busy = {"clerks": {"headcount": 1, "calendar": "office", "label": "the clerks"}}
    data, text = story(tmp_path, [step("work", team="clerks", service="35 min")], "--case", "62", teams=busy)

    (event,) = data["events"]
    parts = {part["account"]: part["hours"] for part in event["parts"]}
    assert parts["work"] == pytest.approx(35 / 60, abs=1e-6)
    assert sum(parts.values()) == pytest.approx(event["hours"], abs=1e-5)
    assert event["hours"] / 24 == pytest.approx(data["cycle_days"], abs=1e-5)
    assert {"queue", "closed_hours"} <= set(parts)
    assert "waiting for a free person (the clerks: " in text
    assert "outside working hours; " in text
    assert "35 min work (the clerks)" in text


@pytest.mark.parametrize("number", ["0", "5", "11"])
def test_the_parts_of_a_shipped_case_add_up_to_its_time(number):
    data = json.loads(run("trace", "claims_intake", "--case", number, "--json").stdout)

    assert sum(data["hours"].values()) / 24 == pytest.approx(data["cycle_days"], abs=1e-4)
    assert all(event["label"] and "_" not in event["label"] for event in data["events"])
    assert all(part["what"] for event in data["events"] for part in event["parts"])


def test_the_page_says_who_and_keeps_the_technical_names_in_brackets():
    text = run("trace", "invoice_processing", "--case", "5").stdout

    assert text.startswith("invoice 5, PO, standard, live: arrived ")
    assert "connected system (AI service)" in text
    assert "AI reads and codes: went to the AI [send_to_ai.handled]" in text
    assert "took" not in text


def test_a_step_without_a_label_is_named_by_its_id(tmp_path):
    file = tmp_path / "case.toml"
    file.write_text(tomlkit.dumps(with_changes({"steps.entry.id": "data_entry"})), encoding="utf-8")

    assert "data entry [data_entry]" in run("trace", str(file)).stdout
