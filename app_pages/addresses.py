"""Addresses of single pages: the server sends whoever asks for one to the app itself, which then opens that page.

Streamlit's client looks for its server below the address it was loaded from, and tells the console of every place where it is not.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

PAGES = ("answer", "start", "why", "what_if", "evidence")
PAGE = "page"
"""In the address: the page to open first."""


class Addresses:
    """Turns `/what_if?case=…` into `/?case=…&page=what_if`, below whatever path the app is served at."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].rpartition("/")[2] if scope["type"] == "http" else ""
        if name not in PAGES or scope["method"] not in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        asked = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True) if pair[0] != PAGE]
        await RedirectResponse(f"./?{urlencode([*asked, (PAGE, name)])}", 307)(scope, receive, send)
