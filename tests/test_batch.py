"""Chunks of work on threads: the order of results, stopping, errors, and chunks that are taken only when a thread is free."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Barrier, Event, Lock, current_thread, main_thread

import pytest

from simulator import batch
from simulator.batch import Cancelled, run_chunks
from simulator.engines import Engine
from simulator.program import lower
from tests.oracles.generate import generate

SEEDS = (3, 15, 27, 38, 0, 1, 4, 14)


def played(seed: int, engine: Engine) -> tuple[bytes, bytes]:
    one = generate(seed)
    program = lower(one.workflow, one.begin, one.stop)
    ledger = engine.ledger(program, one.draw, one.future(program))
    return ledger.packed().tobytes(), ledger.cases["ended"].tobytes()


def test_the_number_of_threads_changes_no_result_and_no_order() -> None:
    alone = list(run_chunks(played, SEEDS, "compiled", 1))
    assert alone == list(run_chunks(played, SEEDS, "compiled", 3))
    assert alone == list(run_chunks(played, SEEDS, "simpy", 3))
    assert len(set(alone)) == len(SEEDS)


class Nobody:
    """Stands for an engine; every one is another."""


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No engine is needed to see how work is shared out. The names that were asked for."""
    asked: list[str] = []

    def made(name: str) -> Nobody:
        asked.append(name)
        return Nobody()

    monkeypatch.setattr(batch, "engine_of", made)
    return asked


@pytest.mark.usefixtures("engines")
def test_results_come_in_the_order_of_chunks_whichever_is_done_first() -> None:
    def slow_first(number: int, _: object) -> int:
        time.sleep(0.05 if number % 3 == 0 else 0.0)
        return number

    assert list(run_chunks(slow_first, range(12), "compiled", 3)) == list(range(12))


@pytest.mark.usefixtures("engines")
def test_threads_work_at_the_same_time_and_each_has_an_engine_of_its_own() -> None:
    """Three chunks meet, which is possible only if three threads hold one each."""
    meeting, lock, busy = Barrier(3, timeout=20), Lock(), set[int]()

    def meet(_: int, engine: object) -> int:
        assert current_thread() is not main_thread()
        with lock:
            assert id(engine) not in busy
            busy.add(id(engine))
        meeting.wait()
        with lock:
            busy.remove(id(engine))
        return id(engine)

    assert len(set(run_chunks(meet, range(6), "compiled", 3))) == 3


def test_an_engine_is_made_for_every_thread_and_one_for_an_engine_that_keeps_the_lock(engines: list[str]) -> None:
    assert list(run_chunks(lambda chunk, _: chunk, range(3), "compiled", 4)) == [0, 1, 2]
    assert list(run_chunks(lambda chunk, _: chunk, range(3), "simpy", 4)) == [0, 1, 2]
    assert list(run_chunks(lambda chunk, _: chunk, range(3))) == [0, 1, 2]
    assert engines == ["compiled"] * 4 + ["simpy"] + ["compiled"] * batch.usable_cores()


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("threads", [1, 3])
def test_chunks_are_taken_only_when_a_thread_is_free(threads: int) -> None:
    """What later chunks are may depend on earlier results: at most one more than there are threads is taken ahead."""
    taken: list[int] = []

    def chunks() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    results = run_chunks(lambda chunk, _: chunk, chunks(), "compiled", threads)
    assert taken == []
    for given, result in enumerate(results):
        assert result == given
        assert len(taken) <= given + 1 + threads
    assert taken == list(range(10))


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("threads", [1, 3])
def test_no_chunks_give_no_results(threads: int) -> None:
    assert list(run_chunks(lambda chunk, _: chunk, iter(()), "compiled", threads)) == []


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_chunk_comes_out_in_its_turn_and_nothing_is_begun_after_it(threads: int) -> None:
    begun, found = [], []

    def work(number: int, _: object) -> int:
        begun.append(number)
        if number == 4:
            raise KeyError("chunk 4")
        return number

    with pytest.raises(KeyError, match="chunk 4"):
        found.extend(run_chunks(work, range(100), "compiled", threads))
    assert found == [0, 1, 2, 3]
    assert max(begun) <= 4 + threads


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_making_chunks_comes_out_too(threads: int) -> None:
    def chunks() -> Iterator[int]:
        yield 0
        raise LookupError("no second chunk")

    with pytest.raises(LookupError, match="no second chunk"):
        list(run_chunks(lambda chunk, _: chunk, chunks(), "compiled", threads))


@pytest.mark.usefixtures("engines")
@pytest.mark.parametrize("threads", [1, 3])
def test_a_stop_ends_the_work_and_what_was_delivered_is_complete(threads: int) -> None:
    stop, begun, found = Event(), [], []

    def work(number: int, _: object) -> int:
        begun.append(number)
        return number

    def until_5() -> Iterator[int]:
        for result in run_chunks(work, range(1_000), "compiled", threads, stop):
            yield result
            if result == 5:
                stop.set()

    with pytest.raises(Cancelled):
        found.extend(until_5())
    assert found == [0, 1, 2, 3, 4, 5]
    assert max(begun) <= 6 + threads


@pytest.mark.usefixtures("engines")
def test_a_stop_before_the_beginning_delivers_nothing() -> None:
    stop = Event()
    stop.set()
    with pytest.raises(Cancelled):
        next(run_chunks(lambda chunk, _: chunk, range(5), "compiled", 2, stop))


@pytest.mark.usefixtures("engines")
def test_who_takes_no_more_results_ends_the_work() -> None:
    begun: list[int] = []

    def work(number: int, _: object) -> int:
        begun.append(number)
        return number

    results = run_chunks(work, range(1_000), "compiled", 2)
    assert next(results) == 0
    results.close()
    assert len(begun) <= 4
