"""Tiny cases: a case file of a few steps with plain numbers, played on stated arrivals, so that results can be worked by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import parameters, process
from models.conditions import PRODUCTION
from models.consistency import check
from models.process import Horizon
from models.schema import Arm, CaseFile, Cause
from scenarios.arms import columns_of
from simulator.clock import WEEK
from simulator.futures import given
from simulator.ledger import Ledger
from simulator.program import Program, lower
from simulator.simpy_engine import simulate
from simulator.workflow import Table, Workflow

Step = dict[str, Any]
ALL_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DONE: Step = {"id": "done", "kind": "end"}
BY_HAND: Step = {"id": "by_hand", "kind": "end", "result": "by hand"}


def tiny(*steps: Step, valid: bool = True, **changes: Any) -> CaseFile:
    """A case of the given steps and an end `done`. Open day and night, one type, ten cases a day; `changes` replace whole tables."""
    data: dict[str, Any] = {
        "schema_version": 1,
        "name": "tiny",
        "title": "Tiny",
        "go_live": "2027-01-04",
        "target": {"level": "1 d", "weeks": [1, 4]},
        "run": {"warm_up_weeks": 1, "run_out_weeks": 1},
        "calendars": {"always": {"days": ALL_DAYS, "hours": ["00:00-24:00"]}},
        "types": {"a": {"share": 1}},
        "arrivals": {"per_working_day": 10, "calendar": "always"},
        "steps": [*steps, DONE],
    }
    for key, value in changes.items():
        data[key] = {**data["calendars"], **value} if key == "calendars" else value
    case = CaseFile.model_validate(data)
    assert not valid or check(case) == []
    return case


def team(headcount: Any = 1, calendar: str = "always", **more: Any) -> dict[str, Any]:
    return {"headcount": headcount, "calendar": calendar, **more}


def work(step: str = "work", service: Any = "1 h", who: str = "team", **more: Any) -> Step:
    return {"id": step, "kind": "work", "team": who, "service": service, **more}


def ai(**changes: Any) -> Step:
    """An AI step: 92 % right, 80 % accepted, 2 % accepted and wrong; accepted cases are done, all others go by hand."""
    plain = {
        "id": "ai",
        "kind": "ai",
        "routed": 1.0,
        "manual": "by_hand",
        "accepted": "done",
        "referred": "by_hand",
        "accuracy": 0.92,
        "shift": 0,
        "scope_penalty": 0,
        "coverage": 0.8,
        "accepted_error": 0.02,
    }
    return {**plain, **changes}


def by_arm(pilot: Any, production: Any, cause: Cause, **more: Any) -> dict[str, Any]:
    return {"pilot": pilot, "production": production, "cause": cause, **more}


HORIZON = Horizon(-WEEK, 8 * WEEK, 1, 4)


def workflow(case: CaseFile, arm: Arm | frozenset[Cause] = PRODUCTION, horizon: Horizon = HORIZON) -> Workflow:
    """The workflow of an arm, or of a set of causes, at the middle values."""
    draws = parameters.sample(case, 1, None)
    return process.build(case, columns_of(draws, arm), horizon)


def program(case: CaseFile, arm: Arm | frozenset[Cause] = PRODUCTION, horizon: Horizon = HORIZON) -> Program:
    return lower(workflow(case, arm, horizon), horizon.begin, horizon.stop)


def play(
    case: CaseFile,
    arrivals: Sequence[int | tuple[int, int]],
    arm: Arm | frozenset[Cause] = PRODUCTION,
    seed: int = 1,
    clusters: Sequence[int] | None = None,
) -> Ledger:
    """Runs a case on stated arrivals: seconds since go-live, or (second, number of the type)."""
    p = program(case, arm)
    cases = [(a, 0) if isinstance(a, int) else a for a in arrivals]
    return simulate(p, 0, given(p, 0, seed, 0, cases, clusters))


def cycles(ledger: Ledger) -> list[int]:
    """Seconds from arrival to end, case by case."""
    return [int(x) for x in ledger.cases["ended"] - ledger.cases["arrival"]]


def ends(ledger: Ledger) -> list[str]:
    """How each case ended."""
    return [ledger.program.results[i] for i in ledger.cases["end_result"]]


def seen(ledger: Ledger, step: str, *columns: str) -> list[tuple[int, ...]]:
    """The named columns of all visits of a step, in the order of cases."""
    mine = ledger.visits["step"] == ledger.program.step_ids.index(step)
    return [tuple(row) for row in np.stack([ledger.visits[c][mine] for c in columns], axis=1).tolist()]


def lengths(ledger: Ledger, step: str) -> list[int]:
    """Seconds of each visit of a step, from entry to end."""
    return [ended - entered for entered, ended in seen(ledger, step, "entered", "ended")]


def marked(ledger: Ledger, mark: str) -> NDArray[np.bool_]:
    """Which cases carry a mark at the end."""
    return np.asarray((ledger.cases["marks"] >> ledger.program.marks.index(mark)) & 1 == 1)


def tables(flow: Workflow, step: str) -> list[NDArray[np.float64]]:
    """The base probabilities of a mark step, one table (types, weeks) a rule."""
    rules = next(s for s in flow.steps if s.id == step).rules  # type: ignore[union-attr]
    return [rule.chance.base.values[0] for rule in rules]


def weights(flow: Workflow, step: str) -> Table:
    """The first probability table of a branch."""
    return next(s for s in flow.steps if s.id == step).rules[0].probabilities[0]  # type: ignore[union-attr]


def plausible(hits: int, tried: int, p: float, error: float = 1e-6) -> bool:
    """Whether a binomial count is not in the outer tails that together have probability `error`."""
    from scipy.stats import binom

    low, high = binom.ppf(error / 2, tried, p), binom.ppf(1 - error / 2, tried, p)
    return bool(low <= hits <= high)


def table(case: CaseFile, path: str) -> Mapping[Arm, float]:
    """The middle value of a parameter in each arm."""
    return {arm: float(v[0]) for arm, v in parameters.sample(case, 1, None).values[path].items()}
