"""Files that a visitor uploads → the evidence folder of the visitor's case: under names from a closed list, bounded, whole or not at all.

Nothing of an uploaded name ever becomes a path: a file is stored as the kind of evidence it is said to be. What is in it is not looked at
here, but for its header where it takes the place of another; `scenarios.evidence.apart` checks it.
"""

from __future__ import annotations

import codecs
import re
import secrets
import tempfile
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.evidence.kinds import KINDS, kind_named
from scenarios.evidence.limits import BOUNDS, LIMITS, Bounds, Limits
from scenarios.evidence.read import EXPORTS, FOLDER, READERS, SETTINGS, evidence_folder, files_in
from scenarios.files import MAX_BYTES, load_without_fit
from scenarios.posterior_file import FILE
from scenarios.problems import CaseError, Problem

EXPORT = "export"
"""What an export of the company's own is called where a kind is meant."""
SUFFIXES = (*READERS, ".xlsx")
MAPPINGS = tuple(f"{name}.toml" for name in EXPORTS)
ALIASES = {"live": "production", "live_sample": "production", "checked_live": "production", EXPORT: EXPORTS[0]}
MAX_NAME, SHOWN_NAME = 255, 60


@dataclass(frozen=True, slots=True)
class Stored:
    """A file of evidence in a case. `name`: within the folder evidence · `kind`: of evidence, EXPORT for an export · `size`: bytes."""

    name: str
    kind: str
    size: int


# -- names


def shown_name(name: str) -> str:
    """An uploaded name for messages: its last part, without signs that cannot be seen or that turn the line around."""
    last = unicodedata.normalize("NFC", name[-4 * MAX_NAME :]).replace("\\", "/").rstrip("/").rpartition("/")[2]
    visible = "".join(c if c.isprintable() else "�" for c in last).strip()
    return visible if len(visible) <= SHOWN_NAME else f"{visible[: SHOWN_NAME - 2]} …"


def stored_name(name: str, kind: str = "", export: str = EXPORTS[0]) -> str | None:
    """Under which name a file is stored; None if its name does not say which kind of evidence it is and `kind` does not either.

    `export`: what an export is called in this case. Raises CaseError (E511) for names and kinds of file that are not taken.
    """
    stem, suffix = _parts(name)
    if suffix == ".toml":
        if f"{stem}{suffix}" in (SETTINGS, *MAPPINGS):
            return f"{stem}{suffix}"
        raise _refused(name, "is no file of settings that evidence has", f"{SETTINGS}, or {MAPPINGS[0]} beside an export")
    found = kind or ALIASES.get(stem, stem)
    if found == EXPORT:
        found = export
    if found not in (*(k.name for k in KINDS), *EXPORTS):
        return None
    return f"{found}{suffix}"


def _parts(name: str) -> tuple[str, str]:
    """Stem and suffix in plain lower-case letters. Raises CaseError."""
    if "\0" in name:
        raise _refused(name, "has a name with a sign that no name may hold", "rename it, with letters and digits")
    if len(name) > 16 * MAX_NAME:
        raise _refused(name, f"has a name of more than {MAX_NAME} letters", "rename it")
    last = unicodedata.normalize("NFKC", name).replace("\\", "/").rpartition("/")[2].strip()
    if len(last) > MAX_NAME:
        raise _refused(name, f"has a name of more than {MAX_NAME} letters", "rename it")
    if not last.strip(".") or last.startswith((".", "~$")):
        raise _refused(name, "has a name of a hidden or temporary file", "rename it")
    if not last.isprintable():
        raise _refused(name, "has a name with signs that cannot be seen", "rename it, with letters and digits")
    stem, suffix = Path(last).stem.lower(), Path(last).suffix.lower()
    if suffix not in (*SUFFIXES, ".toml"):
        ends = f'ends in "{suffix[:20]}"' if suffix else "says by no ending what it is"
        raise _refused(name, f"{ends} and is not read", "save it as .csv, .xlsx or .parquet")
    return stem.removesuffix(".example"), suffix


def likely_kind(name: str) -> str:
    """The kind whose name occurs in a file's name, to be offered first; "" if none does."""
    words = re.findall(r"[a-z]+", unicodedata.normalize("NFKC", name).lower())
    known = {**{k.name: k.name for k in KINDS}, **{alias: kind for alias, kind in ALIASES.items() if kind not in EXPORTS}}
    return next(
        (kind for word, kind in known.items() if word in words or f"{word}s" in words),
        EXPORT if set(words) & set(EXPORTS) else "",
    )


def kind_of(name: str) -> str:
    """The kind of a stored file; "" for settings and mappings."""
    stem, suffix = Path(name).stem.lower(), Path(name).suffix.lower()
    return "" if suffix == ".toml" else EXPORT if stem in EXPORTS else stem


# -- the folder


def stored(folder: Path) -> tuple[Stored, ...]:
    """The files of evidence of a case that are read, by name. Raises CaseError if it is no case folder."""
    found = [path for path in files_in(evidence_folder(folder)) if path.is_file()]
    return tuple(Stored(path.name, kind_of(path.name), path.stat().st_size) for path in found)


def export_name(folder: Path) -> str:
    """What an export of this case is called: after its cases."""
    there = next((Path(file.name).stem.lower() for file in stored(folder) if file.kind == EXPORT), None)
    return there or (EXPORTS[0] if load_without_fit(str(folder)).case.cases_word == EXPORTS[0] else EXPORTS[1])


def add(
    folder: Path, name: str, data: bytes, kind: str = "", limits: Limits = LIMITS, bounds: Bounds = BOUNDS
) -> tuple[Stored, bool]:
    """Stores a file, and says whether one of the same name was there before. Raises CaseError; then nothing changed."""
    target = stored_name(name, kind, export_name(folder))
    if target is None:
        raise _refused(name, "does not say by its name what it holds", "choose which kind of evidence it is")
    place = _require_evidence(folder)
    _check_size(name, target, data, place, limits, bounds)
    path = place / target
    there = path.exists()
    if there:
        _require_likeness(name, target, data)
    _write(path, data)
    _keep_salt(place)
    return Stored(target, kind_of(target), len(data)), there


def _require_likeness(name: str, target: str, data: bytes) -> None:
    """A table that takes another's place has at least one column of its kind: a letter of the wrong name would cost the right file."""
    kind = kind_named(Path(target).stem)
    if kind is None or not target.endswith(".csv") or data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return
    first_lines = data[:8_192].decode("utf-8-sig", "replace").lower().split("\n")[:5]
    if not {column.name for column in kind.columns} & set(re.split(r"[^\w]+", " ".join(first_lines))):
        raise _refused(name, "has none of the columns of its kind, so the file that is there was kept", "upload the right table")


def add_all(folder: Path, files: Sequence[tuple[str, bytes]]) -> Iterator[tuple[int, Stored | CaseError | None, bool]]:
    """Stores files that came together. Of each: its place among them, what is stored or why not (None: its kind must be asked), and
    whether it took the place of another. Of two that would be stored under one name neither is."""
    export = export_name(folder)
    targets: list[str | CaseError | None] = []
    for name, _ in files:
        try:
            targets.append(stored_name(name, "", export))
        except CaseError as error:
            targets.append(error)
    for i, ((name, data), target) in enumerate(zip(files, targets, strict=True)):
        if not isinstance(target, str):
            yield i, target, False
        elif targets.count(target) > 1:
            yield i, _refused(name, "came twice, and only one of them could be kept", "upload the right one alone"), False
        else:
            try:
                yield i, *add(folder, name, data)
            except CaseError as error:
                yield i, error, False


def remove(folder: Path, name: str) -> None:
    """Takes a file away, an export with its mapping; with the last file also what was learned from them. Raises CaseError."""
    place = evidence_folder(folder)
    if name not in {file.name for file in stored(folder)}:
        raise CaseError(shown_name(name), [Problem("E510", "", "is not there any more")])
    (place / name).unlink()
    if kind_of(name) == EXPORT:
        (place / f"{Path(name).stem}.toml").unlink(missing_ok=True)
    if not stored(folder):
        (folder / FILE).unlink(missing_ok=True)


def _require_evidence(folder: Path) -> Path:
    place = evidence_folder(folder)
    if place.is_symlink():
        raise CaseError(FOLDER, [Problem("E602", "", "is a link to another folder")])
    place.mkdir(exist_ok=True)
    return place


def _check_size(name: str, target: str, data: bytes, place: Path, limits: Limits, bounds: Bounds) -> None:
    most = MAX_BYTES if target.endswith(".toml") else limits.bytes
    if not data:
        raise CaseError(shown_name(name), [Problem("E516", "", "is empty", "a header line and a line for each row")])
    if len(data) > most:
        remedy = "export a shorter period, or only the columns that are needed"
        raise CaseError(shown_name(name), [Problem("E510", "", f"is larger than {most // 1_000_000:,} MB", remedy)])
    others = sum(path.stat().st_size for path in place.iterdir() if path.is_file() and path.name != target)
    if others + len(data) > bounds.folder:
        what = f"would make the files of this case larger than {bounds.folder // 1_000_000:,} MB together"
        raise CaseError(shown_name(name), [Problem("E510", "", what, "remove another file first")])


def _write(path: Path, data: bytes) -> None:
    draft = None
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".upload-", delete=False) as out:
            draft = Path(out.name)
            out.write(data)
        draft.replace(path)
    except OSError as error:
        if draft is not None:
            draft.unlink(missing_ok=True)
        raise CaseError(path.name, [Problem("E602", "", f"cannot be stored: {error.strerror}")]) from None


def _keep_salt(place: Path) -> None:
    """Settings with a salt from the first file on, so that nobody is asked for one."""
    if not (place / SETTINGS).exists():
        _write(place / SETTINGS, f'schema_version = 1\nsalt = "{secrets.token_hex(16)}"\n'.encode())


def _refused(name: str, message: str, remedy: str) -> CaseError:
    return CaseError(shown_name(name) or "the file", [Problem("E511", "", message, remedy)])
