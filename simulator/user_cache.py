"""Where what can be computed again is kept between starts: compiled code, solved baselines, runs without a folder of their own."""

from __future__ import annotations

import os
from pathlib import Path


def user_cache() -> Path:
    """`PILOTPROOF_CACHE`, else the user's cache folder. It need not exist."""
    stated = os.environ.get("PILOTPROOF_CACHE")
    if stated:
        return Path(stated)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pilotproof"
