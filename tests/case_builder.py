"""The small example case as plain data, changed at places, and what the validator says to it."""

from __future__ import annotations

import copy
import tomllib
from pathlib import Path
from typing import Any

from scenarios.files import LoadedCase, validated
from scenarios.problems import CaseError, Problem

SMALL_FILE = Path(__file__).resolve().parent.parent / "docs" / "examples" / "small.toml"
GONE = "<gone>"
AI = {
    "id": "machine", "kind": "ai", "routed": 1.0, "manual": "entry", "accepted": "done", "referred": "entry",
    "accuracy": 0.9, "shift": 0.0, "scope_penalty": 0.0, "coverage": 0.8, "accepted_error": 0.02,
}  # fmt: skip


def small() -> dict[str, Any]:
    """A fresh copy of the small example."""
    return tomllib.loads(SMALL_FILE.read_text(encoding="utf-8"))


def put(data: dict[str, Any], place: str, value: Any) -> None:
    """Sets (or with GONE deletes) what stands at a place; items of lists go by id or by number from 1, "+" appends."""
    *parents, last = place.split(".")
    node: Any = data
    for key in parents:
        node = node[_index(node, key)] if isinstance(node, list) else node.setdefault(key, {})
    if isinstance(node, list) and last == "+":
        node.append(value)
    elif isinstance(node, list) and last == "first":
        node.insert(0, value)
    elif value == GONE:
        del node[_index(node, last) if isinstance(node, list) else last]
    else:
        node[_index(node, last) if isinstance(node, list) else last] = value


def _index(items: list[Any], key: str) -> int:
    ids = [item.get("id") if isinstance(item, dict) else None for item in items]
    return ids.index(key) if key in ids else int(key) - 1


def with_changes(changes: dict[str, Any]) -> dict[str, Any]:
    """The small example with values at places."""
    data = small()
    for place, value in changes.items():
        put(data, place, copy.deepcopy(value) if value != GONE else GONE)
    return data


def loaded(changes: dict[str, Any]) -> LoadedCase:
    """The small example with changes, validated."""
    return validated(with_changes(changes), "case.toml")


def problems(changes: dict[str, Any]) -> list[Problem]:
    """What is wrong with the small example after some changes; empty if nothing is."""
    try:
        loaded(changes)
    except CaseError as error:
        return list(error.problems)
    return []
