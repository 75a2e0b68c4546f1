"""Joint draws of the production parameters: what a fit leaves, and how a simulated draw takes its row of them.

A column is named by its parameter path (`steps.review.catch`), followed by `@` and the arm if the parameter differs by arm and the
evidence speaks of one arm only (`steps.match_ai.permanent@production`). Values are in base units: seconds, shares, plain numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.draws import Entity, entity_of, purpose_of, uniform_arrays

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One check of a fit: a figure, the limit it must keep, and whether it does."""

    name: str
    value: float
    limit: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Predictive:
    """A posterior predictive check: an observed figure, and where it lies among replicated ones (share that is not larger)."""

    what: str
    observed: float
    low: float
    high: float
    share_below: float


@dataclass(frozen=True, slots=True, eq=False)
class SubModel:
    """What one fit found. Rows are joint: row i of every column belongs to one draw.

    columns: column name → values, shape (rows,) · prior: the same names before the data, any number of rows
    badness: shape (rows,), rises with what makes the promise harder to keep; declared correlations between sub-models act on its order
    informed_by: column name → files whose rows inform it · reported: further figures for reports, any shape (rows, …)
    coords: names along the further axes of `reported` (figure name → one tuple of names per axis)
    """

    name: str
    columns: Mapping[str, Floats]
    prior: Mapping[str, Floats]
    badness: Floats
    diagnostics: tuple[Diagnostic, ...] = ()
    predictive: tuple[Predictive, ...] = ()
    informed_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    reported: Mapping[str, Floats] = field(default_factory=dict)
    coords: Mapping[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all its checks passed: only then may it carry a verdict."""
        return all(d.passed for d in self.diagnostics)


@dataclass(frozen=True, slots=True, eq=False)
class PosteriorDraws:
    """What all fits of a case found. `hash`: of everything in it; `provenance`: what it was made from, plain data.

    correlation: of the places that a draw takes in the orders of any two sub-models (0 = independent).
    """

    sub_models: tuple[SubModel, ...]
    hash: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    correlation: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every fit passed its checks."""
        return all(s.passed for s in self.sub_models)

    def names(self) -> tuple[str, ...]:
        """All columns."""
        return tuple(name for s in self.sub_models for name in s.columns)

    def draws(self, seed: int, numbers: Sequence[int] | None) -> dict[str, Floats]:
        """One row of every sub-model for each draw number: column → shape (draws,). `numbers` None: every column's median."""
        if numbers is None:
            return {name: np.asarray([np.median(x)]) for s in self.sub_models for name, x in s.columns.items()}
        common = _normal(seed, numbers, "posterior:common")
        found: dict[str, Floats] = {}
        for s in self.sub_models:
            rows = self._rows(s, common, _normal(seed, numbers, f"posterior:{s.name}"))
            found.update({name: x[rows] for name, x in s.columns.items()})
        return found

    def _rows(self, sub_model: SubModel, common: Floats, own: Floats) -> NDArray[np.int64]:
        from scipy.special import ndtr

        place = ndtr(np.sqrt(self.correlation) * common + np.sqrt(1 - self.correlation) * own)
        count = len(sub_model.badness)
        order = np.argsort(sub_model.badness, kind="stable")
        return np.asarray(order[np.minimum((place * count).astype(np.int64), count - 1)])

    def without(self, paths: Iterable[str]) -> PosteriorDraws:
        """The same without the columns of some parameters, whose values a what-if states itself."""
        gone = set(paths)
        kept = tuple(
            replace(s, columns={name: x for name, x in s.columns.items() if parts_of(name)[0] not in gone})
            for s in self.sub_models
        )
        return replace(self, sub_models=kept, hash=_hash([self.hash, *sorted(gone)]))

    def correlated(self, correlation: float) -> PosteriorDraws:
        """The same with another correlation between sub-models."""
        return replace(self, correlation=correlation, hash=_hash([self.hash, repr(correlation)]))

    def effective(self, draws: int) -> float:
        """How many independent draws `draws` of these are worth: 1 / (1 / draws + 1 / ESS), by the worst sub-model's ESS.

        Draws picked at random from a sample of effective size ESS share that sample's own error.
        """
        ess = min((d.value for s in self.sub_models for d in s.diagnostics if d.name.startswith(EFFECTIVE)), default=np.inf)
        return 1 / (1 / draws + 1 / ess)


EFFECTIVE = "effective draws"
"""How the names of the diagnostics begin that tell an effective sample size."""


def posterior_of(sub_models: Iterable[SubModel], provenance: Mapping[str, Any]) -> PosteriorDraws:
    """From what the fits found. Raises ValueError if two of them claim the same column."""
    models = tuple(sub_models)
    names = [name for s in models for name in s.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two fits give the same parameter: {', '.join(twice)}")
    digests = [f"{s.name}:{name}:{_hash([x.tobytes().hex()])}" for s in models for name, x in s.columns.items()]
    failed = [d.name for s in models for d in s.diagnostics if not d.passed]
    return PosteriorDraws(models, _hash([*digests, *failed]), provenance)


def parts_of(column: str) -> tuple[str, str]:
    """Parameter path and arm ("" for all) of a column."""
    path, _, arm = column.partition("@")
    return path, arm


def _normal(seed: int, numbers: Sequence[int], name: str) -> Floats:
    from scipy.special import ndtri

    future = np.asarray(numbers, dtype=np.uint64)
    u, _ = uniform_arrays(seed, future, np.uint64(entity_of(Entity.PARAMETER, 0)), purpose_of(name))
    return np.asarray(ndtri(u), dtype=np.float64)


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
