"""Case files: reading, `extends`, validation with all problems at once, hashes."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.posterior import PosteriorDraws
from models.references import Finding, references
from models.schema import CaseFile, Parameter, WhatIf, WhatIfFile
from scenarios.catalogue import shipped_path
from scenarios.problems import CaseError, Problem, nearest, place_of

MAX_BYTES = 2_000_000
MAX_DEPTH = 40
MAX_EXTENDS = 8
MAX_DOTS = 20
"""In one key: the parser's time grows with the square of them."""
MAX_DIGITS = 60
"""Shown of a number."""
MAX_PROBLEMS = 200
WHAT_IF_OF = "what_if_of"
"""Key by which a file says that it holds a what-if of a case."""


@dataclass(frozen=True, slots=True)
class LoadedCase:
    """A validated case and where it came from. `hash`: of its meaning and of what evidence taught, not of its layout.

    unfitted: files of evidence that are there although nothing was fitted yet · case_changed: of a what-if, whether its case was
    another one when it was saved · cache: where what can be computed again is kept; None: in the user's cache.
    """

    case: CaseFile
    file: str
    hash: str
    unfitted: tuple[str, ...] = ()
    case_changed: bool = False
    cache: Path | None = None

    @property
    def today(self) -> str:
        """The hash under which solutions of today's result are kept: a what-if does not touch today."""
        return self.hash if self.case.what_if is None else hash_of(self.case.model_copy(update={"what_if": None}))


def find(name: str) -> Path:
    """The file of a shipped name, a TOML file or a case folder. Raises CaseError (E100)."""
    path = Path(name)
    try:
        found = _file_or_folder(path, name)
    except CaseError:
        raise
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise CaseError(name, [Problem("E100", "", f"cannot be read: {why}")]) from None
    shipped = found or shipped_path(name)
    if shipped is not None:
        return shipped
    from scenarios.catalogue import shipped_names

    raise CaseError(name, [Problem("E100", "", "no such file, folder or shipped scenario", nearest(name, shipped_names()))])


def _file_or_folder(path: Path, name: str) -> Path | None:
    if path.is_dir():
        inner = path / "case.toml"
        if not inner.is_file() and shipped_path(name) is None:
            raise CaseError(name, [Problem("E100", "", "this folder holds no case.toml")])
        return inner if inner.is_file() else None
    return path if path.is_file() else None


def require_case_folder(folder: Path) -> None:
    """Raises CaseError (E601) with the remedy unless it is a folder that holds a case.toml."""
    if folder.is_file():
        message, remedy = "is a file, not a case folder", f"name the folder that it lies in: {folder.parent}"
    elif not folder.is_dir():
        message, remedy = "no such folder", f"make one first: pilotproof case new {folder}"
    elif not (folder / "case.toml").is_file():
        message, remedy = "is not a case folder: it holds no case.toml", f"make one: pilotproof case new {folder}"
    else:
        return
    raise CaseError(str(folder), [Problem("E601", "", message, remedy)])


def load_without_fit(name: str) -> LoadedCase:
    """The case alone, whatever was fitted. Raises CaseError."""
    return validated(resolved(find(name)), name)


def load(name: str) -> LoadedCase:
    """Reads and validates a case; a case folder comes with what its evidence taught, a what-if with the case it is about.

    Raises CaseError with every problem found.
    """
    path = find(name)
    data = read_toml(path)
    if WHAT_IF_OF in data:
        return _what_if(path, data, name)
    loaded = validated(resolved(path), name)
    return _with_evidence(loaded, Path(name)) if path.name == "case.toml" and Path(name).is_dir() else loaded


def _what_if(path: Path, data: dict[str, Any], name: str) -> LoadedCase:
    """A what-if file: the case it names, with its changes. Raises CaseError."""
    from pydantic import ValidationError

    try:
        found = WhatIfFile.model_validate(data)
    except ValidationError as error:
        raise CaseError(name, problems_of(error, data, WhatIfFile)) from None
    beside = path.parent / found.what_if_of
    base = load(str(beside) if beside.exists() else found.what_if_of)
    loaded = with_what_if(base, found.what_if())
    return replace(loaded, file=name, case_changed=bool(found.case_hash) and found.case_hash != base.hash)


def with_what_if(loaded: LoadedCase, what_if: WhatIf | None) -> LoadedCase:
    """The same case with other changes of the time after go-live, or with none. Raises CaseError."""
    from models.what_if_check import findings

    case = loaded.case.model_copy(update={"what_if": what_if})
    problems = [Problem(f.code, f.place, f.message, f.remedy) for f in findings(case)]
    if problems:
        raise CaseError(loaded.file, problems)
    return replace(loaded, case=case, hash=hash_of(case))


def _with_evidence(loaded: LoadedCase, folder: Path) -> LoadedCase:
    from scenarios.posterior_file import FILE, check_belongs, evidence_hashes, read_posterior

    if not (folder / FILE).exists():
        return replace(loaded, unfitted=tuple(evidence_hashes(folder)))
    posterior = read_posterior(folder / FILE)
    check_belongs(folder / FILE, posterior, loaded.case, evidence_hashes(folder))
    return with_posterior(loaded, posterior)


def validated(data: dict[str, Any], file: str) -> LoadedCase:
    """Validates a case given as plain data. Raises CaseError."""
    from pydantic import ValidationError

    from models.consistency import check, check_data, check_structure

    def as_problems(findings: Sequence[Finding]) -> list[Problem]:
        return [Problem(f.code, f.place, f.message, f.remedy) for f in findings]

    names = as_problems(check_data(data))
    try:
        case = CaseFile.model_validate(data)
    except ValidationError as error:
        raise CaseError(file, [*problems_of(error, data), *names]) from None
    problems = [*names, *as_problems(check(case))] or as_problems(check_structure(case))
    if problems:
        raise CaseError(file, problems)
    for name in case.options:
        try:
            option_case(case, name)
        except CaseError as error:
            raise CaseError(file, [replace(p, place=f"options.{name}: {p.place}") for p in error.problems]) from None
    return LoadedCase(case, file, hash_of(case))


def option_case(case: CaseFile, name: str) -> CaseFile:
    """The case as it would be under one of its options. Raises CaseError that names the option."""
    file, changes = f"options.{name}", case.options[name].changes
    data = case.model_dump(mode="json", exclude_unset=True, exclude={"options"})
    for path, value in changes.items():
        _set(data, path, value, file)
    changed_case = validated(_cited_sources_only(data), file).case
    return changed_case.with_posterior(_kept(case, changes))


def _kept(case: CaseFile, changes: Iterable[str]) -> PosteriorDraws | None:
    """What evidence taught, but for the parameters that a change states itself."""
    return None if case.posterior is None else case.posterior.without(changes)


def changed(loaded: LoadedCase, values: Mapping[str, Any]) -> LoadedCase:
    """A validated copy with values replaced at parameter paths (`steps.review.catch`). Raises CaseError."""
    data = loaded.case.model_dump(mode="json", exclude_unset=True)
    for path, value in values.items():
        _set(data, path, value, loaded.file)
    found = validated(_cited_sources_only(data), loaded.file)
    return with_posterior(found, _kept(loaded.case, values))


def with_posterior(loaded: LoadedCase, posterior: PosteriorDraws | None) -> LoadedCase:
    """The same case with what evidence taught, which is part of its hash."""
    case = loaded.case.with_posterior(posterior)
    return replace(loaded, case=case, hash=hash_of(case))


def unknown_paths(loaded: LoadedCase, paths: Iterable[str]) -> list[Problem]:
    """The parameter paths that lead nowhere in a case, each with its problem."""
    data = loaded.case.model_dump(mode="json", exclude_unset=True)
    problems: list[Problem] = []
    for path in paths:
        try:
            _set(deepcopy(data), path, 0, loaded.file)
        except CaseError as error:
            problems += [replace(p, place=path) for p in error.problems]
    return problems


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
        return by_id[0] if by_id else node[int(key) - 1] if _is_number(key) and 0 < int(key) <= len(node) else None
    if isinstance(node, dict):
        for wrapper in ("law", "all"):
            if key not in node and isinstance(node.get(wrapper), dict):
                return _child(node[wrapper], key)
        return node.get(key)
    return None


def _is_number(key: str) -> bool:
    """Whether a part of a path is the number of an item."""
    return key.isascii() and key.isdecimal() and len(key) < 10


def hash_of(case: CaseFile) -> str:
    """First 12 hex digits of the SHA-256 of the case's canonical JSON, and of what evidence taught."""
    data = case.model_dump(mode="json", exclude=None if case.what_if is not None else {"what_if"})
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    if case.posterior is not None:
        text += case.posterior.hash
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def read_text(path: Path) -> str:
    """The text of a file. Raises CaseError (E100) if it is huge, not UTF-8 or cannot be read."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _unreadable(path, f"larger than {MAX_BYTES // 1_000_000} MB; a case file is text of some kB")
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _unreadable(path, "is not UTF-8 text; save it as UTF-8") from None


def read_toml(path: Path) -> dict[str, Any]:
    """One TOML file as plain data. Raises CaseError (E100) if it cannot be read or is not TOML."""
    return parsed(read_text(path), path)


def parsed(text: str, path: Path) -> dict[str, Any]:
    """TOML text as plain data; `path` is only named in errors. Raises CaseError (E100)."""
    if line := _line_of_deep_key(text):
        raise _unreadable(
            path,
            f"line {line}: a key of more than {MAX_DOTS} dots is nested too deeply",
            "a case needs a few; put a key with dots in quotes",
        )
    try:
        data = tomllib.loads(text)
    except RecursionError:
        raise _unreadable(path, "is nested too deeply") from None
    except ValueError as error:
        raise _unreadable(path, f"is not TOML: {error}") from None
    if _deeper_than(data, MAX_DEPTH):
        raise _unreadable(path, "is nested too deeply")
    if _holds_huge_number(data):
        raise _unreadable(path, "holds a whole number of more than 18 digits", "no figure of a case is so large")
    return data


_STRING = r""""(?:[^"\\\n]|\\.)*+"?|'[^'\n]*+'?"""
_TOKEN = re.compile(
    r'''#[^\n]*+|"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|\'{3}(?:[^']|'(?!\'\'))*+(?:\'{3})?|'''
    rf"(?P<key>(?:(?!\"{{3}}|'{{3}})(?:{_STRING})|[\w-]++|[ \t]++|\.)++)",
    re.DOTALL,
)


def _line_of_deep_key(text: str) -> int:
    """The line of the first key with too many dots, 0 if there is none. Takes time in proportion to the text, whatever it is."""
    for found in _TOKEN.finditer(text):
        key = found["key"]
        if key and key.count(".") > MAX_DOTS and re.sub(_STRING, "", key, flags=re.DOTALL).count(".") > MAX_DOTS:
            return text.count("\n", 0, found.start()) + 1
    return 0


def _holds_huge_number(data: dict[str, Any]) -> bool:
    """A whole number that TOML does not have; writing one of thousands of digits is refused by the interpreter, in any message."""
    waiting: list[Any] = [data]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            waiting.extend(node.values() if isinstance(node, dict) else node)
        elif isinstance(node, int) and abs(node) >= 10**18:
            return True
    return False


def _unreadable(path: Path, message: str, remedy: str = "") -> CaseError:
    return CaseError(str(path), [Problem("E100", "", message, remedy)])


def _deeper_than(data: dict[str, Any], depth: int) -> bool:
    level: list[Any] = [data]
    for _ in range(depth):
        level = [v for node in level for v in (node.values() if isinstance(node, dict) else node) if isinstance(v, dict | list)]
    return bool(level)


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
    base = inherited(resolved(_parent_of(path, parent), depth + 1), parent)
    return _cited_sources_only(merged(base, data, str(path)), data.get("sources"))


def _cited_sources_only(data: dict[str, Any], own: object = None) -> dict[str, Any]:
    """A case without the sources that a change left without a citation; those that the changing file lists itself stay."""
    sources = data.get("sources")
    if not isinstance(sources, Mapping):
        return data
    kept = {r.name for r in references(data) if r.kind == "source"} | set(own if isinstance(own, Mapping) else ())
    return {**data, "sources": {key: text for key, text in sources.items() if key in kept}}


def _parent_of(path: Path, parent: str) -> Path:
    """The file that another one extends: beside it, or a shipped scenario. Raises CaseError that names the extending file."""
    try:
        return find(str(path.parent / parent)) if (path.parent / parent).exists() else find(parent)
    except CaseError as error:
        problem = error.problems[0]
        raise CaseError(str(path), [Problem("E100", "extends", f'"{parent}": {problem.message}', problem.remedy)]) from None
    except (OSError, ValueError):
        raise CaseError(str(path), [Problem("E100", "extends", f'"{parent}" cannot be read')]) from None


def inherited(data: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """A copy of a case in which every stated source becomes a guess that says where it was copied from."""
    return {key: value if key in ("sources", "options") else _inherited(value, origin) for key, value in data.items()}


def _inherited(data: Any, origin: str) -> Any:
    if isinstance(data, Mapping):
        copy = {key: _inherited(value, origin) for key, value in data.items()}
        if "source" in copy and isinstance(copy["source"], str):
            copy.update(source="guess", inherited=data.get("inherited") or origin)
        return copy
    if isinstance(data, list):
        return [_inherited(item, origin) for item in data]
    return data


_STATES = {
    "value", "low", "likely", "high", "mass", "right", "tried", "effective", "mean", "sd", "as_is", "pilot", "production", "cause",
    "kind", "all", "types",
}  # fmt: skip
"""Keys that state a value: a child that states one replaces the parent's whole value."""


def merged(base: Mapping[str, Any], changes: Mapping[str, Any], file: str) -> dict[str, Any]:
    """`base` with the differences of a child: tables key by key, steps by id, values as a whole."""
    result = dict(base)
    for key, value in changes.items():
        old = result.get(key)
        if key == "steps" and isinstance(old, list) and isinstance(value, list):
            result[key] = _merged_steps(old, value, file)
        elif isinstance(old, Mapping) and isinstance(value, Mapping) and not _replaces(old, value):
            result[key] = merged(old, value, file)
        else:
            result[key] = value
    return result


def _replaces(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether a table states a value of its own: by one of its forms, or by type where the parent has one for all."""
    return bool(_STATES & set(new)) or bool(_STATES & set(old) and not set(new) <= set(Parameter.model_fields) | _LAW_KEYS)


_LAW_KEYS = {"median", "p90", "cv", "scale", "shape", "quantiles", "weights", "parts"}


def _merged_steps(base: list[Any], changes: list[Any], file: str) -> list[Any]:
    steps = [dict(s) if isinstance(s, Mapping) else s for s in base]
    problems: list[Problem] = []
    for number, change in enumerate(changes, 1):
        if not isinstance(change, Mapping) or not isinstance(change.get("id"), str):
            problems.append(Problem("E102", f"steps.{number}.id", "is missing", "every step needs an id"))
            continue
        ids = [s.get("id") if isinstance(s, Mapping) else None for s in steps]
        after, step = change.get("after"), {k: v for k, v in change.items() if k != "after"}
        if step["id"] in ids:
            i = ids.index(step["id"])
            changed_step = _changed_step(steps.pop(i), step, file)
            steps.insert(i if after is None else _index(steps, after, problems, step["id"]), changed_step)
        elif after is None:
            place = f"steps.{step['id']}.after"
            problems.append(
                Problem("E102", place, "a new step says after which step it comes", nearest(step["id"], map(str, ids)))
            )
        else:
            steps.insert(_index(steps, after, problems, step["id"]), step)
    if problems:
        raise CaseError(file, problems)
    return steps


def _changed_step(old: dict[str, Any], step: dict[str, Any], file: str) -> dict[str, Any]:
    if step.get("kind", old.get("kind")) != old.get("kind"):
        return step
    return merged(old, {k: v for k, v in step.items() if k != "kind"}, file)


def _index(steps: list[Any], after: object, problems: list[Problem], step: str) -> int:
    """Where a step goes that comes after another one; an unknown one becomes a problem."""
    ids = [s.get("id") if isinstance(s, Mapping) else None for s in steps]
    if after in ids:
        return ids.index(after) + 1
    problems.append(Problem("E104", f"steps.{step}.after", f'no step "{after}"', nearest(str(after), map(str, ids))))
    return len(steps)


_CODES = {
    "extra_forbidden": "E101", "missing": "E102", "kind": "E102", "needs": "E102", "union_tag_not_found": "E102", "unit": "E307",
    "belief": "E212", "sum": "E211", "order": "E213", "range": "E213", "finite_number": "E213", "greater_than": "E213",
    "greater_than_equal": "E213", "less_than": "E213", "less_than_equal": "E213", "too_short": "E213", "too_long": "E213",
    "string_too_long": "E213",
}  # fmt: skip
_PLAIN = {
    "missing": "is missing",
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "list_type": "must be a list: [ … ]",
    "tuple_type": "must be a list: [ … ]",
    "dict_type": "must be a table: {{ … }}",
    "model_type": "must be a table: {{ … }}",
    "model_attributes_type": "must be a table: {{ … }}",
    "date_type": "must be a date such as 2027-01-04",
    "finite_number": "is not a finite number",
    "greater_than": "is {input}, must be above {gt:g}",
    "greater_than_equal": "is {input}, must be at least {ge:g}",
    "less_than": "is {input}, must be below {lt:g}",
    "less_than_equal": "is {input}, must be at most {le:g}",
    "too_short": "needs at least {min_length} of them",
    "too_long": "may not have more than {max_length} of them",
    "string_too_long": "is longer than {max_length} letters",
    "union_tag_not_found": "needs a kind",
}
"""What is wrong in plain words, by the validator's type of error."""
_PATTERNS = {
    r"^[a-z][a-z0-9_]*$": "a name takes lower-case letters, digits and _, and starts with a letter",
    r"^[A-Z]{3}$": "a currency is three capital letters",
}


def problems_of(error: Any, data: dict[str, Any], model: Any = CaseFile) -> list[Problem]:
    """A validator's errors in words; after the first MAX_PROBLEMS the rest is only counted. `model`: what `data` was to be."""
    items = error.errors(include_url=False)
    found = list(dict.fromkeys(_problem(item, data, model) for item in items[:MAX_PROBLEMS]))
    if len(items) > MAX_PROBLEMS:
        found.append(Problem("E103", "", f"{len(items) - MAX_PROBLEMS} more problems are not listed"))
    return found


def _problem(item: Any, data: dict[str, Any], model: Any) -> Problem:
    kind, place = item["type"], place_of(item["loc"], data)
    code, context, given = _CODES.get(kind, "E103"), item.get("ctx", {}), item["input"]
    if kind == "extra_forbidden":
        key = str(item["loc"][-1])
        return Problem(code, place, f'unknown key "{key}"', nearest(key.lower(), _known_keys(item["loc"], model)))
    if kind == "union_tag_invalid":
        allowed = re.findall(r"'(\w+)'", context["expected_tags"])
        return Problem(code, f"{place}.kind", f'no kind "{context["tag"]}"', nearest(str(context["tag"]), allowed))
    if kind == "literal_error":
        allowed = re.findall(r"'(\w+)'", context["expected"])
        return Problem(code, place, f"{_short(given)} is not possible", nearest(_short(given).strip('"'), allowed))
    if kind == "string_pattern_mismatch":
        return Problem(code, place, f"{_short(given)} is not possible", _PATTERNS.get(context["pattern"], ""))
    plain = _PLAIN.get(kind)
    return Problem(code, place, plain.format(**{**context, "input": _short(given)}) if plain else str(item["msg"]))


def _short(value: object) -> str:
    """A value as it stands in the file, cut if it is long."""
    if isinstance(value, Mapping | list):
        return "a table" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
        return f"a number of more than {MAX_DIGITS} digits"
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:60]} …"


def _known_keys(location: tuple[Any, ...], model: Any) -> set[str]:
    """The keys allowed where an unknown one was found: follows the location through the models of the schema."""
    from typing import get_args

    from pydantic import BaseModel

    node: Any = model
    for key in location[:-1]:
        node = _inner(node, key)
    models = [option for option in (node, *get_args(node)) if isinstance(option, type) and issubclass(option, BaseModel)]
    return set(models[0].model_fields) if models else set()


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
