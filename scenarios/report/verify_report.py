"""`verify`: textbook theory against simulation on the user's machine, each with the smallest fault it can see."""

from __future__ import annotations

from typing import Any

from scenarios.report.verdict_json import rounded
from scenarios.study import Progress, quiet
from simulator.textbook import CheckResult, run_checks

SCHEMA_VERSION = 1


def run(quick: bool, progress: Progress = quiet) -> tuple[CheckResult, ...]:
    """All checks, or the short list."""
    return run_checks(progress=lambda done, rows, name: progress(name, done, rows), quick=quick)


def as_json(results: tuple[CheckResult, ...]) -> dict[str, Any]:
    """The table for scripts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "checks": [
            {
                "name": r.name,
                "formula": r.formula,
                "theory": rounded(r.theory),
                "simulated": rounded(r.simulated),
                "half_width": rounded(r.half_width),
                "z": rounded(r.z),
                "passed": r.passed,
                "detectable_percent": rounded(r.detectable_percent),
            }
            for r in results
        ],
    }


def text(results: tuple[CheckResult, ...]) -> str:
    """The table to read."""
    lines = [f"  {'':<44}{'theory':>10}{'simulated':>11}{'±':>9}{'z':>7}  sees a fault of"]
    for r in results:
        mark = "✓" if r.passed else "✗"
        lines.append(
            f"{mark} {r.name:<44}{r.theory:>10.4f}{r.simulated:>11.4f}{r.half_width:>9.4f}{r.z:>7.2f}  {r.detectable_percent:.1f} %"
        )
    failed = sum(not r.passed for r in results)
    lines.append(f"\n{len(results) - failed} of {len(results)} checks passed" + (f", {failed} FAILED" if failed else ""))
    return "\n".join(lines)
