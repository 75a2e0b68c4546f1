"""What is wrong with a workflow is found before it runs: all of it at once, each with its place and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from simulator.checks import MAX_MARKS, Problem, WorkflowError, check, exits, marks_of, tokens_of
from simulator.clock import Calendar, always
from simulator.distributions import Constant, Exponential
from simulator.draws import MAX_TOKEN, MAX_VISIT, purpose_of
from simulator.futures import given
from simulator.program import lower
from simulator.simpy_engine import simulate
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

OPEN = always(-100, 10_000)
TEAM = Pool("team", (Shift(OPEN, Table.constant(1)),))
ERP = Endpoint("erp")
HALF = Table.constant(0.5)
CERTAIN = Chance(Table.constant(1.0))
SECOND = Constant(1.0)


def workflow(*steps: Step, types: Sequence[str] = ("case",)) -> Workflow:
    return Workflow(tuple(types), steps, (TEAM,), None, (ERP,))


def wait(step: str, then: str) -> Delay:
    return Delay(step, SECOND, then)


def complete() -> tuple[Step, ...]:
    """All twelve primitives, well formed."""
    return (
        wait("receive", "limit"),
        Timer("limit", 9.0, ("receive", "review", "run"), "late", "review"),
        Serve("review", "team", SECOND, "call"),
        Attempts("call", "erp", SECOND, 5.0, "tag", "failed"),
        Mark("tag", "wrong", (MarkRule(CERTAIN, Condition.of("failed", "!wrong")),), "route"),
        Branch("route", (Rule(("late",), when=Condition.of("wrong")), Rule(("rework", "split"), (HALF,)))),
        Goto("rework", "limit", 3, "split"),
        Fork("split", ("left", "right"), "meet"),
        wait("left", "meet"),
        wait("right", "meet"),
        Join("meet", "collect"),
        Batch("collect", 2.0, 60.0, "run"),
        Gate("run", OPEN, "paid"),
        End("paid", "paid"),
        End("late", "late"),
    )


def changed(name: str, **fields: object) -> Workflow:
    """The complete workflow with one step changed."""
    return workflow(*(replace(s, **fields) if s.id == name else s for s in complete()))  # type: ignore[arg-type]


def found(flow: Workflow) -> list[tuple[str, str]]:
    return [(p.place, p.message) for p in check(flow)]


def test_a_workflow_of_all_twelve_primitives_is_well_formed_and_runs() -> None:
    assert {type(s) for s in complete()} == set(Step.__args__)
    assert found(workflow(*complete())) == []
    program = lower(workflow(*complete()), 0, 1_000)
    ledger = simulate(program, 0, given(program, 0, 1, 0, [(0, 0), (5, 0)]))
    assert (ledger.cases["ended"] >= 0).all()


# One problem each

ONE_PROBLEM: list[tuple[str, Workflow, str, str]] = [
    (
        "two steps with one id",
        workflow(*complete(), wait("left", "meet")),
        "steps.left",
        "this id is used by more than one step",
    ),
    (
        "an id with a blank",
        workflow(wait("First step", "end"), End("end")),
        "steps.First step",
        "an id holds lower-case letters, digits, dots and underscores only",
    ),
    (
        "no case type",
        workflow(End("end"), types=()),
        "workflow",
        "needs at least one step and one case type",
    ),
    ("no step", workflow(), "workflow", "needs at least one step and one case type"),
    ("unknown next", changed("receive", next="lost"), "steps.receive.next", 'no step "lost"'),
    (
        "unknown target of a rule",
        changed("route", rules=(Rule(("split", "lost"), (HALF,)),)),
        "steps.route.rules[0].targets[1]",
        'no step "lost"',
    ),
    ("unknown target of a timer", changed("limit", to="lost"), "steps.limit.to", 'no step "lost"'),
    ("unknown join", changed("split", join="lost"), "steps.split.join", 'no step "lost"'),
    (
        "unknown branch of a fork",
        changed("split", branches=("left", "lost")),
        "steps.split.branches[1]",
        'no step "lost"',
    ),
    ("unknown otherwise", changed("rework", otherwise="lost"), "steps.rework.otherwise", 'no step "lost"'),
    ("unknown pool", changed("review", pool="night"), "steps.review.pool", 'no pool "night"'),
    ("unknown endpoint", changed("call", endpoint="crm"), "steps.call.endpoint", 'no endpoint "crm"'),
    (
        "unknown pool of a load",
        changed("tag", rules=(MarkRule(replace(CERTAIN, load_pool="night")),)),
        "steps.tag.load_pool",
        'no pool "night"',
    ),
    (
        "a mark nobody sets, required",
        changed("tag", rules=(MarkRule(CERTAIN, Condition.of("seen")),)),
        "steps.tag.when",
        'no step sets the mark "seen"',
    ),
    (
        "a mark nobody sets, forbidden",
        changed("route", rules=(Rule(("late",), when=Condition.of("!seen")), Rule(("rework", "split"), (HALF,)))),
        "steps.route.when",
        'no step sets the mark "seen"',
    ),
    (
        "an unreachable step",
        workflow(*complete(), wait("island", "paid")),
        "steps.island",
        "cannot be reached from the first step",
    ),
    (
        "a loop without a goto",
        workflow(wait("a", "b"), wait("b", "c"), Branch("c", (Rule(("b", "end"), (HALF,)),)), End("end")),
        "steps.c",
        "a loop that cannot end: b → c → b; lead it through a goto with a limit",
    ),
    (
        "a loop through the unlimited side of a goto",
        workflow(Goto("a", "end", 3, "b"), wait("b", "a"), End("end")),
        "steps.b",
        "a loop that cannot end: a → b → a; lead it through a goto with a limit",
    ),
    (
        "a loop through a deadline",
        workflow(Timer("a", 5.0, ("b",), "a", "b"), wait("b", "end"), End("end")),
        "steps.a",
        "a loop that cannot end: a → a; lead it through a goto with a limit",
    ),
    (
        "a fork with one branch",
        workflow(Fork("split", ("left",), "meet"), wait("left", "meet"), Join("meet", "end"), End("end")),
        "steps.split",
        "needs a join and at least two branches with a step each",
    ),
    (
        "a fork whose branch is its join",
        workflow(Fork("split", ("left", "meet"), "meet"), wait("left", "meet"), Join("meet", "end"), End("end")),
        "steps.split",
        "needs a join and at least two branches with a step each",
    ),
    (
        "a way into a branch from outside",
        changed("limit", to="left"),
        "steps.limit",
        'enters a branch of "split" from outside',
    ),
    (
        "a rule without its probability",
        changed("route", rules=(Rule(("rework", "split")),)),
        "steps.route",
        "a rule needs one probability less than it has targets",
    ),
    (
        "a branch that may find no rule",
        changed("route", rules=(Rule(("rework", "split"), (HALF,), Condition.of("wrong")),)),
        "steps.route",
        "the last rule of a branch must hold without a condition",
    ),
    (
        "a timer on a step without a wait",
        changed("limit", covers=("review", "tag")),
        "steps.limit.covers",
        '"tag" is not a delay, a gate or a serve step',
    ),
    (
        "a timer on a step that does not exist",
        changed("limit", covers=("review", "lost")),
        "steps.limit.covers",
        '"lost" is not a delay, a gate or a serve step',
    ),
    ("priorities for two types of one", changed("review", priority=(1, 2)), "steps.review.priority", "one number"),
    ("priorities of a call", changed("call", priority=(1, 2)), "steps.call.priority", "needs one number a case type"),
    (
        "a goto without end",
        changed("rework", limit=MAX_VISIT + 1),
        "steps.rework.limit",
        f"must lie between 0 and {MAX_VISIT}",
    ),
    ("a negative limit", changed("rework", limit=-1), "steps.rework.limit", f"must lie between 0 and {MAX_VISIT}"),
    ("no attempt", changed("call", attempts=0), "steps.call.attempts", "must be at least 1"),
]


@pytest.mark.parametrize(("flow", "place", "message"), [c[1:] for c in ONE_PROBLEM], ids=[c[0] for c in ONE_PROBLEM])
def test_one_thing_wrong_gives_one_problem_with_its_place(flow: Workflow, place: str, message: str) -> None:
    problems = found(flow)
    assert [at for at, _ in problems] == [place]
    assert message in problems[0][1]


def test_an_unbounded_loop_is_refused_and_a_bounded_one_is_not() -> None:
    """The same rework with and without a limit."""
    loop = (wait("work", "right"), Branch("right", (Rule(("again", "end"), (HALF,)),)), End("end"))
    assert found(workflow(*loop, Goto("again", "work", 5, "end"))) == []
    message = "a loop that cannot end: work → right → again → work; lead it through a goto with a limit"
    assert found(workflow(*loop, wait("again", "work"))) == [("steps.again", message)]


def test_no_end_can_be_reached() -> None:
    problems = found(workflow(wait("a", "b"), wait("b", "a"), End("end")))
    assert problems == [
        ("steps.end", "cannot be reached from the first step"),
        ("steps", "no end can be reached"),
        ("steps.b", "a loop that cannot end: a → b → a; lead it through a goto with a limit"),
    ]


@pytest.mark.parametrize("inner", [End("right", "gone"), Fork("right", ("x", "y"), "meet_2")], ids=["end", "fork"])
def test_an_end_or_a_fork_inside_a_branch_is_named(inner: Step) -> None:
    nested: tuple[Step, ...] = (wait("x", "meet_2"), wait("y", "meet_2"), Join("meet_2", "meet"))
    steps: tuple[Step, ...] = (
        Fork("split", ("left", "right"), "meet"),
        wait("left", "meet"),
        inner,
        *(nested if isinstance(inner, Fork) else ()),
        Join("meet", "end"),
        End("end"),
    )
    assert ("steps.right", 'is not allowed inside a branch of "split"') in found(workflow(*steps))


def test_a_branch_that_leaves_without_its_join_is_named() -> None:
    """The right branch goes straight to the end: token 1 must not end the case."""
    steps = (
        Fork("split", ("left", "right"), "meet"),
        wait("left", "meet"),
        wait("right", "end"),
        Join("meet", "end"),
        End("end"),
    )
    problems = found(workflow(*steps))
    assert ("steps.end", 'is not allowed inside a branch of "split"') in problems


def test_a_join_that_is_no_join_and_a_join_without_a_fork_are_both_named() -> None:
    steps = (
        Fork("split", ("left", "right"), "meet"),
        wait("left", "meet"),
        wait("right", "meet"),
        wait("meet", "lonely"),
        Join("lonely", "end"),
        End("end"),
    )
    assert found(workflow(*steps)) == [
        ("steps.lonely", "a join belongs to exactly one fork"),
        ("steps.split", "needs a join and at least two branches with a step each"),
    ]


def test_two_forks_cannot_share_a_join() -> None:
    steps = (
        Fork("one", ("a", "b"), "meet"),
        wait("a", "meet"),
        wait("b", "meet"),
        Fork("two", ("c", "d"), "meet"),
        wait("c", "meet"),
        wait("d", "meet"),
        Join("meet", "end"),
        End("end"),
    )
    assert ("steps.meet", "a join belongs to exactly one fork") in found(workflow(*steps))


def test_parallel_branches_beyond_fifteen_are_refused() -> None:
    names = [f"b{i}" for i in range(MAX_TOKEN + 1)]
    branches = [wait(name, "meet") for name in names]

    def parallel(n: int) -> Workflow:
        return workflow(Fork("split", tuple(names[:n]), "meet"), *branches[:n], Join("meet", "end"), End("end"))

    assert found(parallel(MAX_TOKEN + 1)) == [("steps", "more than 15 parallel branches")]
    assert found(parallel(MAX_TOKEN)) == []


def test_marks_beyond_62_are_refused() -> None:
    def chain(n: int) -> Workflow:
        marks = [Mark(f"set{i}", f"m{i}", (MarkRule(CERTAIN),), f"set{i + 1}") for i in range(n)]
        return workflow(*marks, End(f"set{n}"))

    assert found(chain(MAX_MARKS + 1)) == [("steps", "uses more than 62 marks")]
    assert found(chain(MAX_MARKS)) == []
    program = lower(chain(MAX_MARKS), 0, 10)
    ledger = simulate(program, 0, given(program, 0, 1, 0, [(0, 0)]))
    assert ledger.cases["marks"].tolist() == [2**62 - 1]


def colliding_ids() -> tuple[str, str]:
    """Two ids with equal 32-bit hashes, found by trying."""
    names: dict[int, str] = {}
    for name in (f"s{i}" for i in range(10**6)):
        other = names.setdefault(purpose_of.__wrapped__(name), name)
        if other != name:
            return other, name
    raise AssertionError("a million hashes of 32 bits without a collision")


def test_two_ids_whose_draws_would_coincide_are_refused_by_name() -> None:
    first, second = colliding_ids()
    assert found(workflow(wait(first, second), wait(second, "end"), End("end"))) == [
        (f"steps.{second}", f'its draws would coincide with those of "{first}"; rename one of them')
    ]


def test_two_branches_cannot_share_a_step() -> None:
    steps = (
        Fork("split", ("left", "right"), "meet"),
        wait("left", "both"),
        wait("right", "both"),
        wait("both", "meet"),
        Join("meet", "end"),
        End("end"),
    )
    assert found(workflow(*steps)) == [("steps.left", 'enters a branch of "split" from outside')]


def test_a_fork_cannot_start_one_step_twice() -> None:
    """Each step belongs to exactly one token (docs/workflow.md section 3)."""
    steps = (Fork("split", ("left", "left"), "meet"), wait("left", "meet"), Join("meet", "end"), End("end"))
    assert [place for place, _ in found(workflow(*steps))] == ["steps.split", "steps.split.branches"]


# All at once


def test_all_broken_references_are_reported_at_once() -> None:
    steps = [replace(s, next="lost") if isinstance(s, Delay) and s.id != "right" else s for s in complete()]
    steps = [replace(s, pool="night") if isinstance(s, Serve) else s for s in steps]
    steps = [replace(s, endpoint="crm") if isinstance(s, Attempts) else s for s in steps]
    assert found(workflow(*steps, End("Bad id"))) == [
        ("steps.Bad id", "an id holds lower-case letters, digits, dots and underscores only"),
        ("steps.receive.next", 'no step "lost"'),
        ("steps.review.pool", 'no pool "night"'),
        ("steps.call.endpoint", 'no endpoint "crm"'),
        ("steps.left.next", 'no step "lost"'),
    ]


def test_all_structural_problems_are_reported_at_once() -> None:
    flow = changed("rework", limit=-1)
    flow = replace(flow, steps=(*flow.steps, wait("island", "paid"), wait("reef", "paid")))
    steps = [replace(s, covers=("tag",)) if isinstance(s, Timer) else s for s in flow.steps]
    steps = [replace(s, attempts=0, priority=(1, 2)) if isinstance(s, Attempts) else s for s in steps]
    assert found(workflow(*steps)) == [
        ("steps.island", "cannot be reached from the first step"),
        ("steps.reef", "cannot be reached from the first step"),
        ("steps.limit.covers", '"tag" is not a delay, a gate or a serve step'),
        ("steps.call.priority", "needs one number a case type"),
        ("steps.call.attempts", "must be at least 1"),
        ("steps.rework.limit", f"must lie between 0 and {MAX_VISIT}"),
    ]


def test_two_unbounded_loops_are_both_reported() -> None:
    steps = (
        Branch("choose", (Rule(("a", "x", "end"), (Table.constant(0.3), Table.constant(0.3))),)),
        wait("a", "b"),
        Branch("b", (Rule(("a", "end"), (HALF,)),)),
        wait("x", "y"),
        Branch("y", (Rule(("x", "end"), (HALF,)),)),
        End("end"),
    )
    loops = sorted(p.message.split(";")[0] for p in check(workflow(*steps)))
    assert loops == ["a loop that cannot end: a → b → a", "a loop that cannot end: x → y → x"]


def test_lowering_refuses_with_all_problems_in_one_error() -> None:
    flow = changed("receive", next="lost")
    with pytest.raises(WorkflowError) as error:
        lower(replace(flow, steps=(*flow.steps, End("Bad id"))), 0, 10)
    assert error.value.problems == [
        Problem("steps.Bad id", "an id holds lower-case letters, digits, dots and underscores only"),
        Problem("steps.receive.next", 'no step "lost"'),
    ]
    first, second = str(error.value).split("; ")
    assert first == "steps.Bad id: an id holds lower-case letters, digits, dots and underscores only"
    assert second == 'steps.receive.next: no step "lost"'


# What lowering refuses


@pytest.mark.parametrize(
    ("flow", "message"),
    [
        (changed("route", rules=(Rule(("rework", "split"), (Table.constant(1.2),)),)), "steps.route.rules[0]"),
        (changed("tag", rules=(MarkRule(Chance(Table.constant(-0.1))),)), "steps.tag.rules[0]"),
        (changed("call", transient=Table.constant(1.5)), "steps.call.transient"),
        (changed("call", permanent=Table.constant(-0.5)), "steps.call.permanent"),
    ],
    ids=["branch", "mark", "transient", "permanent"],
)
def test_a_probability_outside_0_to_1_is_refused(flow: Workflow, message: str) -> None:
    with pytest.raises(WorkflowError) as error:
        lower(flow, 0, 10)
    assert str(error.value) == f"{message}: holds a probability outside 0 to 1"


def test_a_table_with_another_number_of_types_is_refused() -> None:
    with pytest.raises(WorkflowError, match=r"steps\.review\.factor: has 3 rows for 1 case types"):
        lower(changed("review", factor=Table.of([[1.0], [1.0], [1.0]])), 0, 10)


def test_a_table_needs_its_axes() -> None:
    with pytest.raises(ValueError, match=r"axes \(types, weeks\) or \(draws, types, weeks\), not 1 axes"):
        Table.of([1.0, 2.0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_refused_with_its_place(value: float) -> None:
    with pytest.raises(WorkflowError, match=r"steps\.limit\.limit: holds a number that is not finite"):
        lower(changed("limit", limit_seconds=value), 0, 10)


@pytest.mark.parametrize(
    "flow",
    [
        changed("receive", factor=Table.constant(-1.0)),
        changed("review", factor=Table.constant(-1.0)),
        changed("run", lead_seconds=-60.0),
        changed("limit", limit_seconds=-60.0),
        changed("call", timeout_seconds=-5.0),
        changed("call", attempts=2, back_off_seconds=-5.0),
        changed("call", attempts=2, back_off_seconds=5.0, multiplier=-1.0),
        changed("collect", max_wait_seconds=-60.0),
        replace(changed("call"), endpoints=(Endpoint("erp", concurrency=1, gap_seconds=-1.0),)),
    ],
    ids=["delay factor", "serve factor", "lead", "limit", "time-out", "back-off", "multiplier", "longest wait", "gap"],
)
def test_a_negative_duration_is_an_error_at_lowering(flow: Workflow) -> None:
    """docs/workflow.md section 1: a negative duration is an error at lowering."""
    with pytest.raises(WorkflowError, match="negative"):
        lower(flow, 0, 10)


def test_a_batch_of_nobody_is_refused() -> None:
    """It would be released for ever in the instant in which its first member comes."""
    with pytest.raises(WorkflowError, match=r"steps\.collect"):
        lower(changed("collect", size=0.0), 0, 10)


# What the rest of the simulator reads


def test_exits_name_the_field_of_each_way_out() -> None:
    ways = {s.id: exits(s) for s in complete()}
    assert ways["limit"] == {"next": "review", "to": "late"}
    assert ways["route"] == {
        "rules[0].targets[0]": "late",
        "rules[1].targets[0]": "rework",
        "rules[1].targets[1]": "split",
    }
    assert ways["split"] == {"branches[0]": "left", "branches[1]": "right", "join": "meet"}
    assert ways["rework"] == {"to": "limit", "otherwise": "split"}
    assert ways["paid"] == {}


def test_marks_are_numbered_in_the_order_of_the_steps_that_set_them_failures_last() -> None:
    assert marks_of(workflow(*complete())) == ("wrong", "failed")


def test_branches_of_forks_get_the_numbers_1_2_and_so_on_in_their_order() -> None:
    tokens = tokens_of(workflow(*complete()))
    assert (tokens["left"], tokens["right"]) == (1, 2)
    assert {t for name, t in tokens.items() if name not in ("left", "right")} == {0}


def test_a_calendar_used_twice_is_lowered_once() -> None:
    same = Calendar.of([(0, 10), (20, 30)])
    again = Calendar.of([(20, 30), (0, 10)])
    steps = (Gate("a", same, "b"), Gate("b", again, "c"), Delay("c", Exponential(1.0), "end", clock=again), End("end"))
    assert len(lower(workflow(*steps), 0, 100).calendars) == 1
