"""What if: change a number and see what it is worth."""

from __future__ import annotations

import streamlit as st

st.title("what_if", anchor=False)
