"""A user cache of solved baselines: what is expensive to find, cheap to keep, and never decides a figure.

A solved draw is fixed by the case, the seed and the code; the file's name carries all three, so no stale value can be used. A cache
that cannot be read or written is no error.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from simulator.user_cache import user_cache


@lru_cache(maxsize=1)
def code_hash() -> str:
    """A hash of the sources that decide a simulated figure."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    sources = ("simulator/**/*.py", "models/**/*.py", "scenarios/study/*.py", "scenarios/arms.py", "scenarios/records.py")
    for path in sorted(path for pattern in sources for path in root.glob(pattern)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


class SolvedCache:
    """Solved draws of one case under one seed: key -> plain data."""

    def __init__(self, case_hash: str, seed: int, folder: Path | None = None) -> None:
        self.path = (folder or user_cache()) / f"solved-{case_hash}-{seed}-{code_hash()}.json"
        self.known: dict[str, Any] = {}
        self._unwritten = 0
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
            self.known = found if isinstance(found, dict) else {}
        except (OSError, ValueError):
            pass

    def get(self, key: str) -> dict[str, Any] | None:
        """What is known of a draw, or None."""
        found = self.known.get(key)
        return found if isinstance(found, dict) else None

    def put(self, records: Mapping[str, Any]) -> None:
        """Keeps solved draws. The file is written once an eighth of them is new, so that writing costs in proportion to their number."""
        self._unwritten += sum(self.known.get(key) != record for key, record in records.items())
        self.known.update(records)
        if self._unwritten * 8 >= len(self.known):
            self.flush()

    def flush(self) -> None:
        """Replaces the file as a whole, if anything is new."""
        if not self._unwritten:
            return
        self._unwritten = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False, encoding="utf-8") as draft:
                try:
                    json.dump(self.known, draft)
                    draft.flush()
                except OSError:
                    Path(draft.name).unlink()
                    raise
            Path(draft.name).replace(self.path)
        except OSError:
            return
