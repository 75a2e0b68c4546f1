"""Chunks of work on threads: results in the order of the chunks, each thread with an engine of its own, and a way to stop.

The compiled kernel lets go of Python's lock, so that threads use all cores; results do not depend on how many there are.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future as Pending
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

from simulator.engines import Engine, EngineName, engine_of

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Cancelled(Exception):  # noqa: N818 – it is no error
    """The work was stopped on request; what was delivered before is complete."""


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_chunks(
    work: Callable[[Chunk, Engine], Result],
    chunks: Iterable[Chunk],
    engine: EngineName = "compiled",
    threads: int | None = None,
    stop: Event | None = None,
) -> Iterator[Result]:
    """Yields the result of every chunk, in order. The next chunk is taken only when a thread is free for it.

    `threads`: all usable cores, if not stated; one for an engine that keeps Python's lock. Raises Cancelled once `stop` is set, and
    whatever `work` raises; chunks under way are waited for, none is begun.
    """
    count = 1 if engine == "simpy" else threads or usable_cores()
    engines: SimpleQueue[Engine] = SimpleQueue()
    for _ in range(count):
        engines.put(engine_of(engine))

    def one(chunk: Chunk) -> Result:
        mine = engines.get()
        try:
            return work(chunk, mine)
        finally:
            engines.put(mine)

    with ThreadPoolExecutor(count) as pool:
        pending: deque[Pending[Result]] = deque()
        try:
            for chunk in chunks:
                pending.append(pool.submit(one, chunk))
                if len(pending) > count:
                    yield _next(pending, stop)
            while pending:
                yield _next(pending, stop)
        except GeneratorExit:  # whoever asked wants no more of it, but may go on with other work
            raise
        except BaseException:
            if stop is not None:
                stop.set()  # chunks under way look at it between two draws
            raise
        finally:
            for waiting in pending:
                waiting.cancel()


def _next(pending: deque[Pending[Result]], stop: Event | None) -> Result:
    if stop is not None and stop.is_set():
        raise Cancelled
    return pending.popleft().result()
