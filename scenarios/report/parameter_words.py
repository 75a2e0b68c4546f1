"""What a parameter is called on screen: its step, team, system or type by name, then what it says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.posterior import parts_of
from models.schema import CaseFile

_ARMS = {"production": "live", "pilot": "in the pilot", "as_is": "today"}
_WORDS = {
    "p90": "9 of 10 within", "median": "half within", "every": "time between", "repair": "length", "outage": "outages:",
    "response": "answer:", "service": "work:", "time": "time:", "latency": "call:", "levels": "level", "options": "way", "types": "of",
    "remind": "after a reminder:", "multiplier": "what remains", "catch": "errors noticed", "shift": "accuracy live against the pilot (logit)",
    "scope_penalty": "types never piloted (logit)", "type_effect": "accuracy of", "type_shift": "live against the pilot, of",
    "accepted_error": "accepted and wrong", "coverage": "accepted without review", "accuracy": "accuracy in the pilot",
    "cluster_correlation": "errors that come together", "mean": "mean", "cv": "spread", "load_slope": "loss of attention under load",
}  # fmt: skip


def parameter_words(case: CaseFile, column: str) -> str:
    """A column of a posterior, or a parameter path, in words; what is not known stays as it is written."""
    path, arm = parts_of(column)
    kind, *rest = path.split(".")
    if kind == "conditions":
        text = f"{rest[0]} under control before go-live"
    elif kind == "baseline":
        text = "today's result" if rest[0] == "observed" else f"today, until {'.'.join(rest[1:])}"
    else:
        owner = _owner(case, kind, rest[0]) if rest else kind
        more = _way(case, rest) or [_word(case, word) for word in (rest[1:] if owner != kind else rest)]
        text = f"{owner}: {' '.join(more)}" if more else owner
    return f"{text} ({_ARMS[arm]})" if arm else text


def _way(case: CaseFile, rest: list[str]) -> list[str]:
    """The share of a way of a choice, by where the way leads; nothing for any other parameter."""
    match rest:
        case [step, "options", number, "share", *types] if number.isdigit():
            options: tuple[Any, ...] = next((tuple(getattr(s, "options", ())) for s in case.steps if s.id == step), ())
            if 0 < int(number) <= len(options):
                return [
                    "share that goes to",
                    _owner(case, "steps", options[int(number) - 1].to),
                    *(_word(case, word) for word in types),
                ]
    return []


def _owner(case: CaseFile, kind: str, name: str) -> str:
    if kind == "steps":
        return next((s.label or s.id.replace("_", " ") for s in case.steps if s.id == name), name)
    tables: dict[str, Mapping[str, Any]] = {"teams": case.teams, "systems": case.systems, "types": case.types}
    known = tables.get(kind)
    if known is None or name not in known:
        return kind
    return str(known[name].label) or name.replace("_", " ")


def _word(case: CaseFile, word: str) -> str:
    if word in case.types:
        return case.types[word].label or word.replace("_", " ")
    return _WORDS.get(word, word.replace("_", " "))
