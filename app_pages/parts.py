"""How things look on every page: text of users, numbers that can be asked, charts with their data, progress, problems of files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from scenarios.jobs import Look
from scenarios.pages.told import Check, Told
from scenarios.problems import CaseError

COMPUTING = "computing"
UNFINISHED = ("waiting", "running")
SIGNS = r"\`*_{}[]()<>#+-.!|~$:"
JOINER = "\u2060"
"""Invisible, and no part of a name or an address."""
DRAWN = re.compile(r":(?=[\w+-]+(?:/[\w+-]+)?:)|(?<=[a-zA-Z]):(?=//)|www(?=\.)|@", re.IGNORECASE)
"""Where icons (`:material/home:`), emoji, links and addresses are found even in text without signs."""


def plain(text: Any) -> str:
    """Text of users for Markdown: nothing in it is read as a sign, an icon or a link."""
    parted = DRAWN.sub(lambda found: f"{found[0]}{JOINER}", str(text))
    return "".join(f"\\{c}" if c in SIGNS else c for c in parted).replace("\n", " ")


def large(text: str, rem: float) -> None:
    """Text that is no heading, in a size that stands out."""
    st.html(f'<div style="font-size:{rem}rem;line-height:1.15;font-weight:600">{escape(text)}</div>')


def computing(look: Look) -> None:
    """Says whether what is drawn next will change by itself; a file of it could be gone before it is fetched, so none is offered yet."""
    st.session_state[COMPUTING] = look.state in UNFINISHED


def metrics(told: Sequence[Told], columns: int = 4) -> None:
    """Numbers side by side; each says how it was computed."""
    with st.grid(columns, min_column_width=150):
        for one in told:
            st.metric(one.label, one.value, help=plain(one.how), border=True)


def table(rows: Iterable[Mapping[str, Any]]) -> None:
    """A small table of texts; user text in it is shown as it is."""
    st.table([{plain(k): plain(v) for k, v in row.items()} for row in rows], hide_index=True)


def chart(drawing: Any, title: str, described: str, rows: Sequence[Mapping[str, Any]], key: str, height: int = 260) -> None:
    """A chart under the finding it shows, with words for those who do not see it and its data to take away.

    height: of all in pixels, axes and legend included
    """
    from scenarios.pages.tables import as_csv

    st.markdown(f"**{plain(title)}**")
    st.altair_chart(drawing, width="stretch", height=height, alt=f"{title}. {described}")
    if not st.session_state.get(COMPUTING):
        st.download_button(
        "Data of this chart", as_csv(rows), f"{key}.csv", "text/csv", key=f"data {key}", type="tertiary", icon=":material/download:",
        on_click="ignore",
    )  # fmt: skip


def bars_height(parts: Collection[str]) -> int:
    """Pixels that three bars take together with a legend of these parts, one a line."""
    return 230 + 18 * len(parts)


def trust(checks: Sequence[Check], rests_on: Sequence[Told], basis: str) -> None:
    """The card beside every answer."""
    with st.container(border=True):
        st.header("Can I trust this?", anchor=False)
        for check in checks:
            mark = {True: ":material/check:", False: ":material/close:", None: ":material/info:"}[check.passed]
            st.markdown(f"{mark} {plain(check.words)}", help=plain(check.how))
        st.markdown(
            " · ".join(f"{told.value} {plain(told.label.lower())}" for told in rests_on if told.value != "0"),
            help=plain(" ".join(f"{told.label}: {told.how}" for told in rests_on)),
        )
        st.caption(plain(basis))


def progress(look: Look, what: str) -> None:
    """How far unfinished work is, with the time left."""
    if look.state in UNFINISHED and look.total:
        left = "" if look.seconds_left is None else f", about {max(1, round(look.seconds_left))} s left"
        st.progress(min(1.0, look.done / look.total), f"{what}: {look.done} of {look.total}{left}")


def tell(error: CaseError) -> None:
    """All problems of a file, each at its place."""
    st.error(f"{plain(error.file)}: {len(error.problems)} problem{'s' if len(error.problems) > 1 else ''}")
    table({"code": p.code, "place": p.place, "problem": p.message, "remedy": p.remedy} for p in error.problems)


def failed(look: Look) -> None:
    """Work that ended with an error, in a plain message."""
    error = look.error
    if isinstance(error, CaseError):
        tell(error)
    else:
        st.error(f"This could not be computed: {plain(error)}")
