"""A made-up company of the backtest: its hidden truth, drawn from the beliefs of its case file, and what it observes of today.

The truth is one joint draw of all parameters; the days nobody has located are those at which its own as-is arm has the mean that the
company was given. What it observes, and what will happen after go-live, are other futures of the same truth.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models import parameters
from models.baseline import Rejected, Solved
from models.leaves import leaves
from models.parameters import Draws
from models.schema import Arm, CaseFile
from scenarios.arms import Arms, OneFuture
from scenarios.files import LoadedCase, validated
from scenarios.study.means import Means
from scenarios.study.middle import Middle, at_medians
from scenarios.validation.company_case import PRIOR_MEAN_DAYS, PRIOR_SD_DAYS, case_text
from simulator.engines import engine_of

Floats = NDArray[np.float64]
Kind = Literal["inside", "scope", "correlated", "clusters", "labels"]
INSIDE: Kind = "inside"
OUTSIDE: tuple[Kind, ...] = ("scope", "correlated", "clusters", "labels")
MEANING: Mapping[Kind, str] = {
    "inside": "the truth is a draw of the case file's own beliefs",
    "scope": "types never piloted are far harder than believed: scope penalty three standard deviations below its mean",
    "correlated": "all causes are bad together: each at the worst 5 % of its own belief, although they are believed independent",
    "clusters": "errors of one supplier go together (correlation 0.4), and no file names the supplier",
    "labels": "half of the wrong outputs were labelled right, in the pilot and in the parallel run",
}
Purpose = Literal["truth", "futures", "files", "prior", "verdict", "fit", "place"]
_PURPOSES: tuple[Purpose, ...] = ("truth", "futures", "files", "prior", "verdict", "fit", "place")
FUTURES_OF_TODAY = 30
"""Futures of today from which the sampling error of the observed mean is known; the company observes the first of them."""
MOST_PROPOSALS = 200
PENALTY = "steps.send_to_ai.scope_penalty"
FAR = 0.001349898
"""The level of belief three standard deviations below the mean."""
BAD, CORRELATION = 0.05, 0.4
CAUSES: Mapping[str, float] = {
    "steps.send_to_ai.shift": BAD,
    PENALTY: BAD,
    "steps.send_to_ai.quality.missing_fields.share": 1 - BAD,
    "steps.exceptions.levels.1.resolves": BAD,
}
"""Parameters of the causes, and the level of belief at which each is bad."""


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """One company. per_visit: hidden days a visit at the places · observed, standard_error: days, what it knows of today.

    outcome: mean cycle days of the target weeks in the one future that comes true after go-live.
    """

    number: int
    kind: Kind
    draws: Draws
    per_visit: Mapping[str, float]
    observed: float
    standard_error: float
    outcome: float

    def value(self, path: str, arm: Arm = "production") -> float:
        """A true parameter, in base units. Raises KeyError."""
        return float(self.draws.values[path][arm][0])


def seed_of(seed: int, number: int, kind: Kind, purpose: Purpose) -> int:
    """A seed for one purpose of one company, independent of all others; it depends on nothing else."""
    place = (INSIDE, *OUTSIDE).index(kind)
    return int(np.random.SeedSequence([seed, place, number, _PURPOSES.index(purpose)]).generate_state(1)[0])


def case_of(observed: float, standard_error: float) -> LoadedCase:
    """The case file of a company that observed this mean of today, in days."""
    return validated(tomllib.loads(case_text(observed, standard_error)), "backtest")


def company(number: int, kind: Kind, seed: int) -> Company:
    """The company of a number. Raises RuntimeError if no draw of the beliefs has a truth."""
    case, truth_seed = case_of(PRIOR_MEAN_DAYS, PRIOR_SD_DAYS).case, seed_of(seed, number, kind, "truth")
    middle = at_medians(case, truth_seed, Means(threads=1))
    assert middle is not None
    for proposal in range(MOST_PROPOSALS):
        draws = _outside(case, kind, parameters.sample(case, truth_seed, range(proposal, proposal + 1)))
        solved = _solved(case, draws, middle)
        if isinstance(solved, Solved):
            return _observed(case, number, kind, draws, solved.per_visit, seed_of(seed, number, kind, "futures"))
    raise RuntimeError(f"company {number}: none of {MOST_PROPOSALS} draws has a root")


def _solved(case: CaseFile, draws: Draws, middle: Middle) -> Solved | Rejected:
    one = OneFuture(Arms(case, draws).prepare(["as_is"]), 0, draws.numbers[0], engine_of("compiled"))
    return middle.solve(one, draws.numbers[0])


def _observed(case: CaseFile, number: int, kind: Kind, draws: Draws, per_visit: Mapping[str, float], futures: int) -> Company:
    """What other futures of the truth show: several of today, one of them observed, and one after go-live."""
    arms = Arms(case, replace(draws, seed=futures)).prepare(["as_is", "production"])
    engine = engine_of("compiled")

    def mean(arm: str, future: int) -> float:
        return OneFuture(arms, 0, future, engine).outcome(arm, per_visit).figures["mean_cycle_time_days"]

    today = np.asarray([mean("as_is", k) for k in range(FUTURES_OF_TODAY)])
    return Company(
        number, kind, draws, per_visit, float(today[0]), float(today.std(ddof=1)), mean("production", FUTURES_OF_TODAY)
    )


def _outside(case: CaseFile, kind: Kind, draws: Draws) -> Draws:
    """The draw moved to where the kind says; `inside` and `labels` leave it as it is."""
    if kind == "scope":
        return _moved(draws, {PENALTY: _believed(case, PENALTY, FAR)})
    if kind == "correlated":
        return _moved(draws, {path: _believed(case, path, level) for path, level in CAUSES.items()})
    if kind == "clusters":
        return _moved(draws, {"steps.send_to_ai.cluster_correlation": CORRELATION})
    return draws


def _believed(case: CaseFile, path: str, level: float) -> float:
    """The quantile of the case file's belief about a parameter live."""
    leaf = next(leaf for leaf in leaves(case) if leaf.path == path)
    return float(leaf.parameter.in_arm("production").uncertain().quantile(np.asarray([level]))[0])


def _moved(draws: Draws, values: Mapping[str, float]) -> Draws:
    """Values after go-live; today's and the pilot's follow where they were the same number."""
    changed = dict(draws.values)
    for path, value in values.items():
        old = draws.values[path]
        changed[path] = {arm: np.full_like(x, value) if (x == old["production"]).all() else x for arm, x in old.items()}
    return replace(draws, values=changed)
