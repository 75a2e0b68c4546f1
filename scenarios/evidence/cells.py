"""Texts, names, choices and yes-or-no cells; pseudonyms of people; lines that sum up the others."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from scenarios.evidence.raw import CellError
from scenarios.evidence.values import Parsed, shown, texts_of
from scenarios.problems import nearest

MAX_TEXT = 500
_FLAGS = {
    **dict.fromkeys(("yes", "y", "ja", "j", "true", "wahr", "1"), 1.0),
    **dict.fromkeys(("no", "n", "nein", "false", "falsch", "0"), 0.0),
}
_SUM = re.compile(
    r"(?:grand |sub-?|zwischen|gesamt)?(?:total|totals|sum|summe|summen)|gesamt|insgesamt|ergebnis|gesamtergebnis|grand total",
    re.IGNORECASE,
)


def text(cell: Any) -> str:
    """A cell as text: whole numbers without a decimal point, dates in ISO form, "" if it is empty."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell == int(cell if abs(cell) < 1e15 else 0):
        return str(int(cell))
    return cell.isoformat() if isinstance(cell, date) else str(cell)


def is_sum(cell: Any) -> bool:
    """Whether a cell marks a line that sums up others."""
    return isinstance(cell, str) and len(cell) < 30 and not cell[:1].isdigit() and _SUM.fullmatch(cell.strip(" :=*.")) is not None


def parse_texts(cells: Sequence[Any]) -> Parsed:
    """Short texts, "" where a cell is empty."""
    wrong = {}
    for i, cell in enumerate(cells):
        if isinstance(cell, CellError):
            wrong[i] = ("E521", cell.message, "correct it, or leave the cell empty")
        elif isinstance(cell, str) and len(cell) > MAX_TEXT:
            wrong[i] = ("E521", f"is a text of {len(cell):,} letters", f"at most {MAX_TEXT}")
    return Parsed(texts_of(["" if i in wrong else text(cell) for i, cell in enumerate(cells)]), wrong)


def parse_names(cells: Sequence[Any], allowed: Sequence[str], what: str, refused: Mapping[str, str]) -> Parsed:
    """Names that the case file defines. `what`: what they are called in messages; `refused`: names that exist but do not fit, and why."""
    found = parse_texts(cells)
    wrong, known = dict(found.wrong), set(allowed)
    for i, name in enumerate(found.values):
        if name and name not in known and i not in wrong:
            remedy = nearest(name, allowed)
            wrong[i] = (
                ("E535", f'"{name}" {refused[name]}', remedy)
                if name in refused
                else ("E528", f"there is no {what} {shown(name)}", remedy)
            )
    return Parsed(found.values, wrong)


def parse_choices(cells: Sequence[Any], allowed: Sequence[str]) -> Parsed:
    """One of a few words, in any case of letters."""
    found = parse_texts(cells)
    values, wrong = texts_of([name.lower() for name in found.values]), dict(found.wrong)
    for i, name in enumerate(values):
        if name and name not in allowed and i not in wrong:
            wrong[i] = ("E528", f"{shown(cells[i])} is not possible", nearest(name, allowed))
    return Parsed(values, wrong)


def parse_flags(cells: Sequence[Any]) -> Parsed:
    """Yes or no as 1 and 0, NaN where a cell is empty."""
    values, wrong = np.full(len(cells), np.nan), dict[int, tuple[str, str, str]]()
    for i, cell in enumerate(cells):
        if cell is None:
            continue
        word = text(cell).lower()
        if isinstance(cell, CellError) or word not in _FLAGS:
            wrong[i] = (
                "E521",
                cell.message if isinstance(cell, CellError) else f"{shown(cell)} is neither yes nor no",
                '"yes" or "no"',
            )
        else:
            values[i] = _FLAGS[word]
    return Parsed(values, wrong)


def pseudonyms(names: Sequence[str], salt: str) -> Any:
    """A pseudonym for each name, the same for the same name and salt; "" stays "". Nobody can go back without the salt."""
    return texts_of([_pseudonym(name, salt) if name else "" for name in names])


def _pseudonym(name: str, salt: str) -> str:
    digest = hmac.new(salt.encode(), " ".join(name.split()).casefold().encode(errors="replace"), hashlib.sha256)
    return f"person {digest.hexdigest()[:10]}"
