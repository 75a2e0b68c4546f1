"""The plain words of a trace: at which step a case is, what its time was, and what is noted on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.process import UNLOCATED
from models.schema import CaseFile, GateStep
from scenarios.study import Run
from simulator.clock import HOUR
from simulator.ledger import OPEN, Result
from simulator.summary import CLOSED, QUEUE, work_seconds
from simulator.workflow import Attempts, Batch, Delay, Gate, Join, Serve

WAITS = {
    "approval_wait": "waiting for the approver's answer",
    "outside_wait": "waiting for somebody outside",
    "inbox_wait": "in the inbox, before the work starts",
    "step_wait": "waiting at this step",
    "integration": "waiting for a connected system",
    "ai": "the AI at work",
    UNLOCATED: "nobody has located",
}
"""Account of a wait -> what the time was."""
OUTSIDE = "outside working hours"
ENDINGS = {Result.TIMED_OUT: "limit reached", Result.FAILED: "call failed", Result.OPEN: "not finished"}
MARKS = {
    "handled": "went to the AI",
    "accepted": "passed without review",
    "wrong": "carries an error of the AI",
    "found_late": "error of the AI found later",
    "caught": "error of the AI caught in review",
    "escalated": "passed on to the next level",
    "delegated": "passed on to somebody else",
    "failed": "all calls failed",
}
"""Last word of a mark that a kind of step sets -> what it means."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a visit's time. `account`: as in "where the days go"; `detail`: who, or what it waited for."""

    account: str
    what: str
    hours: float
    detail: str = ""


def place(case: CaseFile, technical: str) -> str:
    """The name on screen of the step that a technical id belongs to, with its level if it has several."""
    owner, _, inner = technical.partition(".")
    step = next(s for s in case.steps if s.id == owner)
    name, levels = step.label or plain(owner), len(getattr(step, "levels", ()))
    if levels < 2 or inner == UNLOCATED:
        return name
    number = re.search(r"\d+", inner)
    return f"{name}, level {number.group() if number else 1} of {levels}"


def plain(name: str) -> str:
    """A name of the case file as words."""
    return name.replace("_", " ")


def who(case: CaseFile, name: str) -> str:
    """The name on screen of a team or connected system."""
    known = case.teams.get(name) or case.systems.get(name)
    return (known.label if known is not None else "") or plain(name)


def facts(case: CaseFile, marks: tuple[str, ...]) -> Iterator[str]:
    """What is noted on a case at its end, in words, with the technical name in brackets."""
    for mark in marks:
        kind = mark.rpartition(".")[2]
        own = "." not in mark  # a flag of the case file, not a mark that a step sets
        yield f"{plain(mark)} [{mark}]" if own else f"{place(case, mark)}: {MARKS.get(kind, plain(kind))} [{mark}]"


class Teller:
    """Says of each visit of a run what its time was."""

    def __init__(self, run: Run) -> None:
        self.run, self.program, self.visits = run, run.ledger.program, run.ledger.visits
        self.work = work_seconds(run.ledger)

    def column(self, name: str, row: int) -> int:
        return int(self.visits[name][row])

    def span(self, row: int) -> tuple[int, int, int]:
        """Entered, started and ended; what is still open ends with the run."""
        entered, started, ended = (self.column(n, row) for n in ("entered", "started", "ended"))
        until = self.program.stop if ended == OPEN else ended
        return entered, until if started == OPEN else started, until

    def parts(self, row: int) -> list[Part]:
        """The visit's time in parts that add up to it; none is empty unless the visit took no time at all."""
        found = list(self._parts(row))
        return [p for p in found if p.hours > 0] or found[-1:]

    def _parts(self, row: int) -> Iterator[Part]:
        step = self.program.workflow.steps[self.column("step", row)]
        if isinstance(step, Serve):
            yield from self._service(step, row)
        elif isinstance(step, Attempts):
            yield from self._call(step, row)
        elif isinstance(step, Delay | Gate | Join | Batch):
            entered, _, until = self.span(row)
            closed = self.column("closed_seconds", row)
            what, detail = self._wait(step)
            yield Part(CLOSED, OUTSIDE, closed / HOUR)
            yield Part(step.account, what, (until - entered - closed) / HOUR, detail)

    def _service(self, step: Serve, row: int) -> Iterator[Part]:
        entered, _, until = self.span(row)
        team, closed, work = who(self.run.case, step.pool), self.column("closed_seconds", row), int(self.work[row])
        queue = until - entered - closed - work
        yield Part(QUEUE, "waiting for a free person", queue / HOUR, f"{team}: {self._in_front(row)}" if queue else "")
        yield Part(CLOSED, OUTSIDE, closed / HOUR)
        yield Part(step.account, "work", work / HOUR, team)

    def _call(self, step: Attempts, row: int) -> Iterator[Part]:
        entered, started, until = self.span(row)
        system = who(self.run.case, step.endpoint)
        if started > entered:
            detail = f"{system}: {self._in_front(row)}"
            yield Part(step.account, "waiting for its turn at a connected system", (started - entered) / HOUR, detail)
        pause = self.column("result", row) == Result.BACK_OFF
        yield Part(step.account, "pause before the next call" if pause else "connected system", (until - started) / HOUR, system)

    def _wait(self, step: Delay | Gate | Join | Batch) -> tuple[str, str]:
        match step:
            case Join():
                return "waiting for the other branch", ""
            case Batch():
                return "waiting until enough have come together", ""
            case Gate(account="gate"):
                own = next((s for s in self.run.case.steps if s.id == step.id and isinstance(s, GateStep)), None)
                return "waiting for a fixed date", plain(own.calendar) if own else ""
            case Gate():
                return "waiting until the approver looks", ""
            case _:
                return WAITS.get(step.account, "waiting"), "assumed to lie here" if step.account == UNLOCATED else ""

    def _in_front(self, row: int) -> str:
        """Who was in front when the case came: units busy, cases waiting, or a closed pool."""
        v, pool, entered = self.visits, self.column("pool", row), self.column("entered", row)
        others = (v["pool"] == pool) & (np.arange(len(v["case"])) != row)
        start, end = _or_never(v["started"]), _or_never(v["ended"])
        busy = int((others & (start <= entered) & (end > entered)).sum())
        ahead = int((others & (v["entered"] <= entered) & (np.minimum(start, end) > entered)).sum())
        if not self.run.ledger.future.capacity[pool].open_time().is_open(entered):
            return f"closed when it came, {ahead} ahead"
        return f"{busy} in work, {ahead} ahead"

    def remark(self, row: int) -> str:
        """How the visit ended if not as usual, and which visit of this step it was."""
        visit, ending = self.column("visit", row), ENDINGS.get(Result(self.column("result", row)), "")
        return "; ".join(filter(None, (ending, f"visit {visit + 1} of this step" if visit else "")))


def _or_never(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(seconds == OPEN, 2**62, seconds)
