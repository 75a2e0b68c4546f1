"""A run that is killed, cut off by a full disk, or disturbed goes on and ends in the bytes of a run that nothing happened to.

`make kill` does it a hundred times; KILLS says how often otherwise.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scenarios.files import LoadedCase
from scenarios.problems import CaseError
from scenarios.study import Means
from scenarios.study.stored import decide
from simulator.jit import cache_folder
from tests.survival import DRAWS, SEED, leave_requests, tree

ROOT = Path(__file__).parent.parent
KILLS = int(os.environ.get("KILLS", "10"))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A folder with the case and a cache of its own, in which only the compiled kernel is not new."""
    made = tmp_path_factory.mktemp("survival")
    leave_requests(made)
    kernel = cache_folder()
    assert kernel is not None
    (made / "cache").mkdir()
    (made / "cache" / kernel.name).symlink_to(kernel)
    return made


@pytest.fixture(scope="module")
def case(home) -> LoadedCase:
    return leave_requests(home)


def start(home: Path, *arguments: str, **settings: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PILOTPROOF_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "scenarios.cli.main", "run", *arguments]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=home, env=environment, **pipes, **settings)


def finish(home: Path, *arguments: str, **settings: Any) -> tuple[int, str, str]:
    process = start(home, *arguments, **settings)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def begin(out: Path, *more: str) -> list[str]:
    return ["leave.toml", "--draws", str(DRAWS), "--seed", str(SEED), "--out", str(out), *more]


@pytest.fixture(scope="module")
def undisturbed(home) -> tuple[dict[str, bytes], float]:
    """The files of a run that nothing happened to, and the seconds it took from the start of the command."""
    began = time.monotonic()
    code, _, err = finish(home, *begin(home / "undisturbed", "--threads", "1"))
    assert (code, err) == (0, "")
    files = tree(home / "undisturbed")
    assert {"manifest.json", "result.json"} < set(files)
    assert len(files) == 2 + -(-DRAWS // 5)
    return files, time.monotonic() - began


# -- killed


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_in_the_same_bytes(home, undisturbed, tmp_path):
    """A process is killed at a random moment of a whole run, then the run goes on, and is killed again, until one gets through."""
    files, seconds = undisturbed
    chance, killed, finished, number = random.Random(7), 0, 0, 0
    while killed < KILLS or number > finished:
        folder = tmp_path / f"run-{finished}"
        number = finished + 1
        arguments = ["--resume", str(folder)] if folder.exists() else begin(folder)
        process = start(home, *arguments)
        try:
            _, err = process.communicate(timeout=chance.uniform(0, seconds) if killed < KILLS else 600)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            only_whole_files(folder, files)
            continue
        assert (process.returncode, err) == (0, "")
        assert tree(folder) == files
        finished += 1
    assert finished
    leftovers = {p.name for p in tmp_path.iterdir()} - {f"run-{i}" for i in range(finished)}
    assert all(name.startswith(".tmp-") for name in leftovers)


def only_whole_files(folder: Path, files: dict[str, bytes]) -> None:
    """What a killed process leaves: files of the run with the bytes they end with, its lock, and drafts that readers pass over."""
    found = tree(folder) if folder.exists() else {}
    for name, data in found.items():
        hidden = name == ".lock" or Path(name).name.startswith(".tmp-")
        assert hidden or data == files[name], name


# -- full disk


@contextlib.contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own with little space; skips where none can be mounted."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    if not done:
        pytest.skip("a file system cannot be mounted here; the limit on the size of files is tested instead")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_a_plain_error_and_the_run_goes_on_once_there_is_space(home, undisturbed, tmp_path):
    files, _ = undisturbed
    with small_disk(tmp_path / "disk", "64k") as disk:
        code, out, err = finish(home, *begin(disk / "run"))
        assert_plain(code, out, err, "No space left on device")
        found = tree(disk / "run")
        assert "manifest.json" in found
        assert 0 < len(found) < len(files)
        assert all(files[name] == data for name, data in found.items())

        code, out, err = finish(home, *begin(disk / "run"))
        assert_plain(code, out, err, "No space left on device")

        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        assert finish(home, "--resume", str(disk / "run"))[0] == 0
        assert tree(disk / "run") == files


def test_files_that_may_not_grow_are_a_plain_error_too(home, undisturbed, tmp_path):
    """A limit on the size of files, as a quota would: the manifest fits, no part does."""
    files, _ = undisturbed
    most = len(files["manifest.json"]) + 1_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    code, out, err = finish(home, *begin(tmp_path / "run"), preexec_fn=limit)
    assert_plain(code, out, err, "File too large")
    assert tree(tmp_path / "run") == {"manifest.json": files["manifest.json"]}
    assert list(tmp_path.iterdir()) == [tmp_path / "run"]

    assert finish(home, *begin(tmp_path / "run"))[0] == 0
    assert tree(tmp_path / "run") == files


def assert_plain(code: int, out: str, err: str, reason: str) -> None:
    assert (code, out) == (2, "")
    assert f"cannot be written: {reason}" in err
    assert "E602" in err
    assert "run the same command again: it goes on where it stopped" in err
    assert len(err.splitlines()) == 2
    assert "Traceback" not in err


# -- one process, one run


def test_the_second_process_on_a_folder_is_refused(home, undisturbed, tmp_path):
    folder = tmp_path / "run"
    first = start(home, *begin(folder))
    until = time.monotonic() + 60
    while not (folder / "manifest.json").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # it holds the lock, however long the second takes to start
    try:
        code, out, err = finish(home, "--resume", str(folder))
    finally:
        first.send_signal(signal.SIGCONT)

    assert (code, out) == (2, "")
    assert "E704  another process is working on this run" in err
    first.communicate(timeout=600)
    assert first.returncode == 0
    assert tree(folder) == undisturbed[0]


def test_going_on_with_a_finished_run_touches_nothing(home, undisturbed):
    folder = home / "undisturbed"
    before = state(folder)

    code, out, err = finish(home, "--resume", str(folder))

    assert (code, err) == (0, "")
    assert "is finished" in out
    assert state(folder) == before


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    paths = [folder, *sorted(folder.rglob("*"))]
    return {str(p): ((s := p.stat()).st_mtime_ns, s.st_ino, p.read_bytes() if p.is_file() else b"") for p in paths}


def test_three_threads_write_the_bytes_of_one(home, undisturbed, tmp_path):
    assert finish(home, *begin(tmp_path / "run", "--threads", "3"))[0] == 0
    assert tree(tmp_path / "run") == undisturbed[0]


def test_without_a_root_the_bytes_do_not_depend_on_threads_either(home, tmp_path):
    """Today's result cannot be reproduced: the run ends once too many draws are rejected, wherever the threads are by then."""
    text = (home / "leave.toml").read_text(encoding="utf-8").replace('observed = "2 d"', 'observed = "0.5 d"')
    (tmp_path / "impossible.toml").write_text(text, encoding="utf-8")
    for threads in ("1", "3"):
        words = [str(tmp_path / "impossible.toml"), "--draws", "5", "--out", str(tmp_path / threads), "--threads", threads]
        assert finish(home, *words)[0] == 0
    assert tree(tmp_path / "1") == tree(tmp_path / "3")


# -- other inputs


def begun(undisturbed: dict[str, bytes], folder: Path, **changes: Any) -> Path:
    """A run that has begun, with changes in its manifest."""
    (folder / "parts").mkdir(parents=True)
    data = json.loads(undisturbed["manifest.json"])
    data["versions"] |= changes.pop("versions", {})
    (folder / "manifest.json").write_text(json.dumps(data | changes, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    first = sorted(name for name in undisturbed if name.startswith("parts/"))[0]
    (folder / first).write_bytes(undisturbed[first])
    return folder


def test_another_case_version_or_code_is_refused_with_every_difference(home, undisturbed, tmp_path):
    other = {"versions": {"numpy": "1.0", "python": "3.0"}, "code_hash": "0" * 12, "scenario_hash": "1" * 12}
    folder = begun(undisturbed[0], tmp_path / "run", **other)
    before = tree(folder)

    code, out, err = finish(home, "--resume", str(folder))

    assert (code, out) == (2, "")
    problems = [line.split()[1] for line in err.splitlines() if line.strip().startswith("E703")]
    assert problems == ["scenario_hash", "numpy", "python", "code"]
    assert tree(folder) == before


def test_the_same_command_goes_on_and_another_is_refused_with_every_difference(home, case, undisturbed, tmp_path):
    folder = begun(undisturbed[0], tmp_path / "run")
    with pytest.raises(CaseError) as caught:
        decide(case, DRAWS + 5, SEED + 1, Means(), folder)
    assert [(p.code, p.place) for p in caught.value.problems] == [("E703", "seed"), ("E703", "draws")]

    assert finish(home, *begin(folder))[0] == 0
    assert tree(folder) == undisturbed[0]


@pytest.mark.parametrize("changes", [{"seed": SEED + 1}, {"seed": SEED + 1, "draws": 2 * DRAWS}], ids=["seed", "seed and draws"])
def test_a_manifest_whose_seed_was_edited_is_refused(home, undisturbed, tmp_path, changes):
    """The parts are recognised as those of another seed: the last one is computed anew and compared before any is added."""
    folder = begun(undisturbed[0], tmp_path / "run", **changes)
    before = tree(folder)

    code, out, err = finish(home, "--resume", str(folder))

    assert (code, out) == (2, "")
    assert "E703" in err
    assert "draws-000000" in err
    assert tree(folder) == before


@pytest.mark.parametrize("option", [("--seed", "8"), ("--arm", "pilot"), ("--engine", "simpy"), ("--draws", "5")])
def test_resume_takes_its_settings_from_the_folder(home, undisturbed, option):
    code, out, err = finish(home, "--resume", str(home / "undisturbed"), *option)

    assert (code, out) == (2, "")
    assert f"so not {option[0]}" in err
