"""What arms have in common before go-live is simulated once: the state at go-live is kept, and arms that cannot differ until then
go on from it.

An arm may go on from the state of another if everything that was read before go-live is the same in both: the structure, the slots of
the steps that were entered (of tables by week the week before go-live), the capacities as far as work under way and wake-ups reach,
and the outages and absences of the steps entered. The ledger is then the same as without the shortcut (tested).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernel as k
from simulator.futures import Capacity, Future
from simulator.program import F, Op, Program

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
GO_LIVE = 0


class Structure:
    """Stands for all programs that differ in their slots alone; knows the slots that a step reads before go-live."""

    def __init__(self) -> None:
        self.slots_of: dict[int, list[int]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Prefix:
    """The state at go-live. `needed`: slots that were read · `reach`: second up to which the capacity of each pool was read ·
    `called`: endpoints that some case called · `gates`: gates that some case passed."""

    structure: Structure
    slots: Floats
    future: Future
    header: Ints
    state: Ints
    needed: NDArray[np.bool_]
    reach: Ints
    called: tuple[int, ...]
    gates: tuple[str, ...]

    def fits(self, structure: Structure, slots: Floats, future: Future) -> bool:
        """Whether a run would be in the same state at go-live."""
        mine, other = self.future, future
        return (
            self.structure is structure
            and mine.arrival is other.arrival
            and (mine.seed, mine.number, mine.stop) == (other.seed, other.number, other.stop)
            and np.array_equal(self.slots[self.needed], slots[self.needed])
            and all(_same_until(a, b, t) for a, b, t in zip(mine.capacity, other.capacity, self.reach.tolist(), strict=True))
            and self._same_surroundings(other)
        )

    def _same_surroundings(self, other: Future) -> bool:
        """Outages of the endpoints called, absences of the people at the gates passed."""
        return all(self.future.down[e] == other.down[e] for e in self.called) and all(
            self.future.absent.get(g) == other.absent.get(g) for g in self.gates
        )


def same_structure(a: Program, b: Program) -> bool:
    """Whether two programs differ in their slots alone."""
    if a.steps is b.steps:
        return True
    tables = (
        "steps",
        "priority",
        "covers",
        "rules",
        "targets",
        "mark_rules",
        "chances",
        "tables",
        "distributions",
        "pools",
        "endpoints",
    )
    return (
        (a.begin, a.stop, a.step_ids, a.marks, a.results) == (b.begin, b.stop, b.step_ids, b.marks, b.results)
        and a.slot_names == b.slot_names
        and all(np.array_equal(getattr(a, name), getattr(b, name)) for name in tables)
        and a.calendars == b.calendars
    )


def _same_until(a: Capacity, b: Capacity, second: int) -> bool:
    """Whether two capacities are the same before a second; and their first units, which a load may read ahead of time."""
    if a is b or (a.starts, a.ends, a.units) == (b.starts, b.ends, b.units):
        return True
    return a.units[:1] == b.units[:1] and _clipped(a, second) == _clipped(b, second)


def _clipped(capacity: Capacity, second: int) -> list[tuple[int, int, int]]:
    rows = zip(capacity.starts, capacity.ends, capacity.units, strict=True)
    return [(start, min(end, second), units) for start, end, units in rows if start < second]


def take(program: Program, structure: Structure, slots: Floats, future: Future, M: Ints) -> Prefix:  # noqa: N803 – the kernel's memory
    """The state that the kernel has reached at go-live."""
    seen, rows = int(M[k.H_SEEN_AT]), int(M[k.H_ROWS_AT])
    entered = np.flatnonzero(M[seen : seen + len(program.steps)])
    state = M[seen : rows + k.ROW * int(M[k.H_ROWS])].copy()
    header = M[k.H_NEXT_CASE : k.H_SEEN_AT].copy()
    ops, ids = program.steps[entered, F.OP], program.step_ids
    called = tuple(np.unique(program.steps[entered[ops == int(Op.ATTEMPTS)], F.A]).tolist())
    gates = tuple(ids[i] for i in entered[ops == int(Op.GATE)])
    return Prefix(
        structure, slots, future, header, state, _needed(program, structure.slots_of, entered), _reach(program, M), called, gates
    )


def restore(prefix: Prefix, M: Ints, rows_are_there: bool = False) -> None:  # noqa: N803
    """Puts the state into a memory that is laid out for another arm, with the same space. `rows_are_there`: all but the rows."""
    seen = int(M[k.H_SEEN_AT])
    words = int(M[k.H_ROWS_AT]) - seen if rows_are_there else len(prefix.state)
    M[seen : seen + words] = prefix.state[:words]
    M[k.H_NEXT_CASE : k.H_SEEN_AT] = prefix.header


def _reach(program: Program, M: Ints) -> Ints:  # noqa: N803
    """For each pool the second up to which its capacity has been read: the end of work under way, the next wake-up."""
    pools, begin, events_at = len(program.pools), program.begin, int(M[k.H_EVENTS_AT])
    events = M[events_at : events_at + int(M[k.H_EVENTS])]
    second, kind, number = (events >> k.EVENT_BITS) + begin, (events >> 30) & 3, events & (2**30 - 1)
    reach = np.full(pools, GO_LIVE, dtype=np.int64)
    woken = (kind == k.WAKE) & (number < pools)
    np.maximum.at(reach, number[woken], second[woken] + 1)
    records = M[k.H_POOLS_AT] + k.Q_WIDTH * np.arange(pools)
    waiting = M[records + k.Q_SIZE] > 0
    reach[waiting & ~np.isin(np.arange(pools), number[woken])] = program.stop
    tokens = M[k.H_TOKENS_AT] + k.T_WIDTH * np.arange(int(M[k.H_USED]))
    at_work = np.flatnonzero((M[tokens + k.T_CASE] >= 0) & (M[tokens + k.T_HOLDING] >= 0))
    ends = np.full(int(M[k.H_USED]), program.stop, dtype=np.int64)
    resumed = kind == k.RESUME
    ends[number[resumed]] = second[resumed]
    np.maximum.at(reach, M[tokens[at_work] + k.T_HOLDING], ends[at_work] + 1)
    return reach


def _needed(program: Program, slots_of: dict[int, list[int]], entered: Ints) -> NDArray[np.bool_]:
    """The slots that the steps entered read before go-live; those of a step are found once and kept in `slots_of`."""
    needed = np.zeros(program.slots.shape[1], dtype=np.bool_)
    for gap in program.pools[:, 1]:
        needed[gap : gap + 1] |= gap >= 0
    for i in entered.tolist():
        needed[slots_of[i] if i in slots_of else slots_of.setdefault(i, _slots_of(program, i))] = True
    return needed


def _slots_of(program: Program, i: int) -> list[int]:
    """The slots of a step."""
    row = program.steps[i].tolist()
    op, a, b, c, d = row[F.OP], row[F.A], row[F.B], row[F.C], row[F.D]
    found: list[int] = []
    if row[F.DISTRIBUTION] >= 0:
        found += _of_distribution(program, row[F.DISTRIBUTION])
    if op in (Op.DELAY, Op.SERVE):
        found += _of_table(program, row[F.TABLE])
    elif op == Op.GATE:
        found.append(a)
    elif op == Op.BATCH:
        found += [a, a + 1]
    elif op == Op.ATTEMPTS:  # later attempts of a call may fall after go-live
        found += [
            b,
            b + 1,
            b + 2,
            *_of_table(program, row[F.TABLE], every_week=True),
            *_of_table(program, row[F.E], every_week=True),
        ]
    elif op == Op.BRANCH:
        for rule in program.rules[a : a + b].tolist():
            for number in range(rule[3] - 1):
                found += _of_table(program, rule[4] + number)
    elif op == Op.MARK:
        for rule in program.mark_rules[c : c + d].tolist():
            table, volume, _, load, _, age, shared = program.chances[rule[2]].tolist()
            found += [*_of_table(program, table), volume, load, age, shared]
    return found


def _of_table(program: Program, number: int, every_week: bool = False) -> list[int]:
    slot, by_type, by_week, weeks = program.tables[number].tolist()
    kinds = range(len(program.workflow.types)) if by_type else range(1)
    return [slot + kind * by_type + week for kind in kinds for week in range(weeks if every_week and by_week else 1)]


def _of_distribution(program: Program, number: int) -> list[int]:
    _, first, nodes, kink = program.distributions[number].tolist()
    own = range(first, first + (2 * nodes if nodes else 3))
    return [s for s in (*own, *((kink, kink + 1) if kink >= 0 else ())) if s < program.slots.shape[1]]
