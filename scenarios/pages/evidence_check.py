"""The check of the files of a case as a job: few at once, in a process of its own, ended when nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Semaphore

from scenarios.evidence import apart
from scenarios.jobs import Step, Work

WAIT_SECONDS = 0.1


def check_work(folder: Path, turn: Semaphore) -> Work:
    """The job; its answer is a `Checked`."""

    def steps() -> Iterator[Step]:
        while not turn.acquire(timeout=WAIT_SECONDS):
            yield Step(None, 0, 1)
        try:
            with closing(apart.checking(folder)) as found:
                for answer in found:
                    yield Step(answer, 0 if answer is None else 1, 1)
        finally:
            turn.release()

    return steps


def check_key(folder: Path) -> Hashable:
    """Another one as soon as a file of the case is another one."""
    files = [folder / "case.toml", *sorted(p for p in (folder / "evidence").glob("*") if not p.name.startswith("."))]
    return "check", str(folder), tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files if f.is_file())
