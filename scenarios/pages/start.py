"""The page Start: the examples, and the eight questions with what was typed, what it means, and what holds where nothing was.

Nothing here knows how pages are drawn. Texts stay as they were typed, also those that cannot be used yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from models.leaves import leaves
from models.schema import CaseFile
from scenarios.catalogue import shipped_names, shipped_path
from scenarios.files import read_toml
from scenarios.interview import reading
from scenarios.interview.answers import (
    MAX_LETTERS,
    Answers,
    Given,
    TypeRow,
    check,
    is_asked,
    lacks_sureness,
    read,
    replies,
    with_sureness,
)
from scenarios.interview.draft import Draft
from scenarios.interview.in_force import in_force
from scenarios.interview.questions import QUESTIONS, Field, Question
from scenarios.interview.reading import AnswerError, Estimate

TYPES = "volume.types"
OWNER = "owner"
MAX_OWNER = 80
SURE = "How sure are you that it lies between?"
SURENESS = ("80 %", "90 %", "95 %", "100 %")
"""What may be said of a range; the first holds unless another is chosen, as in the terminal."""
FORMS = {
    "estimate": "One number (14), a range (13 to 15), or low / likely / high (5 / 7 / 10).",
    "accuracy": "One number (92 %), of how many (92 % of 400), or a range (88 to 95 %).",
    "single": "One number.",
    "whole": "A whole number.",
    "weeks": "The first and the last week.",
    "day": "A date as year-month-day.",
    "rates": "One amount for all, or one a team.",
}
SOURCES = {
    "measured": "as measured",
    "elicited": "as somebody said",
    "benchmark": "from published figures of others",
    "guess": "a guess",
}


@dataclass(frozen=True, slots=True)
class Example:
    """A shipped scenario that can be looked at."""

    name: str
    title: str
    line: str


def examples() -> tuple[Example, ...]:
    """All of them, the default first."""
    found = []
    for name in shipped_names():
        path = shipped_path(name)
        assert path is not None
        data = read_toml(path)
        found.append(
            Example(name, str(data["title"]), f"Promise: {str(data.get('description', '')).split('Promise:')[-1].strip()}")
        )
    return tuple(found)


# -- what was typed


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the fields. `texts`: `question.field` → as typed · `sure`: how sure of a range, where it was chosen · `rows`: types."""

    owner: str = ""
    texts: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    sure: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rows: tuple[TypeRow, ...] = ()

    def given(self, question: Question, about: Field) -> Given:
        """The answer to one field as it stands; "" or () if it is open."""
        if about.kind == "types":
            return tuple(row for row in self.rows if any((row.name, row.share, row.piloted, row.approvals, row.like)))
        text = self.texts.get(place_of(question, about), "").strip()
        return "" if reading.is_open(text) else text


def place_of(question: Question, about: Field) -> str:
    """How problems name a field."""
    return f"{question.id}.{about.id}"


def typed_of(answers: Answers) -> Typed:
    """The fields as they stand after answers that were kept; choices by their ids."""
    texts: dict[str, str] = {}
    rows: tuple[TypeRow, ...] = ()
    for question in QUESTIONS:
        for about in question.fields:
            given = answers.given.get((question.id, about.id), "")
            if isinstance(given, tuple):
                rows = tuple(replace(row, piloted=_yes_or_no(row.piloted)) for row in given)
            elif given:
                texts[place_of(question, about)] = _by_id(about, given)
    return Typed(answers.owner, texts, {}, rows)


def _by_id(about: Field, given: str) -> str:
    if about.kind == "choice":
        return reading.choice(given, about)
    if about.kind == "files":
        return ", ".join(reading.several(given, about)) or "none"
    return given


def _yes_or_no(text: str) -> str:
    return "" if reading.is_open(text) else "yes" if reading.yes_no(text) else "no"


@dataclass(frozen=True, slots=True)
class Usable:
    """What of it can be used, and what is wrong with the rest (`question.field` → one plain line)."""

    answers: Answers
    problems: Mapping[str, str]


def usable(typed: Typed) -> Usable:
    """Reads everything. What was typed in a field that is not asked any more is kept if it can be used, and blocks nothing."""
    problems: dict[str, str] = {}
    owner = typed.owner.strip()
    if len(owner) > MAX_OWNER or not owner.isprintable():
        problems[OWNER], owner = f"is too long, or holds characters that cannot be printed; at most {MAX_OWNER} letters", ""
    answers = Answers("" if reading.is_open(owner) else owner)
    for question in QUESTIONS:
        for about in question.fields:
            place, given = place_of(question, about), typed.given(question, about)
            try:
                check(about, given)
                if isinstance(given, str) and lacks_sureness(about, given):
                    given = with_sureness(about, given, typed.sure.get(place) or SURENESS[0])
            except AnswerError as error:
                if is_asked(answers, question, about):
                    problems[place] = str(error)
                continue
            answers = answers.with_answer(question.id, about.id, given)
    return Usable(answers, problems)


# -- the questions as they are shown


@dataclass(frozen=True, slots=True)
class FieldShown:
    """One field. `help`: how it can be answered · `left_open`: what holds while it is empty, "" if nothing does · `understood`: the answer
    in other words · `problem`: why it cannot be used · `sureness`: how sure one is of the range, None if that is not asked."""

    place: str
    about: Field
    text: str
    help: str
    left_open: str
    understood: str
    problem: str
    sureness: str | None


@dataclass(frozen=True, slots=True)
class QuestionShown:
    """One of the eight, with the fields that are asked."""

    number: int
    question: Question
    fields: tuple[FieldShown, ...]
    answered: int
    wrong: int

    @property
    def done(self) -> str:
        """How much of it is answered."""
        return f"{self.answered} of {len(self.fields)} answered."


def sheet(typed: Typed, found: Usable, held: Mapping[str, str], refused: Mapping[str, str]) -> tuple[QuestionShown, ...]:
    """All eight. `held`: what holds where nothing was typed · `refused`: what did not fit together when the answers were used last."""
    return tuple(_question_shown(n, question, typed, found, held, refused) for n, question in enumerate(QUESTIONS, 1))


def _question_shown(
    number: int, question: Question, typed: Typed, found: Usable, held: Mapping[str, str], refused: Mapping[str, str]
) -> QuestionShown:
    asked = [about for about in question.fields if is_asked(found.answers, question, about)]
    shown = tuple(_field_shown(question, about, typed, found, held, refused) for about in asked)
    answered = sum(bool(typed.given(question, one.about)) and not one.problem for one in shown)
    return QuestionShown(number, question, shown, answered, sum(bool(one.problem) for one in shown))


def _field_shown(
    question: Question, about: Field, typed: Typed, found: Usable, held: Mapping[str, str], refused: Mapping[str, str]
) -> FieldShown:
    place, given = place_of(question, about), typed.given(question, about)
    problem = found.problems.get(place) or refused.get(place, "")
    readable = bool(given) and place not in found.problems
    understood = _understood(about, found.answers.given.get((question.id, about.id), "")) if readable else ""
    asks = readable and lacks_sureness(about, given)
    return FieldShown(
        place, about, typed.texts.get(place, ""), _help(about), "" if given else held.get(place, ""), understood, problem,
        (typed.sure.get(place) or SURENESS[0]) if asks else None,
    )  # fmt: skip


def _help(about: Field) -> str:
    kind = "single" if about.single else "accuracy" if about.dimension == "accuracy" else about.kind
    form = FORMS.get(kind, "")
    return " ".join(part for part in (form, f"For example: {about.example}" if about.example else "") if part)


def _understood(about: Field, given: Given) -> str:
    """An amount or time in the program's own words, if these differ from what was typed."""
    if about.kind != "estimate" or not isinstance(given, str) or not given:
        return ""
    reply = read(about, given)
    assert isinstance(reply, Estimate)
    words = reply.in_words()
    return "" if "".join(words.split()) == "".join(given.split()) else words


# -- what holds where nothing was typed


def held(data: Mapping[str, Any], copied: bool) -> dict[str, str]:
    """`question.field` → the number of a case and where it comes from; fields without one are missing.

    `copied`: the case will be copied from an example, whereby all its numbers become guesses. Raises CaseError, ValidationError.
    """
    draft = Draft.of(data, replies(Answers()))
    draft.settled = draft.case()
    sources = {leaf.path: leaf.parameter.source for leaf in leaves(draft.settled)}
    found: dict[str, str] = {}
    for question in QUESTIONS:
        for about in question.fields:
            value = _with_unit(about, in_force(draft, question, about))
            if value:
                source = sources.get(draft.roles.filled(about.path)) if about.path else None
                kind = "guess" if copied else source
                origin = ("as in the example" if copied else "") if source is None or kind is None else SOURCES[kind]
                found[place_of(question, about)] = f"{value}, {origin}" if origin else value
    return found


def _with_unit(about: Field, value: str) -> str:
    """Large plain numbers with separators, as everywhere on screen."""
    return f"{int(value):,}" if about.kind in ("estimate", "whole") and value.isdigit() else value


def type_labels(data: Mapping[str, Any]) -> dict[str, str]:
    """The types of a case: id → label."""
    types = data.get("types", {})
    return {str(name): str(spec.get("label", name)) for name, spec in types.items()} if isinstance(types, Mapping) else {}


def named_there(row: TypeRow, types: Mapping[str, str]) -> bool:
    """Whether a type is one of the case the answers are laid over; then nobody needs to say what it is like."""
    return row.name.strip().lower() in {text.lower() for pair in types.items() for text in pair}


def type_rows(data: Mapping[str, Any]) -> tuple[TypeRow, ...]:
    """The types of a case as somebody would state them, to be changed. Raises ValidationError."""
    case = CaseFile.model_validate(dict(data))
    return tuple(
        TypeRow(
            (spec.label or name)[:MAX_LETTERS], f"{100 * spec.share.uncertain().median:.4g} %", "yes" if spec.piloted else "no"
        )
        for name, spec in case.types.items()
    )
