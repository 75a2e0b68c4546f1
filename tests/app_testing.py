"""The pages run without a browser: from the first look until all work behind them is done."""

from __future__ import annotations

import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

MAIN = str(Path(__file__).parent.parent / "app_pages" / "main.py")


def opened(page: str = "answer", seconds: float = 120) -> AppTest:
    """The app at one page, once nothing is computed any more. No page may end with an error."""
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.run()
    if page != "answer":
        at.switch_page(f"{page}.py").run()
    return settled(at, seconds)


def settled(at: AppTest, seconds: float = 120) -> AppTest:
    """Runs the page again until no progress is shown."""
    until = time.monotonic() + seconds
    while at.get("progress") or at.get("skeleton"):
        assert time.monotonic() < until, "the work behind the page does not end"
        time.sleep(0.2)
        at.run()
    assert not at.exception, [e.value for e in at.exception]
    return at


def texts(at: AppTest) -> str:
    """All that is written on the page, without the signs that keep Markdown from reading user text."""
    kinds = ("title", "header", "subheader", "markdown", "caption", "error", "warning", "info", "success")
    found = [element.value for kind in kinds for element in getattr(at, kind)]
    found += [f"{metric.label} {metric.value}" for metric in at.metric]
    return "\n".join(map(str, found)).replace("\\", "")


FORBIDDEN = (
    "posterior", "prior", "draw", "replication", "shapley", "evppi", "evsi", "standard error", "as_is", "production", " arm ", "arms",
    "contraction", "logit",
)  # fmt: skip
"""Words of the code (design §2) that no page shows."""
