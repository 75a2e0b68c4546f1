"""What the evidence taught about each parameter: how much narrower its distribution became."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.conflict import Conflict, prior_predictive
from models.leaves import leaves
from models.posterior import PosteriorDraws, SubModel, parts_of
from models.priors import Prior, Scale, to_scale
from models.schema import CaseFile

Floats = NDArray[np.float64]
LEARNED, WEAK = 0.5, 0.1
Word = Literal["learned", "weak", "assumption", "from the data alone"]


@dataclass(frozen=True, slots=True)
class Learned:
    """One column. before, after: 5 %, 50 % and 95 % points in base units (`before` None: nothing was believed before).

    contraction: 1 − variance after / variance before, on the scale of its dimension; negative if the evidence contradicts what was
    believed · conflict: what the data alone say, against what was believed; None unless it was learned.
    """

    name: str
    sub_model: str
    files: tuple[str, ...]
    before: tuple[float, float, float] | None
    after: tuple[float, float, float]
    contraction: float | None
    word: Word
    dimension: str = "number"
    conflict: Conflict | None = None


LOG_ODDS = ("shift", "scope_penalty", "volume_slope", "logit_drop", "type_effect", "type_shift")
"""Effects that are added to the log odds of a share."""

SCALES: dict[str, Scale] = {
    "log odds": "plain",
    "duration": "log",
    "money": "log",
    "share": "logit",
    "accuracy": "logit",
    "number": "plain",
}
"""Dimension → the scale on which variances are compared: on it a fit's ranges are about as wide to both sides."""


def learned(posterior: PosteriorDraws, case: CaseFile) -> tuple[Learned, ...]:
    """Every column of a posterior, sub-model by sub-model."""
    known = {leaf.path: leaf.parameter.dimension for leaf in leaves(case)}
    return tuple(
        _learned(name, s, _dimension(name, known), values) for s in posterior.sub_models for name, values in s.columns.items()
    )


def _dimension(name: str, known: Mapping[str, str]) -> str:
    """That of the parameter, as the case file knows it; some columns are no parameters of it."""
    path = parts_of(name)[0]
    if any(part in LOG_ODDS for part in path.split(".")):
        return "log odds"
    return known.get(path, "duration" if name.startswith("baseline.") else "number")


def contraction(before: Floats, after: Floats) -> float:
    """1 − Var(after) / Var(before); 0 where nothing was uncertain before (Schad et al. 2021 and Betancourt use this measure)."""
    spread = float(np.var(before))
    return 1 - float(np.var(after)) / spread if spread > 0 else 0.0


def word_of(value: float | None) -> Word:
    """learned from 0.5 on, weak from 0.1 on, an assumption below."""
    if value is None:
        return "from the data alone"
    return "learned" if value >= LEARNED else "weak" if value >= WEAK else "assumption"


def _learned(name: str, sub_model: SubModel, dimension: str, after: Floats) -> Learned:
    before, points, value, contradiction = sub_model.prior.get(name), None, None, None
    if before is not None:
        scale = _scale(dimension, before, after)
        x, y = to_scale(before, scale), to_scale(after, scale)
        points, value = _points(before), contraction(x, y)
        contradiction = conflict(x, y, scale) if value >= LEARNED else None
    files = sub_model.informed_by.get(name, ())
    return Learned(name, sub_model.name, files, points, _points(after), value, word_of(value), dimension, contradiction)


def _scale(dimension: str, before: Floats, after: Floats) -> Scale:
    """Numbers that are never 0 or less, such as cases a month, count as times do."""
    positive = dimension == "number" and min(before.min(), after.min()) > 0
    return "log" if positive else SCALES[dimension]


def conflict(before: Floats, after: Floats, scale: Scale) -> Conflict:
    """What the data alone say, read back from normal distributions before and after: precisions and weighted means subtract."""
    prior, precision = Prior(float(before.mean()), float(before.std()), scale, ""), 1 / after.var() - 1 / before.var()
    estimate = (after.mean() / after.var() - before.mean() / before.var()) / precision
    return prior_predictive(prior, float(estimate), float(precision**-0.5))


def _points(values: Floats) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)
