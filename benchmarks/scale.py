"""Writes the measured figures of docs/scale.md: what a simulated future costs in time, bytes and memory, and what follows from it."""

from __future__ import annotations

import gc
import re
import resource
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.measure import cpu_seconds
from scenarios.files import load
from scenarios.records import encode
from scenarios.runs.files import write_whole
from scenarios.store import SolvedCache
from scenarios.study import Means, decision_plan
from scenarios.study.cluster import identity
from scenarios.study.draws import BLOCK, CHUNK, Chunk, Collected, DrawsDone, Job, simulate_chunk
from simulator import kernel
from simulator.cluster import pack, unpack
from simulator.compiled_engine import CompiledEngine, warm

PAGE = Path(__file__).resolve().parent.parent / "docs" / "scale.md"
SCENARIO, SEED, ROUNDS, COPIES = "invoice_processing", 7, 3, 60
FUTURES = tuple(10**k for k in range(3, 9))
MACHINES = {"2 cores": 2, "64 cores": 64, "10 × 64 cores": 640}
GIGABYTE = 1e9
NIGHT = 36_000
LONGEST_RUN = 100_000
"""Draws that one run takes at most (`--draws`)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one chunk of the decision run of the default scenario. Seconds are CPU seconds of one core.

    lower: making the arms of a block of draws · simulate: the chunk itself · in_kernel: of it, what needs no lock of Python.
    """

    rows: int
    lower: float
    simulate: float
    in_kernel: float
    collect: float
    sent: int
    received: int
    stored: int
    held: float

    def compute(self) -> float:
        """A chunk whose worker has not lowered its block yet, the worst case."""
        return self.lower + self.simulate

    def per_future(self) -> float:
        return self.compute() / self.rows

    def per_draw(self) -> float:
        return self.rows / CHUNK

    def fed(self) -> float:
        """Cores that one collecting process can take the chunks of."""
        return self.compute() / self.collect

    def threads(self) -> float:
        """Cores that the threads of one process keep busy at most: the rest of their work holds Python's lock."""
        return self.simulate / (self.simulate - self.in_kernel)


def measured(folder: Path) -> Measured:
    """A chunk is computed as by a thread or worker, packed, unpacked, written and held as by the collecting process."""
    loaded, engine = load(SCENARIO), CompiledEngine()
    plan = decision_plan(loaded.case)
    job = Job.of(loaded.case, SEED, plan, SolvedCache(loaded.hash, SEED), Means())
    lower = cpu_seconds(lambda: job.arms(0))
    chunks = [Chunk.of(job, CHUNK * k, {}, CHUNK) for k in range(ROUNDS + 1)]
    done = [simulate_chunk(chunks[0], engine)]
    times = [timed(lambda chunk=chunk: done.append(simulate_chunk(chunk, engine))) for chunk in chunks[1:]]  # type: ignore[misc]
    simulate, in_kernel = sorted(times)[ROUNDS // 2]
    packet, path = pack(done[1]), folder / "part.parquet"

    def collect() -> None:
        write_whole(path, encode(unpack(packet).records()))

    collect()
    collecting = statistics.median(cpu_seconds(collect) for _ in range(ROUNDS))
    sent = pack((simulate_chunk, chunks[0], "compiled", identity, identity()))
    memory = held(lambda: unpack(packet))
    rows, stored = len(done[1].records()), path.stat().st_size
    return Measured(rows, lower, simulate, in_kernel, collecting, len(sent), len(packet), stored, memory)


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """CPU seconds, and those in the kernel."""
    seconds = [0.0]

    def of_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            results = []
            seconds[0] += cpu_seconds(lambda: results.append(function(*arguments)))
            return results[0]

        return call

    with patch.object(kernel, "run", of_kernel(kernel.run)), patch.object(kernel, "tally", of_kernel(kernel.tally)):
        return cpu_seconds(work), seconds[0]


def held(make: Callable[[], DrawsDone]) -> float:
    """Bytes a draw that the collecting process holds until the end of a run."""
    collected = Collected(10**9, None)
    gc.collect()
    before = _resident()
    for _ in range(COPIES):
        collected.add(make())
    gc.collect()
    return (_resident() - before) / len(collected.results)


def _resident() -> int:
    """Bytes of this process in memory; where the system does not say, the most it ever had."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# -- the page


def table(m: Measured) -> list[str]:
    rows = [
        ("CPU time of a simulated future, all counted", f"{1e3 * m.per_future():.0f} ms"),
        (
            "simulated futures of a draw (today, live and options twice, other combinations of causes and an AI that is never wrong once)",
            f"{m.per_draw():.0f}",
        ),
        (f"CPU time of a chunk of {CHUNK} draws; of it in the kernel", f"{m.simulate:.1f} s; {m.in_kernel / m.simulate:.0%}"),
        (f"CPU time of making the arms of {BLOCK} draws, by each process that needs them", f"{m.lower:.1f} s"),
        ("sent to a worker, a chunk (case, plan, first draw, solutions)", f"{m.sent / 1e3:.0f} kB"),
        ("received from a worker, a chunk", f"{m.received / 1e3:.0f} kB"),
        ("stored, a chunk (Parquet)", f"{m.stored / 1e3:.0f} kB; {m.stored / m.rows / 1e3:.1f} kB a future"),
        ("CPU time of the collecting process, a chunk (unpack, encode, write)", f"{1e3 * m.collect:.0f} ms"),
        ("memory of the collecting process, a draw", f"{m.held / 1e3:.0f} kB"),
    ]
    return ["| measured | |", "| --- | --- |", *(f"| {what} | {figure} |" for what, figure in rows)]


def arithmetic(m: Measured) -> list[str]:
    head = ["futures", "draws", *MACHINES, "disk", "memory to collect"]
    lines = [f"| {' | '.join(head)} |", f"|{' ---: |' * len(head)}"]
    for futures in FUTURES:
        draws = futures / m.per_draw()
        times = [_time(futures * m.per_future() / min(cores, m.fed())) for cores in MACHINES.values()]
        disk, memory = draws / CHUNK * m.stored / GIGABYTE, draws * m.held / GIGABYTE
        lines.append(f"| {futures:,} | {draws:,.0f} | {' | '.join(times)} | {_size(disk)} | {_size(memory)} |")
    return lines


def ends(m: Measured) -> list[str]:
    """Where each resource ends."""

    def at(draws: float) -> str:
        return f"{_rounded(draws)} draws, {_rounded(draws * m.per_draw())} futures"

    nights = [_rounded(min(cores, m.fed()) * NIGHT / m.per_future()) for cores in MACHINES.values()]
    return [
        f"- **Time**: a night of 10 hours is {nights[0]} futures on 2 cores, {nights[1]} on 64, {nights[2]} on 10 × 64.",
        f"- **Threads of one process**: what is not in the kernel holds Python's lock, so they keep at most about {m.threads():.0f} cores "
        "busy. On a larger machine start a cluster on it: worker processes of 4 threads.",
        f"- **The collecting process** takes in {1 / m.collect:.0f} chunks a second, as many as about {m.fed():.0f} cores make. With more "
        f"cores, give each part of them a run with its own seed and folder. The network carries {m.received / m.collect / 1e6:.0f} MB a second then.",
        f"- **Memory**: all draws are held until the verdict. 16 GB end at {at(16 * GIGABYTE / m.held)}.",
        f"- **`--draws`**: one run takes at most {at(LONGEST_RUN)}; more are several runs with other seeds.",
        f"- **Disk**: 1 TB ends at {at(1_000 * GIGABYTE / m.stored * CHUNK)}, in files of {CHUNK} draws.",
    ]


def _time(seconds: float) -> str:
    for size, unit in ((86_400 * 365, "years"), (86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}" if seconds < 10 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s"


def _size(gigabytes: float) -> str:
    for size, unit in ((1_000, "TB"), (1, "GB")):
        if gigabytes >= size:
            return f"{gigabytes / size:.1f} {unit}"
    return f"{gigabytes * 1_000:.0f} MB"


def _rounded(number: float) -> str:
    """Two digits and a word."""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{float(f'{number / size:.2g}'):,g} {word}"
    return f"{float(f'{number:.2g}'):,.0f}"


def main() -> None:
    """Replaces what stands between the markers."""
    import tempfile

    warm()
    with tempfile.TemporaryDirectory() as folder:
        m = measured(Path(folder))
    block = "\n".join(["<!-- measured -->", *table(m), "", *arithmetic(m), "", *ends(m), "<!-- end of measured -->"])
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(r"<!-- measured -->.*?<!-- end of measured -->", lambda _: block, text, flags=re.DOTALL), encoding="utf-8"
    )
    print(block)


if __name__ == "__main__":
    main()
