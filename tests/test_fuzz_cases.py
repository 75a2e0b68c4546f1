"""Valid cases with random damage: they are either refused with a CaseError, or can be put together. Nothing else ever happens."""

from __future__ import annotations

import copy
import datetime
import math
import warnings
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import parameters, process
from models.conditions import PILOT, PRODUCTION
from scenarios.catalogue import shipped_names
from scenarios.differences import differences
from scenarios.files import find, resolved, validated
from scenarios.problems import CODES, CaseError
from scenarios.report import show_report
from simulator.program import lower
from tests.case_builder import SMALL_FILE

ODD: list[Any] = [
    math.nan, math.inf, -math.inf, 1e308, -1e308, 10**400, -(10**400), 0, -1, 1, 2, 0.5, 1e-300, -0.0, 1e9, 10**12, True, False,
    "", " ", "x", "🙂", "5 min", "-5 min", "1e999 d", "0 s", "1e-9 s", "100000 d", "50 %", "200 %", "9.4 EUR", "NaN", "a" * 3_000, "\x00", "\u202e",
    [], [[]], [[[[1]]]], {}, [1, 2], ["mon"], ["09:00-10:00"], ["00:00-24:00"], ["a", "b"],
    {"value": 1}, {"value": "1 d"}, {"low": 1, "likely": 2, "high": 3}, {"low": "1 d", "likely": "2 d", "high": "3 d"}, {"mean": 1, "sd": 1},
    {"right": 1, "tried": 2}, {"right": 10**30, "tried": 10**31}, {"kind": "lognormal"}, {"all": 1, "types": {}}, {"types": {}},
    {"kind": "empirical", "quantiles": [[0, "1 d"], [1, "1 d"]]}, {"kind": "mixture", "weights": [], "parts": []},
    {"pilot": 1, "production": 2, "cause": "data"}, {"kind": "weibull", "scale": "1 d", "shape": 1e-9},
    {"as_is": "1 d", "pilot": "2 d", "production": {"low": "1 d", "likely": "2 d", "high": "4 d"}, "cause": "scope"},
    datetime.date(2027, 1, 4), datetime.date(1, 1, 1), datetime.date(9999, 12, 27), datetime.datetime(2027, 1, 4, 1), datetime.time(1),
    "end", "exceptions", "approve", "entry", "office", "US", "__init__", "DE-BY", "work", "wait", "ai", "parallel", "join", "again",
    "as_is", "guess", "measured", "benchmark", "done", "clerks",
]  # fmt: skip
ANYTHING = st.one_of(
    st.sampled_from(ODD),
    st.floats(),
    st.integers(),
    st.text(max_size=6),
    st.recursive(st.none() | st.booleans() | st.integers(-3, 3), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4),
)  # fmt: skip

BASES: dict[str, dict[str, Any]] = {name: resolved(find(name)) for name in shipped_names()}
BASES["small"] = resolved(SMALL_FILE)


def _paths(node: Any, path: tuple[Any, ...] = ()):
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from _paths(value, (*path, key))


PATHS = {name: list(_paths(base)) for name, base in BASES.items()}


def _at(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A scenario with one to three places deleted, renamed, replaced, doubled, or filled with what stands elsewhere."""
    name = draw(st.sampled_from(sorted(BASES)))
    data = copy.deepcopy(BASES[name])
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PATHS[name]))
        try:
            parent = _at(data, path[:-1])
            old = parent[path[-1]]
        except (KeyError, IndexError, TypeError):
            continue
        if not isinstance(parent, dict | list):
            continue  # earlier damage put a text here, which has places too
        _damage(draw, data, PATHS[name], parent, path[-1], old)
    return name, data


def _damage(draw: st.DrawFn, data: dict[str, Any], paths: list[tuple[Any, ...]], parent: Any, key: Any, old: Any) -> None:
    match draw(st.sampled_from(["delete", "rename", "double", "elsewhere", "scale", "replace", "replace", "replace"])):
        case "delete":
            del parent[key]
        case "rename" if isinstance(parent, dict):
            parent[draw(st.sampled_from([f"{key}x", str(key)[:-1], str(key).upper(), "🙂", ""]))] = parent.pop(key)
        case "double" if isinstance(parent, list):
            parent.insert(draw(st.integers(0, len(parent))), copy.deepcopy(old))
        case "elsewhere":
            other = draw(st.sampled_from(paths))
            try:
                parent[key] = copy.deepcopy(_at(data, other))
            except (KeyError, IndexError, TypeError):
                parent[key] = old
        case "scale" if isinstance(old, int | float) and not isinstance(old, bool) and abs(old) < 1e100:
            parent[key] = draw(st.sampled_from([-old, old * 1e6, old / 1e6, old + 1, old * 3]))
        case _:
            parent[key] = copy.deepcopy(draw(ANYTHING))


def check(name: str, data: dict[str, Any]) -> bool:
    """Whether a damaged case is accepted; raises whatever is neither acceptance nor a CaseError."""
    try:
        case = validated(data, "case.toml").case
    except CaseError as error:
        _well_said(error)
        return False
    horizon = process.full_horizon(case)
    draws = parameters.sample(case, 1, range(3))
    for columns in (process.arm_columns(draws, PRODUCTION), process.arm_columns(draws, PILOT), process.today_columns(draws)):
        lower(process.build(case, columns, horizon), horizon.begin, horizon.stop)
    return True


def _well_said(error: CaseError) -> None:
    assert error.problems
    assert all(p.code in CODES and p.message for p in error.problems)
    assert error.text()


@pytest.mark.parametrize("name", sorted(BASES))
def test_without_damage_they_are_right(name):
    assert check(name, BASES[name])


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_random_damage_is_refused_or_harmless(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(*case)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_much_random_damage_is_refused_or_harmless(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(*case)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(damaged())
def test_what_is_accepted_can_be_shown_and_compared(case):
    name, data = case
    try:
        loaded = validated(data, "case.toml")
    except CaseError:
        return
    original = validated(BASES[name], "case.toml")

    assert show_report.text(loaded)
    assert show_report.as_json(loaded)
    assert all(place for place, _, _ in differences(original.case, loaded.case))
