"""The two-pool model, twice: as a plain SimPy program and as a workflow of the simulator.

Cases arrive (Poisson), pass an automated step, 30 % of them queue for 4 people (lognormal service), all queue for 3 others
(exponential), then wait a fixed delay. No calendars, so that both do the same work.
"""

from __future__ import annotations

import random
from collections.abc import Generator

import simpy

from simulator.clock import Calendar
from simulator.distributions import Constant, Exponential, Lognormal
from simulator.futures import Future, given
from simulator.program import Program, lower
from simulator.workflow import Branch, Delay, End, Pool, Rule, Serve, Shift, Table, Workflow

CASES = 20_000
GAP = 100.0
AUTOMATED, CHECK_SHARE, CHECK_MU, CHECK_SIGMA, APPROVE, DELAY = 5.0, 0.3, 6.5, 0.8, 240.0, 3_600.0


def plain_simpy(seed: int) -> float:
    """The mean cycle time, from a program as one writes it by hand."""
    rng = random.Random(seed)
    env = simpy.Environment()
    checkers, approvers = simpy.Resource(env, 4), simpy.Resource(env, 3)
    total = 0.0

    def case(env: simpy.Environment) -> Generator[simpy.Event, None, None]:
        nonlocal total
        arrived = env.now
        yield env.timeout(AUTOMATED)
        if rng.random() < CHECK_SHARE:
            with checkers.request() as request:
                yield request
                yield env.timeout(rng.lognormvariate(CHECK_MU, CHECK_SIGMA))
        with approvers.request() as request:
            yield request
            yield env.timeout(rng.expovariate(1 / APPROVE))
        yield env.timeout(DELAY)
        total += env.now - arrived

    def source(env: simpy.Environment) -> Generator[simpy.Event, None, None]:
        for _ in range(CASES):
            yield env.timeout(rng.expovariate(1 / GAP))
            env.process(case(env))

    env.process(source(env))
    env.run()
    return total / CASES


def program(cases: int = CASES) -> Program:
    """The same model as a lowered workflow, for a run that is long enough for so many cases."""
    stop = int(cases * GAP * 2)
    open_always = Calendar((0,), (stop,))
    flow = Workflow(
        ("case",),
        (
            Delay("automated", Constant(AUTOMATED), "route"),
            Branch("route", (Rule(("check", "approve"), (Table.constant(CHECK_SHARE),)),)),
            Serve("check", "checkers", Lognormal(CHECK_MU, CHECK_SIGMA), "approve"),
            Serve("approve", "approvers", Exponential(APPROVE), "wait"),
            Delay("wait", Constant(DELAY), "end"),
            End("end"),
        ),
        (
            Pool("checkers", (Shift(open_always, Table.constant(4.0)),)),
            Pool("approvers", (Shift(open_always, Table.constant(3.0)),)),
        ),
    )
    return lower(flow, 0, stop)


def future(model: Program, seed: int, cases: int = CASES) -> Future:
    """Poisson arrivals for the workflow."""
    rng = random.Random(seed)
    now, arrivals = 0.0, []
    for _ in range(cases):
        now += rng.expovariate(1 / GAP)
        arrivals.append((int(now), 0))
    return given(model, 0, seed, 0, arrivals)
