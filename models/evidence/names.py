"""Which names of the case file a column may hold."""

from __future__ import annotations

from models.evidence.table import ColumnSpec
from models.leaves import leaves
from models.schema import Ai, CaseFile, Parameter, Share
from models.values import Accuracy


def known(spec: ColumnSpec, case: CaseFile) -> tuple[str, ...]:
    """All names of that sort in the case, in its order, whether or not they fit the column."""
    match spec.names:
        case "types":
            return tuple(case.types)
        case "steps":
            return tuple(step.id for step in case.steps)
        case "systems":
            return tuple(case.systems)
        case "defects":
            return tuple(dict.fromkeys(name for step in case.steps if isinstance(step, Ai) for name in step.quality))
        case "parameters":
            return tuple(leaf.path for leaf in leaves(case))
        case _:
            return ()


def fitting(kind: str, spec: ColumnSpec, case: CaseFile) -> tuple[str, ...]:
    """The names that fit: steps of the right kind, systems whose outages the case models, shares where something is counted."""
    match spec.names:
        case "steps":
            return tuple(s.id for s in case.steps if s.kind in spec.fits and (kind != "calls" or getattr(s, "system", None)))
        case "systems":
            return tuple(name for name, system in case.systems.items() if system.outage is not None)
        case "parameters":
            return tuple(
                path for path, parameter in parameters(case).items() if kind != "counts" or isinstance(parameter, _SHARES)
            )
        case _:
            return known(spec, case)


def parameters(case: CaseFile) -> dict[str, Parameter]:
    """Path → parameter, without today's result, which is evidence itself."""
    return {leaf.path: leaf.parameter for leaf in leaves(case) if not leaf.path.startswith("baseline.")}


_SHARES = (Share, Accuracy)
WHY_NOT = {
    "steps": "is not a step of the kind that this file is about",
    "systems": "has no outages in the case file, so this row informs nothing",
    "parameters": "is not a share, so it cannot be counted",
}
"""Sort of name → why one that exists does not fit."""
