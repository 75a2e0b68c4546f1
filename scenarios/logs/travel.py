"""Makes scenarios/travel_declarations.toml from the travel log: python -m scenarios.logs.travel LOG.csv.gz [--out FILE]."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scenarios.logs.travel_facts import derive
from scenarios.logs.travel_log import LogError, read
from scenarios.logs.travel_text import scenario_text

WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the scenario file, or a one-line error; returns the exit code."""
    parser = argparse.ArgumentParser("python -m scenarios.logs.travel", description="Makes the travel scenario from its log.")
    parser.add_argument("log", type=Path, help="bpic2020_international_declarations.csv.gz")
    parser.add_argument("--out", type=Path, help="where to write the scenario; if left out, to the screen")
    options = parser.parse_args(arguments)
    try:
        text = scenario_text(derive(read(options.log)))
    except LogError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG_INPUT
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
