"""Lowering: a `Workflow` becomes a `Program` of integer tables plus `slots`, one row of floats a draw.

Both engines read the same Program. Step references, pools, calendars, tables, chances and distributions are row numbers of the
tables below; every number that may differ between draws is a column of `slots`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from simulator.checks import Problem, WorkflowError, check, marks_of, tokens_of
from simulator.clock import Calendar
from simulator.distributions import Column, Constant, Distribution, Kind
from simulator.workflow import (
    Attempts,
    Batch,
    Branch,
    Chance,
    Condition,
    Delay,
    End,
    Fork,
    Gate,
    Goto,
    Join,
    Mark,
    Serve,
    Step,
    Table,
    Timer,
    Workflow,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Op(IntEnum):
    """The twelve primitives."""

    DELAY = 0
    SERVE = 1
    GATE = 2
    BRANCH = 3
    MARK = 4
    ATTEMPTS = 5
    TIMER = 6
    FORK = 7
    JOIN = 8
    BATCH = 9
    GOTO = 10
    END = 11


OPS: dict[type[Step], Op] = {
    Delay: Op.DELAY,
    Serve: Op.SERVE,
    Gate: Op.GATE,
    Branch: Op.BRANCH,
    Mark: Op.MARK,
    Attempts: Op.ATTEMPTS,
    Timer: Op.TIMER,
    Fork: Op.FORK,
    Join: Op.JOIN,
    Batch: Op.BATCH,
    Goto: Op.GOTO,
    End: Op.END,
}


class F(IntEnum):
    """Columns of `Program.steps`; those that an operation does not use hold -1."""

    OP = 0
    NEXT = 1
    TOKEN = 2
    DISTRIBUTION = 3
    TABLE = 4
    CALENDAR = 5
    POOL = 6
    A = 7
    B = 8
    C = 9
    D = 10
    E = 11


class Action(IntEnum):
    SET = 0
    CLEAR = 1
    ASSIGN = 2


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A lowered workflow over [begin, stop).

    steps: (steps, len(F)) · priority: (steps, types) · covers: (steps, steps), timer step by covered step ·
    rules: required, forbidden, first target, targets, first table · targets: step numbers of branches and forks ·
    mark_rules: required, forbidden, chance · chances: table, volume slot, pool, load slot, calendar, age slot, shared slot ·
    tables: slot, type stride, week stride, weeks · distributions: kind, slot, nodes, kink slot ·
    pools: endpoint (-1 for a team), gap slot · endpoints: pool (-1 if unlimited) · slots: (draws, slots) · accounts: what a step's own time is booked as, by step.
    """

    workflow: Workflow
    begin: int
    stop: int
    steps: Ints
    priority: Ints
    covers: Ints
    rules: Ints
    targets: Ints
    mark_rules: Ints
    chances: Ints
    tables: Ints
    distributions: Ints
    pools: Ints
    endpoints: Ints
    calendars: tuple[Calendar, ...]
    marks: tuple[str, ...]
    results: tuple[str, ...]
    slots: Floats
    slot_names: tuple[str, ...]
    step_ids: tuple[str, ...]
    pool_names: tuple[str, ...]
    accounts: tuple[str, ...]

    @property
    def draws(self) -> int:
        return len(self.slots)

    def of_draw(self, draw: int, changes: Mapping[int, float] | None = None) -> Program:
        """The same program with the slots of one draw alone, some of them changed (slot number -> value)."""
        row = self.slots[draw].copy()
        for slot, value in (changes or {}).items():
            row[slot] = value
        return replace(self, slots=row[None, :])


def lower(workflow: Workflow, begin: int, stop: int) -> Program:
    """The program of a workflow for a run over [begin, stop) seconds. Raises WorkflowError with all problems found."""
    problems = check(workflow)
    if problems:
        raise WorkflowError(problems)
    return _Lowering(workflow, begin, stop).program()


@dataclass(slots=True)
class _Lowering:
    workflow: Workflow
    begin: int
    stop: int
    columns: list[Floats] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    rules: list[list[int]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    mark_rules: list[list[int]] = field(default_factory=list)
    chances: list[list[int]] = field(default_factory=list)
    tables: list[list[int]] = field(default_factory=list)
    distributions: list[list[int]] = field(default_factory=list)
    calendars: list[Calendar] = field(default_factory=list)
    results: list[str] = field(default_factory=list)

    def program(self) -> Program:
        flow = self.workflow
        number = {s.id: i for i, s in enumerate(flow.steps)}
        token, marks = tokens_of(flow), marks_of(flow)
        pools, endpoints = self._pools()
        limited = [e.name for e, pool in zip(flow.endpoints, endpoints, strict=True) if pool >= 0]
        steps = np.full((len(flow.steps), len(F)), -1, dtype=np.int64)
        priority = np.zeros((len(flow.steps), len(flow.types)), dtype=np.int64)
        covers = np.zeros((len(flow.steps), len(flow.steps)), dtype=np.int64)
        context = _Context(number, {m: i for i, m in enumerate(marks)}, {p.name: i for i, p in enumerate(flow.pools)}, endpoints)
        for i, step in enumerate(flow.steps):
            row = {F.OP: int(OPS[type(step)]), F.TOKEN: token[step.id], **self._step(step, context)}
            for column, value in row.items():
                steps[i, column] = value
            if isinstance(step, Serve | Attempts) and step.priority:
                priority[i] = step.priority
            if isinstance(step, Timer):
                covers[i, [number[name] for name in step.covers]] = 1
        return Program(
            flow,
            self.begin,
            self.stop,
            steps,
            priority,
            covers,
            _matrix(self.rules, 5),
            np.asarray(self.targets, dtype=np.int64),
            _matrix(self.mark_rules, 3),
            _matrix(self.chances, 7),
            _matrix(self.tables, 4),
            _matrix(self.distributions, 4),
            _matrix(pools, 2),
            np.asarray(endpoints, dtype=np.int64),
            tuple(self.calendars),
            marks,
            tuple(self.results),
            self._slots(),
            tuple(self.names),
            tuple(s.id for s in flow.steps),
            (*(p.name for p in flow.pools), *limited),
            tuple(s.account if isinstance(s, Delay | Serve | Gate | Attempts | Join | Batch) else "" for s in flow.steps),
        )

    def _slots(self) -> Floats:
        if not self.columns:
            return np.zeros((1, 0))
        draws = max((c.shape[0] for c in self.columns if c.ndim == 2), default=1)
        wrong = [n for c, n in zip(self.columns, self._column_names(), strict=True) if c.ndim == 2 and len(c) != draws]
        if wrong:
            raise ValueError(f"columns differ in their number of draws: {', '.join(wrong)}")
        return np.concatenate([np.broadcast_to(c, (draws, c.shape[-1])) for c in self.columns], axis=1)

    def _column_names(self) -> list[str]:
        starts = np.cumsum([0, *(c.shape[-1] for c in self.columns[:-1])])
        return [self.names[i] for i in starts]

    def slot(self, name: str, *values: Column, at_least: float = 0.0) -> int:
        """Appends consecutive slots, one a value; returns the number of the first."""
        if any(np.any(np.asarray(v) < at_least) for v in values):
            raise WorkflowError([_problem(name, "is negative" if at_least == 0 else f"is below {at_least:g}")])
        arrays = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values))
        return self._append(name, np.stack(arrays, axis=-1))

    def _append(self, name: str, block: Floats) -> int:
        if not np.isfinite(block).all():
            raise WorkflowError([_problem(name, "holds a number that is not finite")])
        first = len(self.names)
        self.columns.append(block)
        self.names.extend(f"{name}[{i}]" for i in range(block.shape[-1]))
        return first

    def table(self, name: str, table: Table) -> int:
        types, weeks = table.values.shape[-2:]
        if types not in (1, len(self.workflow.types)):
            raise WorkflowError([_problem(name, f"has {types} rows for {len(self.workflow.types)} case types")])
        block = table.values.reshape(*table.values.shape[:-2], types * weeks)
        first = self._append(name, block)
        self.tables.append([first, weeks if types > 1 else 0, 1 if weeks > 1 else 0, weeks])
        return len(self.tables) - 1

    def factor(self, name: str, table: Table) -> int:
        if (table.values < 0).any():
            raise WorkflowError([_problem(name, "holds a negative factor")])
        return self.table(name, table)

    def probability(self, name: str, table: Table) -> int:
        if (table.values < 0).any() or (table.values > 1).any():
            raise WorkflowError([_problem(name, "holds a probability outside 0 to 1")])
        return self.table(name, table)

    def distribution(self, name: str, distribution: Distribution) -> int:
        lowered = distribution.lowered()
        kink = -1 if lowered.kink is None else self.slot(f"{name}.kink", *lowered.kink)
        if lowered.kind is Kind.TABLE:
            assert lowered.nodes_u is not None
            assert lowered.nodes_x is not None
            nodes, x = len(lowered.nodes_u), lowered.nodes_x
            first = self._append(f"{name}.u", lowered.nodes_u)
            self._append(f"{name}.x", x)
        else:
            nodes, first = 0, self.slot(name, *lowered.parameters, at_least=-np.inf)
        if (np.asarray(distribution.quantile([1e-9])) < 0).any():
            raise WorkflowError([_problem(name, "can be negative")])
        self.distributions.append([int(lowered.kind), first, nodes, kink])
        return len(self.distributions) - 1

    def calendar(self, calendar: Calendar | None) -> int:
        if calendar is None:
            return -1
        for i, known in enumerate(self.calendars):
            if known == calendar:
                return i
        self.calendars.append(calendar)
        return len(self.calendars) - 1

    def chance(self, name: str, chance: Chance, pools: dict[str, int]) -> int:
        row = [
            self.probability(name, chance.base),
            self.slot(f"{name}.volume_slope", chance.volume_slope, at_least=-np.inf),
            pools[chance.load_pool] if chance.load_pool else -1,
            self.slot(f"{name}.load_slope", chance.load_slope, at_least=-np.inf),
            self.calendar(chance.age_calendar),
            self.slot(f"{name}.age_rate_per_hour", chance.age_rate_per_hour),
            self.slot(f"{name}.shared", chance.shared),
        ]
        self.chances.append(row)
        return len(self.chances) - 1

    def _pools(self) -> tuple[list[list[int]], list[int]]:
        pools = [[-1, -1] for _ in self.workflow.pools]
        endpoints = []
        for i, endpoint in enumerate(self.workflow.endpoints):
            limited = endpoint.concurrency > 0 or bool(np.any(np.asarray(endpoint.gap_seconds) > 0))
            endpoints.append(len(pools) if limited else -1)
            if limited:
                pools.append([i, self.slot(f"endpoints.{endpoint.name}.gap", endpoint.gap_seconds)])
        return pools, endpoints

    def _step(self, step: Step, known: _Context) -> dict[F, int]:
        name, at = step.id, known.number
        match step:
            case Delay():
                return {
                    F.NEXT: at[step.next],
                    F.DISTRIBUTION: self.distribution(name, step.duration),
                    F.TABLE: self.factor(f"{name}.factor", step.factor),
                    F.CALENDAR: self.calendar(step.clock),
                }
            case Serve():
                return {
                    F.NEXT: at[step.next],
                    F.POOL: known.pool[step.pool],
                    F.DISTRIBUTION: self.distribution(name, step.duration),
                    F.TABLE: self.factor(f"{name}.factor", step.factor),
                }
            case Gate():
                return {
                    F.NEXT: at[step.next],
                    F.CALENDAR: self.calendar(step.openings),
                    F.A: self.slot(f"{name}.lead", step.lead_seconds),
                    F.B: step.people,
                }
            case Attempts():
                return self._attempts(step, known)
            case Timer():
                limit = step.limit_seconds if isinstance(step.limit_seconds, Distribution) else Constant(step.limit_seconds)
                number = self.distribution(f"{name}.limit", limit)
                return {F.NEXT: at[step.next], F.DISTRIBUTION: number, F.B: at[step.to], F.CALENDAR: self.calendar(step.clock)}
            case Batch():
                return {F.NEXT: at[step.next], F.A: self._batch(step)}
            case Goto():
                return {F.NEXT: at[step.otherwise], F.A: at[step.to], F.B: step.limit}
            case Join():
                fork = next(s for s in self.workflow.steps if isinstance(s, Fork) and s.join == name)
                return {F.NEXT: at[step.next], F.A: at[fork.id]}
            case Fork():
                first = self._targets(at[b] for b in step.branches)
                return {F.A: first, F.B: len(step.branches), F.C: at[step.join]}
            case End():
                if step.result not in self.results:
                    self.results.append(step.result)
                return {F.A: self.results.index(step.result)}
            case Branch():
                return self._branch(step, known)
            case Mark():
                return self._mark(step, known)

    def _targets(self, numbers: Iterable[int]) -> int:
        first = len(self.targets)
        self.targets.extend(numbers)
        return first

    def _batch(self, step: Batch) -> int:
        first = self.slot(f"{step.id}.size", step.size, at_least=0.5)
        self.slot(f"{step.id}.max_wait", step.max_wait_seconds)
        return first

    def _attempts(self, step: Attempts, known: _Context) -> dict[F, int]:
        name = step.id
        endpoint = [e.name for e in self.workflow.endpoints].index(step.endpoint)
        return {
            F.NEXT: known.number[step.next],
            F.POOL: known.endpoint_pool[endpoint],
            F.DISTRIBUTION: self.distribution(name, step.latency),
            F.TABLE: self.probability(f"{name}.transient", step.transient),
            F.A: endpoint,
            F.B: self.slot(f"{name}.retry", step.timeout_seconds, step.back_off_seconds, step.multiplier),
            F.C: known.mark[step.failure_mark],
            F.D: step.attempts,
            F.E: self.probability(f"{name}.permanent", step.permanent),
        }

    def _branch(self, step: Branch, known: _Context) -> dict[F, int]:
        first = len(self.rules)
        for r, rule in enumerate(step.rules):
            tables = [self.probability(f"{step.id}.rules[{r}]", p) for p in rule.probabilities]
            target = self._targets(known.number[t] for t in rule.targets)
            self.rules.append([*known.masks(rule.when), target, len(rule.targets), tables[0] if tables else -1])
        return {F.A: first, F.B: len(step.rules), F.C: int(step.week_of == "arrival")}

    def _mark(self, step: Mark, known: _Context) -> dict[F, int]:
        first = len(self.mark_rules)
        for r, rule in enumerate(step.rules):
            chance = self.chance(f"{step.id}.rules[{r}]", rule.chance, known.pool)
            self.mark_rules.append([*known.masks(rule.when), chance])
        action = Action[step.action.upper()]
        row = {F.A: known.mark[step.mark], F.B: int(action), F.C: first, F.D: len(step.rules)}
        return {F.NEXT: known.number[step.next], **row}


@dataclass(frozen=True, slots=True)
class _Context:
    number: dict[str, int]
    mark: dict[str, int]
    pool: dict[str, int]
    endpoint_pool: list[int]

    def masks(self, when: Condition) -> tuple[int, int]:
        return sum(1 << self.mark[m] for m in when.required), sum(1 << self.mark[m] for m in when.forbidden)


def _matrix(rows: list[list[int]], width: int) -> Ints:
    return np.asarray(rows, dtype=np.int64).reshape(len(rows), width)


def _problem(place: str, message: str) -> Problem:
    return Problem(f"steps.{place}", message)
