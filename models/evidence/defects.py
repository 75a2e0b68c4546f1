"""A defect of a file of evidence: where it is, what is wrong, what would be right."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Defect:
    """One defect. `row`: line of the file (its header is line 1), None if it concerns the whole column or file; `column`: "" likewise.

    `blocks`: whether the evidence may not be used before it is put right (else its rows are left out, as the settings allow).
    """

    code: str
    file: str
    message: str
    remedy: str = ""
    row: int | None = None
    column: str = ""
    blocks: bool = True

    @property
    def place(self) -> str:
        """Row and column in words, empty for the whole file."""
        parts = [] if self.row is None else [f"row {self.row}"]
        return ", ".join([*parts, f"column {self.column}"] if self.column else parts)
