"""The case while answers are laid over it: plain data, what was said, what had to be assumed, what could not be adapted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, TypeVar

from models.leaves import leaves
from models.schema import Arm, CaseFile, Parameter
from scenarios.files import LoadedCase
from scenarios.interview.answers import Replies, Reply
from scenarios.interview.questions import question_named
from scenarios.interview.reading import Estimate
from scenarios.interview.roles import Roles, roles_of
from scenarios.problems import CaseError, Problem
from simulator.clock import HOUR, WEEK, parse_hours

Data = dict[str, Any]
Kind = TypeVar("Kind")
ARMS: tuple[Arm, ...] = ("as_is", "pilot", "production")
_FORMS = ("value", "low", "likely", "high", "mass", "right", "tried", "effective", "mean", "sd")
_NOTES = ("owner", "note", "cite", "grade", "inherited", "source")


@dataclass(slots=True)
class Draft:
    """One application of answers. `written`: place in the case → the answer (`question.field`) that set it."""

    data: Data
    replies: Replies
    original: CaseFile
    """The case before any answer."""
    assumed: list[str] = field(default_factory=list)
    not_adapted: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    written: dict[str, str] = field(default_factory=dict)
    kept_heads: set[str] = field(default_factory=set)
    """Teams whose size was answered."""
    settled: CaseFile | None = None
    """The case at the end, when nothing changes any more."""
    type_levels: tuple[int, bool] | None = None
    """Most approvals that a type was said to need, and whether it was said of all types."""

    @classmethod
    def of(cls, data: Mapping[str, Any], replies: Replies) -> Draft:
        return cls(deepcopy(dict(data)), replies, CaseFile.model_validate(dict(data)))

    @property
    def roles(self) -> Roles:
        """What plays which part in the case as it stands."""
        return roles_of(self.data)

    def reply(self, question: str, name: str, kind: type[Kind]) -> Kind | None:
        """An answer as read, None if it is open or not asked because of another one."""
        if not self.is_asked(question, name):
            return None
        found: Reply | None = self.replies.values.get((question, name))
        return found if isinstance(found, kind) else None

    def is_asked(self, question: str, name: str) -> bool:
        """Whether an answer has a meaning beside the others of its question."""
        needs = question_named(question).field(name).only_if
        if needs is None:
            return True
        other = self.replies.values.get((question, needs[0]), "")
        return str(other) in needs[1]

    def text(self, question: str, name: str) -> str:
        """An answer as typed."""
        found = self.replies.texts.get((question, name), "")
        return found if isinstance(found, str) else ""

    # -- saying

    def assume(self, sentence: str) -> None:
        """Keeps an assumption once."""
        if sentence not in self.assumed:
            self.assumed.append(sentence)

    def leave(self, sentence: str) -> None:
        """Keeps what could not be adapted."""
        if sentence not in self.not_adapted:
            self.not_adapted.append(sentence)

    def refuse(self, place: str, message: str, remedy: str = "", code: str = "E213") -> None:
        """Keeps a problem of an answer."""
        self.problems.append(Problem(code, place, message, remedy))

    # -- writing

    def node(self, path: str) -> Any:
        """What stands at a place of the data; None if nothing does. Steps go by id, items of lists by number from 1."""
        node: Any = self.data
        for key in path.split(".") if path else []:
            node = child(node, key)
        return node

    def put(self, path: str, value: Any, said: str) -> None:
        """Replaces what stands at a place by a plain value."""
        parent, _, last = path.rpartition(".")
        self.node(parent)[last] = value
        self.written[path] = said

    def state(self, path: str, stated: Estimate | Mapping[str, Any], said: str, arm: Arm | None = None, note: str = "") -> None:
        """States a number at a place, as said by the owner. With `arm`, a number that differs by world changes in that one alone."""
        parent, _, last = path.rpartition(".")
        holder = self.node(parent)
        old = holder.get(last)
        belief = stated.stated() if isinstance(stated, Estimate) else dict(stated)
        by_arm = isinstance(old, Mapping) and "pilot" in old and arm is not None
        value = _with_arm(old, belief, arm) if by_arm else belief
        question, _, name = said.partition(".")
        typed = self.text(question, name)
        words = [f"interview: {typed}"] if typed else []
        holder[last] = {**value, **self.elicited(" · ".join([*words, *([note] if note else [])]))}
        self.written[path] = said

    def elicited(self, note: str) -> Data:
        """Source, owner and remark of what was said."""
        owner = {"owner": self.replies.owner} if self.replies.owner else {}
        return {"source": "elicited", **owner, **({"note": note} if note else {})}

    def attempt(self, change: Mapping[str, Any] | None, failure: str) -> bool:
        """Takes over changed data if they make a valid case; otherwise says what was not adapted."""
        from scenarios.files import validated
        from scenarios.interview.structure import tidied

        if change is None:
            self.leave(failure)
            return False
        data = tidied(change)
        try:
            validated({key: value for key, value in data.items() if key != "options"}, "case.toml")
        except CaseError:
            self.leave(failure)
            return False
        self.data = data
        return True

    def validated(self) -> LoadedCase:
        """The data as a checked case; options that no longer fit are left out, and that is said. Raises CaseError."""
        from scenarios.files import validated
        from scenarios.interview.structure import tidied, without_needless_next

        self.data = without_needless_next(tidied(self.data), self.original)
        try:
            return validated(self.data, "case.toml")
        except CaseError as error:
            broken = {p.place.removeprefix("options.").split(":")[0] for p in error.problems if p.place.startswith("options.")}
            if not broken or any(not p.place.startswith("options.") for p in error.problems):
                raise
        titles = [str(self.data["options"].pop(name)["title"]) for name in sorted(broken)]
        self.leave(f"options of going live that no longer fit are left out: {', '.join(titles)}")
        return self.validated()

    def blamed(self, problem: Problem) -> Problem:
        """A problem of the case at the answer that caused it, if one did."""
        hits = [path for path in self.written if problem.place == path or problem.place.startswith((f"{path}.", f"{path} "))]
        said = self.written[max(hits, key=len)] if hits else ""
        if not said:
            return problem
        return Problem(problem.code, said, problem.message, problem.remedy)

    # -- reading

    def case(self) -> CaseFile:
        """The data as a case, without the checks of the whole."""
        return self.settled or CaseFile.model_validate(self.data)

    def case_median(self, path: str, arm: Arm = "pilot") -> float:
        """The middle value of a number of the case as it stands, in base units."""
        return self.parameter(path).in_arm(arm).uncertain().median

    def parameter(self, path: str) -> Parameter:
        """A number of the case as it stands."""
        return next(leaf.parameter for leaf in leaves(self.case()) if leaf.path == path)

    def days_factor(self) -> float:
        """Calendar days of a working day, by the arrivals' calendar: 7 / 5 for Monday to Friday."""
        spec = self.data["calendars"][self.data["arrivals"]["calendar"]]
        return 7 / len(spec.get("days", ["mon", "tue", "wed", "thu", "fri"]))

    def in_calendar_days(self, found: Estimate, working: bool = False) -> Estimate:
        """A time in elapsed days; one counted in working days is stretched, and that is said."""
        if not (working or found.working):
            return found
        factor = self.days_factor()
        self.assume(f"{7 / factor:.0f} working days are taken as 7 calendar days (public holidays are not added)")
        stretched = found.mapped(lambda x: x * factor)
        return stretched

    def on_clock(self, found: Estimate, calendar: str | None) -> Estimate:
        """An elapsed time on the clock of a calendar: the hours that are open in it."""
        if calendar is None:
            return found
        spec = self.data["calendars"][calendar]
        windows = [parse_hours(text) for text in spec.get("hours", ["09:00-17:00"])]
        share = sum(end - start for start, end in windows) * len(spec.get("days", range(5))) / WEEK
        self.assume(f'times that run on the calendar "{calendar}" count its open hours only ({share * WEEK / HOUR:.4g} a week)')
        stretched = found.mapped(lambda x: x * share)
        return Estimate(
            stretched.text, stretched.dimension, stretched.likely, stretched.low, stretched.high, stretched.mass, "h", None,
            False, stretched.sure_said,
        )  # fmt: skip


def child(node: Any, key: str) -> Any:
    """One step down: a key of a table, a step by its id, an item by its number from 1; None if there is none."""
    if isinstance(node, list):
        by_id = [item for item in node if isinstance(item, Mapping) and item.get("id") == key]
        return by_id[0] if by_id else node[int(key) - 1] if re.fullmatch(r"[1-9]\d*", key) and int(key) <= len(node) else None
    return node.get(key) if isinstance(node, Mapping) else None


def _with_arm(old: Mapping[str, Any], belief: Data, arm: Arm | None) -> Data:
    """A number by world with one of them replaced; today stays what it was, also where it followed the live one."""
    kept = {key: value for key, value in old.items() if key not in _NOTES}
    if arm == "production" and "as_is" not in kept:
        kept["as_is"] = kept["production"]
    simple = belief["value"] if set(belief) == {"value"} else belief
    return {**kept, str(arm): simple}
