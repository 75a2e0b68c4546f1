"""How many cases come, and of which types: the types of the scenario are replaced by those of the company."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from models.schema import CaseFile, Parameter, Share
from scenarios.interview import reading
from scenarios.interview.answers import TypeReply
from scenarios.interview.draft import ARMS, Data, Draft
from scenarios.interview.reading import AnswerError, Estimate
from scenarios.interview.structure import scaled, share_of_type, with_types
from scenarios.problems import nearest

MOST_A_MONTH = 100_000.0
MOST_PEOPLE = 10_000
RESERVED = {"all", "types", *Share.model_fields}


def volume(draft: Draft) -> None:
    """Cases a month, their types, and the people who work on them by hand."""
    _arrivals(draft)
    rows = draft.reply("volume", "types", tuple)
    if rows:
        _types(draft, rows)
    _people(draft)


def team_sizes(draft: Draft) -> None:
    """Teams whose size is open grow and shrink with the volume."""
    factor = _per_month(draft, draft.case()) / _per_month(draft, draft.original)
    if abs(factor - 1) > 1e-9:
        _scale_teams(draft, factor)


def _per_month(draft: Draft, case: CaseFile) -> float:
    arrivals = case.arrivals
    if arrivals.per_month is not None:
        return arrivals.per_month.uncertain().median
    assert arrivals.per_working_day is not None
    return arrivals.per_working_day.uncertain().median * 365.25 / 12 / draft.days_factor()


def _arrivals(draft: Draft) -> None:
    found = draft.reply("volume", "per_month", Estimate)
    if found is None:
        return
    often = float(found.uncertain().quantile([0.999])[0])
    if not (found.uncertain().lowest > 0 and often <= MOST_A_MONTH):
        message = f"must be above 0 and at most {MOST_A_MONTH:,.0f} cases a month (with this range up to {often:,.0f})"
        draft.refuse("volume.per_month", message, "model a part of the volume")
        return
    draft.data["arrivals"].pop("per_working_day", None)
    draft.state("arrivals.per_month", found, "volume.per_month")


# -- types


def _types(draft: Draft, rows: Sequence[TypeReply]) -> None:
    names = _ids(draft, rows)
    like = {name: _like(draft, row) for name, row in zip(names, rows, strict=True)}
    if draft.problems:
        return
    shares = _shares(draft, rows)
    specs: dict[str, Data] = {}
    for name, row, share in zip(names, rows, shares, strict=True):
        old = draft.data["types"][like[name]]
        piloted = old.get("piloted", True) if row.piloted is None else row.piloted
        if row.piloted is None:
            draft.assume(f'whether the pilot had "{row.name}" is not known: {"yes" if piloted else "no"} is assumed')
        said = draft.elicited(f"interview: {100 * share:.4g} %") if row.share is not None else {"source": "guess"}
        stated = {"value": share, **said}
        label = old.get("label", row.name) if name == row.name.lower() == like[name] else row.name
        specs[name] = {"label": label, "share": stated, "piloted": piloted, **_priority(old)}
    if not any(spec["piloted"] and spec["share"]["value"] > 0 for spec in specs.values()):
        draft.refuse("volume.types", "the pilot had cases of none of these types; at least one must have been in it")
        return
    _say_likeness(draft, rows, names, like)
    failure = "the types of cases could not be replaced: the example's types are kept"
    data = with_types(draft.data, specs, like)
    if draft.attempt(_with_levels(draft, data, names, rows), failure):
        draft.written["types"] = "volume.types"
        counts = [row.approvals for row in rows if row.approvals is not None]
        draft.type_levels = (max(counts), len(counts) == len(rows)) if counts and draft.roles.approval else None


def _priority(old: Mapping[str, Any]) -> Data:
    return {"priority": old["priority"]} if "priority" in old else {}


def _ids(draft: Draft, rows: Sequence[TypeReply]) -> list[str]:
    """Ids of the types: those of the example where the name is known there, else made of the name."""
    from scenarios.editing import name_of

    known = {name: str(spec.get("label", name)) for name, spec in draft.data["types"].items()}
    found: list[str] = []
    for row in rows:
        name = next((key for key, label in known.items() if row.name.lower() in (key, label.lower())), "")
        base = name = name or name_of(row.name)
        if base in RESERVED:
            base = name = f"type_{base}"
        number = 2
        while name in found:
            name, number = f"{base}_{number}", number + 1
        found.append(name)
    return found


def _like(draft: Draft, row: TypeReply) -> str:
    """The type of the scenario whose settings a type takes over: as said, the one of its name, or the most frequent."""
    known = {name: str(spec.get("label", name)) for name, spec in draft.data["types"].items()}
    for said in (row.like, row.name):
        with suppress(AnswerError):
            return reading.known_choice(said, known)
    if row.like:
        draft.refuse("volume.types", f'{row.name}: the example has no type "{row.like}"', nearest(row.like, known), code="E104")
    case = draft.case()
    piloted = [name for name, spec in case.types.items() if spec.piloted == (row.piloted is not False)] or list(case.types)
    return max(piloted, key=lambda name: case.types[name].share.in_arm("production").uncertain().median)


def _say_likeness(draft: Draft, rows: Sequence[TypeReply], names: Sequence[str], like: Mapping[str, str]) -> None:
    for row, name in zip(rows, names, strict=True):
        if not row.like and name not in draft.data["types"]:
            label = draft.data["types"][like[name]].get("label", like[name])
            draft.assume(f'"{row.name}" is new: what differs by type is taken from "{label}"')


def _shares(draft: Draft, rows: Sequence[TypeReply]) -> list[float]:
    """Shares that add up to exactly 1: open ones divide what is left."""
    given = [row.share for row in rows]
    left = max(0.0, 1 - sum(x for x in given if x is not None))
    missing = given.count(None)
    if missing:
        names = ", ".join(f'"{row.name}"' for row in rows if row.share is None)
        draft.assume(f"the share of {names} is not known: what is left ({100 * left:.3g} %) is divided evenly")
    shares = [left / missing if x is None else x for x in given]
    total = sum(shares)
    if abs(total - 1) > 1e-9:
        draft.assume(f"the shares add up to {100 * total:.4g} %: all are scaled to 100 %")
    exact = [round(x / total, 6) for x in shares]
    largest = exact.index(max(exact))
    exact[largest] = round(exact[largest] + 1 - sum(exact), 6)
    return exact


def _with_levels(draft: Draft, data: Data, names: Sequence[str], rows: Sequence[TypeReply]) -> Data:
    """Approvals by type, where it was said how many a type needs; levels are added as far as they are needed."""
    said = {name: row.approvals for name, row in zip(names, rows, strict=True) if row.approvals is not None}
    approval = draft.roles.approval
    if not said or not approval:
        return data
    from scenarios.interview.workflow import with_levels

    step = next(s for s in data["steps"] if s["id"] == approval)
    least = draft.reply("process", "levels", int) or (0 if len(said) == len(names) else len(step["levels"]))
    most = max(least, *said.values())
    step["levels"] = with_levels(step["levels"], max(most, 1))
    for number, level in enumerate(step["levels"], 1):
        by_type = {name: found for name in names if (found := share_of_type(level["needed"], name)) != 0.0}
        by_type |= {name: {"value": float(number <= count), **draft.elicited("")} for name, count in said.items()}
        level["needed"] = {"types": by_type}
    return data


# -- people


def _people(draft: Draft) -> None:
    people, team = draft.reply("volume", "people", int), draft.roles.entry
    if people is None:
        return
    if not team:
        draft.leave("the process has no work by hand: the number of people is not used")
    else:
        set_people(draft, team, people, "volume.people")


def set_people(draft: Draft, team: str, people: int, said: str) -> None:
    """The size of a team today, and live; a planned release takes as many away as in the example."""
    spec = draft.data["teams"][team]
    before = draft.case_median(f"teams.{team}.headcount", "as_is")
    draft.state(f"teams.{team}.headcount", {"value": people}, said)
    change = spec.get("change")
    if change:
        change["headcount"] = by_arm(draft, f"teams.{team}.change.headcount", lambda x: max(1, round(people + x - before)))
        draft.assume(f'the planned change of "{spec.get("label", team)}" after go-live is kept as in the example')
    draft.kept_heads.add(team)


def by_arm(draft: Draft, path: str, change: Any) -> Data:
    """A number by world as the example states it, with its middle values changed."""
    leaf: Parameter = draft.parameter(path)
    if leaf.cause is None:
        return {"value": change(leaf.uncertain().median), "source": "guess"}
    values: Data = {arm: change(leaf.in_arm(arm).uncertain().median) for arm in ARMS}
    return {**values, "cause": leaf.cause, "source": "guess"}


def _scale_teams(draft: Draft, factor: float) -> None:
    """Teams grow and shrink with the volume, so that nobody has more or less to do than in the example."""
    scaled_ones = []
    for name, spec in draft.data["teams"].items():
        if name in draft.kept_heads:
            continue
        scaled_ones.append(str(spec.get("label", name)))
        groups = [spec, *spec.get("shifts", []), *([spec["change"]] if "change" in spec else [])]
        for group in groups:
            group["headcount"] = _whole(scaled(group["headcount"], factor))
    if scaled_ones:
        draft.assume(f"teams are scaled with the volume (× {factor:.3g}), each at least one person: {', '.join(scaled_ones)}")


def _whole(stated: Any) -> Any:
    """Fixed numbers of people as whole ones; nobody stays nobody."""
    if isinstance(stated, Mapping):
        return {key: _whole(value) if key in ("value", *ARMS) else value for key, value in stated.items()}
    return min(max(1, round(stated)), MOST_PEOPLE) if stated > 0 else 0
