"""The kernel is compiled once, before tests that run at the same time would each compile it."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        from simulator.compiled_engine import warm

        warm()
