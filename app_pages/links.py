"""A link that restores the exact state: the case as far as it can travel, what is tried out, the version; and what it says if it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from app_pages import session
from app_pages.addresses import PAGE, PAGES
from app_pages.parts import plain
from scenarios.catalogue import shipped_names
from scenarios.files import LoadedCase
from scenarios.interview import store
from scenarios.interview.answers import Answers
from scenarios.pages.start_laid import made_from
from scenarios.pages.what_if_controls import Control
from scenarios.problems import CaseError
from scenarios.rebuilt import origin_of, rebuilt
from scenarios.version import package_version
from scenarios.what_ifs import LinkError, State, decoded, encoded, own_case_problem

STATE, PENDING, GO = "s", "pending link", "page of the link"


def restore() -> None:
    """Opens the page and the state that the address names, once; what cannot be restored is said on the page."""
    page = st.query_params.get(PAGE)
    if page is not None:
        del st.query_params[PAGE]
        if page in PAGES:
            st.session_state[GO] = page
    _restore_state()


def _restore_state() -> None:
    text = st.query_params.get(STATE)
    if text is None:
        return
    del st.query_params[STATE]
    try:
        state = decoded(text)
        _open(state)
        st.session_state[PENDING] = state
        st.session_state[GO] = "what_if" if state.settings else "answer"
    except LinkError as error:
        session.notice(f"The link could not be used: {error}. You see the example instead.")
    except CaseError as error:
        session.notice(
            f"The case of the link cannot be made by this version: {error.problems[0].message}. You see the example instead."
        )


def _open(state: State) -> None:
    if state.case not in shipped_names():
        raise LinkError("it names a case that this version does not ship")
    if not state.whole:
        session.notice(
            f"This link is about a case with evidence or changes of its own (hash {state.case_hash}), which a link cannot carry. Open its saved folder "
            "on the page Start; what was tried out is then there."
        )
    elif not state.name:
        session.open_shipped(state.case)
    else:
        session.make_own(lambda folder: _fill(folder, state), state.name)


def _fill(folder: Path, state: State) -> None:
    """The case with its answers at once, so that a case whose answers cannot be used is not left half-made. Raises CaseError."""
    answers = Answers.of(state.answers, "the link") if state.answers is not None else None
    made_from(state.case, state.title)(folder)
    if answers is not None:
        store.interviewed(folder, answers)


def settings_wanted(loaded: LoadedCase, shown: tuple[Control, ...]) -> Mapping[str, float]:
    """The settings of a link to this case, once; every one that is not taken over is named."""
    state: State | None = st.session_state.get(PENDING)
    if state is None or (not state.whole and state.case_hash != loaded.hash):
        return {}
    del st.session_state[PENDING]
    if state.case_hash != loaded.hash:
        st.warning(
            f"The link was made by version {plain(state.version)} of pilotproof from a case with the hash {plain(state.case_hash)}; this is version "
            f"{plain(package_version())} and the hash {loaded.hash}. The figures can differ."
        )
    known = {c.id: c for c in shown}
    good = {k: v for k, v in state.settings.items() if k in known and known[k].low <= v <= known[k].high}
    refused = [f"{known[k].label if k in known else k} = {v:g}" for k, v in state.settings.items() if k not in good]
    if refused:
        st.warning(f"Not taken over from the link, because this case does not allow it: {plain(', '.join(refused))}.")
    return good


def offer(loaded: LoadedCase, settings: Mapping[str, float]) -> None:
    """The link to what is on the page now, on request."""
    with st.expander("Link to this state", key="link open", on_change="rerun") as opened:
        if not opened.open:
            return
        state = state_of(loaded, settings)
        st.code(address(state), language=None, wrap_lines=True)
        carried = "It holds your answers to the eight questions: whoever has the link can read them. " if state.answers else ""
        rest = "" if state.whole else "It does not hold your evidence: send the case folder with it. "
        st.caption(f"{carried}{rest}Version {plain(state.version)}, hash of the case {state.case_hash}.")


def state_of(loaded: LoadedCase, settings: Mapping[str, float]) -> State:
    """The state of the page as a link holds it."""
    folder, version = session.own_folder(), package_version()
    if folder is None:
        name = session.case_name()
        return State(name if name in shipped_names() else "", loaded.hash, version, settings, whole=name in shipped_names())
    origin = origin_of(loaded.case)
    answers = store.saved_answers(folder).as_data() if (folder / store.ANSWERS).is_file() else None
    state = State(origin or shipped_names()[0], loaded.hash, version, settings, answers, folder.name, loaded.case.title, True)
    return state if origin and _travels(state) else replace(state, answers=None, name="", title="", whole=False)


def _travels(state: State) -> bool:
    if own_case_problem(state.name, state.title):
        return False
    try:
        return rebuilt(state.case, state.name, state.title, state.answers).hash == state.case_hash
    except CaseError:
        return False


def address(state: State) -> str:
    """The address of the app with a state."""
    here = urlsplit(st.context.url or "http://localhost:8501/")
    folders = here.path.strip("/").split("/")
    if folders[-1] in PAGES:
        folders.pop()
    return urlunsplit((here.scheme, here.netloc, "/".join(["", *folders]).rstrip("/") + "/", f"{STATE}={encoded(state)}", ""))
