"""The points of a plan: every combination of lists, or points spread over ranges; and their columns in the table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models import units
from scenarios.problems import Problem

Design = Literal["grid", "lhs", "sobol"]
Value = str | int | float | bool
MAX_POINTS = 100_000
LARGEST = 1e15
"""Numbers of a plan are exact in a table up to this size."""
RANGE = ("low", "high", "whole")
RANGE_EXAMPLE = 'write for example { low = "1 d", high = "5 d" }'
LIST_EXAMPLE = 'write for example ["1 d", "2 d"]'
DIGITS = 12
"""Significant digits of a value between low and high, so that it reads the same from any table."""


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a design. number: from 1 · values: parameter path -> value as it is put into the case."""

    number: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Column:
    """The column of a parameter: `steps.answer.time.mean (d)` holds numbers in that unit; without a unit, the value as it stands."""

    path: str
    name: str
    unit: str
    kind: Literal["number", "whole", "text", "yes_no"]

    def cell(self, value: Value) -> Value:
        """A value as it stands in the table."""
        if self.unit:
            number, unit = units.split(str(value))
            return _in_unit(number, unit, self.unit)
        return float(value) if self.kind == "number" else str(value) if self.kind == "text" else value


def flattened(parameters: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Paths written as nested tables (`steps.review.catch = [0.9]`) become one key; ranges and lists stay as they are."""
    found: dict[str, Any] = {}
    for key, value in parameters.items():
        path = f"{before}{key}"
        if isinstance(value, Mapping) and any(isinstance(v, Mapping | list) for v in value.values()):
            found |= flattened(value, f"{path}.")
        else:
            found[path] = value
    return found


# -- what is wrong with a design


def problems_of_design(design: Design, points: object, values: Mapping[str, Any]) -> Iterator[Problem]:
    """All that is wrong with the points of a plan, whatever its cases say."""
    for path, value in values.items():
        yield from (_wrong_list if design == "grid" else _wrong_range)(f"parameters.{path}", value)
    if design == "grid":
        if points is not None:
            yield Problem(
                "E103", "points", "a grid has as many points as its lists have combinations", 'leave it away, or design = "lhs"'
            )
        count = math.prod(len(v) for v in values.values() if isinstance(v, list))
        if count > MAX_POINTS:
            message = f"the lists have {count:,} combinations; a plan has at most {MAX_POINTS:,} points"
            yield Problem("E213", "parameters", message, 'shorter lists, or design = "lhs" with points')
        return
    if not values:
        yield Problem("E102", "parameters", f'design = "{design}" needs a range for at least one parameter', RANGE_EXAMPLE)
    if points is None:
        yield Problem("E102", "points", f'design = "{design}" needs the number of points', "write for example points = 64")
    elif design == "sobol" and isinstance(points, int) and points > 0 and points & (points - 1):
        near = 1 << (points.bit_length() - 1)
        message = f"is {points}; a Sobol sequence is balanced only for a power of two"
        yield Problem("E213", "points", message, f"take {near} or {2 * near}")


def _wrong_list(place: str, values: Any) -> Iterator[Problem]:
    if not isinstance(values, list) or not values:
        yield Problem("E103", place, 'must be a list of values in a plan with design = "grid"', LIST_EXAMPLE)
        return
    if not all(isinstance(value, Value) for value in values):
        yield Problem("E103", place, "holds a value that is no number, text, true or false", LIST_EXAMPLE)
        return
    if any(isinstance(value, int | float) and not abs(value) <= LARGEST for value in values):
        yield Problem("E213", place, f"holds a number that is not between -{LARGEST:g} and {LARGEST:g}")
    twice = [value for (_, value), times in Counter((type(v), v) for v in values).items() if times > 1]
    if twice:
        yield Problem("E105", place, f"holds {twice[0]} more than once", "write each value once")


def _wrong_range(place: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value):
        yield Problem("E103", place, "must be a range with low and high in this design", RANGE_EXAMPLE)
        return
    yield from (
        Problem("E101", f"{place}.{key}", f'unknown key "{key}"', f"known: {', '.join(RANGE)}")
        for key in value
        if key not in RANGE
    )
    low, high, whole = value["low"], value["high"], value.get("whole", False)
    problem = _wrong_ends(place, low, high)
    if problem is not None:
        yield problem
    if not isinstance(whole, bool):
        yield Problem("E103", f"{place}.whole", "must be true or false")
    elif whole and not (type(low) is int and type(high) is int):
        yield Problem("E103", f"{place}.whole", "whole numbers need whole numbers as low and high, without a unit")


def _wrong_ends(place: str, low: Any, high: Any) -> Problem | None:
    try:
        (a, first), (b, second) = _end(low), _end(high)
        b = _in_unit(b, second, first)
    except units.UnitError as error:
        return Problem("E307" if type(error) is units.UnitError else "E103", place, str(error), RANGE_EXAMPLE)
    if a >= b:
        return Problem("E212", place, f"low ({low}) must be below high ({high})")
    return None


def _end(value: Any) -> tuple[float, str]:
    """Number and unit of an end of a range. Raises UnitError."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise units.NumberError(f"{value!r} is no number")
    if isinstance(value, str):
        return units.split(value)
    if not abs(value) <= LARGEST:
        raise units.NumberError(f"holds a number that is not between -{LARGEST:g} and {LARGEST:g}")
    return float(value), ""


def _in_unit(number: float, unit: str, wanted: str) -> float:
    """A number in another unit, if both are units of time. Raises UnitError."""
    if unit == wanted:
        return number
    times = units.SECONDS_PER_UNIT
    if unit not in times or wanted not in times or "wd" in (unit, wanted):
        raise units.UnitError(f'the units "{unit}" and "{wanted}" do not fit together')
    return _rounded(number * times[unit] / times[wanted])


# -- the points


def points_of(design: Design, points: int | None, seed: int, values: Mapping[str, Any]) -> tuple[Point, ...]:
    """All points of a valid design; of a grid the last parameter changes fastest."""
    if design == "grid":
        grid = product(*values.values())
        return tuple(Point(i, dict(zip(values, row, strict=True))) for i, row in enumerate(grid, 1))
    spread = _spread(design, points or 1, seed, len(values))
    ranges = list(values.items())
    return tuple(
        Point(i, {path: _between(span, float(u)) for (path, span), u in zip(ranges, row, strict=True)})
        for i, row in enumerate(spread, 1)
    )


def _spread(design: Design, points: int, seed: int, dimensions: int) -> NDArray[np.float64]:
    """Points in the unit cube, shape (points, dimensions): a Latin hypercube, or a scrambled Sobol sequence (scipy.stats.qmc)."""
    from scipy.stats import qmc

    kinds: dict[str, Any] = {"lhs": qmc.LatinHypercube, "sobol": qmc.Sobol}
    sample = kinds[design](dimensions, seed=np.random.default_rng(seed)).random(points)
    return np.asarray(sample, dtype=np.float64)


def _between(span: Mapping[str, Any], u: float) -> Value:
    """The value at a share `u` in [0, 1) of a range."""
    low, high = span["low"], span["high"]
    if span.get("whole", False):
        return int(low + min(high - low, math.floor(u * (high - low + 1))))
    (a, unit), (b, other) = _end(low), _end(high)
    value = _rounded(a + u * (_in_unit(b, other, unit) - a))
    return f"{value!r} {unit}" if unit else value


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


# -- their columns


def columns_of(values: Mapping[str, Any]) -> tuple[Column, ...]:
    """A column a parameter, in the order of the plan."""
    return tuple(_column(path, value) for path, value in values.items())


def _column(path: str, value: Any) -> Column:
    if isinstance(value, Mapping):
        unit = _end(value["low"])[1]
        kind: Literal["number", "whole"] = "whole" if value.get("whole", False) else "number"
        return Column(path, f"{path} ({unit})" if unit else path, unit, kind)
    unit = _common_unit(value)
    if unit:
        return Column(path, f"{path} ({unit})", unit, "number")
    if all(isinstance(v, bool) for v in value):
        return Column(path, path, "", "yes_no")
    if all(type(v) is int for v in value):
        return Column(path, path, "", "whole")
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    return Column(path, path, "", "number" if numbers else "text")


def _common_unit(values: Sequence[Value]) -> str:
    """The unit of the first value, if all are texts with units that fit to it."""
    try:
        pairs = [units.split(v) for v in values if isinstance(v, str)]
        unit = pairs[0][1] if len(pairs) == len(values) and pairs else ""
        for number, other in pairs if unit else ():
            _in_unit(number, other, unit)
    except units.UnitError:
        return ""
    return unit
