"""The compiled engine against the SimPy engine and against hand-written C++; what an event, a case and a row cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from unittest import mock

import numpy as np
import simpy

from benchmarks import native, two_pools
from benchmarks.measure import Row, Turns, in_turns
from benchmarks.scenes import Runner, Scene, default_scenario
from simulator import kernel as k
from simulator.compiled_engine import CompiledEngine
from simulator.ledger import PACKED_VISIT
from simulator.simpy_engine import simulate
from simulator.summary import Question, summarise

REPEAT = 20
"""Runs a turn of what takes a few hundredths of a second."""


def count_events(work: Callable[[], object]) -> int:
    """Events that SimPy processes, counted in a run of its own."""
    counted = 0
    plain = simpy.Environment.step

    def step(env: simpy.Environment) -> None:
        nonlocal counted
        counted += 1
        plain(env)

    with mock.patch.object(simpy.Environment, "step", step):
        work()
    return counted


def rows() -> list[Row]:
    return [*against_simpy(default_scenario()), *against_cpp()]


def against_simpy(scene: Scene) -> list[Row]:
    program, future, cases = scene.program, scene.future, len(scene)
    engine, runner = CompiledEngine(), Runner(scene)
    question = Question(0, program.stop, np.zeros(len(program.steps), dtype=np.int64))
    work: dict[str, Callable[[], object]] = {
        "simpy": lambda: simulate(program, 0, future),
        "simpy, sums": lambda: summarise(simulate(program, 0, future), question),
        "compiled": runner.run,
        "compiled, sums": lambda: engine.summary(program, 0, replace(future, arrival=future.arrival.copy()), question),
    }
    turns = in_turns(work, repeat={"compiled": REPEAT, "compiled, sums": REPEAT})
    events = count_events(lambda: simulate(program, 0, future))
    runner.run()
    steps, ledger = int(runner.space.M[k.H_DONE_EVENTS]), len(runner.space.ledger_rows())
    simpy_event, event, step = (
        turns.median(n) * 1e6 / e for n, e in (("simpy", events), ("compiled", events), ("compiled", steps))
    )
    ratio, sums = turns.ratio("simpy", "compiled"), turns.ratio("simpy, sums", "compiled, sums")
    of_one = {name: turns.median(name) * 1e6 / cases for name in work}
    row = 8 * k.ROW
    return [
        Row("SimPy engine, default scenario, live", f"{simpy_event:.1f} µs an event", "≤ 12", simpy_event <= 12,
            f"{of_one['simpy']:.0f} µs a case; {cases:,} cases, {events / cases:.1f} events and {ledger / cases:.1f} ledger rows a case"),
        Row("compiled engine, the same run, ledger rows written", f"{event:.3f} µs an event", "≤ 0.25", event <= 0.25,
            f"{of_one['compiled']:.2f} µs a case, packing included; events as SimPy counts them"),
        Row("the same, by its own count", f"{step:.3f} µs an event", note=f"{steps / cases:.1f} events a case: it needs none to begin or end a case"),
        Row("compiled against SimPy, one core, ledger rows written", f"{ratio:.0f} × faster", "≥ 30", ratio >= 30, turns.span("simpy", "compiled")),
        Row("the same with the sums of a run", f"{sums:.0f} × faster", "≥ 30", sums >= 30,
            f"{turns.span('simpy, sums', 'compiled, sums')}; {of_one['compiled, sums']:.2f} µs a case, as for a future not met before"),
        Row("ledger row", f"{row} bytes", "≤ 24", row <= 24, f"in memory while it runs; {PACKED_VISIT.itemsize} when packed"),
    ]  # fmt: skip


def against_cpp() -> list[Row]:
    """The same packed programs, interpreted by hand-written C++."""
    if native.compiler() is None:
        return [Row("compiled engine against hand-written C++", "not measured", "≤ 2 × its time", note="no C++ compiler found")]
    model = two_pools.program()
    default, queueing = cpp_ratio(default_scenario()), cpp_ratio(Scene(model, two_pools.future(model, 1)))
    return [
        _cpp_row("compiled engine against a C++ interpreter, default scenario", *default, len(default_scenario())),
        _cpp_row("the same, two-pool model", *queueing, two_pools.CASES),
    ]


def cpp_ratio(scene: Scene) -> tuple[Turns, str]:
    """Kernel and C++ on the same arrays, without packing; and the better flags. Raises AssertionError if a row differs."""
    runner = Runner(scene)
    space = runner.space
    runner.run()
    ours = native.outcome(space)

    def interpreted(flags: str) -> None:
        runner.load()
        assert native.interpret(space, flags) == k.DONE

    cpp = {flags: partial(interpreted, flags) for flags in native.FLAGS}
    for flags, work in cpp.items():
        work()
        assert native.same(ours, native.outcome(space)), f"C++ ({flags}) writes other rows than the kernel"
    names = ("kernel", *cpp)
    every: dict[str, Callable[[], object]] = {"load": runner.load, "kernel": runner.run, **cpp}
    turns = in_turns(every, repeat=dict.fromkeys(every, REPEAT))
    alone = {n: [a - b for a, b in zip(turns.seconds[n], turns.seconds["load"], strict=True)] for n in names}
    net = Turns(alone)
    return net, min(cpp, key=net.median)


def _cpp_row(what: str, turns: Turns, flags: str, cases: int) -> Row:
    ratio, ours, theirs = turns.ratio("kernel", flags), turns.median("kernel") * 1e6 / cases, turns.median(flags) * 1e6 / cases
    note = f"{ours:.2f} against {theirs:.2f} µs a case ({flags}, the faster); {turns.span('kernel', flags)}; same rows, checked"
    return Row(what, f"{ratio:.2f} × its time", "≤ 2", ratio <= 2, note)
