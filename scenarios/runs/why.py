"""Why did the verdict change? Two runs compared in four groups: inputs, evidence, version, luck."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scenarios.problems import CaseError
from scenarios.runs.manifest import (
    Difference,
    evidence_differences,
    input_differences,
    luck_differences,
    version_differences,
)
from scenarios.runs.store import Store
from simulator.statistics import Estimate, paired_share_difference, wilson

Group = Literal["inputs", "evidence", "version", "luck"]
GROUPS: tuple[Group, ...] = ("inputs", "evidence", "version", "luck")
Kept = Mapping[int, bool]
"""Accepted draw -> whether the promise is kept in its first future."""


@dataclass(frozen=True, slots=True)
class Chance:
    """Probability that the promise is kept, with its 90 % range."""

    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Change:
    """B − A over the draws that both accepted, with its 90 % interval."""

    change: Estimate
    draws: int


@dataclass(frozen=True, slots=True)
class Why:
    """What differs, both chances (None if one is not told), whether their ranges overlap, and the paired change if it can be told."""

    groups: Mapping[Group, tuple[Difference, ...]]
    chances: tuple[Chance | None, Chance | None]
    overlap: bool | None
    paired: Change | None
    conclusion: str


def why(first: Store, second: Store) -> Why:
    """Compares two runs. Raises CaseError if a part or result of either cannot be read."""
    a, b = first.manifest, second.manifest
    groups: dict[Group, tuple[Difference, ...]] = {
        "inputs": tuple(input_differences(a, b)),
        "evidence": tuple(evidence_differences(a, b)),
        "version": tuple(version_differences(a, b)),
        "luck": tuple(luck_differences(a, b)),
    }
    kept = (_kept(first), _kept(second))
    chances = (_chance(first, kept[0]), _chance(second, kept[1]))
    x, y = chances
    overlap = None if x is None or y is None else max(x.low, y.low) <= min(x.high, y.high)
    paired = _paired(*kept) if a.seed == b.seed else None
    return Why(groups, chances, overlap, paired, _conclusion(groups, overlap, paired))


def _kept(store: Store) -> Kept:
    """What a verdict counts: the first future, live, of the first accepted draws. Empty where the promise cannot be judged."""
    from models.outcomes import met

    manifest = store.manifest
    if manifest.kind != "decision":
        return {}
    try:
        case = manifest.loaded(str(store.folder)).case
    except CaseError:
        return {}
    rows = [row for name in store.parts() for row in store.read(name) if row.arm == "production" and row.replication == 0]
    kept = {row.draw: met(case, row.outcome.figures) for row in rows if row.outcome is not None}
    return {draw: kept[draw] for draw in sorted(kept)[: manifest.draws]}


def _chance(store: Store, kept: Kept) -> Chance | None:
    """As the finished run states it; of an unfinished one from the draws that are there."""
    result = store.result()
    if result is not None:
        stated = [result.get(name) for name in ("probability", "low", "high")]
        numbers = [float(x) for x in stated if isinstance(x, int | float) and not isinstance(x, bool)]
        return Chance(*numbers) if len(numbers) == len(stated) else None
    if not kept:
        return None
    found = wilson(sum(kept.values()), len(kept))
    return Chance(found.estimate, found.low, found.high)


def _paired(first: Kept, second: Kept) -> Change | None:
    """The change over the draws of both; None from less than two."""
    draws = sorted(set(first) & set(second))
    if len(draws) < 2:
        return None
    return Change(paired_share_difference([first[d] for d in draws], [second[d] for d in draws]), len(draws))


def _conclusion(groups: Mapping[Group, tuple[Difference, ...]], overlap: bool | None, paired: Change | None) -> str:
    """The answer in a sentence."""
    causes = [name for name in GROUPS if name != "luck" and groups[name]]
    if not causes and not groups["luck"]:
        return "nothing differs: both runs give the same figures"
    if not causes:
        tail = {None: "", True: "; the ranges overlap, as they should", False: "; yet the ranges do not overlap, which is rare"}
        return f"inputs, evidence and version are the same, so the difference is luck{tail[overlap]}"
    names = " and ".join([", ".join(causes[:-1]), causes[-1]] if len(causes) > 1 else causes)
    verb = "differ" if len(causes) > 1 or causes == ["inputs"] else "differs"
    text = f"{names} {verb}"
    if groups["luck"]:
        text += "; seed or number of futures differ as well, so part of the change is luck"
    if paired is not None and paired.change.low <= 0 <= paired.change.high:
        text += "; over the same draws the change is not distinguishable from nothing"
    return text
