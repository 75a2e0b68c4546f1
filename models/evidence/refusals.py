"""Evidence that cannot inform what it is offered for."""

from __future__ import annotations


class UnusableEvidenceError(ValueError):
    """Rows that were read without a defect but cannot inform the parameter they are offered for; says why and what to do."""
