"""How busy each team is, week by week after go-live, with the people it has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import weeks
from models.conditions import PRODUCTION
from models.parameters import sample
from models.process import arm_columns
from models.schema import Arm, CaseFile
from scenarios.report.trace_words import who
from scenarios.report.verdict_text import per_cent
from scenarios.study import VerdictStudy

Floats = NDArray[np.float64]
FULL = 0.95
"""Load from which a team counts as full: queues then grow with every disturbance."""


@dataclass(frozen=True, slots=True, eq=False)
class TeamLoad:
    """One team. by_week: mean load of weeks 1, 2, … live, a share; nan where nobody is rostered · people: by week · today, live: in the
    promised weeks · full: share of the simulated futures in which it is full there."""

    name: str
    by_week: Floats
    people: tuple[int, ...]
    today: float
    live: float
    full: float

    @property
    def busiest(self) -> int:
        """Week 1, 2, … of the highest load."""
        return int(np.nanargmax(self.by_week)) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Teams:
    """All that the part shows, the busiest team first."""

    finding: str
    teams: tuple[TeamLoad, ...]
    how: str


def teams(study: VerdictStudy) -> Teams | None:
    """From the futures of an answer; None for a case without teams."""
    case = study.case
    last = case.target.weeks[1]
    heads = people_by_week(case, study.seed, last)
    found = [_load(study, name, heads[name], last) for name in case.teams]
    found = sorted((t for t in found if not np.isnan(t.by_week).all()), key=lambda t: -float(np.nanmax(t.by_week)))
    return Teams(_finding(found), tuple(found), _how(study)) if found else None


def _load(study: VerdictStudy, name: str, people: tuple[int, ...], last: int) -> TeamLoad:
    first = study.case.target.weeks[0]
    live = _by_week(study, "production", name, last)
    spans = live[:, first - 1 : last]
    today = _by_week(study, "as_is", name, last)[:, first - 1 : last]
    return TeamLoad(
        who(study.case, name), _mean(live, 0), people, float(np.nanmean(today)) if np.isfinite(today).any() else 0.0,
        float(np.nanmean(spans)) if np.isfinite(spans).any() else 0.0, float(np.mean(_mean(spans, 1) >= FULL)),
    )  # fmt: skip


def _mean(values: Floats, axis: int) -> Floats:
    """Mean of what is a number; nan where nothing is."""
    count = np.isfinite(values).sum(axis=axis)
    means: Floats = np.divide(np.nansum(values, axis=axis), count, out=np.full(count.shape, np.nan), where=count > 0)
    return means


def _by_week(study: VerdictStudy, arm: Arm, team: str, last: int) -> Floats:
    """Load by future and week 1 to `last`; nan outside the run."""
    found = np.full((len(study.results), last), np.nan)
    for row, result in enumerate(study.results):
        outcome = result.arms[arm]
        inside = (outcome.weeks >= 1) & (outcome.weeks <= last)
        found[row, outcome.weeks[inside] - 1] = outcome.utilisation[team][inside]
    return found


def people_by_week(case: CaseFile, seed: int, last: int) -> dict[str, tuple[int, ...]]:
    """People of each team in weeks 1 to `last`, live, at the middle values, all shifts together."""
    root = arm_columns(sample(case, seed, None), PRODUCTION).into("teams")
    found = {}
    for name, team in case.teams.items():
        at = root.into(name)
        heads = np.broadcast_to(at.column("headcount")[:, None], (1, last))
        if team.change is not None:
            change = at.into("change")
            heads = weeks.step_change(at.column("headcount"), change.column("from_week"), change.column("headcount"), last)
        total = np.floor(np.ravel(heads) + 0.5)
        for number in range(1, len(team.shifts) + 1):
            total = total + np.floor(at.into("shifts").into(str(number)).column("headcount")[0] + 0.5)
        found[name] = tuple(int(h) for h in total)
    return found


def people_words(people: tuple[int, ...]) -> str:
    """`4`, or `4, from week 9: 3`."""
    words = [str(people[0])]
    words += [f"from week {week}: {now}" for week, (before, now) in enumerate(pairwise(people), 2) if now != before]
    return ", ".join(words)


def _finding(found: list[TeamLoad]) -> str:
    if not found:
        return ""
    top = found[0]
    name = f"{top.name[0].upper()}{top.name[1:]}"
    return f"{name} is busiest: {per_cent(float(np.nanmax(top.by_week)))} in week {top.busiest}"


def _how(study: VerdictStudy) -> str:
    first, last = study.case.target.weeks
    return (
        f"Load: hours of work in a week divided by the hours for which people are rostered and present. Mean over {len(study.results)} simulated "
        f"futures, week of the calendar after go-live. Today and live: the mean of weeks {first} to {last}. Full: the share of futures in which the "
        f"load of these weeks is {per_cent(FULL)} or more; then a queue grows with every disturbance. People: at the middle values."
    )


def teams_shown(found: Teams) -> Iterator[dict[str, str]]:
    """The table as it is read."""
    for t in found.teams:
        yield {
            "team": t.name,
            "people": people_words(t.people),
            "today": per_cent(t.today),
            "live": per_cent(t.live),
            "busiest week": f"{t.busiest} ({per_cent(float(np.nanmax(t.by_week)))})",
        }


def full_teams(found: Teams) -> str:
    """Which teams are full in some futures."""
    full = [f"{t.name} in {per_cent(t.full)}" for t in sorted(found.teams, key=lambda t: -t.full) if t.full > 0]
    return (
        f"Full in the promised weeks, live: {', '.join(full)} of the simulated futures."
        if full
        else "No team is full in any simulated future."
    )


def teams_rows(found: Teams) -> list[dict[str, Any]]:
    """The data of the chart."""
    return [
        {"team": t.name, "week": week, "load": float(load), "people": heads}
        for t in found.teams
        for week, (load, heads) in enumerate(zip(t.by_week, t.people, strict=True), 1)
        if np.isfinite(load)
    ]


def teams_chart(found: Teams) -> Any:
    """A cell for every team and week, the darker the busier."""
    from scenarios.report import charts

    return charts.heat([(row["team"], row["week"], row["load"]) for row in teams_rows(found)], "load", ".0%")
