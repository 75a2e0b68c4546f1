"""Figures of the travel log and of the as-is arm of the scenario made from it, side by side."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import parameters, process
from models.process import Horizon
from models.schema import CaseFile
from scenarios.logs.travel_facts import Facts, cycle_days
from scenarios.logs.travel_log import ADMINISTRATION, APPROVER, NEVER, Log
from scenarios.logs.travel_text import scenario_text
from simulator.clock import DAY, WEEK
from simulator.futures import realise
from simulator.ledger import OPEN, Ledger, Result
from simulator.program import lower
from simulator.simpy_engine import simulate
from simulator.summary import arrival_weeks, cycle_seconds

Floats = NDArray[np.float64]
WEEKS, RUN_OUT_WEEKS = 42, 26
"""A simulated future is as long as the log's period of submissions."""
SEED = 7
RESAMPLES, SHUFFLES = 1000, 30

STATISTICS: dict[str, Callable[[Floats], float]] = {
    "mean": lambda x: float(x.mean()),
    "median": lambda x: float(np.quantile(x, 0.5)),
    "p90": lambda x: float(np.quantile(x, 0.9)),
}
ALL = "all, in the population's mix"
GROUPS = {NEVER: "never rejected", ADMINISTRATION: "rejected by the administration", APPROVER: "rejected by an approver"}
STEPS = {"budget_owner": "approve.1.response", "supervisor": "approve.2.response", "after_budget_owner": "approve.3.response"}
"""Steps of the scenario that have another name in the ledger."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 90 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, sample: Sequence[float] | Floats) -> Interval:
        low, high = np.quantile(np.asarray(sample), [0.05, 0.95])
        return cls(value, float(low), float(high))

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True, slots=True, eq=False)
class Future:
    """One simulated future of the as-is arm: cycle days by group (of `GROUPS`, and `ALL`), waits by step, shares of declarations."""

    days: Mapping[str, Floats]
    waits: Mapping[str, Floats]
    shares: Mapping[str, float]
    unfinished: int


# -- simulated


def futures(case: CaseFile, count: int, seed: int = SEED) -> list[Future]:
    """Futures of the as-is arm at the medians of all parameters; declarations that arrive in weeks 1 to `WEEKS`."""
    horizon = Horizon(0, (WEEKS + RUN_OUT_WEEKS) * WEEK, 1, WEEKS)
    columns = process.today_columns(parameters.sample(case, seed, None))
    program = lower(process.build(case, columns, horizon), horizon.begin, horizon.stop)
    return [_future(simulate(program, 0, realise(program, 0, seed, k)), tuple(case_steps(case))) for k in range(count)]


def case_steps(case: CaseFile) -> list[str]:
    """Steps with a wait, under the names that the observed waits have."""
    return [*(s.id for s in case.steps if s.kind == "wait"), *STEPS]


def _future(ledger: Ledger, steps: tuple[str, ...]) -> Future:
    chosen = arrival_weeks(ledger) <= WEEKS
    administration, approver = _marked(ledger, "admin_rejected"), _marked(ledger, "approver_rejected")
    masks = {
        NEVER: chosen & ~administration & ~approver,
        ADMINISTRATION: chosen & administration & ~approver,
        APPROVER: chosen & approver & ~administration,
        ALL: chosen,
    }
    days = cycle_seconds(ledger) / DAY
    visits = _ended_visits(ledger, chosen)
    withdrawn = ledger.cases["end_result"] == ledger.program.results.index("not approved")
    shares = {
        "rejected by the administration": float(administration[chosen].mean()),
        "rejected twice by the administration, of these": float(
            _marked(ledger, "rejected_twice")[chosen & administration].mean()
        ),
        "rejected by an approver": float(approver[chosen].mean()),
        "not approved in the end": float(withdrawn[chosen].mean()),
        "timed out, of approvals after a budget owner": _time_out_share(ledger, visits),
    }
    waits = {name: _days(ledger, visits & _at(ledger, STEPS.get(name, name))) for name in steps}
    open_cases = int((ledger.cases["ended"] == OPEN)[chosen].sum())
    return Future({name: days[mask] for name, mask in masks.items()}, waits, shares, open_cases)


def _marked(ledger: Ledger, mark: str) -> NDArray[np.bool_]:
    return np.asarray((ledger.cases["marks"] >> ledger.program.marks.index(mark)) & 1, dtype=bool)


def _ended_visits(ledger: Ledger, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(chosen[ledger.visits["case"]] & (ledger.visits["ended"] != OPEN))


def _at(ledger: Ledger, step: str) -> NDArray[np.bool_]:
    return np.asarray(ledger.visits["step"] == ledger.program.step_ids.index(step))


def _days(ledger: Ledger, visits: NDArray[np.bool_]) -> Floats:
    return np.asarray((ledger.visits["ended"] - ledger.visits["entered"])[visits] / DAY, dtype=np.float64)


def _time_out_share(ledger: Ledger, visits: NDArray[np.bool_]) -> float:
    """Share of supervisor decisions after a budget owner that the time-out took."""
    mine = visits & _at(ledger, STEPS["after_budget_owner"])
    return float((ledger.visits["result"][mine] == Result.TIMED_OUT).mean())


# -- observed


def observed(log: Log, facts: Facts, group: str, statistic: str) -> Interval:
    """A statistic of the observed cycle days of a group or of `ALL`, with its bootstrap interval (declarations resampled)."""
    rng = np.random.default_rng(SEED)
    if group == ALL:
        return _observed_mix(log, facts, statistic, rng)
    days, of = cycle_days(log, group), STATISTICS[statistic]
    picks = rng.integers(0, len(days), (RESAMPLES, len(days)))
    return Interval.of(of(days), [of(days[pick]) for pick in picks])


def _observed_mix(log: Log, facts: Facts, statistic: str, rng: np.random.Generator) -> Interval:
    """Groups weighted by their share of the population; shares resampled with the declarations."""
    samples = {name: cycle_days(log, name) for name in GROUPS}
    rejected, approver = facts.rejected, facts.approver_share
    again = []
    for _ in range(RESAMPLES):
        r, a = (rng.binomial(c.tried, c.share) / c.tried for c in (rejected, approver))
        mix = {NEVER: (1 - a) * (1 - r), ADMINISTRATION: (1 - a) * r, APPROVER: a}
        again.append(_weighted({g: x[rng.integers(0, len(x), len(x))] for g, x in samples.items()}, mix, statistic))
    return Interval.of(_weighted(samples, facts.mix, statistic), again)


def _weighted(samples: Mapping[str, Floats], mix: Mapping[str, float], statistic: str) -> float:
    if statistic == "mean":
        return sum(mix[g] * float(x.mean()) for g, x in samples.items())
    values = np.concatenate(list(samples.values()))
    weights = np.concatenate([np.full(len(x), mix[g] / len(x)) for g, x in samples.items()])
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) >= {"median": 0.5, "p90": 0.9}[statistic]
    return float(values[order][np.argmax(reached)])


def simulated(runs: Sequence[Future], group: str, statistic: str) -> Interval:
    """The mean of a statistic over futures, and the range that holds nine futures of ten."""
    values = [STATISTICS[statistic](run.days[group]) for run in runs]
    return Interval.of(float(np.mean(values)), values)


def independent(log: Log, group: str) -> dict[str, float]:
    """Statistics of a group's cycle days if the waits of a declaration did not depend on each other.

    The observed waits are exchanged at random between the group's declarations, within the same step and submission.
    """
    rng = np.random.default_rng(SEED)
    sample = log if group == APPROVER else log.clean()
    waits = sample.group(group).waits
    kinds = waits.groupby(["before", "after", "submission"])["days"]
    totals = []
    for _ in range(SHUFFLES):
        shuffled = kinds.transform(lambda days: rng.permutation(days.to_numpy()))
        totals.append(shuffled.groupby(waits["case_id"]).sum().to_numpy(dtype=np.float64))
    return {name: float(np.mean([of(days) for days in totals])) for name, of in STATISTICS.items()}


def case_of(facts: Facts) -> CaseFile:
    """The scenario that the facts make."""
    return CaseFile.model_validate(tomllib.loads(scenario_text(facts)))
