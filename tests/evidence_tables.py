"""Tables of evidence written in a test: columns as plain lists, times as text, read as the reader would leave them."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evidence.kinds import kind_named
from models.evidence.table import ColumnSpec, Table
from models.schema import CaseFile

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"


def table(kind: str, **columns: Sequence[Any]) -> Table:
    """A table of a kind. Times are text in UTC: a date (a day long), or date and time to the minute or second; "" or None is empty."""
    spec = kind_named(kind)
    assert spec is not None
    rows = len(next(iter(columns.values())))
    read = {name: _column(spec.column(name), values) for name, values in columns.items()}
    return Table(spec, f"{kind}.csv", read, np.arange(2, rows + 2))


def _column(spec: ColumnSpec, values: Sequence[Any]) -> NDArray[Any]:
    if spec.kind in ("day", "time"):
        return np.asarray([_instant(v) for v in values], dtype=np.float64).reshape(-1, 2)
    if spec.kind in ("text", "choice", "name"):
        return np.asarray(["" if v is None else v for v in values], dtype=object)
    return np.asarray([np.nan if v is None or v == "" else float(v) for v in values])


def _instant(value: Any) -> tuple[float, float]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, float | np.floating):  # exact seconds since 1970
        return float(value), float(value)
    if value is None or value == "":
        return np.nan, np.nan
    at = datetime.fromisoformat(value).replace(tzinfo=UTC)
    length = {10: timedelta(days=1), 16: timedelta(minutes=1)}.get(len(value), timedelta(seconds=1))
    return at.timestamp(), (at + length).timestamp()


def at(day: date, seconds: Any) -> NDArray[np.float64]:
    """Seconds after the beginning of a day (UTC) as seconds since 1970."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() + np.asarray(seconds, dtype=np.float64)


def shipped(name: str) -> CaseFile:
    """A scenario that ships with the program, without any check."""
    return CaseFile.model_validate(tomllib.loads((SCENARIOS / f"{name}.toml").read_text(encoding="utf-8")))
