"""The fits on two public event logs: python -m scenarios.validation.real_logs FOLDER [--out FILE]. Derived statistics only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models import units
from models.evidence.duration_cells import Spans, reduce
from models.evidence.settings import EvidenceSettings
from models.fits import approvals, arrivals, events, outside, service
from models.fits.durations import Prepared
from models.fits.law_priors import law_prior
from models.fits.seam import Sampling
from models.laws import Time
from models.posterior import Predictive, SubModel
from scenarios.logs.travel import WRONG_INPUT
from scenarios.logs.travel_log import LogError, read
from scenarios.validation.real_tables import (
    GUESS,
    LOAN_FILE,
    TRAVEL_FILE,
    decision_times,
    loan_case,
    loan_tables,
    read_loans,
    travel_case,
    travel_tables,
)

Floats = NDArray[np.float64]
SCENARIO = Path(__file__).resolve().parent.parent / "travel_declarations.toml"
SAMPLING = Sampling(2_026)
ABOUT = EvidenceSettings.model_validate({})
FEBRUARY = date(2012, 2, 1), date(2012, 2, 29)
COMPLETE = date(2011, 10, 1), date(2011, 12, 31)


@dataclass(frozen=True, slots=True, eq=False)
class RealFits:
    """The sub-models of the two logs, and what leaving open cases out does."""

    travel: tuple[SubModel, ...]
    loans: tuple[SubModel, ...]
    bias: Bias


@dataclass(frozen=True, slots=True)
class Bias:
    """Loans of February that were not decided within a day: all and open ones; median days to the decision, open ones as at least so long,
    left out, and of the arrivals of October to December, all of which are decided."""

    cases: int
    open_cases: int
    censored: float
    dropped: float
    complete: float


def fit_all(folder: Path, sampling: Sampling = SAMPLING) -> RealFits:
    """All fits. Raises LogError if a log is missing."""
    log, rows = read(folder / TRAVEL_FILE), read_loans(folder / LOAN_FILE)
    case, tables = travel_case(SCENARIO), travel_tables(log)
    loan, loan_times = loan_case(), loan_tables(rows)
    travel = [m.fit(case, tables, ABOUT, sampling) for m in (outside, approvals, events, arrivals)]
    loans = [m.fit(loan, loan_times, ABOUT, sampling) for m in (service, outside)]
    return RealFits(tuple(m for m in travel if m), tuple(m for m in loans if m), open_case_bias(*_decisions(rows)))


def _decisions(rows: object) -> tuple[tuple[Floats, NDArray[np.bool_]], tuple[Floats, NDArray[np.bool_]]]:
    return decision_times(rows, *FEBRUARY), decision_times(rows, *COMPLETE)  # type: ignore[arg-type]


def open_case_bias(late: tuple[Floats, NDArray[np.bool_]], early: tuple[Floats, NDArray[np.bool_]]) -> Bias:
    """The medians of lognormals at the mode of their posterior."""
    length, is_open = late
    return Bias(
        len(length), int(is_open.sum()), _median(Spans.lengths(length, None, is_open)), _median(Spans.lengths(length[~is_open])),
        _median(Spans.lengths(early[0], None, early[1])),
    )  # fmt: skip


def _median(spans: Spans) -> float:
    prior = law_prior(Time.model_validate(GUESS).law, "steps.to_decision.time", "production")
    return float(np.exp(Prepared.of(reduce(spans), prior).centre[0]) / 86_400)


# -- the page


def page(fits: RealFits) -> str:
    """The whole page."""
    bias = fits.bias
    return "\n".join([
        _HEAD, _checks_of([*fits.travel, *fits.loans]), _TRAVEL, *_laws(fits.travel), "", *_shares(fits.travel), "", *_volume(fits.travel),
        _LOANS, *_laws(fits.loans), "",
        "## Open cases", "",
        f"Of {bias.cases:,} loan applications of February 2012 that took more than a day, {bias.open_cases} were open when the log ends.",
        f"With open ones counted as at least so long the median is {bias.censored:.1f} days; without them it is {bias.dropped:.1f} days:",
        f"leaving them out makes it {1 - bias.dropped / bias.censored:.0%} shorter. Arrivals of October to December, all decided: {bias.complete:.1f} days.",
        "", _LIMITS,
    ])  # fmt: skip


_HEAD = """\
# The fits on two real logs

Made by `python -m docs.make_fits_on_real_logs` from two public event logs that are not part of the project; derived statistics only.
Every law starts from the same wide guess (median 1 d, p90 7 d; work: 5 min, 20 min), so that all that is shown was learned from the log.

- van Dongen, Boudewijn (2020): BPI Challenge 2020: International Declarations. Version 1. 4TU.ResearchData. https://doi.org/10.4121/uuid:2bbf8f6a-fc50-48eb-aa9e-c4ea5ef7e8c5 . Sub-setting by the GitHub repository rhnfzl/performance-analysis-of-international-travel-bpic2020.
- van Dongen, B.F. (2012): BPI Challenge 2012. Eindhoven University of Technology / 4TU.ResearchData. https://doi.org/10.4121/uuid:3926db30-f712-4394-aebc-75976070e91f

Median and p90 with the middle 90 % of their posterior. *Shape*: the observed share of visits that are longer than about the observed median
and 90 % time, and in brackets what the fitted law would show; ✗ where it lies outside the middle 98 % of replicates: there a lognormal is the wrong
shape, and the quantiles of the log itself (`kind = "empirical"`) serve better.
"""

_TRAVEL = """
## Travel declarations: waits and approvals

Elapsed time, submissions of 8 January to 31 October 2018. Approvals that the system gave after seven days count as unanswered until then.

| step | rows | still open | median | p90 | shape |
| --- | --- | --- | --- | --- | --- |"""

_LOANS = """
## Loan applications: work and queue apart

Work: from the start to the end of a session. Queue: from the entry of a work item to its first session.

| step | rows | still open | median | p90 | shape |
| --- | --- | --- | --- | --- | --- |"""

_LIMITS = """\
## What this does not show

- Rows of one case, person or day are not independent; with thousands of rows the intervals above are narrower than they should be.
- The published travel log is a selection of finished declarations; waits of abandoned ones are missing (docs/validation.md).
- A lognormal has one mode. Checks that are answered at once or days later (both logs have some) are mixtures.
"""


def _checks_of(fits: Sequence[SubModel]) -> str:
    sampled = [m for m in fits if m.diagnostics]
    words = [f"{m.name}: {'passed' if m.passed else 'NOT passed'}" for m in sampled]
    return f"Checks of the sampler ({SAMPLING.chains} × ({SAMPLING.tune} + {SAMPLING.draws})): {'; '.join(words)}."


def _laws(fits: Sequence[SubModel]) -> Iterator[str]:
    for model in fits:
        medians = [c for c in model.columns if c.endswith(".median")]
        for column in medians:
            place = column.removesuffix(".median")
            rows, open_ = model.reported[f"{place}: visits"]
            found = (_interval(model.columns[c]) for c in (column, f"{place}.p90"))
            yield f"| {_named(place)} | {rows:,.0f} | {open_:,.0f} | {' | '.join(found)} | {_shape(place, model.predictive)} |"


def _named(place: str) -> str:
    return (
        place.removeprefix("steps.")
        .removesuffix(".time")
        .removesuffix(".service")
        .removesuffix(".response")
        .replace(".levels.", ", level ")
    )


def _interval(x: Floats) -> str:
    low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
    return f"{units.duration_text(float(middle))} ({units.duration_text(float(low))} to {units.duration_text(float(high))})"


def _shape(place: str, checks: Sequence[Predictive]) -> str:
    mine = [c for c in checks if c.what.startswith(f"{place}:")]
    words = [f"{c.observed:.2f} ({c.low:.2f} to {c.high:.2f}){' ✗' if not 0.01 < c.share_below < 0.99 else ''}" for c in mine]
    return " · ".join(words)


def _shares(fits: Sequence[SubModel]) -> Iterator[str]:
    yield "| share | 5 % | median | 95 % |"
    yield "| --- | --- | --- | --- |"
    for model in fits:
        for column, x in model.columns.items():
            if column.endswith(".rejects"):
                low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
                yield f"| {column.removeprefix('steps.')} | {low:.1%} | {middle:.1%} | {high:.1%} |"


def _volume(fits: Sequence[SubModel]) -> Iterator[str]:
    model = next(m for m in fits if m.name == arrivals.NAME)
    for column, x in model.columns.items():
        low, middle, high = np.quantile(x, [0.05, 0.5, 0.95])
        yield f"- `{column}`: {middle:.3g} ({low:.3g} to {high:.3g})"
    for note in model.notes:
        yield f"- {note}"
    for check in model.predictive:
        flag = "" if 0.01 < check.share_below < 0.99 else " ✗"
        yield f"- {check.what.removeprefix('arrivals: ')}: {check.observed:.3g}, replicates {check.low:.3g} to {check.high:.3g}{flag}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page, or a one-line error; returns the exit code."""
    parser = argparse.ArgumentParser("python -m scenarios.validation.real_logs", description="The fits on two real logs.")
    parser.add_argument("folder", type=Path, help=f"folder with {TRAVEL_FILE} and {LOAN_FILE}")
    parser.add_argument("--out", type=Path, help="where to write the page; if left out, to the screen")
    options = parser.parse_args(arguments)
    try:
        text = page(fit_all(options.folder))
    except LogError as error:
        sys.stderr.write(f"error: {error}\n")
        return WRONG_INPUT
    if options.out is None:
        sys.stdout.write(text)
    else:
        options.out.write_text(text, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
