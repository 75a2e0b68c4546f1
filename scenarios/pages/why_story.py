"""One case's story: which case, what its time was on a time line, and how long the same case takes in the other worlds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.schema import Arm
from scenarios.files import LoadedCase
from scenarios.report.trace_report import Story, in_all, in_target_weeks, length, run_of, story_of, what_it_was
from scenarios.report.trace_words import facts
from scenarios.report.verdict_text import ARM_NAMES, account_name
from scenarios.study import Run
from simulator.clock import DAY
from simulator.summary import cycle_seconds

Which = Literal["typical", "slow", "fast", "number"]
SHARES: dict[Which, float] = {"fast": 0.1, "typical": 0.5, "slow": 0.9}
WHICH_NAMES: dict[Which, str] = {
    "typical": "typical: half are faster",
    "slow": "slow: 9 of 10 are faster",
    "fast": "fast: 1 of 10 is faster",
    "number": "by its number",
}
WORLDS: dict[str, Arm] = {name: arm for arm, name in ARM_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Told:
    """A story. world: its name on screen · count: cases in the promised weeks · elsewhere: days of the same case by world, None if it is
    not there."""

    story: Story
    world: str
    count: int
    elsewhere: tuple[tuple[str, float | None], ...]


def told(loaded: LoadedCase, world: str, which: Which, number: int, seed: int) -> Iterator[Told]:
    """The story, then also the same case in the other worlds. A number beyond the last case gives the last one. Raises BaselineError."""
    runs = {world: run_of(loaded, WORLDS[world], seed)}
    chosen = in_target_weeks(loaded.case, runs[world])
    number = pick(runs[world], chosen, which, number)
    story = story_of(loaded, WORLDS[world], number, seed, runs[world])
    yield Told(story, world, len(chosen), ())
    key = _key(runs[world], int(chosen[number]))
    days = [
        (name, story.cycle_days if name == world else _days_of(run_of(loaded, arm, seed), key)) for name, arm in WORLDS.items()
    ]
    yield Told(story, world, len(chosen), tuple(days))


def pick(run: Run, chosen: Any, which: Which, number: int) -> int:
    """The number of the case, counted from 0 in the order of arrival."""
    if which == "number":
        return max(0, min(number, len(chosen) - 1))
    order = np.argsort(cycle_seconds(run.ledger)[chosen], kind="stable")
    return int(order[round(SHARES[which] * (len(order) - 1))]) if len(order) else 0


def _key(run: Run, row: int) -> tuple[int, int]:
    """The same case has the same key in every world: its day, and its place among the cases of that day."""
    cases = run.ledger.cases
    return int(cases["day"][row]), int(cases["ordinal"][row])


def _days_of(run: Run, key: tuple[int, int]) -> float | None:
    cases = run.ledger.cases
    found = np.flatnonzero((cases["day"] == key[0]) & (cases["ordinal"] == key[1]))
    return float(cycle_seconds(run.ledger)[found[0]] / DAY) if len(found) else None


# -- in words


def headline(t: Told) -> str:
    """The finding: how long it took, and what most of it was."""
    s = t.story
    hours = in_all(s)
    word = s.loaded.case.case_word
    if not hours or s.cycle_days <= 0:
        return f"This {word} took no time"
    what, most = next(iter(hours.items()))
    return f"This {word} took {s.cycle_days:.1f} days; {_length(most)} of it: {what}"


def _length(hours: float) -> str:
    return f"{hours / 24:.1f} days" if hours >= 24 else length(hours)


def sentences(t: Told) -> Iterator[str]:
    """When it came, how it ended, what is noted on it, and how the other worlds compare."""
    s, case = t.story, t.story.loaded.case
    kind = case.types[s.type].label or s.type.replace("_", " ")
    yield f"{case.case_word.capitalize()} number {s.number} of {t.count} (counted from 0 in the order of arrival), {kind}, {t.world}. Arrived {s.arrived}; {s.result} after {s.cycle_days:.2f} days."
    noted = [re.sub(r" \[[^\]]*\]$", "", fact) for fact in facts(case, s.marks)]
    if noted:
        yield f"Noted on it at the end: {'; '.join(noted)}."
    if t.elsewhere:
        days = ", ".join(f"{name} {d:.1f} days" for name, d in t.elsewhere if d is not None)
        yield f"The same {case.case_word} with the same luck: {days}."


HOW = (
    "One simulated future with all numbers at their middle values, so that today's result comes out as observed. The same case meets the same luck in "
    "every world. Within a step waits are drawn before work; what lies outside working hours may really fall in between. Times of less than a few "
    "hours are too short to see; the table has them."
)


def events_shown(t: Told) -> Iterator[dict[str, str]]:
    """The story as a table."""
    for event in t.story.events:
        yield {
            "when": event.when.replace("-", "\N{NON-BREAKING HYPHEN}"),
            "step": event.label,
            "time": length(event.hours),
            "what it was": what_it_was(event),
        }


def story_rows(t: Told) -> list[dict[str, Any]]:
    """The bars of the time line: where, what, from and to in days after arrival."""
    rows: list[dict[str, Any]] = []
    for event in t.story.events:
        begin = event.hours_in
        for part in event.parts:
            rows.append(
                {
                    "step": event.label,
                    "what": account_name(part.account),
                    "from, days": begin / 24,
                    "to, days": (begin + part.hours) / 24,
                    "hours": part.hours,
                    "on the longest path": event.on_longest_path,
                }
            )
            begin += part.hours
    return rows


def story_chart(t: Told) -> Any:
    """A bar for every stretch of time, in the order of the steps, coloured by what the time was."""
    from scenarios.report import charts

    return charts.timeline([(r["step"], r["what"], r["from, days"], r["to, days"]) for r in story_rows(t)], "days after arrival")
