"""What the pilot measured, and what happens to what the AI is not sure of."""

from __future__ import annotations

from models import schema
from scenarios.interview.draft import Draft
from scenarios.interview.reading import Estimate

USUAL_FIELDS = 10
USUAL_TRIED = 400
SLACK = 1e-7


def pilot(draft: Draft) -> None:
    """Accuracy, on how many it rests, and whether it counts documents or fields."""
    found, ai = draft.reply("pilot", "accuracy", Estimate), draft.roles.ai
    if not ai:
        draft.leave("the process has no AI step: what the pilot measured is not used") if found else None
        return
    if found is None:
        said = [name for name in ("tried", "measured", "fields") if draft.reply("pilot", name, object) is not None]
        if said:
            draft.assume("without an accuracy, what else was said about the pilot is not used")
        return
    if draft.roles.ais > 1:
        draft.assume(f'the process has {draft.roles.ais} AI steps: the pilot\'s accuracy is taken for the first one, "{ai}"')
    step = draft.node(f"steps.{ai}")
    old = step.get("accuracy")
    effective = old.get("effective", 1.0) if isinstance(old, dict) else 1.0
    draft.state(f"steps.{ai}.accuracy", _counted(draft, found, effective, old), "pilot.accuracy")
    _what_it_counts(draft, step)


def _counted(draft: Draft, found: Estimate, effective: float, old: object) -> dict[str, object]:
    """The accuracy as counts where one number was given: a share says nothing about how sure it is."""
    tried = draft.reply("pilot", "tried", int)
    if found.is_range:
        if tried:
            draft.assume("the accuracy was given as a range: the range counts, not the number of cases")
        return found.stated()
    if found.counts is not None:
        right, tried = found.counts
    else:
        if not tried:
            tried = int(old["tried"]) if isinstance(old, dict) and "tried" in old else USUAL_TRIED
            draft.assume(f"on how many cases the accuracy rests is not known: {tried} are assumed")
        right = round(found.likely * tried)
    if effective < 1:
        draft.assume(
            f"errors come in clusters such as suppliers: the {tried:,} checked count as {tried * effective:,.0f}, as in the example"
        )
    return {"right": right, "tried": tried, **({"effective": effective} if effective != 1 else {})}


def _what_it_counts(draft: Draft, step: dict[str, object]) -> None:
    measured = draft.reply("pilot", "measured", str)
    if measured is None:
        counted = "fields" if step.get("measured") == "per_field" else "documents"
        draft.assume(f"the accuracy is taken to count {counted}, as in the example")
        return
    step["measured"] = measured
    fields = draft.reply("pilot", "fields", int)
    if measured == "per_case":
        step.pop("fields", None)
    else:
        if fields is None:
            draft.assume(f"how many fields must be right is not known: {step.get('fields', USUAL_FIELDS)} are assumed")
        step["fields"] = fields or step.get("fields", USUAL_FIELDS)


def unsure(draft: Draft) -> None:
    """What is accepted without review, what of it is wrong, who reviews the rest and what they notice."""
    roles = draft.roles
    coverage, catch = draft.reply("unsure", "coverage", Estimate), draft.reply("unsure", "catch", Estimate)
    if roles.ai and coverage is not None:
        draft.state(f"steps.{roles.ai}.coverage", coverage, "unsure.coverage")
    if roles.review and catch is not None:
        draft.state(f"steps.{roles.review}.catch", catch, "unsure.catch")
    if roles.ai:
        _accepted_error(draft, roles.ai)


def _accepted_error(draft: Draft, ai: str) -> None:
    """Accepted and wrong, as a share of all outputs: between what accuracy and coverage leave possible."""
    said = draft.reply("unsure", "accepted_wrong", Estimate)
    changed = {f"steps.{ai}.accuracy", f"steps.{ai}.coverage"} & set(draft.written)
    if said is None and not changed:
        return
    path = f"steps.{ai}.accepted_error"
    right, coverage, old, was_right = _medians(draft, ai)
    lowest, highest = max(0.0, coverage - right), min(coverage, 1 - right)
    if said is not None:
        found = said.mapped(lambda x: x * coverage)
        if not lowest - SLACK <= found.middle <= highest + SLACK:
            low, high = (100 * x / coverage if coverage else 0.0 for x in (lowest, highest))
            message = f"with this accuracy and this share accepted, {low:.3g} % to {high:.3g} % of the accepted can be wrong"
            draft.refuse("unsure.accepted_wrong", message, "check the three numbers, or leave one open")
            return
        draft.state(path, found, "unsure.accepted_wrong", note=f"times {coverage:.3g} accepted")
        return
    _in_proportion(draft, path, old / max(1 - was_right, 1e-9), right, (lowest, highest))


def _in_proportion(draft: Draft, path: str, passing: float, right: float, limits: tuple[float, float]) -> None:
    """Not asked for: the AI's errors pass unnoticed in the same proportion as in the example, within what is possible."""
    from scenarios.interview.structure import scaled

    lowest, highest = limits
    parent, _, key = path.rpartition(".")
    holder, before = draft.node(parent), draft.case_median(path)
    wanted = min(max(passing * (1 - right), lowest), highest)
    if before <= 0 or abs(wanted / before - 1) < 1e-9:
        if not lowest - SLACK <= before <= highest + SLACK:
            holder[key] = {"value": wanted, "source": "guess"}
        return
    note = {"source": "guess", "note": "the example's, in proportion to the errors that the pilot showed"}
    kept = holder[key] if isinstance(holder[key], dict) else {"value": holder[key]}
    holder[key] = {**scaled({k: v for k, v in kept.items() if k not in ("cite", "grade")}, wanted / before), **note}
    if not _fits(draft, path, limits):
        holder[key] = {"value": wanted, **note}
    draft.assume(
        f"{100 * wanted:.2g} % of all outputs are assumed to be accepted and wrong: as large a part of the errors as in the example"
    )


def _fits(draft: Draft, path: str, limits: tuple[float, float]) -> bool:
    from pydantic import ValidationError

    try:
        return limits[0] - SLACK <= draft.case_median(path) <= limits[1] + SLACK
    except ValidationError:
        return False


def _medians(draft: Draft, ai: str) -> tuple[float, float, float, float]:
    """Accuracy by document and coverage as they are now; accepted errors and accuracy as they were."""
    step = next(s for s in draft.case().steps if s.id == ai)
    before = next(s for s in draft.original.steps if s.id == ai)
    assert isinstance(step, schema.Ai)
    assert isinstance(before, schema.Ai)

    def by_document(a: schema.Ai) -> float:
        return float(a.accuracy.in_arm("pilot").uncertain().median ** (a.fields if a.measured == "per_field" else 1))

    coverage, error = (p.in_arm("pilot").uncertain().median for p in (step.coverage, before.accepted_error))
    return by_document(step), coverage, error, by_document(before)


def reviewers(draft: Draft) -> None:
    """The reviewers: a team of their own and its size, or the people at data entry."""
    roles, who, people = draft.roles, draft.reply("unsure", "who", str), draft.reply("unsure", "reviewers", int)
    if not roles.review:
        if who or people is not None:
            draft.leave("the process has no review step: who reviews is not used")
        return
    if who == "entry" and roles.entry and roles.entry != roles.reviewers:
        from copy import deepcopy

        data = deepcopy(draft.data)
        next(s for s in data["steps"] if s["id"] == roles.review)["team"] = roles.entry
        draft.attempt(data, "the review could not be given to the people at data entry")
    elif who == "entry" and not roles.entry:
        draft.leave("the process has no data entry by hand: the review stays with its own team")
    if people is not None:
        draft.state(f"teams.{roles.reviewers}.headcount", {"value": people}, "unsure.reviewers", arm="production")
        draft.kept_heads.add(roles.reviewers)
