"""The weeks after go-live: the statement follows from the figures, and the figures from the ledger."""

from __future__ import annotations

import numpy as np
import pytest

from models.conditions import CAUSES
from models.schema import CaseFile
from scenarios import exhibits as x
from simulator.clock import DAY
from tests.tiny import BY_HAND, ai, by_arm, team, tiny

NOISE = np.asarray([-0.01, 0.0, 0.01, -0.02, 0.02, 0.0])
"""Six futures."""


def found(arm: str, measure: x.Measure, early: float, late: float, noise: float = 1.0) -> x.Finding:
    return x.finding(arm, measure, early + noise * NOISE, late - noise * NOISE)


BACKLOG = x.MEASURES[1]
CYCLE = x.MEASURES[2]


@pytest.mark.parametrize(
    ("early", "late", "noise", "says"),
    [
        (0.0, 0.5, 1.0, "emerges"),
        (0.5, 0.0, 1.0, "improves"),
        (0.3, 0.3, 1.0, "none"),
        (0.0, 0.08, 0.1, "none"),  # told from 0, but below the 0.1 d that matter
        (0.0, 0.5, 60.0, "unclear"),
        (0.0, 0.0, 60.0, "unclear"),
    ],
)
def test_a_change_must_be_told_from_chance_and_matter(early, late, noise, says):
    assert found("all", CYCLE, early, late, noise).says == says


def everything(**changed: tuple[float, float]) -> list[x.Finding]:
    """All measures and arms without any gap, but for the arms named (cycle time by arrival)."""
    return [
        found(arm, m, *(changed.get(arm, (0.0, 0.0)) if m is CYCLE else (0.0, 0.0)), noise=0.1)
        for m in x.MEASURES
        for arm in (*CAUSES, "all")
    ]


def test_without_a_decline_the_page_says_so():
    together, hypothesis, *alone = x.statement(everything())
    assert together == "all four causes together: **no decline emerges**."
    assert hypothesis.startswith(
        '"weeks 1–3 look fine, weeks 4–12 do not" holds for no measure; it does not hold for escalation rate;'
    )
    assert alone == [f"{cause} alone: **no decline emerges**." for cause in CAUSES]


def test_a_decline_is_named_with_its_cause():
    together, hypothesis, *alone = x.statement(everything(organisation=(0.0, 0.4), all=(0.0, 0.5)))
    assert "**a decline emerges** in cycle time of AI-routed cases by week of arrival, +0.50 (" in together
    assert "holds for cycle time of AI-routed cases by week of arrival;" in hypothesis
    assert [("decline emerges**" in text, "no decline" in text) for text in alone] == [(True, True)] * 3 + [(True, False)]


def test_a_gap_from_the_start_is_no_decline():
    together, hypothesis, *_ = x.statement(everything(all=(0.5, 0.5)))
    assert "**no decline emerges**" in together
    assert "Worse than the pilot from weeks 1–3 on: cycle time of AI-routed cases by week of arrival" in together
    assert "holds for no measure" in hypothesis


def test_what_is_seen_late_is_not_caused_late():
    """By week of their end cases fall behind, by week of arrival they do not."""
    gaps = {x.BY_ARRIVAL: (0.3, 0.3), x.BY_END: (0.0, 0.3)}
    together, *_ = x.statement([found("all", m, *gaps.get(m, (0.0, 0.0)), noise=0.1) for m in x.MEASURES])
    assert "**a decline emerges** in cycle time of AI-routed cases by week of their end" in together
    assert "That is seen late, not caused late" in together


def test_a_gap_that_widens_does_not_fit_the_hypothesis():
    together, hypothesis, *_ = x.statement(everything(all=(0.5, 1.5)))
    assert "**a decline emerges**" in together
    assert "holds for no measure" in hypothesis


def test_what_cannot_be_told_is_said():
    wide = [found(arm, m, 0.0, 0.0, noise=1_000.0) for m in x.MEASURES for arm in (*CAUSES, "all")]
    together, *_ = x.statement(wide)
    assert "no decline can be shown" in together
    assert "Too few futures to tell in escalation rate" in together
    assert "no decline emerges" not in together


# ---------------------------------------------------------------- on a small case


def small(until_week: int) -> CaseFile:
    """All outputs go to a desk whose support leaves after a week; nothing else differs from the pilot."""
    levels = [
        {
            "team": "team",
            "service": "1 min",
            "resolves": 0.5,
            "support": {"bonus": 3.0, "until_week": by_arm(99, until_week, "organisation")},
        },
        {"team": "team", "service": "2 h", "resolves": 1.0},
    ]
    return tiny(
        ai(referred="desk", coverage=0.0, accepted_error=0.0, drift={"logit_drop": 2.0, "midpoint_week": 5, "scale_weeks": 1}),
        {"id": "desk", "kind": "desk", "levels": levels},
        BY_HAND,
        teams={"team": team(20)},
        target={"level": "1 d", "weeks": [1, 12]},
        arrivals={"per_working_day": 20, "calendar": "always"},
    )


@pytest.fixture(scope="module")
def exhibit() -> x.Exhibit:
    return x.simulate(small(3), 3, 1, 12)


def test_support_that_leaves_makes_a_decline(exhibit):
    """Escalations: 1 − expit(3) = 4.7 % with support and 50 % without; as in the pilot up to week 3."""
    says = {(f.arm, f.measure.short): f for f in x.findings(exhibit)}
    for arm in ("organisation", "all"):
        rate = says[arm, "escalation rate"]
        assert rate.says == "emerges"
        assert rate.early_fine
        assert rate.change.estimate == pytest.approx(0.5 - 0.047, abs=0.03)
    for cause in ("data", "scope", "integration"):
        gap = says[cause, "escalation rate"]
        assert (gap.early.estimate, gap.late.estimate, gap.says) == (0.0, 0.0, "none")


def test_drift_is_off(exhibit):
    """The data cause has nothing but drift here: its arm equals the pilot's, future by future."""
    assert np.array_equal(exhibit.above["data"], exhibit.above["pilot"])


def test_the_same_support_makes_none():
    exhibit = x.simulate(small(99), 2, 1, 12)
    assert all(f.says == "none" and f.change.estimate == 0 for f in x.findings(exhibit))


def test_figures_by_week_come_from_the_ledger(exhibit):
    """By arrival and by end the same cases; weeks without any are left open."""
    arrived, ended = (exhibit.below["pilot"][:, i].sum() for i in (2, 3))
    assert abs(arrived - ended) <= 6
    assert exhibit.by_week("pilot").shape == (4, 12)
    assert exhibit.span("pilot", 1, 12)[:, 2].max() < 2 * 3_600 / DAY


def test_the_page_holds_all_parts_and_is_the_same_twice(exhibit):
    page = x.page(exhibit, "tiny", 12)
    assert page == x.page(x.simulate(small(3), 3, 1, 12), "tiny", 12)
    for part in (
        "## What the figures say",
        "## Gap to pilot conditions",
        "## Inputs that change by week",
        "| 12 |",
        "`steps.desk.levels.1.support`",
    ):
        assert part in page
    assert "organisation: `steps.desk.levels.1.support`" in page
