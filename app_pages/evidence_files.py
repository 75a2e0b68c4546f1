"""The files of a case on the page of evidence: adding, what was found in each, taking away."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app_pages.evidence_work import give_up
from app_pages.parts import plain
from app_pages.session import require_own
from scenarios.pages.evidence import FileCard, Trouble
from scenarios.pages.evidence_words import TITLES, kind_title
from scenarios.pages.tables import as_csv
from scenarios.problems import CaseError
from scenarios.uploads import Stored, add, add_all, likely_kind, remove, shown_name

FILES, SAID, UNNAMED = "evidence files", "evidence said", "evidence unnamed"
MOST_UNNAMED = 3
SIGNS = {
    "sound": ":green[:material/check_circle:]",
    "defects": ":red[:material/error:]",
    "unread": ":gray[:material/hourglass_empty:]",
}


def uploader() -> None:
    """Where files are added; what became of the last ones is said beneath."""
    with st.form("evidence add", clear_on_submit=True):
        st.file_uploader(
            "Files to add", accept_multiple_files=True, key=FILES,
            help="CSV, Excel (.xlsx) or Parquet, up to 100 MB each; also the .toml that says how an export is to be read. They stay in the memory "
            "of this server and go when you leave the case; nothing is kept unless you download the case folder on the page Start.",
        )  # fmt: skip
        st.form_submit_button("Add these files", key="evidence take", on_click=_take, icon=":material/upload:")
    said = st.session_state.get(SAID, ())
    for good, box in ((False, st.error), (True, st.success)):
        lines = [text for kept, text in said if kept == good]
        if lines:
            box("  \n".join(lines))
    _unnamed()


def _take() -> None:
    """Stores what came."""
    files = [(f.name, f.getvalue()) for f in st.session_state.get(FILES) or ()]
    if not files:
        st.session_state[SAID] = [(False, "Choose the files first.")]
        return
    said: list[tuple[bool, str]] = []
    try:
        folder = _changing()
        for number, outcome, replaced in add_all(folder, files):
            _say(said, files[number][0], outcome, replaced)
            if outcome is None:
                _ask_kind(said, *files[number])
    except CaseError as error:
        said.append((False, _told(error)))
    st.session_state[SAID] = said


def _ask_kind(said: list[tuple[bool, str]], name: str, data: bytes) -> None:
    """Keeps a file until it is said what it holds; only few, since they fill the memory."""
    waiting = st.session_state.setdefault(UNNAMED, [])
    if len(waiting) < MOST_UNNAMED:
        waiting.append((name, data))
    else:
        said.append((False, plain(f"Not added: {shown_name(name)}. Say first what the {MOST_UNNAMED} files below hold.")))


def _say(said: list[tuple[bool, str]], name: str, outcome: Stored | CaseError | None, replaced: bool) -> None:
    if isinstance(outcome, CaseError):
        said.append((False, _told(outcome)))
    elif outcome is not None:
        how = ", in place of the one before" if replaced else ""
        what = kind_title(outcome.kind) if outcome.kind else "how files are to be read"
        said.append((True, f"{plain(shown_name(name))} is added as: {plain(what)}{how}."))


def _told(error: CaseError) -> str:
    """One line for each problem of a file that was not taken."""
    lines = [f"{p.message[:1].lower()}{p.message[1:]}{f'; {p.remedy}' if p.remedy else ''} ({p.code})" for p in error.problems]
    return plain(f"Not added: {error.file} {'; '.join(lines)}")


def _unnamed() -> None:
    """Files whose name does not say what they hold."""
    for number, (name, _) in enumerate(list(st.session_state.get(UNNAMED, ()))):
        with st.container(border=True):
            kinds = list(TITLES)
            guess = likely_kind(name)
            st.selectbox(
                plain(f"What does {shown_name(name)} hold?"), kinds, kinds.index(guess) if guess in kinds else None,
                format_func=kind_title, key=f"evidence kind {number}", placeholder="Choose a kind of evidence",
            )  # fmt: skip
            with st.container(horizontal=True):
                st.button("Add it", key=f"evidence name {number}", on_click=_named, args=(number,), type="primary")
                st.button("Leave it out", key=f"evidence drop {number}", on_click=_dropped, args=(number,))


def _named(number: int) -> None:
    kind = st.session_state.get(f"evidence kind {number}")
    if not kind:
        st.session_state[SAID] = [(False, "Choose what the file holds first.")]
        return
    name, data = st.session_state[UNNAMED].pop(number)
    said: list[tuple[bool, str]] = []
    try:
        kept, replaced = add(_changing(), name, data, kind)
        _say(said, name, kept, replaced)
    except CaseError as error:
        said.append((False, _told(error)))
    st.session_state[SAID] = said


def _dropped(number: int) -> None:
    name, _ = st.session_state[UNNAMED].pop(number)
    st.session_state[SAID] = [(True, plain(f"{shown_name(name)} is left out."))]


def _changing() -> Path:
    """The visitor's own folder, about to change; what was being worked out of it is given up."""
    folder = require_own()
    give_up(folder, "check", "learn", "next")
    return folder


def _removed(name: str, title: str) -> None:
    try:
        remove(_changing(), name)
        st.session_state[SAID] = [(True, plain(f"Removed: {title}."))]
    except CaseError as error:
        st.session_state[SAID] = [(False, _told(error))]


def show_cards(cards: tuple[FileCard, ...]) -> None:
    """A card for each file."""
    for card in cards:
        with st.container(border=True, key=f"evidence card {card.name}"):
            st.markdown(f"{SIGNS[card.state]} **{plain(card.title)}** · {plain(card.size)}")
            for sentence in card.found:
                st.caption(plain(sentence))
            if card.informs:
                st.markdown(f"Informs: {plain('; '.join(card.informs))}")
            st.button(
                "Remove", key=f"evidence remove {card.name}", on_click=_removed, args=(card.name, card.title), type="tertiary",
                icon=":material/delete:", help=plain(f"Takes {card.title} out of the case"),
            )  # fmt: skip


def show_troubles(found: tuple[Trouble, ...]) -> None:
    """Everything to put right, file by file, as a list that a phone can show."""
    for file in dict.fromkeys(t.file for t in found):
        st.markdown(f"**{plain(file)}**")
        st.markdown("\n".join(_line(t) for t in found if t.file == file))
    rows = [{"code": t.code, "file": t.file, "place": t.place, "problem": t.problem, "remedy": t.remedy} for t in found]
    st.download_button(
        "All of these as a table", as_csv(rows), "problems.csv", "text/csv", key="evidence problems", type="tertiary",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip


def _line(t: Trouble) -> str:
    place = f"{t.place}: " if t.place else ""
    remedy = f" → {t.remedy}" if t.remedy else ""
    return f"- {plain(place)}{plain(t.problem)}{plain(remedy)} ({plain(t.code)})"
