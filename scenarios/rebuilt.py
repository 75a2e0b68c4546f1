"""A case made again from its scenario and the answers of the interview, without a folder: what a link can carry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.leaves import leaves
from models.schema import CaseFile
from scenarios.case_folder import CASE
from scenarios.catalogue import shipped_names
from scenarios.editing import new_text
from scenarios.files import LoadedCase, parsed, validated


def rebuilt(scenario: str, name: str, title: str, answers: Mapping[str, Any] | None) -> LoadedCase:
    """A copy of a shipped scenario under a folder's name and its owner's title, with answers laid over it; the scenario itself without a
    name. Raises CaseError."""
    from scenarios.files import load
    from scenarios.interview.answers import Answers
    from scenarios.interview.apply import apply

    if not name:
        return load(scenario)
    text = new_text(Path(name) / CASE, scenario, False, name)
    data = parsed(text, Path(CASE)) | ({"title": title} if title else {})
    if answers is not None:
        data = dict(apply(data, Answers.of(answers, "answers"), "answers").data)
    return validated(data, name)


def origin_of(case: CaseFile) -> str:
    """The shipped scenario that a case was copied from, "" if it does not say."""
    for leaf in leaves(case):
        if leaf.parameter.inherited in shipped_names():
            return leaf.parameter.inherited
    return ""
