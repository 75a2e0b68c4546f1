"""The verdict: is the promise kept, judged by 90 % Wilson bounds of its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.statistics import wilson

VerdictClass = Literal["supported", "not_supported", "open", "preview", "no_verdict"]
"""no_verdict: today's result is not reproduced, or a fit did not pass its checks; then there is no probability either."""
SUPPORTED_FROM = 0.8
NOT_SUPPORTED_UP_TO = 0.2
DECISION_DRAWS = 200
"""Below this many accepted draws every verdict is a preview."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Probability that the target is met (None if a gate fails), its Wilson bounds, and the class."""

    probability: float | None
    low: float | None
    high: float | None
    standard_error: float | None
    verdict: VerdictClass
    would_be: VerdictClass


def judge(met: list[bool], gate_passed: bool, effective: float | None = None) -> Verdict:
    """The verdict of one indicator a draw. `effective`: how many independent draws they are worth, if fewer than their number."""
    n = len(met)
    if not gate_passed or n == 0:
        return Verdict(None, None, None, None, "no_verdict", "no_verdict")
    p, worth = sum(met) / n, min(float(n), effective or n)
    bounds = wilson(p, worth, 0.9)
    would_be: VerdictClass = "open"
    if bounds.low >= SUPPORTED_FROM:
        would_be = "supported"
    elif bounds.high <= NOT_SUPPORTED_UP_TO:
        would_be = "not_supported"
    error = (p * (1 - p) / worth) ** 0.5
    return Verdict(p, bounds.low, bounds.high, error, would_be if n >= DECISION_DRAWS else "preview", would_be)
