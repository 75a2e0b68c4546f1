"""A real server and a real browser: what visitors load, see and can reach."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
SETTLED = '[data-testid="stApp"][data-test-script-state="notRunning"]'
WIDTHS = (1280, 390)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
MINOR = {"empty-table-header", "presentation-role-conflict"}
"""Minor findings of the library's own grid and drop zone."""
WAIT = 120_000


def free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def server(case: str, **more: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The app as `streamlit run app.py` serves it; its address, and the process."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port), "--server.headless", "true"]
    environment = {**os.environ, "PILOTPROOF_CASE": case, **more}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(address, process)
        yield address, process
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Waits until a server answers; fails with what it printed if it ended before."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if process.poll() is not None:
            assert process.stdout is not None
            raise AssertionError(process.stdout.read().decode())
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not begin within a minute")


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium without a screen."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        found = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield found
        finally:
            found.close()


def _of_the_library(finding: str, html: str) -> bool:
    """Minor findings of the grid and the drop zone, and one of the empty layer for overlays; all are Streamlit's own."""
    return finding in MINOR or (finding == "region" and "stFloatingOverlayPortal" in html)


class Visitor:
    """One visitor with a browser profile of their own; hears what the page says to the console and asks of other hosts."""

    def __init__(self, chromium: Browser, address: str, width: int = 1280, scheme: Scheme = "light", height: int = 900) -> None:
        self.address = address
        self.context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        self.said: list[str] = []
        self.elsewhere: list[str] = []
        self.page.on("console", lambda m: self.said.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda e: self.said.append(str(e)))
        self.page.on("request", self._asked)
        self.page.on("response", lambda r: self.said.append(f"{r.status} {r.url}") if r.status >= 400 else None)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((self.address, self.address.replace("http", "ws"), "data:", "blob:")):
            self.elsewhere.append(request.url)

    def opens(self, title: str | None = None, query: str = "") -> None:
        """The app, at the page of that title in the navigation."""
        self.page.goto(f"{self.address}/{query}")
        self.page.wait_for_selector("h1")
        if title is not None:
            self.goes_to(title)
        self.settles()

    def goes_to(self, title: str) -> None:
        """Another page by the navigation."""
        link = self.page.get_by_role("link", name=title, exact=True)
        link.first.click()
        self.page.wait_for_selector(SETTLED)
        self.page.wait_for_timeout(300)

    def settles(self, seconds: float = 120) -> None:
        """Waits until nothing is computed any more."""
        until, quiet = time.monotonic() + seconds, 0
        while quiet < 3:
            self.page.wait_for_selector(SETTLED)
            busy = self.page.locator(
                '[data-testid="stProgress"], [data-testid="stSkeletonElement"], [data-testid="stSpinner"]'
            ).count()
            quiet = 0 if busy else quiet + 1
            assert time.monotonic() < until, "the work behind the page does not end"
            self.page.wait_for_timeout(250)

    def text(self) -> str:
        """All that is written on the page."""
        return str(self.page.locator('[data-testid="stMain"]').inner_text())

    def findings(self) -> list[str]:
        """What axe-core finds, but for the minor findings of the library's own parts."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{f['impact']}: {f['id']}: {n['html'][:200]}"
            for f in found
            for n in f["nodes"]
            if not _of_the_library(f["id"], n["html"])
        ]

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def leaves(self) -> None:
        """Closes the profile."""
        self.context.close()
