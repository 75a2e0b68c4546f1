"""What a study costs beside its kernel, and what common random numbers are worth, on the default scenario."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row
from models import parameters
from scenarios.arms import Arms, OneFuture, name_of
from scenarios.files import changed, load
from scenarios.study.draws import decision_plan
from scenarios.study.middle import median_baseline
from simulator import kernel
from simulator.compiled_engine import CompiledEngine
from simulator.engines import engine_of

PAIRS = 80
DRAWS = 4
ACCURACY = "steps.send_to_ai.accuracy"
LEVELS = (0.92, 0.90)


def rows() -> Iterator[Row]:
    yield _common_numbers()
    yield _beside_the_kernel()


def _common_numbers() -> Row:
    """Standard deviation of the difference in mean cycle time between two accuracies: same futures against independent ones."""
    loaded, engine = load("invoice_processing"), CompiledEngine()
    solved = median_baseline(loaded.case, 7)
    days = solved.per_visit if solved is not None else {}
    sides = []
    for level in LEVELS:
        case = changed(loaded, {ACCURACY: {"value": level, "source": "guess"}}).case
        sides.append(Arms(case, parameters.sample(case, 7, None)).prepare(["production"]))

    def mean(side: Arms, future: int) -> float:
        return OneFuture(side, 0, future, engine).outcome("production", days).figures["mean_cycle_time_days"]

    same = [mean(sides[0], k) - mean(sides[1], k) for k in range(PAIRS)]
    apart = [mean(sides[0], k) - mean(sides[1], PAIRS + k) for k in range(PAIRS)]
    ratio = float(np.std(same, ddof=1) / np.std(apart, ddof=1))
    note = (
        f"{np.std(same, ddof=1):.3f} d against {np.std(apart, ddof=1):.3f} d over {PAIRS} pairs; mean difference {np.mean(same):+.3f} d: "
        f"as precise as {1 / ratio**2:.0f} times as many independent futures"
    )
    what = f"standard deviation of the difference between {LEVELS[0]:.0%} and {LEVELS[1]:.0%} accuracy, same futures against independent ones"
    return Row(what, f"{ratio:.3f}", "≤ 0.25", ratio <= 0.25, note)


def _beside_the_kernel() -> Row:
    """Share of a decision run's CPU time outside compiled code, once arms are lowered."""
    case, engine = load("invoice_processing").case, engine_of("compiled")
    plan = decision_plan(case)
    arms = Arms(case, parameters.sample(case, 7, range(DRAWS + 1))).prepare([*(arm for arm, _ in plan.arms), "as_is"])
    inside = [0.0]

    def draw(row: int) -> None:
        for r in (0, 1):
            one = OneFuture(arms, row, 2 * row + r, engine)
            for arm, times in plan.arms:
                if r < times:
                    one.outcome(name_of(arm), {}, [])

    draw(DRAWS)
    run, tally = kernel.run, kernel.tally
    try:
        kernel.run, kernel.tally = _timed(run, inside), _timed(tally, inside)
        start = time.thread_time()
        for row in range(DRAWS):
            draw(row)
        total = time.thread_time() - start
    finally:
        kernel.run, kernel.tally = run, tally
    futures = DRAWS * sum(times for _, times in plan.arms)
    share = 1 - inside[0] / total
    note = (
        f"{total / futures * 1000:.1f} ms a future, {inside[0] / futures * 1000:.1f} ms of it in the kernel; arms lowered before"
    )
    return Row(
        "everything but the kernel, decision run of the default scenario",
        f"{share:.0%} of the time",
        "≤ 10 %",
        share <= 0.1,
        note,
    )


def _timed(function: object, inside: list[float]) -> object:
    def timed(*arguments: object) -> object:
        start = time.thread_time()
        result = function(*arguments)  # type: ignore[operator]
        inside[0] += time.thread_time() - start
        return result

    return timed
