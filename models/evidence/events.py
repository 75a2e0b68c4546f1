"""Events of a case that an export may date: `arrival`, `end`, and what happens at a step (`entry.ended`, `approve.1.asked`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from models.schema import Approval, CaseFile, Desk, Review, Wait, Work

WORK_PHASES = ("entered", "started", "ended")
APPROVAL_PHASES = ("asked", "reminded", "decided")


@dataclass(frozen=True, slots=True)
class Event:
    """One kind of event. `step`: "" for arrival and end; `level`: of a desk or approval, from 1; `phase`: what happened there."""

    name: str
    step: str
    level: int
    phase: str


def known_events(case: CaseFile) -> dict[str, Event]:
    """All events of a case by name; a step with one level may leave the level out."""
    return {event.name: event for event in _events(case)}


def _events(case: CaseFile) -> Iterator[Event]:
    yield Event("arrival", "", 1, "arrival")
    yield Event("end", "", 1, "end")
    for step in case.steps:
        if isinstance(step, Work | Wait | Review):
            yield from (Event(f"{step.id}.{phase}", step.id, 1, phase) for phase in WORK_PHASES)
        elif isinstance(step, Desk | Approval):
            phases = WORK_PHASES if isinstance(step, Desk) else APPROVAL_PHASES
            for level in range(1, len(step.levels) + 1):
                yield from (Event(f"{step.id}.{level}.{phase}", step.id, level, phase) for phase in phases)
            if len(step.levels) == 1:
                yield from (Event(f"{step.id}.{phase}", step.id, 1, phase) for phase in phases)
