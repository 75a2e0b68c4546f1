"""Every page in Chromium: at a desk and on a phone, light and dark; the whole path as a user; nobody sees another's case."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app_pages.addresses import PAGES as PAGES_BY_ADDRESS
from app_pages.headers import HEADERS
from scenarios.case_archive import unpacked
from scenarios.files import load
from scenarios.workspaces import PREFIX
from tests.browser import ROOT, SCHEMES, SETTLED, WIDTHS, Scheme, Visitor, browser, free_port, needs_chromium, server, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.xdist_group("browser")]
CASE = "travel_declarations"
TITLE = "Würzburg *invoices* <b>"
PAGES = ("Answer", "Start", "Why", "What if", "Evidence")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with server(CASE) as (found, _):
        yield found


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_whole_quiet_and_within_reach(width: int, scheme: Scheme, address: str, chromium: Browser) -> None:
    visitor = Visitor(chromium, address, width, scheme)
    visitor.opens()
    for title in PAGES:
        visitor.goes_to(title)
        visitor.settles()
        page = visitor.page
        assert page.locator('[data-testid="stException"]').count() == 0, title
        assert page.locator("h1").count() == 1, title
        assert visitor.overflow() <= 0, title
        assert visitor.findings() == [], title
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement !== document.body"), title
    assert visitor.said == []
    assert visitor.elsewhere == []
    visitor.leaves()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_what_is_unfolded_is_whole_and_quiet_too(width: int, scheme: Scheme, address: str, chromium: Browser) -> None:
    visitor = Visitor(chromium, address, width, scheme, height=1_600)
    visitor.opens("Why")
    for part in ("What does each cause do", "What happens week by week", "How busy is each team", "What happens to one"):
        visitor.page.get_by_text(part).first.click()
        visitor.page.wait_for_timeout(500)
        visitor.settles()
    shown = visitor.findings(), visitor.overflow(), visitor.page.locator('[data-testid="stVegaLiteChart"]').count()
    visitor.goes_to("What if")
    visitor.page.locator('[data-testid="stSlider"] input[type="range"]').first.focus()
    visitor.page.keyboard.press("ArrowRight")
    visitor.page.wait_for_selector('[data-testid="stHtml"]')
    visitor.page.get_by_text("Which accuracy would be enough?").click()
    visitor.page.get_by_text("Every level in the same").wait_for()  # its first stage; the last one is drawn alike
    visitor.page.wait_for_selector(SETTLED)
    assert shown == ([], 0, 6)
    assert visitor.findings() == []
    assert visitor.overflow() <= 0
    assert visitor.page.locator('[data-testid="stException"]').count() == 0
    assert visitor.said == []
    visitor.leaves()


@pytest.mark.parametrize(
    ("path", "title"), [("what_if", "What if"), ("why?case=claims_intake", "Why"), ("evidence?page=start", "measured")]
)
def test_a_page_opens_by_its_own_address_and_again_when_it_is_loaded_again(
    path: str, title: str, address: str, chromium: Browser
) -> None:
    visitor = Visitor(chromium, address)
    for _ in range(2):
        visitor.page.goto(f"{address}/{path}")
        visitor.page.get_by_role("heading", level=1, name=title).wait_for()
        visitor.page.wait_for_selector(SETTLED)
        path = visitor.page.url.removeprefix(f"{address}/")
    assert path.partition("?")[0] in PAGES_BY_ADDRESS
    assert ("case=claims_intake" in path) == (title == "Why")
    assert visitor.said == []
    visitor.leaves()


def test_the_whole_path_of_a_user(address: str, chromium: Browser, tmp_path: Path) -> None:
    """A case of one's own by the questions → answer → change accuracy → difference → save → compare → link in a fresh browser → download."""
    visitor = Visitor(chromium, address, height=1_400)
    own_case(visitor)
    numbers, link = what_if(visitor)
    fresh = Visitor(chromium, address, height=1_400)
    fresh.page.goto(link)
    fresh.page.wait_for_selector('[data-testid="stMetricValue"]')
    fresh.settles()
    assert fresh.page.locator('[data-testid="stMetricValue"]').all_inner_texts() == numbers
    html = downloaded(visitor, "Answer", "This answer as one page (HTML)", tmp_path / "answer.html").decode()
    assert "6 days" in html
    assert "http" not in html.replace("http://www.w3.org", "").replace("https://www.w3.org", "")
    unpacked(downloaded(visitor, "Start", "Download my case (zip)", tmp_path / "case.zip"), tmp_path / "again")
    assert load(str(tmp_path / "again")).case.title == TITLE
    assert load(str(tmp_path / "again" / "what_ifs" / "better_ai.toml")).case.what_if is not None
    for one in (visitor, fresh):
        assert not one.said, "\n".join(one.said)
        assert one.elsewhere == []
        one.leaves()


def own_case(visitor: Visitor) -> None:
    """A case of one's own by the questions, and its answer."""
    visitor.opens("Start")
    page = visitor.page
    page.get_by_role("textbox", name="Name of your case").first.fill(TITLE)
    page.keyboard.press("Tab")
    page.get_by_role("textbox", name="Promised time").first.fill("6 d")
    page.keyboard.press("Tab")
    visitor.settles()
    page.get_by_role("button", name="Show my answer").click()
    page.get_by_role("heading", name="What was made of your answers").wait_for()
    visitor.goes_to("Answer")
    visitor.settles()
    assert "6 days" in page.locator("h1").inner_text()
    assert "Example, made of" not in visitor.text()


def what_if(visitor: Visitor) -> tuple[list[str], str]:
    """Another accuracy, its difference, saved and beside others; the numbers of the page, and the link to it."""
    visitor.goes_to("What if")
    page = visitor.page
    page.locator('[data-testid="stSlider"] input[type="range"]').first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_selector('[data-testid="stHtml"]')
    visitor.settles()
    difference = page.locator('[data-testid="stHtml"]').first.inner_text()
    assert "faster" in difference or "Not distinguishable" in difference
    page.get_by_role("textbox", name="Name of this what-if").fill("Better AI")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="Saved what-ifs side by side").wait_for()
    visitor.settles()
    assert "Better AI" in page.locator('[data-testid="stTable"]').last.inner_text()
    numbers = page.locator('[data-testid="stMetricValue"]').all_inner_texts()
    page.get_by_text("Link to this state").click()
    return numbers, page.locator("code", has_text="?s=").inner_text().replace("\n", "")


def slider(visitor: Visitor, label: str) -> Locator:
    """The handle of a control."""
    return visitor.page.locator('[data-testid="stSlider"]', has_text=label).first.locator('input[type="range"]')


def moved(visitor: Visitor, label: str, key: str = "ArrowRight") -> None:
    """Moves a control by one step."""
    slider(visitor, label).focus()
    visitor.page.keyboard.press(key)
    visitor.page.wait_for_timeout(500)
    visitor.settles()


def test_back_to_the_case_as_it_is_moves_the_controls_back_for_good(address: str, chromium: Browser) -> None:
    """The browser itself keeps what it knows of a control; what was put back must not come again with the next move."""
    accuracy, accepted = "Accuracy, live", "Accepted without review"
    visitor = Visitor(chromium, address, height=1_400)
    visitor.opens("What if")
    present = {label: slider(visitor, label).input_value() for label in (accuracy, accepted)}
    for _ in range(2):
        for label in present:
            moved(visitor, label)
        assert all(slider(visitor, label).input_value() != value for label, value in present.items())
        visitor.goes_to("Evidence")
        visitor.goes_to("What if")
        visitor.settles()
        assert all(slider(visitor, label).input_value() != value for label, value in present.items())
        visitor.page.get_by_role("button", name="Back to the case as it is").click()
        visitor.page.get_by_text("Nothing is changed yet").wait_for()
        visitor.settles()
        assert {label: slider(visitor, label).input_value() for label in present} == present
        moved(visitor, accepted)
        heading = visitor.page.locator("h2").first.inner_text()
        assert accepted in heading
        assert accuracy not in heading
        assert slider(visitor, accuracy).input_value() == present[accuracy]
        moved(visitor, accepted, "ArrowLeft")
        assert "Nothing is changed yet" in visitor.text()
    assert visitor.said == []
    visitor.leaves()


def downloaded(visitor: Visitor, page: str, button: str, file: Path) -> bytes:
    """What a button gives."""
    visitor.goes_to(page)
    visitor.settles()
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_role("button", name=button).first.click()
    waiting.value.save_as(file)
    return file.read_bytes()


def test_a_case_of_ones_own_is_not_shown_to_another_browser_that_has_its_address(address: str, chromium: Browser) -> None:
    visitor = Visitor(chromium, address)
    visitor.opens("Start")
    visitor.page.get_by_role("button", name="Show my answer").click()
    visitor.page.get_by_role("heading", name="What was made of your answers").wait_for()
    visitor.page.wait_for_function("window.location.search.includes('mine=')")
    mine = visitor.page.evaluate("window.location.search")
    visitor.opens("Start", mine)
    assert "Your case:" in visitor.text()
    other = Visitor(chromium, address)
    other.opens(query=mine)
    assert "belongs to another browser" in other.text()
    for one in (visitor, other):
        one.leaves()


def handshake(port: int, host: str) -> str:
    """What the server answers to a page of this host that wants its line."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        ask = f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        line.sendall(f"{ask}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
        return line.recv(200).decode(errors="replace")


def test_the_command_serves_with_its_settings_and_headers_and_leaves_nothing_behind(chromium: Browser, tmp_path: Path) -> None:
    """`pilotproof app` itself, from another folder, on a port of its own."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "scenarios.cli.main",
        "app",
        CASE,
        "--port",
        str(port),
        "--no-browser",
        "--host",
        "pilot.example.com",
    ]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        wait_for(f"http://127.0.0.1:{port}", process)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
            headers = {name.lower(): value for name, value in answer.headers.items()}
        assert HEADERS.items() <= headers.items()
        config = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/host-config", timeout=10))
        assert config
        assert " 101 " not in handshake(port, "evil.example")  # a page of another host that points its name at this machine
        for own in (f"127.0.0.1:{port}", f"localhost:{port}", "pilot.example.com"):
            assert " 101 " in handshake(port, own)
        visitor = Visitor(chromium, f"http://127.0.0.1:{port}")
        visitor.opens()
        assert "Will declarations be done" in visitor.page.locator("h1").inner_text()
        assert visitor.page.evaluate("getComputedStyle(document.querySelector('h1')).fontSize") == "25.6px"  # 1.6 of 16
        assert visitor.said == []
        visitor.leaves()
    finally:
        process.terminate()
        process.wait(timeout=30)
    for place in (Path("/dev/shm"), Path(tempfile.gettempdir())):
        assert not list(place.glob(f"{PREFIX}{process.pid}-*"))


def test_files_good_and_bad_are_uploaded_and_told(address: str, chromium: Browser, tmp_path: Path) -> None:
    visitor = Visitor(chromium, address, height=1_600)
    visitor.opens("Evidence")
    disguised, formula, good = tmp_path / "approvals.csv", tmp_path / "seeded.csv", tmp_path / "counts.csv"
    disguised.write_bytes(b"PK\x03\x04 no table at all \x00\x01")
    formula.write_text(
        "step,reviewer,waiting_per_head,shown,caught\nhand_over,A,2,20,18\nhand_over,B,9,=10+10,16\n", encoding="utf-8"
    )
    good.write_text("parameter,happened,tried\nsteps.recheck.options.1.share,214,1000\n", encoding="utf-8")
    for file in (disguised, formula, good):
        visitor.page.locator('input[type="file"]').first.set_input_files(file)
        visitor.page.get_by_text(file.name).first.wait_for()
        visitor.page.get_by_role("button", name="Add these files").click()
        visitor.page.get_by_text(f"{file.name} is added as").wait_for()
        visitor.settles()
    text = visitor.text()
    assert "Traceback" not in text
    assert "is not a .csv file, whatever its name says" in text
    assert "row 3, column shown" in text
    assert "Not used yet, so no answer rests on them" in text
    assert visitor.page.locator('[data-testid="stException"]').count() == 0
    assert not visitor.said, "\n".join(visitor.said)
    visitor.leaves()
