"""A case and its columns become one workflow of the simulator: parameters → workflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models import schema, weeks
from models.compositions import ai, approval, basic, desk, system
from models.compositions.build import Builder, interruption
from models.legs import dates_of
from models.parameters import Draws, Scope
from models.schema import Cause, Weekday
from simulator import workflow as w
from simulator.clock import DAY, WEEK, Calendar, parse_hours, public_holidays, weekly
from simulator.distributions import Lognormal
from simulator.program import Program

Floats = NDArray[np.float64]
UNLOCATED = "unlocated"
DATED = "dated_wait"
"""Accounts of days that no known time explains: nobody has located them, or dates have."""
REFERENCE_YEAR = range(365)
"""Days after go-live over which a volume is averaged: the same for every run, so that all arms meet the same cases."""
NO_TIME_SECONDS = 1e-3
"""A mean that always rounds to 0 seconds."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """A run covers [begin, stop) seconds; results are of cases that arrive in weeks first..last (1 = first after go-live)."""

    begin: int
    stop: int
    first_week: int
    last_week: int

    @property
    def weeks(self) -> int:
        """Weeks after go-live that the run covers."""
        return max(1, -(-self.stop // WEEK))


def full_horizon(case: schema.CaseFile) -> Horizon:
    """Warm-up, go-live, the target weeks, run-out."""
    first, last = case.target.weeks
    return Horizon(-case.run.warm_up_weeks * WEEK, (last + case.run.run_out_weeks) * WEEK, first, last)


def today_horizon(case: schema.CaseFile) -> Horizon:
    """The same target weeks for the as-is arm, which is stationary: its warm-up ends where they begin."""
    first, last = case.target.weeks
    return Horizon((first - 1 - case.run.warm_up_weeks) * WEEK, (last + case.run.run_out_weeks) * WEEK, first, last)


def today_columns(draws: Draws) -> Scope:
    """The as-is arm."""
    today = draws.today()
    return Scope("", today, today, draws.columns(frozenset()))


def arm_columns(draws: Draws, on: frozenset[Cause]) -> Scope:
    """The arm in which the causes `on` are at their production state."""
    return Scope("", draws.columns(on), draws.today(), draws.columns(frozenset()))


def build(case: schema.CaseFile, columns: Scope, horizon: Horizon) -> w.Workflow:
    """The workflow of one arm, all draws at once.

    Steps at which days may lie that their known times do not explain have an extra delay in front of them, of 0 until `unlocated_slots` sets it.
    """
    calendars = {name: calendar(case, name, horizon) for name in case.calendars}
    places = list(case.baseline.places) if case.baseline else []
    entries = {s.id: f"{s.id}.{UNLOCATED}" if s.id in places else s.id for s in case.steps}
    followers = {a.id: b.id for a, b in zip(case.steps, case.steps[1:], strict=False)}
    builder = Builder(case, calendars, columns, horizon.weeks, entries, followers)
    steps = [primitive for step in case.steps for primitive in _step(builder, step)]
    return w.Workflow(
        tuple(case.types),
        tuple(steps),
        tuple(_pools(builder)),
        _arrivals(case, columns, horizon, calendars),
        tuple(system.endpoint(builder, name, spec) for name, spec in case.systems.items()),
    )


def _step(build: Builder, step: schema.Step) -> Iterator[w.Step]:
    if build.entries[step.id] != step.id:
        account = DATED if step.id in dates_of(build.case).located else UNLOCATED
        yield w.Delay(build.entries[step.id], _unlocated(build.case, 0.0), step.id, account=account)
    yield from compose(build, step)


def _unlocated(case: schema.CaseFile, days: float) -> Lognormal:
    """The extra delay of a visit, by its mean."""
    assert case.baseline is not None
    return Lognormal.from_mean_cv(max(days * DAY, NO_TIME_SECONDS), case.baseline.spread_cv)


def unlocated_slots(case: schema.CaseFile, program: Program, days: Mapping[str, float]) -> dict[int, float]:
    """The slots that add mean days per visit in front of steps (step id -> days), for `Program.of_draw`."""
    first = {name: program.slot_names.index(f"{name}.{UNLOCATED}[0]") for name in days}
    laws = {name: _unlocated(case, value) for name, value in days.items()}
    return {first[n] + i: float(p) for n, law in laws.items() for i, p in enumerate((law.mu, law.sigma))}


def compose(build: Builder, step: schema.Step) -> list[w.Step]:
    """The primitives of one step of the case file; the first one carries its id."""
    match step:
        case schema.Work():
            return basic.work(build, step)
        case schema.Wait():
            return basic.wait(build, step)
        case schema.Choice():
            return basic.choice(build, step)
        case schema.Flag():
            return basic.flag(build, step)
        case schema.GateStep():
            return basic.gate(build, step)
        case schema.Collect():
            return basic.collect(build, step)
        case schema.Parallel():
            return basic.parallel(build, step)
        case schema.JoinStep():
            return basic.join(build, step)
        case schema.Again():
            return basic.again(build, step)
        case schema.EndStep():
            return basic.end(step)
        case schema.Ai():
            return ai.ai(build, step)
        case schema.Review():
            return ai.review(build, step)
        case schema.Discovery():
            return ai.discovery(build, step)
        case schema.Desk():
            return desk.desk(build, step)
        case schema.Approval():
            return approval.approval(build, step)
        case schema.SystemCall():
            return system.system_call(build, step)


def calendar(case: schema.CaseFile, name: str, horizon: Horizon) -> Calendar:
    """A calendar of the case over a horizon. Raises ValueError for an unknown holiday country or bad hours."""
    spec = case.calendars[name]
    closed = closed_dates(case, spec, range(horizon.begin // DAY, -(-horizon.stop // DAY) + 1))
    return _calendar(tuple(spec.days), tuple(spec.hours), case.go_live, horizon.begin, horizon.stop, closed, name)


@lru_cache(maxsize=256)
def _calendar(
    days: tuple[Weekday, ...], hours: tuple[str, ...], go_live: date, begin: int, stop: int, closed: frozenset[date], name: str
) -> Calendar:
    """One object for all arms, so that they can tell by identity that their hours are the same."""
    windows = [parse_hours(h) for h in hours]
    return weekly(dict.fromkeys(days, windows), go_live, begin, stop, closed, name)


def closed_dates(case: schema.CaseFile, spec: schema.CalendarSpec, days: range) -> frozenset[date]:
    """Public holidays and other closed dates of a calendar, for days counted from go-live."""
    closed = frozenset(spec.closed)
    if not spec.holidays:
        return closed
    country, _, subdivision = spec.holidays.partition("-")
    first, last = (case.go_live + timedelta(days=day) for day in (days[0], days[-1]))
    return closed | public_holidays(country, subdivision or None, first, last)


def _pools(build: Builder) -> Iterator[w.Pool]:
    for name, team in build.case.teams.items():
        at = build.root.into("teams").into(name)
        after = at.column("headcount")
        if team.change is not None:
            change = at.into("change")
            live = np.where(at.live() > 0, change.column("headcount"), after)
            after = weeks.step_change(after, change.column("from_week"), live, build.weeks)
        shifts = [w.Shift(build.calendars[team.calendar], weeks.table(at.today("headcount"), after))]
        for i, extra in enumerate(team.shifts):
            inner = at.into("shifts").into(str(i + 1))
            heads = weeks.table(inner.today("headcount"), inner.column("headcount"))
            shifts.append(w.Shift(build.calendars[extra.calendar], heads))
        absence = None
        if team.absence is not None:
            absence = interruption(at.into("absence"), team.absence.every, team.absence.length, ("every", "length"))
        yield w.Pool(name, tuple(shifts), absence)


def _arrivals(case: schema.CaseFile, columns: Scope, horizon: Horizon, calendars: Mapping[str, Calendar]) -> w.Arrivals:
    spec, at = case.arrivals, columns.into("arrivals")
    days = range(horizon.begin // DAY, -(-horizon.stop // DAY))
    year = day_factors(case, REFERENCE_YEAR)
    if spec.per_working_day is not None:
        rate = at.column("per_working_day") / np.mean([f for f in year if f > 0])
    else:
        rate = at.column("per_month") * 12 / 365.25 * len(year) / sum(year)
    shares = np.stack([columns.column(f"types.{t}.share") for t in case.types])
    shares = shares / shares.sum(axis=0)
    return w.Arrivals(
        rate, tuple(day_factors(case, days)), days[0], calendars[spec.calendar], tuple(shares),
        at.column("day_cv"), spec.clusters, spec.cluster_exponent,
    )  # fmt: skip


def day_factors(case: schema.CaseFile, days: range) -> list[float]:
    """Relative volume of days counted from go-live: 0 on closed days, weekday weights, a factor on the last working days of a month."""
    spec, is_open = case.arrivals, arrival_days(case, days)
    weekday, month_end = day_pattern(case)
    factors = []
    for day in (case.go_live + timedelta(days=d) for d in days):
        factor = weekday.get(schema_weekday(day), 1.0) if is_open(day) else 0.0
        if factor and spec.month_end_days and is_month_end(day, spec.month_end_days, is_open):
            factor *= month_end
        factors.append(factor)
    return factors


def day_pattern(case: schema.CaseFile) -> tuple[Mapping[schema.Weekday, float], float]:
    """Weights of weekdays and the factor of month-ends: the middle of what was fitted, else as the case file states them."""
    for fit in case.posterior.sub_models if case.posterior is not None else ():
        if WEEKDAY_WEIGHTS in fit.reported:
            names: tuple[schema.Weekday, ...] = fit.coords[WEEKDAY_WEIGHTS][0]  # type: ignore[assignment]
            weights = dict(zip(names, fit.reported[WEEKDAY_WEIGHTS].mean(axis=0).tolist(), strict=True))
            return weights, float(fit.reported[MONTH_END_FACTOR].mean())
    return case.arrivals.weekday, case.arrivals.month_end_factor


WEEKDAY_WEIGHTS, MONTH_END_FACTOR = "weekday weights", "month-end factor"
"""What a fit of arrivals reports of the pattern of days, shapes (rows, open weekdays) and (rows,)."""


def arrival_days(case: schema.CaseFile, days: range) -> Callable[[date], bool]:
    """Whether cases arrive on a date, by calendar; holidays are known for `days`, counted from go-live."""
    hours = case.calendars[case.arrivals.calendar]
    closed = closed_dates(case, hours, days)
    return lambda day: schema_weekday(day) in hours.days and day not in closed


def schema_weekday(day: date) -> schema.Weekday:
    """The weekday of a date as case files write it."""
    names: tuple[schema.Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return names[day.weekday()]


def is_month_end(day: date, last_days: int, is_open: Callable[[date], bool]) -> bool:
    """Whether at most `last_days` - 1 open days of the month follow."""
    following, later = 0, day + timedelta(days=1)
    while later.month == day.month:
        following += is_open(later)
        later += timedelta(days=1)
    return following < last_days
