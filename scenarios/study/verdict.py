"""The verdict: three arms under many draws, and what production would be at the medians under other assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models import baseline as b
from models import parameters, schema
from models.decisions.verdict import Verdict, judge
from models.legs import dated_legs, dates_of
from models.outcomes import Outcome, met
from models.parameters import Draws
from models.schema import CaseFile
from scenarios.arms import Arms, OneFuture
from scenarios.store import SolvedCache
from scenarios.study.draws import VERDICT, Collected, DrawResult, Parts, collect
from scenarios.study.means import Means, Progress
from scenarios.study.single import with_values
from simulator.engines import Engine, engine_of

PERFECT = {"shift": 40.0, "scope_penalty": 0.0}
"""Logits that make every live output right; the threshold stays, so coverage follows."""


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
    perfect: Outcome | None
    laws: tuple[str, ...]
    audited: int


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
    return judged(case, seed, collect(case, VERDICT, draws, seed, means, cache, parts), means)


def judged(case: CaseFile, seed: int, done: Collected, means: Means) -> VerdictStudy:
    """The verdict on draws that are collected already; they hold at least the three named arms."""
    report = None
    if case.baseline is not None:
        report = b.report(case.baseline, [r.solved for r in done.results if r.solved is not None], done.rejected, dates_of(case))
    kept, fit = [met(case, r.arms["production"].figures) for r in done.results], case.posterior
    passed = (report is None or report.passed) and (fit is None or fit.passed)
    verdict = judge(kept, passed, fit.effective(len(kept)) if fit is not None and kept else None)
    extremes: tuple[Extreme, ...] = ()
    perfect: Outcome | None = None
    if done.results:
        extremes, perfect = _at_the_medians(case, seed, done.start, engine_of(means.engine), means.progress)
    return VerdictStudy(case, seed, tuple(done.results), report, verdict, extremes, perfect, done.broken(), done.audited())


def _at_the_medians(
    case: CaseFile, seed: int, solved: b.Solved | None, engine: Engine, progress: Progress
) -> tuple[tuple[Extreme, ...], Outcome | None]:
    """Production with the unlocated days at one place, for each place; and with an AI that is always right."""
    extremes, draws = [], parameters.sample(case, seed, None)
    if case.baseline is not None and solved is not None and case.baseline.places:
        splits = b.extreme_per_visit(case.baseline, solved, [leg.places for leg in dated_legs(case)])
        for i, (place, (share, per_visit)) in enumerate(splits.items()):
            progress("where the unlocated days lie", i, len(splits))
            result = _production(case, draws, per_visit, engine)
            extremes.append(Extreme(place, share, result, met(case, result.figures)))
    ais = [s.id for s in case.steps if isinstance(s, schema.Ai)]
    if not ais:
        return tuple(extremes), None
    progress("an AI without errors", 0, 1)
    flawless = with_values(draws, {f"steps.{a}.{k}": v for a in ais for k, v in PERFECT.items()})
    return tuple(extremes), _production(case, flawless, solved.per_visit if solved else {}, engine)


def _production(case: CaseFile, draws: Draws, unlocated: Mapping[str, float], engine: Engine) -> Outcome:
    return OneFuture(Arms(case, draws).prepare(["production"]), 0, 0, engine).outcome("production", unlocated)
