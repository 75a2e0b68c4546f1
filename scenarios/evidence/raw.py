"""The cells of a file before anything is known of their meaning: columns of distinct values, and for each row which one it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]


class UnreadableError(ValueError):
    """A file that cannot be read at all: stable code, what is wrong, what would be right, and the line if it is known."""

    def __init__(self, code: str, message: str, remedy: str = "", row: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.remedy, self.row = code, message, remedy, row


@dataclass(frozen=True, slots=True)
class CellError:
    """A cell that a spreadsheet program could not compute; `message` says what it holds."""

    message: str


@dataclass(frozen=True, slots=True, eq=False)
class RawColumn:
    """`values`: the distinct cells (text without blanks around it, or a typed value; None = empty) · `codes`: row → place in `values`."""

    values: tuple[Any, ...]
    codes: Codes

    def expand(self, found: NDArray[Any]) -> NDArray[Any]:
        """What was found for each distinct value, a row each."""
        return found[self.codes] if len(self.values) else found[:0]

    def take(self, keep: NDArray[np.bool_]) -> RawColumn:
        return RawColumn(self.values, self.codes[keep])

    def cell(self, row: int) -> Any:
        return self.values[self.codes[row]]


@dataclass(frozen=True, slots=True, eq=False)
class RawTable:
    """`columns`: header → cells, in the order of the file · `lines`: line of the file of each row · `ragged`: line → number of cells.

    `doubled`: headers that occur twice (only the first is in `columns`) · `unnamed`: numbers of columns without a header that hold cells
    """

    columns: Mapping[str, RawColumn]
    lines: NDArray[np.int64]
    ragged: Mapping[int, int]
    doubled: tuple[str, ...] = ()
    unnamed: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.lines)


class Encoder:
    """Collects the cells of one column as distinct values. Values of different types stay apart, even if they compare equal."""

    def __init__(self) -> None:
        self._known: dict[Any, int] = {}
        self._parts: list[Codes] = []

    def add(self, cells: Iterable[Any]) -> None:
        """Appends cells: text, or keys (type, value) for typed values."""
        known = self._known
        self._parts.append(np.fromiter((known.setdefault(cell, len(known)) for cell in cells), dtype=np.int32))

    def column(self) -> RawColumn:
        codes = np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=np.int32)
        return RawColumn(tuple(_plain(cell) for cell in self._known), codes)


def _plain(cell: Any) -> Any:
    value = cell[1] if isinstance(cell, tuple) else cell
    if isinstance(value, str):
        text = value.strip(BLANKS)
        return CellError(f"holds the error {text}") if text.startswith("#") and text in ERRORS else text or None
    return value


BLANKS = " \t\r\n\u00a0\u202f\ufeff"
ERRORS = (
    "#DIV/0!",
    "#N/A",
    "#NV",
    "#NAME?",
    "#NULL!",
    "#NUM!",
    "#REF!",
    "#VALUE!",
    "#WERT!",
    "#BEZUG!",
    "#ZAHL!",
    "#SPILL!",
    "#CALC!",
)
"""What spreadsheet programs write into a cell that they could not compute."""


def headed(names: Sequence[Any], line: int) -> tuple[list[str], tuple[str, ...]]:
    """The names of a header line ("" = none), and those that occur twice. Raises UnreadableError if it is no header."""
    texts = ["" if name is None else " ".join(str(name).split()) for name in names]
    if not any(texts):
        raise UnreadableError("E512", "has no header", "the first line names the columns", line)
    first, doubled = dict[str, str](), []
    for name in filter(None, texts):
        if name.lower() in first:
            doubled.append(first[name.lower()])
        first.setdefault(name.lower(), name)
    return texts, tuple(dict.fromkeys(doubled))


def table_of(
    header: Sequence[str], columns: Sequence[RawColumn], lines: NDArray[np.int64], ragged: Mapping[int, int],
    doubled: tuple[str, ...], notes: tuple[str, ...] = (),
) -> RawTable:  # fmt: skip
    """Puts columns under their headers; a column without one is only named if it holds anything."""
    named: dict[str, RawColumn] = {}
    lower: set[str] = set()
    unnamed = []
    for number, (name, column) in enumerate(zip(header, columns, strict=True), 1):
        if name and name.lower() not in lower:
            named[name] = column
            lower.add(name.lower())
        elif name:
            continue
        elif any(column.values[code] is not None for code in np.unique(column.codes)):
            unnamed.append(number)
    return RawTable(named, lines, ragged, doubled, tuple(unnamed), notes)
