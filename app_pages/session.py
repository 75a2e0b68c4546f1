"""What one visitor looks at: the case, the work asked for, and how a lost connection finds its case again."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app_pages.parts import UNFINISHED, tell
from scenarios.catalogue import DEFAULT, shipped_names
from scenarios.files import LoadedCase
from scenarios.jobs import Jobs, Look, TooBusyError, Work
from scenarios.problems import CaseError
from scenarios.stale_fit import opened
from scenarios.workspaces import Workspaces, from_folder, from_scenario

SEED = 7
POLL_SECONDS, SLOWEST_POLL_SECONDS, QUICK_JOBS = 0.7, 5.0, 4
"""How often unfinished work is looked at: the first while up to so many jobs wait; more take proportionally longer for each slice."""
CASE_VARIABLE = "PILOTPROOF_CASE"
"""Names the case that `pilotproof app CASE` was given."""
COOKIE = "_streamlit_xsrf"
CACHE = ".cache"
"""Beside a visitor's own case: what was computed of it stays where it lives, and goes with it."""
TOKEN, SHIPPED = "mine", "case"
"""In the address: which case is open, so that a page that is loaded again shows it again."""


@st.cache_resource
def jobs() -> Jobs:
    """The one store of work of this process."""
    return Jobs()


@st.cache_resource
def workspaces() -> Workspaces:
    """The cases of all visitors of this process."""
    return Workspaces()


def user() -> str:
    """Who asks: a name made up for this browser tab."""
    return str(st.session_state.setdefault("user", uuid.uuid4().hex))


def owner() -> str:
    """Who may find a case again: the person who is logged in, else this browser, else (without cookies) this tab alone."""
    known = st.user.get("sub") if getattr(st.user, "is_logged_in", False) else None
    if known:
        return f"user {known}"
    secret = browser_secret(st.context.cookies.get(COOKIE, ""))
    return f"browser {secret}" if secret else f"tab {user()}"


def browser_secret(cookie: str) -> str:
    """The random bytes of the server's cookie against forged requests, as hex; "" if it has none.

    They stay the same while the cookie is written anew, with another mask, at every load: `2|mask|masked bytes|time`.
    """
    try:
        version, mask_hex, masked_hex, _ = cookie.strip("\"'").split("|")
        mask, masked = bytes.fromhex(mask_hex), bytes.fromhex(masked_hex)
    except ValueError:
        return ""
    if version != "2" or len(mask) != 4 or len(masked) < 16:
        return ""
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked)).hex()


def given_case() -> str:
    """The case that the app was begun with."""
    return os.environ.get(CASE_VARIABLE, DEFAULT)


def case_name() -> str:
    """The case that is looked at: a shipped name, a file or a folder."""
    folder = own_folder()
    return str(folder) if folder is not None else str(st.session_state.get(SHIPPED, given_case()))


def own_folder() -> Path | None:
    """The case folder of this visitor's own, None while an example or the case of the command line is looked at."""
    token = st.session_state.get(TOKEN)
    return workspaces().find(token, owner()) if token else None


def open_shipped(name: str) -> None:
    """Looks at an example."""
    st.session_state[SHIPPED] = name
    st.session_state.pop(TOKEN, None)


def make_own(make: Callable[[Path], object], name: str = "my_case") -> Path:
    """Makes a case of one's own and looks at it; the one before is given up. Raises CaseError, then nothing changed."""
    token = workspaces().make(owner(), make, name)
    if st.session_state.get(TOKEN):
        workspaces().leave(st.session_state[TOKEN])
    st.session_state[TOKEN] = token
    folder = own_folder()
    assert folder is not None
    return folder


def require_own() -> Path:
    """The visitor's own folder; a copy of what is looked at, if there is none yet. Raises CaseError."""
    found = own_folder()
    if found is not None:
        return found
    name = case_name()
    make = from_scenario(name) if name in shipped_names() else from_folder(Path(name))
    return make_own(make, "my_case" if name in shipped_names() else Path(name).stem)


def remember(restore_link: Callable[[], None]) -> None:
    """Finds the case of the address, and keeps the address in step with the case that is open. restore_link: opens what a link says."""
    asked = st.query_params
    if "restored" not in st.session_state:
        st.session_state["restored"] = True
        restore_link()
        _restore(asked.get(TOKEN), asked.get(SHIPPED))
    now = {TOKEN: st.session_state.get(TOKEN), SHIPPED: st.session_state.get(SHIPPED)}
    if now[TOKEN]:
        now[SHIPPED] = None
    for key, value in now.items():
        if value is not None and asked.get(key) != value:
            asked[key] = value
        elif value is None and key in asked:
            del asked[key]


def notice(text: str) -> None:
    """Something to be said on top of the next page, until another one is looked at."""
    st.session_state.setdefault("notices", []).append(("", text))


def _restore(token: str | None, shipped: str | None) -> None:
    if token:
        if workspaces().find(token, owner()) is not None:
            st.session_state[TOKEN] = token
        else:
            notice(
                "The case of this address is not here any more, or belongs to another browser. Open its saved folder on the page Start; "
                "meanwhile you see the example."
            )
    elif shipped in shipped_names():
        st.session_state[SHIPPED] = shipped
    elif shipped is not None:
        notice("The address names a case that is not shipped with pilotproof; you see the example instead.")


def current_case() -> LoadedCase:
    """The case, read again when its files change. Ends the page with the problems of a case that cannot be read."""
    name = case_name()
    try:
        return _loaded(name, _stamp(name))
    except CaseError as error:
        tell(named(error))
        st.stop()


def named(error: CaseError) -> CaseError:
    """The same problems under the name that visitors know: no place on this server is shown."""
    return CaseError(_shown(error.file), error.problems)


def _shown(name: str) -> str:
    root = str(workspaces().root)
    return str(Path(*Path(name).relative_to(root).parts[1:])) if name.startswith(root) else name


def _stamp(name: str) -> tuple[tuple[str, int, int], ...]:
    """Changes when a file of the case does."""
    if name in shipped_names():
        return ()
    place = Path(name)
    files = [place, *sorted(place.rglob("*"))] if place.is_dir() else [place]
    return tuple((file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())


@st.cache_resource(max_entries=64, ttl=3_600, show_spinner=False)
def _loaded(name: str, stamp: tuple[tuple[str, int, int], ...]) -> LoadedCase:
    loaded, place = opened(name), Path(name)
    private = place.is_relative_to(workspaces().root)
    return replace(loaded, file=_shown(loaded.file), cache=place.parent / CACHE if private else None)


def ask(place: str, key: Hashable, work: Work) -> Look:
    """Asks for work of this page; what was asked for in the same place before is given up. Ends the page if the server is too busy."""
    try:
        return jobs().ask(user(), place, key, work)
    except TooBusyError as error:
        st.warning(f"{str(error)[0].upper()}{str(error)[1:]}.")
        st.stop()


def polling(*looks: Look) -> float | None:
    """Seconds after which a fragment looks again at work; None if all of it has ended."""
    if not any(look.state in UNFINISHED for look in looks):
        return None
    return min(SLOWEST_POLL_SECONDS, POLL_SECONDS * max(1.0, jobs().unfinished() / QUICK_JOBS))
