"""Stored runs: what is written comes back bit for bit, appears whole or not at all, is never mixed, and explains itself."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from models.outcomes import Outcome
from scenarios.catalogue import shipped_names
from scenarios.editing import new_file
from scenarios.files import hash_of, load, parsed, validated
from scenarios.problems import CaseError
from scenarios.records import Record, columns, decode, encode
from scenarios.runs import Manifest, Store, case_text, manifest_of
from scenarios.runs.files import write_whole
from scenarios.runs.why import why
from tests.case_builder import SMALL_FILE
from tests.run_records import again, case, manifest, mixed, outcome, record, rejected
from tests.test_cli import ROOT, refused, run


def bits(value: Any) -> Any:
    """Something that is equal exactly if the value is the same, bit for bit, in the same order."""
    if isinstance(value, Mapping):
        return [(key, bits(item)) for key, item in value.items()]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.tobytes()
    if isinstance(value, Outcome | Record):
        return [bits(getattr(value, f.name)) for f in fields(value)]
    return struct.pack("<d", value) if isinstance(value, float) else (type(value).__name__, value)


@pytest.fixture
def store(tmp_path):
    with Store.create(tmp_path / "runs" / "first", manifest()) as opened:
        yield opened


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its bytes, hidden ones as well."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def problem(code: str, call: Any, *arguments: Any, **more: Any) -> str:
    """The text of the one error of a call."""
    with pytest.raises(CaseError) as caught:
        call(*arguments, **more)
    assert {p.code for p in caught.value.problems} == {code}
    return caught.value.text()


# -- records


def test_records_come_back_bit_for_bit_and_in_order(store):
    store.write("a", mixed())

    assert [bits(r) for r in store.read("a")] == [bits(r) for r in mixed()]


def test_a_simulated_outcome_comes_back_bit_for_bit(store):
    import pilotproof as pp

    future = pp.simulate(pp.load(str(SMALL_FILE)), arm="production", seed=7)
    rows = [Record(0, "production", 0, 0, future.outcome, "", {})]
    store.write("a", rows)

    assert bits(store.read("a")[0]) == bits(rows[0])


def test_no_records_are_a_part_as_well(store):
    store.write("a", [record()])
    store.write("b", [])

    assert store.read("b") == []
    assert len(pd.read_parquet(store.folder / "parts")) == 1


def test_what_no_future_fills_is_empty_and_differs_from_nan(store):
    store.write("a", mixed())
    table = pq.read_table(store.folder / "parts" / "a.parquet")

    assert table.column("by_type.hard").null_count == 1  # the rejected draw; the others are NaN
    assert table.column("days.queue_again").null_count == 3
    assert [r.outcome is None for r in store.read("a")] == [False, False, True, False]
    assert store.read("a")[2].rejected == "the sourced steps take 16.2 of 14.1 days"


@pytest.mark.parametrize(("result", "reason"), [(outcome(), "too slow"), (None, "")])
def test_a_record_has_either_an_outcome_or_a_reason(result, reason):
    with pytest.raises(ValueError, match="either an outcome or a reason"):
        Record(0, "as_is", 0, 0, result, reason, {})


def test_the_same_records_give_the_same_bytes_in_another_process():
    program = "import hashlib; from tests import run_records as t; from scenarios.records import encode;"
    program += "print(hashlib.sha256(encode(t.mixed())).hexdigest())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "5"}
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)

    assert found.stdout.strip() == hashlib.sha256(encode(mixed())).hexdigest()


def test_parts_carry_no_metadata_of_pandas_or_arrow(store):
    store.write("a", mixed())
    meta = pq.read_metadata(store.folder / "parts" / "a.parquet")

    assert meta.metadata is None
    assert {meta.row_group(0).column(i).compression for i in range(meta.num_columns)} == {"ZSTD"}


def test_columns_are_flat_and_named_like_the_outcome(store):
    store.write("a", mixed())
    names = list(pd.read_parquet(store.folder / "parts").columns)

    assert names[:5] == ["draw", "arm", "replication", "future", "rejected"]
    assert {
        "figures.mean_cycle_time_days", "days.queue", "days.queue_again", "step_days.entry", "step_visits.desk.level2", "by_type.hard",
        "by_week.11", "by_ai.ai", "utilisation.clerks", "mean_queue.clerks", "weeks", "backlog", "baseline.goal_days",
    } <= set(names)  # fmt: skip


# -- all parts are one table


def narrow_and_wide() -> dict[str, list[Record]]:
    return {"a": [rejected(0)], "b": [record(1)], "c": [again(integration=2.0)], "d": [record(3, baseline={"late": 1.0})]}


def test_pandas_reads_all_parts_as_one_table(store):
    for name, rows in narrow_and_wide().items():
        store.write(name, rows)
    frame = pd.read_parquet(store.folder / "parts")

    assert list(frame["draw"]) == [0, 1, 1, 3]
    assert list(frame["days.integration"].notna()) == [False, False, True, False]
    assert frame["baseline.late"].iloc[3] == 1.0
    assert frame["utilisation.desk"].iloc[2].tolist() == [1.0, 0.5, 0.5]


def test_all_parts_have_the_same_columns_whatever_came_first(store):
    for name, rows in narrow_and_wide().items():
        store.write(name, rows)
        schemas = {name: pq.read_schema(store.folder / "parts" / f"{name}.parquet") for name in store.parts()}
        assert len({frozenset(zip(s.names, map(str, s.types), strict=True)) for s in schemas.values()}) == 1

    assert [bits(r) for name in store.parts() for r in store.read(name)] == [
        bits(r) for rows in narrow_and_wide().values() for r in rows
    ]


def test_the_bytes_do_not_depend_on_the_order_of_writing_or_on_interruptions(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    with Store.create(one, manifest()) as store:
        for name, rows in narrow_and_wide().items():
            store.write(name, rows)
        store.finish({"probability": 0.5})
    Store.create(two, manifest()).close()
    for name, rows in reversed(narrow_and_wide().items()):
        with Store.open(two, writing=True) as store:
            store.write(name, rows)
            store.write(name, rows)
    with Store.open(two) as store:
        store.finish({"probability": 0.5})

    assert tree(one) == tree(two)
    assert sorted(tree(one)) == ["manifest.json", *(f"parts/{n}.parquet" for n in "abcd"), "result.json"]


def test_threads_may_write_at_the_same_time(store):
    from concurrent.futures import ThreadPoolExecutor

    def write(i: int) -> None:
        store.write(f"p{i:02d}", [record(i, outcome=outcome(days={f"account_{i % 7}": 1.0}))])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(24)))

    assert [store.read(name)[0].draw for name in store.parts()] == list(range(24))
    assert len({pq.read_schema(p).names.__len__() for p in (store.folder / "parts").iterdir()}) == 1


# -- the folder


def test_a_run_is_made_and_opened_again(store):
    store.write("b", [record()])
    store.write("a", [record(1)])
    store.close()
    found = Store.open(store.folder)

    assert (found.parts(), found.finished, found.result()) == (["a", "b"], False, None)
    assert (found.has("a"), found.has("c")) == (True, False)
    assert found.manifest == manifest()
    found.require_same(manifest())


def test_the_same_inputs_give_the_same_manifest_without_times_and_paths(tmp_path, monkeypatch):
    Store.create(tmp_path / "one", manifest()).close()
    monkeypatch.setattr(time, "time", lambda: 1e9)
    Store.create(tmp_path / "elsewhere" / "two", manifest()).close()
    text = (tmp_path / "one" / "manifest.json").read_text(encoding="utf-8")

    assert tree(tmp_path / "one") == tree(tmp_path / "elsewhere" / "two")
    assert json.loads(text)["schema_version"] == 1
    assert set(json.loads(text)["versions"]) == {"pilotproof", "python", "numpy", "scipy", "numba", "pyarrow"}
    assert str(tmp_path) not in text
    assert not re.search(r"20\d\d-\d\d-\d\d", text.replace("2027-01-04", ""))  # only the case's own date


@pytest.mark.parametrize("name", [*shipped_names(), str(SMALL_FILE)])
def test_the_stored_case_stands_alone_and_has_the_same_hash(name):
    stored = case_text(load(name).case)

    assert validated(parsed(stored, Path("case.toml")), "case.toml").hash == load(name).hash
    assert stored == case_text(validated(parsed(stored, Path("case.toml")), "case.toml").case)


def test_a_case_that_extends_another_is_stored_whole(tmp_path):
    new_file(tmp_path / "mine.toml", "claims_intake", extend=True)
    mine = load(str(tmp_path / "mine.toml"))
    with Store.create(tmp_path / "run", manifest_of(mine, "decision", 7, 4, 1, ["as_is"], "compiled")) as store:
        stored = Store.open(store.folder).manifest

    assert "extends" not in parsed(stored.case, Path("x"))
    assert stored.loaded("x").case.model_dump(exclude={"extends"}) == mine.case.model_dump(exclude={"extends"})
    assert stored.scenario_hash == mine.hash == hash_of(mine.case)


@pytest.mark.parametrize("inside", ["notes.txt", "manifest.json", ".hidden"])
def test_a_folder_with_something_in_it_is_not_taken(tmp_path, inside):
    (tmp_path / inside).write_text("mine")

    assert "is not empty; name a folder that does not exist yet" in problem("E601", Store.create, tmp_path, manifest())
    assert tree(tmp_path) == {inside: b"mine"}
    assert [p.name for p in tmp_path.parent.iterdir() if p.name.startswith(".tmp-")] == []


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")

    Store.create(tmp_path / "empty", manifest()).close()
    assert sorted(tree(tmp_path / "empty")) == ["manifest.json"]
    problem("E601", Store.create, tmp_path / "file", manifest())
    problem("E602", Store.create, tmp_path / "file" / "run", manifest())


def test_the_current_folder_is_not_taken_though_it_is_empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    for name in (".", "", str(tmp_path), str(tmp_path.parent / "x" / ".." / tmp_path.name)):
        assert "exists already: it is the folder you are in; name a new folder inside it" in problem(
            "E601", Store.create, Path(name), manifest()
        )
    Store.create(Path("run"), manifest()).close()
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "a b", "x" * 101, "ä"])
def test_the_name_of_a_part_cannot_leave_the_folder(store, name):
    with pytest.raises(ValueError, match="cannot be the name of a part"):
        store.write(name, [])


def test_a_summary_is_written_whole_and_only_of_what_json_can_say(store):
    with pytest.raises(ValueError, match="JSON"):
        store.finish({"probability": float("nan")})
    assert not store.finished

    store.finish({"probability": 0.25, "low": 0.1, "high": 0.4})

    assert store.finished
    assert store.result() == {"schema_version": 1, "probability": 0.25, "low": 0.1, "high": 0.4}


# -- killed, full disk, damaged


KILLED = """
import os, sys
from pathlib import Path
from scenarios.records import encode
from tests.run_records import manifest, mixed, write_for_ever
encode(mixed()), manifest()  # so that the writers need not load anything
for _ in sys.stdin:
    child = os.fork()
    if child == 0:
        write_for_ever(Path(sys.argv[1]))
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""
"""A process that starts a writer for every line it reads."""


def kill_a_writer(starter: subprocess.Popen[str], folder: Path, seconds: float) -> None:
    assert starter.stdin is not None
    assert starter.stdout is not None
    starter.stdin.write("go\n")
    starter.stdin.flush()
    child = int(starter.stdout.readline())
    while not folder.exists():
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert starter.stdout.readline() == "gone\n"


def test_a_killed_process_leaves_complete_parts_no_lock_and_nothing_else(tmp_path):
    chance, folder, parts = random.Random(7), tmp_path / "runs" / "killed", list[str]()
    command = [sys.executable, "-c", KILLED, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as starter:
        for _ in range(10):
            kill_a_writer(starter, folder, chance.uniform(0.0, 0.5))
            with Store.open(folder, writing=True) as store:
                parts = store.parts()
                assert all(store.has(name) and len(store.read(name)) == 40 for name in parts)
                assert len({frozenset(pq.read_schema(p).names) for p in (folder / "parts").iterdir()}) <= 1
            assert sorted(tree(tmp_path / "runs")) == ["killed/manifest.json", *(f"killed/parts/{n}.parquet" for n in parts)]
    assert parts


def test_a_folder_that_was_only_half_made_is_removed_by_the_next_try(tmp_path):
    with patch.object(os, "fsync", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        Store.create(tmp_path / "run", manifest())
    assert list(tmp_path.glob(".tmp-run-*"))
    assert not (tmp_path / "run").exists()

    Store.create(tmp_path / "run", manifest()).close()

    assert list(tmp_path.iterdir()) == [tmp_path / "run"]


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_a_plain_error_and_the_run_goes_on_later(store):
    store.write("a", [record()])
    before = tree(store.folder)
    with patch.object(os, "fsync", no_space):
        text = problem("E602", store.write, "b", [again(late=1.0)])
        problem("E602", store.finish, {})

    assert "b.parquet: 1 problem" in text
    assert "No space left on device" in text
    assert "run the same command again: it goes on where it stopped" in text
    assert tree(store.folder) == before
    assert (store.has("b"), store.finished) == (False, False)
    store.write("b", [again(late=1.0)])
    assert store.parts() == ["a", "b"]


def test_a_disk_that_is_full_while_earlier_parts_are_widened_loses_nothing(store):
    calls = []

    def second_fails(path: Path, data: bytes) -> None:
        calls.append(path)
        if len(calls) == 2:
            no_space()
        write_whole(path, data)

    store.write("a", [record()])
    with patch("scenarios.runs.files.write_whole", second_fails):
        assert "a.parquet" in problem("E602", store.write, "b", [again(late=1.0)])
    store.close()

    assert bits(store.read("a")[0]) == bits(record())
    with Store.open(store.folder, writing=True):
        assert "days.late" in pd.read_parquet(store.folder / "parts").columns


SMALL_DISK = """
import resource, sys
from pathlib import Path
from scenarios.problems import CaseError
from scenarios.runs import Store
from tests import run_records as t
store = Store.create(Path(sys.argv[1]), t.manifest())
store.write("a", [t.record()])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.write("b", [t.record(d, mean=d / 7) for d in range(5000)])
except CaseError as error:
    print(error.text())
"""


def test_a_file_that_the_system_cuts_off_leaves_nothing(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    folder = tmp_path / "run"
    result = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(folder)], capture_output=True, text=True, check=True, env=environment
    )

    assert "E602  cannot be written: File too large" in result.stdout
    with Store.open(folder, writing=True) as store:
        assert store.parts() == ["a"]
    assert sorted(tree(folder)) == ["manifest.json", "parts/a.parquet"]


def test_a_folder_that_cannot_be_made_leaves_nothing(tmp_path):
    with patch.object(os, "fsync", no_space):
        assert "No space left" in problem("E602", Store.create, tmp_path / "runs" / "x", manifest())

    assert list((tmp_path / "runs").iterdir()) == []


def test_a_part_that_was_cut_off_is_named_with_what_to_do(store):
    store.write("a", [record(d) for d in range(50)])
    path = store.folder / "parts" / "a.parquet"
    whole = path.read_bytes()
    for size in (0, 3, 4, 11, 12, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        text = problem("E702", store.read, "a")
        assert text.startswith(f"{path}: 1 problem\n")
        assert "is damaged" in text
        assert "delete this file and run the same command again: only this part is computed anew" in text
        assert not store.has("a")

    store.write("a", [record(d) for d in range(50)])
    assert path.read_bytes() == whole


def test_a_changed_byte_is_never_read_as_a_number(store):
    rows = [record(d, mean=d / 3) for d in range(30)]
    store.write("a", rows)
    path = store.folder / "parts" / "a.parquet"
    whole, expected = path.read_bytes(), [bits(r) for r in rows]
    length = int.from_bytes(whole[-8:-4], "little")
    chance = random.Random(7)
    for _ in range(200):
        place = chance.randrange(4, len(whole) - 8 - length)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            assert [bits(r) for r in store.read("a")] == expected, place
        except CaseError as error:
            assert "is damaged" in error.text()  # noqa: PT017


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no parquet at all", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_a_foreign_file_is_no_part(store, content):
    (store.folder / "parts" / "a.parquet").write_bytes(content)

    assert not store.has("a") or content.startswith(b"PAR1\0")
    assert "is damaged" in problem("E702", store.read, "a")


def test_parquet_of_something_else_is_no_part(store):
    pd.DataFrame({"x": [1]}).to_parquet(store.folder / "parts" / "a.parquet")

    assert "is damaged" in problem("E702", store.read, "a")


def test_a_damaged_part_does_not_keep_a_run_from_going_on(store):
    store.write("a", [record()])
    store.write("b", [record(1)])
    (store.folder / "parts" / "a.parquet").write_bytes(b"PAR1")
    store.close()
    with Store.open(store.folder, writing=True) as resumed:
        assert [resumed.has(name) for name in ("a", "b")] == [False, True]
        resumed.write("a", [again(late=1.0)])
        assert [r.draw for name in resumed.parts() for r in resumed.read(name)] == [1, 1]


def test_a_missing_part_is_named(store):
    assert "nowhere.parquet: 1 problem\n  E702  is missing" in problem("E702", store.read, "nowhere")


# -- one process at a time


def test_only_one_process_works_on_a_run(store):
    assert "another process is working on this run; wait" in problem("E704", Store.open, store.folder, writing=True)
    reader = Store.open(store.folder)
    problem("E704", reader.write, "a", [record()])
    assert (reader.parts(), reader.has("a")) == ([], False)

    store.close()
    reader.write("a", [record()])
    reader.close()
    assert not (store.folder / ".lock").exists()


def test_a_store_that_is_forgotten_gives_the_lock_back(tmp_path):
    Store.create(tmp_path / "run", manifest())

    with Store.open(tmp_path / "run", writing=True) as store:
        assert store.parts() == []


def test_without_locks_in_the_system_the_store_still_works(tmp_path):
    with patch.dict(sys.modules, {"fcntl": None}), Store.create(tmp_path / "run", manifest()) as store:
        store.write("a", [record()])
        assert Store.open(tmp_path / "run", writing=True).parts() == ["a"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_run_that_may_only_be_read_can_be_read(store):
    store.write("a", [record()])
    store.close()
    store.folder.chmod(0o555)
    try:
        assert Store.open(store.folder).read("a")
        problem("E602", Store.open, store.folder, writing=True)
    finally:
        store.folder.chmod(0o755)


# -- never mixed


def test_every_difference_is_named_at_once(store):
    other = manifest(
        {"teams.clerks.headcount": 3}, seed=8, draws=200, engine="simpy", code_hash="0" * 12, arms=("as_is",),
        versions={**manifest().versions, "numpy": "1.0"}, evidence={"pilot.csv": {"rows": 400}},
    )  # fmt: skip
    text = problem("E703", store.require_same, other)

    assert "9 problems" in text
    for line in (
        "E703  scenario_hash", "E703  teams.clerks.headcount ", "E703  arms", "E703  pilot.csv",
        "E703  numpy", "E703  code ", "E703  engine                             is compiled in this run, but simpy now", "E703  seed",
        "E703  draws                              is 4 in this run, but 200 now; a run never mixes them: name another folder",
    ):  # fmt: skip
        assert line in text, line


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "replications"), ("seed", 8), ("draws", 5), ("replications", 2), ("arms", ("as_is",)), ("engine", "simpy"),
        ("code_hash", "0"), ("versions", {}), ("evidence", {"a": 1}), ("scenario_hash", "0"), ("scenario", "other"),
    ],
)  # fmt: skip
def test_no_field_of_a_manifest_is_overlooked(store, field, value):
    problem("E703", store.require_same, replace(manifest(), **{field: value}))

    covered = {"case"} | {
        "kind", "seed", "draws", "replications", "arms", "engine", "code_hash", "versions", "evidence", "scenario_hash", "scenario",
    }  # fmt: skip
    assert {f.name for f in fields(Manifest)} == covered  # the case is covered by its hash


# -- bad manifests


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("", "manifest.json: 1 problem\n  E701  is not JSON"),
        ("[1]", "E701  is not the manifest of a run"),
        ('{"schema_version": 1', "E701  is not JSON"),
        ("{}", "E701  schema_version                     is null, this version of pilotproof reads 1"),
        ('{"schema_version": 2}', "is 2, this version of pilotproof reads 1; use the version that wrote the run"),
        ('{"schema_version": true}', "is true"),
        ("[" * 100_000, "E701  is nested too deeply"),
        (b"\xff\xfe", "E701  is not JSON"),
        (("seed", "seven"), 'E701  seed                               is "seven", must be a whole number'),
        (("seed", True), "is true, must be a whole number"),
        (("arms", "as_is"), "must be a list of names"),
        (("versions", []), "is a list, must be a table"),
        (("kind", "guess"), 'is "guess", must be decision or replications'),
        (("when", "today"), "E701  when                               is not a key of a manifest"),
        (("draws", None), "E701  draws                              is null"),
    ],
)
def test_a_bad_manifest_is_named_with_its_place(store, change, message):
    path = store.folder / "manifest.json"
    if isinstance(change, tuple):
        path.write_text(json.dumps({**json.loads(path.read_text()), change[0]: change[1]}))
    else:
        path.write_bytes(change if isinstance(change, bytes) else change.encode())

    assert message in problem("E701", Store.open, store.folder)


def test_all_missing_keys_are_named_at_once(store):
    (store.folder / "manifest.json").write_text('{"schema_version": 1, "seed": 1}')

    assert "11 problems" in problem("E701", Store.open, store.folder)


def test_a_folder_without_manifest_is_no_run(tmp_path):
    assert "holds no manifest.json, so it is no run" in problem("E701", Store.open, tmp_path)
    assert "no such run folder" in problem("E701", Store.open, tmp_path / "nowhere")


def test_a_result_that_cannot_be_read_is_named(store):
    (store.folder / "result.json").write_text("{")

    assert "result.json: 1 problem\n  E701  cannot be read: is not JSON; delete this file" in problem("E701", store.result)


# -- why did the verdict change?


def decision(folder: Path, kept: list[bool], summary: dict[str, Any] | None = None, **more: Any) -> Path:
    """A run whose promise (3 days) is kept in some draws."""
    changes, futures, asked = more.pop("changes", None), more.pop("futures", 1), more.pop("asked", len(kept))
    with Store.create(folder, manifest(changes, draws=asked, replications=futures, **more)) as store:
        for draw, yes in enumerate(kept):
            rows = [record(draw, replication=r, mean=2.0 if yes and not r else 4.0) for r in range(futures)]
            store.write(f"d{draw:03d}", [*rows, record(draw, "as_is", mean=9.0)])
        if summary is not None:
            store.finish(summary)
    return folder


FIFTH = [i % 5 == 0 for i in range(20)]
HALF = [i % 2 == 0 for i in range(20)]


def told(a: Path, b: Path) -> Any:
    return why(Store.open(a), Store.open(b))


def test_nothing_differs(tmp_path):
    found = told(decision(tmp_path / "a", FIFTH), decision(tmp_path / "b", FIFTH))

    assert not any(found.groups.values())
    assert found.conclusion == "nothing differs: both runs give the same figures"
    assert found.paired is not None
    assert found.paired.change.estimate == 0
    assert found.paired.change.low < 0 < found.paired.change.high


def test_only_the_seed_differs_so_it_is_luck(tmp_path):
    found = told(decision(tmp_path / "a", FIFTH), decision(tmp_path / "b", HALF, seed=8))

    assert found.groups == {"inputs": (), "evidence": (), "version": (), "luck": (("seed", "7", "8"),)}
    assert found.conclusion.startswith("inputs, evidence and version are the same, so the difference is luck; the ranges overlap")
    assert found.paired is None
    assert found.chances[0] is not None
    assert (found.chances[0].probability, round(found.chances[0].low, 3), round(found.chances[0].high, 3)) == (0.2, 0.093, 0.378)


def test_the_same_draws_give_the_paired_change(tmp_path):
    better = [x or y for x, y in zip(FIFTH, HALF, strict=True)]
    a = decision(tmp_path / "a", FIFTH)
    b = decision(tmp_path / "b", better, changes={"teams.clerks.headcount": 3})
    found = told(a, b)

    assert found.groups["inputs"] == (("teams.clerks.headcount", "2", "3"),)
    assert found.paired is not None
    assert (found.paired.draws, round(found.paired.change.estimate, 9)) == (20, 0.4)
    assert found.paired.change.low > 0
    assert found.conclusion == "inputs differ"


def test_what_counts_is_what_a_verdict_counts(tmp_path):
    """The first future of a draw, and no more accepted draws than were asked for, though the parts hold more."""
    a, b = (decision(tmp_path / name, kept, futures=2, asked=15) for name, kept in (("a", FIFTH), ("b", HALF)))
    found = told(a, b)

    assert [None if c is None else c.probability for c in found.chances] == [3 / 15, 8 / 15]
    assert found.paired is not None
    assert (found.paired.draws, round(found.paired.change.estimate, 9)) == (15, round(5 / 15, 9))


def test_another_engine_is_another_version(tmp_path):
    found = told(decision(tmp_path / "a", FIFTH), decision(tmp_path / "b", HALF, engine="simpy"))

    assert found.groups["version"] == (("engine", "compiled", "simpy"),)
    assert found.conclusion == "version differs"


def test_a_finished_run_is_quoted_and_a_failed_gate_has_no_chance(tmp_path):
    a = decision(tmp_path / "a", FIFTH, {"probability": 0.21, "low": 0.1, "high": 0.3})
    b = decision(tmp_path / "b", FIFTH, {"probability": None, "low": None, "high": None}, evidence={"pilot.csv": {"rows": 400}})
    found = told(a, b)

    assert found.chances[0] is not None
    assert found.chances[0].probability == 0.21
    assert (found.chances[1], found.overlap) == (None, None)
    assert found.groups["evidence"] == (("pilot.csv", '"–"', "a table"),)
    assert found.conclusion.startswith("evidence differs; over the same draws")


def test_a_stored_case_that_this_version_refuses_is_compared_by_its_hash(tmp_path):
    a = decision(tmp_path / "a", FIFTH)
    b = decision(tmp_path / "b", FIFTH, scenario_hash="0" * 12, case="old = 1\n")
    found = told(a, b)

    assert found.groups["inputs"][0][0] == "case (cannot be read by this version)"
    assert (found.chances[1], found.paired) == (None, None)


# -- the commands


@pytest.fixture
def runs(tmp_path):
    """Three runs: a finished one, one that is not, and one with a broken manifest."""
    decision(tmp_path / "runs" / "a_first", FIFTH, {"probability": 0.2, "low": 0.09, "high": 0.38})
    decision(tmp_path / "runs" / "second", HALF, seed=8)
    broken = tmp_path / "runs" / "third"
    broken.mkdir()
    (broken / "manifest.json").write_text("{")
    (tmp_path / "runs" / "notes").mkdir()
    return tmp_path


def test_list_names_every_run_and_what_is_wrong_with_one(runs):
    lines = run("runs", "list", cwd=runs).stdout.splitlines()

    assert lines[0].split() == ["run", "scenario", "kind", "seed", "draws", "state", "promise", "kept"]
    assert lines[1].split() == ["a_first", "small", "decision", "7", "20", "finished", "20", "%"]
    assert lines[2].split() == ["second", "small", "decision", "8", "20", "20", "parts", "so", "far", "–"]
    assert lines[3].startswith("third: E701  is not JSON")
    assert len(lines) == 4


def test_list_as_json(runs):
    data = json.loads(run("runs", "list", str(runs / "runs"), "--json").stdout)

    assert [row["name"] for row in data["runs"]] == ["a_first", "second", "third"]
    assert data["runs"][0]["probability"] == 0.2
    assert (data["runs"][1]["finished"], data["runs"][1]["parts"], data["runs"][1]["probability"]) == (False, 20, None)
    assert data["runs"][2]["problem"].startswith("E701")


def test_list_takes_a_case_folder_and_needs_no_runs(runs):
    (runs / "case.toml").write_text("not even read")

    assert run("runs", "list", str(runs)).stdout == run("runs", "list", cwd=runs).stdout
    (runs / "empty").mkdir()
    assert run("runs", "list", cwd=runs / "empty").stdout == "no runs in runs\n"
    assert json.loads(run("runs", "list", "--json", cwd=runs / "empty").stdout) == {"schema_version": 1, "runs": []}


def test_show_says_what_a_run_depends_on(runs):
    (runs / "runs" / "second" / "parts" / "d003.parquet").write_bytes(b"PAR1")
    first, second = (run("runs", "show", f"runs/{name}", cwd=runs).stdout for name in ("a_first", "second"))

    assert first.startswith("a_first · finished\n")
    assert "20 % (between 9 % and 38 %)" in first
    assert "decision · 20 draws · 1 futures a draw · seed 7" in first
    assert "not finished: the same command goes on where it stopped" in second
    assert "parts/d003.parquet is damaged: the same command computes it anew" in second
    data = json.loads(run("runs", "show", "runs/second", "--json", cwd=runs).stdout)
    assert (data["damaged_parts"], data["finished"], data["result"]) == (["d003"], False, None)
    assert data["manifest"]["case"] == case_text(case().case)


def test_diff_answers_in_four_groups(runs):
    text = run("runs", "diff", "runs/a_first", "runs/second", cwd=runs).stdout
    data = json.loads(run("runs", "diff", "runs/a_first", "runs/second", "--json", cwd=runs).stdout)

    assert "  inputs    the same\n  evidence  the same\n  version   the same\n  luck      1 difference\n    seed: 7 → 8\n" in text
    assert "A      20 % (between 9 % and 38 %)" in text
    assert "the ranges overlap" in text
    assert text.endswith(
        "  Why: inputs, evidence and version are the same, so the difference is luck; the ranges overlap, as they should.\n"
    )
    assert (data["inputs"], data["luck"]) == ([], [{"place": "seed", "first": "7", "second": "8"}])
    assert (data["ranges_overlap"], data["paired_change"], data["first"]["probability"]) == (True, None, 0.2)


def test_diff_tells_the_paired_change(runs):
    decision(runs / "runs" / "fourth", HALF, engine="simpy")
    text = run("runs", "diff", "runs/a_first", "runs/fourth", cwd=runs).stdout

    assert re.search(r"B − A  \+30 percentage points \(between \+?−?\d+ and \+\d+\), paired over 20 draws of both", text)


def test_rm_asks_and_removes_the_whole_run(runs):
    def answered(answer: str) -> Any:
        with patch.object(sys, "stdin", io.StringIO(f"{answer}\n")):
            return run("runs", "rm", "runs/second", cwd=runs)

    kept = answered("n")
    assert (kept.returncode, kept.stdout) == (1, "nothing was removed\n")
    assert (runs / "runs" / "second").is_dir()

    assert answered("y").stdout == "removed runs/second\n"
    assert sorted(p.name for p in (runs / "runs").iterdir()) == ["a_first", "notes", "third"]


def test_rm_with_yes_does_not_ask(runs):
    result = run("runs", "rm", "runs/a_first", "--yes", "--json", cwd=runs)

    assert json.loads(result.stdout) == {"schema_version": 1, "removed": "runs/a_first"}
    assert sorted(p.name for p in (runs / "runs").iterdir()) == ["notes", "second", "third"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["list", "nowhere"], "E701", "no such folder"),
        (["list", "runs/a_first"], "E701", "is a single run; pilotproof runs show runs/a_first"),
        (["show", "nowhere"], "E701", "no such run folder"),
        (["show", "runs/notes"], "E701", "holds no manifest.json, so it is no run"),
        (["show", "runs/third"], "E701", "is not JSON"),
        (["diff", "runs/a_first", "runs/third"], "E701", "is not JSON"),
        (["diff", "runs/a_first", "nowhere"], "E701", "no such run folder"),
        (["rm", "runs/notes", "--yes"], "E701", "holds no manifest.json, so it is no run"),
        (["rm", "runs", "--yes"], "E701", "holds no manifest.json"),
        (["rm", "runs/third", "--yes"], "E701", "is not JSON"),
        (["rm", "nowhere", "--yes"], "E701", "no such run folder"),
        (["rm"], "E601", "Missing argument"),
    ],
)
def test_bad_input_is_refused_and_nothing_is_touched(runs, arguments, code, message):
    before = tree(runs)

    assert message in refused(run("runs", *arguments, cwd=runs), code)
    assert tree(runs) == before


def test_rm_keeps_files_that_are_not_of_the_run(runs):
    (runs / "runs" / "second" / "my notes.txt").write_text("mine")
    (runs / "runs" / "second" / "parts" / "mine.csv").write_text("mine")
    before = tree(runs)

    text = refused(run("runs", "rm", "runs/second", "--yes", cwd=runs), "E705")
    assert "holds files that are not of the run: my notes.txt, parts/mine.csv; move them elsewhere first" in text
    assert tree(runs) == before


def test_rm_refuses_a_link_a_run_in_use_and_json_without_yes(runs):
    (runs / "runs" / "link").symlink_to(runs / "runs" / "second")

    assert "is a link" in refused(run("runs", "rm", "runs/link", "--yes", cwd=runs), "E705")
    with Store.open(runs / "runs" / "second", writing=True):
        refused(run("runs", "rm", "runs/second", "--yes", cwd=runs), "E704")
    asked = run("runs", "rm", "runs/second", "--json", cwd=runs)
    assert (asked.returncode, json.loads(asked.stdout)["problems"][0]["code"]) == (2, "E601")
    assert Store.open(runs / "runs" / "second").parts()


def test_diff_names_a_damaged_part(runs):
    path = runs / "runs" / "second" / "parts" / "d003.parquet"
    path.write_bytes(path.read_bytes()[:-20])

    text = refused(run("runs", "diff", "runs/a_first", "runs/second", cwd=runs), "E702")
    assert "d003.parquet" in text
    assert "only this part is computed anew" in text


def test_errors_come_as_json_too(runs):
    result = run("runs", "show", "nowhere", "--json", cwd=runs)

    assert result.returncode == 2
    assert json.loads(result.stdout)["problems"][0]["code"] == "E701"


def test_the_list_loads_neither_pyarrow_nor_the_simulator(runs):
    program = "import sys; sys.argv = ['pilotproof', 'runs', 'list', sys.argv[1]]\nfrom scenarios.cli.main import main\n"
    program += (
        "try: main()\nexcept SystemExit: print([m for m in ('pyarrow', 'pandas', 'simulator', 'numpy') if m in sys.modules])"
    )
    command = [sys.executable, "-c", program, str(runs / "runs")]
    result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)

    assert result.stdout.splitlines()[-1] == "[]"


def test_the_page_names_the_columns_and_the_two_lines_to_read_them():
    page = (ROOT / "docs" / "runs.md").read_text(encoding="utf-8")

    assert 'pandas.read_parquet("runs/first/parts")' in page
    assert "select * from 'runs/first/parts/*.parquet'" in page
    assert all(f"`{name.split('.')[0]}" in page for name in columns(mixed()))


def test_decode_is_what_the_store_reads(store):
    store.write("a", mixed())

    assert [bits(r) for r in decode(store.folder / "parts" / "a.parquet")] == [bits(r) for r in store.read("a")]
