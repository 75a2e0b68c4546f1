"""Canonical form, new files, semantic differences, and writing whole files or none."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from models.leaves import leaves
from scenarios.canonical import canonical, formatted
from scenarios.catalogue import shipped_names, shipped_path
from scenarios.differences import differences
from scenarios.editing import name_of, new_file, write_atomically
from scenarios.files import load
from scenarios.problems import CaseError
from tests.case_builder import AI, SMALL_FILE, loaded

HERE = Path("case.toml")
UNTIDY = """\
# what this file is
# in two lines

b = 1 # one
# about the name
name='x'
"title" = "a\\"b"
schema_version=1


z = [1,2 , 3,]
y = [
1, # first

   2
]
[teams . "a b"]
x.'y z'.w = {a=1,b = [ 1,2 ],c={}}
d = 1979-05-27 07:32:00
# the promise
[target]   # tail
level="7 d"
[[steps]]
id='x'
[[steps.levels]]
k=1
# the end
"""
TIDY = """\
# what this file is
# in two lines

schema_version = 1
# about the name
name = "x"
title = "a\\"b"
b = 1  # one

z = [1, 2, 3]
y = [
  1,  # first
  2,
]

# the promise
[target]  # tail
level = "7 d"

[teams."a b"]
x."y z".w = { a = 1, b = [1, 2], c = {} }
d = 1979-05-27 07:32:00

[[steps]]
id = "x"
[[steps.levels]]
k = 1
# the end
"""


def test_canonical_form():
    assert canonical(UNTIDY, HERE) == TIDY


def test_canonical_form_of_the_canonical_form_is_itself():
    assert canonical(TIDY, HERE) == TIDY


@pytest.mark.parametrize("name", [*shipped_names(), "small"])
def test_shipped_files_are_in_canonical_form(name):
    text, done = formatted(shipped_path(name) or SMALL_FILE)

    assert text == done


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# only a comment", "# a\n\n# b\n\n\n", "a = 1", "[a]\n", "\ufeffa = 1", "a = 1\r\nb = 'x'\r\n"]
)
def test_small_files(text):
    done = canonical(text.removeprefix("\ufeff"), HERE)

    assert canonical(done, HERE) == done
    assert done == "" or done.endswith("\n")


@pytest.mark.parametrize(
    "value",
    [
        '"""a\n"b" c"""',
        "'''x\n  y'''",
        '"""a""""',
        "''''a'''",
        "'C:\\new'",
        '"tab\\t"',
        '"\\u007f"',
        "[[], [[]], {}]",
        "-inf",
        "0x1F",
        "1_000.5e3",
    ],
)
def test_values_keep_their_meaning(value):
    text = f"a = {value}\nb = [{value}, {value}]\n"

    assert tomllib.loads(canonical(text, HERE)) == tomllib.loads(text)
    assert canonical(canonical(text, HERE), HERE) == canonical(text, HERE)


def test_what_is_no_toml_has_no_canonical_form():
    with pytest.raises(CaseError) as caught:
        canonical("a = = 1", HERE)
    assert [p.code for p in caught.value.problems] == ["E100"]


_PIECES = ["a = 1", "name = 'x'", "# note", "", "   ", "z = [1,\n2, # two\n\n]", "t = {b='1', \"c\" = [ ]}", "[teams.a]", "[target]", "[[steps]]", "[steps.q]",
           "run = 3 # why", 'd = """x\n\n  # no comment\n"""', "'q r' = true", "[ money ]"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=12))
@example(["[[steps]]", "# note", "[teams.a]"])  # the comment comes to stand first
@example(["[[steps]]", "", "# note", "[teams.a]"])
def test_any_toml_keeps_its_meaning_and_its_comments(pieces):
    text = "\n".join(pieces)
    try:
        before = tomllib.loads(text)
    except ValueError:
        return
    done = canonical(text, HERE)

    assert tomllib.loads(done) == before
    assert canonical(done, HERE) == done
    assert done.count("# note") == text.count("# note")
    assert "\n\n\n" not in done.replace("x\n\n  #", "")


# -- new files


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("My Case", "my_case"),
        ("Köln 2027", "koln_2027"),
        ("2027-q1", "case_2027_q1"),
        ("…", "case"),
        ("a", "a"),
        ("x" * 99, "x" * 50),
    ],
)
def test_names_made_of_file_names(stem, name):
    assert name_of(stem) == name


@pytest.mark.parametrize("source", shipped_names())
def test_a_copy_is_a_valid_case_of_guesses_with_all_comments(tmp_path, source):
    file = tmp_path / "Our case.toml"
    new_file(file, source, False)
    case, original = load(str(file)).case, load(source).case

    assert (case.name, case.title) == ("our_case", "Our case")
    assert {leaf.parameter.source for leaf in leaves(case)} == {"guess"}
    assert all(leaf.parameter.inherited for leaf in leaves(case) if _is_sourced(leaf.path, original))
    assert [d for d in differences(original, case) if not d[0].endswith(".source")] == []
    lines = [line.strip() for line in (shipped_path(source) or file).read_text().splitlines() if line.startswith("#")]
    assert all(line in file.read_text() for line in lines)


def _is_sourced(path: str, case) -> bool:
    return next(leaf.parameter for leaf in leaves(case) if leaf.path == path).source != "guess"


@pytest.mark.parametrize("source", shipped_names())
def test_a_file_of_differences_starts_without_any(tmp_path, source):
    file = tmp_path / "ours.toml"
    new_file(file, source, True)

    assert differences(load(source).case, load(str(file)).case) == []
    assert len(file.read_text().splitlines()) < 30


@pytest.mark.parametrize("source", shipped_names())
def test_the_examples_in_a_file_of_differences_work(tmp_path, source):
    file = tmp_path / "ours.toml"
    new_file(file, source, True)
    text = file.read_text()
    for line in ("[arrivals]", "per_", "[[steps]]", "id =", "after =", "kind =", "time ="):
        text = text.replace(f"# {line}", line)
    file.write_text(text)
    changed = differences(load(source).case, load(str(file)).case)

    assert any(place.startswith("arrivals.per_") for place, _, _ in changed)
    assert ("steps.second_look", "–", "wait") in changed


def test_a_copy_of_a_case_that_extends_another_stands_alone(tmp_path):
    new_file(tmp_path / "a.toml", "invoice_processing", True)
    new_file(tmp_path / "b.toml", str(tmp_path / "a.toml"), False)
    new_file(tmp_path / "c.toml", str(tmp_path / "a.toml"), True)
    (tmp_path / "a.toml").write_text((tmp_path / "a.toml").read_text() + "[arrivals]\nper_month = 2600\n")

    assert load(str(tmp_path / "b.toml")).case.extends is None
    assert load(str(tmp_path / "b.toml")).case.arrivals.per_month.value == 2500  # type: ignore[union-attr]
    assert load(str(tmp_path / "c.toml")).case.arrivals.per_month.value == 2600  # type: ignore[union-attr]
    assert str(tmp_path) not in (tmp_path / "c.toml").read_text()


def test_nothing_is_overwritten(tmp_path):
    file = tmp_path / "a.toml"
    file.write_text("mine")
    for extend in (False, True):
        with pytest.raises(CaseError, match="exists already"):
            new_file(file, "invoice_processing", extend)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("source", ["nowhere", "broken.toml"])
def test_nothing_is_written_from_a_source_that_is_wrong(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    Path("broken.toml").write_text('name = "x"\n')
    for extend in (False, True):
        with pytest.raises(CaseError):
            new_file(Path("new.toml"), source, extend)
    assert [p.name for p in Path().iterdir()] == ["broken.toml"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "a.toml"
    file.write_text("old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CaseError) as caught:
        write_atomically(file, "new")

    assert [p.code for p in caught.value.problems] == ["E602"]
    assert file.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.toml"]


def test_permissions_and_links_stay(tmp_path):
    file, link = tmp_path / "a.toml", tmp_path / "link.toml"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_atomically(link, "new")

    assert link.is_symlink()
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


# -- differences


def diff(a: dict, b: dict) -> list[tuple[str, str, str]]:
    return differences(loaded(a).case, loaded(b).case)


def test_equal_meaning_is_no_difference():
    a = {
        "steps.entry.service": "120 min",
        "types.hard.share": "30 %",
        "target.level": "72 h",
        "teams.clerks.label": "Clerks",
        "title": "Other",
    }
    b = {"steps.entry.service": {"value": "2 h", "note": "measured by hand"}, "types.hard.share": 0.30, "target.level": "3 d"}

    assert diff(a, b) == []


def test_differences_read_as_places_with_old_and_new_value():
    found = diff(
        {},
        {
            "arrivals.per_working_day": {"value": 15, "source": "measured"},
            "teams.clerks.headcount": {"pilot": 3, "production": 2, "cause": "organisation"},
            "steps.entry.service": {"kind": "constant", "value": "20 min"},
            "steps.question.options.1.share": {"right": 12, "tried": 40},
            "calendars.office.hours": ["09:00-17:00"],
            "target.weeks": [5, 9],
        },
    )

    assert found == [
        ("target.weeks", "5, 8", "5, 9"),
        ("calendars.office.hours", "09:00-12:30, 13:00-17:00", "09:00-17:00"),
        ("arrivals.per_working_day", "12", "15"),
        ("teams.clerks.headcount", "2", "pilot 3, live 2 (organisation)"),
        ("steps.entry.service", "median 30 min, 9 of 10 within 1 h", "20 min"),
        ("steps.question.options.1.share", "simple 0.1, hard 0.5", "12 of 40"),
    ]


def test_added_and_removed_things_are_one_line_each():
    found = diff({}, {"steps.first": {**AI, "label": "reader"}, "teams.reviewers": {"headcount": 1, "calendar": "office"}, "steps.machine.referred": "look",
                      "steps.+": {"id": "look", "kind": "review", "of": "machine", "team": "reviewers", "service": "5 min", "catch": 0.8, "next": "done"}})  # fmt: skip

    assert found == [
        ("teams.reviewers", "–", "1 people"),
        ("steps", "starts with entry", "starts with machine"),
        ("steps.machine", "–", "ai (reader)"),
        ("steps.look", "–", "review"),
    ]


def test_an_uncertain_value_that_reads_the_same_in_other_units_is_equal():
    a = {"steps.answer.time": {"low": "24 h", "likely": "48 h", "high": "96 h"}}
    b = {"steps.answer.time": {"low": "1 d", "likely": "2 d", "high": "4 d"}}

    assert diff(a, b) == []
