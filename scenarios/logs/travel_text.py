"""The text of scenarios/travel_declarations.toml: facts of the travel log and stated guesses → TOML."""

from __future__ import annotations

import math
from datetime import date
from string import Template

from scenarios.logs.travel_facts import Arrivals, Count, Facts, Law
from scenarios.logs.travel_log import ADMINISTRATION, APPROVER, NEVER

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
    return _TEMPLATE.substitute(values)


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


_TEMPLATE = Template(
    """\
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

# ---------------------------------------------------------------- the first check

# What the administration rejects today counts as truly defective.
[[steps]]
id = "defective"
kind = "flag"
label = "truly defective?"
flag = "defective"
[steps.chance.types]
without_budget_owner = $defective_without
with_budget_owner = $defective_with

[[steps]]
id = "check_ai"
kind = "ai"
label = "AI check"
routed = { value = 1.0, source = "guess", note = "live, the AI gets every first submission at once; resubmissions stay with the administration" }
manual = "check"
accepted = "ai_decides"
referred = "hand_over"
accuracy = { right = 368, tried = 400, source = "guess", note = "stated assumption of the what-if: 92 % of 400; no such check was piloted" }
shift = { mean = -0.3, sd = 0.2, source = "guess", note = "live declarations are less tidy than a pilot's: about 2 points at 92 %" }
scope_penalty = { value = 0.0, source = "guess", note = "both types are taken as piloted, so nothing depends on it" }
coverage = { low = 0.80, likely = 0.90, high = 0.96, source = "guess", note = "the AI decides nine of ten by itself and refers the rest" }
accepted_error = { low = 0.02, likely = 0.045, high = 0.07, source = "guess", note = "confidence filters out somewhat less than half of its errors" }
time = { kind = "uniform", low = { value = "2 s", source = "guess" }, high = { value = "10 s", source = "guess" } }

# The administration decides on what the AI refers as it does today, whatever the AI found.
[[steps]]
id = "hand_over"
kind = "review"
label = "referred to the administration"
of = "check_ai"
team = "administration"
service = "0 s"
catch = { value = 1.0, source = "guess", note = "today's decision is the measure of right and wrong" }
next = "check"

# A right AI rejects exactly the defective ones, a wrong one does the opposite.
[[steps]]
id = "ai_decides"
kind = "choice"
label = "AI decides"
when = ["defective"]
options = [{ to = "ai_on_defective" }]
otherwise = "ai_on_good"

[[steps]]
id = "ai_on_defective"
kind = "choice"
label = "AI on a defective declaration"
when = ["check_ai.wrong"]
options = [{ to = "approve" }]
otherwise = "administration_rejects"

[[steps]]
id = "ai_on_good"
kind = "choice"
label = "AI on a good declaration"
when = ["check_ai.wrong"]
options = [{ to = "administration_rejects" }]
otherwise = "approve"

[[steps]]
id = "check"
kind = "choice"
label = "check by the administration"
when = ["defective"]
options = [{ to = "check_rejects" }]
otherwise = "check_approves"

[[steps]]
id = "check_approves"
kind = "wait"
label = "until the administration approves"
on = "step"
next = "approve"
$check_approves

[[steps]]
id = "check_rejects"
kind = "wait"
label = "until the administration rejects"
on = "step"
$check_rejects

# ---------------------------------------------------------------- correction after a rejection by the administration or the AI

[[steps]]
id = "administration_rejects"
kind = "flag"
label = "rejected at the check"
flag = "admin_rejected"
chance = { value = 1.0, $source, note = "by definition" }

[[steps]]
id = "confirm"
kind = "wait"
label = "until the employee sees the rejection"
on = "outside"
$confirm

[[steps]]
id = "correct"
kind = "wait"
label = "until the employee resubmits"
on = "outside"
$correct

[[steps]]
id = "objection"
kind = "discovery"
label = "a good declaration was rejected"
of = "check_ai"
chance = { value = 1.0, source = "guess", note = "the administration checks resubmissions and sees that nothing was wrong" }
to = "recheck"

[[steps]]
id = "recheck"
kind = "choice"
label = "check of the resubmission"
when = ["!rejected_twice"]
options = [{ to = "recheck_rejects", share = $second_rejection }, { to = "recheck_approves" }]
otherwise = "recheck_approves"

[[steps]]
id = "recheck_rejects"
kind = "wait"
label = "until the resubmission is rejected"
on = "step"
$recheck_rejects

[[steps]]
id = "second_rejection"
kind = "flag"
label = "rejected a second time"
flag = "rejected_twice"
chance = { value = 1.0, $source, note = "by definition" }

[[steps]]
id = "correct_again"
kind = "again"
to = "confirm"
limit = 1
otherwise = "recheck_approves"

[[steps]]
id = "recheck_approves"
kind = "wait"
label = "until the resubmission is approved"
on = "step"
$recheck_approves

# ---------------------------------------------------------------- approvals

[[steps]]
id = "approve"
kind = "approval"
label = "approvals"
rejected = "approver_rejects"
next = "defect_noticed"

# 1: budget owner
[[steps.levels]]
needed = { types = { with_budget_owner = { value = 1.0, $source } } }
rejects = $owner_rejects
$budget_owner

# 2: supervisor, nobody before
[[steps.levels]]
needed = { types = { without_budget_owner = { value = 1.0, $source } } }
rejects = $direct_rejects
$supervisor

# 3: supervisor after a budget owner. What is undecided at 05:15 on the 7th calendar day counts as approved: $time_out_count
# in the log ($time_out_share). Counted from the hour of the budget owner's approval, that is the limit below. Answers are a
# right-censored sample: up to the limit the quantiles are those of the answers that came before it, at their share of all;
# the rest of the probability lies above the limit, at the few answers to which the time-out did not apply.
[[steps.levels]]
needed = { types = { with_budget_owner = { value = 1.0, $source } } }
limit = { mean = "$limit_mean d", sd = "$limit_error d", $source, note = "mean wait of the approvals stamped 05:15 local time" }
on_limit = "approve"
limit_share = $limit_applies
rejects = $late_rejects
$after_budget_owner

[[steps]]
id = "defect_noticed"
kind = "discovery"
label = "approvers notice a defect that the AI passed"
of = "check_ai"
chance = { low = 0.1, likely = 0.3, high = 0.6, source = "guess", note = "approvers look at the trip and the budget, not at receipts" }
to = "approver_rejects"

[[steps]]
id = "approved"
kind = "end"
result = "approved"

# ---------------------------------------------------------------- correction after a rejection by an approver

[[steps]]
id = "approver_rejects"
kind = "flag"
label = "rejected by an approver"
flag = "approver_rejected"
chance = { value = 1.0, $source, note = "by definition" }

[[steps]]
id = "resubmits"
kind = "choice"
label = "resubmitted?"
options = [{ to = "not_approved", share = $withdrawn }, { to = "correct_for_approver" }]

[[steps]]
id = "correct_for_approver"
kind = "wait"
label = "until the employee resubmits for the approver"
on = "outside"
$correct_for_approver

[[steps]]
id = "defect_corrected"
kind = "discovery"
label = "the correction removes a defect that the AI passed"
of = "check_ai"
chance = { value = 1.0, source = "guess" }
to = "recheck_for_approver"

[[steps]]
id = "recheck_for_approver"
kind = "wait"
label = "until the administration approves again"
on = "step"
$recheck_for_approver

[[steps]]
id = "approve_again"
kind = "again"
to = "approve"
limit = 3
otherwise = "approved"

[[steps]]
id = "not_approved"
kind = "end"
result = "not approved"
""".replace("$source", SOURCE)
)
