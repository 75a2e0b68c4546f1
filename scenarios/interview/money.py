"""What things cost, in one currency."""

from __future__ import annotations

import re
from typing import Any

from models.schema import MoneySpec
from scenarios.interview import reading
from scenarios.interview.draft import Draft
from scenarios.interview.reading import AnswerError, Estimate

MOST = 1e9


def money(draft: Draft) -> None:
    """Costs of a case, of the AI, of an hour; the investment."""
    amounts = {name: draft.reply("money", name, Estimate) for name in ("cost_today", "ai_fee", "investment")}
    rates: tuple[tuple[str, Estimate], ...] = draft.reply("money", "hourly", tuple) or ()
    said = [(name, found) for name, found in amounts.items() if found is not None] + [("hourly", rate) for _, rate in rates]
    currency = _currency(draft, said)
    if currency is None:
        return
    draft.data.setdefault("money", {})
    for name, key in (("cost_today", "cost_per_case_today"), ("ai_fee", "ai_cost_per_case")):
        found = amounts[name]
        if found is None:
            continue
        if name == "ai_fee" and not draft.roles.ai:
            draft.leave("the process has no AI step: the fee of the AI is not used")
            continue
        draft.state(f"money.{key}", _in(found, currency), f"money.{name}")
    _rates(draft, rates, currency)
    if amounts["investment"] is not None:
        _investment(draft, _in(amounts["investment"], currency))


def _currency(draft: Draft, said: list[tuple[str, Estimate]]) -> str | None:
    """The currency of the case after these answers; None if they contradict each other."""
    for name, found in said:
        if not (found.high or found.likely) <= MOST:
            draft.refuse(f"money.{name}", f"must be at most {MOST:,.0f}")
            return None
    named = list(dict.fromkeys(found.unit for _, found in said if found.unit))
    old = str((draft.data.get("money") or {}).get("currency", "USD"))
    if len(named) > 1:
        draft.refuse("money.cost_today", f"amounts are in {' and '.join(named)}; all must be in one currency", code="E307")
        return None
    if not named or named[0] == old:
        return old
    draft.data = _renamed(draft.data, old, named[0])
    draft.data.setdefault("money", {})["currency"] = named[0]
    draft.assume(f"the example's other amounts are taken over as {named[0]} without conversion (they were {old})")
    return named[0]


def _renamed(node: Any, old: str, new: str) -> Any:
    """All amounts with their currency renamed."""
    if isinstance(node, dict):
        return {key: _renamed(value, old, new) for key, value in node.items()}
    if isinstance(node, list):
        return [_renamed(item, old, new) for item in node]
    if isinstance(node, str) and re.fullmatch(rf"[\d._ ]+{old}", node):
        return f"{node.removesuffix(old).strip()} {new}"
    return node


def _in(found: Estimate, currency: str) -> Estimate:
    from dataclasses import replace

    return replace(found, unit=currency)


def _rates(draft: Draft, rates: tuple[tuple[str, Estimate], ...], currency: str) -> None:
    """One rate for all teams, or one for each that is named."""
    teams = {name: str(spec.get("label", name)) for name, spec in draft.data["teams"].items()}
    if rates and not teams:
        draft.leave("the process has no teams: the cost of an hour is not used")
        return
    for team, rate in rates:
        try:
            names = [reading.known_choice(team, teams)] if team else list(teams)
        except AnswerError as error:
            draft.refuse("money.hourly", f"teams: {error}", code="E104")
            continue
        for name in names:
            draft.state(f"teams.{name}.cost_per_hour", _in(rate, currency), "money.hourly")


def _investment(draft: Draft, amount: Estimate) -> None:
    if "investment" in MoneySpec.model_fields:
        draft.state("money.investment", amount, "money.investment")
    else:
        draft.leave("the investment is kept in interview.toml; the case file has no place for it yet, so no payback is computed")
