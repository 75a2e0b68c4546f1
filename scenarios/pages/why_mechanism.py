"""The mechanism as a chain of sentences from the model's own figures: accuracy → what passes → which queues get shorter → days.

Every figure comes with its definition, its world, its weeks and the number of simulated futures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.compositions.ai import case_accuracy
from models.conditions import PRODUCTION
from models.outcomes import target_level
from models.parameters import sample
from models.process import arm_columns
from models.schema import Ai, Approval, Arm, Review
from scenarios.pages.answer import SHOWN_DAYS
from scenarios.pages.why_days import signed
from scenarios.report.trace_words import plain, who
from scenarios.report.verdict_json import figure
from scenarios.report.verdict_text import ACCOUNT_NAMES, MEASURES, days_by_name, flawless, in_target_unit, per_cent
from scenarios.report.words import step_names
from scenarios.study import VerdictStudy
from scenarios.study.penalties import live_accuracy

Floats = NDArray[np.float64]
RARE_QUEUE = 5
"""Times the usual queue from which a rare one is told."""
NO_QUEUE = "No queue for a team changes by as much as one half."


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain: what it is about, and the sentence; `how`: where its figures come from, one line each."""

    lead: str
    text: str
    how: tuple[str, ...]


def mechanism(study: VerdictStudy) -> tuple[Link, ...]:
    """The chain of a study that has an answer. A case without an AI step has no level and nothing that passes."""
    links = (_level(study), _passes(study), _queues(study), _steps(study), _approvals(study), _flawless(study))
    return tuple(link for link in links if link is not None)


# -- the figures


def _mean(study: VerdictStudy, arm: Arm, name: str) -> float:
    return float(np.mean(figure(study, arm, name)))


def _traced(study: VerdictStudy, name: str, meaning: str, world: str) -> str:
    first, last = study.case.target.weeks
    return f"{name}: {meaning} {world}, {study.case.cases_word} that arrive in weeks {first} to {last}, mean of {len(study.results)} simulated futures."


def reviews_a_week(study: VerdictStudy, arm: Arm) -> float:
    """Mean number of reviews a week in the target weeks."""
    first, last = study.case.target.weeks
    reviews = [s.id for s in study.case.steps if isinstance(s, Review)]
    outcomes = [r.arms[arm] for r in study.results]
    return float(np.mean([o.figures["cases"] * sum(o.step_visits.get(s, 0.0) for s in reviews) for o in outcomes])) / (
        last - first + 1
    )


def waiting_by_team(study: VerdictStudy, arm: Arm) -> dict[str, Floats]:
    """Mean number of cases that wait for each team in the target weeks, nights and weekends included; one value a future."""
    first, last = study.case.target.weeks
    outcomes = [r.arms[arm] for r in study.results]
    inside = [(o.weeks >= first) & (o.weeks <= last) for o in outcomes]
    return {
        team: np.asarray(
            [float(o.mean_queue[team][mine].mean()) if mine.any() else 0.0 for o, mine in zip(outcomes, inside, strict=True)]
        )
        for team in study.case.teams
    }


def days_by_step(study: VerdictStudy, arm: Arm) -> dict[str, float]:
    """Mean days a case by step of the case file, waits in front of it included."""
    ids = [s.id for s in study.case.steps]
    return {i: float(np.mean([r.arms[arm].step_days.get(i, 0.0) for r in study.results])) for i in ids}


# -- the links


def _level(study: VerdictStudy) -> Link | None:
    case = study.case
    step = next((s for s in case.steps if isinstance(s, Ai)), None)
    if step is None:
        return None
    at = arm_columns(sample(case, study.seed, None), PRODUCTION).into("steps").into(step.id)
    stated, pilot, live = (
        float(at.as_in_pilot().column("accuracy")[0]),
        float(case_accuracy(at.as_in_pilot(), step)[0]),
        live_accuracy(case, study.seed),
    )
    name = step.label or plain(step.id)
    fields = f" ({per_cent(stated)} per field, {step.fields} fields)" if step.measured == "per_field" else ""
    change = "as often" if abs(live - pilot) < 0.005 else "less often" if live < pilot else "more often"
    text = f"In the pilot the AI was right in {per_cent(pilot)} of the {case.cases_word}{fields}. Live it is expected to be right {change}: in {per_cent(live)}."
    how = (
        f'{per_cent(pilot)}: share of right outputs of "{name}" per {case.case_word}, as in the pilot; the middle value of what the case states or evidence taught. Source: {_source(step)}.',
        f"{per_cent(live)}: the same live in week 1, for the mix of types and data defects that the AI then meets; all numbers at their middle values.",
    )
    return Link("Level", text, how)


def _source(step: Ai) -> str:
    words = {
        "measured": "measured",
        "elicited": "said by somebody",
        "benchmark": "published figures of others",
        "guess": "a guess",
    }
    note = f" ({step.accuracy.note})" if step.accuracy.note else ""
    return f"{words[step.accuracy.source]}{note}"


def _passes(study: VerdictStudy) -> Link | None:
    case = study.case
    if not any(isinstance(s, Ai) for s in case.steps):
        return None
    ai, accepted, untouched, reviewed = (
        _mean(study, "production", n) for n in ("ai_share", "accepted_share", "straight_through_share", "review_share")
    )
    week = reviews_a_week(study, "production")
    text = f"Live, {per_cent(ai)} of the {case.cases_word} reach the AI and {per_cent(accepted)} pass without review. "
    text += (
        f"{per_cent(untouched)} are never touched by a person of a team; of the others that pass, some become exceptions later."
    )
    how = [
        _traced(study, per_cent(ai), "share that goes to the AI,", "live"),
        _traced(study, per_cent(accepted), "share of all whose output is accepted without review,", "live"),
        _traced(
            study,
            per_cent(untouched),
            "share of all that are accepted, finished, and on which no team worked (approvers belong to no team),",
            "live",
        ),
    ]
    if week > 0:
        text += f" {per_cent(reviewed)} are reviewed: {week:.0f} reviews a week."
        how.append(
            _traced(study, f"{week:.0f} reviews a week", "visits of the review steps divided by the number of weeks,", "live")
        )
    return Link("What passes without review", text, tuple(how))


def _queues(study: VerdictStudy) -> Link | None:
    if not study.case.teams:
        return None
    waiting = waiting_by_team(study, "as_is"), waiting_by_team(study, "production")
    today, live = ({team: float(np.median(values)) for team, values in found.items()} for found in waiting)
    rare = {team: float(np.quantile(values, 0.95)) for team, values in waiting[1].items()}
    moved = [t for t in today if abs(live[t] - today[t]) >= 0.5 or rare[t] >= RARE_QUEUE * (1 + live[t])]
    moved.sort(key=lambda t: live[t] - today[t])
    parts = [f"{who(study.case, t)} {_count(today[t])} → {_count(live[t])}{_rare(live[t], rare[t])}" for t in moved]
    word = study.case.cases_word
    text = f"{word[0].upper()}{word[1:]} that wait for a person, today → live: {', '.join(parts)}." if parts else NO_QUEUE
    days = [days_by_name(study, arm).get(ACCOUNT_NAMES["queue"], 0.0) for arm in ("as_is", "production")]
    text += f" Waiting for a free person takes {days[0]:.2f} days per {study.case.case_word} today and {days[1]:.2f} live."
    how = (
        _traced(
            study,
            "Number that wait",
            f"time average of the {word} that wait for a person of the team, nights and weekends included; half of the futures have fewer,",
            "today and live",
        ).replace("mean of", "from"),
        _traced(
            study,
            f"{days[0]:.2f} and {days[1]:.2f} days",
            "mean time in working hours for which nobody of the team was free,",
            "today and live",
        ),
    )
    return Link("Which queues change", text, how)


def _rare(usual: float, rare: float) -> str:
    """What happens in one future of twenty, if it is much more than usual."""
    return f" (in one future of 20: {_count(rare)} or more)" if rare >= RARE_QUEUE * (1 + usual) else ""


def _count(waiting: float) -> str:
    return f"{waiting:.0f}" if waiting >= 10 else f"{waiting:.1f}"


def _steps(study: VerdictStudy) -> Link | None:
    case = study.case
    today, live = days_by_step(study, "as_is"), days_by_step(study, "production")
    names = step_names(study.case)
    gains = _sorted({names[i]: today[i] - live[i] for i in today})
    losses = _sorted({names[i]: live[i] - today[i] for i in today})
    if not gains and not losses:
        return None
    said = []
    if gains:
        said.append("Days saved: " + ", ".join(f"{name} {signed(-d, 1)} d" for name, d in gains))
    if losses:
        said.append("Days added: " + ", ".join(f"{name} {signed(d, 1)} d" for name, d in losses))
    hidden = days_by_name(study, "as_is").get(ACCOUNT_NAMES["unlocated"], 0.0) - days_by_name(study, "production").get(
        ACCOUNT_NAMES["unlocated"], 0.0
    )
    text = ". ".join(said) + "."
    if hidden >= SHOWN_DAYS:
        text += f" {hidden:.1f} of them are days that nobody has located: that the AI saves them is an assumption."
    how = (
        _traced(
            study,
            "Days by step",
            f"mean days per {case.case_word} at the step, waits in front of it and repeated visits included, today less live; only steps that change by {SHOWN_DAYS} days or more;",
            "today and live",
        ),
    )
    return Link("Days", text, how)


def _sorted(days: Mapping[str, float]) -> list[tuple[str, float]]:
    found = [(name, d) for name, d in days.items() if d >= SHOWN_DAYS]
    return sorted(found, key=lambda item: -item[1])[:4]


def _approvals(study: VerdictStudy) -> Link | None:
    case = study.case
    name = ACCOUNT_NAMES["approval_wait"]
    today, live = (days_by_name(study, arm).get(name, 0.0) for arm in ("as_is", "production"))
    if not any(isinstance(s, Approval) for s in case.steps) or max(today, live) < SHOWN_DAYS:
        return _largest(study)
    moved = "The AI does not touch them" if abs(live - today) < 0.1 else f"They change by {signed(live - today, 1)} d"
    total = sum(days_by_name(study, "production").values())
    text = f"Approvals: {today:.1f} days per {case.case_word} today, {live:.1f} live, of {total:.1f} in all. {moved}."
    how = (
        _traced(
            study,
            f"{today:.1f} and {live:.1f} days",
            "mean time until approvers answer, repeated visits included,",
            "today and live",
        ),
    )
    return Link("What stays", text, how)


def _largest(study: VerdictStudy) -> Link:
    live = days_by_name(study, "production")
    name, days = next(iter(live.items()))
    text = f"The largest part of what remains live: {name}, {days:.1f} of {sum(live.values()):.1f} days."
    return Link("What stays", text, (_traced(study, f"{days:.1f} days", f'mean time of the part "{name}",', "live"),))


def _flawless(study: VerdictStudy) -> Link | None:
    case = study.case
    if not study.flawless():
        return None
    best, kept = flawless(study)
    promise, measure = in_target_unit(study, target_level(case)), MEASURES[case.target.statistic]
    text = f"With an AI that is never wrong {measure} would be {best}, and the promise of {promise} kept in {per_cent(kept)} of the futures."
    first, last = case.target.weeks
    how = (
        f"{best}: {measure} live in weeks {first} to {last} if every output were right and the threshold stayed as it is; mean of "
        f"{len(study.results)} simulated futures, the same ones as for live.",
        f"{per_cent(kept)}: share of these futures in which the promise is kept.",
        f"{promise}: the promise, as the case states it.",
    )
    return Link("What 100 % accuracy would give", text, how)


def traced(links: Sequence[Link]) -> Iterator[str]:
    """All lines that say where figures come from, link by link, each once."""
    yield from dict.fromkeys(line for link in links for line in link.how)
