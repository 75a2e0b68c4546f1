"""A case folder as one zip file: to take away, and to open again. What is opened comes from strangers: nothing in it is trusted.

Left out on both ways: kept runs, hidden files, and what operating systems put into archives by themselves.
"""

from __future__ import annotations

import io
import re
import shutil
import stat
import struct
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from scenarios.case_folder import CASE, EVIDENCE, RUNS
from scenarios.catalogue import shipped_names
from scenarios.files import WHAT_IF_OF, load_without_fit, read_toml
from scenarios.interview.store import ANSWERS, BEFORE
from scenarios.posterior_file import FILE as POSTERIOR
from scenarios.posterior_file import require_readable
from scenarios.problems import CaseError, Problem
from scenarios.stale_fit import opened
from scenarios.what_ifs import FOLDER as WHAT_IFS

PARTS = ("README.md", BEFORE, CASE, ANSWERS, POSTERIOR)
"""The files of a case folder beside its evidence."""
LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip file can state: the same folder gives the same bytes whenever it is packed."""
MAX_BYTES = 200_000_000
MAX_FILES = 500
MAX_RATIO = 200
"""Unpacked to packed, of all files together; tables of text reach 5 to 30."""
FREE_BYTES = 10_000_000
"""So much may be unpacked at any ratio: short files of the same letter compress without limit."""
MAX_NAME = 120
_CHUNK = 1 << 16
_CENTRAL_BYTES = MAX_FILES * 400
"""The directory of an archive with the most files, names and remarks included."""
_LEFT_OUT = re.compile(r"(^|/)(\.[^/]*|__MACOSX|Thumbs\.db|desktop\.ini|~\$[^/]*)(/|$)", re.IGNORECASE)


# -- packing


def archive(folder: Path) -> bytes:
    """The folder as a zip file; the same contents give the same bytes. Raises CaseError if a file cannot be read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for name, path in sorted(_files(folder)):
            about = zipfile.ZipInfo(name, LONG_AGO)
            about.compress_type, about.create_system, about.external_attr = zipfile.ZIP_DEFLATED, 3, (stat.S_IFREG | 0o644) << 16
            try:
                packed.writestr(about, path.read_bytes())
            except OSError as error:
                raise CaseError(name, [Problem("E100", "", f"cannot be read: {error.strerror}")]) from None
    return out.getvalue()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    yield from ((name, folder / name) for name in PARTS if _regular(folder / name))
    for part in (EVIDENCE, WHAT_IFS):
        for path in (folder / part).iterdir() if (folder / part).is_dir() else ():
            if _regular(path) and not _LEFT_OUT.search(path.name):
                yield f"{part}/{path.name}", path


def _regular(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


# -- opening


def unpacked(data: bytes, folder: Path, file: str = "the archive") -> None:
    """Makes a case folder, which must not exist yet, from a zip file. Raises CaseError; then nothing is left behind.

    The files may lie within one folder in the archive. The case in it extends nothing but shipped scenarios, and it can be loaded; a fit of another version
    is left out until its files are learned from again.
    `file`: what the archive is called in messages.
    """
    if folder.exists():
        raise _refused(file, "", "the folder to open it in exists already", "E601")
    draft = Path(tempfile.mkdtemp(prefix=".opening-", dir=folder.parent))
    try:
        for part in (EVIDENCE, RUNS, WHAT_IFS):
            (draft / part).mkdir()
        _extract(data, draft, file)
        _check_parents(draft, file)
        if (draft / POSTERIOR).is_file():
            require_readable(draft / POSTERIOR, POSTERIOR)
        draft.chmod(0o700)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    try:
        opened(str(folder))
        if (folder / BEFORE).is_file():  # the answers are laid over it
            load_without_fit(str(folder / BEFORE))
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, CaseError):
            problems = [_without_place(p, folder) for p in error.problems]
            raise CaseError(file if error.file == str(folder) else _within(error.file, folder), problems) from None
        raise


def _extract(data: bytes, folder: Path, file: str) -> None:
    _check_size_of_directory(data, file)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            members = _members(packed.infolist(), file)
            total = 0
            for name, member in members.items():
                total += _write(packed, member, folder / name, MAX_BYTES - total, file)
                if total > max(FREE_BYTES, MAX_RATIO * len(data)):
                    raise _too_large(file)
    except CaseError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, OverflowError, RuntimeError) as error:
        raise _refused(file, "", "is damaged, or no zip file") from error
    except OSError as error:
        raise CaseError(file, [Problem("E602", "", f"cannot be unpacked: {error.strerror or 'the system refused'}")]) from None


def _check_size_of_directory(data: bytes, file: str) -> None:
    """Before anything of it is read: millions of entries would take minutes and all memory. Looks where `zipfile` looks."""
    end, found = struct.Struct("<4s4H2LH"), len(data) - 22
    if found < 0 or data[found : found + 4] != b"PK\x05\x06" or data[-2:] != b"\0\0":
        found = data.rfind(b"PK\x05\x06", max(0, len(data) - (1 << 16) - 22))
    if found < 0 or len(data) < found + end.size:
        raise _refused(file, "", "is no zip file", remedy="choose the zip file that this page gave you")
    entries, size = end.unpack_from(data, found)[4:6]
    if data[max(0, found - 20) : max(0, found - 16)] == b"PK\x06\x07" or entries > MAX_FILES or size > _CENTRAL_BYTES:
        raise _refused(file, "", f"holds more than {MAX_FILES} files, or files that are too large")


def _members(found: list[zipfile.ZipInfo], file: str) -> dict[str, zipfile.ZipInfo]:
    """Name in the case folder → member, of those that are unpacked. Raises CaseError with everything that is wrong."""
    if len(found) > MAX_FILES:
        raise _refused(file, "", f"holds {len(found):,} files, at most {MAX_FILES} are opened")
    if sum(member.file_size for member in found) > MAX_BYTES:
        raise _too_large(file)
    problems = [Problem("E100", _shown(m.filename), wrong) for m in found if (wrong := _wrong_with(m))]
    if problems:
        raise CaseError(file, problems)
    kept = [m for m in found if not m.is_dir() and not _LEFT_OUT.search(m.filename)]
    top = _top_folder([m.filename for m in kept])
    pairs = [(m.filename.removeprefix(top), m) for m in kept]
    pairs = [(name, m) for name, m in pairs if not name.startswith(f"{RUNS}/")]
    strange = [name for name, _ in pairs if not _known(name)]
    if strange:
        raise CaseError(
            file, [Problem("E100", _shown(name), "does not belong to a case folder", _remedy()) for name in strange[:10]]
        )
    _check_names_once([name for name, _ in pairs], file)
    if CASE not in dict(pairs):
        raise _refused(file, "", "holds no case.toml", remedy="choose the zip file of a whole case folder")
    return dict(pairs)


def _remedy() -> str:
    return f"a case folder holds {', '.join(sorted(PARTS))} tables in {EVIDENCE}/ and what-ifs in {WHAT_IFS}/"


def _wrong_with(member: zipfile.ZipInfo) -> str:
    """What makes a member of an archive dangerous or unreadable; "" if nothing does."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    for name in (member.orig_filename, member.filename):
        path = PurePosixPath(name)
        if "\\" in name or path.is_absolute() or ".." in path.parts:
            return "is a place outside the folder"
        if ":" in name or not name.isprintable() or any(len(part) > MAX_NAME for part in path.parts):
            return "is no name that a file can have everywhere"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    if member.flag_bits & 0x1:
        return "is encrypted; save the archive without a password"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in an unusual way; make the archive as an ordinary zip file"
    return ""


def _top_folder(names: list[str]) -> str:
    """The one folder that all files lie in, with its slash, as people pack a folder; "" if there is none."""
    tops = {name.split("/", 1)[0] for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and CASE not in names and all("/" in name for name in names) else ""


def _known(name: str) -> bool:
    folder, _, inner = name.rpartition("/")
    return name in PARTS or (folder == EVIDENCE and bool(inner)) or (folder == WHAT_IFS and inner.endswith(".toml"))


def _check_names_once(names: list[str], file: str) -> None:
    """Two files under one name: which of them counts would depend on who opens it. Raises CaseError."""
    same = [unicodedata.normalize("NFC", name).casefold() for name in names]
    twice = next((name for name, plain in zip(names, same, strict=True) if same.count(plain) > 1), None)
    if twice is not None:
        raise _refused(file, _shown(twice), "is there twice", "E105")


def _write(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, room: int, file: str) -> int:
    """Unpacks one file and returns its size in bytes, whatever the archive says it is."""
    written = 0
    with packed.open(member) as source, target.open("xb") as out:
        while piece := source.read(_CHUNK):
            written += len(piece)
            if written > room or written > max(FREE_BYTES, MAX_RATIO * max(1, member.compress_size)):
                raise _too_large(file)
            out.write(piece)
    return written


def _check_parents(folder: Path, file: str) -> None:
    """A case of strangers extends shipped scenarios alone: any other name could be a file of this computer. Raises CaseError."""
    for name in (CASE, BEFORE):
        if not (folder / name).is_file():
            continue
        try:
            parent = read_toml(folder / name).get("extends")
        except CaseError as error:
            raise CaseError(name, error.problems) from None
        if parent is not None and parent not in shipped_names():
            what = "extends another file, which a case that is opened here may not"
            remedy = f"extend one of {', '.join(shipped_names())}, or write the whole case into {CASE}"
            raise CaseError(file, [Problem("E103", f"{name}: extends", what, remedy)])
    for path in sorted([folder / CASE, *(folder / WHAT_IFS).glob("*")]):
        within = str(path.relative_to(folder))
        try:
            of = read_toml(path).get(WHAT_IF_OF) if path.is_file() else None
        except CaseError as error:
            raise CaseError(within, error.problems) from None
        if of != (None if path.name == CASE else ".."):
            what, remedy = "is a what-if of another case", f'in {WHAT_IFS}/ write {WHAT_IF_OF} = ".."'
            raise CaseError(file, [Problem("E103", within, what, remedy)])


# -- saying


def _refused(file: str, place: str, message: str, code: str = "E100", remedy: str = "") -> CaseError:
    return CaseError(file, [Problem(code, place, message, remedy)])


def _too_large(file: str) -> CaseError:
    return _refused(file, "", f"would unpack to far more than a case needs; at most {MAX_BYTES // 1_000_000} MB are opened")


def _shown(name: str) -> str:
    """A name of an archive, short and printable."""
    plain = "".join(c if c.isprintable() else "�" for c in name)
    return plain if len(plain) <= 60 else f"{plain[:60]} …"


def _within(name: str, folder: Path) -> str:
    """A place within the opened folder: where it lies on this computer is nobody's business."""
    return name.replace(f"{folder}/", "").replace(str(folder), "FOLDER")


def _without_place(problem: Problem, folder: Path) -> Problem:
    return Problem(problem.code, problem.place, _within(problem.message, folder), _within(problem.remedy, folder))
