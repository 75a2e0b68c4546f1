"""Work, waits, choices, flags, gates, batches, parallel branches, loops, ends."""

from __future__ import annotations

import numpy as np

from models import schema, weeks
from models.compositions.build import Builder, law, reminded
from models.parameters import Scope
from simulator import workflow as w

WAITS = {
    "outside": "outside_wait",
    "inbox": "inbox_wait",
    "approval": "approval_wait",
    "integration": "integration",
    "step": "step_wait",
}
"""What a wait is waiting for -> the account its days are booked to."""


def service_factor(build: Builder, at: Scope, learning: schema.Learning | None, factor: bool) -> w.Table:
    """Multiplier of service times by week: the step's own factor times the learning curve."""
    one = np.ones_like(at.on("data"))
    before, after = (at.today("factor"), at.column("factor")) if factor else (one, one)
    if learning is None:
        return weeks.table(before, after)
    curve = at.into("learning")
    start = np.where(at.live() > 0, curve.column("start"), 1.0)
    return weeks.table(before, after[:, None] * weeks.learning(start, curve.column("half_life_weeks"), build.weeks))


def work(build: Builder, step: schema.Work) -> list[w.Step]:
    """A queue for a team and its service."""
    at = build.scope(step)
    factor = service_factor(build, at, step.learning, True)
    priority = tuple(t.priority for t in build.case.types.values())
    return [w.Serve(step.id, step.team, law(at, "service", step.service), build.following(step), factor, priority)]


def wait(build: Builder, step: schema.Wait) -> list[w.Step]:
    """A wait on a clock, with a reminder and a limit where stated."""
    at, following = build.scope(step), build.following(step)
    time = reminded(at, law(at, "time", step.time), step.remind)
    factor = weeks.table(at.today("factor"), at.column("factor"))
    clock, account = build.calendar(step.clock), WAITS[step.on]
    if step.limit is None:
        return [w.Delay(step.id, time, following, clock, factor, account)]
    inner = f"{step.id}.wait"
    return [
        w.Timer(step.id, at.column("limit"), (inner,), build.entry(step.on_limit or step.id), inner, clock),
        w.Delay(inner, time, following, clock, factor, account),
    ]


def choice(build: Builder, step: schema.Choice) -> list[w.Step]:
    """A branch by shares, if its flags allow."""
    at = build.scope(step).into("options")
    targets = tuple(build.entry(option.to) for option in step.options)
    shares = tuple(
        build.shares(at.into(str(i + 1)), "share", option.share) for i, option in enumerate(step.options[:-1]) if option.share
    )
    if not step.when:
        return [w.Branch(step.id, (w.Rule(targets, shares),))]
    otherwise = build.entry(step.otherwise) if step.otherwise else build.following(step)
    return [w.Branch(step.id, (w.Rule(targets, shares, w.Condition.of(*step.when)), w.Rule((otherwise,))))]


def flag(build: Builder, step: schema.Flag) -> list[w.Step]:
    """A mark set or cleared with a probability."""
    chance = w.Chance(build.shares(build.scope(step), "chance", step.chance))
    rule = w.MarkRule(chance, w.Condition.of(*step.when))
    return [w.Mark(step.id, step.flag, (rule,), build.following(step), "clear" if step.clear else "set")]


def gate(build: Builder, step: schema.GateStep) -> list[w.Step]:
    """The next opening of a calendar."""
    lead = build.scope(step).column("lead")
    return [w.Gate(step.id, build.calendars[step.calendar], build.following(step), lead)]


def collect(build: Builder, step: schema.Collect) -> list[w.Step]:
    """A batch by size or time."""
    at = build.scope(step)
    return [w.Batch(step.id, at.column("size"), at.column("max_wait"), build.following(step))]


def parallel(build: Builder, step: schema.Parallel) -> list[w.Step]:
    """A fork of the named branches."""
    return [w.Fork(step.id, tuple(build.entry(b) for b in step.branches), build.entry(step.join))]


def join(build: Builder, step: schema.JoinStep) -> list[w.Step]:
    """Where the branches of a fork meet."""
    return [w.Join(step.id, build.following(step))]


def again(build: Builder, step: schema.Again) -> list[w.Step]:
    """A bounded way back."""
    return [w.Goto(step.id, build.entry(step.to), step.limit, build.entry(step.otherwise))]


def end(step: schema.EndStep) -> list[w.Step]:
    """The end of a case."""
    return [w.End(step.id, step.result)]
