"""The arms of a case under a block of draws: each lowered once for all draws, then simulated draw by draw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models import parameters, process
from models.conditions import PILOT, PRODUCTION, combinations_of_causes
from models.outcomes import Outcome, case_costs, outcome, question
from models.parameters import Draws, Scope, with_values
from models.process import Horizon
from models.schema import Ai, CaseFile, Cause
from scenarios.files import option_case
from simulator.engines import Engine
from simulator.futures import Future, Shared, realise, same_arrivals
from simulator.laws import LawCheck, check_laws, check_sums
from simulator.program import Program, lower
from simulator.summary import Question

Floats = NDArray[np.float64]
OPTION = "option:"
FLAWLESS = "flawless"
"""Live with AIs that are never wrong; the threshold stays, so what is accepted without review follows."""
NEVER_WRONG = {"shift": 40.0, "scope_penalty": 0.0}
"""Logits that make every live output right."""
ArmKey = str | frozenset[Cause]
"""as_is, pilot, production, flawless, `option:NAME`, or the causes that are at their production state."""
ARM_CAUSES: dict[str, frozenset[Cause]] = {"pilot": PILOT, "production": PRODUCTION}


def name_of(arm: ArmKey) -> str:
    """An arm in one word: as_is, pilot, production, flawless, option:NAME, or the causes that are live, joined by +."""
    if isinstance(arm, str):
        return arm
    named = {causes: name for name, causes in ARM_CAUSES.items()}
    return named.get(arm) or "+".join(sorted(arm))


def between() -> tuple[frozenset[Cause], ...]:
    """The 14 combinations of causes between the pilot (none live) and production (all four live)."""
    return tuple(causes for causes in combinations_of_causes() if causes not in (PILOT, PRODUCTION))


def columns_of(draws: Draws, arm: ArmKey) -> Scope:
    """The columns of one of the named arms, or of the arm in which some causes are at their production state. Raises KeyError."""
    if arm == "as_is":
        return process.today_columns(draws)
    if isinstance(arm, str):
        arm = PRODUCTION if arm == FLAWLESS or arm.startswith(OPTION) else ARM_CAUSES[arm]
    return process.arm_columns(draws, arm)


@dataclass(frozen=True, slots=True, eq=False)
class LoweredArm:
    """One arm as a program with a row of slots for every draw of the block."""

    program: Program
    columns: Scope
    horizon: Horizon
    question: Question


@dataclass(slots=True, eq=False)
class Arms:
    """The arms of a case for a block of draws. Prepare them before threads share them."""

    case: CaseFile
    draws: Draws
    known: dict[str, LoweredArm] = field(default_factory=dict)

    def prepare(self, arms: Iterable[ArmKey]) -> Arms:
        """Lowers the arms that are not there yet. Raises WorkflowError."""
        for arm in arms:
            if name_of(arm) not in self.known:
                self.known[name_of(arm)] = self._lowered(arm)
        return self

    def longest(self) -> Program:
        """The program of an arm with the longest run: the cases of the others may be among its cases."""
        return max((lowered.program for lowered in self.known.values()), key=lambda p: p.stop - p.begin)

    def _lowered(self, arm: ArmKey) -> LoweredArm:
        case, draws = self.case, self.draws
        if isinstance(arm, str) and arm.startswith(OPTION):
            case = option_case(case, arm.removeprefix(OPTION))
            draws = parameters.sample(case, draws.seed, range(draws.numbers[0], draws.numbers[-1] + 1))
        if arm == FLAWLESS:
            draws = with_values(
                draws, {f"steps.{s.id}.{k}": v for s in case.steps if isinstance(s, Ai) for k, v in NEVER_WRONG.items()}
            )
        columns = columns_of(draws, arm)
        horizon = process.today_horizon(case) if arm == "as_is" else process.full_horizon(case)
        program = lower(process.build(case, columns, horizon), horizon.begin, horizon.stop)
        return LoweredArm(program, columns, horizon, question(case, program, horizon))


@dataclass(slots=True, eq=False)
class OneFuture:
    """One future of one draw (row `row` of the block) in any arm. Arms in which the same cases arrive share them."""

    arms: Arms
    row: int
    number: int
    engine: Engine
    seen: list[tuple[Program, Future]] = field(default_factory=list)
    shared: Shared = field(default_factory=Shared)

    def program(self, arm: str, unlocated: Mapping[str, float]) -> Program:
        """The arm's program for this draw. `unlocated`: step -> days per visit."""
        lowered = self.arms.known[arm]
        return lowered.program.of_draw(self.row, process.unlocated_slots(self.arms.case, lowered.program, unlocated))

    def future(self, arm: str) -> Future:
        """What happens in this future whatever the cases do."""
        program = self.arms.known[arm].program
        if not self.seen:
            self._realise(self.arms.longest())
        return next((f for known, f in self.seen if known is program), None) or self._realise(program)

    def _realise(self, program: Program) -> Future:
        like = next((f for known, f in self.seen if same_arrivals(program, known, self.row)), None)
        self.seen.append((program, realise(program, self.row, self.arms.draws.seed, self.number, like, self.shared)))
        return self.seen[-1][1]

    def outcome(self, arm: str, unlocated: Mapping[str, float], laws: list[LawCheck] | None = None) -> Outcome:
        """Simulates the arm; the laws of its sums are added to `laws`."""
        lowered = self.arms.known[arm]
        summary = self.engine.summary(self.program(arm, unlocated), 0, self.future(arm), lowered.question)
        if laws is not None:
            laws += check_sums(summary)
        return outcome(self.arms.case, summary, lowered.horizon, case_costs(self.arms.case, lowered.columns.now, self.row))

    def audit(self, arm: str, unlocated: Mapping[str, float]) -> list[LawCheck]:
        """All laws on the full ledger of the arm."""
        return list(check_laws(self.engine.ledger(self.program(arm, unlocated), 0, self.future(arm))))
