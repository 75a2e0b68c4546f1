"""The verdict: named arms under many draws, and what production would be at the medians if the unlocated days lay at one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models import baseline as b
from models import parameters
from models.decisions.verdict import Verdict, judge
from models.legs import dated_legs, dates_of
from models.outcomes import Outcome, met
from models.parameters import Draws
from models.schema import CaseFile
from scenarios.arms import FLAWLESS, Arms, OneFuture
from scenarios.store import SolvedCache
from scenarios.study.draws import Collected, DrawResult, Parts, collect, verdict_plan
from scenarios.study.means import Means, Progress
from simulator.engines import Engine, engine_of


@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """The production arm at the medians when the unlocated days lie at one place: all of them, or the share that fits there."""

    place: str
    share: float
    production: Outcome
    met: bool


@dataclass(frozen=True, slots=True, eq=False)
class VerdictStudy:
    """All that a verdict rests on. `laws`: names of those that a run broke · `audited`: runs checked by all laws, not by their sums alone."""

    case: CaseFile
    seed: int
    results: tuple[DrawResult, ...]
    baseline: b.BaselineReport | None
    verdict: Verdict
    extremes: tuple[Extreme, ...]
    laws: tuple[str, ...]
    audited: int

    def flawless(self) -> tuple[Outcome, ...]:
        """Live with an AI that is never wrong, one future a draw; nothing if the case has no AI."""
        return tuple(result.arms[FLAWLESS] for result in self.results if FLAWLESS in result.arms)


def verdict(
    case: CaseFile,
    draws: int,
    seed: int,
    means: Means | None = None,
    cache: SolvedCache | None = None,
    parts: Parts | None = None,
) -> VerdictStudy:
    """Simulates as-is, pilot and production under `draws` accepted draws and judges the promise. Raises Cancelled."""
    means = means or Means()
    return judged(case, seed, collect(case, verdict_plan(case), draws, seed, means, cache, parts), means)


def judged(case: CaseFile, seed: int, done: Collected, means: Means) -> VerdictStudy:
    """The verdict on draws that are collected already; they hold at least the three named arms."""
    report = None
    if case.baseline is not None:
        report = b.report(case.baseline, [r.solved for r in done.results if r.solved is not None], done.rejected, dates_of(case))
    kept, fit = [met(case, r.arms["production"].figures) for r in done.results], case.posterior
    passed = (report is None or report.passed) and (fit is None or fit.passed)
    verdict = judge(kept, passed, fit.effective(len(kept)) if fit is not None and kept else None)
    extremes: tuple[Extreme, ...] = ()
    if done.results:
        extremes = _at_the_medians(case, seed, done.start, engine_of(means.engine), means.progress)
    return VerdictStudy(case, seed, tuple(done.results), report, verdict, extremes, done.broken(), done.audited())


def _at_the_medians(
    case: CaseFile, seed: int, solved: b.Solved | None, engine: Engine, progress: Progress
) -> tuple[Extreme, ...]:
    """Production with the unlocated days at one place, for each place."""
    extremes, draws = [], parameters.sample(case, seed, None)
    if case.baseline is not None and solved is not None and case.baseline.places:
        splits = b.extreme_per_visit(case.baseline, solved, [leg.places for leg in dated_legs(case)])
        for i, (place, (share, per_visit)) in enumerate(splits.items()):
            progress("where the unlocated days lie", i, len(splits))
            result = _production(case, draws, per_visit, engine)
            extremes.append(Extreme(place, share, result, met(case, result.figures)))
    return tuple(extremes)


def _production(case: CaseFile, draws: Draws, unlocated: Mapping[str, float], engine: Engine) -> Outcome:
    return OneFuture(Arms(case, draws).prepare(["production"]), 0, 0, engine).outcome("production", unlocated)
