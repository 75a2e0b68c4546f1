"""How the kernel is compiled and where its machine code is kept, so that no stale code can ever run.

The folder's name holds a hash of all sources that the code is made from, and the versions of what compiles it. Where the folder
cannot be written, the kernel is compiled anew at every start.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


def user_cache() -> Path:
    """`PILOTPROOF_CACHE`, else the user's cache folder."""
    stated = os.environ.get("PILOTPROOF_CACHE")
    if stated:
        return Path(stated)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pilotproof"


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """Where compiled code is kept: one folder for each state of the sources and compilers; None if it cannot be written."""
    import llvmlite

    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    folder = user_cache() / f"kernel-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return None


def jit(function: Callable[..., Any]) -> Any:
    """A function that compiled functions call."""
    compiler: Any = numba.njit
    return compiler(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def entry(function: Callable[..., Any]) -> Any:
    """A function that Python calls: its machine code is kept in the cache folder."""
    folder = cache_folder()
    compiler: Any = numba.njit
    settings: Any = config
    if folder is None:
        return compiler(**OPTIONS)(function)
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)  # read while the function is declared, and nobody else's business
    try:
        return compiler(cache=True, **OPTIONS)(function)
    finally:
        settings.CACHE_DIR = before


def is_cached() -> bool:
    """Whether some machine code of this state of the sources is already there."""
    folder = cache_folder()
    return folder is not None and any(folder.rglob("*.nbc"))
