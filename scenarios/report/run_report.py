"""`run`: one arm at the middle values, several futures – text and JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from scenarios.files import LoadedCase
from scenarios.report.basis import basis, basis_line, sources_line
from scenarios.report.verdict_json import rounded
from scenarios.report.verdict_text import ARM_NAMES, account_name
from scenarios.study import Replications
from simulator.statistics import mean_interval

SCHEMA_VERSION = 1


def _interval(values: list[float]) -> dict[str, float | None]:
    """Mean with its 90 % confidence interval; without one for a single future."""
    if len(values) < 2 or not np.isfinite(values).all():
        return {"estimate": rounded(float(np.mean(values))), "low": None, "high": None}
    found = mean_interval(values, 0.9)
    return {"estimate": rounded(found.estimate), "low": rounded(found.low), "high": rounded(found.high)}


def as_json(result: Replications, loaded: LoadedCase) -> dict[str, Any]:
    """Figures with 90 % confidence intervals over the futures."""
    first = result.runs[0].outcome

    def each(group: str, key: Any) -> dict[str, float | None]:
        return _interval([getattr(r.outcome, group).get(key, 0.0) for r in result.runs])

    accounts = sorted({k for r in result.runs for k in r.outcome.days})
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": loaded.case.name,
        "arm": result.arm,
        "engine": result.engine,
        "seed": result.seed,
        "replications": len(result.runs),
        "figures": {name: each("figures", name) for name in first.figures},
        "where_the_days_go": {
            name: rounded(float(np.mean([r.outcome.days.get(name, 0.0) for r in result.runs]))) for name in accounts
        },
        "by_type": {name: each("by_type", name) for name in first.by_type},
        "by_ai": {name: each("by_ai", name) for name in first.by_ai},
        "by_week_of_arrival": {str(week): each("by_week", week) for week in first.by_week},
        "load_of_teams_by_week": {
            pool: [rounded(float(v)) for v in np.mean([r.outcome.utilisation[pool] for r in result.runs], axis=0)]
            for pool in first.utilisation
        },
        "backlog_by_week": [rounded(float(v)) for v in np.mean([r.outcome.backlog for r in result.runs], axis=0)],
        "laws": [
            {"name": name, "passed": all(r.laws.get(name, True) for r in result.runs)}
            for name in dict.fromkeys(name for r in result.runs for name in r.laws)
        ],
        "basis": basis(loaded, result.seed),
    }


def text(result: Replications, loaded: LoadedCase) -> str:
    """The same, to read."""
    data = as_json(result, loaded)
    lines = [
        f"{loaded.case.title} · {ARM_NAMES[result.arm]} · {len(result.runs)} simulated futures at the middle values · {sources_line(loaded.case)}",
        "",
        *(f"  {_label(name):<34}{_cell(value)}" for name, value in data["figures"].items()),
        "",
        "  Where the days go",
        *(f"  {_account(k):<44}{v:8.2f}" for k, v in sorted(data["where_the_days_go"].items(), key=lambda i: -i[1])),
        "",
        "  By type, mean days: "
        + " · ".join(f"{k} {v['estimate']:.1f}" for k, v in data["by_type"].items() if v["estimate"] is not None),
        f"  {_laws(data['laws'])}",
        f"  {basis_line(loaded, result.seed)}",
    ]
    return "\n".join(lines)


def _laws(laws: list[dict[str, Any]]) -> str:
    broken = [law["name"] for law in laws if not law["passed"]]
    return (
        f"Laws broken ✗: {', '.join(broken)}"
        if broken
        else f"All {len(laws)} laws hold ✓ (Little, utilisation, flow, …: see --json)"
    )


def _account(name: str) -> str:
    return account_name(name) + (", again" if name.endswith("_again") else "")


def _label(name: str) -> str:
    return name.replace("_", " ")


def _cell(value: dict[str, float | None]) -> str:
    estimate, low, high = value["estimate"], value["low"], value["high"]
    if estimate is None:
        return "–"
    return f"{estimate:10.3f}" + (f"   ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")
