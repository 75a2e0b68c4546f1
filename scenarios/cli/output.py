"""What goes to the screen: JSON alone, and a progress line."""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def print_json(data: object) -> None:
    """JSON alone, sorted as given, ending in a newline."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def progress_on(stream: Any, show: bool) -> Any:
    """A progress line on standard error when it is a terminal: what, how far, time left, and what is known so far."""

    began: dict[str, tuple[float, int]] = {}

    def line(what: str, done: int, total: int, so_far: str = "") -> None:
        start, first = began.setdefault(what, (time.monotonic(), done))
        passed, news = time.monotonic() - start, done - first
        left = f", about {passed / news * (total - done):.0f} s left" if news and passed > 1 and done < total else ""
        stream.write(f"\r\x1b[K  {what}: {done} of {total}{left}{f' · {so_far}' if so_far else ''}")
        stream.flush()

    def nothing(*_: object) -> None:
        return

    return line if show and stream.isatty() else nothing


def clear_progress() -> None:
    """Removes the progress line."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
