"""Learning from files of evidence, and other work that cannot be cut into slices: a thread of its own, one at a time, the others wait.

A job of `scenarios.jobs` only looks at its thread every moment, so the jobs of other pages are not held up. The store of such jobs is
its own, because looking takes its worker's time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Semaphore, Thread
from typing import Any, Literal

from models.fits.seam import Sampling, StoppedError
from scenarios.case_folder import RUNS
from scenarios.fitting import fit_folder
from scenarios.jobs import Step, Work
from scenarios.posterior_file import FILE, evidence_hashes
from scenarios.problems import CaseError, Problem

LOOK_SECONDS = 0.2
FITS = {
    "accuracy": "how often the AI is right",
    "catch": "how many errors reviewers notice",
    "service": "how long work takes",
    "outside": "how long answers from outside take",
    "latency": "calls and outages of connected systems",
    "approvals": "how long approvers take",
    "shares": "how often things happen",
    "quality": "defects of the data",
    "arrivals": "how many cases come",
    "readiness": "what is under control before go-live",
    "drift": "what changes after go-live",
    "experts": "what experts say",
    "baseline": "today's result",
}
"""Name of a fit → what it learns, for the screen."""

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """What a thread is at. state: another one's work is waited for, it is at work, or it has ended · part: of the work, in words
    done, total: parts (total 0: not known yet) · seconds: since it was asked for · result: None before the end."""

    state: Literal["waits", "works", "ended"]
    part: str
    done: int
    total: int
    seconds: float
    result: Any = None


@dataclass(slots=True, eq=False)
class _Told:
    """What the thread says; each field is written by it alone."""

    stage: tuple[str, int, int] = ("", 0, 0)
    at_work: bool = False
    result: Any = None
    error: BaseException | None = None
    stop: Event = field(default_factory=Event)


class Stopped(Exception):  # noqa: N818
    """The work was given up before it was begun."""


def aside(run: Callable[[Report, Event], Any], turn: Semaphore) -> Work:
    """A job that runs `run(report, stop)` in a thread once it is its turn. When the job is given up, `stop` is set."""

    def steps() -> Iterator[Step]:
        told, begun = _Told(), time.monotonic()
        thread = Thread(target=_work, args=(run, turn, told), name="pilotproof aside", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(LOOK_SECONDS)
                yield _step(told, begun)
            if told.error is not None:
                raise told.error
            yield Step(Stage("ended", "", 1, 1, time.monotonic() - begun, told.result), 1, 1)
        finally:
            told.stop.set()

    return steps


def _step(told: _Told, begun: float) -> Step:
    part, done, total = told.stage
    stage = Stage("works" if told.at_work else "waits", part, done, total, time.monotonic() - begun)
    return Step(stage, done, max(total, 1))


def _work(run: Callable[[Report, Event], Any], turn: Semaphore, told: _Told) -> None:
    try:
        while not turn.acquire(timeout=LOOK_SECONDS):
            if told.stop.is_set():
                return
        try:
            told.at_work = True
            if not told.stop.is_set():
                told.result = run(lambda part, done, total: setattr(told, "stage", (part, done, total)), told.stop)
        finally:
            turn.release()
    except BaseException as error:  # a thread has nobody above it: whoever looks at the job is told
        told.error = error


# -- learning


@dataclass(frozen=True, slots=True)
class Learnt:
    """fresh, kept: fits made now, and taken over since their files did not change · passed: whether an answer may rest on all of them."""

    fresh: tuple[str, ...]
    kept: tuple[str, ...]
    passed: bool


def learning(folder: Path, sampling: Sampling, turn: Semaphore) -> Work:
    """The job that fits the evidence of a case folder and leaves what it found there. It fails with CaseError."""

    def run(report: Report, stop: Event) -> Learnt:
        return learn(folder, sampling, report, stop)

    return aside(run, turn)


def learn(folder: Path, sampling: Sampling, report: Report, stop: Event) -> Learnt:
    """Fits a copy of the case, so that files may be changed meanwhile; what was learned of other files than are there now is not kept.

    Raises CaseError, StoppedError.
    """

    def progress(what: str, done: int, total: int) -> None:
        name = what.partition(" ")[0]
        report(FITS.get(name, ""), done, total)

    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".learning-", ignore_cleanup_errors=True) as place:
            copy = Path(place) / folder.name
            shutil.copytree(folder, copy, copy_function=_linked, ignore=shutil.ignore_patterns(RUNS, ".*"))
            report("", 0, 0)
            fitted = fit_folder(copy, sampling, progress, stop)
            if stop.is_set():
                raise StoppedError
            if not folder.is_dir() or evidence_hashes(copy) != evidence_hashes(folder) or not _same_case(copy, folder):
                what = "files of the case were changed while it was learned from them"
                raise CaseError(folder.name, [Problem("E904", "", what, "learn from them again")])
            (copy / FILE).replace(folder / FILE)
    except CaseError as error:
        raise CaseError(folder.name, error.problems) from None
    except OSError as error:
        raise CaseError(folder.name, [Problem("E901", "", f"cannot be kept: {error.strerror}")]) from None
    return Learnt(fitted.fresh, fitted.kept, fitted.posterior.passed)


def _linked(source: str, target: str) -> None:
    """The same bytes under a second name: files of a case are replaced, never written into."""
    with suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)


def _same_case(one: Path, other: Path) -> bool:
    return (one / "case.toml").read_bytes() == (other / "case.toml").read_bytes()
