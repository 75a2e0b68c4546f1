"""What is simulated: the default scenario, live, at any length; and how the compiled engine is made to do all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from models import parameters, process
from models.conditions import PRODUCTION
from scenarios.files import load
from simulator import kernel as k
from simulator.clock import WEEK
from simulator.compiled_engine import CompiledEngine, pack_cases
from simulator.futures import Future, realise
from simulator.program import Program, lower

SEED = 7


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    program: Program
    future: Future

    def __len__(self) -> int:
        return len(self.future)


@cache
def default_scenario(weeks: int | None = None) -> Scene:
    """One draw and one future of the production arm; `weeks`: of the run, if not those of the scenario."""
    case = load("invoice_processing").case
    horizon = process.full_horizon(case)
    if weeks is not None:
        horizon = replace(horizon, stop=horizon.begin + weeks * WEEK)
    draws = parameters.sample(case, SEED, None)
    program = lower(process.build(case, process.arm_columns(draws, PRODUCTION), horizon), horizon.begin, horizon.stop)
    return Scene(program, realise(program, 0, SEED, 0))


def long_scenario(cases: int) -> Scene:
    """The default scenario over as many weeks as bring about so many cases."""
    usual = default_scenario()
    weeks = (usual.program.stop - usual.program.begin) / WEEK
    return default_scenario(round(weeks * cases / len(usual)))


class Runner:
    """The compiled engine on one scene: every run starts at the beginning, with nothing taken over from a run before."""

    def __init__(self, scene: Scene) -> None:
        self.scene, engine = scene, CompiledEngine()
        engine.run(scene.program, 0, scene.future)  # makes the workspace large enough
        self.space, self.packed, self.cases = engine.space, engine.packed(scene.program), pack_cases(scene.future)

    def load(self) -> None:
        """Lays everything out."""
        self.space.load(self.packed, self.scene.program.slots[0], self.scene.future, self.cases)

    def run(self) -> None:
        """Lays everything out and runs the kernel; ends and ledger rows stay in the workspace."""
        self.load()
        assert k.run(self.space.M, self.space.D, self.scene.program.stop) == k.DONE
