"""Case files: reading, `extends`, validation with all problems at once, hashes."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.schema import CaseFile
from scenarios.catalogue import shipped_path
from scenarios.problems import CaseError, Problem, nearest, place_of

MAX_BYTES = 5_000_000
MAX_EXTENDS = 8


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """A validated case and where it came from. `hash`: of its meaning, not of its layout."""

    case: CaseFile
    file: str
    hash: str


def find(name: str) -> Path:
    """The file of a shipped name, a TOML file or a case folder. Raises CaseError (E100)."""
    path = Path(name)
    if path.is_dir():
        path = path / "case.toml"
        if not path.is_file():
            raise CaseError(name, [Problem("E100", "", "this folder holds no case.toml")])
        return path
    if path.is_file():
        return path
    shipped = shipped_path(name)
    if shipped is not None:
        return shipped
    from scenarios.catalogue import shipped_names

    raise CaseError(name, [Problem("E100", "", "no such file, folder or shipped scenario", nearest(name, shipped_names()))])


def load(name: str) -> LoadedCase:
    """Reads and validates a case. Raises CaseError with every problem found."""
    return validated(resolved(find(name)), name)


def validated(data: dict[str, Any], file: str) -> LoadedCase:
    """Validates a case given as plain data. Raises CaseError."""
    from pydantic import ValidationError

    from models.consistency import check

    try:
        case = CaseFile.model_validate(data)
    except ValidationError as error:
        raise CaseError(file, _problems(error, data)) from None
    problems = [Problem(p.code, p.place, p.message, p.remedy) for p in check(case)]
    if problems:
        raise CaseError(file, problems)
    return LoadedCase(case, file, hash_of(case))


def changed(loaded: LoadedCase, values: Mapping[str, Any]) -> LoadedCase:
    """A validated copy with values replaced at parameter paths (`steps.review.catch`). Raises CaseError."""
    data = loaded.case.model_dump(mode="json", exclude_unset=True)
    for path, value in values.items():
        _set(data, path, value, loaded.file)
    return validated(data, loaded.file)


def _set(data: dict[str, Any], path: str, value: Any, file: str) -> None:
    """Replaces what stands at a path; list items go by id or by number from 1."""
    node: Any = data
    *parents, last = path.split(".")
    for depth, key in enumerate(parents):
        node = _child(node, key)
        if node is None:
            raise CaseError(file, [Problem("E104", ".".join(parents[: depth + 1]), f'no parameter "{path}"')])
    holder = node
    for wrapper in ("law", "all"):
        if isinstance(holder, dict) and last not in holder and isinstance(holder.get(wrapper), dict):
            holder = holder[wrapper]
    if not isinstance(holder, dict):
        raise CaseError(file, [Problem("E104", path, "no such parameter")])
    holder[last] = value


def _child(node: Any, key: str) -> Any:
    if isinstance(node, list):
        by_id = [item for item in node if isinstance(item, dict) and item.get("id") == key]
        return by_id[0] if by_id else node[int(key) - 1] if key.isdigit() and 0 < int(key) <= len(node) else None
    if isinstance(node, dict):
        for wrapper in ("law", "all"):
            if key not in node and isinstance(node.get(wrapper), dict):
                return _child(node[wrapper], key)
        return node.get(key)
    return None


def hash_of(case: CaseFile) -> str:
    """First 12 hex digits of the SHA-256 of the case's canonical JSON."""
    text = json.dumps(case.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_toml(path: Path) -> dict[str, Any]:
    """One TOML file as plain data. Raises CaseError (E100) if it is huge, not UTF-8 or not TOML."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CaseError(
                str(path), [Problem("E100", "", f"larger than {MAX_BYTES // 1_000_000} MB; a case file is text of some kB")]
            )
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CaseError(str(path), [Problem("E100", "", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise CaseError(str(path), [Problem("E100", "", "is not UTF-8 text")]) from None
    except tomllib.TOMLDecodeError as error:
        raise CaseError(str(path), [Problem("E100", "", f"is not TOML: {error}")]) from None


def resolved(path: Path, depth: int = 0) -> dict[str, Any]:
    """A file with what it extends merged in; values taken over from there become guesses (inherited)."""
    data = read_toml(path)
    parent = data.get("extends")
    if parent is None:
        return data
    if not isinstance(parent, str):
        raise CaseError(str(path), [Problem("E103", "extends", "must be the name of a scenario or file")])
    if depth >= MAX_EXTENDS:
        raise CaseError(str(path), [Problem("E103", "extends", "a chain of scenarios that extend each other does not end")])
    beside = path.parent / parent
    base_path = beside if beside.is_file() else find(parent)
    base = inherited(resolved(base_path, depth + 1), parent)
    return merged(base, data, str(path))


def inherited(data: Any, origin: str) -> Any:
    """A copy in which every stated source becomes a guess that says where it was copied from."""
    if isinstance(data, Mapping):
        copy = {key: inherited(value, origin) for key, value in data.items()}
        if "source" in copy and isinstance(copy["source"], str):
            copy.update(source="guess", inherited=data.get("inherited") or origin)
        return copy
    if isinstance(data, list):
        return [inherited(item, origin) for item in data]
    return data


_FORMS = {
    "value",
    "low",
    "likely",
    "high",
    "mass",
    "right",
    "tried",
    "effective",
    "mean",
    "sd",
    "as_is",
    "pilot",
    "production",
    "cause",
    "kind",
}
"""Keys that state a value: a child that states one replaces the parent's whole value."""


def merged(base: dict[str, Any], changes: Mapping[str, Any], file: str) -> dict[str, Any]:
    """`base` with the differences of a child: tables key by key, steps by id, values as a whole."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if key == "steps" and isinstance(old, list) and isinstance(value, list):
            result[key] = _merged_steps(old, value, file)
        elif isinstance(old, Mapping) and isinstance(value, Mapping) and not (_FORMS & set(value)):
            result[key] = merged(dict(old), value, file)
        else:
            result[key] = value
    return result


def _merged_steps(base: list[Any], changes: list[Any], file: str) -> list[Any]:
    steps = [dict(s) for s in base]
    for change in changes:
        ids = [s.get("id") for s in steps]
        if not isinstance(change, Mapping) or "id" not in change:
            raise CaseError(file, [Problem("E102", "steps", "every step needs an id")])
        after = change.get("after")
        step = {k: v for k, v in change.items() if k != "after"}
        if change["id"] in ids and after is None:
            i = ids.index(change["id"])
            same_kind = "kind" not in step or step["kind"] == steps[i].get("kind")
            steps[i] = merged(steps[i], {k: v for k, v in step.items() if k != "kind"}, file) if same_kind else step
        elif after in ids:
            steps.insert(ids.index(after) + 1, step)
        else:
            place = f"steps.{change['id']}.after"
            raise CaseError(
                file, [Problem("E104", place, "a new step says after which step it comes", nearest(str(after), map(str, ids)))]
            )
    return steps


_PYDANTIC_CODES = {"extra_forbidden": "E101", "missing": "E102", "unit": "E307", "belief": "E212", "sum": "E211", "order": "E213"}


def _problems(error: Any, data: dict[str, Any]) -> list[Problem]:
    found = []
    for item in error.errors(include_url=False):
        code = _PYDANTIC_CODES.get(item["type"], "E103")
        place = place_of(item["loc"], data)
        message, remedy = str(item["msg"]), ""
        if code == "E101":
            key = str(item["loc"][-1])
            message, remedy = f'unknown key "{key}"', nearest(key, _known_keys(item["loc"]))
        elif code == "E102":
            message = "is missing"
        elif item["type"] in ("union_tag_invalid", "literal_error", "enum"):
            expected = item.get("ctx", {}).get("expected_tags") or item.get("ctx", {}).get("expected", "")
            message, remedy = (
                f"{item['input']!r} is not allowed" if item["type"] != "union_tag_invalid" else "unknown kind",
                f"allowed: {expected}",
            )
        found.append(Problem(code, place, message, remedy))
    return list(dict.fromkeys(found))


def _known_keys(location: tuple[Any, ...]) -> set[str]:
    """The keys allowed where an unknown one was found: follows the location through the models of the schema."""
    from pydantic import BaseModel

    node: Any = CaseFile
    for key in location[:-1]:
        node = _inner(node, key)
    return set(node.model_fields) if isinstance(node, type) and issubclass(node, BaseModel) else set()


def _inner(node: Any, key: Any) -> Any:
    """The annotation behind one element of a location: a field, an item of a list or table, or the tag of a union."""
    from typing import get_args, get_origin

    from pydantic import BaseModel

    if isinstance(node, type) and issubclass(node, BaseModel):
        return node.model_fields[key].annotation if key in node.model_fields else None
    options = get_args(node)
    if get_origin(node) in (list, dict, tuple):
        return options[-1]
    for option in options:
        kind = getattr(option, "model_fields", {}).get("kind")
        if kind is not None and key in get_args(kind.annotation):
            return option
        inner = _inner(option, key)
        if inner is not None:
            return inner
    return None
