"""The scenarios that are shipped with the package."""

from __future__ import annotations

from pathlib import Path

DEFAULT = "invoice_processing"
_FOLDER = Path(__file__).parent


def shipped_names() -> tuple[str, ...]:
    """Names of all shipped scenarios, the default first."""
    names = sorted(p.stem for p in _FOLDER.glob("*.toml"))
    return tuple(sorted(names, key=lambda n: (n != DEFAULT, n)))


def shipped_path(name: str) -> Path | None:
    """The file of a shipped scenario, or None."""
    return _FOLDER / f"{name}.toml" if name in shipped_names() else None
