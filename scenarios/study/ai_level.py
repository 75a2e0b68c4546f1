"""How accurate the AI is live and what it accepts without review, at the middle values; and what would move either to a wished level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from models import process
from models.compositions.ai import acceptance, accuracy_by_quality, mix_of
from models.compositions.build import Builder, expit, logit
from models.conditions import PRODUCTION
from models.parameters import sample
from models.schema import Ai, CaseFile

Floats = NDArray[np.float64]
CERTAIN = 20.0
"""Logits that make any output right, or none."""
FAR = 6.0
"""Standard deviations of the score at which the threshold accepts everything, or nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """One AI step live, in week 1. logits, weights: by type and combination of data defects, shape (types, combinations); weights add up to 1.

    right, wrong: shares of right and of wrong outputs that are accepted without review
    """

    step: Ai
    types: tuple[str, ...]
    logits: Floats
    weights: Floats
    right: float
    wrong: float

    def accuracy(self, shift: float = 0.0) -> float:
        """Share of right outputs in the mix that the AI gets, all logits moved by `shift`."""
        return float((expit(self.logits + shift) * self.weights).sum())

    def accuracy_of(self, name: str, shift: float = 0.0) -> float:
        """The same of one type."""
        row = self.types.index(name)
        weights = (
            self.weights[row] / self.weights[row].sum() if self.weights[row].sum() > 0 else np.full(self.weights.shape[1], np.nan)
        )
        return float((expit(self.logits[row] + shift) * weights).sum())

    def accepted(self, moved: float = 0.0) -> float:
        """Share of outputs accepted without review, with the threshold moved by so many standard deviations of the score."""
        right, wrong = (float(ndtr(ndtri(x) + moved)) for x in (self.right, self.wrong))
        accuracy = self.accuracy()
        return accuracy * right + (1 - accuracy) * wrong

    def shift_to(self, goal: float) -> float:
        """Logits that bring the accuracy of the mix to a goal."""
        return _inverse(self.accuracy, goal, CERTAIN)

    def shift_of_type_to(self, name: str, goal: float) -> float:
        """Logits that bring the accuracy of one type to a goal."""
        return _inverse(lambda shift: self.accuracy_of(name, shift), goal, CERTAIN)

    def threshold_to(self, goal: float) -> float:
        """How far the threshold has to move for a share to be accepted."""
        return _inverse(self.accepted, goal, FAR)


def level(case: CaseFile) -> Level | None:
    """The first AI step of a case; None if it has none."""
    step = next((s for s in case.steps if isinstance(s, Ai)), None)
    if step is None:
        return None
    scope = process.arm_columns(sample(case, 0, None), PRODUCTION)
    build = Builder(case, {}, scope, 1, {}, {})
    nobody_left_out = np.zeros((1, len(case.types)))
    weights = mix_of(build, step, nobody_left_out)
    by_quality = accuracy_by_quality(build, step)
    found = [(logit(accuracy[0, :, 0]), weights[defects][0]) for defects, accuracy in by_quality.items()]
    right, wrong = acceptance(build.scope(step), step)
    logits, shares = (np.stack([item[k] for item in found], axis=1) for k in (0, 1))
    return Level(step, tuple(case.types), logits, shares, float(right[0]), float(wrong[0]))


def _inverse(rises: Callable[[float], float], goal: float, far: float) -> float:
    """Where a function that rises reaches a goal, by bisection; the nearer end if it does not."""
    if rises(far) <= goal:
        return far
    if rises(-far) >= goal:
        return -far
    low, high = -far, far
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) < goal else (low, middle)
    return (low + high) / 2
