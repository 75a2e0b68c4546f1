"""How things are run: by which engine, on how many threads, who hears of progress, and when to stop."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from simulator.engines import EngineName


class Progress(Protocol):
    """Hears what is done, how much of it, and in a few words what is known so far."""

    def __call__(self, what: str, done: int, total: int, so_far: str = "", /) -> None: ...


def quiet(_: str, __: int, ___: int, ____: str = "", /) -> None:
    """Shows no progress."""


@dataclass(frozen=True, slots=True)
class Means:
    """By which engine, on how many threads (None: all cores), with whom to talk, and an event that stops it when set.

    None of it changes a figure.
    """

    engine: EngineName = "compiled"
    threads: int | None = None
    progress: Progress = quiet
    stop: Event = field(default_factory=Event)
