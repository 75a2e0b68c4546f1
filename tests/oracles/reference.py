"""An independent reference simulator: docs/workflow.md read literally, from plain data to ledger rows.

It shares no code with the simulator, so that equal ledgers mean that two readers of the same page agree. It is written
to be checked by eye: queues are searched by `min`, all pools are looked at at every instant, nothing is cached. Input
and output are dicts, lists, tuples and numbers only; `tests/oracles/plain.py` shows how one is made from a workflow.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from tests.oracles.arithmetic import (
    NEVER,
    Plain,
    Windows,
    after_open,
    first_open,
    inside,
    logistic,
    look_up,
    nearest,
    open_seconds,
    quantile,
    uniforms,
    week_of,
)

Ledger = tuple[list[Plain], list[Plain]]
CASE, CLUSTER = 0, 2


OPEN = -(2**31)
"""A time at or after the stop."""


@dataclass(eq=False)
class Case:
    number: int
    data: Plain
    visits: dict[str, int] = field(default_factory=dict)
    rows: list[Plain] = field(default_factory=list)
    ended: int = OPEN
    result: str = "open"

    def visit(self, step: str) -> int:
        """How often the case entered the step before; counts this entry."""
        before = self.visits.get(step, 0)
        self.visits[step] = before + 1
        return before


@dataclass(eq=False)
class Token:
    case: Case
    number: int
    marks: frozenset[str] = frozenset()
    parent: Token | None = None
    step: Plain = field(default_factory=dict)
    row: Plain = field(default_factory=dict)
    timer: Plain | None = None
    deadline: int = NEVER
    attempt: int = 0
    permanent: bool = False
    branches: list[Token] = field(default_factory=list)
    arrived: int = 0


@dataclass(eq=False)
class Pool:
    """A queue and the units in use; `segments` of (start, end, units), closed in between."""

    index: int
    segments: list[tuple[int, int, float]]
    gap: int
    waiting: list[Token] = field(default_factory=list)
    used: int = 0
    next_start: int = -NEVER

    def windows(self) -> Windows:
        return [(start, end) for start, end, units in self.segments if units > 0]

    def capacity(self, t: int) -> float:
        return next((units for start, end, units in self.segments if start <= t < end), 0)

    def capacity_before(self, t: int) -> float:
        """That of the latest window which starts before `t`, or of the next one; 1 if there is no window at all."""
        known = [(start, units) for start, _, units in self.segments if units > 0]
        earlier = [units for start, units in known if start < t]
        return earlier[-1] if earlier else known[0][1] if known else 1


class Reference:
    """One run of one draw of a workflow in one future."""

    def __init__(self, plain: Plain, tie: Callable[[], float] | None = None) -> None:
        self.plain = plain
        self.now = plain["begin"]
        self.steps: dict[str, Plain] = {step["id"]: step for step in plain["steps"]}
        self.index = {step["id"]: i for i, step in enumerate(plain["steps"])}
        self.pools = {p["name"]: Pool(i, p["segments"], nearest(p["gap"])) for i, p in enumerate(plain["pools"])}
        self.batches: dict[str, list[Token]] = {s["id"]: [] for s in plain["steps"] if s["kind"] == "batch"}
        self.frozen = dict.fromkeys(self.pools, 0)
        self.events: list[tuple[int, float, int, Callable[[], None]]] = []
        self.serial: Iterator[int] = count()
        self.tie = tie or (lambda: 0.0)
        numbers = count(1)
        forks = [step for step in plain["steps"] if step["kind"] == "fork"]
        self.branch_tokens = {fork["id"]: [next(numbers) for _ in fork["branches"]] for fork in forks}
        keyed = sorted(plain["cases"], key=lambda data: (data["day"], data["ordinal"]))
        self.cases = [Case(i, data) for i, data in enumerate(keyed)]
        self.roots = [Token(case, 0) for case in self.cases]

    # Section 2: order at one instant.

    def run(self) -> Ledger:
        for root in self.roots:
            self.at(root.case.data["arrival"], partial(self.enter, root, self.plain["steps"][0]["id"]))
        for pool in self.pools.values():
            for start, _, _ in pool.segments:
                if start > self.now:
                    self.at(start, lambda: None)  # an opening: only dispatch has work to do
        while self.events and self.events[0][0] < self.plain["stop"]:
            self.instant(self.events[0][0])
        return self.ledger()

    def at(self, time: int, action: Callable[[], None]) -> None:
        """Schedules an event; `tie` may shuffle those of one instant, which must change nothing."""
        assert time >= self.now, "time never runs backwards"
        heapq.heappush(self.events, (time, self.tie(), next(self.serial), action))

    def instant(self, now: int) -> None:
        self.now = now
        while self.events and self.events[0][0] == now:
            while self.events and self.events[0][0] == now:
                heapq.heappop(self.events)[3]()
            for pool in self.pools.values():
                self.dispatch(pool)
            for name in self.batches:
                self.release(name)
        self.frozen = {name: len(pool.waiting) for name, pool in self.pools.items()}

    def dispatch(self, pool: Pool) -> None:
        while pool.waiting and pool.used < pool.capacity(self.now) and pool.next_start <= self.now:
            token = min(pool.waiting, key=lambda t: (t.row["priority"], t.row["entered"], t.case.number, t.number))
            pool.waiting.remove(token)
            pool.used += 1
            pool.next_start = self.now + pool.gap
            token.row["started"] = self.now
            end, result = self.service(token, pool)
            self.at(end, partial(self.served, token, pool, result))
        if pool.waiting and pool.next_start > self.now:
            self.at(pool.next_start, lambda: None)

    def release(self, name: str) -> None:
        step, waiting = self.steps[name], self.batches[name]
        waiting.sort(key=lambda t: (t.row["entered"], t.case.number, t.number))
        size = nearest(step["size"])
        leaving = waiting[: len(waiting) // size * size]
        rest = waiting[len(leaving) :]
        if rest and rest[0].row["entered"] + nearest(step["max_wait"]) <= self.now:
            leaving, rest = waiting, []
        self.batches[name] = rest
        for token in leaving:
            self.at(self.now, partial(self.leave, token, "done", step["next"]))

    # Rows, draws, conditions.

    def open_row(self, token: Token, step: Plain, visit: int, pool: int = -1, started: int | None = None) -> None:
        row: Plain = {"case": token.case.number, "token": token.number, "step": self.index[step["id"]], "visit": visit}
        row |= {"pool": pool, "entered": self.now, "started": started, "ended": None, "result": "open", "clock": None}
        token.row = row
        token.case.rows.append(row)

    def leave(self, token: Token, result: str, target: str) -> None:
        token.row |= {"ended": self.now, "result": result}
        self.enter(token, target)

    def draw(self, token: Token, step: Plain, visit: int, slot: int = 0) -> tuple[float, float]:
        data = token.case.data
        entity = CASE * 2**30 + (data["day"] + 8192) * 2**16 + data["ordinal"]
        detail = visit * 2**20 + slot
        return uniforms(self.plain["seed"], self.plain["future"], entity, step["id"], detail)

    def duration(self, token: Token, step: Plain, visit: int) -> int:
        first, _ = self.draw(token, step, visit)
        factor = look_up(step["factor"], token.case.data["type"], week_of(self.now))
        return nearest(quantile(step["duration"], first) * factor)

    def rule(self, token: Token, step: Plain) -> Plain | None:
        """The first rule whose condition holds."""
        for rule in step["rules"]:
            if set(rule["required"]) <= token.marks and not set(rule["forbidden"]) & token.marks:
                return dict(rule)
        return None

    # Section 5: the twelve primitives. Each returns the next step, or None if the token waits here.

    def enter(self, token: Token, target: str) -> None:
        """Goes through instant steps until the token waits or the case ends."""
        following: str | None = target
        while following is not None:
            step = token.step = self.steps[following]
            visit = 0 if step["kind"] == "join" else token.case.visit(step["id"])
            if token.timer and step["kind"] in WRITES_ROWS and step["id"] not in token.timer["covers"]:
                token.timer = None
            following = getattr(self, step["kind"])(token, step, visit)

    def delay(self, token: Token, step: Plain, visit: int) -> None:
        self.open_row(token, step, visit, started=self.now)
        token.row["clock"] = step["clock"]
        self.wait_until(token, after_open(step["clock"], self.now, self.duration(token, step, visit)), step)

    def gate(self, token: Token, step: Plain, visit: int) -> None:
        self.open_row(token, step, visit, started=self.now)
        absent: Windows = []
        if step["people"] > 0:
            first, _ = self.draw(token, step, visit)
            absent = step["absent"][math.floor(first * step["people"])]
        t = first_open(step["openings"], self.now + nearest(step["lead"]))
        while inside(absent, t):
            back = next(end for start, end in absent if start <= t < end)
            t = first_open(step["openings"], back)
        self.wait_until(token, t, step)

    def wait_until(self, token: Token, end: int, step: Plain) -> None:
        """The end of a delay or a gate, unless the deadline comes first or at the same instant."""
        if token.timer and token.deadline <= end:
            self.at(max(token.deadline, self.now), partial(self.time_out, token, token.row))
        else:
            self.at(end, partial(self.leave, token, "done", step["next"]))

    def time_out(self, token: Token, row: Plain) -> None:
        """Fires if the token still waits in the visit for which the deadline was watched."""
        if token.row is row and row["result"] == "open" and token.timer:
            for pool in self.pools.values():
                if token in pool.waiting:
                    pool.waiting.remove(token)
            target, token.timer = token.timer["to"], None
            self.leave(token, "time-out", target)

    def serve(self, token: Token, step: Plain, visit: int) -> None:
        self.queue(token, step, visit, self.pools[step["pool"]])
        if token.timer:
            self.at(max(token.deadline, self.now), partial(self.time_out_in_queue, token, token.row))

    def queue(self, token: Token, step: Plain, visit: int, pool: Pool) -> None:
        self.open_row(token, step, visit, pool.index)
        priority = step["priority"]
        token.row["priority"] = priority[token.case.data["type"]] if priority else 0
        token.row["clock"] = pool.windows()
        pool.waiting.append(token)

    def time_out_in_queue(self, token: Token, row: Plain) -> None:
        if row["started"] is None:
            self.time_out(token, row)

    def service(self, token: Token, pool: Pool) -> tuple[int, str]:
        """End and result of the service or attempt that starts now."""
        step, visit = token.step, token.row["visit"]
        if step["kind"] == "serve":
            return after_open(pool.windows(), self.now, self.duration(token, step, visit)), "done"
        if token.attempt == 0:
            token.permanent = self.permanent(token, step, visit)
        end, result = self.call(token, step, visit, self.now, token.attempt)
        if result == "done" or token.attempt + 1 == step["attempts"]:
            self.set_failure(token, step, result)
        return end, result

    def served(self, token: Token, pool: Pool, result: str) -> None:
        pool.used -= 1
        step, k = token.step, token.attempt
        if result == "done" or k + 1 == step["attempts"]:
            self.leave(token, result, step["next"])
            return
        token.row |= {"ended": self.now, "result": result}
        self.open_row(token, step, token.row["visit"], started=self.now)
        token.attempt = k + 1
        self.at(self.now + self.back_off(step, k), partial(self.try_again, token, step))

    def try_again(self, token: Token, step: Plain) -> None:
        token.row |= {"ended": self.now, "result": "back-off"}
        self.queue(token, step, token.case.visit(step["id"]), self.pools[step["pool"]])

    def attempts(self, token: Token, step: Plain, visit: int) -> None:
        if step["pool"] is not None:  # a limited endpoint: section 5.1
            token.attempt = 0
            self.queue(token, step, visit, self.pools[step["pool"]])
            return
        self.open_row(token, step, visit, started=self.now)
        token.permanent = self.permanent(token, step, visit)
        end, result = self.call(token, step, visit, self.now, 0)
        for k in range(1, step["attempts"]):
            if result == "done":
                break
            end, result = self.call(token, step, visit, end + self.back_off(step, k - 1), k)
        self.set_failure(token, step, result)
        self.at(end, partial(self.answered, token, step, result))

    def answered(self, token: Token, step: Plain, result: str) -> None:
        self.leave(token, result, step["next"])

    def call(self, token: Token, step: Plain, visit: int, start: int, k: int) -> tuple[int, str]:
        """End and result of attempt `k` which starts at `start`."""
        first, second = self.draw(token, step, visit, 1 + k)
        latency, timeout = nearest(quantile(step["latency"], first)), nearest(step["timeout"])
        if inside(self.plain["down"][step["endpoint"]], start) or latency > timeout:
            return start + timeout, "failed"
        transient = second < look_up(step["transient"], token.case.data["type"], week_of(start))
        return start + latency, "failed" if token.permanent or transient else "done"

    def permanent(self, token: Token, step: Plain, visit: int) -> bool:
        first, _ = self.draw(token, step, visit)
        return first < look_up(step["permanent"], token.case.data["type"], week_of(self.now))

    def back_off(self, step: Plain, k: int) -> int:
        return nearest(step["back_off"] * step["multiplier"] ** k)

    def set_failure(self, token: Token, step: Plain, result: str) -> None:
        mark = {step["failure_mark"]}
        token.marks = token.marks | mark if result == "failed" else token.marks - mark

    def branch(self, token: Token, step: Plain, visit: int) -> str:
        rule = self.rule(token, step)
        assert rule is not None, "the last rule of a branch has no condition"
        data = token.case.data
        week = week_of(data["arrival"] if step["week_of"] == "arrival" else self.now)
        first, _ = self.draw(token, step, visit)
        total = 0.0
        for target, table in zip(rule["targets"][:-1], rule["probabilities"], strict=False):
            total += look_up(table, data["type"], week)
            if first < total:
                return str(target)
        return str(rule["targets"][-1])

    def mark(self, token: Token, step: Plain, visit: int) -> str:
        rule = self.rule(token, step)
        if rule is not None:
            name, action = {step["mark"]}, step["action"]
            if self.chance(token, step, rule, visit):
                token.marks = token.marks - name if action == "clear" else token.marks | name
            elif action == "assign":
                token.marks = token.marks - name
        return str(step["next"])

    def chance(self, token: Token, step: Plain, rule: Plain, visit: int) -> bool:
        data = token.case.data
        p = look_up(rule["base"], data["type"], week_of(self.now))
        if 0 < p < 1:
            shift = rule["volume_slope"] * (data["ratio"] - 1)
            if rule["load_pool"]:
                shift -= rule["load_slope"] * self.load(rule["load_pool"])
            p = logistic(math.log(p / (1 - p)) + shift)
        if rule["age_openings"] is not None:
            age = self.now - max((start for start, _ in rule["age_openings"] if start <= self.now), default=self.now)
            p = 1 - (1 - p) * math.exp(-rule["age_rate_per_hour"] * age / 3600)
        first, second = self.draw(token, step, visit)
        if second < rule["shared"]:
            entity = CLUSTER * 2**30 + data["cluster"]
            first, _ = uniforms(self.plain["seed"], self.plain["future"], entity, step["id"], 0)
        return first < p

    def load(self, name: str) -> float:
        return self.frozen[name] / self.pools[name].capacity_before(self.now)

    def timer(self, token: Token, step: Plain, visit: int) -> str:
        token.timer = step
        first, _ = self.draw(token, step, visit)
        token.deadline = after_open(step["clock"], self.now, nearest(quantile(step["limit"], first)))
        return str(step["next"])

    def fork(self, token: Token, step: Plain, visit: int) -> None:
        """The parent is at the join from now on; its branches carry the visit number of that entry."""
        token.step = self.steps[step["join"]]
        token.row = {"visit": token.case.visit(step["join"])}
        token.timer, token.arrived = None, 0
        numbers = self.branch_tokens[step["id"]]
        token.branches = [Token(token.case, number, token.marks, token) for number in numbers]
        for branch, first in zip(token.branches, step["branches"], strict=True):
            self.enter(branch, first)

    def join(self, token: Token, step: Plain, visit: int) -> None:
        parent = token.parent
        assert parent is not None, "only branches of a fork reach its join"
        self.open_row(token, step, parent.row["visit"], started=self.now)
        parent.arrived += 1
        if parent.arrived < len(parent.branches):
            return
        for branch in parent.branches:
            branch.row |= {"ended": self.now, "result": "done"}
        ends = [branch.marks for branch in parent.branches]
        added = frozenset().union(*(end - parent.marks for end in ends))
        cleared = frozenset().union(*(parent.marks - end for end in ends))
        parent.marks = (parent.marks - cleared) | added
        self.enter(parent, step["next"])

    def batch(self, token: Token, step: Plain, visit: int) -> None:
        self.open_row(token, step, visit, started=self.now)
        self.batches[step["id"]].append(token)
        self.at(self.now + nearest(step["max_wait"]), lambda: None)  # dispatch looks whether it is still there

    def goto(self, token: Token, step: Plain, visit: int) -> str:
        return str(step["to"] if visit < step["limit"] else step["otherwise"])

    def end(self, token: Token, step: Plain, visit: int) -> None:
        token.case.ended, token.case.result = self.now, step["result"]

    # Section 6: the ledger.

    def ledger(self) -> Ledger:
        rows = [row for case in self.cases for row in self.case_rows(case)]
        return rows, [self.case_record(root) for root in self.roots]

    def case_rows(self, case: Case) -> list[Plain]:
        case.rows.sort(key=lambda row: (row["entered"], row["token"]))  # stable: keeps the order within a token
        for seq, row in enumerate(case.rows):
            until = self.plain["stop"] if row["ended"] is None else row["ended"]
            span, clock = until - row["entered"], row["clock"]
            row["seq"] = seq
            row["closed_seconds"] = 0 if clock is None else span - open_seconds(clock, row["entered"], until)
        return [{name: ABSENT[name] if row[name] is None else row[name] for name in COLUMNS} for row in case.rows]

    def case_record(self, root: Token) -> Plain:
        case = root.case
        record = {name: case.data[name] for name in ("day", "ordinal", "type", "cluster", "arrival")}
        return record | {"ended": case.ended, "result": case.result, "marks": sorted(root.marks)}


WRITES_ROWS = ("delay", "serve", "gate", "attempts", "join", "batch")
ABSENT = {"pool": -1, "started": OPEN, "ended": OPEN}
COLUMNS = ("case", "token", "seq", "step", "visit", "pool", "entered", "started", "ended", "closed_seconds", "result")


def simulate(plain: Plain, tie: Callable[[], float] | None = None) -> Ledger:
    """Ledger rows and cases (section 6). Steps and pools are positions in the plain lists; OPEN: not before the stop."""
    return Reference(plain, tie).run()
