"""Parameters as columns: every uncertain number of a case, drawn jointly, one value a draw and arm.

A parameter's path is its place in the case file (`steps.review.catch`); its random numbers are addressed by the hash of that path,
so adding a parameter moves no other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import what_if
from models.conditions import CAUSES
from models.leaves import join, leaves
from models.posterior import parts_of
from models.schema import Arm, CaseFile, Cause
from simulator.draws import Entity, entity_of, purpose_of, uniform_arrays

Floats = NDArray[np.float64]
LIVE = "arm.live"
"""Column that says whether the AI goes live in an arm."""
ARMS: tuple[Arm, ...] = ("as_is", "pilot", "production")


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Joint draws of all parameters: path -> arm -> one value a draw. `numbers` are the draws' addresses (futures)."""

    seed: int
    numbers: tuple[int, ...]
    values: Mapping[str, Mapping[Arm, Floats]]
    causes: Mapping[str, Cause]

    def __len__(self) -> int:
        return len(self.numbers)

    def columns(self, on: frozenset[Cause]) -> dict[str, Floats]:
        """Columns of the arm in which the causes `on` are at their production state, the others as in the pilot."""
        columns = {path: arms["pilot"] for path, arms in self.values.items()}
        columns[LIVE] = np.ones(len(self))
        for cause in CAUSES:
            columns.update(self.written_by(cause) if cause in on else self._off(cause))
        return columns

    def written_by(self, cause: Cause) -> dict[str, Floats]:
        """What switching a cause to production writes; two causes never write the same column.

        In draws in which the cause is under control (`conditions.CAUSE.ready`) everything stays as in the pilot.
        """
        known = self.values.get(f"conditions.{cause}.ready")
        acts = np.ones(len(self)) if known is None else 1.0 - known["production"]
        mine = {path: arms for path, arms in self.values.items() if self.causes.get(path) == cause}
        written = {path: np.where(acts > 0, arms["production"], arms["pilot"]) for path, arms in mine.items()}
        return {**written, f"conditions.{cause}": acts}

    def _off(self, cause: Cause) -> dict[str, Floats]:
        return {f"conditions.{cause}": np.zeros(len(self))}

    def today(self) -> dict[str, Floats]:
        """Columns of the as-is arm."""
        columns = {path: arms["as_is"] for path, arms in self.values.items()}
        return {**columns, LIVE: np.zeros(len(self)), **{f"conditions.{cause}": np.zeros(len(self)) for cause in CAUSES}}

    def select(self, keep: list[int]) -> Draws:
        """The draws at some positions."""
        values = {path: {arm: v[keep] for arm, v in arms.items()} for path, arms in self.values.items()}
        return Draws(self.seed, tuple(self.numbers[k] for k in keep), values, self.causes)


def sample(case: CaseFile, seed: int, numbers: range | None) -> Draws:
    """Joint draws of a case's parameters; `numbers` None gives one draw with every parameter at its median.

    A parameter that differs by arm uses the same random number in all arms. What evidence was fitted comes from the case's posterior.
    """
    count = 1 if numbers is None else len(numbers)
    values: dict[str, dict[Arm, Floats]] = {}
    causes: dict[str, Cause] = {}
    for leaf in leaves(case):
        if numbers is None:
            u = np.full(1, 0.5)
        else:
            future = np.asarray(numbers, dtype=np.uint64)
            u = uniform_arrays(seed, future, np.uint64(entity_of(Entity.PARAMETER, 0)), purpose_of(leaf.path))[0]
        values[leaf.path] = {arm: leaf.parameter.in_arm(arm).uncertain().quantile(u) for arm in ARMS}
        if leaf.parameter.cause is not None:
            causes[leaf.path] = leaf.parameter.cause
    if case.posterior is not None:
        _write(case, case.posterior.draws(seed, numbers), values)
    what_if.apply(case, values, causes, count)
    return Draws(seed, tuple(range(count)) if numbers is None else tuple(numbers), values, causes)


def _write(case: CaseFile, columns: Mapping[str, Floats], values: dict[str, dict[Arm, Floats]]) -> None:
    """Puts columns of a posterior in the place of beliefs; one of the live arm also holds today unless today has its own value."""
    own_today = {leaf.path for leaf in leaves(case) if leaf.parameter.as_is is not None}
    for name, column in columns.items():
        path, arm = parts_of(name)
        if not arm:
            values[path] = dict.fromkeys(ARMS, column)
            continue
        arms = ("production", "as_is") if arm == "production" and path not in own_today else (arm,)
        values[path] = {**values[path], **{a: column for a in ARMS if a in arms}}


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Columns seen from one place of the case file: `now` in the arm after go-live, `before` as today, `pilot` as in the pilot."""

    path: str
    now: Mapping[str, Floats]
    before: Mapping[str, Floats]
    pilot: Mapping[str, Floats]

    def into(self, name: str) -> Scope:
        return Scope(join(self.path, name), self.now, self.before, self.pilot)

    def as_in_pilot(self) -> Scope:
        return Scope(self.path, self.pilot, self.pilot, self.pilot)

    def column(self, name: str) -> Floats:
        """The parameter after go-live, shape (draws,)."""
        return self.now[join(self.path, name)]

    def today(self, name: str) -> Floats:
        """The parameter before go-live, shape (draws,)."""
        return self.before[join(self.path, name)]

    def on(self, cause: Cause) -> Floats:
        """1 where the cause is at its production state, else 0."""
        return self.now[f"conditions.{cause}"]

    def live(self) -> Floats:
        """1 if the AI goes live in this arm, else 0."""
        return self.now[LIVE]


def with_values(draws: Draws, values: Mapping[str, float]) -> Draws:
    """The same draws with some parameters set to a value in every arm. Raises KeyError for an unknown path."""
    changed: dict[str, Any] = dict(draws.values)
    for path, value in values.items():
        changed[path] = {arm: np.full_like(column, value) for arm, column in draws.values[path].items()}
    return replace(draws, values=changed)
