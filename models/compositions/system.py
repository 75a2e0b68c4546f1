"""Calls to connected systems, and data that go stale."""

from __future__ import annotations

from models import schema, weeks
from models.compositions.ai import handled_mark, wrong_mark
from models.compositions.build import Builder, interruption, law
from models.parameters import Scope
from simulator import workflow as w


def failed_mark(step: str) -> str:
    """The mark of a case whose call failed for good."""
    return f"{step}.failed"


def system_call(build: Builder, step: schema.SystemCall) -> list[w.Step]:
    """The call with its retries; failures go to `failed`; stale data may spoil an AI output."""
    at, name = build.scope(step), step.id
    call = w.Attempts(
        name,
        step.system,
        law(at, "latency", step.latency),
        at.column("timeout"),
        f"{name}.route",
        failed_mark(name),
        step.attempts,
        weeks.table(at.today("transient"), at.column("transient")),
        build.shares(at, "permanent", step.permanent),
        at.column("back_off"),
        step.multiplier,
        tuple(t.priority for t in build.case.types.values()),
    )
    passed = f"{name}.stale" if step.stale else build.following(step)
    failed = w.Rule((build.entry(step.failed),), (), w.Condition.of(failed_mark(name)))
    steps: list[w.Step] = [call, w.Branch(f"{name}.route", (failed, w.Rule((passed,))))]
    if step.stale is not None:
        feed = build.calendars[step.stale.feed]
        rate = at.into("stale").column("wrong_per_hour")
        chance = w.Chance(w.Table.constant(0.0), age_calendar=feed, age_rate_per_hour=rate)
        rule = w.MarkRule(chance, w.Condition.of(handled_mark(step.stale.spoils)))
        steps.append(w.Mark(passed, wrong_mark(step.stale.spoils), (rule,), build.following(step)))
    return steps


def endpoint(build: Builder, name: str, spec: schema.System) -> w.Endpoint:
    """The endpoint of a connected system."""
    at: Scope = build.root.into("systems").into(name)
    outage = None
    if spec.outage is not None:
        outage = interruption(at.into("outage"), spec.outage.every, spec.outage.repair, ("every", "repair"))
    gap = 60.0 / at.column("calls_per_minute") if spec.calls_per_minute is not None else 0.0
    return w.Endpoint(name, outage, build.calendar(spec.downtime), spec.concurrency, gap)
