"""Both engines against the independent reference simulator, ledger row by ledger row, and the sums of both.

Each story first states by hand what the rules of docs/workflow.md give, so that it tells which is wrong; then all must agree in
every column. EQUALITY_COUNT sets the number of generated workflows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest

from simulator import draws
from simulator.clock import DAY, HOUR, WEEK, Calendar, always
from simulator.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Kinked,
    Lognormal,
    Mixture,
    Pert,
    Triangular,
    Uniform,
    Weibull,
)
from simulator.futures import Future, given
from simulator.program import lower
from simulator.summary import summarise
from simulator.workflow import (
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
from tests.engines import assert_same_sums, engine, question
from tests.oracles.arithmetic import Plain, philox, uniforms
from tests.oracles.generate import IN_CI, generate
from tests.oracles.plain import as_reference, plain
from tests.oracles.reference import simulate as reference

COUNT = int(os.environ.get("EQUALITY_COUNT", IN_CI))
LONG = 10 * WEEK
OPEN = -(2**31)
NEARLY_ONE = 1 - 1e-9

Visit = tuple[int, int, int, int, str]
"""Case, entered, started, ended, result."""


@dataclass(frozen=True)
class Story:
    """What the reference said about one hand-made workflow."""

    workflow: Workflow
    rows: list[Plain]
    cases: list[Plain]

    def visits(self, step: str) -> list[Visit]:
        number = [s.id for s in self.workflow.steps].index(step)
        rows = [row for row in self.rows if row["step"] == number]
        return [(r["case"], r["entered"], r["started"], r["ended"], r["result"]) for r in rows]

    def column(self, step: str, name: str) -> list[int]:
        number = [s.id for s in self.workflow.steps].index(step)
        return [row[name] for row in self.rows if row["step"] == number]

    def ends(self) -> list[int]:
        return [case["ended"] for case in self.cases]

    def marks(self) -> list[list[str]]:
        return [case["marks"] for case in self.cases]


def first_difference(found: list[Plain], expected: list[Plain]) -> str:
    """The earliest row that only one of the two has, for a message that can be read."""
    lost = [("reference only", row) for row in expected if row not in found]
    extra = [("engine only", row) for row in found if row not in expected]
    differing = sorted([*lost, *extra], key=lambda pair: int(pair[1].get("entered", pair[1].get("arrival", 0))))
    return "; ".join(f"{who}: {row}" for who, row in differing[:4]) or "the same rows in another order"


def assert_equal(workflow: Workflow, begin: int, stop: int, draw: int, future: Future) -> None:
    """The reference and both engines: rows and cases. What the compiled engine adds up: the sums of the SimPy engine's ledger."""
    rows, cases = reference(plain(workflow, draw, future))
    program = lower(workflow, begin, stop)
    ledger = engine("simpy").ledger(program, draw, future)
    for found_rows, found_cases in (as_reference(ledger), as_reference(engine("compiled").ledger(program, draw, future))):
        assert found_rows == rows, first_difference(found_rows, rows)
        assert found_cases == cases, first_difference(found_cases, cases)
    asked = question(program)
    assert_same_sums(engine("compiled").summary(program, draw, future, asked), summarise(ledger, asked))


@dataclass(frozen=True)
class Play:
    """Runs a list of steps in the reference and in both engines. `check` states by hand what the reference must say."""

    steps: Sequence[Step]
    arrivals: Sequence[tuple[int, int]]
    pools: Sequence[Pool] = ()
    endpoints: Sequence[Endpoint] = ()
    types: int = 1
    begin: int = -WEEK
    stop: int = 2 * WEEK
    draw: int = 0
    clusters: Sequence[int] | None = None
    change: Callable[[Future], Future] = lambda future: future

    def check(self, by_hand: Callable[[Story], None]) -> None:
        """First the reference against the hand-made numbers, then the engines against the reference."""
        names = tuple(f"type{i}" for i in range(self.types))
        workflow = Workflow(names, tuple(self.steps), tuple(self.pools), endpoints=tuple(self.endpoints))
        program = lower(workflow, self.begin, self.stop)
        future = self.change(given(program, self.draw, 7, 3, self.arrivals, self.clusters))
        by_hand(Story(workflow, *reference(plain(workflow, self.draw, future))))
        assert_equal(workflow, self.begin, self.stop, self.draw, future)


def seconds(*values: float) -> Constant:
    return Constant(values[0] if len(values) == 1 else np.asarray(values))


def team(units: int = 1, calendar: Calendar | None = None, name: str = "team") -> Pool:
    return Pool(name, (Shift(calendar or always(-LONG, LONG), Table.constant(units)),))


def office(weeks: int = 4) -> Calendar:
    """Monday to Friday, 9 to 17."""
    return Calendar.of((d * DAY + 9 * HOUR, d * DAY + 17 * HOUR) for d in range(7 * weeks) if d % 7 < 5)


def by_type(*targets: str) -> tuple[Rule, ...]:
    """Type i goes to target i."""
    tables = [Table.of([[float(i == kind)] for kind in range(len(targets))]) for i in range(len(targets) - 1)]
    return (Rule(targets, tuple(tables)),)


def sure(mark: str, step: str, after: str, action: str = "set", p: float = 1.0) -> Mark:
    return replace(Mark(step, mark, (MarkRule(Chance(Table.constant(p))),), after), action=action)  # type: ignore[arg-type]


def at(*instants: int) -> list[tuple[int, int]]:
    return [(instant, 0) for instant in instants]


END = End("end")


# Delay.


def test_delay_counts_elapsed_time_or_the_open_time_of_its_calendar() -> None:
    friday_16 = 4 * DAY + 16 * HOUR
    steps: list[Step] = [
        Delay("elapsed", seconds(60.5), "working"),
        Delay("working", seconds(4 * HOUR - 61), "end", office()),
        END,
    ]

    def by_hand(story: Story) -> None:
        monday_12 = WEEK + 12 * HOUR
        assert story.visits("elapsed") == [(0, friday_16, friday_16, friday_16 + 61, "done")]
        assert story.visits("working") == [(0, friday_16 + 61, friday_16 + 61, monday_12, "done")]
        assert story.column("working", "closed_seconds") == [2 * DAY + 16 * HOUR]
        assert story.ends() == [monday_12]

    Play(steps, at(friday_16)).check(by_hand)


def test_delay_of_zero_ends_at_once_even_when_its_calendar_is_closed() -> None:
    steps: list[Step] = [Delay("wait", seconds(0), "end", office()), END]
    Play(steps, at(5)).check(lambda story: _is(story.visits("wait"), [(0, 5, 5, 5, "done")]))


def test_delay_that_reaches_the_end_of_its_calendar_stays_open() -> None:
    steps: list[Step] = [Delay("wait", seconds(101), "end", Calendar((0,), (100,))), END]
    Play(steps, at(0), stop=200).check(lambda story: _is(story.visits("wait"), [(0, 0, 0, OPEN, "open")]))


def test_an_event_at_the_stop_is_not_processed() -> None:
    steps: list[Step] = [Delay("wait", seconds(10), "end"), END]

    def by_hand(story: Story) -> None:
        assert story.visits("wait") == [(0, 89, 89, 99, "done"), (1, 90, 90, OPEN, "open")]
        assert [case["result"] for case in story.cases] == ["done", "open"]

    Play(steps, at(89, 90), stop=100).check(by_hand)


def test_a_time_of_minus_one_is_a_time_when_it_lies_in_the_warm_up() -> None:
    steps: list[Step] = [Delay("wait", seconds(60), "work"), Serve("work", "team", seconds(60), "end"), END]

    def by_hand(story: Story) -> None:
        assert story.visits("work") == [(0, -1, -1, 59, "done"), (1, -61, -61, -1, "done")]
        assert story.cases[1]["result"] == "done"

    Play(steps, [(-61, 0), (-121, 0)], [team(2)]).check(by_hand)


def test_factor_and_week_are_those_of_the_start_of_the_service() -> None:
    """It queues in the warm-up and starts at go-live: the factor of week 1; the delay before took that of week 0."""
    factor = Table.of([[1.0, 2.0, 3.0]])
    opening = Calendar((0,), (LONG,))
    steps: list[Step] = [
        Delay("wait", seconds(50), "work", factor=factor),
        Serve("work", "team", seconds(10), "late", factor),
        Delay("late", seconds(10 * WEEK), "end", factor=Table.of([[0.0, 0.3, 0.0]])),
        END,
    ]

    def by_hand(story: Story) -> None:
        assert story.visits("wait") == [(0, -100, -100, -50, "done")]
        assert story.visits("work") == [(0, -50, 0, 20, "done")]
        assert story.column("work", "closed_seconds") == [50]

    Play(steps, at(-100), [team(1, opening)]).check(by_hand)


# Serve.


def test_jobs_in_a_queue_at_the_stop_are_open() -> None:
    factor = Table.of([[1.0], [2.0], [3.0]])
    steps: list[Step] = [Serve("work", "team", seconds(5), "end", factor), END]

    def by_hand(story: Story) -> None:
        done, started, waiting = (0, 0, 0, 5, "done"), (1, 0, 5, OPEN, "open"), (2, 0, OPEN, OPEN, "open")
        assert story.visits("work") == [done, started, waiting]

    Play(steps, [(0, 0), (0, 1), (0, 2)], [team()], types=3, stop=12).check(by_hand)


def test_a_queue_that_grows_by_one_second_a_case() -> None:
    steps: list[Step] = [Serve("work", "team", seconds(5), "end"), END]
    expected = [(i, 4 * i, 5 * i, 5 * i + 5, "done") for i in range(50)]
    Play(steps, at(*range(0, 200, 4)), [team()]).check(lambda story: _is(story.visits("work"), expected))


def test_a_queue_is_served_by_priority_then_time_then_case() -> None:
    steps: list[Step] = [Serve("work", "team", seconds(10), "end", priority=(1, 0)), END]
    arrivals = [(0, 0), (1, 0), (1, 0), (2, 1), (2, 1), (0, 0)]

    def by_hand(story: Story) -> None:
        started = {visit[0]: visit[2] for visit in story.visits("work")}
        assert started == {0: 0, 5: 30, 3: 10, 4: 20, 1: 40, 2: 50}

    Play(steps, arrivals, [team()], types=2).check(by_hand)


def test_nobody_waits_for_a_free_team_whatever_the_priorities() -> None:
    steps: list[Step] = [Serve("work", "team", seconds(60), "end", priority=(1, 0)), END]
    arrivals = [(600 * i, int(i % 5 == 0)) for i in range(100)]
    expected = [0] * 100
    Play(steps, arrivals, [team()], types=2).check(lambda s: _is([v[2] - v[1] for v in s.visits("work")], expected))


def test_work_is_suspended_at_closing_time_and_keeps_its_unit() -> None:
    steps: list[Step] = [Serve("work", "team", seconds(2 * HOUR), "end"), END]

    def by_hand(story: Story) -> None:
        monday_16, tuesday_10 = 16 * HOUR, DAY + 10 * HOUR
        first, second = story.visits("work")
        assert first == (0, monday_16, monday_16, tuesday_10, "done")
        assert second == (1, monday_16, tuesday_10, tuesday_10 + 2 * HOUR, "done")
        assert story.column("work", "closed_seconds") == [16 * HOUR, 16 * HOUR]

    Play(steps, at(16 * HOUR, 16 * HOUR), [team(1, office())]).check(by_hand)


def test_work_may_end_at_closing_time_and_cannot_start_there() -> None:
    steps: list[Step] = [Serve("work", "team", seconds(HOUR), "end"), END]
    morning = DAY + 9 * HOUR
    expected = [(0, 16 * HOUR, 16 * HOUR, 17 * HOUR, "done"), (1, 16 * HOUR, morning, morning + HOUR, "done")]
    Play(steps, at(16 * HOUR, 16 * HOUR), [team(1, office())]).check(lambda s: _is(s.visits("work"), expected))


def test_a_drop_of_capacity_lets_running_work_go_on_and_holds_back_the_next() -> None:
    """Two work until midnight, then one: what started with two goes on, the third waits until both units are free."""
    pool = Pool(
        "team",
        (
            Shift(always(-LONG, LONG), Table.constant(1)),
            Shift(Calendar((0,), (24 * HOUR,)), Table.constant(1)),
        ),
    )
    steps: list[Step] = [Serve("work", "team", seconds(HOUR), "end", Table.of([[4.0], [2.0]])), END]
    arrivals = [(23 * HOUR, 0), (23 * HOUR, 1), (23 * HOUR, 1)]

    def by_hand(story: Story) -> None:
        assert [visit[2:4] for visit in story.visits("work")] == [
            (23 * HOUR, 27 * HOUR),
            (23 * HOUR, 25 * HOUR),
            (27 * HOUR, 29 * HOUR),
        ]

    Play(steps, arrivals, [pool], types=2).check(by_hand)


def test_headcount_by_week_rises_at_the_week_boundary() -> None:
    pool = Pool("team", (Shift(always(-LONG, LONG), Table.of([[1.0, 1.0, 2.0]])),))
    steps: list[Step] = [Serve("work", "team", seconds(2 * HOUR), "end"), END]
    early = WEEK - HOUR
    started = [early, WEEK, WEEK + HOUR]
    Play(steps, at(early, early, early), [pool]).check(lambda s: _is([v[2] for v in s.visits("work")], started))


def test_zero_durations_pass_at_one_instant() -> None:
    steps: list[Step] = [
        Delay("wait", seconds(0), "work"),
        Serve("work", "team", seconds(0), "call"),
        Attempts("call", "system", seconds(0), 0.0, "limited", "failed"),
        Attempts("limited", "narrow", seconds(0), 0.0, "gather", "failed"),
        Batch("gather", 1, 0.0, "look"),
        Gate("look", always(-LONG, LONG), "end"),
        END,
    ]
    endpoints = [Endpoint("system"), Endpoint("narrow", concurrency=1)]

    def by_hand(story: Story) -> None:
        assert story.ends() == [5] * 4
        assert {row["ended"] for row in story.rows} == {5}
        assert len(story.rows) == 24

    Play(steps, at(5, 5, 5, 5), [team()], endpoints).check(by_hand)


def test_what_a_zero_service_frees_is_dispatched_again_by_priority() -> None:
    """Case 0 is through with its first work at once and comes back with a better priority than the waiting case 1."""
    steps: list[Step] = [
        Serve("first", "team", seconds(0), "second", priority=(1,)),
        Serve("second", "team", seconds(100), "end", priority=(0,)),
        END,
    ]

    def by_hand(story: Story) -> None:
        assert story.visits("first") == [(0, 0, 0, 0, "done"), (1, 0, 100, 100, "done")]
        assert story.visits("second") == [(0, 0, 0, 100, "done"), (1, 100, 100, 200, "done")]

    Play(steps, at(0, 0), [team()]).check(by_hand)


# Gate.


@pytest.mark.parametrize(
    ("lead", "passes"),
    [(0, DAY + 10 * HOUR), (1800, DAY + 10 * HOUR), (5399.6, 3 * DAY + 10 * HOUR), (5399.4, DAY + 11 * HOUR - 1)],
)
def test_gate_opens_at_the_first_opening_after_the_lead(lead: float, passes: int) -> None:
    openings = Calendar.of((day * DAY + 10 * HOUR, day * DAY + 11 * HOUR) for day in (1, 3))
    steps: list[Step] = [Gate("look", openings, "end", lead), END]
    since = DAY + 9 * HOUR + 1800
    Play(steps, at(since)).check(lambda story: _is(story.visits("look"), [(0, since, since, passes, "done")]))


@pytest.mark.parametrize(
    ("away", "passes"),
    [((9 * HOUR, 11 * HOUR), DAY + 10 * HOUR), ((9 * HOUR, 10 * HOUR + 60), 10 * HOUR + 60), ((0, HOUR), 10 * HOUR)],
)
def test_gate_skips_the_absence_of_the_person_drawn(away: tuple[int, int], passes: int) -> None:
    openings = Calendar.of((day * DAY + 10 * HOUR, day * DAY + 11 * HOUR) for day in (0, 1))
    steps: list[Step] = [Gate("look", openings, "end", people=2, absence=Interruption(seconds(1e9), seconds(1))), END]

    def change(future: Future) -> Future:
        return replace(future, absent={"look": (Calendar.of([away]), Calendar.of([away]))})

    Play(steps, at(8 * HOUR), change=change).check(lambda story: _is(story.ends(), [passes]))


def test_gate_draws_one_of_several_people_each_visit() -> None:
    openings = always(-LONG, LONG)
    steps: list[Step] = [
        Gate("look", openings, "end", people=3, absence=Interruption(Exponential(DAY), Exponential(DAY))),
        END,
    ]
    Play(steps, at(*range(0, WEEK, 3 * HOUR))).check(lambda story: _is(len(set(story.ends())) > 5, True))


# Branch, mark, chance.


@pytest.mark.parametrize(("week_of", "way"), [("now", "late"), ("arrival", "early")])
def test_branch_uses_the_week_of_the_instant_or_of_the_arrival(week_of: str, way: str) -> None:
    rule = Rule(("before", "after"), (Table.of([[1.0, 0.0]]),))
    branch = replace(Branch("way", (rule,)), week_of=week_of)  # type: ignore[arg-type]
    steps: list[Step] = [Delay("wait", seconds(100), "way"), branch, End("before", "early"), End("after", "late")]
    Play(steps, at(-50)).check(lambda story: _is([c["result"] for c in story.cases], [way]))


def test_branch_takes_the_first_rule_that_holds_and_the_last_target_the_remainder() -> None:
    steps: list[Step] = [
        sure("m", "toss", "way", p=0.5),
        Branch(
            "way",
            (
                Rule(("x", "y"), (Table.constant(1.0),), Condition.of("m")),
                Rule(("y", "z"), (Table.of([[0.5]]),), Condition.of("!m")),
                Rule(("z",)),
            ),
        ),
        End("x", "x"),
        End("y", "y"),
        End("z", "z"),
    ]

    def by_hand(story: Story) -> None:
        seen = {(bool(case["marks"]), case["result"]) for case in story.cases}
        assert seen == {(True, "x"), (False, "y"), (False, "z")}

    Play(steps, at(*range(60))).check(by_hand)


def test_mark_sets_clears_assigns_or_leaves() -> None:
    steps: list[Step] = [
        sure("a", "a1", "b1"),
        sure("b", "b1", "b2"),
        sure("b", "b2", "c1", "clear"),
        sure("c", "c1", "c2"),
        sure("c", "c2", "d1", "assign", 0.0),
        sure("d", "d1", "e1", "assign"),
        sure("e", "e1", "e2"),
        sure("e", "e2", "e3", "set", 0.0),
        sure("e", "e3", "f1", "clear", 0.0),
        Mark("f1", "f", (MarkRule(Chance(Table.constant(1.0)), Condition.of("!a")),), "g1", "assign"),
        Mark("g1", "g", (MarkRule(Chance(Table.constant(1.0)), Condition.of("a", "!b", "e")),), "end"),
        END,
    ]
    Play(steps, at(0)).check(lambda story: _is(story.marks(), [["a", "d", "e", "g"]]))


def test_chance_follows_the_volume_of_the_day() -> None:
    chance = Chance(Table.constant(0.5), volume_slope=100.0)
    steps: list[Step] = [Mark("toss", "m", (MarkRule(chance),), "end"), END]

    def change(future: Future) -> Future:
        return replace(future, ratio=np.asarray([2.0, 0.0, 2.0, 0.0]))

    Play(steps, at(0, 1, 2, 3), change=change).check(lambda story: _is(story.marks(), [["m"], [], ["m"], []]))


def loaded(pool: Pool, arrivals: Sequence[tuple[int, int]]) -> Play:
    """Type 0 works for 1,000 s in the pool; type 1 is marked unless the load is near 1 (a load of 0.1 does no harm)."""
    chance = Chance(Table.constant(NEARLY_ONE), load_pool="team", load_slope=100.0)
    steps: list[Step] = [
        Branch("kind", by_type("work", "toss")),
        Serve("work", "team", seconds(1000), "end"),
        Mark("toss", "m", (MarkRule(chance),), "end"),
        END,
    ]
    return Play(steps, arrivals, [pool], types=2)


def test_load_is_frozen_at_the_end_of_the_previous_instant() -> None:
    """Case 1 starts to wait at 10: not yet seen at 10, seen at 11; case 0 ends at 1000, seen at 1001."""
    arrivals = [(0, 0), (10, 0), (10, 1), (11, 1), (1000, 1), (1001, 1)]
    loaded(team(), arrivals).check(lambda s: _is(s.marks(), [[], [], ["m"], [], [], ["m"]]))


def test_load_is_per_unit_of_the_latest_window_that_started_before() -> None:
    """Many units until 100, one from 200: at 160 and at 200 the many count, at 201 the one (and one still waits)."""
    many = Shift(Calendar((0,), (100,)), Table.constant(20))
    one = Shift(Calendar((200,), (LONG,)), Table.constant(1))
    arrivals = [(150, 0), (150, 0), (160, 1), (200, 1), (201, 1)]
    loaded(Pool("team", (many, one)), arrivals).check(lambda s: _is(s.marks(), [[], [], ["m"], ["m"], []]))


@pytest.mark.parametrize(("units", "mark"), [(10, ["m"]), (1, [])])
def test_load_before_the_first_window_is_per_unit_of_the_next(units: int, mark: list[str]) -> None:
    pool = team(units, Calendar((100,), (LONG,)))
    loaded(pool, [(10, 0), (50, 1)]).check(lambda s: _is(s.marks(), [[], mark]))


def test_age_of_data_counts_from_the_latest_opening() -> None:
    chance = Chance(Table.constant(0.0), age_calendar=Calendar((100,), (200,)), age_rate_per_hour=1e6)
    steps: list[Step] = [Mark("toss", "m", (MarkRule(chance),), "end"), END]
    Play(steps, at(50, 100, 101, 300)).check(lambda s: _is(s.marks(), [[], [], ["m"], ["m"]]))


def test_cases_of_one_cluster_share_a_decision() -> None:
    steps: list[Step] = [Mark("toss", "m", (MarkRule(Chance(Table.constant(0.5), shared=1.0)),), "end"), END]
    clusters = [i % 12 for i in range(60)]

    def by_hand(story: Story) -> None:
        decisions = [{bool(c["marks"]) for c in story.cases if c["cluster"] == k} for k in range(12)]
        assert all(len(decision) == 1 for decision in decisions)
        assert set().union(*decisions) == {True, False}

    Play(steps, at(*range(60)), clusters=clusters).check(by_hand)


# Attempts.


def calling(endpoint: Endpoint, latency: float = 20, timeout: float = 30, **more: object) -> list[Step]:
    """Up to three attempts with a back-off of 10, 20, … seconds."""
    step = Attempts("call", "system", seconds(latency), timeout, "end", "broken", 3)
    step = replace(step, back_off_seconds=10.0, multiplier=2.0)
    return [replace(step, **more), END]  # type: ignore[arg-type]


def test_attempts_time_out_and_back_off_longer_each_time() -> None:
    """0-30, 40-70, 90-120."""

    def by_hand(story: Story) -> None:
        assert story.visits("call") == [(0, 0, 0, 120, "failed")]
        assert story.marks() == [["broken"]]

    Play(calling(Endpoint("system"), latency=31), at(0), endpoints=[Endpoint("system")]).check(by_hand)


@pytest.mark.parametrize(("down_until", "ended"), [(0, 20), (40, 60), (41, 110), (90, 110), (91, 120)])
def test_attempts_fail_while_the_endpoint_is_down(down_until: int, ended: int) -> None:
    endpoint = Endpoint("system", downtime=Calendar.of([(-1, down_until)]) if down_until else None)
    result = "done" if ended != 120 else "failed"
    Play(calling(endpoint), at(0), endpoints=[endpoint]).check(
        lambda story: _is(story.visits("call"), [(0, 0, 0, ended, result)])
    )


def test_attempts_answer_at_the_time_out_is_in_time_and_clears_the_mark() -> None:
    endpoint = Endpoint("system")
    steps: list[Step] = [sure("broken", "before", "call"), *calling(endpoint, latency=30)]

    def by_hand(story: Story) -> None:
        assert story.visits("call") == [(0, 0, 0, 30, "done")]
        assert story.marks() == [[]]

    Play(steps, at(0), endpoints=[endpoint]).check(by_hand)


@pytest.mark.parametrize("concurrency", [0, 1])
@pytest.mark.parametrize("kind", ["transient", "permanent"])
def test_attempts_fail_by_what_is_drawn(kind: str, concurrency: int) -> None:
    endpoint = Endpoint("system", concurrency=concurrency)
    half = Table.constant(0.5)
    steps = calling(endpoint, transient=half) if kind == "transient" else calling(endpoint, permanent=half)

    def by_hand(story: Story) -> None:
        results = {(c["ended"] - c["arrival"], tuple(c["marks"])) for c in story.cases}
        assert results <= {(20, ()), (50, ()), (90, ()), (90, ("broken",))}
        assert len(results) == (4 if kind == "transient" else 2)

    Play(steps, at(*range(0, 20_000, 200)), endpoints=[endpoint]).check(by_hand)


@pytest.mark.parametrize("concurrency", [0, 1])
def test_permanent_failure_is_drawn_once_a_visit(concurrency: int) -> None:
    """Certain in week 0 and impossible after: the visit whose first attempt is before go-live fails for good."""
    endpoint = Endpoint("system", concurrency=concurrency)
    steps = calling(endpoint, permanent=Table.of([[1.0, 0.0]]))

    def by_hand(story: Story) -> None:
        assert story.marks() == [["broken"], []]
        assert story.ends() == [-10 + 90, 120]

    Play(steps, at(-10, 100), endpoints=[endpoint]).check(by_hand)


@pytest.mark.parametrize("concurrency", [0, 1])
def test_failure_mark_when_the_stop_comes_first(concurrency: int) -> None:
    """0-20, 30-50, 70-90, stop at 60 or 80: with a limit the mark is there once the last attempt has started, without on entry."""
    endpoint = Endpoint("system", concurrency=concurrency)
    steps = calling(endpoint, transient=Table.constant(1.0))
    for stop, mark in ((60, concurrency == 0), (80, True), (91, True)):
        Play(steps, at(0), endpoints=[endpoint], stop=stop).check(
            lambda story, mark=mark: _is(story.marks(), [["broken"] if mark else []])  # type: ignore[misc]
        )


def test_limited_attempts_queue_and_free_the_unit_in_the_back_off() -> None:
    """Case 0 meets the outage, case 1 has its turn in the back-off, the second attempt of case 0 waits for it."""
    endpoint = Endpoint("system", downtime=Calendar((-1,), (5,)), concurrency=1)

    def by_hand(story: Story) -> None:
        assert story.visits("call") == [
            (0, 0, 0, 30, "failed"),
            (0, 30, 30, 40, "back-off"),
            (0, 40, 50, 70, "done"),
            (1, 0, 30, 50, "done"),
        ]
        assert story.column("call", "visit") == [0, 0, 1, 0]
        assert story.column("call", "pool") == [0, -1, 0, 0]

    Play(calling(endpoint), at(0, 0), endpoints=[endpoint]).check(by_hand)


def test_limited_attempts_write_a_row_for_a_back_off_of_zero_seconds() -> None:
    endpoint = Endpoint("system", concurrency=1)
    steps = calling(endpoint, transient=Table.constant(1.0), back_off_seconds=0.0, attempts=2)
    expected = [(0, 0, 0, 20, "failed"), (0, 20, 20, 20, "back-off"), (0, 20, 20, 40, "failed")]
    Play(steps, at(0), endpoints=[endpoint]).check(lambda story: _is(story.visits("call"), expected))


def test_rate_limit_keeps_starts_apart() -> None:
    endpoint = Endpoint("system", gap_seconds=9.5)
    arrivals = [(0, 0), (0, 1), (0, 1), (0, 0), (45, 0)]
    started = [0, 30, 10, 20, 45]
    Play(calling(endpoint, priority=(1, 0)), arrivals, endpoints=[endpoint], types=2).check(
        lambda story: _is(sorted(v[2] for v in story.visits("call")), sorted(started))
    )


def test_pools_come_before_limited_endpoints() -> None:
    endpoints = [Endpoint("free"), Endpoint("system", concurrency=1)]
    steps: list[Step] = [Serve("work", "b", seconds(5), "call"), *calling(endpoints[1])]

    def by_hand(story: Story) -> None:
        assert story.column("work", "pool") == [1]
        assert story.column("call", "pool") == [2]

    Play(steps, at(0), [team(name="a"), team(name="b")], endpoints).check(by_hand)


# Timer.


def timed(covered: Sequence[Step], limit: float, clock: Calendar | None = None) -> list[Step]:
    """A timer over all of the steps; a time-out ends the case as late."""
    waits = tuple(s.id for s in covered if isinstance(s, Delay | Serve | Gate))
    return [Timer("timer", limit, waits, "late", covered[0].id, clock), *covered, END, End("late", "late")]


def test_timer_beats_the_unit_that_is_freed_at_the_same_instant() -> None:
    steps = timed([Serve("work", "team", seconds(100), "end")], 100)
    expected = [(0, 0, 0, 100, "done"), (1, 0, OPEN, 100, "time-out")]
    Play(steps, at(0, 0), [team()]).check(lambda story: _is(story.visits("work"), expected))


def test_timer_beats_the_opening_of_the_team() -> None:
    steps = timed([Serve("work", "team", seconds(100), "end")], 9 * HOUR)

    def by_hand(story: Story) -> None:
        assert story.visits("work") == [
            (0, 0, OPEN, 9 * HOUR, "time-out"),
            (1, 1, 9 * HOUR, 9 * HOUR + 100, "done"),
        ]
        assert [case["result"] for case in story.cases] == ["late", "done"]

    Play(steps, at(0, 1), [team(1, office())]).check(by_hand)


def test_timer_beats_the_end_of_a_delay_and_of_a_gate() -> None:
    openings = Calendar((100, 1100), (101, 1101))
    steps = timed([Delay("wait", seconds(50), "look"), Gate("look", openings, "end")], 100)

    def by_hand(story: Story) -> None:
        assert story.visits("look")[0] == (0, 50, 50, 100, "time-out")
        assert story.visits("look")[1] == (1, 51, 51, 100, "done")

    Play(steps, at(0, 1), [team()]).check(by_hand)
    steps = timed([Delay("wait", seconds(50), "end")], 50)
    Play(steps, at(0)).check(lambda story: _is(story.visits("wait"), [(0, 0, 0, 50, "time-out")]))


def test_timer_never_cuts_started_work() -> None:
    steps = timed([Serve("work", "team", seconds(100), "end")], 50)
    Play(steps, at(0), [team()]).check(lambda story: _is(story.visits("work"), [(0, 0, 0, 100, "done")]))


def test_timer_goes_on_over_several_covered_steps() -> None:
    """Also across instant steps, and also after work that started in time."""
    steps = timed(
        [
            Delay("wait", seconds(10), "toss"),
            sure("m", "toss", "work"),
            Serve("work", "team", seconds(20), "again"),
            Serve("again", "team", seconds(20), "look"),
            Gate("look", Calendar((1000,), (2000,)), "end"),
        ],
        100,
    )

    def by_hand(story: Story) -> None:
        assert story.visits("again") == [(0, 30, 50, 70, "done"), (1, 50, 70, 90, "done")]
        assert story.visits("look") == [(0, 70, 70, 100, "time-out"), (1, 90, 90, 100, "time-out")]

    Play(steps, at(0, 0), [team()]).check(by_hand)


def test_timer_overdue_fires_on_entering_the_next_covered_step() -> None:
    """The deadline passed during work, which it could not cut; the next wait ends at once, even beside a free team."""
    for step in (Delay("next", seconds(10), "end"), Serve("next", "other", seconds(10), "end")):
        steps = timed([Serve("work", "team", seconds(100), "next"), step], 50)

        def by_hand(story: Story) -> None:
            assert [(v[1], v[3], v[4]) for v in story.visits("next")] == [(100, 100, "time-out")]

        Play(steps, at(0), [team(), team(name="other")]).check(by_hand)


def test_timer_is_disarmed_by_a_step_it_does_not_cover() -> None:
    steps: list[Step] = [
        Timer("timer", 50.0, ("first", "third"), "late", "first"),
        Delay("first", seconds(10), "second"),
        Delay("second", seconds(10), "third"),
        Delay("third", seconds(100), "end"),
        END,
        End("late", "late"),
    ]
    Play(steps, at(0)).check(lambda story: _is(story.ends(), [120]))


def test_timer_that_fired_is_disarmed() -> None:
    """The target is covered too, and waits in peace."""
    steps: list[Step] = [
        Timer("timer", 50.0, ("first", "second"), "second", "first"),
        Delay("first", seconds(100), "end"),
        Delay("second", seconds(100), "end"),
        END,
    ]
    Play(steps, at(0)).check(lambda story: _is(story.visits("second"), [(0, 50, 50, 150, "done")]))


def test_a_second_timer_takes_the_place_of_the_first() -> None:
    steps: list[Step] = [
        Timer("outer", 50.0, ("wait",), "late", "inner"),
        Timer("inner", 80.0, ("wait",), "end", "wait"),
        Delay("wait", seconds(100), "late"),
        END,
        End("late", "late"),
    ]
    Play(steps, at(0)).check(lambda story: _is([(c["ended"], c["result"]) for c in story.cases], [(80, "done")]))


def test_timer_counts_on_its_own_clock() -> None:
    friday_16 = 4 * DAY + 16 * HOUR
    steps = timed([Delay("wait", seconds(WEEK), "end")], 4 * HOUR, office())
    Play(steps, at(friday_16)).check(lambda story: _is(story.ends(), [WEEK + 12 * HOUR]))


def test_timer_of_zero_seconds_fires_before_anything_can_start() -> None:
    steps = timed([Serve("work", "team", seconds(100), "end")], 0)
    Play(steps, at(3), [team()]).check(lambda story: _is(story.visits("work"), [(0, 3, OPEN, 3, "time-out")]))


def test_a_token_that_leaves_a_queue_and_comes_back_in_one_tick_has_one_place_in_it() -> None:
    """Case 1 leaves at 100 and queues again since 100: behind case 2 (since 50), before case 3 (since 100)."""
    steps: list[Step] = [
        Timer("timer", 100.0, ("work",), "again", "work"),
        Serve("work", "team", seconds(101), "end"),
        Goto("again", "timer", 1, "late"),
        END,
        End("late", "late"),
    ]

    def by_hand(story: Story) -> None:
        assert story.visits("work") == [
            (0, 0, 0, 101, "done"),
            (1, 0, OPEN, 100, "time-out"),
            (1, 100, OPEN, 200, "time-out"),
            (2, 50, 101, 202, "done"),
            (3, 100, OPEN, 200, "time-out"),
            (3, 200, 202, 303, "done"),
        ]

    Play(steps, at(0, 0, 50, 100), [team()]).check(by_hand)


def test_a_token_that_comes_back_at_the_instant_a_unit_is_freed_is_served_then() -> None:
    steps: list[Step] = [
        Timer("timer", 100.0, ("work",), "again", "work"),
        Serve("work", "team", seconds(100), "end"),
        Goto("again", "timer", 3, "end"),
        END,
    ]

    def by_hand(story: Story) -> None:
        assert story.visits("work")[1:3] == [(1, 0, OPEN, 100, "time-out"), (1, 100, 100, 200, "done")]
        assert story.visits("work")[3:] == [(2, 100, OPEN, 200, "time-out"), (2, 200, 200, 300, "done")]

    Play(steps, at(0, 0, 100), [team()]).check(by_hand)


# Fork and join.


def test_branches_wait_for_each_other_at_the_join() -> None:
    factor = Table.of([[1.0], [0.0]])
    steps: list[Step] = [
        Fork("fork", ("left", "right"), "join"),
        Delay("left", seconds(60), "join"),
        Delay("right", seconds(60), "more"),
        Delay("more", seconds(40), "join", factor=factor),
        Join("join", "end"),
        END,
    ]

    def by_hand(story: Story) -> None:
        assert story.visits("join") == [
            (0, 60, 60, 100, "done"),
            (0, 100, 100, 100, "done"),
            (1, 60, 60, 60, "done"),
            (1, 60, 60, 60, "done"),
        ]
        assert story.column("join", "token") == [1, 2, 1, 2]
        assert story.ends() == [100, 60]

    Play(steps, [(0, 0), (0, 1)], types=2).check(by_hand)


def test_join_merges_the_changes_of_marks() -> None:
    steps: list[Step] = [
        sure("old", "o", "kept0"),
        sure("kept", "kept0", "fork"),
        Fork("fork", ("left", "right"), "join"),
        sure("new", "left", "left2"),
        sure("brief", "left2", "left3"),
        sure("brief", "left3", "join", "clear"),
        sure("old", "right", "join", "clear"),
        Join("join", "end"),
        END,
    ]
    Play(steps, at(0)).check(lambda story: _is(story.marks(), [["kept", "new"]]))


def test_a_fork_in_a_loop_counts_its_visits_and_disarms_the_timer() -> None:
    steps: list[Step] = [
        Timer("timer", 90.0, ("last",), "late", "fork"),
        Fork("fork", ("left", "right"), "join"),
        Serve("left", "team", seconds(30), "join"),
        Serve("right", "team", seconds(30), "join"),
        Join("join", "again"),
        Goto("again", "fork", 1, "last"),
        Delay("last", seconds(100), "end"),
        END,
        End("late", "late"),
    ]

    def by_hand(story: Story) -> None:
        assert story.column("join", "visit") == [0, 0, 1, 1]
        assert story.column("left", "visit") == [0, 1]
        assert [v[1:4] for v in story.visits("join")] == [(30, 30, 60), (60, 60, 60), (90, 90, 120), (120, 120, 120)]
        assert story.ends() == [220]

    Play(steps, at(0), [team()]).check(by_hand)


def test_a_timer_of_a_branch_leads_to_the_join() -> None:
    steps: list[Step] = [
        Fork("fork", ("timer", "right"), "join"),
        Timer("timer", 50.0, ("left",), "join", "left"),
        Serve("left", "team", seconds(100), "join"),
        Serve("right", "team", seconds(100), "join"),
        Join("join", "end"),
        END,
    ]

    def by_hand(story: Story) -> None:
        assert story.visits("left") == [(0, 0, 0, 100, "done"), (1, 0, OPEN, 50, "time-out")]
        assert story.visits("right") == [(0, 0, 100, 200, "done"), (1, 0, 200, 300, "done")]
        assert story.ends() == [200, 300]

    Play(steps, at(0, 0), [team()]).check(by_hand)


# Batch.


@pytest.mark.parametrize(
    ("size", "arrivals", "released"),
    [
        (2, (0, 10, 20), (10, 10, 120)),
        (2, (0, 100, 100), (100, 100, 200)),
        (3, (0, 0), (100, 100)),
        (3, (0, 50, 99, 100), (99, 99, 99, 200)),
        (3, (0, 100), (100, 100)),
        (1, (0, 5), (0, 5)),
        (2, (7, 7, 7, 7, 7), (7, 7, 7, 7, 107)),
    ],
)
def test_batch_is_released_by_size_or_by_time(size: int, arrivals: tuple[int, ...], released: tuple[int, ...]) -> None:
    """When both hold, full batches go first; what is left then has its own waiting time."""
    steps: list[Step] = [Batch("gather", size, 100.0, "end"), END]
    expected = [(i, a, a, r, "done") for i, (a, r) in enumerate(zip(arrivals, released, strict=True))]
    Play(steps, at(*arrivals)).check(lambda story: _is(story.visits("gather"), expected))


def test_a_batch_that_is_released_meets_the_queue_in_the_order_of_cases() -> None:
    steps: list[Step] = [Batch("gather", 3, HOUR, "work"), Serve("work", "team", seconds(10), "end"), END]
    started = [22, 32, 42]
    Play(steps, at(0, 21, 22), [team()]).check(lambda story: _is([v[2] for v in story.visits("work")], started))


# Sums (of every story; these are about nothing else).


def test_the_sums_of_a_visit_are_cut_at_the_end_of_each_week() -> None:
    """It works from Tuesday to Thursday of the week after next, another one waits and works from then on."""
    steps: list[Step] = [Serve("work", "team", seconds(16 * DAY), "end"), END]
    started = [DAY, 17 * DAY]
    Play(steps, at(DAY, DAY), [team()], stop=4 * WEEK).check(lambda story: _is([v[2] for v in story.visits("work")], started))


def test_the_sums_are_of_the_cases_asked_for() -> None:
    """Asked for are arrivals in [100, 300)."""
    steps: list[Step] = [Delay("wait", seconds(5), "end"), END]
    ended = [104, 105, 304, 305]
    Play(steps, at(99, 100, 299, 300), begin=0, stop=400).check(lambda story: _is(story.ends(), ended))


# Goto, end, draws, distributions.


def test_goto_leads_back_a_limited_number_of_times() -> None:
    steps: list[Step] = [Delay("wait", seconds(10), "again"), Goto("again", "wait", 2, "end"), END]

    def by_hand(story: Story) -> None:
        assert story.column("wait", "visit") == [0, 1, 2, 0, 1, 2]
        assert story.ends() == [30, 35]

    Play(steps, at(0, 5)).check(by_hand)


def test_each_draw_has_its_own_numbers() -> None:
    steps: list[Step] = [
        Delay("wait", seconds(60, 120), "gather", factor=Table.of(np.asarray([[[1.0]], [[2.0]]]))),
        Batch("gather", np.asarray([1.0, 5.0]), np.asarray([10.0, 20.0]), "end"),
        END,
    ]
    Play(steps, at(0), draw=0).check(lambda story: _is(story.ends(), [60]))
    Play(steps, at(0), draw=1).check(lambda story: _is(story.ends(), [260]))


@pytest.mark.parametrize(
    "distribution",
    [
        Exponential(5000.0),
        Lognormal(8.0, 1.2),
        Weibull(0.7, 4000.0),
        Uniform(100.0, 9000.0),
        Triangular(0.0, 500.0, 9000.0),
        Triangular(0.0, 0.0, 9000.0),
        Gamma(0.5, 9000.0),
        Pert(0.0, 500.0, 9000.0),
        Empirical.of([(0.0, 10.0), (0.3, 10.0), (0.3, 60.0), (0.9, 4000.0), (1.0, 9000.0)]),
        Mixture((0.25, 0.75), (Constant(60.0), Gamma(2.0, 600.0))),
        Kinked(Exponential(5000.0), 3000.0, 0.25),
    ],
    ids=lambda distribution: type(distribution).__name__,
)
def test_quantile_functions_agree(distribution: Distribution) -> None:
    steps: list[Step] = [Delay("wait", distribution, "work"), Serve("work", "team", distribution, "end"), END]
    Play(steps, at(*range(0, 3000, 10)), [team(400)]).check(lambda story: _is(len(set(story.ends())) > 100, True))


def test_reference_knows_the_published_answers_of_philox() -> None:
    ones = 0xFFFFFFFF
    assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox((ones,) * 4, (ones,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)


def test_uniforms_agree_bit_for_bit() -> None:
    rng = Random(1)
    for _ in range(200):
        seed, future, entity, detail = (rng.getrandbits(bits) for bits in (64, 32, 32, 32))
        name = f"step{entity}"
        expected = uniforms(seed, future, entity, name, detail)
        assert draws.uniforms(seed, future, entity, draws.purpose_of(name), detail) == expected


def _is(found: object, expected: object) -> None:
    assert found == expected


# Generated workflows.


@pytest.mark.parametrize("seed", range(COUNT))
def test_generated_workflows_give_equal_ledgers(seed: int) -> None:
    made = generate(seed)
    future = made.future(lower(made.workflow, made.begin, made.stop))
    assert_equal(made.workflow, made.begin, made.stop, made.draw, future)


def test_a_generated_workflow_is_fixed_by_its_number() -> None:
    for seed in range(10):
        made = generate(seed)
        future = made.future(lower(made.workflow, made.begin, made.stop))
        assert plain(generate(seed).workflow, made.draw, future) == plain(made.workflow, made.draw, future)


def test_order_of_the_events_of_one_instant_does_not_matter() -> None:
    """Phase A reads nothing that another case changes at the same instant (section 2): shuffling it changes nothing."""
    for seed in range(25):
        made = generate(seed)
        described = plain(made.workflow, made.draw, made.future(lower(made.workflow, made.begin, made.stop)))
        assert reference(described, Random(seed).random) == reference(described)


def test_generated_workflows_meet_every_primitive_and_every_result() -> None:
    """Without this the comparison could pass by never going where the rules are hard."""
    seen: set[tuple[str, str]] = set()
    for seed in range(60):
        made = generate(seed)
        program = lower(made.workflow, made.begin, made.stop)
        kinds = [type(step).__name__.lower() for step in made.workflow.steps]
        rows, cases = as_reference(engine("compiled").ledger(program, made.draw, made.future(program)))
        seen |= {(kind, "exists") for kind in kinds}
        seen |= {(kinds[row["step"]], row["result"]) for row in rows}
        seen |= {("case", case["result"]) for case in cases}
    instant = {(kind, "exists") for kind in ("branch", "mark", "timer", "fork", "goto", "end")}
    waits = {(kind, result) for kind in ("delay", "serve", "gate") for result in ("done", "time-out", "open")}
    others = {("attempts", result) for result in ("done", "failed", "back-off", "open")}
    meets = {(kind, result) for kind in ("join", "batch") for result in ("done", "open")}
    assert seen >= instant | waits | others | meets | {("case", result) for result in ("done", "refused", "open")}
