"""Start: look at an example, or make a case of one's own by eight questions."""

from __future__ import annotations

import streamlit as st

st.title("Start", anchor=False)
