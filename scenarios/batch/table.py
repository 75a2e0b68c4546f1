"""The table of a plan: as a frame, as one CSV or Parquet file that appears whole, or as a folder that goes on where it stopped."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

from scenarios.batch.plan import Prepared
from scenarios.batch.work import Part, Row, columns, jobs
from scenarios.problems import CaseError, Problem
from scenarios.runs import files
from scenarios.runs.manifest import versions
from scenarios.store import code_hash

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "batch.json"
PARTS = "parts"
SCHEMA_VERSION = 1
FILES = (".csv", ".parquet")
_SPACE = "check the folder, its permissions and the space on the disk"


class Table(Protocol):
    """Where parts go."""

    def stored(self) -> set[str]:
        """Names of the parts that are there already."""

    def add(self, part: Part) -> None:
        """Takes a part."""

    def read(self, name: str) -> list[Row]:
        """The rows of a stored part."""


class _New:
    """A table that begins empty."""

    def stored(self) -> set[str]:
        return set()

    def read(self, name: str) -> list[Row]:
        raise KeyError(name)


class Frame(_New):
    """Everything in memory."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.tables: list[Any] = []

    def add(self, part: Part) -> None:
        self.tables.append(arrow(self.prepared, part.rows))

    def pandas(self) -> pd.DataFrame:
        """All rows; columns are documented in docs/batch.md."""
        import pyarrow as pa

        frame: pd.DataFrame = pa.concat_tables(self.tables).to_pandas()
        return frame


class _Csv(_New):
    def __init__(self, draft: Path, prepared: Prepared) -> None:
        self.names = [name for name, _ in columns(prepared)]
        self.file = draft.open("x", encoding="utf-8", newline="")
        self.writer = csv.DictWriter(self.file, self.names, lineterminator="\n")
        self.writer.writeheader()

    def add(self, part: Part) -> None:
        self.writer.writerows(part.rows)

    def close(self) -> None:
        self.file.close()


class _Parquet(_New):
    """A row group a part."""

    def __init__(self, draft: Path, prepared: Prepared) -> None:
        import pyarrow.parquet as pq

        self.prepared = prepared
        self.writer = pq.ParquetWriter(draft, schema(prepared), compression="zstd")

    def add(self, part: Part) -> None:
        self.writer.write_table(arrow(self.prepared, part.rows))

    def close(self) -> None:
        self.writer.close()


class Folder:
    """A part a file, in a folder that belongs to one plan; one process at a time works on it."""

    def __init__(self, folder: Path, prepared: Prepared) -> None:
        self.folder, self.prepared = folder, prepared
        self.lock: IO[bytes] | None = None

    def open(self) -> None:
        """Makes the folder, or takes one of the same plan. Raises CaseError: E601, E602, E703, E704."""
        mine = manifest(self.prepared)
        with files.plainly(str(self.folder), _SPACE):
            if self.folder.exists() and not (self.folder / MANIFEST).exists() and any(self.folder.iterdir()):
                raise _refused(str(self.folder), "exists already and is no folder of a batch", "name a new folder")
            (self.folder / PARTS).mkdir(parents=True, exist_ok=True)
            self.lock = files.lock(self.folder, str(self.folder))
            files.sweep(self.folder)
            if (self.folder / MANIFEST).exists():
                self._require_same(mine)
            else:
                files.write_whole(self.folder / MANIFEST, _text(mine).encode())

    def _require_same(self, mine: dict[str, Any]) -> None:
        try:
            theirs = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
        except ValueError:
            theirs = {}
        found = list(_differences("", theirs, mine))
        if found:
            remedy = "a folder never mixes them: name another one, or go back to what it was"
            problems = [Problem("E703", place, f"is {a} in this folder, but {b} now") for place, a, b in found]
            problems[-1] = Problem("E703", problems[-1].place, problems[-1].message, remedy)
            raise CaseError(str(self.folder), problems)

    def close(self) -> None:
        files.unlock(self.folder, self.lock)
        self.lock = None

    def stored(self) -> set[str]:
        return {p.stem for p in (self.folder / PARTS).glob("[!.]*.parquet")} & {job.name for job in jobs(self.prepared)}

    def add(self, part: Part) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path, sink = self._path(part.job.name), pa.BufferOutputStream()
        table = arrow(self.prepared, part.rows)
        pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=False)
        with files.plainly(str(path), f"{_SPACE}, then run the same command again: it goes on where it stopped"):
            files.write_whole(path, bytes(sink.getvalue()))

    def read(self, name: str) -> list[Row]:
        rows: list[Row] = self._read(name).to_pylist()
        return rows

    def pandas(self) -> pd.DataFrame:
        """All rows of all parts."""
        import pyarrow as pa

        frame: pd.DataFrame = pa.concat_tables([self._read(job.name) for job in jobs(self.prepared)]).to_pandas()
        return frame

    def _read(self, name: str) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self._path(name)
        try:
            return pq.ParquetFile(path, page_checksum_verification=True).read().select(schema(self.prepared).names)
        except (pa.ArrowException, OSError, ValueError, KeyError):
            remedy = "delete this file and run the same command again: only this part is computed anew"
            raise CaseError(str(path), [Problem("E702", "", "is damaged", remedy)]) from None

    def _path(self, name: str) -> Path:
        return self.folder / PARTS / f"{name}.parquet"


# -- opening


def refuse(out: Path | None) -> None:
    """Refuses a place that cannot take the table, before anything is computed. Raises CaseError (E601)."""
    if out is None or out.is_dir() or not out.suffix:
        return
    if out.suffix not in FILES:
        remedy = "name a file that ends in .csv or .parquet, or a folder (a name without a dot)"
        raise _refused(str(out), f'ends in "{out.suffix}", which is no kind of table', remedy)
    if out.exists():
        raise _refused(str(out), "exists already", "name a file that does not exist yet, or remove it")


@contextmanager
def opened(prepared: Prepared, out: Path | None) -> Iterator[Table]:
    """The table at a place: in memory, one file, or a folder. A file appears when all is done. Raises CaseError, OSError."""
    refuse(out)
    if out is None:
        yield Frame(prepared)
    elif out.suffix in FILES and not out.is_dir():
        with _file(prepared, out) as table:
            yield table
    else:
        folder = Folder(out, prepared)
        try:
            folder.open()
            yield folder
        finally:
            folder.close()


@contextmanager
def _file(prepared: Prepared, out: Path) -> Iterator[Table]:
    draft = files.draft_of(out)
    table: _Csv | _Parquet
    try:
        with files.plainly(str(out), _SPACE):
            table = (_Csv if out.suffix == ".csv" else _Parquet)(draft, prepared)
            try:
                yield table
            finally:
                table.close()
            draft.replace(out)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _refused(file: str, message: str, remedy: str) -> CaseError:
    return CaseError(file, [Problem("E601", "", message, remedy)])


# -- what is written


def schema(prepared: Prepared) -> Any:
    """The columns with their Arrow types."""
    import pyarrow as pa

    return pa.schema([(name, kind(pa)) for name, kind in columns(prepared)])


def arrow(prepared: Prepared, rows: list[Row]) -> Any:
    """Rows as an Arrow table."""
    import pyarrow as pa

    return pa.Table.from_pylist(rows, schema=schema(prepared))


def manifest(prepared: Prepared) -> dict[str, Any]:
    """All that the figures of a folder depend on; no clock times, no paths but those in the plan."""
    plan = prepared.plan.model_dump(mode="json", exclude_none=True)
    cases = {loaded.file: loaded.hash for loaded in prepared.cases}
    return {"schema_version": SCHEMA_VERSION, "plan": plan, "cases": cases, "versions": versions(), "code": code_hash()}


def _text(data: dict[str, Any]) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _differences(place: str, a: Any, b: Any) -> Iterator[tuple[str, str, str]]:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in dict.fromkeys([*a, *b]):
            yield from _differences(f"{place}.{key}" if place else str(key), a.get(key), b.get(key))
    elif a != b:
        first, second = ("not there" if v is None else json.dumps(v, ensure_ascii=False)[:60] for v in (a, b))
        yield place, first, second
