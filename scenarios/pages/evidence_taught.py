"""What evidence taught: every number before and after the data, the pilot against live, and whether what was learned may be trusted."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.learned import LEARNED, WEAK, Learned, learned
from models.posterior import PosteriorDraws
from models.schema import CaseFile
from scenarios.evidence_report import learned_sections, simulated_sections, trust_sections
from scenarios.files import LoadedCase
from scenarios.fitting import FITTERS
from scenarios.pages.evidence_fit import FITS, Stage
from scenarios.pages.evidence_words import file_words, number_words, on_page
from scenarios.pages.told import Check
from scenarios.report import charts
from scenarios.report.fit_report import range_text
from scenarios.report.sections import Section, TableOf
from scenarios.study import Means

LABEL_WIDTH, DRAWN, MOVES_SHOWN = 24, 12, 8
DAY, HOUR, MINUTE = 86_400.0, 3_600.0, 60.0
HOW = (
    f"Learned: the data took away at least {100 * LEARNED:.0f} % of the variance that the range before had. Weak: at least {100 * WEAK:.0f} %. "
    "An assumption: less; what was believed before still speaks. Times are compared on a logarithmic scale, shares by their odds. "
    "Ranges hold the middle nine of ten possible values."
)
SUMS = {
    "learned": "learned",
    "weak": "weakly learned",
    "assumption": "still an assumption",
    "from the data alone": "from the data alone",
}
CHECKS = {
    "divergent transitions": "steps of the method that broke off",
    "R-hat": "agreement of independent runs of the method (R-hat)",
    "effective draws, bulk": "effective sample size in the middle",
    "effective draws, tail": "effective sample size at the ends",
    "E-BFMI": "whether the method reached everything (E-BFMI)",
}


@dataclass(frozen=True, slots=True)
class Number:
    """One number before and after. before: "–" if nothing was believed · word: how much was learned · source: files, by what they hold."""

    label: str
    before: str
    after: str
    word: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Numbers of one unit that can be drawn side by side. data: what is drawn, as rows."""

    key: str
    title: str
    described: str
    chart: Callable[[], Any]
    data: tuple[dict[str, object], ...]
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class TaughtPage:
    """All that was learned. effects: numbers on a scale that nobody reads by heart · sections: pilot against live, contradictions,
    samples compared, assumptions."""

    headline: str
    ranges: tuple[Ranges, ...]
    numbers: tuple[Number, ...]
    effects: tuple[Number, ...]
    accuracy: tuple[Section, ...]
    others: tuple[Section, ...]
    assumed: tuple[str, ...]
    checks: tuple[Check, ...]


def taught_page(case: CaseFile, posterior: PosteriorDraws) -> TaughtPage:
    """The page of a fit."""
    rows = sorted(learned(posterior, case), key=lambda r: -(r.contraction if r.contraction is not None else 1.0))
    plain = [r for r in rows if r.dimension != "log odds"]
    found = [_on_page(s, case) for s in [*learned_sections(case, posterior), *trust_sections(posterior)]]
    accuracy = tuple(_redrawn(s) for s in found if s.key.startswith(("accuracy ", "divergence ", "thresholds ")))
    others = tuple(s for s in found if s.key in ("conflict", "predictive"))
    notes = next((s.sentences for s in found if s.key == "notes"), ())
    return TaughtPage(
        _headline(plain), tuple(_ranges(case, plain)), tuple(_number(case, r) for r in plain),
        tuple(_number(case, r) for r in rows if r.dimension == "log odds"), accuracy, others, tuple(_assumed(notes)), tuple(_checks(posterior)),
    )  # fmt: skip


def _headline(rows: Sequence[Learned]) -> str:
    count = {word: sum(r.word == word for r in rows) for word in SUMS}
    told = ", ".join(f"{n} {SUMS[word]}" for word, n in count.items() if n)
    return f"Of {len(rows)} number{'' if len(rows) == 1 else 's'} that your files speak of: {told}."


def _number(case: CaseFile, row: Learned) -> Number:
    files = ", ".join(dict.fromkeys(file_words(file) for file in row.files))
    return Number(number_words(case, row.name), range_text(row, row.before), range_text(row, row.after), row.word, files)


# -- charts


def _ranges(case: CaseFile, rows: Sequence[Learned]) -> Iterator[Ranges]:
    shares = [r for r in rows if r.dimension in ("share", "accuracy")]
    times = [r for r in rows if r.dimension == "duration" and r.after[0] > 0]
    if shares:
        yield _drawn(case, "shares", "Shares", shares, 1.0, "share", ".0%", False)
    if times:
        middle = sorted(r.after[1] for r in times)[len(times) // 2]
        size, unit = next(
            ((s, u) for s, u in ((DAY, "days"), (HOUR, "hours"), (MINUTE, "minutes")) if middle >= s), (1.0, "seconds")
        )
        yield _drawn(case, "times", "Times", times, size, f"{unit}, logarithmic", "~g", True)


def _drawn(
    case: CaseFile, key: str, name: str, rows: Sequence[Learned], size: float, unit: str, form: str, logarithmic: bool
) -> Ranges:
    shown = rows[:DRAWN]
    known = sum(r.word in ("learned", "from the data alone") for r in rows)
    title = f"{name}: {known} of {len(rows)} learned from your data"
    if len(rows) > DRAWN:
        title += f"; the {DRAWN} that narrowed most"
    labels = {r.name: number_words(case, r.name) for r in shown}
    drawn = [
        charts.Interval(_in_lines(labels[r.name]), series, *(x / size for x in points))
        for r in shown
        for series, points in ((charts.SAID_BEFORE, r.before), (charts.SAID_AFTER, r.after))
        if points is not None and (points[0] > 0 or not logarithmic)
    ]
    data = tuple(
        {
            "number": i.label.replace(charts.LINE_BREAK, " "),
            "when": i.series,
            "low": i.low,
            "middle": i.middle,
            "high": i.high,
            "unit": unit.split(",", maxsplit=1)[0],
        }
        for i in drawn
    )
    described = f"Ranges of {len(shown)} numbers, before your data and after; 5 % to 95 %, a dot at the middle."
    return Ranges(
        key,
        title,
        described,
        lambda: charts.paired(drawn, charts.BEFORE_AFTER, f"{unit}, 5 % to 95 %", form, logarithmic),
        data,
        len(shown),
    )


def _in_lines(label: str) -> str:
    return charts.LINE_BREAK.join(textwrap.wrap(label, LABEL_WIDTH))


def _redrawn(section: Section) -> Section:
    """The chart of accuracy by type with labels that a phone can show; the section's own is made for wide pages."""
    if section.chart is None or section.table is None:
        return section
    drawn = [
        charts.Interval(_in_lines(row[0]), series, *data[key])
        for row, data in zip(section.table.rows, section.table.data, strict=False)
        for series, key in zip(charts.PILOT_LIVE, ("pilot", "live"), strict=True)
    ]
    return replace(section, chart=lambda: charts.paired(drawn, charts.PILOT_LIVE, "accuracy, 5 % to 95 %", ".0%"))


# -- sections in the words of the page


def _on_page(section: Section, case: CaseFile) -> Section:
    """Without ids of the case file, in screen words."""
    table = section.table
    if table is not None:
        drop = [i for i, heading in enumerate(table.headings) if heading == "parameter"]
        keep = [i for i in range(len(table.headings)) if i not in drop]
        table = TableOf(
            tuple(on_page(table.headings[i], case) for i in keep),
            tuple(tuple(on_page(row[i], case) for i in keep) for row in table.rows),
            table.data,
        )
    return replace(
        section, title=on_page(section.title, case), sentences=tuple(on_page(s, case) for s in section.sentences), table=table
    )


def _assumed(notes: Sequence[str]) -> Iterator[str]:
    """What each fit used and assumed, under what it learns."""
    for note in notes:
        name, _, rest = note.partition(": ")
        yield f"{FITS[name][0].upper()}{FITS[name][1:]}: {rest}" if name in FITS else note


def _checks(posterior: PosteriorDraws) -> Iterator[Check]:
    for s in posterior.sub_models:
        name = FITS.get(s.name, s.name)
        if not s.diagnostics:
            yield Check(f"{name[0].upper()}{name[1:]}: computed exactly", True, "No sampling method is needed for it.")
            continue
        told = "; ".join(f"{CHECKS.get(d.name, d.name)}: {d.value:.3g}, must be {d.limit}" for d in s.diagnostics)
        words = "the sampling method converged" if s.passed else "the sampling method did not converge; no answer rests on it"
        yield Check(f"{name[0].upper()}{name[1:]}: {words}", s.passed, told)


# -- what to measure next


PHASES = {
    "today's result": "reproducing today's result",
    "futures": "simulating futures",
    "one number at a time": "moving one number at a time",
}


def working_words(stage: Stage) -> str:
    """What is being worked out; the whole takes several such rounds."""
    minutes, seconds = divmod(int(stage.seconds), 60)
    count = f", {stage.done} of {stage.total}" if stage.total > 1 else ""
    words = PHASES.get(stage.part, "looking at the extremes")
    return f"{words[0].upper()}{words[1:]}{count} · {minutes}:{seconds:02d} so far"


def next_sections(loaded: LoadedCase, seed: int, means: Means, futures: int) -> tuple[Section, ...]:
    """What the answer depends on, by simulation. Raises Cancelled."""
    return tuple(_on_page(s, loaded.case) for s in simulated_sections(loaded, seed, means, futures, MOVES_SHOWN, LABEL_WIDTH))


def how_long(kinds: Collection[str]) -> str:
    """How long learning from kinds of evidence takes, in words."""
    slow = [f for f in FITTERS if f.sampled and set(kinds) & set(f.kinds)]
    if not slow:
        return "This takes a few seconds."
    what = "; ".join(FITS[f.name] for f in slow)
    return (
        f"Some of it is found by sampling ({what}): about a minute each if the server does nothing else. The first time, another one or two "
        "minutes each go into compiling the method. You can leave this page meanwhile, or cancel."
    )
