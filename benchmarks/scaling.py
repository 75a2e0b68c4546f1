"""Cost and memory by the number of cases, and two threads against one."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from benchmarks import two_pools
from benchmarks.measure import ROUNDS, Row, cpu_seconds, in_turns
from benchmarks.scenes import Runner, Scene, default_scenario, long_scenario
from simulator import kernel as k

SIZES = (10_000, 100_000, 1_000_000)


def rows() -> list[Row]:
    return [
        *_cost("two-pool model, longer runs", [_queueing(n) for n in SIZES]),
        *_cost("default scenario, more weeks", [long_scenario(n) for n in SIZES]),
        _state(long_scenario(100_000)),
        *threads(default_scenario()),
    ]


def _queueing(cases: int) -> Scene:
    model = two_pools.program(cases)
    return Scene(model, two_pools.future(model, 1, cases))


def _cost(what: str, scenes: list[Scene]) -> list[Row]:
    names = [f"{len(scene):,}" for scene in scenes]
    work = {name: Runner(scene).run for name, scene in zip(names, scenes, strict=True)}
    repeat = {name: max(1, 200_000 // len(scene)) for name, scene in zip(names, scenes, strict=True)}
    turns = in_turns(work, repeat=repeat)
    micro = [turns.median(name) * 1e6 / len(scene) for name, scene in zip(names, scenes, strict=True)]
    growth = turns.ratio(names[-1], names[0]) * len(scenes[0]) / len(scenes[-1])
    note = ", ".join(f"{cost:.2f} µs at {name}" for cost, name in zip(micro, names, strict=True))
    return [Row(f"cost of a case, {names[-1]} against {names[0]} cases, {what}", f"{growth:.2f} ×", "≤ 1.6", growth <= 1.6, note)]


def state_bytes(scene: Scene) -> int:
    """Bytes of a run's state: cases, ends, pools, queues, tokens, visits, events and volume ratios; no program, calendars or ledger rows."""
    m = Runner(scene).space.M
    return 8 * int(m[k.H_ROWS_AT] - m[k.H_CASES_AT] + len(scene))


def _state(scene: Scene) -> Row:
    size = state_bytes(scene) / len(scene)
    return Row(f"state of a run of {len(scene):,} cases, default scenario", f"{size:.0f} bytes a case", "≤ 80", size <= 80,
               "without program, calendars and ledger rows; computed from the layout")  # fmt: skip


def threads(scene: Scene, runs: int = 10) -> list[Row]:
    """The same runs on one thread and on two, each with a workspace of its own."""
    runners = Runner(scene), Runner(scene)

    def run(runner: Runner) -> None:
        for _ in range(runs):
            runner.run()

    def one() -> None:
        for runner in runners:
            run(runner)

    with ThreadPoolExecutor(2) as pool:

        def two() -> None:
            list(pool.map(run, runners))

        one()
        two()
        efficiency, speed_up = [], []
        for _ in range(ROUNDS):
            (cpu_one, wall_one), (cpu_two, wall_two) = _both(one), _both(two)
            efficiency.append(cpu_one / cpu_two)
            speed_up.append(wall_one / wall_two)
    value = median(efficiency)
    return [
        Row("two threads, CPU efficiency", f"{value:.2f}", "≥ 0.9", value >= 0.9,
            f"CPU seconds of the same runs on one thread and on two; {min(efficiency):.2f} to {max(efficiency):.2f}; {cores()}"),
        Row("two threads, wall clock", f"{median(speed_up):.2f} × faster",
            note=f"{min(speed_up):.2f} to {max(speed_up):.2f}; depends on what else the machine does"),
    ]  # fmt: skip


def _both(work: Callable[[], None]) -> tuple[float, float]:
    start = time.perf_counter()
    cpu = cpu_seconds(work)
    return cpu, time.perf_counter() - start


def cores() -> str:
    """What lscpu says of threads and cores, where it exists."""
    if shutil.which("lscpu") is None:
        return "lscpu not found"
    text = subprocess.run(["lscpu"], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout
    found = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    threads_each, cores_each = (found.get(name, "?").strip() for name in ("Thread(s) per core", "Core(s) per socket"))
    virtual = f", virtual ({found['Hypervisor vendor'].strip()})" if "Hypervisor vendor" in found else ""
    return f"lscpu: {threads_each} thread(s) per core, {cores_each} core(s) per socket{virtual}"
