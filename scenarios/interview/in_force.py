"""What holds in a case for a field that was left open, in words that the question itself uses."""

from __future__ import annotations

from models import schema, units
from models.leaves import leaves
from scenarios.interview.draft import Draft
from scenarios.interview.questions import Field, Question
from scenarios.interview.workflow import days_outside, exception_share
from simulator.clock import DAY


def in_force(draft: Draft, question: Question, field: Field) -> str:
    """The number of the case, "" if there is none or an answer to another field set it."""
    match question.id, field.id:
        case "promise", "level":
            target = draft.case().target
            return "" if target.statistic == "share_within" else units.duration_text(units.seconds(target.level))
        case "promise", "weeks":
            return "{} to {}".format(*draft.case().target.weeks)
        case "promise", "go_live":
            return draft.case().go_live.isoformat()
        case "volume", "types":
            return ", ".join(f'"{spec.label or name}"' for name, spec in draft.case().types.items())
        case "volume", "per_month" if draft.case().arrivals.per_month is None:
            return ""
        case "process", _:
            return _process(draft, field)
        case "unsure", "accepted_wrong" if draft.roles.ai:
            ai = draft.roles.ai
            coverage = draft.case_median(f"steps.{ai}.coverage")
            return _per_cent(draft.case_median(f"steps.{ai}.accepted_error") / coverage) if coverage else ""
    return _number(draft, field)


def _process(draft: Draft, field: Field) -> str:
    roles = draft.roles
    match field.id:
        case "levels":
            return str(len(draft.node(f"steps.{roles.approval}.levels"))) if roles.approval else ""
        case "systems":
            return str(len(roles.systems)) if roles.systems else ""
        case "exceptions":
            return _per_cent(exception_share(draft)) if roles.choice else ""
        case "exception_days":
            days = days_outside(draft) / DAY if roles.desk else 0.0
            return f"{days:.3g} d waiting for others outside" if days else ""
        case "outages":
            path = roles.filled(field.path)
            known = any(leaf.path == path for leaf in leaves(draft.case()))
            return f"{365 * DAY / draft.case_median(path, 'production'):.3g}" if known else ""
    return _number(draft, field)


def _number(draft: Draft, field: Field) -> str:
    path = draft.roles.filled(field.path)
    found = next((leaf.parameter for leaf in leaves(draft.case()) if leaf.path == path), None)
    return "" if found is None or path in draft.written else described(found, draft.case().money.currency)


def described(parameter: schema.Parameter, currency: str) -> str:
    """The middle of a number and, if it is uncertain, where it lies in 9 of 10 cases; of one that differs by world, the live one."""
    found = parameter.in_arm("production").uncertain()
    low, middle, high = (_shown(parameter, float(x), currency) for x in found.quantile([0.05, 0.5, 0.95]))
    return middle if found.fixed is not None else f"{middle} ({low} to {high})"


def _shown(parameter: schema.Parameter, value: float, currency: str) -> str:
    if parameter.dimension == "money":
        return f"{value:.2f} {currency}"
    return units.text(parameter.dimension, float(f"{value:.3g}") if parameter.dimension in ("share", "accuracy") else value)


def _per_cent(share: float) -> str:
    return units.text("share", float(f"{share:.3g}"))
