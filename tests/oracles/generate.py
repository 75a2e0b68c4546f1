"""Random but valid workflows of all twelve primitives, deterministic in one number.

Most durations, limits, openings and arrivals are multiples of a minute or an hour, many are zero: what two readings of
the rules would do differently at one instant must happen often. The rest is continuous, to compare quantile functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

import numpy as np

from simulator.clock import DAY, HOUR, MINUTE, WEEK, Calendar, always
from simulator.distributions import (
    Column,
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Kinked,
    Lognormal,
    Mixture,
    Pert,
    Triangular,
    Uniform,
    Weibull,
)
from simulator.futures import Future, realise
from simulator.program import Program
from simulator.workflow import (
    ALWAYS,
    ONE,
    Arrivals,
    Attempts,
    Batch,
    Branch,
    Chance,
    Condition,
    Delay,
    End,
    Endpoint,
    Fork,
    Gate,
    Goto,
    Interruption,
    Join,
    Mark,
    MarkRule,
    Pool,
    Rule,
    Serve,
    Shift,
    Step,
    Table,
    Timer,
    Workflow,
)

IN_CI = 320
"""Seeds 0, 1, … for which the tests compare both engines with the reference."""

MARKS = ("m0", "m1", "m2")
MAX_FORKS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """A workflow with the run for which it was made; `grain`: arrivals are moved down to its multiples."""

    workflow: Workflow
    begin: int
    stop: int
    draw: int
    seed: int
    number: int
    grain: int

    def future(self, program: Program) -> Future:
        found = realise(program, self.draw, self.seed, self.number)
        return replace(found, arrival=found.arrival // self.grain * self.grain)


def generate(seed: int) -> Generated:
    """The workflow of this seed. Its draw is the last of one or two."""
    return _Generator(Random(seed)).generated()


@dataclass(slots=True)
class _Generator:
    """Builds chains from their end: every method for a step takes the id that follows and returns its own."""

    rng: Random
    steps: list[Step] = field(default_factory=list)
    forks: int = 0
    begin: int = field(init=False)
    stop: int = field(init=False)
    draws: int = field(init=False)
    types: int = field(init=False)
    weeks: int = field(init=False)
    pools: tuple[Pool, ...] = field(init=False)
    endpoints: tuple[Endpoint, ...] = field(init=False)

    def generated(self) -> Generated:
        rng = self.rng
        self.begin = rng.choice((-WEEK, -2 * DAY, 0))
        self.stop = rng.choice((DAY, WEEK, WEEK + 12 * HOUR, 2 * WEEK))
        self.draws = rng.choice((1, 1, 2))
        self.types = rng.randint(1, 3)
        self.weeks = rng.randint(1, 3)
        self.pools = tuple(self.pool(f"team{i}") for i in range(rng.randint(1, 3)))
        self.endpoints = tuple(self.endpoint(f"system{i}") for i in range(rng.randint(1, 3)))
        steps = self.all_steps()
        names = tuple(f"type{i}" for i in range(self.types))
        workflow = Workflow(names, steps, self.pools, self.arrivals(), self.endpoints)
        grain = rng.choice((1, MINUTE, 10 * MINUTE, HOUR, 3 * HOUR))
        seed, number = rng.getrandbits(64), rng.randrange(1000)
        return Generated(workflow, self.begin, self.stop, self.draws - 1, seed, number, grain)

    def all_steps(self) -> tuple[Step, ...]:
        """A mark step for each mark comes first (so that every condition is valid), then a few random blocks."""
        end = self.add(End("end"))
        body = self.chain(self.rng.randint(3, 7), 2, end, in_fork=False)
        if self.draws > 1:  # at least one column, so that the program has as many draws
            body = self.add(Delay(self.name(), Constant(np.arange(self.draws, dtype=np.float64)), body))
        for mark in MARKS:
            body = self.mark(body, mark)
        first, rest = self.steps[-1], self.steps[:-1]
        self.rng.shuffle(rest)
        return first, *rest

    # Blocks.

    def add(self, step: Step) -> str:
        self.steps.append(step)
        return step.id

    def name(self) -> str:
        return f"s{len(self.steps)}_{self.rng.getrandbits(32):x}"

    def chain(self, length: int, depth: int, after: str, in_fork: bool) -> str:
        for _ in range(length):
            after = self.block(depth, after, in_fork)
        return after

    def block(self, depth: int, after: str, in_fork: bool) -> str:
        simple: list[Callable[[str], str]] = [self.delay, self.serve, self.gate, self.attempts, self.batch, self.mark]
        nested = [self.branches, self.loop, self.timed, self.timed]
        if not in_fork and self.forks < MAX_FORKS:
            nested += [self.parallel, self.parallel]
        if depth > 0 and self.rng.random() < 0.5:
            return self.rng.choice(nested)(depth - 1, after, in_fork)
        return self.rng.choice([*simple, self.serve, self.serve])(after)

    def branches(self, depth: int, after: str, in_fork: bool) -> str:
        """Some of the ways lead on at once; outside of forks one may end the case."""
        targets = [self.chain(self.rng.randint(0, 2), depth, after, in_fork) for _ in range(self.rng.randint(1, 3))]
        if not in_fork and self.rng.random() < 0.2:
            targets.append(self.add(End(self.name(), "refused")))
        rules = [self.rule(targets, self.condition())] if self.rng.random() < 0.5 else []
        step = Branch(self.name(), (*rules, self.rule(targets, ALWAYS)))
        return self.add(step if self.rng.random() < 0.5 else replace(step, week_of="arrival"))

    def rule(self, targets: list[str], when: Condition) -> Rule:
        """All targets appear in the last rule, a random part of them in the others."""
        used = targets if when is ALWAYS else self.rng.sample(targets, self.rng.randint(1, len(targets)))
        shares = (0.0, 0.2, 0.4, 0.6, 1.0) if len(used) < 3 else (0.0, 0.2, 0.5)
        return Rule(tuple(used), tuple(self.table(*shares) for _ in used[1:]), when)

    def loop(self, depth: int, after: str, in_fork: bool) -> str:
        """A body that is repeated with some probability and a visit limit, as rework is."""
        goto, leave = self.name(), f"{self.name()}_repeat"
        body = self.chain(self.rng.randint(1, 2), depth, leave, in_fork)
        otherwise = self.chain(self.rng.randint(0, 1), 0, after, in_fork)
        self.add(Goto(goto, body, self.rng.randint(0, 3), otherwise))
        self.add(Branch(leave, (Rule((goto, after), (self.table(0.3, 0.6, 1.0),)),)))
        return body

    def timed(self, depth: int, after: str, in_fork: bool) -> str:
        """A deadline over a part of its body and of what follows; one kind of target arms it again at once."""
        before = len(self.steps)
        body = self.chain(self.rng.randint(1, 3), depth, after, in_fork)
        inside = [s.id for s in self.steps[before:] if isinstance(s, Delay | Serve | Gate)]
        outside = [s.id for s in self.steps[:before] if isinstance(s, Delay | Serve | Gate)]
        covers = [s for s in inside if self.rng.random() < 0.8] + [s for s in outside if self.rng.random() < 0.2]
        timer = f"{self.name()}_timer"
        to = self.chain(self.rng.randint(0, 1), 0, after, in_fork)
        if self.rng.random() < 0.4:
            to = self.add(Goto(self.name(), timer, self.rng.randint(1, 3), to))
        limit: Column | Distribution = self.column(0.0, 60.0, 600.0, HOUR, 4 * HOUR, DAY)
        if self.rng.random() < 0.3:
            limit = self.duration()
        clock = self.calendar() if self.rng.random() < 0.3 else None
        return self.add(Timer(timer, limit, tuple(covers), to, body, clock))

    def parallel(self, depth: int, after: str, in_fork: bool) -> str:
        self.forks += 1
        join = self.add(Join(self.name(), after))
        branches = tuple(self.chain(self.rng.randint(1, 2), depth, join, True) for _ in range(self.rng.randint(2, 3)))
        return self.add(Fork(self.name(), branches, join))

    # Single steps.

    def delay(self, after: str) -> str:
        clock = self.calendar() if self.rng.random() < 0.4 else None
        return self.add(Delay(self.name(), self.duration(), after, clock, self.factor()))

    def serve(self, after: str) -> str:
        pool = self.rng.choice(self.pools).name
        return self.add(Serve(self.name(), pool, self.duration(), after, self.factor(), self.priority()))

    def gate(self, after: str) -> str:
        lead = self.column(0.0, 0.0, 90.5, HOUR, 20 * HOUR)
        people = self.rng.choice((0, 0, 1, 3))
        absence = self.interruption() if self.rng.random() < 0.7 else None
        return self.add(Gate(self.name(), self.calendar(), after, lead, people, absence))

    def attempts(self, after: str) -> str:
        return self.add(
            Attempts(
                self.name(),
                self.rng.choice(self.endpoints).name,
                self.duration(),
                self.column(0.0, 60.0, 120.0, 600.0, HOUR),
                after,
                self.rng.choice(MARKS),
                self.rng.randint(1, 4),
                self.table(0.0, 0.3, 0.9),
                self.table(0.0, 0.0, 0.2, 1.0),
                self.column(0.0, 60.0, 90.5, 600.0),
                self.column(0.5, 1.0, 1.5, 2.0),
                self.priority(),
            )
        )

    def batch(self, after: str) -> str:
        size = self.column(1.0, 2.0, 3.0, 5.0)
        return self.add(Batch(self.name(), size, self.column(0.0, 600.0, HOUR, 6 * HOUR, DAY, 5 * DAY), after))

    def mark(self, after: str, mark: str = "") -> str:
        rules = [MarkRule(self.chance(), self.condition()) for _ in range(self.rng.randint(0, 1))]
        if self.rng.random() < 0.8:
            rules.append(MarkRule(self.chance()))
        actions: tuple[Literal["set", "clear", "assign"], ...] = ("set", "clear", "assign")
        chosen = mark or self.rng.choice(MARKS)
        return self.add(Mark(self.name(), chosen, tuple(rules), after, self.rng.choice(actions)))

    def condition(self) -> Condition:
        marks = self.rng.sample(MARKS, self.rng.randint(1, 2))
        return Condition.of(*(self.rng.choice(("", "!")) + mark for mark in marks))

    def chance(self) -> Chance:
        chance = Chance(self.table(0.0, 0.2, 0.5, 0.8, 1.0))
        if self.rng.random() < 0.4:
            chance = replace(chance, volume_slope=self.column(-2.0, 1.0))
        if self.rng.random() < 0.5:
            chance = replace(chance, load_pool=self.rng.choice(self.pools).name, load_slope=self.column(0.5, 2.0))
        if self.rng.random() < 0.3:
            chance = replace(chance, age_calendar=self.calendar(), age_rate_per_hour=self.column(0.01, 0.2))
        if self.rng.random() < 0.4:
            chance = replace(chance, shared=self.column(0.3, 0.8, 1.0))
        return chance

    # Numbers.

    def column(self, *values: float) -> Column:
        """One of the values, or one a draw."""
        if self.draws > 1 and self.rng.random() < 0.3:
            return np.asarray([self.rng.choice(values) for _ in range(self.draws)])
        return self.rng.choice(values)

    def table(self, *values: float) -> Table:
        if self.rng.random() < 0.4:
            return Table.constant(self.column(*values))
        types, weeks = self.rng.choice((1, self.types)), self.rng.choice((1, self.weeks))
        shape = (self.draws, types, weeks) if self.draws > 1 and self.rng.random() < 0.3 else (types, weeks)
        return Table.of(np.reshape([self.rng.choice(values) for _ in range(int(np.prod(shape)))], shape))

    def factor(self) -> Table:
        return ONE if self.rng.random() < 0.5 else self.table(0.0, 0.5, 1.0, 1.0, 2.0)

    def priority(self) -> tuple[int, ...]:
        return () if self.rng.random() < 0.4 else tuple(self.rng.randint(-1, 2) for _ in range(self.types))

    def duration(self) -> Distribution:
        """Mostly whole minutes with many ties, else one of the continuous families."""
        chosen = self.rng.random()
        if chosen < 0.4:
            return Constant(self.column(0.0, 60.0, 60.0, 120.0, 600.0, HOUR, 5 * HOUR))
        if chosen < 0.6:
            low, high = sorted(self.rng.sample((0.0, 60.0, 600.0, HOUR, 10 * HOUR), 2))
            return Empirical.of([(0.0, low), (0.5, low), (0.5, high), (1.0, high)])
        base = self.continuous(self.rng.choice((60.0, 1200.0, HOUR, 6 * HOUR)))
        return Kinked(base, self.column(60.0, HOUR), self.column(0.0, 0.5)) if chosen > 0.9 else base

    def continuous(self, scale: float) -> Distribution:
        a, b = self.column(0.5 * scale, scale), self.column(1.5 * scale, 2.0 * scale)
        families: tuple[Callable[[], Distribution], ...] = (
            lambda: Exponential(a),
            lambda: Lognormal.from_median_p90(a, 3 * b),
            lambda: Weibull(self.column(0.7, 1.5), a),
            lambda: Uniform(0 * a, b),
            lambda: Triangular(0.5 * a, a, b),
            lambda: Gamma(self.column(0.8, 3.0), a),
            lambda: Pert(0.5 * a, a, b),
            lambda: Mixture((0.3, 0.7), (Constant(60.0), Exponential(a))),
            lambda: Empirical.of([(0.0, 0.0), (0.3, 0.5 * scale), (1.0, 2 * scale)]),
        )
        return self.rng.choice(families)()

    def calendar(self) -> Calendar:
        """Office hours with a break, nights, a few hours on two days a week, or around the clock; some end early."""
        rng, first = self.rng, self.begin // DAY
        days = range(first, self.stop // DAY + rng.choice((0, 1, 8)))
        hours: list[tuple[int, int]] = rng.choice(([(8, 12), (13, 17)], [(9, 17)], [(22, 24), (0, 6)], [(10, 11)]))
        weekdays = rng.choice(({0, 1, 2, 3, 4}, {0, 1, 2, 3, 4, 5, 6}, {1, 3}))
        if rng.random() < 0.15:
            return always(self.begin, self.stop + DAY)
        open_days = [day for day in days if day % 7 in weekdays and rng.random() < 0.95] or [0]
        return Calendar.of((day * DAY + a * HOUR, day * DAY + b * HOUR) for day in open_days for a, b in hours)

    def interruption(self) -> Interruption:
        between = Exponential(self.rng.choice((DAY, 3 * DAY)))
        lengths: tuple[Distribution, ...] = (Constant(HOUR), Constant(DAY), Exponential(5 * HOUR))
        return Interruption(between, self.rng.choice(lengths))

    def pool(self, name: str) -> Pool:
        """The first shift has at least one head in every week, so that somebody is there some time."""
        shifts = [Shift(self.calendar(), self.heads(1, 2, 3))]
        if self.rng.random() < 0.5:
            shifts.append(Shift(self.calendar(), self.heads(0, 1, 2)))
        return Pool(name, tuple(shifts), self.interruption() if self.rng.random() < 0.4 else None)

    def heads(self, *values: int) -> Table:
        shape = (self.draws, 1, self.weeks) if self.draws > 1 and self.rng.random() < 0.3 else (1, self.weeks)
        return Table.of(np.reshape([float(self.rng.choice(values)) for _ in range(int(np.prod(shape)))], shape))

    def endpoint(self, name: str) -> Endpoint:
        outage = self.interruption() if self.rng.random() < 0.5 else None
        downtime = self.calendar() if self.rng.random() < 0.2 else None
        gap = self.rng.choice((0.0, 0.0, 0.0, 60.0, 90.5, 600.0))
        return Endpoint(name, outage, downtime, self.rng.choice((0, 0, 1, 2)), gap)

    def arrivals(self) -> Arrivals:
        first, last = self.begin // DAY, -(-self.stop // DAY)
        hours = Calendar.of((day * DAY + 6 * HOUR, day * DAY + 18 * HOUR) for day in range(first, last))
        per_day = 30.0 / (last - first) if self.rng.random() < 0.5 else self.rng.choice((1.0, 4.0))
        factors = tuple(self.rng.choice((0.0, 1.0, 1.0, 3.0)) for _ in range(first, last))
        shares = tuple(1.0 / self.types for _ in range(self.types))
        cv, clusters = self.rng.choice((0.0, 0.5)), self.rng.choice((1, 4))
        return Arrivals(per_day, factors, first, hours, shares, cv, clusters, self.rng.choice((0.0, 1.0)))
