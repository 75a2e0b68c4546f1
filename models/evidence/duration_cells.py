"""Sufficient statistics of times: what a fit of a lognormal needs of any number of rows, in a size that does not grow with them.

A row is a visit between two instants, each known up to an interval (a date is a day long, a time to the minute a minute).
- Where both are known to 2 % of the time between them, the time counts as exact: (n, sum of logs, sum of squared logs) says all.
- Else both ends are uniform within their intervals. P(end in [e0, e1) | start at s) is a difference of the distribution function,
  averaged over s by five Gauss-Legendre nodes. Equal rows are counted once (dates alone give as many rows as different numbers of days).
- An open visit is right-censored at its age; ages are binned at the mean of their logs, so that the error is of second order.
- An export chosen by the end of its rows holds a row only if it ended within the window: each row's probability of that divides its
  likelihood (truncation). These terms are binned in the same way and have a negative weight.
- After a reminder `after` seconds into the wait what remains is multiplied by m: a rest of r seconds stands for after + r / m. Rests are
  intervals (of 2 %, or as wide as the row leaves open), so that the density's factor 1 / m is part of the term.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evidence.refusals import UnusableEvidenceError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
EXACT_SHARE = 0.02
"""A time counts as exact if the intervals of its ends together are at most this share of it."""
NODES, NODE_WEIGHTS = (np.polynomial.legendre.leggauss(5)[0] + 1) / 2, np.polynomial.legendre.leggauss(5)[1] / 2
"""Gauss-Legendre nodes and weights on (0, 1)."""
MOST_TERMS, MOST_DOUBLES = 48, 48
"""Most rows of each sort of a cell (open ones, truncation, reminders; doubles); more are binned."""
LIFE_EDGES = 40
SHORTEST = 1e-3
ROUGH_SHARE = 0.2
"""With more than this share of times that are not exact there is no life table."""
FOREVER = np.inf


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Visits of one cell in seconds of one clock, shape (rows,) or (rows, 2) for [earliest, latest).

    start, end: end NaN = open · open_at: when an open visit was last seen, NaN if it ended · weight: how many visits a row stands for
    after: seconds into the visit at which a reminder was sent, NaN if none · window: rows were chosen by their end lying within it
    """

    start: Floats
    end: Floats
    open_at: Floats
    weight: Floats
    after: Floats
    window: tuple[float, float] | None = None

    @classmethod
    def of(
        cls, start: Floats, end: Floats, open_at: Floats | None = None, weight: Floats | None = None,
        after: Floats | None = None, window: tuple[float, float] | None = None,
    ) -> Spans:  # fmt: skip
        """With the usual values for what is left out: no open visits, weight 1, no reminders."""
        nothing = np.full(len(start), np.nan)
        return cls(
            start, end, nothing if open_at is None else open_at, np.ones(len(start)) if weight is None else weight,
            nothing if after is None else after, window,
        )  # fmt: skip

    @classmethod
    def lengths(cls, seconds: ArrayLike, weight: ArrayLike | None = None, open_: ArrayLike | None = None) -> Spans:
        """From exact lengths; where `open_` is true the visit was still open at that age."""
        x = np.asarray(seconds, dtype=np.float64)
        is_open = np.zeros(len(x), dtype=bool) if open_ is None else np.asarray(open_, dtype=bool)
        end = np.where(is_open, np.nan, x)
        weights = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=np.float64)
        return cls.of(np.zeros((len(x), 2)), np.stack([end, end], axis=1), np.where(is_open, x, np.nan), weights)

    def __len__(self) -> int:
        return len(self.start)

    @property
    def is_open(self) -> Bools:
        return np.isnan(self.end[:, 0])

    def select(self, keep: Bools) -> Spans:
        """Some of the rows."""
        return Spans(self.start[keep], self.end[keep], self.open_at[keep], self.weight[keep], self.after[keep], self.window)


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """A life table for checks: survival of the data by age. edges (k + 1,) in seconds; ended, at_risk (k,) visits."""

    edges: Floats
    ended: Floats
    at_risk: Floats

    def survival(self) -> Floats:
        """Product-limit share of visits that are longer than each upper edge, shape (k,)."""
        return np.asarray(np.cumprod(1 - self.ended / np.maximum(self.at_risk, 1e-300)))


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Sufficient statistics of the times of one law.

    n, s1, s2, total: number, sum of logs, of squared logs and of seconds of the exact times
    terms: (j, 5) low, low rest, high, high rest, weight: log P(low + low rest / m < time < high + high rest / m), negative weights truncate
    doubles: (j, 4) earliest and latest end since the earliest start, length of the start's interval, weight
    """

    n: float
    s1: float
    s2: float
    total: float
    terms: Floats
    doubles: Floats
    visits: float
    open_visits: float
    life: Life | None


NOTHING = Cell(0.0, 0.0, 0.0, 0.0, np.empty((0, 5)), np.empty((0, 4)), 0.0, 0.0, None)
"""A cell without evidence."""


def reduce(spans: Spans) -> Cell:
    """The sufficient statistics of some visits. Raises UnusableEvidenceError for visits that end before they start."""
    is_open, reminded = spans.is_open, np.isfinite(spans.after)
    _refuse(spans)
    logs, weight, doubles = _ended(spans.select(~is_open & ~reminded))
    rough = doubles[:, 3].sum() > ROUGH_SHARE * max(spans.weight.sum(), 1.0)
    terms = [_open(spans.select(is_open & ~reminded)), _truncation(spans), _reminded(spans.select(reminded))]
    return Cell(
        float(weight.sum()), float(weight @ logs), float(weight @ logs**2), float(weight @ np.exp(logs)),
        np.concatenate(terms), doubles, float(spans.weight.sum()), float(spans.weight[is_open].sum()),
        None if rough else _life(spans),
    )  # fmt: skip


def _refuse(spans: Spans) -> None:
    backwards = np.count_nonzero(spans.end[:, 1] < spans.start[:, 0])
    if backwards:
        raise UnusableEvidenceError(f"{backwards} visits end before they start; correct their dates or leave these rows out")
    if np.isnan(spans.open_at[spans.is_open]).any():
        raise UnusableEvidenceError(
            "an open visit needs observed_until: when the export was made (or `exported` in settings.toml)"
        )
    if spans.window is not None and spans.is_open.any():
        raise UnusableEvidenceError(
            "an export chosen by the end of its rows cannot hold open ones; leave them out, or export by arrival"
        )


def _ended(spans: Spans) -> tuple[Floats, Floats, Floats]:
    """Logs and weights of the exact times; the doubles."""
    start_width = np.maximum(spans.start[:, 1] - spans.start[:, 0], 0.0)
    low, high = (np.maximum(spans.end[:, k] - spans.start[:, 0], 0.0) for k in (0, 1))
    middle = (low + high - start_width) / 2
    exact = (start_width + high - low <= EXACT_SHARE * middle) & (middle > 0)
    high = np.maximum(high, np.maximum(low + 1e-3, 1.0))  # both instants alike to the last digit: under a second
    rows = np.stack([low, high, start_width], axis=1)[~exact]
    return np.log(middle[exact]), spans.weight[exact], _averaged(rows, spans.weight[~exact], _groups(rows, MOST_DOUBLES))


def _open(spans: Spans) -> Floats:
    """Terms of visits that are still open."""
    ages = np.maximum(spans.open_at - spans.start.mean(axis=1), 0.0)
    rows = ages[ages > 0][:, None]
    table = _averaged(rows, spans.weight[ages > 0], _groups(rows, MOST_TERMS))
    nothing = np.zeros(len(table))
    return np.stack([table[:, 0], nothing, nothing + FOREVER, nothing, table[:, 1]], axis=1)


def _truncation(spans: Spans) -> Floats:
    """Terms of the chance to end within the window, with negative weight."""
    if spans.window is None or not len(spans):
        return np.empty((0, 5))
    start = spans.start.mean(axis=1)
    rows = np.stack([np.maximum(spans.window[0] - start, 0.0), spans.window[1] - start], axis=1)
    if (rows[:, 1] <= 0).any():
        raise UnusableEvidenceError("a visit began after the end of the period by which the export was chosen; check last_day")
    low, high, weight = _averaged(rows, spans.weight, _groups(rows, MOST_TERMS)).T
    return np.stack([low, 0 * low, high, 0 * low, -weight], axis=1)


def _reminded(spans: Spans) -> Floats:
    """Terms of reminded visits: the interval of the rest; rows that share a bin share its whole interval."""
    if not len(spans):
        return np.empty((0, 5))
    until = np.where(spans.is_open[:, None], spans.open_at[:, None], spans.end)
    rest = until - spans.start.mean(axis=1, keepdims=True) - spans.after[:, None]
    middle = np.maximum(rest.mean(axis=1), 1.0)
    half = np.maximum((rest[:, 1] - rest[:, 0]) / 2, EXACT_SHARE / 2 * middle)
    low, high = np.maximum(middle - half, 0.0), middle + half
    parts = []
    for flag in (False, True):
        mine = spans.is_open == flag
        if mine.any():
            rows = np.stack([spans.after, middle], axis=1)[mine]
            group = _groups(rows, MOST_TERMS // 2)
            after, age, weight = _averaged(rows, spans.weight[mine], group).T
            if flag:
                parts.append(np.stack([after, age, 0 * after + FOREVER, 0 * after, weight], axis=1))
            else:
                ends = (np.full(len(after), FOREVER), np.zeros(len(after)))
                np.minimum.at(ends[0], group, low[mine])
                np.maximum.at(ends[1], group, high[mine])
                parts.append(np.stack([after, ends[0], after, ends[1], weight], axis=1))
    return np.concatenate(parts)


def _groups(rows: Floats, most: int) -> NDArray[np.int64]:
    """Which bin each row belongs to: equal rows (to a millisecond) together, or if these are too many, bins of equal width in the log of
    the largest column."""
    if not len(rows):
        return np.empty(0, dtype=np.int64)
    unique, group = np.unique(np.round(rows, 3), axis=0, return_inverse=True)
    if len(unique) <= most:
        return np.asarray(group.reshape(-1), dtype=np.int64)
    key = np.log(np.maximum(rows.max(axis=1), 1e-3))
    bins = np.minimum((key - key.min()) / (np.ptp(key) or 1.0) * most, most - 1).astype(np.int64)
    return np.asarray(np.unique(bins, return_inverse=True)[1], dtype=np.int64)


def _averaged(rows: Floats, weight: Floats, group: NDArray[np.int64]) -> Floats:
    """Bins with the mean of the logs of each column (the plain mean where there are zeros) and the sum of weights as the last column."""
    if not len(rows):
        return np.empty((0, rows.shape[1] + 1))
    total = np.bincount(group, weight)
    columns = []
    for column in rows.T:
        logs = np.log(np.maximum(column, 1e-300))
        plain = np.bincount(group, weight * column) / total
        columns.append(np.where(np.bincount(group, column <= 0) > 0, plain, np.exp(np.bincount(group, weight * logs) / total)))
    return np.stack([*columns, total], axis=1)


def _life(spans: Spans) -> Life | None:
    """Ages in cells of equal width in the log; none for a truncated sample, or after reminders (another law).

    Where many ages are known only roughly, where they are cut decides what is seen: `reduce` makes no table then.
    """
    if spans.window is not None or np.isfinite(spans.after).any() or not len(spans):
        return None
    is_open, start = spans.is_open, spans.start.mean(axis=1)
    age = np.maximum(np.where(is_open, spans.open_at, spans.end.mean(axis=1)) - start, SHORTEST)
    if np.ptp(age) == 0:
        return None
    edges = np.concatenate([[0.0], np.exp(np.linspace(np.log(age.min()), np.log(age.max() * 1.001), LIFE_EDGES))[1:]])
    ended = np.histogram(age[~is_open], edges, weights=spans.weight[~is_open])[0]
    gone = ended + np.histogram(age[is_open], edges, weights=spans.weight[is_open])[0]
    left = spans.weight.sum() - np.concatenate([[0.0], np.cumsum(gone)[:-1]])
    at_risk = left - (gone - ended) / 2  # those that leave unfinished count half
    return Life(edges, ended, np.maximum(at_risk, ended))


# -- the likelihood


def log_interval(low: ArrayLike, high: ArrayLike) -> Floats:
    """log(Φ(high) − Φ(low)) without cancellation: the side further out in a tail is turned to the left. low < high."""
    from scipy.special import log_ndtr

    a, b = np.broadcast_arrays(np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64))
    turned = a + b > 0
    a, b = np.where(turned, -b, a), np.where(turned, -a, b)
    upper = log_ndtr(b)
    with np.errstate(divide="ignore"):
        return np.asarray(upper + np.log(-np.expm1(log_ndtr(a) - upper)))


def log_seconds(seconds: ArrayLike) -> Floats:
    """Logs of times with 0 and infinity as -60 and 60: further out than any law of durations reaches."""
    x = np.asarray(seconds, dtype=np.float64)
    return np.where(x <= 0, -60.0, np.log(np.clip(x, 1e-26, 1e26)))


def double_nodes(doubles: Floats) -> tuple[Floats, Floats, Floats]:
    """Low and high in seconds, and weights, at the nodes of the start: three arrays (rows, nodes); impossible nodes weigh nothing."""
    start = NODES * doubles[:, 2:3]
    low, high = np.maximum(doubles[:, 0:1] - start, 0.0), doubles[:, 1:2] - start
    possible = high > 1e-6 * doubles[:, 1:2]
    return np.where(possible, low, 0.0), np.where(possible, high, 1.0), possible * NODE_WEIGHTS


def log_likelihood(cell: Cell, mu: ArrayLike, sigma: ArrayLike, multiplier: ArrayLike = 1.0) -> Floats:
    """Of a lognormal (mu, sigma of log seconds) and a reminder's multiplier; parameters broadcast, their shape is the result's."""
    m, s, k = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (mu, sigma, multiplier)))
    square = cell.s2 - 2 * m * cell.s1 + cell.n * m**2
    total = -cell.n * (np.log(s) + np.log(2 * np.pi) / 2) - square / (2 * s**2) - cell.s1
    m1, s1, k1 = m[..., None], s[..., None], k[..., None]
    if len(cell.terms):
        low, low_rest, high, high_rest, weight = cell.terms.T
        ends = ((log_seconds(base + rest / k1) - m1) / s1 for base, rest in ((low, low_rest), (high, high_rest)))
        total = total + log_interval(*ends) @ weight
    if len(cell.doubles):
        total = total + _log_doubles(cell.doubles, m1, s1) @ cell.doubles[:, 3]
    return np.asarray(total)


def _log_doubles(doubles: Floats, mu: Floats, sigma: Floats) -> Floats:
    low, high, weights = double_nodes(doubles)
    m, s = mu[..., None], sigma[..., None]
    with np.errstate(divide="ignore"):
        logs = log_interval((log_seconds(low) - m) / s, (log_seconds(high) - m) / s) + np.log(weights)
    top = logs.max(axis=-1)
    return np.asarray(top + np.log(np.exp(logs - top[..., None]).sum(axis=-1)))
