"""Figures derived from a ledger: the longest path, days by account, loads and backlog by week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.clock import WEEK
from simulator.futures import Capacity
from simulator.ledger import OPEN, Ledger, open_until
from simulator.program import F, Op
from simulator.workflow import Attempts, Batch, Delay, Gate, Join, Serve

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
class Bookings:
    """Seconds on the longest path, booked to accounts: every second of every case exactly once. Arrays of equal length."""

    accounts: tuple[str, ...]
    case: Ints
    step: Ints
    account: Ints
    repeat: Ints
    seconds: Ints


def bookings(ledger: Ledger) -> Bookings:
    """Splits each visit into queue, closed hours and its step's own account; `repeat` is 1 for visits after the first."""
    v, program = ledger.visits, ledger.program
    path = longest_path(ledger)
    own = _accounts(ledger)
    names = tuple(dict.fromkeys([QUEUE, CLOSED, *own]))
    number = {name: i for i, name in enumerate(names)}
    until = np.where(v["ended"] == OPEN, program.stop, v["ended"])
    total = until - v["entered"]
    served = program.steps[v["step"], F.OP] == Op.SERVE
    closed, work = v["closed_seconds"], work_seconds(ledger)
    queue = np.where(served, total - closed - work, 0)
    rest = np.where(served, work, total - closed)
    own_account = np.asarray([number[name] for name in own], dtype=np.int64)[v["step"]]
    parts = (
        (np.full(len(total), number[QUEUE]), queue),
        (np.full(len(total), number[CLOSED]), closed),
        (own_account, rest),
    )
    account = np.concatenate([a for a, _ in parts])
    seconds = np.concatenate([s for _, s in parts])
    keep = np.tile(path, 3) & (seconds != 0)
    repeat = np.tile((v["visit"] > 0).astype(np.int64), 3)
    case, step = np.tile(v["case"], 3), np.tile(v["step"], 3)
    return Bookings(names, case[keep], step[keep], account[keep], repeat[keep], seconds[keep])


def work_seconds(ledger: Ledger) -> Ints:
    """Working time of every visit served by a team, parallel branches included; 0 for all other visits."""
    v, program = ledger.visits, ledger.program
    until = np.where(v["ended"] == OPEN, program.stop, v["ended"])
    started = np.where(v["started"] == OPEN, until, v["started"])
    served = program.steps[v["step"], F.OP] == Op.SERVE
    return np.where(served, until - started - _closed_in_service(ledger, started, until), 0)


def _accounts(ledger: Ledger) -> list[str]:
    timed = (Delay, Serve, Gate, Attempts, Join, Batch)
    return [s.account if isinstance(s, timed) else "" for s in ledger.program.workflow.steps]


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
    program, v = ledger.program, ledger.visits
    edges = np.arange(program.begin // WEEK, -(-program.stop // WEEK) + 1) * WEEK
    week = np.maximum(edges[:-1] // WEEK + 1, 0)
    results = []
    for pool, name in enumerate(program.pool_names):
        capacity = ledger.future.capacity[pool]
        clock = capacity.open_time()
        mine = v["pool"] == pool
        entered = v["entered"][mine]
        until = np.where(v["ended"] == OPEN, program.stop, v["ended"])[mine]
        started = np.where(v["started"][mine] == OPEN, until, v["started"][mine])
        busy = np.diff(_before(open_until(clock, started), open_until(clock, until), open_until(clock, edges)))
        queue = np.diff(_before(entered, started, edges))
        hours = np.diff(_capacity_seconds(capacity, edges)) / 3600
        results.append(PoolWeeks(name, week, hours, busy / 3600, queue / WEEK))
    return tuple(results)


def _before(start: Ints, end: Ints, edges: Ints) -> Floats:
    """Total length of the intervals [start, end) that lies before each edge."""

    def part(points: Ints) -> Floats:
        ordered = np.sort(points)
        below = np.searchsorted(ordered, edges, side="right")
        total = np.concatenate([[0], np.cumsum(ordered)])
        return np.asarray(total[below] + (len(ordered) - below) * edges, dtype=np.float64)

    return part(end) - part(start)


def _capacity_seconds(capacity: Capacity, edges: Ints) -> Floats:
    """Unit-seconds of capacity before each edge."""
    starts, ends, units = (np.asarray(x, dtype=np.int64) for x in (capacity.starts, capacity.ends, capacity.units))
    length = np.clip(edges[:, None], starts, ends) - starts
    return np.asarray((length * units).sum(axis=1), dtype=np.float64)


def backlog_by_week(ledger: Ledger) -> Ints:
    """Open cases at the end of each calendar week of the run."""
    program, cases = ledger.program, ledger.cases
    ends = np.arange(program.begin // WEEK + 1, -(-program.stop // WEEK) + 1) * WEEK
    finished = np.sort(np.where(cases["ended"] == OPEN, 2**62, cases["ended"]))
    arrived = np.sort(cases["arrival"])
    return np.asarray(np.searchsorted(arrived, ends) - np.searchsorted(finished, ends), dtype=np.int64)
