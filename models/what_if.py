"""A what-if: numbers of the world after go-live set, moved or scaled, value by value, so that what is uncertain stays uncertain.

Today is not touched, so today's result need not be solved again, and both sides of a comparison share their futures. A parameter with a
cause changes where that cause is live; one without changes in all worlds after go-live.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from models.leaves import leaves
from models.schema import Ai, Arm, CaseFile, Cause, Change
from models.uncertainty import PARSERS
from models.values import ARMS

Floats = NDArray[np.float64]
THRESHOLD, LEFT_OUT, TYPE_SHIFT = "threshold", "left_out", "type_shift"


def handles(case: CaseFile) -> Iterator[str]:
    """Places that a what-if can change beside the parameters: the threshold of an AI step, its types, the accuracy of a type."""
    for step in case.steps:
        if isinstance(step, Ai):
            yield f"steps.{step.id}.{THRESHOLD}"
            yield from (f"steps.{step.id}.{kind}.{t}" for kind in (LEFT_OUT, TYPE_SHIFT) for t in case.types)


def changed(change: Change, dimension: str, values: Floats) -> Floats:
    """The values under a change. Raises UnitError if a set value cannot be read."""
    if change.set is not None:
        return np.full_like(values, PARSERS[dimension](change.set))
    if change.add is not None:
        return values + change.add
    if change.times is not None:
        return values * change.times
    inside = np.clip(values, 1e-12, 1 - 1e-12)
    odds = np.log(inside) - np.log1p(-inside) + float(change.logit or 0.0)
    return np.where((values > 0) & (values < 1), 1 / (1 + np.exp(-odds)), values)


def apply(case: CaseFile, values: dict[str, dict[Arm, Floats]], causes: Mapping[str, Cause], count: int) -> None:
    """Changes the columns (path -> arm -> one value a draw) of a case that has a what-if."""
    if case.what_if is None:
        return
    known = {leaf.path: leaf for leaf in leaves(case)}
    for path, change in case.what_if.changes.items():
        leaf = known.get(path)
        arms: tuple[Arm, ...] = ("production",) if path in causes else ("pilot", "production")
        old = values.get(path) or {arm: np.zeros(count) for arm in ARMS}
        dimension = "number" if leaf is None else leaf.parameter.dimension
        low, high = (-np.inf, np.inf) if leaf is None else (leaf.parameter.limits.low, leaf.parameter.limits.high)
        values[path] = {**old, **{arm: np.clip(changed(change, dimension, old[arm]), low, high) for arm in arms}}
