"""How good probabilities were: PIT, reliability, Brier score with its parts, and intervals by drawing whole companies again.

A company is the unit: its nine targets share one truth, so only companies are independent. Shapes: (companies, targets) or (companies,).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
LEVELS = tuple(k / 10 for k in range(1, 10))
"""Quantiles of a company's predictive distribution before its evidence that are its nine targets."""
BINS = 10
RESAMPLES = 2_000
INTERVAL = (0.05, 0.95)
"""All intervals are 90 %."""


def pit(outcome: float, futures: ArrayLike, u: float) -> float:
    """Where an outcome lies among simulated futures: (futures below + u · (1 + ties)) / (1 + futures), `u` uniform on [0, 1).

    Exactly uniform if the outcome is one more future of the same kind.
    """
    x = np.asarray(futures, dtype=np.float64)
    below, ties = np.count_nonzero(x < outcome), np.count_nonzero(x == outcome)
    return float((below + u * (1 + ties)) / (1 + len(x)))


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and its 90 % interval."""

    value: float
    low: float
    high: float


def bootstrap(companies: int, figure: Callable[[NDArray[np.int64]], float], seed: int = 0) -> Interval:
    """A figure of all companies, and its interval from companies drawn again with replacement.

    `figure` takes the positions of companies. Resamples in which it is not a number are left out.
    """
    rng = np.random.default_rng(seed)
    again = np.asarray([figure(rng.integers(0, companies, companies)) for _ in range(RESAMPLES)])
    again = again[np.isfinite(again)]
    low, high = np.quantile(again, INTERVAL) if len(again) else (np.nan, np.nan)
    return Interval(float(figure(np.arange(companies))), float(low), float(high))


# ---------------------------------------------------------------- PIT


@dataclass(frozen=True, slots=True)
class Uniformity:
    """Are PIT values uniform? ks, p: Kolmogorov-Smirnov distance and its exact p-value · mean .5: no bias · spread 1: neither too wide
    (below 1) nor too narrow (above 1), as sd · √12 · histogram: shares of BINS equal bins · central: level → share of outcomes within
    the central interval of that level."""

    ks: Interval
    p: float
    mean: Interval
    spread: Interval
    histogram: tuple[Interval, ...]
    central: dict[str, Interval]


def uniformity(values: ArrayLike) -> Uniformity:
    """Of PIT values, shape (companies,); at least two."""
    from scipy.stats import kstest

    x = np.asarray(values, dtype=np.float64)
    edges = np.linspace(0, 1, BINS + 1)

    def share(low: float, high: float) -> Interval:
        inside = (x >= low) & ((x < high) | (high >= 1.0))
        return bootstrap(len(x), lambda k: float(inside[k].mean()))

    return Uniformity(
        bootstrap(len(x), lambda k: ks_distance(x[k])),
        float(kstest(x, "uniform").pvalue),
        bootstrap(len(x), lambda k: float(x[k].mean())),
        bootstrap(len(x), lambda k: float(x[k].std() * np.sqrt(12))),
        tuple(share(a, b) for a, b in pairwise(edges)),
        {f"{level:.0%}": share((1 - level) / 2, (1 + level) / 2) for level in (0.5, 0.8, 0.9)},
    )


def ks_distance(values: ArrayLike) -> float:
    """Largest distance between the empirical distribution of values in [0, 1] and the uniform one."""
    x = np.sort(np.asarray(values, dtype=np.float64))
    n = len(x)
    return float(max((np.arange(1, n + 1) / n - x).max(), (x - np.arange(n) / n).max()))


# ---------------------------------------------------------------- probabilities


@dataclass(frozen=True, slots=True)
class Bin:
    """Forecasts between `low` and `high`: how many, of how many companies, their mean, and how often the promise was kept."""

    low: float
    high: float
    forecasts: int
    companies: int
    stated: float
    kept: Interval


def reliability(p: Floats, kept: Bools) -> tuple[Bin, ...]:
    """By BINS equal bins of the stated probability; empty ones are left out. Both shapes (companies, targets)."""
    place = bin_of(p)
    return tuple(_bin(p, kept, place == b, b) for b in range(BINS) if (place == b).any())


def _bin(p: Floats, kept: Bools, mine: Bools, b: int) -> Bin:
    def share(k: NDArray[np.int64]) -> float:
        return ratio(np.count_nonzero(kept[k] & mine[k]), np.count_nonzero(mine[k]))

    companies = int(np.count_nonzero(mine.any(axis=1)))
    return Bin(b / BINS, (b + 1) / BINS, int(mine.sum()), companies, float(p[mine].mean()), bootstrap(len(p), share))


def bin_of(p: ArrayLike) -> NDArray[np.int64]:
    """The bin of each probability; 1 belongs to the last one."""
    return np.minimum((np.asarray(p, dtype=np.float64) * BINS + 1e-9).astype(np.int64), BINS - 1)


def ratio(part: int | np.signedinteger, whole: int | np.signedinteger) -> float:
    """part / whole, not a number if there is nothing."""
    return float(part / whole) if whole else float("nan")


@dataclass(frozen=True, slots=True)
class Brier:
    """score = reliability − resolution + uncertainty + within: Murphy 1973, with what forecasts of one bin differ by themselves
    (Stephenson et al. 2008). reliability: lower is better, resolution: higher is better."""

    score: Interval
    reliability: float
    resolution: float
    uncertainty: float
    within: float


def brier(p: Floats, kept: Bools) -> Brier:
    """Of all forecasts; the interval draws companies again. Both shapes (companies, targets)."""
    y = kept.astype(np.float64)
    score = bootstrap(len(p), lambda k: float(((p[k] - y[k]) ** 2).mean()))
    return Brier(score, *brier_parts(p.ravel(), y.ravel()))


def brier_parts(p: Floats, y: Floats) -> tuple[float, float, float, float]:
    """Reliability, resolution, uncertainty and the part within bins, of forecasts and outcomes, both shape (n,)."""
    n, base, place = len(p), float(y.mean()), bin_of(p)
    reliable = resolved = within = 0.0
    for b in np.unique(place):
        mine = place == b
        f, o = p[mine], y[mine]
        reliable += len(f) * (f.mean() - o.mean()) ** 2 / n
        resolved += len(f) * (o.mean() - base) ** 2 / n
        within += float(((f - f.mean()) ** 2).sum() - 2 * ((f - f.mean()) * (o - o.mean())).sum()) / n
    return float(reliable), float(resolved), base * (1 - base), within


@dataclass(frozen=True, slots=True)
class Signed:
    """A rule that signs some promises: how often it signs, and how often a signed one was not kept."""

    signed: Interval
    failed: Interval
    brier: Interval


def signed(signs: Bools, kept: Bools) -> Signed:
    """Of a yes-or-no rule, taken as a forecast of 0 or 1; both shapes (companies, targets)."""

    def failed(k: NDArray[np.int64]) -> float:
        return ratio(np.count_nonzero(signs[k] & ~kept[k]), np.count_nonzero(signs[k]))

    return Signed(
        bootstrap(len(signs), lambda k: float(signs[k].mean())),
        bootstrap(len(signs), failed),
        bootstrap(len(signs), lambda k: float((signs[k] != kept[k]).mean())),
    )
