"""The compiled engine: packs a program and a future for the kernel, lends it memory, and unpacks the ledger."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from simulator import kernel as k
from simulator.clock import NEVER, Calendar
from simulator.draws import case_entity, key_of, purpose_of
from simulator.futures import Capacity, Future
from simulator.ledger import OPEN, Ledger, from_packed
from simulator.prefix import GO_LIVE, Prefix, restore, take
from simulator.program import F, Op, Program
from simulator.summary import Question, Summary, week_edges

Ints = NDArray[np.int64]
KEPT_PROGRAMS = 64
KEPT_PREFIXES = 6
NO_RESULT = 0xFFFF
"""In the 16 bits of an end: the case is open."""
MAX_STEPS = 4_096
"""A row's 16 bits hold the step and the token."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """A program as the kernel reads it: the header's part that it decides, its tables, and its calendars as rows of numbers."""

    program: Program
    header: Ints
    tables: Ints
    calendars: tuple[Ints, ...]

    @classmethod
    def of(cls, program: Program) -> Packed:
        """Raises ValueError for a workflow with too many steps or too long a run for the ledger's row."""
        steps, pools = len(program.steps), len(program.pools)
        if steps > MAX_STEPS or program.stop - program.begin >= 2**31:
            raise ValueError(f"a workflow has at most {MAX_STEPS} steps and a run at most 2^31 seconds")
        queue_of = np.full(steps, -1, dtype=np.int64)
        batches = np.flatnonzero(program.steps[:, F.OP] == Op.BATCH)
        queue_of[batches] = pools + np.arange(len(batches))
        tables = (
            program.steps, program.priority, program.covers, program.rules, program.targets, program.mark_rules, program.chances,
            program.tables, program.distributions, program.pools[:, 1], [purpose_of(name) for name in program.step_ids], queue_of,
        )  # fmt: skip
        blocks = [np.asarray(table, dtype=np.int64).ravel() for table in tables]
        header = np.zeros(k.FIELDS_AT, dtype=np.int64)
        header[k.H_PRIORITY : k.H_QUEUE_OF + 1] = list(accumulate((len(b) for b in blocks), initial=k.FIELDS_AT))[1:-1]
        header[[k.H_STEPS, k.H_TYPES, k.H_POOLS, k.H_QUEUES]] = steps, len(program.workflow.types), pools, pools + len(batches)
        header[[k.H_BEGIN, k.H_STOP, k.H_CALENDARS]] = program.begin, program.stop, len(program.calendars)
        header[k.H_VISIT_WORDS] = -(-steps // 4)
        return cls(program, header, np.concatenate(blocks), tuple(_windows(c) for c in program.calendars))


def _windows(calendar: Calendar) -> Ints:
    """Starts, ends, and the open seconds before each window (one more)."""
    return np.asarray([*calendar.starts, *calendar.ends, *calendar.open_before], dtype=np.int64)


def _open_time(capacity: Capacity) -> tuple[Ints, int]:
    """The windows in which at least one unit is present, in the form of `_windows`, and their number."""
    starts, ends = np.asarray(capacity.starts, dtype=np.int64), np.asarray(capacity.ends, dtype=np.int64)
    apart = starts[1:] != ends[:-1]
    starts, ends = starts[np.append(True, apart)[: len(starts)]], ends[np.append(apart, True)[: len(ends)]]
    return np.concatenate([starts, ends, [0], np.cumsum(ends - starts)]), len(starts)


def _segments(capacity: Capacity) -> Ints:
    return np.asarray([*capacity.starts, *capacity.ends, *capacity.units], dtype=np.int64)


def pack_future(packed: Packed, future: Future) -> tuple[Ints, Ints]:
    """A directory (offset in the block, windows) of all calendars, then the first absence of each step; and the block.

    Calendars are the program's own, the open time and the capacity of each pool, the outages of each endpoint, absences.
    """
    opens = [_open_time(c) for c in future.capacity]
    away = [calendar for calendars in future.absent.values() for calendar in calendars]
    blocks = [
        *packed.calendars, *(windows for windows, _ in opens), *map(_segments, future.capacity), *map(_windows, future.down), *map(_windows, away),
    ]  # fmt: skip
    counts = [
        *(len(c.starts) for c in packed.program.calendars), *(n for _, n in opens),
        *(len(c.starts) for c in future.capacity), *(len(c.starts) for c in (*future.down, *away)),
    ]  # fmt: skip
    absent, first = np.full(len(packed.program.steps), -1, dtype=np.int64), len(blocks) - len(away)
    for step, calendars in future.absent.items():
        absent[packed.program.step_ids.index(step)] = first
        first += len(calendars)
    offsets = list(accumulate((len(b) for b in blocks), initial=0))[:-1]
    directory = np.asarray([offsets, counts], dtype=np.int64).T.ravel()
    return np.concatenate([directory, absent]), np.concatenate(blocks) if blocks else np.empty(0, dtype=np.int64)


def pack_cases(future: Future) -> Ints:
    """The kernel's numbers of each case, and the order in which cases arrive."""
    cases = np.empty((len(future), k.I_WIDTH), dtype=np.int64)
    cases[:, k.I_ENTITY] = case_entity(future.day, future.ordinal).astype(np.int64)
    cases[:, k.I_KIND], cases[:, k.I_ARRIVAL] = (future.type << 32) | future.cluster, future.arrival
    cases[:, k.I_ORDER] = np.argsort(future.arrival, kind="stable")
    return cases.ravel()


class Workspace:
    """Memory of one thread, kept from run to run and grown when it was too small."""

    def __init__(self) -> None:
        self.tokens, self.queue, self.events, self.rows = 1_024, 512, 2_048, 65_536
        self.M, self.D = np.empty(0, dtype=np.int64), np.empty(0)

    def load(self, packed: Packed, slots: NDArray[np.float64], future: Future, cases: Ints) -> None:
        """Lays out everything for a run: header, program, cases, empty queues, future."""
        header = packed.header.copy()
        queues, n = int(header[k.H_QUEUES]), len(future)
        sizes = (
            len(header), len(packed.tables), len(cases), len(packed.program.steps), k.END_WIDTH * n, k.Q_WIDTH * queues, k.ITEM * self.queue * queues,
            k.T_WIDTH * self.tokens, int(header[k.H_VISIT_WORDS]) * self.tokens, self.events, k.ROW * self.rows,
        )  # fmt: skip
        at = dict(zip(_PARTS, accumulate(sizes), strict=True))
        directory, block = pack_future(packed, future)
        base = at["future"] + len(directory)
        directory[: len(directory) - len(packed.program.steps) : 2] += base
        if len(self.M) < base + len(block):
            self.M = np.empty(base + len(block), dtype=np.int64)
        if len(self.D) < len(slots) + n:
            self.D = np.empty(len(slots) + n)
        header[[k.H_SEED_LOW, k.H_SEED_HIGH]], header[k.H_NUMBER], header[k.H_CASES] = key_of(future.seed), future.number, n
        header[k.H_SEEN_AT] = at["seen"]
        header[[k.H_CASES_AT, k.H_ENDS_AT, k.H_POOLS_AT, k.H_QUEUES_AT]] = at["cases"], at["ends"], at["pools"], at["queues"]
        header[[k.H_TOKENS_AT, k.H_VISITS_AT, k.H_EVENTS_AT, k.H_ROWS_AT]] = at["tokens"], at["visits"], at["events"], at["rows"]
        header[[k.H_TOKENS_CAP, k.H_QUEUE_CAP, k.H_EVENTS_CAP, k.H_ROWS_CAP]] = self.tokens, self.queue, self.events, self.rows
        header[k.H_RATIO_AT], header[k.H_DIRECTORY] = len(slots), at["future"]
        header[k.H_ABSENT], header[k.H_FREE] = base - len(packed.program.steps), k.NOBODY
        m = self.M
        m[: len(header)], m[len(header) : at["cases"]] = header, packed.tables
        m[at["cases"] : at["seen"]], m[at["seen"] : at["ends"]] = cases, 0
        m[at["ends"] : at["pools"]].reshape(n, k.END_WIDTH)[:] = (OPEN << 16) | NO_RESULT, 0
        m[at["pools"] : at["queues"]].reshape(queues, k.Q_WIDTH)[:] = _EMPTY_POOL
        m[at["future"] : base], m[base : base + len(block)] = directory, block
        self.D[: len(slots)], self.D[len(slots) : len(slots) + n] = slots, future.ratio

    def grow(self, status: int) -> None:
        """Doubles what was full."""
        if status == k.TOKENS_FULL:
            self.tokens *= 2
        elif status == k.QUEUES_FULL:
            self.queue *= 2
        elif status == k.EVENTS_FULL:
            self.events *= 2
        elif status == k.ROWS_FULL:
            self.rows *= 2
        else:
            raise RuntimeError(f"the compiled engine stopped with status {status}")

    def ends(self) -> Ints:
        """Second, result (-1: none) and final marks of each case, shape (cases, 3)."""
        at, n = int(self.M[k.H_ENDS_AT]), int(self.M[k.H_CASES])
        words = self.M[at : at + k.END_WIDTH * n].reshape(n, k.END_WIDTH)
        result = words[:, 0] & NO_RESULT
        return np.column_stack([words[:, 0] >> 16, np.where(result == NO_RESULT, -1, result), words[:, 1]])

    def ledger_rows(self) -> Ints:
        """The rows written, shape (rows, 3); a view that the next run overwrites."""
        at, n = int(self.M[k.H_ROWS_AT]), int(self.M[k.H_ROWS])
        return self.M[at : at + k.ROW * n].reshape(n, k.ROW)


_PARTS = ("program", "cases", "seen", "ends", "pools", "queues", "tokens", "visits", "events", "rows", "future")
_EMPTY_POOL = np.zeros(k.Q_WIDTH, dtype=np.int64)
_EMPTY_POOL[[k.Q_CHANGED_AT, k.Q_FREE_FROM, k.Q_WAKE_AT]] = -NEVER


class CompiledEngine:
    """Runs programs one after the other in one workspace; what was packed for the last ones is kept."""

    def __init__(self) -> None:
        warm()  # by whoever makes engines, before threads share them
        self.space = Workspace()
        self._packed: OrderedDict[int, Packed] = OrderedDict()
        self._cases: tuple[Ints, Ints] | None = None
        self._prefixes: list[Prefix] = []

    def packed(self, program: Program) -> Packed:
        """The packed structure, shared by all draws of a lowered workflow."""
        key = id(program.steps)  # kept alive by the Packed that holds it
        if key not in self._packed:
            self._packed[key] = Packed.of(program)
            if len(self._packed) > KEPT_PROGRAMS:
                self._packed.popitem(last=False)
        return self._packed[key]

    def run(self, program: Program, draw: int, future: Future) -> None:
        """Leaves ends and rows in the workspace, with as much space as it takes."""
        packed, slots = self.packed(program), program.slots[draw]
        if self._cases is None or self._cases[0] is not future.arrival:
            self._cases, self._prefixes = (future.arrival, pack_cases(future)), []
        while True:
            self.space.load(packed, slots, future, self._cases[1])
            status = self._until_go_live(program, slots, future) if program.begin < GO_LIVE < program.stop else k.RUNNING
            if status == k.RUNNING:
                status = k.run(self.space.M, self.space.D, program.stop)
            if status == k.DONE:
                return
            self.space.grow(status)
            self._prefixes = []

    def _until_go_live(self, program: Program, slots: NDArray[np.float64], future: Future) -> int:
        """Takes the state at go-live over from an arm that is the same until then, or reaches it and keeps it. Returns the status."""
        known = next((p for p in self._prefixes if p.fits(program, slots, future)), None)
        if known is not None:
            restore(known, self.space.M)
            return k.RUNNING
        status = int(k.run(self.space.M, self.space.D, GO_LIVE))
        if status == k.RUNNING and len(self._prefixes) < KEPT_PREFIXES:
            self._prefixes.append(take(program, slots, future, self.space.M))
        return status

    def ledger(self, program: Program, draw: int, future: Future) -> Ledger:
        """The same, row for row, as that of the SimPy engine."""
        self.run(program, draw, future)
        return from_packed(program, draw, future, self.space.ledger_rows(), self.space.ends())

    def summary(self, program: Program, draw: int, future: Future, question: Question) -> Summary:
        """The same as `simulator.summary.summarise` makes of the ledger."""
        self.run(program, draw, future)
        return _summary(program, draw, future, question, self.space)


def warm() -> None:
    """Compiles the kernel, or loads it from the cache; nothing is to be done where NUMBA_DISABLE_JIT switches compilation off."""
    if hasattr(k.run, "compile"):
        k.run.compile("int64(int64[::1], float64[::1], int64)")
        k.tally.compile("int64(int64[::1], int64[::1])")


def simulate(program: Program, draw: int, future: Future) -> Ledger:
    """Runs one future of one draw and returns its ledger."""
    return CompiledEngine().ledger(program, draw, future)


def _summary(program: Program, draw: int, future: Future, question: Question, space: Workspace) -> Summary:
    n = len(future)
    edges = week_edges(program)
    steps, pools, weeks = len(program.steps), len(program.pools), len(edges) - 1
    sizes = (k.G_HEADER, steps, 6 * steps, steps, pools, pools * weeks, pools * weeks, n)
    at = list(accumulate(sizes))
    sums = np.zeros(at[-1], dtype=np.int64)
    sums[k.G_FIRST], sums[k.G_LAST], sums[k.G_EDGE], sums[k.G_WEEKS] = question.first, question.last, edges[0], weeks
    sums[k.G_MASKS_AT : k.G_HEADER] = at[:-1]
    sums[at[0] : at[1]] = question.groups
    k.tally(space.M, sums)
    seconds, visits, work, busy, queue, groups = (sums[a:b] for a, b in pairwise(at[1:]))
    ends = space.ends()
    return Summary(
        program, draw, future, question, ends[:, 0], ends[:, 2], groups, seconds.reshape(steps, 2, 3), visits, work,
        busy.reshape(pools, weeks), queue.reshape(pools, weeks),
    )  # fmt: skip
