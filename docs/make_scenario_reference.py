"""Writes docs/scenario-reference.md: every table and kind of step of a case file, made from the schema."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from models import schema
from models.references import FIELDS, LISTS
from models.units import UNITS_TEXT
from scenarios.report import words

PAGE = Path(__file__).resolve().parent / "scenario-reference.md"
INTRO = f"""\
# The case file

A case is one TOML file. This page lists every key; `pilotproof scenario schema` prints the same as JSON Schema for editors. An unknown
key is an error, a key that has no effect without another one is an error too: nothing is silently ignored.
[`examples/small.toml`](examples/small.toml) is the smallest useful case, `pilotproof scenario new my_case.toml` starts from a whole one.
The page is made from the schema by `docs/make_scenario_reference.py`.

- **Durations** are text with a unit: `"45 min"`, `"2.5 d"` ({UNITS_TEXT}). Without a unit they are an error.
- **Shares** are numbers from 0 to 1 or per cent: `0.08`, `"8 %"`. **Amounts** may carry the case's currency: `"9.40 USD"`.
- **Names** are lower-case letters, digits and `_`, and start with a letter. Names of steps, teams, calendars … must exist.
- **Weeks** are counted from go-live: week 1 is the first after it.
- Whatever says *number*, *duration*, *share* or *amount* below can be one value or a table that says how sure it is and where it comes
  from: see [Numbers that are not certain](#numbers-that-are-not-certain).

## A case that extends another one

With `extends = "invoice_processing"` (a shipped name, or a file beside this one) a file holds only the differences. Tables are merged key
by key; a table that states a value replaces the whole value; lists are replaced, except `steps`: a step with a known `id` changes
that step, a new one also says `after = "entry"`. Everything taken over counts as a guess and says from where (`inherited`).
`pilotproof scenario new my_case.toml --extends` writes such a file, `pilotproof scenario diff A B` shows what differs.

## A what-if of a case

A what-if changes numbers of the time after go-live and nothing else: today stays as it is, and what is uncertain stays uncertain, because
every drawn value is moved by the same rule. The page *What if* of the app writes such files; every command takes one as the case, and
`pilotproof compare invoice_processing faster.toml --draws 200` tells what it is worth.

```toml
schema_version = 1
what_if_of = "invoice_processing"        # a shipped name, a file, or a case folder (with what its evidence taught)
title = "One more reviewer, a better AI"

[changes]
"teams.reviewers.headcount" = {{ add = 1 }}              # people
"steps.send_to_ai.shift" = {{ add = 0.9 }}               # accuracy live, on the logit scale
"steps.send_to_ai.threshold" = {{ add = -0.3 }}          # accept less: standard deviations of the score
"steps.send_to_ai.left_out.non_po_large" = {{ set = 1 }} # this type stays with people
"steps.approve.levels.1.response.median" = {{ times = 0.5 }}
```

Beside the parameters of the case an AI step has three places that only a what-if knows: `threshold`, `left_out.TYPE` and `type_shift.TYPE` (accuracy of
one type). A parameter with a cause changes live; one without changes after go-live in every world. What today has too (types, arrivals, the
baseline) belongs to another case.
"""
UNCERTAIN = """\
```toml
headcount = 4                                                                          # certain, and a guess: no source is stated
catch = { low = 0.7, likely = 0.88, high = 0.96, source = "elicited", owner = "AP lead" }
accuracy = { right = 368, tried = 400, effective = 0.6, source = "measured", cite = "pilot_report" }
shift = { mean = -0.45, sd = 0.25, source = "guess" }
resolves = { as_is = 0.75, pilot = 0.85, production = 0.75, cause = "organisation", source = "guess" }
```

Exactly one form: `value`; or `low`, `likely`, `high` (and `mass`); or `right`, `tried` (and `effective`), for shares; or `mean`, `sd`.
An elicited share is a Beta distribution with its mode at `likely`, a duration or number a lognormal with that mode, an accuracy a normal
on the logit scale with its median there; `mass = 1` makes the limits absolute (PERT). Instead of one value there can be one for each
arm: `pilot`, `production` and, if today differs from live, `as_is`, with the `cause` that leads from the one to the other.
"""
TOP, NUMBERS, LAWS, STEPS, PARTS = (
    "Tables",
    "Numbers that are not certain",
    "Distributions of durations",
    "Steps",
    "Parts of steps",
)
SECTIONS: dict[str, tuple[type[schema.Strict], ...]] = {
    TOP: (
        schema.CaseFile, schema.Target, schema.Baseline, schema.Place, schema.RunSpec, schema.MoneySpec, schema.CalendarSpec,
        schema.CaseType, schema.ArrivalsSpec, schema.Team, schema.TeamShift, schema.HeadcountChange, schema.AbsenceSpec, schema.System,
        schema.OutageSpec, schema.GoLiveOption, schema.WhatIf, schema.Change,
    ),
    NUMBERS: (schema.Parameter, schema.ShareByType),
    LAWS: (
        schema.Time, schema.Constant, schema.Exponential, schema.Lognormal, schema.Gamma, schema.Weibull, schema.Uniform,
        schema.Triangular, schema.Empirical, schema.Mixture,
    ),
    STEPS: (
        schema.StepBase, schema.Work, schema.Wait, schema.Choice, schema.Flag, schema.Ai, schema.Review, schema.Discovery, schema.Desk,
        schema.Approval, schema.SystemCall, schema.GateStep, schema.Collect, schema.Parallel, schema.JoinStep, schema.Again,
        schema.EndStep,
    ),
    PARTS: (
        schema.Learning, schema.Reminder, schema.Option, schema.Adoption, schema.Quality, schema.Drift, schema.Outside, schema.DeskLevel,
        schema.Support, schema.ApprovalLevel, schema.Staleness,
    ),
}  # fmt: skip
HEADINGS: dict[type[schema.Strict], str] = {
    schema.CaseFile: "The top level", schema.Target: "[target]", schema.Baseline: "[baseline]", schema.Place: "[baseline.places.STEP]",
    schema.RunSpec: "[run]", schema.MoneySpec: "[money]", schema.CalendarSpec: "[calendars.NAME]", schema.CaseType: "[types.NAME]",
    schema.ArrivalsSpec: "[arrivals]", schema.Team: "[teams.NAME]", schema.TeamShift: "shift", schema.HeadcountChange: "change",
    schema.AbsenceSpec: "absence", schema.System: "[systems.NAME]", schema.OutageSpec: "outage", schema.GoLiveOption: "[options.NAME]",
    schema.WhatIf: "[what_if]", schema.Change: "[what_if.changes]", schema.Parameter: "number, duration, share, amount",
    schema.ShareByType: "share by type", schema.Time: "time", schema.StepBase: "Every step",
}  # fmt: skip
PLAIN = {
    schema.Number: "number", schema.Positive: "number above 0", schema.NotNegative: "number, not negative", schema.Headcount: "people",
    schema.Logit: "logit difference", schema.Duration: "duration", schema.PositiveDuration: "duration above 0", schema.Share: "share",
    schema.Accuracy: "share", schema.Money: "amount", str: "text", int: "whole number", float: "number", bool: "true or false",
}  # fmt: skip


def heading(model: type[schema.Strict]) -> str:
    """The heading of a table: its place in the file, the kind of a step or distribution, or its name."""
    if model in HEADINGS:
        return HEADINGS[model]
    if "kind" in model.model_fields:
        return " and ".join(f'kind = "{kind}"' for kind in get_args(model.model_fields["kind"].annotation))
    return "".join(f" {c.lower()}" if c.isupper() else c for c in model.__name__).strip()


def link(model: type[schema.Strict]) -> str:
    """A link to a table of this page."""
    text = heading(model)
    anchor = "".join(c for c in text.lower().replace(" ", "-") if c.isalnum() or c in "-_")
    return f"[{text.replace('[', '').replace(']', '')}](#{anchor})"


def type_text(kind: Any, key: str, metadata: list[Any]) -> str:
    """The type of a key in words."""
    if get_origin(kind) is Annotated:
        return type_text(get_args(kind)[0], key, [*metadata, *get_args(kind)[1:]])
    options = [option for option in get_args(kind) if option is not NoneType]
    if get_origin(kind) in (Union, UnionType):
        if set(options) == {float, str}:
            return "value with unit"
        return " or ".join(dict.fromkeys(type_text(option, key, metadata) for option in options))
    if get_origin(kind) is Literal:
        return " · ".join(f"`{option}`" for option in options)
    if any(getattr(item, "func", None) is schema.Span.__metadata__[0].func for item in metadata):  # type: ignore[attr-defined]
        return "duration"
    if key == "steps":
        return "list of [steps](#steps)"
    if get_origin(kind) is list:
        return f"name of a {LISTS[key]}, a list" if key in LISTS else f"list of {type_text(options[0], key, [])}"
    if get_origin(kind) is tuple:
        return f"[{', '.join(type_text(option, '', []) for option in options)}]"
    if get_origin(kind) is dict:
        return f"table: name → {type_text(options[1], '', [])}"
    if kind is str and key in FIELDS:
        return f"name of {'an' if FIELDS[key][0] in 'aeiou' else 'a'} {FIELDS[key]}"
    if kind in PLAIN:
        return PLAIN[kind] + limits_text(metadata)
    if inspect.isclass(kind) and issubclass(kind, schema.Belief):
        return "value in one of the forms"
    if inspect.isclass(kind) and issubclass(kind, schema.Strict):
        return "time" if kind is schema.Time else link(kind)
    return "date" if kind.__name__ == "date" else str(kind.__name__)


def limits_text(metadata: list[Any]) -> str:
    """Limits of a plain number in words."""
    found = {
        name: getattr(item, name) for item in metadata for name in ("gt", "ge", "le") if getattr(item, name, None) is not None
    }
    if "gt" in found:
        return f" above {found['gt']:g}" + (f", at most {found['le']:g}" if "le" in found else "")
    if "le" in found:
        return f", {found.get('ge', 0):g} to {found['le']:g}"
    return f", at least {found['ge']:g}" if "ge" in found else ""


def default_text(field: FieldInfo) -> str:
    """The default of a key, "required" without one."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    match value:
        case None | "" | {} | []:
            return "–"
        case schema.ShareByType():
            return f"`{words.shares(value)}`"
        case schema.Parameter():
            return f"`{words.parameter(value)}`"
        case schema.Strict():
            return "its defaults"
        case bool():
            return f"`{str(value).lower()}`"
        case list() | tuple():
            return "`" + ", ".join(map(str, value)) + "`"
        case _:
            return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def keys_of(model: type[schema.Strict]) -> Iterator[str]:
    """The table of a model's keys; what every step has is listed once."""
    common = set(schema.StepBase.model_fields) if issubclass(model, schema.StepBase) and model is not schema.StepBase else set()
    names = [name for name in model.model_fields if name not in common and name not in ("kind", "law")]
    if not names:
        return
    yield "| key | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for name in names:
        field = model.model_fields[name]
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{name}` | {type_text(field.annotation, name, field.metadata)} | {default_text(field)} | {meaning} |"


def section(model: type[schema.Strict]) -> Iterator[str]:
    """One table of the case file."""
    yield f"### {heading(model)}"
    yield ""
    yield " ".join((inspect.getdoc(model) or "").split())
    notes = [f"`{name}` needs `{other}`" for name, other in model.needs.items()]
    if issubclass(model, schema.StepBase) and not model.goes_on:
        notes.append("takes no `next`")
    if notes:
        yield f"({'; '.join(notes)}.)"
    yield ""
    yield from keys_of(model)
    yield ""


def page() -> str:
    """The whole page."""
    lines = [INTRO]
    for title, models in SECTIONS.items():
        lines += [f"## {title}", ""]
        lines += [UNCERTAIN] if title == NUMBERS else []
        for model in models:
            lines += section(model)
    return "\n".join(lines).rstrip() + "\n"


def reachable(model: type[schema.Strict], seen: set[type[schema.Strict]]) -> set[type[schema.Strict]]:
    """All tables that a case file can hold."""
    if model not in seen:
        seen.add(model)
        for field in model.model_fields.values():
            for inner in _models(field.annotation):
                reachable(inner, seen)
    return seen


def _models(kind: Any) -> Iterator[type[schema.Strict]]:
    if inspect.isclass(kind) and issubclass(kind, schema.Strict):
        yield kind
    for option in get_args(kind):
        yield from _models(option)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
