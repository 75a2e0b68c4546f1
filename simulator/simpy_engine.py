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
from simulator.steps import BACK_OFF, DONE, FAILED, TIMED_OUT, Decoder, Token, roots_of, rounded

LAST = EventPriority(2)
"""SimPy priority of the dispatcher: after all events of an instant."""


def simulate(program: Program, draw: int, future: Future) -> Ledger:
    """Runs one future of one draw and returns its ledger."""
    with _no_garbage_collection():
        run = _Run(program, draw, future)
        ledger = run.ledger()
        vars(run).clear()  # the parts of a run know each other; taken apart, they leave the collector nothing to search for
        return ledger


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

    _ok, _value = True, None

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        env.schedule(self, priority=LAST)


class _Pool:
    """A queue, the units in use, and the capacity by time."""

    def __init__(self, number: int, capacity: Capacity, gap_seconds: int) -> None:
        self.number = number
        self.starts, self.ends = (*capacity.starts, NEVER), (*capacity.ends, NEVER)  # a closing segment without an end
        self.rostered = (*capacity.units, 0)
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
        while self.ends[self.segment] <= now:
            self.segment += 1
        return self.rostered[self.segment] if self.starts[self.segment] <= now else 0

    def next_change(self, now: int) -> int:
        """The next start of a segment after `now`."""
        return self.starts[self.segment] if self.starts[self.segment] > now else self.starts[self.segment + 1]

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
        before = self.segment if self.starts[self.segment] < now else self.segment - 1
        return waiting / (self.rostered[max(before, 0)] or 1)


class _Batch:
    """The tokens that gather at a batch step."""

    def __init__(self, step: int, size: int, longest: int) -> None:
        self.step, self.size, self.longest = step, size, longest
        self.members: list[tuple[int, int, int, int, Token]] = []


class _Run:
    def __init__(self, program: Program, draw: int, future: Future) -> None:
        self.program, self.draw, self.future = program, draw, future
        self.env = simpy.Environment(initial_time=program.begin)
        self.rows: list[int] = []
        decoder = Decoder(self, draw)
        self.field, self.row = decoder.field, decoder.row
        gaps = [0 if slot < 0 else rounded(self.row[slot]) for _, slot in program.pools.tolist()]
        self.pools = [_Pool(i, c, gap) for i, (c, gap) in enumerate(zip(future.capacity, gaps, strict=True))]
        self.batches = {
            i: _Batch(i, *map(rounded, self.row[f[F.A] : f[F.A] + 2])) for i, f in enumerate(self.field) if f[F.OP] == Op.BATCH
        }
        self.touched: list[_Pool | _Batch] = []
        self.enter = [decoder.step(i) for i in range(len(self.field))]
        self.service = {i: decoder.duration(i) for i, f in enumerate(self.field) if f[F.OP] == Op.SERVE}
        self.attempt = {
            i: (decoder.attempt(i), decoder.back_off(i))
            for i, f in enumerate(self.field)
            if f[F.OP] == Op.ATTEMPTS and f[F.POOL] >= 0
        }
        self.roots = roots_of(future, len(self.field))

    def ledger(self) -> Ledger:
        if self.roots:
            self.env.process(self._source())
        self.env.run(until=self.program.stop)
        self._write_waiting()
        cases = [root.case for root in self.roots]
        return build(
            self.program, self.draw, self.future, self.rows,
            [c.ended for c in cases], [c.end_result for c in cases], [root.marks for root in self.roots],
        )  # fmt: skip

    def _source(self) -> Generator[Event, None, None]:
        """Lets the cases arrive, each at its time."""
        arrivals = self.future.arrival.tolist()
        now = self.program.begin
        for i in sorted(range(len(arrivals)), key=arrivals.__getitem__):
            if arrivals[i] > now:
                yield Timeout(self.env, arrivals[i] - now)
                now = arrivals[i]
            self._advance(self.roots[i], now)

    def _advance(self, token: Token, now: int) -> None:
        """Takes a token from step to step until it has to wait or is gone."""
        wait, enter, visits = 0, self.enter, token.case.visits
        while wait == 0:
            step = token.step
            visit = visits[step]
            visits[step] = visit + 1
            wait = enter[step](token, visit, now)
        if wait > 0:
            self.go_on(token, now, wait)

    def go_on(self, token: Token, now: int, wait: int) -> None:
        """Lets a token go on after some seconds (0: in this instant)."""
        Timeout(self.env, wait).callbacks.append(lambda _: self._advance(token, now + wait))

    # -- the end of an instant

    def _touch(self, place: _Pool | _Batch) -> None:
        """Lets a pool or batch act at the end of this instant."""
        if not self.touched:
            _EndOfInstant(self.env).callbacks.append(self._dispatch)
        if place not in self.touched:
            self.touched.append(place)

    def _dispatch(self, _: Event) -> None:
        now = int(self.env.now)
        touched, self.touched = self.touched, []
        for place in touched:
            if isinstance(place, _Pool):
                self._start_work(place, now)
            else:
                self._release(place, now)

    # -- pools

    def queue(self, token: Token, number: int, priority: int, now: int) -> None:
        """Puts a token into a pool's queue; an armed timer may take it out again."""
        pool = self.pools[number]
        token.entry = entry = token.entry + 1
        token.waiting = True
        heappush(pool.queue, (priority, now, token.case.index, token.number, entry, token))
        pool.change_waiting(now, 1)
        if not pool.must_wait(now):
            self._touch(pool)
        if token.timer >= 0 and token.due < self.program.stop:
            due = max(now, token.due)
            timer = Timeout(self.env, due - now)
            timer.callbacks.append(lambda _: self._time_out(token, entry, pool, due))

    def _time_out(self, token: Token, entry: int, pool: _Pool, now: int) -> None:
        if not token.waiting or token.entry != entry:
            return
        token.waiting = False
        pool.change_waiting(now, -1)
        self._row(token, token.step, pool.number, NEVER, now, TIMED_OUT)
        token.step, token.timer = self.field[token.timer][F.B], -1
        self._advance(token, now)

    def _start_work(self, pool: _Pool, now: int) -> None:
        units = pool.units(now)
        while pool.queue:
            _, _, _, _, entry, token = pool.queue[0]
            if token.waiting and token.entry == entry:
                if pool.in_use >= units or now < pool.free_from:
                    break
                self._start(token, pool, now)
            heappop(pool.queue)
        if pool.queue:
            rate_limited = pool.free_from if pool.in_use < units and pool.free_from > now else NEVER
            self._wake(pool, now, min(pool.next_change(now), rate_limited))

    def _wake(self, pool: _Pool, now: int, at_second: int) -> None:
        if at_second >= self.program.stop or now < pool.wake_at <= at_second:
            return
        pool.wake_at = at_second
        Timeout(self.env, at_second - now).callbacks.append(lambda _: self._touch(pool))

    def _start(self, token: Token, pool: _Pool, now: int) -> None:
        """Gives a unit to a token and says when it is done."""
        step, result, back_off = token.step, DONE, None
        token.waiting = False
        pool.in_use += 1
        pool.change_waiting(now, -1)
        pool.free_from = now + pool.gap_seconds
        if step in self.service:
            seconds = self.service[step](token.case, token.visit, now)
            end, token.step = pool.open_time.add(now, seconds), self.field[step][F.NEXT]
        else:
            end, result, back_off = self._start_attempt(token, now)
        self._row(token, step, pool.number, now, end, result)
        if end < self.program.stop:
            Timeout(self.env, end - now).callbacks.append(lambda _: self._finish(token, pool, end, back_off))

    def _start_attempt(self, token: Token, now: int) -> tuple[int, Result, int | None]:
        """One attempt at a limited endpoint: its end, its result, and the back-off if another one comes after it."""
        step, k = token.step, token.attempt
        attempt, back_off = self.attempt[step]
        seconds, ok = attempt(token, token.visit, k, now)
        if not ok and k + 1 < self.field[step][F.D]:
            token.attempt = k + 1
            return now + seconds, FAILED, back_off(k)
        bit = 1 << self.field[step][F.C]
        token.attempt, token.step = 0, self.field[step][F.NEXT]
        token.marks = token.marks & ~bit if ok else token.marks | bit
        return now + seconds, DONE if ok else FAILED, None

    def _finish(self, token: Token, pool: _Pool, now: int, back_off: int | None) -> None:
        """Gives the unit back and lets the token go on, after a failed attempt when its back-off is over."""
        pool.in_use -= 1
        if pool.queue:
            self._touch(pool)
        if back_off is not None:
            token.entered = now
            self._row(token, token.step, -1, now, now + back_off, BACK_OFF)
        if back_off:
            self.go_on(token, now, back_off)
        else:
            self._advance(token, now)

    def load(self, pool: int, now: int) -> float:
        return self.pools[pool].load(now)

    # -- batches

    def gather(self, token: Token, step: int, now: int) -> None:
        batch = self.batches[step]
        heappush(batch.members, (now, token.case.index, token.number, token.visit, token))
        self._touch(batch)
        if now + batch.longest < self.program.stop:
            Timeout(self.env, batch.longest).callbacks.append(lambda _: self._touch(batch))

    def _release(self, batch: _Batch, now: int) -> None:
        members = batch.members
        while members and (len(members) >= batch.size or members[0][0] + batch.longest <= now):
            for _ in range(min(batch.size, len(members))):
                *_, token = heappop(members)
                self._row(token, batch.step, -1, token.entered, now, DONE)
                self.go_on(token, now, 0)

    # -- rows

    def _row(self, token: Token, step: int, pool: int, started: int, ended: int, result: Result) -> None:
        case = token.case.index
        self.rows.extend((case, token.number, step, token.visit, pool, token.entered, started, ended, result))

    def _write_waiting(self) -> None:
        """Rows of visits that have not started, or cannot end, before the stop."""
        for number, pool in enumerate(self.pools):
            for *_, entry, token in pool.queue:
                if token.waiting and token.entry == entry:
                    self._row(token, token.step, number, NEVER, NEVER, Result.OPEN)
        for batch in self.batches.values():
            for *_, token in batch.members:
                self._row(token, batch.step, -1, token.entered, NEVER, Result.OPEN)
        for case in (root.case for root in self.roots):
            for step, (visit, arrived) in case.joins.items():
                for token, since in arrived:
                    self.rows.extend((case.index, token.number, step, visit, -1, since, since, NEVER, Result.OPEN))
