"""The travel declarations log (BPI Challenge 2020, sub-set) as two tables: one row a declaration, one row a wait.

Times are local (Europe/Amsterdam); waits are elapsed days between two events of one declaration that follow each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ZONE = "Europe/Amsterdam"
FIRST_DAY, LAST_DAY = date(2018, 1, 8), date(2018, 10, 31)
"""Submissions used. The publisher kept declarations that end inside the year, which cuts the long ones among later submissions."""

LETTERS = {
    "Declaration SUBMITTED by EMPLOYEE": "S",
    "Declaration APPROVED by ADMINISTRATION": "A",
    "Declaration REJECTED by ADMINISTRATION": "a",
    "Declaration REJECTED by EMPLOYEE": "e",
    "Declaration APPROVED by BUDGET OWNER": "B",
    "Declaration REJECTED by BUDGET OWNER": "b",
    "Declaration FINAL_APPROVED by SUPERVISOR": "F",
    "Declaration REJECTED by SUPERVISOR": "f",
}
"""Activity -> letter: S submitted, A and a approved and rejected by the administration, e rejection confirmed by the employee, B and b by the
budget owner, F and f by the supervisor."""

CLEAN = ("complete", "none_confirmed")
"""Values of `history` with which nothing of the declaration is hidden."""
NEVER, ADMINISTRATION, APPROVER = "none_seen", "administration", "approver"
"""Values of `group`."""

_COLUMNS = ("case_id", "activity", "end_time", "case_rejection", "case_admin_history", "case_source")
TIME_OUT_STAMP, TIME_OUT_DAYS = (5, 15), 7
"""Approvals by the supervisor after a budget owner that are stamped 05:15 count as automatic; nearly all fall on the seventh day."""


class LogError(ValueError):
    """A file that cannot be read as this log."""


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """`declarations`: one row each, index case_id; columns sequence (letters), group, history, population (whether it belongs to the
    sample whose mix is the population's), budget_owner, submitted (local), days (first to last event).

    `waits`: one row for each event but the first of a declaration; columns case_id, before, after (letters), submission (its number),
    days, timed_out, past_limit (after the instant of the automatic time-out), and group, history, population, budget_owner, submitted.
    """

    declarations: pd.DataFrame
    waits: pd.DataFrame

    def between(self, first: date, last: date) -> Log:
        """The declarations first submitted from `first` to `last`, both included (local dates)."""

        def inside(table: pd.DataFrame) -> pd.DataFrame:
            day = table["submitted"].dt.date
            rows: pd.DataFrame = table.loc[(day >= first) & (day <= last)]
            return rows

        return Log(inside(self.declarations), inside(self.waits))

    def clean(self) -> Log:
        """The declarations of which nothing is hidden."""
        return Log(*(table[table["history"].isin(CLEAN)] for table in (self.declarations, self.waits)))

    def population(self) -> Log:
        """The declarations of the sample whose mix of exceptions is the population's."""
        return Log(*(table[table["population"]] for table in (self.declarations, self.waits)))

    def group(self, name: str) -> Log:
        return Log(*(table[table["group"] == name] for table in (self.declarations, self.waits)))


def read(path: Path) -> Log:
    """The log in a file. Raises LogError if there is no such file or it is not this log."""
    events = _events(path)
    declarations = _declarations(events)
    waits = _waits(events).merge(declarations.drop(columns=["sequence", "days"]), left_on="case_id", right_index=True)
    return Log(declarations, waits)


def _events(path: Path) -> pd.DataFrame:
    """Columns case_id, letter, at (local), and the three case columns used."""
    import pandas as pd

    try:
        events = pd.read_csv(path, dtype=str, usecols=lambda name: name in _COLUMNS)
    except FileNotFoundError:
        raise LogError(f"no file {path}") from None
    except (OSError, EOFError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise LogError(f"{path} cannot be read as a CSV file ({type(error).__name__})") from error
    missing = [name for name in _COLUMNS if name not in events]
    if missing:
        raise LogError(f"{path} is not the travel declarations log: no column {', '.join(missing)}")
    strange = sorted(set(events["activity"].dropna()) - set(LETTERS))
    if strange or set(events["activity"]) != set(LETTERS):
        what = f'unknown activity "{strange[0]}"' if strange else "some of its activities never occur"
        raise LogError(f"{path} is not the travel declarations log: {what}")
    at = pd.to_datetime(events["end_time"], utc=True, errors="coerce")
    if at.isna().any():
        raise LogError(f'{path} is not the travel declarations log: "{events["end_time"][at.isna()].iloc[0]}" is not a time')
    return events.assign(letter=events["activity"].map(LETTERS), at=at.dt.tz_convert(ZONE))


def _declarations(events: pd.DataFrame) -> pd.DataFrame:
    by_case = events.groupby("case_id", sort=False)
    first = by_case.first()
    sequence = by_case["letter"].agg("".join)
    return first[["case_rejection", "case_admin_history"]].set_axis(["group", "history"], axis=1).assign(
        sequence=sequence,
        population=first["case_source"] != "rejected_once",
        budget_owner=sequence.str.contains("[Bb]"),
        submitted=first["at"],
        days=_days(by_case["at"].max() - by_case["at"].min()),
    )  # fmt: skip


def _waits(events: pd.DataFrame) -> pd.DataFrame:
    by_case = events.groupby("case_id", sort=False)
    before, since = by_case["letter"].shift(), by_case["at"].shift()
    clock = events["at"].dt
    stamp = (clock.hour == TIME_OUT_STAMP[0]) & (clock.minute == TIME_OUT_STAMP[1])
    route = (before == "B") & events["letter"].isin(["F", "f"])
    limit = since.dt.normalize().dt.tz_localize(None) + timedelta(
        days=TIME_OUT_DAYS, hours=TIME_OUT_STAMP[0], minutes=TIME_OUT_STAMP[1]
    )
    submission = (events["letter"] == "S").groupby(events["case_id"]).cumsum()
    waits = events[["case_id"]].assign(
        before=before, after=events["letter"], submission=submission, days=_days(events["at"] - since),
        timed_out=route & stamp, past_limit=route & (events["at"].dt.tz_localize(None) > limit),
    )  # fmt: skip
    return waits[before.notna()]


def _days(lengths: pd.Series[pd.Timedelta]) -> pd.Series[float]:
    return lengths.dt.total_seconds() / 86_400
