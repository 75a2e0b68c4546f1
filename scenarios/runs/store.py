"""The store of one run: create or open it, write and read parts, finish it.

Every file appears whole or not at all, so a run that was killed goes on where it stopped and ends in the same bytes. All parts have
the same columns: a part that brings new ones widens those before it, so that any reader of Parquet takes them as one table.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

from scenarios.problems import CaseError, Problem
from scenarios.runs import files
from scenarios.runs.manifest import (
    FILE,
    POSTERIOR,
    SCHEMA_VERSION,
    Manifest,
    evidence_differences,
    input_differences,
    luck_differences,
    read_manifest,
    version_differences,
)

if TYPE_CHECKING:
    from scenarios.records import Record

RESULT = "result.json"
PARTS = "parts"
SUFFIX = ".parquet"
MAGIC = b"PAR1"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,99}")
_RESUME = (
    "check the folder, its permissions and the space on the disk, then run the same command again: it goes on where it stopped"
)


class Store:
    """One run folder. Use it as a context manager, or close it, to give the lock back; a killed process gives it back as well."""

    def __init__(self, folder: Path, manifest: Manifest, lock: IO[bytes] | None = None, writing: bool = False) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = lock
        self._writing = writing
        self._columns: set[str] = set()
        self._one_at_a_time = threading.RLock()

    # -- making, opening, closing

    @classmethod
    def create(cls, folder: Path, manifest: Manifest, attach: Callable[[Path], None] | None = None) -> Store:
        """A new run, locked for writing; the folder appears with its manifest.

        Raises CaseError: E601 if the folder is there and not empty, or the current one, E602 if it cannot be written.
        """
        target = folder.resolve()
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise _exists(folder)
        if Path.cwd().is_relative_to(target):
            raise CaseError(
                str(folder), [Problem("E601", "", "exists already: it is the folder you are in", "name a new folder inside it")]
            )
        with files.plainly(str(folder), "check the folder, its permissions and the space on the disk"):
            target.parent.mkdir(parents=True, exist_ok=True)
            files.sweep_drafts_of(target)
            draft = files.draft_of(target)
            try:
                lock = _fill(draft, manifest)
                if attach is not None:
                    attach(draft)
                if target.exists():
                    target.rmdir()
                draft.rename(target)
            except OSError:
                shutil.rmtree(draft, ignore_errors=True)
                if target.is_dir() and any(target.iterdir()):
                    raise _exists(folder) from None
                raise
            files.sync_folder(target.parent)
        return cls(folder, manifest, lock, writing=True)

    @classmethod
    def open(cls, folder: Path, writing: bool = False) -> Store:
        """An existing run. `writing`: lock it and remove what a killed process left; else that happens at the first write.

        Raises CaseError: E701 if it has no usable manifest, E704 if another process is working on it.
        """
        store = cls(folder, read_manifest(folder))
        if writing:
            store._to_write()
        return store

    def close(self) -> None:
        """Gives the lock back."""
        files.unlock(self.folder, self._lock)
        self._lock, self._writing = None, False

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _to_write(self) -> None:
        """Takes the lock, removes leftovers, and gives all parts the same columns."""
        with self._one_at_a_time:
            if self._writing:
                return
            with files.plainly(str(self.folder), _RESUME):
                self._lock = files.lock(self.folder, str(self.folder))
                self._writing = True
                try:
                    files.sweep(self.folder)
                    (self.folder / PARTS).mkdir(exist_ok=True)
                    self._widen()
                except BaseException:
                    self.close()
                    raise

    # -- parts

    def parts(self) -> list[str]:
        """The names of all parts, sorted."""
        return sorted(p.name.removesuffix(SUFFIX) for p in (self.folder / PARTS).glob(f"[!.]*{SUFFIX}"))

    def has(self, name: str) -> bool:
        """Whether a part is there and complete. A file that something cut off counts as missing, so that a resumed run writes it anew."""
        try:
            with self._path(name).open("rb") as file:
                start = file.read(len(MAGIC))
                size = file.seek(0, 2)
                file.seek(max(0, size - 8))
                end = file.read()
        except OSError:
            return False
        return start == end[4:] == MAGIC and int.from_bytes(end[:4], "little") + 12 <= size

    def write(self, name: str, rows: Sequence[Record]) -> None:
        """Writes a part whole or not at all; an older one of the name is replaced.

        Raises CaseError (E602: disk full, …); the run then stays as it was and can be resumed.
        """
        from scenarios.records import columns, encode

        path = self._path(name)
        with self._one_at_a_time:
            self._to_write()
            own = set(columns(rows))
            with files.plainly(str(path), _RESUME):
                files.write_whole(path, encode(rows, self._columns | own))
            if not own <= self._columns:
                self._widen()

    def read(self, name: str) -> list[Record]:
        """The records of a part. Raises CaseError (E702) if it is missing or damaged; the message names it and what to do."""
        from scenarios.records import DamagedError, decode

        path = self._path(name)
        try:
            return decode(path)
        except FileNotFoundError:
            raise _damaged(path, "is missing", "run the same command again: only this part is computed anew") from None
        except OSError as error:
            raise _damaged(path, f"cannot be read: {error.strerror or error}", "check its permissions") from None
        except DamagedError:
            what = "its content is not what was written" if self.has(name) else "it was cut off, or is no Parquet file"
            remedy = "delete this file and run the same command again: only this part is computed anew"
            raise _damaged(path, f"is damaged: {what}", remedy) from None

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f'"{name}" cannot be the name of a part')
        return self.folder / PARTS / f"{name}{SUFFIX}"

    def _widen(self) -> None:
        """Gives every complete part the columns of all parts; damaged ones are left for `read` to name."""
        parts = self.parts()
        if not parts:
            return
        from scenarios.records import DamagedError, column_names, decode, encode

        held: dict[Path, set[str]] = {}
        for name in parts:
            try:
                held[self._path(name)] = set(column_names(self._path(name)))
            except (DamagedError, ValueError, OSError):
                continue
        self._columns = self._columns.union(*held.values())
        for path in [path for path, names in held.items() if names != self._columns]:
            try:
                data = encode(decode(path), self._columns)
            except (DamagedError, OSError):
                continue
            with files.plainly(str(path), _RESUME):
                files.write_whole(path, data)

    # -- the whole run

    def require_same(self, manifest: Manifest) -> None:
        """Refuses to go on with other inputs, evidence, versions, seed or draws. Raises CaseError (E703) that names every difference."""
        mine = self.manifest
        found = [("scenario", mine.scenario, manifest.scenario)] if mine.scenario != manifest.scenario else []
        if mine.scenario_hash != manifest.scenario_hash:
            found.append(("scenario_hash", mine.scenario_hash, manifest.scenario_hash))
        for differences in (input_differences, evidence_differences, version_differences, luck_differences):
            found += differences(mine, manifest)
        if found:
            problems = [Problem("E703", place, f"is {first} in this run, but {second} now") for place, first, second in found]
            last, remedy = problems[-1], "a run never mixes them: name another folder, or go back to what it was"
            raise CaseError(str(self.folder), [*problems[:-1], Problem(last.code, last.place, last.message, remedy)])

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Writes result.json: the run is done. `probability`, `low` and `high` of it are shown by `runs list` and `runs diff`.

        Raises CaseError (E602) if it cannot be written, ValueError if the summary holds what JSON cannot.
        """
        data = {"schema_version": SCHEMA_VERSION, **summary}
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        self._to_write()
        with files.plainly(str(self.folder / RESULT), _RESUME):
            files.write_whole(self.folder / RESULT, text.encode())

    @property
    def finished(self) -> bool:
        """Whether the run is done."""
        return (self.folder / RESULT).is_file()

    def result(self) -> dict[str, Any] | None:
        """What `finish` wrote; None while the run is not done. Raises CaseError (E701) if it cannot be read."""
        path = self.folder / RESULT
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            what = error.strerror if isinstance(error, OSError) else "is not JSON"
            remedy = "delete this file and run the same command again: it is made anew from the parts"
            raise CaseError(str(path), [Problem("E701", "", f"cannot be read: {what}", remedy)]) from None
        return data if isinstance(data, dict) else {}


def _fill(draft: Path, manifest: Manifest) -> IO[bytes] | None:
    """A locked folder with an empty `parts` and the manifest."""
    draft.mkdir()
    lock = files.lock(draft, str(draft))
    try:
        (draft / PARTS).mkdir()
        files.write_whole(draft / FILE, manifest.text().encode())
    except OSError:
        files.unlock(draft, lock)
        raise
    return lock


def _exists(folder: Path) -> CaseError:
    remedy = "name a folder that does not exist yet; pilotproof runs list shows the runs that are there"
    return CaseError(str(folder), [Problem("E601", "", "exists already and is not empty", remedy)])


def _damaged(path: Path, message: str, remedy: str) -> CaseError:
    return CaseError(str(path), [Problem("E702", "", message, remedy)])


# -- removing


def remove(folder: Path) -> None:
    """Removes a run; it disappears as a whole. Raises CaseError if it is no run (E701), holds other files (E705), or is in use (E704)."""
    if folder.is_symlink():
        raise CaseError(str(folder), [Problem("E705", "", "is a link, not a run folder", "name the folder itself")])
    require_run(folder)
    target = folder.resolve()
    with files.plainly(str(folder), "check its permissions"):
        lock = files.lock(target, str(folder))
        draft = files.draft_of(target)
        try:
            target.rename(draft)
        except OSError:
            files.unlock(target, lock)
            raise
        shutil.rmtree(draft)
        if lock is not None:
            lock.close()


def require_run(folder: Path) -> None:
    """Refuses to touch what is no run folder, or one that holds anything else. Raises CaseError (E701, E705)."""
    read_manifest(folder)
    own = {FILE, RESULT, PARTS, POSTERIOR, files.LOCK}
    foreign = [p.name for p in folder.iterdir() if p.name not in own and not p.name.startswith(files.DRAFT)]
    if (folder / PARTS).is_dir():
        inside = (folder / PARTS).iterdir()
        foreign += [f"{PARTS}/{p.name}" for p in inside if p.suffix != SUFFIX and not p.name.startswith(files.DRAFT)]
    if foreign:
        names = ", ".join(sorted(foreign)[:5]) + (" …" if len(foreign) > 5 else "")
        remedy = "move them elsewhere first"
        raise CaseError(str(folder), [Problem("E705", "", f"holds files that are not of the run: {names}", remedy)])
