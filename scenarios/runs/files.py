"""Files of a run that appear whole or not at all, and the lock that keeps two processes apart."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from scenarios.problems import CaseError, Problem

DRAFT = ".tmp-"
"""How the name of an unfinished file starts; readers of Parquet folders pass over names with a dot in front."""
LOCK = ".lock"


def draft_of(path: Path) -> Path:
    """A name beside `path` for its unfinished form."""
    return path.with_name(f"{DRAFT}{path.name}-{secrets.token_hex(4)}")


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all, and to the disk. Raises OSError; then the old file stays and no other is left."""
    draft = draft_of(path)
    try:
        with draft.open("xb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Brings the names in a folder to the disk, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def plainly(name: str, remedy: str) -> Iterator[None]:
    """Turns an OSError into a CaseError (E602) that names the file."""
    try:
        yield
    except OSError as error:
        message = f"cannot be written: {error.strerror or error}"
        raise CaseError(name, [Problem("E602", "", message, remedy)]) from None


# -- the lock


def lock(folder: Path, name: str) -> IO[bytes] | None:
    """Locks a run folder for this process until the handle is closed or the process ends.

    None where the system has no such locks. Raises CaseError (E704) if another one holds it, OSError if it cannot be made.
    """
    try:
        import fcntl
    except ImportError:
        return None
    while True:
        handle = (folder / LOCK).open("ab")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            remedy = "wait until it is done, or stop it; then run the same command again"
            raise CaseError(name, [Problem("E704", "", "another process is working on this run", remedy)]) from None
        except OSError:
            handle.close()
            return None
        if _is_still(folder / LOCK, handle):
            return handle
        handle.close()


def _is_still(path: Path, handle: IO[bytes]) -> bool:
    """Whether the locked file is the one that others will find."""
    try:
        return os.path.samestat(path.stat(), os.fstat(handle.fileno()))
    except FileNotFoundError:
        return False


def unlock(folder: Path, handle: IO[bytes] | None) -> None:
    """Gives the lock back; its file goes first, while nobody else can hold it."""
    if handle is not None:
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink(missing_ok=True)
        handle.close()


# -- leftovers of killed processes


def sweep(folder: Path) -> None:
    """Removes unfinished files in a locked run folder."""
    for path in [*folder.glob(f"{DRAFT}*"), *folder.glob(f"parts/{DRAFT}*")]:
        with contextlib.suppress(OSError):
            path.unlink()


def sweep_drafts_of(folder: Path) -> None:
    """Removes unfinished forms of a whole run folder, unless a process is still at work in one."""
    for draft in [path for path in folder.parent.iterdir() if path.name.startswith(f"{DRAFT}{folder.name}-")]:
        with contextlib.suppress(OSError, CaseError):
            handle = lock(draft, str(draft))
            shutil.rmtree(draft, ignore_errors=True)
            unlock(draft, handle)
