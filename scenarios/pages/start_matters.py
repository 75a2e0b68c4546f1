"""Which answers to give next: the numbers that move the chance most, and which of the eight questions asks for them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.outcomes import target_value
from models.schema import CaseFile
from scenarios.interview.questions import QUESTIONS, question_named
from scenarios.interview.roles import Roles, roles_of
from scenarios.jobs import Step, Work
from scenarios.pages.start import TYPES, place_of
from scenarios.report.learned_report import moves_title, range_from, those_that_move
from scenarios.report.parameter_words import parameter_words
from scenarios.study import Means, VerdictStudy
from scenarios.study.one_at_a_time import Move, Moves, moving

SHOWN = 10
INSTEAD = 5
"""So many are shown by the result alone if none moves the chance."""
RUNS_A_SLICE = 2


@dataclass(frozen=True, slots=True)
class Matter:
    """One number. `moves`: how far · `source`: where its range comes from · `place`: the field that asks for it, "" if none does ·
    `asked`: the same in words · `points`: of the chance, 0 to 100."""

    number: str
    moves: str
    source: str
    place: str
    asked: str
    points: float


@dataclass(frozen=True, slots=True, eq=False)
class Matters:
    """The finding, how it was found, and the numbers, the one that moves most first; `rows`: all of them, to take away."""

    title: str
    how: str
    shown: tuple[Matter, ...]
    rows: tuple[Mapping[str, object], ...]


def trying(case: CaseFile, study: VerdictStudy, seed: int) -> Work:
    """Every number alone at the ends of its range, in slices; the last one holds the Moves. Raises ValueError."""
    outcomes = [target_value(case, result.arms["production"].figures) for result in study.results]

    def steps() -> Iterator[Step]:
        for done, total, found in moving(case, outcomes, seed, Means(), RUNS_A_SLICE):
            yield Step(found, done, total)

    return steps


def matters(found: Moves) -> Matters:
    """The list."""
    data = found.case.model_dump(mode="json", exclude_unset=True)
    roles, large = roles_of(data), those_that_move(found)
    chosen = large[:SHOWN] or [move for move in found.moves if _days(move) is not None][:INSTEAD]
    how = (
        "Each number alone at the low and the high end of its range, all others at their middle values, today's result reproduced each time. "
        "A guess without a range is varied from two thirds to one and a half times its value. "
        "Numbers that matter only together with others can be missed by this."
    )
    shown = tuple(_matter(found, move, roles) for move in chosen)
    title = moves_title(found)
    if len(large) > SHOWN:
        title = f"{len(large)} of {len(found.moves)} numbers move the chance by a point or more; answer these {SHOWN} first"
    return Matters(title, how, shown, tuple(_row(found, move) for move in found.moves))


def _matter(found: Moves, move: Move, roles: Roles) -> Matter:
    place = question_of(move.path, roles)
    points = 100 * move.largest(found.chance)
    number = _says(place) if place and place != TYPES else parameter_words(found.case, move.path)
    return Matter(number, _moved(found, move), range_from(move), place, asked_in(place), points)


def _moved(found: Moves, move: Move) -> str:
    low, high = sorted((*move.chance, found.chance))[::2]
    if high - low >= 0.005:
        return f"by up to {100 * move.largest(found.chance):.0f} points: the chance lies between {low:.0%} and {high:.0%}"
    days = _days(move)
    if days is None:
        return "not by a point"
    unit = "of all" if found.case.target.statistic == "share_within" else "d"
    shown = [f"{100 * x:.0f} %" if unit == "of all" else f"{x:.1f} d" for x in days]
    return f"not by a point; the result lies between {shown[0]} and {shown[1]}"


def _days(move: Move) -> tuple[float, float] | None:
    """The result at the ends, None where today's result cannot be reproduced at one of them."""
    first, second = move.outcome
    return None if first is None or second is None else (min(first, second), max(first, second))


def _row(found: Moves, move: Move) -> Mapping[str, object]:
    low, middle, high = move.values
    return {
        "number": parameter_words(found.case, move.path), "from": range_from(move), "low": low, "middle": middle, "high": high,
        "result at the low end": move.outcome[0], "result at the high end": move.outcome[1],
        "chance at the low end": move.chance[0], "chance at the high end": move.chance[1],
    }  # fmt: skip


def _says(place: str) -> str:
    name, _, inner = place.partition(".")
    return question_named(name).field(inner).says


def asked_in(place: str) -> str:
    """The question of a field in words."""
    if not place:
        return ""
    name, _, inner = place.partition(".")
    question = question_named(name)
    return f"{QUESTIONS.index(question) + 1}: {question.field(inner).ask}"


def question_of(path: str, roles: Roles) -> str:
    """The field whose answer sets a number (`question.field`); "" if none does.

    An answer for the first level or system is taken for the others too, so that all of them lead to the same field.
    """
    if re.fullmatch(r"types\.[^.]+\.share", path):
        return TYPES
    plain = _like_the_first(path, roles)
    for question in QUESTIONS:
        for about in question.fields:
            if about.path and roles.filled(about.path) == plain:
                return place_of(question, about)
    return ""


def _like_the_first(path: str, roles: Roles) -> str:
    parts: list[Any] = path.split(".")
    if parts[0] == "steps" and parts[1] in roles.systems:
        parts[1] = roles.system
    if parts[0] == "steps" and parts[1] in (roles.approval, roles.desk) and parts[2:3] == ["levels"]:
        parts[3] = "1"
    return ".".join(parts)
