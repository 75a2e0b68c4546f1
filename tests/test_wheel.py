"""The wheel holds all it needs: installed into an empty environment and used from an empty folder."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "requirements-dev.txt"


def run(command: list[str], folder: Path, seconds: int = 600) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what git tracks, so that a stray file cannot help."""
    folder = tmp_path_factory.mktemp("wheel")
    files = run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], ROOT).splitlines()
    for name in files:
        source = ROOT / name
        if source.is_file():
            target = folder / "source" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)], folder / "source")
    return next(folder.glob("*.whl"))


@pytest.mark.slow
def test_the_wheel_holds_the_packages_and_the_scenarios_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {t for t in tops if not t.endswith(".dist-info")} == {
        "simulator",
        "models",
        "scenarios",
        "app_pages",
        "pilotproof.py",
        "app.py",
    }
    shipped = {p.name for p in (ROOT / "scenarios").glob("*.toml")}
    assert shipped == {name.partition("/")[2] for name in names if name.endswith(".toml") and name.startswith("scenarios/")}
    assert {"app_pages/config.toml", "app_pages/icon.svg", "app_pages/main.py"} <= set(names)


@pytest.mark.slow
def test_the_installed_wheel_works_from_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "venv", "env"], tmp_path)
    python = str(tmp_path / "env" / "bin" / "python")
    pins = tmp_path / "pins.txt"  # which versions fit together is not what is tested, and takes minutes to find out
    pins.write_text(
        "".join(f"{line.removesuffix(chr(92)).strip()}\n" for line in REQUIREMENTS.read_text().splitlines() if "==" in line[:60])
    )
    quietly = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    run([python, "-m", "pip", "install", *quietly, "--constraint", str(pins), str(wheel)], tmp_path)
    command = str(tmp_path / "env" / "bin" / "pilotproof")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "invoice_processing" in run([command, "scenario", "list"], empty)
    assert "Can I trust this?" in run([command, "verdict", "travel_declarations", "--draws", "1"], empty)
    assert "cases" in run(
        [python, "-c", "import pilotproof as pp; print(sorted(pp.frames(pp.simulate(pp.load('travel_declarations')))))"], empty
    )
    assert list(empty.iterdir()) == []
