"""The fields of the eight questions: what was typed outlives every rerun, every other page, and answers that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import streamlit as st

from app_pages.parts import plain
from scenarios.interview.answers import MAX_TYPES, Answers, TypeRow
from scenarios.pages.start import (
    MAX_OWNER,
    SURE,
    SURENESS,
    TYPES,
    FieldShown,
    QuestionShown,
    Typed,
    named_there,
    typed_of,
    usable,
)
from scenarios.pages.start_laid import MAX_TITLE, Came
from scenarios.problems import CaseError

STATE = "start"
PREFIX = "start: "
"""Of the keys of fields; their values are copied from the state, which Streamlit does not forget."""
DONT_KNOW = "Don't know"
YES_NO = {"": DONT_KNOW, "yes": "Yes", "no": "No"}


@dataclass(slots=True)
class State:
    """What this visitor typed, and what came of it.

    `folder`: the own case that it belongs to, "" before there is one · `token`: finds that case again while an example is looked at ·
    `base`: the case that a new one is copied from · `applied`: the answers that were used last, as their file · `job`: the use of them
    """

    base: str
    folder: str = ""
    token: str = ""
    previous: str = ""
    title: str = ""
    owner: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    sure: dict[str, str] = field(default_factory=dict)
    rows: dict[int, TypeRow] = field(default_factory=dict)
    opened: dict[str, bool] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    came: Came | None = None
    problem: CaseError | None = None
    applied: str = ""
    kept: str = ""
    job: Hashable | None = None

    def typed(self) -> Typed:
        """The same, frozen."""
        return Typed(self.owner, dict(self.texts), dict(self.sure), tuple(self.rows.values()))

    def take_over(self, answers: Answers) -> None:
        """Fills the fields with answers that were kept."""
        typed = typed_of(answers)
        self.owner, self.texts, self.rows = typed.owner, dict(typed.texts), dict(enumerate(typed.rows))
        self.kept = usable(self.typed()).answers.toml()
        self.applied = self.kept if answers.given else ""


@dataclass(frozen=True, slots=True)
class Base:
    """The case that answers are laid over. `holds`: `question.field` → what holds while it is open · `types`: id → label · `rows`: the same
    as somebody would state them."""

    holds: Mapping[str, str]
    types: Mapping[str, str]
    rows: tuple[TypeRow, ...]


def state() -> State:
    """Of this visitor; there must be one."""
    found = st.session_state[STATE]
    assert isinstance(found, State)
    return found


def begin(new: State) -> State:
    """Puts another state in place; all fields show it."""
    for key in [key for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]
    st.session_state[STATE] = new
    return new


def _seeded(name: str, value: object) -> str:
    """The key of a field, which shows the value if it is not on the page already."""
    key = f"{PREFIX}{name}"
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def _said(name: str, place: str, keep: Callable[[str, str], None]) -> None:
    """A field changed: its text goes to the state, and what was refused before is asked of it no more."""
    value = st.session_state.get(f"{PREFIX}{name}")
    keep(place, "" if value is None else str(value))
    state().refused.pop(place, None)


# -- name and owner


def about_the_case(problems: Mapping[str, str]) -> None:
    """Two fields that no question asks."""
    known = state()

    def keep(what: str, text: str) -> None:
        setattr(known, what, text)

    with st.grid(2, min_column_width=260):
        with st.container():
            st.text_input(
                "Name of your case", key=_seeded("title", known.title), max_chars=MAX_TITLE, placeholder="e.g. Invoices, Köln 2027",
                help="What the case is called on screen and in files. May stay empty.", on_change=_said, args=("title", "title", keep),
            )  # fmt: skip
            _problem(problems.get("title", ""))
        with st.container():
            st.text_input(
                "Who answers for these numbers?", key=_seeded("owner", known.owner), max_chars=MAX_OWNER,
                placeholder="a name or a pseudonym", help="Stands beside every number that you state. May stay empty.",
                on_change=_said, args=("owner", "owner", keep),
            )  # fmt: skip
            _problem(problems.get("owner", ""))


# -- questions


def question(shown: QuestionShown, following: QuestionShown | None, base: Base) -> None:
    """One of the eight, to fold away. Its label never changes: with another one it would be another element, and typing would lose its place."""
    known, name = state(), shown.question.id
    key = _seeded(f"open {name}", known.opened.get(name, name == "promise"))
    box = st.expander(f"{shown.number}. {shown.question.title}", key=key, on_change="rerun")
    known.opened[name] = bool(box.open)
    with box:
        st.caption(plain(f"{shown.question.help} {shown.done}"))
        for one in shown.fields:
            _field(one, base)
        if following is not None:
            st.button(
                f"Next: {following.question.title}", key=f"{PREFIX}next {name}", on_click=open_question,
                args=(following.question.id,), icon=":material/arrow_downward:",
            )  # fmt: skip


def open_question(name: str) -> None:
    """Unfolds a question; only before the page is drawn."""
    state().opened[name] = True
    st.session_state[f"{PREFIX}open {name}"] = True


def _field(one: FieldShown, base: Base) -> None:
    with st.container(gap="xsmall"):
        if one.place == TYPES:
            _types(one, base)
        elif one.about.kind == "choice":
            _choice(one)
        elif one.about.kind == "files":
            _files(one)
        else:
            _text(one)
        _problem(one.problem)


def _problem(text: str) -> None:
    if text:
        st.error(plain(f"{text[0].upper()}{text[1:]}"), icon=":material/error:")


def _keep_text(place: str, text: str) -> None:
    state().texts[place] = text


def _keep_sure(place: str, text: str) -> None:
    state().sure[place] = text


def _text(one: FieldShown) -> None:
    st.text_input(
        one.about.ask, key=_seeded(one.place, one.text), help=plain(one.help), on_change=_said,
        placeholder=f"e.g. {one.about.example}" if one.about.example else "", args=(one.place, one.place, _keep_text),
    )  # fmt: skip
    if one.understood:
        st.caption(plain(f"Understood as {one.understood}"))
    if one.left_open:
        st.caption(plain(f"Left open: {one.left_open}"))
    if one.sureness is not None:
        name = f"sure {one.place}"
        st.radio(
            SURE, SURENESS, key=_seeded(name, one.sureness if one.sureness in SURENESS else SURENESS[0]), horizontal=True,
            format_func=lambda said: "never outside" if said == "100 %" else f"{said} sure", on_change=_said,
            args=(name, one.place, _keep_sure),
        )  # fmt: skip


def _choice(one: FieldShown) -> None:
    words = {"": DONT_KNOW, **{choice.id: choice.words for choice in one.about.choices}}
    st.radio(
        one.about.ask, list(words), key=_seeded(one.place, one.text if one.text in words else ""), format_func=words.__getitem__,
        horizontal=True, on_change=_said, args=(one.place, one.place, _keep_text),
    )  # fmt: skip


def _files(one: FieldShown) -> None:
    """Any number of boxes; none of them is "don't know", which differs from "there are none"."""
    chosen = [part.strip() for part in one.text.split(",") if part.strip()]
    ids = [choice.id for choice in one.about.choices]
    st.markdown(plain(one.about.ask))
    for choice in one.about.choices:
        st.checkbox(
            choice.words,
            key=_seeded(f"file {choice.id}", choice.id in chosen),
            on_change=_keep_files,
            args=(one.place, ids, True),
        )
    st.checkbox(
        "None of these", key=_seeded("file none", one.text == "none"), on_change=_keep_files, args=(one.place, ids, False),
        help="Leave all open if you do not know.",
    )  # fmt: skip


def _keep_files(place: str, ids: list[str], one_of_them: bool) -> None:
    """A box was ticked or cleared: files and "none of these" exclude each other."""
    none = f"{PREFIX}file none"
    if one_of_them:
        st.session_state[none] = False
    elif st.session_state[none]:
        for name in ids:
            st.session_state[f"{PREFIX}file {name}"] = False
    exist = [name for name in ids if st.session_state.get(f"{PREFIX}file {name}")]
    state().texts[place] = "none" if st.session_state[none] else ", ".join(exist)
    state().refused.pop(place, None)


# -- types


def _types(one: FieldShown, base: Base) -> None:
    """A small form a type, one below the other: a table would be wider than a phone."""
    known = state()
    st.markdown(plain(one.about.ask))
    if one.left_open:
        st.caption(plain(f"Left open: {one.left_open}"))
    for position, (number, row) in enumerate(known.rows.items(), 1):
        with st.container(border=True):
            _row(position, number, row, base.types)
    with st.container(horizontal=True):
        full = len(known.rows) >= MAX_TYPES
        st.button("Add a type", key=f"{PREFIX}add type", icon=":material/add:", on_click=_add_row, disabled=full)
        if base.rows and not known.rows:
            st.button(
                "Begin with the types of the example", key=f"{PREFIX}all types", on_click=_add_all, args=(base.rows,),
                help="With their shares. Change what differs in your company: what stands here counts as said by you.",
            )  # fmt: skip


def _row(position: int, number: int, row: TypeRow, types: Mapping[str, str]) -> None:
    def text(column: str, label: str, example: str, value: str) -> None:
        name = f"type {number} {column}"
        st.text_input(
            label, key=_seeded(name, value), placeholder=f"e.g. {example}", on_change=_keep_cell,
            args=(number, column),
        )  # fmt: skip

    text("name", f"Type {position}", "Invoices without an order", row.name)
    with st.grid(2, min_column_width=150):
        text("share", "Its share of all", "20 %", row.share)
        text("approvals", "Approvers it needs", "2", row.approvals)
    st.radio(
        "Did the pilot have it?", list(YES_NO), key=_seeded(f"type {number} piloted", row.piloted), format_func=YES_NO.__getitem__,
        horizontal=True, on_change=_keep_cell, args=(number, "piloted"),
    )  # fmt: skip
    if row.name and types and not named_there(row, types):
        options = {"": DONT_KNOW, **types}
        chosen = row.like if row.like in options else next((key for key, label in types.items() if label == row.like), "")
        st.selectbox(
            "Most like which type of the example?", list(options), key=_seeded(f"type {number} like", chosen),
            format_func=options.__getitem__, on_change=_keep_cell, args=(number, "like"),
            help="Its settings that you did not state are taken over, for example who approves it.",
        )  # fmt: skip
    st.button("Remove this type", key=f"{PREFIX}type {number} remove", on_click=_remove_row, args=(number,), type="tertiary",
              icon=":material/delete:")  # fmt: skip


def _keep_cell(number: int, column: str) -> None:
    known = state()
    value = st.session_state.get(f"{PREFIX}type {number} {column}")
    known.rows[number] = replace(known.rows[number], **{column: str(value or "")})
    known.refused.pop(TYPES, None)


def _add_row() -> None:
    known = state()
    known.rows[max(known.rows, default=-1) + 1] = TypeRow("")


def _add_all(rows: tuple[TypeRow, ...]) -> None:
    state().rows = dict(enumerate(rows))


def _remove_row(number: int) -> None:
    known = state()
    known.rows.pop(number, None)
    known.refused.pop(TYPES, None)
    for key in [key for key in st.session_state if str(key).startswith(f"{PREFIX}type {number} ")]:
        del st.session_state[key]


def stem_of(name: str) -> str:
    """The name of an uploaded file without its ending."""
    return Path(name.replace("\\", "/")).stem
