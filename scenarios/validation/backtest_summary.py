"""The figures of a backtest, out of the lines of its companies: plain data for docs/backtest.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from scenarios.validation import scoring
from scenarios.validation.backtest import Line, Settings
from scenarios.validation.company import INSIDE, OUTSIDE, Kind

SIGN_FROM = 0.8
"""The rule beside the business case: sign if the stated probability is at least this."""
FEWEST = 5
"""Fewer companies give no figures."""


def summary(lines: Sequence[Line], settings: Settings) -> dict[str, Any]:
    """Figures by kind of company. Only companies whose verdict states a probability are judged; the others are counted."""
    kinds: tuple[Kind, ...] = (INSIDE, *OUTSIDE)
    found = {kind: [line for line in lines if line.kind == kind] for kind in kinds}
    figures = {
        "settings": asdict(settings) | {"key": lines[0].settings if lines else settings.key()},
        "targets": scoring.LEVELS,
        "sign_from": SIGN_FROM,
        "kinds": {kind: _of_kind(mine) for kind, mine in found.items() if mine},
    }
    plain: dict[str, Any] = _plain(figures)
    return plain


def _plain(x: Any) -> Any:
    """The same in what JSON knows: lists for tuples, None for what is not a number (a share of nothing); six digits."""
    if isinstance(x, Mapping):
        return {key: _plain(value) for key, value in x.items()}
    if isinstance(x, list | tuple):
        return [_plain(value) for value in x]
    if isinstance(x, float):
        return round(float(x), 6) if np.isfinite(x) else None
    return x


def _of_kind(lines: Sequence[Line]) -> dict[str, Any]:
    judged = [line for line in lines if line.gate]
    counted = {
        "companies": len(lines),
        "judged": len(judged),
        "reasons": _reasons(lines),
        "rejected_draws": sum(x.rejected for x in lines),
    }
    return counted | (_figures(judged) if len(judged) >= FEWEST else {})


def _reasons(lines: Sequence[Line]) -> dict[str, int]:
    """Why verdicts stated no probability → companies."""
    names = sorted({name for line in lines for name in line.problems})
    return {name: sum(name in line.problems for line in lines) for name in names}


def _figures(lines: Sequence[Line]) -> dict[str, Any]:
    p = np.asarray([line.p for line in lines])
    kept = np.asarray([line.kept for line in lines])
    naive = np.asarray([[line.naive <= t for t in line.targets] for line in lines])
    before = np.broadcast_to(np.asarray(scoring.LEVELS), p.shape)
    rules = {"business_case": naive, "rule": p >= SIGN_FROM, "rule_before": before >= SIGN_FROM}
    return {
        "pit": asdict(scoring.uniformity([line.pit for line in lines])),
        "pit_before": asdict(scoring.uniformity([line.prior_pit for line in lines])),
        "reliability": [asdict(b) for b in scoring.reliability(p, kept)],
        "brier": asdict(scoring.brier(p, kept)),
        "brier_before": asdict(scoring.brier(before, kept)),
        "signed": {name: asdict(scoring.signed(signs, kept)) for name, signs in rules.items()},
        "narrower": asdict(scoring.bootstrap(len(lines), lambda k: _narrower(lines, k))),
        "parameters": _parameters(lines),
    }


def _narrower(lines: Sequence[Line], chosen: Any) -> float:
    """Mean share by which evidence narrowed the middle 90 % of the outcome."""
    return float(np.mean([1 - lines[i].width / lines[i].prior_width for i in chosen]))


def _parameters(lines: Sequence[Line]) -> dict[str, Any]:
    """By fitted column: companies, KS distance of the truth's place among its posterior draws, p-value, mean place, spread (1 is right)."""
    names = sorted({name for line in lines for name in line.below})
    places = {name: [line.below[name] for line in lines if name in line.below] for name in names}
    return {name: _place(x) for name, x in places.items() if len(x) >= FEWEST}


def _place(x: Sequence[float]) -> dict[str, float]:
    from scipy.stats import kstest

    found = kstest(x, "uniform")
    spread = float(np.std(x) * np.sqrt(12))
    return {
        "companies": len(x),
        "ks": float(found.statistic),
        "p": float(found.pvalue),
        "mean": float(np.mean(x)),
        "spread": spread,
    }
