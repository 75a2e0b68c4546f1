"""Random answers to the eight questions: each a thing that people type."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from scenarios.interview.questions import QUESTIONS, Field

SURE = st.sampled_from(["", " (80 % sure)", " (90% sure)", " (95 % sure)", ", 100 % sure"])


def _numbers(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, allow_nan=False).map(lambda x: float(f"{x:.3g}"))


def _triples(low: float, high: float) -> st.SearchStrategy[tuple[float, float, float]]:
    return st.tuples(_numbers(low, high), _numbers(1.2, 2.5), _numbers(1.2, 2.5)).map(
        lambda t: (t[0], float(f"{min(t[0] * t[1], 0.999 * high):.3g}"), float(f"{min(t[0] * t[1] * t[2], high):.3g}"))
    )


def amounts(low: float, high: float, unit: str, single: bool) -> st.SearchStrategy[str]:
    """One number, a range, or low / likely / high, with a unit."""
    one = _numbers(low, high).map(lambda x: f"{x:g} {unit}".strip())
    if single:
        return one
    triple = _triples(low, 0.9 * high).filter(lambda t: t[0] < t[1] < t[2])
    between = st.tuples(triple, SURE).map(lambda t: f"{t[0][0]:g} to {t[0][2]:g} {unit}".strip() + t[1])
    three = st.tuples(triple, SURE).map(lambda t: f"{t[0][0]:g} / {t[0][1]:g} / {t[0][2]:g} {unit}".strip() + t[1])
    return one | between | three


RANGES: dict[str, tuple[float, float]] = {
    "duration": (0.2, 20.0), "share": (0.5, 98.0), "accuracy": (40.0, 99.9), "money": (0.05, 100.0), "number": (1.0, 12.0),
}  # fmt: skip
UNITS = {"duration": ["d", "days", "wd", "h", ""], "share": ["%"], "accuracy": ["%"], "money": ["", "USD", "EUR"], "number": [""]}
OWN = {("volume", "per_month"): (50.0, 9_000.0), ("money", "investment"): (1_000.0, 1e6)}


def _answer(question: str, about: Field) -> st.SearchStrategy[Any]:
    match about.kind:
        case "choice":
            return st.sampled_from([c.id for c in about.choices])
        case "files":
            return st.lists(st.sampled_from([c.id for c in about.choices]), unique=True)
        case "whole":
            return st.integers(about.least, min(about.most, 40)) | st.integers(about.least, about.most)
        case "weeks":
            return st.tuples(st.integers(5, 20), st.integers(0, 12)).map(lambda t: f"{t[0]} to {t[0] + t[1]}")
        case "day":
            return st.sampled_from(["2027-01-04", "2026-11-30", "2028-02-28"])
        case "rates":
            return amounts(10, 200, "USD", True) | st.just("data entry: 30; AP lead: 60")
        case "types":
            return types()
    low, high = OWN.get((question, about.id), RANGES[about.dimension])
    return st.sampled_from(UNITS[about.dimension]).flatmap(lambda unit: amounts(low, high, unit, about.single))


@st.composite
def types(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Types by name, known to the scenario or new, with shares that add up to 100 % where all are known."""
    names = draw(
        st.lists(
            st.sampled_from(["PO, standard", "non_po", "Utilities", "Köln", "Credit notes", "all", "日本"]),
            min_size=1,
            max_size=5,
            unique=True,
        )
    )
    weights = [draw(st.integers(1, 9)) for _ in names]
    rows: list[dict[str, Any]] = []
    for i, (name, weight) in enumerate(zip(names, weights, strict=True)):
        row: dict[str, Any] = {"name": name}
        if draw(st.booleans()) or i:
            row["share"] = f"{100 * weight / sum(weights):.4f} %"
        if draw(st.booleans()):
            row["piloted"] = i == 0 or draw(st.booleans())
        if draw(st.booleans()):
            row["approvals"] = draw(st.integers(0, 4))
        rows.append(row)
    return rows


@st.composite
def answers(draw: st.DrawFn, often: float = 0.4) -> dict[str, Any]:
    """Answers to some of the fields, the others open."""
    data: dict[str, Any] = {"owner": draw(st.sampled_from(["", "A. B.", "controller"]))}
    for question in QUESTIONS:
        said = {f.id: draw(_answer(question.id, f)) for f in question.fields if draw(st.floats(0, 1)) < often}
        if said:
            data[question.id] = said
    return data
