"""Checks of a case that need the whole of it: shares that must add up, ranges that depend on each other, steps that must fit together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from pydantic import ValidationError

from models import schema, units, what_if_check
from models.conditions import PILOT, PRODUCTION
from models.leaves import leaves
from models.parameters import ARMS, Draws, Floats, Scope
from models.references import Finding, check_names, hint, references
from models.schema import Arm
from simulator.clock import DAY, WEEK

SUM_TOLERANCE = 1e-6
UNCERTAIN_SUM_TOLERANCE = 0.02
MAX_CASES_A_DAY = 60_000
MAX_CASES_A_RUN = 2_000_000
"""Of the whole run, warm-up and run-out included: their times are in memory together."""
MAX_TITLE = 200
JOINERS = "\u00a0\u200c\u200d"
"""Signs that cannot be seen and that some languages need."""
SHORTEST_BREAK = 3_600.0


def check_data(data: dict[str, Any]) -> list[Finding]:
    """Problems that show in the plain data of a case, even if other parts of it are wrong: names and the sum of the types."""
    return [*check_names(data), *_type_sums(data)]


def check(case: schema.CaseFile) -> list[Finding]:
    """Problems of a case each of whose parts is right by itself."""
    return [
        *_titles(case),
        *_option_sums(case),
        *_types(case),
        *_people(case),
        *_ai(case),
        *_calendars(case),
        *_breaks(case),
        *_money(case),
        *_sources(case),
        *_run(case),
        *what_if_check.findings(case),
        *_flow(case),
    ]


# -- titles


def _titles(case: schema.CaseFile) -> Iterator[Finding]:
    """Headings on screen and in files: short, and without signs that hide text or turn it around."""
    for place, title in (
        ("title", case.title),
        *((f"options.{name}.title", option.title) for name, option in case.options.items()),
    ):
        if len(title) > MAX_TITLE:
            yield Finding("E213", place, f"is longer than {MAX_TITLE} letters", "say the rest in the description")
        elif not all(letter.isprintable() or letter in JOINERS for letter in title):
            yield Finding("E103", place, "holds signs that cannot be shown", "write it anew, with letters, digits and blanks")


# -- shares


def _type_sums(data: dict[str, Any]) -> Iterator[Finding]:
    """Shares of the types in each arm; says nothing if one of them cannot be read."""
    types = data.get("types")
    if not isinstance(types, dict) or not types:
        return
    try:
        shares = {name: schema.Share.model_validate(spec["share"]) for name, spec in types.items()}
    except (ValidationError, KeyError, TypeError):
        return
    tolerance = SUM_TOLERANCE if all(s.value is not None for s in shares.values()) else UNCERTAIN_SUM_TOLERANCE
    arms = ARMS if any(s.cause is not None for s in shares.values()) else ARMS[-1:]
    for arm in arms:
        values = {name: s.in_arm(arm).uncertain().median for name, s in shares.items()}
        total = sum(values.values())
        if abs(total - 1) > tolerance:
            listed = ", ".join(f"{name} {value:.3g}" for name, value in values.items())
            where = f" ({arm})" if len(arms) > 1 else ""
            yield Finding("E211", "types share", f"adds up to {total:.4g}{where}, must be 1 ({listed})")
            return


def _option_sums(case: schema.CaseFile) -> Iterator[Finding]:
    for step in case.steps:
        if not isinstance(step, schema.Choice):
            continue
        for i, option in enumerate(step.options[:-1]):
            if option.share is None:
                yield Finding("E102", f"steps.{step.id}.options.{i + 1}.share", "is missing", "only the last option goes without")
        if step.options[-1].share is not None:
            place = f"steps.{step.id}.options.{len(step.options)}.share"
            yield Finding(
                "E103", place, "the last option takes the remainder", "leave its share out, or add an option for the remainder"
            )
        shares = [option.share for option in step.options[:-1] if option.share]
        for name in case.types:
            total = max(sum(_median_share(share, name, arm) for share in shares) for arm in ARMS)
            if total > 1 + SUM_TOLERANCE:
                yield Finding("E211", f"steps.{step.id}.options", f'shares of type "{name}" add up to {total:.4g}, more than 1')


def _median_share(share: schema.ShareByType, name: str, arm: Arm) -> float:
    parameter = share.all or share.types.get(name)
    return parameter.in_arm(arm).uncertain().median if parameter else 0.0


# -- types, people, AI


def _types(case: schema.CaseFile) -> Iterator[Finding]:
    reserved = {"all", "types", *schema.Share.model_fields}
    for name in case.types:
        if name in reserved:
            yield Finding(
                "E103",
                f"types.{name}",
                f'"{name}" has a meaning of its own where a share is given by type',
                "choose another name",
            )
    for place, names in _names_of_types(case):
        for name in names:
            if name not in case.types:
                yield Finding("E104", place, f'no type "{name}"', hint(name, case.types))
    ais = any(isinstance(step, schema.Ai) for step in case.steps)
    if ais and not any(t.piloted and t.share.in_arm("production").uncertain().median > 0 for t in case.types.values()):
        yield Finding("E213", "types", "the pilot had cases of no type", "set piloted = true for at least one")


def _names_of_types(case: schema.CaseFile) -> Iterator[tuple[str, list[str]]]:
    for step in case.steps:
        yield from ((place, list(share.types)) for place, share in _inside(step, f"steps.{step.id}", schema.ShareByType))
        if isinstance(step, schema.Ai):
            yield f"steps.{step.id}.type_effect", list(step.type_effect)
            yield f"steps.{step.id}.type_shift", list(step.type_shift)


Kind = TypeVar("Kind")


def _inside(node: object, place: str, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
    """Everything of a kind inside a part of the case, with its place."""
    if isinstance(node, kind):
        yield place, node
    elif isinstance(node, list):
        for i, item in enumerate(node, 1):
            yield from _inside(item, f"{place}.{i}", kind)
    elif isinstance(node, dict):
        for key, item in node.items():
            yield from _inside(item, f"{place}.{key}", kind)
    elif isinstance(node, schema.Strict) and not isinstance(node, schema.Belief):
        for field in type(node).model_fields:
            yield from _inside(getattr(node, field), place if field == "law" else f"{place}.{field}", kind)


def _people(case: schema.CaseFile) -> Iterator[Finding]:
    for name, team in case.teams.items():
        heads = [team.headcount, *(shift.headcount for shift in team.shifts), *([team.change.headcount] if team.change else [])]
        if all(h.in_arm(arm).uncertain().median < 0.5 for h in heads for arm in ARMS):
            yield Finding("E213", f"teams.{name}.headcount", "nobody is ever in this team", "at least 1 in one of the arms")


def _ai(case: schema.CaseFile) -> Iterator[Finding]:
    """The shares of the pilot's outputs: accepted and wrong cannot exceed accepted, or wrong."""
    for step in case.steps:
        if not isinstance(step, schema.Ai):
            continue
        coverage, error, stated = (
            p.in_arm("pilot").uncertain().median for p in (step.coverage, step.accepted_error, step.accuracy)
        )
        accuracy = stated ** (step.fields if step.measured == "per_field" else 1)
        if error > min(coverage, 1 - accuracy) + SUM_TOLERANCE:
            yield Finding(
                "E213",
                f"steps.{step.id}.accepted_error",
                f"{error:.3g} exceeds the coverage ({coverage:.3g}) or the pilot's share of wrong outputs ({1 - accuracy:.3g})",
                "it is the share of all outputs that were accepted and wrong",
            )
        elif coverage - error > accuracy + SUM_TOLERANCE:
            message = f"{coverage:.3g} accepted would hold more right outputs than the accuracy ({accuracy:.3g}) allows"
            yield Finding("E213", f"steps.{step.id}.coverage", message, "lower it, or raise accepted_error")


# -- calendars and durations


def _calendars(case: schema.CaseFile) -> Iterator[Finding]:
    wrong = set()
    for name, spec in case.calendars.items():
        for finding in _calendar(case, name, spec):
            wrong.add(name)
            yield finding
    if case.arrivals.calendar in set(case.calendars) - wrong:
        yield from _arrival_days(case, case.calendars[case.arrivals.calendar])


def _calendar(case: schema.CaseFile, name: str, spec: schema.CalendarSpec) -> Iterator[Finding]:
    from models.process import calendar, today_horizon

    place = f"calendars.{name}"
    for field, values in (("days", spec.days), ("hours", spec.hours)):
        if len(set(values)) < len(values):
            yield Finding("E105", f"{place}.{field}", "names one of them twice")
    if spec.holidays and (unknown := _unknown_holidays(place, spec.holidays)):
        yield unknown
        return
    try:
        opens = bool(calendar(case, name, today_horizon(case)).starts)
        overlap = _overlap(spec)
    except ValueError as error:
        yield Finding("E213", place, str(error))
        return
    if not opens:
        yield Finding("E213", place, "never opens during the run", "check days, hours, holidays and closed dates")
    elif overlap:
        yield Finding("E213", f"{place}.hours", f"{overlap} overlap")


def _unknown_holidays(place: str, code: str) -> Finding | None:
    """A country or subdivision without known public holidays."""
    import holidays

    countries = holidays.list_supported_countries(include_aliases=True)
    country, _, part = code.partition("-")
    if country not in countries:
        close = hint(country.upper(), countries) if country.upper() in countries else 'use a code such as "NL" or "DE-BY"'
        return Finding("E104", f"{place}.holidays", f'no holidays are known for "{country}"', close)
    if part and part not in countries[country]:
        return Finding("E104", f"{place}.holidays", f'no part "{part}" of {country} is known', hint(part, countries[country]))
    return None


def _overlap(spec: schema.CalendarSpec) -> str:
    """Two windows of a day that overlap, in words. Raises ValueError for hours of another form."""
    from simulator.clock import parse_hours

    windows = sorted((*parse_hours(text), text) for text in set(spec.hours))
    return next((f"{a[2]} and {b[2]}" for a, b in pairwise(windows) if b[0] < a[1]), "")


def _arrival_days(case: schema.CaseFile, spec: schema.CalendarSpec) -> Iterator[Finding]:
    arrivals = case.arrivals
    for day, weight in arrivals.weekday.items():
        if day not in spec.days and weight > 0:
            yield Finding("E213", f"arrivals.weekday.{day}", "is a closed day of the arrivals' calendar", "leave it out")
    weights = [arrivals.weekday.get(day, 1.0) for day in spec.days]
    if sum(weights) <= 0:
        yield Finding("E213", "arrivals.weekday", "no case ever comes", "give at least one open day a weight above 0")
        return
    if not _cases_come(case):
        yield Finding("E213", "target.weeks", "no case arrives in these weeks", "check the calendar of the arrivals")
    for rate, days in ((arrivals.per_month, 365.25 / 12), (arrivals.per_working_day, 7 / len(spec.days))):
        if rate is None:
            continue
        cv = max(float(arrivals.day_cv.in_arm(arm).uncertain().quantile([0.999])[0]) for arm in ARMS)
        place = "arrivals.per_month" if rate is arrivals.per_month else "arrivals.per_working_day"
        often = max(float(rate.in_arm(arm).uncertain().quantile([0.999])[0]) for arm in ARMS) / days
        busiest = often * 7 * max(weights) / sum(weights) * max(1.0, arrivals.month_end_factor) * (1 + 12 * cv)
        if busiest > MAX_CASES_A_DAY:
            message = f"the busiest day could bring {busiest:,.0f} cases; at most {MAX_CASES_A_DAY:,} can be simulated"
            yield Finding("E213", place, message, "model a part of the volume, or lower day_cv")
        weeks = case.run.warm_up_weeks + case.target.weeks[1] + case.run.run_out_weeks
        if (cases := often * 7 * weeks) > MAX_CASES_A_RUN:
            message = (
                f"could bring {cases:,.0f} cases in the {weeks} weeks of a run; at most {MAX_CASES_A_RUN:,} can be simulated"
            )
            yield Finding("E213", place, message, "model a part of the volume, or shorten target.weeks, warm-up or run-out")


def _cases_come(case: schema.CaseFile) -> bool:
    """Whether cases arrive in the target weeks and in the year after go-live that their number refers to."""
    from models.process import Horizon, calendar, schema_weekday

    first, last = case.target.weeks
    for horizon in (Horizon((first - 1) * WEEK, last * WEEK, first, last), Horizon(0, 365 * DAY, first, last)):
        starts = calendar(case, case.arrivals.calendar, horizon).starts
        days = {schema_weekday(case.go_live + timedelta(days=second // DAY)) for second in starts}
        if not any(case.arrivals.weekday.get(day, 1.0) > 0 for day in days):
            return False
    return True


def _breaks(case: schema.CaseFile) -> Iterator[Finding]:
    """Absences and outages must be far enough apart to be drawn one by one."""
    from models.compositions.build import law
    from models.parameters import sample
    from models.process import arm_columns, today_columns

    breaks = list(_between_breaks(case))
    draws = sample(case, 0, None) if breaks else None
    for path, spec in breaks:
        assert draws is not None
        parent, _, field = path.rpartition(".")
        for columns in (today_columns(draws), arm_columns(draws, PRODUCTION)):
            typical = float(law(columns.into(parent), field, spec).quantile([0.5]).min())
            if not typical >= SHORTEST_BREAK:
                remedy = f"at least {units.duration_text(SHORTEST_BREAK)} between two"
                yield Finding("E213", path, f"is typically {units.duration_text(typical)}", remedy)
                break


def _between_breaks(case: schema.CaseFile) -> Iterator[tuple[str, schema.Time]]:
    """Times between two absences or outages."""
    for name, team in case.teams.items():
        if team.absence is not None:
            yield f"teams.{name}.absence.every", team.absence.every
    for name, system in case.systems.items():
        if system.outage is not None:
            yield f"systems.{name}.outage.every", system.outage.every
    for step in case.steps:
        for i, level in enumerate(step.levels if isinstance(step, schema.Approval) else [], 1):
            if level.absence is not None:
                yield f"steps.{step.id}.levels.{i}.absence.every", level.absence.every


# -- money, sources, run settings


def _money(case: schema.CaseFile) -> Iterator[Finding]:
    for leaf in leaves(case):
        if not isinstance(leaf.parameter, schema.Money):
            continue
        for belief in (leaf.parameter, leaf.parameter.as_is, leaf.parameter.pilot, leaf.parameter.production):
            stated = belief.stated().values() if belief is not None else ()
            foreign = {units.currency(value) for value in stated} - {"", case.money.currency}
            if foreign:
                remedy = f"convert it, or set money.currency (now {case.money.currency})"
                yield Finding("E307", leaf.path, f"is in {sorted(foreign)[0]}; all amounts of a case are in one currency", remedy)
                break


def _sources(case: schema.CaseFile) -> Iterator[Finding]:
    stated = [(leaf.path, leaf.parameter.source, leaf.parameter.cite) for leaf in leaves(case)]
    parts = [
        *((f"teams.{name}", team) for name, team in case.teams.items()),
        *((f"systems.{name}", system) for name, system in case.systems.items()),
        *((f"steps.{step.id}", step) for step in case.steps),
    ]
    for start, part in parts:
        stated += [(place, law.source, law.cite) for place, law in _inside(part, start, schema.Empirical)]
    for place, source, cite in stated:
        if source == "benchmark" and not cite:
            yield Finding("E102", f"{place}.cite", "a benchmark needs its citation")


def _run(case: schema.CaseFile) -> Iterator[Finding]:
    after = case.target.weeks[1] + case.run.run_out_weeks
    if case.run.warm_up_weeks > after:
        message = f"{case.run.warm_up_weeks} weeks are longer than all that is simulated after go-live ({after} weeks)"
        yield Finding("E501", "run.warm_up_weeks", message, "take a shorter warm-up or later target weeks")


# -- steps


def _flow(case: schema.CaseFile) -> Iterator[Finding]:
    """Conditions that can never hold, and a list of steps that leads nowhere at its end."""
    for step in case.steps:
        when = step.when if isinstance(step, schema.Choice | schema.Flag) else []
        for name in sorted({n for n in when if f"!{n}" in when}):
            yield Finding("E103", f"steps.{step.id}.when", f'"{name}" and "!{name}" exclude each other', "leave one of them out")
    last = case.steps[-1]
    if last.leads_on() and last.next is None:
        yield Finding(
            "E102", f"steps.{last.id}.next", "the last step of the list has no following step", 'end the list with kind = "end"'
        )
    joins = {s.id for s in case.steps if isinstance(s, schema.JoinStep)}
    for name in case.baseline.places if case.baseline else ():
        if name in joins:
            yield Finding("E103", f"baseline.places.{name}", "no days can lie at a join", "name the step after it")


def _unused(case: schema.CaseFile) -> Iterator[Finding]:
    used = {(r.kind, r.name) for r in references(case.model_dump(mode="json", exclude_unset=True))}
    uses = ("no step uses it", "remove it or use it")
    tables = (("team", case.teams, uses), ("calendar", case.calendars, uses), ("system", case.systems, uses))
    for kind, names, said in (*tables, ("source", case.sources, ("nothing cites it", "remove it, or name it in a cite"))):
        for name in names:
            if (kind, name) not in used:
                yield Finding("E106", f"{kind}s.{name}", *said)
    if not any(isinstance(step, schema.Ai) for step in case.steps):
        for name in ("ai_cost_per_case", "cost_of_error_never_found"):
            if getattr(case.money, name) is not None:
                yield Finding("E106", f"money.{name}", "no step is an AI step", "remove it")


_WORDS = (("fork", "parallel step"), ("goto", "again"), ("mark", "flag"), ("pool", "team"), ("endpoint", "system"))


def check_structure(case: schema.CaseFile) -> list[Finding]:
    """What only putting the steps together shows, in any arm; for a case without other problems."""
    from models import parameters, process
    from simulator.checks import WorkflowError
    from simulator.program import lower

    horizon = process.full_horizon(case)
    found: list[Finding] = []
    try:
        lower(process.build(case, _all_arms(parameters.sample(case, 0, None)), horizon), horizon.begin, horizon.stop)
    except WorkflowError as error:
        found = list(dict.fromkeys(_in_words(p.place, p.message) for p in error.problems))
    return [*_unused(case), *found]


def _all_arms(draws: Draws) -> Scope:
    """The three arms as three draws, so that the steps are put together once."""
    live, pilot, today = draws.columns(PRODUCTION), draws.columns(PILOT), draws.today()

    def stacked(*arms: dict[str, Floats]) -> dict[str, Floats]:
        return {path: np.concatenate([arm[path] for arm in arms]) for path in today}

    return Scope("", stacked(live, pilot, today), stacked(today, today, today), stacked(pilot, pilot, pilot))


def _in_words(place: str, message: str) -> Finding:
    """A problem of the simulator's workflow at the step of the case file that it belongs to."""
    head, _, rest = place.partition(".")
    step = rest.split(".")[0].split("[")[0]
    place = f"{head}.{step}" if step else place
    if "cannot be reached" in message:
        return Finding("E401", place, "no step leads to it", "remove it, or name it in the next of another step")
    if "cannot end" in message:
        names = [name.split(".")[0] for name in message.split(": ", 1)[1].partition(";")[0].split(" → ")]
        loop = " → ".join(name for i, name in enumerate(names) if i == 0 or name != names[i - 1])
        return Finding(
            "E402",
            place,
            f"a loop that cannot end: {loop}",
            'lead one of its ways back through a step of kind = "again" with a limit',
        )
    for word, plain in _WORDS:
        message = message.replace(word, plain)
    return Finding("E403", place, message)
