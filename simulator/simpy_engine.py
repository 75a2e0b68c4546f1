"""The SimPy engine: the readable reference that runs a program and explains single cases.

What a step means is in `simulator.steps`; here are time, pools, batches and the order of an instant: every wait is a SimPy event,
and one event at the lowest priority lets pools start work after all others of the instant (docs/workflow.md section 2).
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush

import simpy
from simpy.events import Event, EventPriority, Timeout

from simulator.clock import NEVER
from simulator.futures import Capacity, Future
from simulator.ledger import Ledger, Result, build
from simulator.program import F, Op, Program
from simulator.steps import GONE, Decoder, Token, cases_of, rounded

LAST = EventPriority(2)
"""SimPy priority of the dispatcher: after all events of an instant."""


def simulate(program: Program, draw: int, future: Future) -> Ledger:
    """Runs one future of one draw and returns its ledger."""
    with _no_garbage_collection():
        return _Run(program, draw, future).ledger()


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Scanning hundreds of thousands of live events for cycles costs a fifth of a run and frees nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _EndOfInstant(Event):
    """Comes after all other events of its instant: pools and batches act."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None
        env.schedule(self, priority=LAST)


class _Pool:
    """A queue, the units in use, and the capacity by time."""

    def __init__(self, capacity: Capacity, gap_seconds: int) -> None:
        self.capacity = capacity
        self.open_time = capacity.open_time()
        self.gap_seconds = gap_seconds
        self.queue: list[tuple[int, int, int, int, int, Token]] = []
        self.in_use = 0
        self.waiting = self.waiting_before = 0
        self.changed_at = -NEVER
        self.free_from = -NEVER
        self.wake_at = -NEVER
        self.segment = 0

    def units(self, now: int) -> int:
        """Capacity at `now` (which never goes back)."""
        capacity = self.capacity
        while self.segment < len(capacity.ends) and capacity.ends[self.segment] <= now:
            self.segment += 1
        if self.segment == len(capacity.ends) or now < capacity.starts[self.segment]:
            return 0
        return capacity.units[self.segment]

    def next_change(self, now: int) -> int:
        """The next start of a segment after `now`."""
        for start in self.capacity.starts[self.segment : self.segment + 2]:
            if start > now:
                return start
        return NEVER

    def must_wait(self, now: int) -> bool:
        """Whether no unit can be free at this instant, and a wake-up for the next change is already set."""
        return self.wake_at > now and self.units(now) == 0

    def change_waiting(self, now: int, by: int) -> None:
        if self.changed_at < now:
            self.changed_at, self.waiting_before = now, self.waiting
        self.waiting += by

    def load(self, now: int) -> float:
        """Tokens waiting at the end of the previous instant per unit rostered before `now`."""
        waiting = self.waiting_before if self.changed_at == now else self.waiting
        self.units(now)
        i = self.segment
        before = i if i < len(self.capacity.starts) and self.capacity.starts[i] < now else i - 1
        units = self.capacity.units[max(before, 0)] if self.capacity.units else 1
        return waiting / units


class _Run:
    def __init__(self, program: Program, draw: int, future: Future) -> None:
        self.program, self.draw, self.future = program, draw, future
        self.env = simpy.Environment(initial_time=program.begin)
        self.rows: list[tuple[int, ...]] = []
        decoder = Decoder(self, draw)
        self.field, self.row = decoder.field, decoder.row
        gaps = [0 if slot < 0 else rounded(self.row[slot]) for _, slot in program.pools.tolist()]
        self.pools = [_Pool(c, gap) for c, gap in zip(future.capacity, gaps, strict=True)]
        self.batches: dict[int, list[tuple[int, int, int, int, Token]]] = {}
        self.touched_pools: set[int] = set()
        self.touched_batches: set[int] = set()
        self.enter = [decoder.step(i) for i in range(len(self.field))]
        self.service = {i: decoder.service(i) for i, f in enumerate(self.field) if f[F.OP] == Op.SERVE}
        self.attempt = {
            i: (decoder.attempt(i), decoder.back_off(i))
            for i, f in enumerate(self.field)
            if f[F.OP] == Op.ATTEMPTS and f[F.POOL] >= 0
        }
        self.cases = cases_of(future, len(self.field))

    def ledger(self) -> Ledger:
        if self.cases:
            self.env.process(self._source())
        self.env.run(until=self.program.stop)
        self._write_waiting()
        cases = self.cases
        return build(
            self.program, self.draw, self.future, self.rows,
            [c.ended for c in cases], [c.end_result for c in cases], [c.root.marks for c in cases],
        )  # fmt: skip

    def _source(self) -> Generator[Event, None, None]:
        """Lets the cases arrive, each at its time."""
        arrivals = self.future.arrival.tolist()
        now = self.program.begin
        for i in sorted(range(len(arrivals)), key=arrivals.__getitem__):
            if arrivals[i] > now:
                yield Timeout(self.env, arrivals[i] - now)
                now = arrivals[i]
            self._advance(self.cases[i].root, now)

    def _advance(self, token: Token, now: int) -> None:
        """Takes a token from step to step until it has to wait or is gone."""
        enter = self.enter
        while token.step != GONE:
            wait = enter[token.step](token, now)
            if wait > 0:
                self.go_on(token, wait)
            if wait != 0:
                return

    def go_on(self, token: Token, in_seconds: int) -> None:
        """Lets a token go on after some seconds (0: in this instant)."""
        if token.resume is None:
            token.resume = lambda _: self._resume(token)
        Timeout(self.env, in_seconds).callbacks.append(token.resume)

    def _resume(self, token: Token) -> None:
        now = int(self.env.now)
        if token.holding >= 0:
            pool = self.pools[token.holding]
            pool.in_use -= 1
            if pool.queue:
                self._touch_pool(token.holding)
            token.holding = -1
        self._advance(token, now)

    # -- pools

    def queue(self, token: Token, pool: int, priority: int, now: int) -> None:
        """Puts a token into a pool's queue; an armed timer may take it out again."""
        token.entry += 1
        token.waiting = True
        entry = token.entry
        heappush(self.pools[pool].queue, (priority, now, token.case.index, token.number, entry, token))
        self.pools[pool].change_waiting(now, 1)
        if not self.pools[pool].must_wait(now):
            self._touch_pool(pool)
        if token.timer >= 0 and token.due < self.program.stop:
            timer = Timeout(self.env, max(0, token.due - now))
            timer.callbacks.append(lambda _: self._time_out(token, entry, pool))

    def _time_out(self, token: Token, entry: int, pool: int) -> None:
        if not token.waiting or token.entry != entry:
            return
        now = int(self.env.now)
        token.waiting = False
        self.pools[pool].change_waiting(now, -1)
        self._row(token, token.step, pool, NEVER, now, Result.TIMED_OUT)
        token.step, token.timer = self.field[token.timer][F.B], -1
        self._advance(token, now)

    def _touch_pool(self, number: int) -> None:
        self._call_dispatcher()
        self.touched_pools.add(number)

    def _touch_batch(self, step: int) -> None:
        self._call_dispatcher()
        self.touched_batches.add(step)

    def _call_dispatcher(self) -> None:
        if not self.touched_pools and not self.touched_batches:
            _EndOfInstant(self.env).callbacks.append(self._dispatch)

    def _dispatch(self, _: Event) -> None:
        now = int(self.env.now)
        pools, self.touched_pools = self.touched_pools, set()
        batches, self.touched_batches = self.touched_batches, set()
        for pool in sorted(pools):
            self._start_work(pool, now)
        for step in sorted(batches):
            self._release_batch(step, now)

    def _start_work(self, number: int, now: int) -> None:
        pool = self.pools[number]
        units = pool.units(now)
        while pool.queue:
            *_, entry, token = pool.queue[0]
            if token.waiting and token.entry == entry:
                if pool.in_use >= units or now < pool.free_from:
                    break
                self._start(token, number, now)
            heappop(pool.queue)
        if pool.queue:
            rate_limited = pool.free_from if pool.in_use < units and pool.free_from > now else NEVER
            self._wake(number, now, min(pool.next_change(now), rate_limited))

    def _wake(self, number: int, now: int, at_second: int) -> None:
        pool = self.pools[number]
        if at_second >= self.program.stop or now < pool.wake_at <= at_second:
            return
        pool.wake_at = at_second
        Timeout(self.env, at_second - now).callbacks.append(lambda _: self._touch_pool(number))

    def _start(self, token: Token, number: int, now: int) -> None:
        """Gives a unit to a token and says when it is done."""
        pool, step = self.pools[number], token.step
        token.waiting, token.holding = False, number
        pool.in_use += 1
        pool.change_waiting(now, -1)
        pool.free_from = now + pool.gap_seconds
        result = Result.DONE
        if step in self.service:
            end, token.step = pool.open_time.add(now, self.service[step](token, now)), self.field[step][F.NEXT]
        else:
            end, result = self._start_attempt(token, now)
        self._row(token, step, number, now, end, result)
        if end < self.program.stop:
            self.go_on(token, end - now)

    def _start_attempt(self, token: Token, now: int) -> tuple[int, Result]:
        """One attempt at a limited endpoint: its end, and what comes after it."""
        step, k = token.step, token.attempt
        attempt, back_off = self.attempt[step]
        seconds, ok = attempt(token, token.visit, k, now)
        bit = 1 << self.field[step][F.C]
        if not ok and k + 1 < self.field[step][F.D]:
            token.attempt, token.back_off = k + 1, back_off(k)
        else:
            token.attempt, token.step = 0, self.field[step][F.NEXT]
            token.marks = token.marks & ~bit if ok else token.marks | bit
        return now + seconds, Result.DONE if ok else Result.FAILED

    def load(self, pool: int, now: int) -> float:
        return self.pools[pool].load(now)

    # -- batches

    def gather(self, token: Token, step: int, now: int) -> None:
        members = self.batches.setdefault(step, [])
        heappush(members, (now, token.case.index, token.number, token.visit, token))
        self._touch_batch(step)
        longest = rounded(self.row[self.field[step][F.A] + 1])
        if now + longest < self.program.stop:
            Timeout(self.env, longest).callbacks.append(lambda _: self._touch_batch(step))

    def _release_batch(self, step: int, now: int) -> None:
        members = self.batches[step]
        size, longest = (rounded(self.row[self.field[step][F.A] + k]) for k in (0, 1))
        while members and (len(members) >= size or members[0][0] + longest <= now):
            for _ in range(min(size, len(members))):
                since, _, _, visit, token = heappop(members)
                self.rows.append((token.case.index, token.number, step, visit, -1, since, since, now, Result.DONE))
                self.go_on(token, 0)

    # -- rows

    def _row(self, token: Token, step: int, pool: int, started: int, ended: int, result: Result) -> None:
        case = token.case.index
        self.rows.append((case, token.number, step, token.visit, pool, token.entered, started, ended, result))

    def _write_waiting(self) -> None:
        """Rows of visits that have not started, or cannot end, before the stop."""
        for number, pool in enumerate(self.pools):
            for *_, entry, token in pool.queue:
                if token.waiting and token.entry == entry:
                    self._row(token, token.step, number, NEVER, NEVER, Result.OPEN)
        for step, members in self.batches.items():
            for since, _, _, visit, token in members:
                self.rows.append((token.case.index, token.number, step, visit, -1, since, since, NEVER, Result.OPEN))
        for case in self.cases:
            for step, arrived in case.joins.items():
                for token, since in arrived:
                    row = (case.index, token.number, step, case.visits[step], -1, since, since, NEVER, Result.OPEN)
                    self.rows.append(row)
