"""Every planted fault is noticed by the test that it names, and that test passes without the fault."""

from __future__ import annotations

import sys

import pytest

from tests.planted_faults import FAULTS, ROOT, Fault, at_most, check_of, world

FILES = sorted({fault.check.partition("::")[0] for fault in FAULTS})


@pytest.mark.parametrize("file", FILES)
def test_the_checks_pass_without_a_fault(file: str) -> None:
    checks = {(f.check, f.given, f.engine): f for f in FAULTS if f.check.startswith(f"{file}::")}
    with world(file) as tests:
        for fault in checks.values():
            with at_most(60):
                check_of(fault, tests)()


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
def test_the_check_fails_under_the_fault(fault: Fault) -> None:
    """By a broken assertion (or a refusal that does not come), not by an accident such as a wrong name."""
    with world(fault.check.partition("::")[0], fault) as tests:
        check = check_of(fault, tests)
        with at_most(30), pytest.raises((AssertionError, pytest.fail.Exception)):
            check()


def test_a_fault_changes_its_own_world_only() -> None:
    import simulator.draws as before

    fault = next(f for f in FAULTS if f.module == "draws")
    with world("test_draws", fault):
        inside = sys.modules["simulator.draws"]
        assert inside is not before
    assert sys.modules["simulator.draws"] is before
    assert before.philox((0, 0, 0, 0), (0, 0))[0] == 0x6627E8D5


def test_a_fault_whose_line_is_gone_says_so() -> None:
    fault = Fault("old news", "clock", "a line that was rewritten", "", "test_clock::none")
    with pytest.raises(ValueError, match="old news: clock holds 0 times: a line that was rewritten"):
        fault.plant((ROOT / "simulator" / "clock.py").read_text(encoding="utf-8"))


def test_there_are_enough_faults_in_every_part_of_the_simulator() -> None:
    assert len(FAULTS) >= 90
    assert sum(fault.module == "kernel" for fault in FAULTS) >= 35
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert {fault.module for fault in FAULTS} == {
        "checks", "clock", "distributions", "draws", "futures", "kernel", "ledger", "program", "quantiles", "simpy_engine", "steps",
    }  # fmt: skip
