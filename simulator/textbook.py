"""Simulations whose answer is known from queueing theory, and whether the engine finds it.

Each row of the table is a small workflow, a formula (computed here, never pasted) and a statistic of the ledger. A row
is simulated with independent replications and seeds of its own, starts empty, and measures only cases that arrive after
the warm-up and well before arrivals end, so that no case is cut off. It passes if

    |z| = |mean - theory| / (s / √R) <= t(1 - α / 2, R - 1),  α = 0.001 / rows of the table, and
    the half-width of the 95 % interval is at most `widest_percent` of the theory,

so that a correct engine fails one run of the whole table in a thousand and no row can pass by being noisy. Each row
says what it would notice: `detectable_percent` is the critical margin plus the half-width, a shift that it misses with
probability below 1 in 40; `service_fault_percent` is the slowing of all services that shifts the theory by as much.

Times are whole seconds in the engine. A unit of time here is 10,000 seconds, so that rounding changes no mean by 1e-6;
gates use days. The formulas stand in `simulator.queueing`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from simulator import draws
from simulator.clock import DAY, WEEK, Calendar, always
from simulator.distributions import Constant, Distribution, Exponential, Lognormal
from simulator.draws import Entity
from simulator.futures import Future, given
from simulator.ledger import OPEN, Ledger
from simulator.program import Program, lower
from simulator.queueing import (
    cobham,
    erlang_a_loss,
    erlang_b,
    finite_room_loss,
    impatient_loss,
    inspection_wait,
    mmc_wait,
    pollaczek_khinchine,
    retries_time,
    rework_time,
    tandem_time,
)
from simulator.statistics import Estimate, bonferroni_critical, mean_interval
from simulator.workflow import (
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

UNIT = 10_000
"""Seconds in one unit of time."""

ALPHA = 0.001
"""Probability that a correct engine fails at least one row of the whole table."""

COOL_DOWN = 100.0
"""Units of further arrivals after the last measured case, because later cases may still delay it."""

DRAIN = 2_000.0
"""Units without arrivals in which all cases end (nothing happens in most of them)."""

Engine = Callable[[Program, int, Future], Ledger]
Progress = Callable[[int, int, str], None]


# -- what a row of the table is


@dataclass(frozen=True, slots=True)
class Window:
    """Cases are measured if they arrive in [begin, end) seconds; `unit` seconds are one unit of the result."""

    begin: int
    end: int
    unit: int

    def cases(self, ledger: Ledger) -> NDArray[np.bool_]:
        """Which cases are measured."""
        arrival = ledger.cases["arrival"]
        return (arrival >= self.begin) & (arrival < self.end)


Statistic = Callable[[Ledger, Window], float]


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One row: a workflow with Poisson arrivals, what theory says of it, and how much of it is simulated.

    `theory_at(f)` is the theory with all service times multiplied by f; `build(stop)` the workflow for a run over
    [0, stop); `rates` arrivals a unit by case type; warm-up and `length` (of the measured stretch) in units.
    """

    name: str
    formula: str
    theory_at: Callable[[float], float]
    build: Callable[[int], Workflow]
    rates: tuple[float, ...]
    statistic: Statistic
    length: float
    warm_up: float
    widest_percent: float
    replications: int = 40
    unit: int = UNIT
    quick: bool = False

    @property
    def theory(self) -> float:
        return self.theory_at(1.0)

    @property
    def window(self) -> Window:
        return Window(round(self.warm_up * self.unit), round((self.warm_up + self.length) * self.unit), self.unit)

    @property
    def seed(self) -> int:
        """Its own seed: a hash of the name."""
        return int.from_bytes(blake2b(self.name.encode(), digest_size=8).digest(), "little")

    def service_fault_percent(self, shift_percent: float) -> float | None:
        """By how many percent all services must be slower to shift the theory by `shift_percent`; None if never."""
        low, high, target = 1.0, 2.0, self.theory * (1 + shift_percent / 100)
        if self.theory_at(high) == self.theory:
            return None
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if self.theory_at(middle) < target else (low, middle)
        return (low - 1) * 100


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a row found, in units of its quantity; half_width of the 95 % interval, `critical` the bound on |z|."""

    name: str
    formula: str
    theory: float
    simulated: float
    half_width: float
    z: float
    critical: float
    passed: bool
    detectable_percent: float
    service_fault_percent: float | None


# -- running rows


def run_checks(
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
    quick: bool = False,
    engine: Engine | None = None,
) -> tuple[CheckResult, ...]:
    """Runs the rows named (default: all, or those marked quick), in the order of the table.

    A row gives the same result whatever else is run. `progress(done, rows, name)` is called before each row and at the
    end. `engine` is the SimPy engine unless given. Raises ValueError for an unknown name.
    """
    checks = chosen(names, quick)
    results = []
    for i, check in enumerate(checks):
        if progress is not None:
            progress(i, len(checks), check.name)
        results.append(run_check(check, engine))
    if progress is not None:
        progress(len(checks), len(checks), "")
    return tuple(results)


def chosen(names: Sequence[str] | None = None, quick: bool = False) -> tuple[Check, ...]:
    """The rows with these names, or all (with `quick`: the quick ones)."""
    if names is None:
        return tuple(c for c in CHECKS if c.quick or not quick)
    known = [c.name for c in CHECKS]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 1, 0.0)[0]
            raise ValueError(f'unknown check "{name}": did you mean "{near}"?')
    return tuple(c for c in CHECKS if c.name in names)


def run_check(check: Check, engine: Engine | None = None) -> CheckResult:
    """Simulates one row."""
    return judged(check, mean_interval(replicate(check, engine), 0.95))


def replicate(check: Check, engine: Engine | None = None) -> NDArray[np.float64]:
    """The statistic of each replication, shape (replications,)."""
    simulate = engine or _default_engine()
    arrivals_end = check.window.end + round(COOL_DOWN * check.unit)
    stop = arrivals_end + round(DRAIN * check.unit)
    program = lower(check.build(stop), 0, stop)
    rates = np.asarray(check.rates) / check.unit
    values = []
    for number in range(check.replications):
        future = given(program, 0, check.seed, number, poisson(check.seed, number, rates, arrivals_end))
        values.append(check.statistic(simulate(program, 0, future), check.window))
    return np.asarray(values)


def _default_engine() -> Engine:
    from simulator.simpy_engine import simulate

    return simulate


def judged(check: Check, found: Estimate) -> CheckResult:
    """The verdict on the mean and 95 % interval of the replications."""
    theory = check.theory
    critical = bonferroni_critical(ALPHA, len(CHECKS), check.replications - 1)
    z = (found.estimate - theory) / found.standard_error
    precise = found.half_width <= check.widest_percent / 100 * abs(theory)
    detectable = (critical * found.standard_error + found.half_width) / abs(theory) * 100
    return CheckResult(
        check.name, check.formula, theory, found.estimate, found.half_width, z, critical,
        precise and abs(z) <= critical, detectable, check.service_fault_percent(detectable),
    )  # fmt: skip


def poisson(seed: int, number: int, rates: NDArray[np.float64], end: int) -> list[tuple[int, int]]:
    """Poisson arrivals over [0, end) at `rates` a second by type: (second, type) in order.

    The address (number, stream k, "textbook:arrival") gives gap k (exponential) and the type of case k.
    """
    mean = float(rates.sum()) * end
    entities = draws.entity_of(Entity.STREAM, 0) + np.arange(math.ceil(mean + 10 * math.sqrt(mean) + 10))
    purpose = draws.purpose_of("textbook:arrival")
    gap, kind = draws.uniform_arrays(seed, number, entities, purpose)
    second = np.floor(np.cumsum(-np.log1p(-gap)) / rates.sum()).astype(np.int64)
    types = np.minimum(np.searchsorted(np.cumsum(rates) / rates.sum(), kind, side="right"), len(rates) - 1)
    inside = second < end
    return list(zip(second[inside].tolist(), types[inside].tolist(), strict=True))


# -- statistics of one replication


def mean_wait(step: str, kind: int = 0) -> Statistic:
    """Mean wait for a pool, over measured cases of one type, in units."""

    def statistic(ledger: Ledger, window: Window) -> float:
        rows = _visits(ledger, window, step, kind)
        return float((ledger.visits["started"] - ledger.visits["entered"])[rows].mean()) / window.unit

    return statistic


def mean_duration(step: str) -> Statistic:
    """Mean time from entering a step to leaving it, in units."""

    def statistic(ledger: Ledger, window: Window) -> float:
        rows = _visits(ledger, window, step)
        return float((ledger.visits["ended"] - ledger.visits["entered"])[rows].mean()) / window.unit

    return statistic


def mean_passes(step: str) -> Statistic:
    """Visits to a step per measured case."""
    return lambda ledger, window: float(_visits(ledger, window, step).sum() / window.cases(ledger).sum())


def mean_time(ledger: Ledger, window: Window) -> float:
    """Mean time from arrival to end, in units."""
    return float(_times(ledger, window).mean()) / window.unit


def share_above(units: float) -> Statistic:
    """Share of cases whose time from arrival to end exceeds `units`."""
    return lambda ledger, window: float((_times(ledger, window) > units * window.unit).mean())


def share_ending(result: str) -> Statistic:
    """Share of cases with this result."""

    def statistic(ledger: Ledger, window: Window) -> float:
        number = ledger.program.results.index(result)
        return float((ledger.cases["end_result"][window.cases(ledger)] == number).mean())

    return statistic


def utilisation(servers: int) -> Statistic:
    """Busy servers over servers, averaged over the measured stretch."""
    return lambda ledger, window: _average(ledger.visits["started"], ledger.visits["ended"], window) / servers


def mean_number(ledger: Ledger, window: Window) -> float:
    """Cases in the system, averaged over the measured stretch."""
    return _average(ledger.cases["arrival"], ledger.cases["ended"], window)


def _average(start: NDArray[np.int64], end: NDArray[np.int64], window: Window) -> float:
    """Intervals [start, end) open at a time, averaged over the window."""
    overlap = np.minimum(end, window.end) - np.maximum(start, window.begin)
    return float(np.maximum(overlap, 0).sum()) / (window.end - window.begin)


def _visits(ledger: Ledger, window: Window, step: str, kind: int = 0) -> NDArray[np.bool_]:
    """Visits to a step by measured cases of one type."""
    cases = window.cases(ledger) & (ledger.cases["type"] == kind)
    of_step = ledger.visits["step"] == ledger.program.step_ids.index(step)
    return np.asarray(of_step & cases[ledger.visits["case"]], dtype=np.bool_)


def _times(ledger: Ledger, window: Window) -> NDArray[np.int64]:
    measured = window.cases(ledger)
    ended = ledger.cases["ended"][measured]
    if (ended == OPEN).any():
        raise ValueError("a measured case has not ended; the system is overloaded or the drain too short")
    return ended - ledger.cases["arrival"][measured]


# -- workflows


def _exponential(mean: float) -> Distribution:
    return Exponential(mean * UNIT)


def _constant(mean: float) -> Distribution:
    return Constant(mean * UNIT)


def _lognormal(mean: float, cv_squared: float) -> Distribution:
    return Lognormal.from_mean_cv(mean * UNIT, math.sqrt(cv_squared))


def _flow(*steps: Step, servers: Sequence[int] = (), types: int = 1) -> Callable[[int], Workflow]:
    """A workflow that ends in "end" or "lost"; `servers`: one pool each, pool0, pool1, …"""

    def build(stop: int) -> Workflow:
        pools = (Pool(f"pool{i}", (Shift(always(0, stop), Table.constant(n)),)) for i, n in enumerate(servers))
        used = {name for step in steps for name in _targets(step)}
        ends = tuple(end for end in (End("end"), End("lost", "lost")) if end.id in used)
        kinds = tuple(f"type{i}" for i in range(types))
        endpoints = tuple(Endpoint(s.endpoint) for s in steps if isinstance(s, Attempts))
        return Workflow(kinds, (*steps, *ends), tuple(pools), endpoints=endpoints)

    return build


def _targets(step: Step) -> tuple[str, ...]:
    from simulator.checks import exits

    return tuple(exits(step).values())


def _queue(service: Distribution, servers: int = 1, priority: tuple[int, ...] = ()) -> Callable[[int], Workflow]:
    work = Serve("work", "pool0", service, "end", priority=priority)
    return _flow(work, servers=(servers,), types=max(1, len(priority)))


def _patient(service: Distribution, servers: int, patience: float | Distribution) -> Callable[[int], Workflow]:
    """A queue that a case leaves after waiting `patience` units, or a time drawn from it (in seconds).

    A patience of 1 second makes a loss system: at 0 the timer, which beats the server, would send everyone away.
    """
    limit = patience if isinstance(patience, Distribution) else patience * UNIT
    timer = Timer("patience", limit, ("work",), "lost", "work")
    return _flow(timer, Serve("work", "pool0", service, "end"), servers=(servers,))


def _finite_room(servers: int, room: int, service: Distribution) -> Callable[[int], Workflow]:
    """A case turns back if room - servers already wait.

    The chance of turning back is 1 / (1 + e^(-x)) with x = steep (waiting - (room - servers - 1/2)), so it is within
    e^(-steep / 2) < 1e-10 of 0 or 1.
    """
    steep, limit = 50.0, room - servers - 0.5
    full = Chance(Table.constant(math.exp(-steep * limit)), load_pool="pool0", load_slope=-steep * servers)
    look = Mark("look", "full", (MarkRule(full),), "enter", "assign")
    rules = Rule(("lost",), when=Condition.of("full")), Rule(("work",))
    return _flow(look, Branch("enter", rules), Serve("work", "pool0", service, "end"), servers=(servers,))


def _rework(step: Step, again: float, servers: Sequence[int] = ()) -> Callable[[int], Workflow]:
    """After step "work" a case returns with probability `again`, at most 200 times (again^200 is nothing)."""
    check = Branch("check", (Rule(("return", "end"), (Table.constant(again),)),))
    return _flow(step, check, Goto("return", "work", 200, "end"), servers=servers)


def _parallel(*means: float) -> Callable[[int], Workflow]:
    names = tuple(f"branch{i}" for i in range(len(means)))
    branches = (Delay(name, _exponential(mean), "meet") for name, mean in zip(names, means, strict=True))
    return _flow(Fork("split", names, "meet"), *branches, Join("meet", "end"))


def _routes(shares: Sequence[float], means: Sequence[float]) -> Callable[[int], Workflow]:
    names = tuple(f"route{i}" for i in range(len(means)))
    choose = Branch("choose", (Rule(names, tuple(Table.constant(share) for share in shares[:-1])),))
    return _flow(choose, *(Delay(name, _exponential(mean), "end") for name, mean in zip(names, means, strict=True)))


def _openings(days: Sequence[int]) -> Callable[[int], Workflow]:
    """A gate that opens for one second at 00:00 on these days of every week (0 is Monday)."""

    def build(stop: int) -> Workflow:
        starts = [week + day * DAY for week in range(0, stop, WEEK) for day in days]
        return _flow(Gate("run", Calendar.of((s, s + 1) for s in starts), "end"))(stop)

    return build


def _retries(latency: float, timeout: float, transient: float, attempts: int, back_off: float, growth: float) -> Step:
    return Attempts(
        "call", "system", _exponential(latency), timeout * UNIT, "end", "failed", attempts,
        transient=Table.constant(transient), back_off_seconds=back_off * UNIT, multiplier=growth,
    )  # fmt: skip


# -- the table


SECOND = 1 / UNIT

CHECKS: tuple[Check, ...] = (
    Check(
        "M/M/1 wait", "ρ/(μ−λ), λ .8", lambda f: mmc_wait(1, 0.8, f),
        _queue(_exponential(1)), (0.8,), mean_wait("work"), 7_500, 700, 5.0,
    ),
    Check(
        "M/M/1 tail", "P(time > 3) = e^(−3(μ−λ)), λ .7", lambda f: math.exp(-3 * (1 / f - 0.7)),
        _queue(_exponential(1)), (0.7,), share_above(3), 6_000, 500, 3.0,
    ),
    Check(
        "M/D/1 wait", "ρ/(2(μ−λ)), λ .8", lambda f: pollaczek_khinchine(0.8, f, 0),
        _queue(_constant(1)), (0.8,), mean_wait("work"), 6_000, 500, 5.0,
    ),
    Check(
        "M/G/1 wait", "Pollaczek-Khinchine, lognormal cv² 2, λ .6", lambda f: pollaczek_khinchine(0.6, f, 2),
        _queue(_lognormal(1, 2)), (0.6,), mean_wait("work"), 15_000, 700, 5.0,
    ),
    Check(
        "M/M/3 wait", "ErlangC/(cμ−λ), λ 2", lambda f: mmc_wait(3, 2, f),
        _queue(_exponential(1), 3), (2.0,), mean_wait("work"), 3_000, 200, 5.0,
    ),
    Check(
        "M/M/3 utilisation", "λE[S]/c, λ 2", lambda f: 2 * f / 3,
        _queue(_exponential(1), 3), (2.0,), utilisation(3), 2_000, 50, 1.0, quick=True,
    ),
    Check(
        "M/M/8 loss", "Erlang B, load 5", lambda f: erlang_b(8, 5 * f),
        _patient(_exponential(1), 8, SECOND), (5.0,), share_ending("lost"), 900, 50, 3.0,
    ),
    Check(
        "M/G/8 loss", "Erlang B (insensitive), lognormal cv² 2, load 5", lambda f: erlang_b(8, 5 * f),
        _patient(_lognormal(1, 2), 8, SECOND), (5.0,), share_ending("lost"), 1_500, 50, 3.0,
    ),
    Check(
        "M/M/3 constant patience", "Baccelli-Hébuterne, λ 3, patience 1", lambda f: impatient_loss(3, 3, f, 1),
        _patient(_exponential(1), 3, 1), (3.0,), share_ending("lost"), 1_200, 50, 3.0,
    ),
    Check(
        "Erlang A abandon", "birth-death, λ 3, c 3, mean patience 2", lambda f: erlang_a_loss(3, 3, f, 2),
        _patient(_exponential(1), 3, _exponential(2)), (3.0,), share_ending("lost"), 1_200, 50, 3.0,
    ),
    Check(
        "M/M/1/5 loss", "(1−ρ)ρ⁵/(1−ρ⁶), λ .8", lambda f: finite_room_loss(1, 5, 0.8, f),
        _finite_room(1, 5, _exponential(1)), (0.8,), share_ending("lost"), 6_000, 100, 3.0,
    ),
    Check(
        "M/M/3/10 loss", "birth-death, λ 2.5", lambda f: finite_room_loss(3, 10, 2.5, f),
        _finite_room(3, 10, _exponential(1)), (2.5,), share_ending("lost"), 3_000, 150, 5.0,
    ),
    Check(
        "M/M/1 rework time", "r/(1−r)/λ, r = λ/(μ(1−p)), λ .5, p .25", lambda f: rework_time(0.5, f, 0.25),
        _rework(Serve("work", "pool0", _exponential(1), "check"), 0.25, (1,)), (0.5,), mean_time, 6_500, 200, 4.0,
    ),
    Check(
        "rework passes", "1/(1−p), p .25", lambda f: 1 / (1 - 0.25),
        _rework(Delay("work", _exponential(1), "check"), 0.25), (5.0,), mean_passes("work"), 150, 0, 1.0, quick=True,
    ),
    Check(
        "priority high, 1 server", "Cobham W0/(1−s1), λ .21 + .49", lambda f: cobham(1, (0.21, 0.49), f, 0),
        _queue(_exponential(1), 1, (0, 1)), (0.21, 0.49), mean_wait("work", 0), 4_500, 200, 3.0, quick=True,
    ),
    Check(
        "priority low, 1 server", "Cobham W0/((1−s1)(1−s2)), λ .21 + .49", lambda f: cobham(1, (0.21, 0.49), f, 1),
        _queue(_exponential(1), 1, (0, 1)), (0.21, 0.49), mean_wait("work", 1), 7_000, 300, 5.0,
    ),
    Check(
        "priority high, 2 servers", "Cobham C/(cμ)/(1−s1), λ .42 + .98", lambda f: cobham(2, (0.42, 0.98), f, 0),
        _queue(_exponential(1), 2, (0, 1)), (0.42, 0.98), mean_wait("work", 0), 3_000, 150, 4.0,
    ),
    Check(
        "priority low, 2 servers", "Cobham C/(cμ)/((1−s1)(1−s2)), λ .42 + .98", lambda f: cobham(2, (0.42, 0.98), f, 1),
        _queue(_exponential(1), 2, (0, 1)), (0.42, 0.98), mean_wait("work", 1), 4_200, 200, 5.0,
    ),
    Check(
        "tandem time", "1/(μ1−λ) + 1/(μ2−λ), μ 1 and .8, λ .5", lambda f: tandem_time(0.5, (f, f / 0.8)),
        _flow(
            Serve("first", "pool0", _exponential(1), "second"), Serve("second", "pool1", _exponential(1 / 0.8), "end"),
            servers=(1, 1),
        ), (0.5,), mean_time, 5_000, 200, 3.0,
    ),
    Check(
        "M/G/∞ number", "λE[S], lognormal cv² 2, λ 5", lambda f: 5 * f,
        _flow(Delay("work", _lognormal(1, 2), "end")), (5.0,), mean_number, 1_000, 50, 1.0,
    ),
    Check(
        "slower of two branches", "E max of two exponentials = 3/2", lambda f: 1.5 * f,
        _parallel(1, 1), (5.0,), mean_time, 220, 0, 1.0, quick=True,
    ),
    Check(
        "mixture of routes", "Σ p E[T], p .5 .3 .2, means .5 1 3", lambda f: (0.5 * 0.5 + 0.3 * 1 + 0.2 * 3) * f,
        _routes((0.5, 0.3, 0.2), (0.5, 1, 3)), (5.0,), mean_time, 600, 0, 1.0,
    ),
    Check(
        "weekly run", "T/2, T 7 days", lambda f: inspection_wait((7,)),
        _openings((3,)), (5.0,), mean_duration("run"), 196, 0, 1.0, unit=DAY, quick=True,
    ),
    Check(
        "two runs a week", "Σ gap²/(2 Σ gap), gaps 3 and 4 days", lambda f: inspection_wait((3, 4)),
        _openings((0, 3)), (5.0,), mean_duration("run"), 196, 0, 1.0, unit=DAY,
    ),
    Check(
        "batch of 4", "(size − 1)/(2λ), λ 5", lambda f: (4 - 1) / (2 * 5.0),
        _flow(Batch("gather", 4, 1e12, "end")), (5.0,), mean_duration("gather"), 300, 0, 1.0, quick=True,
    ),
    Check(
        "retries", "Σ q^k E min(L, 1) + back-offs, E[L] .5", lambda f: retries_time(0.5 * f, 1, 0.2, 3, 0.5, 2),
        _flow(_retries(0.5, 1, 0.2, 3, 0.5, 2)), (5.0,), mean_time, 500, 0, 1.0,
    ),
)  # fmt: skip
"""Rows in the order of the report: waits to 5 % or so, losses to 3 %, quantities of short memory to 1 %."""
