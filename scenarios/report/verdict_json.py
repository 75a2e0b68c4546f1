"""The verdict as JSON: no clock times, the same bytes for the same case, seed and draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.outcomes import Outcome, met, target_level
from models.schema import Arm
from scenarios.files import LoadedCase
from scenarios.report.basis import basis, source_counts
from scenarios.study import VerdictStudy

SCHEMA_VERSION = 1
FIGURES = (
    "mean_cycle_time_days",
    "median_cycle_time_days",
    "p90_cycle_time_days",
    "share_within_target",
    "straight_through_share",
    "cost_per_case",
)
MORE_FIGURES = (
    "ai_share", "accepted_share", "review_share", "escalated_share", "rework_share", "errors_found_late_share",
    "errors_never_found_share", "open_share",
)  # fmt: skip
ARMS: tuple[Arm, ...] = ("as_is", "pilot", "production")


def rounded(value: float) -> float | None:
    """Nine significant digits; None for what is not a number."""
    return None if not np.isfinite(value) else float(f"{value:.9g}")


def interval(values: list[float]) -> dict[str, float | None]:
    """Mean over the draws with the 5 % and 95 % quantiles of the draws."""
    array = np.asarray(values)
    return {
        "estimate": rounded(array.mean()),
        "low": rounded(np.quantile(array, 0.05)),
        "high": rounded(np.quantile(array, 0.95)),
    }


def cost_per_case(study: VerdictStudy, arm: Arm) -> list[float]:
    """All-in cost of a case: today's, plus the difference in direct cost from the as-is arm of the same draw."""
    today = study.case.money.cost_per_case_today
    fixed = today.uncertain().median if today is not None else None
    costs = []
    for result in study.results:
        direct, as_is = (result.arms[a].figures["direct_cost_per_case"] for a in (arm, "as_is"))
        costs.append(direct if fixed is None else fixed + direct - as_is)
    return costs


def figure(study: VerdictStudy, arm: Arm, name: str) -> list[float]:
    """One figure of one arm, one value a draw."""
    if name == "cost_per_case":
        return cost_per_case(study, arm)
    return [r.arms[arm].figures[name] for r in study.results]


def mean_days(study: VerdictStudy, arm: Arm) -> dict[str, float]:
    """Mean days by account over the draws, largest first; adds up to the arm's mean cycle time."""
    return days_of([r.arms[arm] for r in study.results])


def days_of(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Mean days by account over futures, largest first; adds up to their mean cycle time."""
    names = {name for outcome in outcomes for name in outcome.days}
    means = {name: float(np.mean([outcome.days.get(name, 0.0) for outcome in outcomes])) for name in names}
    return dict(sorted(means.items(), key=lambda item: (-item[1], item[0])))


def as_json(study: VerdictStudy, loaded: LoadedCase) -> dict[str, Any]:
    """Everything a script needs of a verdict."""
    case, v = study.case, study.verdict
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": case.name,
        "scenario_hash": loaded.hash,
        "seed": study.seed,
        "draws": len(study.results),
        "target": _target(study),
        "probability": v.probability,
        "probability_low": v.low,
        "probability_high": v.high,
        "standard_error": v.standard_error,
        "verdict": v.verdict,
        "verdict_at_this_precision": v.would_be,
        "baseline": _baseline(study),
        "arms": {arm: {name: interval(figure(study, arm, name)) for name in FIGURES + MORE_FIGURES} for arm in ARMS}
        if study.results
        else None,
        "where_the_days_go": {arm: {k: rounded(d) for k, d in mean_days(study, arm).items()} for arm in ARMS}
        if study.results
        else None,
        "unlocated_days_at_one_place": [
            {
                "place": e.place,
                "share_of_unlocated_days": rounded(e.share),
                "production_mean_days": rounded(e.production.figures["mean_cycle_time_days"]),
                "target_met": e.met,
            }
            for e in study.extremes
        ],
        "with_an_ai_that_is_never_wrong": _flawless(study),
        "trust": _trust(study, loaded),
    }


def _flawless(study: VerdictStudy) -> dict[str, Any] | None:
    """The mean and the promise live with an AI that is never wrong."""
    figures = [outcome.figures for outcome in study.flawless()]
    if not figures:
        return None
    kept = sum(met(study.case, f) for f in figures)
    return {"mean_cycle_time_days": interval([f["mean_cycle_time_days"] for f in figures]), "promise_kept_in": kept}


def _target(study: VerdictStudy) -> dict[str, Any]:
    target = study.case.target
    unit = "share" if target.statistic == "share_within" else "days"
    return {
        "outcome": target.outcome,
        "statistic": target.statistic,
        "direction": target.direction,
        "level": rounded(target_level(study.case)),
        "unit": unit,
        "weeks": list(target.weeks),
    }


def _baseline(study: VerdictStudy) -> dict[str, Any] | None:
    report = study.baseline
    if report is None:
        return None
    return {
        "observed": rounded(report.observed),
        "simulated": rounded(report.simulated),
        "unit": "days",
        "located_share": rounded(report.located_share),
        "rejected_draws": report.rejected,
        "proposals": report.proposals,
        "reasons": [*([report.problem] if report.problem else []), *report.reasons],
        "passed": report.passed,
    }


def _trust(study: VerdictStudy, loaded: LoadedCase) -> dict[str, Any]:
    open_share = [r.arms[arm].figures["open_share"] for r in study.results for arm in ARMS]
    return {
        "laws_hold": not study.laws,
        "laws_broken": list(study.laws),
        "baseline_reproduced": None if study.baseline is None else study.baseline.passed,
        "futures": len(study.results),
        "standard_error": study.verdict.standard_error,
        "largest_open_share": rounded(max(open_share)) if open_share else None,
        "convergence": None if study.case.posterior is None else study.case.posterior.passed,
        "parameters_by_source": source_counts(study.case),
        "basis": basis(loaded, study.seed),
    }
