"""The fits on two real logs: what the reading of the logs must give, and what censoring is worth. Modes only; the page is sampled by its generator.

The logs are not part of the project: PILOTPROOF_LOGS names their folder, or they lie in ../shared/data.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from models.evidence.settings import EvidenceSettings
from models.fits import approvals, outside, service
from models.fits.durations import Prepared
from models.fits.timed_laws import TimedLaw
from scenarios.logs.travel_log import LogError, read
from scenarios.validation import real_logs
from scenarios.validation.real_tables import (
    LOAN_FILE,
    TRAVEL_FILE,
    loan_case,
    loan_tables,
    read_loans,
    travel_case,
    travel_tables,
)

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "fits-on-real-logs.md"
ABOUT = EvidenceSettings.model_validate({})


@pytest.fixture(scope="module")
def folder() -> Path:
    place = Path(os.environ.get("PILOTPROOF_LOGS") or ROOT.parent / "shared" / "data")
    if not all((place / name).is_file() for name in (TRAVEL_FILE, LOAN_FILE)):
        pytest.skip(
            f"no logs in {place}; PILOTPROOF_LOGS names the folder with {TRAVEL_FILE} and {LOAN_FILE}, which are not part of the project"
        )
    return place


@pytest.fixture(scope="module")
def travel(folder):
    return travel_case(real_logs.SCENARIO), travel_tables(read(folder / TRAVEL_FILE))


@pytest.fixture(scope="module")
def loan_rows(folder):
    return read_loans(folder / LOAN_FILE)


def mode(timed: TimedLaw) -> tuple[float, float]:
    """Median in hours and sigma at the mode of the posterior."""
    first, log_sigma, _ = Prepared.of(timed.cell, timed.prior()).centre
    return float(np.exp(first) / 3_600), float(np.exp(log_sigma))


def test_travel_waits_are_read_as_counted(travel):
    case, tables = travel
    laws = {law.path.split(".")[1]: law for law in outside.wait_laws(case, tables, ABOUT)}
    assert {name: law.cell.visits for name, law in laws.items()} == {
        "check_approves": 2_816, "check_rejects": 852, "confirm": 989, "correct": 989, "recheck_rejects": 137,
        "recheck_approves": 852, "correct_for_approver": 102, "recheck_for_approver": 101,
    }  # fmt: skip
    median, _ = mode(laws["confirm"])
    assert 22 < median < 31  # 1.1 d; the log's own median of these is 1.8 d: a lognormal is a little off (the page says so)


def test_the_seven_day_time_out_is_a_limit_not_an_answer(travel):
    """291 of 1,374 approvals after a budget owner were given by the system at about 6.8 d: taken as answers they cut the tail off: p90 10.0 d
    instead of 17.9 d."""
    case, tables = travel
    law = next(x for x in approvals.response_laws(case, tables, ABOUT) if ".3." in x.path)
    assert (law.cell.visits, law.cell.open_visits) == (1_374, 291)
    censored = mode(law)
    answered = tables["approvals"]
    as_answers = answered.columns["decision"] == "lapsed"
    changed = {**answered.columns, "decision": np.where(as_answers, "approved", answered.columns["decision"])}
    naive = type(answered)(answered.kind, answered.file, changed, answered.lines)
    taken = mode(next(x for x in approvals.response_laws(case, {"approvals": naive}, ABOUT) if ".3." in x.path))
    p90 = [m * np.exp(1.2815515655446004 * s) / 24 for m, s in (censored, taken)]
    assert p90[0] == pytest.approx(17.9, abs=0.3)
    assert p90[1] == pytest.approx(10.0, abs=0.3)


def test_rejections_of_approvers_are_counted(travel):
    case, tables = travel
    counts = {t.path.split(".")[3]: (t.happened.sum(), t.tried.sum()) for t in approvals.rejections(case, tables)}
    assert {k: n for k, (_, n) in counts.items()} == {"1": 1_377, "2": 2_334, "3": 1_374 - 291}
    assert all(0 < y < 0.02 * n for y, n in counts.values())


def test_service_and_queue_are_told_apart(loan_rows):
    """Recorded work is minutes, the queue before it is hours; 85 items were queued and never opened (12 of a sort without any session)."""
    case, tables = loan_case(), loan_tables(loan_rows)
    work = {law.path.split(".")[1]: law for law in service.service_laws(case, tables, ABOUT)}
    queue = {law.path.split(".")[1].removesuffix("_queue"): law for law in outside.wait_laws(case, tables, ABOUT)}
    assert sum(law.cell.visits for law in work.values()) == 71_084
    assert sum(law.cell.open_visits for law in queue.values()) == 85 - 12
    assert queue["handle_lead"].cell.visits == 4_771
    for name in ("complete", "assess", "chase_papers"):
        assert mode(queue[name])[0] > 5 * mode(work[name])[0], name
    assert mode(work["assess"])[0] * 60 == pytest.approx(7.8, abs=0.2)
    assert mode(queue["assess"])[0] == pytest.approx(10.1, abs=0.3)


def test_leaving_open_loans_out_shortens_the_median_by_a_third(loan_rows):
    """February's arrivals: 379 of 1,426 are open. Censored 14.6 d, dropped 10.0 d; the arrivals of October to December say 14.1 d."""
    bias = real_logs.open_case_bias(*real_logs._decisions(loan_rows))
    assert (bias.cases, bias.open_cases) == (1_426, 379)
    assert bias.censored == pytest.approx(14.6, abs=0.1)
    assert bias.dropped == pytest.approx(10.0, abs=0.1)
    assert bias.complete == pytest.approx(14.1, abs=0.1)
    text = PAGE.read_text(encoding="utf-8")
    assert f"the median is {bias.censored:.1f} days; without them it is {bias.dropped:.1f} days" in text
    assert "NOT passed" not in text


def test_missing_logs_are_one_line_and_exit_2(tmp_path, capsys):
    assert real_logs.main([str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("error: no file ")
    with pytest.raises(LogError, match="no file"):
        read_loans(tmp_path / LOAN_FILE)
