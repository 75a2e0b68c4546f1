"""What arms share before go-live is simulated once, and no figure knows it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models import parameters
from scenarios.arms import Arms, OneFuture, between
from scenarios.catalogue import shipped_names
from scenarios.files import load
from simulator.clock import HOUR
from simulator.compiled_engine import CompiledEngine
from simulator.futures import given, realise
from simulator.prefix import Prefix, Structure
from simulator.program import Program, lower
from simulator.summary import Question
from tests.oracles.generate import generate
from tests.tiny import program, tiny


class WithoutShortcut(CompiledEngine):
    def _until_go_live(self, *_: object) -> int:
        return 0


def shared(engine: CompiledEngine, before: int) -> bool:
    return len(engine._prefixes) == before


@pytest.mark.parametrize("name", shipped_names())
def test_ledgers_are_the_same_with_and_without_the_shortcut(name: str) -> None:
    case = load(name).case
    arms = Arms(case, parameters.sample(case, 7, range(2))).prepare(["pilot", "production", *between()])
    days = dict.fromkeys(case.baseline.places if case.baseline else (), 1.0)
    engine, plain = CompiledEngine(), WithoutShortcut()
    one, times_shared = OneFuture(arms, 1, 2, engine), 0
    for arm in arms.known:
        before = len(engine._prefixes)
        ledger = engine.ledger(one.program(arm, days), 0, one.future(arm))
        times_shared += shared(engine, before)
        assert ledger.same_as(plain.ledger(one.program(arm, days), 0, one.future(arm))), arm
    assert times_shared >= 8


@pytest.mark.parametrize("seed", range(60))
def test_generated_workflows_pause_at_go_live(seed: int) -> None:
    """The same run twice: the second goes on from the first one's state at go-live."""
    made = generate(seed)
    program = lower(made.workflow, made.begin, made.stop)
    future = made.future(program)
    engine = CompiledEngine()
    first = engine.ledger(program, made.draw, future)
    before = len(engine._prefixes)
    second = engine.ledger(program, made.draw, future)
    assert shared(engine, before)
    assert before == int(made.begin < 0)
    assert first.same_as(second)
    assert first.same_as(WithoutShortcut().ledger(program, made.draw, future))


def test_rows_of_branches_under_way_at_go_live_are_taken_anew_by_every_arm() -> None:
    """Which branch is the longer one is decided after go-live; rows from before must not keep the mark of the arm that ran last."""

    def flow(hours: int) -> Program:
        branches = {"first": "1 h", "second": "30 h", "third": f"{hours} h", "other": "40 h"}
        waits = [{"id": name, "kind": "wait", "time": time} for name, time in branches.items()]
        waits[2]["next"] = "meet"
        fork = {"id": "both", "kind": "parallel", "branches": ["first", "other"], "join": "meet"}
        return program(tiny(fork, *waits, {"id": "meet", "kind": "join"}))

    short, long = flow(1), flow(100)
    future = given(short, 0, 1, 0, [(-20 * HOUR, 0)])
    question = Question(short.begin, short.stop, np.zeros(len(short.steps), dtype=np.int64))
    engine, plain = CompiledEngine(), WithoutShortcut()
    for arm in (short, long, short, long):
        sums = engine.summary(arm, 0, realise(arm, 0, 1, 0, future), question)
        assert np.array_equal(sums.seconds, plain.summary(arm, 0, realise(arm, 0, 1, 0, future), question).seconds)
    assert len(engine._prefixes) == 1


def test_a_difference_before_go_live_is_noticed() -> None:
    """One more unlocated day a visit, today already: nothing is shared; a slot that nobody reads before go-live may differ."""
    case = load("invoice_processing").case
    arms = Arms(case, parameters.sample(case, 7, range(1))).prepare(["production"])
    engine = CompiledEngine()
    one = OneFuture(arms, 0, 0, engine)
    assert case.baseline is not None
    days = dict.fromkeys(case.baseline.places, 1.0)
    live, future = one.program("production", days), one.future("production")
    engine.run(live, 0, future)
    (prefix,) = engine._prefixes
    assert isinstance(prefix, Prefix)
    structure = prefix.structure
    assert prefix.fits(structure, live.slots[0], future)
    assert not prefix.fits(Structure(), live.slots[0], future)
    assert not prefix.fits(structure, one.program("production", {**days, next(iter(days)): 2.0}).slots[0], future)
    for slot in np.flatnonzero(prefix.needed)[::25]:
        changed = live.slots[0].copy()
        changed[slot] += 0.25
        assert not prefix.fits(structure, changed, future)
    unread = np.where(prefix.needed, live.slots[0], 0.5)
    assert prefix.fits(structure, unread, future)
    first = future.capacity[0]
    fewer = replace(first, units=(first.units[0] + 1, *first.units[1:]))
    assert not prefix.fits(structure, live.slots[0], replace(future, capacity=(fewer, *future.capacity[1:])))
    assert not prefix.fits(structure, live.slots[0], replace(future, arrival=future.arrival.copy()))
