"""How large a file of evidence may be, and how long and with how much memory it may be read."""

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


@dataclass(frozen=True, slots=True)
class Bounds:
    """What files of strangers may cost. `seconds`: to read all of a case, once reading has begun · `memory`: of the process that reads them,
    in bytes · `folder`: bytes of all files of a case together."""

    seconds: float = 60.0
    memory: int = 4_000_000_000
    folder: int = 300_000_000


BOUNDS = Bounds()
