"""Which number moves the answer: each one alone at the ends of its range, all others at their middle values, over the same future.

Today's result is reproduced anew for every change, so that a number that makes today longer takes days from where nobody has located
them. The change of the chance is that of the simulated futures of a verdict, all shifted by the difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import baseline as b
from models import parameters
from models.leaves import Leaf, leaves
from models.outcomes import target_level, target_value
from models.parameters import ARMS, Draws
from models.posterior import parts_of
from models.priors import from_scale, to_scale
from models.schema import Arm, CaseFile
from models.uncertainty import Limits
from scenarios.arms import Arms, OneFuture
from scenarios.study.means import Means
from scenarios.study.middle import Middle, at_medians
from simulator.batch import Cancelled, run_chunks
from simulator.engines import Engine

Floats = NDArray[np.float64]
ENDS = (0.05, 0.95)
ROWS_A_CHUNK = 8
GUESS_FACTOR = 1.5
"""A plain guess has no range; it is varied from 1 / 1.5 to 1.5 times its value (a share: its odds), and said so."""
NO_DAYS = ("money.", "sources.")
"""Parameters that move costs alone."""


@dataclass(frozen=True, slots=True)
class Move:
    """One parameter alone at the ends of its range. values: low, middle, high in base units, of the live arm.

    outcome: of the target at low and high, None if today's result cannot be reproduced there · chance: the verdict's share of kept
    promises if all its futures moved as much · stated: whether the range is the case's own (or a fit's), not GUESS_FACTOR.
    """

    path: str
    source: str
    values: tuple[float, float, float]
    outcome: tuple[float | None, float | None]
    chance: tuple[float, float]
    stated: bool

    def largest(self, chance: float) -> float:
        """The larger of the two changes of the chance, in absolute value."""
        return max(abs(c - chance) for c in self.chance)


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """All parameters, the one that moves the chance most first. middle: the outcome with every number at its middle value."""

    case: CaseFile
    middle: float
    chance: float
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    leaf: Leaf | None
    path: str
    ends: tuple[Mapping[Arm, float], Mapping[Arm, float]]
    stated: bool


def moves(case: CaseFile, outcomes: Sequence[float], seed: int, means: Means) -> Moves:
    """Every parameter alone. `outcomes`: of the target, live, one a future of a verdict. Raises Cancelled, ValueError without outcomes."""
    found = None
    for done, total, found in moving(case, outcomes, seed, means):  # noqa: B007 – the last one is the answer
        means.progress("one number at a time", done, total)
    assert found is not None
    return found


def moving(
    case: CaseFile, outcomes: Sequence[float], seed: int, means: Means, rows_a_chunk: int = ROWS_A_CHUNK
) -> Iterator[tuple[int, int, Moves | None]]:
    """The same in slices: runs done, runs in all, and at the end what was found. The size of a chunk changes no figure."""
    if not outcomes:
        raise ValueError("without simulated futures there is no chance to move")
    medians = parameters.sample(case, seed, None)
    changes = list(_changes(case, medians))
    count = 2 * len(changes) + 1
    yield 0, count, None
    arms = Arms(case, _rows(case, medians, changes)).prepare(["as_is", "production"])
    middle = at_medians(case, seed, means)

    def work(rows: range, runner: Engine) -> list[float | None]:
        return [_outcome(arms, row, middle, runner, means) for row in rows]

    chunks = [range(first, min(first + rows_a_chunk, count)) for first in range(0, count, rows_a_chunk)]
    found: list[float | None] = []
    for done in run_chunks(work, chunks, means.engine, means.threads, means.stop):
        found += done
        yield len(found), count, None
    yield count, count, _judged(case, medians, changes, found, np.asarray(outcomes, dtype=np.float64))


def _outcome(arms: Arms, row: int, middle: Middle | None, engine: Engine, means: Means) -> float | None:
    if means.stop.is_set():
        raise Cancelled
    one = OneFuture(arms, row, 0, engine)
    days: Mapping[str, float] = {}
    if middle is not None:
        solved = middle.solve(one, None)
        if isinstance(solved, b.Rejected):
            return None
        days = solved.per_visit
    return target_value(arms.case, one.outcome("production", days).figures)


def _changes(case: CaseFile, medians: Draws) -> Iterator[_Change]:
    posterior = case.posterior
    fitted: dict[str, dict[str, Floats]] = {}
    for s in posterior.sub_models if posterior is not None else ():
        for name, values in s.columns.items():
            path, arm = parts_of(name)
            fitted.setdefault(path, {})[arm] = values
    known = {leaf.path: leaf for leaf in leaves(case)}
    for path in dict.fromkeys([*known, *fitted]):
        if path.startswith(NO_DAYS) or path.endswith("cost_per_hour"):
            continue
        leaf = known.get(path)
        ends = [_end(leaf, fitted.get(path, {}), medians.values[path], u) for u in ENDS]
        stated = any(ends[0][arm] != ends[1][arm] for arm in ARMS)
        if not stated:
            if leaf is None or not leaf.stated or leaf.parameter.source not in ("guess", "elicited"):
                continue
            ends = [_guessed(leaf, medians.values[path], factor) for factor in (1 / GUESS_FACTOR, GUESS_FACTOR)]
        if any(ends[0][arm] != ends[1][arm] for arm in ARMS):
            yield _Change(leaf, path, (ends[0], ends[1]), stated)


def _end(leaf: Leaf | None, fitted: Mapping[str, Floats], medians: Mapping[Arm, Floats], u: float) -> dict[Arm, float]:
    """The parameter's value in each arm at a point of its range."""
    values: dict[Arm, float] = {arm: float(medians[arm][0]) for arm in ARMS}
    for arm in ARMS:
        column = fitted.get(arm, fitted.get(""))
        if column is None and arm == "as_is" and leaf is not None and leaf.parameter.as_is is None:
            column = fitted.get("production")
        if column is not None:
            values[arm] = float(np.quantile(column, u))
        elif leaf is not None:
            values[arm] = float(leaf.parameter.in_arm(arm).uncertain().quantile([u])[0])
    return values


def _guessed(leaf: Leaf, medians: Mapping[Arm, Floats], factor: float) -> dict[Arm, float]:
    scale = "logit" if leaf.parameter.dimension in ("share", "accuracy") else "plain"
    limits: Limits = leaf.parameter.limits

    def moved(value: float) -> float:
        if scale == "logit":
            if value <= 0 or value >= 1:
                return value  # never or always is a statement about the process, not a guess of a share
            return float(from_scale(to_scale(value, "logit") + np.log(factor), "logit"))
        found = value * factor
        return float(round(found)) if limits.whole else found

    return {arm: moved(float(medians[arm][0])) for arm in ARMS}


def _make_room(values: Mapping[str, Mapping[Arm, Floats]], shares: Sequence[str], path: str, arm: Arm, row: int) -> None:
    """The shares of all types add up to 1: the others shrink or grow in proportion."""
    others = [name for name in shares if name != path]
    total = sum(values[name][arm][row] for name in others)
    for name in others:
        values[name][arm][row] *= (1 - values[path][arm][row]) / total if total > 0 else 0.0


def _rows(case: CaseFile, medians: Draws, changes: Sequence[_Change]) -> Draws:
    """The middle values, one row for each end of each change, and one without any."""
    count = 2 * len(changes) + 1
    shares = [f"types.{name}.share" for name in case.types]
    values = {path: {arm: np.repeat(column, count) for arm, column in arms.items()} for path, arms in medians.values.items()}
    for i, change in enumerate(changes):
        for side, ends in enumerate(change.ends):
            for arm in ARMS:
                values[change.path][arm][2 * i + side] = ends[arm]
                if change.path in shares:
                    _make_room(values, shares, change.path, arm, 2 * i + side)
    return Draws(medians.seed, tuple(range(count)), values, medians.causes)


def _judged(case: CaseFile, medians: Draws, changes: Sequence[_Change], found: Sequence[float | None], outcomes: Floats) -> Moves:
    middle = found[-1]
    if middle is None:
        raise ValueError("today's result cannot be reproduced at the middle values")
    level, at_most = target_level(case), case.target.direction == "at_most"

    def chance(shift: float) -> float:
        moved = outcomes + shift
        return float(np.mean(moved <= level if at_most else moved >= level))

    made = []
    for i, change in enumerate(changes):
        ends = found[2 * i], found[2 * i + 1]
        chances = tuple(chance(0.0 if x is None else x - middle) for x in ends)
        low, high = (e["production"] for e in change.ends)
        source = change.leaf.parameter.source if change.leaf is not None else "measured"
        values = (low, float(medians.values[change.path]["production"][0]), high)
        made.append(Move(change.path, source, values, ends, (chances[0], chances[1]), change.stated))
    base = chance(0.0)
    return Moves(case, middle, base, tuple(sorted(made, key=lambda m: (-m.largest(base), -_spread(m, middle), m.path))))


def _spread(move: Move, middle: float) -> float:
    return max(abs((x if x is not None else middle) - middle) for x in move.outcome)
