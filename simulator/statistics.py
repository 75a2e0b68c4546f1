"""Estimates with their uncertainty: intervals, paired differences, effective sample sizes, the variance split.

Every interval has a confidence `level` (0.9 unless told); each side excludes (1 - level) / 2. Samples have one
dimension, one value a replication or draw, unless a shape is given. Values that are not finite are refused.
Only `scipy.special` is used, and imported where it is needed: `scipy.stats` alone would double the start-up time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, its interval [low, high] and its standard error, all in the unit of the number."""

    estimate: float
    low: float
    high: float
    standard_error: float

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The mean of a - b over pairs.

    `gain`: (Var a + Var b) / Var(a - b), how many times more replications independent random numbers would need for the
    same standard error; below 1 the common random numbers lose. `correlation` is nan if a or b never varies.
    """

    difference: Estimate
    correlation: float
    gain: float


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Variance of an outcome from ignorance (parameters, differs by draw) and from chance (differs within a draw).

    `share`: ignorance / (ignorance + chance), 0 if nothing varies at all.
    """

    ignorance: float
    chance: float
    share: Estimate

    def best_replications(self, most: int = 30) -> int:
        """Replications a draw that split a fixed number of runs best: 1 + chance / ignorance, from 2 to `most`."""
        if self.ignorance <= 0:
            return most
        return int(min(most, max(2, round(1 + self.chance / self.ignorance))))


# -- critical values


def t_quantile(p: float, df: float) -> float:
    """Quantile of Student's t distribution with `df` degrees of freedom."""
    from scipy.special import stdtrit

    return float(stdtrit(df, p))


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution."""
    from scipy.special import ndtri

    return float(ndtri(p))


def bonferroni_critical(alpha: float, checks: int, df: float) -> float:
    """Two-sided t value with which `checks` tests together raise a false alarm with probability at most `alpha`."""
    return t_quantile(1 - alpha / (2 * checks), df)


# -- means and differences


def mean_interval(values: ArrayLike, level: float = 0.9) -> Estimate:
    """Mean and t interval: mean ± t((1 + level) / 2, n - 1) s / √n, with s² = Σ(x - mean)² / (n - 1)."""
    x = _sample(values, at_least=2)
    mean, error = float(x.mean()), _standard_error(x)
    margin = t_quantile(_upper(level), len(x) - 1) * error
    return Estimate(mean, mean - margin, mean + margin, error)


def paired_difference(a: ArrayLike, b: ArrayLike, level: float = 0.9) -> PairedDifference:
    """Mean of a - b where a[i] and b[i] share their random numbers (same draw, same future)."""
    x, y = _sample(a, at_least=2), _sample(b, at_least=2)
    if len(x) != len(y):
        raise ValueError(f"pairs need samples of one length, not {len(x)} and {len(y)}")
    spread_x, spread_y, spread = (float(v.var(ddof=1)) for v in (x, y, x - y))
    product = math.sqrt(spread_x * spread_y)
    covariance = float(((x - x.mean()) * (y - y.mean())).sum()) / (len(x) - 1)
    correlation = min(1.0, max(-1.0, covariance / product)) if product > 0 else math.nan
    gain = (spread_x + spread_y) / spread if spread > 0 else math.inf
    return PairedDifference(mean_interval(x - y, level), correlation, gain)


def replications_needed(differences: ArrayLike, half_width: float, level: float = 0.9) -> int:
    """Smallest n (at least 2) with t((1 + level) / 2, n - 1) s / √n <= half_width, s from the pilot sample given.

    A plan, not a promise: another sample has another s. The half-width is absolute, in the unit of the values, because
    a relative one has no meaning for a difference near zero.
    """
    if not half_width > 0:
        raise ValueError(f"half-width {half_width} must be positive")
    s, p = float(_sample(differences, at_least=2).std(ddof=1)), _upper(level)
    n = max(2, math.floor((normal_quantile(p) * s / half_width) ** 2))  # t is wider than z, so no smaller n will do
    while t_quantile(p, n - 1) * s / math.sqrt(n) > half_width:
        n += 1
    return n


# -- shares and quantiles


def wilson(successes_or_share: float, n: float, level: float = 0.9) -> Estimate:
    """Share and its Wilson score interval (Wilson 1927): the p with |share - p| <= z √(p (1 - p) / n).

    An integer is a number of successes, a float a share in [0, 1]; `n` may be an effective sample size (not whole).
    The standard error is half the interval divided by z, so it is not 0 at a share of 0 or 1.
    """
    if not n > 0 or not math.isfinite(n):
        raise ValueError(f"sample size {n} must be positive")
    share = int(successes_or_share) / n if isinstance(successes_or_share, Integral) else float(successes_or_share)
    if not 0 <= share <= 1:
        raise ValueError(f"share {share} is not between 0 and 1 (an integer is read as successes, a float as a share)")
    z = normal_quantile(_upper(level))
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    margin = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Estimate(share, max(0.0, min(share, centre - margin)), min(1.0, max(share, centre + margin)), margin / z)


def paired_share_difference(first: Sequence[bool], second: Sequence[bool], level: float = 0.9) -> Estimate:
    """Share of `second` minus share of `first` over pairs, with Newcombe's interval (1998, paired data, method 10).

    It joins the two Wilson intervals by the correlation of the pairs, so it neither leaves [-1, 1] nor shrinks to nothing
    when all pairs agree. The standard error is half the interval divided by z.
    """
    n = len(first)
    if n != len(second):
        raise ValueError(f"pairs need samples of one length, not {n} and {len(second)}")
    a, b = wilson(sum(map(int, first)), n, level), wilson(sum(map(int, second)), n, level)
    phi, difference = _phi(first, second), b.estimate - a.estimate
    low = difference - _joined(b.estimate - b.low, a.high - a.estimate, phi)
    high = difference + _joined(b.high - b.estimate, a.estimate - a.low, phi)
    return Estimate(difference, low, high, (high - low) / 2 / normal_quantile(_upper(level)))


def _joined(x: float, y: float, phi: float) -> float:
    return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))


def _phi(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Correlation of two samples of yes and no; a positive one is corrected for continuity, 0 if one never varies."""
    n, x, y = len(first), sum(map(int, first)), sum(map(int, second))
    both = sum(int(u and v) for u, v in zip(first, second, strict=True))
    product, spread = both * n - x * y, x * (n - x) * y * (n - y)  # both · neither - first only · second only = both · n - x · y
    if spread == 0:
        return 0.0
    return (max(product - n / 2, 0.0) if product > 0 else float(product)) / math.sqrt(spread)


def quantile_interval(values: ArrayLike, q: float, level: float = 0.9) -> Estimate:
    """Quantile `q` with an interval between two order statistics, valid for any continuous distribution.

    The number of values below the true quantile is Binomial(n, q); the ranks cut at most (1 - level) / 2 of it on each
    side. Where the sample is too small for a bound, it is infinite. The estimate interpolates at rank (n - 1) q,
    counted from 0; the standard error is that of Maritz and Jarrett (1978). Infinite values are allowed (open cases).
    """
    x = np.sort(_sample(values, at_least=1, finite=False))
    if not 0 < q < 1:
        raise ValueError(f"quantile {q} must lie strictly between 0 and 1")
    lower, upper = _quantile_ranks(len(x), q, _upper(level))
    low = float(x[lower - 1]) if lower >= 1 else -math.inf
    high = float(x[upper - 1]) if upper <= len(x) else math.inf
    estimate = _interpolated(x, q)
    return Estimate(estimate, min(low, estimate), max(high, estimate), _maritz_jarrett(x, q))


def _quantile_ranks(n: int, q: float, p: float) -> tuple[int, int]:
    """Ranks (from 1) of the bounds: the largest r with P(B < r) <= 1 - p and the smallest s with P(B >= s) <= 1 - p."""
    from scipy.special import bdtr

    cdf = bdtr(np.arange(n, dtype=np.float64), n, q)
    return int(np.searchsorted(cdf, 1 - p, side="right")), int(np.searchsorted(cdf, p, side="left")) + 1


def _interpolated(x: Floats, q: float) -> float:
    position = (len(x) - 1) * q
    below = math.floor(position)
    low, high = float(x[below]), float(x[min(below + 1, len(x) - 1)])
    fraction = position - below
    return low if low == high or fraction == 0 else low + fraction * (high - low)


def _maritz_jarrett(x: Floats, q: float) -> float:
    """Standard error; weights P(i - 1 < n B <= i), B ~ Beta(m, n - m + 1), m = nq + 1/2; nan with infinite values."""
    from scipy.special import betainc

    n = len(x)
    m = min(float(n), max(1.0, n * q + 0.5))
    weight = np.diff(betainc(m, n - m + 1, np.arange(n + 1) / n))
    if not np.isfinite(x).all():
        return math.nan
    centred = x - x[min(n - 1, int(n * q))]
    return math.sqrt(max(0.0, float(weight @ centred**2) - float(weight @ centred) ** 2))


# -- effective sample size


def effective_sample_size(values: ArrayLike, weights: ArrayLike | None = None, *, chains: bool = False) -> float:
    """How many independent draws carry as much information on the mean of `values` (the indicator of a target, say).

    - Independent draws (values of shape (n,)): n.
    - Weighted draws (`weights` of shape (n,)): spread of one value over that of the weighted mean,
      Σ w (x - m)² / Σ w² (x - m)² with Σ w = 1; if x never varies, Kish's 1 / Σ w². Never more than n.
    - `chains=True`: values of shape (chains, draws) in the order of sampling. Draws over autocorrelation time, with
      Geyer's initial monotone sequence and the variance between chains (Geyer 1992; Gelman et al., BDA3 11.5); at most
      the number of draws. Values that never vary say nothing of their correlation and count as independent: use the
      smallest size of the parameters then.
    """
    if chains:
        if weights is not None:
            raise ValueError("weights are for draws without an order, not for chains")
        return _chain_size(np.asarray(values, dtype=np.float64))
    x = _sample(values, at_least=1)
    return float(len(x)) if weights is None else _weighted_size(x, _sample(weights, at_least=1))


def _weighted_size(x: Floats, weights: Floats) -> float:
    if len(x) != len(weights) or (weights < 0).any() or not weights.sum() > 0:
        raise ValueError("weights must be as many as values, not negative, and not all zero")
    w = weights / weights.sum()
    squares = np.square(x - w @ x)
    if not float(w @ squares) > 0:
        return float(1 / (w @ w))
    return min(float(len(x)), float(w @ squares) / float(np.square(w) @ squares))


def _chain_size(x: Floats) -> float:
    if x.ndim != 2 or x.shape[1] < 4 or not np.isfinite(x).all():
        raise ValueError("chains need finite values of shape (chains, draws) with at least 4 draws")
    count, n = x.shape
    covariance = _autocovariance(x).mean(axis=0)
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + (float(x.mean(axis=1).var(ddof=1)) if count > 1 else 0.0)
    if not total > 0:
        return float(x.size)
    correlation = 1 - (within - covariance) / total
    correlation[0] = 1.0
    pairs = correlation[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs < 0)
    pairs = np.minimum.accumulate(pairs[: negative[0] if len(negative) else None])
    time = max(1.0, 2 * float(pairs.sum()) - 1)
    return x.size / time


def _autocovariance(x: Floats) -> Floats:
    """Autocovariance (divided by n) of each row at lags 0 to n - 1, by the fast Fourier transform."""
    n = x.shape[1]
    centred = x - x.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n, axis=1)
    return np.asarray(np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n, dtype=np.float64)


# -- ignorance and chance


def variance_split(values: ArrayLike, level: float = 0.9, resamples: int = 2000, seed: int = 0) -> VarianceSplit:
    """Splits the variance of `values`, shape (draws, replications), both at least 2.

    MSB = n Σ (mean_k - mean)² / (K - 1), MSW = ΣΣ (y_kr - mean_k)² / (K (n - 1)); ignorance = max(0, (MSB - MSW) / n),
    chance = MSW. The interval of the share is the percentile bootstrap of whole draws (fixed `seed`), which needs no
    normality; `normal_share_interval` is exact under normality.
    """
    y = _matrix(values)
    means, spreads = y.mean(axis=1), y.var(axis=1, ddof=1)
    ignorance, chance = _components(means.var(ddof=1), spreads.mean(), y.shape[1])
    picks = np.random.default_rng(seed).integers(0, len(y), (resamples, len(y)))
    again = _components(means[picks].var(axis=1, ddof=1), spreads[picks].mean(axis=1), y.shape[1])
    shares = _share(*again)
    low, high = np.quantile(shares, [1 - _upper(level), _upper(level)])
    share = Estimate(float(_share(ignorance, chance)), float(low), float(high), float(shares.std(ddof=1)))
    return VarianceSplit(float(ignorance), float(chance), share)


def normal_share_interval(values: ArrayLike, level: float = 0.9) -> tuple[float, float]:
    """Interval of the share of ignorance, exact if draws and replications are normal; same shape as `variance_split`.

    For ignorance / chance: [(F0 / F(p) - 1) / n, (F0 / F(1 - p) - 1) / n], p = (1 + level) / 2, F0 = MSB / MSW with
    (K - 1, K (n - 1)) degrees of freedom, cut at 0; then share = ratio / (1 + ratio).
    """
    from scipy.special import fdtri

    y = _matrix(values)
    draws, n = y.shape
    f0 = n * float(y.mean(axis=1).var(ddof=1)) / float(y.var(axis=1, ddof=1).mean())
    df = draws - 1, draws * (n - 1)
    low, high = (max(0.0, (f0 / float(fdtri(*df, p)) - 1) / n) for p in (_upper(level), 1 - _upper(level)))
    return low / (1 + low), high / (1 + high)


def _components(between: ArrayLike, within: ArrayLike, replications: int) -> tuple[Floats, Floats]:
    """(ignorance, chance) from the variance of the draws' means and the mean variance within draws."""
    chance = np.asarray(within, dtype=np.float64)
    return np.maximum(0.0, np.asarray(between) - chance / replications), chance


def _share(ignorance: Floats, chance: Floats) -> Floats:
    total = np.asarray(ignorance + chance)
    return np.divide(ignorance, total, out=np.zeros_like(total), where=total > 0)


# -- common to all


def _upper(level: float) -> float:
    """The probability at the upper end of a two-sided interval."""
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie strictly between 0 and 1")
    return (1 + level) / 2


def _sample(values: ArrayLike, at_least: int, finite: bool = True) -> Floats:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or len(x) < at_least:
        raise ValueError(f"needs at least {at_least} values in one dimension, not an array of shape {x.shape}")
    if np.isnan(x).any() or (finite and np.isinf(x).any()):
        raise ValueError("holds values that are not finite")
    return x


def _matrix(values: ArrayLike) -> Floats:
    y = np.asarray(values, dtype=np.float64)
    if y.ndim != 2 or min(y.shape) < 2 or not np.isfinite(y).all():
        raise ValueError(f"needs finite values of shape (draws, replications), both at least 2, not {y.shape}")
    return y


def _standard_error(x: Floats) -> float:
    return float(x.std(ddof=1)) / math.sqrt(len(x))
