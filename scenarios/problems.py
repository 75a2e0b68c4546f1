"""Problems of a case file: stable codes, place, what is wrong, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CODES = {
    "E100": "the file cannot be read",
    "E101": "unknown key",
    "E102": "missing key",
    "E103": "wrong type or value",
    "E104": "unknown name",
    "E105": "name used twice",
    "E106": "defined but not used",
    "E211": "shares do not add up",
    "E212": "low, likely and high do not fit together",
    "E213": "number out of range",
    "E307": "unit missing or wrong",
    "E401": "step cannot be reached",
    "E402": "loop that cannot end",
    "E403": "steps do not fit together",
    "E404": "overloaded today",
    "E405": "today's result cannot be reproduced",
    "E501": "run settings do not fit",
    "E510": "a file of evidence cannot be read",
    "E511": "a file that informs nothing",
    "E512": "header missing or not clear",
    "E513": "a column that informs nothing",
    "E514": "a column is missing",
    "E515": "a row with too many or too few cells",
    "E516": "an empty file",
    "E520": "a cell is empty that must be given",
    "E521": "a cell cannot be read",
    "E522": "a number that cannot be",
    "E523": "decimal comma or point?",
    "E524": "not a date",
    "E525": "day or month first?",
    "E526": "a time that does not exist, or of which zone?",
    "E527": "a date that cannot be",
    "E528": "a name that the case does not know",
    "E530": "numbers that contradict each other",
    "E531": "dates that contradict each other",
    "E532": "the same row twice",
    "E533": "a row that sums up others",
    "E534": "a row that contradicts its file or settings",
    "E535": "a row or file that informs nothing in this case",
    "E540": "a setting is missing that the files need",
    "E541": "the mapping does not fit the export",
    "E601": "wrong argument",
    "E602": "cannot be written",
    "E701": "the run cannot be read",
    "E702": "a part of the run is missing or damaged",
    "E703": "the run is of other inputs",
    "E704": "the run is in use",
    "E705": "not safe to remove",
    "E801": "the cluster cannot be used",
    "E802": "a worker of the cluster differs",
    "E901": "the fit cannot be read or written",
    "E902": "the fit is of another version",
    "E903": "the fit is of another case",
    "E904": "the evidence changed since the fit",
    "E905": "evidence that cannot be used",
}
"""Code -> what it means; the list in docs/errors.md is made from it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem; `remedy` says what would be right."""

    code: str
    place: str
    message: str
    remedy: str = ""

    def line(self) -> str:
        text = f"{self.code}  {self.place:<34} {self.message}" if self.place else f"{self.code}  {self.message}"
        return f"{text}; {self.remedy}" if self.remedy else text


class CaseError(ValueError):
    """A case that cannot be used: the file and everything that is wrong with it."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(problems)
        super().__init__(self.text())

    def text(self) -> str:
        """All problems as the command line prints them."""
        count = len(self.problems)
        head = f"{self.file}: {count} problem{'' if count == 1 else 's'}"
        return "\n".join(_printable(line) for line in [head, *(f"  {p.line()}" for p in self.problems)])

    def as_json(self) -> dict[str, Any]:
        """The same for `--json`."""
        fields = ("code", "place", "message", "remedy")
        return {"file": self.file, "problems": [{f: getattr(p, f) for f in fields} for p in self.problems]}


def _printable(line: str) -> str:
    """A line without characters that could move the cursor or hide text."""
    return "".join(c if c.isprintable() else "�" for c in line)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the nearest known name, or the first few."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(options[:8])}{' …' if len(options) > 8 else ''}" if options else "none is defined"


def place_of(location: Sequence[str | int], data: Any) -> str:
    """A readable place from a validator's location: step ids instead of numbers, without the tags of unions."""
    parts: list[str] = []
    node, implied = data, 0
    for key in location:
        if not isinstance(node, Mapping | list):
            break
        if implied:
            implied -= 1
        elif key == "law" and isinstance(node, Mapping):  # the tag follows; for a plain value its key as well
            implied = 1 if "law" in node or "kind" in node else 2
            node = node.get("law", node)
        elif isinstance(key, int):
            node = node[key] if isinstance(node, list) and key < len(node) else None
            label = node.get("id") if isinstance(node, Mapping) else None
            parts.append(label if isinstance(label, str) else str(key + 1))
        elif key == "[key]" or (isinstance(node, Mapping) and node.get("kind") == key):
            continue
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
            parts += [] if key == "all" else [key]
        elif key not in ("types", "all") or node is data:
            parts.append(key)
            node = None
    return ".".join(parts)
