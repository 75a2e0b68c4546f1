"""`trace`: one case's story, hour by hour, with the reason of each wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

import numpy as np

from models.schema import Arm, CaseFile
from scenarios.files import LoadedCase
from scenarios.problems import CaseError, Problem
from scenarios.report.basis import basis, basis_line
from scenarios.report.verdict_text import ARM_NAMES, account_name
from scenarios.store import SolvedCache
from scenarios.study import Run, replicate_one
from simulator.clock import HOUR
from simulator.ledger import OPEN, Result
from simulator.program import F, Op
from simulator.summary import arrival_weeks, cycle_seconds, longest_path

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Event:
    """One visit: when it began, what it was, how long it took and why."""

    when: str
    step: str
    waited_hours: float
    took_hours: float
    reason: str
    on_longest_path: bool


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
    run = replicate_one(loaded.case, arm, seed, 0, SolvedCache(loaded.hash, seed))
    week = arrival_weeks(run.ledger)
    first, last = loaded.case.target.weeks
    chosen = np.flatnonzero((week >= first) & (week <= last))
    chosen = chosen[np.argsort(run.ledger.cases["arrival"][chosen], kind="stable")]
    if number >= len(chosen):
        raise CaseError(
            "--case", [Problem("E601", "", f"there are {len(chosen)} cases in the target weeks", f"0 to {len(chosen) - 1}")]
        )
    k = int(chosen[number])
    c, program = run.ledger.cases, run.ledger.program
    ended = int(c["ended"][k])
    return Story(
        loaded, arm, seed, number,
        list(loaded.case.types)[int(c["type"][k])],
        _when(loaded.case, int(c["arrival"][k])),
        float(cycle_seconds(run.ledger)[k] / (24 * HOUR)),
        "still open" if ended == OPEN else program.results[int(c["end_result"][k])],
        tuple(m for i, m in enumerate(program.marks) if int(c["marks"][k]) >> i & 1),
        tuple(_event(loaded.case, run, int(row)) for row in np.flatnonzero(run.ledger.visits["case"] == k)),
    )  # fmt: skip


def _when(case: CaseFile, second: int) -> str:
    start = datetime.combine(case.go_live, time())
    return (start + timedelta(seconds=second)).strftime("%a %Y-%m-%d %H:%M")


def _event(case: CaseFile, run: Run, row: int) -> Event:
    v, program = run.ledger.visits, run.ledger.program
    entered, started, ended = (int(v[n][row]) for n in ("entered", "started", "ended"))
    until = program.stop if ended == OPEN else ended
    begin = until if started == OPEN else started
    return Event(
        _when(case, entered),
        program.step_ids[int(v["step"][row])],
        (begin - entered) / HOUR,
        (until - begin) / HOUR,
        _reason(run, row, entered, begin),
        bool(longest_path(run.ledger)[row]),
    )


def _reason(run: Run, row: int, entered: int, begin: int) -> str:
    v, program = run.ledger.visits, run.ledger.program
    step, pool, result = (int(v[n][row]) for n in ("step", "pool", "result"))
    what = getattr(program.workflow.steps[step], "account", "")
    parts = [] if program.steps[step, F.OP] == Op.SERVE else [account_name(what)]
    if pool >= 0 and begin > entered:
        parts.append(_queue_reason(run, row, pool, entered))
    closed = int(v["closed_seconds"][row])
    if closed:
        parts.append(f"{closed / HOUR:.1f} h of it outside working hours")
    if v["visit"][row]:
        parts.append(f"visit {int(v['visit'][row]) + 1}")
    endings = {
        Result.TIMED_OUT: "limit reached",
        Result.FAILED: "all attempts failed",
        Result.BACK_OFF: "pause before the next attempt",
        Result.OPEN: "not finished",
    }
    parts += [text for key, text in endings.items() if result == key]
    return "; ".join(parts)


def _queue_reason(run: Run, row: int, pool: int, entered: int) -> str:
    """Who was in front when the case came: units busy, cases waiting, or a closed pool."""
    v, name = run.ledger.visits, run.ledger.program.pool_names[pool]
    others = (v["pool"] == pool) & (np.arange(len(v["case"])) != row)
    start = np.where(v["started"] == OPEN, 2**62, v["started"])
    end = np.where(v["ended"] == OPEN, 2**62, v["ended"])
    busy = int((others & (start <= entered) & (end > entered)).sum())
    ahead = int((others & (v["entered"] <= entered) & (np.minimum(start, end) > entered)).sum())
    capacity = run.ledger.future.capacity[pool]
    if not capacity.open_time().is_open(entered):
        return f"{name} closed when it came, {ahead} ahead"
    return f"{name} busy: {busy} in work, {ahead} ahead"


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
        "events": [
            {
                "when": e.when,
                "step": e.step,
                "waited_hours": round(e.waited_hours, 6),
                "took_hours": round(e.took_hours, 6),
                "reason": e.reason,
                "on_longest_path": e.on_longest_path,
            }
            for e in story.events
        ],
        "basis": basis(story.loaded, story.seed),
    }


def text(story: Story) -> str:
    """The story to read."""
    word = story.loaded.case.case_word
    head = f"{word} {story.number}, type {story.type}, {ARM_NAMES[story.arm]}: arrived {story.arrived}, {story.cycle_days:.2f} days, {story.result}"
    lines = [head, "", f"  {'when':<22}{'step':<28}{'waited h':>9}{'took h':>9}  why"]
    for e in story.events:
        aside = "" if e.on_longest_path else " (not on the longest path)"
        lines.append(f"  {e.when:<22}{e.step:<28}{e.waited_hours:>9.2f}{e.took_hours:>9.2f}  {e.reason}{aside}")
    if story.marks:
        lines += ["", f"  facts at the end: {', '.join(story.marks)}"]
    return "\n".join([*lines, "", f"  {basis_line(story.loaded, story.seed)}"])
