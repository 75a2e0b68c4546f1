"""The page of evidence: what it says of files, questions and what was learned, and the page itself as a visitor uses it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Semaphore
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app_pages import evidence_work, session
from models.evidence.kinds import KINDS
from models.fits.seam import Sampling
from models.posterior import Diagnostic, PosteriorDraws, SubModel, posterior_of
from scenarios.case_folder import new_case
from scenarios.evidence import apart
from scenarios.fitting import fit_folder
from scenarios.interview.answers import Answers
from scenarios.interview.store import keep
from scenarios.jobs import Jobs, Look
from scenarios.pages import evidence as e
from scenarios.pages import evidence_questions as q
from scenarios.pages import evidence_words
from scenarios.pages.evidence_fit import FITS, Stage, aside, learn, learning
from scenarios.pages.evidence_taught import how_long, taught_page
from scenarios.pages.evidence_words import TITLES, event_words, file_words, message, on_page
from scenarios.problems import CaseError
from scenarios.stale_fit import opened as opened_case
from scenarios.uploads import EXPORT, add, stored
from tests.app_testing import opened, settled, texts
from tests.evidence_files import case

SEEDED = b"step,reviewer,waiting_per_head,shown,caught\nreview,A,2,20,18\nreview,B,9,20,16\n"
COUNTS = b"parameter,happened,tried\nsteps.is_exception.options.1.share,214,1000\n"
EXPORTED = b"Number;Type;Received;Posted\n1;PO, standard;2026-09-01;2026-09-08\n2;weird;2026-09-02;2026-09-09\n"
CODE_WORDS = (
    "posterior",
    "prior",
    "draws?",
    "replications?",
    "arms?",
    "Shapley",
    "EVPPI",
    "EVSI",
    "standard error",
    "as_is",
    "production",
    "contraction",
    "logit",
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new case folder, to be copied."""
    return new_case(tmp_path_factory.mktemp("fresh") / "mine")


@pytest.fixture
def folder(tmp_path: Path, fresh: Path) -> Path:
    return Path(shutil.copytree(fresh, tmp_path / "mine"))


# -- templates


def test_every_kind_has_a_title_and_a_line_and_the_case_gets_those_it_can_use():
    assert set(TITLES) == {EXPORT, *(kind.name for kind in KINDS)}
    every = e.templates(case())
    assert [t.kind for t in every] == [EXPORT, *(k.name for k in KINDS)]
    assert next(t for t in every if t.kind == "pilot").text.startswith("step,type,cluster,day,model_version,tried,right")
    assert {k.name for k in KINDS} - {t.kind for t in e.templates(case("travel_declarations"))} == {
        "weekly",
        "calls",
        "outages",
        "quality",
    }
    for template in every:
        assert template.file.endswith(".csv")
        assert "<html" in e.explained(template.kind)


def test_a_template_that_is_added_as_it_is_has_no_defect(folder):
    for template in e.templates(opened_case(str(folder)).case):
        add(folder, template.file, template.text.encode())
    q.save_settings(folder, {"zone": "Europe/Berlin"})
    found = apart.checked_here(folder)
    assert {d.code for d in found.defects} == {"E541"}
    assert set(found.kinds) == {k.name for k in KINDS}
    assert not e.missing(e.templates(case()), stored(folder), found)


def test_what_to_fill_first_is_what_the_interview_says_exists(folder):
    every = e.templates(case())
    assert [t.kind for t in e.first(None, every)] == [EXPORT, "approvals", "pilot"]
    assert [t.kind for t in e.first(folder, every)] == [EXPORT, "approvals", "pilot"]
    keep(folder, Answers("", {("files", "exist"): "audit, dates"}))
    assert [t.kind for t in e.first(folder, every)] == [EXPORT, "audit"]


# -- files and their problems


def test_cards_tell_rows_totals_and_what_a_file_informs(folder):
    add(folder, "seeded.csv", SEEDED)
    add(folder, "counts.csv", COUNTS)
    found = apart.checked_here(folder)
    counts, seeded = e.cards(stored(folder), found, case())
    assert seeded.title == "Errors shown to reviewers on purpose (CSV)"
    assert seeded.state == "sound"
    assert seeded.found == ("2 rows read, 2 used.", "Control totals: shown 40, caught 34.")
    assert "review of referred outputs: errors noticed" in seeded.informs
    assert counts.informs == ("exception?: share that goes to exception desk",)
    assert e.cards(stored(folder), None, case())[0].state == "unread"
    assert e.summary((), 2) == "2 files are without defects"


def test_problems_stand_at_file_row_and_column_with_code_and_remedy(folder):
    add(folder, "seeded.csv", SEEDED.replace(b"20,16", b"20,21"))
    found = apart.checked_here(folder)
    assert e.troubles(found) == (
        e.Trouble("E530", "Errors shown to reviewers on purpose (CSV)", "row 3, column caught", "21 caught, but only 20 shown",
                  "caught is at most shown: check both", True),
    )  # fmt: skip
    assert e.cards(stored(folder), found, case())[0].state == "defects"
    assert e.summary(e.troubles(found), 1).startswith("1 problem to put right")
    assert not e.asks(found)


def test_more_problems_of_a_kind_than_are_listed_are_counted(folder):
    add(folder, "seeded.csv", b"step,shown,caught\n" + b"review,1,2\n" * 80)
    last = e.troubles(apart.checked_here(folder))[-1]
    assert (last.code, last.problem) == ("E530", "and 30 more of this kind")


def test_messages_name_the_questions_of_the_page_and_no_ids():
    assert message("say it in settings.toml (exported)") == 'say it under "Questions about your files"'
    assert on_page("steps.review.catch: 3 of production, non_po; withdraws", case()) == (
        "review of referred outputs: errors noticed: 3 of live, non-PO, up to the second approval limit; withdraws"
    )
    assert file_words("evidence/production.xlsx") == "Results checked live, or in a parallel run (XLSX)"
    assert file_words("evidence/settings.toml") == "Questions about your files"
    words = event_words(case())
    assert words["arrival"] == "received: the clock starts"
    assert words["approve.1.decided"] == "approvals, level 1: decided"
    assert len(set(words.values())) == len(words)


# -- questions


def test_answers_about_all_files_are_kept_beside_what_was_said(folder):
    add(folder, "pilot.csv", b"right,tried,day\n5,6,01.09.2026\n")
    assert e.asks(apart.checked_here(folder))
    assert "time zone is not said" in e.troubles(apart.checked_here(folder))[0].problem
    salt = q.settings_of(folder).salt
    q.save_settings(folder, {"zone": "Europe/Berlin", "decimal": ",", "exported": None})
    assert (q.settings_of(folder).zone, q.settings_of(folder).salt) == ("Europe/Berlin", salt)
    assert not apart.checked_here(folder).defects
    q.save_settings(folder, {"decimal": ""})
    assert (q.settings_of(folder).zone, q.settings_of(folder).decimal) == ("Europe/Berlin", "")
    with pytest.raises(CaseError, match="not a time zone"):
        q.save_settings(folder, {"zone": "Mars/Olympus"})
    assert q.settings_of(folder).zone == "Europe/Berlin"
    assert "Europe/Berlin" in q.zones()
    assert len(set(q.zones())) == len(q.zones())


def answers(**changed: Any) -> q.ExportAnswers:
    from datetime import date

    said: dict[str, Any] = {
        "columns": {"case": "Number", "type": "Type", "amount": ""}, "events": {"Received": "arrival", "Posted": "end"},
        "first_day": date(2026, 9, 1), "last_day": date(2026, 9, 30), "exported": date(2026, 9, 30),
        "types": {"PO, standard": "po_standard", "weird": q.NOT_USED},
    }  # fmt: skip
    return q.ExportAnswers(**{**said, **changed})


def test_which_column_is_what_makes_an_export_readable(folder):
    add(folder, "invoices.csv", EXPORTED)
    q.save_settings(folder, {"zone": "UTC"})
    seen = apart.checked_here(folder)
    assert "is not said yet" in e.troubles(seen)[0].problem
    assert seen.exports["invoices.csv"].columns == ("Number", "Type", "Received", "Posted")
    assert q.values_of(seen.exports["invoices.csv"], "Type") == ("PO, standard", "weird")
    assert q.likely_type("po, STANDARD", case()) == "po_standard"
    q.save_mapping(folder, "invoices.csv", answers())
    found = apart.checked_here(folder)
    assert found.defects == ()
    assert found.has_cycles
    card = e.cards(stored(folder), found, case())[0]
    assert card.found[0] == "2 rows read, 1 used, 1 left out as you said, 2026-09-01 to 2026-09-08."
    kept = q.answers_of(folder, "invoices.csv")
    assert kept is not None
    assert kept.types == {"PO, standard": "po_standard"}
    assert kept.leave_out_types == ["weird"]


def test_impossible_answers_about_columns_are_told_and_not_kept(folder):
    add(folder, "invoices.csv", EXPORTED)
    with pytest.raises(CaseError, match='no entry of "dates" is the event "end"'):
        q.save_mapping(folder, "invoices.csv", answers(events={"Received": "arrival", "Posted": ""}))
    assert q.answers_of(folder, "invoices.csv") is None
    hostile = 'a"]\n[x]\n\x7f = "ü'
    q.save_mapping(folder, "invoices.csv", answers(events={hostile: "arrival", "Posted": "end"}))
    kept = q.answers_of(folder, "invoices.csv")
    assert kept is not None
    assert kept.dates == {hostile: "arrival", "Posted": "end"}


# -- learning


def finished(work: Any, seconds: float = 60) -> Look:
    jobs = Jobs()
    try:
        jobs.ask("me", "here", "key", work)
        return jobs.wait("key", seconds)
    finally:
        jobs.close()


def test_learning_leaves_what_it_found_and_takes_over_what_did_not_change(folder):
    add(folder, "seeded.csv", SEEDED)
    look = finished(learning(folder, Sampling(7), Semaphore(1)))
    assert look.state == "done"
    stage: Stage = look.answer
    assert (stage.state, stage.result.fresh, stage.result.kept, stage.result.passed) == ("ended", ("catch",), (), True)
    assert opened_case(str(folder)).case.posterior is not None
    assert {p.name for p in folder.parent.iterdir()} == {"mine"}
    add(folder, "counts.csv", COUNTS)
    stale = opened_case(str(folder))
    assert (stale.case.posterior, stale.unfitted) == (None, ("counts.csv", "seeded.csv"))
    again = finished(learning(folder, Sampling(7), Semaphore(1))).answer.result
    assert (again.fresh, again.kept) == (("shares",), ("catch",))
    assert opened_case(str(folder)).unfitted == ()


def test_it_learns_the_same_as_the_command(folder, tmp_path):
    add(folder, "seeded.csv", SEEDED)
    learn(folder, Sampling(7), lambda *_: None, Event())
    first = opened_case(str(folder))
    fit_folder(folder, Sampling(7))
    assert opened_case(str(folder)).hash == first.hash


def test_unusable_files_end_in_all_their_problems_without_a_place_of_the_server(folder):
    add(folder, "seeded.csv", SEEDED.replace(b"20,16", b"20,21"))
    look = finished(learning(folder, Sampling(7), Semaphore(1)))
    assert look.state == "failed"
    assert isinstance(look.error, CaseError)
    assert "E530" in str(look.error)
    assert str(folder.parent) not in str(look.error)


def test_what_was_learned_of_files_that_changed_meanwhile_is_not_kept(folder):
    add(folder, "seeded.csv", SEEDED)

    def change(*_: object) -> None:
        add(folder, "counts.csv", COUNTS)

    with pytest.raises(CaseError, match="changed while it was learned"):
        learn(folder, Sampling(7), change, Event())
    assert not (folder / "posterior.nc").exists()


def test_one_learns_at_a_time_and_who_waits_can_leave():
    turn, ran = Semaphore(1), []
    turn.acquire()
    jobs = Jobs()
    try:
        jobs.ask("me", "a", "first", aside(lambda *_: ran.append("first"), turn))
        jobs.ask("me", "b", "second", aside(lambda *_: ran.append("second"), turn))
        until = time.monotonic() + 20
        while jobs.look("second").answer is None and time.monotonic() < until:
            time.sleep(0.05)
        assert jobs.look("first").answer.state == "waits"
        jobs.cancel("me", "a")
        assert jobs.look("first").state == "gone"
        time.sleep(0.5)
        turn.release()
        assert jobs.wait("second", 20).state == "done"
        assert ran == ["second"]
        assert turn.acquire(timeout=5)
    finally:
        jobs.close()


def test_work_that_is_given_up_hears_of_it_and_gives_its_turn_back():
    turn, heard = Semaphore(1), Event()

    def run(_: object, stop: Event) -> None:
        if stop.wait(20):
            heard.set()

    jobs = Jobs()
    try:
        jobs.ask("me", "here", "key", aside(run, turn))
        until = time.monotonic() + 20
        while jobs.look("key").answer is None and time.monotonic() < until:
            time.sleep(0.05)
        jobs.cancel("me", "here")
        assert heard.wait(10)
        assert turn.acquire(timeout=10)
    finally:
        jobs.close()


def test_it_is_said_what_takes_long():
    assert how_long({"seeded", "counts"}) == "This takes a few seconds."
    assert "how often the AI is right" in how_long({"pilot"})
    from scenarios.fitting import FITTERS

    assert set(FITS) == {f.name for f in FITTERS}


# -- what was learned


def fitted() -> PosteriorDraws:
    """Made-up fits of a share, a time and an effect."""
    rng = np.random.default_rng(1)
    names = ("steps.review.catch", "steps.exceptions.levels.1.outside.time.mean", "steps.send_to_ai.shift")
    before = (rng.beta(4, 2, 4_000), rng.lognormal(12, 1, 4_000), rng.normal(0, 1, 4_000))
    after = (rng.beta(180, 20, 4_000), rng.lognormal(12, 0.8, 4_000), rng.normal(0, 0.99, 4_000))
    model = SubModel(
        "catch", dict(zip(names, after, strict=True)), dict(zip(names, before, strict=True)), np.zeros(4_000),
        (Diagnostic("effective draws, bulk", 100.0, "at least 400", False),), (), {names[0]: ("evidence/seeded.csv",)},
        notes=("steps.review: 38 of 40 seeded errors noticed in production.",),
    )  # fmt: skip
    return posterior_of([model], {"version": "1"})


def test_what_was_learned_is_told_before_and_after_with_how_much():
    page = taught_page(case(), fitted())
    assert page.headline == "Of 2 numbers that your files speak of: 1 learned, 1 weakly learned."
    catch, outside = page.numbers
    assert (catch.label, catch.word, catch.source) == (
        "review of referred outputs: errors noticed",
        "learned",
        "Errors shown to reviewers on purpose (CSV)",
    )
    assert outside.word == "weak"
    assert [n.word for n in page.effects] == ["assumption"]
    middle, low, high = (float(x) for x in re.findall(r"[\d.]+", catch.after))
    assert (low, middle, high) == pytest.approx((86.2, 90.1, 93.2), abs=0.6)  # of Beta(180, 20)
    shares, times = page.ranges
    assert shares.title == "Shares: 1 of 1 learned from your data"
    assert times.title == "Times: 0 of 1 learned from your data"
    assert {row["when"] for row in shares.data} == {"before your data", "after"}
    assert shares.chart().to_dict()
    assert not page.checks[0].passed
    assert "no answer rests on it" in page.checks[0].words
    assert page.assumed == (
        "How many errors reviewers notice: review of referred outputs: 38 of 40 seeded errors noticed in live.",
    )


def test_no_code_word_is_used_of_what_was_learned():
    page = taught_page(case(), fitted())
    words = [
        page.headline,
        *page.assumed,
        *(f"{c.words} {c.how}" for c in page.checks),
        *(t for pair in TITLES.values() for t in pair),
    ]
    words += [f"{n.label} {n.before} {n.word}" for n in (*page.numbers, *page.effects)]
    words += [f"{s.title} {' '.join(s.sentences)} {s.table}" for s in (*page.accuracy, *page.others)]
    assert_no_code_words("\n".join(words))


def assert_no_code_words(shown: str) -> None:
    for word in CODE_WORDS:
        found = re.search(rf"\b{word}\b", shown)
        assert found is None, shown[max(0, found.start() - 80) : found.end() + 40]


# -- the page


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """One browser; files are read in this process, which is quicker (tests/test_uploads.py reads them apart)."""

    def checking(folder: Path) -> Iterator[apart.Checked | None]:
        yield None
        yield apart.checked_here(folder)

    monkeypatch.setattr(session, "owner", lambda: "the browser of a test")
    monkeypatch.setattr(apart, "checking", lambda folder: (found for found in checking(folder)))


def upload(at: AppTest, *files: tuple[str, bytes]) -> AppTest:
    for name, data in files:
        at.get("file_uploader")[0].upload(name, data)
    press(at, "Add these files")
    return settled(at)


def press(at: AppTest, label: str) -> None:
    next(b for b in at.button if b.label == label).click().run()


def labelled(widgets: Any, label: str) -> Any:
    return next(w for w in widgets if w.label.replace("\\", "") == label)


def test_an_example_offers_templates_and_says_that_files_make_a_copy(here):
    at = opened("evidence")
    shown = texts(at)
    assert [t.value for t in at.title] == ["What you have measured, and what it taught"]
    assert "You look at an example. A file that you add makes a copy of it" in shown
    assert "0 of the 112 numbers behind the answer are measured" in shown
    assert [h.value for h in at.header] == ["Fill one of these first", "Your files", "All kinds of evidence"]
    downloads = {b.proto.label for b in at.get("download_button")}
    assert downloads == {"Example to fill in (CSV)", "How it is read"}
    assert len(at.expander) == len(TITLES)
    assert_no_code_words(shown)


def test_a_bad_file_is_told_at_row_and_column_and_stops_the_learning_until_it_is_removed(here):
    at = upload(opened("evidence"), ("seeded.csv", SEEDED.replace(b"20,16", b"20,21")), ("notes.docx", b"PK"))
    shown = texts(at)
    assert "seeded.csv is added as: Errors shown to reviewers on purpose." in shown
    assert 'Not added: notes.docx ends in ".docx" and is not read; save it as .csv, .xlsx or .parquet (E511)' in shown
    assert "row 3, column caught: 21 caught, but only 20 shown → caught is at most shown: check both (E530)" in shown
    assert "1 problem to put right; until then nothing is learned from any of the files." in shown
    assert labelled(at.button, "Learn from these files").disabled
    assert_no_code_words(shown)
    press(at, "Remove")
    settled(at)
    assert "Removed: Errors shown to reviewers on purpose (CSV)." in texts(at)
    assert "All kinds of evidence" in [h.value for h in at.header]


def test_a_file_whose_name_says_nothing_is_asked_about(here):
    at = upload(opened("evidence"), ("Q3 *seeded*.csv", SEEDED), ("x.csv", b"a\n1\n"))
    first, second = (labelled(at.selectbox, f"What does {name} hold?") for name in ("Q3 *seeded*.csv", "x.csv"))
    assert (first.value, second.value) == ("seeded", None)
    press(at, "Add it")
    settled(at)
    assert "Q3 *seeded*.csv is added as: Errors shown to reviewers on purpose." in texts(at)
    assert "1 file is without defects." in texts(at)
    press(at, "Leave it out")
    assert "x.csv is left out." in texts(at)
    assert not [s for s in at.selectbox if "hold?" in s.label]


def test_learning_from_files_shows_what_they_taught_and_every_page_uses_it(here):
    at = upload(opened("evidence"), ("seeded.csv", SEEDED), ("counts.csv", COUNTS))
    assert "Not used yet, so no answer rests on them" in texts(at)
    press(at, "Learn from these files")
    settled(at)
    shown = texts(at)
    assert "Learned from these files; every page uses it." in shown
    assert "Of 3 numbers that your files speak of: 2 learned, 1 weakly learned." in shown
    assert "3 of the 112 numbers behind the answer are measured" in shown
    assert "How many errors reviewers notice: computed exactly" in shown
    assert_no_code_words(shown)
    spec = at.get("vega_lite_chart")[0].proto.spec
    assert "before your data" in spec
    upload(at, ("readiness.csv", b"check,cause,passed,passes_if_ready,passes_if_not\nload test,integration,yes,0.95,0.4\n"))
    assert "Not used yet" in texts(at)
    assert "What your files taught" not in [h.value for h in at.header]


def test_learning_that_ends_while_the_page_is_drawn_is_not_missed(here, monkeypatch):
    at = upload(opened("evidence"), ("seeded.csv", SEEDED))

    def look_at_the_end(key: Any) -> Any:
        return evidence_work.asides().jobs.wait(key, 120)

    monkeypatch.setattr(evidence_work, "look", look_at_the_end)
    press(at, "Learn from these files")
    assert "Learned from these files; every page uses it." in texts(at)


def test_the_time_zone_is_asked_and_answered_on_the_page(here):
    at = upload(opened("evidence"), ("pilot.csv", b"right,tried,day\n50,60,2026-09-01\n"))
    assert "their time zone is not said yet → choose it below, once for all files (E540)" in texts(at)
    labelled(at.selectbox, "In which time zone are dates and times written?").select("Europe/Berlin")
    press(at, "Keep these answers")
    settled(at)
    assert "1 file is without defects." in texts(at)
    assert "about a minute each if the server does nothing else" in texts(at)


def test_which_column_is_what_is_asked_and_answered_on_the_page(here):
    from datetime import date

    at = upload(opened("evidence"), ("invoices.csv", EXPORTED))
    labelled(at.selectbox, "In which time zone are dates and times written?").select("UTC")
    press(at, "Keep these answers")
    settled(at)
    assert "which of its columns is which date is not said yet" in texts(at)
    press(at, "Keep which column is what")
    assert "Still open: the number of the case, and the first and last day." in texts(at)
    labelled(at.selectbox, "Number of the case").select("Number")
    labelled(at.selectbox, "Type of the case").select("Type")
    at.run()
    labelled(at.multiselect, "Columns that hold dates you know the meaning of").set_value(["Received", "Posted"]).run()
    labelled(at.selectbox, "What is Received?").select("arrival")
    labelled(at.selectbox, "What is Posted?").select("end")
    assert labelled(at.selectbox, "Which type is PO, standard?").value == "po_standard"
    for label, day in (("First day of the period", 1), ("Last day of the period", 30), ("Day of the export", 30)):
        labelled(at.date_input, label).set_value(date(2026, 9, day))
    press(at, "Keep which column is what")
    settled(at)
    shown = texts(at)
    assert "2 rows read, 1 used, 1 left out as you said" in shown
    assert "1 file is without defects." in shown
    assert_no_code_words(shown)


def test_a_folder_of_the_command_line_is_not_changed_by_uploads(here, folder, monkeypatch):
    add(folder, "seeded.csv", SEEDED)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    monkeypatch.setenv(session.CASE_VARIABLE, str(folder))
    at = opened("evidence")
    assert "You look at the case that the program was begun with." in texts(at)
    upload(at, ("counts.csv", COUNTS))
    assert "2 files are without defects." in texts(at)
    press(at, "Learn from these files")
    settled(at)
    assert "Learned from these files" in texts(at)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()} == before


def test_user_text_is_shown_as_it_is(here):
    at = upload(opened("evidence"), ("<b>[a](b) *x* seeded.csv", SEEDED))
    label = next(s.label for s in at.selectbox if "hold?" in s.label)
    assert label.replace("\\", "") == "What does <b>[a](b) *x* seeded.csv hold?"
    assert not set("<>[]()*") & set(re.sub(r"\\.", "", label))


def test_every_message_that_the_page_says_in_its_own_words_is_still_one_of_the_library():
    """Otherwise the page would show the words of the command line and nobody would notice."""
    root = Path(__file__).parent.parent
    sources = [p for folder in ("models", "scenarios") for p in (root / folder).rglob("*.py") if p.name != "evidence_words.py"]
    library = "\n".join(p.read_text(encoding="utf-8") for p in sources).replace('\\"', '"')
    said = [there for there, _ in (*evidence_words._PHRASES, *evidence_words._SAID)]
    in_source = [re.sub(r"^write (cases|invoices)\.toml", "write {stem}.toml", there) for there in said]
    assert [there for there in in_source if there not in library] == []
