"""Which parameters of a case the columns of a file inform."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np

from models.evidence.evidence import Informed
from models.evidence.table import FileKind, Table
from models.leaves import leaves
from models.schema import CaseFile

_RESULTS = {
    "right": ("steps.{step}.accuracy", "steps.{step}.type_effect.*", "steps.{step}.shift", "steps.{step}.scope_penalty"),
    "accepted": ("steps.{step}.coverage",),
    "accepted_right": ("steps.{step}.accepted_error",),
    "confidence": ("steps.{step}.coverage",),
    "defect": ("steps.{step}.quality.{defect}.effect",),
}
PATTERNS: dict[str, dict[str, tuple[str, ...]]] = {
    "pilot": _RESULTS,
    "production": _RESULTS,
    "audit": dict.fromkeys(("audited", "wrong"), ("steps.{step}.accepted_error",)),
    "seeded": {
        "waiting_per_head": ("steps.{step}.load_slope",),
        "shown": ("steps.{step}.catch",),
        "caught": ("steps.{step}.catch",),
    },
    "calls": {
        "seconds": ("steps.{step}.latency.*", "steps.{step}.time.*"),
        "result": ("steps.{step}.transient", "steps.{step}.permanent*"),
    },
    "outages": {
        "observed_from": ("systems.{system}.outage.every.*",),
        "observed_until": ("systems.{system}.outage.every.*",),
        "began": ("systems.{system}.outage.every.*",),
        "ended": ("systems.{system}.outage.repair.*",),
    },
    "times": {
        "entered": ("steps.{step}.time.*",),
        "started": ("steps.{step}.service.*", "steps.{step}.levels.{level}.service.*"),
        "ended": ("steps.{step}.service.*", "steps.{step}.levels.{level}.service.*", "steps.{step}.time.*"),
        "minutes": ("steps.{step}.service.*", "steps.{step}.levels.{level}.service.*"),
        "asked_outside": ("steps.{step}.levels.{level}.outside.time.*",),
        "answered": ("steps.{step}.levels.{level}.outside.time.*",),
    },
    "arrivals": {"day": (), "cases": ("arrivals.per_month", "arrivals.per_working_day", "arrivals.day_cv", "types.{type}.share")},
    "approvals": {
        "asked": ("steps.{step}.levels.{level}.response.*",),
        "decided": ("steps.{step}.levels.{level}.response.*",),
        "reminded": ("steps.{step}.levels.{level}.remind.multiplier",),
        "decision": ("steps.{step}.levels.{level}.rejects*",),
    },
    "counts": {"parameter": ("{parameter}",), "happened": ("{parameter}",), "tried": ("{parameter}",)},
    "quality": {
        "volume": ("steps.{step}.quality.{defect}.volume_slope",),
        "cases": ("steps.{step}.quality.{defect}.share*",),
        "with_defect": ("steps.{step}.quality.{defect}.share*",),
    },
    "weekly": {
        "eligible": ("steps.{step}.adoption.*",),
        "sent": ("steps.{step}.adoption.*",),
        "checked": ("steps.{step}.drift.*",),
        "right": ("steps.{step}.drift.*",),
    },
    "experts": dict.fromkeys(("parameter", "low", "likely", "high"), ("{parameter}",)),
}
"""Kind → column → paths of parameters; names in braces are what the rows hold in that column."""


def informed(table: Table, case: CaseFile) -> tuple[Informed, ...]:
    """What the columns that hold values inform, with the case's parameters where there are any."""
    paths = [leaf.path for leaf in leaves(case)]
    found = []
    for spec in table.kind.columns:
        if spec.informs and _has_values(table, spec.name):
            patterns = PATTERNS.get(table.kind.name, {}).get(spec.name, ())
            found.append(Informed(spec.name, spec.informs, matching(patterns, table, paths)))
    return tuple(found)


def possible(kind: FileKind, case: CaseFile) -> tuple[str, ...]:
    """Paths of parameters that a file of a kind could inform."""
    paths = [leaf.path for leaf in leaves(case)]
    patterns = [p for column in PATTERNS.get(kind.name, {}).values() for p in column]
    wide = [_filled(p, {**dict.fromkeys(_NAMES, "*"), "parameter": "-"}) for p in patterns]
    return tuple(path for path in paths if any(fnmatchcase(path, p) for p in wide))


def matching(patterns: tuple[str, ...], table: Table, paths: list[str]) -> tuple[str, ...]:
    """The paths that patterns lead to, with the names that the rows of a table hold."""
    filled = {p for pattern in patterns for p in _patterns_for(pattern, table)}
    exact, wide = {p for p in filled if "*" not in p}, [p for p in filled if "*" in p]
    return tuple(path for path in paths if path in exact or any(fnmatchcase(path, p) for p in wide))


def _patterns_for(pattern: str, table: Table) -> set[str]:
    names = [name for name in _NAMES if f"{{{name}}}" in pattern]
    rows = set(zip(*(_names_in(table, name) for name in names), strict=True)) if names else {()}
    return {_filled(pattern, dict(zip(names, row, strict=True))) for row in rows if all(row)}


_NAMES = ("step", "system", "defect", "parameter", "type", "level")


def _names_in(table: Table, column: str) -> list[str]:
    return [f"{level:.0f}" for level in table.numbers(column)] if column == "level" else table.texts(column).tolist()


def _filled(pattern: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def _has_values(table: Table, column: str) -> bool:
    values = table.columns.get(column)
    if values is None:
        return False
    return bool(np.any(values != "")) if values.dtype == object else not bool(np.all(np.isnan(np.asarray(values, np.float64))))
