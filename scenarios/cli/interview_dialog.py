"""The interview in the terminal: one field after the other, an answer that cannot be used gets one line and the question again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import typer

from scenarios.interview import reading
from scenarios.interview.answers import MAX_TYPES, Answers, Given, TypeRow, check, is_asked, lacks_sureness, with_sureness
from scenarios.interview.questions import QUESTIONS, Field, Question
from scenarios.interview.reading import AnswerError
from scenarios.problems import Problem

WELCOME = """\
Eight questions. Enter means "don't know": the scenario's guess stays, and you will see it at the end.
Answer with one number (14 d), a range (5 to 10, and how sure you are: 80 % sure), or low / likely / high (5 / 7 / 10).
An answer from last time stands in [brackets]: Enter keeps it, ? takes it back. Ctrl-C stops; what you said is kept."""
SURE = "    How sure are you that it lies between? (80 %, 90 %, or 100 % for never outside)"


@dataclass(slots=True)
class Dialog:
    """`keep` is called after every answer, so that nothing said is lost; `types`: the scenario's types, name → label."""

    answers: Answers
    keep: Callable[[Answers], None]
    types: dict[str, str] = field(default_factory=dict)

    def run(self) -> Answers:
        """Asks everything."""
        typer.echo(WELCOME)
        self._owner()
        for number, question in enumerate(QUESTIONS, 1):
            typer.echo(f"\n{number} of {len(QUESTIONS)}  {question.title}\n   {question.help}")
            for about in question.fields:
                if is_asked(self.answers, question, about):
                    self._ask(question, about)
        return self.answers

    def again(self, problems: tuple[Problem, ...]) -> bool:
        """Says what does not fit together and asks those answers again; False if none of them is an answer."""
        places = {f"{q.id}.{f.id}": (q, f) for q in QUESTIONS for f in q.fields}
        found = [(p, places[p.place]) for p in problems if p.place in places]
        typer.echo("\nSome answers do not fit together yet.")
        for problem, (question, about) in found:
            typer.echo(f"  {about.says}: {problem.message}{f' ({problem.remedy})' if problem.remedy else ''}")
            self._ask(question, about)
        return bool(found)

    def _owner(self) -> None:
        said = _prompt("Who answers for these numbers? A name or a pseudonym", self.answers.owner)
        self.answers = Answers("" if reading.is_open(said) else said[:80], self.answers.given)
        self.keep(self.answers)

    def _ask(self, question: Question, about: Field) -> None:
        """Asks until the answer can be used or is open."""
        old = self.answers.given.get((question.id, about.id), "")
        while True:
            given: Given = self._types(old) if about.kind == "types" else _prompt(_line(about), str(old))
            if isinstance(given, str) and reading.is_open(given):
                given = ""
            try:
                check(about, given)
            except AnswerError as error:
                typer.echo(f"    {error}")
                continue
            self.answers = self.answers.with_answer(question.id, about.id, self._sure(about, given))
            self.keep(self.answers)
            return

    def _sure(self, about: Field, given: Given) -> Given:
        """A range without how sure one is gets asked for it."""
        if not isinstance(given, str) or not lacks_sureness(about, given):
            return given
        while True:
            try:
                return with_sureness(about, given, _prompt(SURE, "80 %"))
            except AnswerError as error:
                typer.echo(f"    {error}")

    # -- types

    def _types(self, old: Given) -> Given:
        """Row by row; Enter at the first name keeps what was said, or leaves all open."""
        kept = old if isinstance(old, tuple) else ()
        shown = ", ".join(f"{row.name} {row.share}".strip() for row in kept)
        typer.echo("  Types of cases, one after the other; Enter when there are no more" + (f" [{shown}]" if shown else ""))
        for label in self.types.values():
            typer.echo(f"    in the scenario: {label}")
        rows: list[TypeRow] = []
        while len(rows) < MAX_TYPES:
            name = _prompt(f"  Type {len(rows) + 1}: its name", "")
            if name == "?" and not rows:
                return ""
            if reading.is_open(name):
                return tuple(rows) if rows else kept
            rows.append(self._row(name))
        return tuple(rows)

    def _row(self, name: str) -> TypeRow:
        share = _until(lambda said: reading.estimate(said, "share", single=True), "    its share of all cases (e.g. 20 %)")
        piloted = _until(reading.yes_no, "    did the pilot have it? (y/n)")
        approvals = _until(lambda said: reading.whole(said, 0, 6), "    how many approvers does it need")
        known = name.lower() in {x.lower() for pair in self.types.items() for x in pair}
        like = ""
        if self.types and not known:
            choices = ", ".join(self.types)
            like = _until(lambda said: reading.known_choice(said, self.types), f"    most like which of {choices}")
        return TypeRow(name, share, piloted, approvals, like)


def _until(check: Callable[[str], object], line: str) -> str:
    """Asks until the check passes or the answer is open, which is ""."""
    while True:
        said = _prompt(line, "")
        if reading.is_open(said):
            return ""
        try:
            check(said)
        except AnswerError as error:
            typer.echo(f"    {error}")
            continue
        return said


def _prompt(line: str, old: str) -> str:
    return str(typer.prompt(f"{line}", default=old, show_default=bool(old))).strip()


def _line(about: Field) -> str:
    """The prompt of a field; choices are listed above it."""
    if not about.choices:
        return f"  {about.ask}{f' (e.g. {about.example})' if about.example else ''}"
    typer.echo(f"  {about.ask}")
    for number, option in enumerate(about.choices, 1):
        typer.echo(f"    {number} {option.words}")
    return "    numbers, separated by commas" if about.kind == "files" else "    number"
