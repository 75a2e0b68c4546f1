"""The two engines behind one interface: what they compute is the same, row for row; how fast is not."""

from __future__ import annotations

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
    from simulator.compiled_engine import CompiledEngine

    return CompiledEngine()
