"""What differs between two cases, by meaning: units, layout, labels and notes make no difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from models import schema, units
from models.uncertainty import PARSERS
from scenarios.report import words

NOTHING = "–"
_NO_MEANING = {
    "schema_version", "name", "title", "description", "extends", "label", "sources", "case_word", "cases_word", "cite", "note", "owner",
    "grade", "inherited", "export", "next",
}  # fmt: skip
_TRANSPARENT = {"law", "all"}
_QUANTITIES = {"value", "low", "likely", "high", "mean", "sd"}

Difference = tuple[str, str, str]


def differences(a: schema.CaseFile, b: schema.CaseFile) -> list[Difference]:
    """(place, first, second) of all that differs; places are parameter paths. A source that was only inherited is no difference."""
    return list(_models(a, b, ""))


def _compare(a: Any, b: Any, place: str) -> Iterator[Difference]:
    if isinstance(a, schema.Parameter) and isinstance(b, schema.Parameter):
        yield from _parameters(a, b, place)
    elif _of_other_form(a, b):
        yield place, short(a), short(b)
    elif isinstance(a, BaseModel):
        yield from _models(a, b, place)
    elif isinstance(a, Mapping):
        yield from _tables(a, b, place)
    elif place == "steps":
        yield from _steps(a, b)
    elif isinstance(a, Sequence) and not isinstance(a, str) and any(isinstance(item, BaseModel) for item in (*a, *b)):
        numbered = [{str(i): item for i, item in enumerate(items, 1)} for items in (a, b)]
        yield from _tables(numbered[0], numbered[1], place)
    elif _meaning(a) != _meaning(b):
        yield place, short(a), short(b)


def _of_other_form(a: Any, b: Any) -> bool:
    if isinstance(a, schema.ShareByType) and isinstance(b, schema.ShareByType):
        return (a.all is None) != (b.all is None)
    return type(a) is not type(b) and not (isinstance(a, int | float) and isinstance(b, int | float))


def _models(a: BaseModel, b: BaseModel, place: str) -> Iterator[Difference]:
    copied = getattr(a, "inherited", "") or getattr(b, "inherited", "")
    for field in type(a).model_fields:
        if field not in _NO_MEANING and not (copied and field == "source"):
            yield from _compare(getattr(a, field), getattr(b, field), place if field in _TRANSPARENT else _join(place, field))


def _tables(a: Mapping[str, Any], b: Mapping[str, Any], place: str) -> Iterator[Difference]:
    for key in [*a, *(key for key in b if key not in a)]:
        inner = _join(place, key)
        if ".changes." in place and key in _NO_MEANING:  # the values of an option are plain data
            continue
        if key in a and key in b:
            yield from _compare(a[key], b[key], inner)
        else:
            yield inner, short(a.get(key)), short(b.get(key))


def _steps(a: Sequence[schema.Step], b: Sequence[schema.Step]) -> Iterator[Difference]:
    """Steps by id; the order of the list counts only in what follows what."""
    if a[0].id != b[0].id:
        yield "steps", f"starts with {a[0].id}", f"starts with {b[0].id}"
    first, second = ({step.id: step for step in steps} for steps in (a, b))
    after = [{x.id: y.id for x, y in pairwise(steps)} for steps in (a, b)]
    yield from _tables(first, second, "steps")
    for name in first:
        if name in second:
            ways = [
                s[name].next or f.get(name, "") if s[name].leads_on() else "" for s, f in zip((first, second), after, strict=True)
            ]
            if ways[0] != ways[1]:
                yield f"steps.{name}.next", ways[0] or NOTHING, ways[1] or NOTHING


def _parameters(a: schema.Parameter, b: schema.Parameter, place: str) -> Iterator[Difference]:
    if a.cause != b.cause or any(_belief(a.in_arm(arm)) != _belief(b.in_arm(arm)) for arm in schema.ARMS):
        yield place, words.parameter(a), words.parameter(b)
    if a.source != b.source and not (a.inherited or b.inherited):
        yield f"{place}.source", a.source, b.source


def _belief(stated: schema.Belief) -> tuple[object, ...]:
    """What is stated, in base units."""
    parse = PARSERS[stated.dimension]
    fields = stated.stated().items()
    return tuple(f"{parse(value):.12g}" if key in _QUANTITIES and value is not None else value for key, value in fields)


def _meaning(value: object) -> object:
    """A plain value; durations and shares as numbers, so that `48 h` is `2 d`."""
    if isinstance(value, str):
        for parse in (units.seconds, units.share):
            try:
                return f"{parse(value):.12g}"
            except units.UnitError:
                continue
    if isinstance(value, list | tuple):
        return tuple(_meaning(item) for item in value)
    return value


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def short(value: object) -> str:
    """A value in few words."""
    match value:
        case None | "":
            return NOTHING
        case schema.Parameter():
            return words.parameter(value)
        case schema.Time():
            return words.time(value)
        case schema.ShareByType():
            return words.shares(value)
        case schema.StepBase():
            return f"{getattr(value, 'kind', 'step')} ({value.label})" if value.label else str(getattr(value, "kind", "step"))
        case schema.Team():
            return f"{words.parameter(value.headcount)} people"
        case schema.CaseType():
            return f"share {words.parameter(value.share)}"
        case BaseModel() if hasattr(value, "kind"):
            return words.law(value)
        case BaseModel():
            return "given"
        case list() | tuple():
            return ", ".join(short(item) for item in value) if len(value) <= 12 else f"{len(value)} values"
        case bool():
            return str(value).lower()
        case _:
            return words.quantity(value)
