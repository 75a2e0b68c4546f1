"""What a fit costs: compilation once, then gated fits and previews of changed data in the same process; and how it grows with rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks.measure import Row
from models.evidence.kinds import ARRIVALS, PILOT, PRODUCTION, TIMES
from models.evidence.settings import EvidenceSettings
from models.evidence.table import FileKind, Table
from models.fits import accuracy, arrivals, service
from models.fits.seam import Sampling
from models.schema import CaseFile
from scenarios.files import load

PREVIEW_SECONDS, GATED_SECONDS = 5.0, 15.0
FEW, MANY = 1_000, 1_000_000
ABOUT = EvidenceSettings.model_validate({"zone": "UTC", "design_effect": 1.5})


def rows() -> Iterator[Row]:
    case = load("invoice_processing").case
    for name, fit, tables in (
        ("accuracy", accuracy.fit, _results),
        ("service times", service.fit, _minutes),
        ("arrivals", arrivals.fit, _days),
    ):
        yield from _refits(case, name, fit, tables)
    yield _growth(case)


def _refits(case: CaseFile, name: str, fit: Any, tables: Any) -> Iterator[Row]:
    """First fit (it compiles), then other data: gated and preview. Wall seconds on one core; `met` by the gated and the preview limit."""
    first, _ = _timed(case, fit, tables(1), Sampling(1))
    gated, found = _timed(case, fit, tables(2), Sampling(2))
    preview, _ = _timed(case, fit, tables(3), Sampling(3).preview())
    passed = "passed its checks" if found.passed else "did not pass its checks"
    yield Row(
        f"fit of {name}: changed data, gated",
        f"{gated:.1f} s",
        "≤ 15 s",
        gated <= GATED_SECONDS,
        f"{passed}; first fit with compilation {first:.0f} s",
    )
    yield Row(f"fit of {name}: changed data, preview", f"{preview:.1f} s", "≤ 5 s", preview <= PREVIEW_SECONDS)


def _growth(case: CaseFile) -> Row:
    few, _ = _timed(case, service.fit, _minutes(4, FEW), Sampling(4))
    many, _ = _timed(case, service.fit, _minutes(4, MANY), Sampling(4))
    note = f"{FEW:,} rows {few:.1f} s, {MANY:,} rows {many:.1f} s, reading apart: sufficient statistics"
    return Row(
        "fit of service times: a thousand times as many rows",
        f"{many / few:.2f} × the time",
        "does not grow",
        many <= 1.5 * few,
        note,
    )


def _timed(case: CaseFile, fit: Any, tables: Mapping[str, Table], sampling: Sampling) -> tuple[float, Any]:
    start = time.perf_counter()
    found = fit(case, tables, ABOUT, sampling)
    return time.perf_counter() - start, found


def _table(kind: FileKind, **columns: Any) -> Table:
    count = len(next(iter(columns.values())))
    return Table(kind, f"{kind.name}.csv", columns, np.arange(2, count + 2))


def _results(seed: int) -> dict[str, Table]:
    """Pilot and live results of the piloted types, and live ones of a type never piloted."""
    rng = np.random.default_rng(seed)

    def of(kind: FileKind, types: list[str], n: int, p: float) -> Table:
        names = np.repeat(np.asarray(types, dtype=object), 5)
        right = rng.binomial(n, p, len(names)).astype(np.float64)
        return _table(kind, type=names, tried=np.full(len(names), float(n)), right=right)

    return {
        "pilot": of(PILOT, ["po_standard", "non_po"], 40, 0.92),
        "production": of(PRODUCTION, ["po_standard", "non_po", "po_complex"], 30, 0.87),
    }


def _minutes(seed: int, count: int = FEW) -> dict[str, Table]:
    rng = np.random.default_rng(seed)
    steps = np.asarray(["entry", "match"], dtype=object)[rng.integers(0, 2, count)]
    return {"times": _table(TIMES, step=steps, minutes=rng.lognormal(1.6, 0.5, count))}


def _days(seed: int) -> dict[str, Table]:
    rng = np.random.default_rng(seed)
    start = np.datetime64("2026-06-01").astype("datetime64[s]").astype(np.int64)
    days = np.arange(90)
    days = days[(days % 7) < 5]
    at = np.stack([start + 86_400.0 * days, start + 86_400.0 * (days + 1)], axis=1)
    return {"arrivals": _table(ARRIVALS, day=at, cases=rng.negative_binomial(25, 25 / (25 + 115), len(days)).astype(np.float64))}
