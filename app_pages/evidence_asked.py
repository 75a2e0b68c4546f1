"""What files leave open, asked on the page of evidence: once for all files, and which column of an export is what."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from zlib import crc32

import streamlit as st

from app_pages.evidence_files import SAID
from app_pages.evidence_work import give_up
from app_pages.parts import plain, tell
from app_pages.session import require_own
from models.evidence.mapping import ExportMapping
from models.schema import CaseFile
from scenarios.evidence.apart import ExportSeen
from scenarios.pages.evidence_questions import (
    NOT_USED,
    ExportAnswers,
    answers_of,
    likely_type,
    save_mapping,
    save_settings,
    settings_of,
    values_of,
    zones,
)
from scenarios.pages.evidence_words import asked_words, event_words
from scenarios.problems import CaseError

DECIMALS = {"": "as each column proves it", ",": "comma: 1.234,5", ".": "point: 1,234.5"}
ORDERS = {"": "as each column proves it", "day_first": "day first: 31/12/2026", "month_first": "month first: 12/31/2026"}
SELECTED = {"": "not said", "arrival": "all that came in a period", "end": "all that ended in a period"}
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2100, 1, 1)
TOLERATED = (0.0, 0.01, 0.02, 0.05, 0.1)


def all_files(folder: Path | None, needed: bool) -> None:
    """The questions that concern every file. `needed`: some file cannot be read before they are answered."""
    with (
        st.expander("Questions about your files", expanded=needed, icon=":material/help:"),
        st.form("evidence settings", border=False),
    ):
        now, known, scope = settings_of(folder), zones(), crc32(str(folder).encode())
        with st.grid(2, min_column_width=240):
            said: dict[str, Any] = {
                "zone": st.selectbox(
                    "In which time zone are dates and times written?", known, known.index(now.zone) if now.zone in known else None,
                    key=f"evidence zone {scope}", persist_state="session", placeholder="Choose a time zone", help=plain(asked_words("zone")),
                ),
                "exported": _day(
                    "Which is the last day that the files cover?", now.exported, f"evidence exported {scope}", plain(asked_words("exported"))
                ),
                "decimal": _one_of("How are decimals written?", DECIMALS, now.decimal, "decimal", scope),
                "dates": _one_of("How are dates such as 03/04/2026 meant?", ORDERS, now.dates, "dates", scope),
                "defective_rows_at_most": st.selectbox(
                    "Which share of a file's rows may be left out because of defects?", TOLERATED,
                    TOLERATED.index(now.defective_rows_at_most) if now.defective_rows_at_most in TOLERATED else 0,
                    format_func=lambda share: f"{share:.0%}" if share else "none: one defect stops it", key=f"evidence tolerated {scope}", persist_state="session",
                    help=plain(asked_words("defective_rows_at_most")),
                ),
                "selected_by": _one_of("How were the rows of times and approvals chosen?", SELECTED, now.selected_by, "selected_by", scope),
                "first_day": _day("First day of that period", now.first_day, f"evidence first {scope}", None),
                "last_day": _day("Last day of that period", now.last_day, f"evidence last {scope}", None),
                "model_version": st.text_input(
                    "Which version of the AI goes live?", now.model_version, key=f"evidence version {scope}", persist_state="session", help=plain(asked_words("model_version"))
                ),
            }  # fmt: skip
        if st.form_submit_button("Keep these answers", type="primary"):
            _keep(lambda mine: save_settings(mine, said), "Your answers are kept; the files are read with them.")


def _one_of(label: str, options: Mapping[str, str], now: str, name: str, scope: int) -> str:
    values = list(options)
    return str(
        st.selectbox(
            label,
            values,
            values.index(now),
            format_func=lambda value: options[value],
            key=f"evidence {name} {scope}",
            persist_state="session",
            help=plain(asked_words(name)),
        )
    )


def _keep(save: Any, told: str) -> None:
    """Keeps answers in the visitor's own folder and reads the files again."""
    try:
        mine = require_own()
        save(mine)
    except CaseError as error:
        tell(error)
        return
    give_up(mine, "check", "learn", "next")
    st.session_state[SAID] = [(True, told)]
    st.rerun()


# -- an export


def export(folder: Path | None, name: str, seen: ExportSeen, case: CaseFile, needed: bool) -> None:
    """Which column of an export is what."""
    with st.expander("Which column is what", expanded=needed, icon=":material/view_column:"):
        now = answers_of(folder, name)
        columns = list(seen.columns)
        scope = f"{name} {crc32(f'{folder} {columns}'.encode())}"
        log = st.radio(
            "What is a row of your export?", ["a row a case", "a row an event"], int(now is not None and now.form == "events"),
            key=f"mapping form {scope}", persist_state="session", horizontal=True,
        ) == "a row an event"  # fmt: skip
        roles = _roles(scope, columns, now, log)
        events = _events(scope, seen, case, now, roles, log)
        types = _types(scope, seen, case, now, roles)
        people = st.multiselect(
            "Columns that name people", columns, [p for p in now.people if p in columns] if now else [], key=f"mapping people {scope}", persist_state="session",
            help="Only made-up names of them are kept.",
        )  # fmt: skip
        period = _period(scope, now)
        if st.button("Keep which column is what", key=f"mapping keep {scope}", type="primary"):
            first, last = period["first_day"], period["last_day"]
            if first is None or last is None or not roles["case"]:
                st.error("Still open: the number of the case, and the first and last day.")
                return
            answers = ExportAnswers(
                roles, events, first, last, period["selected_by"], period["exported"], log, period["is_sample"], types, tuple(people)
            )  # fmt: skip
            _keep(lambda mine: save_mapping(mine, name, answers), "Which column is what is kept; the export is read with it.")


ROLES = {
    "case": "Number of the case", "type": "Type of the case", "amount": "Amount", "currency": "Currency", "cluster": "Supplier or template",
}  # fmt: skip
LOG_ROLES = {"activity": "What happened", "time": "When it happened, or ended", "start": "When it began"}


def _roles(name: str, columns: list[str], now: ExportMapping | None, log: bool) -> dict[str, str]:
    asked = {**ROLES, **(LOG_ROLES if log else {})}
    known = {} if now is None else now.columns.named()
    with st.grid(2, min_column_width=220):
        return {role: _column(f"mapping {role} {name}", label, columns, known.get(role, "")) for role, label in asked.items()}


def _column(key: str, label: str, columns: list[str], now: str) -> str:
    options = [NOT_USED, *columns]
    found = st.selectbox(
        label,
        options,
        options.index(now) if now in options else 0,
        format_func=lambda c: c or "not in the file",
        key=key,
        persist_state="session",
    )
    return str(found or "")


def _events(
    name: str, seen: ExportSeen, case: CaseFile, now: ExportMapping | None, roles: Mapping[str, str], log: bool
) -> dict[str, str]:
    """Which date, or activity, is which event."""
    words = event_words(case)
    known = {} if now is None else {column: event for column, event in now.events.items() if event in words}
    if log:
        found = values_of(seen, roles.get("activity", ""))
        things: list[str] = list(found or ())
        if roles.get("activity") and found is None:
            st.warning(
                "That column holds too many different texts to ask for each; write the file of the mapping, and upload it."
            )
    else:
        free = [c for c in seen.columns if c not in roles.values()]
        things = st.multiselect(
            "Columns that hold dates you know the meaning of", free, [c for c in known if c in free], key=f"mapping dates {name}", persist_state="session",
            help="Two are needed: when the clock starts and when it stops. Each further one locates days.",
        )  # fmt: skip
    options = [NOT_USED, *words]
    with st.grid(2, min_column_width=220):
        return {
            thing: str(
                st.selectbox(
                    plain(f"What is {thing}?"), options, options.index(known[thing]) if thing in known else 0,
                    format_func=lambda event: words.get(event, "not used"), key=f"mapping event {name} {thing}", persist_state="session",
                )
            )
            for thing in things
        }  # fmt: skip


def _types(name: str, seen: ExportSeen, case: CaseFile, now: ExportMapping | None, roles: Mapping[str, str]) -> dict[str, str]:
    """Which value of the column of types is which type of the case."""
    if not roles["type"]:
        return {}
    values = values_of(seen, roles["type"])
    if values is None:
        st.warning(
            "The column of types holds too many different texts to ask for each; write the file of the mapping, and upload it."
        )
        return {}
    options = [NOT_USED, *case.types]
    known = {} if now is None else {**now.types, **dict.fromkeys(now.leave_out_types, NOT_USED)}
    found = {}
    for value in values:
        before = known.get(value, likely_type(value, case))
        found[value] = str(
            st.selectbox(
                plain(f"Which type is {value}?"), options, options.index(before) if before in options else 0, key=f"mapping type {name} {value}", persist_state="session",
                format_func=lambda t: case.types[t].label or t.replace("_", " ") if t else "not covered by this case",
            )
        )  # fmt: skip
    return found


def _period(name: str, now: ExportMapping | None) -> dict[str, Any]:
    """Which cases the export holds."""
    chosen = {key: word for key, word in SELECTED.items() if key}
    by = st.radio(
        "Which cases does it hold?", list(chosen), 0 if now is None else list(chosen).index(now.selected_by),
        format_func=lambda value: chosen[value], key=f"mapping by {name}", persist_state="session", horizontal=True,
    )  # fmt: skip
    known = (None, None, None) if now is None else (now.first_day, now.last_day, now.exported)
    with st.grid(3, min_column_width=150):
        first = _day("First day of the period", known[0], f"mapping first {name}", None)
        last = _day("Last day of the period", known[1], f"mapping last {name}", None)
        exported = _day("Day of the export", known[2], f"mapping exported {name}", "What has no end by then is open.")
    sample = st.checkbox(
        "It holds only some of the cases of that period",
        now is not None and now.holds == "sample",
        key=f"mapping sample {name}",
        persist_state="session",
    )
    return {"selected_by": by, "first_day": first, "last_day": last, "exported": exported, "is_sample": sample}


def _day(label: str, now: date | None, key: str, told: str | None) -> date | None:
    found = st.date_input(label, now, min_value=FIRST_DAY, max_value=LAST_DAY, key=key, help=told, persist_state="session")
    return found if isinstance(found, date) else None
