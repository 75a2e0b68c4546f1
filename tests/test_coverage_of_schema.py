"""Everything that the case format offers is used by at least one shipped scenario, so that it is run, shown and kept working."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel

from models import schema
from scenarios.catalogue import shipped_names
from scenarios.files import load

NOT_SHIPPED = {
    ("CaseFile", "what_if"): "a shipped scenario is a case, not a trial; tests/test_what_if.py",
    **{("WhatIf", field): "as above" for field in ("title", "changes")},
    **{("Change", field): "as above" for field in ("set", "add", "times", "logit")},
    ("CaseFile", "extends"): "shipped scenarios stand alone; tests of their own",
    ("Parameter", "inherited"): "written by `extends`, never by hand",
    ("Empirical", "inherited"): "written by `extends`, never by hand",
    ("Empirical", "owner"): "nobody answers for the quantiles of the examples",
    ("Parameter", "source", "elicited"): "nobody was asked for the examples: their ranges are guesses and say so",
    ("Empirical", "source", "elicited"): "as above",
    ("Empirical", "source", "benchmark"): "no source gives the quantiles of a single firm",
    ("Parameter", "grade", "U"): "a figure of an uncertain source is not shipped",
    ("Ai", "type_shift"): "nobody measured one for the examples; evidence brings it: tests/test_fit_accuracy.py",
    ("Target", "statistic", "median"): "three scenarios hold three statistics at most; tests/test_outcomes.py",
    ("Target", "statistic", "p90"): "as above",
}
"""What no shipped scenario uses, with the reason: (model, field) or (model, field, value)."""


def family(kind: type[BaseModel], field: str) -> str:
    """All uncertain numbers are one family: what they can state is the same. So are the fields that all steps have."""
    if issubclass(kind, schema.StepBase) and field in schema.StepBase.model_fields:
        return "StepBase"
    return "Parameter" if issubclass(kind, schema.Belief) else kind.__name__


def used(node: Any) -> Iterator[tuple[str, ...]]:
    """Every field that a case states, and every word chosen from a list."""
    if isinstance(node, BaseModel):
        for name in node.model_fields_set:
            value = getattr(node, name)
            if value is None or value in ("", {}, []):
                continue
            model = family(type(node), name)
            yield (model, name)
            yield from ((model, name, word) for word in _words(value))
            yield from used(value)
    elif isinstance(node, dict):
        for item in node.values():
            yield from used(item)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from used(item)


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return [value] if isinstance(value, str) else []


def offered(kind: Any, seen: set[Any]) -> Iterator[tuple[str, ...]]:
    """Every field of every model that a case can hold, and every word of its lists of words."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if kind not in seen:
            seen.add(kind)
            for name, field in kind.model_fields.items():
                model = family(kind, name)
                yield (model, name)
                yield from ((model, name, word) for word in _choices(field.annotation))
                yield from offered(field.annotation, seen)
        return
    for inner in get_args(kind):
        yield from offered(inner, seen)


def _choices(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) is not dict:
        for inner in get_args(annotation):
            if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
                yield from _choices(inner)


@pytest.fixture(scope="module")
def shipped() -> set[tuple[str, ...]]:
    return {found for name in shipped_names() for found in used(load(name).case)}


OFFERED = sorted(set(offered(schema.CaseFile, set())))


def test_the_walk_finds_the_format():
    assert {("Ai", "measured", "per_field"), ("Wait", "on", "inbox"), ("ApprovalLevel", "on_limit", "approve")} <= set(OFFERED)
    assert {("Parameter", "effective"), ("Staleness", "feed"), ("Reminder", "multiplier"), ("Mixture", "weights")} <= set(OFFERED)
    assert len(OFFERED) > 200


def test_every_option_of_the_format_is_shipped(shipped):
    unused = [o for o in OFFERED if o not in shipped and o not in NOT_SHIPPED]
    assert unused == []


def test_every_exception_is_needed(shipped):
    assert [e for e in NOT_SHIPPED if e in shipped or e not in OFFERED] == []


def test_every_kind_of_step_is_shipped():
    kinds = {step.kind for name in shipped_names() for step in load(name).case.steps}
    assert kinds == {word for model, field, *words in OFFERED for word in words if field == "kind" and model in _steps()}


def _steps() -> set[str]:
    union = get_args(schema.Step)[0]
    return {kind.__name__ for kind in get_args(union)}


LAWS = {"constant", "exponential", "lognormal", "gamma", "weibull", "uniform", "triangular", "pert", "empirical", "mixture"}


def test_every_distribution_is_shipped(shipped):
    assert {words[0] for _, field, *words in shipped if field == "kind" and words and words[0] in LAWS} == LAWS
    assert {("Lognormal", "median"), ("Lognormal", "mean")} <= shipped


def test_every_form_of_a_belief_is_shipped(shipped):
    """A fixed value, low/likely/high with a mass and with absolute limits, counts with an effective share, mean and sd."""
    assert {("Parameter", form) for form in ("value", "low", "mass", "right", "effective", "mean", "sd")} <= shipped
    masses = {p.mass for name in shipped_names() for p in _beliefs(load(name).case)}
    assert {1.0, 0.9} < masses


def _beliefs(node: Any) -> Iterator[schema.Belief]:
    if isinstance(node, schema.Belief):
        yield node
    if isinstance(node, BaseModel):
        for name in type(node).model_fields:
            yield from _beliefs(getattr(node, name))
    elif isinstance(node, dict | list | tuple):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _beliefs(item)


def test_one_team_works_in_shifts_and_two_ai_steps_share_a_case():
    case = load("claims_intake").case
    assert sum(isinstance(step, schema.Ai) for step in case.steps) == 2
    assert any(team.shifts for team in case.teams.values())
    assert any(len(step.levels) == 3 for step in case.steps if isinstance(step, schema.Desk))
