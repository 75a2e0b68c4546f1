"""The answer at several settings of the scope penalty: what types that were never piloted lose in accuracy, which no data have shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models import process
from models.compositions.ai import mean_accuracy
from models.compositions.build import Builder
from models.conditions import PRODUCTION
from models.parameters import sample
from models.schema import Ai, CaseFile
from scenarios.files import LoadedCase, changed
from scenarios.study.chances import Chance, chance_of
from scenarios.study.means import Means

HARD = 0.05
"""The point of the case's own range that counts as much harder."""


@dataclass(frozen=True, slots=True)
class PenaltyFound:
    """One setting. penalty: logits, of the first AI step · accuracy: live, of the whole mix, at the middle values · found: what comes of it."""

    words: str
    penalty: float
    accuracy: float
    found: Chance


def ai_steps(case: CaseFile) -> list[Ai]:
    """The AI steps that meet types which the pilot never had; none if all were piloted."""
    never = any(not t.piloted for t in case.types.values())
    return [s for s in case.steps if isinstance(s, Ai)] if never else []


def penalties(loaded: LoadedCase, draws: int, seed: int, means: Means) -> tuple[PenaltyFound, ...]:
    """No harder, as assumed in the middle, much harder; empty if every type was piloted. Raises Cancelled."""
    return tuple(_one(loaded, words, at, draws, seed, means) for words, at in _settings(ai_steps(loaded.case)))


def _settings(steps: list[Ai]) -> Iterator[tuple[str, dict[str, float]]]:
    if not steps:
        return
    beliefs = {f"steps.{s.id}.scope_penalty": s.scope_penalty.in_arm("production").uncertain() for s in steps}
    yield "no harder than the others", dict.fromkeys(beliefs, 0.0)
    yield "as hard as assumed", {path: u.median for path, u in beliefs.items()}
    if any(u.fixed is None for u in beliefs.values()):
        yield "much harder", {path: float(u.quantile([HARD])[0]) for path, u in beliefs.items()}


def _one(loaded: LoadedCase, words: str, at: dict[str, float], draws: int, seed: int, means: Means) -> PenaltyFound:
    there = changed(loaded, {path: {"value": value, "source": "guess"} for path, value in at.items()})
    return PenaltyFound(words, next(iter(at.values())), live_accuracy(there.case, seed), chance_of(there, draws, seed, means))


def live_accuracy(case: CaseFile, seed: int) -> float:
    """Live accuracy of the mix of types and defects that the first AI step gets, at the middle values, in week 1."""
    step = next(s for s in case.steps if isinstance(s, Ai))
    scope = process.arm_columns(sample(case, seed, None), PRODUCTION)
    return float(mean_accuracy(Builder(case, {}, scope, 1, {}, {}), step)[0, 0])
