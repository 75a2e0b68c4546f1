"""Compares the as-is arm of the travel scenario with its log: python -m scenarios.logs.validation LOG.csv.gz [--out FILE]."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scenarios.logs.travel import WRONG_INPUT
from scenarios.logs.travel_log import LogError, read
from scenarios.logs.validation_text import report


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the report, or a one-line error; returns the exit code."""
    parser = argparse.ArgumentParser(
        "python -m scenarios.logs.validation", description="Compares the travel scenario with its log."
    )
    parser.add_argument("log", type=Path, help="bpic2020_international_declarations.csv.gz")
    parser.add_argument("--out", type=Path, help="where to write the report; if left out, to the screen")
    options = parser.parse_args(arguments)
    try:
        log = read(options.log)
    except LogError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG_INPUT
    text = report(log)
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
