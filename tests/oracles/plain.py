"""From a workflow, a draw and a realised future to the plain data that the reference simulator reads.

The only oracle that knows our classes. It copies and never decides: what a field means is the reference's business.
"""

from __future__ import annotations

import numpy as np

from simulator.clock import Calendar
from simulator.distributions import Column, Constant, Distribution
from simulator.futures import Future
from simulator.ledger import Ledger, Result
from simulator.workflow import (
    Attempts,
    Batch,
    Branch,
    Chance,
    Condition,
    Delay,
    Endpoint,
    Fork,
    Gate,
    Mark,
    Serve,
    Step,
    Table,
    Timer,
    Workflow,
)
from tests.oracles.arithmetic import NEVER, Plain

UNLIMITED = 2**40
RESULTS = {
    Result.DONE: "done",
    Result.TIMED_OUT: "time-out",
    Result.FAILED: "failed",
    Result.BACK_OFF: "back-off",
    Result.OPEN: "open",
}


def plain(workflow: Workflow, draw: int, future: Future) -> Plain:
    """Everything that one run of one draw needs. Pools come first, then the limited endpoints, each in its order."""
    limited = [e for e in workflow.endpoints if is_limited(e, draw)]
    pools: list[Plain] = [
        {"name": f"pool:{pool.name}", "gap": 0.0, "segments": [*zip(c.starts, c.ends, c.units, strict=True)]}
        for pool, c in zip(workflow.pools, future.capacity, strict=False)
    ]
    pools += [
        {
            "name": f"endpoint:{e.name}",
            "gap": number(e.gap_seconds, draw),
            "segments": [(future.begin, NEVER, e.concurrency or UNLIMITED)],
        }
        for e in limited
    ]
    pool_of = {e.name: f"endpoint:{e.name}" for e in limited}
    columns = ("day", "ordinal", "type", "cluster", "arrival")
    cases = [
        {name: int(getattr(future, name)[i]) for name in columns} | {"ratio": float(future.ratio[i])}
        for i in range(len(future.arrival))
    ]
    return {
        "seed": future.seed,
        "future": future.number,
        "begin": future.begin,
        "stop": future.stop,
        "steps": [one_step(step, draw, future, pool_of) for step in workflow.steps],
        "pools": pools,
        "down": {e.name: windows(d) for e, d in zip(workflow.endpoints, future.down, strict=True)},
        "cases": cases,
    }


def is_limited(endpoint: Endpoint, draw: int) -> bool:
    return endpoint.concurrency > 0 or number(endpoint.gap_seconds, draw) > 0


def number(column: Column, draw: int) -> float:
    """The value of a column in one draw."""
    array = np.asarray(column, dtype=np.float64)
    return float(array if array.ndim == 0 else array[draw if len(array) > 1 else 0])


def table(value: Table, draw: int) -> list[list[float]]:
    """Rows by type, columns by week."""
    array = value.values
    if array.ndim == 3:
        array = array[draw if len(array) > 1 else 0]
    rows: list[list[float]] = array.tolist()
    return rows


def windows(calendar: Calendar) -> list[tuple[int, int]]:
    return [*zip(calendar.starts, calendar.ends, strict=True)]


def clock(calendar: Calendar | None) -> list[tuple[int, int]] | None:
    return None if calendar is None else windows(calendar)


def distribution(value: Distribution, draw: int) -> Plain:
    lowered = value.lowered()
    nodes = []
    if lowered.nodes_u is not None and lowered.nodes_x is not None:
        x = lowered.nodes_x if lowered.nodes_x.ndim == 1 else lowered.nodes_x[draw if len(lowered.nodes_x) > 1 else 0]
        nodes = [*zip(lowered.nodes_u.tolist(), x.tolist(), strict=True)]
    return {
        "kind": lowered.kind.name.lower(),
        "parameters": [number(p, draw) for p in lowered.parameters],
        "nodes": nodes,
        "kink": None if lowered.kink is None else tuple(number(k, draw) for k in lowered.kink),
    }


def condition(value: Condition) -> Plain:
    return {"required": sorted(value.required), "forbidden": sorted(value.forbidden)}


def chance(value: Chance, draw: int) -> Plain:
    return {
        "base": table(value.base, draw),
        "volume_slope": number(value.volume_slope, draw),
        "load_pool": f"pool:{value.load_pool}" if value.load_pool else None,
        "load_slope": number(value.load_slope, draw),
        "age_openings": clock(value.age_calendar),
        "age_rate_per_hour": number(value.age_rate_per_hour, draw),
        "shared": number(value.shared, draw),
    }


def one_step(step: Step, draw: int, future: Future, pool_of: dict[str, str]) -> Plain:
    """The kind of a step, its fields that are plain already (names, whole numbers, tuples of them), and the others."""
    fields = {name: getattr(step, name) for name in step.__slots__}
    simple = {name: value for name, value in fields.items() if _is_plain(value)}
    return {"kind": type(step).__name__.lower()} | simple | _converted(step, draw, future, pool_of)


def _is_plain(value: object) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return all(isinstance(item, str | int) for item in items)


def _converted(step: Step, draw: int, future: Future, pool_of: dict[str, str]) -> Plain:
    """Those fields of a step that are not plain already."""
    fields: Plain
    match step:
        case Delay():
            fields = {
                "duration": distribution(step.duration, draw),
                "clock": clock(step.clock),
                "factor": table(step.factor, draw),
            }
        case Serve():
            fields = {
                "pool": f"pool:{step.pool}",
                "duration": distribution(step.duration, draw),
                "factor": table(step.factor, draw),
            }
        case Gate():
            people = future.absent.get(step.id) or tuple(Calendar((), ()) for _ in range(step.people))
            fields = {
                "openings": windows(step.openings),
                "lead": number(step.lead_seconds, draw),
                "absent": [windows(person) for person in people],
            }
        case Branch():
            fields = {
                "rules": [
                    condition(rule.when)
                    | {"targets": list(rule.targets), "probabilities": [table(p, draw) for p in rule.probabilities]}
                    for rule in step.rules
                ]
            }
        case Mark():
            fields = {"rules": [condition(rule.when) | chance(rule.chance, draw) for rule in step.rules]}
        case Attempts():
            fields = {
                "pool": pool_of.get(step.endpoint),
                "latency": distribution(step.latency, draw),
                "timeout": number(step.timeout_seconds, draw),
                "transient": table(step.transient, draw),
                "permanent": table(step.permanent, draw),
                "back_off": number(step.back_off_seconds, draw),
                "multiplier": number(step.multiplier, draw),
            }
        case Timer():
            limit = step.limit_seconds
            law = limit if isinstance(limit, Distribution) else Constant(limit)
            fields = {"limit": distribution(law, draw), "clock": clock(step.clock)}
        case Batch():
            fields = {"size": number(step.size, draw), "max_wait": number(step.max_wait_seconds, draw)}
        case Fork():
            fields = {"branches": list(step.branches)}
        case _:
            fields = {}
    return fields


def as_reference(ledger: Ledger) -> tuple[list[Plain], list[Plain]]:
    """A ledger of ours in the reference's words, row by row."""
    visits = {name: values.tolist() for name, values in ledger.visits.items()}
    visits["result"] = [RESULTS[Result(code)] for code in visits["result"]]
    rows = [dict(zip(visits, values, strict=True)) for values in zip(*visits.values(), strict=True)]
    columns = {name: values.tolist() for name, values in ledger.cases.items()}
    cases = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for case in cases:
        code, bits = case.pop("end_result"), case["marks"]
        case["result"] = "open" if code < 0 else ledger.program.results[code]
        case["marks"] = sorted(name for i, name in enumerate(ledger.program.marks) if bits >> i & 1)
    return rows, cases
