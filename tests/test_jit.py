"""Where machine code is kept: never beside the sources, never stale, and never needed; and that one engine runs without a compiler."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulator import jit, kernel
from simulator.compiled_engine import warm

ROOT = Path(__file__).parent.parent
SIMULATOR = ROOT / "simulator"
SMALL = str(ROOT / "docs" / "examples" / "small.toml")


def python(code: str, *arguments: str, **environment: str) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", code, *arguments]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": path, **environment}
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def name_of_folder(package: Path) -> str:
    """The name that a copy of the package gives its folder of machine code."""
    spec = importlib.util.spec_from_file_location("copied_jit", package / "jit.py")
    assert spec is not None
    assert spec.loader is not None
    copied = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copied)
    folder = copied.cache_folder()
    assert folder is not None
    return str(folder.name)


# The name of the folder


def test_one_byte_in_any_source_of_the_simulator_makes_another_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path / "cache"))
    package = tmp_path / "simulator"
    shutil.copytree(SIMULATOR, package, ignore=shutil.ignore_patterns("__pycache__"))
    names = {name_of_folder(package)}
    sources = sorted(package.glob("*.py"))
    for source in sources:
        before = source.read_bytes()
        source.write_bytes(before + b"\n")
        names.add(name_of_folder(package))
        source.write_bytes(before)
    assert len(names) == 1 + len(sources)
    (package / "more.py").write_text("", encoding="utf-8")
    assert name_of_folder(package) not in names
    (package / "more.py").unlink()
    assert name_of_folder(package) in names


def test_the_folder_belongs_to_the_versions_of_the_compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path))
    now = name_of_folder(SIMULATOR)
    for package in ("numba", "llvmlite"):
        with monkeypatch.context() as other:
            other.setattr(f"{package}.__version__", "0.0.1")
            assert name_of_folder(SIMULATOR) != now


def test_machine_code_lies_in_the_users_cache_and_never_beside_the_sources() -> None:
    warm()
    folder = jit.cache_folder()
    assert folder is not None
    assert folder.parent == jit.user_cache()
    for function in (kernel.run, kernel.tally):
        assert Path(function.stats.cache_path).is_relative_to(folder)
    assert any(folder.rglob("kernel.run-*.nbc"))
    assert any(folder.rglob("kernel.tally-*.nbc"))
    assert not [path for path in ROOT.rglob("*.nb[ci]") if ".venv" not in path.parts]


def test_the_place_can_be_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path / "a"))
    assert jit.user_cache() == tmp_path / "a"
    monkeypatch.delenv("PILOTPROOF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "b"))
    assert jit.user_cache() == tmp_path / "b" / "pilotproof"


# A cache that cannot be used. A small function stands for the kernel: it is declared in the same way, and compiled at once.

SMALL_FUNCTION = "from simulator.jit import entry\n\n\n@entry\ndef twice(x):\n    return 2 * x\n"


@dataclass(frozen=True)
class Declared:
    """Declares the small function, as a new process would, and calls it."""

    source: Path
    monkeypatch: pytest.MonkeyPatch

    def call(self, folder: Path | None) -> tuple[int, int]:
        """Its answer, and how often machine code was found in the folder."""
        self.monkeypatch.setattr(jit, "cache_folder", lambda: folder)
        spec = importlib.util.spec_from_file_location("small_function", self.source)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.twice(21), sum(module.twice.stats.cache_hits.values())


@pytest.fixture
def declared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Declared:
    source = tmp_path / "small_function.py"
    source.write_text(SMALL_FUNCTION, encoding="utf-8")
    return Declared(source, monkeypatch)


def test_machine_code_is_used_again(declared: Declared, tmp_path: Path) -> None:
    assert [declared.call(tmp_path / "kept") for _ in range(2)] == [(42, 0), (42, 1)]


@pytest.mark.parametrize("place", ["/dev/null/x", "a file", "a file/below"])
def test_a_cache_that_cannot_be_written_is_no_error(
    place: str, declared: Declared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("", encoding="utf-8")
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path / place))
    folder = jit.cache_folder.__wrapped__()
    assert folder is None
    assert [declared.call(folder) for _ in range(2)] == [(42, 0), (42, 0)]


@pytest.mark.parametrize("suffix", ["nbc", "nbi"])
@pytest.mark.parametrize("damage", ["empty", "cut off", "overwritten"])
def test_a_damaged_cache_is_no_error(damage: str, suffix: str, declared: Declared, tmp_path: Path) -> None:
    declared.call(tmp_path / "kept")
    (file,) = (tmp_path / "kept").rglob(f"*.{suffix}")
    content = file.read_bytes()
    file.write_bytes({"empty": b"", "cut off": content[: len(content) // 2], "overwritten": b"no machine code\n" * 99}[damage])
    assert [declared.call(tmp_path / "kept") for _ in range(2)] == [(42, 0), (42, 1)]


def test_a_full_disk_is_no_error(declared: Declared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_data", full)
    assert declared.call(tmp_path / "kept") == (42, 0)
    monkeypatch.undo()
    assert [declared.call(tmp_path / "kept") for _ in range(2)] == [(42, 0), (42, 1)]


def test_the_command_needs_no_cache() -> None:
    """Without a place for machine code or solved baselines; not compiled, to be quick."""
    code = "from scenarios.cli.main import main; main()"
    arguments = ("run", SMALL, "--json", "--replications", "1")
    printed = python(code, *arguments, PILOTPROOF_CACHE="/dev/null/x", NUMBA_DISABLE_JIT="1")
    assert json.loads(printed)["engine"] == "compiled"


# Without a compiler

WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = sys.modules["llvmlite"] = None  # importing them raises ImportError
from scenarios.cli.main import main
main()
"""


@pytest.mark.parametrize("command", [("run", "--replications", "2"), ("verdict", "--draws", "3")])
def test_the_readable_engine_runs_where_numba_cannot_be_imported(command: tuple[str, ...]) -> None:
    name, *options = command
    json.loads(python(WITHOUT_NUMBA, name, SMALL, "--engine", "simpy", "--json", *options))
