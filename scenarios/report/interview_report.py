"""The end of an interview: what is known, what was assumed, what is guessed, and what to do next."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from scenarios.files import LoadedCase
from scenarios.interview.apply import Interviewed
from scenarios.interview.questions import QUESTIONS
from scenarios.report.basis import source_counts

SCHEMA_VERSION = 1
WIDTH = 110
BY_HAND = "case.toml was changed by hand since the last interview: the answers were laid over it as it stood; what you took back stays as it was there."


def text(found: Interviewed, loaded: LoadedCase, folder: Path, by_hand: bool = False) -> str:
    """The page."""
    asked = len(found.known) + len(found.kept)
    lines = [f"{folder / 'case.toml'} is written: {len(found.known)} of {asked} answers given", ""]
    lines += [*_wrapped(BY_HAND), ""] if by_hand else []
    for title, items in sections(found):
        lines += _section(title, items)
    lines += [f"  {counted(loaded)}", ""]
    lines += ["  Next", *_next(found, folder)]
    return "\n".join(lines)


def sections(found: Interviewed) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What came of the answers, under its headings; an empty section has nothing to say."""
    return (
        ("Known, because you said so", tuple(f"{x.about}: {x.answer}" for x in found.known)),
        ("Assumed to use it", found.assumed),
        ("Not adapted", found.not_adapted),
        ("Still guessed, as in the scenario", tuple(_kept(found))),
        ("Your figures contradict each other", (found.contradiction,) if found.contradiction else ()),
    )


def counted(loaded: LoadedCase) -> str:
    """How many numbers of the case are the owner's."""
    counts = source_counts(loaded.case)
    return f"{counts.get('elicited', 0)} of {sum(counts.values())} numbers of the case are yours, {counts.get('guess', 0)} are guesses."


def _section(title: str, items: Sequence[str]) -> list[str]:
    return [f"  {title}", *(line for item in items for line in _wrapped(item, "   · ")), ""] if items else []


def _wrapped(item: str, mark: str = "  ") -> list[str]:
    return textwrap.wrap(item, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False)


def _kept(found: Interviewed) -> Iterator[str]:
    """One line a question, only what has a number in the case."""
    for question in QUESTIONS:
        kept = [f"{x.about} {x.value}" for x in found.kept if x.question == question.id and x.value]
        if kept:
            yield "; ".join(kept)


def _next(found: Interviewed, folder: Path) -> Iterator[str]:
    name = shlex.quote(str(folder))
    steps = [f"pilotproof verdict {name} --draws 20   a first answer, in about a minute; without --draws the whole one"]
    if found.contradiction:
        steps.insert(0, f"pilotproof case interview {name}   change one of the figures that contradict each other")
    if found.first_files:
        files = ", ".join(f"{x.kind}.csv ({x.why})" for x in found.first_files[:3])
        steps.append(f"pilotproof evidence init {name}   templates of tables; begin with {files}")
    steps += [] if found.contradiction else [f"pilotproof case interview {name}   change an answer"]
    for number, step in enumerate(steps, 1):
        yield from textwrap.wrap(step, WIDTH, initial_indent=f"   {number}. ", subsequent_indent="      ", break_on_hyphens=False)


def as_json(found: Interviewed, loaded: LoadedCase, folder: Path) -> dict[str, Any]:
    """The same for scripts and the app."""
    return {
        "schema_version": SCHEMA_VERSION,
        "folder": str(folder),
        "scenario_hash": loaded.hash,
        "known": [{"question": x.question, "field": x.field, "about": x.about, "answer": x.answer} for x in found.known],
        "guessed": [{"question": x.question, "field": x.field, "about": x.about, "value": x.value} for x in found.kept],
        "assumed": list(found.assumed),
        "not_adapted": list(found.not_adapted),
        "contradiction": found.contradiction,
        "evidence_first": [{"kind": x.kind, "why": x.why} for x in found.first_files],
        "sources": source_counts(loaded.case),
    }
