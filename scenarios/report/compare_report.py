"""`compare`: two cases over the same futures – paired differences, futures needed, gain from common random numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from models.schema import Arm
from scenarios.files import LoadedCase
from scenarios.report.basis import basis, basis_line
from scenarios.report.verdict_json import rounded
from scenarios.report.verdict_text import ARM_NAMES
from scenarios.store import SolvedCache
from scenarios.study import Progress, quiet, replicate
from simulator.statistics import PairedDifference, paired_difference, replications_needed

SCHEMA_VERSION = 1
HALF_WIDTHS = {"days": 0.1, "share": 0.01, "cost": 0.1}
"""Half-widths (90 %) for which the number of futures is stated."""


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One figure: both means, their paired difference (second − first), and the futures that a stated half-width needs."""

    name: str
    first: float
    second: float
    difference: PairedDifference
    half_width: float
    needed: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All rows of a comparison and its basis."""

    first: LoadedCase
    second: LoadedCase
    arm: Arm
    seed: int
    replications: int
    rows: tuple[Row, ...]


def compare(
    first: LoadedCase, second: LoadedCase, arm: Arm, replications: int, seed: int, progress: Progress = quiet
) -> Comparison:
    """Simulates both cases over the same futures at their middle values."""
    a = replicate(first.case, arm, replications, seed, progress, SolvedCache(first.hash, seed))
    b = replicate(second.case, arm, replications, seed, progress, SolvedCache(second.hash, seed))
    rows = []
    for name in a.runs[0].outcome.figures:
        x, y = ([r.outcome.figures[name] for r in runs] for runs in (a.runs, b.runs))
        half = HALF_WIDTHS["days" if name.endswith("days") else "cost" if "cost" in name else "share"]
        if name != "cases":
            change = [v - u for u, v in zip(x, y, strict=True)]
            rows.append(
                Row(name, sum(x) / len(x), sum(y) / len(y), paired_difference(y, x), half, replications_needed(change, half))
            )
    return Comparison(first, second, arm, seed, replications, tuple(rows))


def as_json(result: Comparison) -> dict[str, Any]:
    """The comparison for scripts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "arm": result.arm,
        "replications": result.replications,
        "figures": {
            row.name: {
                "first": rounded(row.first),
                "second": rounded(row.second),
                "difference": rounded(row.difference.difference.estimate),
                "low": rounded(row.difference.difference.low),
                "high": rounded(row.difference.difference.high),
                "standard_error": rounded(row.difference.difference.standard_error),
                "correlation": rounded(row.difference.correlation),
                "gain_of_common_random_numbers": rounded(row.difference.gain),
                "replications_needed": {"half_width": row.half_width, "count": row.needed},
            }
            for row in result.rows
        },
        "basis": {"first": basis(result.first, result.seed), "second": basis(result.second, result.seed)},
    }


def text(result: Comparison) -> str:
    """The comparison to read: the difference first."""
    lines = [
        f"A: {result.first.case.title} ({result.first.file})",
        f"B: {result.second.case.title} ({result.second.file})",
        f"{ARM_NAMES[result.arm]}, {result.replications} simulated futures, the same for both",
        "",
        f"  {'':<30}{'B − A':>9}   {'between':<20}{'A':>9}{'B':>9}   futures needed (gain of pairing)",
    ]
    moved = [row for row in result.rows if row.difference.difference.low != 0 or row.difference.difference.high != 0]
    for row in moved:
        d, pair = row.difference.difference, row.difference
        same = "   not distinguishable from nothing" if d.low <= 0 <= d.high and d.standard_error > 0 else ""
        gain = f"× {pair.gain:.0f}" if pair.gain < 1e6 else "exact"
        between = f"{d.low:+.3f} to {d.high:+.3f}"
        lines.append(
            f"  {row.name.replace('_', ' '):<30}{d.estimate:>+9.3f}   {between:<20}{row.first:>9.3f}{row.second:>9.3f}"
            f"   {row.needed} for ±{row.half_width:g} ({gain}){same}"
        )
    return "\n".join(
        [*lines, "", f"  A {basis_line(result.first, result.seed)}", f"  B {basis_line(result.second, result.seed)}"]
    )
