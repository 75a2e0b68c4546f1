"""The summary of a batch: to read, and for scripts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.decisions.verdict import DECISION_DRAWS
from scenarios.batch.plan import Prepared
from scenarios.batch.summary import Line, Summary
from scenarios.batch.work import FIGURES
from scenarios.report.basis import basis, basis_line
from scenarios.report.compare_report import FIGURES as PROMISED
from scenarios.report.verdict_json import rounded
from scenarios.report.verdict_text import per_cent

SCHEMA_VERSION = 1
MOST_LINES = 200


def announcement(prepared: Prepared) -> str:
    """How much will be simulated."""
    parts = [f"{len(prepared.points)} point{'s' if len(prepared.points) > 1 else ''}"]
    parts += [f"{len(prepared.cases)} cases"] if len(prepared.cases) > 1 else []
    parts += [f"{len(prepared.arms)} arm{'s' if len(prepared.arms) > 1 else ''}", f"{prepared.plan.futures()} futures"]
    solved = any(loaded.case.baseline is not None for loaded in prepared.cases)
    more = ", and today's result solved for each point" if solved else ""
    return f"{' × '.join(parts)} = {prepared.simulations():,} simulations{more}"


def text(summary: Summary) -> str:
    """A line a point and arm: its values, the promised figure, and the chance."""
    prepared, plan = summary.prepared, summary.prepared.plan
    how = "the uncertain numbers drawn anew in each" if plan.draws else "at the middle values"
    lines = [f"{announcement(prepared)} · seed {plan.seed}, the same futures at every point, {how}", ""]
    lines += _aligned([_head(prepared), *(_cells(prepared, line) for line in summary.lines[:MOST_LINES])])
    if len(summary.lines) > MOST_LINES:
        lines.append(f"  … {len(summary.lines) - MOST_LINES} more; --json lists all")
    lines += ["", *_remarks(summary), *(f"  {basis_line(loaded, plan.seed)}" for loaded in prepared.cases)]
    return "\n".join(lines)


def _head(prepared: Prepared) -> list[str]:
    case = ["case"] if len(prepared.cases) > 1 else []
    chance = ["P(promise kept)"] if prepared.plan.draws else []
    return ["point", *case, *(c.name for c in prepared.columns), "arm", "promised figure", "5 % to 95 %", *chance]


def _cells(prepared: Prepared, line: Line) -> list[str]:
    loaded = prepared.cases[line.job.case - 1]
    name = PROMISED[loaded.case.target.statistic]
    found, values = line.figures[name], line.job.point.values
    show = per_cent if name.startswith("share") else _days
    row = [str(line.job.point.number), *([loaded.file] if len(prepared.cases) > 1 else [])]
    row += [_value(c.cell(values[c.path])) for c in prepared.columns] + [line.arm]
    row += [show(found.mean), f"{show(found.low)} to {show(found.high)}"] if line.futures else ["–", "–"]
    if prepared.plan.draws:
        c = line.chance
        row.append("–" if c is None else f"{per_cent(c.estimate)} ({per_cent(c.low)} to {per_cent(c.high)})")
    return row


def _days(value: float) -> str:
    return f"{value:.2f} d"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower() if isinstance(value, bool) else str(value)


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [f"  {'   '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip() for row in rows]


def _remarks(summary: Summary) -> Iterator[str]:
    plan = summary.prepared.plan
    for problem in dict.fromkeys(line.problem for line in summary.lines if line.problem):
        points = list(dict.fromkeys(str(line.job.point.number) for line in summary.lines if line.problem == problem))
        shown = f"{', '.join(points[:8])}{' …' if len(points) > 8 else ''}"
        yield f"  Not to be used, point{'s' if len(points) > 1 else ''} {shown}: {problem}"
    if plan.draws is None:
        yield "  Every future here uses the middle value of each uncertain number; with draws they vary, and the chance is told"
    elif plan.draws < DECISION_DRAWS:
        yield f"  PREVIEW from {plan.draws} futures a point; a decision takes {DECISION_DRAWS}"


# -- JSON


def as_json(summary: Summary, out: Path | None) -> dict[str, Any]:
    """The summary for scripts; the rows themselves are in the table."""
    prepared = summary.prepared
    return {
        "schema_version": SCHEMA_VERSION,
        "plan": prepared.plan.model_dump(mode="json", exclude_none=True),
        "simulations": prepared.simulations(),
        "values": "draws" if prepared.plan.draws else "middle",
        "table": None if out is None else str(out),
        "points": [_line_json(prepared, line) for line in summary.lines],
        "basis": [basis(loaded, prepared.plan.seed) for loaded in prepared.cases],
    }


def _line_json(prepared: Prepared, line: Line) -> dict[str, Any]:
    values = line.job.point.values
    chance = line.chance
    return {
        "case": prepared.cases[line.job.case - 1].file,
        "point": line.job.point.number,
        "values": {c.name: c.cell(values[c.path]) for c in prepared.columns},
        "arm": line.arm,
        "futures": line.futures,
        "rejected_draws": line.rejected_draws,
        "probability": None if chance is None else rounded(chance.estimate),
        "probability_low": None if chance is None else rounded(chance.low),
        "probability_high": None if chance is None else rounded(chance.high),
        "figures": {
            name: {"mean": rounded(r.mean), "low": rounded(r.low), "high": rounded(r.high)}
            for name, r in ((name, line.figures[name]) for name in FIGURES)
        },
        "problem": line.problem,
    }
