"""Checks of a case that need the whole of it: names that must exist, shares that must add up, steps that must fit together."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from models import schema
from models.parameters import leaves

SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: stable code, place, what is wrong, what would be right."""

    code: str
    place: str
    message: str
    remedy: str = ""


def check(case: schema.CaseFile) -> list[Finding]:
    """All problems of a case; the structure is only lowered when the names are right."""
    found = [*_duplicates(case), *_references(case), *_sums(case), *_ranges(case), *_sources(case)]
    if not found:
        found = [*_structure(case), *_unused(case)]
    return found


def _hint(name: str, known: Iterable[str]) -> str:
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(options)}" if options else "none is defined"


def _duplicates(case: schema.CaseFile) -> Iterator[Finding]:
    ids = [s.id for s in case.steps]
    for name in sorted({i for i in ids if ids.count(i) > 1}):
        yield Finding("E105", f"steps.{name}", "this id is used by more than one step", "rename one of them")


def _references(case: schema.CaseFile) -> Iterator[Finding]:
    ids = {s.id for s in case.steps}
    for step, place, kind, name in _names_in(case):
        known = {
            "step": ids,
            "team": set(case.teams),
            "calendar": set(case.calendars),
            "system": set(case.systems),
            "type": set(case.types),
            "ai": {s.id for s in case.steps if isinstance(s, schema.Ai)},
            "flag": _flags(case),
            "source": set(case.sources),
        }[kind]
        if name not in known:
            yield Finding("E104", f"{step}{place}", f'no {kind} "{name}"', _hint(name, known))


def _flags(case: schema.CaseFile) -> set[str]:
    from models.compositions.ai import accepted_mark, handled_mark, wrong_mark

    flags = {s.flag for s in case.steps if isinstance(s, schema.Flag)}
    for s in case.steps:
        if isinstance(s, schema.Ai):
            flags |= {accepted_mark(s.id), handled_mark(s.id), wrong_mark(s.id)}
            flags |= {f"{s.id}.quality.{q}" for q in s.quality}
        elif isinstance(s, schema.Desk):
            flags.add(f"{s.id}.escalated")
        elif isinstance(s, schema.SystemCall):
            flags.add(f"{s.id}.failed")
        elif isinstance(s, schema.Review):
            flags.add(f"{s.id}.caught")
    return flags


def _names_in(case: schema.CaseFile) -> Iterator[tuple[str, str, str, str]]:
    """Every reference of the file: (place of its owner, field, kind of thing, name)."""
    for name, team in case.teams.items():
        yield f"teams.{name}", ".calendar", "calendar", team.calendar
        for i, shift in enumerate(team.shifts):
            yield f"teams.{name}", f".shifts.{i + 1}.calendar", "calendar", shift.calendar
    for name, system in case.systems.items():
        if system.downtime is not None:
            yield f"systems.{name}", ".downtime", "calendar", system.downtime
    yield "arrivals", ".calendar", "calendar", case.arrivals.calendar
    for place in case.baseline.places if case.baseline else ():
        yield "baseline.places", f".{place}", "step", place
    for step in case.steps:
        yield from ((f"steps.{step.id}", *rest) for rest in _names_of_step(step))
    for leaf in leaves(case):
        if leaf.parameter.cite and case.sources:
            yield leaf.path, ".cite", "source", leaf.parameter.cite


_FIELD_KINDS = {
    "next": "step", "on_limit": "step", "otherwise": "step", "to": "step", "manual": "step", "accepted": "step",
    "referred": "step", "caught": "step", "failed": "step", "rejected": "step", "join": "step", "team": "team",
    "clock": "calendar", "calendar": "calendar", "looks": "calendar", "feed": "calendar", "system": "system",
    "of": "ai", "spoils": "ai", "unavailable": "step",
}  # fmt: skip


def _names_of_step(node: object, path: str = "") -> Iterator[tuple[str, str, str]]:
    """References inside a step: (field, kind of thing, name)."""
    if isinstance(node, schema.Parameter) or not isinstance(node, schema.Strict):
        return
    for field in type(node).model_fields:
        value, place = getattr(node, field), f"{path}.{field}"
        if (
            field in _FIELD_KINDS
            and isinstance(value, str)
            and not (isinstance(node, schema.ApprovalLevel) and field == "on_limit")
        ):
            yield place, _FIELD_KINDS[field], value
        elif field == "branches":
            yield from ((f"{place}.{i + 1}", "step", name) for i, name in enumerate(value))
        elif field == "when":
            yield from ((place, "flag", name.removeprefix("!")) for name in value)
        elif isinstance(node, schema.ShareByType) and field == "types":
            yield from ((path, "type", name) for name in value)
        elif field == "type_effect":
            yield from ((place, "type", name) for name in value)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                yield from _names_of_step(item, f"{place}.{i + 1}")
        elif isinstance(value, dict):
            for key, item in value.items():
                yield from _names_of_step(item, f"{place}.{key}")
        else:
            yield from _names_of_step(value, place)


def _sums(case: schema.CaseFile) -> Iterator[Finding]:
    shares = {name: spec.share.uncertain().median for name, spec in case.types.items()}
    fixed = all(spec.share.value is not None for spec in case.types.values())
    total = sum(shares.values())
    if abs(total - 1) > (SUM_TOLERANCE if fixed else 0.02):
        listed = ", ".join(f"{name} {value:.3g}" for name, value in shares.items())
        yield Finding("E211", "types share", f"adds up to {total:.4g}, must be 1", f"({listed})")
    for step in case.steps:
        if isinstance(step, schema.Choice):
            yield from _option_sums(case, step)


def _option_sums(case: schema.CaseFile, step: schema.Choice) -> Iterator[Finding]:
    for i, option in enumerate(step.options[:-1]):
        if option.share is None:
            yield Finding("E102", f"steps.{step.id}.options.{i + 1}.share", "is missing", "only the last option goes without")
    if step.options[-1].share is not None:
        place = f"steps.{step.id}.options.{len(step.options)}.share"
        yield Finding("E103", place, "the last option takes the remainder", "leave its share out")
    for name in case.types:
        total = sum(_median_share(option.share, name) for option in step.options[:-1] if option.share)
        if total > 1 + SUM_TOLERANCE:
            yield Finding("E211", f"steps.{step.id}.options", f'shares of type "{name}" add up to {total:.4g}, more than 1')


def _median_share(share: schema.ShareByType, name: str) -> float:
    parameter = share.all or share.types.get(name)
    return parameter.in_arm("production").uncertain().median if parameter else 0.0


_POSITIVE = (
    "headcount",
    "per_month",
    "per_working_day",
    "half_life_weeks",
    "weeks",
    "scale_weeks",
    "calls_per_minute",
    "size",
    "factor",
    "cv",
    "shape",
    "p90",
    "median",
    "scale",
)


def _ranges(case: schema.CaseFile) -> Iterator[Finding]:
    for leaf in leaves(case):
        name = leaf.path.rpartition(".")[2]
        for arm in ("as_is", "pilot", "production"):
            belief = leaf.parameter.in_arm(arm)
            value = belief.uncertain().median
            if name in _POSITIVE and value <= 0 and not (name == "headcount" and value == 0 and arm != "as_is"):
                yield Finding("E213", leaf.path, f"is {value:g}, must be above 0")
                break
    for step in case.steps:
        if isinstance(step, schema.Ai):
            yield from _ai_ranges(step)
    yield from _calendars(case)


def _ai_ranges(step: schema.Ai) -> Iterator[Finding]:
    coverage, error = step.coverage.in_arm("pilot").uncertain().median, step.accepted_error.in_arm("pilot").uncertain().median
    accuracy = step.accuracy.in_arm("pilot").uncertain().median ** (step.fields if step.measured == "per_field" else 1)
    if error > coverage or error > 1 - accuracy:
        yield Finding(
            "E213", f"steps.{step.id}.accepted_error", f"{error:.3g} exceeds the coverage {coverage:.3g} or the pilot's error rate {1 - accuracy:.3g}",
            "it is the share of all outputs that were accepted and wrong",
        )  # fmt: skip
    if coverage - error > accuracy:
        yield Finding(
            "E213",
            f"steps.{step.id}.coverage",
            f"{coverage:.3g} accepted, of which more right than the accuracy {accuracy:.3g} allows",
        )


def _calendars(case: schema.CaseFile) -> Iterator[Finding]:
    from models.process import calendar, full_horizon

    for name in case.calendars:
        try:
            calendar(case, name, full_horizon(case))
        except ValueError as error:
            yield Finding("E213", f"calendars.{name}", str(error))
    days = set(case.calendars[case.arrivals.calendar].days) if case.arrivals.calendar in case.calendars else set()
    for day in case.arrivals.weekday:
        if day not in days and case.arrivals.weekday[day] > 0 and days:
            yield Finding("E213", f"arrivals.weekday.{day}", "is a closed day of the arrivals' calendar", "leave it out")


def _sources(case: schema.CaseFile) -> Iterator[Finding]:
    for leaf in leaves(case):
        if leaf.parameter.source == "benchmark" and not leaf.parameter.cite:
            yield Finding("E102", f"{leaf.path}.cite", "a benchmark needs its citation")


def _structure(case: schema.CaseFile) -> Iterator[Finding]:
    """The problems that lowering finds, in the words of the case file."""
    from models import parameters, process
    from simulator.checks import WorkflowError
    from simulator.program import lower

    last = case.steps[-1]
    if not isinstance(last, schema.EndStep | schema.Again | schema.Parallel | schema.Ai) and last.next is None:
        yield Finding(
            "E102", f"steps.{last.id}.next", "the last step of the list has no following step", 'end the list with kind = "end"'
        )
        return
    draws = parameters.sample(case, 0, None)
    horizon = process.full_horizon(case)
    try:
        lower(process.build(case, process.arm_columns(draws, frozenset()), horizon), horizon.begin, horizon.stop)
    except WorkflowError as error:
        for problem in error.problems:
            code = "E401" if "cannot be reached" in problem.message else "E402" if "cannot end" in problem.message else "E403"
            remedy = 'use kind = "again" with a limit' if code == "E402" else ""
            yield Finding(code, problem.place, problem.message.replace("; lead it through a goto with a limit", ""), remedy)


def _unused(case: schema.CaseFile) -> Iterator[Finding]:
    used = {(kind, name) for _, _, kind, name in _names_in(case)}
    used |= {("team", level.team) for s in case.steps if isinstance(s, schema.Desk) for level in s.levels}
    for kind, names in (("team", case.teams), ("calendar", case.calendars), ("system", case.systems)):
        for name in names:
            if (kind, name) not in used:
                yield Finding("E106", f"{kind}s.{name}", "no step uses it", "remove it or use it")
