"""The two engines behind one interface: what they compute is the same, row for row; how fast is not."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache
from typing import Literal, Protocol

from simulator.futures import Future
from simulator.ledger import Ledger
from simulator.program import Program
from simulator.summary import Question, Summary, summarise

EngineName = Literal["compiled", "simpy"]
ENGINES: tuple[EngineName, ...] = ("compiled", "simpy")


class Engine(Protocol):
    """Runs one future of one draw. An engine belongs to one thread."""

    def ledger(self, program: Program, draw: int, future: Future) -> Ledger:
        """Every visit of every case."""

    def summary(self, program: Program, draw: int, future: Future, question: Question) -> Summary:
        """The sums of the run."""


class SimpyEngine:
    """The readable reference."""

    def ledger(self, program: Program, draw: int, future: Future) -> Ledger:
        from simulator.simpy_engine import simulate

        return simulate(program, draw, future)

    def summary(self, program: Program, draw: int, future: Future, question: Question) -> Summary:
        return summarise(self.ledger(program, draw, future), question)


def engine_of(name: EngineName) -> Engine:
    """An engine by its name. The compiled one imports Numba, and compiles if its machine code is not in the cache yet."""
    if name == "simpy":
        return SimpyEngine()
    return _compiled()()


@cache
def _compiled() -> Callable[[], Engine]:
    """Imports and compiles without pauses for the collector: Numba makes a great many objects, hardly any of them garbage."""
    collects = gc.isenabled()
    gc.disable()
    try:
        from simulator.compiled_engine import CompiledEngine, warm

        warm()
    finally:
        if collects:
            gc.enable()
    gc.freeze()  # what Numba has made stays for good: never visited again, not even when Python ends
    return CompiledEngine
