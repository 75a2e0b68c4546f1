"""The laws hold on workflows of every kind, give numbers worked by hand, and each fails on a ledger that breaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import pairwise
from time import process_time

import numpy as np
import pytest

from simulator.clock import DAY, HOUR, WEEK, WEEKDAYS, Calendar, always, weekly
from simulator.distributions import Constant, Exponential
from simulator.futures import given, realise
from simulator.laws import LawCheck, check_laws
from simulator.ledger import OPEN, Ledger, Result
from simulator.program import lower
from simulator.simpy_engine import simulate
from simulator.summary import pool_weeks
from simulator.workflow import (
    Arrivals,
    Branch,
    Delay,
    End,
    Fork,
    Goto,
    Interruption,
    Join,
    Pool,
    Rule,
    Serve,
    Shift,
    Step,
    Table,
    Timer,
    Workflow,
)
from tests.oracles.generate import generate


def laws(ledger: Ledger) -> dict[str, LawCheck]:
    return {law.name: law for law in check_laws(ledger)}


def broken(ledger: Ledger) -> set[str]:
    """Names of the laws that fail, without the pool."""
    return {law.name.partition(":")[0] for law in check_laws(ledger) if not law.passed}


# They hold.


@pytest.mark.parametrize("seed", range(60))
def test_the_laws_hold_on_random_workflows(seed: int) -> None:
    made = generate(seed)
    program = lower(made.workflow, made.begin, made.stop)
    assert [law.text for law in check_laws(simulate(program, made.draw, made.future(program))) if not law.passed] == []


@pytest.mark.parametrize("parallel", [False, True])
def test_the_laws_hold_on_a_half_year_of_an_office(parallel: bool) -> None:
    assert broken(office(25.0, parallel)) == set()


def test_the_laws_of_nothing() -> None:
    """No case; a case that ends at once; a case that would arrive at the stop."""
    program = lower(one_server(Serve("work", "team", Constant(60), "end")), 0, DAY)
    assert all(law.passed for law in check_laws(simulate(program, 0, given(program, 0, 1, 0, []))))
    instant = lower(Workflow(("a",), (Delay("nothing", Constant(0), "end"), End("end")), ()), 0, DAY)
    found = laws(simulate(instant, 0, given(instant, 0, 1, 0, [(5, 0), (DAY, 0)])))
    assert found["flow"].measured == found["flow"].expected == 1
    assert all(law.passed for law in found.values())


def one_server(*steps: Step, hours: Calendar | None = None) -> Workflow:
    shift = Shift(hours or always(0, 100 * DAY), Table.constant(1))
    return Workflow(("a",), (*steps, End("end")), (Pool("team", (shift,)),))


# Numbers worked by hand (verification plan, section 2.1).


def test_three_jobs_and_a_stop() -> None:
    """Jobs of 5 all present at 0, one server, stop at 12: they wait 0, 5 and 10, so 2 · 5 + 1 · 5 = 15 in the queue."""
    program = lower(one_server(Serve("work", "team", Constant(5), "end")), 0, 12)
    found = laws(simulate(program, 0, given(program, 0, 1, 0, [(0, 0)] * 3)))
    assert found["Little's law, queue: team"].measured == found["Little's law, queue: team"].expected == 15
    assert found["Little's law, work: team"].measured == found["Little's law, work: team"].expected == 12
    assert found["Little's law"].measured == 5 + 10 + 12
    assert found["flow"].text == "3 cases arrived: 2 ended once, still open 1."
    assert all(law.passed for law in found.values())


def test_a_case_that_gives_up_counts_in_the_queue() -> None:
    """One server busy for 10 hours from 0; a second case comes at 1 h and gives up after 4 h: queue area 4 h."""
    steps = Timer("timer", 4 * HOUR, ("work",), "end", "work"), Serve("work", "team", Constant(10 * HOUR), "end")
    program = lower(one_server(*steps), 0, DAY)
    found = laws(simulate(program, 0, given(program, 0, 1, 0, [(0, 0), (HOUR, 0)])))
    assert found["Little's law, queue: team"].measured == 4 * HOUR
    assert found["Little's law, work: team"].measured == 10 * HOUR
    assert all(law.passed for law in found.values())


def test_work_suspended_overnight_counts_as_held_but_not_as_worked() -> None:
    """12 hours of work from 9:00 in hours 9-17: held 28 hours until 13:00 the next day, worked 12 of 16 open hours."""
    hours = Calendar((9 * HOUR, DAY + 9 * HOUR), (17 * HOUR, DAY + 17 * HOUR))
    program = lower(one_server(Serve("work", "team", Constant(12 * HOUR), "end"), hours=hours), 0, 2 * DAY)
    found = laws(simulate(program, 0, given(program, 0, 1, 0, [(9 * HOUR, 0)])))
    assert found["Little's law, work: team"].measured == 28 * HOUR
    assert found["open time: team"].measured == 12 * HOUR
    assert (found["utilisation: team"].measured, found["utilisation: team"].expected) == (12 * HOUR, 16 * HOUR)
    assert found["utilisation: team"].text == "team worked 75.0% of its 0.7 days of capacity."


def test_work_under_way_when_capacity_falls_is_allowed_for() -> None:
    """Two units until 10:00, then one; both work 4 hours from 8:00: 8 hours of work, 2 · 2 + (1 + 1) · 2 allowed."""
    shifts = Shift(always(0, 10 * HOUR), Table.constant(1)), Shift(always(0, DAY), Table.constant(1))
    steps = Serve("work", "team", Constant(4 * HOUR), "end"), End("end")
    program = lower(Workflow(("a",), steps, (Pool("team", shifts),)), 0, DAY)
    found = laws(simulate(program, 0, given(program, 0, 1, 0, [(8 * HOUR, 0)] * 3)))
    assert found["utilisation: team"].measured == 12 * HOUR
    assert found["utilisation: team"].expected == (10 * 2 + 2 * 2 + 12) * HOUR
    assert found["Little's law, queue: team"].measured == 4 * HOUR
    assert all(law.passed for law in found.values())


def test_the_summary_by_week_adds_up_to_the_same_work_and_queue() -> None:
    ledger = office(25.0, parallel=True)
    found = laws(ledger)
    for pool in pool_weeks(ledger):
        work, queue = (found[f"{law}: {pool.name}"].measured for law in ("utilisation", "Little's law, queue"))
        assert pool.busy_hours.sum() * HOUR == pytest.approx(work, rel=1e-9)
        assert pool.mean_queue.sum() * WEEK == pytest.approx(queue, rel=1e-9)


# They fail.


@cache
def office(per_day: float, parallel: bool = False) -> Ledger:
    """Half a year: three teams with office hours, absences, two priorities, rework, escalation; cases left open."""
    begin, stop = -2 * WEEK, 26 * WEEK
    hours = weekly({day: [(9 * HOUR, 17 * HOUR)] for day in WEEKDAYS[:5]}, date(2024, 1, 1), begin, stop)
    away = Interruption(Exponential(30.0 * DAY), Exponential(3.0 * DAY))
    size = per_day / 25

    def pool(name: str, units: float) -> Pool:
        return Pool(name, (Shift(hours, Table.constant(units)),), away)

    fork: tuple[Step, ...] = ()
    if parallel:
        branches = Delay("scan", Exponential(7200.0), "meet"), Serve("index", "clerks", Exponential(1200.0), "meet")
        fork = (Fork("split", ("scan", "index"), "meet"), *branches, Join("meet", "review"))
    steps = (
        Serve("intake", "clerks", Exponential(1800.0), "split" if parallel else "review", priority=(1, 0)),
        *fork,
        Serve("review", "reviewers", Exponential(5400.0), "ok"),
        Branch("ok", (Rule(("again", "timer"), (Table.constant(0.3),)),)),
        Goto("again", "intake", 5, "timer"),
        Timer("timer", 2 * DAY, ("approve",), "deputy", "approve"),
        Serve("approve", "bosses", Exponential(1800.0), "pay"),
        Serve("deputy", "clerks", Exponential(600.0), "pay", priority=(2, 2)),
        Delay("pay", Exponential(1.0 * DAY), "end"),
        End("end"),
    )
    days = (stop - begin) // DAY
    factor = tuple(1.0 if day % 7 < 5 else 0.0 for day in range(days))
    arrivals = Arrivals(per_day, factor, begin // DAY, hours, (0.8, 0.2))
    pools = pool("clerks", 4 * size), pool("reviewers", 8 * size), pool("bosses", 2 * size)
    program = lower(Workflow(("x", "y"), steps, pools, arrivals), begin, stop)
    return simulate(program, 0, realise(program, 0, 3, 0))


Change = Callable[[dict[str, np.ndarray], dict[str, np.ndarray]], None]


def changed(ledger: Ledger, change: Change) -> Ledger:
    visits = {name: column.copy() for name, column in ledger.visits.items()}
    cases = {name: column.copy() for name, column in ledger.cases.items()}
    change(visits, cases)
    return replace(ledger, visits=visits, cases=cases)


def pooled(visits: dict[str, np.ndarray], waited: int = 600) -> np.ndarray:
    """Rows of finished visits to the clerks that waited long and then took long."""
    wait, work = visits["started"] - visits["entered"], visits["ended"] - visits["started"]
    return np.flatnonzero((visits["pool"] == 0) & (visits["result"] == Result.DONE) & (wait > waited) & (work > 600))


def case_never_ends(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    cases["ended"][np.flatnonzero(cases["ended"] != OPEN)[0]] = OPEN


def unfinished_case_is_dropped(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    row = np.flatnonzero(visits["result"] == Result.OPEN)[0]
    visits["result"][row], visits["ended"][row] = Result.DONE, visits["entered"][row] + 60


def end_without_a_result(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    cases["end_result"][np.flatnonzero(cases["ended"] != OPEN)[0]] = -1


def started_before_it_entered(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    row = pooled(visits)[0]
    visits["started"][row] = visits["entered"][row] - 1


def rows_out_of_order(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    row = np.flatnonzero(visits["seq"] == 1)[0]
    for column in visits.values():
        column[[row - 1, row]] = column[[row, row - 1]]


def numbered_wrongly(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    visits["seq"][5] += 1


def ended_after_the_stop(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    visits["ended"][pooled(visits)[0]] = 30 * WEEK


def next_step_comes_late(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    visits["ended"][pooled(visits)[0]] -= 1


def next_step_comes_early(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    visits["ended"][pooled(visits)[0]] += 1


def case_ends_after_its_last_step(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    cases["ended"][np.flatnonzero(cases["ended"] != OPEN)[0]] += 1


def wait_that_was_given_up_is_not_counted(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    row = np.flatnonzero((visits["result"] == Result.TIMED_OUT) & (visits["pool"] >= 0))[0]
    visits["ended"][row] = visits["entered"][row]


def closed_hours_count_as_open(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    visits["closed_seconds"][pooled(visits)[0]] -= 1


def everybody_starts_at_once(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    rows = pooled(visits)
    visits["started"][rows] = visits["entered"][rows]


def start_while_closed(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    rows = pooled(visits)
    overnight = rows[visits["entered"][rows] // DAY < visits["started"][rows] // DAY][0]
    visits["started"][overnight] = visits["started"][overnight] // DAY * DAY


def unit_rests_for_a_second(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    visits["started"][pooled(visits)[0]] += 1


def last_come_first_served(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    """The starts of two visits to one step that waited at the same time are exchanged, with their ends."""
    rows = [r for r in pooled(visits) if cases["type"][visits["case"][r]] == 0 and visits["step"][r] == 0]
    a, b = next((a, b) for a, b in pairwise(rows) if overlap(visits, a, b))
    for name in ("started", "ended"):
        visits[name][[a, b]] = visits[name][[b, a]]


def overlap(visits: dict[str, np.ndarray], a: int, b: int) -> bool:
    entered, started = visits["entered"], visits["started"]
    return bool(entered[a] < entered[b] < started[a] < started[b])


def low_priority_first(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
    """A case of high priority takes the place of a later start of low priority, and the other way round."""
    urgent = [r for r in pooled(visits, 60) if cases["type"][visits["case"][r]] == 1 and visits["step"][r] == 0]
    usual = [r for r in pooled(visits, 60) if cases["type"][visits["case"][r]] == 0 and visits["step"][r] == 0]
    started, entered = visits["started"], visits["entered"]
    pairs = ((a, b) for a in urgent for b in usual if entered[b] < started[a] < started[b])
    a, b = next(pairs)
    for name in ("started", "ended"):
        visits[name][[a, b]] = visits[name][[b, a]]


FAULTS: tuple[tuple[Change, set[str]], ...] = (
    (case_never_ends, {"flow"}),
    (unfinished_case_is_dropped, {"flow"}),
    (end_without_a_result, {"flow"}),
    (started_before_it_entered, {"time order"}),
    (rows_out_of_order, {"time order", "no gap or overlap"}),
    (numbered_wrongly, {"time order"}),
    (ended_after_the_stop, {"time order", "no gap or overlap"}),
    (next_step_comes_late, {"no gap or overlap", "Little's law", "Little's law, work"}),
    (next_step_comes_early, {"no gap or overlap", "Little's law, work"}),
    (case_ends_after_its_last_step, {"no gap or overlap", "Little's law"}),
    (wait_that_was_given_up_is_not_counted, {"no gap or overlap", "Little's law, queue"}),
    (closed_hours_count_as_open, {"open time"}),
    (everybody_starts_at_once, {"capacity"}),
    (start_while_closed, {"capacity"}),
    (unit_rests_for_a_second, {"no idle unit"}),
    (last_come_first_served, {"order of service"}),
    (low_priority_first, {"order of service"}),
)


@pytest.mark.parametrize(("change", "expected"), FAULTS, ids=[change.__name__ for change, _ in FAULTS])
def test_a_ledger_that_breaks_a_law_is_found(change: Change, expected: set[str]) -> None:
    found = broken(changed(office(25.0), change))
    assert expected <= found


def test_every_law_is_broken_by_some_fault() -> None:
    """The utilisation has a test of its own below."""
    names = {name.partition(":")[0] for name in laws(office(25.0))}
    assert set().union(*(expected for _, expected in FAULTS)) == names - {"utilisation"}


def test_more_work_than_capacity_is_found() -> None:
    """Two visits of 20 hours on one unit in one day: 40 hours of work in 24 hours of capacity."""
    program = lower(one_server(Serve("work", "team", Constant(20 * HOUR), "end")), 0, 3 * DAY)
    ledger = simulate(program, 0, given(program, 0, 1, 0, [(0, 0)] * 4))

    def change(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
        visits["started"][:] = 0
        visits["ended"][:] = 20 * HOUR

    found = laws(changed(ledger, change))["utilisation: team"]
    assert not found.passed
    assert (found.measured, found.expected) == (80 * HOUR, 72 * HOUR)


def test_overlapping_steps_of_one_branch_are_found() -> None:
    """On the longest path of cases that fork, too."""

    def change(visits: dict[str, np.ndarray], cases: dict[str, np.ndarray]) -> None:
        row = np.flatnonzero((visits["token"] == 0) & (visits["step"] == 0) & (visits["result"] == Result.DONE))[7]
        visits["ended"][row] += 600

    assert broken(changed(office(25.0, parallel=True), change)) >= {"no gap or overlap"}


# They are cheap.


@pytest.mark.slow
def test_the_laws_of_a_long_ledger_take_little_time() -> None:
    """About 200,000 visits, four fifths of them to pools: measured 70 ms on a busy machine, allowed 210."""
    ledger = office(275.0)
    assert len(ledger.visits["case"]) > 180_000
    check_laws(ledger)
    start = process_time()
    check_laws(ledger)
    assert process_time() - start < 0.21
