"""The kernel is compiled once, before tests that run at the same time would each compile it; and the main module stays what it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        from simulator.compiled_engine import warm

        warm()


@pytest.fixture(autouse=True)
def _main_module_stays() -> Iterator[None]:
    """Pages that are run without a browser put their script in its place; a process that a later test begins would run that script."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
