"""The controls of What if: a handful of numbers of the time after go-live, grouped by cause, and what moving one changes in the case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, log
from typing import Literal

import numpy as np

from models.leaves import leaves
from models.parameters import Floats, sample
from models.schema import Approval, Arm, CaseFile, Change, Desk, Review, SystemCall
from scenarios.study.ai_level import Level, level

Group = Literal["AI", "Scope", "Review", "Approvals and waits", "Systems", "People"]
GROUPS: dict[Group, str] = {
    "AI": "cause: data",
    "Scope": "cause: scope",
    "Review": "cause: organisation",
    "People": "cause: organisation",
    "Approvals and waits": "not changed by the AI",
    "Systems": "cause: integration",
}
ACCURACY, THRESHOLD = "accuracy", "accepted"
MOST_TYPES = 12
"""Types beyond these get no control of their own."""
BY_LEVEL = ("accuracy", "type", "threshold")
"""Operations that depend on how accurate the AI is now."""
Middle = Mapping[str, Mapping[Arm, Floats]]
Unit = Literal["%", "% of now", "people", "week", "yes or no"]


@dataclass(frozen=True, slots=True)
class Control:
    """One number that can be moved. now, low, high, step: as shown, in `unit` · fine: shown only when asked for.

    paths: what it changes · how: by which operation · scale: from what is shown to what the case means
    """

    id: str
    group: Group
    label: str
    unit: Unit
    now: float
    low: float
    high: float
    step: float
    help: str
    paths: tuple[str, ...] = ()
    how: Literal["logit", "times", "add", "set", "accuracy", "type", "threshold", "left_out"] = "logit"
    fine: bool = False
    type: str = field(default="")


def controls_of(case: CaseFile) -> tuple[Control, ...]:
    """All controls of a case, in the order of the page; `now` at the middle values."""
    found, middle = level(case), sample(case, 0, None).values
    ai = _ai(case, found, middle) if found is not None else ()
    scope = _scope(case, found) if found is not None else ()
    return (*ai, *scope, *_review(case, middle), *_people(case, middle), *_waits(case), *_systems(case, middle))


def changes_of(case: CaseFile, controls: Sequence[Control], settings: Mapping[str, float]) -> dict[str, Change]:
    """What settings (control → value as shown) change in a case. Raises ValueError that names a setting which cannot be used."""
    known, changes = {c.id: c for c in controls}, dict[str, Change]()
    found = level(case) if any(known[name].how in BY_LEVEL for name in settings if name in known) else None
    for name, value in settings.items():
        control = known.get(name)
        if control is None:
            raise ValueError(f'this case has no control "{name[:60]}"')
        if not control.low <= value <= control.high:
            raise ValueError(f"{control.label}: {value:g} is outside of {control.low:g} to {control.high:g}")
        if value != control.now:
            changes.update(dict.fromkeys(control.paths, _change(control, value, found)))
    return changes


def _change(control: Control, value: float, found: Level | None) -> Change:
    match control.how:
        case "accuracy" | "type" | "threshold":  # BY_LEVEL
            assert found is not None
            goal = value / 100
            moves = {"accuracy": found.shift_to, "threshold": found.threshold_to}
            move = found.shift_of_type_to(control.type, goal) if control.how == "type" else moves[control.how](goal)
            return Change.model_validate({"add": move})
        case "left_out":
            return Change.model_validate({"set": 1.0 - value})
        case "times":
            return Change.model_validate({"times": value / 100})
        case "add":
            return Change.model_validate({"add": value - control.now})
        case "set":
            return Change.model_validate({"set": value / 100 if control.unit == "%" else value})
        case _:
            return Change.model_validate({"logit": _logit(value / 100) - _logit(control.now / 100)})


def settings_of(
    case: CaseFile, controls: Sequence[Control], changes: Mapping[str, Change]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """The settings (control → value as shown) that give these changes, and the paths that no control moves in this way."""
    found = level(case) if any(c.how in BY_LEVEL and c.paths[0] in changes for c in controls) else None
    settings, rest = dict[str, float](), dict(changes)
    for control in controls:
        mine = [changes.get(path) for path in control.paths]
        value = _value(control, mine[0], found) if mine and mine[0] is not None and mine.count(mine[0]) == len(mine) else None
        if value is not None:
            settings[control.id] = round(value, 1)
            for path in control.paths:
                rest.pop(path, None)
    return settings, tuple(rest)


def _value(control: Control, change: Change, found: Level | None) -> float | None:
    """What a control shows under a change; None if it does not change its number in this way."""
    set_to, add, times, by = change.set, change.add, change.times, change.logit
    match control.how:
        case "accuracy" | "type" | "threshold" if add is not None and found is not None:  # BY_LEVEL
            of_type = control.how == "type"
            reached = {"accuracy": found.accuracy, "threshold": found.accepted}
            return 100 * (found.accuracy_of(control.type, add) if of_type else reached[control.how](add))
        case "left_out" if isinstance(set_to, int | float):
            return 1.0 - set_to
        case "times" if times is not None:
            return 100 * times
        case "add" if add is not None:
            return control.now + add
        case "set" if isinstance(set_to, int | float):
            return 100.0 * set_to if control.unit == "%" else float(set_to)
        case "logit" if by is not None:
            return 100 / (1 + exp(-_logit(control.now / 100) - by))
        case _:
            return None


def _logit(share: float) -> float:
    inside = min(max(share, 1e-6), 1 - 1e-6)
    return log(inside / (1 - inside))


def _label(name: str, label: str) -> str:
    return label or name.replace("_", " ")


def _ai(case: CaseFile, found: Level, middle: Middle) -> Iterator[Control]:
    at, pilot = f"steps.{found.step.id}", _at(middle, f"steps.{found.step.id}.accuracy", "pilot")
    measured = f"{100 * pilot:.0f} % was measured in the pilot{' per field' if found.step.measured == 'per_field' else ''}"
    yield Control(
        ACCURACY, "AI", "Accuracy, live", "%", round(100 * found.accuracy(), 1), 50.0, 100.0, 0.5,
        f"Share of outputs that are right, over the mix of types and data that comes live; {measured}, the rest is what changes on the way "
        "to live. The threshold stays: with more accuracy more is accepted without review.",
        (f"{at}.shift",), "accuracy",
    )  # fmt: skip
    yield Control(
        THRESHOLD, "AI", "Accepted without review", "%", round(100 * found.accepted(), 1), 0.0, 100.0, 0.5,
        "Share of outputs that pass without review at the accuracy of now; moving it moves the threshold, so more wrong ones pass as well. "
        "Assumption: the scores of right and of wrong outputs are normal with one spread.",
        (f"{at}.threshold",), "threshold",
    )  # fmt: skip
    for name, spec in [*case.types.items()][:MOST_TYPES]:
        accuracy = found.accuracy_of(name)
        if np.isfinite(accuracy):
            yield Control(
                f"{ACCURACY} {name}", "AI", f"Accuracy on {_label(name, spec.label)}", "%", round(100 * accuracy, 1), 20.0, 100.0, 0.5,
                "Share of outputs of this type that are right, live.", (f"{at}.type_shift.{name}",), "type", True, name,
            )  # fmt: skip
    for name in found.step.quality:
        share = found.step.quality[name].share
        if share.all is not None:
            yield _share(
                middle,
                f"{at}.quality.{name}.share",
                "AI",
                f"Data: {_label(name, '')}",
                "Share of cases that come with this defect.",
                True,
            )


def _scope(case: CaseFile, found: Level) -> Iterator[Control]:
    for name, spec in [*case.types.items()][:MOST_TYPES]:
        never = "" if spec.piloted else " It was never piloted."
        yield Control(
                f"type {name}", "Scope", _label(name, spec.label), "yes or no", 1.0, 0.0, 1.0, 1.0,
                f"Whether the AI works on this type live; if not, people do, as today.{never}",
                (f"steps.{found.step.id}.left_out.{name}",), "left_out",
            )  # fmt: skip


def _review(case: CaseFile, middle: Middle) -> Iterator[Control]:
    for step in case.steps:
        if isinstance(step, Review):
            name = _label(step.id, step.label)
            yield _share(
                middle,
                f"steps.{step.id}.catch",
                "Review",
                f"Errors noticed: {name}",
                "Share of wrong outputs that a reviewer notices when nobody waits.",
            )
            yield from _times(
                case, f"steps.{step.id}.service.", "Review", f"Time a case takes: {name}", "Working time of one review."
            )


def _people(case: CaseFile, middle: Middle) -> Iterator[Control]:
    for name, team in case.teams.items():
        now = round(_at(middle, f"teams.{name}.headcount", "production"))
        paths = [f"teams.{name}.headcount"] + ([f"teams.{name}.change.headcount"] if team.change else [])
        later = "; the planned change later moves with it" if team.change else ""
        yield Control(
            f"team {name}", "People", _label(name, team.label), "people", float(now), float(min(1, now)), float(2 * now + 4), 1.0,
            f"People of this team after go-live{later}.", tuple(paths), "add",
        )  # fmt: skip
    for step in case.steps:
        for i, at in enumerate(step.levels if isinstance(step, Desk) else [], 1):
            if at.support is not None:
                path = f"steps.{step.id}.levels.{i}.support.until_week"
                weeks = min(104.0, float(round(_at(middle, path, "production"))))
                yield Control(
                    f"support {step.id} {i}", "People", f"Support of the {_label(step.id, step.label)} until week", "week", weeks, 0.0, 104.0, 1.0,
                    "Week after go-live in which the extra support leaves.", (path,), "set",
                )  # fmt: skip


def _waits(case: CaseFile) -> Iterator[Control]:
    for step in case.steps:
        name = _label(step.id, step.label)
        if isinstance(step, Approval):
            yield from _times(
                case, f"steps.{step.id}.levels.", "Approvals and waits", f"Answer time: {name}",
                "How long approvers take, once they were asked. Days nobody has located are not changed.", ".response.",
            )  # fmt: skip
        elif isinstance(step, Desk):
            yield from _times(
                case, f"steps.{step.id}.levels.", "Approvals and waits", f"Waits for others: {name}",
                "How long suppliers or customers take to answer.", ".outside.time.",
            )  # fmt: skip


def _systems(case: CaseFile, middle: Middle) -> Iterator[Control]:
    for step in case.steps:
        if isinstance(step, SystemCall) and f"steps.{step.id}.permanent" in middle:
            yield _share(
                middle, f"steps.{step.id}.permanent", "Systems", f"Failures that need a person: {_label(step.id, step.label)}",
                "Share of cases that the interface cannot pass on, whatever is tried.",
            )  # fmt: skip
    for name, system in case.systems.items():
        if system.outage is not None:
            yield from _times(
                case,
                f"systems.{name}.outage.repair.",
                "Systems",
                f"Time to repair: {_label(name, system.label)}",
                "How long an outage lasts.",
            )


def _share(middle: Middle, path: str, group: Group, label: str, purpose: str, fine: bool = False) -> Control:
    now = round(100 * _at(middle, path, "production"), 1)
    return Control(path, group, label, "%", now, 0.0, 100.0, 0.5, purpose, (path,), "logit" if now > 0 else "set", fine)


def _times(case: CaseFile, prefix: str, group: Group, label: str, purpose: str, inside: str = "") -> Iterator[Control]:
    paths = tuple(
        leaf.path
        for leaf in leaves(case)
        if leaf.path.startswith(prefix) and inside in leaf.path and leaf.parameter.dimension == "duration"
    )
    if paths:
        yield Control(
            prefix.strip(".") + inside.rstrip("."), group, label, "% of now", 100.0, 10.0, 200.0, 5.0, purpose, paths, "times"
        )


def _at(middle: Middle, path: str, arm: Arm) -> float:
    return float(middle[path][arm][0])


def rounded_now(control: Control) -> float:
    """What `now` is on a slider whose steps begin at `low`."""
    return control.low + round((control.now - control.low) / control.step) * control.step
