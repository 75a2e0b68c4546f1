"""Headline figures of the shipped scenarios are unchanged. Unchanged is not the same as correct: that is for the other tests.

After a deliberate change: `python -m tests.test_baseline_figures` writes tests/baseline.json anew, and the commit says why.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models import parameters
from models.schema import Arm
from scenarios.catalogue import shipped_names
from scenarios.files import load
from scenarios.study import run_arm

FILE = Path(__file__).parent / "baseline.json"
ARMS: tuple[Arm, ...] = ("as_is", "pilot", "production")
FIGURES = ("mean_cycle_time_days", "p90_cycle_time_days", "straight_through_share", "errors_never_found_share", "cases")


def figures(name: str, arm: Arm) -> dict[str, float]:
    """One future at the medians with one unlocated day a visit at every place (nothing is solved, so it is quick)."""
    case = load(name).case
    unlocated = dict.fromkeys(case.baseline.places if case.baseline else (), 1.0)
    found = run_arm(case, parameters.sample(case, 7, None), arm, 0, unlocated).outcome.figures
    return {figure: round(found[figure], 9) for figure in FIGURES}


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("name", shipped_names())
def test_headline_figures_are_unchanged(name: str, arm: Arm) -> None:
    assert figures(name, arm) == json.loads(FILE.read_text(encoding="utf-8"))[name][arm]


if __name__ == "__main__":
    FILE.write_text(json.dumps({n: {a: figures(n, a) for a in ARMS} for n in shipped_names()}, indent=1) + "\n", encoding="utf-8")
