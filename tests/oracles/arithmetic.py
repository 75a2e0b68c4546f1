"""Sections 1, 4 and 7 of docs/workflow.md for the reference simulator: calendars, random numbers, quantile functions.

Written from that page with the standard library alone; calendars are scanned window by window, to be checked by eye.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from itertools import pairwise
from statistics import NormalDist
from typing import Any

Plain = dict[str, Any]
Windows = list[tuple[int, int]]
Table = list[list[float]]
NEVER = 2**62
WORD = 0xFFFFFFFF


# Section 1: time, weeks, calendars.


def nearest(x: float) -> int:
    return math.floor(x + 0.5)


def week_of(t: int) -> int:
    return 0 if t < 0 else 1 + t // 604_800


def look_up(table: Table, kind: int, week: int) -> float:
    """A table by (type, week): one row holds for all types, the last column for all later weeks."""
    row = table[kind] if len(table) > 1 else table[0]
    return row[min(week, len(row) - 1)]


def inside(windows: Windows, t: int) -> bool:
    return any(start <= t < end for start, end in windows)


def first_open(windows: Windows, t: int) -> int:
    return next((max(start, t) for start, end in windows if t < end), NEVER)


def open_seconds(windows: Windows, since: int, until: int) -> int:
    return sum(max(0, min(end, until) - max(start, since)) for start, end in windows)


def after_open(windows: Windows | None, t: int, seconds: int) -> int:
    """The instant at which `seconds` of open time have passed since `t`; without windows all time counts."""
    if seconds == 0 or windows is None:
        return t + seconds
    for start, end in windows:
        room = max(0, end - max(start, t))
        if seconds <= room:
            return max(start, t) + seconds
        seconds -= room
    return NEVER


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


# Section 4: random numbers.


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Philox4x32-10."""
    a, b, c, d = counter
    k, m = key
    for turn in range(10):
        left, right = 0xD2511F53 * a, 0xCD9E8D57 * c
        k_now, m_now = (k + turn * 0x9E3779B9) & WORD, (m + turn * 0xBB67AE85) & WORD
        a, b, c, d = (right >> 32) ^ b ^ k_now, right & WORD, (left >> 32) ^ d ^ m_now, left & WORD
    return a, b, c, d


def unit(high: int, low: int) -> float:
    return ((high * 2**32 + low) // 2**12 + 0.5) / 2.0**52


def uniforms(seed: int, future: int, entity: int, name: str, detail: int) -> tuple[float, float]:
    purpose = int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little")
    words = philox((future, entity, purpose, detail), (seed % 2**32, seed // 2**32))
    return unit(words[0], words[1]), unit(words[2], words[3])


# Section 7: quantile functions.


def triangular(u: float, low: float, mode: float, high: float) -> float:
    width = high - low
    if u * width < mode - low:
        return low + math.sqrt(u * width * (mode - low))
    return high - math.sqrt((1 - u) * width * (high - mode))


def interpolated(u: float, nodes: list[tuple[float, float]]) -> float:
    """Linear between nodes and constant beyond the first and the last; at a jump the upper value."""
    if u < nodes[0][0]:
        return nodes[0][1]
    for (u0, x0), (u1, x1) in pairwise(nodes):
        if u0 <= u < u1:
            return x0 + (u - u0) / (u1 - u0) * (x1 - x0)
    return nodes[-1][1]


def quantile(distribution: Plain, u: float) -> float:
    """The quantile, then the kink."""
    kind, p = distribution["kind"], distribution["parameters"]
    if kind == "constant":
        x = p[0]
    elif kind == "exponential":
        x = -p[0] * math.log1p(-u)
    elif kind == "lognormal":
        x = math.exp(p[0] + p[1] * NormalDist().inv_cdf(u))  # the standard library uses Wichura's AS 241
    elif kind == "weibull":
        x = p[1] * math.pow(-math.log1p(-u), 1 / p[0])
    elif kind == "uniform":
        x = p[0] + u * (p[1] - p[0])
    elif kind == "triangular":
        x = triangular(u, p[0], p[1], p[2])
    elif kind == "table":
        x = interpolated(u, distribution["nodes"])
    else:
        raise ValueError(f"unknown distribution {kind!r}")
    after, multiplier = distribution["kink"] or (math.inf, 1.0)
    return float(after + (x - after) * multiplier if x > after else x)
