"""Start: look at an example, make a case of one's own by eight questions, or open one that was saved."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app_pages import parts, start_fields
from app_pages.parts import UNFINISHED, plain
from app_pages.session import (
    SEED,
    TOKEN,
    ask,
    case_name,
    current_case,
    jobs,
    make_own,
    named,
    open_shipped,
    own_folder,
    owner,
    polling,
    workspaces,
)
from app_pages.start_fields import Base, State, begin, open_question, state
from app_pages.verdict_work import ask_verdict
from scenarios.case_archive import archive, unpacked
from scenarios.catalogue import DEFAULT
from scenarios.files import LoadedCase, find, read_toml, resolved
from scenarios.interview import store
from scenarios.interview.questions import QUESTIONS
from scenarios.jobs import Look
from scenarios.pages.start import QuestionShown, Usable, examples, held, place_of, sheet, type_labels, type_rows, usable
from scenarios.pages.start_laid import folder_name, laying, made_from, title_problem
from scenarios.pages.start_matters import Matters, matters, trying
from scenarios.pages.tables import as_csv
from scenarios.problems import CaseError
from scenarios.report.verdict_text import gate_reason

OWN, EXAMPLE, SAVED = "own", "example", "saved"
WAYS = {
    OWN: "Make my own case (eight questions, ten minutes)",
    EXAMPLE: "Look at an example (published figures and guesses)",
    SAVED: "Open a saved case (the zip file that this page gave me)",
}


def page() -> None:
    """The three ways, and the one that was chosen."""
    st.title("Start", anchor=False)
    synchronise()
    way = st.radio("What do you want to do?", list(WAYS), format_func=WAYS.__getitem__, key="start way", persist_state="session")
    if way == EXAMPLE:
        example_cases()
    elif way == SAVED:
        saved_case()
    else:
        own_case()


# -- whose answers stand in the fields


def synchronise() -> None:
    """The fields belong to the visitor's own case, or to one that is yet to be made."""
    known, folder = st.session_state.get(start_fields.STATE), own_folder()
    if folder is not None and (known is None or known.folder != str(folder)):
        fresh = begin(State(case_name(), str(folder), str(st.session_state[TOKEN])))
        _fill(fresh, folder)
    elif known is None:
        base = case_name()
        fresh = begin(State(base))
        if Path(base).is_dir():
            _fill(fresh, Path(base))
    elif known.folder and mine(known) is None:
        known.folder = known.token = ""  # it is gone; what was typed stays


def _fill(fresh: State, folder: Path) -> None:
    try:
        fresh.take_over(store.saved_answers(folder))
        fresh.title = str(read_toml(folder / "case.toml").get("title", ""))
    except CaseError as error:
        fresh.problem = named(error)


def mine(known: State) -> Path | None:
    """The visitor's own case, also while an example is looked at."""
    return own_folder() or (workspaces().find(known.token, owner()) if known.token else None)


# -- examples


def example_cases() -> None:
    """Each with its title and one line."""
    open_now = None if own_folder() is not None else case_name()
    for one in examples():
        with st.container(border=True):
            st.markdown(f"**{plain(one.title)}**  \n{plain(one.line)}")
            label = "Open now: see its answer" if one.name == open_now else "Open"
            if st.button(
                label, key=f"open {one.name}", icon=":material/visibility:", help=f"See the answer of: {plain(one.title)}"
            ):
                open_shipped(one.name)
                st.switch_page("answer.py")
    if mine(state()) is None:
        return
    st.caption("Your own case stays as it is; you find it again on this page.")
    if own_folder() is None:
        look_at_mine_again()


# -- a saved case


def saved_case() -> None:
    """A zip file, opened as a case of one's own."""
    uploaded = st.file_uploader(
        "The zip file of a case folder", type="zip", key="start archive",
        help="As this page gives it, or a case folder that you packed yourself. Kept runs in it are left out.",
    )  # fmt: skip
    if mine(state()) is not None:
        st.caption("This closes the case of your own that is open now. Download that one first if you want to keep it.")
        download(mine(state()))
    if st.button("Open this case", type="primary", disabled=uploaded is None) and uploaded is not None:
        name, data = uploaded.name, uploaded.getvalue()
        try:
            with st.spinner("Opening it …"):
                own_again()
                make_own(lambda place: unpacked(data, place, name), folder_name(start_fields.stem_of(name)))
        except CaseError as error:
            parts.tell(error)
            return
        st.session_state.pop(start_fields.STATE, None)
        st.switch_page("answer.py")


def own_again() -> Path | None:
    """Looks at the visitor's own case, if there is one."""
    folder = mine(state())
    if folder is not None:
        st.session_state[TOKEN] = state().token
    return folder


def download(folder: Path | None) -> None:
    """The own case to take away.

    It is packed before anybody asks: what a button makes on a click is forgotten as soon as any two pages of the server are drawn again,
    which happens all the time while work is polled.
    """
    if folder is not None:
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        stamp = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
        st.download_button(
            "Download my case (zip)", _packed(str(folder), stamp), f"{folder.name}.zip", "application/zip", on_click="ignore",
            icon=":material/download:", help="The case, your answers and your evidence. This page opens it again, and so does the command line.",
        )  # fmt: skip


@st.cache_resource(max_entries=32, ttl=3_600, show_spinner=False)
def _packed(folder: str, stamp: tuple[tuple[str, int, int], ...]) -> bytes:
    return archive(Path(folder))


# -- a case of one's own


def own_case() -> None:
    """The questions, what came of the answers, and which to give next."""
    known = state()
    folder = mine(known)
    if folder is None:
        choose_base(known)
    else:
        the_case(known, folder)
    try:
        base = beside(folder or find(known.base))
    except CaseError as error:
        parts.tell(named(error))
        return
    found = usable(known.typed())
    problems = {**found.problems, **({"title": wrong} if (wrong := title_problem(known.title)) else {})}
    st.markdown(
        "Leave open what you do not know: the number below the field holds until you know better, and is marked as a guess. "
        "Answer with one number (14 d), a range (13 to 15 d), or low / likely / high (5 / 7 / 10 d)."
    )
    start_fields.about_the_case(problems)
    shown = sheet(known.typed(), found, base.holds, known.refused)
    for one, following in zip(shown, [*shown[1:], None], strict=True):
        start_fields.question(one, following, base)
    keep(known, folder, found)
    show_my_answer(known, found, problems, shown)
    if known.job is not None:
        look = jobs().look(known.job)
        st.fragment(laid, run_every=polling(look))(known.job)
    else:
        what_came(known)
        if folder is not None and folder == own_folder() and (folder / store.BEFORE).is_file():
            next_answers(known)


def choose_base(known: State) -> None:
    """The case that one's own is copied from."""
    titles = {one.name: one.title for one in examples()}
    if known.base not in titles:
        titles = {known.base: f"The case that the app was begun with: {Path(known.base).name}", **titles}

    def chosen() -> None:
        known.base = str(st.session_state["start base"])

    if "start base" not in st.session_state:
        st.session_state["start base"] = known.base
    st.selectbox(
        "Which process is most like yours?", list(titles), key="start base", format_func=titles.__getitem__, on_change=chosen,
        help="Its steps and numbers are copied; your answers replace what they know better.",
    )  # fmt: skip


def the_case(known: State, folder: Path) -> None:
    """What is open, with the way to its answer and to a copy."""
    with st.container(border=True):
        st.markdown(f"**Your case: {plain(read_title(folder) or folder.name)}**")
        with st.container(horizontal=True):
            if folder == own_folder():
                st.page_link("answer.py", label="See the answer", icon=":material/fact_check:")
            else:
                look_at_mine_again()
            download(folder)
            st.button(
                "Begin another case", on_click=begin_another, icon=":material/restart_alt:",
                help="Empties the fields. Your case stays open until you show the answer of another one.",
            )  # fmt: skip


def look_at_mine_again() -> None:
    """From an example back to the own case."""
    if st.button("Look at my case again", icon=":material/fact_check:"):
        own_again()
        st.switch_page("answer.py")


def begin_another() -> None:
    """Empty fields; the own case is closed once another one is made."""
    known = state()
    open_shipped(DEFAULT)
    st.session_state.pop("start base", None)
    begin(State(DEFAULT, previous=known.token))


def read_title(folder: Path) -> str:
    """What the owner calls the case."""
    try:
        return str(read_toml(folder / "case.toml").get("title", ""))
    except CaseError:
        return ""


def beside(place: Path) -> Base:
    """What holds where nothing is said, and the types that answers may name. `place`: own folder, or the file to copy."""
    files = [place] if place.is_file() else [place / name for name in ("case.toml", store.BEFORE, store.ANSWERS)]
    stamp = tuple((file.stat().st_mtime_ns, file.stat().st_size) for file in files if file.is_file())
    return _beside(str(place), stamp)


@st.cache_resource(max_entries=128, ttl=3_600, show_spinner=False)
def _beside(place: str, stamp: tuple[tuple[int, int], ...]) -> Base:
    path = Path(place)
    if path.is_dir():
        before = store.start_of(path).data
        return Base(held(resolved(path / "case.toml"), copied=False), type_labels(before), type_rows(before))
    data = resolved(path)
    return Base(held(data, copied=path.parent == find(DEFAULT).parent), type_labels(data), type_rows(data))


def keep(known: State, folder: Path | None, found: Usable) -> None:
    """Answers that can be used go to the case folder as they are typed; not while they are being used, which writes the same file."""
    text = found.answers.toml()
    if folder is None or known.job is not None or text == known.kept:
        return
    try:
        store.keep(folder, found.answers)
        known.kept = text
    except CaseError as error:
        parts.tell(named(error))


# -- using the answers


def show_my_answer(known: State, found: Usable, problems: Mapping[str, str], shown: tuple[QuestionShown, ...]) -> None:
    """The button, and what stands against pressing it."""
    given = [f"{one.number} ({one.answered} of {len(one.fields)})" for one in shown if one.answered]
    st.caption(f"Answered in question {', '.join(given)}; all else holds as it is." if given else "Nothing is answered yet.")
    if st.button("Show my answer", type="primary", icon=":material/play_arrow:", disabled=known.job is not None):
        known.came = known.problem = None
        if problems:
            _point_at([one.question.id for one in shown if any(f.place in problems for f in one.fields)])
        else:
            use(known, found)
        st.rerun()
    if problems:
        where = ", ".join(str(one.number) for one in shown if any(f.place in problems for f in one.fields))
        count = f"{len(problems)} answer{'s' if len(problems) > 1 else ''} cannot be used yet"
        st.warning(f"{count}{f' (question {where})' if where else ''}: correct what is marked, or empty the field.")
    elif known.applied and known.applied != found.answers.toml() and known.job is None:
        st.info("You changed answers since. Press the button again to use them.")


def _point_at(names: list[str]) -> None:
    """Unfolds questions in the next run."""
    for name in names:
        state().opened[name] = True
        st.session_state.pop(f"{start_fields.PREFIX}open {name}", None)
    st.session_state["start unfold"] = names


def use(known: State, found: Usable) -> None:
    """Lays the answers over the visitor's own case, which is made if there is none yet."""
    try:
        folder = own_again()
        if folder is None:
            with st.spinner("Making your case …"):
                folder = make_own(made_from(known.base, known.title), folder_name(known.title))
            if known.previous:
                workspaces().leave(known.previous)
            known.folder, known.token, known.previous = str(folder), str(st.session_state[TOKEN]), ""
    except CaseError as error:
        known.problem = named(error)
        return
    key = "answers", str(folder), uuid.uuid4().hex
    known.applied, known.refused = found.answers.toml(), {}
    ask("answers", key, laying(folder, found.answers, known.title))
    known.job = key


def laid(key: Hashable) -> None:
    """Waits for the answers to be used; then the page is drawn again with what came of it."""
    look = jobs().look(key)
    if look.state in UNFINISHED:
        st.caption("Your answers are laid over the case …")
        st.skeleton(height=160)
        return
    known = state()
    known.job = None
    known.kept = known.applied
    if look.state == "done":
        known.came = look.answer
    else:
        known.applied = ""
        refuse(known, look)
    st.rerun()


def refuse(known: State, look: Look) -> None:
    """What does not fit together is said at the answers concerned, everything else below the button."""
    if not isinstance(look.error, CaseError):
        known.problem = CaseError("your answers", [])
        return
    places = {place_of(question, about): question.id for question in QUESTIONS for about in question.fields}
    at_fields = [problem for problem in look.error.problems if problem.place in places]
    known.refused = {p.place: f"{p.message}{f'; {p.remedy}' if p.remedy else ''}" for p in at_fields}
    _point_at(sorted({places[p.place] for p in at_fields}))
    others = [problem for problem in look.error.problems if problem.place not in places]
    if others:
        known.problem = named(CaseError(look.error.file, others))


def what_came(known: State) -> None:
    """What was assumed, kept and left out, at once; and the way to the answer."""
    if known.refused:
        st.warning("Some answers do not fit together yet; see what is marked above. Nothing was changed.")
    if known.problem is not None:
        if known.problem.problems:
            parts.tell(known.problem)
        else:
            st.error("Your answers could not be used. Nothing was changed.")
    came = known.came
    if came is None:
        return
    st.header("What was made of your answers", anchor=False)
    if came.problem is not None:
        parts.tell(named(came.problem))
        st.page_link("evidence.py", label="See the evidence", icon=":material/folder_open:")
    elif came.contradiction:
        st.warning(plain(came.contradiction))
    if came.counted:
        st.markdown(plain(came.counted))
    if came.problem is None and st.button("See my answer", type="primary", icon=":material/fact_check:"):
        st.switch_page("answer.py")
    if came.by_hand:
        st.info(plain(came.by_hand))
    for heading, items in came.sections:
        st.markdown(f"**{plain(heading)}**\n" + "".join(f"\n- {plain(item)}" for item in items))
    if came.next_files:
        lines = "".join(f"\n- {plain(kind)}: {plain(why)}" for kind, why in came.next_files)
        st.markdown(f"**Tables of evidence worth filling first**\n{lines}")
        st.page_link("evidence.py", label="See the evidence", icon=":material/folder_open:")


# -- which answers to give next


def next_answers(known: State) -> None:
    """The numbers that move the chance most; computed behind the page once the answer is whole."""
    if known.came is not None and known.came.problem is not None:
        return
    st.header("Which answers matter most next", anchor=False)
    loaded = current_case()
    st.fragment(next_shown, run_every=polling(_both(loaded)[1]))(loaded)


def _both(loaded: LoadedCase) -> tuple[str, Look]:
    """The work that is under way: the answer first, then each number alone."""
    key, look = ask_verdict(loaded)
    if look.state != "done" or look.answer.verdict.probability is None:
        return "Simulated futures", look
    case, study = loaded.case, look.answer
    return "Numbers tried, two ends each", ask("matters", ("matters", key), trying(case, study, SEED))


def next_shown(loaded: LoadedCase) -> None:
    """The list, or how far the work behind it is."""
    what, look = _both(loaded)
    if look.state in UNFINISHED:
        st.caption("This is worked out behind the page, in a few minutes; you can go on meanwhile.")
        if look.total:
            parts.progress(look, what)
        else:
            st.skeleton(height=80)
    elif look.state == "failed":
        parts.failed(look)
    elif what == "Simulated futures":
        st.markdown(plain(f"Nothing can be said about the chance yet. {gate_reason(look.answer)}"))
    else:
        draw_next(matters(look.answer))


def draw_next(found: Matters) -> None:
    """One number a line, the one that moves most first."""
    st.markdown(f"**{plain(found.title)}**", help=plain(found.how))
    answered = usable(state().typed()).answers.given
    for number, one in enumerate(found.shown, 1):
        where = f"Question {one.asked}" if one.asked else "No question asks for it; a table on the page Evidence may tell it."
        if one.place and tuple(one.place.split(".")) in answered:
            where += " (You answered it: a narrower range, or measuring it, would tell more.)"
        st.markdown(f"{number}\\. **{plain(one.number)}** moves it {plain(one.moves)} ({plain(one.source)}).  \n{plain(where)}")
    rows: list[dict[str, Any]] = [dict(row) for row in found.rows]
    st.download_button(
        "All numbers that were tried", as_csv(rows), "numbers.csv", "text/csv", key="data numbers", type="tertiary",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


for unfolded in st.session_state.pop("start unfold", []):
    open_question(unfolded)
page()
