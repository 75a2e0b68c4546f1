"""Evidence: what was measured, what it taught, and what to measure next."""

from __future__ import annotations

import streamlit as st

st.title("evidence", anchor=False)
