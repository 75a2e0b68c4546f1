"""Scalar quantile functions of a lowered program, for the readable engine and for what is drawn before a run.

Formulas: docs/workflow.md section 7. Scalar `math` on purpose: vectorised exp and log differ in the last bit between builds.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from statistics import NormalDist

from simulator.distributions import Kind
from simulator.program import Program

Quantile = Callable[[float], float]
_normal_quantile = NormalDist().inv_cdf


def quantile_of(program: Program, number: int, row: Sequence[float]) -> Quantile:
    """The quantile function of distribution `number` under one row of slots."""
    kind, first, nodes, kink = (int(v) for v in program.distributions[number])
    p = row[first : first + 3]
    base = _table(row, first, nodes) if kind == Kind.TABLE else _closed_form(Kind(kind), p)
    if kink < 0:
        return base
    after, multiplier = row[kink], row[kink + 1]

    def kinked(u: float) -> float:
        x = base(u)
        return x if x <= after else after + (x - after) * multiplier

    return kinked


def _closed_form(kind: Kind, p: Sequence[float]) -> Quantile:
    match kind:
        case Kind.CONSTANT:
            return lambda _: p[0]
        case Kind.EXPONENTIAL:
            return lambda u: -p[0] * math.log(1.0 - u)
        case Kind.LOGNORMAL:
            return lambda u: math.exp(p[0] + p[1] * _normal_quantile(u))
        case Kind.WEIBULL:
            return lambda u: p[1] * (-math.log(1.0 - u)) ** (1.0 / p[0])
        case Kind.UNIFORM:
            return lambda u: p[0] + u * (p[1] - p[0])
        case _:
            return _triangular(p[0], p[1], p[2])


def _triangular(low: float, mode: float, high: float) -> Quantile:
    width = high - low

    def quantile(u: float) -> float:
        if u * width < mode - low:
            return low + math.sqrt(u * width * (mode - low))
        return high - math.sqrt((1.0 - u) * width * (high - mode))

    return quantile


def _table(row: Sequence[float], first: int, nodes: int) -> Quantile:
    us, xs = list(row[first : first + nodes]), list(row[first + nodes : first + 2 * nodes])

    def quantile(u: float) -> float:
        i = bisect_right(us, u) - 1
        if i < 0:
            return xs[0]
        if i >= nodes - 1:
            return xs[-1]
        return xs[i] + (u - us[i]) / (us[i + 1] - us[i]) * (xs[i + 1] - xs[i])

    return quantile
