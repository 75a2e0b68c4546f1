"""Records and manifests made by hand, for tests of stored runs; also loaded by the processes that the tests kill."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models.outcomes import Outcome
from scenarios.files import LoadedCase
from scenarios.records import Record
from scenarios.runs import Manifest, Store, manifest_of
from tests.case_builder import loaded

NAN = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000ABC))[0]
"""A NaN that carries bits of its own."""


def outcome(mean: float = 2.0, **more: Any) -> Outcome:
    plain: dict[str, Any] = {
        "figures": {"mean_cycle_time_days": mean, "cases": 40.0},
        "days": {"work": 0.25, "queue": mean - 0.25},
        "step_days": {"entry": mean},
        "step_visits": {"entry": 1.0, "desk.level2": 0.5},
        "by_type": {"simple": mean, "hard": float("nan")},
        "by_week": {w: mean + w for w in range(1, 12)},
        "by_ai": {"ai": NAN, "manual": -0.0},
        "utilisation": {"clerks": np.array([0.5, NAN, 0.25])},
        "mean_queue": {"clerks": np.array([3.0, -0.0, 1e-308])},
        "weeks": np.array([-1, 0, 1]),
        "backlog": np.array([0, 2**40, 7]),
    }
    return Outcome(**{**plain, **more})


def record(draw: int = 0, arm: str = "production", replication: int = 0, **more: Any) -> Record:
    """A future whose mean is 2 days unless told."""
    mean = more.pop("mean", 2.0)
    plain = {"outcome": outcome(mean), "rejected": "", "baseline": {"goal_days": 14.0, "unlocated_days": 6.0}}
    return Record(draw, arm, replication, 2 * draw + replication, **{**plain, **more})


def rejected(draw: int) -> Record:
    return Record(draw, "as_is", 0, draw, None, "the sourced steps take 16.2 of 14.1 days", {"goal_days": 14.1})


def again(**days: float) -> Record:
    """A future with accounts and teams that no other has."""
    return record(1, outcome=outcome(days=days, utilisation={"desk": np.array([1.0, 0.5, 0.5])}, by_week={1: 1.0}))


def mixed() -> list[Record]:
    return [record(), again(work=1.0, queue_again=0.5), rejected(2), record(3, "as_is", baseline={"gap": NAN})]


def case(changes: dict[str, Any] | None = None) -> LoadedCase:
    return loaded(changes or {})


def manifest(changes: dict[str, Any] | None = None, **more: Any) -> Manifest:
    given = {"seed": 7, "draws": 4, "replications": 1, "arms": ("as_is", "production"), "engine": "compiled"}
    plain = {k: more.pop(k, v) for k, v in given.items()}
    return replace(manifest_of(case(changes), "decision", **plain), **more)


def write_for_ever(folder: Path) -> None:
    """Writes parts over and over; some bring columns of their own, so that others are widened."""
    store = Store.open(folder, writing=True) if folder.exists() else Store.create(folder, manifest())
    i = 0
    while True:
        rows = [record(d, outcome=outcome(days={f"account_{i % 11}": 1.0 * d})) for d in range(40)]
        store.write(f"p{i % 40:02d}", rows)
        i += 1
