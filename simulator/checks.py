"""Is a workflow well formed? All problems at once, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.draws import MAX_TOKEN, MAX_VISIT, purpose_of
from simulator.workflow import (
    Attempts,
    Branch,
    Delay,
    End,
    Fork,
    Gate,
    Goto,
    Join,
    Mark,
    Serve,
    Step,
    Timer,
    Workflow,
)

STREAM_NAMES = ("arrivals:count", "arrivals:type", "arrivals:cluster", "arrivals:instant")
MAX_MARKS = 62
_ID = re.compile(r"[a-z][a-z0-9_.]*")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong: where, and what."""

    place: str
    message: str


class WorkflowError(ValueError):
    """A workflow that cannot run; `problems` lists everything found."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.place}: {p.message}" for p in problems))

    def __reduce__(self) -> tuple[type[WorkflowError], tuple[list[Problem]]]:  # it also arises on other machines
        return WorkflowError, (self.problems,)


def exits(step: Step) -> dict[str, str]:
    """Where a token can go from a step: field name -> step id."""
    match step:
        case Branch():
            return {
                f"rules[{r}].targets[{t}]": target for r, rule in enumerate(step.rules) for t, target in enumerate(rule.targets)
            }
        case Timer():
            return {"next": step.next, "to": step.to}
        case Fork():
            return {**{f"branches[{i}]": b for i, b in enumerate(step.branches)}, "join": step.join}
        case Goto():
            return {"to": step.to, "otherwise": step.otherwise}
        case End():
            return {}
        case _:
            return {"next": step.next}


def marks_of(workflow: Workflow) -> tuple[str, ...]:
    """All marks in the order in which steps set them (their bit numbers)."""
    names = [s.mark for s in workflow.steps if isinstance(s, Mark)]
    names += [s.failure_mark for s in workflow.steps if isinstance(s, Attempts)]
    return tuple(dict.fromkeys(names))


def tokens_of(workflow: Workflow) -> dict[str, int]:
    """The token that owns each step: 0, or the number of the fork branch that reaches it."""
    steps = {s.id: s for s in workflow.steps}
    owner = {s.id: 0 for s in workflow.steps}
    number = 0
    for fork in (s for s in workflow.steps if isinstance(s, Fork)):
        for first in fork.branches:
            number += 1
            todo, seen = [first], {fork.join}
            while todo:
                name = todo.pop()
                if name in seen or name not in steps:
                    continue
                seen.add(name)
                owner[name] = number
                todo.extend(exits(steps[name]).values())
    return owner


def check(workflow: Workflow) -> list[Problem]:
    """Every structural problem of a workflow; an empty list means it can be lowered."""
    problems = [*_names(workflow), *_references(workflow)]
    if problems:
        return problems
    return [*_reachable(workflow), *_loops(workflow), *_forks(workflow), *_visits(workflow), *_fields(workflow)]


def _names(workflow: Workflow) -> Iterator[Problem]:
    ids = [s.id for s in workflow.steps]
    for name in sorted({i for i in ids if ids.count(i) > 1}):
        yield Problem(f"steps.{name}", "this id is used by more than one step")
    for name in ids:
        if not _ID.fullmatch(name):
            yield Problem(f"steps.{name}", "an id holds lower-case letters, digits, dots and underscores only")
    purposes: dict[int, str] = {}
    for name in dict.fromkeys([*ids, *STREAM_NAMES]):
        other = purposes.setdefault(purpose_of(name), name)
        if other != name:
            yield Problem(f"steps.{name}", f'its draws would coincide with those of "{other}"; rename one of them')
    pools = [p.name for p in workflow.pools]
    for name in sorted({p for p in pools if pools.count(p) > 1}):
        yield Problem(f"pools.{name}", "this name is used by more than one pool")
    if not workflow.steps or not workflow.types:
        yield Problem("workflow", "needs at least one step and one case type")
    if len(marks_of(workflow)) > MAX_MARKS:
        yield Problem("steps", f"uses more than {MAX_MARKS} marks")


def _references(workflow: Workflow) -> Iterator[Problem]:
    ids = {s.id for s in workflow.steps}
    pools, endpoints = {p.name for p in workflow.pools}, {e.name for e in workflow.endpoints}
    marks = set(marks_of(workflow))
    for step in workflow.steps:
        for place, target in exits(step).items():
            if target not in ids:
                yield Problem(f"steps.{step.id}.{place}", f'no step "{target}"')
        if isinstance(step, Serve) and step.pool not in pools:
            yield Problem(f"steps.{step.id}.pool", f'no pool "{step.pool}"')
        if isinstance(step, Attempts) and step.endpoint not in endpoints:
            yield Problem(f"steps.{step.id}.endpoint", f'no endpoint "{step.endpoint}"')
        if isinstance(step, Mark):
            for rule in step.rules:
                if rule.chance.load_pool and rule.chance.load_pool not in pools:
                    yield Problem(f"steps.{step.id}.load_pool", f'no pool "{rule.chance.load_pool}"')
        if isinstance(step, Branch | Mark):
            used = {m for rule in step.rules for m in rule.when.required | rule.when.forbidden}
            for mark in sorted(used - marks):
                yield Problem(f"steps.{step.id}.when", f'no step sets the mark "{mark}"')


def _reachable(workflow: Workflow) -> Iterator[Problem]:
    steps = {s.id: s for s in workflow.steps}
    seen: set[str] = set()
    todo = [workflow.steps[0].id]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(exits(steps[name]).values())
    for name in steps:
        if name not in seen:
            yield Problem(f"steps.{name}", "cannot be reached from the first step")
    if not any(isinstance(steps[name], End) for name in seen):
        yield Problem("steps", "no end can be reached")


def _loops(workflow: Workflow) -> Iterator[Problem]:
    """Every loop must pass the `to` of a goto, so that its visit limit bounds it."""
    graph = {
        s.id: [target for place, target in exits(s).items() if not (isinstance(s, Goto) and place == "to")]
        for s in workflow.steps
    }
    done: set[str] = set()
    for root, first_targets in graph.items():
        path: list[str] = []
        stack = [(root, iter(first_targets))] if root not in done else []
        path.extend(name for name, _ in stack)
        while stack:
            name, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                done.add(name)
                path.pop()
                stack.pop()
            elif target in path:
                loop = " → ".join([*path[path.index(target) :], target])
                yield Problem(f"steps.{name}", f"a loop that cannot end: {loop}; lead it through a goto with a limit")
            elif target not in done:
                stack.append((target, iter(graph[target])))
                path.append(target)


def _forks(workflow: Workflow) -> Iterator[Problem]:
    """Branches are disjoint, hold no fork and no end, and are entered and left only through the fork and its join."""
    steps, owner = {s.id: s for s in workflow.steps}, tokens_of(workflow)
    forks = [s for s in workflow.steps if isinstance(s, Fork)]
    if sum(len(f.branches) for f in forks) > MAX_TOKEN:
        yield Problem("steps", f"more than {MAX_TOKEN} parallel branches")
    joins = [f.join for f in forks]
    for step in workflow.steps:
        if isinstance(step, Join) and joins.count(step.id) != 1:
            yield Problem(f"steps.{step.id}", "a join belongs to exactly one fork")
    number = 0
    for fork in forks:
        if not isinstance(steps[fork.join], Join) or len(set(fork.branches)) < 2 or fork.join in fork.branches:
            yield Problem(f"steps.{fork.id}", "needs a join and at least two branches with a step each")
        if len(set(fork.branches)) < len(fork.branches):
            yield Problem(f"steps.{fork.id}.branches", "two branches start at the same step")
        for first in fork.branches:
            number += 1
            inside = {name for name, token in owner.items() if token == number}
            for name in sorted(inside):
                if isinstance(steps[name], Fork | End):
                    yield Problem(f"steps.{name}", f'is not allowed inside a branch of "{fork.id}"')
            for name, step in steps.items():
                for target in exits(step).values():
                    into = target in inside and name not in inside
                    if into and not (name == fork.id and target == first):
                        yield Problem(f"steps.{name}", f'enters a branch of "{fork.id}" from outside')


def _visits(workflow: Workflow) -> Iterator[Problem]:
    """No step can be visited more often than an address can say: once, and once more for every pass of any goto."""
    passes = 1 + sum(s.limit for s in workflow.steps if isinstance(s, Goto) and s.limit <= MAX_VISIT)
    calls = max((s.attempts for s in workflow.steps if isinstance(s, Attempts)), default=1)
    if passes * calls > MAX_VISIT + 1:
        yield Problem(
            "steps", f"a step could be visited {passes * calls} times; at most {MAX_VISIT + 1} are possible, lower the limits"
        )


def _fields(workflow: Workflow) -> Iterator[Problem]:
    kinds = {s.id: s for s in workflow.steps}
    for step in workflow.steps:
        place = f"steps.{step.id}"
        if isinstance(step, Branch):
            for rule in step.rules:
                if len(rule.probabilities) != len(rule.targets) - 1:
                    yield Problem(place, "a rule needs one probability less than it has targets")
            if not step.rules or step.rules[-1].when.required or step.rules[-1].when.forbidden:
                yield Problem(place, "the last rule of a branch must hold without a condition")
        if isinstance(step, Timer):
            for name in step.covers:
                if not isinstance(kinds.get(name), Delay | Gate | Serve):
                    yield Problem(f"{place}.covers", f'"{name}" is not a delay, a gate or a serve step')
        if isinstance(step, Serve | Attempts) and len(step.priority) not in (0, len(workflow.types)):
            yield Problem(f"{place}.priority", "needs one number a case type")
        if isinstance(step, Goto) and not 0 <= step.limit <= MAX_VISIT:
            yield Problem(f"{place}.limit", f"must lie between 0 and {MAX_VISIT}")
        if isinstance(step, Attempts) and step.attempts < 1:
            yield Problem(f"{place}.attempts", "must be at least 1")
