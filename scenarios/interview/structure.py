"""Changes of the process itself on plain data: steps taken out or repeated, types replaced, what nobody uses any more removed.

Every function returns new data; whether they make a case is for the validator to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from models import units
from models.references import FIELDS, LISTS, known_names, references
from models.schema import CaseFile, Share

Data = dict[str, Any]
SHARE_KEYS = set(Share.model_fields)


def explicit(data: Mapping[str, Any]) -> Data:
    """The same case in which every step names the one after it, so that steps can be moved, added and removed."""
    case, copy = CaseFile.model_validate(data), deepcopy(dict(data))
    for step, raw, following in zip(case.steps, copy["steps"], [*copy["steps"][1:], None], strict=True):
        if step.leads_on() and step.next is None and following is not None:
            raw["next"] = following["id"]
    return copy


def without_needless_next(data: Mapping[str, Any], original: CaseFile) -> Data:
    """The same case in which a step names the one after it only where it has to, or did before."""
    named = {step.id for step in original.steps if step.next is not None}
    steps = data["steps"]
    ends = [s["id"] for s in steps[1:]] + [""]
    kept = [
        {k: v for k, v in s.items() if k != "next"} if s.get("next") == following and s["id"] not in named else s
        for s, following in zip(steps, ends, strict=True)
    ]
    return {**data, "steps": kept}


def without_step(data: Mapping[str, Any], name: str) -> Data:
    """The case without a step: what led to it leads to the one after it."""
    copy = explicit(data)
    step = next(s for s in copy["steps"] if s["id"] == name)
    after = step["next"]
    copy["steps"] = [s for s in copy["steps"] if s["id"] != name]
    redirected(copy["steps"], name, after)
    return copy


def redirected(node: Any, name: str, after: str) -> None:
    """Leads every reference to a step elsewhere, in place."""
    if isinstance(node, Mapping):
        for key, value in list(node.items()):
            if FIELDS.get(key) == "step" and value == name:
                node[key] = after  # type: ignore[index]
            elif LISTS.get(key) == "step" and isinstance(value, list):
                node[key] = [after if item == name else item for item in value]  # type: ignore[index]
            else:
                redirected(value, name, after)
    elif isinstance(node, list):
        for item in node:
            redirected(item, name, after)


def repeated_step(data: Mapping[str, Any], name: str, new: Mapping[str, Any]) -> Data:
    """The case with a further step right after one: that one leads to it, it leads on."""
    copy = explicit(data)
    at = next(i for i, s in enumerate(copy["steps"]) if s["id"] == name)
    step = {**deepcopy(dict(new)), "next": copy["steps"][at]["next"]}
    copy["steps"][at]["next"] = step["id"]
    copy["steps"].insert(at + 1, step)
    return copy


def tidied(data: Mapping[str, Any]) -> Data:
    """The case without steps that no case can reach, without what only they used, and without places and sources left over."""
    copy = deepcopy(dict(data))
    reached = _reached(copy)
    if len(reached) < len(copy["steps"]):
        copy = explicit(copy)
        copy["steps"] = [s for s in copy["steps"] if s["id"] in reached]
    flags = known_names(copy)["flag"]
    for step in copy["steps"]:
        if "when" in step:
            step["when"] = [name for name in step["when"] if name.removeprefix("!") in flags or not name.startswith("!")]
    places = (copy.get("baseline") or {}).get("places")
    if places:
        copy["baseline"]["places"] = {name: place for name, place in places.items() if name in reached}
    for table in ("teams", "systems", "calendars", "sources"):
        _drop_unused(copy, table)
    return copy


def _drop_unused(data: Data, table: str) -> None:
    if table in data:
        used = {r.name for r in references(data) if r.kind == table.removesuffix("s")}
        data[table] = {name: spec for name, spec in data[table].items() if name in used}


def _reached(data: Mapping[str, Any]) -> set[str]:
    """Steps that cases can come to from the first one."""
    steps = data["steps"]
    exits = _exits(data)
    reached, waiting = set(), [steps[0]["id"]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += exits.get(name, [])
    return reached


def _exits(data: Mapping[str, Any]) -> dict[str, list[str]]:
    case = CaseFile.model_validate(data)
    exits: dict[str, list[str]] = {step.id: [] for step in case.steps}
    for found in references({"steps": data["steps"]}):
        if found.kind == "step":
            exits[found.place.split(".")[1]].append(found.name)
    for step, following in zip(case.steps, [*case.steps[1:], None], strict=True):
        if step.leads_on() and step.next is None and following is not None:
            exits[step.id].append(following.id)
    return exits


# -- types


def with_types(data: Mapping[str, Any], types: Mapping[str, Mapping[str, Any]], like: Mapping[str, str]) -> Data:
    """The case with other types; each takes over the settings by type of the one it is `like`."""
    copy = deepcopy(dict(data))
    copy["types"] = {name: dict(spec) for name, spec in types.items()}
    copy["steps"] = [_retyped(step, like, set(data["types"])) for step in copy["steps"]]
    return copy


def _retyped(node: Any, like: Mapping[str, str], old: set[str]) -> Any:
    """Settings by type, wherever they stand: a table whose keys are all types (or stand below `types`)."""
    if isinstance(node, list):
        return [_retyped(item, like, old) for item in node]
    if not isinstance(node, Mapping):
        return node
    if set(node) == {"types"}:
        inner = _by_type(node["types"], like)
        return {"types": inner} if inner else {"value": 0.0, "source": "guess"}
    if node and set(node) <= old and not set(node) & SHARE_KEYS:
        return _by_type(node, like) or {"value": 0.0, "source": "guess"}
    return {key: _by_type(value, like) if key in _EFFECTS else _retyped(value, like, old) for key, value in node.items()}


_EFFECTS = ("type_effect", "type_shift")
"""Tables by type in which a type may be left out."""


def _by_type(node: Mapping[str, Any], like: Mapping[str, str]) -> Data:
    return {new: deepcopy(node[origin]) for new, origin in like.items() if origin in node}


def share_of_type(node: Any, name: str) -> Any:
    """What a setting by type says of one type: its own table, the common one, or 0."""
    if isinstance(node, Mapping):
        table = node.get("types") if "types" in node else node.get("all", node)
        if isinstance(table, Mapping) and not set(table) & SHARE_KEYS:
            return table.get(name, 0.0)
        return table
    return node


def scaled(node: Any, factor: float, keys: Iterable[str] = ("value", "low", "likely", "high", "mean", "sd")) -> Any:
    """A number of the case file, in any of its forms, times a factor."""
    if isinstance(node, Mapping):
        return {
            key: scaled(value, factor, keys) if key in keys or key in ("as_is", "pilot", "production") else value
            for key, value in node.items()
        }
    if isinstance(node, bool) or not isinstance(node, str | int | float):
        return node
    if isinstance(node, str):
        number, unit = units.split(node)
        return f"{number * factor:.6g} {unit}".strip()
    return float(f"{node * factor:.9g}")
