"""Long work of the page of evidence: checks, learning and what to measure next, in a store of their own since they cannot be cut."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import streamlit as st

from app_pages.session import SEED
from models.fits.seam import Sampling
from scenarios.files import LoadedCase
from scenarios.jobs import Jobs, Look, TooBusyError, Work
from scenarios.pages.evidence_check import check_key, check_work
from scenarios.pages.evidence_fit import Report, aside, learning

CHECKS_AT_ONCE = 2
NEXT_FUTURES = 60
"""Simulated futures from which it is worked out what to measure next."""


@dataclass(frozen=True, slots=True, eq=False)
class Asides:
    """The store, and whose turn it is: of checks, and of work that takes all cores."""

    jobs: Jobs
    checks: Semaphore
    heavy: Semaphore


@st.cache_resource
def asides() -> Asides:
    """The one of this process."""
    return Asides(Jobs(waiting=40, kept=200, each=4), Semaphore(CHECKS_AT_ONCE), Semaphore(1))


def ask_check(folder: Path) -> tuple[Hashable, Look]:
    """Asks for the check of the files as they are now, or joins it."""
    key = check_key(folder)
    return key, _ask(folder, "check", key, check_work(folder, asides().checks))


def learn_key(folder: Path) -> Hashable:
    """Under which it is learned from the files as they are now."""
    return "learn", check_key(folder)


def ask_learn(folder: Path) -> None:
    """Begins to learn."""
    _ask(folder, "learn", learn_key(folder), learning(folder, Sampling(SEED), asides().heavy))


def next_key(loaded: LoadedCase) -> Hashable:
    """Under which it is worked out what to measure next."""
    return "next", loaded.hash, SEED


def ask_next(folder: Path, loaded: LoadedCase) -> None:
    """Begins to work out what to measure next."""

    def run(report: Report, stop: Event) -> Any:
        from scenarios.pages.evidence_taught import next_sections
        from scenarios.study import Means

        def progress(what: str, done: int, total: int, _: str = "") -> None:
            report(what, done, total)

        return next_sections(loaded, SEED, Means(progress=progress, stop=stop), NEXT_FUTURES)

    _ask(folder, "next", next_key(loaded), aside(run, asides().heavy))


def look(key: Hashable) -> Look:
    """What is known of a piece of work."""
    return asides().jobs.look(key)


def give_up(folder: Path, *places: str) -> None:
    """Gives up what was asked for a case."""
    for place in places:
        asides().jobs.cancel(str(folder), place)


def _ask(folder: Path, place: str, key: Hashable, work: Work) -> Look:
    """In the name of the case, so that another tab with the same case can give it up. Ends the page if the server is too busy."""
    try:
        return asides().jobs.ask(str(folder), place, key, work)
    except TooBusyError as error:
        st.warning(f"{str(error)[0].upper()}{str(error)[1:]}.")
        st.stop()
