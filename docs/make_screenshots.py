"""Takes the pictures of the pages for the README: python -m docs.make_screenshots. Needs Chromium."""

from __future__ import annotations

from pathlib import Path

from tests.browser import Visitor, browser, server

HERE = Path(__file__).resolve().parent
STEPS = 17
"""Half points of accuracy that the control is moved up."""


def main() -> None:
    """Both pictures, from a server of its own."""
    with server("invoice_processing") as (address, _), browser() as chromium:
        take(chromium, address)


def take(chromium: object, address: str) -> None:
    """The answer of the example, and a what-if of it."""
    visitor = Visitor(chromium, address, height=1_000)  # type: ignore[arg-type]
    visitor.page.goto(address)
    visitor.page.wait_for_selector("h1")
    visitor.settles(600)
    visitor.page.screenshot(path=HERE / "app-answer.png")
    visitor.goes_to("What if")
    slider = visitor.page.locator('[data-testid="stSlider"] input[type="range"]').first
    slider.focus()
    for _ in range(STEPS):
        visitor.page.keyboard.press("ArrowRight")
    visitor.page.wait_for_selector('[data-testid="stHtml"]')
    visitor.settles(600)
    visitor.page.screenshot(path=HERE / "app-what-if.png")
    visitor.leaves()


if __name__ == "__main__":
    main()
