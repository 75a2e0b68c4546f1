"""The compiled engine: packs a program and a future for the kernel, lends it memory, and unpacks the ledger."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from simulator import kernel as k
from simulator.clock import NEVER, Calendar
from simulator.draws import case_entity, key_of, purpose_of
from simulator.futures import Future
from simulator.ledger import OPEN, Ledger, from_packed
from simulator.prefix import GO_LIVE, Prefix, Structure, restore, same_structure, take
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
    structure: Structure
    forks: bool
    """Whether rows may change once they are written: those of a branch turn out to lie off the longest path."""

    @classmethod
    def of(cls, program: Program, others: Iterable[Packed] = ()) -> Packed:
        """`others`: one with the same structure shares its number. Raises ValueError for a workflow with too many steps or too long a run for the ledger's row."""
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
        same = (other.structure for other in others if same_structure(other.program, program))
        structure = next(same, None) or Structure()
        forks = bool((program.steps[:, F.OP] == Op.FORK).any())
        return cls(program, header, np.concatenate(blocks), tuple(_windows(c) for c in program.calendars), structure, forks)


def _windows(calendar: Calendar) -> Ints:
    """Starts, ends, and the open seconds before each window (one more)."""
    return np.asarray([*calendar.starts, *calendar.ends, *calendar.open_before], dtype=np.int64)


def pack_future(packed: Packed, future: Future) -> tuple[Ints, Ints]:
    """A directory (offset in the block, windows) of all calendars, then the first absence of each step; and the block.

    Calendars are the program's own, the open time and the capacity of each pool, the outages of each endpoint, absences.
    """
    away = [calendar for calendars in future.absent.values() for calendar in calendars]
    blocks = [
        *packed.calendars, *(c.open_rows for c in future.capacity), *(c.segments.ravel() for c in future.capacity), *map(_windows, future.down), *map(_windows, away),
    ]  # fmt: skip
    counts = [
        *(len(c.starts) for c in packed.program.calendars), *(c.open_windows.shape[1] for c in future.capacity),
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
    cases[:, k.I_ORDER] = _order(future.arrival - future.begin)
    return cases.ravel()


def _order(second: Ints) -> Ints:
    """The stable order of seconds from 0 on: second and place in one number sort faster than an index does."""
    bits = len(second).bit_length()
    return np.sort((second << bits) | np.arange(len(second))) & ((1 << bits) - 1)


class Workspace:
    """Memory of one thread, kept from run to run and grown when it was too small."""

    def __init__(self) -> None:
        self.tokens, self.queue, self.events, self.rows = 1_024, 512, 2_048, 65_536
        self.M, self.D = np.empty(0, dtype=np.int64), np.empty(0)
        self._cases: tuple[Ints | None, int] = (None, 0)  # which cases the memory holds, and where
        self._rows_at = 0
        self.rows_of: Prefix | None = None
        """The state at go-live whose rows are the first ones in memory: later runs only add rows behind them."""

    def load(self, packed: Packed, slots: NDArray[np.float64], future: Future, cases: Ints, empty: bool = True) -> None:
        """Lays out everything for a run: header, program, cases, future; and, if `empty`, that nothing has happened yet."""
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
            self.M, self._cases, self.rows_of = np.empty(base + len(block), dtype=np.int64), (None, 0), None
        if self._rows_at != at["rows"]:
            self._rows_at, self.rows_of = at["rows"], None
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
        if self._cases[0] is not cases or self._cases[1] != at["cases"]:
            m[at["cases"] : at["seen"]], self._cases = cases, (cases, at["cases"])
        if empty:
            m[at["seen"] : at["ends"]] = 0
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

    def end_words(self) -> Ints:
        """Second and result in one word, and final marks, of each case, shape (cases, 2); a view that the next run overwrites."""
        at, n = int(self.M[k.H_ENDS_AT]), int(self.M[k.H_CASES])
        return self.M[at : at + k.END_WIDTH * n].reshape(n, k.END_WIDTH)

    def ends(self) -> Ints:
        """Second, result (-1: none) and final marks of each case, shape (cases, 3)."""
        words = self.end_words()
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
            self._packed[key] = Packed.of(program, self._packed.values())
            if len(self._packed) > KEPT_PROGRAMS:
                self._packed.popitem(last=False)
        return self._packed[key]

    def run(self, program: Program, draw: int, future: Future) -> None:
        """Leaves ends and rows in the workspace, with as much space as it takes."""
        packed, slots = self.packed(program), program.slots[draw]
        if self._cases is None or self._cases[0] is not future.arrival:
            self._cases, self._prefixes = (future.arrival, pack_cases(future)), []
        while True:
            passes = program.begin < GO_LIVE < program.stop
            known = next((p for p in self._prefixes if p.fits(packed.structure, slots, future)), None) if passes else None
            self.space.load(packed, slots, future, self._cases[1], empty=known is None)
            status = self._until_go_live(packed, slots, future, known) if passes else k.RUNNING
            if status == k.RUNNING:
                status = k.run(self.space.M, self.space.D, program.stop)
            if status == k.DONE:
                return
            self.space.grow(status)
            self._prefixes = []

    def _until_go_live(self, packed: Packed, slots: NDArray[np.float64], future: Future, known: Prefix | None) -> int:
        """Takes the state at go-live over from an arm that is the same until then, or reaches it and keeps it. Returns the status."""
        if known is not None:
            restore(known, self.space.M, self.space.rows_of is known and not packed.forks)
            self.space.rows_of = known
            return k.RUNNING
        self.space.rows_of = None
        status = int(k.run(self.space.M, self.space.D, GO_LIVE))
        if status == k.RUNNING and len(self._prefixes) < KEPT_PREFIXES:
            self.space.rows_of = take(packed.program, packed.structure, slots, future, self.space.M)
            self._prefixes.append(self.space.rows_of)
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
    ends = space.end_words()
    return Summary(
        program, draw, future, question, ends[:, 0] >> 16, ends[:, 1].copy(), groups, seconds.reshape(steps, 2, 3), visits, work,
        busy.reshape(pools, weeks), queue.reshape(pools, weeks),
    )  # fmt: skip
