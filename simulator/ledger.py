"""The ledger: one row a visit of a step that takes time, one row a case. Every figure is derived from it.

Columns and order: docs/workflow.md section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulator.clock import open_until
from simulator.futures import Future
from simulator.program import F, Op, Program

OPEN = -(2**31)
"""A time at or after the stop."""

WITHOUT_POOL = 8
"""Set in the result of a packed row that no pool serves, as in that of a back-off at a limited endpoint."""

PACKED_VISIT = np.dtype(
    [
        ("case", "<u4"), ("step_token", "<u2"), ("visit_result", "<u2"),
        ("entered", "<i4"), ("started", "<i4"), ("ended", "<i4"), ("closed_seconds", "<u4"),
    ]
)  # fmt: skip
"""24 bytes a visit: 12 bits each for step and visit, 4 for token and result (+ 8 if no pool serves it); seq follows from the order."""


VISIT_COLUMNS = (
    "case", "token", "seq", "step", "visit", "pool", "entered", "started", "ended", "closed_seconds", "result",
)  # fmt: skip


class Result(IntEnum):
    DONE = 0
    TIMED_OUT = 1
    FAILED = 2
    BACK_OFF = 3
    OPEN = 4


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """`visits`: columns case, token, seq, step, visit, pool, entered, started, ended, closed_seconds, result.

    `cases`: columns day, ordinal, type, cluster, arrival, ended, end_result, marks; row i is case i.
    """

    program: Program
    draw: int
    future: Future
    visits: dict[str, NDArray[np.int64]]
    cases: dict[str, NDArray[np.int64]]

    def packed(self) -> NDArray[np.void]:
        """The visits in 24 bytes a row."""
        out = np.zeros(len(self.visits["case"]), dtype=PACKED_VISIT)
        for name in ("case", "entered", "started", "ended", "closed_seconds"):
            out[name] = self.visits[name]
        out["step_token"] = (self.visits["step"] << 4) + self.visits["token"]
        out["visit_result"] = (self.visits["visit"] << 4) + self.visits["result"] + WITHOUT_POOL * (self.visits["pool"] < 0)
        return out

    def same_as(self, other: Ledger) -> bool:
        """Row for row equality of visits and cases."""
        return all(np.array_equal(self.visits[k], other.visits[k]) for k in self.visits) and all(
            np.array_equal(self.cases[k], other.cases[k]) for k in self.cases
        )


RAW_COLUMNS = ("case", "token", "step", "visit", "pool", "entered", "started", "ended", "result")


def build(
    program: Program,
    draw: int,
    future: Future,
    rows: Sequence[int],
    ended: list[int],
    end_result: list[int],
    marks: list[int],
) -> Ledger:
    """A ledger from an engine's raw rows and the end of each case.

    Rows (RAW_COLUMNS, one after the other) stand in order of time within each token of a case; times at or after the stop become OPEN.
    """
    table = np.asarray(rows, dtype=np.int64).reshape(-1, len(RAW_COLUMNS))
    ends = np.column_stack([np.asarray(values, dtype=np.int64) for values in (ended, end_result, marks)])
    return _assembled(program, draw, future, dict(zip(RAW_COLUMNS, table.T, strict=True)), ends)


def from_packed(program: Program, draw: int, future: Future, rows: NDArray[np.int64], ends: NDArray[np.int64]) -> Ledger:
    """A ledger from the compiled engine's rows, shape (rows, 3), and each case's end, result and marks, shape (cases, 3).

    The words of a row: case << 32 | step << 20 | token << 16 | visit << 4 | result (+ 8 if no pool serves it); entered << 32 | started; ended << 32 | closed.
    """
    first, times, last = rows.T
    step, result = (first >> 20) & 0xFFF, first & (WITHOUT_POOL - 1)
    pool = np.where(first & WITHOUT_POOL, -1, program.steps[step, F.POOL])
    started = times.astype(np.int32).astype(np.int64)
    columns = (first >> 32, (first >> 16) & 0xF, step, (first >> 4) & 0xFFF, pool, times >> 32, started, last >> 32, result)
    return _assembled(program, draw, future, dict(zip(RAW_COLUMNS, columns, strict=True)), ends)


def _assembled(
    program: Program, draw: int, future: Future, columns: dict[str, NDArray[np.int64]], ends: NDArray[np.int64]
) -> Ledger:
    late = columns["ended"] >= program.stop
    columns["result"] = np.where(late, Result.OPEN, columns["result"])
    columns["ended"] = np.where(late, OPEN, columns["ended"])
    columns["started"] = np.where(columns["started"] >= program.stop, OPEN, columns["started"])
    order = np.lexsort((columns["token"], columns["entered"], columns["case"]))
    columns = {name: values[order] for name, values in columns.items()}
    columns["seq"] = np.arange(len(order)) - np.searchsorted(columns["case"], columns["case"], side="left")
    columns["closed_seconds"] = _closed_seconds(program, future, columns)
    cases = {
        "day": future.day,
        "ordinal": future.ordinal,
        "type": future.type,
        "cluster": future.cluster,
        "arrival": future.arrival,
        "ended": ends[:, 0],
        "end_result": ends[:, 1],
        "marks": ends[:, 2],
    }
    return Ledger(program, draw, future, {name: columns[name] for name in VISIT_COLUMNS}, cases)


def _closed_seconds(program: Program, future: Future, columns: dict[str, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Closed seconds of each row's clock (its pool, or the calendar of a delay) up to its end or the stop."""
    closed = np.zeros(len(columns["case"]), dtype=np.int64)
    until = np.where(columns["ended"] == OPEN, program.stop, columns["ended"])
    for step in range(len(program.steps)):
        op, calendar, pool = (int(program.steps[step, f]) for f in (F.OP, F.CALENDAR, F.POOL))
        if op == Op.DELAY and calendar >= 0:
            clock, mine = program.calendars[calendar], columns["step"] == step
        elif op == Op.SERVE:
            clock, mine = future.capacity[pool].open_time(), columns["step"] == step
        else:
            continue
        entered = columns["entered"][mine]
        closed[mine] = until[mine] - entered - (open_until(clock, until[mine]) - open_until(clock, entered))
    return closed
