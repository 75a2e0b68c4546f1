"""`trace`: one case's story, hour by hour: where it was, and what its time was."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import units
from models.schema import Arm, CaseFile
from scenarios.files import LoadedCase
from scenarios.problems import CaseError, Problem
from scenarios.report.basis import basis, basis_line
from scenarios.report.trace_words import Part, Teller, facts, place
from scenarios.report.verdict_text import ARM_NAMES
from scenarios.store import SolvedCache
from scenarios.study import Run, replicate_one
from simulator.clock import HOUR
from simulator.ledger import OPEN
from simulator.summary import arrival_weeks, cycle_seconds, longest_path

SCHEMA_VERSION = 2


@dataclass(frozen=True, slots=True)
class Event:
    """One visit: when it began, where, and its time in parts; `step` is the technical id, `label` its name on screen.

    hours_in: from the arrival of the case to its beginning.
    """

    when: str
    step: str
    label: str
    parts: tuple[Part, ...]
    remark: str
    on_longest_path: bool
    hours_in: float = 0.0

    @property
    def hours(self) -> float:
        return sum(part.hours for part in self.parts)


@dataclass(frozen=True, slots=True)
class Story:
    """One case from arrival to end."""

    loaded: LoadedCase
    arm: Arm
    seed: int
    number: int
    type: str
    arrived: str
    cycle_days: float
    result: str
    marks: tuple[str, ...]
    events: tuple[Event, ...]


def story(loaded: LoadedCase, arm: Arm, number: int, seed: int) -> Story:
    """The `number`-th case (from 0) that arrives in the target weeks. Raises CaseError (E601) if there are not so many."""
    return story_of(loaded, arm, number, seed, run_of(loaded, arm, seed))


def run_of(loaded: LoadedCase, arm: Arm, seed: int) -> Run:
    """The simulated future of which stories are told. Raises BaselineError."""
    return replicate_one(loaded.case, arm, seed, 0, SolvedCache(loaded.today, seed, loaded.cache))


def in_target_weeks(case: CaseFile, run: Run) -> NDArray[np.int64]:
    """Rows of the cases that arrive in the target weeks, in the order of their arrival: a case's number is its place among them."""
    week = arrival_weeks(run.ledger)
    first, last = case.target.weeks
    chosen = np.flatnonzero((week >= first) & (week <= last))
    return chosen[np.argsort(run.ledger.cases["arrival"][chosen], kind="stable")]


def story_of(loaded: LoadedCase, arm: Arm, number: int, seed: int, run: Run) -> Story:
    """The same from a run that is there already. Raises CaseError (E601)."""
    chosen = in_target_weeks(loaded.case, run)
    if number >= len(chosen):
        raise CaseError(
            "--case", [Problem("E601", "", f"there are {len(chosen)} cases in the target weeks", f"0 to {len(chosen) - 1}")]
        )
    k = int(chosen[number])
    teller, path = Teller(run), longest_path(run.ledger)
    c, program = run.ledger.cases, run.ledger.program
    ended = int(c["ended"][k])
    return Story(
        loaded, arm, seed, number,
        list(loaded.case.types)[int(c["type"][k])],
        _when(loaded.case, int(c["arrival"][k])),
        float(cycle_seconds(run.ledger)[k] / (24 * HOUR)),
        "still open" if ended == OPEN else program.results[int(c["end_result"][k])],
        tuple(m for i, m in enumerate(program.marks) if int(c["marks"][k]) >> i & 1),
        tuple(_event(teller, int(row), bool(path[row])) for row in np.flatnonzero(run.ledger.visits["case"] == k)),
    )  # fmt: skip


def _when(case: CaseFile, second: int) -> str:
    start = datetime.combine(case.go_live, time())
    return (start + timedelta(seconds=second)).strftime("%a %Y-%m-%d %H:%M")


def _event(teller: Teller, row: int, on_longest_path: bool) -> Event:
    case, step = teller.run.case, teller.program.step_ids[teller.column("step", row)]
    when = _when(case, teller.column("entered", row))
    arrival = int(teller.run.ledger.cases["arrival"][teller.column("case", row)])
    hours_in = (teller.column("entered", row) - arrival) / HOUR
    return Event(when, step, place(case, step), tuple(teller.parts(row)), teller.remark(row), on_longest_path, hours_in)


def in_all(story: Story) -> dict[str, float]:
    """Hours by what the time was, along the longest path, the largest first; they add up to the case's time."""
    hours: dict[str, float] = {}
    for event in story.events:
        for part in event.parts if event.on_longest_path else ():
            hours[part.what] = hours.get(part.what, 0.0) + part.hours
    return dict(sorted(hours.items(), key=lambda item: -item[1]))


def as_json(story: Story) -> dict[str, Any]:
    """The story for scripts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "arm": story.arm,
        "case": story.number,
        "type": story.type,
        "arrived": story.arrived,
        "cycle_days": round(story.cycle_days, 6),
        "result": story.result,
        "marks": list(story.marks),
        "hours": {what: round(hours, 6) for what, hours in in_all(story).items()},
        "events": [
            {
                "when": e.when,
                "step": e.step,
                "label": e.label,
                "hours": round(e.hours, 6),
                "parts": [
                    {"account": p.account, "what": p.what, "hours": round(p.hours, 6), "detail": p.detail} for p in e.parts
                ],
                "remark": e.remark,
                "on_longest_path": e.on_longest_path,
            }
            for e in story.events
        ],
        "basis": basis(story.loaded, story.seed),
    }


def text(story: Story) -> str:
    """The story to read; what stands in square brackets is the name in the case file and in the tables of `run --out`."""
    case = story.loaded.case
    kind = case.types[story.type].label or story.type
    yours = [f"{e.label} [{e.step}]" for e in story.events]
    width = max(map(len, yours), default=4)
    lines = [
        f"{case.case_word} {story.number}, {kind}, {ARM_NAMES[story.arm]}: arrived {story.arrived}, {story.cycle_days:.2f} days, {story.result}",
        "",
        f"  {'when':<22}{'step':<{width}}{'time':>11}  what it was",
        *(
            f"  {e.when:<22}{name:<{width}}{length(e.hours):>11}  {what_it_was(e)}"
            for e, name in zip(story.events, yours, strict=True)
        ),
        "",
        *_wrapped(f"in all: {' · '.join(f'{length(hours)} {what}' for what, hours in in_all(story).items() if hours > 0)}"),
    ]
    if story.marks:
        lines += ["", "  facts at the end", *(f"   · {fact}" for fact in facts(case, story.marks))]
    return "\n".join([*lines, "", f"  {basis_line(story.loaded, story.seed)}"])


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 120, initial_indent="  ", subsequent_indent="    ")


def what_it_was(event: Event) -> str:
    """The parts of a visit in words, each with its length if there are several."""
    return "; ".join(
        filter(None, (*_parts(event.parts), event.remark, "" if event.on_longest_path else "not on the longest path"))
    )


def _parts(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        lasted = f"{length(part.hours)} " if len(parts) > 1 else ""
        yield f"{lasted}{part.what}" + (f" ({part.detail})" if part.detail else "")


def length(hours: float) -> str:
    """Hours in the unit that reads best, three digits."""
    number, unit = units.duration_text(round(hours * HOUR)).split()
    return f"{float(number):.3g} {unit}"
