"""`runs`: stored runs as a list, one run, and why the verdict of two runs differs – text and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenarios.problems import CaseError
from scenarios.runs.store import Store

if TYPE_CHECKING:
    from scenarios.runs.why import Chance, Change, Why

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Listed:
    """A run folder in a list; `problem`: why it cannot be used, "" if it can."""

    name: str
    store: Store | None
    problem: str


def per_cent(share: float) -> str:
    """A share in whole per cent, small ones not rounded to nothing. Here as well, so that a list needs no simulator."""
    if 0 < share < 0.01 or 0.99 < share < 1:
        return "< 1 %" if share < 0.5 else "> 99 %"
    return f"{round(100 * share)} %"


def _points(share: float) -> str:
    return f"{round(100 * share):+d}".replace("-", "−").replace("+0", "0")


# -- list


def found(folder: Path) -> list[Listed]:
    """All runs in a folder by name; one whose manifest cannot be used is listed with its problem."""
    listed = []
    for path in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        if (path / "manifest.json").exists() or (path / "parts").is_dir():
            try:
                store = Store.open(path)
                store.result()
                listed.append(Listed(path.name, store, ""))
            except CaseError as error:
                listed.append(Listed(path.name, None, error.problems[0].line()))
    return listed


def list_json(runs: list[Listed]) -> dict[str, Any]:
    """All runs for scripts."""
    return {"schema_version": SCHEMA_VERSION, "runs": [_row(run) for run in runs]}


def _row(run: Listed) -> dict[str, Any]:
    if run.store is None:
        return {"name": run.name, "problem": run.problem}
    manifest = run.store.manifest
    facts = {name: getattr(manifest, name) for name in ("scenario", "scenario_hash", "kind", "seed", "draws", "replications")}
    return {"name": run.name, **facts, **_state(run.store), "problem": None}


def _state(store: Store) -> dict[str, Any]:
    probability = (store.result() or {}).get("probability")
    return {"finished": store.finished, "parts": len(store.parts()), "probability": probability}


def list_text(runs: list[Listed], folder: Path) -> str:
    """All runs to read."""
    if not runs:
        return f"no runs in {folder}"
    header = ("run", "scenario", "kind", "seed", "draws", "state", "promise kept")
    rows = [header, *(_cells(run) for run in runs if run.store is not None)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*(lines if len(rows) > 1 else []), *(f"{r.name}: {r.problem}" for r in runs if r.store is None)])


def _cells(run: Listed) -> tuple[str, ...]:
    row = _row(run)
    parts = f"{row['parts']} part{'' if row['parts'] == 1 else 's'}"
    chance = "–" if row["probability"] is None else per_cent(row["probability"])
    state = "finished" if row["finished"] else f"{parts} so far"
    return run.name, row["scenario"], row["kind"], str(row["seed"]), str(row["draws"]), state, chance


# -- show


def show_json(store: Store) -> dict[str, Any]:
    """One run for scripts, with its case."""
    parts = store.parts()
    damaged = [name for name in parts if not store.has(name)]
    return {
        "schema_version": SCHEMA_VERSION,
        "name": store.folder.resolve().name,
        "manifest": store.manifest.as_json(),
        "finished": store.finished,
        "parts": parts,
        "damaged_parts": damaged,
        "result": store.result(),
    }


def show_text(store: Store) -> str:
    """One run to read."""
    return "\n".join(_show_lines(store, show_json(store)))


def _show_lines(store: Store, data: dict[str, Any]) -> Iterator[str]:
    m = store.manifest
    yield f"{data['name']} · {'finished' if data['finished'] else 'not finished: the same command goes on where it stopped'}"
    yield ""
    yield f"  scenario      {m.scenario} · hash {m.scenario_hash} (the whole case is in manifest.json)"
    yield f"  kind          {m.kind} · {m.draws} draws · {m.replications} futures a draw · seed {m.seed}"
    yield f"  arms          {', '.join(m.arms)}"
    yield f"  evidence      {', '.join(m.evidence) or 'none'}"
    yield f"  version       {' · '.join(f'{name} {v}' for name, v in m.versions.items())}"
    yield f"  code          {m.code_hash} · engine {m.engine}"
    yield f"  parts         {len(data['parts'])}"
    for name in data["damaged_parts"]:
        yield f"                parts/{name}.parquet is damaged: the same command computes it anew"
    result = data["result"] or {}
    if isinstance(result.get("probability"), float | int):
        yield f"  promise kept  {_chance_text(result['probability'], result.get('low'), result.get('high'))}"


def _chance_text(probability: float, low: float | None, high: float | None) -> str:
    text = per_cent(probability)
    return text if low is None or high is None else f"{text} (between {per_cent(low)} and {per_cent(high)})"


# -- diff


def diff_json(first: Store, second: Store, why: Why) -> dict[str, Any]:
    """Why the verdict changed, for scripts."""
    return {
        "schema_version": SCHEMA_VERSION,
        "first": _side(first, why.chances[0]),
        "second": _side(second, why.chances[1]),
        **{name: [{"place": p, "first": a, "second": b} for p, a, b in rows] for name, rows in why.groups.items()},
        "ranges_overlap": why.overlap,
        "paired_change": _change(why.paired),
        "conclusion": why.conclusion,
    }


def _side(store: Store, chance: Chance | None) -> dict[str, Any]:
    numbers = {name: None if chance is None else getattr(chance, name) for name in ("probability", "low", "high")}
    return {"name": store.folder.resolve().name, "finished": store.finished, **numbers}


def _change(paired: Change | None) -> dict[str, Any] | None:
    if paired is None:
        return None
    e = paired.change
    return {"estimate": e.estimate, "low": e.low, "high": e.high, "draws": paired.draws}


def diff_text(first: Store, second: Store, why: Why) -> str:
    """Why the verdict changed, to read."""
    lines = [_headline("A", first), _headline("B", second), ""]
    for name, rows in why.groups.items():
        lines.append(f"  {name:<10}{'the same' if not rows else f'{len(rows)} difference' + ('' if len(rows) == 1 else 's')}")
        lines += [f"    {place}: {a} → {b}" for place, a, b in rows]
    return "\n".join([*lines, "", *_chances(why), "", f"  Why: {why.conclusion}."])


def _headline(name: str, store: Store) -> str:
    m = store.manifest
    return f"{name}: {store.folder} · {m.scenario} · {m.kind} · seed {m.seed} · {m.draws} draws" + (
        "" if store.finished else " · not finished"
    )


def _chances(why: Why) -> Iterator[str]:
    yield "  Chance that the promise is kept"
    for name, chance in zip("AB", why.chances, strict=True):
        yield f"    {name:<6} {'not told' if chance is None else _chance_text(chance.probability, chance.low, chance.high)}"
    if why.overlap is not None:
        yield f"    the ranges {'overlap' if why.overlap else 'do not overlap'}"
    if why.paired is not None:
        e = why.paired.change
        between = f"between {_points(e.low)} and {_points(e.high)}"
        yield f"    B − A  {_points(e.estimate)} percentage points ({between}), paired over {why.paired.draws} draws of both"
