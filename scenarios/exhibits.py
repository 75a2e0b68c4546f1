"""The weeks after go-live: does a decline emerge between weeks 1–3 and weeks 4–12, and from which cause?

"Weeks 1–3 look fine, weeks 4–12 do not" is a hypothesis. It is tested with drift at 0, against the same futures under pilot
conditions, with each cause switched on alone and all together. `python -m scenarios.exhibits --out docs/weeks-after-go-live.md`
writes the page; the same seed gives the same page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models import parameters, schema
from models.compositions.ai import handled_mark
from models.conditions import CAUSES, PILOT, PRODUCTION
from models.leaves import leaves
from models.parameters import Draws
from models.schema import CaseFile, Cause
from scenarios import study
from scenarios.files import load
from scenarios.report.weekly import WeeklyInput, weekly_inputs
from simulator.clock import DAY, WEEK
from simulator.ledger import OPEN
from simulator.statistics import Estimate, mean_interval
from simulator.summary import arrival_weeks, cycle_seconds

Floats = NDArray[np.float64]
Says = Literal["emerges", "improves", "none", "unclear"]
EARLY, LATE = (1, 3), (4, 12)
LEVEL = 0.99
"""Of each interval: then 20 comparisons together find a decline that is not there with probability 10 % at most."""
ARMS: Mapping[str, frozenset[Cause]] = {"pilot": PILOT, **{c: frozenset({c}) for c in CAUSES}, "all": PRODUCTION}
NAMES = {"pilot": "pilot conditions", "all": "all four causes"}


@dataclass(frozen=True, slots=True)
class Measure:
    """What is watched week by week. Higher is worse; a change below `matters` is of no consequence."""

    short: str
    what: str
    unit: str
    matters: float
    scale: float
    digits: int

    @property
    def title(self) -> str:
        """Name and meaning."""
        return f"**{self.short[0].upper()}{self.short[1:]}**{': ' if self.what else ''}{self.what}"


MEASURES = (
    Measure("escalation rate", "escalations at the exception desk as a share of the cases that reach it", "percentage points", 0.01, 100, 1),
    Measure("review backlog", "mean number of cases that wait for a reviewer", "cases", 1.0, 1, 2),
    Measure("cycle time of AI-routed cases by week of arrival", "", "days", 0.1, 1, 2),
    Measure("cycle time of AI-routed cases by week of their end", "", "days", 0.1, 1, 2),
)  # fmt: skip
BY_ARRIVAL, BY_END = MEASURES[2:]


# -- figures


def weekly_sums(run: study.Run, weeks: int) -> tuple[Floats, Floats]:
    """Numerator and denominator of each measure in weeks 1 to `weeks`: two arrays of shape (measures, weeks)."""
    pairs = [_escalations(run, weeks), _backlog(run, weeks), *_cycle_times(run, weeks)]
    return np.stack([above for above, _ in pairs]), np.stack([below for _, below in pairs])


def _count(week: NDArray[np.int64], weeks: int, weights: Floats | None = None) -> Floats:
    inside = (week >= 1) & (week <= weeks)
    chosen = None if weights is None else weights[inside]
    return np.bincount(week[inside] - 1, chosen, minlength=weeks).astype(np.float64)


def _escalations(run: study.Run, weeks: int) -> tuple[Floats, Floats]:
    """Visits of the second level, and of the first one, by the week in which they begin."""
    desks = [s for s in run.case.steps if isinstance(s, schema.Desk) and len(s.levels) > 1]
    visits, ids = run.ledger.visits, run.ledger.program.step_ids
    week = visits["entered"] // WEEK + 1

    def entered(names: set[str]) -> Floats:
        steps = [i for i, name in enumerate(ids) if name in names]
        return _count(week[np.isin(visits["step"], steps)], weeks)

    first = {f"{d.id}.work1" if d.levels[0].limit is not None else d.id for d in desks}
    second = {f"{d.id}.work2" if d.levels[1].limit is not None and len(d.levels) > 2 else f"{d.id}.level2" for d in desks}
    return entered(second), entered(first)


def _backlog(run: study.Run, weeks: int) -> tuple[Floats, Floats]:
    teams = {s.team for s in run.case.steps if isinstance(s, schema.Review)}
    first = -run.ledger.program.begin // WEEK
    queues = [run.outcome.mean_queue[team][first : first + weeks] for team in sorted(teams)]
    return np.sum(queues, axis=0) if queues else np.zeros(weeks), np.ones(weeks)


def _cycle_times(run: study.Run, weeks: int) -> Iterator[tuple[Floats, Floats]]:
    cases, program = run.ledger.cases, run.ledger.program
    bits = sum(1 << program.marks.index(handled_mark(s.id)) for s in run.case.steps if isinstance(s, schema.Ai))
    routed, days = (cases["marks"] & bits) != 0, cycle_seconds(run.ledger) / DAY
    ended = np.where(cases["ended"] == OPEN, 0, cases["ended"] // WEEK + 1)
    for week in (arrival_weeks(run.ledger), ended):
        yield _count(week[routed], weeks, days[routed]), _count(week[routed], weeks)


@dataclass(frozen=True, slots=True, eq=False)
class Exhibit:
    """Sums by arm: arrays of shape (futures, measures, weeks)."""

    case: CaseFile
    seed: int
    above: Mapping[str, Floats]
    below: Mapping[str, Floats]

    @property
    def futures(self) -> int:
        return len(self.above["pilot"])

    def by_week(self, arm: str) -> Floats:
        """Mean over the futures by measure and week; nan where nothing happened in any."""
        above, below = self.above[arm].sum(axis=0), self.below[arm].sum(axis=0)
        means: Floats = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)
        return means

    def span(self, arm: str, first: int, last: int) -> Floats:
        """Each future's value over some weeks, shape (futures, measures)."""
        above, below = (a[arm][:, :, first - 1 : last].sum(axis=2) for a in (self.above, self.below))
        values: Floats = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
        return values


def without_drift(case: CaseFile, draws: Draws) -> Draws:
    """The same draws with all drift at 0."""
    drifting = [s.id for s in case.steps if isinstance(s, schema.Ai) and s.drift is not None]
    return parameters.with_values(draws, {f"steps.{name}.drift.logit_drop": 0.0 for name in drifting})


def simulate(case: CaseFile, futures: int, seed: int, weeks: int) -> Exhibit:
    """All arms over the same futures at the middle values, calibrated once to today's result."""
    draws = without_drift(case, parameters.sample(case, seed, None))
    solved = study.median_baseline(case, draws.seed)
    unlocated = solved.per_visit if solved else {}
    above: dict[str, Floats] = {}
    below: dict[str, Floats] = {}
    for arm, causes in ARMS.items():
        sums = [weekly_sums(study.run_arm(case, draws, causes, future, unlocated), weeks) for future in range(futures)]
        above[arm], below[arm] = np.stack([a for a, _ in sums]), np.stack([b for _, b in sums])
    return Exhibit(case, seed, above, below)


# -- the statement


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause and measure: the gap to pilot conditions early and late, its change, and what that says."""

    arm: str
    measure: Measure
    early: Estimate
    late: Estimate
    change: Estimate
    says: Says

    @property
    def early_fine(self) -> bool:
        """Whether the first weeks look no worse than the pilot, as far as can be told."""
        return self.early.low <= 0 or self.early.estimate < self.measure.matters


def says(change: Estimate, matters: float) -> Says:
    """What the change of the gap says: a decline must be told from 0 and matter; there is none if no such change is plausible."""
    if change.low > 0 and change.estimate >= matters:
        return "emerges"
    if change.high < 0 and change.estimate <= -matters:
        return "improves"
    return "none" if change.high < matters else "unclear"


def finding(arm: str, measure: Measure, early: Floats, late: Floats) -> Finding:
    """From the gaps to pilot conditions, one a future."""
    change = mean_interval(late - early, LEVEL)
    return Finding(arm, measure, mean_interval(early, LEVEL), mean_interval(late, LEVEL), change, says(change, measure.matters))


def findings(exhibit: Exhibit) -> list[Finding]:
    """Every cause alone, then all together, measure by measure."""
    gaps = {
        arm: [exhibit.span(arm, *weeks) - exhibit.span("pilot", *weeks) for weeks in (EARLY, LATE)]
        for arm in ARMS
        if arm != "pilot"
    }
    return [
        finding(arm, measure, early[:, i], late[:, i])
        for i, measure in enumerate(MEASURES)
        for arm, (early, late) in gaps.items()
    ]


def statement(found: Sequence[Finding]) -> list[str]:
    """What the figures say, cause by cause, in sentences."""
    together = [f for f in found if f.arm == "all"]
    alone = [_of_arm(f"{arm} alone", [f for f in found if f.arm == arm]) for arm in CAUSES]
    return [_of_arm("all four causes together", together), _hypothesis(together), *alone]


def _of_arm(name: str, found: Sequence[Finding]) -> str:
    worse, unclear, better = ([f for f in found if f.says == s] for s in ("emerges", "unclear", "improves"))
    parts = []
    if worse:
        parts.append(f"**a decline emerges** in {_listed(worse)}")
    else:
        parts.append("no decline can be shown" if unclear else "**no decline emerges**")
    if better:
        parts.append(f"it gains on the pilot in {_listed(better)}")
    if unclear:
        parts.append(f"too few futures to tell in {_listed(unclear)}")
    by_arrival, by_end = (next((f.says for f in found if f.measure is m), "none") for m in (BY_ARRIVAL, BY_END))
    if by_end == "emerges" and by_arrival in ("none", "improves"):
        parts.append("that is seen late, not caused late: by week of arrival the gap does not widen, long cases only end later")
    there = [f for f in found if not f.early_fine]
    if there:
        parts.append(f"worse than the pilot from weeks 1–3 on: {'; '.join(f.measure.short for f in there)}")
    return f"{name}: {'. '.join(p[0].upper() + p[1:] if i else p for i, p in enumerate(parts))}."


def _listed(found: Sequence[Finding]) -> str:
    return "; ".join(f"{f.measure.short}, {signed_range(f.change, f.measure)} {f.measure.unit}" for f in found)


def _hypothesis(together: Sequence[Finding]) -> str:
    """Whether "weeks 1–3 look fine, weeks 4–12 do not" holds, measure by measure."""
    holds = [f.measure.short for f in together if f.says == "emerges" and f.early_fine]
    fails = [f.measure.short for f in together if f.says in ("none", "improves")]
    said = [f"holds for {'; '.join(holds)}"] if holds else ["holds for no measure"]
    said += [f"does not hold for {'; '.join(fails)}"] if fails else []
    return f'"weeks 1–3 look fine, weeks 4–12 do not" {"; it ".join(said)}.'


# -- the page


def _number(value: float, measure: Measure, sign: str = "") -> str:
    if not np.isfinite(value):
        return "–"
    shown = f"{value * measure.scale:{sign}.{measure.digits}f}"
    return f"{0:.{measure.digits}f}" if float(shown) == 0 else shown.replace("-", "−")


def signed_range(estimate: Estimate, measure: Measure) -> str:
    """A difference with its range, in the measure's unit."""
    low, high = (_number(x, measure, "+") for x in (estimate.low, estimate.high))
    return f"{_number(estimate.estimate, measure, '+')} ({low} to {high})"


SAYS = {"emerges": "a decline emerges", "improves": "gains on the pilot", "none": "no decline", "unclear": "cannot be told"}


def page(exhibit: Exhibit, name: str, weeks: int) -> str:
    """The page in Markdown."""
    found = findings(exhibit)
    inputs = [_with_cause(exhibit.case, item) for item in weekly_inputs(exhibit.case, weeks)]
    lines = [
        "# The weeks after go-live",
        "",
        f"Generated: `python -m scenarios.exhibits --out docs/weeks-after-go-live.md`. Case `{name}`, {exhibit.futures} simulated futures, seed {exhibit.seed},",
        "all parameters at their middle values, calibrated once to today's result, drift at 0.",
        "",
        '"Weeks 1–3 look fine, weeks 4–12 do not" is a hypothesis. Here it is tested: production against the same futures under pilot',
        "conditions (which go live in the same week), with each cause switched on alone and all together. A decline *emerges* if the gap",
        f"to pilot conditions grows between weeks 1–3 and 4–12 by more than chance ({LEVEL:.0%} interval of the paired differences: all 20",
        "comparisons together find one that is not there with a probability of 10 % at most) and by more than what matters.",
        "",
        "## What the figures say",
        "",
        *(f"- {sentence[0].upper()}{sentence[1:]}" for sentence in statement(found)),
        "",
        *_source_of_decline(inputs),
        "",
        "## Gap to pilot conditions",
        "",
    ]
    for measure in MEASURES:
        lines += _gap_table(measure, [f for f in found if f.measure is measure])
    lines += ["## Inputs that change by week", "", *_inputs_table(inputs), "", "## Week by week", ""]
    lines += [
        "First column: pilot conditions. The others: difference from it, mean over the futures. By week of their end, the first weeks hold",
        "short cases only, in every column: long ones have not ended yet. While the AI's share still grows, this holds on: what has ended is",
        "younger, so shorter. By week of arrival there is no such effect.",
        "",
    ]
    for i, measure in enumerate(MEASURES):
        lines += _week_table(exhibit, i, measure, weeks)
    return "\n".join(lines).rstrip() + "\n"


def _source_of_decline(inputs: Sequence[WeeklyInput]) -> list[str]:
    """Which causes have an input that moves at all between the early and the late weeks."""
    moving: dict[str, list[str]] = {}
    for item in inputs:
        window = item.values[EARLY[0] - 1 : LATE[1]]
        if window and min(window) < max(window):
            for cause in item.cause.split(", "):
                moving.setdefault(cause or "no cause (the same in the pilot)", []).append(f"`{item.path}`")
    lines = [f"- {cause}: {', '.join(dict.fromkeys(paths))}" for cause, paths in moving.items()]
    still = [cause for cause in CAUSES if cause not in moving]
    none = [f"- {', '.join(still)}: none. What they do, they do from week 1 on, save for queues that build up."] if still else []
    return ["Inputs that move between week 1 and week 12, by cause:", "", *lines, *none]


def _with_cause(case: CaseFile, item: WeeklyInput) -> WeeklyInput:
    """The causes of all its parameters, where the input itself names none."""
    inside = [leaf.parameter.cause for leaf in leaves(case) if leaf.path.startswith(item.path)]
    causes = ", ".join(dict.fromkeys(c for c in inside if c is not None))
    return item if item.cause else replace(item, cause=causes)


def _gap_table(measure: Measure, found: Sequence[Finding]) -> list[str]:
    rows = [
        f"| {NAMES.get(f.arm, f.arm)} | {signed_range(f.early, measure)} | {signed_range(f.late, measure)} | {signed_range(f.change, measure)} | {SAYS[f.says]} |"
        for f in found
    ]
    matters = _number(measure.matters, measure)
    return [
        f"{measure.title} ({measure.unit}; matters from {matters})",
        "",
        "| on | weeks 1–3 | weeks 4–12 | change | says |",
        "| --- | --- | --- | --- | --- |",
        *rows,
        "",
    ]


def _inputs_table(inputs: Sequence[WeeklyInput]) -> list[str]:
    shown = (1, 3, 4, 8, 12, 26)
    head = [
        "| input | what | cause | source | " + " | ".join(f"week {w}" for w in shown) + " |",
        "| --- " * (4 + len(shown)) + "|",
    ]
    rows = []
    for item in inputs:
        values = [f"{item.values[min(w, len(item.values)) - 1]:.3g}" for w in shown]
        rows.append(f"| `{item.path}` | {item.what} | {item.cause or '–'} | {item.source} | {' | '.join(values)} |")
    return [*head, *rows]


def _week_table(exhibit: Exhibit, i: int, measure: Measure, weeks: int) -> list[str]:
    pilot = exhibit.by_week("pilot")[i]
    gaps = {arm: exhibit.by_week(arm)[i] - pilot for arm in ARMS if arm != "pilot"}
    rows = [
        f"| {w} | {_number(pilot[w - 1], measure)} | " + " | ".join(_number(g[w - 1], measure, "+") for g in gaps.values()) + " |"
        for w in range(1, weeks + 1)
    ]
    unit = "%, differences in percentage points" if measure.scale == 100 else measure.unit
    return [
        f"{measure.title} ({unit})",
        "",
        "| week | pilot conditions | " + " | ".join(NAMES.get(a, a) for a in gaps) + " |",
        "| --- " * (2 + len(gaps)) + "|",
        *rows,
        "",
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page."""
    parser = argparse.ArgumentParser(prog="python -m scenarios.exhibits", description="The weeks after go-live, as a page.")
    parser.add_argument("--out", type=Path, required=True, help="the Markdown file")
    parser.add_argument("--case", default="invoice_processing", help="a shipped name, a TOML file or a case folder")
    parser.add_argument("--futures", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    case = load(options.case).case
    weeks = case.target.weeks[1]
    text = page(simulate(case, options.futures, options.seed, weeks), case.name, weeks)
    options.out.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
