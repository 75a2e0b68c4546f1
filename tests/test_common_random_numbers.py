"""E10: a change moves the draws of what it touches and of nothing else. The table of peers.md section 11 is a test.

Draws belong to (future, case, purpose, visit): without queues a case that does not meet a change keeps its times exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from simulator.clock import DAY, HOUR, WEEK, always, weekly
from simulator.distributions import Exponential, Lognormal
from simulator.draws import case_entity, purpose_of, uniform_arrays
from simulator.futures import Future, given, realise
from simulator.ledger import Ledger
from simulator.program import lower
from simulator.simpy_engine import simulate
from simulator.workflow import (
    Arrivals,
    Branch,
    Chance,
    Delay,
    End,
    Fork,
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
    Workflow,
)

N = 3_000
SEED, FUTURE = 20_260_105, 3
FAR = 10**8
END = End("end")
PLENTY = Pool("clerks", (Shift(always(-FAR, FAR), Table.constant(10**6)),))
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = weekly({day: [(9 * HOUR, 17 * HOUR)] for day in WORKDAYS}, date(2026, 1, 5), 0, 4 * WEEK)
Bools = NDArray[np.bool_]


def invoices(share: float = 0.3, exception_hours: float = 4.0) -> tuple[Step, ...]:
    """Read, exception handling for some, approve. Nobody queues."""
    return (
        Serve("read", "clerks", Lognormal(7.0, 0.5), "exception"),
        Branch("exception", (Rule(("handle", "approve"), (Table.constant(share),)),)),
        Serve("handle", "clerks", Lognormal(float(np.log(exception_hours * HOUR)), 0.6), "approve"),
        Serve("approve", "clerks", Lognormal(9.0, 0.8), "end"),
        END,
    )


def run(steps: Sequence[Step], n: int = N, seed: int = SEED, number: int = FUTURE) -> Ledger:
    """n cases, a thousand a day."""
    program = lower(Workflow(("invoice",), tuple(steps), (PLENTY,)), 0, FAR)
    return simulate(program, 0, given(program, 0, seed, number, [(i // 1_000 * DAY + i % 1_000, 0) for i in range(n)]))


@cache
def baseline() -> Ledger:
    return run(invoices())


def cycle_times(ledger: Ledger) -> NDArray[np.int64]:
    assert (ledger.cases["ended"] >= 0).all()
    return ledger.cases["ended"] - ledger.cases["arrival"]


def unchanged(after: Sequence[Step]) -> Bools:
    """Which cases keep their cycle time of the baseline."""
    return np.equal(cycle_times(baseline()), cycle_times(run(after)))


def uniforms_of(step: str, n: int = N) -> NDArray[np.float64]:
    """The first uniform of each case's first visit, from its address."""
    number = np.arange(n)
    return uniform_arrays(SEED, FUTURE, case_entity(number // 1_000, number % 1_000), purpose_of(step))[0]


def changed_step(steps: Sequence[Step], name: str, **fields: object) -> tuple[Step, ...]:
    return tuple(replace(s, **fields) if s.id == name else s for s in steps)  # type: ignore[arg-type]


# The table: share of cases whose cycle time stays the same, without queues


def test_a_new_exception_service_time_leaves_exactly_the_70_percent_that_never_see_it() -> None:
    """Peers: 61 % and 52 %."""
    same = unchanged(invoices(exception_hours=4.4))
    assert np.array_equal(same, uniforms_of("exception") >= 0.3)
    assert same.mean() == pytest.approx(0.7, abs=0.02)


def test_one_more_percent_of_exceptions_leaves_exactly_the_99_percent_whose_route_stays() -> None:
    """Peers: 41 % and 25 %. Changed are those whose uniform lies in [.30, .31)."""
    same = unchanged(invoices(share=0.31))
    u = uniforms_of("exception")
    assert np.array_equal(same, (u < 0.30) | (u >= 0.31))
    assert same.mean() == pytest.approx(0.99, abs=0.004)


def test_a_new_display_label_leaves_every_case() -> None:
    """Labels are the account of a step and the result of an end; the peer keeps 37 %."""
    after = changed_step(changed_step(invoices(), "approve", account="approval"), "end", result="paid")
    assert unchanged(after).all()


def test_another_order_of_the_steps_leaves_every_case() -> None:
    first, *others = invoices()
    assert unchanged((first, *reversed(others))).all()


def test_an_unrelated_step_leaves_every_case() -> None:
    """A mark drawn for every case and a step that a tenth of them would enter, on a route that never comes back."""
    steps = changed_step(invoices(), "read", next="sample")
    sample = Mark("sample", "sampled", (MarkRule(Chance(Table.constant(0.1))),), "exception")
    before, after = baseline(), run((steps[0], sample, *steps[1:]))
    assert np.array_equal(cycle_times(before), cycle_times(after))
    assert after.cases["marks"].mean() == pytest.approx(0.1, abs=0.01)


def test_the_name_of_a_step_is_the_address_of_its_draws_so_only_its_own_cases_move() -> None:
    """The id is identity, not label: a new id for `handle` redraws those who enter it, and no one else."""
    steps = changed_step(changed_step(invoices(), "handle", id="resolve"), "exception", rules=())
    rule = Rule(("resolve", "approve"), (Table.constant(0.3),))
    same = unchanged(changed_step(steps, "exception", rules=(rule,)))
    assert np.array_equal(same, uniforms_of("exception") >= 0.3)


def test_a_step_in_series_adds_its_own_time_and_moves_nothing_else() -> None:
    steps = changed_step(invoices(), "approve", next="archive")
    before, after = baseline(), run((*steps, Serve("archive", "clerks", Lognormal(5.0, 0.5), "end")))
    archive = after.visits["step"] == after.program.step_ids.index("archive")
    own = (after.visits["ended"] - after.visits["started"])[archive]
    assert own.min() > 0
    assert np.array_equal(cycle_times(before) + own, cycle_times(after))


def test_a_fork_added_behind_a_step_leaves_the_steps_before_and_after_it() -> None:
    steps = changed_step(invoices(), "read", next="split")
    checks = (
        Fork("split", ("left", "right"), "meet"),
        Delay("left", Exponential(600.0), "meet"),
        Delay("right", Exponential(600.0), "meet"),
        Join("meet", "exception"),
    )
    before, after = run(invoices(), 2_000), run((*steps, *checks), 2_000)
    for name in ("read", "handle", "approve"):
        lengths = [
            (v["ended"] - v["started"])[v["step"] == ledger.program.step_ids.index(name)]
            for ledger, v in ((before, before.visits), (after, after.visits))
        ]
        assert np.array_equal(*lengths), name


def test_a_longer_stay_of_some_cases_moves_no_draw_of_the_others_in_a_queue() -> None:
    """With a finite team waits change, service times do not: not one of two thousand."""
    tight = Pool("clerks", (Shift(always(-FAR, FAR), Table.constant(12)),))

    def services(hours: float, step: str) -> list[int]:
        program = lower(Workflow(("invoice",), invoices(exception_hours=hours), (tight,)), 0, FAR)
        arrivals = [(600 * i, 0) for i in range(2_000)]
        ledger = simulate(program, 0, given(program, 0, SEED, FUTURE, arrivals))
        mine = ledger.visits["step"] == ledger.program.step_ids.index(step)
        ended, started = ledger.visits["ended"][mine], ledger.visits["started"][mine]
        return [int(seconds) for seconds in ended - started]

    for step in ("read", "approve"):
        assert services(4.0, step) == services(6.0, step)


def test_a_second_visit_has_draws_of_its_own_and_leaves_those_of_the_first() -> None:
    """Everyone passes `work` twice instead of once; first passes keep their lengths, second ones are new."""
    once = (Delay("work", Lognormal(8.0, 0.5), "again"), Goto("again", "work", 0, "end"), END)
    twice = (once[0], Goto("again", "work", 1, "end"), END)
    one, two = run(once, 1_000), run(twice, 1_000)
    first = two.visits["visit"] == 0
    lengths = two.visits["ended"] - two.visits["entered"]
    assert np.array_equal(cycle_times(one), lengths[first])
    assert abs(np.corrcoef(np.log(lengths[first]), np.log(lengths[~first]))[0, 1]) < 0.15  # alpha 1e-5 at n = 1000


def test_the_branches_of_a_fork_draw_by_step() -> None:
    """No two branches agree, and a step keeps its draws when its branch changes places."""
    steps = (
        Fork("split", ("left", "right"), "meet"),
        Delay("left", Lognormal(8.0, 0.5), "meet"),
        Delay("right", Lognormal(8.0, 0.5), "meet"),
        Join("meet", "end"),
        END,
    )
    ledger = run(steps, 1_000)
    length, step = ledger.visits["ended"] - ledger.visits["entered"], ledger.visits["step"]
    lengths = [length[step == number] for number in (1, 2)]
    assert abs(np.corrcoef(np.log(lengths[0]), np.log(lengths[1]))[0, 1]) < 0.15
    swapped = run((replace(steps[0], branches=("right", "left")), *steps[1:]), 1_000)
    assert np.array_equal(cycle_times(ledger), cycle_times(swapped))


def test_another_order_of_two_forks_leaves_every_case() -> None:
    one = (
        Fork("one", ("a", "b"), "meet_1"),
        Delay("a", Lognormal(8.0, 0.5), "meet_1"),
        Delay("b", Lognormal(8.0, 0.5), "meet_1"),
        Join("meet_1", "two"),
    )
    two = (
        Fork("two", ("c", "d"), "meet_2"),
        Delay("c", Lognormal(8.0, 0.5), "meet_2"),
        Delay("d", Lognormal(8.0, 0.5), "meet_2"),
        Join("meet_2", "end"),
    )
    start = Delay("start", Lognormal(5.0, 0.1), "one")
    same = cycle_times(run((start, *one, *two, END), 500)) == cycle_times(run((start, *two, *one, END), 500))
    assert same.all()


# Futures


def month(per_day: float, day_cv: float = 0.0, shares: tuple[float, ...] = (0.7, 0.3)) -> Future:
    arrivals = Arrivals(per_day, (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0) * 4, 0, OFFICE, shares, day_cv, 50, 1.0)
    types = tuple(f"t{i}" for i in range(len(shares)))
    program = lower(Workflow(types, invoices(), (PLENTY,), arrivals), 0, 4 * WEEK)
    return realise(program, 0, SEED, FUTURE)


def keyed(future: Future) -> dict[tuple[int, int], tuple[int, int, int]]:
    """(day, ordinal) -> (second, type, cluster)."""
    keys = zip(future.day.tolist(), future.ordinal.tolist(), strict=True)
    facts = zip(future.arrival.tolist(), future.type.tolist(), future.cluster.tolist(), strict=True)
    return dict(zip(keys, facts, strict=True))


@pytest.mark.parametrize("day_cv", [0.0, 0.4])
def test_more_volume_adds_cases_and_moves_none(day_cv: float) -> None:
    small, large = keyed(month(100.0, day_cv)), keyed(month(115.0, day_cv))
    assert len(large) > len(small) + 200
    assert {key: large[key] for key in small} == small


def test_more_volume_leaves_the_cycle_time_of_every_old_case() -> None:
    def times(per_day: float) -> dict[tuple[int, int], int]:
        arrivals = Arrivals(per_day, (1.0,) * 5, 0, OFFICE, (1.0,))
        program = lower(Workflow(("invoice",), invoices(), (PLENTY,), arrivals), 0, 4 * WEEK)
        ledger = simulate(program, 0, realise(program, 0, SEED, FUTURE))
        keys = zip(ledger.cases["day"].tolist(), ledger.cases["ordinal"].tolist(), strict=True)
        return dict(zip(keys, cycle_times(ledger).tolist(), strict=True))

    few, many = times(200.0), times(240.0)
    assert len(many) > len(few) + 100
    assert {key: many[key] for key in few} == few


def test_another_share_of_types_moves_only_those_between_the_shares_and_no_arrival() -> None:
    before, after = keyed(month(100.0, shares=(0.7, 0.3))), keyed(month(100.0, shares=(0.6, 0.4)))
    assert before.keys() == after.keys()
    moved = [key for key in before if before[key] != after[key]]
    assert 0.07 < len(moved) / len(before) < 0.13
    assert {(before[key][1], after[key][1]) for key in moved} == {(0, 1)}
    assert all(before[key][0::2] == after[key][0::2] for key in moved)


def test_cases_arrive_in_the_open_hours_of_their_day_numbered_from_0() -> None:
    future = month(100.0)
    assert all(OFFICE.is_open(t) for t in future.arrival.tolist())
    assert np.array_equal(future.arrival // DAY, future.day)
    for day in np.unique(future.day):
        assert future.ordinal[future.day == day].tolist() == list(range(int((future.day == day).sum())))


def test_the_volume_ratio_of_a_day_is_its_count_over_the_expected_count() -> None:
    future = month(100.0, day_cv=0.3)
    for day in np.unique(future.day):
        mine = future.day == day
        assert (future.ratio[mine] == mine.sum() / 100.0).all()


def test_a_case_added_at_the_end_of_a_day_leaves_all_others() -> None:
    program = lower(Workflow(("invoice",), invoices(), (PLENTY,)), 0, FAR)

    def times(arrivals: list[int]) -> dict[tuple[int, int], int]:
        ledger = simulate(program, 0, given(program, 0, 1, 0, [(a, 0) for a in arrivals]))
        keys = zip(ledger.cases["day"].tolist(), ledger.cases["ordinal"].tolist(), strict=True)
        return dict(zip(keys, cycle_times(ledger).tolist(), strict=True))

    two_days = [10, 20, 30, DAY + 10, DAY + 20]
    before, after = times(two_days), times([*two_days, 40])  # the fourth case of day 0
    assert set(after) - set(before) == {(0, 3)}
    assert {key: after[key] for key in before} == before


# Monotone in the success probability, where the wrong path is the right path plus more


@for_all(
    st.integers(0, 2**64 - 1),
    st.floats(0.0, 1.0),
    st.floats(0.0, 1.0),
    st.integers(0, 3),
)
@settings(max_examples=40, deadline=None)
def test_a_higher_success_probability_never_lengthens_any_case(seed: int, a: float, b: float, rework: int) -> None:
    """Infinite capacity; a failure adds a correction and goes back to the check, up to `rework` times."""

    def times(success: float) -> NDArray[np.int64]:
        steps = (
            Serve("read", "clerks", Lognormal(7.0, 0.5), "right"),
            Branch("right", (Rule(("approve", "correct"), (Table.constant(success),)),)),
            Serve("correct", "clerks", Exponential(4.0 * HOUR), "again"),
            Goto("again", "right", rework, "approve"),
            Serve("approve", "clerks", Lognormal(9.0, 0.8), "end"),
            END,
        )
        return cycle_times(run(steps, 60, seed))

    low, high = sorted((a, b))
    assert (times(high) <= times(low)).all()


def test_a_success_probability_of_90_instead_of_80_percent_shortens_exactly_the_tenth_in_between() -> None:
    def times(success: float) -> NDArray[np.int64]:
        steps = (
            Branch("right", (Rule(("approve", "correct"), (Table.constant(success),)),)),
            Serve("correct", "clerks", Lognormal(9.0, 0.4), "approve"),
            Serve("approve", "clerks", Lognormal(9.0, 0.8), "end"),
            END,
        )
        return cycle_times(run(steps))

    u, better, worse = uniforms_of("right"), times(0.9), times(0.8)
    assert np.array_equal(better < worse, (u >= 0.8) & (u < 0.9))
    assert np.array_equal(better == worse, (u < 0.8) | (u >= 0.9))


@pytest.mark.parametrize(
    ("name", "longer"),
    [("scale", Lognormal(8.1, 0.5)), ("factor", Lognormal(8.0, 0.5))],
)
def test_a_longer_duration_lengthens_every_case(name: str, longer: Lognormal) -> None:
    def times(distribution: Lognormal, factor: float) -> NDArray[np.int64]:
        return cycle_times(run((Delay("wait", distribution, "end", factor=Table.constant(factor)), END), 1_000))

    base = times(Lognormal(8.0, 0.5), 1.0)
    assert (times(longer, 1.1 if name == "factor" else 1.0) > base).all()


# Clusters


def in_clusters(shared: float, cluster_of: Callable[[int], int], n: int = 4_000) -> NDArray[np.int64]:
    """Which of n cases get a mark of chance one half that is shared within clusters."""
    chance = Chance(Table.constant(0.5), shared=shared)
    steps = (Mark("reads", "wrong", (MarkRule(chance),), "end"), END)
    program = lower(Workflow(("invoice",), steps, ()), 0, FAR)
    future = given(program, 0, SEED, FUTURE, [(i, 0) for i in range(n)], [cluster_of(i) for i in range(n)])
    return simulate(program, 0, future).cases["marks"]


def test_fully_shared_chances_make_all_cases_of_a_cluster_alike() -> None:
    wrong = in_clusters(1.0, lambda i: i % 40).reshape(-1, 40)
    assert (wrong == wrong[0]).all()
    assert 5 < wrong[0].sum() < 35


def test_partly_shared_chances_keep_the_probability_and_correlate_by_the_square_of_the_share() -> None:
    """2,000 pairs, share 0.6: correlation 0.36, standard error 0.02; sees a correlation of 0.60 or 0."""
    wrong = in_clusters(0.6, lambda i: i // 2).reshape(-1, 2)
    assert wrong.mean() == pytest.approx(0.5, abs=0.04)
    assert np.corrcoef(wrong[:, 0], wrong[:, 1])[0, 1] == pytest.approx(0.36, abs=0.09)


def test_without_sharing_clusters_mean_nothing() -> None:
    assert np.array_equal(in_clusters(0.0, lambda i: 0), in_clusters(0.0, lambda i: i))
