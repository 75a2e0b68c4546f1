"""Answers: what somebody said to the eight questions, as frozen text; and what it means once it is read.

Answers stay as they were typed, so that a file of them can be kept, repeated and changed. Reading finds all problems at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any

from scenarios.interview import reading
from scenarios.interview.questions import QUESTIONS, Field, Question, question_named
from scenarios.interview.reading import AnswerError, Estimate
from scenarios.problems import CaseError, Problem, nearest

SCHEMA_VERSION = 1
MAX_TYPES = 20
MAX_LETTERS = 200
HEAD = """\
# Answers to the eight questions of "pilotproof case interview", as they were given. An answer that is left out means "don't know".
# Change them here, then run: pilotproof case interview FOLDER --answers THIS_FILE
"""


@dataclass(frozen=True, slots=True)
class TypeRow:
    """One type of cases as typed; "" is "don't know". `like`: the type of the scenario that it is most like."""

    name: str
    share: str = ""
    piloted: str = ""
    approvals: str = ""
    like: str = ""


Given = str | tuple[TypeRow, ...]
TYPE_COLUMNS = ("name", "share", "piloted", "approvals", "like")


@dataclass(frozen=True, slots=True)
class Answers:
    """All that was said. `given`: (question, field) → the answer as typed; what is missing was not known."""

    owner: str = ""
    given: Mapping[tuple[str, str], Given] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, data: Mapping[str, Any], file: str = "answers") -> Answers:
        """Answers from plain data: question → field → answer. Raises CaseError with everything that is wrong, each at its place."""
        problems: list[Problem] = []
        given: dict[tuple[str, str], Given] = {}
        for place, key, value in _walk(data, problems):
            try:
                answer = _type_rows(value) if key == ("volume", "types") else _text(value)
            except AnswerError as error:
                problems.append(Problem("E103", place, str(error)))
                continue
            if answer and not (isinstance(answer, str) and reading.is_open(answer)):
                given[key] = answer
        problems += _read_all(given)[1]
        owner = data.get("owner", "")
        if not isinstance(owner, str) or len(owner) > MAX_LETTERS or not owner.isprintable():
            problems.append(Problem("E103", "owner", f"must be a name of at most {MAX_LETTERS} printable letters"))
        if problems:
            raise CaseError(file, problems)
        return cls(str(owner).strip(), MappingProxyType(given))

    def with_answer(self, question: str, name: str, answer: Given) -> Answers:
        """A copy with one answer replaced; an open one is taken out."""
        given = {key: value for key, value in self.given.items() if key != (question, name)}
        if answer and not (isinstance(answer, str) and reading.is_open(answer)):
            given[question, name] = answer
        return replace(self, given=MappingProxyType(given))

    def as_data(self) -> dict[str, Any]:
        """The same as plain data, in the order of the questions."""
        data: dict[str, Any] = {"schema_version": SCHEMA_VERSION, "owner": self.owner}
        for question in QUESTIONS:
            said = {f.id: self.given[question.id, f.id] for f in question.fields if (question.id, f.id) in self.given}
            if said:
                data[question.id] = {key: _plain(value) for key, value in said.items()}
        return data

    def toml(self) -> str:
        """The file that keeps them."""
        lines = [HEAD + f"schema_version = {SCHEMA_VERSION}", f"owner = {_quoted(self.owner)}"]
        for question in QUESTIONS:
            said = [(f.id, self.given[question.id, f.id]) for f in question.fields if (question.id, f.id) in self.given]
            lines += ["", f"# {question.title}", f"[{question.id}]"] if said else []
            for name, answer in said:
                lines += [f"{name} = {_quoted(answer)}"] if isinstance(answer, str) else _rows_toml(name, answer)
        return "\n".join(lines) + "\n"


def _plain(answer: Given) -> Any:
    if isinstance(answer, str):
        return answer
    return [{c: getattr(row, c) for c in TYPE_COLUMNS if getattr(row, c)} for row in answer]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")


def _rows_toml(name: str, rows: tuple[TypeRow, ...]) -> Iterator[str]:
    yield f"{name} = ["
    for row in rows:
        cells = ", ".join(f"{c} = {_quoted(getattr(row, c))}" for c in TYPE_COLUMNS if getattr(row, c))
        yield f"  {{ {cells} }},"
    yield "]"


def _walk(data: Mapping[str, Any], problems: list[Problem]) -> Iterator[tuple[str, tuple[str, str], Any]]:
    """Every answer of plain data with its place; what belongs to no question becomes a problem."""
    known = {q.id: [f.id for f in q.fields] for q in QUESTIONS}
    for name, content in data.items():
        if name == "schema_version":
            if content != SCHEMA_VERSION:
                problems.append(Problem("E103", name, f"this program reads version {SCHEMA_VERSION} of answers"))
        elif name == "owner":
            continue
        elif name not in known:
            problems.append(Problem("E101", str(name)[:60], "no such question", nearest(str(name), known)))
        elif not isinstance(content, Mapping):
            problems.append(Problem("E103", name, "must be a table of answers", f"its fields are {', '.join(known[name])}"))
        else:
            for key, value in content.items():
                if key not in known[name]:
                    problems.append(Problem("E101", f"{name}.{key}"[:80], "no such answer", nearest(str(key), known[name])))
                else:
                    yield f"{name}.{key}", (name, str(key)), value


def _text(value: Any) -> str:
    """An answer as text, however a file or a program states it. Raises AnswerError."""
    if isinstance(value, list | tuple) and all(isinstance(x, str) for x in value):
        return _checked(", ".join(value) if value else "none")
    if isinstance(value, Mapping) and {"low", "high"} <= set(value) <= {"low", "likely", "high", "sure"}:
        return _checked(_range_text(value))
    return _one(value)


def _checked(text: str) -> str:
    if len(text) > MAX_LETTERS:
        raise AnswerError(f"is longer than {MAX_LETTERS} letters")
    if not text.isprintable():
        raise AnswerError("holds characters that cannot be printed")
    return text.strip()


def _one(value: Any) -> str:
    """One text or number as text. Raises AnswerError."""
    if isinstance(value, str):
        return _checked(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        if not abs(value) < 1e15:
            raise AnswerError("is not a number that can be used")
        return f"{value:.15g}"
    if isinstance(value, date):
        return value.isoformat()
    raise AnswerError("must be text, a number, or a table with low, likely, high and sure")


def _range_text(value: Mapping[str, Any]) -> str:
    """A table with low, high and perhaps likely and sure as text; each is one number, no table again. Raises AnswerError."""
    low, high = _one(value["low"]), _one(value["high"])
    between = f"{low} / {_one(value['likely'])} / {high}" if "likely" in value else f"{low} to {high}"
    return between + (f" ({100 * reading.sure(_one(value['sure'])):g} % sure)" if "sure" in value else "")


def _type_rows(value: Any) -> tuple[TypeRow, ...]:
    if isinstance(value, tuple) and all(isinstance(row, TypeRow) for row in value):
        return value
    if isinstance(value, str) and reading.is_open(value):
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(row, Mapping) for row in value):
        raise AnswerError('must be a list of types: [{ name = "…", share = "60 %", piloted = true }, …]')
    rows = []
    for number, row in enumerate(value, 1):
        strange = sorted(set(map(str, row)) - set(TYPE_COLUMNS))
        if strange:
            raise AnswerError(f'type {number}: no "{strange[0][:60]}"; {nearest(strange[0][:60], TYPE_COLUMNS)}')
        rows.append(
            TypeRow(**{name: "" if reading.is_open(text := _text(cell)) else text for name, cell in {"name": "", **row}.items()})
        )
    return tuple(rows)


# -- asking: the same in the terminal and in the app


def is_asked(answers: Answers, question: Question, about: Field) -> bool:
    """Whether a field has a meaning beside the other answers to its question. Raises AnswerError if those cannot be read."""
    if about.only_if is None:
        return True
    other, wanted = about.only_if
    said = answers.given.get((question.id, other), "")
    return str(read(question.field(other), said) if said else "") in wanted


def check(about: Field, given: Given) -> None:
    """Whether an answer can be used; an open one can. Raises AnswerError with one plain line."""
    if not given or (isinstance(given, str) and reading.is_open(given)):
        return
    cells = (given,) if isinstance(given, str) else tuple(getattr(row, column) for row in given for column in TYPE_COLUMNS)
    if any(len(cell) > MAX_LETTERS or not cell.isprintable() for cell in cells):
        raise AnswerError("is too long, or holds characters that cannot be printed")
    read(about, given)


def lacks_sureness(about: Field, given: Given) -> bool:
    """Whether an answer is a range of which it was not said how sure one is. Raises AnswerError."""
    if about.kind != "estimate" or not isinstance(given, str) or reading.is_open(given):
        return False
    found = reading.estimate(given, about.dimension, about.single)
    return found.is_range and not found.sure_said


def with_sureness(about: Field, given: str, said: str) -> str:
    """A range with how sure one is of it. Raises AnswerError."""
    whole = f"{given} ({100 * reading.sure(said):g} % sure)"
    reading.estimate(whole, about.dimension, about.single)
    return whole


# -- reading


@dataclass(frozen=True, slots=True)
class TypeReply:
    """One type as read; None is "don't know"."""

    name: str
    share: float | None
    piloted: bool | None
    approvals: int | None
    like: str


Reply = Estimate | str | int | tuple[int, int] | date | tuple[TypeReply, ...] | tuple[tuple[str, Estimate], ...] | tuple[str, ...]


def read(about: Field, answer: Given) -> Reply:
    """What one answer means. Raises AnswerError."""
    if isinstance(answer, tuple):
        return read_types(answer)
    match about.kind:
        case "estimate":
            return reading.estimate(answer, about.dimension, about.single)
        case "choice":
            return reading.choice(answer, about)
        case "whole":
            return reading.whole(answer, about.least, about.most)
        case "weeks":
            return reading.weeks(answer)
        case "day":
            return reading.monday(answer)
        case "rates":
            return reading.rates(answer)
        case "files":
            return reading.several(answer, about)
        case "types":
            raise AnswerError("must be a list of types")


def read_types(rows: tuple[TypeRow, ...]) -> tuple[TypeReply, ...]:
    """Types as read; shares that add up to 100 % but for rounding are taken as they are. Raises AnswerError."""
    if len(rows) > MAX_TYPES:
        raise AnswerError(f"at most {MAX_TYPES} types; put the rare ones together")
    found = tuple(_read_type(number, row) for number, row in enumerate(rows, 1))
    names = [row.name.lower() for row in found]
    twice = next((row.name for row in found if names.count(row.name.lower()) > 1), None)
    if twice is not None:
        raise AnswerError(f'"{twice}" is named twice')
    total = sum(row.share or 0.0 for row in found)
    open_ones = any(row.share is None for row in found)
    if total > 1.02 or (not open_ones and total < 0.98):
        raise AnswerError(f"the shares add up to {100 * total:.4g} %, must be 100 %")
    if all(row.piloted is False for row in found):
        raise AnswerError("the pilot had none of these types; at least one must have been in it")
    return found


def _read_type(number: int, row: TypeRow) -> TypeReply:
    name = " ".join(row.name.split())
    if not name:
        raise AnswerError(f"type {number} needs a name")
    try:
        share = reading.estimate(row.share, "share", single=True).likely if row.share else None
        piloted = reading.yes_no(row.piloted) if row.piloted else None
        approvals = reading.whole(row.approvals, 0, 6) if row.approvals else None
    except AnswerError as error:
        raise AnswerError(f"{name}: {error}") from None
    return TypeReply(name, share, piloted, approvals, row.like.strip())


@dataclass(frozen=True, slots=True)
class Replies:
    """All answers as read."""

    owner: str
    texts: Mapping[tuple[str, str], Given]
    values: Mapping[tuple[str, str], Reply]


def replies(answers: Answers, file: str = "answers") -> Replies:
    """Reads every answer. Raises CaseError with all problems, each at `question.field`."""
    values, problems = _read_all(answers.given)
    if problems:
        raise CaseError(file, problems)
    return Replies(answers.owner, answers.given, MappingProxyType(values))


def _read_all(given: Mapping[tuple[str, str], Given]) -> tuple[dict[tuple[str, str], Reply], list[Problem]]:
    values: dict[tuple[str, str], Reply] = {}
    problems: list[Problem] = []
    for (question, name), answer in given.items():
        try:
            values[question, name] = read(question_named(question).field(name), answer)
        except AnswerError as error:
            problems.append(Problem("E103", f"{question}.{name}", str(error)))
    return values, problems
