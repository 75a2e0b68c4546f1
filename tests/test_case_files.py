"""Every kind of bad input: the code, the place, and a message that says what would be right."""

from __future__ import annotations

import copy
import difflib
import re
import time
from pathlib import Path
from typing import Any

import pytest

from scenarios.catalogue import shipped_names
from scenarios.files import MAX_BYTES, MAX_PROBLEMS, _line_of_deep_key, _short, find, load, parsed, resolved, validated
from scenarios.overload import check_today
from scenarios.problems import CODES, CaseError
from tests.case_builder import AI, GONE, SMALL_FILE, loaded, problems, small, with_changes

NAN, INF = float("nan"), float("inf")
PERT_AT_ONE_POINT = {"kind": "pert", "low": "1 d", "likely": "1 d", "high": "1 d"}
WITH_AI = {"steps.first": AI, "steps.machine.manual": "entry"}


def test_the_small_example_is_right():
    assert problems({}) == []


WRONG: list[tuple[dict[str, Any], str, str, str]] = [
    # unknown keys, at any depth, with the nearest one
    ({"teem": {}}, "E101", "teem", 'did you mean "teams"?'),
    ({"teams.clerks.headcuont": 2}, "E101", "teams.clerks.headcuont", 'did you mean "headcount"?'),
    ({"teams.clerks.COST_PER_HOUR": 2}, "E101", "teams.clerks.COST_PER_HOUR", 'did you mean "cost_per_hour"?'),
    ({"steps.entry.service.p09": "1 h"}, "E101", "steps.entry.service.p09", 'did you mean "p90"?'),
    ({"steps.answer.time.mean.sorce": "guess"}, "E101", "steps.answer.time.mean.sorce", 'did you mean "source"?'),
    ({"steps.question.options.1.too": "done"}, "E101", "steps.question.options.1.too", 'did you mean "to"?'),
    ({"steps.question.options.1.share": {"value": 0.3, "hih": 1}}, "E101", "steps.question.options.1.share.hih", 'did you mean "high"?'),
    # keys that are missing
    ({"title": GONE}, "E102", "title", "is missing"),
    ({"steps.entry.team": GONE}, "E102", "steps.entry.team", "is missing"),
    ({"steps.entry.kind": GONE}, "E102", "steps.entry", "needs a kind"),
    ({"steps.entry.service": {"median": "1 h", "p90": "2 h"}}, "E102", "steps.entry.service", "needs the kind of its distribution"),
    ({"steps.answer.limit": "5 d"}, "E102", "steps.answer", '"limit" needs "on_limit"'),
    ({"steps.answer.on_limit": "done"}, "E102", "steps.answer", '"on_limit" needs "limit"'),
    ({"steps.question.options.1.share": GONE}, "E102", "steps.question.options.1.share", "only the last option goes without"),
    ({"teams.clerks.headcount": {"value": 2, "source": "benchmark"}}, "E102", "teams.clerks.headcount.cite", "needs its citation"),
    ({"steps.answer.time": {"kind": "empirical", "quantiles": [[0, "1 d"], [1, "2 d"]], "source": "benchmark"}},
     "E102", "steps.answer.time.cite", "needs its citation"),
    ({"steps.done": {"id": "done", "kind": "wait", "time": "1 d"}}, "E102", "steps.done.next", 'end the list with kind = "end"'),
    ({"arrivals.month_end_factor": 2.0}, "E102", "arrivals", '"month_end_factor" needs "month_end_days"'),
    # wrong types and forms
    ({"schema_version": 2}, "E103", "schema_version", "this program reads version 1"),
    ({"name": "My case"}, "E103", "name", "lower-case letters"),
    ({"title": 7}, "E103", "title", "must be text in quotes"),
    ({"title": "x" * 201}, "E213", "title", "is longer than 200 letters"),
    ({"title": "a\0b"}, "E103", "title", "holds signs that cannot be shown"),
    ({"title": "a\u202eb"}, "E103", "title", "holds signs that cannot be shown"),
    ({"options": {"a": {"title": "x" * 201, "changes": {"teams.clerks.headcount": 3}}}},
     "E213", "options.a.title", "is longer than 200 letters"),
    ({"arrivals.per_working_day": 5_000, "run.warm_up_weeks": 104, "run.run_out_weeks": 104, "target.weeks": [1, 260]},
     "E213", "arrivals.per_working_day", "cases in the 468 weeks of a run; at most 2,000,000 can be simulated"),
    ({"go_live": "soon"}, "E103", "go_live", "must be a date such as 2027-01-04"),
    ({"go_live": "2027-01-05"}, "E103", "go_live", "is a Tuesday; weeks are counted from a Monday such as 2027-01-04"),
    ({"teams.clerks.headcount": True}, "E103", "teams.clerks.headcount", "must be a number"),
    ({"teams.clerks.headcount": "two"}, "E103", "teams.clerks.headcount", '"two" is not a number'),
    ({"run.warm_up_weeks": 4.5}, "E103", "run.warm_up_weeks", "must be a whole number"),
    ({"run.warm_up_weeks": "4"}, "E103", "run.warm_up_weeks", "must be a whole number"),
    ({"types.hard.piloted": "yes"}, "E103", "types.hard.piloted", "must be true or false"),
    ({"steps": "none"}, "E103", "steps", "must be a list"),
    ({"teams.clerks": 2}, "E103", "teams.clerks", "must be a table"),
    ({"steps.entry.kind": "wrok"}, "E103", "steps.entry.kind", 'did you mean "work"?'),
    ({"calendars.office.days": ["monday"]}, "E103", "calendars.office.days.1", 'did you mean "mon"?'),
    ({"teams.clerks.headcount": {"pilot": 1, "production": 2}}, "E103", "teams.clerks.headcount", "needs pilot, production and cause"),
    ({"teams.clerks.headcount": {"value": 1, "cause": "data"}}, "E103", "teams.clerks.headcount", "a cause needs the values"),
    ({"arrivals.per_month": 100}, "E103", "arrivals", "either per_month or per_working_day"),
    ({"steps.done.next": "entry"}, "E103", "steps.done", '"next" has no effect'),
    ({"steps.question.next": "done"}, "E103", "steps.question", '"next" has no effect'),
    ({"steps.question.options.2.share": 0.5}, "E103", "steps.question.options.2.share", "takes the remainder"),
    ({"target.statistic": "share_within", "target.level": "90 %"}, "E103", "target", "share_within needs `within`"),
    ({"target.statistic": "share_within", "target.level": "90 %", "target.within": "5 d"}, "E103", "target", 'direction = "at_least"'),
    ({"steps.question.when": ["a", "!a"], "steps.entry": {"id": "entry", "kind": "flag", "flag": "a", "chance": 0.1}, "teams": GONE},
     "E103", "steps.question.when", "exclude each other"),
    ({"types": {"value": {"share": 1.0}}, "steps.question.options.1.share": 0.2}, "E103", "types.value", "choose another name"),
    ({"arrivals.per_working_day": {"value": 12, "source": "measured", "inherited": "x"}}, "E103", "arrivals.per_working_day", "is a guess"),
    # names that nothing defines
    ({"steps.entry.team": "clarks"}, "E104", "steps.entry.team", 'no team "clarks"; did you mean "clerks"?'),
    ({"teams.clerks.calendar": "ofice"}, "E104", "teams.clerks.calendar", 'did you mean "office"?'),
    ({"steps.entry.next": "dnoe"}, "E104", "steps.entry.next", 'did you mean "done"?'),
    ({"steps.question.options.1.share": {"simple": 0.1, "hrad": 0.2}}, "E104", "steps.question.options.1.share", 'did you mean "hard"?'),
    ({"steps.question.when": ["urgent"], "steps.question.otherwise": "done"}, "E104", "steps.question.when.1", 'no flag "urgent"'),
    ({"baseline": {"observed": "2 d", "standard_error": "0.1 d", "places": {"entri": {"weight": 1}}}},
     "E104", "baseline.places.entri", 'did you mean "entry"?'),
    ({"sources": {"erp": "ERP export"}, "steps.entry.service": {"value": "1 h", "cite": "epr"}},
     "E104", "steps.entry.service.cite", 'did you mean "erp"?'),
    ({"calendars.office.holidays": "nl"}, "E104", "calendars.office.holidays", 'did you mean "NL"?'),
    ({"calendars.office.holidays": "Netherlands"}, "E104", "calendars.office.holidays", 'use a code such as "NL"'),
    ({"calendars.office.holidays": "__init__"}, "E104", "calendars.office.holidays", 'use a code such as "NL"'),
    ({"calendars.office.holidays": "DE-XX"}, "E104", "calendars.office.holidays", 'no part "XX" of DE'),
    # names used twice
    ({"steps.answer.id": "entry", "steps.question.options": [{"to": "done"}]}, "E105", "steps.entry", "rename one of them"),
    ({"calendars.office.days": ["mon", "mon"]}, "E105", "calendars.office.days", "twice"),
    # defined, but nothing uses it
    ({"teams.auditors": {"headcount": 1, "calendar": "office"}}, "E106", "teams.auditors", "no step uses it"),
    ({"calendars.weekend": {"days": ["sat"]}}, "E106", "calendars.weekend", "no step uses it"),
    ({"systems.erp": {}}, "E106", "systems.erp", "no step uses it"),
    ({"sources": {"erp": "ERP export", "survey": "Survey 2026"}, "steps.entry.service": {"value": "1 h", "cite": "erp"}},
     "E106", "sources.survey", "nothing cites it; remove it, or name it in a cite"),
    ({"money": {"ai_cost_per_case": "1 USD"}}, "E106", "money.ai_cost_per_case", "no step is an AI step"),
    # shares that do not add up
    ({"types.hard.share": 0.38}, "E211", "types share", "adds up to 1.08, must be 1 (simple 0.7, hard 0.38)"),
    ({"types.hard.share": {"pilot": 0.3, "production": 0.5, "cause": "scope"}}, "E211", "types share", "adds up to 1.2"),
    ({"steps.question.options": [{"to": "answer", "share": 0.7}, {"to": "entry", "share": 0.4}, {"to": "done"}]},
     "E211", "steps.question.options", "more than 1"),
    ({"steps.answer.time": {"kind": "mixture", "weights": [0.5, 0.6], "parts": [{"kind": "constant", "value": "1 d"}] * 2}},
     "E211", "steps.answer.time", "add up to 1.1"),
    # what is said of one number does not fit together
    ({"steps.answer.time": {"low": "2 d", "likely": "3 d", "high": "1 d"}}, "E212", "steps.answer.time", "low (2 d) must lie below high (1 d)"),
    ({"steps.answer.time": {"low": "1 d", "likely": "9 d", "high": "5 d"}}, "E212", "steps.answer.time", "likely (9 d) must lie between"),
    ({"steps.answer.time": {"low": "1 d", "high": "5 d"}}, "E212", "steps.answer.time", "likely missing"),
    ({"teams.clerks.headcount": {"value": 1, "sd": 2}}, "E212", "teams.clerks.headcount", "not both of value and mean"),
    ({"steps.question.options.1.share": {"right": 12, "tried": 10}}, "E212", "steps.question.options.1.share", "more right (12) than tried (10)"),
    ({"steps.answer.time": {"right": 1, "tried": 10}}, "E212", "steps.answer.time", "right and tried describe a share"),
    ({"steps.answer.time": {"kind": "uniform", "low": "3 d", "high": "1 d"}}, "E212", "steps.answer.time", "low (3 d) must not exceed high (1 d)"),
    ({"steps.answer.time": {"kind": "lognormal", "median": "3 d", "p90": "1 d"}}, "E212", "steps.answer.time", "median (3 d) must not exceed"),
    ({"steps.answer.time": PERT_AT_ONE_POINT}, "E212", "steps.answer.time", "low and high are equal"),
    ({"steps.question.options.1.share": {"mean": 0.1, "sd": 0.05}}, "E212", "steps.question.options.1.share", "reaches below 0"),
    ({"steps.question.options.1.share": {"mean": 0.9, "sd": 0.05}}, "E212", "steps.question.options.1.share", "reaches above 1"),
    ({"steps.answer.time": {"mean": "1 d", "sd": "0 d"}}, "E212", "steps.answer.time", "sd must be above 0"),
    # numbers out of range
    ({"arrivals.per_working_day": -3}, "E213", "arrivals.per_working_day", "is -3, must be above 0"),
    ({"arrivals.per_working_day": {"mean": 3, "sd": 2}}, "E213", "arrivals.per_working_day", "can fall to"),
    ({"arrivals.per_working_day": 1e7}, "E213", "arrivals.per_working_day", "at most 60,000"),
    ({"arrivals.per_working_day": NAN}, "E213", "arrivals.per_working_day", "is not a finite number"),
    ({"arrivals.per_working_day": INF}, "E213", "arrivals.per_working_day", "is not a finite number"),
    ({"arrivals.per_working_day": 10**400}, "E213", "arrivals.per_working_day", "is not a finite number"),
    ({"arrivals.weekday": {"mon": NAN}}, "E213", "arrivals.weekday.mon", "is not a finite number"),
    ({"steps.entry.service": "1e999 d"}, "E213", "steps.entry.service", "is not a finite number"),
    ({"steps.entry.service": "-5 min"}, "E213", "steps.entry.service", "is negative"),
    ({"steps.entry.service": "100000 d"}, "E213", "steps.entry.service", "must be at most 3650 d"),
    ({"types.hard.share": 30}, "E213", "types.hard.share", 'for per cent write "30 %"'),
    ({"teams.clerks.headcount": 0}, "E213", "teams.clerks.headcount", "nobody is ever in this team"),
    ({"teams.clerks.headcount": -2}, "E213", "teams.clerks.headcount", "must be at least 0"),
    ({"teams.clerks.headcount": 2.5}, "E213", "teams.clerks.headcount", "is 2.5, must be a whole number"),
    ({"run.warm_up_weeks": 0}, "E213", "run.warm_up_weeks", "is 0, must be at least 1"),
    ({"target.weeks": [8, 5]}, "E213", "target.weeks", "first <= last"),
    ({"target.weeks": [0, 5]}, "E213", "target.weeks.1", "must be at least 1"),
    ({"target.level": "0 d"}, "E213", "target.level", "must be above 0"),
    ({"steps": []}, "E213", "steps", "needs at least 1"),
    ({"calendars.office.hours": ["25:00-26:00"]}, "E213", "calendars.office", "run forward within one day"),
    ({"calendars.office.hours": ["nine to five"]}, "E213", "calendars.office", 'not of the form "09:00-17:00"'),
    ({"calendars.office.hours": ["09:00-13:00", "12:00-17:00"]}, "E213", "calendars.office.hours", "overlap"),
    ({"calendars.office.days": []}, "E213", "calendars.office.days", "needs at least 1"),
    ({"arrivals.weekday": dict.fromkeys(["mon", "tue", "wed", "thu", "fri"], 0)}, "E213", "arrivals.weekday", "no case ever comes"),
    ({"arrivals.weekday": {"sat": 1}}, "E213", "arrivals.weekday.sat", "is a closed day"),
    ({"arrivals.weekday": {"mon": -1}}, "E213", "arrivals.weekday.mon", "must be at least 0"),
    ({"teams.clerks.absence": {"every": "1 s", "length": "1 d"}}, "E213", "teams.clerks.absence.every", "at least 1 h between two"),
    ({"steps.answer.time": {"kind": "empirical", "quantiles": [[0, "1 d"], [0.5, "3 d"], [1, "2 d"]]}}, "E213", "steps.answer.time", "must not fall"),
    ({**WITH_AI, "steps.machine.accepted_error": 0.2}, "E213", "steps.machine.accepted_error", "exceeds the coverage"),
    ({**WITH_AI, "types.simple.piloted": False, "types.hard.piloted": False}, "E213", "types", "the pilot had cases of no type"),
    # units
    ({"steps.entry.service": 30}, "E307", "steps.entry.service", '"30" has no unit; write "30 min", "30 h" or "30 d"'),
    ({"steps.entry.service": "30"}, "E307", "steps.entry.service", "has no unit"),
    ({"steps.entry.service": "30 %"}, "E307", "steps.entry.service", 'unknown unit of time "%"'),
    ({"steps.entry.service": "3 fortnights"}, "E307", "steps.entry.service", "use s, min, h, d"),
    ({"steps.entry.service": "1,5 h"}, "E103", "steps.entry.service", "decimals take a point"),
    ({"types.hard.share": "3 d"}, "E307", "types.hard.share", "a share is a number from 0 to 1 or a percentage"),
    ({"teams.clerks.headcount": "2 d"}, "E307", "teams.clerks.headcount", "a plain number is expected here"),
    ({"target.level": "3"}, "E307", "target.level", "has no unit"),
    ({"baseline": {"observed": "2 d", "standard_error": "0.1"}}, "E307", "baseline.standard_error", "has no unit"),
    ({"money": {"currency": "EUR"}, "teams.clerks.cost_per_hour": "30 USD"}, "E307", "teams.clerks.cost_per_hour", "is in USD"),
    # steps
    ({"steps.question.options": [{"to": "done"}]}, "E401", "steps.answer", "no step leads to it"),
    ({"steps.answer.next": "entry"}, "E402", "steps.answer", "entry → question → answer → entry"),
    ({"steps.answer": {"id": "answer", "kind": "join"}}, "E403", "steps.answer", "belongs to exactly one parallel step"),
    # run settings
    ({"run.warm_up_weeks": 60}, "E501", "run.warm_up_weeks", "longer than all that is simulated after go-live (12 weeks)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "code", "place", "message"), WRONG, ids=lambda value: value if isinstance(value, str) else ""
)
def test_bad_input_is_refused_with_code_place_and_remedy(changes, code, place, message):
    found = problems(changes)

    assert [(p.code, p.place) for p in found if p.code == code and p.place == place], found
    assert message in "\n".join(p.line() for p in found)


@pytest.mark.parametrize(
    ("changes", "code", "place", "message"), WRONG, ids=lambda value: value if isinstance(value, str) else ""
)
def test_one_mistake_gives_one_problem_or_its_direct_consequences(changes, code, place, message):
    assert len(problems(changes)) <= 3


def test_all_codes_of_case_files_are_covered():
    of_files = {code for code in CODES if code < "E404" or code == "E501"} - {"E100"}
    assert {code for _, code, _, _ in WRONG} == of_files


def test_all_problems_come_at_once():
    found = problems({
        "steps.entry.team": "clarks", "types.hard.share": 0.38, "target.level": "3", "teams.clerks.lable": "x", "steps.answer.time": "-1 d",
        "run.warm_up_weeks": "x",
    })  # fmt: skip

    assert {p.code for p in found} == {"E101", "E103", "E104", "E211", "E213", "E307"}


def test_the_same_problem_is_named_once():
    found = problems({"steps.entry.service": {"value": "30", "note": "x"}})

    assert len(found) == 1


def test_overload_today_names_team_load_and_people():
    with pytest.raises(CaseError) as caught:
        check_today(loaded({"arrivals.per_working_day": 60}))

    (problem,) = caught.value.problems
    assert (problem.code, problem.place) == ("E404", "teams.clerks.headcount")
    assert re.search(r"\(load 2\d\d %\)", problem.message)
    assert "at least 5 people" in problem.remedy


def test_the_number_of_people_it_names_is_enough():
    loads = check_today(loaded({"arrivals.per_working_day": 60, "teams.clerks.headcount": 5}))

    assert 0.8 < loads["clerks"] < 1


def test_nobody_today_where_work_comes_is_overload():
    with pytest.raises(CaseError) as caught:
        check_today(loaded({"teams.clerks.headcount": {"as_is": 0, "pilot": 2, "production": 2, "cause": "organisation"}}))

    assert [p.code for p in caught.value.problems] == ["E404"]
    assert "nobody is there today" in str(caught.value)


def test_a_team_that_starts_with_the_ai_may_be_empty_today():
    reviewers = {"headcount": {"as_is": 0, "pilot": 1, "production": 1, "cause": "organisation"}, "calendar": "office"}
    review = {
        "id": "look",
        "kind": "review",
        "of": "machine",
        "team": "reviewers",
        "service": "5 min",
        "catch": 0.8,
        "next": "done",
    }
    case = loaded({"steps.first": {**AI, "referred": "look"}, "steps.+": review, "teams.reviewers": reviewers})

    assert check_today(case)["reviewers"] == 0


def test_overload_is_the_work_over_the_hours():
    """12 cases a working day × 0.607 h on average, for 2 people with 7.5 h: a lognormal with median 0.5 h and p90 1 h."""
    from math import exp, log

    mean = 0.5 * exp((log(2) / 1.2815515655446004) ** 2 / 2)
    assert check_today(loaded({}))["clerks"] == pytest.approx(12 * mean / 15, rel=0.03)


def test_part_time_absence_and_shifts_count_in_the_hours():
    alone = check_today(loaded({}))["clerks"]
    evening = {"calendars.evening": {"hours": ["17:00-20:45"]}, "teams.clerks.shifts": [{"headcount": 2, "calendar": "evening"}]}
    away = {"teams.clerks.absence": {"every": "30 d", "length": "10 d"}}

    assert check_today(loaded(evening))["clerks"] == pytest.approx(alone * 7.5 / 11.25, rel=0.03)
    assert check_today(loaded(away))["clerks"] == pytest.approx(alone * 4 / 3, rel=1e-6)


CALL = {"id": "call", "kind": "system", "system": "erp", "latency": "10 min", "timeout": "8 h", "failed": "entry"}


@pytest.mark.parametrize(
    ("system", "call", "place", "message", "remedy"),
    [
        # 60 cases a week; a call every 12,000 s is 50 a week
        ({"calls_per_minute": 0.005}, {}, "calls_per_minute", r"60 come a week, 50 can start \(load 119 %\)", "at least 0.006"),
        # half of the calls fail: 1 + 1/2 + 1/4 calls a case
        ({"calls_per_minute": 0.006}, {"transient": 0.5, "attempts": 3}, "calls_per_minute", r"10\d come a week, 60 can start \(load 17\d %\)", "at least 0.011"),
        ({"calls_per_minute": {"as_is": 0.005, "pilot": 60, "production": 60, "cause": "integration"}}, {}, "calls_per_minute", "load 119 %", "0.006"),
        ({"concurrency": 1}, {"latency": "4 h"}, "concurrency", r"240.0 hours a week, 1 at a time \(load 143 %\)", "at least 2"),
    ],
    ids=["rate", "retries", "today", "concurrency"],
)  # fmt: skip
def test_a_connected_system_that_cannot_take_todays_calls_is_overload(system, call, place, message, remedy):
    with pytest.raises(CaseError) as caught:
        check_today(loaded({"systems.erp": system, "steps.first": {**CALL, **call}}))

    (problem,) = caught.value.problems
    assert (problem.code, problem.place) == ("E404", f"systems.erp.{place}")
    assert re.search(message, problem.message)
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "system",
    [{"calls_per_minute": 0.006}, {"concurrency": 1}, {}, {"calls_per_minute": {"as_is": 60, "pilot": 60, "production": 0.001, "cause": "integration"}}],
    ids=["rate", "concurrency", "none", "live"],
)  # fmt: skip
def test_a_connected_system_that_is_fast_enough_today_is_not(system):
    assert set(check_today(loaded({"systems.erp": system, "steps.first": CALL}))) == {"clerks"}


def test_unlocated_days_cannot_lie_where_no_case_comes_today():
    wait = {"id": "later", "kind": "wait", "time": "1 h", "next": "done"}
    baseline = {"observed": "4 d", "standard_error": "0.1 d", "places": {"later": {"weight": 1}}}
    case = loaded({"steps.first": {**AI, "accepted": "later"}, "steps.+": wait, "baseline": baseline})
    with pytest.raises(CaseError) as caught:
        check_today(case)

    assert [(p.code, p.place) for p in caught.value.problems] == [("E405", "baseline.places.later")]


# -- every key of the shipped scenarios


def _tables(node: Any, path: tuple[Any, ...] = ()):
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            yield from _tables(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from _tables(value, (*path, i))


USER_NAMED = ("sources", "calendars", "types", "teams", "systems", "places", "quality")
"""Tables whose keys the user chooses."""


@pytest.mark.parametrize("name", shipped_names())
def test_a_misspelt_key_at_any_depth_is_found_and_the_right_one_named(name):
    base = resolved(find(name))
    tried = 0
    tables = [(path, table) for path, table in _tables(base) if not (path and path[-1] in USER_NAMED)]
    for path, table in tables[:: max(1, len(tables) // 60)]:
        keys = [k for k in table if len(k) > 4]
        for key in keys[tried % len(keys) :][:1] if keys else ():
            data = copy.deepcopy(base)
            node: Any = data
            for step in path:
                node = node[step]
            wrong = f"{key}e"
            node[wrong] = node.pop(key)
            with pytest.raises(CaseError) as caught:
                validated(data, "case.toml")
            hits = [p for p in caught.value.problems if wrong in f"{p.place} {p.message}" and p.code in ("E101", "E104")]
            assert hits or "kind" in str(caught.value), (path, key, str(caught.value))
            near = difflib.get_close_matches(wrong, table, n=1)
            assert all(p.remedy for p in hits), (path, key, near)
            tried += 1
    assert tried > 40


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_scenarios_are_right_and_not_overloaded(name):
    assert all(load < 0.95 for load in check_today(load(name)).values())


# -- files


def _code_of(path: Path) -> str:
    with pytest.raises(CaseError) as caught:
        load(str(path))
    (problem,) = caught.value.problems
    assert str(path) in str(caught.value)
    assert problem.code == "E100"
    return problem.message


def test_bad_toml_names_file_and_line(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_text('name = "x"\nshare = 0,3\n')

    assert "line 2" in _code_of(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00\xff\xfe\x01", "is not UTF-8"),
        ("title = 'Köln'".encode("latin-1"), "is not UTF-8"),
        (b"x" * 3_000_000, "larger than 2 MB"),
        (b"x = " + b"[" * 5_000, "is nested too deeply"),
        (b"x = " + b"[" * 100 + b"]" * 100, "is nested too deeply"),
        (b".".join([b"a"] * 500) + b" = 1", "is nested too deeply"),
        (b"x = " + b"1" * 6_000, "is not TOML"),
        (b"x = 2027-13-45", "is not TOML"),
    ],
    ids=["binary", "latin-1", "huge", "deep", "deeply closed", "dotted", "long number", "impossible date"],
)
def test_unreadable_files(tmp_path, content, message):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)

    assert message in _code_of(file)


def test_a_byte_order_mark_does_not_matter(tmp_path):
    file = tmp_path / "bom.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SMALL_FILE.read_bytes().replace(b"\n", b"\r\n"))

    assert load(str(file)).hash == load(str(SMALL_FILE)).hash


@pytest.mark.parametrize("name", ["nowhere.toml", "invoice_procesing", "x" * 5_000, "a\0b", ""])
def test_a_missing_file_is_named(name):
    with pytest.raises(CaseError) as caught:
        load(name)

    assert [p.code for p in caught.value.problems] == ["E100"]


def test_the_nearest_shipped_name_is_offered():
    with pytest.raises(CaseError, match='did you mean "invoice_processing"'):
        load("invoice_procesing")


def test_a_folder_holds_a_case_file(tmp_path):
    with pytest.raises(CaseError, match="this folder holds no case"):
        load(str(tmp_path))
    (tmp_path / "case.toml").write_bytes(SMALL_FILE.read_bytes())

    assert load(str(tmp_path)).case.name == "small"


def test_a_folder_with_the_name_of_a_scenario_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("invoice_processing").mkdir()

    assert load("invoice_processing").case.name == "invoice_processing"


def test_thousands_of_problems_stay_readable():
    data = small()
    data.update({f"key{i}": 1 for i in range(3 * MAX_PROBLEMS)})
    with pytest.raises(CaseError) as caught:
        validated(data, "case.toml")

    assert len(caught.value.problems) == MAX_PROBLEMS + 1
    assert f"{2 * MAX_PROBLEMS} more problems" in caught.value.problems[-1].message


def test_control_characters_of_a_file_do_not_reach_the_terminal():
    with pytest.raises(CaseError) as caught:
        validated(with_changes({"steps.entry.team": "\x1b[2J\u202eclerks"}), "case\x1b.toml")

    assert all(c.isprintable() or c == "\n" for c in caught.value.text())


# -- limits that are right


RIGHT: list[dict[str, Any]] = [
    {"teams.clerks.headcount": {"low": 1.4, "likely": 2, "high": 3.1}},
    {"teams.clerks.headcount": {"pilot": 2, "production": 0, "as_is": 2, "cause": "organisation"}},
    {"steps.answer.time": {"mean": "4 d", "sd": "0.5 d"}},
    {"steps.answer.time": {"low": "1 d", "likely": "2 d", "high": "4 d", "mass": 1}},
    {"steps.answer.time": {"kind": "uniform", "low": "1 d", "high": "1 d"}},
    {"steps.answer.time": "0 s"},
    {"steps.answer.time": "2 wd", "steps.answer.clock": "office"},
    {"types.simple.share": "70 %", "types.hard.share": {"right": 30, "tried": 100}},
    {"arrivals.per_working_day": GONE, "arrivals.per_month": 250.5},
    {"target.statistic": "share_within", "target.level": "90 %", "target.within": "5 d", "target.direction": "at_least"},
    {"calendars.office.hours": ["00:00-24:00"], "calendars.office.holidays": "DE-BY", "calendars.office.closed": ["2027-12-24"]},
    {"steps.answer.limit": "3 d", "steps.answer.on_limit": "done"},
    {"money": {"currency": "EUR"}, "teams.clerks.cost_per_hour": "30 EUR"},
]  # fmt: skip


@pytest.mark.parametrize("changes", RIGHT, ids=str)
def test_unusual_but_right_input_passes(changes):
    assert problems(changes) == []


@pytest.mark.parametrize(
    ("a", "b"), [("48 h", "2 d"), ("2 days", "2 d"), ("120 min", "2 h"), ("1 week", "7 d"), ("2_000 s", "2000 s")]
)
def test_units_of_the_same_length(a, b):
    from models.units import seconds

    assert seconds(a) == seconds(b)


DEEP = ".".join("a" * 200_000)
THREE, THREE_SINGLE = '"' * 3, "'" * 3


@pytest.mark.parametrize(
    "text",
    [
        f"x = 1\n{DEEP} = 1",
        f"\n[{DEEP}]",
        f"\n[[ {DEEP} ]]",
        f"\nx = {{ {DEEP} = 1 }}",
        "\n" + " . ".join(["a", '"b"', "'c.d'"] * 50_000) + " = 1",
        f"a = {THREE}\n\\\\{THREE} {DEEP}",
        f"a = '#'\n{DEEP} = 1",
        f'a = "\\""\n{DEEP} = 1',
    ],
)
def test_keys_of_very_many_dots_are_refused_at_once(text):
    """The parser would take minutes for them."""
    started = time.thread_time()
    with pytest.raises(CaseError, match="line 2: a key of more than 20 dots"):
        parsed(text, Path("case.toml"))
    assert time.thread_time() - started < 2


@pytest.mark.parametrize(
    "piece",
    ['\\"', '"', "'", f"{THREE}\\", "a.", ". ", "' ", "#", THREE_SINGLE, "[", "1.0,\n", "a b ", " ", "\t. .", '"a".', '""'],
)
def test_looking_for_such_keys_takes_time_in_proportion(piece):
    started = time.thread_time()
    _line_of_deep_key(piece * (MAX_BYTES // 4 // len(piece)))
    assert time.thread_time() - started < 4


def test_dots_in_texts_and_comments_are_no_keys():
    dots = ".".join("a" * 50)
    short = f'# {dots}\na = "{dots}" # {dots}\n"{dots}" = \'{dots}\'\n'
    long = f"b.c = {THREE}\n{dots}\n{THREE}\nc = {THREE_SINGLE}\n{dots}{THREE_SINGLE}\nd = [1.5, 2.5]\n"
    assert parsed(short + long, Path("case.toml"))["b"]["c"].strip() == dots


def test_a_number_of_thousands_of_digits_can_be_told():
    assert _short(1 << 80_000) == "a number of more than 60 digits"


def test_numbers_that_toml_does_not_have_are_refused():
    with pytest.raises(CaseError, match="more than 18 digits"):
        parsed("a = [{ b = 0x1" + "f" * 20_000 + " }]", Path("case.toml"))


@pytest.mark.parametrize("number", ["²", "٣", "9" * 5_000])
def test_paths_with_numbers_that_are_none_lead_nowhere(number):
    option = {"title": "X", "changes": {f"steps.{number}.time": 1}}
    assert [p.code for p in problems({"options": {"later": option}})] == ["E104"]
