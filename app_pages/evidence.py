"""Evidence: what was measured, what it taught, and what to measure next."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import streamlit as st

from app_pages import evidence_asked, parts
from app_pages.evidence_files import show_cards, show_troubles, uploader
from app_pages.evidence_taught_view import taught
from app_pages.evidence_work import ask_check, ask_learn, give_up, learn_key, look
from app_pages.parts import UNFINISHED, plain
from app_pages.session import case_name, current_case, own_folder, polling, require_own
from scenarios.catalogue import shipped_names
from scenarios.evidence.apart import Checked
from scenarios.files import LoadedCase
from scenarios.jobs import Look
from scenarios.pages.evidence import (
    Template,
    asks,
    cards,
    explained,
    first,
    missing,
    rests_on,
    summary,
    templates,
    troubles,
)
from scenarios.pages.evidence_fit import Learnt, Stage
from scenarios.pages.evidence_taught import how_long
from scenarios.pages.evidence_words import column_words, file_words
from scenarios.problems import CaseError
from scenarios.uploads import Stored, stored

UNDER_WAY = "evidence learning under way"


def page() -> None:
    """What was learned first, then the files, then what else could be measured."""
    loaded, folder = current_case(), case_folder()
    files = stored(folder) if folder is not None else ()
    st.title("What you have measured, and what it taught", anchor=False)
    st.markdown(plain(rests_on(loaded)))
    if own_folder() is None:
        what = "an example" if folder is None else "the case that the program was begun with"
        st.caption(
            f"You look at {what}. A file that you add makes a copy of it: your case, whose numbers you change on the page Start."
        )
    if loaded.case.posterior is not None:
        taught(loaded, folder)
    every = templates(loaded.case)
    if not files:
        to_fill_first(first(folder, every))
    st.header("Your files", anchor=False)
    uploader()
    found = None
    if folder is not None and files:
        found = checked(folder, files, loaded)
        learn(folder, files, found, loaded)
    others(missing(every, files, found), bool(files))
    st.page_link("start.py", label="Save this case as a file, or open a saved one", icon=":material/folder_zip:")


def case_folder() -> Path | None:
    """The folder of the case that is looked at, None for an example or a single file."""
    name = case_name()
    return None if (name in shipped_names() and own_folder() is None) or not Path(name).is_dir() else Path(name)


# -- files


def checked(folder: Path, files: tuple[Stored, ...], loaded: LoadedCase) -> Checked | None:
    """The files with what is known of them; None while they are being read."""
    key, seen = ask_check(folder)
    if seen.state in UNFINISHED:
        show_cards(cards(files, None, loaded.case))
        st.fragment(reading, run_every=polling(seen))(key)
        return None
    if seen.answer is None:
        parts.failed(seen)
        show_cards(cards(files, None, loaded.case))
        return None
    found: Checked = seen.answer
    show_cards(cards(files, found, loaded.case))
    wrong = troubles(found)
    if wrong:
        (st.error if found.blocked else st.warning)(f"{plain(summary(wrong, len(files)))}.")
        show_troubles(wrong)
    else:
        st.success(f"{plain(summary(wrong, len(files)))}.")
    evidence_asked.all_files(folder, asks(found))
    for name, seen_there in found.exports.items():
        evidence_asked.export(folder, name, seen_there, loaded.case, any(d.code == "E541" for d in found.defects))
    return found


def reading(key: Hashable) -> None:
    """Until the files have been read."""
    if look(key).state not in UNFINISHED:
        st.rerun()
    st.progress(0.5, "Reading and checking your files; 60 seconds at most …")


# -- learning


def learn(folder: Path, files: tuple[Stored, ...], found: Checked | None, loaded: LoadedCase) -> None:
    """The button that learns, how far it is, and what is in the way."""
    st.header("Learn from these files", anchor=False)
    key = learn_key(folder)
    seen = look(key)
    if seen.state in UNFINISHED:
        st.session_state[UNDER_WAY] = True
        st.fragment(learning, run_every=polling(seen))(key, str(folder))
        return
    if st.session_state.pop(UNDER_WAY, False):
        st.rerun()  # it may have ended after the case was read for this run
    if seen.state == "failed":
        parts.failed(seen)
    if loaded.case.posterior is not None and not loaded.unfitted:
        ended(seen)
        return
    if found is None:
        st.caption("Once your files are read.")
        return
    if loaded.unfitted:
        names = "; ".join(file_words(name) for name in loaded.unfitted)
        st.markdown(plain(f"Not used yet, so no answer rests on them: {names}."))
    st.caption(plain(how_long({f.kind for f in files} | set(found.kinds))))
    usable = not found.blocked and (found.kinds or found.has_cycles)
    st.button(
        "Learn from these files", key="evidence learn", type="primary", icon=":material/school:", disabled=not usable, on_click=begin,
        help=None if usable else "Put right first what is named above.",
    )  # fmt: skip


def begin() -> None:
    """Learns from the visitor's own copy."""
    st.session_state[UNDER_WAY] = True
    ask_learn(require_own())


def learning(key: Hashable, folder: str) -> None:
    """How far it is, and the way to stop it."""
    seen = look(key)
    if seen.state not in UNFINISHED:
        st.rerun()
    stage: Stage | None = seen.answer
    st.progress(share(seen), plain(words(stage)))
    st.button("Cancel", key="evidence cancel", on_click=give_up, args=(Path(folder), "learn"), icon=":material/close:")
    st.caption("The other pages can be used meanwhile. A method that is being compiled is only left once that has ended.")


def share(seen: Look) -> float:
    """Between 0 and 1; a little even before the first part is done, so that something is seen."""
    return min(1.0, max(0.02, seen.done / seen.total)) if seen.total else 0.02


def words(stage: Stage | None) -> str:
    """What is being done, and for how long."""
    if stage is None or stage.state == "waits":
        return "Waiting: somebody else's files, or other long work, come first …"
    minutes, seconds = divmod(int(stage.seconds), 60)
    part = f"{stage.part} ({stage.done + 1} of {stage.total})" if stage.part and stage.total else "what needs no sampling"
    return f"Learning: {part} · {minutes}:{seconds:02d} so far"


def ended(seen: Look) -> None:
    """That it was learned, and from what anew."""
    stage: Stage | None = seen.answer
    result = stage.result if stage is not None else None
    if isinstance(result, Learnt) and result.kept and result.fresh:
        st.success("Learned. What did not change was taken over from the last time.")
    else:
        st.success("Learned from these files; every page uses it.")


# -- templates


def to_fill_first(few: tuple[Template, ...]) -> None:
    """The tables that tell most."""
    st.header("Fill one of these first", anchor=False)
    st.markdown(
        "Each is a small table. Take the example, put your rows in place of its rows, and add it below. None is needed; each replaces guesses."
    )
    for template in few:
        with st.container(border=True):
            st.markdown(f"**{plain(template.title)}**")
            st.markdown(plain(template.why))
            offered(template, "first")


def others(every: tuple[Template, ...], some: bool) -> None:
    """All kinds of which nothing is there."""
    st.header("What else could be measured" if some else "All kinds of evidence", anchor=False)
    for template in every:
        with st.expander(f"{plain(template.title)}: {plain(template.why[0].lower() + template.why[1:])}"):
            offered(template, "all")
            columns = column_words(template.kind)
            if columns:
                parts.table(columns)
            else:
                st.markdown("Any columns, in any order. Once the file is added, this page asks which column is which date.")


def offered(template: Template, where: str) -> None:
    """A template to take, and the page that explains it."""
    with st.container(horizontal=True):
        st.download_button(
            "Example to fill in (CSV)", template.text, template.file, "text/csv", key=f"template {where} {template.kind}",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "How it is read", lambda: explained(template.kind), f"{Path(template.file).stem}.html", "text/html", type="tertiary",
            key=f"explained {where} {template.kind}", icon=":material/info:", on_click="ignore",
        )  # fmt: skip


def guarded() -> None:
    """The page; problems of a case that changed under it are told as such."""
    try:
        page()
    except CaseError as error:
        parts.tell(error)


guarded()
