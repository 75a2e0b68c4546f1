"""A case whose evidence moves on while pages are open: a fit that does not belong to it any more is left out, and that is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from scenarios.files import LoadedCase, load, load_without_fit
from scenarios.problems import CaseError

STALE = frozenset({"E902", "E903", "E904"})
"""The fit is of another program, of other numbers of the case, or of other files."""


def opened(name: str) -> LoadedCase:
    """The case with what its evidence taught; without it if that belongs to something else, with the files that are not used then.

    Raises CaseError.
    """
    try:
        return _files_only(load(name))
    except CaseError as error:
        if not error.problems or not {p.code for p in error.problems} <= STALE:
            raise
    from scenarios.uploads import stored

    files = tuple(file.name for file in stored(Path(name)))
    return replace(load_without_fit(name), unfitted=files)


def _files_only(loaded: LoadedCase) -> LoadedCase:
    """Settings alone are no evidence."""
    return replace(loaded, unfitted=tuple(name for name in loaded.unfitted if not name.endswith(".toml")))
