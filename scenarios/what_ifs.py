"""Named what-ifs as files, which the command line takes as a case; and the exact state of the page as text for a link."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tomlkit

from models.schema import WhatIf
from scenarios.editing import name_of as plain_name

MOST_TEXT = 8_000
MOST_DATA = 60_000
VERSION = 1
MOST_NAME = 50
"""A file name this long may have been cut short."""
_FOLDER_NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
"""What the page Start makes of a title; a link must not name any other place of this computer."""
FOLDER = "what_ifs"
"""Where a case folder keeps its named what-ifs."""


class LinkError(ValueError):
    """A link that cannot be used, in one plain line."""


def toml_of(what_if: WhatIf, of: str, case_hash: str) -> str:
    """A what-if as a file. of: the case it is about, as seen from the file."""
    document = tomlkit.document()
    document.add(
        tomlkit.comment("A what-if: today stays as it is, what changes is live. Every command takes this file as the case.")
    )
    for key, value in (("schema_version", 1), ("what_if_of", of), ("case_hash", case_hash), ("title", what_if.title)):
        document.add(key, tomlkit.item(value))
    changes = tomlkit.table()
    for path, change in what_if.changes.items():
        inner = tomlkit.inline_table()
        inner.update(change.model_dump(mode="json", exclude_none=True))
        changes.add(tomlkit.key(path), inner)
    document.add("changes", changes)
    return tomlkit.dumps(document)


def name_of(title: str) -> str:
    """A name for the file of a what-if. Two titles that differ only in what a file name cannot hold, such as letters that are not Latin,
    get names of their own: one would silently take the other's place."""
    base = plain_name(title)
    letters = [c for c in unicodedata.normalize("NFKD", title) if c.isalnum()]
    if letters and all(c.isascii() for c in letters) and len(base) < MOST_NAME:
        return base
    return f"{base}_{hashlib.sha256(unicodedata.normalize('NFC', title).encode(errors='replace')).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class State:
    """What a link restores. case: a shipped name the case began with · answers: of the eight questions, as plain data, None if the case is
    the example itself · case_hash: of the case without what-if · version: of the program · settings: control → value as shown.

    whole: whether the case is made of its scenario and answers alone; one with evidence cannot travel in a link
    """

    case: str
    case_hash: str
    version: str
    settings: Mapping[str, float] = field(default_factory=dict)
    answers: Mapping[str, Any] | None = None
    name: str = ""
    title: str = ""
    whole: bool = True


def encoded(state: State) -> str:
    """A state as text for an address."""
    data = {
        "v": VERSION, "c": state.case, "h": state.case_hash, "p": state.version, "s": dict(state.settings), "a": state.answers,
        "n": state.name, "t": state.title, "w": state.whole,
    }  # fmt: skip
    packed = zlib.compress(json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode(), 9)
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decoded(text: str) -> State:
    """The state of a link. Raises LinkError."""
    if len(text) > MOST_TEXT:
        raise LinkError("this link is longer than any that pilotproof makes")
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), MOST_DATA)
        if unpacker.unconsumed_tail:
            raise LinkError("this link holds more than any that pilotproof makes")
        data = json.loads(raw)
        json.dumps(data, ensure_ascii=False).encode()  # half characters are none that a page or a file could hold
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        if isinstance(error, LinkError):
            raise
        raise LinkError("this link is damaged: copy it again, all of it") from None
    if not isinstance(data, dict) or data.get("v") != VERSION:
        raise LinkError("this link was made by another version of pilotproof")
    settings, answers = data.get("s"), data.get("a")
    texts = [data.get(key) for key in ("c", "h", "p", "n", "t")]
    right = isinstance(settings, dict) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in settings.values())
    if not right or not all(isinstance(t, str) for t in texts) or not (answers is None or isinstance(answers, dict)):
        raise LinkError("this link is damaged: copy it again, all of it")
    assert isinstance(settings, dict)
    case, case_hash, version = (str(t)[:200] for t in texts[:3])
    name, title = str(texts[3]), str(texts[4])
    wrong = own_case_problem(name, title)
    if wrong:
        raise LinkError(wrong)
    return State(case, case_hash, version, _numbers(settings), answers, name, title, bool(data.get("w")))


def own_case_problem(name: str, title: str) -> str:
    """Why a link cannot name a case of one's own so; "" if it can."""
    from scenarios.pages.start_laid import title_problem

    if name and not _FOLDER_NAME.fullmatch(name):
        return "this link gives its case a folder that pilotproof does not make: copy it again, all of it"
    wrong = title_problem(title)
    return f"the title of its case in this link {wrong}" if wrong else ""


def _numbers(settings: Mapping[str, Any]) -> dict[str, float]:
    """Settings as numbers. Raises LinkError."""
    try:
        return {str(k)[:200]: float(v) for k, v in settings.items()}
    except OverflowError:
        raise LinkError("this link holds a number that is too large: copy it again, all of it") from None
