"""Two cases over the same futures: at the middle values, or under the same draws of everything that is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from models import baseline as b
from models.legs import dates_of
from models.outcomes import Outcome
from models.schema import Arm
from scenarios.files import LoadedCase
from scenarios.store import SolvedCache
from scenarios.study import BaselineError, Means, Parts, Plan, Progress, collect, quiet, replicate
from scenarios.study.draws import SeenParts
from scenarios.study.precision import Precision
from simulator.stopping import Look, Rule

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
    means = Means(progress=progress)
    runs = [replicate(c.case, arm, replications, seed, means, SolvedCache(c.today, seed, c.cache)).runs for c in (first, second)]
    a, b = (tuple(run.outcome for run in side) for side in runs)
    return Pairs(a, b, AT_THE_MIDDLE)


def under_draws(
    first: LoadedCase,
    second: LoadedCase,
    arm: Arm,
    draws: int,
    seed: int,
    progress: Progress = quiet,
    kept: tuple[Parts, Parts] | None = None,
) -> Pairs:
    """Both cases under the same draws; one that either cannot reconcile with its today's result is left out of both.

    `kept`: chunks of draws of both cases, to go on from. Raises BaselineError if less than two draws remain.
    """
    wanted, pairs, parts = draws, list[tuple[Outcome, Outcome]](), kept or (SeenParts(), SeenParts())
    while True:
        sides = [_Side(c, arm, seed, wanted, progress, p) for c, p in zip((first, second), parts, strict=True)]
        a, b = (side.outcomes() for side in sides)
        pairs = [(a[number], b[number]) for number in sorted(a.keys() & b.keys())][:draws]
        if len(pairs) == draws or not all(side.full() for side in sides):
            break
        wanted += draws - len(pairs)
    problem = next((problem for side in sides if (problem := side.problem())), "")
    if len(pairs) < 2:
        raise BaselineError(problem or "today's result can be reproduced by both in less than two of the futures")
    return Pairs(tuple(a for a, _ in pairs), tuple(b for _, b in pairs), problem)


def until_precise(
    first: LoadedCase,
    second: LoadedCase,
    arm: Arm,
    rule: Rule,
    look: Callable[[Pairs], Look],
    seed: int,
    progress: Progress = quiet,
) -> tuple[Pairs, Precision]:
    """Both cases under the same draws, as many as `look` asks for. Raises BaselineError if less than two draws remain."""
    wanted, kept = rule.first_look, (SeenParts(), SeenParts())
    while True:
        found = under_draws(first, second, arm, wanted, seed, progress, kept)
        seen = look(found)
        if seen.next_look is None or len(found.first) < wanted:
            return found, Precision(rule, replace(seen, next_look=None))
        wanted = seen.next_look


class _Side:
    """One of the two cases: its accepted draws."""

    def __init__(self, loaded: LoadedCase, arm: Arm, seed: int, draws: int, progress: Progress, parts: Parts) -> None:
        self.loaded, self.arm, self.draws = loaded, arm, draws
        means, cache = Means(progress=progress), SolvedCache(loaded.today, seed, loaded.cache)
        self.done = collect(loaded.case, Plan(((arm, 1),)), draws, seed, means, cache, parts)

    def outcomes(self) -> dict[int, Outcome]:
        """Draw -> outcome of the arm."""
        return {r.draw: r.arms[self.arm] for r in self.done.results}

    def full(self) -> bool:
        """Whether as many draws were accepted as were asked for."""
        return len(self.done.results) >= self.draws

    def problem(self) -> str:
        """Why today's result is not reproduced well enough for a chance to be told, or ""."""
        baseline = self.loaded.case.baseline
        solved = [r.solved for r in self.done.results if r.solved is not None]
        report = b.report(baseline, solved, self.done.rejected, dates_of(self.loaded.case)) if baseline is not None else None
        if report is None or report.passed:
            return ""
        why = report.problem or (report.reasons[0] if report.reasons else f"the simulation gives {report.simulated:.1f} days")
        return f"{self.loaded.file} does not reproduce today's {report.observed:.1f} days: {why}"
