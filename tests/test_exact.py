"""Exact oracles E1, E2, E4-E9 and E11-E13 of both engines: whole seconds, so every comparison is for equality.

The numbers are worked by hand or by a recursion that shares nothing with the engine (verification plan, section 2).
"""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.clock import DAY, HOUR, MINUTE, WEEK, Calendar, always, weekly
from simulator.distributions import Column, Constant, Distribution, Exponential, Kinked, Lognormal, Uniform
from simulator.draws import case_entity, purpose_of, uniform_arrays
from simulator.engines import ENGINES, EngineName
from simulator.futures import Future, given, realise
from simulator.ledger import OPEN, Ledger, Result
from simulator.program import Program, lower
from simulator.workflow import (
    Arrivals,
    Attempts,
    Batch,
    Branch,
    Chance,
    Condition,
    Delay,
    End,
    Endpoint,
    Fork,
    Gate,
    Goto,
    Interruption,
    Join,
    Mark,
    MarkRule,
    Pool,
    Rule,
    Serve,
    Shift,
    Step,
    Table,
    Timer,
    Workflow,
)
from tests.engines import engine

PLAYED_BY: EngineName = "simpy"
Ints = NDArray[np.int64]
FAR = 10_000_000
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = weekly({day: [(9 * HOUR, 17 * HOUR)] for day in WORKDAYS}, date(2026, 1, 5), 0, 4 * WEEK)
MON, TUE, WED, THU, FRI, SAT, SUN = (k * DAY for k in range(7))
END = End("end")


@pytest.fixture(autouse=True, params=ENGINES)
def _played_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every oracle is put to both engines."""
    monkeypatch.setattr(sys.modules[__name__], "PLAYED_BY", request.param)


def simulate(program: Program, draw: int, future: Future) -> Ledger:
    return engine(PLAYED_BY).ledger(program, draw, future)


# Telling a story: a workflow, arrivals, and what the ledger says about a step


def team(units: Column = 1, calendar: Calendar | None = None, name: str = "team") -> Pool:
    return Pool(name, (Shift(calendar or always(-FAR, FAR), Table.constant(units)),))


def serve(seconds: float = 1, then: str = "end", step: str = "work", pool: str = "team") -> Serve:
    return Serve(step, pool, Constant(float(seconds)), then)


def wait(seconds: float, then: str = "end", step: str = "wait") -> Delay:
    return Delay(step, Constant(float(seconds)), then)


def chance(probability: float) -> Chance:
    return Chance(Table.constant(probability))


def play(
    steps: Sequence[Step],
    arrivals: Sequence[int | tuple[int, int]],
    pools: Sequence[Pool] = (),
    stop: int = FAR,
    begin: int = 0,
    endpoints: Sequence[Endpoint] = (),
    types: int = 1,
    seed: int = 1,
) -> Ledger:
    """Runs a workflow on stated arrivals: seconds, or (second, type)."""
    workflow = Workflow(tuple(f"t{i}" for i in range(types)), tuple(steps), tuple(pools), None, tuple(endpoints))
    program = lower(workflow, begin, stop)
    cases = [(a, 0) if isinstance(a, int) else a for a in arrivals]
    return simulate(program, 0, given(program, 0, seed, 0, cases))


def seen(ledger: Ledger, step: str, *columns: str) -> list[tuple[int, ...]]:
    """The named columns of all visits of a step, in the order of cases."""
    mine = ledger.visits["step"] == ledger.program.step_ids.index(step)
    return [tuple(row) for row in np.stack([ledger.visits[c][mine] for c in columns], axis=1).tolist()]


def times(ledger: Ledger, step: str) -> list[tuple[int, ...]]:
    return seen(ledger, step, "entered", "started", "ended")


def waits(ledger: Ledger, step: str = "work") -> list[int]:
    return [started - entered for entered, started in seen(ledger, step, "entered", "started")]


def results(ledger: Ledger, step: str = "work") -> list[Result]:
    return [Result(value) for (value,) in seen(ledger, step, "result")]


def ends(ledger: Ledger) -> list[int]:
    return [int(end) for end in ledger.cases["ended"]]


def marks(ledger: Ledger) -> list[set[str]]:
    names = ledger.program.marks
    return [{m for i, m in enumerate(names) if bits >> i & 1} for bits in ledger.cases["marks"].tolist()]


def areas(ledger: Ledger, step: str = "work") -> tuple[int, int]:
    """Integrals over time of the number waiting and of the number in service, up to the stop."""
    stop, queue, busy = ledger.program.stop, 0, 0
    for entered, started, ended in times(ledger, step):
        left = stop if ended == OPEN else ended
        queue += (left if started == OPEN else started) - entered
        busy += 0 if started == OPEN else left - started
    return queue, busy


# E1 and E2: first come, first served, against the recursion of Kiefer and Wolfowitz


def kiefer_wolfowitz(arrivals: Sequence[int], services: Sequence[int], servers: int) -> list[int]:
    """Waits in a queue with several servers: the least workload found on arrival."""
    work, waits, before = [0] * servers, [], arrivals[0]
    for arrival, service in zip(arrivals, services, strict=True):
        work = sorted(max(0, w - (arrival - before)) for w in work)
        before = arrival
        waits.append(work[0])
        work[0] += service
    return waits


@dataclass(frozen=True)
class Service:
    """A service time and its quantile function, written down once more."""

    name: str
    distribution: Distribution
    quantile: Callable[[float], float]

    def __repr__(self) -> str:
        return self.name

    def seconds(self, arrivals: Sequence[int], step: str) -> list[int]:
        """The service times of cases at a step, from the addresses of their draws."""
        day = np.asarray(arrivals) // DAY
        ordinal = np.arange(len(day)) - np.searchsorted(day, day)
        first, _ = uniform_arrays(1, 0, case_entity(day, ordinal), purpose_of(step))
        return [math.floor(self.quantile(u) + 0.5) for u in first.tolist()]


SERVICES = [
    Service("exponential", Exponential(900.0), lambda u: -900.0 * math.log(1 - u)),
    Service("lognormal", Lognormal(6.3, 1.0), lambda u: math.exp(6.3 + NormalDist().inv_cdf(u))),
    Service("constant", Constant(800.0), lambda u: 800.0),
]


def poisson(n: int, mean_gap: float) -> list[int]:
    gaps = np.random.default_rng(20_260_105).exponential(mean_gap, n)
    return [int(t) for t in np.floor(np.cumsum(gaps))]


def check_kiefer_wolfowitz(servers: int, service: Service, n: int) -> None:
    arrivals, pool = poisson(n, 1_000.0 / servers), team(servers, always(0, 10**9))
    ledger = play([Serve("work", "team", service.distribution, "end"), END], arrivals, [pool], stop=10**9)
    services = service.seconds(arrivals, "work")
    assert [ended - started for _, started, ended in times(ledger, "work")] == services
    assert waits(ledger) == kiefer_wolfowitz(arrivals, services, servers)


@pytest.mark.parametrize("servers", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("service", SERVICES, ids=repr)
def test_e1_waits_are_those_of_kiefer_and_wolfowitz(servers: int, service: Service) -> None:
    check_kiefer_wolfowitz(servers, service, 5_000)


@pytest.mark.slow
@pytest.mark.parametrize("servers", [1, 2, 3, 5, 20])
@pytest.mark.parametrize("service", SERVICES, ids=repr)
def test_e1_waits_are_those_of_kiefer_and_wolfowitz_for_20000_customers(servers: int, service: Service) -> None:
    check_kiefer_wolfowitz(servers, service, 20_000)


def test_e1_in_brief() -> None:
    """Three servers, exponential service, 500 customers: a few milliseconds, for the planted faults."""
    check_kiefer_wolfowitz(3, SERVICES[0], 500)


def test_e2_the_departures_of_one_station_are_the_arrivals_of_the_next() -> None:
    stations = [(2, SERVICES[1]), (1, SERVICES[2]), (3, SERVICES[0])]
    names = ["one", "two", "three"]
    steps: list[Step] = [
        Serve(name, name, service.distribution, then)
        for name, then, (_, service) in zip(names, [*names[1:], "end"], stations, strict=True)
    ]
    arrivals = poisson(3_000, 1_000.0)
    pools = [team(units, name=name) for name, (units, _) in zip(names, stations, strict=True)]
    ledger = play([*steps, END], arrivals, pools, stop=10**9)
    now = list(arrivals)
    for name, (servers, service) in zip(names, stations, strict=True):
        work = service.seconds(arrivals, name)
        order = sorted(range(len(now)), key=now.__getitem__)
        queued = kiefer_wolfowitz([now[i] for i in order], [work[i] for i in order], servers)
        for i, waited in zip(order, queued, strict=True):
            now[i] += waited + work[i]
        assert [ended for _, _, ended in times(ledger, name)] == now
    assert ends(ledger) == now


# E4: hand tables of one queue


def test_e4_arrivals_every_5_and_service_4_never_wait() -> None:
    ledger = play([serve(4), END], [5 * i for i in range(50)], [team()])
    assert waits(ledger) == [0] * 50


def test_e4_arrivals_every_4_and_service_5_wait_one_more_each() -> None:
    ledger = play([serve(5), END], [4 * i for i in range(50)], [team()])
    assert waits(ledger) == list(range(50))


def test_e4_three_jobs_at_once_stopped_at_12_leave_queue_area_17_and_busy_area_12() -> None:
    """Jobs of 5, 10 and 15: two wait 5, then one waits 7 more; one unit works all 12."""
    steps: list[Step] = [Serve("work", "team", Constant(5.0), "end", factor=Table.of([[1.0], [2.0], [3.0]])), END]
    ledger = play(steps, [(0, 0), (0, 1), (0, 2)], [team()], stop=12, types=3)
    assert areas(ledger) == (17, 12)
    assert times(ledger, "work") == [(0, 0, 5), (0, 5, OPEN), (0, OPEN, OPEN)]
    assert results(ledger) == [Result.DONE, Result.OPEN, Result.OPEN]


PATIENT = Timer("patience", 4.0 * HOUR, ("work",), "gone", "work")


def test_e4_a_case_that_gives_up_after_4_hours_leaves_queue_area_4() -> None:
    """Capacity 1, held for 10 hours from 0; one case queues at 1 and leaves at 5."""
    steps: list[Step] = [PATIENT, serve(10 * HOUR), END, End("gone", "gone")]
    ledger = play(steps, [0, 1 * HOUR], [team()])
    assert areas(ledger) == (4 * HOUR, 10 * HOUR)
    assert times(ledger, "work") == [(0, 0, 10 * HOUR), (1 * HOUR, OPEN, 5 * HOUR)]
    assert results(ledger) == [Result.DONE, Result.TIMED_OUT]
    assert ends(ledger) == [10 * HOUR, 5 * HOUR]


def test_e4_a_case_that_gave_up_is_never_served_later() -> None:
    """It leaves at 5, thinks until 25, asks once more; the unit that is free at 10 goes to the case that came at 8."""
    steps: list[Step] = [PATIENT, serve(10 * HOUR), END, wait(20 * HOUR, "again", "gone"), serve(HOUR, step="again")]
    ledger = play(steps, [0, 1 * HOUR, 8 * HOUR], [team()])
    assert times(ledger, "work") == [
        (0, 0, 10 * HOUR),
        (1 * HOUR, OPEN, 5 * HOUR),
        (8 * HOUR, 10 * HOUR, 20 * HOUR),
    ]
    assert times(ledger, "again") == [(25 * HOUR, 25 * HOUR, 26 * HOUR)]


def test_e4_a_deadline_beats_the_unit_that_is_freed_at_the_same_instant_and_leaks_nothing() -> None:
    """The unit is freed at 5, the deadline is at 5: the case leaves, and the next one starts at 6 without a wait."""
    steps: list[Step] = [Timer("patience", 4.0, ("work",), "gone", "work"), serve(5), END, End("gone", "gone")]
    ledger = play(steps, [0, 1, 6], [team()])
    assert times(ledger, "work") == [(0, 0, 5), (1, OPEN, 5), (6, 6, 11)]
    assert results(ledger) == [Result.DONE, Result.TIMED_OUT, Result.DONE]


def test_e4_a_deadline_one_second_later_comes_too_late_and_started_work_is_never_cut() -> None:
    steps: list[Step] = [Timer("patience", 5.0, ("work",), "gone", "work"), serve(5), END, End("gone", "gone")]
    ledger = play(steps, [0, 1, 6], [team()])
    assert times(ledger, "work") == [(0, 0, 5), (1, 5, 10), (6, 10, 15)]
    assert ends(ledger) == [5, 10, 15]
    assert results(ledger) == [Result.DONE] * 3
    assert len(ledger.visits["step"]) == 3  # no time-out beside them


def test_e4_of_two_who_wait_the_one_who_waited_longer_starts_and_ties_go_by_case() -> None:
    ledger = play([serve(10), END], [0, 3, 1, 1], [team()])  # cases 0 to 3, in the order given
    assert times(ledger, "work") == [(0, 0, 10), (3, 30, 40), (1, 10, 20), (1, 20, 30)]


def test_e4_the_urgent_type_starts_first_even_when_it_arrives_in_the_instant_of_the_start() -> None:
    """Type 1 is urgent. The unit is freed at 10; both a routine case (waiting since 2) and an urgent one want it."""
    steps: list[Step] = [replace(serve(10), priority=(5, 1)), END]
    ledger = play(steps, [(0, 0), (2, 0), (10, 1), (10, 0)], [team()], types=2)
    assert times(ledger, "work") == [(0, 0, 10), (2, 20, 30), (10, 10, 20), (10, 30, 40)]


def test_e4_urgent_work_does_not_interrupt_started_work() -> None:
    steps: list[Step] = [replace(serve(10), priority=(5, 1)), END]
    assert times(play(steps, [(0, 0), (1, 1)], [team()], types=2), "work") == [(0, 0, 10), (1, 10, 20)]


def test_priority_oracle_without_load_nobody_waits_whatever_the_rule() -> None:
    """500 cases, one every 600 s, service 60 s, every fifth urgent (a peer makes the others wait up to 82.5 hours)."""
    arrivals = [(600 * i, int(i % 5 == 0)) for i in range(500)]
    for priority in ((), (2, 1)):
        ledger = play([replace(serve(60), priority=priority), END], arrivals, [team()], types=2)
        assert waits(ledger) == [0] * 500


def test_a_growing_team_starts_the_waiting_at_once_and_a_shrinking_one_stops_nobody() -> None:
    """One unit in [0, 10), three in [10, 20), one from 20: four jobs of 15 at 0, one at 20."""
    shifts = (
        Shift(always(0, FAR), Table.constant(1)),
        Shift(Calendar.of([(10, 20)]), Table.constant(2)),
    )
    ledger = play([serve(15), END], [0, 0, 0, 0, 20], [Pool("team", shifts)])
    assert times(ledger, "work") == [(0, 0, 15), (0, 10, 25), (0, 10, 25), (0, 15, 30), (20, 30, 45)]


def test_headcount_by_week_holds_from_monday_midnight_and_its_last_column_for_ever() -> None:
    """No one before go-live, one in week 1, three from week 2 on: jobs of a day, five of them at once."""
    headcount = Table.of([[0.0, 1.0, 3.0]])
    pool = Pool("team", (Shift(always(-FAR, FAR), headcount),))
    early = play([serve(DAY), END], [-2 * DAY] * 2, [pool], begin=-WEEK)
    assert times(early, "work") == [(-2 * DAY, 0, DAY), (-2 * DAY, DAY, 2 * DAY)]
    busy = play([serve(DAY), END], [WEEK - DAY] * 5, [pool])
    assert [started for _, started, _ in times(busy, "work")] == [WEEK - DAY, *[WEEK] * 3, WEEK + DAY]
    later = play([serve(DAY), END], [9 * WEEK] * 3, [pool])
    assert waits(later) == [0, 0, 0]


# E4: hand tables of the other primitives


def test_a_timer_cuts_a_delay_at_its_deadline_and_wins_a_tie_with_the_planned_end() -> None:
    def gone_at(limit: float) -> tuple[list[Result], list[int]]:
        steps: list[Step] = [Timer("limit", limit, ("wait",), "late", "wait"), wait(10), END, wait(100, step="late")]
        ledger = play(steps, [0])
        return results(ledger, "wait"), ends(ledger)

    assert gone_at(9) == ([Result.TIMED_OUT], [109])
    assert gone_at(10) == ([Result.TIMED_OUT], [110])
    assert gone_at(11) == ([Result.DONE], [10])


def test_a_timer_on_a_working_calendar_counts_open_time_only() -> None:
    """Four working hours from Friday 16:00 are over on Monday at 12:00."""
    timer = Timer("limit", 4.0 * HOUR, ("wait",), "late", "wait", clock=OFFICE)
    ledger = play([timer, wait(WEEK), END, End("late")], [FRI + 16 * HOUR])
    assert ends(ledger) == [WEEK + MON + 12 * HOUR]


def test_a_timer_spans_all_the_steps_it_covers() -> None:
    """Deadline 10: the first wait of 6 fits, the second is cut after 4."""
    steps: list[Step] = [
        Timer("limit", 10.0, ("wait", "again"), "late", "wait"),
        wait(6, "again"),
        wait(6, step="again"),
        END,
        End("late"),
    ]
    ledger = play(steps, [0])
    assert times(ledger, "again") == [(6, 6, 10)]
    assert results(ledger, "again") == [Result.TIMED_OUT]


def test_a_step_that_is_not_covered_disarms_the_timer() -> None:
    steps: list[Step] = [
        Timer("limit", 10.0, ("wait", "again"), "late", "wait"),
        wait(6, "other"),
        wait(1, "again", "other"),
        wait(6, step="again"),
        END,
        End("late"),
    ]
    assert ends(play(steps, [0])) == [13]


def test_a_timer_stays_armed_while_covered_work_is_done_and_cuts_the_wait_after_it() -> None:
    """Covered: work and wait. Work starts at 0 and ends at 6; the wait of 100 after it is cut at the deadline, 10."""
    steps: list[Step] = [
        Timer("limit", 10.0, ("work", "wait"), "late", "work"),
        serve(6, "wait"),
        wait(100),
        END,
        End("late", "late"),
    ]
    ledger = play(steps, [0], [team()])
    assert times(ledger, "wait") == [(6, 6, 10)]
    assert results(ledger, "wait") == [Result.TIMED_OUT]


def test_a_deadline_that_passed_during_covered_work_ends_the_next_covered_wait_at_once() -> None:
    steps: list[Step] = [
        Timer("limit", 10.0, ("work", "wait"), "late", "work"),
        serve(15, "wait"),
        wait(100),
        END,
        End("late"),
    ]
    assert times(play(steps, [0], [team()]), "wait") == [(15, 15, 15)]


def test_a_deadline_that_has_passed_fires_before_a_free_unit_is_taken() -> None:
    """Covered work ends at 15, past the deadline of 10: the next queue is left at once, although nobody else waits."""
    steps: list[Step] = [
        Timer("limit", 10.0, ("work", "more"), "late", "work"),
        serve(15, "more"),
        serve(5, step="more"),
        END,
        End("late"),
    ]
    assert times(play(steps, [0], [team()]), "more") == [(15, OPEN, 15)]


@pytest.mark.parametrize(
    ("arrival", "passes"),
    [
        (MON, TUE + 10 * HOUR),
        (TUE + 10 * HOUR, TUE + 10 * HOUR),
        (TUE + 10 * HOUR + 59, TUE + 10 * HOUR + 59),
        (TUE + 10 * HOUR + 60, THU + 10 * HOUR),
        (THU + 11 * HOUR, WEEK + TUE + 10 * HOUR),
    ],
)
def test_e13_a_payment_run_takes_what_came_before_it_closes(arrival: int, passes: int) -> None:
    """Runs on Tuesday and Thursday, open from 10:00:00 to 10:01:00."""
    assert times(play([Gate("run", payment_runs(), "end"), END], [arrival]), "run") == [(arrival, arrival, passes)]


def payment_runs() -> Calendar:
    window = [(10 * HOUR, 10 * HOUR + 60)]
    return weekly({"tue": window, "thu": window}, date(2026, 1, 5), 0, 8 * WEEK)


def test_e13_a_case_that_misses_the_cut_off_waits_for_the_next_run() -> None:
    """One day of notice: what comes on Monday at 10:00 makes Tuesday's run, a minute later it waits until Thursday."""
    ledger = play([Gate("run", payment_runs(), "end", lead_seconds=float(DAY)), END], [10 * HOUR, 10 * HOUR + 60])
    assert ends(ledger) == [TUE + 10 * HOUR, THU + 10 * HOUR]


def test_e13_two_runs_a_week_make_the_known_mean_wait() -> None:
    """One arrival an hour, gaps of 48 and 120 hours: (48·47 + 120·119) / 2 / 168 hours."""
    ledger = play([Gate("run", payment_runs(), "end"), END], [TUE + 10 * HOUR + k * HOUR for k in range(168)])
    waited = sum(end - HOUR * 34 - k * HOUR for k, end in enumerate(ends(ledger)))
    assert waited == (48 * 47 + 120 * 119) // 2 * HOUR


AWAY = Interruption(between=Constant(2.0 * DAY), length=Constant(1.0 * DAY))
"""Present on Monday and Tuesday, away on Wednesday, present on Thursday and Friday, away on Saturday, and so on."""


def test_a_gate_waits_until_its_person_is_back() -> None:
    gate = Gate("approval", always(0, FAR), "end", people=1, absence=AWAY)
    ledger = play([gate, END], [WED - 1, WED, WED + HOUR, THU - 1, THU, SAT + HOUR])
    assert ends(ledger) == [WED - 1, THU, THU, THU, THU, SUN]


def test_absences_suspend_work_in_progress_when_nobody_is_left() -> None:
    """A job of 5 hours from Tuesday 22:00: 2 hours before the absence, 3 after it; the next follows at 3:00."""
    pool = replace(team(), absence=AWAY)
    ledger = play([serve(5 * HOUR), END], [WED - 2 * HOUR, WED + HOUR], [pool])
    assert times(ledger, "work") == [
        (WED - 2 * HOUR, WED - 2 * HOUR, THU + 3 * HOUR),
        (WED + HOUR, THU + 3 * HOUR, THU + 8 * HOUR),
    ]
    assert seen(ledger, "work", "closed_seconds") == [(24 * HOUR,), (23 * HOUR,)]


def test_outages_and_planned_downtime_both_stop_an_endpoint() -> None:
    """Down on Wednesday by chance and on Monday from 10 to 20 seconds as planned; time-out 5, no second attempt."""
    erp = Endpoint("erp", outage=AWAY, downtime=Calendar.of([(10, 20)]))
    ledger = play(retries(attempts=1), [0, 10, 19, 20, WED - 1, WED, THU - 1, THU], endpoints=[erp], stop=4 * DAY)
    assert [r == Result.FAILED for r in results(ledger, "call")] == [
        False, True, True, False, False, True, True, False,
    ]  # fmt: skip


def retries(**changes: object) -> list[Step]:
    call = Attempts("call", "erp", Constant(3.0), 5.0, "end", "broken", 3, back_off_seconds=10.0, multiplier=2.0)
    return [replace(call, **changes), END]  # type: ignore[arg-type]


def test_three_attempts_with_doubling_back_off_end_after_45_seconds_and_set_the_failure_mark() -> None:
    """Down until 100: 0-5 fails, back-off 10, 15-20 fails, back-off 20, 40-45 fails."""
    erp = Endpoint("erp", downtime=Calendar.of([(0, 100)]))
    ledger = play(retries(), [0], endpoints=[erp])
    assert times(ledger, "call") == [(0, 0, 45)]
    assert results(ledger, "call") == [Result.FAILED]
    assert marks(ledger) == [{"broken"}]


def test_an_attempt_after_the_outage_succeeds_and_clears_the_failure_mark() -> None:
    """Down until 15: the second attempt starts at 15 exactly and answers at 18."""
    erp = Endpoint("erp", downtime=Calendar.of([(0, 15)]))
    broken = Mark("breaks", "broken", (MarkRule(chance(1.0)),), "call")
    ledger = play([broken, *retries()], [0], endpoints=[erp])
    assert times(ledger, "call") == [(0, 0, 18)]
    assert results(ledger, "call") == [Result.DONE]
    assert marks(ledger) == [set()]


def test_an_answer_slower_than_the_time_out_fails_at_the_time_out() -> None:
    assert ends(play(retries(latency=Constant(5.0)), [0], endpoints=[Endpoint("erp")])) == [5]
    assert ends(play(retries(latency=Constant(6.0)), [0], endpoints=[Endpoint("erp")])) == [45]


def test_a_permanent_failure_answers_in_time_and_fails_every_attempt() -> None:
    """0-3, back-off 10, 13-16, back-off 20, 36-39."""
    ledger = play(retries(permanent=Table.constant(1.0)), [0], endpoints=[Endpoint("erp")])
    assert times(ledger, "call") == [(0, 0, 39)]


def test_a_limited_endpoint_queues_attempts_and_is_free_during_the_back_off() -> None:
    """One connection, down until 6. A: 0-5 fails, back-off to 15. B waits from 0, 5-10 fails (down at 5), to 20."""
    erp = Endpoint("erp", downtime=Calendar.of([(0, 6)]), concurrency=1)
    ledger = play(retries(), [0, 0], endpoints=[erp])
    columns = seen(ledger, "call", "case", "visit", "entered", "started", "ended", "result")
    assert columns == [
        (0, 0, 0, 0, 5, Result.FAILED),
        (0, 0, 5, 5, 15, Result.BACK_OFF),
        (0, 1, 15, 15, 18, Result.DONE),
        (1, 0, 0, 5, 10, Result.FAILED),
        (1, 0, 10, 10, 20, Result.BACK_OFF),
        (1, 1, 20, 20, 23, Result.DONE),
    ]


def test_a_rate_limit_starts_calls_at_least_its_gap_apart() -> None:
    ledger = play(retries(), [0, 0, 0, 50], endpoints=[Endpoint("erp", gap_seconds=7.0)])
    assert [started for _, started, _ in times(ledger, "call")] == [0, 7, 14, 50]


def batch(size: int, longest: int) -> list[Step]:
    return [Batch("run", float(size), float(longest), "end"), END]


def test_a_batch_leaves_when_it_is_full_or_when_the_first_has_waited_long_enough() -> None:
    """Three at a time, at most 10 seconds: {0, 2, 4} leave at 4, {5, 6} at 15, {20, 20, 20} at once, {21} at 31."""
    ledger = play(batch(3, 10), [0, 2, 4, 5, 6, 20, 20, 20, 21])
    assert ends(ledger) == [4, 4, 4, 15, 15, 20, 20, 20, 31]


def test_full_batches_go_first_and_what_remains_keeps_its_own_waiting_time() -> None:
    """At 10 the first has waited long enough, and two more come: three leave, the fourth waits until 20."""
    assert ends(play(batch(3, 10), [0, 5, 10, 10])) == [10, 10, 10, 20]


def test_a_fork_waits_for_its_slowest_branch_and_the_rows_of_the_others_say_so() -> None:
    steps: list[Step] = [
        Fork("split", ("goods", "price"), "meet"),
        wait(10, "meet", "goods"),
        wait(25, "meet", "price"),
        Join("meet", "last"),
        wait(5, step="last"),
        END,
    ]
    ledger = play(steps, [100])
    assert seen(ledger, "meet", "token", "entered", "ended") == [(1, 110, 125), (2, 125, 125)]
    assert seen(ledger, "last", "token", "entered", "ended") == [(0, 125, 130)]
    assert ends(ledger) == [130]


def test_marks_meet_at_a_join_set_wins_over_cleared_and_both_over_unchanged() -> None:
    """Before the fork: a and b. Left clears a, sets c. Right clears b and sets it again, clears a."""

    def put(step: str, mark: str, then: str, action: str = "set") -> Mark:
        return Mark(step, mark, (MarkRule(chance(1.0)),), then, action)  # type: ignore[arg-type]

    steps: list[Step] = [
        put("first", "a", "second"),
        put("second", "b", "split"),
        Fork("split", ("left", "right"), "meet"),
        put("left", "a", "left2", "clear"),
        put("left2", "c", "meet"),
        put("right", "b", "right2", "clear"),
        put("right2", "a", "right3", "clear"),
        put("right3", "b", "meet"),
        Join("meet", "end"),
        END,
    ]
    assert marks(play(steps, [0])) == [{"b", "c"}]


def test_a_goto_repeats_exactly_its_limit_and_counts_the_visits() -> None:
    """Rework twice at most: three passes of 10."""
    ledger = play([wait(10, "again"), Goto("again", "wait", 2, "end"), END], [0])
    assert seen(ledger, "wait", "visit", "entered", "ended") == [(0, 0, 10), (1, 10, 20), (2, 20, 30)]


def test_a_condition_needs_its_required_marks_and_none_of_its_forbidden_ones() -> None:
    def route(*names: str) -> list[int]:
        setters: list[Step] = []
        for i, name in enumerate(names):
            then = f"set{i + 1}" if i + 1 < len(names) else "route"
            setters.append(Mark(f"set{i}", name, (MarkRule(chance(1.0)),), then))
        unused = [Mark(f"unused_{m}", m, (MarkRule(chance(1.0)),), "end") for m in ("wrong", "flagged")]
        rules = (Rule(("slow",), when=Condition.of("wrong", "!flagged")), Rule(("end", "u"), (Table.constant(1.0),)))
        tail = Branch("u", (Rule(("unused_wrong", "unused_flagged"), (Table.constant(0.5),)),))
        return ends(play([*setters, Branch("route", rules), wait(9, step="slow"), tail, *unused, END], [0]))

    assert route("wrong") == [9]
    assert route("wrong", "flagged") == [0]
    assert route("flagged") == [0]


# E5: no queue


def test_e5_without_queues_the_cycle_time_is_the_sum_of_the_cases_own_durations() -> None:
    names = ["one", "two", "three"]
    steps: list[Step] = [
        Serve(name, "team", service.distribution, then)
        for name, then, service in zip(names, [*names[1:], "end"], SERVICES, strict=True)
    ]
    arrivals = poisson(2_000, 60.0)
    ledger = play([*steps, END], arrivals, [team(10**6)], stop=10**9)
    own = [service.seconds(arrivals, name) for name, service in zip(names, SERVICES, strict=True)]
    assert [waits(ledger, name) for name in names] == [[0] * 2_000] * 3
    assert ends(ledger) == [a + sum(times) for a, *times in zip(arrivals, *own, strict=True)]


def test_a_reminder_shortens_what_is_left_of_a_long_wait() -> None:
    """After 100 seconds half of the rest is waited for: 60 stay 60, 300 become 200."""
    steps: list[Step] = [
        Delay("short", Kinked(Constant(60.0), 100.0, 0.5), "long"),
        Delay("long", Kinked(Constant(300.0), 100.0, 0.5), "end"),
        END,
    ]
    assert ends(play(steps, [0])) == [60 + 200]


# E6 to E8: laws of every run, on an office with two types, priorities, deadlines, rework and a changing team


def busy_office(weeks: int = 3, per_day: float = 42.0) -> tuple[Workflow, int, int]:
    """Triage, review with a deadline of a day, escalation, rework up to twice, a payment run; begin and stop."""
    clerks = (
        Shift(OFFICE, Table.of([[2.0, 3.0, 2.0, 3.0]])),
        Shift(Calendar.of([(d * DAY + 11 * HOUR, d * DAY + 15 * HOUR) for d in range(28)]), Table.constant(1)),
    )
    steps: tuple[Step, ...] = (
        Serve("triage", "clerks", Lognormal(6.0, 0.5), "deadline", priority=(2, 1)),
        Timer("deadline", 1.0 * DAY, ("review",), "escalate", "review"),
        Serve("review", "clerks", Uniform(600.0, 2_400.0), "checked", priority=(2, 1)),
        Delay("escalate", Lognormal(8.0, 0.3), "checked", clock=OFFICE),
        Branch("checked", (Rule(("rework", "run"), (Table.of([[0.2], [0.1]]),)),)),
        Goto("rework", "deadline", 2, "run"),
        Gate("run", payment_runs(), "end"),
        END,
    )
    arrivals = Arrivals(per_day, (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0) * 3, 0, OFFICE, (0.8, 0.2))
    return Workflow(("routine", "urgent"), steps, (Pool("clerks", clerks),), arrivals), 0, weeks * WEEK


def office_ledger(number: int = 0, seed: int = 5) -> Ledger:
    program = lower(*busy_office())
    return simulate(program, 0, realise(program, 0, seed, number))


@dataclass(frozen=True)
class Queue:
    """The visits of one pool: when each entered, left the queue, started and ended (the stop if open)."""

    priority: Ints
    entered: Ints
    left: Ints
    started: Ints
    ended: Ints
    case: Ints

    @classmethod
    def of(cls, ledger: Ledger, pool: int) -> Queue:
        mine, stop = ledger.visits["pool"] == pool, ledger.program.stop
        columns = ("entered", "started", "ended", "case", "step")
        entered, started, ended, case, step = (ledger.visits[c][mine] for c in columns)
        ended = np.where(ended == OPEN, stop, ended)
        priority = ledger.program.priority[step, ledger.cases["type"][case]]
        return cls(priority, entered, np.where(started == OPEN, ended, started), started, ended, case)

    def in_use(self, t: int) -> int:
        return int(((self.started != OPEN) & (self.started <= t) & (t < self.ended)).sum())

    def waiting(self, t: int) -> Ints:
        """Row numbers of those still in the queue when the instant is over."""
        return np.flatnonzero((self.entered <= t) & (t < self.left))

    def ranks(self, rows: Ints) -> list[tuple[int, int, int]]:
        columns = zip(self.priority[rows], self.entered[rows], self.case[rows], strict=True)
        return [(int(p), int(e), int(c)) for p, e, c in columns]


def capacity_at(ledger: Ledger, pool: int, t: int) -> int:
    capacity = ledger.future.capacity[pool]
    segments = zip(capacity.starts, capacity.ends, capacity.units, strict=True)
    return next((units for start, end, units in segments if start <= t < end), 0)


def check_conservation(ledger: Ledger) -> None:
    """A case is in exactly one place from its arrival to its end, and time does not run backwards."""
    ended = np.where(ledger.visits["ended"] == OPEN, ledger.program.stop, ledger.visits["ended"])
    for case, (arrival, end) in enumerate(zip(ledger.cases["arrival"], ledger.cases["ended"], strict=True)):
        mine = ledger.visits["case"] == case
        edges = [int(arrival), *ended[mine].tolist()]
        assert ledger.visits["entered"][mine].tolist() == edges[:-1]
        assert edges == sorted(edges)
        assert edges[-1] == (ledger.program.stop if end == OPEN else end)
        assert (ledger.visits["result"][mine] == Result.OPEN).sum() == (end == OPEN)


def check_capacity(ledger: Ledger, pool: int = 0) -> None:
    """Nobody starts beyond the capacity; nobody waits beside an idle unit; nobody overtakes a better rank."""
    queue = Queue.of(ledger, pool)
    events = np.unique(np.concatenate([queue.entered, queue.left, queue.ended, ledger.future.capacity[pool].starts]))
    for t in events[events < ledger.program.stop].tolist():
        capacity, in_use, waiting = capacity_at(ledger, pool, t), queue.in_use(t), queue.waiting(t)
        starting = np.flatnonzero(queue.started == t)
        assert not len(starting) or in_use <= capacity, f"too many at {t}"
        assert not len(waiting) or in_use >= capacity, f"idle at {t}"
        if len(starting) and len(waiting):
            assert max(queue.ranks(starting)) < min(queue.ranks(waiting)), f"overtaken at {t}"


def test_e7_the_office_run_is_busy_enough_to_mean_something() -> None:
    ledger = office_ledger()
    review = results(ledger, "review")
    assert len(ledger.cases["arrival"]) > 600
    assert review.count(Result.TIMED_OUT) > 20
    assert (ledger.visits["visit"] == 2).any()
    assert 0 < (ledger.cases["ended"] == OPEN).sum() < 200
    assert np.mean(np.asarray(waits(ledger, "triage")) > 0) > 0.3


def test_e7_every_case_is_in_exactly_one_place_at_every_instant() -> None:
    check_conservation(office_ledger())


def test_e7_no_start_beyond_capacity_no_idle_unit_beside_a_queue_no_overtaking() -> None:
    check_capacity(office_ledger())


def test_e6_the_integral_of_the_number_inside_is_the_sum_of_the_times_inside() -> None:
    """Little's law on the path, from two sides: by case, and by an event count over the rows."""
    ledger = office_ledger()
    stop = ledger.program.stop
    arrival = ledger.cases["arrival"]
    inside = np.where(ledger.cases["ended"] == OPEN, stop, ledger.cases["ended"]) - arrival
    entered = np.sort(ledger.visits["entered"])
    left = np.sort(np.where(ledger.visits["ended"] == OPEN, stop, ledger.visits["ended"]))
    edges = np.unique(np.concatenate([entered, left, [stop]]))
    number = np.searchsorted(entered, edges[:-1], "right") - np.searchsorted(left, edges[:-1], "right")
    assert int((number * np.diff(edges)).sum()) == int(inside.sum())


def test_e6_queue_area_is_the_sum_of_waits_including_the_abandoned_and_the_unfinished() -> None:
    ledger = office_ledger()
    queue = Queue.of(ledger, 0)
    edges = np.unique(np.concatenate([queue.entered, queue.left]))
    counted = sum(len(queue.waiting(int(t))) * int(gap) for t, gap in zip(edges[:-1], np.diff(edges), strict=True))
    assert counted == sum(areas(ledger, step)[0] for step in ("triage", "review"))


def test_e8_closed_hours_and_open_hours_of_a_visit_add_up_to_it() -> None:
    ledger = office_ledger()
    clock = ledger.future.capacity[0].open_time()
    for entered, ended, closed in seen(ledger, "triage", "entered", "ended", "closed_seconds"):
        until = ledger.program.stop if ended == OPEN else ended
        assert clock.open_between(entered, until) + closed == until - entered


def test_e8_along_the_longest_path_the_rows_tile_the_case() -> None:
    """Two branches of random length: follow, at the join, the branch that came last (ties: the lower token)."""
    steps: list[Step] = [
        wait(7, "split", "first"),
        Fork("split", ("left", "right"), "meet"),
        Delay("left", Uniform(0.0, 9.0), "meet"),
        Delay("right", Uniform(0.0, 9.0), "right2"),
        wait(2, "meet", "right2"),
        Join("meet", "last"),
        wait(3, step="last"),
        END,
    ]
    ledger = play(steps, list(range(0, 4_000, 20)))
    ties = 0
    for case, arrival in enumerate(ledger.cases["arrival"].tolist()):
        mine = ledger.visits["case"] == case
        columns = ("token", "step", "entered", "ended")
        rows = [dict(zip(columns, r, strict=True)) for r in np.stack([ledger.visits[c][mine] for c in columns], 1)]
        at_join = [r for r in rows if ledger.program.step_ids[r["step"]] == "meet"]
        latest = max(r["entered"] for r in at_join)
        longest = next(r["token"] for r in at_join if r["entered"] == latest)
        ties += len({r["entered"] for r in at_join}) == 1
        path = sorted((int(r["entered"]), int(r["ended"])) for r in rows if r["token"] in (0, longest))
        edges = [arrival, *(ended for _, ended in path)]
        assert [entered for entered, _ in path] == edges[:-1]
        assert edges[-1] == ledger.cases["ended"][case]
    assert ties > 5


# E9: determinism


def fingerprint(ledger: Ledger) -> str:
    digest = hashlib.sha256(ledger.packed().tobytes())
    for name in sorted(ledger.cases):
        digest.update(ledger.cases[name].tobytes())
    return digest.hexdigest()


def test_e9_the_same_scenario_and_seed_give_the_same_bytes() -> None:
    assert fingerprint(office_ledger()) == fingerprint(office_ledger())
    assert fingerprint(office_ledger()) != fingerprint(office_ledger(seed=6))


def test_e9_another_process_with_another_hash_seed_gives_the_same_bytes() -> None:
    here = Path(__file__).parent
    code = f"import test_exact as t; t.PLAYED_BY = {PLAYED_BY!r}; print(t.fingerprint(t.office_ledger()))"
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)])}
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint(office_ledger())


def test_e9_replication_k_does_not_depend_on_how_many_were_asked_for_or_in_which_order() -> None:
    alone = fingerprint(office_ledger(number=3))
    assert [fingerprint(office_ledger(number=k)) for k in (4, 3, 0)][1] == alone


def test_e9_replications_and_seeds_differ_from_each_other() -> None:
    prints = {fingerprint(office_ledger(number=k, seed=s)) for k in (0, 1) for s in (5, 6)}
    assert len(prints) == 4


def test_e9_draw_k_is_the_run_with_the_numbers_of_row_k() -> None:
    means, units = np.asarray([300.0, 600.0, 900.0]), np.asarray([1.0, 2.0, 3.0])

    def run(mean: Column, staff: Column, draw: int) -> Ledger:
        steps = (Serve("work", "team", Exponential(mean), "end"), END)
        arrivals = Arrivals(60.0, (1.0,) * 5, 0, OFFICE, (1.0,))
        program = lower(Workflow(("case",), steps, (team(staff),), arrivals), 0, WEEK)
        return simulate(program, draw, realise(program, draw, 9, 0))

    for draw in range(3):
        wide, single = run(means, units, draw), run(float(means[draw]), float(units[draw]), 0)
        assert wide.visits["ended"].tolist() == single.visits["ended"].tolist()
        assert wide.cases["ended"].tolist() == single.cases["ended"].tolist()


# E11: degenerate scenarios


def test_e11_no_arrivals_give_an_empty_ledger() -> None:
    ledger = play([serve(5), END], [], [team()])
    assert {name: len(column) for name, column in ledger.visits.items()} == dict.fromkeys(ledger.visits, 0)
    assert len(ledger.cases["arrival"]) == 0
    workflow, begin, stop = busy_office(per_day=0.0)
    program = lower(workflow, begin, stop)
    assert len(simulate(program, 0, realise(program, 0, 1, 0)).cases["arrival"]) == 0


def test_e11_a_workflow_without_arrivals_says_so() -> None:
    program = lower(Workflow(("case",), (wait(1), END), ()), 0, 10)
    with pytest.raises(ValueError, match="this workflow has no arrivals; give them with `given`"):
        realise(program, 0, 1, 0)


def test_e11_steps_of_length_zero_take_no_time_and_leave_a_row_each() -> None:
    """A hundred cases at once through one unit and a zero wait: all done in the same instant."""
    ledger = play([wait(0, "work"), serve(0), END], [60] * 100, [team()])
    assert ends(ledger) == [60] * 100
    assert times(ledger, "work") == [(60, 60, 60)] * 100
    assert results(ledger) == [Result.DONE] * 100


def test_e11_one_giant_batch_leaves_with_its_last_member() -> None:
    ledger = play(batch(1_000, FAR), list(range(1_000)))
    assert ends(ledger) == [999] * 1_000


def test_e11_a_batch_that_never_fills_leaves_by_its_longest_wait_or_stays_open() -> None:
    assert ends(play(batch(1_000, 50), list(range(10)))) == [50] * 10
    open_ledger = play(batch(1_000, 50), list(range(10)), stop=50)
    assert ends(open_ledger) == [OPEN] * 10
    assert results(open_ledger, "run") == [Result.OPEN] * 10


def test_e11_a_horizon_shorter_than_one_service_leaves_it_open() -> None:
    ledger = play([serve(100), END], [0, 0], [team()], stop=50)
    assert times(ledger, "work") == [(0, 0, OPEN), (0, OPEN, OPEN)]
    assert results(ledger) == [Result.OPEN, Result.OPEN]
    assert areas(ledger) == (50, 50)


@pytest.mark.parametrize(("stop", "reached"), [(11, False), (12, False), (13, True)])
def test_e11_what_would_end_exactly_on_the_horizon_is_open(stop: int, reached: bool) -> None:
    served, waited = play([serve(12), END], [0], [team()], stop=stop), play([wait(12), END], [0], stop=stop)
    end, result = (12, Result.DONE) if reached else (OPEN, Result.OPEN)
    assert (ends(served), ends(waited)) == ([end], [end])
    assert (times(served, "work"), times(waited, "wait")) == ([(0, 0, end)], [(0, 0, end)])
    assert (results(served), results(waited, "wait")) == ([result], [result])


def test_e11_what_ends_one_second_before_go_live_has_ended() -> None:
    """Second -1 is a time like any other, not the mark of an open visit."""
    ledger = play([serve(99), END], [-100, -1], [team()], begin=-100)
    assert times(ledger, "work") == [(-100, -100, -1), (-1, -1, 98)]
    assert results(ledger) == [Result.DONE, Result.DONE]
    assert OPEN < -(10**9)


def test_e11_an_arrival_exactly_on_the_horizon_does_not_enter() -> None:
    ledger = play([serve(1), END], [11, 12], [team()], stop=12)
    assert times(ledger, "work") == [(11, 11, OPEN)]


def test_e11_a_deadline_exactly_on_the_horizon_does_not_fire() -> None:
    steps: list[Step] = [Timer("patience", 12.0, ("work",), "gone", "work"), serve(50), END, End("gone")]
    ledger = play(steps, [0, 0], [team()], stop=12)
    assert results(ledger) == [Result.OPEN, Result.OPEN]


def test_e11_an_arrival_exactly_on_the_begin_enters() -> None:
    ledger = play([serve(5), END], [-100, -100], [team()], begin=-100)
    assert times(ledger, "work") == [(-100, -100, -95), (-100, -95, -90)]


def test_e11_the_last_second_of_the_warm_up_is_week_0_and_go_live_is_week_1() -> None:
    """A service takes 10 in week 0, 20 in week 1, 40 from week 2 on."""
    steps: list[Step] = [Serve("work", "team", Constant(1.0), "end", factor=Table.of([[10.0, 20.0, 40.0]])), END]
    arrivals = [-1, 0, WEEK - 1, WEEK, 30 * WEEK]
    ledger = play(steps, arrivals, [team(99, always(-FAR, 10 * FAR))], begin=-DAY, stop=10 * FAR)
    assert [ended - started for _, started, ended in times(ledger, "work")] == [10, 20, 20, 40, 40]


def test_the_week_of_a_service_is_the_week_of_its_start_not_of_its_queueing() -> None:
    """Queued in week 1 behind a job that ends in week 2: the second takes 40."""
    steps: list[Step] = [Serve("work", "team", Constant(1.0), "end", factor=Table.of([[10.0, 20.0, 40.0]])), END]
    ledger = play(steps, [WEEK - 5, WEEK - 4], [team()])
    assert times(ledger, "work") == [(WEEK - 5, WEEK - 5, WEEK + 15), (WEEK - 4, WEEK + 15, WEEK + 55)]


@pytest.mark.parametrize("week_of", ["now", "arrival"])
def test_a_branch_uses_the_week_of_the_instant_or_of_the_arrival(week_of: str) -> None:
    rule = Rule(("end", "slow"), (Table.of([[1.0, 1.0, 0.0]]),))  # week 2: all slow
    steps: list[Step] = [wait(10, "route"), Branch("route", (rule,), week_of), wait(5, step="slow"), END]  # type: ignore[arg-type]
    ended = ends(play(steps, [WEEK - 10, WEEK - 11]))
    assert ended == ([WEEK + 5, WEEK - 1] if week_of == "now" else [WEEK, WEEK - 1])


@pytest.mark.parametrize(("accuracy", "flagged"), [(0.0, 1_000), (1.0, 0)])
def test_e11_an_accuracy_of_0_or_1_is_never_or_always_right(accuracy: float, flagged: int) -> None:
    steps: list[Step] = [
        Branch("reads", (Rule(("end", "correct"), (Table.constant(accuracy),)),)),
        Mark("correct", "corrected", (MarkRule(chance(1.0)),), "end"),
        END,
    ]
    assert sum(len(m) for m in marks(play(steps, list(range(1_000))))) == flagged


@pytest.mark.parametrize(("probability", "hits"), [(0.0, 0), (1.0, 500)])
def test_e11_a_chance_of_0_or_1_stays_so_under_volume_load_age_and_sharing(probability: float, hits: int) -> None:
    certain = Chance(
        Table.constant(probability), volume_slope=3.0, load_pool="team", load_slope=2.0, age_calendar=OFFICE, shared=0.5
    )
    ledger = play([Mark("m", "hit", (MarkRule(certain),), "end"), END], list(range(500)), [team()])
    assert sum(len(m) for m in marks(ledger)) == hits


# E12: scale invariance


def scaled(unit: int) -> Ledger:
    """An office whose times are whole numbers of `unit` seconds: queue, deadline, retries, batch, gate, rework, fork."""
    windows = Calendar.of([(24 * k * unit, (24 * k + 8) * unit) for k in range(40)])
    horizon = 700 * unit
    steps: list[Step] = [
        Serve("triage", "team", Constant(2.0 * unit), "limit", priority=(2, 1)),
        Timer("limit", 9.0 * unit, ("review",), "late", "review"),
        Serve("review", "team", Constant(3.0 * unit), "call", factor=Table.of([[1.0], [2.0]])),
        wait(5 * unit, "call", "late"),
        Attempts(
            "call", "erp", Constant(1.0 * unit), 2.0 * unit, "split", "broken", 3,
            transient=Table.constant(0.4), back_off_seconds=1.0 * unit, multiplier=2.0,
        ),
        Fork("split", ("left", "right"), "meet"),
        Delay("left", Constant(4.0 * unit), "meet", clock=windows),
        wait(2 * unit, "meet", "right"),
        Join("meet", "again"),
        Branch("again", (Rule(("rework", "run"), (Table.constant(0.3),)),)),
        Goto("rework", "triage", 2, "run"),
        Batch("run", 3.0, 10.0 * unit, "gate"),
        Gate("gate", Calendar.of([(24 * k * unit, 24 * k * unit + unit) for k in range(40)]), "end"),
        END,
    ]  # fmt: skip
    erp = Endpoint("erp", downtime=Calendar.of([(30 * unit, 50 * unit)]))
    arrivals = [(k * unit, k % 2) for k in range(24)]
    return play(steps, arrivals, [team(2, windows)], stop=horizon, endpoints=[erp], types=2)


def test_e12_hours_to_minutes_divides_every_time_by_60_and_changes_nothing_else() -> None:
    hours, minutes = scaled(HOUR), scaled(MINUTE)
    assert len(hours.visits["case"]) > 150
    assert {Result(r) for r in hours.visits["result"]} >= {Result.DONE, Result.TIMED_OUT}
    for table, names in (
        ("visits", ("entered", "started", "ended", "closed_seconds")),
        ("cases", ("arrival", "ended")),
    ):
        for name, column in getattr(hours, table).items():
            other = getattr(minutes, table)[name]
            if name in names:
                assert np.array_equal(column, np.where(other == OPEN, OPEN, 60 * other)), name
            else:
                assert np.array_equal(column, other), name


# E13: calendars under a serving team


def test_e13_work_of_4_hours_started_on_friday_at_16_ends_on_monday_at_12() -> None:
    ledger = play([serve(4 * HOUR), END], [FRI + 16 * HOUR], [team(1, OFFICE)])
    assert times(ledger, "work") == [(FRI + 16 * HOUR, FRI + 16 * HOUR, WEEK + MON + 12 * HOUR)]
    assert seen(ledger, "work", "closed_seconds") == [(64 * HOUR,)]


def test_e13_suspended_work_keeps_its_unit_over_the_weekend() -> None:
    ledger = play([serve(4 * HOUR), END], [FRI + 16 * HOUR, FRI + 16 * HOUR + 1], [team(1, OFFICE)])
    assert times(ledger, "work")[1] == (FRI + 16 * HOUR + 1, WEEK + MON + 12 * HOUR, WEEK + MON + 16 * HOUR)


def test_e13_what_comes_at_night_starts_at_the_opening() -> None:
    ledger = play([serve(HOUR), END], [MON + 17 * HOUR, TUE + 3 * HOUR], [team(2, OFFICE)])
    assert [started for _, started, _ in times(ledger, "work")] == [TUE + 9 * HOUR] * 2
    assert seen(ledger, "work", "closed_seconds") == [(16 * HOUR,), (6 * HOUR,)]


def test_e13_work_may_end_at_the_closing_hour_and_the_next_starts_in_the_morning() -> None:
    ledger = play([serve(HOUR), END], [MON + 16 * HOUR] * 2, [team(1, OFFICE)])
    assert times(ledger, "work") == [
        (MON + 16 * HOUR, MON + 16 * HOUR, MON + 17 * HOUR),
        (MON + 16 * HOUR, TUE + 9 * HOUR, TUE + 10 * HOUR),
    ]


def test_e13_a_deadline_fires_while_the_office_is_closed() -> None:
    """Two elapsed hours from 16:00: over at 18:00, although nobody works then."""
    steps: list[Step] = [Timer("patience", 2.0 * HOUR, ("work",), "gone", "work"), serve(4 * HOUR), END, End("gone")]
    ledger = play(steps, [MON + 15 * HOUR, MON + 16 * HOUR], [team(1, OFFICE)])
    assert times(ledger, "work")[1] == (MON + 16 * HOUR, OPEN, MON + 18 * HOUR)


def test_e13_a_delay_on_the_office_clock_counts_open_time_and_an_elapsed_one_does_not() -> None:
    office = Delay("wait", Constant(4.0 * HOUR), "end", clock=OFFICE)
    ledger = play([office, END], [FRI + 16 * HOUR])
    assert ends(ledger) == [WEEK + MON + 12 * HOUR]
    assert seen(ledger, "wait", "closed_seconds") == [(64 * HOUR,)]
    assert ends(play([wait(4 * HOUR), END], [FRI + 16 * HOUR])) == [FRI + 20 * HOUR]


# Chances: load, age of data, clusters


def test_a_chance_reads_the_queue_as_it_stood_at_the_end_of_the_previous_instant() -> None:
    """Five cases at 0 in a team of 2: at instant 0 the frozen load is 0, at 10 it is 3 / 2: logit 27 becomes -48."""
    loaded = Chance(Table.constant(1 - 1e-12), load_pool="team", load_slope=50.0)
    steps: list[Step] = [Mark("sees", "calm", (MarkRule(loaded),), "work"), serve(100), END]
    ledger = play(steps, [0, 0, 0, 0, 0, 10], [team(2)])
    assert marks(ledger) == [{"calm"}] * 5 + [set()]


def test_an_overloaded_team_drives_a_chance_to_zero_and_not_the_run_into_an_error() -> None:
    """400 cases wait for one unit: the logit falls by 2 x 400 = 800, and exp(800) is no number."""
    loaded = Chance(Table.constant(0.9), load_pool="team", load_slope=2.0)
    steps: list[Step] = [Mark("sees", "calm", (MarkRule(loaded),), "work"), serve(DAY), END]
    ledger = play(steps, [*[0] * 401, 10], [team()], stop=DAY)
    assert marks(ledger)[-1] == set()


def test_a_chance_moves_on_the_logit_scale_with_the_volume_of_the_day() -> None:
    """Volume slope 1.5, twice the expected arrivals: logit(.5) + 1.5 (2 - 1)."""
    busy = Chance(Table.constant(0.5), volume_slope=1.5)
    steps = (Mark("reads", "wrong", (MarkRule(busy),), "end"), END)
    program = lower(Workflow(("case",), steps, ()), 0, FAR)
    future = given(program, 0, 1, 0, [(0, 0)] * 2_000)
    ledger = simulate(program, 0, replace(future, ratio=np.full(2_000, 2.0)))
    first, _ = uniform_arrays(1, 0, case_entity(0, np.arange(2_000)), purpose_of("reads"))
    assert [bool(m) for m in marks(ledger)] == (first < 1 / (1 + math.exp(-1.5))).tolist()


def test_data_age_counts_from_the_latest_opening_of_its_calendar() -> None:
    """Error rate exp(-age): right at the nightly load nothing is stale, a thousand hours later everything is."""
    loads = Calendar.of([(100, 101)])
    stale = Chance(Table.constant(0.0), age_calendar=loads, age_rate_per_hour=1.0)
    steps: list[Step] = [Mark("reads", "stale", (MarkRule(stale),), "end"), END]
    ledger = play(steps, [50, 100, 100 + 1_000 * HOUR])
    assert marks(ledger) == [set(), set(), {"stale"}]


def test_data_age_of_one_hour_makes_the_known_share_stale() -> None:
    stale = Chance(Table.constant(0.0), age_calendar=Calendar.of([(0, 1)]), age_rate_per_hour=1.0)
    steps: list[Step] = [Mark("reads", "stale", (MarkRule(stale),), "end"), END]
    ledger = play(steps, [HOUR] * 2_000)
    first, _ = uniform_arrays(1, 0, case_entity(0, np.arange(2_000)), purpose_of("reads"))
    assert [bool(m) for m in marks(ledger)] == (first < 1 - math.exp(-1)).tolist()


# Properties


@for_all(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 30)), min_size=1, max_size=40),
    st.integers(1, 4),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_first_come_first_served_more_units_or_shorter_work_never_lengthen_any_wait(
    jobs: list[tuple[int, int]], units: int, shorter_by: int
) -> None:
    """True for one queue in order of arrival, not for priorities or re-entrant routes."""
    arrivals = sorted(arrival for arrival, _ in jobs)
    types = len(jobs)

    def all_waits(lengths: list[int], staff: int) -> list[int]:
        factor = Table.of([[float(length)] for length in lengths])
        steps: list[Step] = [Serve("work", "team", Constant(1.0), "end", factor=factor), END]
        return waits(play(steps, [(a, i) for i, a in enumerate(arrivals)], [team(staff)], types=types))

    lengths = [length for _, length in jobs]
    base = all_waits(lengths, units)
    assert base == kiefer_wolfowitz(arrivals, lengths, units)
    more_staff = all_waits(lengths, units + 1)
    faster = all_waits([max(0, length - shorter_by) for length in lengths], units)
    assert all(b <= a for a, b in zip(base, more_staff, strict=True))
    assert all(b <= a for a, b in zip(base, faster, strict=True))
