"""Puts the table of all answers of the interview into docs/your-case.md, made from the questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scenarios.interview.answers import TYPE_COLUMNS
from scenarios.interview.questions import QUESTIONS, Field

PAGE = Path(__file__).resolve().parent / "your-case.md"
BLOCK = re.compile(r"<!-- answers -->.*?<!-- end of answers -->", re.DOTALL)
READ_AS = {
    "estimate": "a number, a range, or low / likely / high", "whole": "a whole number", "weeks": "weeks, as `13 to 26`",
    "day": "a day, as `2027-01-04`", "types": "rows of " + ", ".join(f"`{c}`" for c in TYPE_COLUMNS),
    "rates": "an amount an hour, or one a team", "choice": "one of", "files": "several of",
}  # fmt: skip


def page() -> str:
    """The page as it should stand."""
    block = "\n".join(["<!-- answers -->", *_table(), "<!-- end of answers -->"])
    return BLOCK.sub(lambda _: block, PAGE.read_text(encoding="utf-8"))


def _table() -> Iterator[str]:
    yield "| question | answer | what is asked | how it is written |"
    yield "| --- | --- | --- | --- |"
    for question in QUESTIONS:
        for field in question.fields:
            yield f"| `[{question.id}]` | `{field.id}` | {field.ask} | {_form(field)} |"


def _form(field: Field) -> str:
    written = "one number" if field.kind == "estimate" and field.single else READ_AS[field.kind]
    choices = " ".join(f"`{c.id}`" for c in field.choices)
    example = f", as `{field.example}`" if field.example and "`" not in written else ""
    return f"{written} {choices}".strip() + example


def main() -> None:
    """Rewrites the block between the markers."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
