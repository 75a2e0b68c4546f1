"""The app as a web server: the pages of `app_pages`, with headers that keep browsers from doing what the pages do not need.

Begin it with `pilotproof app [CASE]`, or `streamlit run app.py`.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app_pages.addresses import Addresses
from app_pages.headers import Headers


@asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[None]:
    """Removes the cases of all visitors when the server ends."""
    yield
    from app_pages.session import workspaces

    workspaces().close()


app = st.App(
    Path(__file__).resolve().parent / "app_pages" / "main.py",
    middleware=[Middleware(Headers), Middleware(Addresses)],
    lifespan=lifespan,
)
