"""One simulated future with its ledger: for stories, frames, exhibits, and the run at the middle values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.outcomes import Outcome, case_costs, outcome
from models.parameters import Draws
from models.schema import CaseFile
from scenarios.arms import ArmKey, Arms, OneFuture, name_of
from simulator.engines import Engine, engine_of
from simulator.laws import LawCheck, check_laws
from simulator.ledger import Ledger
from simulator.summary import summarise


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One simulated future of one arm."""

    case: CaseFile
    arm: str
    draw: int
    future: int
    ledger: Ledger
    outcome: Outcome
    laws: tuple[LawCheck, ...]


def run_arm(
    case: CaseFile, draws: Draws, arm: ArmKey, future: int, unlocated: Mapping[str, float], engine: Engine | None = None
) -> Run:
    """Simulates one future of the first draw in one arm, or with some causes live. `unlocated`: step -> days per visit."""
    arms, name = Arms(case, draws if len(draws) == 1 else draws.select([0])).prepare([arm]), name_of(arm)
    engine = engine or engine_of("compiled")
    one, lowered = OneFuture(arms, 0, future, engine), arms.known[name]
    ledger = engine.ledger(one.program(name, unlocated), 0, one.future(name))
    result = outcome(case, summarise(ledger, lowered.question), lowered.horizon, case_costs(case, lowered.columns.now, 0))
    return Run(case, name, draws.numbers[0], future, ledger, result, check_laws(ledger))
