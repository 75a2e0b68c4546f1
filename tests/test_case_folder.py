"""Case folders: made whole or not at all, named after themselves, taken by every command."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pilotproof as pp
from models.leaves import leaves
from scenarios.case_folder import new_case
from scenarios.catalogue import shipped_names
from scenarios.files import load
from scenarios.problems import CaseError
from tests.test_cli import refused, run


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@pytest.mark.parametrize("extend", [False, True])
@pytest.mark.parametrize("source", shipped_names())
def test_a_folder_is_a_case_of_guesses(tmp_path, source, extend):
    folder = new_case(tmp_path / "Köln 2027", source, extend)
    case = load(str(folder)).case

    assert tree(folder) == ["README.md", "case.toml", "evidence", "runs"]
    assert (case.name, case.title) == ("koln_2027", "Köln 2027")
    assert {leaf.parameter.source for leaf in leaves(case)} == {"guess"}
    assert tree(tmp_path)[0] == "Köln 2027"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_command_says_what_to_do_next(tmp_path):
    result = run("case", "new", "mine", "--from", "claims_intake", cwd=tmp_path)

    assert (result.returncode, result.stderr) == (0, "")
    assert "pilotproof case interview mine" in result.stdout
    assert run("scenario", "check", "mine", cwd=tmp_path).returncode == 0


def test_an_empty_folder_is_filled_and_stays_the_same_folder(tmp_path):
    before = tmp_path.stat().st_ino

    assert run("case", "new", ".", cwd=tmp_path).returncode == 0
    assert tree(tmp_path) == ["README.md", "case.toml", "evidence", "runs"]
    assert tmp_path.stat().st_ino == before


def test_evidence_templates_go_beside(tmp_path):
    new_case(tmp_path / "mine")

    assert run("evidence", "init", "mine", cwd=tmp_path).returncode == 0
    assert (tmp_path / "mine" / "evidence" / "README.md").is_file()
    assert run("evidence", "check", "mine", cwd=tmp_path).returncode == 0


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note.txt").write_text("keep", encoding="utf-8")

    assert "not empty" in refused(run("case", "new", "mine", cwd=tmp_path), "E601")
    assert tree(tmp_path) == ["mine", "mine/note.txt"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["a_file"], "E601", "is a file"),
        (["nowhere/mine"], "E601", "the folder above it does not exist"),
        (["mine", "--from", "invoice_procesing"], "E100", 'did you mean "invoice_processing"?'),
        ([], "E601", "DIR"),
    ],
)
def test_other_folders_that_cannot_be_made(tmp_path, arguments, code, message):
    (tmp_path / "a_file").write_text("", encoding="utf-8")

    assert message.lower() in refused(run("case", "new", *arguments, cwd=tmp_path), code).lower()
    assert tree(tmp_path) == ["a_file"]


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("failing", ["write_text", "rename", "mkdir"])
def test_a_failure_on_the_way_leaves_nothing_behind(tmp_path, there, failing):
    if there:
        (tmp_path / "mine").mkdir()
    before = tree(tmp_path)
    real, calls = getattr(Path, failing), []

    def fails_at_last(self, *args, **kwargs):
        calls.append(self)
        if len(calls) == (3 if failing == "rename" and there else 1 if failing == "rename" else 2):
            raise OSError(28, "No space left on device")
        return real(self, *args, **kwargs)

    with patch.object(Path, failing, fails_at_last), pytest.raises(CaseError, match="No space left"):
        new_case(tmp_path / "mine")
    assert tree(tmp_path) == before


@settings(max_examples=6, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40))
def test_any_name_of_a_folder_gives_a_case(tmp_path_factory, name):
    if name in (".", "..") or len(name.encode()) > 200:
        return
    folder = new_case(tmp_path_factory.mktemp("cases") / name, "travel_declarations", True)

    assert load(str(folder)).case.extends == "travel_declarations"


def test_from_python(tmp_path):
    folder = pp.new_case(tmp_path / "mine", "travel_declarations")

    assert pp.load(folder).case.title == "Mine"
