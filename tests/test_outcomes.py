"""Outcomes of one future: days that add up, shares and cost worked by hand, open cases as lower bounds, a horizon long enough."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models import parameters
from models.outcomes import Outcome, case_costs, met, outcome, question, target_level, target_value
from models.parameters import ARMS
from models.schema import CaseFile
from scenarios.catalogue import shipped_names
from scenarios.files import load
from scenarios.study import median_baseline, run_arm
from simulator.clock import DAY, HOUR, WEEK
from simulator.summary import summarise
from tests.tiny import BY_HAND, HORIZON, ai, play, team, tiny, work


def result(case: CaseFile, arrivals: list[Any], **costs: float) -> Outcome:
    ledger = play(case, arrivals)
    return outcome(case, summarise(ledger, question(case, ledger.program, HORIZON)), HORIZON, costs)


# ---------------------------------------------------------------- days


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", shipped_names())
def test_days_are_a_partition(name, arm):
    """Of every shipped scenario: the days by account, and by step, add up to the mean cycle time."""
    case = load(name).case
    short = case.model_copy(
        update={
            "target": case.target.model_copy(update={"weeks": (2, 4)}),
            "run": case.run.model_copy(update={"warm_up_weeks": 2, "run_out_weeks": 2}),
        }
    )
    places = dict.fromkeys(case.baseline.places if case.baseline else (), 1.5)
    found = run_arm(short, parameters.sample(short, 7, range(1)), arm, 0, places).outcome
    mean = found.figures["mean_cycle_time_days"]
    assert mean > 1
    assert sum(found.days.values()) == pytest.approx(mean, abs=1e-9)
    assert sum(found.step_days.values()) == pytest.approx(mean, abs=1e-9)
    assert all(days >= 0 for days in found.days.values())
    groups = found.by_type.values()
    assert min(groups) <= mean <= max(groups)


def test_days_by_hand():
    """Two cases at once on Friday at 16:00, 2 h of work each for one person in office hours: work, queue and closed hours."""
    office = {"office": {"days": ["mon", "tue", "wed", "thu", "fri"], "hours": ["09:00-17:00"]}}
    case = tiny(work(service="2 h"), teams={"team": team(1, "office")}, calendars=office)
    weekend = 2 * DAY + 16 * HOUR
    found = result(case, [4 * DAY + 16 * HOUR] * 2)
    assert found.days == pytest.approx({"work": 2 / 24, "queue": 1 / 24, "closed_hours": weekend / DAY})
    assert found.figures["mean_cycle_time_days"] == pytest.approx((2 * HOUR + 1 * HOUR + weekend) / DAY)


def test_repeated_visits_have_their_own_account():
    case = tiny(
        work(), {"id": "back", "kind": "again", "to": "work", "limit": 2, "otherwise": "done"}, teams={"team": team()}
    )  # fmt: skip
    found = result(case, [0])
    assert found.days == pytest.approx({"work": 1 / 24, "work_again": 2 / 24})
    assert found.step_visits["work"] == 3
    assert found.figures["rework_share"] == 1.0


def test_only_cases_of_the_target_weeks_count():
    """Weeks 1 to 4 by arrival: not the second before go-live, not week 5."""
    found = result(tiny({"id": "wait", "kind": "wait", "time": "1 h"}), [-1, 0, 4 * WEEK - 1, 4 * WEEK])
    assert found.figures["cases"] == 2


# ---------------------------------------------------------------- the promise


@pytest.mark.parametrize(
    ("target", "value", "kept"),
    [
        ({"statistic": "mean", "level": "2.5 d"}, 2.5, True),
        ({"statistic": "mean", "level": "2.4 d"}, 2.5, False),
        ({"statistic": "median", "level": "2.5 d"}, 2.5, True),
        ({"statistic": "p90", "level": "3.6 d"}, 3.7, False),
        ({"statistic": "share_within", "within": "2 d", "level": "50 %", "direction": "at_least"}, 0.5, True),
        ({"statistic": "share_within", "within": "47 h", "level": "50 %", "direction": "at_least"}, 0.25, False),
    ],
)
def test_statistics_by_hand(target, value, kept):
    """Waits of 1, 2, 3 and 4 days by type; the 0.9 quantile is 3.7 (linear between the third and the fourth)."""
    types = {name: {"share": 0.25} for name in "abcd"}
    options = [{"to": f"wait_{n}", "share": {"types": {n: 1.0}}} for n in "abc"]
    waits = [{"id": f"wait_{n}", "kind": "wait", "time": f"{k} d", "next": "done"} for k, n in enumerate("abcd", 1)]
    case = tiny(
        {"id": "go", "kind": "choice", "options": [*options, {"to": "wait_d"}]}, *waits,
        types=types, target={"weeks": [1, 4], **target},
    )  # fmt: skip
    found = result(case, [(0, k) for k in range(4)])
    assert target_value(case, found.figures) == pytest.approx(value)
    assert met(case, found.figures) is kept
    assert found.by_type == pytest.approx({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0})
    assert target_level(case) == pytest.approx(0.5 if "within" in target else float(target["level"].split()[0]))


def test_open_cases_count_with_their_age():
    """The run ends after 8 weeks: a case that arrived on day 7 and waits for 300 days is at least 49 days old."""
    case = tiny({"id": "wait", "kind": "wait", "time": "300 d"}, target={"level": "60 d", "weeks": [1, 4]})
    found = result(case, [0, 7 * DAY])
    assert found.figures["open_share"] == 1.0
    assert found.figures["mean_cycle_time_days"] == pytest.approx((56 + 49) / 2)
    assert sum(found.days.values()) == pytest.approx((56 + 49) / 2)
    assert found.figures["straight_through_share"] == 0.0


# ---------------------------------------------------------------- shares and cost


def four_kinds() -> CaseFile:
    """a: accepted by an AI that is right. b: referred, wrong, not caught. c: by hand, twice. d: accepted, wrong, found late."""
    options = [{"to": f"way_{n}", "share": {"types": {n: 1.0}}} for n in "abc"]
    right = {"accuracy": 1.0, "coverage": 1.0, "accepted_error": 0.0}
    wrong = {"accuracy": 1e-9, "coverage": 0.0, "accepted_error": 0.0}
    passed = {"accuracy": 1e-9, "coverage": 1.0, "accepted_error": 1.0}
    return tiny(
        {"id": "go", "kind": "choice", "options": [*options, {"to": "way_d"}]},
        ai(id="way_a", **right),
        ai(id="way_b", **wrong, referred="look"),
        {"id": "look", "kind": "review", "of": "way_b", "team": "team", "service": "1 h", "catch": 0.0, "next": "done"},
        work("way_c", "2 h"),
        {"id": "back", "kind": "again", "to": "way_c", "limit": 1, "otherwise": "done"},
        ai(id="way_d", **passed, accepted="found"),
        {"id": "found", "kind": "discovery", "of": "way_d", "chance": 1.0, "to": "repair", "next": "done"},
        {"id": "repair", "kind": "wait", "time": "1 h", "next": "done"},
        BY_HAND,
        teams={"team": team(4, cost_per_hour="30 USD")},
        types={name: {"share": 0.25} for name in "abcd"},
        money={"ai_cost_per_case": "0.50 USD", "cost_of_error_never_found": "100 USD"},
    )


FOUR = [(0, k) for k in range(4)]


def test_shares_by_hand():
    figures = result(four_kinds(), FOUR).figures
    expected = {
        "straight_through_share": 0.5,  # a and d: accepted, ended, and no hand on them
        "ai_share": 0.75,
        "accepted_share": 0.5,
        "review_share": 0.25,
        "escalated_share": 0.0,
        "rework_share": 0.25,
        "errors_found_late_share": 0.25,
        "errors_never_found_share": 0.25,
        "open_share": 0.0,
    }
    assert {name: figures[name] for name in expected} == expected


def test_cost_by_hand():
    """1 h of review and 2 × 2 h of work at 30 an hour, 3 fees, one error never found, over 4 cases."""
    case = four_kinds()
    costs = case_costs(case, parameters.sample(case, 1, None).columns(frozenset()), 0)
    assert costs == {"teams.team": 30.0, "ai_cost_per_case": 0.5, "cost_of_error_never_found": 100.0}
    assert result(case, FOUR, **costs).figures["direct_cost_per_case"] == pytest.approx((5 * 30 + 3 * 0.5 + 100) / 4)


def test_all_parallel_branches_cost_money():
    """1 h and 3 h at the same time: 3 h of the case's time, 4 h of work to pay."""
    case = tiny(
        {"id": "both", "kind": "parallel", "branches": ["short", "long"], "join": "meet"},
        work("short", "1 h", next="meet"),
        work("long", "3 h", next="meet"),
        {"id": "meet", "kind": "join"},
        teams={"team": team(2)},
    )
    found = result(case, [0], **{"teams.team": 30.0})
    assert found.figures["direct_cost_per_case"] == pytest.approx(120.0)
    assert found.days == pytest.approx({"work": 3 / 24})


def test_what_is_off_duty_costs_nothing():
    """2 h of work over a night: 2 h are paid."""
    office = {"office": {"days": ["mon", "tue", "wed", "thu", "fri"], "hours": ["09:00-17:00"]}}
    case = tiny(work(service="2 h"), teams={"team": team(1, "office")}, calendars=office)
    assert result(case, [16 * HOUR], **{"teams.team": 30.0}).figures["direct_cost_per_case"] == pytest.approx(60.0)


def test_escalations_and_ai_days_by_hand():
    """Accepted at once, against an hour of a desk that escalates; no week after the fourth is reported."""
    levels = [{"team": "team", "service": "1 h", "resolves": 0.0}, {"team": "team", "service": "1 h", "resolves": 1.0}]
    case = tiny(
        ai(routed={"types": {"a": 1.0}}, manual="desk", accuracy=1.0, coverage=1.0, accepted_error=0.0),
        {"id": "desk", "kind": "desk", "levels": levels, "next": "done"}, BY_HAND,
        teams={"team": team()}, types={"a": {"share": 0.5}, "b": {"share": 0.5}},
    )  # fmt: skip
    found = result(case, [(0, 0), (0, 1)])
    assert found.figures["escalated_share"] == 0.5
    assert found.by_ai == pytest.approx({"ai": 0.0, "manual": 2 / 24})
    assert set(found.by_week) == {1, 2, 3, 4}
    assert found.utilisation["team"].max() == pytest.approx(2 / (7 * 24))


# ---------------------------------------------------------------- the horizon


@pytest.mark.slow
def test_a_longer_warm_up_and_run_out_move_nothing():
    """Default scenario, live, middle values, the same unlocated days and three futures: the mean moves by less than 0.05 d."""
    case = load("invoice_processing").case
    draws = parameters.sample(case, 7, None)
    solved = median_baseline(case, draws.seed)
    assert solved is not None
    double = {"warm_up_weeks": 2 * case.run.warm_up_weeks, "run_out_weeks": 2 * case.run.run_out_weeks}
    longer = case.model_copy(update={"run": case.run.model_copy(update=double)})
    moved = []
    for future in range(3):
        a, c = (run_arm(each, draws, "production", future, solved.per_visit) for each in (case, longer))
        assert c.outcome.figures["cases"] == a.outcome.figures["cases"]
        moved.append(c.outcome.figures["mean_cycle_time_days"] - a.outcome.figures["mean_cycle_time_days"])
    assert abs(np.mean(moved)) < 0.05
