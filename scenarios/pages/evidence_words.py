"""What evidence is called on screen: kinds of files by what they tell, columns and events by name, messages in the page's own words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from models.evidence.events import known_events
from models.evidence.kinds import KINDS
from models.evidence.settings import EvidenceSettings
from models.schema import CaseFile
from scenarios.report.parameter_words import parameter_words
from scenarios.uploads import ALIASES, EXPORT, kind_of

TITLES: dict[str, tuple[str, str]] = {
    EXPORT: ("Your own export, a row a case with its dates", "Today's result, and where its days lie."),
    "pilot": ("Results of the pilot", "How often the AI was right, type by type, and how much it passed without review."),
    "production": ("Results checked live, or in a parallel run", "What is left of the pilot's accuracy on live data."),
    "audit": ("Blind audit of what was accepted", "How many errors pass without anybody looking."),
    "seeded": ("Errors shown to reviewers on purpose", "How many of the AI's errors reviewers notice, and how that falls with load."),
    "calls": ("Calls of a connected system", "How slow the interface is, and how often it fails."),
    "outages": ("Outages of connected systems", "How often a system is down, and how long."),
    "times": ("Times of work and waiting", "How long steps, and answers from outside, take."),
    "arrivals": ("Cases that came, by day", "The volume, its pattern over the week and month, the shares of types."),
    "approvals": ("Approval requests", "How long approvers take, what a reminder does, how much is rejected."),
    "counts": ("How often something happened", "Any share of the case: exceptions, rejections, rework, failures."),
    "quality": ("Defects of the data", "How often fields are missing or formats old, and whether busy days are worse."),
    "readiness": ("Readiness and staging checks", "Which causes are under control before go-live."),
    "weekly": ("Weekly figures after go-live", "How fast the AI is adopted, and whether its accuracy drifts."),
    "experts": ("What experts say", "Any number that nobody has measured."),
}  # fmt: skip
"""Kind → title, and in one line what it informs."""
DOWNLOADS = {kind: alias for alias, kind in ALIASES.items() if alias == "live_sample"}
"""Kinds whose template has another name than the kind."""
TELLING = (EXPORT, "approvals", "pilot")
"""What tells most where nobody said what exists."""


def kind_title(kind: str) -> str:
    """What a kind of evidence is called."""
    return TITLES[kind][0] if kind in TITLES else kind


def file_words(name: str) -> str:
    """A stored file by what it holds: `Results of the pilot (CSV)`."""
    last = Path(name).name
    kind, suffix = kind_of(last), Path(last).suffix.lstrip(".").upper()
    if last == "settings.toml":
        return "Questions about your files"
    if suffix == "TOML":
        return "Which column is what"
    return f"{kind_title(kind)} ({suffix})" if kind in TITLES else last


_PATH = re.compile(
    r"\b(?:steps|teams|systems|types|arrivals|baseline|conditions)\.[\w-]+(?:\.[\w-]+)*(?:@(?:as_is|pilot|production))?"
)
_PHRASES = (
    ("zone is missing: files hold local dates and times", "dates and times are local ones, and their time zone is not said yet"),
    ('say it once, for example zone = "Europe/Berlin"', "choose it below, once for all files"),
    ("exported is missing: what is open was open on which day?", "which is the last day that the files cover? What has no end by then is open"),
    ("say the day of the export: exported = 2026-09-30", "say it below"),
    ('say in settings.toml which comes first: dates = "day_first" or dates = "month_first"', "say below how dates are meant"),
    ('say in settings.toml how decimals are written: decimal = "." or decimal = ","', "say below how decimals are written"),
    ("and `exported` in settings.toml", "and the last day that the files cover"),
    ("correct selected_by, first_day and last_day of the mapping", 'correct the period under "Which column is what"'),
    ("has no mapping: which of its columns are which dates is not said", "which of its columns is which date is not said yet"),
    ("write invoices.toml; pilotproof evidence init writes an example", 'say it below, under "Which column is what"'),
    ("write cases.toml; pilotproof evidence init writes an example", 'say it below, under "Which column is what"'),
    ('write random letters, for example salt = "q7vX2mB9…"', "upload the file again"),
    ("say it in settings.toml (exported)", "say it under \"Questions about your files\""),
    ("in settings.toml", "under \"Questions about your files\""),
    ("settings.toml says", "the questions about your files say"),
    ("settings.toml", "the questions about your files"),
    ("in leave_out_types", "as not covered by this case"),
    ("under [types]", "under \"Which column is what\""),
)  # fmt: skip


def on_page(text: str, case: CaseFile) -> str:
    """A sentence of the library as the page says it: numbers, types and steps by their names, settings by the questions that ask for them."""
    found = _PATH.sub(lambda match: number_words(case, match[0]), text)
    labels = {**{name: spec.label for name, spec in case.types.items()}, **{step.id: step.label for step in case.steps}}
    for name, label in labels.items():
        if "_" in name and name in found:
            found = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w.])", label or name.replace("_", " "), found)
    return _WORD.sub(lambda match: _WORDS[match[0]], message(_UNASKED.sub("", found), _SAID))


def message(text: str, phrases: Sequence[tuple[str, str]] = ()) -> str:
    """What is wrong with a file as the page says it. Names of the case stay as they must be written in the file."""
    for there, here in (*_PHRASES, *phrases):
        text = text.replace(there, here)
    return text


_UNASKED = re.compile(r"; settings: [\w, ]+")
_WORDS = {
    "production": "live", "as_is": "today", "draw": "simulated value", "draws": "simulated values", "prior": "range before",
    "priors": "ranges before", "posterior": "range after your data", "replications": "simulated futures",
    "logit": "log odds",
}  # fmt: skip
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b(?!\.\w)")


_SAID = (
    ("The fits would produce", "What was learned would produce"),
    ("the fits would produce", "what was learned would produce"),
    ("made from the fit", "made from what was learned"),
    ("scope penalty", "loss of types never piloted"),
    ("this fit's data do", "the data do"),
)  # fmt: skip


def number_words(case: CaseFile, column: str) -> str:
    """What a number is called on the page; its scale stands with its values."""
    return parameter_words(case, column).removesuffix(" (logit)")


# -- events of an export


_PHASES = {
    "entered": "handed over", "started": "begun", "ended": "done", "asked": "requested", "reminded": "reminded", "decided": "decided",
}  # fmt: skip


def event_words(case: CaseFile) -> dict[str, str]:
    """Event → what a date of it is called; a step with one level is named once."""
    words: dict[str, str] = {}
    labels = {step.id: step.label or step.id.replace("_", " ") for step in case.steps}
    known = known_events(case)
    for name, event in known.items():
        if name == "arrival":
            words[name] = "received: the clock starts"
        elif name == "end":
            words[name] = "done: the clock stops"
        elif name.count(".") == 1 or f"{event.step}.{event.phase}" not in known:
            level = f", level {event.level}" if name.count(".") == 2 else ""
            words[name] = f"{labels[event.step]}{level}: {_PHASES[event.phase]}"
    return words


def column_words(kind: str) -> list[dict[str, str]]:
    """The columns of a kind of file, for those who fill it."""
    found = next((k for k in KINDS if k.name == kind), None)
    return [] if found is None else [
        {"column": c.name, "what it holds": c.meaning, "needed": "yes" if c.required else ""} for c in found.columns
    ]  # fmt: skip


def asked_words(name: str) -> str:
    """What a question about the files means."""
    return EvidenceSettings.model_fields[name].description or ""
