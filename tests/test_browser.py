"""Every page in Chromium: at a desk and on a phone, light and dark; the whole path as a user; nobody sees another's case."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import SCHEMES, WIDTHS, Scheme, Visitor, browser, needs_chromium, server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.slow, needs_chromium, pytest.mark.xdist_group("browser")]
CASE = "travel_declarations"
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


def test_the_whole_path_of_a_user(address: str, chromium: Browser, tmp_path: Path) -> None:
    """A case of one's own by the questions → answer → change accuracy → difference → save → compare → link in a fresh browser → download."""
    visitor = Visitor(chromium, address, height=1_400)
    visitor.opens("Start")
    page = visitor.page
    page.get_by_label("Name of your case").first.fill("Würzburg *invoices*")
    page.keyboard.press("Tab")
    open_question(visitor, 1)
    page.get_by_label("Which number is promised").first.fill("6 d")
    page.keyboard.press("Tab")
    visitor.settles()
    page.get_by_role("button", name="Show my answer").click()
    visitor.settles()
    visitor.goes_to("Answer")
    visitor.settles()
    assert "6 days" in page.locator("h1").inner_text()
    assert "example" not in visitor.text().split("Can I trust this?")[0].lower()

    visitor.goes_to("What if")
    page.locator('[data-testid="stSlider"] input[type="range"]').first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    visitor.settles()
    difference = page.locator('[data-testid="stHtml"]').first.inner_text()
    assert "faster" in difference or "Not distinguishable" in difference
    page.get_by_label("Name of this what-if").fill("Better AI")
    page.get_by_role("button", name="Save").click()
    visitor.settles()
    assert "Better AI" in page.locator('[data-testid="stTable"]').last.inner_text()
    numbers = page.locator('[data-testid="stMetricValue"]').all_inner_texts()
    page.get_by_text("Link to this state").click()
    link = page.locator("code", has_text="?s=").inner_text().replace("\n", "")

    fresh = Visitor(chromium, address, height=1_400)
    fresh.page.goto(link)
    fresh.page.wait_for_selector('[data-testid="stMetricValue"]')
    fresh.settles()
    assert fresh.page.locator('[data-testid="stMetricValue"]').all_inner_texts() == numbers
    assert fresh.said == []

    visitor.goes_to("Answer")
    visitor.settles()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="This answer as one page (HTML)").click()
    file = tmp_path / "answer.html"
    waiting.value.save_as(file)
    html = file.read_text(encoding="utf-8")
    assert "6 days" in html
    assert "http" not in html.replace("http://www.w3.org", "").replace("https://www.w3.org", "")
    visitor.goes_to("Start")
    visitor.settles()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download my case (zip)").first.click()
    waiting.value.save_as(tmp_path / "case.zip")
    assert visitor.said == []
    assert visitor.elsewhere == []
    for one in (visitor, fresh):
        one.leaves()


def test_a_case_of_ones_own_is_not_shown_to_another_browser_that_has_its_address(address: str, chromium: Browser) -> None:
    visitor = Visitor(chromium, address)
    visitor.opens("Start")
    visitor.page.get_by_role("button", name="Show my answer").click()
    visitor.settles()
    visitor.goes_to("Answer")
    visitor.page.wait_for_function("window.location.search.includes('mine=')")
    mine = visitor.page.evaluate("window.location.search")
    visitor.page.reload()
    visitor.settles()
    assert "Make it my case" not in visitor.text()
    other = Visitor(chromium, address)
    other.opens(query=mine)
    assert "belongs to another browser" in other.text()
    for one in (visitor, other):
        one.leaves()
