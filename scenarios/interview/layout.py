"""A case file rewritten to hold other data: what does not change keeps its place, its form and its comments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import AoT, InlineTable, Item, Table

from scenarios.canonical import canonical
from scenarios.files import parsed

_NAMED = {"calendars", "types", "teams", "systems", "options", "places", "quality"}
"""Tables whose entries have headers of their own."""


def rewritten(text: str, data: Mapping[str, Any], file: Path) -> str:
    """The text with the data of a case in canonical form; `file` is only named in errors."""
    document = tomlkit.parse(text)
    _update(document, data, named=True)
    done = canonical(tomlkit.dumps(document), file)
    if parsed(done, file) == dict(data):
        return done
    return canonical(tomlkit.dumps(tomlkit.item(dict(data))), file)  # comments are lost, the meaning is kept


def _update(node: Any, new: Mapping[str, Any], named: bool = False) -> None:
    """Brings a table to new content, in place; `named`: its entries have headers of their own."""
    for key in [key for key in node if key not in new]:
        del node[key]
    for key, value in new.items():
        if key not in node:
            node[key] = _table(value) if named and isinstance(value, Mapping) and key not in _NAMED else _new(key, value)
        elif _plain(node[key]) != value:
            _change(node, key, value)


def _change(node: Any, key: str, value: Any) -> None:
    old = node[key]
    if isinstance(old, Table) and isinstance(value, Mapping):
        _update(old, value, key in _NAMED)
    elif isinstance(old, AoT) and isinstance(value, list):
        _update_list(old, value)
    else:
        node[key] = _new(key, value)


def _update_list(old: AoT, new: list[Any]) -> None:
    """Tables in a list: those with the same id, or at the same place where they have none, keep their form."""
    names = [item.get("id", number) for number, item in enumerate(new)]
    for i in reversed(range(len(old))):
        if old[i].get("id", i) not in names:
            del old[i]
    for i, (name, item) in enumerate(zip(names, new, strict=True)):
        if i < len(old) and old[i].get("id", i) == name:
            _update(old[i], item)
        else:
            old.insert(i, _table(item))
            old[i].add(tomlkit.nl())


def _plain(item: Any) -> Any:
    return item.unwrap() if isinstance(item, Item) else item


def _new(key: str, value: Any) -> Any:
    """A new value: tables that are named have headers, everything else stands on one line."""
    if key in _NAMED and isinstance(value, Mapping):
        table = tomlkit.table(is_super_table=True)
        for name, inner in value.items():
            table[name] = _table(inner)
        return table
    if isinstance(value, list) and value and all(isinstance(x, Mapping) for x in value) and key in ("steps", "levels"):
        listed = tomlkit.aot()
        for x in value:
            listed.append(_table(x))
        return listed
    return _inline(value)


def _table(content: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    for key, value in content.items():
        table[key] = _new(key, value)
    return table


def _inline(value: Any) -> Any:
    if isinstance(value, Mapping):
        table: InlineTable = tomlkit.inline_table()
        for key, inner in value.items():
            table[key] = _inline(inner)
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        for inner in value:
            array.append(_inline(inner))
        return array
    return value
