"""Is today's process in a steady state? The work that each team and connected system gets, compared with what it can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor, log10

import numpy as np
from numpy.typing import NDArray

from models import parameters, process, schema
from models.compositions.build import law
from models.parameters import Scope
from models.process import UNLOCATED, Horizon
from scenarios import no_queues
from scenarios.files import LoadedCase
from scenarios.problems import CaseError, Problem
from simulator.clock import DAY, HOUR, WEEK, Calendar
from simulator.futures import expected_per_day
from simulator.ledger import OPEN, Ledger, Result
from simulator.program import F, Op

FULL = 0.995


@dataclass(frozen=True, slots=True)
class TeamLoad:
    """Hours a week that a team's work takes today, and that the team has; `heads` people today."""

    work: float
    capacity: float
    heads: int

    @property
    def share(self) -> float:
        """Work over capacity: 1 and more means that the backlog grows for ever."""
        return self.work / self.capacity if self.capacity > 0 else (0.0 if self.work == 0 else float("inf"))

    @property
    def needed(self) -> int:
        """The smallest number of people with whom the work can be done."""
        per_head = self.capacity / self.heads if self.heads else 0.0
        return max(self.heads + 1, ceil(self.work / (FULL * per_head))) if per_head else 0


@dataclass(frozen=True, slots=True)
class SystemLoad:
    """Calls a week that today's work makes of a limited system, failed ones included, and the hours they last together.

    `gap_seconds`: between the starts of two calls, 0 = no limit; `concurrency`: calls at a time, 0 = no limit.
    """

    calls: float
    hours: float
    gap_seconds: int
    concurrency: int

    @property
    def rate_needed(self) -> float:
        """Calls a minute at which all can start, to two digits upwards; gaps are whole seconds, so above 120 there is no limit."""
        gap = int(FULL * WEEK / self.calls)
        if gap == 0:
            return 121.0
        digit = 10.0 ** (floor(log10(60 / gap)) - 1)
        return round(ceil(60 / gap / digit) * digit, 9)


def check_today(loaded: LoadedCase) -> dict[str, float]:
    """Load of each team today at the middle values: work over capacity.

    Raises CaseError (E404) if a team or a connected system gets more work than it can do, (E405) if unlocated days are to lie where no case comes today.
    """
    case = loaded.case
    columns, ledger = _followed(case)
    loads = dict(_loads(case, columns, ledger))
    systems = _systems(case, columns, ledger)
    problems = [*_overloaded(loads), *_overloaded_systems(systems), *_never_visited(case, ledger)]
    if problems:
        raise CaseError(loaded.file, problems)
    return {name: load.share for name, load in loads.items()}


@dataclass(frozen=True, slots=True)
class Undelayed:
    """Today's process at the middle values if nobody ever had to wait for a free person.

    `mean_days`: work and waits of a case, queues and unlocated days apart · `unvisited`: places of the baseline where no case comes
    """

    teams: Mapping[str, TeamLoad]
    mean_days: float
    unvisited: tuple[str, ...]


def today_without_queues(case: schema.CaseFile) -> Undelayed:
    """What today's steps need by themselves, whatever the numbers of people are."""
    columns, ledger = _followed(case)
    done = ledger.cases["ended"] != OPEN
    ends = np.where(done, ledger.cases["ended"], ledger.program.stop)
    days = float((ends - ledger.cases["arrival"]).mean()) / DAY
    return Undelayed(dict(_loads(case, columns, ledger)), days, tuple(_unvisited(case, ledger)))


def _followed(case: schema.CaseFile) -> tuple[Scope, Ledger]:
    columns = process.today_columns(parameters.sample(case, 0, None))
    return columns, no_queues.followed(case, columns)


def _overloaded(loads: Mapping[str, TeamLoad]) -> Iterator[Problem]:
    for name, load in loads.items():
        if load.share < FULL:
            continue
        if not load.heads:
            message = f"nobody is there today, but {load.work:.1f} hours of work come a week"
            yield Problem("E404", f"teams.{name}.headcount", message, "give the team people as_is")
            continue
        people = "person" if load.heads == 1 else "people"
        yield Problem(
            "E404",
            f"teams.{name}.headcount",
            f"cannot do today's work: {load.work:.1f} hours come a week, {load.heads} {people} have {load.capacity:.1f} "
            f"(load {100 * load.share:.0f} %), so the backlog would grow for ever",
            f"at least {load.needed} people, or less volume or shorter service times",
        )


def _overloaded_systems(systems: Mapping[str, SystemLoad]) -> Iterator[Problem]:
    for name, load in systems.items():
        share = load.calls * load.gap_seconds / WEEK
        if share >= FULL:
            message = f"cannot take today's calls: {load.calls:,.0f} come a week, {WEEK / load.gap_seconds:,.0f} can start (load {100 * share:.0f} %)"
            yield _overload(f"systems.{name}.calls_per_minute", message, f"at least {load.rate_needed:g}")
        held = load.hours / (load.concurrency * WEEK / HOUR) if load.concurrency else 0.0
        if held >= FULL:
            message = f"cannot take today's calls: they last {load.hours:,.1f} hours a week, {load.concurrency} at a time (load {100 * held:.0f} %)"
            yield _overload(f"systems.{name}.concurrency", message, f"at least {ceil(load.hours * HOUR / (FULL * WEEK))}")


def _overload(place: str, message: str, enough: str) -> Problem:
    return Problem("E404", place, f"{message}, so the backlog would grow for ever", f"{enough}, or less volume or fewer calls")


def _never_visited(case: schema.CaseFile, ledger: Ledger) -> Iterator[Problem]:
    for name in _unvisited(case, ledger):
        message = "no case comes here today, so none of today's days can lie here"
        yield Problem("E405", f"baseline.places.{name}", message, "name a step of today's process")


def _unvisited(case: schema.CaseFile, ledger: Ledger) -> Iterator[str]:
    seen = {ledger.program.step_ids[step] for step in np.unique(ledger.visits["step"])}
    for name in case.baseline.places if case.baseline else ():
        if f"{name}.{UNLOCATED}" not in seen:
            yield name


def _loads(case: schema.CaseFile, columns: Scope, ledger: Ledger) -> Iterator[tuple[str, TeamLoad]]:
    """Load of each team: hours of work a case × cases a week, over hours of people a week in the target weeks."""
    window, weeks, cases_a_week = _target_weeks(case), _weeks(case), _cases_a_week(case, ledger)
    work = _hours_per_case(ledger)
    for name, team in case.teams.items():
        at = columns.into("teams").into(name)
        groups = [(team.calendar, at)] + [(s.calendar, at.into("shifts").into(str(i))) for i, s in enumerate(team.shifts, 1)]
        heads = [_rounded(scope.column("headcount")) for _, scope in groups]
        hours = [_open_hours(process.calendar(case, calendar, window), window) for calendar, _ in groups]
        capacity = sum(n * h for n, h in zip(heads, hours, strict=True)) / weeks * _present(at, team)
        yield name, TeamLoad(work.get(name, 0.0) * cases_a_week, capacity, sum(heads))


def _target_weeks(case: schema.CaseFile) -> Horizon:
    first, last = case.target.weeks
    return Horizon((first - 1) * WEEK, last * WEEK, first, last)


def _weeks(case: schema.CaseFile) -> int:
    first, last = case.target.weeks
    return last - first + 1


def _cases_a_week(case: schema.CaseFile, ledger: Ledger) -> float:
    window, arrivals = _target_weeks(case), ledger.program.workflow.arrivals
    assert arrivals is not None
    days = np.arange(window.begin // DAY, window.stop // DAY)
    return float(expected_per_day(arrivals, 0, days).sum()) / _weeks(case)


def _systems(case: schema.CaseFile, columns: Scope, ledger: Ledger) -> dict[str, SystemLoad]:
    """Calls of each connected system; in the sample all have lines of their own after the teams, and a row a call."""
    program, visits = ledger.program, ledger.visits
    until = np.where(visits["ended"] == OPEN, program.stop, visits["ended"])
    called = (program.steps[visits["step"], F.OP] == Op.ATTEMPTS) & (visits["result"] != Result.BACK_OFF)
    weekly, loads = _cases_a_week(case, ledger) / no_queues.SAMPLE, {}
    for pool, (name, spec) in enumerate(case.systems.items(), len(case.teams)):
        mine = called & (visits["pool"] == pool)
        calls = float(mine.sum()) * weekly
        hours = float((until - visits["entered"])[mine].sum()) / HOUR * weekly
        limit = columns.into("systems").into(name)
        gap = int(60 / limit.column("calls_per_minute")[0] + 0.5) if spec.calls_per_minute is not None else 0
        loads[name] = SystemLoad(calls, hours, gap, spec.concurrency)
    return loads


def _rounded(column: NDArray[np.float64]) -> int:
    return int(np.floor(column[0] + 0.5))


def _open_hours(calendar: Calendar, window: Horizon) -> float:
    return calendar.open_between(window.begin, window.stop) / 3_600


def _present(at: Scope, team: schema.Team) -> float:
    """Share of the time that a person of the team is not absent."""
    if team.absence is None:
        return 1.0
    away = at.into("absence")
    between, length = (float(np.ravel(law(away, name, getattr(team.absence, name)).mean())[0]) for name in ("every", "length"))
    return between / (between + length)


def _hours_per_case(ledger: Ledger) -> dict[str, float]:
    """Hours that a team works on a case, all its visits together."""
    program, visits = ledger.program, ledger.visits
    until = np.where(visits["ended"] == OPEN, program.stop, visits["ended"])
    seconds = until - visits["entered"] - visits["closed_seconds"]
    served = program.steps[visits["step"], F.OP] == Op.SERVE
    pools = np.bincount(visits["pool"][served], weights=seconds[served], minlength=len(program.pool_names))
    return {name: float(total) / no_queues.SAMPLE / 3_600 for name, total in zip(program.pool_names, pools, strict=True)}
