"""docs/verification.md is in step with the tests that it reports."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from docs.fit_verification import FIT_ORACLES, calibration_lines, fit_oracle_lines
from simulator.textbook import run_checks

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_verification", ROOT / "docs" / "make_verification.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page() -> str:
    return (ROOT / "docs" / "verification.md").read_text(encoding="utf-8")


def test_every_planted_fault_and_its_test_stand_on_the_page(maker: ModuleType, page: str) -> None:
    for line in maker.fault_lines():
        assert line in page


def test_the_counts_of_exact_oracles_are_those_of_the_tests(maker: ModuleType, page: str) -> None:
    for line in maker.oracle_lines():
        assert line in page


def test_what_the_engines_were_compared_on_stands_on_the_page(maker: ModuleType, page: str) -> None:
    for line in maker.equality_lines():
        assert line in page
    assert min(maker.generated().workflows.values()) > maker.IN_CI // 4
    assert maker.IN_CI >= 300


def test_the_oracles_of_the_fits_exist_and_stand_on_the_page(maker: ModuleType, page: str) -> None:
    for _, module, test, _ in FIT_ORACLES:
        assert test in maker.tests_in(module, "test_"), test
    for line in (*fit_oracle_lines(), *calibration_lines()):
        assert line in page


def test_the_unchanged_cases_table_names_tests_that_exist(maker: ModuleType) -> None:
    names = maker.tests_in("test_common_random_numbers", "test_")
    assert all(test in names for *_, test in maker.UNCHANGED)


def test_the_quick_rows_give_the_printed_figures(maker: ModuleType, page: str) -> None:
    for result in run_checks(quick=True):
        assert maker.textbook_line(result) in page
