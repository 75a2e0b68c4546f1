"""How large a file of evidence may be."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`bytes`: of the file · `unpacked`: of a packed file's contents · `cells`: rows times columns · `listed`: defects a code and file."""

    bytes: int = 100_000_000
    unpacked: int = 1_000_000_000
    rows: int = 2_000_000
    columns: int = 500
    cells: int = 60_000_000
    listed: int = 50


LIMITS = Limits()
