"""Runs on a Dask cluster of this machine: the same bytes as on threads, whoever dies; plain errors; nothing left behind."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest

from scenarios.files import LoadedCase, load
from scenarios.problems import CaseError
from scenarios.runs import Store
from scenarios.study import Means, decision_plan
from scenarios.study.cluster import identity
from scenarios.study.draws import Chunk, Job, collect, simulate_chunk
from scenarios.study.stored import StoredParts, decide, decision_manifest
from simulator import cluster
from simulator.batch import Cancelled
from simulator.cluster import ClusterError, DifferentWorkersError, pack, run_chunks, unpack
from simulator.engines import engine_of
from tests import cluster_work
from tests.survival import DRAWS, SEED, leave_requests, tree

distributed = pytest.importorskip("distributed")
ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def local_cluster(workers: int, threads: int = 1) -> Iterator[Any]:
    """Worker processes on this machine; one that dies is started again."""
    settings = {
        "n_workers": workers,
        "threads_per_worker": threads,
        "processes": True,
        "dashboard_address": ":0",
        "host": "127.0.0.1",
    }
    with distributed.LocalCluster(silence_logs=50, **settings) as made:
        yield made


@pytest.fixture(scope="module")
def two() -> Iterator[Any]:
    with local_cluster(2) as made:
        yield made


@pytest.fixture(scope="module")
def address(two) -> str:
    return str(two.scheduler_address)


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> LoadedCase:
    return leave_requests(tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def undisturbed(case, tmp_path_factory) -> dict[str, bytes]:
    return decided(case, tmp_path_factory.mktemp("undisturbed") / "run", Means(threads=1))


def decided(case: LoadedCase, folder: Path, means: Means) -> dict[str, bytes]:
    """The files of a run, computed without what an earlier one left in the cache."""
    with patch.dict(os.environ, {"PILOTPROOF_CACHE": str(folder.parent / f"cache-{folder.name}")}):
        decide(case, DRAWS, SEED, means, folder)
    return tree(folder)


def chunks_of(work: Any, address: str, chunks: Any, stop: Event | None = None) -> list[Any]:
    return list(run_chunks(work, chunks, "simpy", address, cluster_work.the_same, stop))


# -- the same results


def test_results_come_in_the_order_of_chunks(address):
    assert chunks_of(cluster_work.slow_first, address, range(12)) == list(range(12))
    assert chunks_of(cluster_work.slow_first, address, []) == []


def test_each_worker_has_an_engine_of_its_own_and_keeps_it(address):
    seen = chunks_of(cluster_work.engine_of_this_thread, address, range(12))

    assert len(set(seen)) == len({process for process, _ in seen}) <= 2


def test_only_a_few_chunks_are_taken_ahead(address):
    taken = []

    def chunks() -> Iterator[int]:
        for number in range(30):
            taken.append(number)
            yield number

    for given, _ in enumerate(run_chunks(cluster_work.slow_first, chunks(), "simpy", address, cluster_work.the_same)):
        assert len(taken) <= given + 1 + 2 * cluster.AHEAD


def test_an_error_in_a_chunk_comes_out_in_its_turn(address):
    found: list[int] = []
    with pytest.raises(Exception, match="chunk 4") as caught:
        found.extend(run_chunks(cluster_work.fails_at_four, range(100), "simpy", address, cluster_work.the_same))

    assert type(caught.value).__name__ == "WorkflowError"
    assert found == [0, 1, 2, 3]


def test_the_run_folder_has_the_same_bytes_as_from_threads(case, address, undisturbed, tmp_path):
    heard: list[tuple[str, int, int, str]] = []
    means = Means(scheduler=address, progress=lambda *news: heard.append(news))  # type: ignore[arg-type,misc]

    assert decided(case, tmp_path / "cluster", means) == undisturbed
    assert ("futures", DRAWS, DRAWS) in [news[:3] for news in heard]


def test_three_threads_of_one_worker_make_no_difference(case, undisturbed, tmp_path):
    with local_cluster(1, 3) as made:
        assert decided(case, tmp_path / "run", Means(scheduler=made.scheduler_address)) == undisturbed


def test_killed_workers_change_no_byte(case, two, address, undisturbed, tmp_path):
    """Twice, while chunks are under way, one worker process is killed; the scheduler gives its chunks to another."""
    killed: list[int] = []

    def kill_one(what: str, done: int, total: int, _: str = "") -> None:
        if what == "futures" and 0 < done < total and len(killed) < 2:
            pids = client.run(os.getpid, on_error="ignore")
            killed.append(pids[min(pids)])
            os.kill(killed[-1], signal.SIGKILL)

    with distributed.Client(address, set_as_default=False) as client:
        found = decided(case, tmp_path / "run", Means(scheduler=address, progress=kill_one))
        two.wait_for_workers(2)

    assert len(set(killed)) == 2
    assert found == undisturbed


# -- what is sent


def test_a_chunk_is_small_and_comes_back_whole():
    loaded = load("invoice_processing")
    job = Job(loaded.case, loaded.hash, 7, decision_plan(loaded.case), None)
    sent = pack((simulate_chunk, Chunk.of(job, 40, {"40": {"a": 1}, "7": {"b": 2}}, 5), "compiled", identity, identity()))

    assert len(sent) < 20_000
    _, chunk, *_ = unpack(sent)
    assert (chunk.first, chunk.known, chunk.job.plan) == (40, {"40": {"a": 1}}, job.plan)
    assert chunk.job.case == loaded.case


def test_a_block_is_lowered_once_for_all_threads_and_chunks(case):
    from scenarios.study import draws

    with patch.object(draws, "parameters", wraps=draws.parameters) as counted, patch.object(draws, "_blocks", draws.Kept(3)):
        collect(case.case, draws.verdict_plan(case.case), 10, 11, Means(threads=3))

    assert counted.sample.call_count == 1


def test_of_many_draws_only_what_reports_tell_is_held(case):
    from scenarios.study import draws

    job = Job(case.case, case.hash, SEED, decision_plan(case.case), None)
    (whole,) = simulate_chunk(Chunk.of(job, 0, {}, 1), engine_of("compiled")).draws
    assert isinstance(whole, draws.DrawResult)
    held = whole.light()

    assert held.arms["production"] is whole.arms["production"]
    assert (held.arms["data"].figures, held.arms["data"].days) == (whole.arms["data"].figures, whole.arms["data"].days)
    assert not held.arms["data"].step_days
    assert len(pickle.dumps(held)) < len(pickle.dumps(whole)) / 2


# -- who may take part


def test_workers_that_differ_are_refused_by_name(address):
    with pytest.raises(DifferentWorkersError) as caught:
        list(run_chunks(cluster_work.slow_first, range(3), "simpy", address, cluster_work.another_everywhere))

    assert len(caught.value.problems) == 2
    for worker, message in caught.value.problems:
        assert worker.startswith("tcp://127.0.0.1:")
        assert message.startswith("process is ")
        assert message.endswith(f" there, {os.getpid()} here")


def test_the_user_reads_every_difference_of_every_worker(case, address):
    with patch("scenarios.study.cluster.identity", cluster_work.another_everywhere), pytest.raises(CaseError) as caught:
        collect(case.case, decision_plan(case.case), 5, 7, Means(scheduler=address))

    assert [p.code for p in caught.value.problems] == ["E802", "E802"]
    assert "restart the workers" in caught.value.text()


def test_a_worker_that_joins_later_is_compared_as_well():
    task = pack((cluster_work.slow_first, 1, "simpy", cluster_work.the_same, {"code": "two"}))
    with pytest.raises(DifferentWorkersError, match="code is one there, two here"):
        cluster._on_worker(task)


def test_what_is_compared():
    names = {"pilotproof", "python", "numpy", "scipy", "numba", "pyarrow", "code", "machine", "arithmetic"}
    assert set(identity()) == names
    assert pickle.loads(pickle.dumps(identity)) is identity


# -- what goes wrong


def problem(call: Any, *arguments: Any) -> str:
    with pytest.raises(ClusterError) as caught:
        call(*arguments)
    (_, message), *more = caught.value.problems
    assert not more
    return f"{message}; {caught.value.remedy}"


def test_nobody_answers():
    with patch.object(cluster, "ANSWERS_WITHIN", 1):
        began = time.monotonic()
        for wrong in ("tcp://127.0.0.1:9", "nonsense://x", "127.0.0.1"):
            text = problem(chunks_of, cluster_work.slow_first, wrong, [1])
            assert "no Dask scheduler answers within 1 seconds" in text
            assert "dask scheduler" in text
    assert time.monotonic() - began < 30


def test_dask_is_not_installed():
    with patch.dict(sys.modules, {"distributed": None}):
        assert "pip install 'pilotproof[cluster]'" in problem(chunks_of, cluster_work.slow_first, "tcp://127.0.0.1:9", [1])


def test_a_scheduler_without_workers():
    with patch.object(cluster, "ANSWERS_WITHIN", 2), local_cluster(0) as made:
        text = problem(chunks_of, cluster_work.slow_first, made.scheduler_address, [1])
    assert text == f"the scheduler has no worker within 2 seconds; start some: dask worker {made.scheduler_address}"


def test_a_chunk_that_kills_every_worker_ends_the_run():
    with local_cluster(2) as made:
        text = problem(chunks_of, cluster_work.dies, made.scheduler_address, range(5))
    assert "several workers died" in text
    assert "--resume" in text


def test_a_stop_cancels_what_waits(address, tmp_path):
    stop = Event()
    results = run_chunks(
        cluster_work.leaves_a_trace, ((str(tmp_path), n) for n in range(50)), "simpy", address, cluster_work.the_same, stop
    )
    assert next(results) == 0
    stop.set()
    with pytest.raises(Cancelled):
        list(results)

    assert nothing_left(address)
    assert len(list(tmp_path.iterdir())) < 10


def nothing_left(address: str) -> bool:
    """Whether the scheduler forgets all our chunks within some seconds."""
    with distributed.Client(address, set_as_default=False) as client:
        for _ in range(100):
            names = client.run_on_scheduler(lambda dask_scheduler: [str(name) for name in dask_scheduler.tasks])
            if not [name for name in names if name.startswith("pilotproof")]:
                return True
            time.sleep(0.1)
    return False


# -- the command


def command(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    from simulator.jit import cache_folder

    kernel, cache = cache_folder(), folder / "cache"
    assert kernel is not None
    if not cache.exists():
        cache.mkdir()
        (cache / kernel.name).symlink_to(kernel)
    environment = {**os.environ, "PILOTPROOF_CACHE": str(cache), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "scenarios.cli.main", "run", *arguments]
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_a_part(folder: Path) -> None:
    until = time.monotonic() + 120
    while not list(folder.glob("parts/*.parquet")):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_ctrl_c_cancels_the_chunks_on_the_cluster(case, address, tmp_path):
    process = command(tmp_path, case.file, "--draws", "2000", "--seed", str(SEED), "--out", "run", "--scheduler", address)
    wait_for_a_part(tmp_path / "run")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (process.returncode, out, err) == (130, b"", b"stopped\n")
    assert nothing_left(address)


def test_a_lost_scheduler_is_a_plain_error_and_the_run_goes_on_elsewhere(case, undisturbed, tmp_path):
    with a_scheduler(tmp_path) as (scheduler, address):
        process = command(tmp_path, case.file, "--draws", str(DRAWS), "--seed", str(SEED), "--out", "run", "--scheduler", address)
        wait_for_a_part(tmp_path / "run")
        scheduler.kill()
        out, err = process.communicate(timeout=90)

    assert (process.returncode, out) == (2, b"")
    assert b"E801  the connection to the scheduler is lost" in err
    assert len(err.splitlines()) == 2
    assert decided(case, tmp_path / "run", Means(threads=1)) == undisturbed


@contextlib.contextmanager
def a_scheduler(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler and a worker as the two commands of docs/scale.md start them."""
    dask = [sys.executable, "-m", "dask"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    quiet: dict[str, Any] = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    file = folder / "scheduler.json"
    begin = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    scheduler = subprocess.Popen(begin, **quiet)
    worker = subprocess.Popen(
        [
            *dask,
            "worker",
            "--scheduler-file",
            str(file),
            "--nthreads",
            "1",
            "--no-dashboard",
            "--no-nanny",
            "--death-timeout",
            "60",
        ],
        **quiet,
    )
    try:
        while not file.exists() or not file.read_text():
            time.sleep(0.1)
        with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
            address = client.scheduler.address
        yield scheduler, address
    finally:
        for process in (scheduler, worker):
            process.kill()
            process.wait()


def test_only_the_decision_run_goes_to_a_cluster(case, tmp_path):
    process = command(tmp_path, case.file, "--scheduler", "tcp://127.0.0.1:9")
    _, err = process.communicate()
    assert process.returncode == 2
    assert b"--scheduler" in err
    assert b"needs --draws" in err


def test_a_run_resumes_on_a_cluster(case, address, undisturbed, tmp_path):
    """Some parts are there, in the middle as well; only the others are sent."""
    folder = tmp_path / "run"
    means = Means(threads=1)
    with Store.create(folder, decision_manifest(case, decision_plan(case.case), DRAWS, SEED, means)):
        pass
    for name in list(undisturbed)[2:5:2]:
        if name.startswith("parts/"):
            (folder / name).write_bytes(undisturbed[name])
    with Store.open(folder) as store:
        assert store.parts()
        assert StoredParts(store).load(int(store.parts()[0].removeprefix("draws-"))) is not None

    assert decided(case, folder, Means(scheduler=address)) == undisturbed


def test_an_engine_by_name_is_made_on_the_worker():
    task = pack((cluster_work.engine_of_this_thread, 1, "simpy", cluster_work.the_same, cluster_work.the_same()))
    first, second = unpack(cluster._on_worker(task)), unpack(cluster._on_worker(task))
    assert first == second
    assert type(engine_of("simpy")).__name__ == "SimpyEngine"
