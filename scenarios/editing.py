"""Starting a case file from a scenario, and writing files whole or not at all."""

from __future__ import annotations

import json
import os
import re
import tempfile
import unicodedata
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from models.schema import CaseFile, Wait, Work
from scenarios.canonical import canonical
from scenarios.catalogue import shipped_names
from scenarios.files import find, inherited, merged, parsed, read_text, resolved, validated
from scenarios.problems import CaseError, Problem

ALL_GUESSES = "# Started from {source}: every figure counts as a guess until you set its source and take `inherited` away.\n"
DIFFERENCES = """\
# Only what differs from {source}; everything else is taken over from there, as guesses.
schema_version = 1
name = "{name}"
title = {title}
extends = {extends}

# A table or value here replaces the one there, for example:
#
# [arrivals]
# {example}, source = "measured", owner = "who answers for it", note = "where it comes from" }}
#
# A step is changed by its id; a new one also says after which step it comes:
#
# [[steps]]
# id = "second_look"
# after = "{step}"
# kind = "wait"
# time = {{ value = "1 d", source = "guess" }}
"""


def new_file(file: Path, source: str, extend: bool) -> None:
    """Writes a copy of a scenario, or with `extend` a file for the differences from it. Raises CaseError, then nothing is written."""
    if file.exists() or file.is_symlink():
        raise CaseError(str(file), [Problem("E601", "", "exists already", "name a file that does not exist yet")])
    if not file.parent.is_dir():
        raise CaseError(str(file), [Problem("E601", "", "its folder does not exist", "create the folder first")])
    write_atomically(file, new_text(file, source, extend, file.stem))


def new_text(file: Path, source: str, extend: bool, stem: str) -> str:
    """What a new case file says; its name and title are made of `stem`. Raises CaseError. Nothing is written."""
    origin = find(source)
    case = validated(resolved(origin), source).case
    text = _differences(file, case, source, stem) if extend else _copy(origin, stem)
    data = parsed(text, file)
    validated(merged(inherited(resolved(origin), source), data, str(file)) if extend else data, source)
    return text


def own_file(file: Path) -> Path:
    """The file itself, or the one in a case folder. Raises CaseError (E601) for the name of a shipped scenario."""
    name = str(file)
    if name in shipped_names() and not file.exists():
        remedy = f"copy it first: pilotproof scenario new my_{name}.toml --from {name}"
        raise CaseError(name, [Problem("E601", "", "is a shipped scenario and read-only", remedy)])
    inner = file / "case.toml"
    return inner if inner.is_file() else file


def name_of(stem: str) -> str:
    """A valid case name made of a file name: `Köln 2027` becomes `koln_2027`."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:50]
    return name if name[:1].isalpha() else f"case_{name}".rstrip("_")


def _title(stem: str) -> str:
    words = " ".join(re.sub(r"[_\W]+", " ", stem).split())
    return words[:1].upper() + words[1:]


def _copy(origin: Path, stem: str) -> str:
    import tomlkit

    text = read_text(origin)
    data = parsed(text, origin)
    document = tomlkit.parse(text) if "extends" not in data else tomlkit.item(resolved(origin))
    document.pop("extends", None)
    source = str(data.get("name"))
    for key, value in document.items():
        if key != "sources":
            _make_guesses(value, source)
    document["name"], document["title"] = name_of(stem), _title(stem)
    return canonical(ALL_GUESSES.format(source=source) + tomlkit.dumps(document), origin)


def _make_guesses(node: Any, origin: str) -> None:
    """Turns every stated source into a guess that says where it was copied from."""
    if isinstance(node, MutableMapping):
        if isinstance(node.get("source"), str):
            node["source"] = "guess"
            node.setdefault("inherited", origin)
        for value in list(node.values()):
            _make_guesses(value, origin)
    elif isinstance(node, list):
        for item in node:
            _make_guesses(item, origin)


def _differences(file: Path, case: CaseFile, source: str, stem: str) -> str:
    shipped = source in shipped_names() and not Path(source).exists()
    extends = source if shipped else Path(os.path.relpath(source, file.parent)).as_posix()
    steps = [step.id for step in case.steps if isinstance(step, Work | Wait) and step.next is None]
    values = {
        "source": " ".join(extends.split()),
        "name": name_of(stem),
        "title": json.dumps(_title(stem), ensure_ascii=False),
        "extends": json.dumps(extends, ensure_ascii=False),
        "example": "per_working_day = { value = 150"
        if case.arrivals.per_working_day is not None
        else "per_month = { value = 3000",
        "step": steps[0] if steps else "entry",
    }
    return canonical(DIFFERENCES.format(**values), file)


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file whole or not at all; an existing one keeps its permissions. Raises CaseError (E602)."""
    target = path.resolve()
    draft = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="\n", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as out:
            draft = Path(out.name)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        draft.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        draft.replace(target)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise CaseError(str(path), [Problem("E602", "", f"cannot be written: {error.strerror}")]) from None
