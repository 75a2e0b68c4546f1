"""What every page is made of: numbers that say how they were computed, and checks that say why the answer may be trusted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """One number with its name, and how it was computed: definition, source, sample size."""

    label: str
    value: str
    how: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold for the answer to be trusted; `passed` None: told, not judged."""

    words: str
    passed: bool | None
    how: str
