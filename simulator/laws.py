"""Laws that every ledger must obey, checked on every simulation.

They hold for any workflow and any numbers, so a law that fails means a fault in the simulation, never in the scenario.
The two sides of a law do not come from the same columns: the number in the system is swept over arrivals and ends in
the case table, times in it are added up from the visits; a pool's queue is swept over its own rows, its waits end when
the next row of the case begins. All of it is arithmetic with whole seconds, in place where that saves memory traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.clock import DAY
from simulator.futures import Capacity
from simulator.ledger import OPEN, Ledger, Result
from simulator.program import F
from simulator.summary import Summary, longest_path

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
TOLERANCE = 1e-9
"""Relative; the sums are whole seconds, so it only allows for their conversion to floats."""

SPAN = 2**32
"""More seconds than any run has: keeps cases (or classes) apart when they share one array."""


@dataclass(frozen=True, slots=True)
class LawCheck:
    """One law: what was measured, what it had to be (equal to, at most, or 0 violations), and a sentence.

    Units: seconds for areas (case-seconds, unit-seconds), otherwise a count.
    """

    name: str
    passed: bool
    measured: float
    expected: float
    text: str


def check_laws(ledger: Ledger) -> tuple[LawCheck, ...]:
    """All laws of one ledger: four on the cases, seven on each pool that was used."""
    rows = _Rows.of(ledger)
    cases = (law(ledger, rows) for law in (_flow, _time_order, _tiling, _little))
    return (*cases, *_pools(ledger, rows))


def check_sums(run: Summary) -> tuple[LawCheck, ...]:
    """What must hold of every run's sums: cases end once or are open, and their days are booked exactly once."""
    chosen, cycle = run.chosen, run.cycle_seconds
    total, booked, stop = int(cycle[chosen].sum()), int(run.seconds.sum()), run.program.stop
    wrong = 0
    if cycle.min(initial=0) < 0 or run.ended.max(initial=OPEN) >= stop:  # seldom: who would arrive at the stop has no time at all
        wrong = int(np.count_nonzero(((cycle < 0) & (run.future.arrival < stop)) | (run.ended >= stop)))
    text = f"The days of {len(cycle[chosen]):,} cases are booked exactly once, {total / DAY:,.1f} in all."
    return (
        _equal("days booked once", booked, total, text),
        _none("ends", wrong, f"{len(cycle):,} cases end once, after they arrive, or are open at the stop."),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Visits with their times closed at the stop; one array element a visit, in the order of the ledger."""

    ledger: Ledger
    case: Ints
    entered: Ints
    started: Ints
    until: Ints  # the end, or the stop
    covered: Ints  # the latest `until` among this and the earlier rows of the case

    @classmethod
    def of(cls, ledger: Ledger, only: Bools | None = None) -> _Rows:
        visits = ledger.visits
        columns = [visits["case"], visits["entered"], visits["started"]]
        columns.append(np.where(visits["ended"] == OPEN, ledger.program.stop, visits["ended"]))
        case, entered, started, until = columns if only is None else (column[only] for column in columns)
        offset = case * SPAN
        covered = np.maximum.accumulate(until + offset)
        covered -= offset
        return cls(ledger, case, entered, started, until, covered)

    def first(self) -> Bools:
        """The first row of its case."""
        return np.append(True, self.case[1:] != self.case[:-1])[: len(self.case)]

    def last(self) -> Bools:
        """The last row of its case."""
        return np.append(self.case[1:] != self.case[:-1], True)[: len(self.case)]

    def left(self) -> Ints:
        """When the token left the step: when the next row begins (in cases that forked: when the row itself ends)."""
        following = np.append(self.entered[1:], OPEN)[: len(self.case)]
        following = np.where(self.last(), _case_until(self.ledger)[self.case], following)
        forked = np.zeros(len(self.ledger.cases["arrival"]), dtype=np.bool_)
        forked[self.case[self.ledger.visits["token"] > 0]] = True
        return np.where(forked[self.case], self.until, following)


def _case_until(ledger: Ledger) -> Ints:
    return np.where(ledger.cases["ended"] == OPEN, ledger.program.stop, ledger.cases["ended"])


# -- the cases


def _flow(ledger: Ledger, rows: _Rows) -> LawCheck:
    """Arrived = ended + open. A case has ended (time and result), or has an unfinished visit; never both or neither."""
    cases = ledger.cases
    arrived = ledger.future.arrival < ledger.program.stop
    ended = cases["ended"] != OPEN
    unfinished = np.zeros(len(arrived), dtype=np.bool_)
    unfinished[rows.case[ledger.visits["result"] == Result.OPEN]] = True
    wrong = (ended == unfinished) | (ended != (cases["end_result"] >= 0)) | (cases["arrival"] != ledger.future.arrival)
    total, accounted = int(np.count_nonzero(arrived)), int(np.count_nonzero(arrived & ~wrong))
    text = f"{total:,} cases arrived: {int(ended.sum()):,} ended once, still open {int(unfinished.sum()):,}."
    return LawCheck("flow", accounted == total, accounted, total, text)


def _time_order(ledger: Ledger, rows: _Rows) -> LawCheck:
    """Arrival <= entered <= started <= ended in every visit, entries never go back, all within the run."""
    visits, program = ledger.visits, ledger.program
    entered, started, case = rows.entered, rows.started, rows.case
    never, unfinished = started == OPEN, visits["result"] == Result.OPEN
    wrong = (entered < ledger.cases["arrival"][case]) | (entered < program.begin) | (rows.until > program.stop)
    wrong |= ((started < entered) | (started > rows.until)) & ~never
    wrong |= (rows.until < entered) | (unfinished != (visits["ended"] == OPEN))
    wrong |= (visits["result"] == Result.TIMED_OUT) & (visits["pool"] >= 0) & ~never
    first = rows.first()
    wrong[1:] |= ~first[1:] & ((entered[1:] < entered[:-1]) | (visits["seq"][1:] != visits["seq"][:-1] + 1))
    wrong |= first & (visits["seq"] != 0)
    return _count("time order", wrong, f"Time never runs backwards in {len(case):,} visits.")


def _tiling(ledger: Ledger, rows: _Rows) -> LawCheck:
    """The visits on the longest path of a case tile its time from arrival to end: no gap, no overlap.

    A visit of zero seconds cannot overlap, and may stand after one of another token that began at the same instant.
    """
    mask = longest_path(ledger)
    path = rows if mask.all() else _Rows.of(ledger, mask)
    first, arrival, ends = path.first(), ledger.cases["arrival"], _case_until(ledger)
    before = np.where(first, arrival[path.case], np.append(OPEN, path.covered[:-1]))
    overlap = (path.entered < before) & (first | (path.until > path.entered))
    wrong = (path.entered > before) | overlap | path.last() & (path.covered != ends[path.case])
    empty = np.ones(len(ends), dtype=np.bool_)
    empty[path.case] = False
    skipped = empty & (ends != arrival) & (arrival < ledger.program.stop)
    text = "The steps of every case fill the time between its arrival and its end, without gap or overlap."
    return _count("no gap or overlap", np.append(wrong, skipped), text)


def _little(ledger: Ledger, rows: _Rows) -> LawCheck:
    """Little's law on the path: the area under the number in the system = the sum of all times in the system."""
    program = ledger.program  # clipped to the run: who would arrive at the stop or later adds nothing
    keys = np.concatenate([ledger.cases["arrival"] * 2 + 1, _case_until(ledger) * 2])
    np.clip(keys, program.begin * 2, program.stop * 2, out=keys).sort()
    number = np.cumsum((keys & 1) * 2 - 1)
    area = int(number[:-1] @ np.diff(keys >> 1))
    before = np.where(rows.first(), rows.entered, np.append(OPEN, rows.covered[:-1]))
    total = int((rows.covered - np.maximum(before, rows.entered)).sum())
    mean = area / max(1, program.stop - program.begin)
    text = f"On average {mean:,.1f} cases were in progress; their times add up to the same {area / DAY:,.1f} days."
    return _equal("Little's law", area, total, text)


def _count(name: str, wrong: Bools, text: str) -> LawCheck:
    return _none(name, int(np.count_nonzero(wrong)), text)


def _none(name: str, violations: int, text: str) -> LawCheck:
    return LawCheck(name, violations == 0, violations, 0, f"{name}: {violations:,} violations." if violations else text)


def _equal(name: str, measured: int, expected: int, text: str) -> LawCheck:
    same = abs(measured - expected) <= TOLERANCE * max(abs(measured), abs(expected))
    wrong = f"{name}: {measured:,} seconds by the path, but {expected:,} by the visits."
    return LawCheck(name, same, measured, expected, text if same else wrong)


# -- the pools: all events of a pool in order, packed into one integer each so that one fast sort will do

CAPACITY, END, LEAVE, ENTER, PASS, START = range(6)
"""Kinds of events in their order within an instant. LEAVE: without having started; PASS: starts and ends at once."""

CODE_BITS = 3
QUEUE = np.asarray([0, 0, -1, 1, -1, -1], dtype=np.int8)
USE = np.asarray([0, -1, 0, 0, 0, 1], dtype=np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """A pool's events in order, the state after each (waiting, units in use and present), and how long it lasted."""

    code: NDArray[np.uint8]
    waiting: Ints
    use: Ints
    units: Ints
    seconds: Ints
    open_seconds: Ints  # 0 while no unit is present

    @classmethod
    def of(cls, keys: Ints, units: Ints) -> _Path:
        """From sorted keys (time and code; overwritten) and the units after each change of capacity."""
        code = keys.astype(np.uint8)
        code &= 2**CODE_BITS - 1
        present = np.repeat(units, np.diff(np.append(np.flatnonzero(code == CAPACITY), len(keys))))
        waiting, use = (np.cumsum(np.take(delta, code), dtype=np.int64) for delta in (QUEUE, USE))
        keys >>= CODE_BITS
        seconds = np.diff(keys, append=keys[-1:])
        return cls(code, waiting, use, present, seconds, seconds * (present > 0))

    def allowed(self) -> Ints:
        """Units that may be in use: those present, or those whose work began before the capacity fell."""
        if not ((self.use > self.units) & (self.units > 0)).any():
            return self.units
        segment = np.cumsum(self.code == CAPACITY) * SPAN
        carried = np.minimum.accumulate(self.use - segment) + segment
        return np.asarray(np.maximum(self.units, carried), dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Visits:
    """The visits to one pool; `left` is told by the case's next row, `until` and `leaves` by the row itself."""

    row: Ints
    entered: Ints
    started: Ints
    until: Ints
    left: Ints
    served: Bools
    leaves: Ints  # when the visit stopped waiting

    @classmethod
    def of(cls, rows: _Rows, left: Ints, pool: int) -> _Visits:
        row = np.flatnonzero(rows.ledger.visits["pool"] == pool)
        started, until = rows.started[row], rows.until[row]
        served = started != OPEN
        return cls(row, rows.entered[row], started, until, left[row], served, np.where(served, started, until))

    def path(self, capacity: Capacity, begin: int, stop: int) -> _Path:
        changes = np.asarray(_capacity_changes(capacity, begin, stop), dtype=np.int64)
        lasting = self.until > self.leaves  # not true of those that never start
        kind = np.where(self.served, np.where(lasting, np.int8(START), np.int8(PASS)), np.int8(LEAVE))
        groups = (changes[:, 0], CAPACITY), (self.entered, ENTER), (self.leaves, kind), (self.until[lasting], END)
        keys = np.concatenate([time for time, _ in groups])
        np.clip(keys, begin, stop, out=keys)
        keys -= begin
        keys <<= CODE_BITS
        keys += np.concatenate([np.broadcast_to(np.asarray(code, dtype=np.int8), len(time)) for time, code in groups])
        keys.sort()
        return _Path.of(keys, changes[:, 1])


def _capacity_changes(capacity: Capacity, begin: int, stop: int) -> list[tuple[int, int]]:
    """(second, units from then on), from `begin` to `stop`."""
    changes = {begin: 0}
    for start, end, units in zip(capacity.starts, capacity.ends, capacity.units, strict=True):
        if start < stop and end > begin:
            changes[max(start, begin)] = units
            changes[min(end, stop)] = 0
    changes[stop] = 0
    return sorted(changes.items())


def _pools(ledger: Ledger, rows: _Rows) -> Iterator[LawCheck]:
    program, left = ledger.program, rows.left()
    for pool, name in enumerate(program.pool_names):
        visits = _Visits.of(rows, left, pool)
        if not len(visits.row):
            continue
        path = visits.path(ledger.future.capacity[pool], program.begin, program.stop)
        yield from _pool_areas(name, path, visits, ledger.visits["closed_seconds"])
        yield _capacity(name, path)
        yield _utilisation(name, path)
        yield _no_idle_unit(ledger, pool, path)
        yield _order(ledger, pool, visits)


def _pool_areas(name: str, path: _Path, visits: _Visits, closed: Ints) -> Iterator[LawCheck]:
    """Little's law for the queue (with visits that gave up or still wait) and for the units; time in open hours."""
    queue, busy = int(path.waiting @ path.seconds), int(path.use @ path.seconds)
    held = np.where(visits.served, visits.until - visits.started, 0)
    waits = int((visits.left - visits.entered - held).sum())
    holding = int((visits.left - visits.started)[visits.served].sum())
    text = f"The queue for {name} adds up to the waits of its {len(visits.row):,} visits, {queue / DAY:,.1f} days."
    yield _equal(f"Little's law, queue: {name}", queue, waits, text)
    text = f"The units of {name} in use add up to the time for which visits held them, {busy / DAY:,.1f} days."
    yield _equal(f"Little's law, work: {name}", busy, holding, text)
    present = int((path.waiting + path.use) @ path.open_seconds)
    by_rows = int((visits.until - visits.entered - closed[visits.row]).sum())
    text = f"Visits to {name} spent {present / DAY:,.1f} days in its open hours, by its calendar and by the ledger."
    yield _equal(f"open time: {name}", present, by_rows, text)


def _capacity(name: str, path: _Path) -> LawCheck:
    """No start beyond the units present at that instant; a capacity that falls does not interrupt work."""
    wrong = (path.code == START) & (path.use > path.units) | (path.code == PASS) & (path.use >= path.units)
    starts = int(np.count_nonzero(path.code >= PASS))
    text = f"None of the {starts:,} starts at {name} needed more units than were present."
    return _count(f"capacity: {name}", wrong, text)


def _utilisation(name: str, path: _Path) -> LawCheck:
    """Work in open time <= open time of all units (and of work carried over a fall of capacity)."""
    work, capacity, allowed = (int(n @ path.open_seconds) for n in (path.use, path.units, path.allowed()))
    share = work / capacity if capacity else 0.0
    text = f"{name} worked {share:.1%} of its {capacity / DAY:,.1f} days of capacity."
    return LawCheck(f"utilisation: {name}", 0 <= work <= allowed, work, allowed, text)


def _no_idle_unit(ledger: Ledger, pool: int, path: _Path) -> LawCheck:
    """At the end of each instant nobody waits while a unit is free (except behind a rate limit)."""
    name, gap_slot = ledger.program.pool_names[pool], int(ledger.program.pools[pool, 1])
    if gap_slot >= 0 and ledger.program.slots[ledger.draw, gap_slot] > 0:
        return LawCheck(f"no idle unit: {name}", True, 0, 0, f"{name} has a rate limit, so a unit may be idle.")
    wrong = (path.waiting > 0) & (path.use < path.units) & (path.seconds > 0)
    return _count(f"no idle unit: {name}", wrong, f"No visit waited while a unit of {name} was free.")


def _order(ledger: Ledger, pool: int, visits: _Visits) -> LawCheck:
    """No start while a visit that ranks higher (priority, then waiting since, case, token) keeps waiting.

    A visit waits through instant s if entered < s < leaves. Of those that rank higher by priority, entries before s are
    compared with departures up to s.
    """
    program = ledger.program
    classes = np.unique(program.priority[program.steps[:, F.POOL] == pool])
    rank = _rank(ledger, visits, classes)
    wrong = _overtaken(visits, rank, program.begin)
    for k in range(1, len(classes)):
        higher, starts = (rank < k) & (visits.entered < visits.leaves), visits.started[(rank == k) & visits.served]
        starts.sort()
        waiting = np.searchsorted(np.sort(visits.entered[higher]), starts)
        waiting -= np.searchsorted(np.sort(visits.leaves[higher]), starts, side="right")
        wrong = np.append(wrong, waiting > 0)
    name = program.pool_names[pool]
    return _count(f"order of service: {name}", wrong, f"{name} always took the visit that ranked first.")


def _rank(ledger: Ledger, visits: _Visits, classes: Ints) -> Ints:
    """Which of the priorities in use each visit has; 0 goes first."""
    if len(classes) == 1:
        return np.zeros(len(visits.row), dtype=np.int64)
    step, case = (ledger.visits[column][visits.row] for column in ("step", "case"))
    return np.searchsorted(classes, ledger.program.priority)[step, ledger.cases["type"][case]]


def _overtaken(visits: _Visits, rank: Ints, begin: int) -> Bools:
    """Of the visits in the order of their rank: which started before one of the same priority that ranks higher.

    The running maximum of `leaves` shows whether an earlier one still waited. A visit that enters and starts in one
    instant is compared only with those that waited before that instant.
    """
    bits = len(rank).bit_length()
    keys = rank * SPAN
    keys += visits.entered
    keys -= begin
    keys <<= bits  # visits in the order of the ledger: by case, then token
    keys += np.arange(len(rank))
    keys.sort()
    by_rank = keys & (2**bits - 1)
    keys >>= bits
    leaves = visits.leaves[by_rank]
    offset = rank[by_rank] * SPAN if len(rank) and rank.any() else 0
    before = np.maximum.accumulate(leaves + offset)
    before[1:] = before[:-1]
    before[:1] = -SPAN
    before -= offset
    suspect = np.flatnonzero((before > leaves) & visits.served[by_rank])
    same_instant = visits.entered[by_rank[suspect]] == leaves[suspect]
    earlier = np.where(same_instant, before[np.searchsorted(keys, keys[suspect])], before[suspect])
    return np.asarray(earlier > leaves[suspect])
