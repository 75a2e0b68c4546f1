"""Writes docs/verification.md from the tests: exact oracles, on what the engines were compared, the textbook table, planted faults.

`python -m docs.make_verification` (about two minutes, one core); tests/test_verification_page.py keeps the page in step.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from docs.fit_verification import calibration_lines, fit_oracle_lines
from simulator.compiled_engine import CompiledEngine
from simulator.program import F, Op, lower
from simulator.textbook import CheckResult, run_checks
from tests.oracles.generate import IN_CI, generate
from tests.planted_faults import FAULTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "verification.md"
ORACLES = (
    (
        "E1",
        "test_exact",
        "test_e1_",
        "waits equal the Kiefer-Wolfowitz recursion on the same services, 5 server counts × 3 services",
    ),
    ("E2", "test_exact", "test_e2_", "a chain of stations: departures of one are the arrivals of the next"),
    (
        "E3",
        "test_equality",
        "test_",
        f"the whole ledger equals the independent reference (tests/oracles) row by row: hand-made workflows and {IN_CI} generated ones with all twelve primitives",
    ),
    ("E4", "test_exact", "test_e4_", "tables worked by hand, tie rules among them"),
    ("E5", "test_exact", "test_e5_", "without limits a case's cycle time is the sum of its own durations"),
    ("E6", "test_exact", "test_e6_", "Little's law along the path and per pool, abandoned and unfinished cases included"),
    ("E7", "test_exact", "test_e7_", "one place at every instant; no start beyond capacity; nobody overtaken"),
    ("E8", "test_exact", "test_e8_", "the rows tile the longest path; closed and open hours make up each visit"),
    (
        "E9",
        "test_exact",
        "test_e9_",
        "the same bytes again, in another process too; a replication does not depend on how many were asked for",
    ),
    ("E10", "test_common_random_numbers", "test_", "properties of common random numbers; the unchanged-cases table below"),
    ("E11", "test_exact", "test_e11_", "degenerate scenarios and edges of the horizon"),
    ("E12", "test_exact", "test_e12_", "hours → minutes multiplies every time by exactly 60"),
    ("E13", "test_clock", "test_", "calendars, holidays, working time"),
    ("E14", "test_baseline_figures", "test_", "headline figures of the shipped scenarios are unchanged (not: correct)"),
    ("–", "test_exact", "test_priority_oracle", "priorities: every wait is 0 at load 0.1, where a peer shows 82 hours"),
    ("–", "test_laws", "test_", "the laws checked on every run hold, and fail on tampered ledgers"),
    (
        "–",
        "test_kernel",
        "test_",
        "compiled engine: every arm of the shipped scenarios as the SimPy engine; too little space, pauses; a hash written down; the same without compilation; quantile functions bit for bit",
    ),
    ("–", "test_jit", "test_", "machine code is never stale, never beside the sources, and never needed"),
    ("–", "test_batch", "test_", "chunks on threads: order, errors, stopping"),
    ("–", "test_study", "test_", "a study does not depend on engine, threads, sizes of chunks, or what is known already"),
)
UNCHANGED = (
    (
        "exception service time (70 % of cases never see it)",
        "61 %",
        "52 %",
        "70 %",
        "test_a_new_exception_service_time_leaves_exactly_the_70_percent_that_never_see_it",
    ),
    (
        "exception share .30 → .31",
        "41 %",
        "25 %",
        "99 %",
        "test_one_more_percent_of_exceptions_leaves_exactly_the_99_percent_whose_route_stays",
    ),
    ("rename a step on screen", "37 %", "–", "100 %", "test_a_new_display_label_leaves_every_case"),
)


def tests_in(module: str, prefix: str) -> list[str]:
    """Names of the test functions of a module."""
    path = ROOT / "tests" / f"{module}.py"
    if not path.is_file():
        return []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith(prefix)]


def oracle_lines() -> list[str]:
    """The table of exact oracles, with the number of tests that exist."""
    lines = ["| id | tests | what is shown |", "| --- | --- | --- |"]
    for name, module, prefix, meaning in ORACLES:
        found = tests_in(module, prefix)
        if found:
            lines.append(f"| {name} | `{module}::{prefix}…` ({len(found)}) | {meaning} |")
    return lines


class Counts(NamedTuple):
    """Of the generated workflows: how many have each primitive, rows that each wrote, and cases."""

    workflows: dict[Op, int]
    rows: dict[Op, int]
    cases: int


@cache
def generated() -> Counts:
    """Counted on the compiled engine, whose ledgers are equal to those of the reference."""
    engine, workflows, rows, cases = CompiledEngine(), dict.fromkeys(Op, 0), dict.fromkeys(Op, 0), 0
    for seed in range(IN_CI):
        made = generate(seed)
        program = lower(made.workflow, made.begin, made.stop)
        future = made.future(program)
        ops, visits = program.steps[:, F.OP], engine.ledger(program, made.draw, future).visits
        cases += len(future)
        for op in Op:
            workflows[op] += int((ops == op).any())
            rows[op] += int(np.count_nonzero(ops[visits["step"]] == op))
    return Counts(workflows, rows, cases)


def equality_lines() -> list[str]:
    """What was compared, and the table by primitive."""
    counts, stories = generated(), len(tests_in("test_equality", "test_"))
    return [
        "Three simulators run the same workflow on the same addressed draws: the reference (tests/oracles: plain Python with arithmetic of its own), the SimPy engine and the compiled engine.",
        "Compared are all 11 columns of every ledger row and all 8 of every case, and every number that the compiled engine adds up with what NumPy makes of the SimPy engine's ledger.",
        f"In CI: {stories} tests, most of them a story worked by hand first, and {IN_CI} generated workflows with {counts.cases:,} cases and {sum(counts.rows.values()):,} rows; `make equality COUNT=10000` compares more.",
        "",
        "| primitive | generated workflows with it | rows |",
        "| --- | --- | --- |",
        *(
            f"| `{op.name.lower()}` | {counts.workflows[op]} | {f'{counts.rows[op]:,}' if counts.rows[op] else 'none: takes no time'} |"
            for op in Op
        ),
    ]


def textbook_line(r: CheckResult) -> str:
    """One row of the textbook table."""
    fault = "–" if r.service_fault_percent is None else f"{r.service_fault_percent:.1f} %"
    figures = f"{r.theory:.4f} | {r.simulated:.4f} ± {r.half_width:.4f} | {r.z:+.2f} | {'yes' if r.passed else '**NO**'}"
    return f"| {r.name} | {r.formula} | {figures} | {r.detectable_percent:.1f} % | {fault} |"


def fault_lines() -> list[str]:
    """The table of planted faults."""
    return [
        "| planted fault | module | caught by |",
        "| --- | --- | --- |",
        *(f"| {f.name} | {f.module} | `{f.check}` |" for f in FAULTS),
    ]


def page(results: tuple[CheckResult, ...]) -> str:
    """The whole page."""
    critical = results[0].critical
    lines = [
        "# Verification",
        "",
        "Made by `python -m docs.make_verification` from the tests; `tests/test_verification_page.py` fails when it is out of step.",
        "",
        "## Exact oracles",
        "",
        "No tolerance: whole seconds, equal or not. Those of `test_exact` and `test_equality` are put to both engines.",
        "",
        *oracle_lines(),
        "",
        "## Equality of the engines",
        "",
        *equality_lines(),
        "",
        "## Cases left unchanged when something else changes",
        "",
        "Unlimited capacity; the two peers as measured by others, ours exact (the test asserts which cases stay, not only how many).",
        "",
        "| change | Naga 0.18 | Cimba 0.9.5 | here | test |",
        "| --- | --- | --- | --- | --- |",
        *(f"| {change} | {a} | {b} | {ours} | `{test}` |" for change, a, b, ours, test in UNCHANGED),
        "",
        "## Textbook theory",
        "",
        f"Independent replications and seeds per row, warm-up cut by arrival time. A row passes if |z| ≤ {critical:.2f} (t with α = 0.001 / {len(results)}, two-sided) **and** its 95 %",
        "half-width is at most its stated width, so that it cannot pass by being noisy. *Sees*: the smallest difference that would be noticed in all but 1 of 40 runs; *as service fault*: by how many per cent",
        "all service times must be wrong to make it. `pilotproof verify` runs the same table.",
        "",
        "| row | formula | theory | simulated | z | passed | sees | as service fault |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(textbook_line(r) for r in results),
        "",
        f"## Planted faults ({len(FAULTS)})",
        "",
        "Each is written into the source of the simulator; the named test must pass without it and fail with it.",
        "",
        *fault_lines(),
        "",
        "## The fits",
        "",
        "What evidence teaches is compared with closed forms, quadrature, and samplers written anew; real logs are in [fits-on-real-logs.md](fits-on-real-logs.md), hidden truths in [backtest.md](backtest.md).",
        "",
        *fit_oracle_lines(),
        "",
        "### Calibrated by simulation (`make sbc`)",
        "",
        *calibration_lines(),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(
        page(run_checks(progress=lambda done, rows, name: sys.stderr.write(f"\r\x1b[K{done}/{rows} {name}"))), encoding="utf-8"
    )
