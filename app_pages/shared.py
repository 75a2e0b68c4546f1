"""What pages share: the case that is looked at, the work behind them, and how an error is told."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import streamlit as st

from scenarios.catalogue import DEFAULT, shipped_names
from scenarios.files import LoadedCase, load
from scenarios.jobs import Jobs, Look, TooBusyError, Work
from scenarios.problems import CaseError

SEED = 7
POLL_SECONDS = 0.7
UNFINISHED = ("waiting", "running")


@st.cache_resource
def jobs() -> Jobs:
    """The one store of work of this process."""
    return Jobs()


def user() -> str:
    """Who asks: a name made up for this browser tab."""
    return str(st.session_state.setdefault("user", uuid.uuid4().hex))


def case_name() -> str:
    """The case that is looked at: the one chosen, else that of the command line, else the example."""
    given = sys.argv[1] if len(sys.argv) > 1 else DEFAULT
    return str(st.session_state.get("case", given))


def current_case() -> LoadedCase:
    """The case, read again when its files change. Ends the page with the problems of a case that cannot be read."""
    name = case_name()
    try:
        return _loaded(name, _stamp(name))
    except CaseError as error:
        tell(error)
        st.stop()


def _stamp(name: str) -> tuple[float, ...]:
    """Changes when a file of the case does."""
    if name in shipped_names():
        return ()
    place = Path(name)
    files = [place, *sorted(place.rglob("*"))] if place.is_dir() else [place]
    return tuple(file.stat().st_mtime for file in files if file.exists())


@st.cache_resource(max_entries=32, ttl=3_600, show_spinner=False)
def _loaded(name: str, stamp: tuple[float, ...]) -> LoadedCase:
    return load(name)


def tell(error: CaseError) -> None:
    """All problems of a file, each at its place."""
    st.error(f"{error.file}: {len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}")
    st.table([{"code": p.code, "place": p.place, "problem": p.message, "remedy": p.remedy} for p in error.problems])


def ask(place: str, key: Hashable, work: Work) -> Look:
    """Asks for work of this page; what was asked for in the same place before is given up."""
    try:
        return jobs().ask(user(), place, key, work)
    except TooBusyError as error:
        st.warning(f"{str(error)[0].upper()}{str(error)[1:]}.")
        st.stop()


def progress(look: Look, what: str) -> None:
    """How far unfinished work is, with the time left."""
    if look.state in UNFINISHED and look.total:
        left = "" if look.seconds_left is None else f", about {max(1, round(look.seconds_left))} s left"
        st.progress(min(1.0, look.done / look.total), f"{what}: {look.done} of {look.total}{left}")


def plain(text: Any) -> str:
    """Text of users for Markdown: nothing in it is read as a sign."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()<>#+-.!|~$:" else c for c in str(text))
