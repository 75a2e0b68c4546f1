"""Jobs of many users: by turns, newest wins, the same request once, bounded, and errors that stay with their job."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event

import pytest

from scenarios.jobs import TIGHTENING, Jobs, Step, TooBusyError


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    store = Jobs(waiting=6, kept=3, each=4)
    yield store
    store.close()


class Counted:
    """Work of so many slices that writes down each of them; `gate` holds every slice back until it is set."""

    def __init__(self, name: str, log: list[str], slices: int = 3, gate: Event | None = None) -> None:
        self.name, self.log, self.slices, self.gate = name, log, slices, gate

    def __call__(self) -> Iterator[Step]:
        for k in range(self.slices):
            if self.gate is not None:
                assert self.gate.wait(10)
            self.log.append(self.name)
            yield Step(f"{self.name}{k + 1}", k + 1, self.slices)


def held(jobs: Jobs, log: list[str]) -> Event:
    """Keeps the worker busy until the event is set, so that what is asked for meanwhile waits."""
    gate = Event()
    jobs.ask("holder", "page", "hold", Counted("hold", log, 1, gate), urgency=-1)
    while jobs.look("hold").state != "running":
        time.sleep(0.001)
    return gate


def test_the_answer_comes_in_slices_and_stays(jobs):
    log: list[str] = []
    assert jobs.ask("a", "answer", "k", Counted("x", log)).state in ("waiting", "running")
    found = jobs.wait("k", 10)
    assert (found.state, found.answer, found.done, found.total, found.seconds_left) == ("done", "x3", 3, 3, 0.0)
    assert jobs.ask("b", "answer", "k", Counted("never", log)).answer == "x3"
    assert log == ["x"] * 3


def test_jobs_take_turns_and_the_urgent_ones_go_first(jobs):
    log: list[str] = []
    gate = held(jobs, log)
    jobs.ask("a", "answer", "slow", Counted("t", log, 2), TIGHTENING)
    jobs.ask("b", "answer", "one", Counted("1", log, 2))
    jobs.ask("c", "answer", "two", Counted("2", log, 2))
    gate.set()
    assert jobs.wait("slow", 10).state == "done"
    assert log == ["hold", "1", "2", "1", "2", "t", "t"]


def test_five_quick_changes_simulate_the_last_one_only(jobs):
    log: list[str] = []
    gate = held(jobs, log)
    for k in range(5):
        jobs.ask("a", "what if", f"k{k}", Counted(str(k), log))
    gate.set()
    assert jobs.wait("k4", 10).state == "done"
    assert log == ["hold", "4", "4", "4"]
    assert jobs.look("k0").state == "gone"


def test_a_job_that_runs_is_left_between_two_slices(jobs):
    log: list[str] = []
    gate = Event()
    jobs.ask("a", "answer", "k", Counted("x", log, 1_000, gate))
    while jobs.look("k").state != "running":
        time.sleep(0.001)
    jobs.cancel("a", "answer")
    gate.set()
    jobs.ask("a", "answer", "other", Counted("y", log, 1))
    assert jobs.wait("other", 10).state == "done"
    assert log.count("x") <= 1
    assert jobs.look("k").state == "gone"


def test_one_request_of_two_users_is_one_job_and_goes_on_if_one_leaves(jobs):
    log: list[str] = []
    gate = held(jobs, log)
    jobs.ask("a", "answer", "same", Counted("x", log))
    jobs.ask("b", "answer", "same", Counted("never", log))
    jobs.leave("a")
    gate.set()
    assert jobs.wait("same", 10).answer == "x3"
    assert "never" not in log


def test_an_error_stays_with_its_job(jobs):
    def broken() -> Iterator[Step]:
        yield Step("half", 1, 2)
        raise ValueError("no")

    jobs.ask("a", "answer", "bad", broken)
    found = jobs.wait("bad", 10)
    assert (found.state, found.answer, str(found.error)) == ("failed", "half", "no")
    log: list[str] = []
    jobs.ask("b", "answer", "bad", Counted("again", log, 1))
    assert jobs.wait("bad", 10).answer == "again1"


def test_too_much_is_refused_and_changes_nothing(jobs):
    log: list[str] = []
    gate = held(jobs, log)
    for k in range(4):
        jobs.ask("a", f"place {k}", f"a{k}", Counted("a", log, 1))
    with pytest.raises(TooBusyError, match="4 of your simulations"):
        jobs.ask("a", "one more", "a4", Counted("a", log, 1))
    jobs.ask("b", "answer", "b", Counted("b", log, 1))
    with pytest.raises(TooBusyError, match="6 simulations wait"):
        jobs.ask("c", "answer", "c", Counted("c", log, 1))
    gate.set()
    assert jobs.wait("b", 10).state == "done"
    assert log.count("a") == 4


def test_finished_answers_are_bounded(jobs):
    log: list[str] = []
    for k in range(6):
        jobs.ask(k, "answer", k, Counted(str(k), log, 1))
        jobs.wait(k, 10)
    assert [jobs.look(k).state for k in range(6)] == ["gone"] * 3 + ["done"] * 3


def test_a_closed_store_begins_nothing(jobs):
    jobs.close()
    log: list[str] = []
    jobs.ask("a", "answer", "k", Counted("x", log))
    assert jobs.wait("k", 0.05).state == "waiting"
    assert log == []


def test_who_saw_work_fail_is_told_and_who_did_not_gets_another_try():
    tries = []

    def fails() -> Iterator[Step]:
        tries.append(1)
        raise ValueError("no")
        yield Step(0, 0, 1)

    jobs = Jobs()
    jobs.ask("me", "place", "key", fails)
    assert jobs.wait("key", 5).state == "failed"
    assert [jobs.ask("me", "place", "key", fails).state for _ in range(3)] == ["failed"] * 3
    assert len(tries) == 1
    jobs.ask("you", "place", "key", fails)
    assert jobs.wait("key", 5).state == "failed"
    assert len(tries) == 2
    jobs.close()
