"""The case file of the made-up companies of the backtest: small, quick, with every kind of step whose numbers evidence informs.

What evidence speaks of is stated as a range, in the form the fits take over whole (mean and cv of times, logits of accuracy, Beta
shares), so that a truth drawn from these beliefs is a truth drawn from the fits' priors. Nothing of it is tuned towards a result.
"""

from __future__ import annotations

PRIOR_MEAN_DAYS, PRIOR_SD_DAYS = 8.5, 0.8
"""What a company's own mean of today is drawn from; wide beside the sampling error of the observed mean."""


def case_text(observed_days: float, standard_error_days: float) -> str:
    """The case file (TOML) of a company that observed this mean today, with this sampling error, in days."""
    return _CASE.replace("OBSERVED", repr(round(observed_days, 6))).replace("ERROR", repr(round(standard_error_days, 6)))


_CASE = """\
schema_version = 1
name = "backtest_company"
title = "A made-up company"
go_live = 2027-01-04

[target]
level = "5 d"
weeks = [5, 10]

[baseline]
observed = "OBSERVED d"
standard_error = "ERROR d"
[baseline.places]
entry = { weight = 2.0, export = "date received and date of entry" }
approve = { weight = 2.0, export = "date sent to the approver and date approved" }

[run]
warm_up_weeks = 4
run_out_weeks = 6

[calendars.office]
hours = ["09:00-17:00"]

[types.plain]
share = 0.6
piloted = true
[types.lined]
share = 0.25
piloted = true
[types.foreign]
share = 0.15
piloted = false

[arrivals]
per_working_day = 24
calendar = "office"
day_cv = 0.2
clusters = 60
cluster_exponent = 1.0

[teams.clerks]
headcount = 2
calendar = "office"
[teams.specialists]
headcount = 2
calendar = "office"
[teams.lead]
headcount = 1
calendar = "office"
[teams.reviewers]
headcount = 2
calendar = "office"

[[steps]]
id = "send_to_ai"
kind = "ai"
routed = 1.0
manual = "inbox"
accepted = "errors_show"
referred = "review"
adoption = { start = 0.5, weeks = 4 }
accuracy = { low = 0.8, likely = 0.89, high = 0.95 }
type_effect = { plain = { mean = 0.2, sd = 0.2 }, lined = { mean = -0.2, sd = 0.2 }, foreign = { mean = 0.0, sd = 0.2 } }
shift = { mean = -0.4, sd = 0.4 }
type_shift = { plain = { mean = 0.0, sd = 0.2 }, lined = { mean = 0.0, sd = 0.2 }, foreign = { mean = 0.0, sd = 0.2 } }
scope_penalty = { mean = -0.7, sd = 0.5 }
cluster_correlation = { low = 0.02, likely = 0.05, high = 0.15 }
coverage = { low = 0.65, likely = 0.75, high = 0.83 }
accepted_error = { low = 0.01, likely = 0.02, high = 0.04 }
time = { kind = "uniform", low = "3 s", high = "6 s" }

[steps.quality.missing_fields]
share = { pilot = 0.02, production = { low = 0.04, likely = 0.1, high = 0.2 }, cause = "data" }
effect = { mean = -1.2, sd = 0.3 }

[[steps]]
id = "review"
kind = "review"
of = "send_to_ai"
team = "reviewers"
service = { kind = "lognormal", median = "6 min", p90 = "15 min" }
catch = { low = 0.65, likely = 0.85, high = 0.95 }
load_slope = { mean = 0.03, sd = 0.05 }
over_reliance = 0.3
caught = "exceptions"
next = "errors_show"

[[steps]]
id = "inbox"
kind = "wait"
on = "inbox"
time = { kind = "lognormal", mean = { low = "0.4 d", likely = "0.8 d", high = "1.6 d" }, cv = { low = 0.5, likely = 0.9, high = 1.5 } }

[[steps]]
id = "entry"
kind = "work"
team = "clerks"
service = { kind = "lognormal", mean = { low = "9 min", likely = "13 min", high = "19 min" }, cv = { low = 0.3, likely = 0.6, high = 1.0 } }
next = "is_exception"

[[steps]]
id = "errors_show"
kind = "discovery"
of = "send_to_ai"
chance = { low = 0.5, likely = 0.7, high = 0.85 }
to = "exceptions"

[[steps]]
id = "is_exception"
kind = "choice"
options = [{ to = "exceptions", share = { low = 0.12, likely = 0.2, high = 0.32 } }, { to = "approve" }]

[[steps]]
id = "exceptions"
kind = "desk"
next = "approve"
[[steps.levels]]
team = "specialists"
service = { kind = "lognormal", median = "15 min", p90 = "40 min" }
resolves = { pilot = 0.85, production = { low = 0.5, likely = 0.7, high = 0.85 }, cause = "organisation" }
limit = "3 d"
outside = { share = 0.6, time = { kind = "lognormal", mean = { low = "4 d", likely = "5 d", high = "6.5 d" }, cv = 1.0 } }
[[steps.levels]]
team = "lead"
service = { kind = "lognormal", median = "20 min", p90 = "60 min" }
resolves = 1.0

[[steps]]
id = "approve"
kind = "approval"
[[steps.levels]]
needed = 1.0
response = { kind = "lognormal", mean = { low = "1.4 d", likely = "2.5 d", high = "4.5 d" }, cv = { low = 0.6, likely = 1.0, high = 1.7 } }

[[steps]]
id = "done"
kind = "end"
"""
