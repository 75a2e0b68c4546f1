"""One run of the script: the page that was asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

sys.path[:0] = [root] if (root := str(Path(__file__).resolve().parent.parent)) not in sys.path else []

from app_pages.links import GO, restore  # noqa: E402
from app_pages.parts import COMPUTING, plain  # noqa: E402
from app_pages.session import remember  # noqa: E402

HERE = Path(__file__).parent
LOGIN_VARIABLE = "PILOTPROOF_LOGIN"


def page(name: str, title: str, icon: str, purpose: str, default: bool = False) -> Page:
    """One page of the app."""
    return st.Page(HERE / f"{name}.py", title=title, icon=icon, default=default, help=purpose)


def require_login() -> None:
    """Shows nothing but the way in, where the operator asks for a login."""
    if os.environ.get(LOGIN_VARIABLE) == "required" and not getattr(st.user, "is_logged_in", False):
        st.title("pilotproof", anchor=False)
        st.button("Log in", on_click=st.login, type="primary")
        st.stop()


def show_notices(page: str) -> None:
    """What was to be said, until another page is looked at."""
    told = [(where or page, text) for where, text in st.session_state.get("notices", [])]
    st.session_state["notices"] = [(where, text) for where, text in told if where == page]
    for _, text in st.session_state["notices"]:
        st.warning(plain(text))


def main() -> None:
    """The frame of all pages."""
    st.set_page_config(page_title="pilotproof", page_icon=HERE / "icon.svg", layout="centered")
    pages = [
        page("answer", "Answer", ":material/fact_check:", "Will the promise be kept? How probable, how big, what to do next.", True),
        page("start", "Start", ":material/edit_square:", "Look at an example, or make a case of your own by eight questions."),
        page("why", "Why", ":material/account_tree:", "Where the days go, what the AI changes, and what happens week by week."),
        page("what_if", "What if", ":material/tune:", "Change a number and see what it is worth."),
        page("evidence", "Evidence", ":material/folder_open:", "What you have measured, and what it taught."),
    ]  # fmt: skip
    require_login()
    st.session_state[COMPUTING] = False
    chosen = st.navigation(pages, position="hidden")
    with st.container(horizontal=True, gap="xxsmall"):
        for one in pages:
            st.page_link(one, width="content")
    remember(restore)
    wanted = st.session_state.pop(GO, None)
    if wanted is not None:
        st.switch_page(HERE / f"{wanted}.py")
    show_notices(chosen.title)
    chosen.run()


main()
