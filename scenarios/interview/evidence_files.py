"""Which tables of evidence to fill first, by what exists and by what the case rests on."""

from __future__ import annotations

from dataclasses import dataclass

from scenarios.interview.draft import Draft
from scenarios.interview.questions import FILES

ORDER = (
    ("dates", "locates the days that nobody has located today"),
    ("approvals", "says how long approvers really take"),
    ("pilot", "says how sure the accuracy is, type by type"),
    ("production", "says what accuracy is left on live data"),
    ("audit", "says how many errors pass without review"),
    ("counts", "says how often exceptions and rejections happen"),
    ("arrivals", "says the volume, its pattern and the types' shares"),
    ("calls", "says how slow the interface is and how often it fails"),
    ("outages", "says how often systems are down and how long"),
    ("quality", "says how often data defects occur"),
    ("readiness", "says which causes are under control before go-live"),
)
"""Kinds of tables, the most telling first."""


@dataclass(frozen=True, slots=True)
class FirstFile:
    """One table of evidence: `evidence/KIND.csv`, and what it would teach. An export of dates is named after the cases."""

    kind: str
    why: str


def files_first(draft: Draft) -> tuple[FirstFile, ...]:
    """The tables that can be filled from what exists; with nothing said, the three that tell most."""
    exist = draft.reply(FILES.id, "exist", tuple)
    fits = [(kind, why) for kind, why in ORDER if _has_use(draft, kind)]
    wanted = fits[:3] if exist is None else [f for f in fits if f[0] in exist]
    export = "invoices" if draft.data.get("cases_word") == "invoices" else "cases"
    return tuple(FirstFile(export if kind == "dates" else kind, why) for kind, why in wanted)


def _has_use(draft: Draft, kind: str) -> bool:
    roles = draft.roles
    needs = {
        "approvals": roles.approval, "pilot": roles.ai, "production": roles.ai, "audit": roles.ai, "quality": roles.ai,
        "calls": roles.system, "outages": roles.system, "readiness": roles.ai,
    }  # fmt: skip
    return bool(needs.get(kind, "yes"))
