"""The chunks of a study on a cluster: which machines may take part, and how its errors reach the user."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from threading import Event
from typing import TypeVar

from scenarios.problems import CaseError, Problem
from scenarios.runs.manifest import versions
from scenarios.store import code_hash
from simulator import cluster
from simulator.cluster import ClusterError, DifferentWorkersError
from simulator.engines import Engine, EngineName

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class ClusterRefusedError(CaseError):
    """The cluster cannot be used, or is lost."""


@lru_cache(maxsize=1)
def identity() -> dict[str, str]:
    """What must be equal on every machine, so that all of them compute the same bytes."""
    return {**versions(), "code": code_hash(), "machine": platform.machine(), "arithmetic": arithmetic()}


def arithmetic() -> str:
    """A hash of what this processor makes of the functions that numbers go through: libraries choose by processor how to compute them."""
    import numpy as np
    from scipy.special import gammaincinv, ndtri

    x = (np.arange(4_096) + 0.5) / 4_096
    values = [np.exp(8 * x - 4), np.log(x), np.log1p(x), np.power(x, 1.7), np.sqrt(x), np.tanh(x), ndtri(x), gammaincinv(2.5, x)]
    values += [np.array([x.sum(), x @ x, np.cumsum(x)[-1]])]
    return hashlib.sha256(b"".join(v.tobytes() for v in values)).hexdigest()[:12]


def run_on_cluster(
    work: Callable[[Chunk, Engine], Result], chunks: Iterable[Chunk], engine: EngineName, scheduler: str, stop: Event
) -> Iterator[Result]:
    """As `simulator.cluster.run_chunks`, with this program as its identity. Raises ClusterRefusedError."""
    try:
        yield from cluster.run_chunks(work, chunks, engine, scheduler, identity, stop)
    except ClusterError as error:
        raise refused(error, scheduler) from None


def refused(error: ClusterError, scheduler: str) -> ClusterRefusedError:
    """What the user gets to read: every problem, the remedy once."""
    code = "E802" if isinstance(error, DifferentWorkersError) else "E801"
    *others, (place, message) = error.problems
    problems = [*(Problem(code, *other) for other in others), Problem(code, place, message, error.remedy)]
    return ClusterRefusedError(f"--scheduler {scheduler}", problems)
