"""`import pilotproof as pp`: light, documented, and on guard against foreign packages of the same name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pilotproof as pp
from scenarios.problems import CaseError

ROOT = Path(__file__).parent.parent


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}
    return subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_import_loads_nothing_heavy(tmp_path: Path) -> None:
    heavy = "{'numpy', 'pandas', 'scipy', 'pydantic', 'simpy', 'typer', 'rich'}"
    done = python(f"import sys, pilotproof; print({heavy} & set(sys.modules))", tmp_path)
    assert done.stdout == "set()\n"


def test_a_foreign_package_of_the_same_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").write_text("", encoding="utf-8")
    done = python(
        "import pilotproof as pp\ntry:\n    pp.load('travel_declarations')\nexcept ImportError as e:\n    print(e)", tmp_path
    )
    assert 'its own package "models"' in done.stdout
    assert str(tmp_path / "models") in done.stdout


def test_a_changed_copy_leaves_the_original() -> None:
    case = pp.load("invoice_processing")
    before = case.hash
    better = pp.change(case, {"steps.review.catch": 0.95, "teams.reviewers.cost_per_hour": "40 USD"})
    assert better.case.steps[1].catch.value == 0.95  # type: ignore[union-attr]
    assert case.hash == before == pp.load("invoice_processing").hash != better.hash


def test_an_unknown_path_is_an_error_that_names_it() -> None:
    with pytest.raises(CaseError, match=r"steps\.revue"):
        pp.change(pp.load("invoice_processing"), {"steps.revue.catch": 0.95})


def test_frames_are_tidy_and_agree_with_each_other() -> None:
    future = pp.simulate(pp.load("travel_declarations"), arm="production", seed=3)
    frames = pp.frames(future)
    cases, visits, weeks = frames["cases"], frames["visits"], frames["weeks"]
    assert weeks.arrived.sum() == len(cases)
    assert weeks.finished.sum() == cases.finished.sum()
    assert weeks.backlog.iloc[-1] == len(cases) - cases.finished.sum()
    done = visits[visits.case.isin(cases.index[cases.finished])]
    spent = (done.ended_days - done.entered_days).groupby(done.case).sum()
    assert abs(spent - cases.cycle_days[spent.index]).max() < 1e-9


def test_the_readme_shows_the_shipped_case_at_the_default_number_of_futures() -> None:
    """`make docs` prints it anew after a change."""
    from scenarios.cli.main import DEFAULT_DRAWS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"hash {pp.load('invoice_processing').hash} " in readme
    assert f"of {DEFAULT_DRAWS} simulated futures" in readme
