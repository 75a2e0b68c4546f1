"""The JSON Schema that editors get: it allows what the program allows, and marks a misspelt key wherever it stands."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any

import jsonschema
import pytest

from scenarios.catalogue import shipped_names
from scenarios.files import find
from tests.case_builder import SMALL_FILE, small
from tests.test_cli import run

USER_NAMED = ("sources", "calendars", "types", "type_effect", "type_shift", "teams", "systems", "places", "quality")
"""Tables whose keys the user chooses."""


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    printed = json.loads(run("scenario", "schema").stdout)
    jsonschema.Draft202012Validator.check_schema(printed)
    return jsonschema.Draft202012Validator(printed)


def as_json(node: Any) -> Any:
    """TOML data as an editor checks them: dates are text."""
    if isinstance(node, dict):
        return {key: as_json(value) for key, value in node.items()}
    if isinstance(node, list):
        return [as_json(value) for value in node]
    return node.isoformat() if isinstance(node, date) else node


def keys(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every key of the schema with the path of its table."""
    if isinstance(node, dict):
        for key, value in node.items():
            if not path or path[-1] not in USER_NAMED:
                yield path, key
            yield from keys(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from keys(value, (*path, i))


def table_at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


@pytest.mark.parametrize("name", [*shipped_names(), str(SMALL_FILE)], ids=lambda name: name.rpartition("/")[2])
def test_it_accepts_what_is_shipped(schema, name):
    data = as_json(tomllib.loads(find(name).read_text(encoding="utf-8")))

    assert [error.message for error in schema.iter_errors(data)] == []


@pytest.mark.parametrize("name", shipped_names())
def test_it_rejects_a_misspelt_key_at_any_depth(schema, name):
    data = as_json(tomllib.loads(find(name).read_text(encoding="utf-8")))
    places = {(*(k for k in path if isinstance(k, str)), key): (path, key) for path, key in keys(data)}
    chosen = list(places.values())[:: max(1, len(places) // 100)]
    for path, key in chosen:
        wrong = copy.deepcopy(data)
        table = table_at(wrong, path)
        table[f"{key}e"] = table.pop(key)
        assert not schema.is_valid(wrong), (path, key)
    assert len(chosen) >= 80


@pytest.mark.parametrize(
    ("place", "value", "right"),
    [
        (("types", "hard", "share"), "30 %", True),
        (("types", "hard", "share"), [0.3], False),
        (("go_live",), "2027-01-04", True),
        (("go_live",), 20270104, False),
        (("steps", 0, "service"), "30 min", True),
        (("steps", 0, "service"), {"low": "10 min", "likely": "30 min", "high": "1 h"}, True),
        (("steps", 0, "service"), {"low": "10 min", "likly": "30 min", "high": "1 h"}, False),
        (("steps", 0, "service"), {"kind": "exponental", "mean": "1 h"}, False),
        (("steps", 1, "options", 0, "share"), {"simple": 0.1, "hard": {"low": 0.1, "likely": 0.2, "high": 0.4}}, True),
        (("steps", 1, "options", 0, "share"), {"right": 3, "tried": 10, "source": "measured"}, True),
        (("steps", 1, "options", 0, "share"), {"right": 3, "tired": 10}, False),
        (("steps", 1, "options", 0, "share"), {"simple": {"valeu": 0.1}}, False),
        (("steps", 0, "kind"), "wrok", False),
    ],
    ids=str,
)
def test_it_knows_the_forms_of_a_value(schema, place, value, right):
    data = as_json(small())
    *path, key = place
    table_at(data, tuple(path))[key] = value

    assert schema.is_valid(data) == right
