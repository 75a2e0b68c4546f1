"""Approvals: response with reminders, look times and absences, a limit that delegates, escalates or approves, rejections."""

from __future__ import annotations

from models import schema
from models.compositions.build import Builder, interruption, law, reminded
from models.parameters import Scope
from simulator import workflow as w

ACCOUNT = "approval_wait"


def approval(build: Builder, step: schema.Approval) -> list[w.Step]:
    """Level after level; types that do not need a level pass it by."""
    steps: list[w.Step] = []
    for k, level in enumerate(step.levels):
        at = build.scope(step).into("levels").into(str(k + 1))
        after = build.following(step) if k + 1 == len(step.levels) else f"{step.id}.{k + 2}"
        entry = step.id if k == 0 else f"{step.id}.{k + 1}"
        steps += _level(build, step, level, at, (entry, f"{step.id}.{k + 1}", after))
    return steps


def _level(
    build: Builder, step: schema.Approval, level: schema.ApprovalLevel, at: Scope, names: tuple[str, str, str]
) -> list[w.Step]:
    entry, name, after = names
    decided = f"{name}.decided" if step.rejected else after
    ask = f"{name}.limit" if level.limit else f"{name}.response"
    needed = build.shares(at, "needed", level.needed)
    steps: list[w.Step] = [w.Branch(entry, (w.Rule((ask, after), (needed,)),))]
    if level.limit:
        steps += _limit(build, level, at, name, after)
    steps += _response(build, level, at, name, decided)
    if step.rejected:
        rejects = build.shares(at, "rejects", level.rejects)
        steps.append(w.Branch(decided, (w.Rule((build.entry(step.rejected), after), (rejects,)),)))
    return steps


def _limit(build: Builder, level: schema.ApprovalLevel, at: Scope, name: str, after: str) -> list[w.Step]:
    """The limit on response and look; what happens at it: approved, or asked again (delegate, escalation) with a new draw.

    The last one asked has no limit.
    """
    clock = build.calendar(level.clock)
    reached = f"{name}.reached"
    armed, response = f"{name}.timer", f"{name}.response"
    covers = (response, *((f"{name}.look",) if level.looks else ()))
    share = build.shares(at, "limit_share", level.limit_share)
    steps: list[w.Step] = [
        w.Branch(f"{name}.limit", (w.Rule((armed, response), (share,)),)),
        w.Timer(armed, at.column("limit"), covers, after if level.on_limit == "approve" else reached, response, clock),
    ]
    if level.on_limit != "approve":
        sure = w.MarkRule(w.Chance(w.Table.constant(1.0)))
        steps.append(w.Mark(reached, f"{name}.{level.on_limit}d", (sure,), f"{name}.again"))
        steps.append(w.Goto(f"{name}.again", armed, level.delegations - 1, response))
    return steps


def _response(build: Builder, level: schema.ApprovalLevel, at: Scope, name: str, decided: str) -> list[w.Step]:
    time = reminded(at, law(at, "response", level.response), level.remind)
    look = f"{name}.look" if level.looks else decided
    steps: list[w.Step] = [w.Delay(f"{name}.response", time, look, build.calendar(level.clock), account=ACCOUNT)]
    if level.looks:
        absence = None
        if level.absence is not None:
            away = at.into("absence")
            absence = interruption(away, level.absence.every, level.absence.length, ("every", "length"))
        people = level.people if absence is not None else 0
        steps.append(w.Gate(look, build.calendars[level.looks], decided, people=people, absence=absence, account=ACCOUNT))
    return steps
