"""The text of scenarios/travel_declarations.toml: facts of the travel log and stated guesses → TOML."""

from __future__ import annotations

import math
from datetime import date
from string import Template

from scenarios.logs.travel_facts import Arrivals, Count, Facts, Law
from scenarios.logs.travel_log import ADMINISTRATION, APPROVER, NEVER
from scenarios.logs.travel_process import PROCESS

SOURCE = 'source = "measured", cite = "bpic2020"'
REDUCTION = 1 / 3
"""The promise: the mean falls by this share."""


def scenario_text(facts: Facts) -> str:
    """The whole scenario file."""
    observed = facts.observed()
    values = {
        **_counts(facts),
        **{name: _law(law, _SAMPLES[name]) for name, law in facts.laws.items()},
        "after_budget_owner": _law(facts.time_out.law, _SAMPLES["after_budget_owner"], "response"),
        "budget_owner": _law(facts.laws["budget_owner"], _SAMPLES["budget_owner"], "response"),
        "supervisor": _law(facts.laws["supervisor"], _SAMPLES["supervisor"], "response"),
        "time_out_share": percent(facts.time_out.timed_out.share),
        "time_out_count": f"{facts.time_out.timed_out.right} of {facts.time_out.timed_out.tried}",
        "limit_mean": f"{facts.time_out.limit.days:.3f}",
        "limit_error": f"{facts.time_out.limit.error:.3f}",
        "observed": f"{observed.days:.2f}",
        "observed_error": f"{observed.error:.2f}",
        "level": f"{observed.days * (1 - REDUCTION):.2f}",
        "first": _day(facts.first),
        "last": _day(facts.last),
        "n": f"{facts.declarations:,}",
        "never": _group(facts, NEVER),
        "by_administration": _group(facts, ADMINISTRATION),
        "by_approver": _group(facts, APPROVER),
        "rate": percent(facts.rejected.share),
        "rate_count": f"{facts.rejected.right:,} of {facts.rejected.tried:,}",
        "rate_low": percent(facts.history[0].share),
        "rate_high": percent(facts.history[1].share),
        **_arrivals(facts.arrivals),
    }
    return Template("\n".join([_HEAD, PROCESS]).replace("$source", SOURCE)).substitute(values)


_SAMPLES = {
    "check_approves": "first submission to approval by the administration; never rejected, history confirmed",
    "check_rejects": "first submission to rejection by the administration; complete histories",
    "confirm": "rejection by the administration to its confirmation by the employee, first and second ones; complete histories",
    "correct": "confirmation to resubmission, first and second ones; complete histories",
    "recheck_rejects": "second submission to second rejection; complete histories",
    "recheck_approves": "last submission to approval by the administration; complete histories",
    "budget_owner": "administration to decision of the budget owner; clean histories",
    "supervisor": "administration to decision of the supervisor, nobody in between; clean histories",
    "after_budget_owner": "budget owner to approval by the supervisor; clean histories; mean of those not timed out",
    "correct_for_approver": "rejection by an approver to resubmission; all of the group, most of unconfirmed history",
    "recheck_for_approver": "that resubmission to approval by the administration; all of the group",
}


def percent(share: float, digits: int = 1) -> str:
    """A share as `23.0 %`."""
    return f"{share * 100:.{digits}f} %"


def quantity(days: float) -> str:
    """Days as a text with a unit that keeps four digits readable."""
    for unit, length in (("d", 1.0), ("h", 1 / 24), ("min", 1 / 1440)):
        if days >= 1.5 * length:
            return f"{days / length:.4g} {unit}"
    return f"{days * 86_400:.3g} s"


def _law(law: Law, sample: str, field: str = "time") -> str:
    """The tables of a wait: quantiles, and the scale that carries the sampling error of the mean."""
    nodes = [f'[{p:.6g}, "{quantity(days)}"]' for p, days in law.nodes]
    rows = "\n".join(f"  {', '.join(nodes[i : i + 6])}," for i in range(0, len(nodes), 6))
    note = f"n = {law.mean.count:,}, mean {law.mean.days:.3f} d: {sample}"
    return f"""[steps{_level(field)}.{field}]
kind = "empirical"
quantiles = [
{rows}
]
source = "measured"
cite = "bpic2020"
[steps{_level(field)}.{field}.scale]
{_scale(law.relative_error)}
source = "measured"
cite = "bpic2020"
note = "{note}\""""


def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _level(field: str) -> str:
    return ".levels" if field == "response" else ""


def _scale(error: float) -> str:
    """Mean 1 with a relative standard error, a line a key."""
    return "\n".join(_around(1.0, error, 4, "1.0"))


def _around(mean: float, error: float, digits: int, stated: str) -> list[str]:
    """Keys of a number with a standard error: normal; lognormal where a normal would reach below zero."""
    if error <= 0.2 * mean:
        return [f"mean = {stated}", f"sd = {error:.{digits}f}"]
    sigma = math.sqrt(math.log1p((error / mean) ** 2))
    middle, spread = math.log(mean) - sigma * sigma / 2, 1.6448536269514722 * sigma
    ends = {"low": middle - spread, "likely": middle - sigma * sigma, "high": middle + spread}
    return [f"{key} = {math.exp(x):.{digits}f}" for key, x in ends.items()]


def _count(count: Count, note: str) -> str:
    return f'{{ right = {count.right}, tried = {count.tried}, {SOURCE}, note = "{note}" }}'


def _counts(facts: Facts) -> dict[str, str]:
    with_owner = facts.with_budget_owner
    return {
        "share_with": _count(with_owner, "declarations that a budget owner decided on, whole mix"),
        "share_without": _count(Count(with_owner.tried - with_owner.right, with_owner.tried), "all others"),
        "defective_with": _count(facts.defective[True], "rejected by the administration / declarations with a known history"),
        "defective_without": _count(facts.defective[False], "rejected by the administration / declarations with a known history"),
        "second_rejection": _count(facts.second_rejection, "complete histories; none has a third rejection, by selection"),
        "owner_rejects": _count(facts.budget_owner_rejects, "decisions of budget owners, whole mix"),
        "direct_rejects": _count(facts.supervisor_rejects[False], "decisions of supervisors without a budget owner, whole mix"),
        "late_rejects": _count(
            facts.supervisor_rejects[True],
            f"decisions after a budget owner; {facts.stamped_rejections} of the rejections are stamped 05:15, approvals so stamped are left out",
        ),
        "limit_applies": _count(facts.time_out.applies, "timed out / all that were still undecided at that instant"),
        "withdrawn": _count(facts.withdrawn, "rejections by an approver after which the log holds nothing more"),
    }


def _group(facts: Facts, name: str) -> str:
    mean = facts.groups[name]
    return f"{mean.days:.2f} d (n = {mean.count:,}, {percent(facts.mix[name])} of the population)"


def _arrivals(arrivals: Arrivals) -> dict[str, str]:
    return {
        "per_day": ", ".join(_around(arrivals.per_day.days, arrivals.per_day.error, 2, f"{arrivals.per_day.days:.2f}")),
        "days": f"{arrivals.per_day.count}",
        "weekday": ", ".join(f"{name} = {weight:.3f}" for name, weight in arrivals.weekday),
        "day_cv": f"{arrivals.day_cv:.3f}",
    }


_HEAD = """\
# Travel declarations: today's process as measured in a real log; the AI in it is a what-if.
# Generated; change scenarios/logs/ and run
#   python -m scenarios.logs.travel bpic2020_international_declarations.csv.gz --out scenarios/travel_declarations.toml
# The log itself is not part of the project: this file holds derived statistics only. docs/validation.md compares the two.
#
# source = "measured": from the log, see [sources]. source = "guess": an assumption of the what-if; nobody measured it.
# Samples, all submitted from $first to $last (later submissions are cut short by the publisher's selection):
#   "clean histories"   case_admin_history complete or none_confirmed: nothing of the declaration is hidden
#   "complete"          of these, rejected by the administration at least once
#   "whole mix"         the $n declarations of the part whose mix of exceptions is the population's
# The administration rejects $rate ($rate_count declarations with a known history). The log allows $rate_low (no unknown one was
# rejected) to $rate_high (all were); the mix of the published file itself is no estimate.
# Waits are elapsed time, as in the log. The log has no persons, so there are no queues: the waits of a declaration are drawn
# independently, and the number of declarations moves none of them.
schema_version = 1
name = "travel_declarations"
title = "Travel declarations (a real log)"
description = "International travel declarations of a Dutch university, 2018: checked by the administration, approved by a budget owner and a supervisor. The what-if: an AI check takes over the administration's first check. Promise: the mean from submission to the final decision falls by a third."
case_word = "declaration"
cases_word = "declarations"
go_live = 2019-01-07

# a third below the observed mean of $observed d
[target]
outcome = "cycle_time"
statistic = "mean"
direction = "at_most"
level = "$level d"
weeks = [13, 26]

# The groups' means in the population's mix: never rejected $never,
# rejected by the administration $by_administration, rejected by an approver $by_approver.
# The standard error holds the sampling of these groups and of the mix; it does not hold the range of the rejection rate (0.2 d) nor
# the change between months (7.0 d for submissions to May, 9.0 d from June on: docs/validation.md).
# All waits are located in the log, so there are no places. Tolerance: waits are drawn independently and pooled over histories, which
# moves the simulated mean by about 0.1 d.
[baseline]
observed = { value = "$observed d", source = "measured", cite = "bpic2020", note = "first submission to last event" }
standard_error = "$observed_error d"
tolerance = "0.25 d"

# no queues, so the warm-up only fills the process; the longest waits last months
[run]
warm_up_weeks = 4
run_out_weeks = 20

[sources]
bpic2020 = "van Dongen, Boudewijn (2020): BPI Challenge 2020: International Declarations. Version 1. 4TU.ResearchData. https://doi.org/10.4121/uuid:2bbf8f6a-fc50-48eb-aa9e-c4ea5ef7e8c5 . Sub-setting by the GitHub repository rhnfzl/performance-analysis-of-international-travel-bpic2020."

[money]
currency = "EUR"

# Submissions come on all days but public holidays; one in ten at a weekend. These hours hold 84 % of them; no wait depends on the hour.
[calendars.submissions]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
hours = ["08:00-18:00"]
holidays = "NL"

[calendars.always]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
hours = ["00:00-24:00"]

[types.without_budget_owner]
label = "supervisor only"
share = $share_without
[types.with_budget_owner]
label = "budget owner, then supervisor"
share = $share_with

# Per day that is no public holiday, weekends included, declarations in the published file; those that were filtered out are not
# counted. Spread between the days of one weekday, seasons included.
[arrivals]
per_working_day = { $per_day, $source, note = "$days days" }
calendar = "submissions"
weekday = { $weekday }
day_cv = { value = $day_cv, $source, note = "negative binomial, method of moments" }

# The log has no persons: a team without limit, used only where the administration decides on what the AI refers.
[teams.administration]
label = "administration"
headcount = { value = 1000, source = "guess", note = "no limit: the time of the check lies in its wait" }
calendar = "always"
"""
