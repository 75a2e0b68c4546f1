"""`make bench`: speeds as ratios within one run, written to docs/performance.md."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import numba
import simpy

from benchmarks import engines, fits, peers, scaling, startup, studies
from benchmarks.measure import HEAD
from simulator.compiled_engine import warm

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def main() -> None:
    load = os.getloadavg()[0]
    peers.others()
    warm()
    rows = [*engines.rows(), *peers.rows(), *scaling.rows(), *studies.rows(), *startup.rows(), *fits.rows()]
    lines = [
        "# Performance",
        "",
        "Made by `make bench` (CPU time, median of five; ratios are taken pair by pair within one run, so they hold when the machine's speed drifts).",
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, SimPy {simpy.__version__}, Numba {numba.__version__};"
        f" load average {load:.1f} when it began (other processes make all times longer, hardly the ratios).",
        "",
        *HEAD,
        *(row.line() for row in rows),
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
