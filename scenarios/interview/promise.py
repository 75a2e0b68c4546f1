"""The promise and today's number: one clock, calendar days, the mean where the model needs the mean."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, log, sqrt
from typing import Any

from models import units
from scenarios.interview.draft import Draft
from scenarios.interview.reading import Estimate
from simulator.clock import DAY, WEEK

SPREAD_CV = 0.75
"""Assumed spread of cycle times between cases, standard deviation / mean: a lognormal then has a mean of 1.25 times its median."""
Z90 = 1.2815515655446004
RUN_OUT_MEANS = 3
"""Times today's mean that are simulated before and after the weeks that count, as in the example (six weeks for 14 days)."""
MOST_WEEKS = 104
CONVERSION_ERROR = 0.1
"""Relative error added where a mean had to be derived with the assumed spread."""


def promise(draft: Draft) -> None:
    """What is promised, in which weeks, from when on."""
    target: dict[str, Any] = draft.data["target"]
    old = target.get("statistic", "mean")
    level, share, within = (draft.reply("promise", name, Estimate) for name in ("level", "share", "within"))
    new = draft.reply("promise", "statistic", str) or old
    if level is not None and new == "share_within":
        new = "mean"
        draft.assume("the promised time is taken as a mean")
    if new == "share_within" and old != new and (share is None or within is None):
        draft.refuse("promise.share", "a promised share needs the share and the days within which it must be done")
        return
    elif new != "share_within" and old == "share_within" and level is None:
        draft.refuse("promise.level", "is needed: the scenario promises a share, not a time")
        return
    elif new not in (old, "share_within") and level is None:
        draft.assume(f"the promised time is not known: the example's {target['level']} is kept")
    _write_target(draft, new, level, share, within)
    weeks = draft.reply("promise", "weeks", tuple)
    if weeks is not None:
        draft.put("target.weeks", list(weeks), "promise.weeks")
    go_live = draft.replies.values.get(("promise", "go_live"))
    if go_live is not None:
        draft.put("go_live", go_live, "promise.go_live")


def _write_target(draft: Draft, statistic: str, level: Estimate | None, share: Estimate | None, within: Estimate | None) -> None:
    target = draft.data["target"]
    target["statistic"] = statistic
    target["direction"] = "at_least" if statistic == "share_within" else "at_most"
    if any(draft.reply("promise", name, object) is not None for name in ("statistic", "level", "share", "within")):
        draft.written["target"] = "promise.level" if statistic != "share_within" else "promise.share"
    if statistic != "share_within":
        target.pop("within", None)
        if level is not None:
            target["level"] = _promised(draft, level).stated()["value"]
        return
    if share is not None:
        target["level"] = share.stated()["value"]
    if within is not None:
        target["within"] = _promised(draft, within).stated()["value"]


def _promised(draft: Draft, time: Estimate) -> Estimate:
    return draft.in_calendar_days(time, draft.reply("promise", "days", str) == "working")


# -- today


@dataclass(frozen=True, slots=True)
class _Number:
    """Today's number: an elapsed time or share, what it counts, and which answer said it."""

    value: Estimate
    statistic: str
    said: str


def today(draft: Draft) -> None:
    """Today's mean from receipt to the end, with its sampling error."""
    number = _number(draft)
    if number is None:
        return
    sigma, assumed = _sigma(draft, number)
    mean = _mean(draft, number, sigma, assumed)
    added, taken = _clock(draft)
    whole = mean.mapped(lambda x: x + added - taken) if added or taken else mean
    if whole.likely <= 0 or (whole.low is not None and whole.low <= 0):
        draft.refuse("today.beyond", "takes more days away than today's number has")
        return
    if whole is not mean:
        draft.assume(f"with the days before and after its clock, today's mean is {_days(whole.likely)}")
    error = _error(draft, number, whole, sigma, assumed)
    _write(draft, number, whole, error)


def _number(draft: Draft) -> _Number | None:
    """What was measured; failing that, what the business case starts from."""
    observed = draft.reply("today", "observed", Estimate)
    stated, share = draft.reply("promise", "baseline", Estimate), draft.reply("promise", "baseline_share", Estimate)
    if observed is not None:
        if stated is not None and abs(stated.likely - observed.likely) > 0.02 * stated.likely:
            draft.assume(
                f"the business case starts from {draft.text('promise', 'baseline')}, you measure {draft.text('today', 'observed')}: what is measured counts"
            )
        elapsed = draft.in_calendar_days(observed, draft.reply("today", "days", str) == "working")
        return _Number(elapsed, draft.reply("today", "statistic", str) or _mean_assumed(draft), "today.observed")
    if stated is not None:
        draft.assume(f"today's number is taken from the business case: {draft.text('promise', 'baseline')}")
        return _Number(_promised(draft, stated), _promised_statistic(draft), "promise.baseline")
    within = draft.reply("promise", "within", Estimate)
    if share is not None and within is not None and 0 < share.likely < 1:
        return _Number(_promised(draft, within), f"share {share.likely:g}", "promise.baseline_share")
    return None


def _mean_assumed(draft: Draft) -> str:
    draft.assume("today's number is taken as a mean")
    return "mean"


def _promised_statistic(draft: Draft) -> str:
    found = str(draft.data["target"]["statistic"])
    return "mean" if found == "share_within" else found


def _sigma(draft: Draft, number: _Number) -> tuple[float, bool]:
    """Spread of the logarithm of cycle times, and whether it had to be assumed."""
    usual = sqrt(log(1 + SPREAD_CV**2))
    slowest = draft.reply("today", "slowest", Estimate)
    if slowest is None or number.statistic not in ("mean", "median") or number.said != "today.observed":
        return usual, True
    ratio = draft.in_calendar_days(slowest, draft.reply("today", "days", str) == "working").likely / number.value.likely
    if ratio <= 1:
        draft.refuse("today.slowest", "must be longer than today's number")
        return usual, True
    if number.statistic == "median":
        return log(ratio) / Z90, False
    root = Z90 * Z90 - 2 * log(ratio)
    if root < 0:
        draft.assume("9 of 10 and the mean are further apart than this model's spread allows: only the mean is used")
        return usual, True
    return Z90 - sqrt(root), False


def _mean(draft: Draft, number: _Number, sigma: float, assumed: bool) -> Estimate:
    """The mean that belongs to the number, if cycle times are lognormal."""
    if number.statistic == "mean":
        return number.value
    ratio = exp(sigma * sigma / 2)
    if number.statistic == "p90":
        ratio *= exp(-Z90 * sigma)
    elif number.statistic != "median":
        from scipy.special import ndtri

        ratio *= exp(-float(ndtri(float(number.statistic.removeprefix("share ")))) * sigma)
    spread = f"cycle times spread as usual (lognormal, standard deviation {SPREAD_CV:g} × mean)" if assumed else "your 9 of 10"
    words = {"median": "a median", "p90": "the time of 9 of 10"}.get(number.statistic, "a share within a time")
    mean = number.value.mapped(lambda x: x * ratio)
    draft.assume(f"today is given as {words}; with {spread} its mean is {ratio:.3g} times as long, {_days(mean.likely)}")
    return mean


def _clock(draft: Draft) -> tuple[float, float]:
    """Seconds to add before and to take away after, so that the clock runs from receipt to the end of the work."""
    working = draft.reply("today", "days", str) == "working"
    found = []
    for gate, name, where in (("starts", "missing", "before its clock starts"), ("ends", "beyond", "after the work is done")):
        time = draft.reply("today", name, Estimate)
        if draft.reply("today", gate, str) == "later" and time is None:
            draft.assume(f"today's number has another clock than the model, by unknown days {where}: it is used as it is")
        found.append(draft.in_calendar_days(time, working).likely if time is not None else 0.0)
    return found[0], found[1]


def _error(draft: Draft, number: _Number, whole: Estimate, sigma: float, assumed: bool) -> float:
    """Standard error of the mean in seconds: of the range, else of the number of cases, else the example's in proportion."""
    from scipy.special import ndtri

    cases = draft.reply("today", "cases", int)
    if whole.low is not None and whole.high is not None:
        mass = 0.98 if whole.mass == 1 else whole.mass
        sampling = (whole.high - whole.low) / (2 * float(ndtri(0.5 + mass / 2)))
    elif cases:
        sampling = whole.likely * sqrt(exp(sigma * sigma) - 1) / sqrt(cases)
        draft.assume(f"{cases:,} cases leave a sampling error of {sampling / DAY:.2g} d in today's mean")
    else:
        share = _relative_error(draft)
        sampling = whole.likely * share
        draft.assume(
            f"how sure today's number is was not said: a sampling error of {100 * share:.2g} % is assumed, as in the example"
        )
    derived = CONVERSION_ERROR * whole.likely if number.statistic != "mean" and assumed else 0.0
    return sqrt(sampling**2 + derived**2)


def _relative_error(draft: Draft) -> float:
    old = draft.data.get("baseline")
    if not old:
        return 0.03
    return units.seconds(old["standard_error"]) / draft.case().baseline.observed.uncertain().median  # type: ignore[union-attr]


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.3g} d"


def _write(draft: Draft, number: _Number, whole: Estimate, error: float) -> None:
    middle = whole.fixed(whole.likely if whole.low is None or whole.high is None else 0.5 * (whole.low + whole.high))
    draft.data.setdefault("baseline", {})["standard_error"] = f"{max(error, 1e-3 * middle.likely) / DAY:.3g} d"
    note = "" if draft.text("today", "observed") or number.said != "promise.baseline" else "from the business case"
    draft.state("baseline.observed", middle, number.said, note=note)
    _lengthen(draft, middle.likely / WEEK)
    target = draft.data["target"]
    if target["statistic"] == "mean" and units.seconds(target["level"]) >= middle.likely:
        draft.assume("the promise is no faster than today: check both numbers")


def _lengthen(draft: Draft, mean_weeks: float) -> None:
    """Time enough before go-live and after the promised weeks for today's slow cases to end."""
    needed, run = min(MOST_WEEKS, ceil(RUN_OUT_MEANS * mean_weeks)), draft.data.setdefault("run", {})
    before = draft.original.run
    short = [
        name
        for name, weeks in (("warm_up_weeks", before.warm_up_weeks), ("run_out_weeks", before.run_out_weeks))
        if weeks < needed
    ]
    if short:
        run.update(dict.fromkeys(short, needed))
        draft.assume(
            f"{needed} weeks are simulated before go-live and after the promised weeks, {RUN_OUT_MEANS} times today's mean, so that slow cases can end"
        )
