"""Curves by week after go-live, as tables: column 0 is the time before go-live, column w is week w, the last one holds on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.workflow import Table

Floats = NDArray[np.float64]


def table(before: Floats, after: Floats) -> Table:
    """From (draws,) before go-live and (draws,) or (draws, weeks) after it: shape (draws, 1, 1 + weeks)."""
    late = after[:, None] if after.ndim == 1 else after
    return Table(np.concatenate([before[:, None], late], axis=1)[:, None, :])


def by_type(rows: list[Table]) -> Table:
    """Tables of single types, each (draws, 1, weeks) or (1, 1, weeks), stacked to (draws, types, weeks)."""
    weeks = max(r.values.shape[-1] for r in rows)
    wide = [np.concatenate([v := r.values, np.repeat(v[..., -1:], weeks - v.shape[-1], axis=-1)], axis=-1) for r in rows]
    return Table(np.concatenate(np.broadcast_arrays(*wide), axis=-2)) if len(rows) > 1 else rows[0]


def learning(start: Floats, half_life_weeks: Floats, weeks: int) -> Floats:
    """Factor of service times: 1 + (start − 1) · 2^(−(w − 1)/half-life) in week w, shape (draws, weeks)."""
    w = np.arange(weeks)
    curve: Floats = 1 + (start[:, None] - 1) * 2.0 ** (-w / np.maximum(half_life_weeks[:, None], 1e-9))
    return curve


def adoption(start: Floats, ramp_weeks: Floats, weeks: int) -> Floats:
    """Logistic ramp through `start` in week 1 and 1 − (1 − start)/50 in week `ramp_weeks`, shape (draws, weeks)."""
    first = np.clip(start, 1e-6, 1 - 1e-6)[:, None]
    last = 1 - (1 - first) / 50
    slope = (_logit(last) - _logit(first)) / np.maximum(ramp_weeks[:, None] - 1, 1e-9)
    curve = 1 / (1 + np.exp(-(_logit(first) + slope * np.arange(weeks))))
    ramp: Floats = np.where(start[:, None] >= 1, 1.0, curve)
    return ramp


def drift(logit_drop: Floats, midpoint_week: Floats, scale_weeks: Floats, weeks: int) -> Floats:
    """Logit lost in week w: drop / (1 + exp(−(w − midpoint)/scale)), shape (draws, weeks)."""
    w = np.arange(1, weeks + 1)
    away = (w - midpoint_week[:, None]) / np.maximum(scale_weeks[:, None], 1e-9)
    lost: Floats = logit_drop[:, None] / (1 + np.exp(-np.clip(away, -700.0, 700.0)))
    return lost


def until(bonus: Floats, last_week: Floats, weeks: int) -> Floats:
    """`bonus` up to and including week `last_week`, 0 after it, shape (draws, weeks)."""
    return np.where(np.arange(1, weeks + 1) <= last_week[:, None], bonus[:, None], 0.0)


def step_change(first: Floats, from_week: Floats, then: Floats, weeks: int) -> Floats:
    """`first` before week `from_week`, `then` from it on, shape (draws, weeks)."""
    return np.where(np.arange(1, weeks + 1) < from_week[:, None], first[:, None], then[:, None])


def _logit(p: Floats) -> Floats:
    return np.log(p / (1 - p))
