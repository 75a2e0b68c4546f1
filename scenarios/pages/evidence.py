"""The page of evidence: what may be measured, the files that are there with what was found in them, and what is missing.

What was learned from them: `evidence_taught`; the questions that files leave open: `evidence_questions`. Nothing here knows how pages are drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from models.evidence.evidence import FileFigures
from models.evidence.informs import possible
from models.evidence.kinds import KINDS, kind_named
from models.schema import CaseFile
from scenarios.evidence import pages
from scenarios.evidence.apart import Checked
from scenarios.evidence.templates import example_rows, export_template
from scenarios.files import LoadedCase
from scenarios.interview.store import saved_answers
from scenarios.pages.evidence_words import DOWNLOADS, TELLING, TITLES, file_words, kind_title, message, number_words, on_page
from scenarios.problems import CaseError
from scenarios.report.basis import source_counts
from scenarios.uploads import EXPORT, Stored

NUMBERS_SHOWN = 4
OF_ANY = ("counts", "experts", "readiness")
"""Kinds that speak of any number, or of causes."""
ASKED = "E540"
"""The code of what must be said about files before they can be read."""


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of evidence that this case can use. why: what it tells · file, text: a worked example to fill in, "" if none fits."""

    kind: str
    title: str
    why: str
    file: str
    text: str


@dataclass(frozen=True, slots=True)
class FileCard:
    """A file that is there. state: "sound", "defects" or "unread" · found: what is in it, in sentences · informs: of the case, in words."""

    name: str
    title: str
    size: str
    state: str
    found: tuple[str, ...]
    informs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something to put right: in which file, at which row and column."""

    code: str
    file: str
    place: str
    problem: str
    remedy: str
    blocks: bool


# -- templates


def templates(case: CaseFile) -> tuple[Template, ...]:
    """Every kind of evidence that the case can use, the export of one's own first; with its worked example."""
    found = [Template(EXPORT, *TITLES[EXPORT], *export_template(case))]
    for kind in KINDS:
        rows = example_rows(kind, case)
        if rows and (possible(kind, case) or kind.name in OF_ANY):
            name = f"{DOWNLOADS.get(kind.name, kind.name)}.csv"
            found.append(Template(kind.name, *TITLES[kind.name], name, "\n".join(pages.csv_lines(kind, rows)) + "\n"))
    return tuple(found)


def explained(kind: str) -> str:
    """The page that explains a kind of file, as one HTML page to keep beside it."""
    from scenarios.report.sections import Section, TableOf, as_html

    if kind == EXPORT:
        rules = tuple(line.removeprefix("- ").replace("**", "").replace("`", "") for line in pages.RULES.splitlines())
        return as_html(TITLES[EXPORT][0], [Section("rules", "How files are read", rules)])
    found = kind_named(kind)
    assert found is not None
    columns = tuple(
        (c.name, "yes" if c.required else "", pages.read_as(c).replace("`", ""), pages.meaning(c)) for c in found.columns
    )
    rules = tuple(line.removeprefix("- ").replace("**", "").replace("`", "") for line in pages.RULES.splitlines())
    return as_html(kind_title(kind), [
        Section("columns", found.meaning, (TITLES[kind][1],), TableOf(("column", "needed", "read as", "what it holds"), columns)),
        Section("rules", "How all files are read", rules),
    ])  # fmt: skip


def first(folder: Path | None, every: tuple[Template, ...]) -> tuple[Template, ...]:
    """The three to fill first: of what the interview says exists, else those that tell most."""
    by_kind = {t.kind: t for t in every}
    named = [kind for kind in _said(folder) if kind in by_kind] or [kind for kind in TELLING if kind in by_kind]
    return tuple(by_kind[kind] for kind in named[:3])


def _said(folder: Path | None) -> Iterator[str]:
    """What the answers of the interview say exists, most telling first; nothing without answers."""
    from scenarios.interview.answers import replies
    from scenarios.interview.evidence_files import ORDER
    from scenarios.interview.questions import FILES

    if folder is None:
        return
    try:
        exist = replies(saved_answers(folder)).values.get((FILES.id, "exist"))
    except CaseError:  # answers that were spoilt by hand; the page Start says so
        return
    words = set(exist) if isinstance(exist, tuple) else set[str]()
    for kind, _ in ORDER:
        if kind in words:
            yield EXPORT if kind == "dates" else kind


# -- files


def cards(stored: tuple[Stored, ...], checked: Checked | None, case: CaseFile) -> tuple[FileCard, ...]:
    """A card a file; without a check only what lies there."""
    figures = {} if checked is None else {Path(f.name).name: f for f in checked.files}
    wrong = set() if checked is None else {Path(d.file).name for d in checked.defects if d.blocks}
    return tuple(_card(s, figures.get(s.name), s.name in wrong, case) for s in stored)


def _card(stored: Stored, figures: FileFigures | None, wrong: bool, case: CaseFile) -> FileCard:
    unused = figures is not None and figures.rows_read > 0 and not figures.rows_used
    state = "defects" if wrong or unused else "unread" if figures is None else "sound"
    found = () if figures is None else tuple(_found(figures, case))
    informs = () if figures is None else tuple(_informs(figures, case))
    return FileCard(stored.name, file_words(stored.name), _size(stored.size), state, found, informs)


def _found(f: FileFigures, case: CaseFile) -> Iterator[str]:
    if not f.rows_read:
        return
    rows = f"{f.rows_read:,} row{'' if f.rows_read == 1 else 's'} read, {f.rows_used:,} used"
    if f.rows_defective:
        rows += f", {f.rows_defective:,} with defects"
    if f.rows_left_out:
        rows += f", {f.rows_left_out:,} left out as you said"
    yield f"{rows}{f', {f.period[0]} to {f.period[1]}' if f.period else ''}."
    if f.totals:
        totals = ", ".join(f"{key.replace('_', ' ')} {_number(value)}" for key, value in f.totals.items())
        yield f"Control totals: {totals}."
    if f.not_used:
        yield f"Columns not used: {', '.join(f.not_used)}."
    yield from (f"{note[0].upper()}{note[1:]}." for note in (on_page(n, case).rstrip(".") for n in f.notes if n))


def _informs(f: FileFigures, case: CaseFile) -> Iterator[str]:
    names = dict.fromkeys(number_words(case, path) for i in f.informs for path in i.parameters)
    more = len(names) - NUMBERS_SHOWN
    yield from list(names)[:NUMBERS_SHOWN]
    if more > 0:
        yield f"and {more} more"
    if not names:
        yield from dict.fromkeys(i.meaning for i in f.informs)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(1, round(size / 1e3))} kB"


def troubles(checked: Checked) -> tuple[Trouble, ...]:
    """Every defect in the words of the page, those that block first; how many more of a code there are is a line of its own."""
    found = [
        Trouble(d.code, file_words(d.file), d.place, message(d.message), message(d.remedy), d.blocks)
        for d in sorted(checked.defects, key=lambda d: (not d.blocks, d.row or 0))
    ]
    more = [
        Trouble(code, file_words(f.name), "", f"and {count:,} more of this kind", "", False)
        for f in checked.files
        for code, count in f.unlisted.items()
    ]
    return (*found, *more)


def asks(checked: Checked) -> bool:
    """Whether something about the files must be said before they can be read."""
    return any(d.code == ASKED for d in checked.defects)


def summary(found: tuple[Trouble, ...], files: int) -> str:
    """The check in one sentence."""
    blocking = sum(t.blocks for t in found)
    are = "file is" if files == 1 else "files are"
    if blocking:
        return f"{_count(blocking, 'problem')} to put right; until then nothing is learned from any of the files"
    if found:
        return f"{_count(files, 'file')} can be used; rows with defects are left out, so few may be"
    return f"{files} {are} without defects"


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def missing(every: tuple[Template, ...], stored: tuple[Stored, ...], checked: Checked | None) -> tuple[Template, ...]:
    """Kinds of evidence of which nothing is there."""
    there = {s.kind for s in stored} | (set() if checked is None else set(checked.kinds))
    return tuple(t for t in every if t.kind not in there)


def rests_on(loaded: LoadedCase) -> str:
    """On how much measurement the answer rests, in one sentence."""
    counts = source_counts(loaded.case)
    return f"{counts['measured']} of the {sum(counts.values())} numbers behind the answer are measured, {counts['guess']} are guesses."
