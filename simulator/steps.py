"""What each primitive does to a token, written to be read (docs/workflow.md section 5).

`Decoder` turns a program and one row of slots into one function a step. Such a function takes a token, the number of this
visit (0 = the case's first) and the present second, moves the token on (sets `token.step`), writes the row of the visit, and answers
how long the token waits: seconds (0 = go on now), `UNTIL_CALLED` or `FOREVER`.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable
from typing import Protocol, TypeVar

from simulator import draws
from simulator.clock import HOUR, NEVER, Calendar, week_index
from simulator.distributions import Kind
from simulator.draws import Entity
from simulator.futures import Future
from simulator.ledger import OPEN, Result
from simulator.program import Action, F, Op, Program
from simulator.quantiles import quantile_of

UNTIL_CALLED = -1
FOREVER = -2
NO_CHANCE = -700.0
"""A logit below this counts as probability 0."""

DONE, TIMED_OUT, FAILED, BACK_OFF, _ = Result

Values = list[list[float]]


class Case:
    """One case while it runs."""

    __slots__ = (
        "arrival",
        "cluster",
        "end_result",
        "ended",
        "entity",
        "index",
        "joins",
        "ratio",
        "type",
        "visits",
    )

    def __init__(self, index: int, facts: tuple[int, int, int, float, int], steps: int) -> None:
        self.index = index
        self.entity, self.type, self.cluster, self.ratio, self.arrival = facts
        self.visits = [0] * steps
        self.joins: dict[int, tuple[int, list[tuple[Token, int]]]] = {}  # passage, and who has arrived when
        self.ended = OPEN
        self.end_result = -1


class Token:
    """A case's place in the workflow; a fork has one a branch."""

    __slots__ = ("attempt", "case", "due", "entered", "entry", "hopeless", "marks", "number",
                 "parent", "step", "timer", "visit", "waiting")  # fmt: skip

    def __init__(self, case: Case, number: int, step: int, marks: int, parent: Token | None = None) -> None:
        self.case = case
        self.number = number
        self.step = step
        self.marks = marks
        self.parent = parent
        self.timer = -1  # the timer step that is armed
        self.due = NEVER
        self.entry = 0  # counts entries into queues, so that a stale queue entry is recognised
        self.waiting = False  # in a queue or a batch
        self.entered = self.visit = 0  # of the visit in progress
        self.attempt = 0  # of a call to a limited endpoint
        self.hopeless = False  # the call fails whatever is tried


def roots_of(future: Future, steps: int) -> list[Token]:
    """Token 0 of every case of a future, in the order of the cases' numbers."""
    entities = draws.case_entity(future.day, future.ordinal).tolist()
    columns = (entities, future.type.tolist(), future.cluster.tolist(), future.ratio.tolist(), future.arrival.tolist())
    return [Token(Case(i, facts, steps), 0, 0, 0) for i, facts in enumerate(zip(*columns, strict=True))]


Enter = Callable[[Token, int, int], int]
"""(token, visit, now) -> seconds to wait, UNTIL_CALLED or FOREVER."""


class Leave(Protocol):
    """(token, visit, now, end, next step, result) -> seconds to wait or FOREVER."""

    def __call__(self, token: Token, visit: int, now: int, end: int, next_step: int, result: int = DONE) -> int: ...


class Engine(Protocol):
    """What the steps need from whoever runs them."""

    program: Program
    future: Future
    rows: list[int]

    def queue(self, token: Token, pool: int, priority: int, now: int) -> None: ...
    def gather(self, token: Token, step: int, now: int) -> None: ...
    def go_on(self, token: Token, now: int, wait: int) -> None: ...
    def load(self, pool: int, now: int) -> float: ...


def rounded(seconds: float) -> int:
    """Whole seconds; beyond any horizon counts as never."""
    return math.floor(seconds + 0.5) if seconds < NEVER else NEVER


class Decoder:
    def __init__(self, engine: Engine, draw: int) -> None:
        self.engine = engine
        self.program = engine.program
        self.row: list[float] = engine.program.slots[draw].tolist()
        self.field = engine.program.steps.tolist()
        self.covers: list[list[int]] = engine.program.covers.tolist()
        self.uniform = Uniforms(engine.program, engine.future)

    def step(self, i: int) -> Enter:
        makers = {
            Op.DELAY: self.delay, Op.SERVE: self.serve, Op.GATE: self.gate, Op.BRANCH: self.branch, Op.MARK: self.mark,
            Op.ATTEMPTS: self.attempts, Op.TIMER: self.timer, Op.FORK: self.fork, Op.JOIN: self.join,
            Op.BATCH: self.batch, Op.GOTO: self.goto, Op.END: self.end,
        }  # fmt: skip
        return makers[Op(self.field[i][F.OP])](i)

    def table(self, number: int) -> Values:
        """A table as lists by type and week (all types, its own weeks)."""
        slot, by_type, by_week, weeks = self.program.tables[number].tolist()
        width = weeks if by_week else 1
        return [self.row[slot + t * by_type : slot + t * by_type + width] for t in range(len(self.program.workflow.types))]

    def value(self, number: int) -> Callable[[Case, int], float]:
        """What a table says for a case at a second; its last week holds for all weeks after it."""
        table = self.table(number)
        if all(len(set(by_week)) == 1 for by_week in table):
            always = [by_week[0] for by_week in table]
            return lambda case, _: always[case.type]

        def value(case: Case, now: int) -> float:
            by_week, week = table[case.type], week_index(now)
            return by_week[week] if week < len(by_week) else by_week[-1]

        return value

    def calendar(self, number: int) -> Calendar | None:
        return None if number < 0 else self.program.calendars[number]

    def duration(self, i: int) -> Callable[[Case, int, int], int]:
        """How long a visit takes that starts at a second: a delay or a service."""
        quantile = quantile_of(self.program, self.field[i][F.DISTRIBUTION], self.row)
        factor, first = self.value(self.field[i][F.TABLE]), self.uniform.first(i)
        return lambda case, visit, now: rounded(quantile(first(case, visit)) * factor(case, now))

    def delay(self, i: int) -> Enter:
        next_step, leave, duration = self.field[i][F.NEXT], self.leave(i), self.duration(i)
        clock = self.calendar(self.field[i][F.CALENDAR])

        def enter(token: Token, visit: int, now: int) -> int:
            seconds = duration(token.case, visit, now)
            return leave(token, visit, now, now + seconds if clock is None else clock.add(now, seconds), next_step)

        return enter

    def gate(self, i: int) -> Enter:
        next_step, leave = self.field[i][F.NEXT], self.leave(i)
        openings, lead, first = (
            self.program.calendars[self.field[i][F.CALENDAR]],
            rounded(self.row[self.field[i][F.A]]),
            self.uniform.first(i),
        )
        absent, people = self.engine.future.absent.get(self.program.step_ids[i], ()), self.field[i][F.B]

        def enter(token: Token, visit: int, now: int) -> int:
            opening = openings.next_open(now + lead)
            if absent:
                away = absent[int(first(token.case, visit) * people)]
                while away.is_open(opening):
                    opening = openings.next_open(away.end_of(opening))
            return leave(token, visit, now, opening, next_step)

        return enter

    def leave(self, i: int) -> Leave:
        """Ends a wait that is known at its start: writes the row, lets an armed timer cut it."""
        write, stop, covers, field = self.engine.rows.extend, self.program.stop, self.covers, self.field

        def leave(token: Token, visit: int, now: int, end: int, next_step: int, result: int = DONE) -> int:
            if token.timer >= 0:
                if not covers[token.timer][i]:
                    token.timer = -1
                elif token.due <= end:
                    end, next_step, result = max(now, token.due), field[token.timer][F.B], TIMED_OUT
                    token.timer = -1
            write((token.case.index, token.number, i, visit, -1, now, now, end, result))
            token.step = next_step
            return end - now if end < stop else FOREVER

        return leave

    def serve(self, i: int) -> Enter:
        engine, covers = self.engine, self.covers
        pool, priority = self.field[i][F.POOL], self.program.priority[i].tolist()

        def enter(token: Token, visit: int, now: int) -> int:
            token.visit, token.entered = visit, now
            if token.timer >= 0 and not covers[token.timer][i]:
                token.timer = -1
            engine.queue(token, pool, priority[token.case.type], now)
            return UNTIL_CALLED

        return enter

    def branch(self, i: int) -> Enter:
        by_arrival, first = self.field[i][F.C], self.uniform.first(i)
        start = self.field[i][F.A]
        rules = []
        for required, forbidden, target, targets, table in self.program.rules[start : start + self.field[i][F.B]].tolist():
            *some, last = self.program.targets[target : target + targets].tolist()
            rules.append((required, forbidden, ([(step, self.value(table + k)) for k, step in enumerate(some)], last)))
        if not any(options for *_, (options, _) in rules):
            return self.sorting([(required, forbidden, last) for required, forbidden, (_, last) in rules])
        rule = ByMarks(rules)

        def enter(token: Token, visit: int, now: int) -> int:
            case = token.case
            options, token.step = rule[token.marks]
            if options:
                u, total, when = first(case, visit), 0.0, case.arrival if by_arrival else now
                for target, probability in options:
                    total += probability(case, when)
                    if u < total:
                        token.step = target
                        break
            return 0

        return enter

    def sorting(self, rules: list[tuple[int, int, int]]) -> Enter:
        """A branch that draws nothing: the marks alone decide."""
        target = ByMarks(rules)

        def enter(token: Token, _: int, __: int) -> int:
            token.step = target[token.marks]
            return 0

        return enter

    def mark(self, i: int) -> Enter:
        next_step, bit, action = self.field[i][F.NEXT], 1 << self.field[i][F.A], self.field[i][F.B]
        start = self.field[i][F.C]
        rules = [
            (required, forbidden, self.chance(i, chance))
            for required, forbidden, chance in self.program.mark_rules[start : start + self.field[i][F.D]].tolist()
        ]
        chance = ByMarks([*rules, (0, 0, None)])
        set_on_hit, clear_on_miss = action != Action.CLEAR, action == Action.ASSIGN

        def enter(token: Token, visit: int, now: int) -> int:
            happens = chance[token.marks]
            if happens is not None:
                if happens(token.case, visit, now):
                    token.marks = token.marks | bit if set_on_hit else token.marks & ~bit
                elif clear_on_miss:
                    token.marks &= ~bit
            token.step = next_step
            return 0

        return enter

    def chance(self, i: int, number: int) -> Callable[[Case, int, int], bool]:
        """Whether a chance comes true for a case at a visit; the plain ones without any dependence are kept short."""
        table, volume, pool, load, calendar, age, shared = self.program.chances[number].tolist()
        base, first = self.value(table), self.uniform.first(i)
        plain = pool < 0 and calendar < 0 and not self.row[volume] and not self.row[shared]
        values = {p for by_week in self.table(table) for p in by_week}
        if plain and len(values) == 1:
            p = values.pop()
            if p in (0.0, 1.0):
                return _surely if p else _never
            return lambda case, visit, _: first(case, visit) < p
        if plain:
            return lambda case, visit, now: first(case, visit) < base(case, now)
        return self.dependent_chance(
            i, base, (self.row[volume], pool, self.row[load]), (calendar, self.row[age]), self.row[shared]
        )

    def dependent_chance(
        self,
        i: int,
        base: Callable[[Case, int], float],
        load: tuple[float, int, float],
        data_age: tuple[int, float],
        share: float,
    ) -> Callable[[Case, int, int], bool]:
        """A chance that depends on the day's volume, a pool's load, the age of data, or is shared within a cluster."""
        engine, (volume_slope, pool, load_slope), (calendar, rate) = self.engine, load, data_age
        feed = self.calendar(calendar)
        first, second, cluster = self.uniform.first(i), self.uniform.second(i), self.uniform.cluster(i)

        def happens(case: Case, visit: int, now: int) -> bool:
            p = base(case, now)
            if 0.0 < p < 1.0 and (volume_slope or pool >= 0):
                logit = math.log(p / (1.0 - p)) + volume_slope * (case.ratio - 1.0)
                logit -= load_slope * engine.load(pool, now) if pool >= 0 else 0.0
                p = 1.0 / (1.0 + math.exp(-logit)) if logit > NO_CHANCE else 0.0
            if feed is not None:
                p = 1.0 - (1.0 - p) * math.exp(-rate * feed.age(now) / HOUR)
            if share > 0.0 and second(case, visit) < share:
                return cluster(case.cluster) < p
            return first(case, visit) < p

        return happens

    def attempts(self, i: int) -> Enter:
        return self.unlimited_attempts(i) if self.field[i][F.POOL] < 0 else self.limited_attempts(i)

    def unlimited_attempts(self, i: int) -> Enter:
        next_step, leave = self.field[i][F.NEXT], self.leave(i)
        limit, bit, attempt, back_off = self.field[i][F.D], 1 << self.field[i][F.C], self.attempt(i), self.back_off(i)

        def enter(token: Token, visit: int, now: int) -> int:
            time = now
            token.timer = -1
            for k in range(limit):
                seconds, ok = attempt(token, visit, k, time)
                time += seconds
                if ok:
                    break
                if k + 1 < limit:
                    time += back_off(k)
            token.marks = token.marks & ~bit if ok else token.marks | bit
            return leave(token, visit, now, time, next_step, DONE if ok else FAILED)

        return enter

    def limited_attempts(self, i: int) -> Enter:
        engine, pool, priority = self.engine, self.field[i][F.POOL], self.program.priority[i].tolist()

        def enter(token: Token, visit: int, now: int) -> int:
            token.timer = -1
            token.visit, token.entered = visit, now
            engine.queue(token, pool, priority[token.case.type], now)
            return UNTIL_CALLED

        return enter

    def attempt(self, i: int) -> Callable[[Token, int, int, int], tuple[int, bool]]:
        """Length and success of attempt k of a visit that starts at `time`."""
        down = self.engine.future.down[self.field[i][F.A]]
        quantile = quantile_of(self.program, self.field[i][F.DISTRIBUTION], self.row)
        transient, permanent = self.value(self.field[i][F.TABLE]), self.value(self.field[i][F.E])
        timeout, first, pair = rounded(self.row[self.field[i][F.B]]), self.uniform.first(i), self.uniform.pair(i)

        def attempt(token: Token, visit: int, k: int, time: int) -> tuple[int, bool]:
            case = token.case
            if k == 0:
                hopeless = permanent(case, time)
                token.hopeless = hopeless > 0.0 and first(case, visit) < hopeless
            if down.is_open(time):
                return timeout, False
            latency_u, transient_u = pair(case, visit, 1 + k)
            latency = rounded(quantile(latency_u))
            if latency > timeout:
                return timeout, False
            return latency, not token.hopeless and transient_u >= transient(case, time)

        return attempt

    def back_off(self, i: int) -> Callable[[int], int]:
        base, multiplier = self.row[self.field[i][F.B] + 1], self.row[self.field[i][F.B] + 2]
        return lambda k: rounded(base * multiplier**k)

    def timer(self, i: int) -> Enter:
        next_step, clock, first = self.field[i][F.NEXT], self.calendar(self.field[i][F.CALENDAR]), self.uniform.first(i)
        number = self.field[i][F.DISTRIBUTION]
        quantile = quantile_of(self.program, number, self.row)
        fixed = rounded(quantile(0.5)) if self.program.distributions[number, 0] == Kind.CONSTANT else None

        def enter(token: Token, visit: int, now: int) -> int:
            token.timer, token.step = i, next_step
            limit = rounded(quantile(first(token.case, visit))) if fixed is None else fixed
            token.due = now + limit if clock is None else clock.add(now, limit)
            return 0

        return enter

    def fork(self, i: int) -> Enter:
        engine, first, join = self.engine, self.field[i][F.A], self.field[i][F.C]
        starts = self.program.targets[first : first + self.field[i][F.B]].tolist()

        def enter(token: Token, visit: int, now: int) -> int:
            token.timer, token.step = -1, self.field[join][F.NEXT]
            token.case.joins[join] = visit, []
            for step in starts:
                engine.go_on(Token(token.case, self.field[step][F.TOKEN], step, token.marks, token), now, 0)
            return UNTIL_CALLED

        return enter

    def join(self, i: int) -> Enter:
        engine, expected = self.engine, self.field[self.field[i][F.A]][F.B]

        def enter(token: Token, _: int, now: int) -> int:
            case, (visit, arrived) = token.case, token.case.joins[i]
            arrived.append((token, now))
            if len(arrived) == expected:
                parent = token.parent
                assert parent is not None
                for member, since in arrived:
                    engine.rows.extend((case.index, member.number, i, visit, -1, since, since, now, DONE))
                parent.marks = merged_marks(parent.marks, [member.marks for member, _ in arrived])
                del case.joins[i]
                engine.go_on(parent, now, 0)
            return FOREVER

        return enter

    def batch(self, i: int) -> Enter:
        engine, next_step = self.engine, self.field[i][F.NEXT]

        def enter(token: Token, visit: int, now: int) -> int:
            token.visit, token.entered, token.timer, token.step = visit, now, -1, next_step
            engine.gather(token, i, now)
            return UNTIL_CALLED

        return enter

    def goto(self, i: int) -> Enter:
        to, limit, otherwise = self.field[i][F.A], self.field[i][F.B], self.field[i][F.NEXT]

        def enter(token: Token, visit: int, now: int) -> int:
            token.step = to if visit < limit else otherwise
            return 0

        return enter

    def end(self, i: int) -> Enter:
        result = self.field[i][F.A]

        def enter(token: Token, visit: int, now: int) -> int:
            token.case.ended, token.case.end_result = now, result
            return FOREVER

        return enter


def _surely(_: Case, __: int, ___: int) -> bool:
    return True


def _never(_: Case, __: int, ___: int) -> bool:
    return False


Choice = TypeVar("Choice")


class ByMarks(dict[int, Choice]):
    """Marks -> what the first rule says whose condition (marks required, marks forbidden) holds; the last rule has none."""

    def __init__(self, rules: list[tuple[int, int, Choice]]) -> None:
        super().__init__()
        self.rules = rules

    def __missing__(self, marks: int) -> Choice:
        holding = (says for required, forbidden, says in self.rules if marks & required == required and not marks & forbidden)
        return self.setdefault(marks, next(holding))


def merged_marks(at_fork: int, branches: list[int]) -> int:
    """Marks after a join: what any branch set is set; what some branch cleared and none set is cleared."""
    set_by_any = cleared = 0
    for marks in branches:
        set_by_any |= marks & ~at_fork
        cleared |= at_fork & ~marks
    return (at_fork & ~cleared) | set_by_any


class Uniforms:
    """The addressed uniforms of a run: one by one where few cases come, for all cases at once where many do."""

    SINGLE = 100
    """Numbers drawn one by one at an address before a block for all cases pays."""

    def __init__(self, program: Program, future: Future) -> None:
        self.seed, self.number = future.seed, future.number
        self.entities = draws.case_entity(future.day, future.ordinal)
        self.purposes = [draws.purpose_of(name) for name in program.step_ids]

    def block(self, step: int, visit: int, slot: int) -> list[array[float]]:
        """The first uniforms of all cases at an address, and the second ones (an array takes a quarter of a list's memory)."""
        detail = draws.detail_of(visit, slot)
        pair = draws.uniform_arrays(self.seed, self.number, self.entities, self.purposes[step], detail)
        return [array("d", u.tobytes()) for u in pair]

    def pair(self, step: int) -> Callable[[Case, int, int], tuple[float, float]]:
        """Both uniforms of a case at a visit and slot of a step."""
        blocks: dict[tuple[int, int], list[array[float]]] = {}
        singles = Counter[tuple[int, int]]()

        def pair(case: Case, visit: int, slot: int) -> tuple[float, float]:
            address = visit, slot
            if address not in blocks:
                singles[address] += 1
                if singles[address] <= self.SINGLE:
                    return draws.uniforms(self.seed, self.number, case.entity, self.purposes[step], draws.detail_of(*address))
                blocks[address] = self.block(step, *address)
            first, second = blocks[address]
            return first[case.index], second[case.index]

        return pair

    def first(self, step: int) -> Callable[[Case, int], float]:
        """The first uniform of slot 0 (durations, routes): nearly every step needs it, nearly always at its first visit."""
        pair, at_first_visit = self.pair(step), array("d")

        def first(case: Case, visit: int) -> float:
            if visit > 0:
                return pair(case, visit, 0)[0]
            if not at_first_visit:
                at_first_visit.extend(self.block(step, 0, 0)[0])
            return at_first_visit[case.index]

        return first

    def second(self, step: int) -> Callable[[Case, int], float]:
        """The second uniform of slot 0 (the cluster decision of marks)."""
        pair = self.pair(step)
        return lambda case, visit: pair(case, visit, 0)[1]

    def cluster(self, step: int) -> Callable[[int], float]:
        """The first uniform of a cluster at a step: the same for all its cases."""
        known: dict[int, float] = {}

        def first(cluster: int) -> float:
            if cluster not in known:
                entity = draws.entity_of(Entity.CLUSTER, cluster)
                known[cluster] = draws.uniforms(self.seed, self.number, entity, self.purposes[step], 0)[0]
            return known[cluster]

        return first
