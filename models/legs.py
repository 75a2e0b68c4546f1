"""Legs of today's process: stretches between two dated events, the steps in them, and the places there that may hold unlocated days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from models.evidence.events import Event, known_events
from models.posterior import parts_of
from models.schema import CaseFile
from simulator.clock import DAY

OBSERVED = "baseline.observed"
COLUMN = "baseline.legs."
"""Before the event at which a leg ends, in the names of fitted columns: mean seconds a case spends in the leg."""
_BEGINS, _ENDS = ("arrival", "entered", "asked"), ("ended", "decided", "end")


@dataclass(frozen=True, slots=True)
class Leg:
    """From one event to the next one that is dated. `places`: those of the baseline whose steps lie in it."""

    first: str
    last: str
    steps: tuple[str, ...]
    places: tuple[str, ...]


def dated(case: CaseFile) -> bool:
    """Whether today's result was fitted from dates."""
    return case.posterior is not None and OBSERVED in case.posterior.names()


@dataclass(frozen=True, slots=True)
class Dates:
    """What dates tell of today: its mean (None: as the case file states), and the places whose days they locate."""

    observed_days: float | None = None
    located: frozenset[str] = frozenset()


NO_DATES = Dates()


def dates_of(case: CaseFile) -> Dates:
    """What fitted dates tell of today; nothing if none were."""
    if case.posterior is None or not dated(case):
        return NO_DATES
    columns = next(s.columns for s in case.posterior.sub_models if OBSERVED in s.columns)
    timed = timed_steps(case) & set(case.baseline.places if case.baseline is not None else ())
    left = ([place for place in leg.places if place not in timed] for leg in dated_legs(case))
    return Dates(float(columns[OBSERVED].mean()) / DAY, frozenset(timed.union(*(places for places in left if len(places) == 1))))


def timed_steps(case: CaseFile) -> set[str]:
    """Steps whose waits themselves were fitted: no day in front of them is unlocated."""
    names = () if case.posterior is None else case.posterior.names()
    paths = [parts_of(name)[0].split(".") for name in names]
    return {path[1] for path in paths if path[0] == "steps" and ("response" in path or path[2] == "time")}


def dated_legs(case: CaseFile) -> tuple[Leg, ...]:
    """The legs of which the case's fit tells the mean days."""
    names = () if case.posterior is None else case.posterior.names()
    events = [name.removeprefix(COLUMN) for name in names if name.startswith(COLUMN)]
    return legs_between(case, events) if events else ()


def legs_between(case: CaseFile, events: Iterable[str]) -> tuple[Leg, ...]:
    """The legs that the dated events cut today's process into, in the order of the steps in the case file; arrival and end included.

    Of a step only the first beginning and the last end count. Raises KeyError for an event that the case does not have.
    """
    known, order = known_events(case), {step.id: i for i, step in enumerate(case.steps)}
    places = set(case.baseline.places) if case.baseline is not None else set()
    used = _outermost([known[name] for name in dict.fromkeys(events) if name not in ("arrival", "end")])
    stops = [known["arrival"], *sorted(used, key=lambda e: (order[e.step], e.phase in _ENDS)), known["end"]]
    found = []
    for a, b in pairwise(stops):
        first = 0 if a.phase == "arrival" else order[a.step] + (a.phase in _ENDS)
        last = len(order) if b.phase == "end" else order[b.step] + (b.phase in _ENDS)
        steps = tuple(step.id for step in case.steps[first:last])
        found.append(Leg(a.name, b.name, steps, tuple(s for s in steps if s in places)))
    return tuple(found)


def _outermost(events: list[Event]) -> list[Event]:
    """The first level's beginning and the last level's end of each step; starts of work and reminders lie inside a step."""
    kept: dict[tuple[str, bool], Event] = {}
    for event in sorted(events, key=lambda e: e.level):
        if event.phase in _BEGINS:
            kept.setdefault((event.step, False), event)
        elif event.phase in _ENDS:
            kept[event.step, True] = event
    return list(kept.values())
