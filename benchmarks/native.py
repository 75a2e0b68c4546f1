"""The C++ yardsticks of `benchmarks/cpp`: compiled here into a temporary folder and called through ctypes."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import two_pools
from simulator import kernel
from simulator.compiled_engine import Workspace

SOURCES = Path(__file__).resolve().parent / "cpp"
FLAGS = {"-O3": ("-O3",), "-O3 -march=native": ("-O3", "-march=native")}
COMMON = ("-std=c++17", "-shared", "-fPIC", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
"""Without contraction to fused multiply-add, which would change last bits and so the rows."""

Outcome = tuple[NDArray[np.int64], NDArray[np.int64]]


@cache
def compiler() -> str | None:
    """The C++ compiler, if there is one."""
    return shutil.which("g++") or shutil.which("clang++")


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="pilotproof-bench-")


@cache
def library(name: str, flags: str) -> ctypes.CDLL:
    """One source, compiled with one of FLAGS."""
    found, folder = compiler(), Path(_folder().name)
    assert found is not None
    (folder / "layout.h").write_text(layout(), encoding="utf-8")
    target = folder / f"{name}-{list(FLAGS).index(flags)}.so"
    subprocess.run([found, *COMMON, *FLAGS[flags], f"-I{folder}", "-o", str(target), str(SOURCES / f"{name}.cpp")], check=True)
    return ctypes.CDLL(str(target))


def layout() -> str:
    """The header of the kernel's whole-number constants (places in M, codes), in namespace k."""
    numbers = {name: value for name, value in vars(kernel).items() if name.isupper() and isinstance(value, int | np.int64)}
    lines = [f"constexpr long {name} = {value};" for name, value in numbers.items() if abs(int(value)) < 2**62]
    return "\n".join(["#pragma once", "namespace k {", *lines, "}", ""])


def interpret(space: Workspace, flags: str) -> int:
    """Runs what is laid out in a workspace; returns the status."""
    run = library("interpreter", flags).run
    run.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    return int(run(space.M.ctypes.data, space.D.ctypes.data))


def outcome(space: Workspace) -> Outcome:
    """Ends, and rows in an order of their own; of the links between the rows of a branch, only whether it is off the longest path."""
    rows = space.ledger_rows().copy()
    rows[:, 2] = rows[:, 2] >> 32 << 1 | rows[:, 2] & 1
    return space.ends().copy(), rows[np.lexsort(rows.T)]


def same(ours: Outcome, theirs: Outcome) -> bool:
    """Whether two runs have the same ends and the same rows."""
    return all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def bare_two_pools(flags: str, seed: int = 1) -> float:
    """The two-pool model as a bare event loop; the mean cycle time."""
    t = two_pools
    run = library("two_pools", flags).two_pools
    run.argtypes = [ctypes.c_int64, ctypes.c_uint64, *(7 * [ctypes.c_double])]
    run.restype = ctypes.c_double
    return float(run(t.CASES, seed, t.GAP, t.AUTOMATED, t.CHECK_SHARE, t.CHECK_MU, t.CHECK_SIGMA, t.APPROVE, t.DELAY))
