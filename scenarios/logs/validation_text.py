"""The report docs/validation.md: the travel log against the as-is arm of the scenario made from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from textwrap import fill

import numpy as np

from scenarios.logs.travel_facts import Facts, cycle_days, derive, waits_by_step
from scenarios.logs.travel_log import ADMINISTRATION, APPROVER, FIRST_DAY, LAST_DAY, NEVER, Log
from scenarios.logs.travel_text import percent
from scenarios.logs.validation_figures import (
    ALL,
    GROUPS,
    SEED,
    STATISTICS,
    WEEKS,
    Future,
    case_of,
    futures,
    independent,
    observed,
    simulated,
)
from simulator.statistics import wilson

FUTURES, OTHER_MONTHS_FUTURES = 40, 20
SPLIT = date(2018, 5, 31)
"""Last day of the first part in the test on other months."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """The log, the facts of some months of it, and futures simulated from these facts."""

    log: Log
    facts: Facts
    runs: Sequence[Future]

    @cached_property
    def independent(self) -> dict[str, dict[str, float]]:
        """Statistics of each group if its waits were independent."""
        return {group: independent(self.log, group) for group in GROUPS}


def report(log: Log) -> str:
    """The whole page."""
    whole = compared(log, FIRST_DAY, LAST_DAY, FUTURES)
    parts = [
        _introduction(whole),
        _cycle_times(whole),
        _shares(whole),
        _waits(whole),
        _other_months(log),
        _differences(whole),
        _LIMITS,
        _AGAIN,
    ]
    return "\n\n".join(parts) + "\n"


def compared(log: Log, first: date, last: date, count: int) -> Comparison:
    """The declarations of some months, and futures simulated from them."""
    facts = derive(log, first, last)
    return Comparison(log.between(first, last), facts, futures(case_of(facts), count))


def change(value: float, reference: float) -> str:
    """A difference in days and per cent, with real minus signs."""
    return f"{value - reference:+.2f} ({(value / reference - 1) * 100:+.0f} %)".replace("-", "−")


def wrapped(text: str, bullet: bool = False) -> str:
    """A paragraph or list item in lines of readable length."""
    return fill(
        text, 130, initial_indent="- " * bullet, subsequent_indent="  " * bullet, break_long_words=False, break_on_hyphens=False
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _introduction(whole: Comparison) -> str:
    sizes = {group: len(cycle_days(whole.log, group)) for group in GROUPS}
    return f"""\
# Validation: today's process, simulated and observed

Does a workflow built from measured parts give back what was measured of the whole? This page compares the as-is arm of the scenario
`travel_declarations` with the real log that its parts were measured in. It is generated; see the last section.

**Why travel declarations and not invoices.** No real invoice log was found that is unbiased and of usable size. The purchase-to-pay log
of published simulator comparisons is synthetic and keeps finished cases only (608 of 1,949). The log used here is real and the nearest in
shape: submission, check, correction, one or two approvals.

**The log.** van Dongen, Boudewijn (2020): BPI Challenge 2020: International Declarations. Version 1. 4TU.ResearchData.
https://doi.org/10.4121/uuid:2bbf8f6a-fc50-48eb-aa9e-c4ea5ef7e8c5 ; sub-set by the GitHub repository
rhnfzl/performance-analysis-of-international-travel-bpic2020. It is not part of the project.

**Observed.** Declarations submitted from {_day(whole.facts.first)} to {_day(whole.facts.last)}, first submission to last event. Never rejected
({sizes[NEVER]:,}) and rejected by the administration ({sizes[ADMINISTRATION]:,}): only those of which nothing is hidden. Rejected by an
approver ({sizes[APPROVER]:,}): all, because the confirmed ones were confirmed by their quick checks and are no fair sample. Intervals: 90 %,
bootstrap over declarations.

**Simulated.** {len(whole.runs)} futures of {WEEKS} weeks of submissions (as long as the log), all parameters at their medians, seed {SEED}; every
declaration is followed to its end. Groups by final marks: rejected by an approver and by the administration both is in "all" only.
In brackets: the range of nine futures of ten, that is, what one such log would scatter by chance alone."""


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _cycle_times(whole: Comparison) -> str:
    rows = []
    for group, name in [*GROUPS.items(), (ALL, ALL)]:
        for statistic in STATISTICS:
            seen, made = observed(whole.log, whole.facts, group, statistic), simulated(whole.runs, group, statistic)
            note = "" if made.low <= seen.value <= made.high else " *"
            difference = change(made.value, seen.value) + note
            rows.append([name if statistic == "mean" else "", statistic, str(seen), str(made), difference])
    head = ["cycle time, days", "", "observed (90 %)", "simulated (9 of 10 futures)", "difference"]
    return f"## 1. Cycle times\n\n{table(head, rows)}\n\n\\* observed figure outside the range of nine futures of ten."


def _shares(whole: Comparison) -> str:
    counts = {
        "rejected by the administration": whole.facts.rejected,
        "rejected twice by the administration, of these": whole.facts.second_rejection,
        "rejected by an approver": whole.facts.approver_share,
        "timed out, of approvals after a budget owner": whole.facts.time_out.timed_out,
    }
    rows = []
    for name, count in counts.items():
        seen = wilson(count.right, count.tried)
        values = [run.shares[name] for run in whole.runs]
        low, high = (percent(float(v)) for v in np.quantile(values, [0.05, 0.95]))
        texts = f"{percent(seen.estimate)} ({percent(seen.low)} to {percent(seen.high)})", f"{count.right:,} of {count.tried:,}"
        rows.append([name, *texts, f"{percent(float(np.mean(values)))} ({low} to {high})"])
    head = ["share of declarations", "observed (90 %)", "", "simulated (9 of 10 futures)"]
    low, high = (percent(bound.share) for bound in whole.facts.history)
    lower, upper = ((bound.share - whole.facts.rejected.share) * _gap(whole.facts) for bound in whole.facts.history)
    note = (
        f"The rejection rate is that of declarations with a known history. {low} to {high} is possible, depending on the others; the mean "
        f"cycle time would move by {lower:+.2f} to {upper:+.2f} d. In the whole file 20.0 % of the approvals after a budget owner are timed "
        "out (334 of 1,670); here the months of the comparison count, clean histories only."
    )
    return f"## 2. Shares\n\n{table(head, rows)}\n\n{wrapped(note.replace('by -', 'by −'))}"


def _gap(facts: Facts) -> float:
    return facts.groups[ADMINISTRATION].days - facts.groups[NEVER].days


def _waits(whole: Comparison) -> str:
    rows = []
    for name, seen in waits_by_step(whole.log).items():
        made = np.concatenate([run.waits[name] for run in whole.runs])
        pairs = [f"{of(seen):.2f} · {of(made):.2f}" for of in STATISTICS.values()]
        rows.append([_STEP_NAMES[name], f"{len(seen):,}", *pairs])
    return f"""\
## 3. Waits, days

{table(["step", "observed waits", *(f"{s}: observed · simulated" for s in STATISTICS)], rows)}

The simulated waits are drawn from these very samples, so this table only shows that nothing was lost on the way (quantiles at 19
places, lines in between, whole seconds, the time-out)."""


_STEP_NAMES = {
    "check_approves": "submission → approved by the administration",
    "check_rejects": "submission → rejected by the administration",
    "confirm": "rejected → confirmed by the employee",
    "correct": "confirmed → resubmitted",
    "recheck_rejects": "resubmitted → rejected again",
    "recheck_approves": "resubmitted → approved by the administration",
    "budget_owner": "administration → budget owner",
    "supervisor": "administration → supervisor",
    "after_budget_owner": "budget owner → supervisor, time-outs included",
    "correct_for_approver": "rejected by an approver → resubmitted",
    "recheck_for_approver": "that resubmission → approved by the administration",
}


def _other_months(log: Log) -> str:
    """Parameters from the first months, compared with the other ones."""
    first = compared(log, FIRST_DAY, SPLIT, OTHER_MONTHS_FUTURES)
    later = SPLIT + timedelta(days=1)
    rest = Comparison(log.between(later, LAST_DAY), derive(log, later, LAST_DAY), first.runs)
    rows, gaps = [], {}
    for group, name in [*GROUPS.items(), (ALL, ALL)]:
        for statistic in STATISTICS:
            source, seen = (observed(part.log, part.facts, group, statistic) for part in (first, rest))
            made = simulated(first.runs, group, statistic).value
            row = [
                name if statistic == "mean" else "",
                statistic,
                f"{source.value:.2f}",
                f"{made:.2f}",
                str(seen),
                change(made, seen.value),
            ]
            rows.append(row)
            gaps[group, statistic] = source.value, made, seen.value
    head = [
        "cycle time, days",
        "",
        "observed to May",
        "simulated from these",
        "observed from June (90 %)",
        "simulated − from June",
    ]
    source_mean, made_mean, rest_mean = gaps[ALL, "mean"]
    opening = (
        f"Parameters from submissions to {_day(SPLIT)} only ({first.facts.declarations:,} declarations), compared with those from "
        f"{_day(later)} on ({rest.facts.declarations:,}), each in its own mix."
    )
    closing = (
        f"The simulation gives back the months it was made from ({source_mean:.2f} observed, {made_mean:.2f} simulated) and misses the "
        f"following ones by {abs(made_mean - rest_mean):.1f} d: not because the parts are put together wrongly, but because the process "
        "did not stand still. Mean waits in days, clean histories:"
    )
    moral = (
        "Approvals became slower from July on and stayed so. No sampling error holds such a change: parameters from some months of a log are "
        "a forecast only as far as the process stays as it was. The scenario uses all ten months; its baseline is their average."
    )
    return "\n\n".join(
        ["## 4. Other months", wrapped(opening), table(head, rows), wrapped(closing), _drift(first.log, rest.log), wrapped(moral)]
    )


def _drift(first: Log, rest: Log) -> str:
    """Mean waits of the longest steps in both parts."""
    early, late = waits_by_step(first), waits_by_step(rest)
    shown = ("check_approves", "check_rejects", "confirm", "correct", "budget_owner", "supervisor", "after_budget_owner")
    rows = [
        [_STEP_NAMES[n], f"{early[n].mean():.2f}", f"{late[n].mean():.2f}", change(late[n].mean(), early[n].mean())]
        for n in shown
    ]
    return table(["step", "to May", "from June", "difference"], rows)


def _differences(whole: Comparison) -> str:
    alone = whole.independent
    rows = []
    for group, name in GROUPS.items():
        for statistic in STATISTICS:
            seen, made = observed(whole.log, whole.facts, group, statistic), simulated(whole.runs, group, statistic)
            middle = alone[group][statistic]
            rows.append(
                [name if statistic == "mean" else "", statistic, f"{seen.value:.2f}", f"{middle:.2f}", f"{made.value:.2f}"]
            )
    head = ["cycle time, days", "", "observed", "its own waits, independent", "simulated"]
    reading = (
        "The middle column exchanges the observed waits at random between the declarations of a group. From the first column to the second: "
        "what the assumption of independent waits does. From the second to the third: pooling, sampling and the model's structure."
    )
    items = "\n".join(wrapped(item, bullet=True) for item in _reasons(whole))
    return f"## 5. What differs, and why\n\n{table(head, rows)}\n\n{wrapped(reading)}\n\n{items}"


def _reasons(whole: Comparison) -> list[str]:
    checks = waits_by_step(whole.log)["check_approves"]
    long = checks > 14
    return [
        f"**Independence.** The mean does not care. {_rank_text(whole.log)} So the simulation has too few very quick and too few very slow "
        "corrections: the median of the declarations rejected by the administration comes out high and their p90 low.",
        "**Pooling.** One law per approval serves all histories. In the log approvals are quicker after a rejection: "
        f"{_history_text(whole.log)}. This shifts the rejected ones up and the never rejected ones slightly down. Whether it is real or made "
        "by selection (only four common sequences, only those finally approved) the log cannot say.",
        f"**Few declarations carry the check.** Half of the approving checks take less than {np.median(checks) * 1440:.0f} minutes; "
        f"{percent(float(long.mean()))} of all take more than two weeks and make up {percent(float(checks[long].sum() / checks.sum()), 0)} of "
        "the mean. A replacement of this step is judged by them; whether they are a queue, or trips not yet made, the log does not tell.",
        f"**Rejected by an approver.** {len(cycle_days(whole.log, APPROVER))} declarations, most with an unconfirmed history; the publisher "
        "merged consecutive submissions, so their clock may start late. The wide interval says the same.",
        f"**The time-out** falls at 05:15 on the seventh calendar day, {whole.facts.time_out.limit.days:.2f} d after the budget owner on "
        "average; the model uses the average. It cannot reject: the few rejections with that stamp are modelled as ordinary ones.",
    ]


def _rank_text(log: Log) -> str:
    """Rank correlations between the waits of a declaration."""
    rejected, never = log.clean().group(ADMINISTRATION), log.clean().group(NEVER)
    calm = [_rank_correlation(never, *pair) for pair in (("SA", "AB"), ("SA", "AF"), ("SA", "BF"), ("AB", "BF"))]
    late = [_rank_correlation(rejected, "ae", other) for other in ("eS", "AB", "AF")]
    return (
        f"Waits of never-rejected declarations are nearly independent (rank correlations up to {max(calm, key=abs):.2f}), but an employee "
        f"who sees a rejection late also resubmits late ({late[0]:.2f}) and then waits longer for the budget owner ({late[1]:.2f}) or the "
        f"supervisor ({late[2]:.2f})."
    )


def _rank_correlation(log: Log, first: str, second: str) -> float:
    """Spearman's correlation of two waits of a declaration (each named by the letters of its two events), first passages."""
    waits = log.waits[log.waits["submission"] <= 2]
    kind = waits["before"].str.cat(waits["after"])
    one, other = (waits[kind == name].drop_duplicates("case_id").set_index("case_id")["days"] for name in (first, second))
    return float(one.corr(other, method="spearman"))


def _history_text(log: Log) -> str:
    waits = log.clean().waits
    texts = []
    for after, name in (("B", "budget owner"), ("F", "supervisor without one")):
        mine = waits[(waits["before"] == "A") & (waits["after"] == after)]
        means = mine.groupby("group")["days"].mean()
        texts.append(f"{name} {means[ADMINISTRATION]:.2f} d against {means[NEVER]:.2f} d")
    return ", ".join(texts)


_LIMITS = """\
## 6. What this does not show

- It validates today's process, not the AI: nobody put an AI into this one. Everything about the AI in the scenario is a guess and says so.
- The log has no persons and no start times. Waits are elapsed time as recorded; queues, staffing and the effect of volume, which the other
  scenarios rest on, cannot be checked here.
- Selection: declarations of one university and year, finally approved, in common sequences; third rejections and declarations
  given up after a rejection by the administration are missing; November and December are left out: only the quick ones are in the file.
- The parts were measured in the log that the whole is compared with (section 4 shows what other months do). What is tested is the composition: routes,
  loops, marks, the time-out, the engine, and that independent draws from measured waits are good enough for the mean."""

_AGAIN = """\
## 7. How to run it again

Get the log (its folder goes into `PILOTPROOF_LOGS` for the tests), then:

```
python -m scenarios.logs.travel bpic2020_international_declarations.csv.gz --out scenarios/travel_declarations.toml
python -m scenarios.logs.validation bpic2020_international_declarations.csv.gz --out docs/validation.md
PILOTPROOF_LOGS=. pytest tests/test_travel.py
```

About a minute on one core. The first command gives the committed scenario byte for byte."""
