"""The formulas against published values, the table against the engine, and what the table would notice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from simulator import compiled_engine
from simulator.futures import Future
from simulator.ledger import Ledger
from simulator.program import F, Op, Program
from simulator.queueing import (
    cobham,
    erlang_b,
    erlang_c,
    finite_room_loss,
    impatient_loss,
    mmc_wait,
    pollaczek_khinchine,
    retries_time,
    rework_time,
)
from simulator.simpy_engine import simulate
from simulator.textbook import CHECKS, SECOND, UNIT, Check, chosen, judged, poisson, run_check, run_checks

Simulate = Callable[[Program, int, Future], Ledger]
NAMES = [check.name for check in CHECKS]
QUICK = [check.name for check in CHECKS if check.quick]


def check_of(name: str) -> Check:
    return chosen([name])[0]


def slowed(factor: float, simulate: Simulate = simulate) -> Simulate:
    """An engine whose services and delays all take longer by a factor: the planted fault."""

    def engine(program: Program, draw: int, future: Future) -> Ledger:
        slots = program.slots.copy()
        for step in program.steps[np.isin(program.steps[:, F.OP], (Op.SERVE, Op.DELAY))]:
            slots[:, program.tables[step[F.TABLE], 0]] *= factor
        return simulate(replace(program, slots=slots), draw, future)

    return engine


# The formulas.


def test_theory_agrees_with_the_published_values() -> None:
    """Verification plan, section 3."""
    published = {
        "M/M/1 wait": 4, "M/D/1 wait": 2, "M/G/1 wait": 2.25, "M/M/3 wait": 0.4444, "M/M/8 loss": 0.07005,
        "M/G/8 loss": 0.07005, "M/M/1/5 loss": 0.08882, "M/M/3/10 loss": 0.03904, "M/M/1 rework time": 4,
        "rework passes": 1.33333, "priority high, 1 server": 0.8861, "priority low, 1 server": 2.9536,
        "priority high, 2 servers": 0.36485, "priority low, 2 servers": 1.21618, "tandem time": 5.3333,
        "slower of two branches": 1.5, "weekly run": 3.5, "two runs a week": 1.7857,
    }  # fmt: skip
    for name, value in published.items():
        assert check_of(name).theory == pytest.approx(value, abs=6e-5), name


def test_erlang_against_their_sums() -> None:
    """B = (a^c / c!) / Σ a^n / n!, and C with the last term times c / (c - a)."""
    for servers, load in ((1, 0.5), (3, 2.0), (8, 5.0)):
        terms = [load**n / math.factorial(n) for n in range(servers + 1)]
        last = terms[-1] * servers / (servers - load)
        assert erlang_b(servers, load) == pytest.approx(terms[-1] / sum(terms))
        assert erlang_c(servers, load) == pytest.approx(last / (sum(terms[:-1]) + last))


def test_formulas_agree_where_their_models_meet() -> None:
    assert mmc_wait(1, 0.8, 1) == pytest.approx(pollaczek_khinchine(0.8, 1, 1))
    assert cobham(2, (0.7,), 1, 0) == pytest.approx(mmc_wait(2, 0.7, 1))
    mean = 0.3 * cobham(3, (0.6, 1.4), 1, 0) + 0.7 * cobham(3, (0.6, 1.4), 1, 1)
    assert mean == pytest.approx(mmc_wait(3, 2.0, 1))  # conservation: the order of service does not change the mean
    assert finite_room_loss(8, 8, 5, 1) == pytest.approx(erlang_b(8, 5))
    assert impatient_loss(8, 5, 1, 0) == pytest.approx(erlang_b(8, 5))
    assert impatient_loss(3, 2, 1, 60) == pytest.approx(0, abs=1e-12)
    assert impatient_loss(3, 3, 1, 1) == pytest.approx(impatient_loss(3, 3.000001, 1, 1), rel=1e-5)
    assert rework_time(0.5, 1, 0) == pytest.approx(1 / (1 - 0.5))
    assert retries_time(0.5, 100, 0.3, 1, 9, 9) == pytest.approx(0.5)
    assert retries_time(0.5, 100, 1, 3, 2, 3) == pytest.approx(3 * 0.5 + 2 + 2 * 3)


def test_a_patience_of_one_second_is_a_loss_system() -> None:
    assert impatient_loss(8, 5, 1, SECOND) == pytest.approx(erlang_b(8, 5), rel=1e-3)


def test_an_overloaded_queue_has_no_mean() -> None:
    assert mmc_wait(3, 3, 1) == pollaczek_khinchine(1, 1, 0) == rework_time(1, 1, 0) == math.inf
    assert cobham(1, (0.5, 0.5), 1, 1) == math.inf
    assert cobham(1, (0.5, 0.4), 1.2, 0) < math.inf


# The table.


def test_arrivals_are_poisson_with_the_shares_of_the_types() -> None:
    """200 runs of 50 ± √50; 30 % of the first type; the same arrivals for the same address."""
    rates = np.asarray([0.3, 0.7]) / UNIT
    runs = [poisson(7, number, rates, 50 * UNIT) for number in range(200)]
    counts = [len(run) for run in runs]
    assert np.mean(counts) == pytest.approx(50, abs=2)
    assert np.var(counts) == pytest.approx(50, rel=0.3)
    assert np.mean([kind for run in runs for _, kind in run]) == pytest.approx(0.7, abs=0.02)
    for seconds in ([second for second, _ in run] for run in runs):
        assert seconds == sorted(seconds)
        assert seconds[-1] < 50 * UNIT
    assert poisson(7, 3, rates, 50 * UNIT) == runs[3] != poisson(8, 3, rates, 50 * UNIT)


def test_no_two_rows_share_a_seed_or_a_name() -> None:
    assert len({check.seed for check in CHECKS}) == len(set(NAMES)) == len(CHECKS)


def test_rows_are_chosen_by_name() -> None:
    assert [check.name for check in chosen(["tandem time", "M/M/1 wait"])] == ["M/M/1 wait", "tandem time"]
    assert [check.name for check in chosen(quick=True)] == QUICK
    assert chosen() == CHECKS
    with pytest.raises(ValueError, match='did you mean "M/M/3 wait"'):
        chosen(["M/M/3 waits"])


def test_a_row_says_the_same_alone_or_with_others_and_reports_progress() -> None:
    seen: list[tuple[int, int, str]] = []
    both = run_checks(["weekly run", "rework passes"], lambda *state: seen.append(state))
    assert both[1] == run_check(check_of("weekly run"))
    assert seen == [(0, 2, "rework passes"), (1, 2, "weekly run"), (2, 2, "")]


def test_a_noisy_row_cannot_pass() -> None:
    """Three replications agree with theory well within their error, but that error is too large."""
    found = run_check(replace(check_of("weekly run"), replications=3, length=14))
    assert abs(found.z) < found.critical
    assert not found.passed


def test_the_fault_that_a_row_sees_is_translated_into_service_time() -> None:
    """M/M/1 at load .8: services 3 % longer make the wait .824 · 1.03 / .176 / 4 - 1 = 20.6 % longer."""
    check = check_of("M/M/1 wait")
    assert check.service_fault_percent(20.5568) == pytest.approx(3, abs=1e-3)
    assert check_of("weekly run").service_fault_percent(1.0) is None


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_rows(name: str) -> None:
    assert_agrees(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in QUICK])
def test_all_other_rows(name: str) -> None:
    """By the compiled engine, which writes the same ledgers row for row (test_equality) in a fiftieth of the time."""
    assert_agrees(name, compiled_engine.simulate)


def assert_agrees(name: str, engine: Simulate = simulate) -> None:
    """α = 0.001 for the whole table; the row sees a shift of `detectable_percent`, at most 20 % of a wait."""
    found = run_check(check_of(name), engine)
    assert found.passed, found
    assert found.detectable_percent < 20
    assert found.service_fault_percent is None or found.service_fault_percent < 4


# What the table notices.


@pytest.mark.parametrize("name", ["M/M/3 utilisation", "slower of two branches"])
def test_three_percent_more_service_time_is_caught(name: str) -> None:
    found = run_check(check_of(name), slowed(1.03))
    assert not found.passed
    assert found.z > found.critical


@pytest.mark.slow
@pytest.mark.parametrize("name", ["M/M/1 wait", "M/M/8 loss", "priority high, 1 server", "tandem time"])
def test_a_row_catches_a_fault_as_small_as_it_says(name: str) -> None:
    """Each would miss its own fault in less than 1 run of 40."""
    fault = run_check(check_of(name), compiled_engine.simulate).service_fault_percent
    assert fault is not None
    assert not run_check(check_of(name), slowed(1 + fault / 100, compiled_engine.simulate)).passed


def test_the_verdict_uses_both_rules() -> None:
    """Theory 2/3, 40 replications, critical value 4.63: 0.3 % of error is fine 4.6 errors away, not 4.7."""
    from simulator.statistics import Estimate

    check = check_of("M/M/3 utilisation")
    error = 0.003 * check.theory

    def verdict(errors_away: float, half_width_percent: float) -> bool:
        mean, half = check.theory + errors_away * error, check.theory * half_width_percent / 100
        return judged(check, Estimate(mean, mean - half, mean + half, error)).passed

    assert verdict(4.6, 0.6)
    assert not verdict(4.7, 0.6)
    assert not verdict(-4.7, 0.6)
    assert not verdict(0, 1.1)
