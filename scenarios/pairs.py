"""Two cases over the same futures: at the middle values, or under the same draws of everything that is uncertain."""

from __future__ import annotations

from dataclasses import dataclass, field

from models import baseline as b
from models import parameters
from models.outcomes import Outcome
from models.schema import Arm
from scenarios.files import LoadedCase
from scenarios.store import SolvedCache
from scenarios.study import BaselineError, Progress, quiet, replicate, run_arm, solve_baseline

AT_THE_MIDDLE = (
    "every future here uses the middle value of each uncertain number; with --draws 20 they vary, and the chance is told"
)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Outcomes of two cases, future by future. `no_chance`: why the chance of the promise is not told ("" if it is)."""

    first: tuple[Outcome, ...]
    second: tuple[Outcome, ...]
    no_chance: str


def at_the_middle(
    first: LoadedCase, second: LoadedCase, arm: Arm, replications: int, seed: int, progress: Progress = quiet
) -> Pairs:
    """Several futures of both cases at the middle values. Raises BaselineError."""
    runs = [replicate(c.case, arm, replications, seed, progress, SolvedCache(c.hash, seed)).runs for c in (first, second)]
    a, b = (tuple(run.outcome for run in side) for side in runs)
    return Pairs(a, b, AT_THE_MIDDLE)


def under_draws(first: LoadedCase, second: LoadedCase, arm: Arm, draws: int, seed: int, progress: Progress = quiet) -> Pairs:
    """Both cases under the same draws; one that either cannot reconcile with its today's result is left out of both.

    Raises BaselineError if less than two draws remain.
    """
    sides = [_Side(first, arm, seed), _Side(second, arm, seed)]
    pairs: list[list[Outcome]] = []
    number = 0
    while len(pairs) < draws and number - len(pairs) <= 2 * max(b.MIN_PROPOSALS, draws):
        progress("futures", len(pairs), draws)
        outcomes = [outcome for side in sides if (outcome := side.outcome(number)) is not None]
        if len(outcomes) == len(sides):
            pairs.append(outcomes)
        number += 1
    progress("futures", len(pairs), draws)
    problem = next((problem for side in sides if (problem := side.problem())), "")
    if len(pairs) < 2:
        raise BaselineError(problem or "today's result can be reproduced by both in less than two of the futures")
    return Pairs(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), problem)


@dataclass(slots=True, eq=False)
class _Side:
    """One of the two cases: its draws, solved for today's result."""

    loaded: LoadedCase
    arm: Arm
    seed: int
    solved: list[b.Solved] = field(default_factory=list)
    rejected: list[b.Rejected] = field(default_factory=list)
    start: b.Solved | None = None
    cache: SolvedCache = field(init=False)

    def __post_init__(self) -> None:
        case = self.loaded.case
        self.cache = SolvedCache(self.loaded.hash, self.seed)
        if case.baseline is not None:
            medians = solve_baseline(case, parameters.sample(case, self.seed, None), self.cache, median=True)
            self.start = medians if isinstance(medians, b.Solved) else None

    def outcome(self, number: int) -> Outcome | None:
        """The arm's outcome in a draw; None if the draw cannot reproduce today's result."""
        case = self.loaded.case
        draws = parameters.sample(case, self.seed, range(number, number + 1))
        if case.baseline is None:
            return run_arm(case, draws, self.arm, number, {}).outcome
        answer = solve_baseline(case, draws, self.cache, self.start)
        if isinstance(answer, b.Rejected):
            self.rejected.append(answer)
            return None
        self.solved.append(answer)
        return answer.as_is if self.arm == "as_is" else run_arm(case, draws, self.arm, number, answer.per_visit).outcome

    def problem(self) -> str:
        """Why today's result is not reproduced well enough for a chance to be told, or ""."""
        baseline = self.loaded.case.baseline
        report = b.report(baseline, self.solved, self.rejected) if baseline is not None else None
        if report is None or report.passed:
            return ""
        why = report.problem or (report.reasons[0] if report.reasons else f"the simulation gives {report.simulated:.1f} days")
        return f"{self.loaded.file} does not reproduce today's {report.observed:.1f} days: {why}"
