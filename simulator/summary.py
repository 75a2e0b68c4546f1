"""Figures derived from a ledger: the longest path, days by account, loads and backlog by week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from simulator.clock import DAY, WEEK, open_until
from simulator.futures import Future
from simulator.ledger import OPEN, Ledger
from simulator.program import F, Op, Program

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
QUEUE = "queue"
CLOSED = "closed_hours"


def cycle_seconds(ledger: Ledger) -> Ints:
    """Arrival to end of every case; a case still open counts with its age at the stop (a lower bound)."""
    ended = ledger.cases["ended"]
    return np.where(ended == OPEN, ledger.program.stop, ended) - ledger.cases["arrival"]


def arrival_weeks(ledger: Ledger) -> Ints:
    """Week of arrival: 0 before go-live, 1 in the first week after it, …"""
    arrival = ledger.cases["arrival"]
    return np.where(arrival < 0, 0, 1 + arrival // WEEK)


def longest_path(ledger: Ledger) -> NDArray[np.bool_]:
    """Visits on the longest path: of parallel branches only the one that arrived last at the join (ties: lowest token)."""
    v = ledger.visits
    mask = np.ones(len(v["case"]), dtype=bool)
    if not (ledger.program.steps[:, F.OP] == Op.JOIN).any():
        return mask
    ops = ledger.program.steps[v["step"], F.OP]
    is_join = ops == Op.JOIN
    rows = np.flatnonzero(v["token"] > 0)
    if not len(rows):
        return mask
    # rows of one branch token in time order; the number of joins before a row says which passage of the fork it is
    order = rows[np.lexsort((v["seq"][rows], v["token"][rows], v["case"][rows]))]
    case, token = v["case"][order], v["token"][order]
    starts = np.concatenate([[True], (case[1:] != case[:-1]) | (token[1:] != token[:-1])])
    joined = np.cumsum(is_join[order]) - is_join[order]
    passage = joined - np.maximum.accumulate(np.where(starts, joined, 0))
    fork = _fork_of_token(ledger)[token]
    # the last branch to arrive (still open ones count as last), per case, fork and passage
    arrived = np.where(is_join[order], v["entered"][order], -(2**62))
    running = np.where(~is_join[order] & (v["ended"][order] == OPEN), 2**62, arrived)
    group = (case * (fork.max() + 1) + fork) * (passage.max() + 1) + passage
    _, inverse = np.unique(group, return_inverse=True)
    key = np.lexsort((token, -running, inverse))
    first = np.concatenate([[True], inverse[key][1:] != inverse[key][:-1]])
    winner = np.empty(int(inverse.max()) + 1, dtype=np.int64)
    winner[inverse[key][first]] = token[key][first]
    mask[order] = token == winner[inverse]
    return mask


def _fork_of_token(ledger: Ledger) -> Ints:
    """Fork step of each branch token (index = token)."""
    program = ledger.program
    forks = np.flatnonzero(program.steps[:, F.OP] == Op.FORK)
    owner = [-1]
    for fork in forks:
        owner += [int(fork)] * int(program.steps[fork, F.B])
    return np.asarray(owner)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What a summary is about: the cases that arrive in [first, last) seconds, and up to 62 groups of steps (a bit each, by step)."""

    first: int
    last: int
    groups: Ints


AGAIN = 1 << 62
"""In `Summary.groups`: the case visited some step more than once."""


@dataclass(frozen=True, eq=False)
class Summary:
    """One run in whole numbers, so that every engine and every order of adding gives the same.

    Of all cases: `ended`, `marks` (shape (cases,)). Of those asked for: `groups` (cases,), the groups of the steps visited, and AGAIN;
    `seconds` (steps, 2, 3) on the longest path, by first or repeated visit, in the queue, closed hours, and the step's own account;
    `visits` (steps,); `work` (pools,), worked by teams, parallel branches included. Of all visits: `busy` and `queue` (pools, weeks of
    the run), open seconds of units in use and seconds waited.
    """

    program: Program
    draw: int
    future: Future
    question: Question
    ended: Ints
    marks: Ints
    groups: Ints
    seconds: Ints
    visits: Ints
    work: Ints
    busy: Ints
    queue: Ints

    @cached_property
    def chosen(self) -> slice | Ints:
        """Where the cases asked for are: in a row if whole days were asked for, as cases are in the order of their days."""
        first, last = self.question.first, min(self.question.last, self.program.stop)  # who would arrive at the stop never enters
        if first % DAY == last % DAY == 0:
            a, b = np.searchsorted(self.future.day, [first // DAY, last // DAY])
            return slice(int(a), int(b))
        return np.flatnonzero((self.future.arrival >= first) & (self.future.arrival < last))

    @cached_property
    def cycle_seconds(self) -> Ints:
        """Arrival to end of every case; one still open counts with its age at the stop."""
        return np.where(self.ended == OPEN, self.program.stop, self.ended) - self.future.arrival

    def account_seconds(self) -> dict[str, Ints]:
        """Account -> seconds of first and of repeated visits; together they are the cycle times of the cases asked for."""
        names, number = _numbered((QUEUE, CLOSED, *self.program.accounts))
        own = np.zeros((len(names), 2), dtype=np.int64)
        np.add.at(own, number[2:], self.seconds[:, :, 2])
        own[0] += self.seconds[:, :, 0].sum(axis=0)
        own[1] += self.seconds[:, :, 1].sum(axis=0)
        return {name: seconds for name, seconds in zip(names, own, strict=True) if name}

    def backlog_by_week(self) -> Ints:
        """Open cases at the end of each calendar week of the run."""
        return _backlog(self.program, self.future.day, self.ended)

    def pool_weeks(self) -> tuple[PoolWeeks, ...]:
        """Load and mean queue of every pool by calendar week."""
        return tuple(_pool_weeks(self.program, self.future, self.busy, self.queue))


@lru_cache(maxsize=64)
def _numbered(names: tuple[str, ...]) -> tuple[tuple[str, ...], Ints]:
    """The different names in the order in which they appear, and which of them each one is."""
    different = tuple(dict.fromkeys(names))
    return different, np.asarray([different.index(name) for name in names])


def week_edges(program: Program) -> Ints:
    """Bounds of the calendar weeks that a run touches."""
    return np.arange(program.begin // WEEK, -(-program.stop // WEEK) + 1) * WEEK


def summarise(ledger: Ledger, question: Question) -> Summary:
    """The summary of a ledger."""
    v, cases, program = ledger.visits, ledger.cases, ledger.program
    arrival = cases["arrival"]
    chosen = ((arrival >= question.first) & (arrival < question.last))[v["case"]]
    case, step, again = v["case"][chosen], v["step"][chosen], (v["visit"][chosen] > 0).astype(np.int64)
    groups = np.zeros(len(arrival), dtype=np.int64)
    np.bitwise_or.at(groups, case, question.groups[step] | again * AGAIN)
    work = work_seconds(ledger)
    busy, queue = _by_pool_and_week(ledger)
    teams = chosen & (v["pool"] >= 0)
    return Summary(
        program, ledger.draw, ledger.future, question, cases["ended"], cases["marks"], groups,
        _seconds(ledger, chosen & longest_path(ledger), work), np.bincount(step, minlength=len(program.steps)),
        _sums(v["pool"][teams], work[teams], len(program.pools)), busy, queue,
    )  # fmt: skip


def _sums(index: Ints, values: Ints, size: int) -> Ints:
    """Sums of whole numbers by index (exact: no float in between)."""
    out = np.zeros(size, dtype=np.int64)
    np.add.at(out, index, values)
    return out


def _seconds(ledger: Ledger, mine: NDArray[np.bool_], work: Ints) -> Ints:
    """Seconds of the chosen visits by step, first or again, and queue, closed hours or the step's own account."""
    v, program = ledger.visits, ledger.program
    until = np.where(v["ended"] == OPEN, program.stop, v["ended"])
    total, closed = until - v["entered"], v["closed_seconds"]
    served = program.steps[v["step"], F.OP] == Op.SERVE
    queue = np.where(served, total - closed - work, 0)
    own = np.where(served, work, total - closed)
    at = (v["step"] * 2 + (v["visit"] > 0))[mine]
    sums = [_sums(at, part[mine], 2 * len(program.steps)) for part in (queue, closed, own)]
    return np.stack(sums, axis=-1).reshape(-1, 2, 3)


def work_seconds(ledger: Ledger) -> Ints:
    """Working time of every visit served by a team, parallel branches included; 0 for all other visits."""
    v, program = ledger.visits, ledger.program
    until = np.where(v["ended"] == OPEN, program.stop, v["ended"])
    started = np.where(v["started"] == OPEN, until, v["started"])
    served = program.steps[v["step"], F.OP] == Op.SERVE
    return np.where(served, until - started - _closed_in_service(ledger, started, until), 0)


def _closed_in_service(ledger: Ledger, started: Ints, until: Ints) -> Ints:
    v, program = ledger.visits, ledger.program
    closed = np.zeros(len(started), dtype=np.int64)
    for step in np.flatnonzero(program.steps[:, F.OP] == Op.SERVE):
        mine = v["step"] == step
        clock = ledger.future.capacity[int(program.steps[step, F.POOL])].open_time()
        a, b = started[mine], until[mine]
        closed[mine] = b - a - (open_until(clock, b) - open_until(clock, a))
    return closed


@dataclass(frozen=True, slots=True, eq=False)
class PoolWeeks:
    """One pool by week (index 0 = the first week of the run): shape (weeks,) each."""

    name: str
    week: Ints
    capacity_hours: Floats
    busy_hours: Floats
    mean_queue: Floats

    @property
    def utilisation(self) -> Floats:
        """Busy over capacity hours; 0 where the pool is closed all week."""
        return np.divide(self.busy_hours, self.capacity_hours, out=np.zeros_like(self.busy_hours), where=self.capacity_hours > 0)


def pool_weeks(ledger: Ledger) -> tuple[PoolWeeks, ...]:
    """Load and mean queue of every pool by calendar week."""
    return tuple(_pool_weeks(ledger.program, ledger.future, *_by_pool_and_week(ledger)))


def _pool_weeks(program: Program, future: Future, busy: Ints, queue: Ints) -> Iterator[PoolWeeks]:
    edges = week_edges(program)
    week = np.maximum(edges[:-1] // WEEK + 1, 0)
    for pool, name in enumerate(program.pool_names):
        hours = np.diff(future.capacity[pool].unit_seconds_before(edges)) / 3600
        yield PoolWeeks(name, week, hours, busy[pool] / 3600, queue[pool] / WEEK)


def _by_pool_and_week(ledger: Ledger) -> tuple[Ints, Ints]:
    """Open seconds of units in use and seconds waited, shape (pools, weeks) each."""
    program, v = ledger.program, ledger.visits
    edges = week_edges(program)
    busy = np.zeros((len(program.pools), len(edges) - 1), dtype=np.int64)
    queue = np.zeros_like(busy)
    for pool in range(len(program.pools)):
        clock = ledger.future.capacity[pool].open_time()
        mine = v["pool"] == pool
        entered = v["entered"][mine]
        until = np.where(v["ended"] == OPEN, program.stop, v["ended"])[mine]
        started = np.where(v["started"][mine] == OPEN, until, v["started"][mine])
        busy[pool] = np.diff(_before(open_until(clock, started), open_until(clock, until), open_until(clock, edges)))
        queue[pool] = np.diff(_before(entered, started, edges))
    return busy, queue


def _before(start: Ints, end: Ints, edges: Ints) -> Ints:
    """Total length of the intervals [start, end) that lies before each edge."""

    def part(points: Ints) -> Ints:
        ordered = np.sort(points)
        below = np.searchsorted(ordered, edges, side="right")
        total = np.concatenate([[0], np.cumsum(ordered)])
        return np.asarray(total[below] + (len(ordered) - below) * edges, dtype=np.int64)

    return part(end) - part(start)


def backlog_by_week(ledger: Ledger) -> Ints:
    """Open cases at the end of each calendar week of the run."""
    return _backlog(ledger.program, ledger.cases["arrival"] // DAY, ledger.cases["ended"])


def _backlog(program: Program, day: Ints, ended: Ints) -> Ints:
    """`day`: of arrival, in order."""
    edges = week_edges(program)
    first, weeks = int(edges[0]) // WEEK, len(edges) - 1
    done = ended[ended != OPEN]
    came = np.searchsorted(day, edges[1:] // DAY)
    gone = np.bincount(np.minimum(done // WEEK - first, weeks), minlength=weeks + 1)
    return np.asarray(came - np.cumsum(gone)[:weeks], dtype=np.int64)
