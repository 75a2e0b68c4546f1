"""The app: pages that lay out what the library computes. Begin it with `pilotproof app [CASE]`, or `streamlit run app.py`."""

from __future__ import annotations

import streamlit as st


def main() -> None:
    """One run of the script: the page that was asked for."""
    st.set_page_config(page_title="pilotproof", page_icon=":material/fact_check:", layout="centered")
    pages = [
        st.Page(
            "app_pages/answer.py", title="Answer", icon=":material/fact_check:", default=True,
            help="Will the promise be kept? How probable, how big, and what to do next.",
        ),
    ]  # fmt: skip
    st.navigation(pages, position="top").run()


main()
