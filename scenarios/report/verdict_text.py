"""The verdict as a page of plain text: answer, size, reason, next step, trust."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from models.baseline import MAX_OPEN_SHARE, open_days
from models.decisions.verdict import DECISION_DRAWS
from models.legs import dates_of
from models.outcomes import met, target_level, target_value
from models.parameters import sample
from models.schema import Ai, Arm
from scenarios.files import LoadedCase
from scenarios.report.basis import basis_line, source_counts, sources_line
from scenarios.report.verdict_json import figure, mean_days
from scenarios.report.words import step_names
from scenarios.study import VerdictStudy

ARM_NAMES: dict[Arm, str] = {"as_is": "today", "pilot": "as in the pilot", "production": "live"}
ACCOUNT_NAMES = {
    "unlocated": "nobody has located",
    "dated_wait": "waits that only dates tell of",
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
CLASS_NAMES = {
    "supported": "SUPPORTED", "not_supported": "NOT SUPPORTED", "open": "OPEN", "preview": "PREVIEW", "no_verdict": "NO VERDICT",
}  # fmt: skip
STATISTIC_NAMES = {"mean": "on average", "median": "for half of all cases", "p90": "for 9 of 10 cases"}
MEASURES = {"mean": "the mean", "median": "the median", "p90": "the time for 9 of 10", "share_within": "the share in time"}
"""Statistic of a promise -> what it measures, within a sentence."""
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
    return named_days(mean_days(study, arm))


def named_days(by_account: Mapping[str, float]) -> dict[str, float]:
    """Days by account under their names on screen, first and repeated visits together, largest first."""
    total: dict[str, float] = {}
    for account, days in by_account.items():
        total[account_name(account)] = total.get(account_name(account), 0.0) + days
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def page(study: VerdictStudy, loaded: LoadedCase) -> str:
    """The whole page; without a verdict it says why, what to do, and on what it rests."""
    if study.verdict.probability is None:
        sections = [_answer(study), _next(study, loaded.file), _trust(study, loaded)]
    else:
        sections = [_answer(study), _table(study), _days(study), _why(study), _next(study, loaded.file), _trust(study, loaded)]
    return "\n\n".join("\n".join(section) for section in sections)


def _answer(study: VerdictStudy) -> Iterator[str]:
    case, v = study.case, study.verdict
    yield f"{case.title} · figures so far: {sources_line(case)}"
    yield ""
    yield f"  {question(study)}"
    yield ""
    promise = f"promise: {in_target_unit(study, target_level(case))}"
    if v.probability is None or v.low is None or v.high is None:
        yield f"      {CLASS_NAMES[v.verdict]}        {promise}" + (
            f" · today: {study.baseline.observed:.1f} d on average" if study.baseline else ""
        )
        yield f"      {gate_reason(study)}"
        return
    today = in_target_unit(study, float(np.mean([target_value(case, r.arms["as_is"].figures) for r in study.results])))
    kept, n = sum(met(case, r.arms["production"].figures) for r in study.results), len(study.results)
    yield f"      {per_cent(v.probability)} likely   (between {per_cent(v.low)} and {per_cent(v.high)})          {promise} · today: {today}"
    if v.verdict == "preview":
        tendency = "too few to tell" if v.would_be == "open" else f"so far {CLASS_NAMES[v.would_be]}"
        yield f"      PREVIEW: kept in {kept} of {n} simulated futures, {tendency}; a verdict takes {DECISION_DRAWS} (--draws {DECISION_DRAWS})"
    else:
        yield f"      {CLASS_NAMES[v.verdict]}: kept in {kept} of {n} simulated futures"
    yield f"      {_rests_on(study)}"


def question(study: VerdictStudy, days: str = "d") -> str:
    """The promise as a question. `days`: the unit; any but "d" stands after the number as it was promised."""
    case, target = study.case, study.case.target
    first, last = target.weeks
    weeks, level = f"weeks {first}–{last} after go-live", target_level(case)
    if target.statistic == "share_within":
        return f"Will {per_cent(level)} of the {case.cases_word} be done within {target.within}, {weeks}?"
    within = f"{level:.1f} d" if days == "d" else f"{level:g} {days}"
    return f"Will {case.cases_word} be done within {within} {STATISTIC_NAMES[target.statistic]}, {weeks}?"


def in_target_unit(study: VerdictStudy, value: float) -> str:
    """A value of the promised measure in words: days or per cent."""
    return per_cent(value) if study.case.target.statistic == "share_within" else f"{value:.1f} d"


def gate_reason(study: VerdictStudy) -> str:
    """Why there is no answer."""
    failed = unfit(study)
    if failed:
        return f"The fit of your evidence did not converge ({', '.join(failed)}), so it cannot carry an answer."
    report = study.baseline
    assert report is not None
    if report.problem:
        return f"{report.problem}."
    if report.rejected:
        futures = (
            f"In {report.rejected} of {report.proposals} futures your figures cannot produce today's {report.observed:.1f} days."
        )
        return f"{futures} For example: {report.reasons[0]}."
    return f"The simulation gives {report.simulated:.1f} days for today, {report.observed:.1f} were observed: your figures do not fit together yet."


def unfit(study: VerdictStudy) -> list[str]:
    """Names of the fits that did not pass their checks."""
    posterior = study.case.posterior
    return [] if posterior is None else [s.name for s in posterior.sub_models if not s.passed]


def _rests_on(study: VerdictStudy) -> str:
    counts = source_counts(study.case)
    guesses = f"{counts['guess']} of {sum(counts.values())} numbers are guesses"
    if len({e.met for e in study.extremes}) > 1:
        return f"The answer depends on where the days lie that nobody has located (see Why); {guesses}."
    return f"It rests on what is assumed: {guesses}."


ROWS = (
    ("mean, days", "mean_cycle_time_days", "{:.1f}"),
    ("half done within, d", "median_cycle_time_days", "{:.1f}"),
    ("9 of 10 within, d", "p90_cycle_time_days", "{:.1f}"),
    ("within the promise", "share_within_target", "{:.0%}"),
    ("touched by nobody", "straight_through_share", "{:.0%}"),
    ("cost a case", "cost_per_case", "{:.2f}"),
)


def _table(study: VerdictStudy) -> Iterator[str]:
    money = study.case.money
    yield f"  {'':<22}{'today':>10}{'as in the pilot':>18}{'live':>10}   9 of 10 futures"
    for label, name, form in ROWS:
        cells = {arm: np.asarray(figure(study, arm, name)) for arm in ARM_NAMES}
        if name == "cost_per_case" and not any(values.any() for values in cells.values()):
            continue
        shown = f"cost per {study.case.case_word}, {money.currency}" if name == "cost_per_case" else label
        low, high = np.quantile(cells["production"], [0.05, 0.95])
        today, pilot, live = (form.format(cells[arm].mean()) for arm in ARM_NAMES)
        yield f"  {shown:<22}{today:>10}{pilot:>18}{live:>10}   {form.format(low)} to {form.format(high)}"


def _days(study: VerdictStudy) -> Iterator[str]:
    yield "  Where the days go, live (today in brackets)"
    today, live = days_by_name(study, "as_is"), days_by_name(study, "production")
    largest = max(live.values())
    for name, days in live.items():
        if days >= 0.05 or today.get(name, 0.0) >= 0.05:
            bar = "█" * round(BAR * days / largest)
            yield f"  {bar:<{BAR}} {name:<32}{days:5.1f}   ({today.get(name, 0.0):.1f}){_export(study, name)}"


def _export(study: VerdictStudy, name: str) -> str:
    places = exports(study)
    return f"   ← start with: {places[0]}" if name == ACCOUNT_NAMES["unlocated"] and places else ""


def exports(study: VerdictStudy) -> list[str]:
    """The pairs of dates that would locate days, one for each place whose days are not located yet."""
    located = dates_of(study.case).located
    places = study.case.baseline.places if study.case.baseline else {}
    return [place.export for name, place in places.items() if place.export and name not in located]


def _why(study: VerdictStudy) -> Iterator[str]:
    yield "  Why"
    for sentence in reasons(study):
        yield f"   · {sentence}"


def reasons(study: VerdictStudy) -> Iterator[str]:
    """The mechanism in sentences made of the model's own figures."""
    yield from _level_and_coverage(study)
    today, live = days_by_name(study, "as_is"), days_by_name(study, "production")
    saved = {n: today.get(n, 0.0) - live.get(n, 0.0) for n in {*today, *live}}
    gains = [(n, d) for n, d in sorted(saved.items(), key=lambda item: (-item[1], item[0])) if d >= 0.05]
    if gains:
        yield "That saves " + ", ".join(f"{d:.1f} d ({n})" for n, d in gains[:4]) + "."
    losses = [(n, -d) for n, d in sorted(saved.items(), key=lambda item: (item[1], item[0])) if d <= -0.05]
    if losses:
        yield "It adds " + ", ".join(f"{d:.1f} d ({n})" for n, d in losses[:3]) + "."
    largest, days = next(iter(live.items()))
    yield f"The largest part of what remains: {largest}, {days:.1f} of {sum(live.values()):.1f} days."
    yield from never_wrong(study)
    yield from _unlocated(study)


def never_wrong(study: VerdictStudy) -> Iterator[str]:
    """What accuracy alone could give; nothing of a case without an AI."""
    if study.flawless():
        best, kept = flawless(study)
        yield f"With an AI that is never wrong {MEASURES[study.case.target.statistic]} would be {best}, and the promise kept in {per_cent(kept)} of the futures."


def flawless(study: VerdictStudy) -> tuple[str, float]:
    """The result live with an AI that is never wrong, in words, and the share of futures in which it keeps the promise."""
    figures = [outcome.figures for outcome in study.flawless()]
    result = float(np.mean([target_value(study.case, f) for f in figures]))
    return in_target_unit(study, result), float(np.mean([met(study.case, f) for f in figures]))


def _level_and_coverage(study: VerdictStudy) -> Iterator[str]:
    case = study.case
    first = next((s for s in case.steps if isinstance(s, Ai)), None)
    if first is None:
        return
    middle = sample(case, study.seed, None).values[f"steps.{first.id}.accuracy"]["pilot"][0]
    accuracy, field = float(middle), " per field" if first.measured == "per_field" else ""
    names = ("ai_share", "accepted_share", "straight_through_share")
    ai, accepted, untouched = (float(np.mean(figure(study, "production", n))) for n in names)
    yield (
        f"{per_cent(accuracy)} accuracy{field} in the pilot: live, {per_cent(ai)} of the {case.cases_word} reach the AI, {per_cent(accepted)} pass "
        f"without review, and {per_cent(untouched)} are touched by no team (of the others that pass, some become exceptions later)."
    )


def _unlocated(study: VerdictStudy) -> Iterator[str]:
    """What the days that nobody has located do to the answer."""
    report = study.baseline
    if report is None or not study.extremes:
        return
    lost = 1 - report.located_share
    yield f"{per_cent(lost)} of today's {report.observed:.1f} days are at no known place. The AI is assumed to shorten them only at the steps it takes over."
    yield if_at_one_step(study)


def if_at_one_step(study: VerdictStudy) -> str:
    """The result live if the days that nobody has located all lay at one step, or as many of them as fit there; step by step."""
    names = step_names(study.case)
    ends = [
        f'"{names[e.place]}" {in_target_unit(study, target_value(study.case, e.production.figures))}'
        + ("" if e.share > 0.995 else f" ({per_cent(e.share)} of them, its limit)")
        for e in study.extremes
    ]
    return f"If they all lay at one step, {MEASURES[study.case.target.statistic]} live would be: {', '.join(ends)}."


def _next(study: VerdictStudy, file: str) -> Iterator[str]:
    yield "  Next"
    for number, line in enumerate(_actions(study, file), 1):
        yield f"   {number}. {line}"


def _actions(study: VerdictStudy, file: str) -> Iterator[str]:
    case = study.case
    if unfit(study):
        yield f"see which fit failed and why: pilotproof evidence report {file}; then fit again with more draws, or leave that file out"
        return
    if study.verdict.probability is None:
        yield "correct the figures named above, or today's result; then ask again"
        return
    pairs = exports(study)
    if pairs:
        located = dates_of(case).located
        lost = float(np.mean([open_days(r.solved, located) for r in study.results if r.solved]))
        yield f"export dates per {case.case_word} (together they locate {lost:.1f} days), starting with: {'; '.join(pairs)}"
    never = [t.label or n for n, t in case.types.items() if not t.piloted]
    if never:
        yield f"run the AI beside today's process for 30 days on the types never piloted: {'; '.join(never)}"
    if source_counts(case)["guess"]:
        yield f"replace the guesses by what you know: pilotproof scenario show {file} lists them with their ranges"


def _trust(study: VerdictStudy, loaded: LoadedCase) -> Iterator[str]:
    facts = [f"{len(study.results)} simulated futures"]
    if study.results:
        facts.append("laws of queues hold ✓" if not study.laws else f"laws broken ✗ ({', '.join(study.laws)})")
        still_open = max(r.arms[a].figures["open_share"] for r in study.results for a in ARM_NAMES)
        facts.append(
            f"at most {100 * still_open:.1f} % of cases unfinished at the end {'✓' if still_open <= MAX_OPEN_SHARE else '✗'}"
        )
    if study.baseline is not None and study.results:
        mark = "✓" if study.baseline.near else "✗"
        facts.append(f"today's {study.baseline.observed:.1f} d comes out as {study.baseline.simulated:.1f} d {mark}")
    yield "  Can I trust this?"
    yield f"   {' · '.join(facts)}"
    if study.baseline is not None and study.baseline.rejected:
        yield f"   {study.baseline.rejected} of {study.baseline.proposals} combinations of figures could not produce today's result and were left out"
    if loaded.unfitted:
        yield f"   evidence that is not used yet ({', '.join(loaded.unfitted)}): pilotproof fit {loaded.file}"
    yield f"   {sources_line(study.case)}"
    yield f"  {basis_line(loaded, study.seed)}"
