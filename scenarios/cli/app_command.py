"""`pilotproof app`: the pages in a browser, served from this machine."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer

SETTINGS = Path("app_pages") / "config.toml"


def app(
    case: Annotated[str | None, typer.Argument(metavar="[CASE]", help="a shipped name, a TOML file or a case folder")] = None,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="the port to serve on")] = 8501,
    address: Annotated[
        str, typer.Option(help="the address to serve on; anything but this machine needs a proxy, see docs/serving.md")
    ] = "127.0.0.1",
    host: Annotated[
        list[str] | None, typer.Option(help="a further name under which a proxy reaches it, as browsers see it; may be repeated")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="open the page in a browser")] = True,
) -> None:
    """Open the pages in a browser: the answer, why, what if, evidence."""
    from scenarios.files import load

    if case is not None:
        load(case)  # all problems of the case are told here, before a server starts
        os.environ["PILOTPROOF_CASE"] = str(Path(case).resolve()) if Path(case).exists() else case
    root = Path(__file__).resolve().parent.parent.parent
    flags = [
        *settings(root / SETTINGS),
        *(f"--server.allowedHosts={name}" for name in host or ()),
        f"--server.port={port}",
        f"--server.address={address}",
        f"--server.headless={'false' if browser else 'true'}",
    ]
    sys.argv = ["streamlit", "run", str(root / "app.py"), *flags]
    from streamlit.web.cli import main

    main()


def settings(file: Path) -> list[str]:
    """Streamlit's options as it takes them on its command line: a list once an entry, one of the theme as JSON."""
    flags: list[str] = []

    def walk(table: dict[str, object], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            elif isinstance(value, list) and not prefix.startswith("theme."):
                flags.extend(f"--{prefix}{key}={one}" for one in value)
            else:
                flags.append(f"--{prefix}{key}={value if isinstance(value, str) else json.dumps(value)}")

    walk(tomllib.loads(file.read_text(encoding="utf-8")), "")
    return flags
