"""Functions that tests send to the workers of a cluster."""

from __future__ import annotations

import os
import time
from pathlib import Path

from simulator.checks import Problem, WorkflowError


def slow_first(chunk: int, _: object) -> int:
    time.sleep(0.3 if chunk == 0 else 0.0)
    return chunk


def fails_at_four(chunk: int, _: object) -> int:
    if chunk == 4:
        raise WorkflowError([Problem("here", "chunk 4")])
    return chunk


def engine_of_this_thread(_: int, engine: object) -> tuple[int, int]:
    return os.getpid(), id(engine)


def dies(chunk: int, _: object) -> int:
    if chunk == 2:
        os._exit(1)
    return chunk


def leaves_a_trace(chunk: tuple[str, int], _: object) -> int:
    folder, number = chunk
    (Path(folder) / str(number)).touch()
    time.sleep(0.2)
    return number


def the_same() -> dict[str, str]:
    return {"code": "one"}


def another_everywhere() -> dict[str, str]:
    return {"code": "one", "process": str(os.getpid())}
