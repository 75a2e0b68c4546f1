"""What the steps of a process need by themselves: a sample of cases when nobody ever has to wait for a free person or line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models import parameters, process, schema
from models.conditions import PRODUCTION
from models.parameters import Scope
from models.process import Horizon
from simulator.clock import DAY, WEEK
from simulator.engines import engine_of
from simulator.futures import Future, given
from simulator.ledger import OPEN, Ledger
from simulator.program import Program, lower
from simulator.simpy_engine import simulate
from simulator.workflow import Arrivals, Pool, Table, Workflow

Floats = NDArray[np.float64]
SAMPLE = 2_000
"""Cases that are followed through the process; the types come in their exact shares."""
RUN_OUT_WEEKS = 26
NOBODY_WAITS = 10_000.0
GOLDEN = 0.6180339887498949


def followed(case: schema.CaseFile, columns: Scope) -> Ledger:
    """A sample of cases that arrive in the target weeks, in one world."""
    program, future = _set_up(case, columns)
    return simulate(program, 0, future)


def live_days(case: schema.CaseFile, unlocated: Mapping[str, float]) -> Floats:
    """Days of each case of a sample, live, at the middle values. unlocated: step → days a visit."""
    program, future = _set_up(case, process.arm_columns(parameters.sample(case, 0, None), PRODUCTION))
    located = program.of_draw(0, process.unlocated_slots(case, program, unlocated))
    ledger = engine_of("compiled").ledger(located, 0, future)
    done = ledger.cases["ended"] != OPEN
    ends = np.where(done, ledger.cases["ended"], program.stop)
    return np.asarray((ends - ledger.cases["arrival"]) / DAY, dtype=np.float64)


def _set_up(case: schema.CaseFile, columns: Scope) -> tuple[Program, Future]:
    first, last = case.target.weeks
    horizon = Horizon((first - 1) * WEEK, (last + RUN_OUT_WEEKS) * WEEK, first, last)
    workflow = process.build(case, columns, horizon)
    assert workflow.arrivals is not None
    program = lower(_without_queues(workflow), horizon.begin, horizon.stop)
    return program, given(program, 0, 0, 0, _sample(workflow.arrivals, horizon.begin, last * WEEK))


def _without_queues(workflow: Workflow) -> Workflow:
    plenty = Table.constant(NOBODY_WAITS)
    pools = (Pool(p.name, tuple(replace(shift, headcount=plenty) for shift in p.shifts)) for p in workflow.pools)
    lines = (replace(e, concurrency=int(NOBODY_WAITS), gap_seconds=0.0) for e in workflow.endpoints)
    return replace(workflow, pools=tuple(pools), endpoints=tuple(lines))


def _sample(arrivals: Arrivals, begin: int, end: int) -> list[tuple[int, int]]:
    """Instants evenly over the open hours of the target weeks, types spread in their shares: (second, type)."""
    shares = np.cumsum([float(np.ravel(share)[0]) for share in arrivals.shares])
    open_seconds = arrivals.hours.open_between(begin, end)
    sample = []
    for i in range(SAMPLE):
        kind = min(int(np.searchsorted(shares, (i + 0.5) * GOLDEN % 1.0, side="right")), len(shares) - 1)
        sample.append((arrivals.hours.add(begin, 1 + int((i + 0.5) / SAMPLE * (open_seconds - 1))) - 1, kind))
    return sample
