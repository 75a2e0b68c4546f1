"""What the distinct cells of a column say, or why they say nothing: the result of every parser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """`values`: one a distinct cell (texts, numbers, or [earliest, latest) pairs) · `wrong`: distinct cell → code, message, remedy.

    `column`: defects of the column as a whole (code, message, remedy, distinct cells shown as examples); then nothing of it can be used
    `more`: a second result a distinct cell (the currency of an amount) · `note`: what is to be said aloud
    """

    values: NDArray[Any]
    wrong: dict[int, tuple[str, str, str]]
    column: tuple[tuple[str, str, str, tuple[int, ...]], ...] = ()
    more: NDArray[np.object_] | None = None
    note: str = ""


def shown(cell: Any) -> str:
    """A cell as a message quotes it: short, and only what can be printed."""
    text = (
        cell.isoformat(sep=" ")
        if hasattr(cell, "hour") and hasattr(cell, "year")
        else f"{cell:.15g}"
        if isinstance(cell, float)
        else str(cell)
    )
    text = "".join(c if c.isprintable() else "�" for c in text[:61])
    return f'"{text if len(text) <= 60 else f"{text[:60]} …"}"'


def texts_of(values: Sequence[Any]) -> NDArray[np.object_]:
    """An object array of texts."""
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found
