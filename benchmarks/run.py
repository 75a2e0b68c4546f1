"""`make bench`: speeds as ratios within one run, written to docs/performance.md."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import simpy

from benchmarks import two_pools
from models import parameters, process
from models.conditions import PRODUCTION
from scenarios.files import load
from simulator.futures import realise
from simulator.program import lower
from simulator.simpy_engine import simulate

ROUNDS = 5
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"


def cpu_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def count_events(work: Callable[[], object]) -> int:
    """Events that SimPy processes, counted in a run of its own."""
    counted = 0
    plain = simpy.Environment.step

    def step(env: simpy.Environment) -> None:
        nonlocal counted
        counted += 1
        plain(env)

    with mock.patch.object(simpy.Environment, "step", step):
        work()
    return counted


def two_pool_ratio() -> list[str]:
    model = two_pools.program()
    arrivals = two_pools.future(model, 1)
    ours, plain = [], []
    for _ in range(ROUNDS):
        plain.append(cpu_seconds(lambda: two_pools.plain_simpy(1)))
        ours.append(cpu_seconds(lambda: simulate(model, 0, arrivals)))
    ratios = [a / b for a, b in zip(ours, plain, strict=True)]
    micro = 1e6 / two_pools.CASES
    return [
        f"| plain SimPy program, two-pool model | {statistics.median(plain) * micro:.1f} µs a case | |",
        f"| SimPy engine, the same model | {statistics.median(ours) * micro:.1f} µs a case | "
        f"{statistics.median(ratios):.2f} × the plain program ({min(ratios):.2f} to {max(ratios):.2f}); demanded ≤ 2 |",
    ]


def default_scenario() -> list[str]:
    case = load("invoice_processing").case
    horizon = process.full_horizon(case)
    draws = parameters.sample(case, 7, None)
    program = lower(process.build(case, process.arm_columns(draws, PRODUCTION), horizon), horizon.begin, horizon.stop)
    future = realise(program, 0, 7, 0)
    events = count_events(lambda: simulate(program, 0, future))
    seconds = statistics.median(cpu_seconds(lambda: simulate(program, 0, future)) for _ in range(ROUNDS))
    rows = len(simulate(program, 0, future).visits["case"])
    cases = len(future)
    return [
        f"| SimPy engine, default scenario, live | {seconds * 1e6 / events:.1f} µs an event | demanded ≤ 12 |",
        f"| the same | {seconds * 1e6 / cases:.0f} µs a case | {cases:,} cases, {events / cases:.1f} events and {rows / cases:.1f} ledger rows a case |",
    ]


def main() -> None:
    lines = [
        "# Performance",
        "",
        "Made by `make bench` (CPU time, median of five; ratios are taken pair by pair within one run, so they hold when the machine's speed drifts).",
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, SimPy {simpy.__version__}.",
        "",
        "| what | figure | note |",
        "| --- | --- | --- |",
        *two_pool_ratio(),
        *default_scenario(),
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
