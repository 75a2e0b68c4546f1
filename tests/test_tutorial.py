"""The tutorial is run: its files are saved, its commands executed, its Python executed, its messages found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "tutorial.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scenarios.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """permits.toml with its baseline, and the what-if beside it."""
    case, baseline, what_if = (text for kind, text in BLOCKS if kind == "toml")
    home = tmp_path_factory.mktemp("tutorial")
    (home / "plain.toml").write_text(case, encoding="utf-8")
    head, target, rest = case.partition("[run]")
    (home / "permits.toml").write_text(head + baseline + target + rest, encoding="utf-8")
    (home / "faster_decisions.toml").write_text(what_if, encoding="utf-8")
    return home


def commands() -> list[str]:
    lines = [line[2:] for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if line.startswith("$ ")]
    return [line for line in lines if "scenario new" not in line]


@pytest.mark.parametrize("line", commands())
def test_every_command_of_the_tutorial_works(line: str, folder: Path) -> None:
    done = run(line.split()[1:], folder)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_the_first_file_is_a_case_without_a_baseline(folder: Path) -> None:
    assert run(["scenario", "check", "plain.toml"], folder).returncode == 0


def test_the_mistake_of_the_tutorial_gives_its_message(folder: Path) -> None:
    text = (
        (folder / "plain.toml")
        .read_text(encoding="utf-8")
        .replace('kind = "work"\nteam = "clerks"', 'kind = "work"\nteam = "clerk"')
    )
    (folder / "wrong.toml").write_text(text, encoding="utf-8")
    done = run(["scenario", "check", "wrong.toml"], folder)
    assert done.returncode == 2
    shown = next(text for kind, text in BLOCKS if kind == "text")
    assert done.stderr == shown.replace("permits.toml", "wrong.toml")


def test_a_new_file_that_extends_is_written_and_sound(tmp_path: Path) -> None:
    line = next(line for kind, text in BLOCKS if kind == "console" for line in text.splitlines() if "scenario new" in line)
    assert run(line.split()[2:], tmp_path).returncode == 0
    assert run(["scenario", "check", "permits.toml"], tmp_path).returncode == 0


def test_the_python_of_the_tutorial_runs(folder: Path) -> None:
    code = next(text for kind, text in BLOCKS if kind == "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "listed_building" in done.stdout
