"""Studies: figures depend on the case, the seed and the number of draws, and on nothing that says how it is run."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from models import baseline
from models.schema import CaseFile
from scenarios.files import validated
from scenarios.store import SolvedCache
from scenarios.study import Collected, DrawsDone, Means, Parts, collect, decision_plan, draws, verdict, verdict_plan
from scenarios.study.blocks import Kept
from scenarios.study.middle import Middle
from simulator.batch import Cancelled
from simulator.engines import ENGINES, EngineName, engine_of
from tests.test_verdict import CASE

SEED, WANTED = 5, 12


def case_of(observed: str, standard_error: str) -> CaseFile:
    data = tomllib.loads(CASE.format(level="1.2 d", observed=observed))
    data["baseline"]["standard_error"] = standard_error
    return validated(data, "case.toml").case


SOME_REJECTED = case_of("1 d", "0.3 d")
"""Of 25 draws 12 are accepted: in the others the sourced steps alone take longer than the draw of today's result."""

ALL_REJECTED = case_of("0.5 d", "0.05 d")


def plain(value: Any) -> Any:
    """All numbers of a result, to the last bit, without the case."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name != "case"}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    return repr(float(value)) if isinstance(value, float | np.floating) else value


def found(collected: Collected) -> Any:
    return plain([collected.results, collected.rejected, collected.start])


@pytest.fixture(scope="module")
def alone() -> Collected:
    """One thread, the sizes that are shipped, no cache."""
    return collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", 1))


@pytest.fixture(autouse=True)
def _no_blocks_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draws, "_blocks", Kept(draws.KEPT_BLOCKS))


# How it is run


@pytest.mark.parametrize("threads", [2, 3])
def test_a_verdict_is_the_same_on_any_number_of_threads(threads: int) -> None:
    one, several = (plain(verdict(SOME_REJECTED, WANTED, SEED, Means("compiled", n))) for n in (1, threads))
    assert one == several
    assert len(one["results"]) == WANTED


def test_a_verdict_is_the_same_with_both_engines() -> None:
    by_engine = [plain(verdict(SOME_REJECTED, 3, SEED, Means(name))) for name in ENGINES]
    assert by_engine[0] == by_engine[1]
    assert [r["draw"] for r in by_engine[0]["results"]] == [0, 2, 4]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_decision_run_is_the_same_with_both_engines_and_any_threads(engine: EngineName) -> None:
    """All combinations of causes, and replications."""
    plan = decision_plan(SOME_REJECTED)
    expected = collect(SOME_REJECTED, plan, 2, SEED, Means("compiled", 1))
    assert found(collect(SOME_REJECTED, plan, 2, SEED, Means(engine, 2))) == found(expected)
    assert len(expected.results[0].arms) == len(plan.arms)
    assert set(expected.results[0].again[1]) == {"as_is", "production"}


@pytest.mark.parametrize(("chunk", "block"), [(1, 1), (1, 40), (2, 4), (5, 5), (8, 8), (10, 40), (40, 40)])
@pytest.mark.parametrize("threads", [1, 2])
def test_sizes_of_chunks_and_blocks_decide_nothing(
    chunk: int, block: int, threads: int, alone: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "CHUNK", chunk)
    monkeypatch.setattr(draws, "BLOCK", block)
    assert found(collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", threads))) == found(alone)


def test_a_block_holds_whole_chunks() -> None:
    assert draws.BLOCK % draws.CHUNK == 0


# Accepted and rejected draws


def test_accepted_draws_are_counted_and_rejected_ones_are_skipped_in_order(alone: Collected) -> None:
    """Draw by draw: each alone is accepted or rejected exactly as among the others."""
    numbers = [r.draw for r in alone.results]
    assert len(numbers) == WANTED
    assert numbers == sorted(set(numbers))
    assert 0 < len(alone.rejected) == numbers[-1] + 1 - WANTED  # every draw before the last is one or the other
    skipped = [n for n in range(numbers[-1]) if n not in numbers]
    job = draws.Job.of(SOME_REJECTED, SEED, verdict_plan(SOME_REJECTED), None, Means())
    one_by_one: list[Any] = []
    for first in range(0, numbers[-1] + 1, draws.CHUNK):
        done = draws.simulate_chunk(draws.Chunk.of(job, first, {}), engine_of("compiled"))
        one_by_one += done.draws
    rejected = dict(item for item in one_by_one if isinstance(item, tuple))
    assert [n for n in rejected if n < numbers[-1]] == skipped
    assert [rejected[n] for n in skipped] == alone.rejected
    assert plain([item.light() for item in one_by_one if not isinstance(item, tuple)][:WANTED]) == plain(alone.results)


@pytest.mark.parametrize("wanted", [1, 5, 11])
def test_fewer_draws_are_the_first_of_more(wanted: int, alone: Collected) -> None:
    fewer = collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), wanted, SEED, Means("compiled", 2))
    assert plain(fewer.results) == plain(alone.results[:wanted])
    last = fewer.results[-1].draw
    assert fewer.rejected == alone.rejected[: last + 1 - wanted]


def test_a_case_that_rejects_every_draw_is_given_up() -> None:
    """After more than twice as many rejections as a report needs at least; on any number of threads after the same draw."""
    for threads in (1, 3):
        none = collect(ALL_REJECTED, verdict_plan(ALL_REJECTED), 2, SEED, Means("compiled", threads))
        assert (len(none.results), len(none.rejected)) == (0, 2 * baseline.MIN_PROPOSALS + 1)


def test_the_share_of_rejected_draws_is_that_of_the_report(alone: Collected) -> None:
    report = verdict(SOME_REJECTED, WANTED, SEED, Means("compiled", 2)).baseline
    assert report is not None
    assert report.rejected == len(alone.rejected)


# What is known already


def test_solutions_that_are_kept_give_the_same_figures(alone: Collected, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cache() -> SolvedCache:
        return SolvedCache("case", SEED, tmp_path)

    cold = collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", 2), cache())
    assert found(cold) == found(alone)
    kept = cache().known
    assert {"medians", *map(str, range(alone.results[-1].draw + 1))} <= set(kept)

    def again(*_: object) -> None:
        raise AssertionError("solved although it is known")

    monkeypatch.setattr(baseline, "solve", again)
    warm = collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", 1), cache())
    assert found(warm) == found(alone)


def test_a_cache_that_knows_some_draws_gives_the_same_figures(alone: Collected, tmp_path: Path) -> None:
    first = SolvedCache("case", SEED, tmp_path)
    collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), 4, SEED, Means("compiled", 1), first)
    first.known.pop("2")
    assert found(collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", 2), first)) == found(alone)


class Memory(Parts):
    """Keeps chunks as the rows that would be stored."""

    def __init__(self) -> None:
        self.rows: dict[int, list[Any]] = {}
        self.saved: list[int] = []

    def load(self, first: int) -> DrawsDone | None:
        return DrawsDone.of(self.rows[first]) if first in self.rows else None

    def save(self, first: int, done: DrawsDone) -> None:
        self.rows[first] = done.records()
        self.saved.append(first)


@pytest.mark.parametrize("lost", [(), (0,), (5, 15), (10, 15, 20)])
def test_chunks_that_are_stored_give_the_same_figures(lost: tuple[int, ...], alone: Collected) -> None:
    parts = Memory()
    assert found(collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", 2), None, parts)) == found(
        alone
    )
    assert parts.saved == list(range(0, alone.results[-1].draw + 1, 5))
    for first in lost:
        del parts.rows[first]
    assert found(collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", 2), None, parts)) == found(
        alone
    )
    assert parts.saved == [*range(0, alone.results[-1].draw + 1, 5), *lost]


# Stopping


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stopped_study_says_so_and_what_it_kept_is_complete(threads: int, alone: Collected) -> None:
    stop, parts = Event(), Memory()
    heard: list[int] = []

    def hear(what: str, done: int, total: int, so_far: str = "", /) -> None:
        heard.append(done)
        if what == "futures" and done >= 4:
            stop.set()

    with pytest.raises(Cancelled):
        collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", threads, hear, stop), None, parts)
    assert parts.saved == list(range(0, 5 * len(parts.saved), 5))
    assert len(parts.saved) < 5
    assert found(
        collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), WANTED, SEED, Means("compiled", threads), None, parts)
    ) == found(alone)


def test_an_error_in_a_draw_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> Iterator[None]:
        raise ZeroDivisionError("in a draw")

    monkeypatch.setattr(Middle, "solve", broken)
    with pytest.raises(ZeroDivisionError, match="in a draw"):
        collect(SOME_REJECTED, verdict_plan(SOME_REJECTED), 2, SEED, Means("compiled", 2))
