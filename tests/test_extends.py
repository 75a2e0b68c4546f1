"""Cases that extend others: only the differences are stated, everything taken over is a guess and says from where."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.leaves import leaves
from scenarios.differences import differences
from scenarios.files import LoadedCase, changed, load
from scenarios.problems import CaseError
from tests.case_builder import SMALL_FILE

SMALL = load(str(SMALL_FILE)).case


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.toml").write_bytes(SMALL_FILE.read_bytes())
    return tmp_path


def child(folder: Path, text: str, name: str = "child", extends: str = "small.toml") -> LoadedCase:
    file = folder / f"{name}.toml"
    file.write_text(f'extends = "{extends}"\nname = "{name}"\ntitle = "{name}"\n{text}')
    return load(str(file))


def refused(folder: Path, text: str, extends: str = "small.toml") -> list[tuple[str, str]]:
    with pytest.raises(CaseError) as caught:
        child(folder, text, extends=extends)
    assert "child.toml" in caught.value.file
    return [(p.code, p.place) for p in caught.value.problems]


def changes(case: LoadedCase) -> list[tuple[str, str, str]]:
    return differences(SMALL, case.case)


def test_without_differences_the_meaning_is_that_of_the_parent(folder):
    assert changes(child(folder, "")) == []


def test_everything_taken_over_is_a_guess_that_names_its_origin(folder):
    stated = {leaf.path: leaf.parameter for leaf in leaves(child(folder, "").case)}

    arrivals = stated["arrivals.per_working_day"]
    assert (arrivals.source, arrivals.inherited, arrivals.owner) == ("guess", "small.toml", "front office")
    assert {p.source for p in stated.values()} == {"guess"}


def test_own_values_keep_their_source(folder):
    case = child(folder, '[arrivals]\nper_working_day = { value = 15, source = "measured" }\n').case

    assert case.arrivals.per_working_day is not None
    assert (case.arrivals.per_working_day.source, case.arrivals.per_working_day.inherited) == ("measured", "")


def test_only_the_differences_change(folder):
    case = child(folder, '[arrivals]\nper_working_day = 15\n[teams.clerks]\nheadcount = 3\n[target]\nlevel = "48 h"\n')

    assert changes(case) == [
        ("target.level", "3 d", "48 h"),
        ("arrivals.per_working_day", "12", "15"),
        ("arrivals.per_working_day.source", "measured", "guess"),
        ("teams.clerks.headcount", "2", "3"),
    ]


def test_a_value_replaces_the_whole_value(folder):
    """The parent's low, likely and high do not stay beside the child's mean and sd."""
    case = child(folder, '[[steps]]\nid = "answer"\n[steps.time]\nkind = "exponential"\nmean = { mean = "3 d", sd = "0.2 d" }\n')

    assert changes(case)[0] == ("steps.answer.time.mean", "1 d … 2 d … 5 d", "3 d ± 0.2 d")


def test_one_number_of_a_distribution_can_change(folder):
    case = child(folder, '[[steps]]\nid = "entry"\nservice = { p90 = "2 h" }\n')

    assert changes(case) == [("steps.entry.service.p90", "1 h", "2 h")]


def test_shares_by_type_replace_one_for_all_and_the_other_way_round(folder):
    share = '[[steps]]\nid = "question"\noptions = [{ to = "answer", share = 0.2 }, { to = "done" }]\n'
    assert changes(child(folder, share)) == [("steps.question.options.1.share", "simple 0.1, hard 0.5", "0.2")]

    flagged = '[[steps]]\nid = "flagged"\nafter = "entry"\nkind = "flag"\nflag = "seen"\nchance = 0.5\n'
    child(folder, flagged, "parent2")
    again = child(folder, '[[steps]]\nid = "flagged"\nchance = { simple = 0.1, hard = 0.9 }\n', "child2", "parent2.toml")
    assert again.case.steps[1].chance.types["hard"].value == 0.9  # type: ignore[union-attr]


def test_a_new_step_comes_after_the_one_it_names(folder):
    case = child(folder, '[[steps]]\nid = "sign"\nafter = "answer"\nkind = "wait"\ntime = "1 d"\n')

    assert [s.id for s in case.case.steps] == ["entry", "question", "answer", "sign", "done"]
    assert changes(case) == [("steps.sign", "–", "wait"), ("steps.answer.next", "done", "sign")]


def test_steps_can_follow_new_steps_and_move(folder):
    text = '[[steps]]\nid = "a"\nafter = "answer"\nkind = "wait"\ntime = "1 h"\n[[steps]]\nid = "b"\nafter = "a"\nkind = "wait"\ntime = "1 h"\n'
    assert [s.id for s in child(folder, text).case.steps][2:] == ["answer", "a", "b", "done"]

    moved = child(folder, f'{text}[[steps]]\nid = "a"\nafter = "b"\n', "moved")
    assert [s.id for s in moved.case.steps][2:] == ["answer", "b", "a", "done"]


def test_a_step_of_another_kind_replaces_the_old_one(folder):
    case = child(folder, '[[steps]]\nid = "answer"\nkind = "work"\nteam = "clerks"\nservice = "20 min"\n')

    assert changes(case) == [("steps.answer", "wait", "work")]


def test_new_tables_are_added(folder):
    case = child(
        folder,
        '[calendars.runs]\nhours = ["16:00-16:05"]\n[[steps]]\nid = "run"\nafter = "answer"\nkind = "gate"\ncalendar = "runs"\n',
    )

    assert [place for place, _, _ in changes(case)] == ["calendars.runs", "steps.run", "steps.answer.next"]


def test_a_chain_of_cases_keeps_the_first_origin(folder):
    child(folder, '[arrivals]\nper_working_day = { value = 15, source = "measured" }\n', "mother")
    case = child(folder, "[teams.clerks]\nheadcount = 3\n", "grandchild", "mother.toml").case
    stated = {leaf.path: leaf.parameter for leaf in leaves(case)}

    assert case.arrivals.per_working_day.value == 15  # type: ignore[union-attr]
    assert stated["arrivals.per_working_day"].inherited == "mother.toml"
    assert stated["steps.answer.time.mean"].inherited == "small.toml"


def test_a_shipped_scenario_can_be_extended(folder):
    case = child(folder, "[arrivals]\nper_month = 2600\n", extends="invoice_processing").case

    assert case.arrivals.per_month.value == 2600  # type: ignore[union-attr]
    assert case.arrivals.calendar == "office"


def test_a_file_beside_wins_and_paths_start_at_the_file(folder):
    inner = folder / "inner"
    inner.mkdir()
    (inner / "small.toml").write_text(SMALL_FILE.read_text().replace("value = 12", "value = 9"))
    file = inner / "child.toml"
    file.write_text('extends = "../small.toml"\nname = "child"\ntitle = "child"\n')
    assert load(str(file)).case.arrivals.per_working_day.value == 12  # type: ignore[union-attr]

    file.write_text('extends = "small.toml"\nname = "child"\ntitle = "child"\n')
    assert load(str(file)).case.arrivals.per_working_day.value == 9  # type: ignore[union-attr]


def test_a_citation_key_called_source_is_no_source(folder):
    (folder / "small.toml").write_text(CITING.replace("erp", "source"))

    assert child(folder, "").case.sources == {"source": "The ERP"}


CITING = (
    SMALL_FILE.read_text().replace('source = "measured"', 'source = "measured", cite = "erp"') + '\n[sources]\nerp = "The ERP"\n'
)


def test_a_source_that_a_child_leaves_without_citation_is_left_behind(folder):
    (folder / "small.toml").write_text(CITING)

    assert child(folder, "[teams.clerks]\nheadcount = 3\n").case.sources == {"erp": "The ERP"}
    assert child(folder, "[arrivals]\nper_working_day = 9\n").case.sources == {}


def test_a_source_that_a_child_lists_itself_must_be_cited(folder):
    (folder / "small.toml").write_text(CITING)
    with pytest.raises(CaseError, match=r"E106 +sources\.survey +nothing cites it"):
        child(folder, '[sources]\nsurvey = "Survey 2026"\n')


def test_a_changed_value_takes_its_citation_with_it(folder):
    (folder / "small.toml").write_text(CITING)
    case = load(str(folder / "small.toml"))

    assert changed(case, {"arrivals.per_working_day": 9}).case.sources == {}


# -- what cannot be


def test_cycles_end_with_an_error(folder):
    (folder / "a.toml").write_text('extends = "b.toml"\n')
    (folder / "b.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(CaseError, match="extend each other does not end"):
        load(str(folder / "a.toml"))


def test_a_case_cannot_extend_itself(folder):
    (folder / "a.toml").write_text('extends = "a.toml"\n')
    with pytest.raises(CaseError, match="does not end"):
        load(str(folder / "a.toml"))


def test_the_parent_must_exist(folder):
    assert refused(folder, "", "smal.toml") == [("E100", "extends")]
    assert refused(folder, "", "\\u0000") == [("E100", "extends")]


def test_the_parent_is_named_by_text(folder):
    (folder / "x.toml").write_text("extends = 3\n")
    with pytest.raises(CaseError) as caught:
        load(str(folder / "x.toml"))
    assert [(p.code, p.place) for p in caught.value.problems] == [("E103", "extends")]


def test_a_parent_that_is_no_toml_is_named_itself(folder):
    (folder / "broken.toml").write_text("x = = 1")
    with pytest.raises(CaseError) as caught:
        child(folder, "", extends="broken.toml")
    assert "broken.toml" in caught.value.file


def test_steps_without_a_place_or_id(folder):
    text = '[[steps]]\nid = "sign"\nkind = "wait"\ntime = "1 d"\n[[steps]]\nid = "b"\nafter = "nowhere"\nkind = "end"\n[[steps]]\nkind = "end"\n'

    assert refused(folder, text) == [("E102", "steps.sign.after"), ("E104", "steps.b.after"), ("E102", "steps.3.id")]


def test_problems_of_the_merged_case_are_those_of_the_child(folder):
    assert refused(folder, "[teams.clerks]\nheadcuont = 3\n[types.hard]\nshare = 0.4\n") == [
        ("E101", "teams.clerks.headcuont"),
        ("E211", "types share"),
    ]


@pytest.mark.parametrize(
    "text", ["steps = 3", "steps = [1]", "teams = 1", 'calendars = "x"', "[[steps]]\nid = 3", "[[types]]\nx = 1"]
)
def test_odd_differences_are_refused_like_any_others(folder, text):
    assert refused(folder, text)
