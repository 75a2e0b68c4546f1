"""Several experts on one number: each is kept, and all are pooled visibly as a mixture of what they say (linear opinion pool).

The pool is as wide as the experts are apart: it does not average their disagreement away. Weights are stated, equal if left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import units
from models.elicitation import ElicitationError
from models.evidence.table import Table
from models.leaves import Leaf
from models.posterior import SubModel
from models.uncertainty import PARSERS, Limits
from models.values import ARMS
from models.views import OBSERVATION_CV, View, overlap, view_of, worth
from simulator.draws import purpose_of

Floats = NDArray[np.float64]
NAME = "experts"
APART = 0.5
"""Experts who have less of their probability in common disagree."""
_HALVINGS = 60


class PoolingError(ValueError):
    """Rows of experts that cannot be pooled; `problems`: (line of the file, what is wrong)."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"line {line}: {message}" for line, message in problems))


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one expert says; `weight` counts against the other experts' of the same number."""

    expert: str
    view: View
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pool:
    """The mixture of some opinions on one number."""

    opinions: tuple[Opinion, ...]

    def __post_init__(self) -> None:
        weights = [o.weight for o in self.opinions]
        if not weights or not all(np.isfinite(w) and w >= 0 for w in weights) or sum(weights) <= 0:
            raise ElicitationError("experts need weights that are not negative, and at least one above 0")

    @property
    def weights(self) -> tuple[float, ...]:
        """Shares of the experts, which add up to 1."""
        total = sum(o.weight for o in self.opinions)
        return tuple(o.weight / total for o in self.opinions)

    @property
    def heard(self) -> tuple[Opinion, ...]:
        """The opinions with a weight above 0."""
        return tuple(o for o in self.opinions if o.weight > 0)

    def cdf(self, x: ArrayLike) -> Floats:
        """The chance that the number is at most x: the experts' chances, weighted."""
        parts = [w * o.view.cdf(x) for w, o in zip(self.weights, self.opinions, strict=True) if w > 0]
        return np.asarray(np.sum(parts, axis=0), dtype=np.float64)

    def quantile(self, u: ArrayLike) -> Floats:
        """Its value at each probability, by bisection between the lowest and the highest of the experts' own."""
        probability = np.asarray(u, dtype=np.float64)
        own = np.array([o.view.quantile(probability) for o in self.heard])
        low, high = own.min(axis=0), own.max(axis=0)
        if len(own) == 1:
            return np.asarray(own[0])
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            above = self.cdf(middle) >= probability
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return np.asarray(0.5 * (low + high))

    def worth(self, cv: float = OBSERVATION_CV) -> float:
        """How many observations would make as sure as the pool is (`models.views.worth`)."""
        views = [o.view for o in self.heard]
        scale = "plain" if any(v.scale == "plain" for v in views) else views[0].scale
        moments = [v.moments(scale) for v in views]
        weights = [w for w in self.weights if w > 0]
        mean = sum(w * m for w, (m, _) in zip(weights, moments, strict=True))
        variance = sum(w * (v + m * m) for w, (m, v) in zip(weights, moments, strict=True)) - mean * mean
        return worth(views[0].dimension, scale, mean, variance, cv)

    @property
    def overlap(self) -> float:
        """The share of probability that all experts have in common."""
        return overlap([o.view for o in self.heard])

    @property
    def apart(self) -> tuple[tuple[Opinion, Opinion], ...]:
        """Pairs of experts whose ranges do not touch."""
        return tuple((a, b) for a, b in combinations(self.heard, 2) if a.view.high < b.view.low or b.view.high < a.view.low)

    def disagreement(self) -> str:
        """In words how far the experts are apart; empty if they agree well enough."""
        if len(self.heard) < 2:
            return ""
        if self.apart:
            pairs = "; ".join(f"{_range(a)} and {_range(b)}" for a, b in self.apart)
            return f"ranges that do not touch: {pairs}; ask both what they have seen before the pool is used"
        if self.overlap < APART:
            return (
                f"the experts have {self.overlap:.0%} of what they think possible in common: {', '.join(map(_range, self.heard))}"
            )
        return ""


def _range(opinion: Opinion) -> str:
    low, high = (units.text(opinion.view.dimension, x) for x in (opinion.view.low, opinion.view.high))
    return f"{opinion.expert} says {low} to {high}"


def pools_of(table: Table, parameters: Mapping[str, Leaf]) -> dict[str, Pool]:
    """The pools of an `experts` table by column name: a parameter path, with `@arm` where the row names one.

    `parameters`: the leaves of the case by path. Raises PoolingError with every row that says nothing possible.
    """
    found: dict[str, list[Opinion]] = {}
    problems: list[tuple[int, str]] = []
    for row in _rows(table):
        try:
            opinion = _opinion(row, parameters)
        except (ElicitationError, units.UnitError) as error:
            problems.append((row.line, f"{row.expert} on {row.parameter}: {error}"))
            continue
        mine = found.setdefault(row.column, [])
        if any(o.expert == opinion.expert for o in mine):
            problems.append((row.line, f"{row.expert} says something about {row.column} more than once"))
        mine.append(opinion)
    pools: dict[str, Pool] = {}
    for column, opinions in found.items():
        try:
            pools[column] = Pool(tuple(opinions))
        except ElicitationError as error:
            problems.append((int(table.lines[0]), f"{column}: {error}"))
    if problems:
        raise PoolingError(problems)
    return pools


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    expert: str
    parameter: str
    arm: str
    stated: tuple[str, str, str]
    sure: float
    weight: float

    @property
    def column(self) -> str:
        return f"{self.parameter}@{self.arm}" if self.arm else self.parameter


def _rows(table: Table) -> Iterator[_Row]:
    texts = {name: table.texts(name) for name in ("expert", "parameter", "environment", "low", "likely", "high")}
    sure, weight = table.numbers("sure"), table.numbers("weight")
    for i, line in enumerate(table.lines):
        stated = (str(texts["low"][i]), str(texts["likely"][i]), str(texts["high"][i]))
        arm = str(texts["environment"][i])
        yield _Row(int(line), str(texts["expert"][i]), str(texts["parameter"][i]), arm, stated, float(sure[i]), float(weight[i]))


def _opinion(row: _Row, parameters: Mapping[str, Leaf]) -> Opinion:
    leaf = parameters.get(row.parameter)
    if leaf is None:
        raise ElicitationError("no such parameter in the case file")
    if row.arm and (row.arm not in ARMS or leaf.parameter.cause is None):
        raise ElicitationError(f'it does not differ between today, pilot and live, so leave "{row.arm}" out')
    dimension = leaf.parameter.dimension
    low, likely, high = (PARSERS[dimension](text) for text in row.stated)
    if not (np.isfinite(row.weight) and row.weight >= 0):
        raise ElicitationError("the weight must not be negative")
    view = view_of(dimension, low, likely, high, row.sure)
    _within(view, leaf.parameter.limits)
    return Opinion(row.expert, view, row.weight)


def _within(view: View, limits: Limits) -> None:
    if view.low < limits.low or view.high > limits.high:
        raise ElicitationError(f"must lie between {limits.low:g} and {limits.high:g}")


def pooled(table: Table, parameters: Mapping[str, Leaf], rows: int = 4_000, seed: int = 7) -> SubModel:
    """The experts as a sub-model: quantiles of each pool, evenly spread and in random order, and what each expert is worth.

    Numbers on which experts speak are independent of each other. `prior` holds what the case file believes. Raises PoolingError.
    """
    pools = pools_of(table, parameters)
    columns, prior = {}, {}
    for name, pool in pools.items():
        path, _, arm = name.partition("@")
        u = _spread(rows, seed, name)
        parameter = parameters[path].parameter
        columns[name] = np.clip(pool.quantile(u), parameter.limits.low, parameter.limits.high)
        before = next((parameter.in_arm(a) for a in ARMS if a == arm), parameter.in_arm("production"))
        prior[name] = before.uncertain().quantile(_spread(rows, seed, f"{name}:before"))
    names = tuple(pools)
    return SubModel(
        name=NAME,
        columns=columns,
        prior=prior,
        badness=np.zeros(rows),
        informed_by=dict.fromkeys(names, (table.file,)),
        reported={
            "experts": np.array([len(p.opinions) for p in pools.values()], dtype=np.float64),
            "worth": np.array([p.worth() for p in pools.values()], dtype=np.float64),
            "overlap": np.array([p.overlap for p in pools.values()], dtype=np.float64),
        },
        coords=dict.fromkeys(("experts", "worth", "overlap"), (names,)),
        notes=tuple(f"{name}: {words}" for name, pool in pools.items() if (words := pool.disagreement())),
    )


def _spread(rows: int, seed: int, name: str) -> Floats:
    """Probabilities evenly over 0 to 1 in an order that depends on the seed and the name alone."""
    order = np.random.default_rng([seed, int(purpose_of(name))]).permutation(rows)
    return np.asarray((order + 0.5) / rows, dtype=np.float64)
