"""The app as a web server: the pages of `app_pages`, with headers that keep browsers from doing what the pages do not need.

Begin it with `pilotproof app [CASE]`, or `streamlit run app.py`.
"""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app_pages.headers import Headers

app = st.App(Path(__file__).resolve().parent / "app_pages" / "main.py", middleware=[Middleware(Headers)])
