"""The version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """The version that the package's metadata state."""
    try:
        return version("pilotproof")
    except PackageNotFoundError:
        return "0.1.0+source"
