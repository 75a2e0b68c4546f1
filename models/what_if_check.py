"""Checks of a what-if: every change names a number of the time after go-live, in a way that number allows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.leaves import Leaf, leaves
from models.references import Finding, hint
from models.schema import CaseFile, Change
from models.units import UnitError
from models.what_if import changed, handles

NOT_TOUCHED = ("baseline.", "types.", "arrivals.", "conditions.")
"""What today and the time after go-live have in common: another case, not a what-if."""


def findings(case: CaseFile) -> list[Finding]:
    """What is wrong with the what-if of a case."""
    if case.what_if is None:
        return []
    known = {leaf.path: leaf for leaf in leaves(case)}
    free = set(handles(case))
    found = list[Finding]()
    for path, change in case.what_if.changes.items():
        place = f"what_if.changes.{path}"
        if path.startswith(NOT_TOUCHED):
            found.append(Finding("E213", place, "holds today as well", "change it in the case itself: that is another case"))
        elif path not in known and path not in free:
            found.append(Finding("E104", place, f'no parameter "{path}"', hint(path, [*known, *free])))
        else:
            found += _problem(place, known.get(path), change)
    return found


def _problem(place: str, leaf: Leaf | None, change: Change) -> Iterator[Finding]:
    dimension = leaf.parameter.dimension if leaf is not None else "number"
    if change.logit is not None and dimension not in ("share", "accuracy"):
        yield Finding("E103", place, "is no share, so it has no logit", "use add, times or set")
        return
    if change.add is not None and leaf is not None and leaf.parameter.limits.above:
        yield Finding("E103", place, "must stay above 0 whatever its value, which adding cannot promise", "use times or set")
        return
    try:
        values = changed(
            change, dimension, np.asarray([0.5 if leaf is None else leaf.parameter.in_arm("production").uncertain().median])
        )
    except UnitError as error:
        yield Finding("E307", place, str(error))
        return
    if leaf is None:
        return
    limits, value = leaf.parameter.limits, float(values[0])
    if not limits.low <= value <= limits.high or (limits.above and value == limits.low):
        yield Finding("E213", place, f"becomes {value:g}, outside of {limits.low:g} to {limits.high:g}")
