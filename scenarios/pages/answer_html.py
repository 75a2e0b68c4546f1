"""The answer as one page that needs nothing else: to send, to print, to keep with the decision."""

from __future__ import annotations

from models.schema import CaseFile
from scenarios.pages.answer import AnswerPage, days_chart
from scenarios.pages.told import Check, Told
from scenarios.report.sections import Section, TableOf
from scenarios.report.sections import as_html as page_of

MARKS = {True: "✓", False: "✗", None: "·"}


def as_html(page: AnswerPage, case: CaseFile) -> str:
    """All that the page shows, in the same order; charts are drawings within it."""
    return page_of(page.question, list(_sections(page, case)), (page.basis,))


def _sections(page: AnswerPage, case: CaseFile) -> list[Section]:
    chance = "" if page.chance is None else f"{page.chance.label}: {page.chance.value}, {page.between}."
    found = [Section("answer", page.verdict, tuple(s for s in (_example(page), chance, page.sentence) if s), _told(page.size))]
    if page.days:
        drawn = Section(
            "days",
            page.finding,
            page.unlocated,
            None,
            lambda: days_chart(page, case),
            "Bars of days a case, today, as in the pilot and live.",
        )
        found.append(drawn)
    if page.reasons:
        found.append(Section("why", "Why", page.reasons))
    if page.actions:
        found.append(Section("next", "What to do next", tuple(f"{i}. {action}" for i, action in enumerate(page.actions, 1))))
    if page.rows:
        headings = ("", "today", "as in the pilot", "live", "9 of 10 futures, live")
        rows = tuple((r.label, r.today, r.pilot, r.live, r.range) for r in page.rows)
        found.append(
            Section(
                "results",
                "Today, as in the pilot, live",
                tuple(f"{r.label}: {r.how}" for r in page.rows),
                TableOf(headings, rows),
            )
        )
    found.append(Section("trust", "Can I trust this?", (_sources(page.rests_on),), _checks(page.checks)))
    return found


def _example(page: AnswerPage) -> str:
    return (
        "This is an example, made of published figures and guesses; it says nothing about your company." if page.example else ""
    )


def _told(told: tuple[Told, ...]) -> TableOf | None:
    return TableOf(("", "", "how it was computed"), tuple((t.label, t.value, t.how) for t in told)) if told else None


def _checks(checks: tuple[Check, ...]) -> TableOf:
    return TableOf(("check", "", "what it means"), tuple((c.words, MARKS[c.passed], c.how) for c in checks))


def _sources(told: tuple[Told, ...]) -> str:
    return "It rests on " + ", ".join(f"{t.value} numbers {t.label.lower()}" for t in told if t.value != "0") + "."
