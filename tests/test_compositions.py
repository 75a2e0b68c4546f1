"""Each composition alone in a tiny case, worked by hand: exact where nothing is random, else a binomial test.

Binomial tests fail a right program once in a million seeds; seeds are fixed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models import parameters, process
from models.conditions import PILOT, PRODUCTION
from models.parameters import ARMS
from models.process import Horizon
from simulator.clock import DAY, HOUR, MINUTE, WEEK
from simulator.futures import realise
from simulator.ledger import OPEN, Result
from simulator.simpy_engine import simulate
from tests.tiny import (
    ALL_DAYS,
    BY_HAND,
    HORIZON,
    ai,
    by_arm,
    cycles,
    ends,
    lengths,
    marked,
    plausible,
    play,
    program,
    seen,
    tables,
    team,
    tiny,
    weights,
    work,
    workflow,
)

DATA = frozenset({"data"})
OFFICE = {"office": {"days": ["mon", "tue", "wed", "thu", "fri"], "hours": ["09:00-17:00"]}}
TEAM = {"team": team()}


def weeks_after(*weeks: int) -> list[int]:
    """Monday, midnight, of some weeks: week 1 is the first after go-live."""
    return [(w - 1) * WEEK for w in weeks]


def expit(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x)))


def logit(p: float) -> float:
    return float(np.log(p / (1 - p)))


# ---------------------------------------------------------------- work, waits, choices, flags


def test_work_queues_and_takes_its_time():
    ledger = play(tiny(work(service="1 h"), teams=TEAM), [0, 0, 30 * MINUTE, 5 * HOUR])
    assert cycles(ledger) == [HOUR, 2 * HOUR, 2.5 * HOUR, HOUR]


def test_a_factor_may_differ_by_arm():
    case = tiny(work(factor=by_arm(1.0, 0.5, "organisation", as_is=2.0)), teams=TEAM)
    assert [cycles(play(case, [0], arm)) for arm in ARMS] == [[2 * HOUR], [HOUR], [HOUR / 2]]


def test_types_with_smaller_priority_numbers_go_first():
    case = tiny(work(), teams=TEAM, types={"a": {"share": 0.5, "priority": 2}, "b": {"share": 0.5, "priority": 1}})
    assert cycles(play(case, [(0, 0), (1, 0), (2, 1)])) == [HOUR, 3 * HOUR - 1, 2 * HOUR - 2]


def test_learning_halves_the_surplus():
    """3 times as long in week 1, twice in week 3 (half-life 2 weeks), 1.5 times in week 5."""
    case = tiny(work(learning={"start": 3, "half_life_weeks": 2}), teams=TEAM)
    assert cycles(play(case, [-DAY, *weeks_after(1, 3, 5)])) == [HOUR, 3 * HOUR, 2 * HOUR, 1.5 * HOUR]


def test_today_nothing_is_learned():
    case = tiny(work(learning={"start": 3, "half_life_weeks": 2}), teams=TEAM)
    assert cycles(play(case, weeks_after(1, 3), "as_is")) == [HOUR, HOUR]


def wait(**more: Any) -> dict[str, Any]:
    return {"id": "wait", "kind": "wait", "time": "10 h", **more}


def test_a_wait_runs_on_its_clock():
    """10 open hours from Friday 16:00: one on Friday, eight on Monday, one on Tuesday."""
    ledger = play(tiny(wait(clock="office"), calendars=OFFICE), [4 * DAY + 16 * HOUR])
    assert cycles(ledger) == [4 * DAY - 6 * HOUR]


def test_a_reminder_multiplies_what_is_left():
    """10 h, reminded after 4 h, the rest halved: 7 h; a wait of 3 h is over before."""
    remind = {"after": "4 h", "multiplier": 0.5}
    assert cycles(play(tiny(wait(remind=remind)), [0])) == [7 * HOUR]
    assert cycles(play(tiny(wait(remind=remind, time="3 h")), [0])) == [3 * HOUR]


@pytest.mark.parametrize(("limit", "cycle", "end"), [("9 h", 9, "by hand"), ("10 h", 10, "by hand"), ("11 h", 10, "done")])
def test_the_limit_of_a_wait_beats_its_end_on_ties(limit, cycle, end):
    ledger = play(tiny(wait(limit=limit, on_limit="by_hand", next="done"), BY_HAND), [0])
    assert (cycles(ledger), ends(ledger)) == ([cycle * HOUR], [end])


def test_a_choice_by_type():
    by_type = {"types": {"b": 1.0}}
    case = tiny(
        {"id": "go", "kind": "choice", "options": [{"to": "by_hand", "share": by_type}, {"to": "done"}]}, BY_HAND,
        types={"a": {"share": 0.5}, "b": {"share": 0.5}},
    )  # fmt: skip
    assert ends(play(case, [(0, 0), (0, 1)])) == ["done", "by hand"]


def test_a_choice_takes_its_shares():
    case = tiny({"id": "go", "kind": "choice", "options": [{"to": "by_hand", "share": 0.3}, {"to": "done"}]}, BY_HAND)
    assert plausible(ends(play(case, [0] * 4_000)).count("by hand"), 4_000, 0.3)


@pytest.mark.parametrize(("chance", "end"), [(1.0, "by hand"), (0.0, "done")])
@pytest.mark.parametrize("otherwise", [None, "done"])
def test_a_choice_by_flag(chance, end, otherwise):
    case = tiny(
        {"id": "mark", "kind": "flag", "flag": "late", "chance": chance},
        {"id": "go", "kind": "choice", "when": ["late"], "options": [{"to": "by_hand"}], "otherwise": otherwise},
        {"id": "on", "kind": "choice", "options": [{"to": "done"}]} if otherwise is None else BY_HAND,
        *([BY_HAND] if otherwise is None else []),
    )
    assert ends(play(case, [0])) == [end]


def test_flags_are_set_and_cleared_under_conditions():
    case = tiny(
        {"id": "one", "kind": "flag", "flag": "first", "chance": 1.0},
        {"id": "two", "kind": "flag", "flag": "second", "chance": 1.0, "when": ["first"]},
        {"id": "three", "kind": "flag", "flag": "third", "chance": 1.0, "when": ["!first"]},
        {"id": "four", "kind": "flag", "flag": "first", "chance": 1.0, "clear": True, "when": ["second", "!third"]},
    )
    ledger = play(case, [0])
    assert [bool(marked(ledger, f)[0]) for f in ("first", "second", "third")] == [False, True, False]


# ---------------------------------------------------------------- the AI step


def test_an_ai_that_is_always_right():
    ledger = play(tiny(ai(accuracy=1.0, accepted_error=0.0, coverage=1.0), BY_HAND), [0] * 500)
    assert (ends(ledger).count("done"), marked(ledger, "ai.wrong").sum()) == (500, 0)


def test_an_ai_that_is_never_right():
    ledger = play(tiny(ai(accuracy=0.0, accepted_error=0.0, coverage=0.0), BY_HAND), [0] * 500)
    assert (ends(ledger).count("by hand"), marked(ledger, "ai.wrong").sum()) == (500, 500)


MIXED = {
    "types": {"a": {"share": 0.5}, "b": {"share": 0.3}, "c": {"share": 0.2, "piloted": False}},
}
UNTIDY = ai(
    type_effect={"b": -0.8},
    scope_penalty=-0.6,
    shift=-0.4,
    quality={
        "torn": {"share": by_arm(0.1, 0.2, "data"), "effect": -1.0},
        "old": {"share": {"types": {"a": by_arm(0.05, 0.3, "data")}}, "effect": -1.5},
    },
)


def mean_accuracy(flow: Any, shares: dict[int, float], torn: float, old: dict[int, float]) -> float:
    """Accuracy of a mix by hand: types × defects, from the chances that the simulator gets."""
    wrong = tables(flow, "ai.wrong")  # neither, old, torn, both
    total = 0.0
    for kind, share in shares.items():
        o = old.get(kind, 0.0)
        odds = [(1 - torn) * (1 - o), (1 - torn) * o, torn * (1 - o), torn * o]
        total += share * sum(p * (1 - t[kind, -1]) for p, t in zip(odds, wrong, strict=True))
    return total


def test_the_pilots_headline_is_the_pilots_mix():
    """92 % over types a and b (0.625 and 0.375 of the pilot) and their defects, exactly; and in a simulation."""
    case = tiny(UNTIDY, BY_HAND, **MIXED)
    assert mean_accuracy(workflow(case, PILOT), {0: 0.625, 1: 0.375}, 0.1, {0: 0.05}) == pytest.approx(0.92, abs=1e-9)
    future = realise(
        p := program(tiny(UNTIDY, BY_HAND, arrivals={"per_working_day": 400, "calendar": "always"}, **MIXED), PILOT), 0, 3, 0
    )
    ledger = simulate(p, 0, future)
    handled = marked(ledger, "ai.handled")
    assert not handled[ledger.cases["type"] == 2].any()
    assert handled[(ledger.cases["type"] < 2) & (ledger.cases["arrival"] >= 0)].all()
    assert plausible(int(marked(ledger, "ai.wrong").sum()), int(handled.sum()), 0.08)


def test_coverage_and_accepted_errors_are_the_pilots():
    """80 % accepted; 2 % of all accepted and wrong: exactly in the chances, plausibly in 20,000 cases."""
    case = tiny(ai(), BY_HAND)
    given_wrong, given_right = (t[0, -1] for t in tables(workflow(case, PILOT), "ai.accepted"))
    assert 0.92 * given_right + 0.08 * given_wrong == pytest.approx(0.80)
    assert 0.08 * given_wrong == pytest.approx(0.02)
    ledger = play(case, [0] * 20_000, PILOT)
    accepted, wrong = marked(ledger, "ai.accepted"), marked(ledger, "ai.wrong")
    assert plausible(int(accepted.sum()), 20_000, 0.80)
    assert plausible(int((accepted & wrong).sum()), 20_000, 0.02)


def test_the_threshold_stays_when_accuracy_falls():
    """The same chances of acceptance; accuracy and coverage of the live mix by hand."""
    case = tiny(ai(shift=by_arm(0, -0.5, "data")), BY_HAND)
    pilot, live = workflow(case, PILOT), workflow(case, DATA)
    for a, b in zip(tables(pilot, "ai.accepted"), tables(live, "ai.accepted"), strict=True):
        assert np.array_equal(a, b)
    accuracy = float(expit(logit(0.92) - 0.5))
    assert 1 - tables(live, "ai.wrong")[0][0, -1] == pytest.approx(accuracy)
    ledger = play(case, [0] * 20_000, DATA)
    assert plausible(int(marked(ledger, "ai.wrong").sum()), 20_000, 1 - accuracy)
    coverage = accuracy * 0.78 / 0.92 + (1 - accuracy) * 0.02 / 0.08
    assert plausible(int(marked(ledger, "ai.accepted").sum()), 20_000, coverage)


def test_the_threshold_also_stays_when_accuracy_is_stated_by_arm():
    case = tiny(ai(accuracy=by_arm(0.92, 0.80, "data")), BY_HAND)
    pilot, live = workflow(case, PILOT), workflow(case, DATA)
    assert tables(live, "ai.accepted")[1][0, -1] == tables(pilot, "ai.accepted")[1][0, -1]
    assert [1 - tables(f, "ai.wrong")[0][0, -1] for f in (pilot, live)] == pytest.approx([0.92, 0.80])


def test_a_right_field_is_not_a_right_case():
    """99 % per field, 20 fields that must all be right: 0.99 ** 20 per case."""
    case = tiny(ai(accuracy=0.99, measured="per_field", fields=20, coverage=0.7), BY_HAND)
    assert 1 - tables(workflow(case, PILOT), "ai.wrong")[0][0, -1] == pytest.approx(0.99**20)


def test_defects_and_types_shift_the_logit():
    flow = workflow(tiny(UNTIDY, BY_HAND, **MIXED), PRODUCTION)
    neither, old, torn, both = (np.log(1 / t[:, -1] - 1) for t in tables(flow, "ai.wrong"))
    assert torn - neither == pytest.approx([-1.0] * 3)
    assert old - neither == pytest.approx([-1.5] * 3)
    assert both - neither == pytest.approx([-2.5] * 3)
    assert neither[1] - neither[0] == pytest.approx(-0.8)
    assert neither[2] - neither[0] == pytest.approx(-0.6)
    pilot = np.log(1 / tables(workflow(tiny(UNTIDY, BY_HAND, **MIXED), PILOT), "ai.wrong")[0][:, -1] - 1)
    assert neither - pilot == pytest.approx([-0.4] * 3)


def test_a_types_own_shift_acts_where_the_data_are_live():
    case = tiny(ai(shift=-0.4, type_shift={"b": -0.5}), BY_HAND, **MIXED)
    at = {on: np.log(1 / tables(workflow(case, on), "ai.wrong")[0][:, -1] - 1) for on in (PILOT, frozenset({"data"}))}
    assert at[frozenset({"data"})] - at[PILOT] == pytest.approx([-0.4, -0.9, -0.4])


def test_evidence_may_speak_of_a_type_that_the_case_file_does_not():
    """Columns beyond the case file's parameters, as a fit leaves them, act like stated ones."""
    case = tiny(ai(), BY_HAND, **MIXED)
    draws = parameters.sample(case, 1, None)
    fit = {"type_effect.b": -1.0, "type_shift.a": 0.3}
    extra = {f"steps.ai.{name}": dict.fromkeys(ARMS, np.asarray([x])) for name, x in fit.items()}
    fitted = replace(draws, values={**draws.values, **extra})
    flow = process.build(case, process.arm_columns(fitted, PRODUCTION), HORIZON)
    stated = tiny(ai(type_effect={"b": -1.0}, type_shift={"a": 0.3}), BY_HAND, **MIXED)
    assert tables(flow, "ai.wrong")[0] == pytest.approx(tables(workflow(stated, PRODUCTION), "ai.wrong")[0])


def test_a_live_mix_of_types_does_not_move_the_pilots_accuracy():
    """Live, the harder type b is as frequent as a: the pilot's intercept stays that of the pilot's mix."""
    shares = {"a": {"share": by_arm(0.8, 0.5, "scope")}, "b": {"share": by_arm(0.2, 0.5, "scope")}}
    case = tiny(ai(type_effect={"b": -1.0}), BY_HAND, types=shares)
    pilot, live = (tables(workflow(case, on), "ai.wrong")[0][:, -1] for on in (PILOT, PRODUCTION))
    assert 0.8 * pilot[0] + 0.2 * pilot[1] == pytest.approx(0.08)
    assert live == pytest.approx(pilot)


def test_types_never_piloted_stay_manual_in_the_pilot():
    case = tiny(ai(scope_penalty=-1), BY_HAND, **MIXED)
    arrivals = [(0, 0), (0, 1), (0, 2)]
    assert marked(play(case, arrivals, PILOT), "ai.handled").tolist() == [True, True, False]
    assert marked(play(case, arrivals, frozenset({"scope"})), "ai.handled").all()
    assert not marked(play(case, arrivals, "as_is"), "ai.handled").any()


def test_before_go_live_no_case_goes_to_the_ai():
    """Routing is by arrival: who comes a second before go-live stays manual for good."""
    assert marked(play(tiny(ai(), BY_HAND), [-1, 0]), "ai.handled").tolist() == [False, True]


def test_adoption_is_a_ramp_of_the_routed_share():
    """30 % in week 1, 98.6 % in week 12, on a logistic curve; all of them in the pilot."""
    case = tiny(ai(routed=0.9, adoption={"start": 0.3, "weeks": 12}), BY_HAND)
    share = weights(workflow(case, PRODUCTION, Horizon(-WEEK, 14 * WEEK, 1, 12)), "ai").values[0, 0]
    assert share[0] == 0.0
    assert share[1] == pytest.approx(0.9 * 0.3)
    assert share[12] == pytest.approx(0.9 * (1 - 0.7 / 50))
    steps = np.diff(np.log(1 / (share[1:] / 0.9) - 1))
    assert steps == pytest.approx(np.full(len(steps), steps[0]))
    assert weights(workflow(case, PILOT), "ai").values[0, 0, 1:] == pytest.approx(0.9)
    assert plausible(int(marked(play(case, [0] * 4_000), "ai.handled").sum()), 4_000, 0.27)


@pytest.mark.parametrize("volume", [{"per_working_day": 30}, {"per_month": 600}])
def test_cases_arrive_whether_or_not_there_is_an_ai(volume):
    """The same cases at the same seconds in all arms, whatever the ramp and however long the run."""
    arrivals = {
        **volume,
        "calendar": "office",
        "month_end_days": 2,
        "month_end_factor": 3.0,
        "day_cv": 0.3,
        "weekday": {"mon": 2.0},
    }
    case = tiny(ai(adoption={"start": 0.1, "weeks": 4}), BY_HAND, arrivals=arrivals, calendars=OFFICE)
    spans = [HORIZON, Horizon(-WEEK, 8 * WEEK, 1, 4), Horizon(2 * WEEK, 6 * WEEK, 1, 4)]
    met = []
    for arm, span in zip(ARMS, spans, strict=True):
        future = realise(program(case, arm, span), 0, 5, 0)
        inside = (future.arrival >= 2 * WEEK) & (future.arrival < 6 * WEEK)
        met.append([future.day[inside], future.ordinal[inside], future.type[inside], future.arrival[inside]])
    assert len(met[0][0]) > 300
    for other in met[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(met[0], other, strict=True))


def test_drift_lowers_accuracy_only_live():
    """Half of the logit drop in its middle week."""
    case = tiny(ai(drift={"logit_drop": 1.0, "midpoint_week": 4, "scale_weeks": 1}), BY_HAND)
    live, pilot = (np.log(1 / tables(workflow(case, on), "ai.wrong")[0][0] - 1) for on in (PRODUCTION, PILOT))
    assert pilot == pytest.approx(np.full(len(pilot), logit(0.92)))
    assert live[4] == pytest.approx(logit(0.92) - 0.5)
    assert live[8] == pytest.approx(logit(0.92) - float(expit(4.0)))


def test_errors_of_one_supplier_come_together():
    """8,000 suppliers with two cases each: correlation of their errors = 0.25 within 5 standard errors (1.1 points each)."""
    case = tiny(ai(accuracy=0.7, cluster_correlation=0.25, coverage=0.5), BY_HAND)
    ledger = play(case, [0] * 16_000, clusters=[k // 2 for k in range(16_000)])
    wrong = marked(ledger, "ai.wrong").astype(float)
    assert abs(wrong.mean() - 0.3) < 5 * np.sqrt(0.21 * 1.25 / 16_000)
    assert abs(np.corrcoef(wrong[::2], wrong[1::2])[0, 1] - 0.25) < 5 / np.sqrt(8_000)


def test_data_are_worse_on_busy_days():
    """Logit of the defect gains 2 per unit of volume ratio; the count within 5 standard errors of its expectation."""
    step = ai(quality={"torn": {"share": 0.2, "volume_slope": 2.0, "effect": -1.0}})
    case = tiny(step, BY_HAND, arrivals={"per_working_day": 60, "calendar": "always", "day_cv": 0.5})
    p = program(case, PILOT)
    ledger = simulate(p, 0, realise(p, 0, 2, 0))
    handled, torn = marked(ledger, "ai.handled"), marked(ledger, "ai.quality.torn")
    ratio = ledger.future.ratio[handled]
    chance = expit(logit(0.2) + 2.0 * (ratio - 1))
    assert abs(torn[handled].sum() - chance.sum()) < 5 * np.sqrt((chance * (1 - chance)).sum())
    assert torn[handled][ratio > 1.3].mean() > 0.25
    assert torn[handled][ratio < 0.7].mean() < 0.15


def test_an_ai_that_is_down_leaves_the_case_to_people():
    """The service is down all day on Mondays: three calls in vain, back-offs of 1 and 2 minutes, then by hand."""
    step = ai(system="service", time="2 s", timeout="30 s", accepted_error=0.0, coverage=1.0, accuracy=1.0)
    down = {"mondays": {"days": ["mon"], "hours": ["00:00-24:00"]}}
    case = tiny(step, BY_HAND, systems={"service": {"downtime": "mondays"}}, calendars=down)
    ledger = play(case, [9 * HOUR, DAY + 9 * HOUR])
    assert ends(ledger) == ["by hand", "done"]
    assert cycles(ledger) == [3 * 30 + 60 + 120, 2]
    elsewhere = tiny(
        {**step, "unavailable": "wait"}, BY_HAND, wait(), systems={"service": {"downtime": "mondays"}}, calendars=down
    )
    assert cycles(play(elsewhere, [9 * HOUR])) == [270 + 10 * HOUR]


# ---------------------------------------------------------------- review and discovery


def review(**more: Any) -> dict[str, Any]:
    return {"id": "review", "kind": "review", "of": "ai", "team": "team", "service": "1 min", "catch": 0.5, **more}


ALL_WRONG = {"accuracy": 1e-9, "coverage": 0.0, "accepted_error": 0.0, "referred": "review"}


@pytest.mark.parametrize(("catch", "left", "end"), [(1.0, False, "by hand"), (0.0, True, "done")])
def test_a_caught_error_is_corrected_and_can_go_elsewhere(catch, left, end):
    case = tiny(ai(**ALL_WRONG), review(catch=catch, caught="by_hand", next="done"), BY_HAND, teams=TEAM)
    ledger = play(case, [0])
    assert (marked(ledger, "ai.wrong").tolist(), ends(ledger)) == ([left], [end])


def test_reviewers_catch_their_share():
    case = tiny(ai(**ALL_WRONG), review(next="done"), BY_HAND, teams=TEAM)
    ledger = play(case, [k * HOUR for k in range(1_200)])
    assert plausible(int(marked(ledger, "review.caught").sum()), 1_200, 0.5)


def test_fewer_errors_are_caught_under_load():
    """30 cases at once for one person, 20 logits lost per waiting case: only the last two or so have a chance; alone half."""
    case = tiny(ai(**ALL_WRONG), review(load_slope=20.0, next="done"), BY_HAND, teams=TEAM)
    together = [20 * DAY] * 30
    ledger = play(case, [*(k * HOUR for k in range(400)), *together])
    caught = marked(ledger, "review.caught")
    assert not caught[400:428].any()
    assert plausible(int(caught[:400].sum()), 400, 0.5)


def test_reviewers_rely_on_a_good_ai():
    """The stated catch rate holds in the pilot, whatever the types and defects; live it moves with the accuracy of the mix."""
    step = {**UNTIDY, "referred": "review"}
    case = tiny(step, review(catch=0.8, over_reliance=0.5, next="done"), BY_HAND, teams=TEAM, **MIXED)
    pilot, live = workflow(case, PILOT), workflow(case, PRODUCTION)
    assert tables(pilot, "review.caught")[0][0, -1] == pytest.approx(0.8)
    accuracy = mean_accuracy(live, {0: 0.5, 1: 0.3, 2: 0.2}, 0.2, {0: 0.3})
    expected = expit(logit(0.8) - 0.5 * (logit(accuracy) - logit(0.92)))
    assert tables(live, "review.caught")[0][0, -1] == pytest.approx(expected)


def test_an_accepted_error_comes_to_light_late():
    everything = ai(accuracy=1e-9, coverage=1.0, accepted_error=1.0, accepted="late")
    for chance, end in ((1.0, "by hand"), (0.0, "done")):
        late = {"id": "late", "kind": "discovery", "of": "ai", "chance": chance, "to": "by_hand", "next": "done"}
        ledger = play(tiny(everything, late, BY_HAND), [0])
        assert ends(ledger) == [end]
        found = marked(ledger, "ai.found_late").tolist(), marked(ledger, "ai.wrong").tolist()
        assert found == ([chance == 1.0], [chance == 0.0])


# ---------------------------------------------------------------- the exception desk


def desk(*levels: dict[str, Any]) -> dict[str, Any]:
    return {"id": "desk", "kind": "desk", "levels": list(levels)}


def level(who: str, service: str, resolves: Any = 1.0, **more: Any) -> dict[str, Any]:
    return {"team": who, "service": service, "resolves": resolves, **more}


LEVELS = {"one": team(), "two": team(), "three": team()}


def test_what_a_level_cannot_resolve_goes_up():
    case = tiny(desk(level("one", "1 h", 0.0), level("two", "2 h", 0.0), level("three", "4 h")), teams=LEVELS)
    ledger = play(case, [0])
    assert cycles(ledger) == [7 * HOUR]
    assert marked(ledger, "desk.escalated").all()
    resolved = tiny(desk(level("one", "1 h", 1.0), level("two", "2 h")), teams={"one": team(), "two": team()})
    assert cycles(play(resolved, [0])) == [HOUR]


def test_waiting_too_long_at_a_desk_goes_up():
    """Three cases at once, an hour of work each: the third would wait 2 h, at its limit it goes up without work at level one."""
    case = tiny(desk(level("one", "1 h", 1.0, limit="2 h"), level("two", "3 h")), teams={"one": team(), "two": team()})
    ledger = play(case, [0, 0, 0])
    assert cycles(ledger) == [HOUR, 2 * HOUR, 5 * HOUR]
    assert marked(ledger, "desk.escalated").tolist() == [False, False, True]


def test_a_question_to_the_outside():
    outside = {"share": 1.0, "time": "2 d"}
    case = tiny(desk(level("one", "1 h", outside=outside)), teams={"one": team()})
    assert cycles(play(case, [0])) == [HOUR + 2 * DAY]


def test_support_is_withdrawn_after_its_week():
    """A bonus of 20 logits until the end of week 2: nobody escalates, then all do; before go-live and today there is none."""
    helped = level("one", "1 h", 1e-6, support={"bonus": 20.0, "until_week": 2})
    case = tiny(desk(helped, level("two", "2 h")), teams={"one": team(), "two": team()})
    times = [-DAY, *weeks_after(1, 2), 2 * WEEK - HOUR - 1, 2 * WEEK - HOUR]
    assert marked(play(case, times), "desk.escalated").tolist() == [True, False, False, False, True]
    assert marked(play(case, times, "as_is"), "desk.escalated").all()


def test_a_planned_release_of_staff():
    """Two people until the end of week 2, then one; today two all the time."""
    case = tiny(work(), teams={"team": team(2, change={"from_week": 3, "headcount": 1})})
    times = [t for w in weeks_after(1, 2, 3) for t in (w, w)]
    assert cycles(play(case, times)) == [HOUR] * 5 + [2 * HOUR]
    assert cycles(play(case, times, "as_is")) == [HOUR] * 6


def test_shifts_add_to_a_team():
    """One person day and night and another in office hours: two at once on Monday at 10:00, one at a time at 20:00."""
    case = tiny(work(), teams={"team": team(1, shifts=[{"headcount": 1, "calendar": "office"}])}, calendars=OFFICE)
    assert cycles(play(case, [10 * HOUR] * 2 + [20 * HOUR] * 2)) == [HOUR, HOUR, HOUR, 2 * HOUR]


def test_absence_keeps_one_person_away():
    """Present 6 days, away 1 day, from a Monday long ago: away on Sundays."""
    away = {"every": "6 d", "length": "1 d"}
    case = tiny(work(), teams={"team": team(1, absence=away)})
    assert cycles(play(case, [5 * DAY, 6 * DAY + 12 * HOUR])) == [HOUR, 13 * HOUR]


# ---------------------------------------------------------------- approvals


def approval(*levels: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "approve", "kind": "approval", "levels": [{"needed": 1.0, **x} for x in levels], **more}


def test_levels_follow_each_other_and_types_pass_by():
    case = tiny(
        approval({"response": "1 h"}, {"response": "2 h", "needed": {"types": {"b": 1.0}}}),
        types={"a": {"share": 0.5}, "b": {"share": 0.5}},
    )
    assert cycles(play(case, [(0, 0), (0, 1)])) == [HOUR, 3 * HOUR]


def test_at_the_limit_it_counts_as_approved():
    """The limit beats an answer at the same second; a rejection can then not come any more."""
    at_limit = {"response": "2 h", "limit": "2 h", "on_limit": "approve", "rejects": 1.0}
    case = tiny(approval(at_limit, rejected="by_hand", next="done"), BY_HAND)
    ledger = play(case, [0])
    assert (ends(ledger), cycles(ledger)) == (["done"], [2 * HOUR])
    assert seen(ledger, "approve.1.response", "result") == [(Result.TIMED_OUT,)]
    before = tiny(approval({**at_limit, "response": "119 min"}, rejected="by_hand", next="done"), BY_HAND)
    assert ends(play(before, [0])) == ["by hand"]


@pytest.mark.parametrize(("delegations", "visits"), [(1, 2), (2, 3)])
@pytest.mark.parametrize("how", ["delegate", "escalate"])
def test_delegation_asks_somebody_else(delegations, visits, how):
    """Passed on `delegations` times; the last one asked has no limit."""
    case = tiny(approval({"response": "3 h", "limit": "2 h", "on_limit": how, "delegations": delegations}))
    ledger = play(case, [0])
    assert lengths(ledger, "approve.1.response") == [2 * HOUR] * (visits - 1) + [3 * HOUR]
    assert [v for (v,) in seen(ledger, "approve.1.response", "visit")] == list(range(visits))
    assert marked(ledger, f"approve.1.{how}d").all()


def test_a_delegate_has_a_response_of_their_own():
    """Responses of 400 delegated cases: the second does not repeat the first, and is as often long as any."""
    law = {"kind": "exponential", "mean": "10 h"}
    case = tiny(approval({"response": law, "limit": "1 h", "on_limit": "delegate"}))
    ledger = play(case, [0] * 1_000)
    second = [e - s for s, e, v in seen(ledger, "approve.1.response", "entered", "ended", "visit") if v == 1]
    assert len(second) > 800
    assert plausible(sum(x > 10 * HOUR for x in second), len(second), float(np.exp(-1)))


def test_the_limit_may_apply_to_some():
    case = tiny(approval({"response": "3 h", "limit": "2 h", "on_limit": "approve", "limit_share": 0.25}))
    assert plausible(cycles(play(case, [0] * 2_000)).count(2 * HOUR), 2_000, 0.25)


def test_an_approver_is_reminded():
    case = tiny(approval({"response": "10 h", "remind": {"after": "4 h", "multiplier": 0.5}}))
    assert cycles(play(case, [0])) == [7 * HOUR]


def test_approvers_look_at_certain_times():
    """Decided after 1 h, seen when the approver looks at 09:00; the limit also covers this wait."""
    looks = {"looks": {"days": ALL_DAYS, "hours": ["09:00-09:10"]}}
    case = tiny(approval({"response": "1 h", "looks": "looks"}), calendars=looks)
    assert cycles(play(case, [6 * HOUR, 9 * HOUR])) == [3 * HOUR, DAY]
    limited = tiny(approval({"response": "1 h", "looks": "looks", "limit": "2 h", "on_limit": "approve"}), calendars=looks)
    assert cycles(play(limited, [6 * HOUR])) == [2 * HOUR]


def test_an_absent_approver_looks_later():
    """The one approver is away on Sundays: what is ready on Sunday is seen on Monday."""
    hourly = {"looks": {"days": ALL_DAYS, "hours": [f"{h:02}:00-{h:02}:10" for h in range(24)]}}
    away = {"every": "6 d", "length": "1 d"}
    case = tiny(approval({"response": "1 h", "looks": "looks", "people": 1, "absence": away}), calendars=hourly)
    assert cycles(play(case, [5 * DAY, 6 * DAY + 12 * HOUR])) == [HOUR, 12 * HOUR]


def test_a_rejected_case_comes_back_until_the_limit():
    """Rejected always, back twice: three answers of an hour and two corrections of half an hour."""
    case = tiny(
        {"id": "first", "kind": "choice", "options": [{"to": "approve"}]},
        {"id": "correct", "kind": "wait", "time": "30 min"},
        approval({"response": "1 h", "rejects": 1.0}, rejected="back", next="done"),
        {"id": "back", "kind": "again", "to": "correct", "limit": 2, "otherwise": "by_hand"},
        BY_HAND,
    )
    ledger = play(case, [0])
    assert (cycles(ledger), ends(ledger)) == ([4 * HOUR], ["by hand"])


# ---------------------------------------------------------------- connected systems


def call(**more: Any) -> dict[str, Any]:
    plain = {"id": "call", "kind": "system", "system": "erp", "latency": "1 s", "timeout": "5 s", "failed": "by_hand"}
    return {**plain, "next": "done", **more}


ERP: dict[str, Any] = {"systems": {"erp": {}}}


def test_a_call_that_always_fails_takes_its_retries_and_leaves():
    """1 + 10 + 1 + 20 + 1 s, then to the failure's way."""
    ledger = play(tiny(call(permanent=1.0, attempts=3, back_off="10 s"), BY_HAND, **ERP), [0])
    assert (cycles(ledger), ends(ledger)) == ([33], ["by hand"])
    assert marked(ledger, "call.failed").all()
    assert ends(play(tiny(call(), BY_HAND, **ERP), [0])) == ["done"]


def test_a_call_that_is_too_slow_times_out():
    assert cycles(play(tiny(call(latency="6 s", attempts=2), BY_HAND, **ERP), [0])) == [10]


def test_transient_failures_are_repeated():
    """Half of the calls fail; two attempts: a quarter fails for good."""
    ledger = play(tiny(call(transient=0.5, attempts=2), BY_HAND, **ERP), [0] * 4_000)
    assert plausible(ends(ledger).count("by hand"), 4_000, 0.25)


def test_types_may_fail_for_good():
    case = tiny(call(permanent={"types": {"b": 1.0}}), BY_HAND, **ERP, types={"a": {"share": 0.5}, "b": {"share": 0.5}})
    assert ends(play(case, [(0, 0), (0, 1)])) == ["done", "by hand"]


def test_a_rate_limit_spaces_calls():
    case = tiny(call(), BY_HAND, systems={"erp": {"calls_per_minute": 6}})
    assert cycles(play(case, [0, 0, 0])) == [1, 11, 21]


def test_concurrency_lets_calls_wait():
    case = tiny(call(latency="3 s"), BY_HAND, systems={"erp": {"concurrency": 2}})
    assert cycles(play(case, [0] * 4)) == [3, 3, 6, 6]


def test_outages_make_calls_fail():
    """Up 6 days, down 1 day, from a Monday long ago: down on Sundays."""
    case = tiny(call(), BY_HAND, systems={"erp": {"outage": {"every": "6 d", "repair": "1 d"}}})
    assert ends(play(case, [5 * DAY, 6 * DAY + HOUR])) == ["done", "by hand"]


def stale(rate: float) -> dict[str, Any]:
    return {"stale": {"feed": "feed", "wrong_per_hour": rate, "spoils": "ai"}}


FEED = {"feed": {"days": ALL_DAYS, "hours": ["05:00-05:10"]}}


def test_old_data_make_outputs_wrong():
    """0.1 an hour, 10 hours after the last refresh: 1 − exp(−1) of the AI's outputs."""
    right = ai(accuracy=1.0, coverage=1.0, accepted_error=0.0, accepted="call")
    case = tiny(right, call(**stale(0.1)), BY_HAND, **ERP, calendars=FEED)
    fresh = play(case, [DAY + 5 * HOUR - 1] * 500)
    assert plausible(int(marked(fresh, "ai.wrong").sum()), 500, 0.0)
    ledger = play(case, [DAY + 15 * HOUR - 1] * 4_000)
    assert plausible(int(marked(ledger, "ai.wrong").sum()), 4_000, float(1 - np.exp(-1)))


def test_old_data_spoil_nothing_that_the_ai_did_not_do():
    case = tiny(ai(routed=0.0, manual="call"), call(**stale(100.0)), BY_HAND, **ERP, calendars=FEED)
    assert not marked(play(case, [DAY + 15 * HOUR] * 20), "ai.wrong").any()


# ---------------------------------------------------------------- gates, batches, parallel branches


def test_a_gate_opens_twice_a_week():
    runs = {"runs": {"days": ["tue", "fri"], "hours": ["10:00-10:01"]}}
    case = tiny({"id": "gate", "kind": "gate", "calendar": "runs", "lead": "2 h"}, calendars=runs)
    assert cycles(play(case, [DAY + 8 * HOUR, DAY + 8 * HOUR + 60])) == [2 * HOUR, 3 * DAY + 2 * HOUR - 60]


def test_a_batch_goes_when_full_or_old():
    case = tiny({"id": "batch", "kind": "collect", "size": 2, "max_wait": "3 h"})
    assert cycles(play(case, [0, HOUR, 2 * HOUR])) == [HOUR, 0, 3 * HOUR]


def test_parallel_branches_meet():
    """The longer branch decides."""
    case = tiny(
        {"id": "both", "kind": "parallel", "branches": ["short", "long"], "join": "meet"},
        {"id": "short", "kind": "wait", "time": "1 h", "next": "meet"},
        {"id": "long", "kind": "wait", "time": "3 h", "next": "meet"},
        {"id": "meet", "kind": "join"},
    )
    ledger = play(case, [0])
    assert cycles(ledger) == [3 * HOUR]
    assert seen(ledger, "meet", "entered", "ended") == [(HOUR, 3 * HOUR), (3 * HOUR, 3 * HOUR)]


def test_a_case_that_never_ends_in_the_run_stays_open():
    ledger = play(tiny(wait(time="300 d")), [0])
    assert ledger.cases["ended"].tolist() == [OPEN]
