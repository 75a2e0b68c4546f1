"""The canonical form of a case file: order of the schema, one spacing, one kind of quotes; comments stay where they belong.

A comment belongs to the statement or table below it; the block at the top of the file and the one at its end stay there.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from models.schema import CaseFile
from scenarios.files import parsed, read_text
from scenarios.problems import CaseError, Problem

_TOKEN = re.compile(
    r"""(?P<space>[ \t]+)|(?P<newline>\r?\n)|(?P<comment>\#[^\n]*)
    |(?P<text>\"{3}(?:[^"\\]|\\[\s\S]|\"{1,2}(?!\"))*\"{3,5}|'{3}(?:[^']|'{1,2}(?!'))*'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    |(?P<mark>[\[\]{},=])|(?P<bare>[^\s\[\]{},=\#"']+)""",
    re.VERBOSE,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_RANKS = {name: rank for rank, name in enumerate(CaseFile.model_fields)}


def formatted(file: Path) -> tuple[str, str]:
    """The text of a file and its canonical form. Raises CaseError if it is not TOML."""
    text = read_text(file)
    return text, canonical(text, file)


def canonical(text: str, file: Path) -> str:
    """The canonical form of TOML text; `file` is only named in errors. Raises CaseError if it is not TOML."""
    before = parsed(text, file)
    result = "".join(_lines(_Document.of(text)))
    if _meaning(before) != _meaning(tomllib.loads(result)):
        raise CaseError(str(file), [Problem("E602", "", "has no canonical form of the same meaning; nothing was written")])
    return result


def _meaning(data: dict[str, object]) -> dict[str, str]:
    """Everything below the top level in order; the order of the top level has no meaning."""
    return {key: repr(value) for key, value in data.items()}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match[0])


@dataclass(slots=True)
class _Statement:
    """A key with its value, or the header of a table. `above`: the comment lines over it, "" for a blank line."""

    above: list[str]
    tokens: list[_Token] = field(default_factory=list)
    comment: str = ""

    @property
    def is_header(self) -> bool:
        return self.tokens[0].text == "["

    @property
    def top(self) -> str:
        """The top-level key that it belongs to, if it stands at the top level."""
        first = next(t for t in self.tokens if t.text != "[")
        return _string(first.text) if first.kind == "text" else first.text.split(".")[0]


@dataclass(frozen=True, slots=True)
class _Document:
    """Comments at the top, statements before the first table, tables with their statements, comments at the end."""

    head: list[str]
    root: list[_Statement]
    tables: list[list[_Statement]]
    foot: list[str]

    @classmethod
    def of(cls, text: str) -> _Document:
        statements, foot = _statements(text)
        first = next((i for i, s in enumerate(statements) if s.is_header), len(statements))
        tables: list[list[_Statement]] = []
        for statement in statements[first:]:
            if statement.is_header:
                tables.append([])
            tables[-1].append(statement)
        head = _taken_head(statements[0].above if statements else foot)
        return cls(head, statements[:first], tables, foot)


def _taken_head(above: list[str]) -> list[str]:
    """The block of comments that stands first, with the blank line after it; it is taken out of `above`."""
    del above[: int(above[:1] == [""])]
    cut = next((i for i, line in enumerate(above) if not line), len(above))
    head = above[: cut + 1] if cut else []
    del above[: len(head)]
    return head


def _statements(text: str) -> tuple[list[_Statement], list[str]]:
    """All statements, and the comment lines after the last one."""
    found: list[_Statement] = []
    above: list[str] = []
    current: list[_Token] = []
    depth, blank = 0, True
    for token in [*_tokens(text), _Token("newline", "\n")]:
        if current and (depth or token.kind not in ("newline", "comment")):
            current.append(token)
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.text, 0) if token.kind == "mark" else 0
        elif current and token.kind == "comment":
            found[-1].comment = token.text.rstrip()
        elif current:
            current, blank = [], True
        elif token.kind == "newline":
            above += [""] if blank and above[-1:] != [""] else []
            blank = True
        elif token.kind == "comment":
            above.append(token.text.rstrip())
            blank = False
        else:
            current, depth = [token], int(token.text in ("[", "{"))
            found.append(_Statement(above, current))
            above = []
    while above and not above[-1]:
        above.pop()
    return found, above


def _lines(document: _Document) -> Iterator[str]:
    """The canonical text, line by line."""

    def rank(statement: _Statement) -> int:
        return _RANKS.get(statement.top, len(_RANKS))

    root, tables = sorted(document.root, key=rank), sorted(document.tables, key=lambda t: rank(t[0]))
    first = next(iter([*root, *(t[0] for t in tables)]), None)
    head = document.head or (_taken_head(first.above) if first else [])  # as the result will be read again
    blank = True
    for lines in _blocks(head, root, tables, document.foot):
        for line in lines:
            if line or not blank:
                yield f"{line}\n"
            blank = not line


def _blocks(head: list[str], root: list[_Statement], tables: list[list[_Statement]], foot: list[str]) -> Iterator[list[str]]:
    yield head
    for statement in root:
        yield [*statement.above, _text(statement)]
    previous = ""
    for table in tables:
        header = table[0]
        yield [""] if header.top != previous else []
        previous = header.top
        for statement in table:
            yield [*statement.above, _text(statement)]
    yield foot


def _text(statement: _Statement) -> str:
    parts = "".join(_pieces(_with_last_commas(statement.tokens), statement.is_header))
    lines = "\n".join(line.rstrip() if '"""' not in parts and "'''" not in parts else line for line in parts.split("\n"))
    return f"{lines}  {statement.comment}" if statement.comment else lines


def _with_last_commas(tokens: list[_Token]) -> list[_Token]:
    """A comma after the last item of an array exactly if its bracket closes on a line of its own; no empty lines inside."""
    result: list[_Token] = []
    for token in tokens:
        if token.kind == "newline" and result and result[-1].kind == "newline":
            continue
        if token.text == "]" and token.kind == "mark":
            last = next((i for i in reversed(range(len(result))) if result[i].kind not in ("newline", "comment")), 0)
            alone, comma = result[-1].kind == "newline", result[last].text == "," and result[last].kind == "mark"
            if comma and not alone:
                del result[last]
            elif alone and not comma and result[last].text != "[":
                result.insert(last + 1, _Token("mark", ","))
        result.append(token)
    return result


def _pieces(tokens: list[_Token], header: bool) -> Iterator[str]:
    depth, previous = 0, _Token("start", "")
    for i, token in enumerate(tokens):
        following = tokens[i + 1].text if i + 1 < len(tokens) else ""
        if token.kind == "mark" and token.text in "]}":
            depth -= 1
        if token.kind == "newline":
            yield "\n"
        elif previous.kind == "newline":
            yield "  " * depth
        elif previous.kind != "start":
            yield _gap(previous, token)
        if token.kind != "newline":
            yield _piece(token, header or following == "=")
        if token.kind == "mark" and token.text in "[{":
            depth += 1
        previous = token


def _gap(left: _Token, right: _Token) -> str:
    """The space between two tokens of one line."""
    if right.kind == "comment":
        return "  "
    pair = (left.text if left.kind == "mark" else "", right.text if right.kind == "mark" else "")
    if pair[0] == "[" or pair[1] in ("]", ",") or pair == ("{", "}"):
        return ""
    dotted = not any(pair) and (left.text.endswith(".") or right.text.startswith("."))
    return "" if dotted and {left.kind, right.kind} <= {"bare", "text"} else " "


def _piece(token: _Token, key: bool) -> str:
    if token.kind != "text":
        return token.text.rstrip()
    if "\n" in token.text:
        return token.text
    value = _string(token.text)
    if key and _BARE_KEY.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _string(token: str) -> str:
    return str(tomllib.loads(f"x = {token}")["x"])
