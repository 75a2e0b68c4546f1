"""`evidence report`: what the evidence taught, whether the fits can be trusted, what to measure next."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

from models.learned import WEAK, Learned, learned
from models.posterior import PosteriorDraws, SubModel
from models.schema import CaseFile
from scenarios.report import charts
from scenarios.report.fit_report import contradiction, learned_json, range_text, surprising
from scenarios.report.parameter_words import parameter_words
from scenarios.report.sections import Section, TableOf
from scenarios.study.chances import Chance
from scenarios.study.one_at_a_time import Move, Moves
from scenarios.study.penalties import PenaltyFound
from scenarios.study.together import Together

SHOWN = 25
ONE_POINT = 0.01
HARDLY = 0.05
"""Differences of the chance below it are not told as a finding."""


def contraction_section(case: CaseFile, posterior: PosteriorDraws) -> Section:
    """Every parameter: before, after, how much was learned, from which files."""
    rows = sorted(learned(posterior, case), key=lambda r: -(r.contraction if r.contraction is not None else 1.0))
    count = {word: sum(r.word == word for r in rows) for word in ("learned", "weak", "assumption", "from the data alone")}
    told = ", ".join(f"{n} {word}" for word, n in count.items() if n)
    table = TableOf(
        ("number", "before your data", "after", "narrower by", "", "from", "parameter"),
        tuple((parameter_words(case, r.name), *_cells(r)) for r in rows),
        tuple(learned_json(r) for r in rows),
    )
    known = [r for r in rows if r.contraction is not None][:SHOWN]
    drawn = [(parameter_words(case, r.name), max(r.contraction or 0.0, 0.0), r.word) for r in known]
    sentences = [
        "Narrower by: the share of the variance that the data took away (on the log scale for times, on the logit scale for shares). "
        "From 50 % on it counts as learned, below 10 % it is still an assumption.",
    ]
    wider = [r.name for r in rows if r.contraction is not None and r.contraction < -WEAK]
    if wider:
        sentences.append(f"Wider than before, since the data contradict what was believed: {', '.join(wider)}.")
    return Section(
        "learned", f"What your data taught: {told}", tuple(sentences), table,
        (lambda: charts.bars(drawn, "Variance taken away by the data", "share", charts.WORDS)) if drawn else None,
        "bars: how much narrower each parameter became",
    )  # fmt: skip


def conflict_section(case: CaseFile, posterior: PosteriorDraws) -> Section | None:
    """Numbers of which the data say something else than was believed; None if all fit together."""
    told = [row for row in learned(posterior, case) if surprising(row)]
    if not told:
        return None
    sentences = tuple(contradiction(row, parameter_words(case, row.name)) for row in told)
    return Section("conflict", f"{_numbers(len(told))} lie outside what was believed before", sentences)


def _numbers(count: int) -> str:
    return "The data on one number" if count == 1 else f"The data on {count} numbers"


def _cells(row: Learned) -> tuple[str, ...]:
    files = ", ".join(Path(f).name for f in row.files)
    return range_text(row, row.before), range_text(row, row.after), _share(row.contraction), row.word, files, row.name


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def checks_section(posterior: PosteriorDraws) -> Section:
    """Convergence of every fit."""
    failed = [s.name for s in posterior.sub_models if not s.passed]
    rows = [(s, d) for s in posterior.sub_models for d in s.diagnostics]
    table = TableOf(
        ("fit: check", "value", "must be", ""),
        tuple((f"{s.name}: {d.name}", f"{d.value:.4g}", d.limit, "✓" if d.passed else "✗") for s, d in rows),
        tuple({"fit": s.name, "check": d.name, "value": d.value, "limit": d.limit, "passed": d.passed} for s, d in rows),
    )
    title = f"Not converged: {', '.join(failed)}; no verdict rests on them" if failed else "All fits passed their checks"
    return Section("checks", title, (), table)


def predictive_section(posterior: PosteriorDraws) -> Section | None:
    """Observed figures against those that the fitted models would produce."""
    rows = [(s, p) for s in posterior.sub_models for p in s.predictive]
    if not rows:
        return None
    odd = [p.what for _, p in rows if not p.low <= p.observed <= p.high]
    title = (
        f"{len(odd)} of {len(rows)} observed figures lie outside what the fits would produce"
        if odd
        else f"The fits would produce data like yours ({len(rows)} figures compared)"
    )
    table = TableOf(
        ("figure", "observed", "9 of 10 samples made from the fit"),
        tuple((p.what, f"{p.observed:.4g}", f"{p.low:.4g} to {p.high:.4g}") for _, p in rows),
        tuple({"fit": s.name, "figure": p.what, "observed": p.observed, "low": p.low, "high": p.high} for s, p in rows),
    )
    sentences = (f"Look at these first: {'; '.join(odd[:5])}.",) if odd else ()
    return Section("predictive", title, sentences, table)


def those_that_move(found: Moves) -> list[Move]:
    """The numbers that move the chance by a point or more, the largest first."""
    return [m for m in found.moves if m.largest(found.chance) >= ONE_POINT]


def moves_title(found: Moves) -> str:
    """The finding in one line."""
    large = len(those_that_move(found))
    rest = len(found.moves) - large
    if not large:
        return f"None of the {len(found.moves)} numbers alone moves the chance by a point"
    return f"Answer these {large} first; each of the other {rest} moves the chance by less than one point"


def moves_section(found: Moves, label: str, shown: int = SHOWN, width: int = 60) -> Section:
    """What to measure next: the numbers that move the chance, one at a time. `shown`: how many · `width`: letters a line of the chart's labels."""
    large = those_that_move(found)
    title = moves_title(found)
    if len(large) > shown:
        rest = len(found.moves) - len(large)
        title = (
            f"These {shown} move the chance most; {len(large) - shown} more move it by a point or more, the other {rest} by less"
        )
    unit = "share" if found.case.target.statistic == "share_within" else "days"
    table = TableOf(
        ("number", f"{unit} at its low end", "at its high end", "chance, low end", "high end", "range from", "parameter"),
        tuple((parameter_words(found.case, m.path), *_ends(m)) for m in large[:shown]),
        tuple(_move_json(m) for m in found.moves),
    )
    sentences = (
        f"Each number alone at the 5 % and 95 % points of its range, all others at their middle values, today's result reproduced each time; "
        f"{label} is {found.chance:.0%} so far. A guess without a range is varied from two thirds to one and a half times its value.",
        "Numbers that matter only together with others can be missed by this.",
    )
    drawn = [(_in_lines(parameter_words(found.case, m.path), width), m.largest(found.chance), "chance") for m in large[:shown]]
    return Section(
        "next", title, sentences, table,
        (lambda: charts.bars(drawn, "How far each number alone moves the chance", "points", {"chance": charts.AFTER})) if drawn else None,
        "bars: how far each number alone moves the chance",
    )  # fmt: skip


def _in_lines(label: str, width: int) -> str:
    return charts.LINE_BREAK.join(textwrap.wrap(label, width))


def _ends(move: Move) -> tuple[str, ...]:
    return _outcome(move, 0), _outcome(move, 1), f"{move.chance[0]:.0%}", f"{move.chance[1]:.0%}", range_from(move), move.path


def _outcome(move: Move, side: int) -> str:
    value = move.outcome[side]
    return "today not reproduced" if value is None else f"{value:.2f}"


def range_from(move: Move) -> str:
    """Where the range of a number comes from, in words."""
    return {"guess": "a guess", "elicited": "somebody's view", "benchmark": "a benchmark", "measured": "your data"}[
        move.source
    ] + ("" if move.stated else ", no range")


def _move_json(move: Move) -> dict[str, object]:
    return {
        "parameter": move.path, "source": move.source, "values": list(move.values), "outcome": list(move.outcome),
        "chance": list(move.chance), "range_stated": move.stated,
    }  # fmt: skip


def penalty_section(case: CaseFile, found: Sequence[PenaltyFound]) -> Section:
    """The answer at several settings of what types never piloted lose."""
    table = TableOf(
        ("types never piloted are", "accuracy live", "result", "chance"),
        tuple((p.words, f"{p.accuracy:.1%}", *_chance_cells(case, p.found)) for p in found),
        tuple({"penalty_logit": p.penalty, "accuracy": p.accuracy, **_chance_json(p.found)} for p in found),
    )
    chances = [p.found.chance for p in found]
    apart = max(chances) - min(chances)
    title = (
        "The answer hardly depends on the types never piloted"
        if apart < HARDLY
        else f"The types never piloted decide {apart:.0%} of the chance, and nobody has measured them"
    )
    return Section("penalty", title, (f"{found[0].found.futures} simulated futures a line.",), table)


def together_section(case: CaseFile, found: Sequence[Together]) -> Section:
    """The answer if the fits' good and bad news were independent, and if they came together."""
    table = TableOf(
        ("good and bad news of different fits", "result", "chance"),
        tuple((t.words, *_chance_cells(case, t.found)) for t in found),
        tuple({"correlation": t.correlation, **_chance_json(t.found)} for t in found),
    )
    apart, joint = found[0].found, found[-1].found
    title = "The answer hardly depends on whether bad news come together" if abs(apart.chance - joint.chance) < HARDLY else (
        f"If bad news came together, the chance would be {joint.chance:.0%} instead of {apart.chance:.0%}"
    )  # fmt: skip
    sentences = (
        f"Each fit knows its own numbers only; whether they go wrong together is an assumption. {apart.futures} simulated futures a line.",
    )
    return Section("together", title, sentences, table)


def _chance_cells(case: CaseFile, found: Chance) -> tuple[str, str]:
    return in_unit(case, found.outcome), f"{found.chance:.0%} ({found.low:.0%} to {found.high:.0%})"


def _chance_json(found: Chance) -> dict[str, object]:
    return {"chance": found.chance, "low": found.low, "high": found.high}


def in_unit(case: CaseFile, value: float) -> str:
    """A value of the promised measure: days, or per cent."""
    return f"{value:.0%}" if case.target.statistic == "share_within" else f"{value:.1f} d"


def notes_section(sub_models: Sequence[SubModel]) -> Section:
    """What every fit assumed, in its own words."""
    notes = tuple(f"{s.name}: {note}" for s in sub_models for note in s.notes)
    return Section("notes", "What the fits used and assumed", notes)
