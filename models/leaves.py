"""All parameters of a case, each at its path: its place in the case file (`steps.review.catch`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from models.schema import CaseFile, Parameter


@dataclass(frozen=True, slots=True)
class Leaf:
    """One parameter of a case: its path, its belief, and whether the case file states it (or a default fills it in)."""

    path: str
    parameter: Parameter
    stated: bool


def leaves(case: CaseFile) -> tuple[Leaf, ...]:
    """All parameters of a case in the order of the file."""
    return tuple(_walk(case, "", True))


def _walk(node: Any, path: str, stated: bool) -> Iterator[Leaf]:
    if isinstance(node, Parameter):
        yield Leaf(path, node, stated)
    elif isinstance(node, BaseModel):
        for name in type(node).model_fields:
            if name in _TRANSPARENT:
                yield from _walk(getattr(node, name), path, stated)
            else:
                yield from _walk(getattr(node, name), join(path, name), stated and name in node.model_fields_set)
    elif isinstance(node, Mapping):
        for name, item in node.items():
            yield from _walk(item, join(path, str(name)), stated)
    elif isinstance(node, list | tuple):
        for i, item in enumerate(node):
            yield from _walk(item, join(path, getattr(item, "id", str(i + 1))), stated)


_TRANSPARENT = {"law", "all"}
"""Fields that are structure, not part of a parameter's name."""


def join(path: str, name: str) -> str:
    """A path one step further down."""
    return f"{path}.{name}" if path else name
