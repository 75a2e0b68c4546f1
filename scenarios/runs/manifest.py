"""The manifest of a run: all that its figures depend on. Plain data, no clock times, no paths: same inputs, same bytes."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scenarios.problems import CaseError, Problem

if TYPE_CHECKING:
    from models.schema import CaseFile
    from scenarios.files import LoadedCase

SCHEMA_VERSION = 1
MAX_BYTES = 20_000_000
FILE = "manifest.json"
LIBRARIES = ("numpy", "scipy", "numba", "pyarrow")
"""Libraries whose version can move a figure or a byte."""
POSTERIOR = "posterior.nc"
"""What evidence taught, kept beside the manifest; and its key among the evidence."""
Kind = Literal["decision", "replications"]
KINDS = ("decision", "replications")


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that the figures of a run depend on.

    kind: "decision" (draws, many arms) or "replications" (middle values, one arm) · case: the whole case as canonical TOML, nothing
    inherited from another file · draws: accepted ones asked for · replications: futures a draw · versions: library -> version ·
    evidence: file -> what of it was used.
    """

    kind: Kind
    scenario: str
    scenario_hash: str
    case: str
    seed: int
    draws: int
    replications: int
    arms: tuple[str, ...]
    engine: str
    versions: Mapping[str, str]
    code_hash: str
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """The manifest as JSON, ending in a newline."""
        data = {"schema_version": SCHEMA_VERSION, **self.as_json()}
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def as_json(self) -> dict[str, Any]:
        """The fields as plain data; mappings in the order of their keys, so that their bytes are always the same."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**plain, "arms": list(self.arms), "evidence": _sorted(self.evidence), "versions": _sorted(self.versions)}

    def loaded(self, file: str) -> LoadedCase:
        """The stored case, validated. Raises CaseError if this version refuses it."""
        from scenarios.files import parsed, validated

        return validated(parsed(self.case, Path(file)), file)


def _sorted(node: Any) -> Any:
    """A copy with all mappings in the order of their keys."""
    if isinstance(node, Mapping):
        return {key: _sorted(node[key]) for key in sorted(node)}
    return [_sorted(item) for item in node] if isinstance(node, list | tuple) else node


def manifest_of(
    loaded: LoadedCase, kind: Kind, seed: int, draws: int, replications: int, arms: Iterable[str], engine: str
) -> Manifest:
    """The manifest of a run of a case with the code and the libraries of this process."""
    from scenarios.store import code_hash

    case = loaded.case
    evidence = {} if case.posterior is None else {POSTERIOR: case.posterior.hash, **case.posterior.provenance.get("evidence", {})}
    return Manifest(
        kind,
        case.name,
        loaded.hash,
        case_text(case),
        seed,
        draws,
        replications,
        tuple(arms),
        engine,
        versions(),
        code_hash(),
        evidence,
    )


def versions() -> dict[str, str]:
    """pilotproof, Python and the libraries, as installed here."""
    from scenarios.version import package_version

    found = {"pilotproof": package_version(), "python": platform.python_version()}
    return found | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def case_text(case: CaseFile) -> str:
    """A case as canonical TOML that stands alone: with what it extends merged in. It has the same hash when it is read again."""
    import tomlkit

    from scenarios.canonical import canonical

    data = _without_none(case.model_dump(mode="json", exclude_unset=True))
    return canonical(tomlkit.dumps({key: value for key, value in data.items() if key != "extends"}), Path("case.toml"))


def _without_none(node: Any) -> Any:
    """TOML has no null: a key that holds none is left out."""
    if isinstance(node, dict):
        return {str(key): _without_none(value) for key, value in node.items() if value is not None}
    return [_without_none(item) for item in node] if isinstance(node, list) else node


# -- reading


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder. Raises CaseError (E701) if there is none or it cannot be used."""
    data = _read_json(folder / FILE)
    found = data.get("schema_version")
    if found != SCHEMA_VERSION or isinstance(found, bool):
        what = f"is {_shown(found)}, this version of pilotproof reads {SCHEMA_VERSION}"
        raise _unusable(
            folder / FILE, Problem("E701", "schema_version", what, "use the version that wrote the run, or run again")
        )
    problems = list(_problems(data))
    if problems:
        raise _unusable(folder / FILE, *problems)
    return Manifest(**{f.name: data[f.name] for f in fields(Manifest) if f.name != "arms"}, arms=tuple(data["arms"]))


def _read_json(path: Path) -> dict[str, Any]:
    remedy = "name a run folder (pilotproof runs list)"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _unusable(
                path, Problem("E701", "", f"is larger than {MAX_BYTES // 1_000_000} MB, so not the manifest of a run")
            )
        data = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        what = "holds no manifest.json, so it is no run" if path.parent.is_dir() else "no such run folder"
        raise CaseError(str(path.parent), [Problem("E701", "", what, remedy)]) from None
    except OSError as error:
        raise _unusable(path, Problem("E701", "", f"cannot be read: {error.strerror or error}")) from None
    except (ValueError, RecursionError) as error:
        what = "is nested too deeply" if isinstance(error, RecursionError) else f"is not JSON: {error}"
        raise _unusable(path, Problem("E701", "", what, "take it from a copy, or remove the folder and run again")) from None
    if not isinstance(data, dict):
        raise _unusable(path, Problem("E701", "", "is not the manifest of a run", remedy))
    return data


def _unusable(path: Path, *problems: Problem) -> CaseError:
    return CaseError(str(path), problems)


_REMEDY = "take the file from a copy, or remove the folder and run again"
_WORDS = {str: "text", int: "a whole number", list: "a list of names", dict: "a table"}
_FORMS: dict[str, type] = {
    "kind": str, "scenario": str, "scenario_hash": str, "case": str, "seed": int, "draws": int, "replications": int, "arms": list,
    "engine": str, "versions": dict, "code_hash": str, "evidence": dict,
}  # fmt: skip


def _problems(data: Mapping[str, Any]) -> Iterable[Problem]:
    """All that is wrong with the keys of a manifest."""
    for name, form in _FORMS.items():
        if name not in data:
            yield Problem("E701", name, "is missing", _REMEDY)
        elif not _is(data[name], form):
            yield Problem("E701", name, f"is {_shown(data[name])}, must be {_WORDS[form]}", _REMEDY)
        elif name == "kind" and data[name] not in KINDS:
            yield Problem("E701", name, f"is {_shown(data[name])}, must be {' or '.join(KINDS)}", _REMEDY)
    yield from (Problem("E701", name, "is not a key of a manifest", _REMEDY) for name in data if name not in _KNOWN)


_KNOWN = {"schema_version", *_FORMS}


def _is(value: object, form: type) -> bool:
    if form is list:
        return isinstance(value, list) and all(isinstance(item, str) for item in value)
    return isinstance(value, form) and not isinstance(value, bool)


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]} …"


# -- comparing


Difference = tuple[str, str, str]
"""Place, first, second."""


def version_differences(a: Manifest, b: Manifest) -> list[Difference]:
    """What differs in code, libraries and engine."""
    found = [(n, a.versions.get(n, "–"), b.versions.get(n, "–")) for n in dict.fromkeys([*a.versions, *b.versions])]
    found += [("code", a.code_hash, b.code_hash), ("engine", a.engine, b.engine)]
    return [row for row in found if row[1] != row[2]]


def evidence_differences(a: Manifest, b: Manifest) -> list[Difference]:
    """What differs in the evidence, file by file."""
    texts = [{name: json.dumps(value, sort_keys=True) for name, value in m.evidence.items()} for m in (a, b)]
    names = sorted({*texts[0], *texts[1]})
    return [
        (n, _shown(a.evidence.get(n, "–")), _shown(b.evidence.get(n, "–"))) for n in names if texts[0].get(n) != texts[1].get(n)
    ]


def luck_differences(a: Manifest, b: Manifest) -> list[Difference]:
    """What differs in seed and numbers of futures."""
    return _fields(a, b, ("seed", "draws", "replications"))


def input_differences(a: Manifest, b: Manifest) -> list[Difference]:
    """What differs in the case, by meaning, and in what was asked. A case that this version refuses is compared by its hash."""
    asked = _fields(a, b, ("kind", "arms"))
    if a.scenario_hash == b.scenario_hash:
        return asked
    from scenarios.differences import differences

    try:
        return asked + differences(a.loaded("A").case, b.loaded("B").case)
    except CaseError:
        return [*asked, ("case (cannot be read by this version)", a.scenario_hash, b.scenario_hash)]


def _fields(a: Manifest, b: Manifest, names: Iterable[str]) -> list[Difference]:
    return [(n, _plain(getattr(a, n)), _plain(getattr(b, n))) for n in names if getattr(a, n) != getattr(b, n)]


def _plain(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
