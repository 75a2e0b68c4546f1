"""How things are run: by which engine, on how many threads or on which cluster, who hears of progress, and when to stop."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol, TypeVar

from simulator.batch import run_chunks
from simulator.engines import Engine, EngineName

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Progress(Protocol):
    """Hears what is done, how much of it, and in a few words what is known so far."""

    def __call__(self, what: str, done: int, total: int, so_far: str = "", /) -> None: ...


def quiet(_: str, __: int, ___: int, ____: str = "", /) -> None:
    """Shows no progress."""


@dataclass(frozen=True, slots=True)
class Means:
    """By which engine, on how many threads (None: all cores), with whom to talk, and an event that stops it when set.

    `scheduler`: the address of a Dask scheduler whose workers do it instead of threads. None of it changes a figure.
    """

    engine: EngineName = "compiled"
    threads: int | None = None
    progress: Progress = quiet
    stop: Event = field(default_factory=Event)
    scheduler: str | None = None

    def run(self, work: Callable[[Chunk, Engine], Result], chunks: Iterable[Chunk]) -> Iterator[Result]:
        """The result of every chunk, in order, from threads or from the cluster; for a cluster `work` is a function of a module.

        Raises Cancelled, ClusterRefusedError, and whatever `work` raises.
        """
        if self.scheduler is None:
            return run_chunks(work, chunks, self.engine, self.threads, self.stop)
        from scenarios.study.cluster import run_on_cluster

        return run_on_cluster(work, chunks, self.engine, self.scheduler, self.stop)
