"""Answer: will the promise be kept, how sure is that, what does it rest on, and what to do next."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import streamlit as st

from app_pages import parts
from app_pages.parts import UNFINISHED, plain
from app_pages.session import ask, current_case, jobs, own_folder, polling
from app_pages.verdict_work import ask_verdict
from scenarios.files import LoadedCase
from scenarios.jobs import Look, Step
from scenarios.pages.answer import AnswerPage, answer_page, days_chart, days_rows
from scenarios.pages.answer_html import as_html


def page() -> None:
    """The page; it looks again by itself until the answer and its file are whole."""
    loaded = current_case()
    key, look = ask_verdict(loaded)
    file = ask_file(key, look, loaded)
    again = polling(look, file)
    st.fragment(show, run_every=again)(key, loaded, again is not None)


def ask_file(key: Hashable, look: Look, loaded: LoadedCase) -> Look:
    """The answer as one page, made once it is whole: its drawings take a second, which no visitor shall wait for."""
    if look.state != "done":
        return Look("gone")
    study = look.answer

    def steps() -> Iterator[Step]:
        yield Step(as_html(answer_page(study, loaded), loaded.case), 1, 1)

    return ask("file", file_key(key, loaded), steps)


def file_key(key: Hashable, loaded: LoadedCase) -> Hashable:
    """Equal only for those whose page says the same: what waits to be learned from is each visitor's own."""
    return "file", key, loaded.unfitted


def show(key: Hashable, loaded: LoadedCase, waiting: bool) -> None:
    """The answer so far."""
    look, file = jobs().look(key), jobs().look(file_key(key, loaded))
    asked = look.state == "done" and file.state == "gone"
    if waiting and (asked or (look.state not in UNFINISHED and file.state not in UNFINISHED)):
        st.rerun()
    if look.state == "failed":
        parts.failed(look)
    elif look.answer is None:
        st.title(plain(loaded.case.title), anchor=False)
        st.caption("Simulating the first futures …")
        st.skeleton(height=320)
    else:
        parts.computing(look)
        draw(answer_page(look.answer, loaded), loaded)
        if file.answer is not None:
            st.download_button(
                "This answer as one page (HTML)", file.answer, f"{loaded.case.name}_answer.html", "text/html",
                icon=":material/download:", on_click="ignore",
            )  # fmt: skip
        parts.progress(look, "Simulated futures")


def draw(page: AnswerPage, loaded: LoadedCase) -> None:
    """Question, chance and size; then the reason, the next step, and whether to trust it."""
    if page.example:
        st.caption("Example, made of published figures and guesses; it says nothing about your company.")
    st.title(plain(page.question), anchor=False)
    headline(page)
    if page.size:
        parts.metrics(page.size)
    if page.example and own_folder() is None:
        st.page_link("start.py", label="Make it my case", icon=":material/edit_square:", help="Eight questions, ten minutes")
    if page.days:
        parts.chart(
            days_chart(page, loaded.case),
            page.finding,
            "Bars of days a case, today, as in the pilot and live.",
            days_rows(page),
            "days",
            parts.bars_height({part.name for part in page.days}),
        )
    for sentence in (*page.never_wrong, *page.unlocated):
        st.markdown(plain(sentence))
    if page.actions:
        st.header("What to do next", anchor=False)
        st.markdown("\n".join(f"{i}. {plain(a)}" for i, a in enumerate(page.actions, 1)))
    if page.rows:
        st.header("Today, as in the pilot, live", anchor=False)
        parts.table(
            {"": r.label, "today": r.today, "as in the pilot": r.pilot, "live": r.live, "9 of 10 futures, live": r.range}
            for r in page.rows
        )
        with st.expander("How were these computed?"):
            st.markdown("\n".join(f"- **{plain(r.label)}**: {plain(r.how)}" for r in page.rows))
    parts.trust(page.checks, page.rests_on, page.basis)


def headline(page: AnswerPage) -> None:
    """The chance as a large number, its range, and the verdict in words."""
    with st.container(border=True):
        if page.chance is not None:
            parts.large(page.chance.value, 3.2)
            st.markdown(f"{plain(page.chance.label.lower())}, {plain(page.between)}", help=plain(page.chance.how))
        colour = {"kept": "green", "not_kept": "red", "open": "orange", "nothing": "gray"}[page.tone]
        st.markdown(f":{colour}[**{plain(page.verdict)}.**] {plain(page.sentence)}")


page()
