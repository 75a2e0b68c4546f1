"""Cases of visitors: each is a case folder of its own that nobody else is given, and that is gone when it was left or the process ends.

The folders lie in memory where the system offers that, so that evidence touches no disk unless somebody saves it.
"""

from __future__ import annotations

import atexit
import hmac
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from scenarios.catalogue import DEFAULT
from scenarios.problems import CaseError, Problem

IN_MEMORY = Path("/dev/shm")
IDLE_SECONDS = 4 * 3_600
MOST = 200
MAX_NAME_BYTES = 200
"""File systems end at 255; what is written beside a file for a moment has a longer name."""


PREFIX = "pilotproof-cases-"


def _remove_left_behind(place: Path) -> None:
    """Removes what processes that were killed could not remove themselves."""
    for folder in place.glob(f"{PREFIX}*"):
        process = folder.name.removeprefix(PREFIX).partition("-")[0]
        if process.isdigit() and not _runs(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


@dataclass(slots=True)
class _Held:
    place: Path
    """All that is removed with the case."""
    name: str
    owner: str
    seen: float

    @property
    def folder(self) -> Path:
        """The case itself."""
        return self.place / self.name


class Workspaces:
    """All case folders of a process. Safe to call from any thread.

    idle_seconds: a folder that nobody asked for so long is given up · most: how many there may be at once
    """

    def __init__(self, idle_seconds: float = IDLE_SECONDS, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        place = IN_MEMORY if IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) else None
        _remove_left_behind(place or Path(tempfile.gettempdir()))
        self.root = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=place))
        self._limits, self._clock = (idle_seconds, most), clock
        self._held: dict[str, _Held] = {}
        self._lock = Lock()
        atexit.register(self.close)

    def make(self, owner: str, make: Callable[[Path], object], name: str = "my_case") -> str:
        """A new folder, filled by `make`, which is given a place that does not exist yet; returns the secret by which it is found again.

        `owner`: who may find it. Raises CaseError, also if there are too many; then nothing is left behind.
        """
        _check_name(name)
        token = secrets.token_hex(16)
        place = self.root / token
        with self._lock:
            self._give_up_idle()
            if len(self._held) >= self._limits[1]:
                full = Problem("E602", "", f"{len(self._held)} cases are open on this server already", "try again later")
                raise CaseError(name, [full])
            self._held[token] = _Held(place, name, owner, self._clock())
        try:
            place.mkdir(mode=0o700)
            make(place / name)
        except BaseException:
            self.leave(token)
            raise
        return token

    def find(self, token: str, owner: str) -> Path | None:
        """The folder of a secret, if it is there and this owner's."""
        with self._lock:
            self._give_up_idle()
            held = self._held.get(token)
            if held is None or not hmac.compare_digest(held.owner.encode(), owner.encode()):
                return None
            held.seen = self._clock()
            return held.folder

    def leave(self, token: str) -> None:
        """Removes a folder with all that is in it."""
        with self._lock:
            held = self._held.pop(token, None)
        if held is not None:
            shutil.rmtree(held.place, ignore_errors=True)

    def close(self) -> None:
        """Removes everything."""
        with self._lock:
            self._held.clear()
        shutil.rmtree(self.root, ignore_errors=True)

    def _give_up_idle(self) -> None:
        late = self._clock() - self._limits[0]
        for token in [token for token, held in self._held.items() if held.seen < late]:
            shutil.rmtree(self._held.pop(token).place, ignore_errors=True)


def _check_name(name: str) -> None:
    """A name must be one plain part of a path: any other would be another place of this computer. Raises CaseError."""
    plain = name.isprintable() and not {"/", "\\"} & set(name) and name not in ("", ".", "..")
    if not plain or len(name.encode()) > MAX_NAME_BYTES:
        shown = "".join(c if c.isprintable() else "?" for c in name[:60])
        remedy = "use letters, digits and underscores, for example my_case"
        raise CaseError(shown or "case", [Problem("E602", "", "is no name for the folder of a case", remedy)])


def from_scenario(name: str = DEFAULT) -> Callable[[Path], object]:
    """Fills a folder with a copy of a scenario; all its numbers become guesses."""

    def make(folder: Path) -> None:
        from scenarios.case_folder import new_case

        new_case(folder, name)

    return make


def from_folder(source: Path) -> Callable[[Path], object]:
    """Fills a folder with a copy of another case folder or case file, without its kept runs."""

    def make(folder: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, folder, ignore=shutil.ignore_patterns("runs", ".*"))
        else:
            folder.mkdir()
            shutil.copyfile(source, folder / "case.toml")
        for part in ("evidence", "runs"):
            (folder / part).mkdir(exist_ok=True)

    return make
