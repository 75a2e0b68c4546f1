"""Named what-ifs: saved, compared side by side, taken away as files that the command line reproduces to the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from pathlib import Path

import streamlit as st

from app_pages import parts, session
from app_pages.parts import UNFINISHED, plain
from app_pages.session import SEED
from models.decisions.verdict import DECISION_DRAWS
from models.schema import WhatIf
from scenarios.catalogue import shipped_names
from scenarios.editing import write_atomically
from scenarios.files import LoadedCase, load, with_what_if
from scenarios.jobs import Look
from scenarios.pages.what_if import SavedRow, saved_row
from scenarios.problems import CaseError
from scenarios.what_ifs import FOLDER, name_of, toml_of

MOST = 8
EffectOf = Callable[[LoadedCase, LoadedCase, str], tuple[Hashable, Look]]
WordsOf = Callable[[WhatIf], str]


def all_of(loaded: LoadedCase) -> dict[str, WhatIf]:
    """Saved what-ifs of a case by name; those of an own folder are read from it."""
    key = f"saved {loaded.hash}"
    if key not in st.session_state:
        folder = session.own_folder()
        st.session_state[key] = _stored(folder) if folder is not None else {}
    found: dict[str, WhatIf] = st.session_state[key]
    return found


def _stored(folder: Path) -> dict[str, WhatIf]:
    found = {}
    for file in sorted((folder / FOLDER).glob("*.toml"))[:MOST]:
        try:
            what_if = load(str(file)).case.what_if
        except CaseError as error:
            parts.tell(session.named(error))
            continue
        if what_if is not None:
            found[what_if.title] = what_if
    return found


def keep(loaded: LoadedCase, tried: LoadedCase) -> None:
    """Saves what is tried out under a name."""
    known, what_if = all_of(loaded), tried.case.what_if
    assert what_if is not None
    with st.form("save", border=False, enter_to_submit=True):
        name = st.text_input("Name of this what-if", max_chars=80, placeholder=what_if.title[:60], key="save name")
        if st.form_submit_button("Save", icon=":material/bookmark_add:"):
            title = " ".join(name.split()) or what_if.title[:80]
            same = next((other for other in known if name_of(other) == name_of(title)), title)
            if len(known) >= MOST and same not in known:
                st.warning(f"{MOST} what-ifs are saved already; delete one first.")
                return
            known.pop(same, None)  # a name that gives the same file takes the place of the old one
            known[title] = what_if.model_copy(update={"title": title})
            _write(loaded, known[title])
            st.toast(f"Saved: {plain(title)}")


def _write(loaded: LoadedCase, what_if: WhatIf) -> None:
    folder = session.own_folder()
    if folder is not None:
        (folder / FOLDER).mkdir(exist_ok=True)
        write_atomically(folder / FOLDER / f"{name_of(what_if.title)}.toml", toml_of(what_if, "..", loaded.hash))


def compared(loaded: LoadedCase, effect_of: EffectOf, words_of: WordsOf) -> None:
    """All saved what-ifs side by side, and what each of them changes."""
    known = all_of(loaded)
    if not known:
        return
    st.header("Saved what-ifs side by side", anchor=False)
    cases = {title: with_what_if(loaded, what_if) for title, what_if in known.items()}
    again = session.polling(*(look for look in _looks(loaded, cases, effect_of).values() if look is not None))
    st.fragment(_table, run_every=again)(loaded, cases, effect_of, again is not None)
    for title, what_if in list(known.items()):
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="stretch", gap=None):
                _named(title, words_of(what_if))
            st.download_button(
                "File", toml_of(what_if, _of(), loaded.hash), f"{name_of(title)}.toml", "application/toml", key=f"file {title}",
                icon=":material/download:", on_click="ignore", help=plain(_command(title)),
            )  # fmt: skip
            st.button("Delete", key=f"delete {title}", on_click=_delete, args=(loaded, title), icon=":material/delete:")


def _named(title: str, words: str) -> None:
    st.markdown(plain(title))
    if words != title:  # saved without a name of its own, it is called by these words
        st.caption(plain(words))


def _of() -> str:
    """The case as a file of a what-if names it: an example, the folder above its own, or the file beside it."""
    name = session.case_name()
    return name if name in shipped_names() else ".." if Path(name).is_dir() else Path(name).name


def _command(title: str) -> str:
    """How the command line gives the same numbers."""
    case, file = _of(), f"{name_of(title)}.toml"
    if case == "..":
        case, file = "FOLDER", f"FOLDER/{FOLDER}/{file}"
    return f"The same numbers on the command line: pilotproof compare {case} {file} --draws {DECISION_DRAWS} --seed {SEED}"


def _delete(loaded: LoadedCase, title: str) -> None:
    all_of(loaded).pop(title, None)
    folder = session.own_folder()
    if folder is not None:
        (folder / FOLDER / f"{name_of(title)}.toml").unlink(missing_ok=True)


def _looks(loaded: LoadedCase, cases: Mapping[str, LoadedCase], effect_of: EffectOf) -> dict[str, Look | None]:
    """What is known of each; they are asked for one after the other, so that the page itself is not kept waiting."""
    found: dict[str, Look | None] = {}
    busy = False
    for title, case in cases.items():
        found[title] = None if busy else effect_of(loaded, case, f"saved {title}")[1]
        look = found[title]
        busy = busy or (look is not None and look.state in UNFINISHED)
    return found


def _table(loaded: LoadedCase, cases: Mapping[str, LoadedCase], effect_of: EffectOf, waiting: bool) -> None:
    looks = _looks(loaded, cases, effect_of)
    if waiting and all(look is not None and look.state not in UNFINISHED for look in looks.values()):
        st.rerun()
    rows: list[SavedRow] = [saved_row(title, look.answer if look is not None else None) for title, look in looks.items()]
    parts.table(
        {"what if": r.title, "live": r.live, "difference": r.difference, "chance": r.chance, "futures": r.futures} for r in rows
    )
    for look in looks.values():
        if look is not None and look.state in UNFINISHED:
            parts.progress(look, "Simulated futures")
