"""The exception desk: levels of people, escalation by inability and by time-out, questions to the outside."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models import schema, weeks
from models.compositions.build import Builder, expit, law, logit
from models.parameters import Scope
from simulator import workflow as w


def escalated_mark(step: str) -> str:
    """The mark of a case that was escalated at a desk."""
    return f"{step}.escalated"


def desk(build: Builder, step: schema.Desk) -> list[w.Step]:
    """Level after level; what the last level works on is resolved."""
    steps: list[w.Step] = []
    for k, level in enumerate(step.levels):
        at = build.scope(step).into("levels").into(str(k + 1))
        last = k + 1 == len(step.levels)
        up = "" if last else f"{step.id}.escalate{k + 1}"
        steps += _level(build, step, level, at, k, up)
        if not last:
            sure = w.MarkRule(w.Chance(w.Table.constant(1.0)))
            steps.append(w.Mark(up, escalated_mark(step.id), (sure,), _entry(step, k + 1)))
    return steps


def _entry(step: schema.Desk, k: int) -> str:
    return step.id if k == 0 else f"{step.id}.level{k + 1}"


def _level(build: Builder, step: schema.Desk, level: schema.DeskLevel, at: Scope, k: int, up: str) -> list[w.Step]:
    entry, work = _entry(step, k), f"{step.id}.work{k + 1}"
    done, asked = build.following(step), f"{step.id}.asks{k + 1}"
    priority = tuple(t.priority for t in build.case.types.values())
    resolve = f"{step.id}.resolved{k + 1}" if up else done
    after_work = asked if level.outside else resolve
    steps: list[w.Step] = []
    if level.limit is not None and up:
        steps.append(w.Timer(entry, at.column("limit"), (work,), up, work))
    else:
        work = entry
    steps.append(w.Serve(work, level.team, law(at, "service", level.service), after_work, priority=priority))
    if level.outside is not None:
        outside, waits = at.into("outside"), f"{step.id}.outside{k + 1}"
        share = weeks.table(outside.today("share"), outside.column("share"))
        steps.append(w.Branch(asked, (w.Rule((waits, resolve), (share,)),)))
        steps.append(w.Delay(waits, law(outside, "time", level.outside.time), resolve, account="outside_wait"))
    if up:
        steps.append(w.Branch(resolve, (w.Rule((done, up), (_resolves(build, level, at),)),)))
    return steps


def _resolves(build: Builder, level: schema.DeskLevel, at: Scope) -> w.Table:
    """P(resolved at this level) by week; support adds to its logit until it is withdrawn."""
    after: NDArray[np.float64] = at.column("resolves")
    if level.support is not None:
        help_ = at.into("support")
        bonus = help_.column("bonus") * at.live()
        after = expit(logit(after)[:, None] + weeks.until(bonus, help_.column("until_week"), build.weeks))
    return weeks.table(at.today("resolves"), after)
