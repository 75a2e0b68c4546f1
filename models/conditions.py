"""The four conditions (causes) that differ between pilot and production, and the arms made of them."""

from __future__ import annotations

from itertools import combinations

from models.schema import Cause

CAUSES: tuple[Cause, ...] = ("data", "scope", "integration", "organisation")
PILOT: frozenset[Cause] = frozenset()
PRODUCTION: frozenset[Cause] = frozenset(CAUSES)


def combinations_of_causes() -> tuple[frozenset[Cause], ...]:
    """All 16 sets of causes at their production state, the empty one first."""
    return tuple(frozenset(c) for size in range(5) for c in combinations(CAUSES, size))
