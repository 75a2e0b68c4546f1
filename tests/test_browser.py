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
