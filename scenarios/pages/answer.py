"""The answer as readers see it on a page: the chance, its size, the reason, what to do next, and how every number came about.

Words of the screen only (today, as in the pilot, live; range, result, promise). Nothing here knows how pages are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from models.baseline import MAX_LATE_SHARE, MAX_OPEN_SHARE, open_days
from models.decisions.verdict import DECISION_DRAWS
from models.legs import dates_of
from models.outcomes import met, target_level, target_value
from models.schema import CaseFile
from scenarios.catalogue import shipped_names
from scenarios.files import LoadedCase
from scenarios.pages.evidence_words import file_words
from scenarios.pages.told import Check, Told
from scenarios.report.basis import basis_line, source_counts
from scenarios.report.verdict_json import figure
from scenarios.report.verdict_text import (
    ACCOUNT_NAMES,
    ARM_NAMES,
    ROWS,
    days_by_name,
    exports,
    gate_reason,
    if_at_one_step,
    in_target_unit,
    never_wrong,
    per_cent,
    question,
    reasons,
    unfit,
)
from scenarios.study import VerdictStudy

Tone = Literal["kept", "not_kept", "open", "nothing"]
WORDS: dict[str, tuple[str, Tone]] = {
    "supported": ("The promise will probably be kept", "kept"),
    "not_supported": ("The promise will probably not be kept", "not_kept"),
    "open": ("It cannot be told yet whether the promise will be kept", "open"),
    "no_verdict": ("No answer: the figures do not fit together yet", "nothing"),
}
SHOWN_DAYS = 0.05
"""Days a case below which a part is not drawn."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One result side by side; `range`: nine of ten simulated futures, live."""

    label: str
    today: str
    pilot: str
    live: str
    range: str
    how: str


@dataclass(frozen=True, slots=True)
class Part:
    """Days a case at one part of the process (`name`), in one world (`world`)."""

    world: str
    name: str
    days: float


@dataclass(frozen=True, slots=True, eq=False)
class AnswerPage:
    """All that the page shows. chance: None if there is no answer · between: its range in words · size: promise and today beside live ·
    days: adding up to the mean of each world · preview: fewer futures than an answer takes."""

    title: str
    example: bool
    question: str
    verdict: str
    tone: Tone
    preview: bool
    chance: Told | None
    between: str
    sentence: str
    size: tuple[Told, ...]
    rows: tuple[FigureRow, ...]
    finding: str
    days: tuple[Part, ...]
    never_wrong: tuple[str, ...]
    unlocated: tuple[str, ...]
    reasons: tuple[str, ...]
    rests_on: tuple[Told, ...]
    actions: tuple[str, ...]
    checks: tuple[Check, ...]
    basis: str


def answer_page(study: VerdictStudy, loaded: LoadedCase) -> AnswerPage:
    """The page of a study; without a chance it says why and what to do."""
    v, answered = study.verdict, study.verdict.probability is not None
    words, tone = WORDS[v.would_be]
    preview = v.verdict == "preview"
    every = tuple(reasons(study)) if answered else ()
    return AnswerPage(
        study.case.title, loaded.file in shipped_names(), question(study, "days"), f"So far: {words[0].lower()}{words[1:]}" if preview else words, tone,
        preview, _chance(study) if answered else None, _between(study), _sentence(study), tuple(_size(study)) if answered else (),
        tuple(_rows(study)) if answered else (), _finding(study) if answered else "", tuple(_parts(study)) if answered else (),
        tuple(never_wrong(study)) if answered else (), tuple(unlocated(study)) if answered else (), every, tuple(_rests_on(study)),
        tuple(_actions(study, loaded)), (*_checks(study), *_unused(loaded)),
        basis_line(loaded, study.seed),
    )  # fmt: skip


def _kept(study: VerdictStudy) -> int:
    return sum(met(study.case, r.arms["production"].figures) for r in study.results)


def _chance(study: VerdictStudy) -> Told:
    assert study.verdict.probability is not None
    how = (
        f"Share of simulated futures in which the promise is kept: {_kept(study)} of {len(study.results)}. Each future takes another value of "
        "every number that is not known for sure, and another run of luck."
    )
    return Told("Chance that the promise is kept", per_cent(study.verdict.probability), how)


def _between(study: VerdictStudy) -> str:
    v = study.verdict
    if v.low is None or v.high is None:
        return ""
    return f"between {100 * v.low:.0f} and {100 * v.high:.0f} in 100, as far as {len(study.results)} simulated futures can tell"


def _sentence(study: VerdictStudy) -> str:
    if study.verdict.probability is None:
        return gate_reason(study)
    counts = source_counts(study.case)
    guesses = f"{counts['guess']} of {sum(counts.values())} numbers behind it are guesses"
    if len({e.met for e in study.extremes}) > 1:
        return f"It depends on where the days lie that nobody has located; {guesses}."
    return f"It rests on what is assumed: {guesses}."


def _size(study: VerdictStudy) -> Iterator[Told]:
    case, n = study.case, len(study.results)
    first, last = case.target.weeks
    yield Told(
        "Promise", in_target_unit(study, target_level(case)), f"As the case states it, for weeks {first} to {last} after go-live."
    )
    for arm, name in ARM_NAMES.items():
        values = [target_value(case, r.arms[arm].figures) for r in study.results]
        how = f"Mean over {n} simulated futures of {case.cases_word} that arrive in weeks {first} to {last}; nine of ten futures lie between "
        low, high = (in_target_unit(study, float(x)) for x in np.quantile(values, [0.05, 0.95]))
        yield Told(name.capitalize(), in_target_unit(study, float(np.mean(values))), f"{how}{low} and {high}.")


MEANINGS = {
    "mean_cycle_time_days": "Days from receipt to the end, on average over all cases; a case that is not done yet counts with its age.",
    "median_cycle_time_days": "Half of the cases take no longer.",
    "p90_cycle_time_days": "Nine of ten cases take no longer.",
    "share_within_target": "Share of cases that take no longer than promised.",
    "straight_through_share": "Share of cases on which no team worked.",
    "cost_per_case": "Today's cost a case as stated, plus what work, fees of the AI and errors cost more or less than today.",
}


def _rows(study: VerdictStudy) -> Iterator[FigureRow]:
    labels = {
        "mean_cycle_time_days": "On average, days",
        "median_cycle_time_days": "Half done within, days",
        "p90_cycle_time_days": "9 of 10 within, days",
    }
    for label, name, form in ROWS:
        cells = [np.asarray(figure(study, arm, name)) for arm in ARM_NAMES]
        if name == "cost_per_case" and not any(values.any() for values in cells):
            continue
        low, high = np.quantile(cells[2], [0.05, 0.95])
        shown = (
            f"Cost per {study.case.case_word}, {study.case.money.currency}"
            if name == "cost_per_case"
            else labels.get(name, label.capitalize())
        )
        today, pilot, live = (form.format(x.mean()) for x in cells)
        yield FigureRow(shown, today, pilot, live, f"{form.format(low)} to {form.format(high)}", MEANINGS[name])


def _finding(study: VerdictStudy) -> str:
    live = days_by_name(study, "production")
    name, days = next(iter(live.items()))
    total = sum(live.values())
    if name == ACCOUNT_NAMES["unlocated"]:
        return f"The largest part of the days live lies where nobody has looked: {days:.1f} of {total:.1f}"
    return f"{name[0].upper()}{name[1:]} are the largest part of the days live: {days:.1f} of {total:.1f}"


def _parts(study: VerdictStudy) -> Iterator[Part]:
    worlds = {name: days_by_name(study, arm) for arm, name in ARM_NAMES.items()}
    for name in worlds["live"] | worlds["today"]:
        if max(days.get(name, 0.0) for days in worlds.values()) >= SHOWN_DAYS:
            yield from (Part(world, name, days.get(name, 0.0)) for world, days in worlds.items())


def unlocated(study: VerdictStudy) -> Iterator[str]:
    """How many of today's days nobody has located, and what they do to the answer."""
    if study.baseline is None or not study.results:
        return
    located = dates_of(study.case).located
    days = float(np.mean([open_days(r.solved, located) for r in study.results if r.solved is not None]))
    if days < SHOWN_DAYS:
        return
    yield f"Nobody has located {days:.1f} of today's {study.baseline.observed:.1f} days: they lie somewhere between the steps whose times are known."
    if study.extremes:
        yield if_at_one_step(study)


SOURCES = {
    "measured": ("Measured", "counted or timed in your own company, or learned from your evidence"),
    "elicited": ("Said by somebody", "stated by a person who knows the work, with a range"),
    "benchmark": ("From others", "taken from published figures of other companies"),
    "guess": ("Guessed", "that nobody measured; among them all numbers that an example brought along"),
}


def _rests_on(study: VerdictStudy) -> Iterator[Told]:
    for name, count in source_counts(study.case).items():
        label, how = SOURCES[name]
        yield Told(label, str(count), f"Numbers {how}.")


def _actions(study: VerdictStudy, loaded: LoadedCase) -> Iterator[str]:
    case = study.case
    if loaded.unfitted:
        yield f"Learn from the files you added, on the page Evidence: no answer rests on them yet ({_files(loaded)})."
    if unfit(study):
        yield "See which fit failed, on the page Evidence; correct that file or leave it out."
        return
    if study.verdict.probability is None:
        yield from _mendings(study)
        return
    pairs = exports(study)
    if pairs:
        located = dates_of(case).located
        lost = float(np.mean([open_days(r.solved, located) for r in study.results if r.solved is not None]))
        yield f"Export dates per {case.case_word}: {'; '.join(pairs)}. Together they locate {lost:.1f} days."
    never = [t.label or n for n, t in case.types.items() if not t.piloted]
    if never:
        yield f"Run the AI beside today's process for 30 days on the types never piloted: {'; '.join(never)}."
    if source_counts(case)["guess"]:
        yield "Replace guesses by what you know: the eight questions ask for those that matter most."


def _mendings(study: VerdictStudy) -> Iterator[str]:
    """What could make the figures fit together."""
    report = study.baseline
    if report is not None and report.problem:
        yield "Raise run_out_weeks and warm_up_weeks under [run] in case.toml: download the case on the page Start, change it, and open it again."
    yield "Check today's number and the times of approvers, exceptions and people on the page Start; then show the answer again."


def _files(loaded: LoadedCase) -> str:
    return "; ".join(file_words(name) for name in loaded.unfitted)


def _unused(loaded: LoadedCase) -> Iterator[Check]:
    """Evidence that is there and changes nothing yet."""
    if loaded.unfitted:
        what = f"{len(loaded.unfitted)} of your files {'is' if len(loaded.unfitted) == 1 else 'are'} not used yet"
        yield Check(what, None, f"Nothing was learned from them, so no answer rests on them: {_files(loaded)}.")


def _checks(study: VerdictStudy) -> Iterator[Check]:
    n, report = len(study.results), study.baseline
    yield Check(
        f"{n} simulated futures" if n >= DECISION_DRAWS else f"A first look: {n} of {DECISION_DRAWS} simulated futures",
        True if n >= DECISION_DRAWS else None,
        f"An answer takes {DECISION_DRAWS}; with fewer it is a first look.",
    )
    if study.results:
        broken = ", ".join(study.laws)
        yield Check(
            f"Laws of queues broken: {broken}" if broken else "Laws of queues hold", not study.laws,
            "Every run is checked: nothing is lost, all waits add up, queues have the length that arrivals and waits ask for.",
        )  # fmt: skip
        late = [max(r.arms[a].figures["open_share"] for a in ARM_NAMES) > MAX_OPEN_SHARE for r in study.results]
        most = f"{100 * MAX_OPEN_SHARE:.0f} %"
        yield Check(
            f"In {sum(late)} of {n} futures more than {most} of the {study.case.cases_word} are unfinished at the end" if any(late) else f"At most {most} of the {study.case.cases_word} unfinished at the end of any future",
            None if 0 < sum(late) <= MAX_LATE_SHARE * n else not any(late),
            "Unfinished ones count with their age so far, so the mean of such a future is a lower bound.",
        )  # fmt: skip
    if report is not None and study.results:
        yield Check(
            f"Today's {report.observed:.1f} days come out as {report.simulated:.1f}", report.near,
            "Every future must produce today's result before it may say anything about the time after go-live.",
        )  # fmt: skip
        if report.rejected:
            yield Check(
                f"{report.rejected} of {report.proposals} combinations of figures left out", None,
                f"They could not produce today's result. For example: {report.reasons[0]}.",
            )  # fmt: skip


def days_rows(page: AnswerPage) -> list[dict[str, object]]:
    """The data of the chart of days."""
    return [{"world": part.world, "part of the process": part.name, "days a case": round(part.days, 3)} for part in page.days]


def days_chart(page: AnswerPage, case: CaseFile) -> Any:
    """Where the days go: bars that add up, and the promise as a line if it is one of the mean."""
    from scenarios.report import charts

    level = target_level(case) if case.target.statistic == "mean" else None
    return charts.stacked([(part.world, part.name, part.days) for part in page.days], level, "promise")
