"""Collects the defects of one file: the first of each code are listed, all are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.evidence.defects import Defect
from scenarios.problems import Problem


class Findings:
    """The defects of one file. `listed`: how many of a code are kept."""

    def __init__(self, file: str, listed: int) -> None:
        self.file = file
        self.limit = listed
        self.defects: list[Defect] = []
        self.counts: Counter[str] = Counter()

    def add(self, code: str, message: str, remedy: str = "", row: int | None = None, column: str = "") -> None:
        """One defect of a row, of a column, or of the file."""
        self.counts[code] += 1
        if self.counts[code] <= self.limit:
            self.defects.append(Defect(code, self.file, message, remedy, row, column))

    def add_rows(
        self,
        code: str,
        column: str,
        rows: NDArray[np.int64],
        lines: NDArray[np.int64],
        message: Callable[[int], str],
        remedy: str,
    ) -> None:
        """The same defect in many rows: `rows` are indices, `lines` the lines of all rows, `message` what to say of an index."""
        room = max(0, self.limit - self.counts[code])
        for i in rows[:room].tolist():
            self.defects.append(Defect(code, self.file, message(i), remedy, int(lines[i]), column))
        self.counts[code] += len(rows)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Problems of a settings file; their place is kept in the message."""
        for p in problems:
            self.add(p.code, f"{p.place}: {p.message}" if p.place else p.message, p.remedy)

    @property
    def unlisted(self) -> dict[str, int]:
        """Code → how many defects are counted but not listed."""
        return {code: count - self.limit for code, count in self.counts.items() if count > self.limit}

    def result(self, tolerated: bool) -> tuple[Defect, ...]:
        """The defects by code and row; those of rows do not block if so few rows are tolerated."""
        ordered = sorted(self.defects, key=lambda d: (d.code, d.row or 0))
        return tuple(replace(d, blocks=d.row is None or not tolerated) for d in ordered)
