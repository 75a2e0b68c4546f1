"""Answers laid over a case of one's own, as work behind the page Start; and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scenarios.case_folder import CASE
from scenarios.catalogue import shipped_names
from scenarios.editing import name_of, write_atomically
from scenarios.files import load, parsed, read_text
from scenarios.interview import store
from scenarios.interview.answers import Answers
from scenarios.interview.layout import rewritten
from scenarios.jobs import Step, Work
from scenarios.problems import CaseError
from scenarios.report.interview_report import BY_HAND, counted, sections
from scenarios.workspaces import from_folder, from_scenario

MAX_TITLE = 80
YOUR_ANSWERS = "your answers"
NO_NAME = "my_case"


@dataclass(frozen=True, slots=True, eq=False)
class Came:
    """What came of answers. `sections`: headings with their items, empty ones left out · `next_files`: tables of evidence worth filling
    first, and what they tell · `contradiction`: why no answer can be expected, "" if nothing speaks against it
    `problem`: why the case cannot be simulated now, although the answers fit."""

    sections: tuple[tuple[str, tuple[str, ...]], ...]
    counted: str
    contradiction: str
    next_files: tuple[tuple[str, str], ...]
    by_hand: str
    problem: CaseError | None


def folder_name(title: str) -> str:
    """A name for the folder of a case, made of what its owner calls it."""
    return name_of(title) if any(c.isalnum() for c in title) else NO_NAME


def title_problem(title: str) -> str:
    """Why a case cannot be called so; "" if it can."""
    if len(title) > MAX_TITLE or not title.isprintable():
        return f"is too long, or holds characters that cannot be printed; at most {MAX_TITLE} letters"
    return ""


def made_from(base: str, title: str) -> Callable[[Path], object]:
    """Fills the folder of a case of one's own from a shipped scenario, a case file or a case folder, under its owner's title."""
    make = from_scenario(base) if base in shipped_names() else from_folder(Path(base))

    def fill(folder: Path) -> None:
        make(folder)
        retitle(folder, title)

    return fill


def retitle(folder: Path, title: str) -> None:
    """Gives the case another title, "" for none; the case that answers are laid over gets it, so that it stays. Raises CaseError."""
    wanted = title.strip()
    start = store.start_of(folder)
    if not wanted or start.data.get("title") == wanted:
        return
    from_before = (folder / store.BEFORE).is_file() and not start.by_hand
    file = folder / (store.BEFORE if from_before else CASE)
    text = read_text(file).removeprefix(store.NOTE)
    changed = rewritten(text, {**parsed(text, file), "title": wanted}, file)
    write_atomically(file, store.NOTE + changed if from_before else changed)


def laying(folder: Path, answers: Answers, title: str) -> Work:
    """The answers laid over the case, as one slice of work. Raises CaseError with problems at `question.field`; then nothing changed."""

    def steps() -> Iterator[Step]:
        yield Step(laid(folder, answers, title), 1, 1)

    return steps


def laid(folder: Path, answers: Answers, title: str) -> Came:
    """The same at once."""
    retitle(folder, title)
    by_hand = BY_HAND if store.start_of(folder).by_hand else ""
    found = store.interviewed(folder, answers, YOUR_ANSWERS)
    problem, words = None, ""
    try:
        words = counted(load(str(folder)))
    except CaseError as error:
        problem = error
    told = tuple((heading, items) for heading, items in sections(found) if items and items != (found.contradiction,))
    files = tuple((first.kind, first.why) for first in found.first_files[:3])
    return Came(told, words, found.contradiction, files, by_hand, problem)
