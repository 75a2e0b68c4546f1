"""A file of evidence as checked columns, and what a kind of file consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ColumnKind = Literal["text", "choice", "name", "day", "time", "count", "number", "share", "amount", "flag"]
"""How the cells of a column are read.

text: any short text · choice: one of `choices` · name: something the case file names (`names`: types, steps, systems, parameters)
day: a date · time: a date, or date and time of day · count: a whole number ≥ 0 · number: a finite number
share: 0 to 1, or per cent · amount: money · flag: yes or no
"""


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """One column of a kind of file. `informs`: in words, what its values are evidence about (empty: it only groups rows).

    `fits`: for steps, which kinds of step it may name · `person`: it names people, so it is kept as a pseudonym only
    """

    name: str
    kind: ColumnKind
    meaning: str
    informs: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    names: Literal["", "types", "steps", "systems", "parameters", "defects"] = ""
    default: float | str | None = None
    fits: tuple[str, ...] = ()
    person: bool = False


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of evidence file. `example`: rows that fit the default scenario, one cell a column, in the order of `columns`."""

    name: str
    title: str
    meaning: str
    columns: tuple[ColumnSpec, ...]
    likelihood: str
    example: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> ColumnSpec:
        """The column of that name. Raises KeyError."""
        return next(c for c in self.columns if c.name == name)


@dataclass(frozen=True, slots=True)
class Selection:
    """How the rows of a file of dates were chosen: all whose arrival (or end) lies in [first, until), UTC seconds.

    `of`: whether that is the end of the row itself, or of the whole case that the row belongs to.
    """

    by: Literal["arrival", "end"]
    first: float
    until: float
    of: Literal["row", "case"] = "row"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The rows of one file that were read without a defect.

    `columns`: only those that the file has, by kind of column:
    text, choice, name → object array of str ("" = empty) · count, number, share, amount → float64 (NaN = empty)
    flag → float64 of 0, 1, NaN · day, time → float64 of shape (rows, 2): seconds since 1970 UTC, [earliest, latest) that the cell
    can mean (a date alone is a day long, a time to the minute a minute), NaN = empty.
    `lines`: the line of the file (its header is line 1) of each row; 0 for a row that sums up several.
    `selection`: how its rows were chosen, None if nobody said.
    """

    kind: FileKind
    file: str
    columns: Mapping[str, NDArray[np.float64] | NDArray[np.object_]]
    lines: NDArray[np.int64]
    selection: Selection | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def texts(self, name: str) -> NDArray[np.object_]:
        """A column of text; empty strings if the file has no such column."""
        found = self.columns.get(name)
        return np.full(len(self), "", dtype=object) if found is None else np.asarray(found, dtype=object)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """A column of numbers; its default (or NaN) where it is empty or missing."""
        spec = self.kind.column(name)
        default = np.nan if spec.default is None else float(spec.default)
        found = self.columns.get(name)
        values = np.full(len(self), np.nan) if found is None else np.asarray(found, dtype=np.float64)
        return np.where(np.isnan(values), default, values)

    def times(self, name: str) -> NDArray[np.float64]:
        """A column of instants as [earliest, latest) in seconds since 1970 UTC, shape (rows, 2); NaN where empty or missing."""
        found = self.columns.get(name)
        return np.full((len(self), 2), np.nan) if found is None else np.asarray(found, dtype=np.float64)
