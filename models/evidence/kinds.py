"""The kinds of evidence files: their columns, what each informs, and a small worked example that fits the default scenario."""

from __future__ import annotations

from models.evidence.table import ColumnSpec, FileKind


def _step(*fits: str) -> ColumnSpec:
    return ColumnSpec("step", "name", "the step of the case file; may be left out if only one fits", names="steps", fits=fits)


_TYPE = ColumnSpec("type", "name", "case type; empty = all types as they come", names="types")
_DAY = ColumnSpec("day", "day", "date of the work: results of one day are not independent")
_CLUSTER = ColumnSpec("cluster", "text", "supplier or template: results of one cluster are not independent")
_ENVIRONMENT = ColumnSpec("environment", "choice", "where it was measured", choices=("pilot", "production"))


def _results(name: str, title: str, where: str, example: tuple[tuple[str, ...], ...]) -> FileKind:
    return FileKind(
        name,
        title,
        f"What the AI got right {where}, by case (one row a case) or counted (one row a group). Only cases that somebody checked.",
        (
            _step("ai"),
            _TYPE,
            _CLUSTER,
            _DAY,
            ColumnSpec("model_version", "text", "version of the AI; versions are never pooled silently"),
            ColumnSpec("tried", "count", "cases checked in this row", "accuracy", default=1.0),
            ColumnSpec("right", "count", "of these, right", "accuracy, type effect, shift, scope penalty", required=True),
            ColumnSpec("accepted", "count", "of the checked cases, accepted without review", "coverage"),
            ColumnSpec("accepted_right", "count", "of the accepted ones, right", "accepted errors"),
            ColumnSpec("confidence", "share", "the AI's confidence in the case", "threshold and coverage"),
            ColumnSpec(
                "defect", "name", "data defect the cases have; empty = none or unknown", "effect of a defect", names="defects"
            ),
            ColumnSpec("environment", "choice", "where it was measured: as the name of the file says", choices=(name,)),
        ),
        "Binomial by type with partial pooling; clusters and days as random effects or a design effect",
        example,
    )


PILOT = _results(
    "pilot", "Results of the pilot", "in the pilot",
    (
        ("send_to_ai", "po_standard", "supplier 12", "2026-09-01", "v1", "60", "56", "47", "46", "", "", ""),
        ("send_to_ai", "po_standard", "supplier 31", "2026-09-02", "v1", "80", "74", "64", "63", "", "", ""),
        ("send_to_ai", "non_po", "supplier 7", "2026-09-02", "v1", "50", "44", "37", "36", "", "", ""),
    ),
)  # fmt: skip

PRODUCTION = _results(
    "production", "Sample from production", "in production or in a parallel run",
    (
        ("send_to_ai", "po_standard", "supplier 12", "2026-10-05", "v1", "70", "63", "53", "51", "", "", ""),
        ("send_to_ai", "non_po", "supplier 44", "2026-10-06", "v1", "40", "33", "27", "25", "", "", ""),
        ("send_to_ai", "po_complex", "supplier 9", "2026-10-07", "v1", "20", "14", "10", "9", "", "", ""),
    ),
)  # fmt: skip

AUDIT = FileKind(
    "audit", "Blind audit of accepted outputs",
    "Accepted outputs drawn at random and checked by somebody who did not know the AI's answer.",
    (
        _step("ai"),
        _TYPE,
        _CLUSTER,
        _DAY,
        ColumnSpec("environment", "choice", "where it was measured", choices=("pilot", "production"), default="production"),
        ColumnSpec("accepted", "count", "accepted outputs from which the sample was drawn", "sampling share", required=True),
        ColumnSpec("audited", "count", "of these, checked", "accepted errors", required=True),
        ColumnSpec("wrong", "count", "of the checked ones, wrong", "accepted errors", required=True),
    ),
    "Binomial: wrong of audited, among accepted outputs",
    (("send_to_ai", "po_standard", "", "2026-10-12", "production", "400", "60", "1"),),
)  # fmt: skip

SEEDED = FileKind(
    "seeded", "Seeded errors shown to reviewers",
    "Errors put into the review on purpose, and how many the reviewers noticed.",
    (
        _step("review"),
        ColumnSpec("reviewer", "text", "who reviewed (kept as a pseudonym)", person=True),
        _DAY,
        ColumnSpec("waiting_per_head", "number", "cases waiting per rostered reviewer at that time", "loss of attention under load"),
        ColumnSpec("shown", "count", "seeded errors shown", "catch rate", required=True),
        ColumnSpec("caught", "count", "of these, noticed", "catch rate", required=True),
    ),
    "Binomial, logit linear in the load",
    (("review", "A", "2026-10-08", "2", "20", "18"), ("review", "B", "2026-10-09", "9", "20", "16")),
)  # fmt: skip

CALLS = FileKind(
    "calls", "Calls of a connected system",
    "One row a call, or counted: how long calls took and how they ended.",
    (
        ColumnSpec("step", "name", "the step that calls the system", names="steps", required=True, fits=("system", "ai")),
        _ENVIRONMENT,
        _TYPE,
        _DAY,
        ColumnSpec("at_a_time", "count", "calls running at the same time"),
        ColumnSpec("calls", "count", "calls in this row", default=1.0),
        ColumnSpec("seconds", "number", "how long the call took (a call in this row each)", "latency"),
        ColumnSpec(
            "result", "choice", "how it ended: transient = would succeed if repeated, permanent = never", "failure shares",
            required=True, choices=("ok", "timeout", "transient", "permanent"),
        ),
    ),
    "Lognormal, right-censored at the time-out; Binomial failures",
    (
        ("match_ai", "production", "", "2026-10-05", "2", "1", "2.4", "ok"),
        ("match_ai", "production", "", "2026-10-05", "2", "1", "11.0", "ok"),
        ("match_ai", "production", "", "2026-10-05", "3", "1", "30", "timeout"),
        ("match_ai", "production", "", "2026-10-06", "", "3", "", "permanent"),
    ),
)  # fmt: skip

OUTAGES = FileKind(
    "outages", "Outages of connected systems",
    "One row an outage; a row without dates of an outage says that none was seen in that period.",
    (
        ColumnSpec("system", "name", "connected system of the case file", names="systems", required=True),
        _ENVIRONMENT,
        ColumnSpec("observed_from", "day", "first day looked at", "time between outages", required=True),
        ColumnSpec("observed_until", "day", "last day looked at", "time between outages", required=True),
        ColumnSpec("began", "time", "when it began; empty = none in this period", "time between outages"),
        ColumnSpec("ended", "time", "when it ended; empty = still going on", "length of outages"),
    ),
    "Exponential times between, lognormal lengths, open ones censored",
    (("erp", "production", "2026-07-01", "2026-09-30", "2026-08-11 09:20", "2026-08-11 16:45"),),
)  # fmt: skip

TIMES = FileKind(
    "times", "Event dates",
    "One row a visit of a case to a step: when it came, when work on it began and ended. What is empty was not recorded or is open.",
    (
        ColumnSpec("case", "text", "number of the case"),
        ColumnSpec(
            "step", "name", "the step of the case file", names="steps", required=True, fits=("work", "wait", "desk", "review")
        ),
        ColumnSpec("level", "count", "level of a desk, from 1", default=1.0),
        _TYPE,
        ColumnSpec("entered", "time", "when the case came to the step", "waits"),
        ColumnSpec("started", "time", "when work on it began", "waits, service time"),
        ColumnSpec("ended", "time", "when it was done", "service time"),
        ColumnSpec("minutes", "number", "minutes of work, if measured directly", "service time"),
        ColumnSpec("observed_until", "time", "for an open visit: when the export was made"),
        ColumnSpec("asked_outside", "time", "at a desk: when somebody outside was asked", "waits for outside"),
        ColumnSpec("answered", "time", "when the answer from outside came", "waits for outside"),
    ),
    "Lognormal; open visits censored, dates alone interval-censored, periods chosen by their end truncated",
    (
        ("INV-1", "entry", "", "po_standard", "2026-09-01 10:00", "2026-09-02 09:10", "2026-09-02 09:16", "", "", "", ""),
        ("INV-2", "entry", "", "non_po", "2026-09-01 11:00", "", "", "", "2026-09-30 00:00", "", ""),
        ("", "match", "", "", "", "", "", "3.5", "", "", ""),
    ),
)  # fmt: skip

ARRIVALS = FileKind(
    "arrivals", "Cases received a day",
    "One row a day (or a day and type): how many cases came.",
    (
        ColumnSpec("day", "day", "date", "weekday and month-end pattern", required=True),
        _TYPE,
        ColumnSpec("cases", "count", "cases received", "volume, shares of types, overdispersion", required=True),
    ),
    "Negative binomial with weekday and month-end effects",
    (("2026-09-01", "", "128"), ("2026-09-02", "", "119"), ("2026-09-03", "", "104")),
)  # fmt: skip

APPROVALS = FileKind(
    "approvals", "Approval requests",
    "One row a request to an approver: when it was sent and when (and how) it was decided.",
    (
        ColumnSpec("case", "text", "number of the case"),
        _step("approval"),
        ColumnSpec("level", "count", "level of the approval, from 1", default=1.0),
        _TYPE,
        ColumnSpec("asked", "time", "when the request was sent", "response time", required=True),
        ColumnSpec("reminded", "time", "when a reminder was sent", "effect of a reminder"),
        ColumnSpec("decided", "time", "when it was decided; empty = still open", "response time"),
        ColumnSpec(
            "decision", "choice", "what was decided; lapsed = nobody answered within the limit", "share rejected",
            choices=("approved", "rejected", "delegated", "escalated", "lapsed"),
        ),
        ColumnSpec("observed_until", "time", "for an open request: when the export was made"),
    ),
    "Lognormal with the rest shortened by a reminder, open and lapsed requests censored; Binomial rejections",
    (
        ("INV-1", "approve", "1", "po_standard", "2026-09-02 09:30", "", "2026-09-03 15:10", "approved", ""),
        ("INV-3", "approve", "1", "non_po", "2026-09-02 10:00", "2026-09-09 10:00", "2026-09-11 08:05", "rejected", ""),
        ("INV-4", "approve", "1", "non_po", "2026-09-03 10:00", "", "", "", "2026-09-30 00:00"),
    ),
)  # fmt: skip

COUNTS = FileKind(
    "counts", "How often something happened",
    "Counts for any share of the case file: exceptions, rejections, rework, escalations, failures.",
    (
        ColumnSpec("parameter", "name", "path of the share in the case file (scenario show lists them)", "that share",
                   required=True, names="parameters"),
        _TYPE,
        _ENVIRONMENT,
        _DAY,
        _CLUSTER,
        ColumnSpec("happened", "count", "how often it happened", "that share", required=True),
        ColumnSpec("tried", "count", "in how many cases it could have", "that share", required=True),
    ),
    "Binomial with partial pooling over types",
    (
        ("steps.is_exception.options.1.share", "", "", "", "", "214", "1000"),
        ("steps.exceptions.levels.1.resolves", "", "production", "", "", "61", "80"),
    ),
)  # fmt: skip

QUALITY = FileKind(
    "quality", "Data-quality profile",
    "How many cases have a data defect, best by day with the day's volume.",
    (
        _step("ai"),
        ColumnSpec("defect", "name", "defect as the case file names it", names="defects", required=True),
        _ENVIRONMENT,
        _DAY,
        ColumnSpec("volume", "count", "cases received that day", "more defects on busy days"),
        ColumnSpec("cases", "count", "cases looked at", "share of the defect", required=True),
        ColumnSpec("with_defect", "count", "of these, with the defect", "share of the defect", required=True),
    ),
    "Binomial, logit linear in the volume",
    (
        ("send_to_ai", "missing_fields", "production", "2026-09-01", "128", "128", "12"),
        ("send_to_ai", "missing_fields", "production", "2026-09-04", "82", "82", "6"),
        ("send_to_ai", "legacy_format", "production", "", "", "500", "27"),
    ),
)  # fmt: skip

READINESS = FileKind(
    "readiness", "Readiness and staging checks",
    "Checks made before go-live. A check is an imperfect test of whether a cause is under control.",
    (
        ColumnSpec("check", "text", "what was checked", required=True),
        ColumnSpec("cause", "choice", "which cause it tests", "whether the cause acts live", required=True,
                   choices=("data", "scope", "integration", "organisation")),
        ColumnSpec("passed", "flag", "whether it passed", "whether the cause acts live", required=True),
        ColumnSpec("passes_if_ready", "share", "chance that it passes if the cause is under control", required=True),
        ColumnSpec("passes_if_not", "share", "chance that it passes although it is not", required=True),
    ),
    "Bayes' rule on a latent state: ready or not",
    (("load test of the interface in staging", "integration", "yes", "0.95", "0.4"),),
)  # fmt: skip

WEEKLY = FileKind(
    "weekly", "Weekly figures after go-live",
    "One row a week after go-live.",
    (
        _step("ai"),
        ColumnSpec("week", "count", "week after go-live, from 1", required=True),
        ColumnSpec("eligible", "count", "cases that could have gone to the AI", "adoption"),
        ColumnSpec("sent", "count", "cases that went to the AI", "adoption"),
        ColumnSpec("checked", "count", "outputs checked at random", "drift"),
        ColumnSpec("right", "count", "of these, right", "drift"),
    ),
    "Binomial: adoption on its logistic curve, accuracy on the drift's",
    (("send_to_ai", "1", "560", "180", "40", "36"), ("send_to_ai", "2", "575", "205", "40", "35")),
)  # fmt: skip

EXPERTS = FileKind(
    "experts", "What experts say",
    "One row an expert and parameter: low, likely, high, and how sure they are that it lies between.",
    (
        ColumnSpec("expert", "text", "who said it (kept as a pseudonym)", required=True, person=True),
        ColumnSpec("parameter", "name", "path of the parameter in the case file", "that parameter", required=True, names="parameters"),
        ColumnSpec("environment", "choice", "for a parameter that differs: where", choices=("as_is", "pilot", "production")),
        ColumnSpec("low", "text", "low, with its unit", "that parameter", required=True),
        ColumnSpec("likely", "text", "most likely, with its unit", "that parameter", required=True),
        ColumnSpec("high", "text", "high, with its unit", "that parameter", required=True),
        ColumnSpec("sure", "share", "how sure that it lies between", default=0.9),
        ColumnSpec("weight", "number", "weight among the experts", default=1.0),
    ),
    "Equal-weight (or weighted) mixture of the experts' distributions",
    (
        ("A", "steps.review.catch", "", "0.75", "0.9", "0.97", "0.9", "1"),
        ("B", "steps.review.catch", "", "0.5", "0.8", "0.95", "0.9", "1"),
    ),
)  # fmt: skip

KINDS: tuple[FileKind, ...] = (
    PILOT, PRODUCTION, AUDIT, SEEDED, CALLS, OUTAGES, TIMES, ARRIVALS, APPROVALS, COUNTS, QUALITY, READINESS, WEEKLY, EXPERTS,
)  # fmt: skip
"""All kinds; `evidence/NAME.csv` (or .parquet, .xlsx) is read as the kind of that name."""


def kind_named(name: str) -> FileKind | None:
    """The kind of file of that name, or None."""
    return next((k for k in KINDS if k.name == name), None)
