"""Simulated futures as rows of flat columns, and back: the Parquet parts of a run.

Bytes depend on the records, on the columns asked for, and on the version of pyarrow: fixed compression, no pandas or Arrow metadata,
no clock times. Every page carries a checksum, which is verified when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.outcomes import Outcome

KEYS = ("draw", "arm", "replication", "future", "rejected")
"""The columns that every row fills."""
NUMBERS = ("figures", "days", "step_days", "step_visits", "by_type", "by_week", "by_ai")
"""Mappings of an outcome to a number: a column a key, named `days.queue`."""
SERIES = ("utilisation", "mean_queue")
"""Mappings of an outcome to a number a week: a list column a key."""
ARRAYS = ("weeks", "backlog")
"""Whole numbers a week: a list column each."""
GROUPS = (*NUMBERS, *SERIES, *ARRAYS, "baseline")
"""All that a row may leave empty, in the order of the columns."""


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One simulated future of one arm under one draw, or a draw that could not be simulated.

    outcome: None exactly if `rejected` says why · baseline: name -> number, what the draw was solved to.
    """

    draw: int
    arm: str
    replication: int
    future: int
    outcome: Outcome | None
    rejected: str
    baseline: Mapping[str, float]

    def __post_init__(self) -> None:
        if (self.outcome is None) != bool(self.rejected):
            raise ValueError("a record has either an outcome or a reason why its draw was rejected")


class DamagedError(ValueError):
    """Bytes that are no complete part of a run."""


def columns(rows: Iterable[Record]) -> tuple[str, ...]:
    """The columns that some row fills beside KEYS: group by group, within a group in the order in which they come first."""
    found: dict[str, dict[str, None]] = {group: {} for group in GROUPS}
    for row in rows:
        for group, keys in _filled(row):
            found[group].update(dict.fromkeys(keys))
    return tuple(name for names in found.values() for name in names)


def _filled(row: Record) -> Iterator[tuple[str, list[str]]]:
    yield "baseline", [f"baseline.{key}" for key in row.baseline]
    if row.outcome is not None:
        for group in (*NUMBERS, *SERIES):
            yield group, [f"{group}.{key}" for key in getattr(row.outcome, group)]
        for name in ARRAYS:
            yield name, [name]


def encode(rows: Sequence[Record], also: Iterable[str] = ()) -> bytes:
    """Parquet of the rows in their order. `also`: columns of other parts, which come empty, so that all parts have the same."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _ordered(columns(rows), also)
    types = _types(pa)
    arrays = [pa.array([getattr(row, key) for row in rows], types[key]) for key in KEYS]
    arrays += [pa.array(_cells(rows, name), types[_group(name)]) for name in names]
    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_arrays(arrays, [*KEYS, *names]),
        sink,
        compression="zstd",
        use_dictionary=False,
        write_statistics=False,
        write_page_checksum=True,
        store_schema=False,
        row_group_size=max(1, len(rows)),
    )
    return bytes(sink.getvalue())


def _ordered(own: Sequence[str], also: Iterable[str]) -> list[str]:
    """All columns, group by group; the rows' own come first, the others by name."""
    rest = sorted(set(also).difference(own))
    return [name for group in GROUPS for names in (own, rest) for name in names if _group(name) == group]


def _group(name: str) -> str:
    return name.partition(".")[0]


def _types(pa: Any) -> dict[str, Any]:
    """Column or group -> its Arrow type."""
    whole, text, number = pa.int64(), pa.string(), pa.float64()
    return {
        **dict.fromkeys(KEYS, whole),
        "arm": text,
        "rejected": text,
        **dict.fromkeys((*NUMBERS, "baseline"), number),
        **dict.fromkeys(SERIES, pa.list_(number)),
        **dict.fromkeys(ARRAYS, pa.list_(whole)),
    }


def _cells(rows: Sequence[Record], name: str) -> list[Any]:
    """What the rows hold in a column; None if nothing."""
    group, _, key = name.partition(".")
    if group == "baseline":
        return [row.baseline.get(key) for row in rows]
    parts = [None if row.outcome is None else getattr(row.outcome, group) for row in rows]
    if group in ARRAYS:
        return parts
    wanted: int | str = int(key) if group == "by_week" else key
    return [None if part is None else part.get(wanted) for part in parts]


# -- reading


def column_names(path: Path) -> tuple[str, ...]:
    """The columns of a part beside KEYS. Raises DamagedError, or OSError if it cannot be opened."""
    import pyarrow.parquet as pq

    names = _guarded(path, lambda file: pq.read_schema(file).names)
    return tuple(name for name in names if name not in KEYS)


def decode(path: Path) -> list[Record]:
    """The records of a part, equal bit for bit to those written. Raises DamagedError, or OSError if it cannot be opened."""
    import pyarrow.parquet as pq

    return list(_guarded(path, lambda file: _rows(pq.ParquetFile(file, page_checksum_verification=True).read())))


def _guarded(path: Path, read: Callable[[Any], Any]) -> Any:
    """Whatever a reader gives; all that damaged bytes can raise becomes DamagedError."""
    import pyarrow as pa

    with path.open("rb") as file:
        try:
            return read(file)
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise DamagedError(str(error).split("\n", 1)[0]) from None


def _rows(table: Any) -> list[Record]:
    groups: dict[str, dict[Any, list[Any]]] = {group: {} for group in GROUPS}
    for name in table.column_names:
        group, _, key = name.partition(".")
        if group in groups:
            groups[group][int(key) if group == "by_week" else key] = _values(table.column(name), group)
    keys = [table.column(key).to_pylist() for key in KEYS]
    weeks = groups["weeks"].get("", [None] * table.num_rows)
    rows = []
    for i, (draw, arm, replication, future, rejected) in enumerate(zip(*keys, strict=True)):
        result = None if weeks[i] is None else _outcome(groups, i)
        rows.append(Record(draw, arm, replication, future, result, rejected, _at(groups["baseline"], i)))
    return rows


def _outcome(groups: Mapping[str, Mapping[Any, list[Any]]], i: int) -> Outcome:
    fields: dict[str, Any] = {group: _at(groups[group], i) for group in (*NUMBERS, *SERIES)}
    return Outcome(**fields, **{name: groups[name][""][i] for name in ARRAYS})


def _at(group: Mapping[Any, list[Any]], i: int) -> dict[Any, Any]:
    """The cells of row i that are not empty, in the order of the columns."""
    return {key: values[i] for key, values in group.items() if values[i] is not None}


def _values(column: Any, group: str) -> list[Any]:
    """The cells of a column: numbers, or an array each; None where empty."""
    if group not in (*SERIES, *ARRAYS):
        return list(column.to_pylist())
    cells = column.combine_chunks()
    flat = np.asarray(cells.values.to_numpy(zero_copy_only=False), dtype=np.int64 if group in ARRAYS else np.float64)
    starts, there = cells.offsets.to_numpy().tolist(), cells.is_valid().to_pylist()
    return [flat[starts[i] : starts[i + 1]].copy() if there[i] else None for i in range(len(cells))]
