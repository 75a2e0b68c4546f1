"""What the compiled engine costs before its first run: compiling once, and loading at every later start."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from statistics import median

from benchmarks.measure import ROUNDS, Row

START = "from benchmarks.startup import first_run; first_run({engine!r})"


def first_run(engine: str) -> None:
    """What a new process does: imports, a program, one short run."""
    from benchmarks import two_pools
    from simulator.engines import ENGINES, engine_of

    name = next(e for e in ENGINES if e == engine)
    model = two_pools.program(100)
    engine_of(name).ledger(model, 0, two_pools.future(model, 1, 100))


def _child_seconds(engine: str, cache: str) -> float:
    """CPU seconds of a new process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PILOTPROOF_CACHE": cache}
    subprocess.run([sys.executable, "-c", START.format(engine=engine)], check=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rows() -> list[Row]:
    colds, more, starts = [], [], []
    with tempfile.TemporaryDirectory(prefix="pilotproof-bench-") as cache:
        _child_seconds("simpy", cache)
        for i in range(3):
            colds.append(_child_seconds("compiled", f"{cache}/{i}") - _child_seconds("simpy", cache))
        for _ in range(ROUNDS):
            simpy, compiled = _child_seconds("simpy", cache), _child_seconds("compiled", f"{cache}/0")
            more.append(compiled - simpy)
            starts.append(simpy)
    cold, later = median(colds), median(more)
    return [
        Row("first start ever: compiling the kernel", f"{cold:.1f} s more", "≤ 10 s", cold <= 10,
            f"CPU time beyond a start with the SimPy engine; {min(colds):.1f} to {max(colds):.1f} s"),
        Row("later start, from the cache", f"{later:.2f} s more", "≤ 0.5 s", later <= 0.5,
            f"beyond {median(starts):.2f} s with the SimPy engine; {min(more):.2f} to {max(more):.2f} s"),
    ]  # fmt: skip
