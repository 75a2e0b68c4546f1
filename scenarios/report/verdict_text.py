"""The verdict as a page of plain text: answer, size, reason, next step, trust."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.outcomes import target_level
from models.schema import Ai, Arm
from scenarios.files import LoadedCase
from scenarios.report.basis import basis_line, sources_line
from scenarios.report.verdict_json import figure, mean_days
from scenarios.study import VerdictStudy

ARM_NAMES: dict[Arm, str] = {"as_is": "today", "pilot": "as in the pilot", "production": "live"}
ACCOUNT_NAMES = {
    "unlocated": "nobody has located",
    "approval_wait": "approval waits",
    "outside_wait": "waits for others outside",
    "inbox_wait": "inbox before the work starts",
    "step_wait": "waits at steps",
    "queue": "queues for people",
    "closed_hours": "nights, weekends and holidays",
    "integration": "connected systems",
    "work": "work",
    "ai": "the AI itself",
    "gate": "scheduled runs and batches",
    "delay": "other waits",
}
CLASS_NAMES = {"supported": "SUPPORTED", "not_supported": "NOT SUPPORTED", "open": "OPEN", "preview": "PREVIEW"}
STATISTIC_NAMES = {"mean": "on average", "median": "for half of all cases", "p90": "for 9 of 10 cases"}
BAR = 24


def per_cent(share: float) -> str:
    """Whole per cent; small ones are not rounded to nothing."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{100 * share:.0f} %"


def account_name(account: str) -> str:
    """The name on screen of an account of days."""
    base = account.removesuffix("_again")
    return ACCOUNT_NAMES.get(base, base.replace("_", " "))


def days_by_name(study: VerdictStudy, arm: Arm) -> dict[str, float]:
    """Days by their names on screen, first and repeated visits together, largest first."""
    total: dict[str, float] = {}
    for account, days in mean_days(study, arm).items():
        total[account_name(account)] = total.get(account_name(account), 0.0) + days
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def page(study: VerdictStudy, loaded: LoadedCase) -> str:
    """The whole page."""
    return "\n".join(
        [*_answer(study), "", *_table(study), "", *_days(study), "", *_why(study), "", *_next(study), "", *_trust(study, loaded)]
    )


def _answer(study: VerdictStudy) -> Iterator[str]:
    case, v = study.case, study.verdict
    yield f"{case.title} · figures so far: {sources_line(case)}"
    yield ""
    yield f"  {question(study)}"
    yield ""
    today = f" · today: {study.baseline.observed:.1f} d" if study.baseline else ""
    if v.probability is None:
        yield f"      NO VERDICT        promise: {_level(study)}{today}"
        yield f"      {_gate_reason(study)}"
        return
    assert v.low is not None
    assert v.high is not None
    yield f"      {per_cent(v.probability)} likely   (between {per_cent(v.low)} and {per_cent(v.high)})          promise: {_level(study)}{today}"
    if v.verdict == "preview":
        yield f"      PREVIEW from {len(study.results)} simulated futures; so far: {CLASS_NAMES[v.would_be]}{_flips(study)}"
    else:
        yield f"      {CLASS_NAMES[v.verdict]}{_flips(study)}"


def question(study: VerdictStudy) -> str:
    """The promise as a question."""
    case, target = study.case, study.case.target
    first, last = target.weeks
    weeks = f"weeks {first}–{last} after go-live"
    if target.statistic == "share_within":
        return f"Will {per_cent(target_level(case))} of the {case.cases_word} be done within {target.within}, {weeks}?"
    return f"Will {case.cases_word} be done within {_level(study)} {STATISTIC_NAMES[target.statistic]}, {weeks}?"


def _level(study: VerdictStudy) -> str:
    level = target_level(study.case)
    return per_cent(level) if study.case.target.statistic == "share_within" else f"{level:.1f} d"


def _gate_reason(study: VerdictStudy) -> str:
    report = study.baseline
    assert report is not None
    if report.rejected:
        most = report.reasons[0]
        return f"In {report.rejected} of {report.proposals} futures your figures cannot produce today's {report.observed:.1f} days. Most often: {most}."
    return f"The simulation gives {report.simulated:.1f} days for today, {report.observed:.1f} were observed: your figures do not fit together yet."


def _flips(study: VerdictStudy) -> str:
    answers = {e.met for e in study.extremes}
    return "  – and it depends on where the unlocated days lie" if len(answers) > 1 else "  – resting on guesses: see below"


ROWS = (
    ("mean, days", "mean_cycle_time_days", "{:.1f}"),
    ("half done within, d", "median_cycle_time_days", "{:.1f}"),
    ("9 of 10 within, d", "p90_cycle_time_days", "{:.1f}"),
    ("within the promise", "share_within_target", "{:.0%}"),
    ("no hand on it", "straight_through_share", "{:.0%}"),
    ("cost a case", "cost_per_case", "{:.2f}"),
)


def _table(study: VerdictStudy) -> Iterator[str]:
    if not study.results:
        return
    yield f"  {'':<22}{'today':>10}{'as in the pilot':>18}{'live':>10}   range"
    for label, name, form in ROWS:
        cells = {arm: np.asarray(figure(study, arm, name)) for arm in ARM_NAMES}
        low, high = np.quantile(cells["production"], [0.05, 0.95])
        today, pilot, live = (form.format(cells[arm].mean()) for arm in ARM_NAMES)
        yield f"  {label:<22}{today:>10}{pilot:>18}{live:>10}   {form.format(low)} to {form.format(high)}"


def _days(study: VerdictStudy) -> Iterator[str]:
    if not study.results:
        return
    yield "  Where the days go, live (today in brackets)"
    today = days_by_name(study, "as_is")
    live = days_by_name(study, "production")
    largest = max(live.values())
    for name, days in live.items():
        if days >= 0.05 or today.get(name, 0.0) >= 0.05:
            bar = "█" * max(1, round(BAR * days / largest))
            yield f"  {bar:<{BAR}} {name:<32}{days:5.1f}   ({today.get(name, 0.0):.1f}){_export(study, name)}"
    small = sum(d for n, d in live.items() if d < 0.05 and today.get(n, 0.0) < 0.05)
    if small:
        yield f"  {'':<{BAR}} {'all else':<32}{small:5.2f}"


def _export(study: VerdictStudy, name: str) -> str:
    if name != ACCOUNT_NAMES["unlocated"] or study.case.baseline is None:
        return ""
    places = [p.export for p in study.case.baseline.places.values() if p.export]
    return f"   ← export: {places[0]}" if places else ""


def _why(study: VerdictStudy) -> Iterator[str]:
    if not study.results:
        return
    yield "  Why"
    for sentence in reasons(study):
        yield f"   · {sentence}"


def reasons(study: VerdictStudy) -> Iterator[str]:
    """The mechanism in sentences made of the model's own figures."""
    case = study.case
    accuracy = next((s.accuracy.in_arm("pilot").uncertain().median for s in case.steps if isinstance(s, Ai)), None)
    accepted, ai = (float(np.mean(figure(study, "production", n))) for n in ("accepted_share", "ai_share"))
    if accuracy is not None:
        yield (
            f"{per_cent(accuracy)} accuracy in the pilot: live, {per_cent(ai)} of the {case.cases_word} reach the AI and "
            f"{per_cent(accepted)} pass without review."
        )
    today, live = days_by_name(study, "as_is"), days_by_name(study, "production")
    saved = {n: today.get(n, 0.0) - live.get(n, 0.0) for n in {*today, *live}}
    gains = [(n, d) for n, d in sorted(saved.items(), key=lambda item: -item[1]) if d >= 0.05]
    if gains:
        yield "That saves " + ", ".join(f"{d:.1f} d ({n})" for n, d in gains[:4]) + "."
    losses = [(n, -d) for n, d in sorted(saved.items(), key=lambda item: item[1]) if d <= -0.05]
    if losses:
        yield "It adds " + ", ".join(f"{d:.1f} d ({n})" for n, d in losses[:3]) + "."
    largest, days = next(iter(live.items()))
    yield f"Most of what remains: {largest}, {days:.1f} of {sum(live.values()):.1f} days."
    if study.perfect is not None:
        best = study.perfect.figures["mean_cycle_time_days"]
        yield f"With an AI that is never wrong the mean would be {best:.1f} d (all other figures at their middle values)."
    if study.extremes:
        ends = [
            f"{e.place} {e.production.figures['mean_cycle_time_days']:.1f} d"
            + ("" if e.share > 0.995 else f" ({per_cent(e.share)} of them fit there)")
            for e in study.extremes
        ]
        yield f"If the unlocated days all lay at one place, the live mean would be: {', '.join(ends)}."
    if study.baseline is not None:
        yield f"Located by sources: {per_cent(study.baseline.located_share)} of today's {study.baseline.observed:.1f} days."


def _next(study: VerdictStudy) -> Iterator[str]:
    yield "  Next"
    number = 1
    baseline = study.case.baseline
    if baseline is not None and baseline.places and study.results:
        lost = float(np.mean([r.solved.unlocated_days for r in study.results if r.solved]))
        exports = "; ".join(p.export for p in baseline.places.values() if p.export)
        yield f"   {number}. export two dates per {study.case.case_word} (locates {lost:.1f} of {study.baseline.observed if study.baseline else 0:.1f} d): {exports}"
        number += 1
    never = [t.label or n for n, t in study.case.types.items() if not t.piloted]
    if never:
        yield f"   {number}. run the AI beside today's process for 30 days on: {', '.join(never)}"
        number += 1
    yield f"   {number}. replace guesses by measurements, widest first (pilotproof scenario show {study.case.name})"


def _trust(study: VerdictStudy, loaded: LoadedCase) -> Iterator[str]:
    laws = "laws hold ✓" if not study.laws else f"laws broken ✗ ({', '.join(sorted({law.name for law in study.laws}))})"
    error = study.verdict.standard_error
    precision = f" (±{100 * 1.645 * error:.0f} points)" if error else ""
    base = ""
    if study.baseline is not None:
        mark = "✓" if study.baseline.passed else "✗"
        base = f" · today's {study.baseline.observed:.1f} d: simulated {study.baseline.simulated:.1f} d {mark}"
    still_open = max((r.arms[a].figures["open_share"] for r in study.results for a in ARM_NAMES), default=0.0)
    yield "  Can I trust this?"
    yield f"   {laws}{base} · {len(study.results)} simulated futures{precision} · {100 * still_open:.1f} % of cases unfinished at most"
    if study.baseline is not None and study.baseline.rejected:
        yield f"   {study.baseline.rejected} of {study.baseline.proposals} combinations of figures could not produce today's result and were left out"
    yield f"   {sources_line(study.case)}"
    yield f"  {basis_line(loaded, study.seed)}"
