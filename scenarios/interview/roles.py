"""Which part of a case plays which role, by the kinds of its steps: what an answer can change without knowing names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Roles:
    """Ids; "" where the case has no such part.

    `entry`: the team that does the work by hand · `choice`, `option`: where exceptions branch off to the desk (number from 1)
    `systems`: the steps that post to connected systems, in their order · `system`, `endpoint`: the first of them and what it calls
    """

    ai: str = ""
    ais: int = 0
    review: str = ""
    reviewers: str = ""
    entry: str = ""
    approval: str = ""
    desk: str = ""
    desk_team: str = ""
    choice: str = ""
    option: int = 0
    systems: tuple[str, ...] = ()
    system: str = ""
    endpoint: str = ""

    def filled(self, template: str) -> str:
        """A path with the roles in braces replaced by ids; "" if one of them is missing."""
        values = {name: str(getattr(self, name) or "") for name in self.__dataclass_fields__}
        used = [name for name in values if "{" + name + "}" in template]
        return template.format(**values) if all(values[name] for name in used) else ""


def roles_of(data: Mapping[str, Any]) -> Roles:
    """The first of each kind of step in the order of the file."""
    steps: list[Mapping[str, Any]] = list(data["steps"])
    first = {kind: next((s for s in steps if s["kind"] == kind), {}) for kind in ("ai", "approval", "desk", "system")}
    ai, desk, system = first["ai"], first["desk"], first["system"]
    review: Mapping[str, Any] = next((s for s in steps if s["kind"] == "review" and s["of"] == ai.get("id")), {})
    choice, option = _way_to(steps, str(desk.get("id", "")))
    return Roles(
        ai=ai.get("id", ""),
        ais=sum(s["kind"] == "ai" for s in steps),
        review=review.get("id", ""),
        reviewers=review.get("team", ""),
        entry=_entry(steps, ai.get("manual", "")),
        approval=first["approval"].get("id", ""),
        desk=desk.get("id", ""),
        desk_team=desk["levels"][0]["team"] if desk else "",
        choice=choice,
        option=option,
        systems=tuple(s["id"] for s in steps if s["kind"] == "system"),
        system=system.get("id", ""),
        endpoint=system.get("system", ""),
    )


def _way_to(steps: list[Mapping[str, Any]], desk: str) -> tuple[str, int]:
    """The first choice that sends a share of the cases to the desk, and which of its options."""
    for step in steps:
        for number, option in enumerate(step["options"] if step["kind"] == "choice" else [], 1):
            if desk and option["to"] == desk and "share" in option:
                return str(step["id"]), number
    return "", 0


def _entry(steps: list[Mapping[str, Any]], manual: str) -> str:
    """The team of the first step of work from where cases go by hand."""
    ids = [s["id"] for s in steps]
    after = steps[ids.index(manual) :] if manual in ids else steps
    return str(next((s["team"] for s in after if s["kind"] == "work"), ""))
