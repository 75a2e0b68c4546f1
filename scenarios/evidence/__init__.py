"""Files of evidence: reading, checking, templates."""

from __future__ import annotations

from scenarios.evidence.limits import LIMITS, Limits
from scenarios.evidence.read import evidence_folder, headers_of, read_bytes, read_evidence, require_sound

__all__ = ["LIMITS", "Limits", "evidence_folder", "headers_of", "read_bytes", "read_evidence", "require_sound"]
