"""One simulated future as tidy pandas frames: cases, visits, pools by week, weeks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.compositions.ai import accepted_mark, handled_mark, wrong_mark
from models.schema import Ai
from scenarios.study import Run
from simulator.clock import DAY, HOUR
from simulator.ledger import OPEN, Result
from simulator.summary import arrival_weeks, backlog_by_week, cycle_seconds, pool_weeks

if TYPE_CHECKING:
    import pandas as pd

    from models.schema import CaseFile


def cases(case: CaseFile, run: Run) -> pd.DataFrame:
    """A row a case: day and ordinal (its key), type, arrival_week, arrival_days, cycle_days, finished, result, ai, accepted, wrong."""
    import pandas as pd

    ledger, c = run.ledger, run.ledger.cases
    results = (*ledger.program.results, "open")
    marks = {m: (c["marks"] >> i) & 1 == 1 for i, m in enumerate(ledger.program.marks)}
    none = np.zeros(len(c["day"]), dtype=bool)
    ais = [s.id for s in case.steps if isinstance(s, Ai)]

    def any_of(name: object) -> object:
        assert callable(name)
        return np.logical_or.reduce([none, *(marks[name(a)] for a in ais)])

    return pd.DataFrame(
        {
            "day": c["day"],
            "ordinal": c["ordinal"],
            "type": np.asarray(list(case.types))[c["type"]],
            "arrival_week": arrival_weeks(ledger),
            "arrival_days": c["arrival"] / DAY,
            "cycle_days": cycle_seconds(ledger) / DAY,
            "finished": c["ended"] != OPEN,
            "result": np.asarray(results)[np.where(c["ended"] == OPEN, -1, c["end_result"])],
            "ai": any_of(handled_mark),
            "accepted": any_of(accepted_mark),
            "wrong": any_of(wrong_mark),
        }
    )


def visits(run: Run) -> pd.DataFrame:
    """A row a visit: case, seq, step, visit, pool, entered, started, ended (days since go-live, empty if open), closed_hours, result."""
    import pandas as pd

    v, program = run.ledger.visits, run.ledger.program
    pools = np.asarray([*program.pool_names, ""])

    def days(name: str) -> object:
        return np.where(v[name] == OPEN, np.nan, v[name] / DAY)

    return pd.DataFrame(
        {
            "case": v["case"],
            "seq": v["seq"],
            "step": np.asarray(program.step_ids)[v["step"]],
            "visit": v["visit"],
            "pool": pools[v["pool"]],
            "entered_days": days("entered"),
            "started_days": days("started"),
            "ended_days": days("ended"),
            "closed_hours": v["closed_seconds"] / HOUR,
            "result": np.asarray([r.name.lower() for r in Result])[v["result"]],
        }
    )


def pools(run: Run) -> pd.DataFrame:
    """A row a pool and calendar week: capacity_hours, busy_hours, utilisation, mean_queue."""
    import pandas as pd

    frames = [
        pd.DataFrame(
            {
                "pool": p.name,
                "week": calendar_weeks(run),
                "capacity_hours": p.capacity_hours,
                "busy_hours": p.busy_hours,
                "utilisation": p.utilisation,
                "mean_queue": p.mean_queue,
            }
        )
        for p in pool_weeks(run.ledger)
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["pool", "week"])


def calendar_weeks(run: Run) -> list[int]:
    """Weeks of the run: …, -1, 0 (the last before go-live), 1 (the first after it), …"""
    from simulator.clock import WEEK

    program = run.ledger.program
    return [w + 1 for w in range(program.begin // WEEK, -(-program.stop // WEEK))]


def weeks(run: Run) -> pd.DataFrame:
    """A row a calendar week: arrived, finished, backlog at its end, mean_cycle_days of the cases that arrived in it."""
    import pandas as pd

    from simulator.clock import WEEK

    c = run.ledger.cases
    numbers = np.asarray(calendar_weeks(run))
    arrived, ended = c["arrival"] // WEEK + 1, np.where(c["ended"] == OPEN, 2**40, c["ended"]) // WEEK + 1
    cycle = cycle_seconds(run.ledger) / DAY
    return pd.DataFrame(
        {
            "week": numbers,
            "arrived": [int((arrived == w).sum()) for w in numbers],
            "finished": [int((ended == w).sum()) for w in numbers],
            "backlog": backlog_by_week(run.ledger),
            "mean_cycle_days": [float(cycle[arrived == w].mean()) if (arrived == w).any() else float("nan") for w in numbers],
        }
    )
