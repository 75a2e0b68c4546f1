"""Approvals, exceptions and connected systems: how many there are, how long they take, how often they fail."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import ValidationError

from models import parameters, process, schema, units
from models.compositions.build import law
from scenarios.interview.draft import Data, Draft
from scenarios.interview.reading import Estimate
from scenarios.interview.structure import repeated_step, share_of_type, without_step
from scenarios.interview.volume import set_people
from simulator.clock import DAY

SLOW_TO_TYPICAL = 4.5
"""Assumed ratio of a slow answer (1 in 10 takes longer) to a typical one where the scenario says none."""
LIMIT_TO_SLOW = 3
SHORTEST, LONGEST_TO_TYPICAL = 60.0, 4
OUTAGES = (365, "4 h")
"""Most outages a year that can be modelled, and their usual length."""


# -- approvals


def approvals(draft: Draft) -> None:
    """The number of levels, and how long an approver takes."""
    levels = draft.reply("process", "levels", int)
    typical, slow = (draft.reply("process", name, Estimate) for name in ("typical", "slow"))
    name = draft.roles.approval
    if not name:
        if levels or typical or slow:
            draft.leave("the process has no approval step: what was said about approvals is not used")
        return
    if levels == 0:
        draft.attempt(without_step(draft.data, name), "the approvals could not be taken out of the process")
        if typical or slow:
            draft.assume("without approvals, how long an approver takes is not used")
        return
    if levels is not None:
        _levels(draft, name, levels)
    if typical or slow:
        _responses(draft, name, typical, slow)


def _levels(draft: Draft, name: str, levels: int) -> None:
    if draft.type_levels is not None:
        most, of_all = draft.type_levels
        if levels < most or (of_all and levels > most):
            draft.refuse("process.levels", f"the types were said to need at most {most}", "make both agree, or leave one open")
            return
    data = deepcopy(draft.data)
    step = next(s for s in data["steps"] if s["id"] == name)
    before = len(step["levels"])
    step["levels"] = with_levels(step["levels"], levels)
    if draft.attempt(data, f"the approvals keep their {before} levels") and before != levels:
        added = (
            "the added ones are like the last one of the example" if levels > before else "which types need them stays as it is"
        )
        draft.assume(f"the approvals have {levels} instead of {before} levels: {added}")


def with_levels(levels: list[Any], count: int) -> list[Any]:
    """The first levels, or the last one repeated."""
    return [deepcopy(level) for level in (levels + [levels[-1]] * count)[:count]]


def _responses(draft: Draft, name: str, typical: Estimate | None, slow: Estimate | None) -> None:
    for number, level in enumerate(draft.node(f"steps.{name}.levels"), 1):
        clock, path = level.get("clock"), f"steps.{name}.levels.{number}.response"
        median, p90 = (draft.on_clock(draft.in_calendar_days(x), clock) if x is not None else None for x in (typical, slow))
        ratio = _ratio(level["response"])
        if median is None or p90 is None:
            draft.assume(f"a slow approver (1 in 10) is assumed to take {ratio:.3g} times as long as a typical one")
        median = median or p90.mapped(lambda x, r=ratio: x / r)  # type: ignore[union-attr, misc]
        p90 = p90 or median.mapped(lambda x, r=ratio: x * r)  # type: ignore[misc]
        if median.middle > p90.middle:
            draft.refuse("process.slow", "a slow approver must take longer than a typical one")
            return
        level["response"] = {"kind": "lognormal"}
        for key, value, other in (("median", median, "typical"), ("p90", p90, "slow")):
            said = draft.text("process", other)
            draft.state(f"{path}.{key}", value, f"process.{other}", note="" if said else "in proportion")
        _limits(draft, level, p90)
    _room(draft, name)


def _ratio(response: Any) -> float:
    """Slow over typical as the scenario has it."""
    try:
        stated = schema.Time.model_validate(response).law
    except ValidationError:
        return SLOW_TO_TYPICAL
    if isinstance(stated, schema.Lognormal) and stated.median is not None and stated.p90 is not None:
        median, p90 = stated.median.uncertain().median, stated.p90.uncertain().median
        return p90 / median if p90 > median else SLOW_TO_TYPICAL
    return SLOW_TO_TYPICAL


def _limits(draft: Draft, level: Data, slow: Estimate) -> None:
    """The scenario's limit must not cut off what was said to be slow."""
    limit = level.get("limit")
    if limit is None:
        return
    if schema.Duration.model_validate(limit).uncertain().median < 1.5 * slow.middle:
        longer = LIMIT_TO_SLOW * slow.middle
        level["limit"] = {"value": f"{longer / units.SECONDS_PER_UNIT[slow.unit]:.4g} {slow.unit}", "source": "guess"}
        draft.assume(f"a request is passed on after {units.duration_text(longer)}, {LIMIT_TO_SLOW} times a slow answer")


def _room(draft: Draft, name: str) -> None:
    """A limit for the days that may lie at the approvals must leave room for what was said."""
    place = ((draft.data.get("baseline") or {}).get("places") or {}).get(name)
    if not place or "at_most" not in place:
        return
    try:
        case, scope = draft.case(), process.today_columns(parameters.sample(draft.case(), 0, None))
    except ValidationError:
        return  # reported when the case is validated
    step = next(s for s in case.steps if s.id == name)
    assert isinstance(step, schema.Approval)
    mean = sum(
        float(np.ravel(law(scope.into(f"steps.{name}.levels.{i}"), "response", level.response).mean())[0])
        for i, level in enumerate(step.levels, 1)
    )
    if mean > 0.6 * units.seconds(place["at_most"]):
        del place["at_most"]
        draft.assume("the example's limit for the days at the approvals is left out: yours take longer")


# -- exceptions


def exceptions(draft: Draft) -> None:
    """How many cases become one, how long it takes, and who works on them."""
    share, days, people = (
        draft.reply("process", "exceptions", Estimate),
        draft.reply("process", "exception_days", Estimate),
        draft.reply("process", "desk", int),
    )
    roles = draft.roles
    if share is not None:
        _exception_share(draft, share) if roles.choice else draft.leave(
            "the process has no place where exceptions branch off: their share is not used"
        )
    if not roles.desk:
        if days is not None or people is not None:
            draft.leave("the process has no exception desk: what was said about it is not used")
        return
    if days is not None:
        _exception_days(draft, roles.desk, draft.in_calendar_days(days))
    if people is not None:
        set_people(draft, roles.desk_team, people, "process.desk")


def exception_share(draft: Draft) -> float:
    """The share of cases that become exceptions today, at middle values."""
    roles = draft.roles
    rest = draft.node(f"steps.{roles.choice}.options.{roles.option}.share")
    already = _sent_before(draft, _senders(draft))
    return already + (1 - already) * _chance(draft, rest)


def _senders(draft: Draft) -> list[Data]:
    """The steps whose flag sends a case to the desk before the choice."""
    roles = draft.roles
    step = draft.node(f"steps.{roles.choice}")
    if step.get("otherwise") != roles.desk:
        return []
    flags = [name.removeprefix("!") for name in step.get("when", []) if name.startswith("!")]
    return [s for s in draft.data["steps"] if s["kind"] == "flag" and s["flag"] in flags and not s.get("clear")]


def _sent_before(draft: Draft, senders: list[Data]) -> float:
    return 1 - float(np.prod([1 - _chance(draft, s["chance"]) for s in senders])) if senders else 0.0


def _exception_share(draft: Draft, share: Estimate) -> None:
    """The share of the choice is among the cases that no flag sends to the desk before."""
    roles = draft.roles
    step, path = draft.node(f"steps.{roles.choice}"), f"steps.{roles.choice}.options.{roles.option}.share"
    senders = _senders(draft)
    already = _sent_before(draft, senders)
    if len(senders) < len(step.get("when", [])):
        draft.assume("the share of exceptions comes on top of those that other events cause")
    if len(senders) == 1 and share.middle <= already:
        draft.state(f"steps.{senders[0]['id']}.chance", share, "process.exceptions")
        step["options"][roles.option - 1]["share"] = {
            "value": 0.0,
            "source": "guess",
            "note": "all exceptions come from elsewhere",
        }
        draft.assume(f'all exceptions are taken to come from "{senders[0]["flag"].replace("_", " ")}"')
        return
    if already:
        draft.assume(f"{100 * already:.3g} % of the cases become exceptions by errors made by hand; your share includes them")
    rest = share.mapped(lambda x: min(1.0, max(0.0, (x - already) / (1 - already))) if already < 1 else 0.0)
    note = f"less {100 * already:.3g} % by errors made by hand" if already else ""
    draft.state(path, _valid(draft, rest), "process.exceptions", note=note)


def _valid(draft: Draft, found: Estimate) -> Estimate:
    """The same, or its most likely value where the changed range has no distribution."""
    try:
        found.uncertain()
    except ValueError:
        draft.assume(f'of "{found.text}" only the most likely value is used')
        return found.fixed(found.likely)
    return found


def _chance(draft: Draft, chance: Any) -> float:
    """The middle chance of a flag today over all types."""
    case, total = draft.case(), 0.0
    for name, spec in case.types.items():
        found = schema.Share.model_validate(share_of_type(chance, name))
        total += spec.share.in_arm("as_is").uncertain().median * found.in_arm("as_is").uncertain().median
    return total


def _exception_days(draft: Draft, desk: str, days: Estimate) -> None:
    """Waits outside are set so that an exception takes the days on average; work and queues come on top."""
    levels = draft.node(f"steps.{desk}.levels")
    means = _outside_means(draft, desk)
    expected = sum(mean for mean, _ in means)
    if expected <= 0 or means[0][0] <= 0:
        draft.leave("nobody waits outside at the exception desk of this process: the days of an exception are not used")
        return
    factor = days.middle / expected
    if not 0 < days.likely <= 365 * DAY:
        draft.refuse("process.exception_days", "must be above 0 and at most a year")
        return
    for number, (level, (mean, single)) in enumerate(zip(levels, means, strict=True), 1):
        if mean <= 0:
            continue
        path = f"steps.{desk}.levels.{number}.outside.time"
        cv = level["outside"]["time"].get("cv", 1.0) if isinstance(level["outside"]["time"], Mapping) else 1.0
        level["outside"]["time"] = {"kind": "lognormal", "cv": cv}
        if number == 1:
            draft.state(f"{path}.mean", days.mapped(lambda x, s=single: x * s / expected), "process.exception_days")  # type: ignore[misc]
        else:
            level["outside"]["time"]["mean"] = {"value": f"{factor * single / DAY:.6g} d", "source": "guess"}
    draft.assume("an exception's days are taken as waiting for others outside; work and queues come on top")


def days_outside(draft: Draft) -> float:
    """Seconds that a case at the exception desk waits for others outside, on average, today."""
    return sum(mean for mean, _ in _outside_means(draft, draft.roles.desk))


def _outside_means(draft: Draft, desk: str) -> list[tuple[float, float]]:
    """By level: expected wait outside of a case that comes to the desk today, and the mean of one such wait."""
    case = draft.case()
    scope = process.today_columns(parameters.sample(case, 0, None))
    step = next(s for s in case.steps if s.id == desk)
    assert isinstance(step, schema.Desk)
    found, reach = [], 1.0
    for number, level in enumerate(step.levels, 1):
        single, share = 0.0, 0.0
        if level.outside is not None:
            at = scope.into(f"steps.{desk}.levels.{number}.outside")
            single, share = float(np.ravel(law(at, "time", level.outside.time).mean())[0]), float(at.column("share")[0])
        found.append((reach * share * single, single))
        reach *= 1 - level.resolves.in_arm("as_is").uncertain().median
    return found


# -- connected systems


def systems(draft: Draft) -> None:
    """How many systems a result is posted to, and how they fail live."""
    count = draft.reply("process", "systems", int)
    failures = [draft.reply("process", name, Estimate) for name in ("fails", "outages", "outage_length")]
    if not draft.roles.system:
        if count or any(x is not None for x in failures):
            draft.leave("the process has no step that posts to a connected system: what was said about systems is not used")
        return
    if count is not None:
        _system_count(draft, count)
    names = draft.roles.systems
    if not names and any(x is not None for x in failures):
        draft.assume("without connected systems, their failures are not used")
    for name in names:
        _failures(draft, name)


def _system_count(draft: Draft, count: int) -> None:
    names = draft.roles.systems
    if count < len(names):
        for name in reversed(names[count:]):
            draft.attempt(without_step(draft.data, name), f'the posting "{name}" could not be taken out of the process')
    elif count > len(names):
        data: Data = draft.data
        for number in range(len(names) + 1, count + 1):
            data = _one_more(
                data, names[-1] if number == len(names) + 1 else f"{names[-1]}_{number - 1}", f"{names[-1]}_{number}", number
            )
        if draft.attempt(data, "further connected systems could not be added"):
            draft.assume(
                f"{count - len(names)} connected system{'s' if count - len(names) > 1 else ''} added, one after the other, each like the example's; "
                "a case whose posting fails goes on by hand"
            )


def _one_more(data: Data, last: str, new: str, number: int) -> Data:
    """The case with a further posting after the last one, to a system of its own."""
    step = deepcopy(next(s for s in data["steps"] if s["id"] == last))
    old = step["system"]
    own = f"{old.rstrip('0123456789').rstrip('_')}_{number}"
    step.update(id=new, system=own, label=f"{step.get('label', last).split(', system ')[0]}, system {number}")
    step.pop("stale", None)
    copy = repeated_step(data, last, step)
    spec = deepcopy(copy["systems"][old])
    spec["label"] = f"{str(spec.get('label', old)).split(', system ')[0]}, system {number}"
    copy["systems"][own] = spec
    return copy


def _failures(draft: Draft, name: str) -> None:
    """Failures live; the pilot keeps what the example says of it."""
    fails, endpoint = draft.reply("process", "fails", Estimate), draft.node(f"steps.{name}")["system"]
    if fails is not None:
        step = draft.node(f"steps.{name}")
        old = step.get("permanent")
        if not (isinstance(old, Mapping) and "pilot" in old):
            step["permanent"] = {"pilot": 0.0, "production": 0.0, "cause": "integration"}
        draft.state(f"steps.{name}.permanent", fails, "process.fails", arm="production")
    _outages(draft, endpoint)


def _outages(draft: Draft, endpoint: str) -> None:
    often, long = (draft.reply("process", key, Estimate) for key in ("outages", "outage_length"))
    spec = draft.data["systems"][endpoint]
    if often is not None and often.likely == 0:
        spec.pop("outage", None)
        return
    if often is not None and not 0 < (often.low or often.likely) <= (often.high or often.likely) <= OUTAGES[0]:
        draft.refuse("process.outages", f"must be 0, or above 0 and at most {OUTAGES[0]} a year")
        return
    if often is None and (long is None or "outage" not in spec):
        return
    outage = spec.setdefault("outage", _no_outage())
    if often is not None:
        between = replace(often, dimension="duration", unit="d").mapped(lambda x: 365 * DAY / x)
        _by_arm_law(outage, "every", "mean", "exponential", "365 d")
        draft.state(f"systems.{endpoint}.outage.every.mean", between, "process.outages", arm="production")
    if long is not None:
        _length(draft, endpoint, outage, draft.in_calendar_days(long))


def _no_outage() -> Data:
    between = {"kind": "exponential", "mean": {"value": "365 d", "source": "guess"}}
    repair = {
        "kind": "lognormal",
        "median": {"value": OUTAGES[1], "source": "guess"},
        "p90": {"value": "16 h", "source": "guess"},
    }
    return {"every": between, "repair": repair}


def _by_arm_law(holder: Data, key: str, inner: str, kind: str, pilot: str) -> None:
    """A law whose number differs by world, so that the live one can be set alone."""
    spec: Any = holder.get(key)
    if not (isinstance(spec, Mapping) and spec.get("kind") == kind and inner in spec):
        holder[key] = spec = {"kind": kind}
    old = spec.get(inner)
    if not (isinstance(old, Mapping) and "pilot" in old):
        spec[inner] = {"pilot": pilot, "production": pilot, "cause": "integration", "source": "guess"}


def _length(draft: Draft, endpoint: str, outage: Data, long: Estimate) -> None:
    low = long.low if long.low is not None else long.likely
    if not low >= SHORTEST:
        draft.refuse("process.outage_length", "must be at least a minute")
        return
    path = f"systems.{endpoint}.outage.repair"
    repair = outage["repair"]
    if not (isinstance(repair, Mapping) and repair.get("kind") == "lognormal" and {"median", "p90"} <= set(repair)):
        outage["repair"] = {"kind": "lognormal", "median": "2 h", "p90": "6 h"}
    for key, factor in (("median", 1), ("p90", LONGEST_TO_TYPICAL)):
        _by_arm_law(outage, "repair", key, "lognormal", "2 h" if key == "median" else "6 h")
        stated = long.mapped(lambda x, f=factor: x * f)  # type: ignore[misc]
        draft.state(f"{path}.{key}", stated, "process.outage_length", arm="production")
    draft.assume(f"1 in 10 outages is assumed to last {LONGEST_TO_TYPICAL} times as long as a typical one")
