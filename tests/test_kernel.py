"""The compiled engine on the shipped scenarios, in too little space, in pieces, and as plain Python; tests/test_equality.py does the rest."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import NormalDist
from types import FunctionType, ModuleType

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from models.parameters import Draws, sample
from models.schema import CaseFile
from scenarios.arms import ArmKey, Arms, OneFuture, between, name_of
from scenarios.catalogue import shipped_names
from scenarios.files import load
from simulator import kernel as k
from simulator.clock import WEEK
from simulator.compiled_engine import CompiledEngine, Packed, Workspace
from simulator.distributions import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Kinked,
    Lognormal,
    Mixture,
    Pert,
    Triangular,
    Uniform,
    Weibull,
)
from simulator.engines import ENGINES, EngineName
from simulator.futures import Future, given
from simulator.laws import LawCheck, check_sums
from simulator.ledger import Ledger
from simulator.program import Program, lower
from simulator.quantiles import quantile_of
from simulator.summary import Summary, summarise
from simulator.workflow import Delay, End, Workflow
from tests.engines import assert_same_sums, engine, question
from tests.oracles.generate import generate
from tests.planted_faults import at_most, world

ROOT = Path(__file__).parent.parent
ARMS: tuple[ArmKey, ...] = ("as_is", "pilot", "production", between()[0], between()[9])
FORKED = (3, 15, 27, 38)
"""Seeds of generated workflows with forks, batches, limited endpoints and several hundred rows."""

GOLDEN = "407e86a33767fd3cb43684a179d1965f"
"""Of ten generated workflows. `python -m tests.test_kernel` prints it anew, from the SimPy engine: for a change of the generator or
of docs/workflow.md, never to make a test pass."""


def made(seed: int) -> tuple[Program, int, Future]:
    """A generated workflow, ready to run: program, draw, future."""
    one = generate(seed)
    program = lower(one.workflow, one.begin, one.stop)
    return program, one.draw, one.future(program)


# The shipped scenarios


def shortened(name: str) -> tuple[CaseFile, Draws]:
    """A shipped scenario with weeks 3 to 6 for its target, at the medians."""
    case = load(name).case
    target, run = case.target.model_copy(update={"weeks": (3, 6)}), case.run
    case = case.model_copy(update={"target": target, "run": run.model_copy(update={"warm_up_weeks": 2, "run_out_weeks": 3})})
    return case, sample(case, 7, None)


@pytest.mark.parametrize("arm", ARMS, ids=name_of)
@pytest.mark.parametrize("name", shipped_names())
def test_every_arm_of_every_shipped_scenario_has_the_same_ledger_and_sums(name: str, arm: ArmKey) -> None:
    case, draws = shortened(name)
    one = OneFuture(Arms(case, draws).prepare([arm]), 0, 0, engine("compiled"))
    program, future, asked = one.program(name_of(arm), {}), one.future(name_of(arm)), one.arms.known[name_of(arm)].question
    readable = engine("simpy").ledger(program, 0, future)
    assert len(readable.visits["case"]) > 1_000
    assert engine("compiled").ledger(program, 0, future).same_as(readable)
    sums = engine("compiled").summary(program, 0, future, asked)
    assert_same_sums(sums, summarise(readable, asked))
    assert all(law.passed for law in check_sums(sums))


def pilotproof(*arguments: str, **environment: str) -> str:
    command = [sys.executable, "-m", "scenarios.cli.main", *arguments]
    ran = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", cwd=ROOT, check=True, env={**os.environ, **environment}
    )
    return ran.stdout


def test_run_prints_the_same_json_with_both_engines_but_for_the_name_of_the_engine() -> None:
    case = str(ROOT / "docs" / "examples" / "small.toml")
    printed = {name: json.loads(pilotproof("run", case, "--json", "--engine", name)) for name in ENGINES}
    assert {name: data.pop("engine") for name, data in printed.items()} == {name: name for name in ENGINES}
    assert printed["compiled"] == printed["simpy"]


# Space


def in_little_space(seed: int, *kinds: str) -> CompiledEngine:
    """A run that begins with room for one of each kind; it must end as always."""
    program, draw, future = made(seed)
    small = CompiledEngine()
    for kind in kinds:
        setattr(small.space, kind, 1)
    assert small.ledger(program, draw, future).same_as(engine("simpy").ledger(program, draw, future))
    asked = question(program)
    assert_same_sums(small.summary(program, draw, future, asked), engine("simpy").summary(program, draw, future, asked))
    return small


@pytest.mark.parametrize("seed", FORKED)
@pytest.mark.parametrize("kind", ["tokens", "queue", "events", "rows"])
def test_too_little_space_is_never_a_wrong_number(kind: str, seed: int) -> None:
    assert getattr(in_little_space(seed, kind).space, kind) > 1


@pytest.mark.parametrize("seed", FORKED)
def test_too_little_of_everything_is_never_a_wrong_number(seed: int) -> None:
    space = in_little_space(seed, "tokens", "queue", "events", "rows").space
    assert min(space.tokens, space.queue, space.events, space.rows) > 1


def test_a_workspace_serves_runs_of_every_size_one_after_the_other() -> None:
    shared = CompiledEngine()
    for seed in (*FORKED, *reversed(FORKED)):
        program, draw, future = made(seed)
        assert shared.ledger(program, draw, future).same_as(CompiledEngine().ledger(program, draw, future))


def test_what_no_space_can_mend_is_an_error() -> None:
    for status in (k.RUNNING, k.DONE, 99):
        with pytest.raises(RuntimeError, match=f"stopped with status {status}"):
            Workspace().grow(status)


def test_a_run_too_long_for_its_rows_is_refused() -> None:
    program = lower(Workflow(("a",), (Delay("wait", Constant(1.0), "end"), End("end")), ()), 0, 2**31)
    with pytest.raises(ValueError, match="at most 2\\^31 seconds"):
        Packed.of(program)


@pytest.mark.parametrize("seed", FORKED)
def test_a_run_may_pause_at_any_second_and_go_on(seed: int) -> None:
    program, draw, future = made(seed)
    pieces = CompiledEngine()
    pieces.run(program, draw, future)
    at_once = pieces.space.ledger_rows().copy(), pieces.space.ends().copy()
    pieces.space.load(pieces.packed(program), program.slots[draw], future, pieces._cases[1])
    rng, now = Random(seed), program.begin
    while now < program.stop:
        now = min(program.stop, now + rng.randrange(1, WEEK // 4))
        status = k.run(pieces.space.M, pieces.space.D, now)
        assert status == (k.DONE if now == program.stop else k.RUNNING)
    np.testing.assert_array_equal(pieces.space.ledger_rows(), at_once[0])
    np.testing.assert_array_equal(pieces.space.ends(), at_once[1])


# The golden hash


def fingerprint(ledgers: Iterator[Ledger]) -> str:
    digest = hashlib.sha256()
    for ledger in ledgers:
        digest.update(ledger.packed().tobytes())
        for name in sorted(ledger.cases):
            digest.update(ledger.cases[name].astype("<i8").tobytes())
    return digest.hexdigest()[:32]


def golden(name: EngineName) -> str:
    return fingerprint(engine(name).ledger(*made(seed)) for seed in range(10))


@pytest.mark.parametrize("name", ENGINES)
def test_ten_generated_workflows_have_the_hash_written_down(name: EngineName) -> None:
    """Two stale or equally changed engines would agree with each other."""
    assert golden(name) == GOLDEN


# Sums that were falsified


def laws_of(run: Summary) -> dict[str, bool]:
    return {law.name: law.passed for law in check_sums(run)}


@pytest.fixture(scope="module")
def summary() -> Summary:
    program, draw, future = made(3)
    return engine("compiled").summary(program, draw, future, question(program))


def test_true_sums_obey_their_laws(summary: Summary) -> None:
    assert laws_of(summary) == {"days booked once": True, "ends": True}
    assert all(isinstance(law, LawCheck) for law in check_sums(summary))


@pytest.mark.parametrize("by", [1, -1])
def test_one_second_booked_twice_or_not_at_all_is_noticed(summary: Summary, by: int) -> None:
    seconds = summary.seconds.copy()
    seconds[0, 0, 2] += by
    assert not laws_of(replace(summary, seconds=seconds))["days booked once"]


def test_a_case_that_ends_a_second_later_is_noticed(summary: Summary) -> None:
    ended = summary.ended.copy()
    chosen = np.arange(len(ended))[summary.chosen]
    ended[chosen[ended[chosen] > 0][0]] += 1
    assert not laws_of(replace(summary, ended=ended))["days booked once"]


@pytest.mark.parametrize("instant", ["before its arrival", "at the stop"])
def test_an_impossible_end_is_noticed(summary: Summary, instant: str) -> None:
    ended, case = summary.ended.copy(), int(np.flatnonzero(summary.ended > 0)[0])
    ended[case] = summary.future.arrival[case] - 1 if instant == "before its arrival" else summary.program.stop
    assert not laws_of(replace(summary, ended=ended))["ends"]


# The kernel as plain Python, and its functions number by number


@pytest.fixture(scope="module")
def interpreted() -> ModuleType:
    """The kernel as Python runs it."""
    with world("test_equality"):
        from simulator import kernel
    assert isinstance(kernel.run, FunctionType)
    return kernel


def test_without_compilation_it_gives_the_same_ledgers_and_sums() -> None:
    with world("test_equality") as tests:
        for seed in range(20):
            with at_most(60):
                tests.test_generated_workflows_give_equal_ledgers(seed)


@pytest.mark.parametrize(
    ("word", "words"),
    [(0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)), (2**32 - 1, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD))],
)
def test_uniforms_are_made_of_the_published_answers_of_philox(interpreted: ModuleType, word: int, words: tuple[int, ...]) -> None:
    header = np.zeros(k.FIELDS_AT, dtype=np.int64)
    header[[k.H_NUMBER, k.H_SEED_LOW, k.H_SEED_HIGH]] = word
    first, second = (((((high << 32) + low) >> 12) + 0.5) * 2.0**-52 for high, low in (words[:2], words[2:]))
    with np.errstate(over="ignore"):
        assert interpreted._philox(header, word, word, word) == (first, second)
    philox = k._philox
    compiled = numba.njit(lambda m, w: philox(m, w, w, w))
    assert compiled(header, word) == (first, second)


def probabilities(n: int) -> NDArray[np.float64]:
    """Spread over (0, 1), both tails down to the last bit, and the edges of the branches of AS 241."""
    rng = np.random.default_rng(7)
    tails = 2.0 ** -rng.uniform(1, 52, n // 4)
    edges = [0.075, 0.925, 0.5, 2.0**-53, 1 - 2.0**-53, np.exp(-25.0), 1 - np.exp(-25.0), 1e-300, 5e-324]
    return np.concatenate([rng.uniform(size=n - n // 2 - len(edges)), tails, 1.0 - tails[: n // 4], edges]).clip(
        5e-324, 1 - 2**-53
    )


def test_the_normal_quantile_is_that_of_the_standard_library_bit_for_bit(interpreted: ModuleType) -> None:
    u = probabilities(100_000)
    expected = [NormalDist().inv_cdf(x) for x in u.tolist()]
    assert [interpreted._normal_quantile(x) for x in u.tolist()] == expected
    quantile = k._normal_quantile

    def fill(us, out):
        for i in range(len(us)):
            out[i] = quantile(us[i])

    out = np.empty_like(u)
    numba.njit(error_model="numpy")(fill)(u, out)
    assert out.tolist() == expected


DISTRIBUTIONS: Sequence[Distribution] = (
    Constant(60.0),
    Exponential(5000.0),
    Lognormal(8.0, 1.2),
    Weibull(0.7, 4000.0),
    Uniform(100.0, 9000.0),
    Triangular(0.0, 500.0, 9000.0),
    Triangular(0.0, 0.0, 9000.0),
    Triangular(0.0, 9000.0, 9000.0),
    Gamma(0.5, 9000.0),
    Pert(0.0, 500.0, 9000.0),
    Empirical.of([(0.0, 10.0), (0.3, 10.0), (0.3, 60.0), (0.9, 4000.0), (1.0, 9000.0)]),
    Mixture((0.25, 0.75), (Constant(60.0), Gamma(2.0, 600.0))),
    Kinked(Exponential(5000.0), 3000.0, 0.25),
    Kinked(Empirical.of([(0.0, 10.0), (1.0, 9000.0)]), 3000.0, 0.0),
)


def test_every_quantile_function_is_that_of_the_readable_engine_bit_for_bit(interpreted: ModuleType) -> None:
    delays = [Delay(f"d{i}", law, f"d{i + 1}") for i, law in enumerate(DISTRIBUTIONS)]
    program = lower(Workflow(("a",), (*delays, End(f"d{len(delays)}")), ()), 0, WEEK)
    runner = CompiledEngine()
    runner.run(program, 0, given(program, 0, 1, 0, []))
    m, d, quantile = runner.space.M, runner.space.D, k._quantile

    def fill(m, d, number, us, out):
        for i in range(len(us)):
            out[i] = quantile(m, d, number, us[i])

    compiled = numba.njit(error_model="numpy")(fill)
    kinds = set()
    for number, (kind, first, nodes, _) in enumerate(program.distributions.tolist()):
        kinds.add(kind)
        u = np.concatenate([probabilities(2_000), d[first : first + nodes]])
        u = u[(u > 0) & (u < 1)]
        readable = quantile_of(program, number, program.slots[0].tolist())
        expected = [readable(x) for x in u.tolist()]
        assert [float(interpreted._quantile(m, d, number, x)) for x in u.tolist()] == expected, number
        out = np.empty_like(u)
        compiled(m, d, number, u, out)
        assert out.tolist() == expected, number
    assert len(program.distributions) == len(DISTRIBUTIONS)
    assert kinds == {k.CONSTANT, k.EXPONENTIAL, k.LOGNORMAL, k.WEIBULL, k.UNIFORM, k.TRIANGULAR, k.TABULATED}


if __name__ == "__main__":
    sys.stdout.write(golden("simpy") + "\n")
