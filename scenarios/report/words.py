"""Parameters, distributions and steps in few words."""

from __future__ import annotations

from collections.abc import Iterator

from models import schema, units
from models.uncertainty import DEFAULTS

ARM_WORDS: dict[schema.Arm, str] = {"as_is": "today", "pilot": "pilot", "production": "live"}


def quantity(value: object) -> str:
    """A value as the file states it: 2500, 0.08, 14 d."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def belief(stated: schema.Belief) -> str:
    """What is stated about one number: `14 d`, `0.72 … 0.775 … 0.83`, `368 of 400`, `-0.45 ± 0.25`."""
    if stated.value is not None:
        return quantity(stated.value)
    if stated.low is not None:
        mass = f" ({stated.mass:.0%})" if stated.mass != DEFAULTS["mass"] else ""
        return f"{quantity(stated.low)} … {quantity(stated.likely)} … {quantity(stated.high)}{mass}"
    if stated.right is not None:
        effective = f" (counting as {stated.effective:.0%})" if stated.effective != DEFAULTS["effective"] else ""
        return f"{stated.right} of {stated.tried}{effective}"
    return f"{quantity(stated.mean)} ± {quantity(stated.sd)}"


def parameter(stated: schema.Parameter) -> str:
    """A parameter with what it is in each arm, if it differs."""
    if stated.cause is None:
        return belief(stated)
    arms = [f"{ARM_WORDS[arm]} {belief(stated.in_arm(arm))}" for arm in schema.ARMS if arm != "as_is" or stated.as_is is not None]
    return f"{', '.join(arms)} ({stated.cause})"


def time(stated: schema.Time) -> str:
    """A duration: `6 min`, or its distribution such as `median 5.5 min, 9 of 10 within 9 min`."""
    return law(stated.law)


def law(stated: object) -> str:
    """A distribution of durations in words."""
    match stated:
        case schema.Constant():
            return parameter(stated.value)
        case schema.Exponential():
            return f"mean {parameter(stated.mean)}, exponential"
        case schema.Lognormal(median=schema.Duration() as median, p90=schema.Duration() as p90):
            return f"median {parameter(median)}, 9 of 10 within {parameter(p90)}"
        case schema.Lognormal(mean=schema.Duration() as mean, cv=schema.Number() as cv):
            return f"mean {parameter(mean)}, cv {parameter(cv)}, lognormal"
        case schema.Gamma():
            return f"mean {parameter(stated.mean)}, cv {parameter(stated.cv)}, gamma"
        case schema.Weibull():
            return f"scale {parameter(stated.scale)}, shape {parameter(stated.shape)}, Weibull"
        case schema.Uniform():
            return f"{parameter(stated.low)} to {parameter(stated.high)}, uniform"
        case schema.Triangular():
            return f"{parameter(stated.low)} … {parameter(stated.likely)} … {parameter(stated.high)}, {stated.kind}"
        case schema.Empirical():
            return f"observed, median {units.duration_text(_median(stated))}, longest {quantity(stated.quantiles[-1][1])}"
        case schema.Mixture():
            return " or ".join(f"{w:.0%}: {law(part)}" for w, part in zip(stated.weights, stated.parts, strict=True))
        case _:
            raise TypeError(f"no words for {type(stated).__name__}")


def _median(stated: schema.Empirical) -> float:
    below = [node for node in stated.quantiles if node[0] <= 0.5][-1]
    above = next((node for node in stated.quantiles if node[0] > 0.5), below)
    a, b = units.seconds(below[1]), units.seconds(above[1])
    return a + (b - a) * (0.5 - below[0]) / (above[0] - below[0]) if above[0] > below[0] else a


def shares(stated: schema.ShareByType) -> str:
    """A share, or one for each type."""
    if stated.all is not None:
        return parameter(stated.all)
    return ", ".join(f"{name} {parameter(share)}" for name, share in stated.types.items())


def who(step: schema.StepBase) -> str:
    """Who works on a step, or what the case waits for."""
    return ", ".join(dict.fromkeys(_who(step)))


def _who(step: schema.StepBase) -> Iterator[str]:
    match step:
        case schema.Work() | schema.Review():
            yield step.team
        case schema.Desk():
            yield from (level.team for level in step.levels)
        case schema.Approval():
            yield from (f"{level.people} approvers" if level.people > 1 else "approver" for level in step.levels)
        case schema.SystemCall():
            yield step.system
        case schema.Ai():
            yield step.system or "AI"
        case schema.Wait():
            yield step.on
        case schema.GateStep():
            yield step.calendar


def duration(step: schema.StepBase) -> str:
    """How long a step takes."""
    match step:
        case schema.Work() | schema.Review():
            return time(step.service)
        case schema.Wait():
            return time(step.time) + (f", at most {parameter(step.limit)}" if step.limit is not None else "")
        case schema.Desk():
            return "; ".join(time(level.service) for level in step.levels)
        case schema.Approval():
            return "; ".join(dict.fromkeys(time(level.response) for level in step.levels))
        case schema.SystemCall():
            return time(step.latency)
        case schema.Ai():
            return time(step.time) if step.time is not None else ""
        case schema.GateStep():
            return "until it opens"
        case schema.Collect():
            return f"until {parameter(step.size)} cases, at most {parameter(step.max_wait)}"
        case _:
            return ""


def exits(step: schema.StepBase, following: str) -> list[tuple[str, str]]:
    """Where cases go from a step, and when: (step, condition); `following` is the next step of the list."""
    after = [(step.next or following, "")] if step.leads_on() else []
    return [*_own_exits(step), *after]


def _own_exits(step: schema.StepBase) -> Iterator[tuple[str, str]]:
    match step:
        case schema.Choice():
            when = f"if {' and '.join(name.replace('!', 'not ') for name in step.when)}: " if step.when else ""
            for option in step.options:
                yield (
                    option.to,
                    when + (shares(option.share) if option.share is not None else "rest" if len(step.options) > 1 else ""),
                )
            if step.otherwise is not None:
                yield step.otherwise, "otherwise"
        case schema.Ai():
            yield step.accepted, "accepted"
            yield step.referred, "referred"
            yield step.manual, "not routed to the AI"
            if step.unavailable is not None:
                yield step.unavailable, "all calls failed"
        case schema.Review(caught=str() as caught):
            yield caught, "error caught"
        case schema.Approval(rejected=str() as rejected):
            yield rejected, "rejected"
        case schema.SystemCall():
            yield step.failed, "all attempts failed"
        case schema.Wait(on_limit=str() as on_limit):
            yield on_limit, "limit reached"
        case schema.Discovery():
            yield step.to, "error found"
        case schema.Again():
            yield step.to, f"at most {step.limit} times"
            yield step.otherwise, "then"
        case schema.Parallel():
            yield from ((branch, "at the same time") for branch in step.branches)


def step_names(case: schema.CaseFile) -> dict[str, str]:
    """Names of steps on screen by their ids; two of one name are told apart by their place."""
    names: dict[str, str] = {}
    for step in case.steps:
        place = step.id.replace("_", " ")
        name = step.label or place
        names[step.id] = name if name not in names.values() else f"{name} ({place})"
    return names
