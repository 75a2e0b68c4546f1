"""Cases of visitors: each is found by its secret and its owner alone, and is gone when it shall be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app_pages.session import browser_secret
from scenarios import workspaces
from scenarios.files import load
from scenarios.problems import CaseError, Problem
from scenarios.workspaces import PREFIX, Workspaces, from_folder, from_scenario


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Workspaces:
    monkeypatch.setattr(workspaces, "IN_MEMORY", tmp_path)
    return Workspaces(idle_seconds=100, most=2, clock=Clock())


def empty(folder: Path) -> None:
    folder.mkdir()


def test_a_case_is_found_by_its_secret_and_its_owner_alone(kept: Workspaces) -> None:
    token = kept.make("me", from_scenario("travel_declarations"), "mine")
    folder = kept.find(token, "me")
    assert folder is not None
    assert load(str(folder)).case.title
    assert folder.parent.stat().st_mode & 0o077 == 0
    assert kept.find(token, "you") is None
    assert kept.find("0" * 32, "me") is None


def test_what_cannot_be_made_leaves_nothing(kept: Workspaces) -> None:
    def fails(folder: Path) -> None:
        folder.mkdir()
        raise CaseError("x", [Problem("E100", "", "no")])

    with pytest.raises(CaseError):
        kept.make("me", fails)
    assert list(kept.root.iterdir()) == []


def test_a_case_that_nobody_asks_for_is_given_up_and_one_that_is_asked_for_stays(kept: Workspaces) -> None:
    clock = kept._clock
    assert isinstance(clock, Clock)
    left, used = kept.make("me", empty), kept.make("me", empty)
    clock.now = 60
    assert kept.find(used, "me") is not None
    clock.now = 120
    assert kept.find(used, "me") is not None
    assert kept.find(left, "me") is None
    assert len(list(kept.root.iterdir())) == 1


def test_there_are_only_so_many_at_once(kept: Workspaces) -> None:
    first = kept.make("me", empty)
    kept.make("me", empty)
    with pytest.raises(CaseError, match="open on this server"):
        kept.make("me", empty)
    kept.leave(first)
    kept.make("me", empty)


def test_closing_removes_everything(kept: Workspaces) -> None:
    kept.make("me", empty)
    kept.close()
    assert not kept.root.exists()


def test_what_a_killed_process_left_is_removed_by_the_next(kept: Workspaces, tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    left, mine = tmp_path / f"{PREFIX}{dead.stdout.strip()}-x", tmp_path / f"{PREFIX}{os.getpid()}-y"
    left.mkdir()
    mine.mkdir()
    Workspaces()
    assert not left.exists()
    assert mine.exists()


def test_a_copy_of_a_folder_leaves_its_kept_runs_behind(kept: Workspaces, tmp_path: Path) -> None:
    source = tmp_path / "source"
    from_scenario("travel_declarations")(source)
    (source / "runs" / "one").mkdir()
    found = kept.find(kept.make("me", from_folder(source), "copy"), "me")
    assert found is not None
    assert load(str(found)).hash == load(str(source)).hash
    assert list((found / "runs").iterdir()) == []


def cookie(secret: bytes, mask: bytes, time: int) -> str:
    return f"2|{mask.hex()}|{bytes(b ^ mask[i % 4] for i, b in enumerate(secret)).hex()}|{time}"


def test_a_browser_is_known_by_the_random_part_of_its_cookie_not_by_its_time() -> None:
    one, other = bytes(range(16)), bytes(range(1, 17))
    assert browser_secret(cookie(one, b"\1\2\3\4", 7)) == browser_secret(cookie(one, b"\5\6\7\x08", 9)) == one.hex()
    assert browser_secret(cookie(one, b"\1\2\3\4", 7)) != browser_secret(cookie(other, b"\1\2\3\4", 7))
    for bad in ("", "2|01020304|zz|7", "1|01020304|" + "00" * 16 + "|7", "2|01|" + "00" * 16 + "|7", "2|01020304|00|7", "x"):
        assert browser_secret(bad) == ""


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b", "\ud800", "a\nb", "x" * 300])
def test_a_name_that_is_another_place_is_refused_and_nothing_is_removed(kept: Workspaces, name: str) -> None:
    other = kept.make("you", empty)
    with pytest.raises(CaseError, match="no name for the folder of a case"):
        kept.make("me", empty, name)
    assert kept.find(other, "you") is not None


def test_a_case_that_fails_removes_nothing_outside_its_own_folder(kept: Workspaces, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    with pytest.raises((CaseError, OSError)):
        kept.make("me", empty, str(victim / "x"))
    assert victim.is_dir()
    assert list(victim.iterdir()) == []
