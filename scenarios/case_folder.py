"""A case folder: `case.toml`, `evidence/` and `runs/`. Every command takes it in place of a file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scenarios.catalogue import DEFAULT
from scenarios.editing import new_text
from scenarios.problems import CaseError, Problem

CASE, EVIDENCE, RUNS = "case.toml", "evidence", "runs"
README = """\
# {title}

Every command of pilotproof takes this folder as the case.

- `case.toml`: the process, the promise, all numbers. What was taken over from the scenario counts as a guess until somebody says otherwise.
- `evidence/`: what you have measured, one table a kind. `pilotproof evidence init` with this folder writes templates and a page that
  explains them. None at all is fine too: then the case rests on what people said and on guesses.
- `runs/`: a place for runs that you keep (`pilotproof run … --out`).
- `interview.toml`: your answers, once `pilotproof case interview` has asked; `before_interview.toml` is the case they are laid over.
"""


def new_case(folder: Path, source: str = DEFAULT, extend: bool = False) -> Path:
    """Makes a case folder from a scenario: a copy of it, or with `extend` the differences from it. Every inherited value is a guess.

    The folder must not exist yet, or be empty. Raises CaseError; then nothing is left behind.
    """
    target = folder.resolve()
    _check_free(folder, target)
    stem = target.name or "case"
    contents = {"README.md": README.format(title=stem), CASE: new_text(target / CASE, source, extend, stem)}
    try:
        _make(target, contents)
    except OSError as error:
        raise CaseError(str(folder), [Problem("E602", "", f"cannot be written: {error.strerror}")]) from None
    return folder


def _check_free(folder: Path, target: Path) -> None:
    def refused(message: str, remedy: str) -> CaseError:
        return CaseError(str(folder), [Problem("E601", "", message, remedy)])

    try:
        if target.exists() and not target.is_dir():
            raise refused("is a file", "name a folder that does not exist yet")
        if target.is_dir() and any(target.iterdir()):
            raise refused("exists already and is not empty", "name a folder that does not exist yet")
        if not target.parent.is_dir():
            raise refused("the folder above it does not exist", "create that folder first")
    except OSError as error:
        raise CaseError(str(folder), [Problem("E100", "", f"cannot be read: {error.strerror}")]) from None


def _make(target: Path, contents: Mapping[str, str]) -> None:
    """Writes everything into a hidden folder first; what stands there at last is whole, the case file last of all."""
    there = target.exists()
    draft = Path(tempfile.mkdtemp(dir=target if there else target.parent, prefix=".new-case-"))
    moved: list[Path] = []
    try:
        draft.chmod(0o755)
        for name in (EVIDENCE, RUNS):
            (draft / name).mkdir()
        for name, text in contents.items():
            (draft / name).write_text(text, encoding="utf-8", newline="\n")
        if not there:
            draft.rename(target)
            return
        for name in (EVIDENCE, RUNS, *contents):
            moved.append((draft / name).rename(target / name))
        draft.rmdir()
    except BaseException:
        for path in (draft, *moved):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        raise
