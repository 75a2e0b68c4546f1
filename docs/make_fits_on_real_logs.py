"""Writes docs/fits-on-real-logs.md; needs the logs: PILOTPROOF_LOGS names their folder (about two minutes, one core)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from scenarios.validation.real_logs import main

PAGE = Path(__file__).resolve().parent / "fits-on-real-logs.md"

if __name__ == "__main__":
    folder = os.environ.get("PILOTPROOF_LOGS")
    if not folder:
        sys.exit(
            "PILOTPROOF_LOGS is not set: it names the folder with the two logs, which are not part of the project; nothing was written"
        )
    sys.exit(main([folder, "--out", str(PAGE)]))
