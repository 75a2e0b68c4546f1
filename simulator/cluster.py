"""Chunks of work on the workers of a Dask scheduler: the same interface and the same order of results as on threads.

The only module that imports `distributed` (the extra `pilotproof[cluster]`), and only once a scheduler is named. A chunk whose worker
dies is computed by another one; which worker computes what changes no result, because all of them must be the same program.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import secrets
import threading
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from threading import Event
from typing import Any, TypeVar

from simulator.batch import Cancelled
from simulator.engines import Engine, EngineName, engine_of

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Identity = Callable[[], Mapping[str, str]]
"""What must be equal on every machine: name -> version or hash, of the process that calls it."""

ANSWERS_WITHIN = 10
"""Seconds within which the scheduler must answer and have a worker."""

RETRIES = 2
"""How often a chunk that failed on a worker is tried again. A worker's death is counted by the scheduler (`allowed-failures`, 3)."""

AHEAD = 2
"""Chunks sent per thread of the cluster, so that no thread waits for the next one."""

LOOKS = 0.5
"""Seconds between two looks at whether the work is to stop."""

_mine = threading.local()
"""The engines of a worker's thread: an engine belongs to one thread and is kept from chunk to chunk."""


class ClusterError(Exception):
    """The cluster cannot be used. `problems`: the worker or nothing, what is wrong · `remedy`: what would be right."""

    def __init__(self, problems: Sequence[tuple[str, str]], remedy: str) -> None:
        super().__init__(problems, remedy)
        self.problems, self.remedy = tuple(problems), remedy


class DifferentWorkersError(ClusterError):
    """Workers run another program than this process."""


def run_chunks(
    work: Callable[[Chunk, Engine], Result],
    chunks: Iterable[Chunk],
    engine: EngineName,
    scheduler: str,
    identity: Identity,
    stop: Event | None = None,
) -> Iterator[Result]:
    """Yields the result of every chunk, in order. `work` and `identity` are functions of an installed module.

    Without any chunk nobody is asked. Raises ClusterError, Cancelled once `stop` is set, and whatever `work` raises. However it ends, what is still waiting on the
    cluster is cancelled.
    """
    source = iter(chunks)
    begun = list(islice(source, 1))
    if not begun:
        return
    with _connected(scheduler) as client:
        expected = dict(identity())
        _require_same(client, identity, expected)
        pending: deque[Any] = deque()
        source, name, number = chain(begun, source), secrets.token_hex(8), count()
        try:
            while True:
                for chunk in source:
                    task = pack((work, chunk, engine, identity, expected))
                    key = f"pilotproof-{name}-{next(number)}"
                    pending.append(client.submit(_on_worker, task, key=key, retries=RETRIES))
                    if len(pending) >= AHEAD * max(1, sum(client.nthreads().values())):
                        break
                if not pending:
                    return
                yield _next(pending, stop)
        finally:
            with contextlib.suppress(Exception):
                client.cancel(list(pending), force=True)


def pack(content: object) -> bytes:
    """What is sent: a chunk to a worker, or its result."""
    return zlib.compress(pickle.dumps(content, protocol=5), 1)


def unpack(data: bytes) -> Any:
    """What `pack` was given."""
    return pickle.loads(zlib.decompress(data))


def _on_worker(task: bytes) -> bytes:
    """One chunk, in a thread of a worker. A worker that joined later is compared here."""
    work, chunk, engine, identity, expected = unpack(task)
    differences = _differences(expected, identity())
    if differences:
        raise DifferentWorkersError([("a worker", d) for d in differences], SAME)
    if getattr(_mine, "name", None) != engine:
        _mine.name, _mine.engine = engine, engine_of(engine)
    return pack(work(chunk, _mine.engine))


# -- the connection


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[Any]:
    """A client of the scheduler that has at least one worker. Raises ClusterError, also for a connection that is lost later."""
    try:
        import distributed
        from distributed.comm.core import CommClosedError
    except ImportError:
        remedy = "pip install 'pilotproof[cluster]', here and on every worker; or leave --scheduler away"
        raise ClusterError([("", "needs the library distributed, which is not installed")], remedy) from None
    with _silent():
        try:
            client = distributed.Client(scheduler, timeout=ANSWERS_WITHIN, set_as_default=False)
        except (OSError, ValueError, TypeError, ImportError) as error:
            text = f"no Dask scheduler answers within {ANSWERS_WITHIN} seconds ({_first_line(error)})"
            raise ClusterError([("", text)], "start one: dask scheduler; its address is like tcp://host:8786") from None
        try:
            _require_workers(client, scheduler)
            yield client
        except OSError as error:
            if client.status == "running" and not isinstance(error, CommClosedError | ConnectionError):
                raise
            raise _lost(error) from None
        finally:
            with contextlib.suppress(Exception):
                client.close(timeout=2)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keeps Dask's own log off the screen; what matters is said once, as an error."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _require_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=ANSWERS_WITHIN)
    except TimeoutError:
        text = f"the scheduler has no worker within {ANSWERS_WITHIN} seconds"
        raise ClusterError([("", text)], f"start some: dask worker {scheduler}") from None


SAME = (
    "install the same pilotproof and libraries everywhere (requirements-dev.txt pins them), restart the workers, then run again"
)


def _require_same(client: Any, identity: Identity, expected: Mapping[str, str]) -> None:
    """Refuses workers that are another program, by naming every difference of every worker."""
    problems: list[tuple[str, str]] = []
    for worker, found in sorted(client.run(identity, on_error="return").items()):
        if isinstance(found, Exception):
            problems.append((worker, f"cannot run this program ({type(found).__name__}: {_first_line(found)})"))
        else:
            problems += [(worker, difference) for difference in _differences(expected, found)]
    if problems:
        raise DifferentWorkersError(problems, SAME)


def _differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    names = [name for name in dict.fromkeys([*expected, *found]) if expected.get(name) != found.get(name)]
    return [f"{name} is {found.get(name, 'missing')} there, {expected.get(name, 'missing')} here" for name in names]


def _lost(error: object) -> ClusterError:
    remedy = "start the scheduler and its workers again, then go on with the run: pilotproof run --resume DIR"
    return ClusterError([("", f"the connection to the scheduler is lost ({_first_line(error)})")], remedy)


def _first_line(error: object) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# -- results


def _next(pending: deque[Any], stop: Event | None) -> Any:
    """The first pending result."""
    from distributed import CancelledError, KilledWorker

    done = Event()
    pending[0].add_done_callback(lambda _: done.set())
    try:
        while not (stop is not None and stop.is_set()):
            if done.wait(LOOKS):
                return unpack(pending.popleft().result())
        raise Cancelled
    except KilledWorker as error:
        remedy = "look at the workers' logs and memory, then go on with the run: pilotproof run --resume DIR"
        text = f"several workers died while they computed the same part ({_first_line(error)})"
        raise ClusterError([("", text)], remedy) from None
    except CancelledError as error:
        raise _lost(error) from None
