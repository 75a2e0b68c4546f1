"""Long work of a server with many users: jobs advance in slices by turns, newer requests take the place of older ones.

A job is a generator that gives the answer so far after every slice; its last one is the answer. Nothing here knows screens.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from threading import Condition, Thread
from typing import Any, Literal

State = Literal["waiting", "running", "done", "failed", "gone"]
FIRST_LOOK, TIGHTENING = 0, 1
"""How urgent a job is; the smaller goes first."""


class TooBusyError(Exception):
    """More jobs wait than may; nothing was begun."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a slice gives: the answer so far, and how much of the work is done."""

    answer: Any
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Look:
    """A job as seen at one moment. `answer`: the last one, None before the first · `seconds_left`: None while nothing is known · `error`:
    what the work raised, if it failed."""

    state: State
    answer: Any = None
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    error: BaseException | None = None


Work = Callable[[], Iterator[Step]]


@dataclass(slots=True, eq=False)
class _Job:
    """A job in the store; only the lock's holder touches it."""

    work: Work
    urgency: int
    number: int
    listeners: set[tuple[Hashable, Hashable]] = field(default_factory=set)
    steps: Iterator[Step] | None = None
    turns: int = 0
    seconds: float = 0.0
    look: Look = field(default_factory=lambda: Look("waiting"))


class Jobs:
    """All jobs of a process. Safe to call from any thread; `close` ends it.

    waiting: most unfinished jobs · kept: most finished ones · each: most unfinished ones of one user
    """

    def __init__(self, waiting: int = 64, kept: int = 256, each: int = 8) -> None:
        self._limits = waiting, kept, each
        self._jobs: OrderedDict[Hashable, _Job] = OrderedDict()
        self._changed = Condition()
        self._count = 0
        self._closed = False
        self._worker = Thread(target=self._run, name="pilotproof jobs", daemon=True)
        self._worker.start()

    def ask(self, user: Hashable, place: Hashable, key: Hashable, work: Work, urgency: int = FIRST_LOOK) -> Look:
        """Asks for a piece of work and returns what is known of it.

        `place`: what the user asked for there before is given up · `key`: equal keys are one job, whoever asks; one that failed is
        tried again for those who did not see it fail. Raises TooBusyError.
        """
        me = user, place
        with self._changed:
            self._give_up(me, key)
            job = self._jobs.get(key)
            if job is None or job.look.state == "gone" or (job.look.state == "failed" and me not in job.listeners):
                self._require_room(user)
                job = _Job(work, urgency, self._count)
                self._count += 1
            job.listeners.add(me)
            job.urgency = min(job.urgency, urgency)
            self._jobs[key] = job
            self._jobs.move_to_end(key)
            self._changed.notify_all()
            return job.look

    def look(self, key: Hashable) -> Look:
        """What is known of a job now; state "gone" if there is none."""
        with self._changed:
            job = self._jobs.get(key)
            return job.look if job is not None else Look("gone")

    def unfinished(self) -> int:
        """How many jobs wait or run."""
        with self._changed:
            return len(self._open())

    def cancel(self, user: Hashable, place: Hashable) -> None:
        """Gives up what a user asked for in a place."""
        with self._changed:
            self._give_up((user, place), None)

    def leave(self, user: Hashable) -> None:
        """Gives up all that a user asked for."""
        with self._changed:
            for me in {me for job in self._jobs.values() for me in job.listeners if me[0] == user}:
                self._give_up(me, None)

    def wait(self, key: Hashable, seconds: float) -> Look:
        """Looks again until the job ended or the time is over; for scripts and tests."""
        until = time.monotonic() + seconds
        with self._changed:
            while True:
                job = self._jobs.get(key)
                found = job.look if job is not None else Look("gone")
                left = until - time.monotonic()
                if found.state in ("done", "failed", "gone") or left <= 0:
                    return found
                self._changed.wait(left)

    def close(self) -> None:
        """Begins no further slice."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._worker.join(timeout=10)

    # -- under the lock

    def _require_room(self, user: Hashable) -> None:
        waiting, _, each = self._limits
        open_ = [job for _, job in self._open()]
        if len(open_) >= waiting:
            raise TooBusyError(f"{len(open_)} simulations wait already; try again in a minute")
        if sum(any(me[0] == user for me in job.listeners) for job in open_) >= each:
            raise TooBusyError(f"{each} of your simulations run already; wait for one, or cancel it")

    def _give_up(self, me: tuple[Hashable, Hashable], but: Hashable) -> None:
        for key, job in list(self._jobs.items()):
            if key != but and me in job.listeners:
                job.listeners.discard(me)
                if not job.listeners and job.look.state in ("waiting", "running"):
                    job.look = replace(job.look, state="gone")
                    del self._jobs[key]
        self._changed.notify_all()

    def _open(self) -> list[tuple[Hashable, _Job]]:
        return [(key, job) for key, job in self._jobs.items() if job.look.state in ("waiting", "running")]

    def _next(self) -> tuple[Hashable, _Job] | None:
        return min(self._open(), key=lambda item: (item[1].urgency, item[1].turns, item[1].number), default=None)

    def _forget(self) -> None:
        ended = [key for key, job in self._jobs.items() if job.look.state in ("done", "failed")]
        for key in ended[: max(0, len(ended) - self._limits[1])]:
            del self._jobs[key]

    # -- the worker

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and self._next() is None:
                    self._changed.wait()
                if self._closed:
                    return
                found = self._next()
                assert found is not None
                _, job = found
                job.look = replace(job.look, state="running")
            begun = time.monotonic()
            step, error = _advanced(job)
            with self._changed:
                job.turns += 1
                job.seconds += time.monotonic() - begun
                if job.look.state != "gone":
                    job.look = _after(job, step, error)
                if job.look.state in ("done", "failed", "gone"):
                    job.steps = None
                self._forget()
                self._changed.notify_all()


def _advanced(job: _Job) -> tuple[Step | None, BaseException | None]:
    """One slice: what it gives, None at the end, or what it raises."""
    try:
        if job.steps is None:
            job.steps = job.work()
        return next(job.steps, None), None
    except Exception as error:
        return None, error


def _after(job: _Job, step: Step | None, error: BaseException | None) -> Look:
    if error is not None:
        return replace(job.look, state="failed", error=error, seconds_left=None)
    if step is None:
        return replace(job.look, state="done", seconds_left=0.0)
    left = job.seconds / step.done * (step.total - step.done) if step.done else None
    return Look("running", step.answer, step.done, step.total, left)
