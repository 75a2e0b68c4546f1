"""`make docs`: writes every generated page anew. The validation page needs the real log: PILOTPROOF_LOGS names its folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LOG = "bpic2020_international_declarations.csv.gz"
PAGES = (
    ["docs.make_errors"],
    ["docs.make_scenario_reference"],
    ["docs.make_evidence"],
    ["docs.make_answers"],
    ["docs.make_verification"],
    ["docs.make_backtest"],
    ["scenarios.exhibits", "--out", "docs/weeks-after-go-live.md"],
    ["docs.make_readme"],
    ["benchmarks.scale"],
)


def main() -> None:
    """Runs each generator in a process of its own; stops at the first that fails."""
    pages = list(PAGES)
    folder = os.environ.get("PILOTPROOF_LOGS")
    if folder:
        pages.append(["scenarios.logs.validation", str(Path(folder) / LOG), "--out", "docs/validation.md"])
        pages.append(["docs.make_fits_on_real_logs"])
    for page in pages:
        subprocess.run([sys.executable, "-m", *page], check=True)


if __name__ == "__main__":
    main()
