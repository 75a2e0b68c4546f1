"""How the benchmarks measure: CPU time, in turns, compared pair by pair within one run; and the rows of the page."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the page. `met`: whether the demand is; None where nothing is demanded."""

    what: str
    figure: str
    demand: str = ""
    met: bool | None = None
    note: str = ""

    def line(self) -> str:
        verdict = "" if self.met is None else "yes" if self.met else "**no**"
        return f"| {self.what} | {self.figure} | {self.demand} | {verdict} | {self.note} |"


HEAD = ("| what | figure | demanded | met | note |", "| --- | --- | --- | --- | --- |")


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all its threads together."""
    start = time.process_time()
    work()
    return time.process_time() - start


@dataclass(frozen=True, slots=True)
class Turns:
    """CPU seconds of several pieces of work that were run in turns."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def ratio(self, slow: str, fast: str) -> float:
        """The median of how many times longer `slow` takes than `fast`, round by round."""
        return statistics.median(self._ratios(slow, fast))

    def span(self, slow: str, fast: str) -> str:
        ratios = self._ratios(slow, fast)
        return f"{min(ratios):.2f} to {max(ratios):.2f}"

    def _ratios(self, slow: str, fast: str) -> list[float]:
        return [a / b for a, b in zip(self.seconds[slow], self.seconds[fast], strict=True)]


def in_turns(work: Mapping[str, Callable[[], object]], rounds: int = ROUNDS, repeat: Mapping[str, int] | None = None) -> Turns:
    """Runs everything once to warm up, then each in turn, `rounds` times; `repeat`: runs a turn of what is short."""
    for one in work.values():
        one()
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, one in work.items():
            times = (repeat or {}).get(name, 1)
            seconds[name].append(sum(cpu_seconds(one) for _ in range(times)) / times)
    return Turns(seconds)
