"""How the kernel is compiled and where its machine code is kept, so that no stale code can ever run.

The folder's name holds a hash of all sources that the code is made from, and the versions of what compiles it. Where the folder
cannot be written, the kernel is compiled anew at every start.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba.core import config, types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic

from simulator.user_cache import user_cache

settings: Any = config
no_constant: Any = types.unliteral
pointer_to: Any = types.CPointer
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}


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
    """A function that compiled functions call: compiled once, not once for each constant that it is called with."""
    compiler: Any = numba.njit
    compiled = compiler(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    if compiled is not function:  # with NUMBA_DISABLE_JIT it is
        of_types = compiled.get_call_template
        compiled.get_call_template = lambda args, kws: of_types([no_constant(a) for a in args], kws)
    return compiled


cache_of_functions: Any = FunctionCache


class _Kept(cache_of_functions):  # type: ignore[misc]
    """Machine code in the cache folder. What cannot be read is compiled anew, what cannot be written is not kept."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever unpickling makes of a damaged file
            with suppress(OSError):
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


cache_for: Any = _Kept


def entry(function: Callable[..., Any]) -> Any:
    """A function that Python calls: its machine code is kept in the cache folder."""
    folder, compiler = cache_folder(), numba.njit
    dispatcher: Any = compiler(**OPTIONS)(function)
    if folder is None or settings.DISABLE_JIT:
        return dispatcher
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder)  # read while the cache is made, and nobody else's business
    try:
        kept: Any = cache_for(function)
    finally:
        settings.CACHE_DIR = before
    if Path(kept.cache_path).is_relative_to(folder):  # never Numba's second choice, the folder of the sources
        dispatcher._cache = kept
    return dispatcher


def is_cached() -> bool:
    """Whether some machine code of this state of the sources is already there."""
    folder = cache_folder()
    return folder is not None and any(folder.rglob("*.nbc"))


def _pointer(_context: Any, array: Any) -> Any:
    def code(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return context.make_array(array)(context, builder, arguments[0]).data

    return pointer_to(array.dtype)(array), code


pointer: Any = (lambda array: array) if settings.DISABLE_JIT else intrinsic(_pointer)
"""Where the numbers of an array lie: indexed without the checks and the seven arguments that Numba spends on an array."""
