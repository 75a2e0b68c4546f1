"""Names in a case: what refers to what. Works on plain data, so that it also reads a file that is wrong elsewhere."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from models.compositions.ai import accepted_mark, handled_mark, wrong_mark
from models.compositions.desk import escalated_mark
from models.compositions.system import failed_mark


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem: stable code, place, what is wrong, what would be right."""

    code: str
    place: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name used at a place: of a step, team, calendar, system, AI step, flag or source."""

    place: str
    kind: str
    name: str


FIELDS = {
    "next": "step", "on_limit": "step", "otherwise": "step", "to": "step", "manual": "step", "accepted": "step",
    "referred": "step", "caught": "step", "failed": "step", "rejected": "step", "join": "step", "unavailable": "step",
    "team": "team", "calendar": "calendar", "clock": "calendar", "looks": "calendar", "feed": "calendar",
    "downtime": "calendar", "system": "system", "of": "ai step", "spoils": "ai step", "cite": "source",
}  # fmt: skip
"""Keys whose text is a name -> of what."""
LISTS = {"branches": "step", "when": "flag"}
_TABLES = ("calendars", "types", "teams", "systems", "sources")


def hint(name: str, known: Iterable[str]) -> str:
    """The nearest known name, or all of them."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f'did you mean "{close[0]}"?'
    return f"known: {', '.join(options[:8])}{' …' if len(options) > 8 else ''}" if options else "none is defined"


def references(data: Mapping[str, Any]) -> Iterator[Reference]:
    """Every name that a case uses, with its place."""
    for table in ("teams", "systems", "types", "money"):
        yield from _inside(data.get(table), table)
    yield from _inside(data.get("arrivals"), "arrivals")
    baseline = data.get("baseline")
    places = baseline.get("places") if isinstance(baseline, Mapping) else None
    for name in places if isinstance(places, Mapping) else ():
        yield Reference(f"baseline.places.{name}", "step", str(name))
    yield from _inside(baseline, "baseline")
    for step in _steps(data):
        for found in _inside(step, f"steps.{step.get('id')}"):
            if not (step.get("kind") == "approval" and found.place.endswith(".on_limit")):
                yield found


def _steps(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    steps = data.get("steps")
    return [s for s in steps if isinstance(s, Mapping)] if isinstance(steps, list) else []


def _inside(node: Any, place: str) -> Iterator[Reference]:
    if isinstance(node, Mapping):
        for key, value in node.items():
            inner = f"{place}.{key}"
            if key in FIELDS and isinstance(value, str):
                if value or FIELDS[key] != "source":
                    yield Reference(inner, FIELDS[key], value)
            elif key in LISTS and isinstance(value, list):
                names = [(i, name) for i, name in enumerate(value, 1) if isinstance(name, str)]
                yield from (Reference(f"{inner}.{i}", LISTS[key], name.removeprefix("!")) for i, name in names)
            else:
                yield from _inside(value, inner)
    elif isinstance(node, list):
        for i, item in enumerate(node, 1):
            yield from _inside(item, f"{place}.{i}")


def known_names(data: Mapping[str, Any]) -> dict[str, set[str]]:
    """What a case defines, by kind."""
    steps = _steps(data)
    tables = {name: data[name] if isinstance(data.get(name), Mapping) else {} for name in _TABLES}
    names = {table.removesuffix("s"): {str(key) for key in content} for table, content in tables.items()}
    ids = [(s["id"], s.get("kind")) for s in steps if isinstance(s.get("id"), str)]
    return {
        **names,
        "step": {name for name, _ in ids},
        "ai step": {name for name, kind in ids if kind == "ai"},
        "flag": _flags(steps),
    }


def _flags(steps: list[Mapping[str, Any]]) -> set[str]:
    """Flags that steps set: their own, and what the compositions mark."""
    flags: set[str] = set()
    for s in steps:
        name, kind = str(s.get("id")), s.get("kind")
        if kind == "flag":
            flags.add(str(s.get("flag")))
        elif kind == "ai":
            quality = s.get("quality")
            flags |= {accepted_mark(name), handled_mark(name), wrong_mark(name)}
            flags |= {f"{name}.quality.{q}" for q in quality} if isinstance(quality, Mapping) else set()
            flags |= {failed_mark(name)} if s.get("system") is not None else set()
        elif kind == "desk":
            flags.add(escalated_mark(name))
        elif kind == "system":
            flags.add(failed_mark(name))
        elif kind == "review":
            flags.add(f"{name}.caught")
    return flags


def check_names(data: Mapping[str, Any]) -> list[Finding]:
    """Ids used twice, and names that nothing defines."""
    return [*_duplicates(data), *_unknown(data)]


def _duplicates(data: Mapping[str, Any]) -> Iterator[Finding]:
    ids = [s["id"] for s in _steps(data) if isinstance(s.get("id"), str)]
    for name in sorted({i for i in ids if ids.count(i) > 1}):
        yield Finding("E105", f"steps.{name}", "this id is used by more than one step", "rename one of them")


def _unknown(data: Mapping[str, Any]) -> Iterator[Finding]:
    known = known_names(data)
    for found in references(data):
        free_citation = found.kind == "source" and not known["source"]
        if found.name not in known[found.kind] and not free_citation:
            yield Finding("E104", found.place, f'no {found.kind} "{found.name[:60]}"', hint(found.name, known[found.kind]))
