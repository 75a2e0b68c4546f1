"""Shares from counts, without a sampler: one share in closed form or on a grid; shares by type with partial pooling by quadrature.

One share: with a Beta belief (elicited low, likely, high; or none: Jeffreys' Beta(½, ½)) the posterior is Beta. Any other belief is a
normal on the logit; its posterior is tabulated and drawn from by inversion.

By type: logit of type t = belief of t + a + d · z_t, a ~ N(0, mean width of the beliefs), z ~ N(0, 1), d half-normal (0.7; 0.35 with fewer
than five types, which barely inform it). Given (a, d) types are independent, so the posterior is a sum over a grid of (a, d) with
Gauss-Hermite quadrature for each type: exact to the resolution of the grid, whatever the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models import elicitation
from models.evidence.share_cells import Count
from models.priors import Prior, prior_of
from models.schema import Arm, Parameter

Floats = NDArray[np.float64]
USUAL_LOGIT_SD = 1.0
USUAL_PRIOR = Prior(0.0, 1.5, "logit", "usual prior")
SPREAD, SPREAD_FEW, FEW = 0.7, 0.35, 5
JEFFREYS = (0.5, 0.5)
POINTS = 4_001
_SPREADS, _LEVELS = 64, 41
_HERMITE = np.polynomial.hermite_e.hermegauss(15)
_NEWTON = 30


@dataclass(frozen=True, slots=True)
class Belief:
    """What is believed of a share: the shapes of a Beta, or a normal on the logit. `offset`: added to the logit where it was counted."""

    shapes: tuple[float, float] | None
    normal: Prior
    offset: float = 0.0


def belief_of(parameter: Parameter, arm: Arm, offset: float = 0.0) -> Belief:
    """The belief of the case file as a fit takes it. Counts of the case file are evidence: Jeffreys' prior takes their place."""
    stated, uncertain = parameter.in_arm(arm), parameter.in_arm(arm).uncertain()
    prior = prior_of(uncertain, "logit", USUAL_PRIOR.mean, USUAL_LOGIT_SD)
    if uncertain.counted or (uncertain.fixed is not None and uncertain.fixed in (0.0, 1.0)):
        return Belief(JEFFREYS, USUAL_PRIOR, offset)
    if stated.low is not None and stated.mass < 1 and parameter.dimension == "share":
        low, likely, high = (_share(stated.low), _share(stated.likely), _share(stated.high))
        return Belief(elicitation.beta_shapes(low, likely, high, stated.mass), prior, offset)
    return Belief(None, prior, offset)


def _share(value: float | str | None) -> float:
    from models import units

    return units.share(value)


# -- one share


def one_share(belief: Belief, count: Count, rows: int, rng: np.random.Generator) -> Floats:
    """Draws of a share after its counts, in an order of no meaning; shape (rows,)."""
    from scipy.special import betaincinv, expit

    u = spread_out(rows, rng)
    if belief.shapes is not None and belief.offset == 0:
        a, b = belief.shapes
        return np.asarray(betaincinv(a + count.happened, b + count.tried - count.happened, u))
    x, log_density = tabulated(belief, count)
    return np.asarray(expit(inverted(u, x, log_density)))


def prior_share(belief: Belief, rows: int, rng: np.random.Generator) -> Floats:
    """Draws of the same share before its counts."""
    return one_share(replace(belief, offset=0.0), Count(0.0, 0.0, (0.0, 0.0)), rows, rng)


def tabulated(belief: Belief, count: Count) -> tuple[Floats, Floats]:
    """Logits and their log posterior density (up to a constant) on a grid that holds all but about 1e-12 of it."""
    mode, width = _mode(belief.normal, count, belief.offset)
    x = np.linspace(mode - 9 * width, mode + 9 * width, POINTS)
    if belief.shapes is None:
        log_prior = -0.5 * ((x - belief.normal.mean) / belief.normal.sd) ** 2
    else:
        log_prior = belief.shapes[0] * x - sum(belief.shapes) * np.logaddexp(0.0, x)
    return x, log_prior + log_binomial(x + belief.offset, count.happened, count.tried)


def log_binomial(x: ArrayLike, happened: ArrayLike, tried: ArrayLike) -> Floats:
    """y x - n ln(1 + e^x): the log-likelihood of a logit, up to a constant; broadcasts."""
    logit = np.asarray(x, dtype=np.float64)
    return np.asarray(np.asarray(happened) * logit - np.asarray(tried) * np.logaddexp(0.0, logit))


def _mode(prior: Prior, count: Count, offset: float) -> tuple[float, float]:
    """Mode and width of normal prior × binomial."""
    mode, width = modes(prior.mean, prior.sd, count.happened, count.tried, offset)
    return float(mode), float(width)


def modes(
    mean: ArrayLike, sd: ArrayLike, happened: ArrayLike, tried: ArrayLike, offset: ArrayLike = 0.0
) -> tuple[Floats, Floats]:
    """Mode and width of N(x; mean, sd) × binomial(logit x + offset), by Newton with bounded steps; broadcasts."""
    from scipy.special import expit

    m, s, y, n, o = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (mean, sd, happened, tried, offset)))
    x = m.copy()
    for _ in range(_NEWTON):
        p = expit(x + o)
        x = x + np.clip(((m - x) / s**2 + y - n * p) / (1 / s**2 + n * p * (1 - p)), -2.0, 2.0)
    p = expit(x + o)
    return x, 1 / np.sqrt(1 / s**2 + n * p * (1 - p))


def spread_out(rows: int, rng: np.random.Generator) -> Floats:
    """Uniforms, one in each of `rows` equal cells, in random order."""
    return np.asarray((rng.permutation(rows) + rng.random(rows)) / rows)


def inverted(u: Floats, x: Floats, log_density: Floats) -> Floats:
    """Draws by inversion of a density tabulated at equally spaced points (trapezoids)."""
    density = np.exp(log_density - log_density.max())
    cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return np.interp(u, cumulative / cumulative[-1], x)


# -- shares by type


def by_type(beliefs: Sequence[Belief], counts: Sequence[Count], rows: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Joint draws of the shares (rows, types), and of the spread of types (rows,). Types without counts are known by the others."""
    from scipy.special import expit

    mean, width, y, n, offset = _arrays(beliefs, counts)
    spread, level, log_weight = level_grid(mean, width, y, n, offset)
    cells = _chosen(log_weight.reshape(-1), rows, rng)
    d = np.repeat(spread, _LEVELS)[cells]
    gap = np.diff(level, axis=1)[:, 0]
    a = level.reshape(-1)[cells] + (rng.random(rows) - 0.5) * np.repeat(gap, _LEVELS)[cells]
    x = _given_level(mean, a, d, (y, n, offset), rng)
    return np.asarray(expit(x)), d


def prior_by_type(beliefs: Sequence[Belief], rows: int, rng: np.random.Generator) -> Floats:
    """The same shares before the counts (rows, types)."""
    from scipy.special import expit

    nothing = [Count(0.0, 0.0, (0.0, 0.0))] * len(beliefs)
    mean, width, *_ = _arrays(beliefs, nothing)
    d = np.abs(rng.standard_normal(rows)) * spread_scale(len(beliefs))
    a = rng.standard_normal(rows) * width
    return np.asarray(expit(mean + a[:, None] + d[:, None] * rng.standard_normal((rows, len(beliefs)))))


def spread_scale(types: int) -> float:
    """Scale of the half-normal prior of the spread of types."""
    return SPREAD_FEW if types < FEW else SPREAD


def _arrays(beliefs: Sequence[Belief], counts: Sequence[Count]) -> tuple[Floats, float, Floats, Floats, Floats]:
    """Mean logits, mean width, happened, tried, offsets."""
    mean = np.asarray([b.normal.mean for b in beliefs])
    width = float(np.mean([b.normal.sd for b in beliefs]))
    y, n = (np.asarray([getattr(c, name) for c in counts]) for name in ("happened", "tried"))
    return mean, width, y, n, np.asarray([b.offset for b in beliefs])


def level_grid(mean: Floats, width: float, y: Floats, n: Floats, offset: Floats) -> tuple[Floats, Floats, Floats]:
    """Spreads (k,), levels a (k, m) and their log posterior weights (k, m).

    Spreads are quantiles of their prior, so they weigh the same before the data; levels reach 6 of their approximate widths.
    """
    from scipy.special import ndtri

    spread = spread_scale(len(mean)) * ndtri(0.5 + (np.arange(_SPREADS) + 0.5) / (2 * _SPREADS))
    mode, error = modes(mean, np.hypot(width, spread_scale(len(mean))) * 3, y, n, offset)
    precision = np.where(n > 0, 1 / (spread[:, None] ** 2 + error**2), 0.0)
    total = 1 / width**2 + precision.sum(axis=1)
    centre, sd = (precision * (mode - mean)).sum(axis=1) / total, 1 / np.sqrt(total)
    level = centre[:, None] + sd[:, None] * np.linspace(-6, 6, _LEVELS)
    evidence = log_evidence(mean + level[..., None], spread[:, None, None], y, n, offset)
    return spread, level, -0.5 * (level / width) ** 2 + evidence.sum(axis=-1) + np.log(sd)[:, None]


def log_evidence(mean: ArrayLike, sd: ArrayLike, y: ArrayLike, n: ArrayLike, offset: ArrayLike) -> Floats:
    """log of the mean over N(x; mean, sd) of the binomial likelihood, by Gauss-Hermite around its mode; broadcasts."""
    mode, width = modes(mean, sd, y, n, offset)
    nodes, weights = _HERMITE
    x = mode[..., None] + width[..., None] * nodes
    s, m, o = (np.broadcast_to(np.asarray(v, dtype=np.float64), mode.shape)[..., None] for v in (sd, mean, offset))
    yy, nn = (np.broadcast_to(np.asarray(v, dtype=np.float64), mode.shape)[..., None] for v in (y, n))
    log = -0.5 * ((x - m) / s) ** 2 + log_binomial(x + o, yy, nn) + nodes**2 / 2
    top = log.max(axis=-1)
    return np.asarray(
        top + np.log((np.exp(log - top[..., None]) * weights).sum(axis=-1)) + np.log(width / s[..., 0] / np.sqrt(2 * np.pi))
    )


def _chosen(log_weight: Floats, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Cells drawn by weight, evenly spread, in random order."""
    weight = np.exp(log_weight - log_weight.max())
    cumulative = np.cumsum(weight) / weight.sum()
    return np.asarray(np.minimum(np.searchsorted(cumulative, spread_out(rows, rng)), len(weight) - 1), dtype=np.int64)


def _given_level(mean: Floats, a: Floats, d: Floats, data: tuple[Floats, Floats, Floats], rng: np.random.Generator) -> Floats:
    """Logits (rows, types) given level and spread, by inversion of their tabulated densities."""
    y, n, offset = data
    drawn = []
    for t in range(len(mean)):
        mode, width = modes(mean[t] + a, d, y[t], n[t], offset[t])
        x = mode[:, None] + width[:, None] * np.linspace(-7, 7, 141)
        log = -0.5 * ((x - mean[t] - a[:, None]) / d[:, None]) ** 2 + log_binomial(x + offset[t], y[t], n[t])
        density = np.exp(log - log.max(axis=1, keepdims=True))
        cumulative = np.cumsum(density, axis=1)
        goal = rng.random(len(a)) * cumulative[:, -1]
        k = np.minimum((cumulative < goal[:, None]).sum(axis=1), 140)
        step = width * 14 / 140
        drawn.append(x[np.arange(len(a)), k] + (rng.random(len(a)) - 0.5) * step)
    return np.stack(drawn, axis=1)
