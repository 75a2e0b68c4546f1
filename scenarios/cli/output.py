"""What goes to the screen: JSON alone, and a progress line."""

from __future__ import annotations

import json
import sys
from typing import Any


def print_json(data: object) -> None:
    """JSON alone, sorted as given, ending in a newline."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def progress_on(stream: Any, show: bool) -> Any:
    """A progress line on standard error when it is a terminal."""

    def line(what: str, done: int, total: int) -> None:
        stream.write(f"\r\x1b[K  {what}: {done} of {total}")
        stream.flush()

    def nothing(*_: object) -> None:
        return

    return line if show and stream.isatty() else nothing


def clear_progress() -> None:
    """Removes the progress line."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
