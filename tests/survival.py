"""A case whose decision run takes a few seconds, and what a run folder holds."""

from __future__ import annotations

from pathlib import Path

from scenarios.files import LoadedCase, load
from tests.test_verdict import CASE

DRAWS, SEED = 30, 7


def leave_requests(folder: Path) -> LoadedCase:
    """A small case with an AI, a review and days that nobody has located, written to a file."""
    file = folder / "leave.toml"
    text = CASE.format(level="1.2 d", observed="2 d").replace("per_working_day = 12", "per_working_day = 6")
    file.write_text(text, encoding="utf-8")
    return load(str(file))


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes, hidden ones as well."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
