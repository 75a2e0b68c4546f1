"""Answer: will the promise be kept, how sure is that, what does it rest on, and what to do next."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import streamlit as st

from app_pages.shared import POLL_SECONDS, SEED, UNFINISHED, ask, current_case, jobs, plain, progress
from models.decisions.verdict import DECISION_DRAWS
from models.outcomes import target_level
from scenarios.files import LoadedCase
from scenarios.jobs import Step, Work
from scenarios.report import charts
from scenarios.report.answer_page import AnswerPage, answer_page
from scenarios.study import Means
from scenarios.study.stored import tightening
from scenarios.version import package_version


def work_of(loaded: LoadedCase) -> Work:
    """The answer on ever more futures."""

    def steps() -> Iterator[Step]:
        for study in tightening(loaded, DECISION_DRAWS, SEED, Means()):
            yield Step(answer_page(study, loaded), len(study.results), DECISION_DRAWS)

    return steps


def key_of(loaded: LoadedCase) -> Hashable:
    """Equal for everybody who asks the same of the same case."""
    return "answer", loaded.file, loaded.hash, SEED, package_version()


def page() -> None:
    """The page; it looks again by itself until the answer is whole."""
    loaded = current_case()
    key = key_of(loaded)
    look = ask("answer", key, work_of(loaded))
    st.fragment(show, run_every=POLL_SECONDS if look.state in UNFINISHED else None)(key, loaded, look.state in UNFINISHED)


def show(key: Hashable, loaded: LoadedCase, polling: bool) -> None:
    """The answer so far."""
    look = jobs().look(key)
    if polling and look.state not in UNFINISHED:
        st.rerun()
    if look.state == "failed":
        st.error(f"The simulation ended with an error: {plain(look.error)}")
        return
    if look.answer is None:
        st.title(plain(loaded.case.title))
        st.caption("Simulating the first futures …")
        st.skeleton(height=320)
        return
    draw(look.answer, loaded)
    progress(look, "Simulated futures")


def draw(page: AnswerPage, loaded: LoadedCase) -> None:
    """Question, chance and size; then the reason, the next step, and whether to trust it."""
    if page.example:
        st.caption("This is an example made of published figures and guesses. It says nothing about your company.")
    st.title(plain(page.question), anchor=False)
    with st.container(border=True):
        if page.chance is not None:
            st.metric(page.chance.label, page.chance.value, help=page.chance.how)
            st.caption(page.between)
        mark = {"kept": "green", "not_kept": "red", "open": "orange", "nothing": "gray"}[page.tone]
        st.markdown(f":{mark}-badge[{plain(page.verdict)}]")
        st.markdown(plain(page.sentence))
    if page.size:
        with st.grid(4, min_column_width=150):
            for told in page.size:
                st.metric(told.label, told.value, help=told.how, border=True)
    if page.days:
        rows = [(part.world, part.name, part.days) for part in page.days]
        level = target_level(loaded.case) if loaded.case.target.statistic == "mean" else None
        chart = charts.stacked(rows, page.finding, level, "promise")
        st.altair_chart(chart, alt=f"{page.finding}. Bars of days a case, today, as in the pilot and live.")
    for sentence in page.unlocated:
        st.markdown(plain(sentence))
    if page.actions:
        st.subheader("What to do next", anchor=False)
        st.markdown("\n".join(f"{i}. {plain(a)}" for i, a in enumerate(page.actions, 1)))
    if page.rows:
        st.subheader("Today, as in the pilot, live", anchor=False)
        st.table([{"": r.label, "today": r.today, "as in the pilot": r.pilot, "live": r.live, "9 of 10 futures": r.range} for r in page.rows])
    trust(page)


def trust(page: AnswerPage) -> None:
    """The card beside every answer."""
    with st.container(border=True):
        st.subheader("Can I trust this?", anchor=False)
        for check in page.checks:
            mark = {True: ":material/check:", False: ":material/close:", None: ":material/info:"}[check.passed]
            st.markdown(f"{mark} {plain(check.words)}", help=check.how)
        st.markdown(" · ".join(f"{told.value} {told.label.lower()}" for told in page.rests_on if told.value != "0"))
        st.caption(plain(page.basis))


page()
