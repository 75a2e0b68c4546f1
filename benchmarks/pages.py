"""`make bench`: the pages in a browser, written to docs/performance-pages.md. Needs Chromium; wall seconds, so nothing else should run."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import HEAD, Row
from models.decisions.verdict import DECISION_DRAWS
from scenarios.files import load
from scenarios.study import Means
from scenarios.study.stored import stored_verdict
from tests.browser import SETTLED, Visitor, browser, free_port, server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance-pages.md"
CASE = "invoice_processing"
OPENINGS, MOVES, VISITORS = 5, 9, 20
OPEN_SECONDS, MOVE_SECONDS, HEADING_RATIO = 5.0, 1.0, 1.5
CROWD_MILLISECONDS = 400_000
"""Twenty browsers draw on the cores that also simulate."""
LARGE = '[data-testid="stHtml"]'
SLIDER = '[data-testid="stSlider"] input[type="range"]'


def main() -> None:
    stored_verdict(load(CASE), DECISION_DRAWS, 7, Means())  # the solved draws of the example are ready
    with server(CASE) as (address, process), browser() as chromium:
        rows = [
            *_opening(chromium, address), *_heading(chromium, address), *_moving(chromium, address), *_quick(chromium, address),
            *_crowd(chromium, address, process.pid),
        ]  # fmt: skip
    lines = [
        "# Performance of the pages",
        "",
        "Made by `make bench` (wall seconds in Chromium on the machine that also serves the pages; medians).",
        f"Machine: {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; load average {os.getloadavg()[0]:.1f} at the end.",
        "",
        *HEAD,
        *(row.line() for row in rows),
        "",
    ]
    PAGE.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


def _opening(chromium: Browser, address: str) -> Iterator[Row]:
    """From the address to the chance on the Answer page, each time in a fresh browser profile."""
    seconds = []
    for _ in range(OPENINGS):
        visitor = Visitor(chromium, address)
        begun = time.perf_counter()
        visitor.page.goto(address)
        visitor.page.wait_for_selector(LARGE)
        seconds.append(time.perf_counter() - begun)
        visitor.leaves()
    middle, note = (
        statistics.median(seconds[1:]),
        f"first of a server {seconds[0]:.1f} s; of {OPENINGS - 1} others up to {max(seconds[1:]):.1f} s",
    )
    yield Row("page open → first answer", f"{middle:.1f} s", f"≤ {OPEN_SECONDS:.0f} s", middle <= OPEN_SECONDS, note)


def _heading(chromium: Browser, address: str) -> Iterator[Row]:
    """Until the first heading, beside a page of one title served alike; turn by turn."""
    with _bare() as bare:
        pairs = [(_first_heading(chromium, address), _first_heading(chromium, bare)) for _ in range(OPENINGS)]
    ratio = statistics.median(a / b for a, b in pairs)
    note = f"{statistics.median(a for a, _ in pairs):.2f} s beside {statistics.median(b for _, b in pairs):.2f} s of a page with one title"
    yield Row(
        "page open → first heading, beside a bare page", f"{ratio:.2f} ×", f"≤ {HEADING_RATIO} ×", ratio <= HEADING_RATIO, note
    )


def _first_heading(chromium: Browser, address: str) -> float:
    visitor = Visitor(chromium, address)
    begun = time.perf_counter()
    visitor.page.goto(address)
    visitor.page.wait_for_selector("h1")
    seconds = time.perf_counter() - begun
    visitor.leaves()
    return seconds


class _bare:  # noqa: N801
    """A Streamlit page with one title, as a context manager that gives its address."""

    def __enter__(self) -> str:
        self.folder = tempfile.TemporaryDirectory()
        script = Path(self.folder.name) / "bare.py"
        script.write_text("import streamlit as st\n\nst.title('Bare')\n", encoding="utf-8")
        port = free_port()
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), "--server.headless", "true"]
        self.process = subprocess.Popen(command, cwd=self.folder.name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(6)
        return f"http://127.0.0.1:{port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
        self.folder.cleanup()


def _moving(chromium: Browser, address: str) -> Iterator[Row]:
    """From a key on the slider of accuracy to the paired difference of that value."""
    visitor = _at_what_if(chromium, address)
    seconds = [_moved(visitor, 1) for _ in range(MOVES)]
    middle = statistics.median(seconds)
    yield Row(
        "slider → paired difference", f"{middle:.2f} s", f"≤ {MOVE_SECONDS:.0f} s", middle <= MOVE_SECONDS,
        f"from 5 futures, then tightening; {min(seconds):.2f} to {max(seconds):.2f} s in {MOVES} moves",
    )  # fmt: skip
    visitor.leaves()


def _quick(chromium: Browser, address: str) -> Iterator[Row]:
    """Five changes at once must cost no more than little beyond one: the older ones are given up."""
    visitor = _at_what_if(chromium, address)
    one = statistics.median(_moved(visitor, 1) for _ in range(3))
    five = statistics.median(_moved(visitor, 5) for _ in range(3))
    yield Row(
        "five quick changes → difference of the last",
        f"{five:.2f} s",
        "≤ 2 × one",
        five <= 2 * one + 0.5,
        f"one change {one:.2f} s",
    )
    visitor.leaves()


def _at_what_if(chromium: Browser, address: str) -> Visitor:
    visitor = Visitor(chromium, address)
    visitor.opens("What if")
    return visitor


def _moved(visitor: Visitor, steps: int) -> float:
    """Seconds from the last key to the difference under the heading of the new value."""
    slider = visitor.page.locator(SLIDER).first
    slider.focus()
    for _ in range(steps):
        visitor.page.keyboard.press("ArrowRight")
    begun = time.perf_counter()
    visitor.page.wait_for_function(
        """([large]) => { const value = document.querySelector('[data-testid="stSlider"] input[type="range"]').value;
        const heading = [...document.querySelectorAll('h2')].some(h => h.innerText.includes('→ ' + Number(value) + ' %'));
        return heading && document.querySelector(large) !== null && document.querySelector('[data-testid="stSkeletonElement"]') === null; }""",
        arg=[LARGE],
    )
    return time.perf_counter() - begun


def _crowd(chromium: Browser, address: str, server_process: int) -> Iterator[Row]:
    """Twenty visitors, each with a profile of their own, move the accuracy to a value of their own at once."""
    before = _megabytes(server_process)
    crowd = [Visitor(chromium, address) for _ in range(VISITORS)]
    for visitor in crowd:
        visitor.page.set_default_timeout(CROWD_MILLISECONDS)
    begun = time.perf_counter()
    for visitor in crowd:
        visitor.page.goto(address)
    for visitor in crowd:
        visitor.page.wait_for_selector(LARGE)
        visitor.goes_to("What if")
    for i, visitor in enumerate(crowd):
        visitor.page.locator(SLIDER).first.focus()
        for _ in range(i + 1):
            visitor.page.keyboard.press("ArrowRight")
    for visitor in crowd:
        visitor.page.wait_for_selector(SETTLED)
        visitor.page.wait_for_selector(LARGE)
    seconds = time.perf_counter() - begun
    errors = sum(visitor.page.locator('[data-testid="stException"]').count() + len(visitor.said) for visitor in crowd)
    headings = {visitor.page.locator("h2").first.inner_text() for visitor in crowd}
    memory = _megabytes(server_process)
    for visitor in crowd:
        visitor.leaves()
    note = f"{len(headings)} different what-ifs seen; all had theirs after {seconds:.0f} s; server {before:.0f} MB before, {memory:.0f} MB with them"
    yield Row(f"{VISITORS} visitors at once: errors", str(errors), "0", errors == 0 and len(headings) == VISITORS, note)


def _megabytes(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
