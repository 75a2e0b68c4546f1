"""Why: where the days go, by what mechanism, and what happens week by week."""

from __future__ import annotations

import streamlit as st

st.title("why", anchor=False)
