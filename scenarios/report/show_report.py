"""A case as people can check it: the workflow as a table and a Mermaid diagram, every parameter, every input that changes by week."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models import schema, units
from models.leaves import Leaf, leaves
from scenarios.files import LoadedCase
from scenarios.report import words
from scenarios.report.basis import source_counts, sources_line
from scenarios.report.weekly import WeeklyInput, weekly_inputs

SCHEMA_VERSION = 1
WIDTH = 120
QUANTILES = (0.05, 0.5, 0.95)
WEEKS_A_LINE = 13


@dataclass(frozen=True, slots=True)
class Row:
    """One parameter in one arm ("" if it is the same in all): its range in base units, and where it comes from."""

    path: str
    arm: str
    low: float
    middle: float
    high: float
    dimension: str
    leaf: Leaf

    @property
    def source(self) -> str:
        """Source class, with the grade of a benchmark; what the file does not state is a default."""
        p = self.leaf.parameter
        return f"{p.source} {p.grade or ''}".rstrip() if self.leaf.stated else "default"


def rows(case: schema.CaseFile) -> list[Row]:
    """All parameters of a case; one that differs by arm has a row for each arm."""
    found = []
    for leaf in leaves(case):
        arms: Sequence[schema.Arm] = schema.ARMS if leaf.parameter.cause is not None else schema.ARMS[-1:]
        for arm in arms:
            low, middle, high = (float(x) for x in leaf.parameter.in_arm(arm).uncertain().quantile(np.asarray(QUANTILES)))
            label = words.ARM_WORDS[arm] if leaf.parameter.cause is not None else ""
            found.append(Row(leaf.path, label, low, middle, high, leaf.parameter.dimension, leaf))
    return found


# -- text


def text(loaded: LoadedCase) -> str:
    """The whole page."""
    case = loaded.case
    parts = [
        [f"{case.title} · {loaded.file} · hash {loaded.hash}", *_wrapped(case.description)],
        ["The process", "", *_steps_table(case)],
        ["The same as a Mermaid diagram", "", *mermaid(case)],
        [f"Parameters: {sources_line(case)}", "", *_parameter_table(case), "", *_notes(case)],
        [f"Inputs that change by week after go-live (live, middle values, weeks 1–{_last_week(case)})", "", *_weekly_lines(case)],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _wrapped(content: str, indent: str = "") -> list[str]:
    return textwrap.wrap(content, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _table(head: Sequence[str], body: Sequence[Sequence[str]], widths: Sequence[int]) -> Iterator[str]:
    """Aligned columns; a cell that is too long goes on below itself."""
    fitted = [min(w, max(len(row[i]) for row in (head, *body))) for i, w in enumerate(widths)]
    for row in (head, ["─" * w for w in fitted], *body):
        cells = [textwrap.wrap(cell, w) or [""] for cell, w in zip(row, fitted, strict=True)]
        for line in range(max(map(len, cells))):
            texts = (cell[line] if line < len(cell) else "" for cell in cells)
            yield "  ".join(f"{t:<{w}}" for t, w in zip(texts, fitted, strict=True)).rstrip()


def _steps_table(case: schema.CaseFile) -> Iterator[str]:
    following = _followers(case)
    body = []
    for step in case.steps:
        ways = [f"{to} ({condition})" if condition else to for to, condition in words.exits(step, following[step.id])]
        result = step.result if isinstance(step, schema.EndStep) else "; ".join(ways)
        body.append((step.id, str(step.kind), words.who(step), words.duration(step), result))
    return _table(("step", "kind", "who or what", "time", "next"), body, (24, 9, 18, 31, 30))


def _followers(case: schema.CaseFile) -> dict[str, str]:
    ids = [step.id for step in case.steps]
    return dict(zip(ids, [*ids[1:], ""], strict=True))


def mermaid(case: schema.CaseFile) -> Iterator[str]:
    """A flowchart that Mermaid draws; node names carry a prefix, because `end` is a word of Mermaid."""
    shapes = {"choice": ("{", "}"), "ai": ("[[", "]]"), "end": ("([", "])"), "wait": ("(", ")"), "approval": ("(", ")")}
    following = _followers(case)
    yield "flowchart TD"
    for step in case.steps:
        left, right = shapes.get(step.kind, ("[", "]"))
        yield f'  s_{step.id}{left}"{_quoted(step.label or step.id)}"{right}'
    for step in case.steps:
        for to, condition in words.exits(step, following[step.id]):
            yield f'  s_{step.id} -->|"{_quoted(condition)}"| s_{to}' if condition else f"  s_{step.id} --> s_{to}"


def _quoted(label: str) -> str:
    return label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace("\n", " ")


def _parameter_table(case: schema.CaseFile) -> Iterator[str]:
    body = []
    for row in sorted(rows(case), key=lambda r: not r.leaf.stated):
        p = row.leaf.parameter
        unit, low, middle, high = _shown(row, case.money.currency)
        origin = " · ".join(filter(None, (row.source, p.cite, f"from {p.inherited}" if p.inherited else "", p.owner)))
        arm = f"{row.arm} ({p.cause})" if row.arm == "live" else row.arm
        body.append((row.path, arm, low, middle, high, unit, origin if row.arm in ("", "today") else ""))
    head = ("parameter", "arm", "5 %", "middle", "95 %", "unit", "source · citation · owner")
    return _table(head, body, (40, 19, 8, 8, 8, 4, 21))


def _shown(row: Row, currency: str) -> tuple[str, str, str, str]:
    """Unit and three numbers in the unit that reads best for the middle one."""
    factor, unit = 1.0, ""
    if row.dimension == "duration":
        unit = units.duration_text(row.middle).rpartition(" ")[2]
        factor = units.SECONDS_PER_UNIT[unit]
    elif row.dimension in ("share", "accuracy"):
        factor, unit = 0.01, "%"
    elif row.dimension == "money":
        unit = currency
    low, middle, high = (f"{x / factor:.4g}" for x in (row.low, row.middle, row.high))
    return unit, low, middle, high


def _notes(case: schema.CaseFile) -> Iterator[str]:
    counted = source_counts(case)
    unstated = sum(not leaf.stated for leaf in leaves(case))
    listed = ", ".join(f"{name} {count}" for name, count in counted.items())
    yield from _wrapped(f"By source class: {listed}; {unstated} defaults that the file does not state stand at the end.")
    heads = [row.path for row in rows(case) if row.path.endswith("headcount") and row.low != row.high]
    if heads:
        yield from _wrapped(f"Uncertain numbers of people are rounded to whole people in each future: {', '.join(heads)}.")
    if case.sources:
        yield "Citations:"
        for key, citation in case.sources.items():
            yield from textwrap.wrap(f"{key}: {citation}", WIDTH, initial_indent="  ", subsequent_indent="    ")


def _last_week(case: schema.CaseFile) -> int:
    return case.target.weeks[1]


def _weekly_lines(case: schema.CaseFile) -> Iterator[str]:
    found = weekly_inputs(case, _last_week(case))
    if not found:
        yield "none: after go-live everything stays as it is"
    for item in found:
        yield from _wrapped(f"{item.path}  {item.what} · {item.source}")
        if len(set(item.values)) == 1:
            yield f"    all weeks: {_week_value(item, item.values[0])}"
            continue
        for first in range(0, len(item.values), WEEKS_A_LINE):
            part = item.values[first : first + WEEKS_A_LINE]
            label = f"{first + 1}–{first + len(part)}"
            yield f"    weeks {label:<6}" + "".join(f"{_week_value(item, v):>7}" for v in part)


def _week_value(item: WeeklyInput, value: float) -> str:
    return f"{100 * value:.0f} %" if item.unit == "share" else f"{value:.3g}"


# -- JSON


def as_json(loaded: LoadedCase) -> dict[str, Any]:
    """The same for scripts; durations in seconds, shares from 0 to 1."""
    case = loaded.case
    following = _followers(case)
    return {
        "schema_version": SCHEMA_VERSION,
        "scenario": case.name,
        "title": case.title,
        "scenario_hash": loaded.hash,
        "steps": [
            {
                "id": step.id,
                "kind": step.kind,
                "label": step.label,
                "who": words.who(step),
                "time": words.duration(step),
                "next": [{"step": to, "condition": condition} for to, condition in words.exits(step, following[step.id])],
            }
            for step in case.steps
        ],
        "mermaid": "\n".join(mermaid(case)),
        "parameters": [_row_json(row, case.money.currency) for row in rows(case)],
        "parameters_by_source": source_counts(case),
        "sources": dict(case.sources),
        "inputs_by_week": [
            {"path": i.path, "what": i.what, "cause": i.cause, "source": i.source, "unit": i.unit, "values": list(i.values)}
            for i in weekly_inputs(case, _last_week(case))
        ],
    }


def _row_json(row: Row, currency: str) -> dict[str, Any]:
    p = row.leaf.parameter
    unit = {"duration": "s", "share": "share", "accuracy": "share", "money": currency}.get(row.dimension, "")
    arm = {word: name for name, word in words.ARM_WORDS.items()}.get(row.arm)
    return {
        "path": row.path,
        "arm": arm,
        "cause": p.cause,
        "low": row.low,
        "middle": row.middle,
        "high": row.high,
        "unit": unit,
        "stated": row.leaf.stated,
        "source": p.source,
        "grade": p.grade,
        "cite": p.cite,
        "owner": p.owner,
        "inherited": p.inherited,
        "note": p.note,
    }
