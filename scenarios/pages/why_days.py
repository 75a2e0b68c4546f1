"""Where the days go, today, as in the pilot and live: parts that add up to the mean, and what changes from today to live."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scenarios.pages.answer import SHOWN_DAYS
from scenarios.report.verdict_text import ARM_NAMES, days_by_name
from scenarios.study import VerdictStudy

REST = "everything else"
DIGITS = 2


@dataclass(frozen=True, slots=True)
class DaysRow:
    """Days a case of one part in the three worlds, not rounded, and as shown; `change`: live less today."""

    name: str
    days: tuple[float, float, float]
    shown: tuple[str, str, str]
    change: str


@dataclass(frozen=True, slots=True)
class Days:
    """The rows add up to `total`, as they are and as they are shown. finding: what changes most."""

    finding: str
    rows: tuple[DaysRow, ...]
    total: DaysRow
    how: str


def days_table(study: VerdictStudy) -> Days:
    """The table of a study that has an answer."""
    worlds = [days_by_name(study, arm) for arm in ARM_NAMES]
    names = list(dict.fromkeys(name for world in (worlds[2], worlds[0], worlds[1]) for name in world))
    large = [n for n in names if max(w.get(n, 0.0) for w in worlds) >= SHOWN_DAYS]
    days = {n: [w.get(n, 0.0) for w in worlds] for n in large}
    if small := [n for n in names if n not in large]:
        days[REST] = [sum(w.get(n, 0.0) for n in small) for w in worlds]
    shown = [adding_up([days[n][i] for n in days]) for i in range(3)]
    rows = [_row(n, days[n], [column[k] for column in shown]) for k, n in enumerate(days)]
    total = _row("all, days on average", [sum(w.values()) for w in worlds], [sum(column) for column in shown])
    return Days(_finding(rows, total), tuple(rows), total, how(study))


def how(study: VerdictStudy) -> str:
    """Definition, weeks and sample size of the table."""
    first, last = study.case.target.weeks
    return (
        f"Every moment of every {study.case.case_word} between receipt and end belongs to exactly one part; with parallel branches the longest one "
        f"counts. Mean over all {study.case.cases_word} that arrive in weeks {first} to {last}, and over {len(study.results)} simulated futures, "
        f"the same ones in all three worlds. Parts below {SHOWN_DAYS} days are one row. The last digits shown are chosen so that the columns add up."
    )


def _row(name: str, days: Sequence[float], units: Sequence[int]) -> DaysRow:
    today, pilot, live = (f"{u / 10**DIGITS:.{DIGITS}f}" for u in units)
    a, b, c = days
    return DaysRow(name, (a, b, c), (today, pilot, live), signed((units[2] - units[0]) / 10**DIGITS))


def signed(value: float, digits: int = DIGITS) -> str:
    """A difference with its sign; nothing is no difference."""
    text = f"{value:+.{digits}f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


def adding_up(values: Sequence[float], digits: int = DIGITS) -> list[int]:
    """Values in units of the last digit shown, each rounded up or down so that they add up to the rounded sum."""
    scaled = np.asarray(values) * 10**digits
    down = np.floor(scaled)
    missing = round(float(scaled.sum())) - int(down.sum())
    down[np.argsort(down - scaled, kind="stable")[:missing]] += 1
    return [int(u) for u in down]


def _finding(rows: Sequence[DaysRow], total: DaysRow) -> str:
    """The whole change, and the parts in which most of it lies."""
    change = total.days[2] - total.days[0]
    if abs(change) < SHOWN_DAYS:
        return f"Live takes as long as today: {total.days[2]:.1f} days"
    parts = sorted(((r.days[2] - r.days[0], r.name) for r in rows), key=lambda p: p[0], reverse=change > 0)
    most = [f'{signed(d, 1)} d "{name}"' for d, name in parts[:2] if abs(d) >= SHOWN_DAYS and (d > 0) == (change > 0)]
    word = "longer" if change > 0 else "shorter"
    return f"Live is {abs(change):.1f} days {word} than today: {', '.join(most)}"


def days_data(days: Days) -> list[dict[str, object]]:
    """The table to take away, not rounded."""
    return [_datum(row) for row in (*days.rows, days.total)]


def _datum(row: DaysRow) -> dict[str, object]:
    today, pilot, live = row.days
    return {
        "part of the process": row.name,
        "today": today,
        "as in the pilot": pilot,
        "live": live,
        "live less today": live - today,
    }


def days_shown(days: Days) -> Iterator[dict[str, str]]:
    """The table as it is read."""
    for row in (*days.rows, days.total):
        today, pilot, live = row.shown
        yield {"days": row.name, "today": today, "as in the pilot": pilot, "live": live, "live − today": row.change}
