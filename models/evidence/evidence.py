"""All the evidence of a case, read and checked: tables by kind, the dates of today's cases, defects, and figures of each file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from models.evidence.cycles import Cycles
from models.evidence.defects import Defect
from models.evidence.settings import EvidenceSettings
from models.evidence.table import Table


@dataclass(frozen=True, slots=True)
class Informed:
    """What a column of a file is evidence about: in words, and as paths of parameters of the case (empty if none is of its own)."""

    column: str
    meaning: str
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFigures:
    """What was found in one file.

    kind: name of its kind, `export` for an export of one's own · sha256: of its bytes · period: first and last date, ISO, local
    rows: read, used, with defects, left out as the mapping says · totals: name → sum over the rows used
    listed, unlisted: defects in `Evidence.defects`, and how many more there are, by code
    """

    name: str
    kind: str
    title: str
    sha256: str
    rows_read: int = 0
    rows_used: int = 0
    rows_defective: int = 0
    rows_left_out: int = 0
    period: tuple[str, str] | None = None
    informs: tuple[Informed, ...] = ()
    not_used: tuple[str, ...] = ()
    totals: Mapping[str, float] = field(default_factory=dict)
    unlisted: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """`tables`: kind → rows without a defect, from a file of that kind or derived from an export · `cycles`: today's cases, if exported."""

    tables: Mapping[str, Table]
    cycles: Cycles | None
    settings: EvidenceSettings
    defects: tuple[Defect, ...] = ()
    files: tuple[FileFigures, ...] = ()

    @property
    def blocked(self) -> bool:
        """Whether a defect must be put right before the evidence may be used."""
        return any(d.blocks for d in self.defects)

    @property
    def hash(self) -> str:
        """First 12 hex digits of the SHA-256 over the files' contents and the settings, without the salt."""
        parts = [f"{f.name} {f.sha256}" for f in sorted(self.files, key=lambda f: f.name)]
        text = "\n".join([*parts, self.settings.model_dump_json(exclude={"salt"})])
        return hashlib.sha256(text.encode()).hexdigest()[:12]
