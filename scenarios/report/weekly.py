"""Every input that changes by week after go-live, at the middle values of the live arm: what it is, its values, its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import parameters, process, schema, weeks
from models.conditions import PRODUCTION
from models.leaves import leaves
from models.parameters import Scope

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WeeklyInput:
    """One input by week 1, 2, …; `unit` is "share", "people", "factor" or "logit". `cause`: what switches it on, "" if nothing does."""

    path: str
    what: str
    cause: str
    source: str
    unit: str
    values: tuple[float, ...]


def weekly_inputs(case: schema.CaseFile, last_week: int) -> list[WeeklyInput]:
    """Adoption, routing, learning, support, staffing and drift of a case."""
    columns = process.arm_columns(parameters.sample(case, 0, None), PRODUCTION)
    found = [item for step in case.steps for item in _of_step(step, columns.into("steps").into(step.id), last_week, case)]
    return [*found, *_of_teams(case, columns, last_week)]


def _sources(case: schema.CaseFile, path: str) -> str:
    """Source classes of the parameters below a path; a single note is added."""
    inside = [leaf.parameter for leaf in leaves(case) if leaf.path == path or leaf.path.startswith(f"{path}.")]
    classes = ", ".join(dict.fromkeys(p.source for p in inside))
    notes = list(dict.fromkeys(p.note for p in inside if p.note))
    return f"{classes} ({'; '.join(notes)})" if notes else classes


def _item(case: schema.CaseFile, path: str, what: str, cause: str, unit: str, values: Floats) -> WeeklyInput:
    rounded = tuple(round(float(v), 6) for v in np.ravel(values))
    inside = (leaf.parameter.cause for leaf in leaves(case) if leaf.path.startswith(f"{path}."))
    cause = cause or ", ".join(dict.fromkeys(c for c in inside if c))
    return WeeklyInput(path, what, cause, _sources(case, path), unit, rounded)


def _of_step(step: schema.StepBase, at: Scope, count: int, case: schema.CaseFile) -> Iterator[WeeklyInput]:
    if isinstance(step, schema.Ai):
        yield from _of_ai(step, at, count, case)
    if isinstance(step, schema.Work | schema.Review) and step.learning is not None:
        curve = at.into("learning")
        values = weeks.learning(curve.column("start"), curve.column("half_life_weeks"), count)
        yield _item(case, curve.path, "learning: service times multiplied by", "", "factor", values)
    if isinstance(step, schema.Desk):
        for number, level in enumerate(step.levels, 1):
            if level.support is not None:
                help_ = at.into("levels").into(str(number)).into("support")
                values = weeks.until(help_.column("bonus"), help_.column("until_week"), count)
                yield _item(case, help_.path, "support: added to the logit of resolving", "", "logit", values)


def _of_ai(step: schema.Ai, at: Scope, count: int, case: schema.CaseFile) -> Iterator[WeeklyInput]:
    curve = np.ones(count)
    if step.adoption is not None:
        ramp = at.into("adoption")
        curve = weeks.adoption(ramp.column("start"), ramp.column("weeks"), count)[0]
        yield _item(
            case, ramp.path, "adoption: share of the routed cases that really go to the AI", "organisation", "share", curve
        )
    for name, share in _routed(step, at, case).items():
        what = f"routing: share of {name} that goes to the AI, by week of arrival"
        yield _item(case, f"{at.path}.routed", what, _routing_causes(step, case), "share", share * curve)
    if step.drift is not None:
        d = at.into("drift")
        lost = weeks.drift(d.column("logit_drop"), d.column("midpoint_week"), d.column("scale_weeks"), count)
        yield _item(case, d.path, "drift: logit of accuracy lost", "data", "logit", lost)


def _routed(step: schema.Ai, at: Scope, case: schema.CaseFile) -> dict[str, float]:
    """Share routed at full adoption: one number for all types, or one each."""
    if step.routed.all is not None:
        return {"all types": float(at.column("routed")[0])}
    inner = at.into("routed").into("types")
    return {name: float(inner.column(name)[0]) if name in step.routed.types else 0.0 for name in case.types}


def _routing_causes(step: schema.Ai, case: schema.CaseFile) -> str:
    causes = ["scope"] if any(not t.piloted for t in case.types.values()) else []
    return ", ".join(causes + (["organisation"] if step.adoption is not None else []))


def _of_teams(case: schema.CaseFile, columns: Scope, count: int) -> Iterator[WeeklyInput]:
    for name, team in case.teams.items():
        if team.change is None:
            continue
        at = columns.into("teams").into(name)
        change = at.into("change")
        heads = weeks.step_change(at.column("headcount"), change.column("from_week"), change.column("headcount"), count)
        cause = team.change.headcount.cause or ""
        yield _item(case, change.path, "staffing: people", cause, "people", np.floor(heads + 0.5))
