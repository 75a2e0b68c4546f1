"""Two public event logs as tables of evidence, and the small cases whose laws they inform. The logs are not part of the project.

Travel: van Dongen, B. (2020), BPI Challenge 2020: International Declarations (read by scenarios.logs.travel_log).
Loans: van Dongen, B. F. (2012), BPI Challenge 2012. One row a work session, state change or withdrawal; times in UTC.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.evidence.kinds import kind_named
from models.evidence.table import Table
from models.schema import CaseFile
from scenarios.logs.travel_facts import waits_by_step
from scenarios.logs.travel_log import FIRST_DAY, LAST_DAY, Log, LogError

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
DAY = 86_400.0
TRAVEL_FILE, LOAN_FILE = "bpic2020_international_declarations.csv.gz", "bpic2012_loans.csv.gz"
GUESS = {"kind": "lognormal", "median": "1 d", "p90": "7 d"}
"""The first guess of every wait: a plain value is only the centre of a wide prior."""
SHORT_GUESS = {"kind": "lognormal", "median": "5 min", "p90": "20 min"}
WAITS = {
    "check_approves": "check_approves", "check_rejects": "check_rejects", "confirm": "confirm", "correct": "correct",
    "recheck_rejects": "recheck_rejects", "recheck_approves": "recheck_approves",
    "correct_for_approver": "correct_for_approver", "recheck_for_approver": "recheck_for_approver",
}  # fmt: skip
APPROVERS = {"1": ("A", "Bb"), "2": ("A", "Ff"), "3": ("B", "Ff")}
"""Level of the scenario's approval → event before, events that decide."""
WORK_ITEMS = {
    "handle_lead": "W_Afhandelen leads", "complete": "W_Completeren aanvraag", "call_offer": "W_Nabellen offertes",
    "assess": "W_Valideren aanvraag", "chase_papers": "W_Nabellen incomplete dossiers", "fraud_check": "W_Beoordelen fraude",
}  # fmt: skip
"""Step of the loan case → activity of the log."""
DECIDED = ("A_APPROVED", "A_CANCELLED", "A_DECLINED")


def table(kind: str, **columns: Any) -> Table:
    """A table of a kind from whole columns; times as (rows, 2) seconds since 1970."""
    spec = kind_named(kind)
    assert spec is not None
    rows = len(next(iter(columns.values())))
    return Table(spec, f"{kind}.csv", columns, np.arange(2, rows + 2))


def instants(seconds: Floats) -> Floats:
    """Exact instants as empty intervals."""
    return np.stack([seconds, seconds], axis=1)


# -- travel


def travel_case(scenario: Path) -> CaseFile:
    """The travel scenario with lognormal guesses in place of its laws, which were taken from the same log."""
    data = tomllib.loads(scenario.read_text(encoding="utf-8"))
    for step in data["steps"]:
        if step["id"] in WAITS:
            step["time"] = GUESS
        for level in step.get("levels", ()):
            level["response"] = GUESS
            level["rejects"] = 0.05
    data["arrivals"] |= {"per_working_day": 10, "day_cv": 0.3, "weekday": {}}
    return CaseFile.model_validate(data)


def travel_tables(log: Log) -> dict[str, Table]:
    """Waits, approval requests and submissions a day, of declarations submitted before the publisher's selection cuts them short."""
    used = log.between(FIRST_DAY, LAST_DAY)
    waits = {step: days for name, days in waits_by_step(used).items() for step in (WAITS.get(name),) if step}
    length = np.concatenate(list(waits.values())) * DAY
    zero = np.zeros(len(length))
    steps = np.concatenate([np.full(len(days), step, dtype=object) for step, days in waits.items()])
    return {
        "times": table("times", step=steps, entered=instants(zero), ended=instants(length)),
        "approvals": _requests(used.clean().waits),
        "arrivals": _submissions(used.declarations),
    }


def _requests(waits: pd.DataFrame) -> Table:
    """A request a row: how long it took, and how it ended; what the time-out decided counts as lapsed."""
    level, decision, days = [], [], []
    for name, (before, after) in APPROVERS.items():
        mine = waits[(waits["before"] == before) & waits["after"].isin(list(after))]
        timed_out = (mine["timed_out"] & (name == "3")).to_numpy(dtype=bool)
        rejected = mine["after"].str.islower().to_numpy(dtype=bool)
        decision.append(np.where(timed_out, "lapsed", np.where(rejected, "rejected", "approved")).astype(object))
        days.append(mine["days"].to_numpy(dtype=np.float64))
        level.append(np.full(len(mine), float(name)))
    length = np.concatenate(days) * DAY
    return table(
        "approvals", step=np.full(len(length), "approve", dtype=object), level=np.concatenate(level),
        asked=instants(np.zeros(len(length))), decided=instants(length), decision=np.concatenate(decision),
    )  # fmt: skip


def _submissions(declarations: pd.DataFrame) -> Table:
    """Declarations first submitted on each day, days without any included."""
    span = np.arange((LAST_DAY - FIRST_DAY).days + 1)
    number = np.asarray([(d - FIRST_DAY).days for d in declarations["submitted"].dt.date])
    first = (FIRST_DAY - date(1970, 1, 1)).days
    days = (first + span[:, None] + np.asarray([0, 1])) * DAY
    return table("arrivals", day=days, cases=np.bincount(number, minlength=len(span)).astype(np.float64))


# -- loans


def loan_case() -> CaseFile:
    """Queue and work of the six sorts of work item, and the time from application to the decision. Open day and night: hours are unknown."""
    everyday = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "hours": ["00:00-24:00"]}
    steps: list[dict[str, Any]] = []
    for name in WORK_ITEMS:
        steps.append({"id": f"{name}_queue", "kind": "wait", "time": GUESS, "on": "inbox"})
        steps.append({"id": name, "kind": "work", "team": "staff", "service": SHORT_GUESS})
    steps += [{"id": "to_decision", "kind": "wait", "time": GUESS}, {"id": "done", "kind": "end"}]
    data = {
        "schema_version": 1, "name": "loans", "title": "Loan applications (a real log)", "go_live": "2012-03-19",
        "target": {"level": "7 d"}, "calendars": {"always": everyday}, "types": {"loan": {"share": 1}},
        "arrivals": {"per_month": 2_600, "calendar": "always"}, "teams": {"staff": {"headcount": 60, "calendar": "always"}}, "steps": steps,
    }  # fmt: skip
    return CaseFile.model_validate(data)


def read_loans(path: Path) -> pd.DataFrame:
    """The rows of the loan log, times as seconds since 1970 (NaN = empty). Raises LogError if there is no such file."""
    import pandas as pd

    if not path.is_file():
        raise LogError(f"no file {path}")
    rows = pd.read_csv(path, dtype={"case_id": str, "resource": str})
    for name in ("enable_time", "start_time", "end_time"):
        at = pd.to_datetime(rows[name], utc=True, format="ISO8601")
        rows[name] = (at - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
    return rows


def loan_tables(rows: pd.DataFrame) -> dict[str, Table]:
    """Work: sessions with start and end. Queue: from entry to the first session; items never opened are open at the log's end."""
    end_of_log = float(rows[["enable_time", "start_time", "end_time"]].max().max())
    parts = []
    for step, activity in WORK_ITEMS.items():
        mine = rows[rows["activity"] == activity]
        worked = mine[mine["pairing"] == "paired"]
        parts.append(
            _times(step, np.full(len(worked), np.nan), worked["start_time"], worked["end_time"], np.full(len(worked), np.nan))
        )
        queued = mine[
            mine["enable_time"].notna() & mine["pairing"].isin(["paired", "auto_closed", "start_only", "schedule_only"])
        ]
        seen = np.where(queued["start_time"].isna(), end_of_log, np.nan)
        parts.append(_times(f"{step}_queue", queued["enable_time"], np.full(len(queued), np.nan), queued["start_time"], seen))
    return {"times": _stacked(parts)}


def decision_times(rows: pd.DataFrame, first: date, last: date) -> tuple[Floats, NDArray[np.bool_]]:
    """Seconds from the first event to the last one, of cases that arrived from `first` to `last` and were not decided within a day, and
    which of them are still open at the log's end."""
    by_case = rows.groupby("case_id", sort=False)
    began = by_case[["enable_time", "start_time", "end_time"]].min().min(axis=1)
    ended = by_case[["enable_time", "start_time", "end_time"]].max().max(axis=1)
    decided = rows[rows["activity"].isin(DECIDED)].groupby("case_id").size().reindex(began.index).notna()
    end_of_log = float(ended.max())
    zero = date(1970, 1, 1)
    chosen = (began >= (first - zero).days * DAY) & (began < ((last - zero).days + 1) * DAY)
    length = np.where(decided, ended, end_of_log) - began.to_numpy()
    kept = chosen.to_numpy() & (length > DAY)
    return np.asarray(length[kept]), np.asarray(~decided.to_numpy(dtype=bool)[kept])


def _times(step: str, entered: Any, started: Any, ended: Any, seen: Any) -> dict[str, Any]:
    columns = {"entered": entered, "started": started, "ended": ended, "observed_until": seen}
    found: dict[str, Any] = {name: instants(np.asarray(x, dtype=np.float64)) for name, x in columns.items()}
    return {"step": np.full(len(found["ended"]), step, dtype=object), **found}


def _stacked(parts: list[dict[str, Any]]) -> Table:
    columns: Mapping[str, Any] = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return table("times", **columns)
