"""The interview of a case folder: `interview.toml` keeps the answers, `before_interview.toml` the case that they are laid over.

So an answer can be changed or taken back: the case is made anew from the one before. If somebody changed `case.toml` by hand since,
it becomes the new start, and nothing of it is lost.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenarios.case_folder import CASE
from scenarios.editing import ALL_GUESSES, write_atomically
from scenarios.files import read_text, read_toml, require_case_folder, resolved
from scenarios.interview.answers import Answers
from scenarios.interview.apply import Interviewed, apply
from scenarios.interview.layout import rewritten

ANSWERS, BEFORE = "interview.toml", "before_interview.toml"
NOTE = "# The case as it was before the interview; pilotproof case interview lays the answers over it. Change case.toml, not this file.\n"


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """What the answers are laid over. `text`, `data`: the case · `layout`: the text whose form and comments the new one keeps

    `by_hand`: whether the case was changed since the last interview
    """

    text: str
    layout: str
    data: dict[str, Any]
    by_hand: bool


def start_of(folder: Path) -> Start:
    """The case before the interview. Raises CaseError."""
    require_case_folder(folder)
    case, before = folder / CASE, folder / BEFORE
    written = str(_saved(folder).get("written", ""))
    untouched = before.is_file() and written == _hash(read_text(case))
    source = before if untouched else case
    text = read_text(source).removeprefix(NOTE)
    data = resolved(source)
    parent = data.pop("extends", None)
    layout = (
        text if parent is None else ALL_GUESSES.format(source=" ".join(str(parent).split()))
    )  # the differences become a whole file
    return Start(text, layout, data, before.is_file() and not untouched)


def answers_in(file: Path) -> Answers:
    """The answers of a file. Raises CaseError with all problems of its form."""
    data = read_toml(file)
    data.pop("written", None)
    return Answers.of(data, str(file))


def saved_answers(folder: Path) -> Answers:
    """The answers kept in a case folder; none if there are none yet. Raises CaseError."""
    return answers_in(folder / ANSWERS) if (folder / ANSWERS).is_file() else Answers()


def keep(folder: Path, answers: Answers, case_text: str | None = None) -> None:
    """Keeps answers in the case folder, whole or not at all. `case_text`: the case file made from them, if it was."""
    written = _hash(case_text) if case_text is not None else str(_saved(folder).get("written", ""))
    head, rest = answers.toml().split("schema_version", 1)
    mark = f'written = "{written}"  # the case.toml that was made; not an answer\n' if written else ""
    write_atomically(folder / ANSWERS, f"{head}{mark}schema_version{rest}")


def interviewed(folder: Path, answers: Answers, file: str = "") -> Interviewed:
    """Lays the answers over the case of a folder and writes all three files. Raises CaseError; then nothing is written."""
    start = start_of(folder)
    found = apply(start.data, answers, file or str(folder / ANSWERS))
    text = rewritten(start.layout, found.data, folder / CASE)
    if start.by_hand or not (folder / BEFORE).is_file():
        write_atomically(folder / BEFORE, NOTE + start.text)
    write_atomically(folder / CASE, text)
    keep(folder, answers, text)
    return found


def _saved(folder: Path) -> dict[str, Any]:
    return read_toml(folder / ANSWERS) if (folder / ANSWERS).is_file() else {}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
