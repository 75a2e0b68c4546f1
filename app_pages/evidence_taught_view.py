"""What the evidence taught, drawn: ranges before and after, the pilot against live, trust, and what to measure next."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

import streamlit as st

from app_pages import parts
from app_pages.evidence_work import NEXT_FUTURES, ask_next, give_up, look, next_key
from app_pages.parts import UNFINISHED, plain
from app_pages.session import SEED, polling
from scenarios.files import LoadedCase
from scenarios.pages.evidence_fit import Stage
from scenarios.pages.evidence_taught import HOW, Number, Ranges, TaughtPage, taught_page, working_words
from scenarios.report.basis import basis_line
from scenarios.report.charts import ROW_PIXELS
from scenarios.report.sections import Section

FRAME = 110
"""Pixels of the axis and legend of a chart."""


@st.cache_resource(max_entries=32, ttl=3_600, show_spinner=False)
def _page(case_hash: str, _loaded: LoadedCase) -> TaughtPage:
    assert _loaded.case.posterior is not None
    return taught_page(_loaded.case, _loaded.case.posterior)


def taught(loaded: LoadedCase, folder: Path | None) -> None:
    """The whole part."""
    found = _page(loaded.hash, loaded)
    st.header("What your files taught", anchor=False)
    st.markdown(plain(found.headline), help=plain(HOW))
    for ranges in found.ranges:
        _ranges(ranges)
    with st.expander("Every number, before and after"):
        _numbers(found.numbers)
        if found.effects:
            st.markdown("Effects on the odds that something is right or happens:")
            _numbers(found.effects)
    for section in found.accuracy:
        show_section(section)
    if not found.accuracy:
        st.header("Pilot against live", anchor=False)
        st.markdown("Nothing to compare yet: it takes results of the pilot, and results checked live or in a parallel run.")
    for section in found.others:
        show_section(section)
    if folder is not None:
        _next(loaded, folder)
    parts.trust(found.checks, (), basis_line(loaded, SEED))
    if found.assumed:
        with st.expander("What was used and assumed on the way"):
            st.markdown("\n".join(f"- {plain(note)}" for note in found.assumed))


def _ranges(ranges: Ranges) -> None:
    parts.chart(
        ranges.chart(), ranges.title, ranges.described, ranges.data, f"evidence {ranges.key}", ROW_PIXELS * ranges.rows + FRAME
    )


def _numbers(numbers: tuple[Number, ...]) -> None:
    """A table; where all come from the same files, that is said once."""
    sources = {n.source for n in numbers}
    parts.table(
        {"number": n.label, "before your data": n.before, "after": n.after, "": n.word}
        | ({"from": n.source} if len(sources) > 1 else {})
        for n in numbers
    )
    if len(sources) == 1:
        st.caption(plain(f"From: {next(iter(sources))}."))


def show_section(section: Section) -> None:
    """A finding with its chart, table and sentences."""
    st.header(plain(section.title), anchor=False)
    if section.chart is not None and section.table is not None:
        rows = [dict(zip(section.table.headings, row, strict=True)) for row in section.table.rows]
        drawing = section.chart().properties(title="")
        parts.chart(
            drawing,
            section.described.capitalize(),
            section.title,
            rows,
            f"evidence {section.key}",
            ROW_PIXELS * len(rows) + FRAME,
        )
    if section.table is not None and section.table.rows:
        parts.table(dict(zip(section.table.headings, row, strict=True)) for row in section.table.rows)
    for sentence in section.sentences:
        st.markdown(plain(sentence))


# -- what to measure next


def _next(loaded: LoadedCase, folder: Path) -> None:
    """Worked out on request, since it simulates."""
    key = next_key(loaded)
    seen = look(key)
    if seen.state in UNFINISHED:
        st.header("What to measure next", anchor=False)
        st.fragment(_working, run_every=polling(seen))(key, str(folder))
    elif seen.state == "done":
        stage: Stage = seen.answer
        for section in stage.result:
            show_section(section)
    else:
        st.header("What to measure next", anchor=False)
        if seen.state == "failed":
            parts.failed(seen)
        st.markdown(
            f"Each number in turn is set to the ends of its range, and the chance is looked at again, on {NEXT_FUTURES} simulated futures."
        )
        st.button(
            "Work it out (some minutes)",
            key="evidence next",
            on_click=ask_next,
            args=(folder, loaded),
            icon=":material/query_stats:",
        )


def _working(key: Hashable, folder: str) -> None:
    seen = look(key)
    if seen.state not in UNFINISHED:
        st.rerun()
    stage: Stage | None = seen.answer
    waits = stage is None or stage.state == "waits"
    words = "Waiting for other long work …" if waits or stage is None else working_words(stage)
    st.progress(min(1.0, seen.done / max(1, seen.total)), plain(words))
    st.button("Cancel", key="evidence next cancel", on_click=give_up, args=(Path(folder), "next"), icon=":material/close:")
