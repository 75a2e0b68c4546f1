"""Can today's process do its work? Teams of unknown size are given the people they need; contradictions are told."""

from __future__ import annotations

from math import ceil
from typing import Any

from models import units
from scenarios.files import LoadedCase
from scenarios.interview.draft import Draft
from scenarios.interview.volume import by_arm
from scenarios.overload import today_without_queues
from simulator.clock import DAY

BUSY = 0.85
"""Load up to which people are added; beyond 99.5 % nothing would ever be done."""
ROUNDS = 4


def settle(draft: Draft, loaded: LoadedCase) -> str:
    """Adds people where an answer left too few, takes away places that no case visits; returns a contradiction in words, if any."""
    for _ in range(ROUNDS):
        today = today_without_queues(loaded.case)
        _remove_places(draft, today.unvisited)
        short = {name: load for name, load in today.teams.items() if load.share > (BUSY if _may_grow(draft, name) else 0.995)}
        if not short:
            return _contradiction(draft, loaded, today.mean_days)
        for name, load in short.items():
            needed = max(load.needed, ceil(load.heads * load.share / BUSY)) if load.heads else 1
            if _may_grow(draft, name):
                _grow(draft, name, needed, load.heads)
            else:
                _refuse(draft, name, load.share, needed)
        if draft.problems:
            return ""
        loaded = draft.validated()
    return ""


def _may_grow(draft: Draft, team: str) -> bool:
    return team not in draft.kept_heads


def _grow(draft: Draft, team: str, needed: int, heads: int) -> None:
    """The people of a team whose size is a guess; those it has live and in the pilot grow with it."""
    spec = draft.data["teams"][team]
    for holder, path in ((spec, f"teams.{team}.headcount"), (spec.get("change"), f"teams.{team}.change.headcount")):
        if holder is not None:
            holder["headcount"] = by_arm(draft, path, lambda x: max(1, round(x + needed - heads)))
    draft.assume(f'"{spec.get("label", team)}" gets {needed} instead of {heads} people, so that today\'s work can be done')


def _refuse(draft: Draft, team: str, share: float, needed: int) -> None:
    said = draft.written.get(f"teams.{team}.headcount", "volume.people")
    label = draft.data["teams"][team].get("label", team)
    message = f'"{label}" could never do this work: load {100 * share:.0f} %'
    draft.refuse(said, message, f"at least {needed} people are needed at this volume; or leave the number open", code="E404")


def _remove_places(draft: Draft, unvisited: tuple[str, ...]) -> None:
    places: dict[str, Any] = (draft.data.get("baseline") or {}).get("places") or {}
    for name in unvisited:
        if places.pop(name, None) is not None:
            draft.assume(f'no case comes to "{name}" today, so none of today\'s days can lie there')


def _contradiction(draft: Draft, loaded: LoadedCase, mean_days: float) -> str:
    """Work and waits that alone take longer than what is observed."""
    if loaded.case.baseline is None:
        return ""
    observed = loaded.case.baseline.observed.uncertain().median / DAY
    if mean_days <= 1.02 * observed:
        return ""
    return (
        f"Work and waits alone take {mean_days:.1f} days on average, today's number is {units.duration_text(observed * DAY)}: both cannot be. "
        "Without a change there will be no verdict. Look at approvals and exceptions first."
    )
