"""The steps of scenarios/travel_declarations.toml, as text with places for the facts: `$name` is filled in by `travel_text`."""

from __future__ import annotations

BY_DEFINITION = '{ value = 1.0, $source, note = "by definition" }'


def _step(name: str, kind: str, label: str, *lines: str) -> str:
    shown = [f'label = "{label}"'] if label else []
    return "\n".join(["[[steps]]", f'id = "{name}"', f'kind = "{kind}"', *shown, *lines])


def _wait(name: str, label: str, on: str, following: str = "") -> str:
    """A wait whose law comes from the log, under its own name."""
    return _step(name, "wait", label, f'on = "{on}"', *([f'next = "{following}"'] if following else []), f"${name}")


def _choice(name: str, label: str, when: str, options: str, otherwise: str) -> str:
    return _step(name, "choice", label, f'when = ["{when}"]', f"options = [{options}]", f'otherwise = "{otherwise}"')


def _flag(name: str, label: str, flag: str) -> str:
    return _step(name, "flag", label, f'flag = "{flag}"', f"chance = {BY_DEFINITION}")


def _discovery(name: str, label: str, chance: str, to: str) -> str:
    return _step(name, "discovery", label, 'of = "check_ai"', f"chance = {{ {chance} }}", f'to = "{to}"')


def _again(name: str, to: str, limit: int, otherwise: str) -> str:
    return _step(name, "again", "", f'to = "{to}"', f"limit = {limit}", f'otherwise = "{otherwise}"')


def _end(name: str, result: str) -> str:
    return _step(name, "end", "", f'result = "{result}"')


def _level(comment: str, for_type: str, *lines: str) -> str:
    needed = f"needed = {{ types = {{ {for_type} = {{ value = 1.0, $source }} }} }}"
    return "\n".join([comment, "[[steps.levels]]", needed, *lines])


def _heading(title: str) -> str:
    return f"# ---------------------------------------------------------------- {title}"


FIRST_CHECK = (
    _heading("the first check"),
    "# What the administration rejects today counts as truly defective.\n"
    + _step(
        "defective", "flag", "truly defective?", 'flag = "defective"', "[steps.chance.types]",
        "without_budget_owner = $defective_without", "with_budget_owner = $defective_with",
    ),
    _step(
        "check_ai", "ai", "AI check",
        'routed = { value = 1.0, source = "guess", note = "live, the AI gets every first submission at once; resubmissions stay with the administration" }',
        'manual = "check"', 'accepted = "ai_decides"', 'referred = "hand_over"',
        'accuracy = { right = 368, tried = 400, source = "guess", note = "stated assumption of the what-if: 92 % of 400; no such check was piloted" }',
        'shift = { mean = -0.3, sd = 0.2, source = "guess", note = "live declarations are less tidy than a pilot\'s: about 2 points at 92 %" }',
        'scope_penalty = { value = 0.0, source = "guess", note = "both types are taken as piloted, so nothing depends on it" }',
        'coverage = { low = 0.80, likely = 0.90, high = 0.96, source = "guess", note = "the AI decides nine of ten by itself and refers the rest" }',
        'accepted_error = { low = 0.02, likely = 0.045, high = 0.07, source = "guess", note = "confidence filters out somewhat less than half of its errors" }',
        'time = { kind = "uniform", low = { value = "2 s", source = "guess" }, high = { value = "10 s", source = "guess" } }',
    ),
    "# The administration decides on what the AI refers as it does today, whatever the AI found.\n"
    + _step(
        "hand_over", "review", "referred to the administration", 'of = "check_ai"', 'team = "administration"', 'service = "0 s"',
        'catch = { value = 1.0, source = "guess", note = "today\'s decision is the measure of right and wrong" }', 'next = "check"',
    ),
    "# A right AI rejects exactly the defective ones, a wrong one does the opposite.\n"
    + _choice("ai_decides", "AI decides", "defective", '{ to = "ai_on_defective" }', "ai_on_good"),
    _choice("ai_on_defective", "AI on a defective declaration", "check_ai.wrong", '{ to = "approve" }', "administration_rejects"),
    _choice("ai_on_good", "AI on a good declaration", "check_ai.wrong", '{ to = "administration_rejects" }', "approve"),
    _choice("check", "check by the administration", "defective", '{ to = "check_rejects" }', "check_approves"),
    _wait("check_approves", "until the administration approves", "step", "approve"),
    _wait("check_rejects", "until the administration rejects", "step"),
)  # fmt: skip

CORRECTION = (
    _heading("correction after a rejection by the administration or the AI"),
    _flag("administration_rejects", "rejected at the check", "admin_rejected"),
    _wait("confirm", "until the employee sees the rejection", "outside"),
    _wait("correct", "until the employee resubmits", "outside"),
    _discovery(
        "objection", "a good declaration was rejected",
        'value = 1.0, source = "guess", note = "the administration checks resubmissions and sees that nothing was wrong"', "recheck",
    ),
    _choice(
        "recheck", "check of the resubmission", "!rejected_twice",
        '{ to = "recheck_rejects", share = $second_rejection }, { to = "recheck_approves" }', "recheck_approves",
    ),
    _wait("recheck_rejects", "until the resubmission is rejected", "step"),
    _flag("second_rejection", "rejected a second time", "rejected_twice"),
    _again("correct_again", "confirm", 1, "recheck_approves"),
    _wait("recheck_approves", "until the resubmission is approved", "step"),
)  # fmt: skip

TIME_OUT = """\
# 3: supervisor after a budget owner. What is undecided at 05:15 on the 7th calendar day counts as approved: $time_out_count
# in the log ($time_out_share). Counted from the hour of the budget owner's approval, that is the limit below. Answers are a
# right-censored sample: up to the limit the quantiles are those of the answers that came before it, at their share of all;
# the rest of the probability lies above the limit, at the few answers to which the time-out did not apply."""

APPROVALS = (
    _heading("approvals"),
    _step("approve", "approval", "approvals", 'rejected = "approver_rejects"', 'next = "defect_noticed"'),
    _level("# 1: budget owner", "with_budget_owner", "rejects = $owner_rejects", "$budget_owner"),
    _level("# 2: supervisor, nobody before", "without_budget_owner", "rejects = $direct_rejects", "$supervisor"),
    _level(
        TIME_OUT, "with_budget_owner",
        'limit = { mean = "$limit_mean d", sd = "$limit_error d", $source, note = "mean wait of the approvals stamped 05:15 local time" }',
        'on_limit = "approve"', "limit_share = $limit_applies", "rejects = $late_rejects", "$after_budget_owner",
    ),
    _discovery(
        "defect_noticed", "approvers notice a defect that the AI passed",
        'low = 0.1, likely = 0.3, high = 0.6, source = "guess", note = "approvers look at the trip and the budget, not at receipts"',
        "approver_rejects",
    ),
    _end("approved", "approved"),
)  # fmt: skip

CORRECTION_FOR_APPROVER = (
    _heading("correction after a rejection by an approver"),
    _flag("approver_rejects", "rejected by an approver", "approver_rejected"),
    _step(
        "resubmits", "choice", "resubmitted?",
        'options = [{ to = "not_approved", share = $withdrawn }, { to = "correct_for_approver" }]',
    ),
    _wait("correct_for_approver", "until the employee resubmits for the approver", "outside"),
    _discovery(
        "defect_corrected", "the correction removes a defect that the AI passed", 'value = 1.0, source = "guess"', "recheck_for_approver",
    ),
    _wait("recheck_for_approver", "until the administration approves again", "step"),
    _again("approve_again", "approve", 3, "approved"),
    _end("not_approved", "not approved"),
)  # fmt: skip

PROCESS = "\n\n".join((*FIRST_CHECK, *CORRECTION, *APPROVALS, *CORRECTION_FOR_APPROVER)) + "\n"
