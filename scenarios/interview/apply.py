"""Answers laid over a case: new case data, and everything that was assumed, left out or kept as a guess on the way.

Pure functions of plain data: nothing is read or written, and nothing is simulated but a sample of today's process without queues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pydantic import ValidationError

from models import units
from scenarios.files import problems_of
from scenarios.interview import capacity
from scenarios.interview.answers import Answers, Given, read, read_types, replies
from scenarios.interview.draft import Data, Draft
from scenarios.interview.evidence_files import FirstFile, files_first
from scenarios.interview.in_force import in_force
from scenarios.interview.money import money
from scenarios.interview.pilot import pilot, reviewers, unsure
from scenarios.interview.promise import promise, today
from scenarios.interview.questions import QUESTIONS, Field
from scenarios.interview.reading import Estimate
from scenarios.interview.volume import team_sizes, volume
from scenarios.interview.workflow import approvals, exceptions, systems
from scenarios.problems import CaseError, Problem
from scenarios.report import words

EFFECTS: tuple[Callable[[Draft], None], ...] = (
    promise, today, money, reviewers, volume, approvals, exceptions, systems, team_sizes, pilot, unsure,
)  # fmt: skip
"""In this order: types and levels change what the numbers after them belong to."""


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: which field of which question, what it is about, and what was typed."""

    question: str
    field: str
    about: str
    answer: str


@dataclass(frozen=True, slots=True)
class Kept:
    """One number that was left open: which, and what holds instead ("" if the case has no such number)."""

    question: str
    field: str
    about: str
    value: str


@dataclass(frozen=True, slots=True, eq=False)
class Interviewed:
    """What came of an interview.

    `data`: the case as plain data, valid · `known`: what was answered · `kept`: what was left open · `assumed`: what had to be assumed
    `not_adapted`: what the case cannot hold · `contradiction`: why no verdict can be expected, "" if nothing speaks against it
    `first_files`: the tables of evidence worth filling first
    """

    data: Data
    known: tuple[Said, ...]
    kept: tuple[Kept, ...]
    assumed: tuple[str, ...]
    not_adapted: tuple[str, ...]
    contradiction: str
    first_files: tuple[FirstFile, ...]


def apply(case_data: Mapping[str, Any], answers: Answers, file: str = "answers") -> Interviewed:
    """Lays answers over a case. Raises CaseError with all problems of the answers, each at `question.field`; `file` names them."""
    draft = Draft.of(case_data, replies(answers, file))
    contradiction = ""
    try:
        for effect in EFFECTS:
            effect(draft)
        describe(draft)
        if not draft.problems:
            loaded = draft.validated()
            contradiction = capacity.settle(draft, loaded) if _moves_today(answers) else ""
    except ValidationError as error:
        draft.problems += [draft.blamed(p) for p in problems_of(error, draft.data)]
    except CaseError as error:
        draft.problems += [draft.blamed(p) for p in error.problems]
    if draft.problems:
        raise CaseError(file, list(dict.fromkeys(draft.problems)))
    draft.settled = draft.case()
    return Interviewed(
        draft.data,
        _known(answers),
        _kept(draft, answers),
        tuple(draft.assumed),
        tuple(draft.not_adapted),
        contradiction,
        files_first(draft),
    )


def _moves_today(answers: Answers) -> bool:
    """Whether something was said on which today's work, waits or result depend; pilot, review and money act only live."""
    return any(question in ("today", "volume", "process") or field.startswith("baseline") for question, field in answers.given)


_STATISTICS = {"mean": "on average", "median": "for half of them", "p90": "for 9 of 10"}


def describe(draft: Draft) -> None:
    """The description of the case, which named the scenario's figures."""
    if not draft.written:
        return
    case = draft.case()
    target, rate = case.target, case.arrivals.per_month
    often = f"{rate.uncertain().median:,.0f} {case.cases_word} a month. " if rate is not None else ""
    level = words.quantity(target.level)
    promise = (
        f"{level} within {target.within}" if target.statistic == "share_within" else f"{level} {_STATISTICS[target.statistic]}"
    )
    today = f" (today {units.duration_text(case.baseline.observed.uncertain().median)} on average)" if case.baseline else ""
    draft.data["description"] = f"{often}Promise: {promise}{today}."


def problems(case_data: Mapping[str, Any], answers: Answers) -> tuple[Problem, ...]:
    """What is wrong with answers, without using them."""
    try:
        apply(case_data, answers)
    except CaseError as error:
        return error.problems
    return ()


def _known(answers: Answers) -> tuple[Said, ...]:
    found = []
    for question in QUESTIONS:
        for field in question.fields:
            given = answers.given.get((question.id, field.id))
            if given is not None:
                found.append(Said(question.id, field.id, field.says, _in_words(field, given)))
    return tuple(found)


def _in_words(field: Field, given: Given) -> str:
    """An answer as it was understood."""
    if isinstance(given, tuple):
        return ", ".join(row.name + ("" if row.share is None else f" {100 * row.share:.3g} %") for row in read_types(given))
    reply = read(field, given)
    names = {c.id: c.words for c in field.choices}
    if isinstance(reply, Estimate):
        return reply.in_words()
    if isinstance(reply, str):
        return names[reply]
    if field.kind == "files":
        return "; ".join(names[str(name)] for name in cast("tuple[str, ...]", reply)) or "none"
    return f"{reply:,}" if isinstance(reply, int) else given


def _kept(draft: Draft, answers: Answers) -> tuple[Kept, ...]:
    found = []
    for question in QUESTIONS:
        for field in question.fields:
            if (question.id, field.id) not in answers.given and draft.is_asked(question.id, field.id):
                found.append(Kept(question.id, field.id, field.says, in_force(draft, question, field)))
    return tuple(found)
