"""What `fit` prints: every sub-model with its checks, and what it moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from models.learned import Learned, learned
from models.posterior import PosteriorDraws, SubModel
from models.schema import CaseFile
from scenarios.fitting import Fitted

SHOWN = 12
"""Parameters listed of one sub-model; the report lists all."""


A_SAMPLE = 'If the export holds only some of the cases, say so in its mapping: holds = "sample".'


def text(fitted: Fitted, case: CaseFile, name: str) -> str:
    """The page."""
    posterior, rows = fitted.posterior, learned(fitted.posterior, case)
    lines = [f"{name}: {len(posterior.sub_models)} fits, {len(posterior.names())} parameters", ""]
    for sub_model in posterior.sub_models:
        lines += [*_sub_model(sub_model, rows, sub_model.name in fitted.kept), ""]
    lines.append(_end(posterior, name))
    return "\n".join(lines)


def _sub_model(sub_model: SubModel, learnt: Sequence[Learned], kept: bool) -> Iterator[str]:
    state = "passed its checks" if sub_model.passed else "DID NOT PASS ITS CHECKS"
    yield f"  {sub_model.name}: {state}{' · unchanged since the last fit' if kept else ''}"
    for check in sub_model.diagnostics:
        yield f"    {'✓' if check.passed else '✗'} {check.name:<28}{check.value:>10.4g}   {check.limit}"
    rows = [row for row in learnt if row.sub_model == sub_model.name]
    if rows:
        yield f"    {'':<54}{'before':>30}{'after':>30}"
    for row in rows[:SHOWN]:
        yield f"    {row.name:<54}{range_text(row, row.before):>30}{range_text(row, row.after):>30}   {row.word}"
    if len(rows) > SHOWN:
        yield f"    … and {len(rows) - SHOWN} more: pilotproof evidence report"
    for row in rows:
        if surprising(row):
            yield f"    ! {contradiction(row)}"
    for note in sub_model.notes:
        yield f"    · {note}"


def surprising(row: Learned) -> bool:
    """Whether the data lie outside of what was believed."""
    return row.conflict is not None and row.conflict.strength != "none"


def contradiction(row: Learned, what: str = "") -> str:
    """Belief against data, in a sentence. `what`: how the number is called, if not by its path."""
    assert row.conflict is not None
    told = row.conflict.sentence(what or row.name, row.dimension)
    return f"{told} {A_SAMPLE}" if row.name.startswith("arrivals.per_") else told


def range_text(row: Learned, points: tuple[float, float, float] | None) -> str:
    """Middle, and 5 % to 95 %, in units that people read."""
    if points is None:
        return "–"
    low, middle, high = points
    if row.dimension == "log odds":
        return f"{middle:.2f} ({low:.2f} to {high:.2f}) log odds"
    size, unit = _unit(row.dimension, middle)
    return f"{_short(middle / size)} ({_short(low / size)} to {_short(high / size)}){unit}"


def _unit(dimension: str, value: float) -> tuple[float, str]:
    """Size in base units, and name, of the unit in which a value reads best."""
    if dimension in ("share", "accuracy"):
        return 0.01, " %"
    if dimension != "duration":
        return 1.0, ""
    return next(
        ((size, f" {name}") for size, name in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")) if value >= size), (1.0, " s")
    )


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1_000 else f"{value:,.0f}"


def _end(posterior: PosteriorDraws, name: str) -> str:
    if posterior.passed:
        return f"{name}/posterior.nc is written; every command that takes {name} uses it: pilotproof verdict {name}"
    failed = ", ".join(s.name for s in posterior.sub_models if not s.passed)
    return f"{name}/posterior.nc is written, but {failed} did not pass: it carries no verdict"


def as_json(fitted: Fitted, case: CaseFile, name: str) -> dict[str, Any]:
    """The same as data."""
    posterior = fitted.posterior
    return {
        "case": name,
        "posterior_hash": posterior.hash,
        "passed": posterior.passed,
        "fitted_now": list(fitted.fresh),
        "unchanged": list(fitted.kept),
        "sub_models": [
            {
                "name": s.name,
                "passed": s.passed,
                "checks": [{"name": d.name, "value": d.value, "limit": d.limit, "passed": d.passed} for d in s.diagnostics],
                "notes": list(s.notes),
            }
            for s in posterior.sub_models
        ],
        "parameters": [learned_json(row) for row in learned(posterior, case)],
        "provenance": dict(posterior.provenance),
    }


def learned_json(row: Learned) -> dict[str, Any]:
    """One parameter as data; ranges are the 5 %, 50 % and 95 % points in base units."""
    return {
        "parameter": row.name,
        "fit": row.sub_model,
        "files": list(row.files),
        "before": None if row.before is None else list(row.before),
        "after": list(row.after),
        "contraction": row.contraction,
        "learned": row.word,
        "chance_of_such_data": None if row.conflict is None else row.conflict.tail,
    }
