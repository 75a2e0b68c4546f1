"""The page Start: what is typed and what it means, what comes of it, and the page itself as somebody uses it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app_pages import session, verdict_work
from app_pages.session import workspaces
from scenarios.case_archive import archive
from scenarios.case_folder import new_case
from scenarios.catalogue import shipped_names
from scenarios.files import find, load, resolved
from scenarios.interview import reading, store
from scenarios.interview.answers import Answers, TypeRow, lacks_sureness, with_sureness
from scenarios.interview.questions import QUESTIONS, TODAY
from scenarios.interview.roles import roles_of
from scenarios.jobs import Jobs, Look
from scenarios.pages import start
from scenarios.pages.start import Typed, examples, held, sheet, type_labels, typed_of, usable
from scenarios.pages.start_laid import folder_name, laid, laying, made_from, retitle, title_problem
from scenarios.pages.start_matters import SHOWN, asked_in, matters, question_of
from scenarios.problems import CaseError
from scenarios.study.one_at_a_time import Move, Moves
from tests.app_testing import MAIN, settled, texts

SMALL = "travel_declarations"
FORBIDDEN = (
    "posterior", "prior", "draw", "draws", "replication", "replications", "arm", "arms", "shapley", "evppi", "evsi", "standard error",
    "as_is", "production", "contraction", "po_standard", "per_month",
)  # fmt: skip
NASTY = "**Köln** <b>2027</b> =1+1 `x`"


def typed(rows: tuple[TypeRow, ...] = (), owner: str = "", **texts: str) -> Typed:
    return Typed(owner, {key.replace("__", "."): text for key, text in texts.items()}, {}, rows)


def field_of(found: Typed, place: str, refused: dict[str, str] | None = None, holds: dict[str, str] | None = None):
    shown = sheet(found, usable(found), holds or {}, refused or {})
    return next(one for question in shown for one in question.fields if one.place == place)


# -- what was typed


def test_the_examples_are_those_that_are_shipped():
    assert [one.name for one in examples()] == list(shipped_names())
    assert all(one.title and one.line.startswith("Promise: ") for one in examples())


@pytest.mark.parametrize("text", ["9" * 190, "1e300 d", "10001 d"])
def test_a_time_that_no_process_takes_is_said_at_its_field(text: str) -> None:
    found = usable(typed(today__observed=text, promise__level="7 d"))

    assert dict(found.answers.given) == {("promise", "level"): "7 d"}
    assert "10,000 days" in field_of(typed(today__observed=text), "today.observed").problem


def test_what_cannot_be_used_is_said_and_the_rest_is_used():
    found = usable(
        typed(promise__level="7 d", today__observed="13 to 15 d", pilot__accuracy="9x", volume__per_month="don't know")
    )

    assert dict(found.answers.given) == {("promise", "level"): "7 d", ("today", "observed"): "13 to 15 d (80 % sure)"}
    assert set(found.problems) == {"pilot.accuracy"}
    with pytest.raises(reading.AnswerError) as caught:
        reading.estimate("9x", "accuracy")
    assert found.problems["pilot.accuracy"] == str(caught.value)


def test_a_range_is_asked_how_sure_as_in_the_terminal():
    about = TODAY.field("observed")
    chosen = Typed("", {"today.observed": "13 to 15 d"}, {"today.observed": "95 %"})

    assert lacks_sureness(about, "13 to 15 d")
    assert not lacks_sureness(about, "13 to 15 d (90 % sure)")
    assert not lacks_sureness(about, "14 d")
    assert (
        usable(chosen).answers.given["today", "observed"]
        == with_sureness(about, "13 to 15 d", "95 %")
        == "13 to 15 d (95 % sure)"
    )
    assert field_of(chosen, "today.observed").sureness == "95 %"
    assert field_of(typed(today__observed="14 d"), "today.observed").sureness is None


def test_a_field_that_is_asked_no_more_keeps_its_text_and_blocks_nothing():
    bad = typed(promise__statistic="share_within", promise__level="nonsense", promise__share="80 %", promise__within="10 d")

    assert not usable(bad).problems
    assert "level" not in [one.about.id for one in sheet(bad, usable(bad), {}, {})[0].fields]
    assert usable(typed(promise__level="nonsense")).problems


def test_an_answer_is_shown_as_it_was_understood():
    assert field_of(typed(promise__level="7"), "promise.level").understood == "7 d"
    assert field_of(typed(promise__level="7 d"), "promise.level").understood == ""
    assert field_of(typed(pilot__accuracy="92 % of 400"), "pilot.accuracy").understood == "368 of 400"


def test_what_holds_is_shown_beside_an_empty_field_only():
    holds = {"promise.level": "7 d, as in the example"}

    assert field_of(typed(), "promise.level", holds=holds).left_open == "7 d, as in the example"
    assert field_of(typed(promise__level="6 d"), "promise.level", holds=holds).left_open == ""


def test_what_was_refused_is_shown_at_its_field():
    assert field_of(typed(promise__level="6 d"), "promise.level", {"promise.level": "too short"}).problem == "too short"


@pytest.mark.parametrize("text", ["x" * 300, "a\x00b", "\u202e7 d"])
def test_letters_that_cannot_be_printed_are_refused(text):
    assert usable(typed(promise__level=text)).problems
    assert usable(typed(owner=text)).problems
    assert usable(typed((TypeRow(text, "100 %"),))).problems
    assert title_problem(text)


def test_types_are_read_row_by_row_and_empty_rows_are_passed_over():
    rows = (TypeRow("a", "60 %", "yes"), TypeRow(""), TypeRow("b", "40 %", "no"))

    assert [row.name for row in usable(typed(rows)).answers.given["volume", "types"]] == ["a", "b"]  # type: ignore[union-attr]
    assert "add up to 60 %" in usable(typed(rows[:1])).problems["volume.types"]
    assert "needs a name" in usable(typed((TypeRow("", "60 %"),))).problems["volume.types"]


def test_answers_become_what_was_typed_and_back():
    data = {
        "owner": "me", "promise": {"statistic": "1", "level": "6 d"}, "today": {"observed": "13 to 15 d (90 % sure)"},
        "volume": {"types": [{"name": "a", "share": "60 %", "piloted": True}, {"name": "b", "piloted": "n"}]},
        "files": {"exist": "dates, 3"},
    }  # fmt: skip
    again = typed_of(Answers.of(data))

    assert again.texts == {
        "promise.statistic": "mean", "promise.level": "6 d", "today.observed": "13 to 15 d (90 % sure)", "files.exist": "dates, pilot",
    }  # fmt: skip
    assert [row.piloted for row in again.rows] == ["yes", "no"]
    assert typed_of(usable(again).answers) == again
    assert typed_of(Answers.of({"files": {"exist": "none"}})).texts == {"files.exist": "none"}


@pytest.mark.parametrize("name", shipped_names())
def test_what_holds_in_a_case_names_its_own_fields_and_is_a_guess_once_it_is_copied(name):
    data = resolved(find(name))
    places = {start.place_of(question, about) for question in QUESTIONS for about in question.fields}

    assert set(held(data, True)) <= places
    assert held(data, True)["today.observed"].endswith(", a guess")
    assert set(held(data, False)) == set(held(data, True))
    assert set(type_labels(data)) == set(load(name).case.types)


@pytest.mark.parametrize("name", shipped_names())
def test_the_types_of_the_example_can_be_stated_as_they_are(name):
    case, rows = load(name).case, start.type_rows(resolved(find(name)))

    assert not usable(typed(rows)).problems
    assert [row.name for row in rows] == [spec.label or name for name, spec in case.types.items()]
    assert [row.piloted == "yes" for row in rows] == [spec.piloted for spec in case.types.values()]
    assert sum(float(row.share.removesuffix(" %")) for row in rows) == pytest.approx(100, abs=0.5)


def test_a_type_of_the_example_needs_no_likeness():
    known = {"po": "With order", "other": "Other"}

    assert start.named_there(TypeRow(" other "), known)
    assert not start.named_there(TypeRow("new"), known)


# -- answers laid over a case


@pytest.fixture(scope="module")
def made_once(tmp_path_factory) -> Path:
    return new_case(tmp_path_factory.mktemp("made") / "mine", SMALL)


@pytest.fixture
def folder(tmp_path, made_once) -> Path:
    made_from(str(made_once), "")(tmp_path / "mine")
    return tmp_path / "mine"


def test_what_came_of_answers_is_what_the_terminal_says(folder):
    answers = Answers.of({"promise": {"level": "6 d"}, "pilot": {"accuracy": "95 %"}, "process": {"exceptions": "10 %"}})
    came = laid(folder, answers, "")
    found = store.interviewed(folder, answers)

    told = dict(came.sections)
    assert told["Known, because you said so"] == tuple(f"{x.about}: {x.answer}" for x in found.known)
    assert told["Assumed to use it"] == found.assumed
    assert told["Not adapted"] == found.not_adapted != ()
    assert any("weeks of the promise 13 to 26" in item for item in told["Still guessed, as in the scenario"])
    assert came.counted.startswith("1 of ")
    assert came.problem is None
    assert load(str(folder)).case.target.level == "6 d"


def test_answers_that_do_not_fit_together_change_nothing(folder):
    before = (folder / "case.toml").read_bytes()
    answers = usable(typed(unsure__coverage="80 %", unsure__accepted_wrong="30 %", pilot__accuracy="92 %")).answers
    jobs = Jobs()
    jobs.ask("me", "answers", "key", laying(folder, answers, ""))
    look = jobs.wait("key", 60)
    jobs.close()

    assert look.state == "failed"
    assert isinstance(look.error, CaseError)
    assert [problem.place for problem in look.error.problems] == ["unsure.accepted_wrong"]
    assert (folder / "case.toml").read_bytes() == before


def test_a_title_is_kept_as_it_is_and_survives_answers(folder):
    retitle(folder, NASTY)
    assert load(str(folder)).case.title == NASTY
    laid(folder, Answers.of({"promise": {"level": "6 d"}}), NASTY)
    came = laid(folder, Answers.of({"promise": {"level": "5 d"}}), "Another")

    assert not came.by_hand
    assert load(str(folder)).case.title == "Another"
    assert load(str(folder)).case.target.level == "5 d"


@pytest.mark.parametrize(
    ("title", "name"), [("", "my_case"), ("***", "my_case"), ("Köln 2027", "koln_2027"), ("../../etc", "etc")]
)
def test_the_folder_is_named_after_the_case(title, name):
    assert folder_name(title) == name


# -- which answers to give next


def test_numbers_lead_to_the_questions_that_ask_for_them():
    roles = roles_of(resolved(find("invoice_processing")))

    assert question_of("arrivals.per_month", roles) == "volume.per_month"
    assert question_of("baseline.observed", roles) == "today.observed"
    assert question_of(f"steps.{roles.ai}.accuracy", roles) == "pilot.accuracy"
    assert question_of(f"steps.{roles.approval}.levels.2.response.p90", roles) == "process.slow"
    assert question_of("types.non_po.share", roles) == "volume.types"
    assert question_of(f"systems.{roles.endpoint}.outage.repair.median", roles) == "process.outage_length"
    assert question_of("conditions.data", roles) == ""
    assert asked_in("process.slow") == "6: And a slow one? 1 in 10 takes longer"


def found_moves(*chances: float) -> Moves:
    case = load("invoice_processing").case
    paths = ["arrivals.per_month", *(f"steps.entry.x{i}" for i in range(len(chances)))]
    moves = [Move(p, "guess", (1, 2, 3), (9.0, 11.0), (0.5, c), False) for p, c in zip(paths, chances, strict=False)]
    return Moves(case, 10.0, 0.5, tuple(moves))


def test_the_list_says_how_far_each_number_moves_the_chance():
    found = matters(found_moves(0.62, 0.53, 0.5))

    assert found.title == "Answer these 2 first; each of the other 1 moves the chance by less than one point"
    assert [one.points for one in found.shown] == pytest.approx([12, 3])
    assert (found.shown[0].number, found.shown[0].asked) == ("cases a month", "5: Cases a month")
    assert "up to 12 points" in found.shown[0].moves
    assert "between 50% and 62%" in found.shown[0].moves
    assert len(found.rows) == 3


def test_a_long_list_is_cut_and_says_so():
    found = matters(found_moves(*[0.6] * 15))

    assert len(found.shown) == SHOWN
    assert found.title == "15 of 15 numbers move the chance by a point or more; answer these 10 first"


def test_without_a_move_of_the_chance_the_result_is_shown():
    found = matters(found_moves(0.5, 0.5))

    assert found.title == "None of the 2 numbers alone moves the chance by a point"
    assert found.shown[0].moves == "not by a point; the result lies between 9.0 d and 11.0 d"


# -- the page


@pytest.fixture
def few_futures(monkeypatch):
    """The work behind the list of next answers, on very few futures."""
    monkeypatch.setattr(verdict_work, "DECISION_DRAWS", 2)


@pytest.fixture
def page(request, monkeypatch) -> AppTest:
    """The page as a new visitor of a small case sees it."""
    monkeypatch.setenv("PILOTPROOF_CASE", SMALL)
    monkeypatch.setattr(
        session, "owner", lambda: "browser of this test"
    )  # AppTest has no cookies by which a browser is known again
    if "few_futures" not in request.fixturenames:  # nothing is simulated behind the page
        nothing = Look("failed", error=ValueError("nothing is simulated in this test"))
        monkeypatch.setattr(verdict_work, "ask_verdict", lambda loaded: ("none", nothing))
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.session_state["restored"] = True
    at.switch_page("start.py").run()
    assert not at.exception
    return at


def typing(at: AppTest, **answers: str) -> AppTest:
    """Types into fields, one after the other."""
    for place, text in answers.items():
        at.text_input(key=f"start: {place.replace('__', '.')}").input(text).run()
    assert not at.exception
    return at


def press(at: AppTest, label: str) -> AppTest:
    next(button for button in at.button if button.label == label).click()
    at.run()
    return settled(at)


def way(at: AppTest, name: str) -> AppTest:
    at.radio(key="start way").set_value(name).run()
    assert not at.exception
    return at


def own(at: AppTest) -> Path:
    found = [held.folder for token, held in workspaces()._held.items() if token == at.session_state["mine"]]
    return found[0]


def test_the_ways_to_begin_are_offered(page):
    assert [title.value for title in page.title] == ["Start"]
    assert [option.split(" (")[0] for option in page.radio(key="start way").options] == [
        "Make my own case", "Look at an example", "Open a saved case",
    ]  # fmt: skip
    assert [box.label for box in page.expander] == [f"{n}. {question.title}" for n, question in enumerate(QUESTIONS, 1)]
    assert "Left open: 5.48 d, as in the example" in texts(page)
    assert "mine" not in page.session_state


def test_an_example_is_opened(page):
    way(page, "example")
    assert all(one.title in texts(page) and one.line in texts(page) for one in examples())
    press(page, "Open now: see its answer")

    assert page.session_state["case"] == SMALL


def test_an_answer_that_cannot_be_used_is_said_at_once_and_blocks(page):
    typing(page, promise__level="soon")

    assert '"soon" is not a number' in page.error[0].value.replace("\\", "")
    press(page, "Show my answer")
    assert "1 answer cannot be used yet (question 1)" in texts(page)
    assert "mine" not in page.session_state
    typing(page, promise__level="6")
    assert not page.error
    assert "Understood as 6 d" in texts(page)


def test_nothing_typed_is_lost_on_other_pages(page):
    typing(page, promise__level="soon", owner=NASTY, today__observed="13 to 15 d")
    page.radio(key="start: promise.days").set_value("working").run()
    page.radio(key="start: sure today.observed").set_value("95 %").run()
    press(page, "Add a type")
    page.text_input(key="start: type 0 name").input(NASTY).run()
    page.checkbox(key="start: file dates").check().run()
    page.switch_page("what_if.py").run()
    page.switch_page("start.py").run()

    assert page.text_input(key="start: promise.level").value == "soon"
    assert page.text_input(key="start: owner").value == NASTY
    assert page.radio(key="start: promise.days").value == "working"
    assert page.radio(key="start: sure today.observed").value == "95 %"
    assert page.text_input(key="start: type 0 name").value == NASTY
    assert page.checkbox(key="start: file dates").value


def test_fields_are_asked_as_their_question_is_answered(page):
    assert "Promised share" not in [field.label for field in page.text_input]
    page.radio(key="start: promise.statistic").set_value("share_within").run()

    assert "Promised share" in [field.label for field in page.text_input]
    assert "Promised time" not in [field.label for field in page.text_input]


def test_files_and_none_of_them_exclude_each_other(page):
    page.checkbox(key="start: file dates").check().run()
    page.checkbox(key="start: file none").check().run()
    assert not page.checkbox(key="start: file dates").value
    assert page.session_state["start"].texts["files.exist"] == "none"
    page.checkbox(key="start: file pilot").check().run()
    assert not page.checkbox(key="start: file none").value
    assert page.session_state["start"].texts["files.exist"] == "pilot"


def test_types_are_added_named_and_removed(page):
    press(page, "Begin with the types of the example")
    labels = list(type_labels(resolved(find(SMALL))).values())
    assert [page.text_input(key=f"start: type {i} name").value for i in range(len(labels))] == labels
    page.button(key="start: type 0 remove").click().run()
    page.text_input(key="start: type 1 name").input(NASTY).run()

    assert [row.name for row in page.session_state["start"].rows.values()] == [NASTY]
    assert list(page.selectbox(key="start: type 1 like").options) == ["Don't know", *labels]


def test_a_case_of_ones_own_from_the_questions_to_what_to_answer_next(few_futures, page):
    typing(page, title=NASTY, owner="=me()", promise__level="6", pilot__accuracy="90 to 96 %", process__exceptions="10 %")
    press(page, "Show my answer")

    folder, shown = own(page), texts(page)
    case = load(str(folder)).case
    assert folder.name == folder_name(NASTY)
    assert (case.title, case.target.level) == (NASTY, "6 d")
    assert f"Your case: {NASTY}" in shown
    assert "Known, because you said so" in shown
    assert "accuracy in the pilot: 90 % to 96 % (80 % sure)" in shown
    assert "Still guessed, as in the scenario" in shown
    assert "Not adapted" in shown
    assert any(header.value == "Which answers matter most next" for header in page.header)
    assert re.search(r"(Answer these|None of the \d+ numbers|numbers move the chance)", shown)
    assert [button.label for button in page.get("download_button")] == ["Download my case (zip)", "All numbers that were tried"]
    assert store.saved_answers(folder).owner == "=me()"
    assert not [word for word in FORBIDDEN if re.search(rf"\b{word}\b", shown.lower())]

    typing(page, promise__level="5 d")
    assert "You changed answers since" in texts(page)
    assert store.saved_answers(folder).given["promise", "level"] == "5 d"
    assert load(str(folder)).case.target.level == "6 d"
    press(page, "Show my answer")
    assert own(page) == folder
    assert load(str(folder)).case.target.level == "5 d"
    assert not store.start_of(folder).by_hand

    page.session_state["start"] = None
    del page.session_state["start"]
    page.run()
    assert page.text_input(key="start: promise.level").value == "5 d"


def test_answers_that_do_not_fit_together_are_marked_where_they_stand(page):
    typing(page, pilot__accuracy="92 %", unsure__coverage="80 %", unsure__accepted_wrong="30 %")
    press(page, "Show my answer")

    assert "Some answers do not fit together yet" in texts(page)
    assert len(page.error) == 1
    assert page.session_state["start"].opened["unsure"]
    typing(page, unsure__accepted_wrong="2 %")
    assert not page.error


def test_an_example_may_be_looked_at_in_between(page):
    typing(page, promise__level="6 d")
    press(page, "Show my answer")
    mine = page.session_state["mine"]
    way(page, "example")
    page.button(key=f"open {SMALL}").click().run()
    settled(page)
    assert "mine" not in page.session_state
    page.switch_page("start.py").run()
    assert "Look at my case again" in [button.label for button in page.button]
    way(page, "own")
    assert page.text_input(key="start: promise.level").value == "6 d"
    press(page, "Look at my case again")

    assert page.session_state["mine"] == mine


def test_another_case_begins_with_empty_fields_and_closes_the_first(page):
    typing(page, promise__level="6 d")
    press(page, "Show my answer")
    first = own(page)
    press(page, "Begin another case")
    assert page.text_input(key="start: promise.level").value == ""
    assert first.is_dir()
    page.selectbox(key="start base").set_value(SMALL).run()
    press(page, "Show my answer")

    assert own(page) != first
    assert not first.exists()


def test_a_saved_case_is_opened(page, folder):
    store.interviewed(folder, Answers.of({"promise": {"level": "4 d"}}))
    way(page, "saved")
    page.file_uploader(key="start archive").upload("My Köln case.zip", archive(folder), "application/zip").run()
    press(page, "Open this case")

    assert own(page).name == "my_koln_case"
    assert load(str(own(page))).hash == load(str(folder)).hash
    page.switch_page("start.py").run()
    way(page, "own")
    assert page.text_input(key="start: promise.level").value == "4 d"


@pytest.mark.parametrize("data", [b"no zip", b""])
def test_what_is_no_case_ends_in_a_plain_message(page, data):
    way(page, "saved")
    page.file_uploader(key="start archive").upload("<b>x</b>.zip", data, "application/zip").run()
    press(page, "Open this case")

    assert "<b>x</b>.zip: 1 problem" in texts(page)
    assert "mine" not in page.session_state
    assert page.title[0].value == "Start"


def test_two_visitors_share_nothing(page, monkeypatch):
    typing(page, promise__level="6 d")
    press(page, "Show my answer")
    other = AppTest.from_file(MAIN, default_timeout=60)
    other.switch_page("start.py").run()

    assert other.text_input(key="start: promise.level").value == ""
    assert "mine" not in other.session_state


def test_the_words_of_the_questions_are_words_of_the_screen():
    fields = [(question, about) for question in QUESTIONS for about in question.fields]
    every = " ".join(f"{q.title} {q.help} {f.ask} {f.says} {f.example} {' '.join(c.words for c in f.choices)}" for q, f in fields)

    assert not [word for word in FORBIDDEN if re.search(rf"\b{word}\b", every.lower())]
