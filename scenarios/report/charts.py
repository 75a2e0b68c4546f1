"""Charts. Each takes plain rows and returns an Altair chart; `svg` draws it without a browser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

BEFORE, AFTER, PILOT, LIVE = "#9aa5b8", "#1f5fa8", "#7a8699", "#c2571a"
WORDS = {"learned": "#1f5fa8", "weak": "#8fb3dc", "assumption": "#c9b28f", "from the data alone": "#1f5fa8"}
WIDTH = 560


@dataclass(frozen=True, slots=True)
class Interval:
    """One horizontal range: of a thing (`label`), of a kind (`series`)."""

    label: str
    series: str
    low: float
    middle: float
    high: float


def svg(chart: Any) -> str:
    """The chart as a drawing."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(chart.to_json()))


def intervals(rows: Sequence[Interval], title: str, unit: str, colours: dict[str, str], form: str = ".0%") -> Any:
    """Ranges side by side, one line a label; a dot at the middle."""
    import altair as alt

    data = alt.Data(
        values=[{"label": r.label, "series": r.series, "low": r.low, "middle": r.middle, "high": r.high} for r in rows]
    )
    order = list(dict.fromkeys(r.label for r in rows))
    series = list(colours)
    base = alt.Chart(data).encode(
        y=alt.Y("label:N", sort=order, title=None),
        yOffset=alt.YOffset("series:N", sort=series),
        color=alt.Color("series:N", scale=alt.Scale(domain=series, range=list(colours.values())), title=None),
    )
    lines = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=unit, axis=alt.Axis(format=form)), x2="high:Q")
    dots = base.mark_point(filled=True, size=60).encode(x="middle:Q")
    return _finished((lines + dots).properties(title=title, width=WIDTH, height=alt.Step(18)))


def bars(rows: Sequence[tuple[str, float, str]], title: str, unit: str, colours: dict[str, str], form: str = ".0%") -> Any:
    """Horizontal bars: (label, value, kind)."""
    import altair as alt

    data = alt.Data(values=[{"label": label, "value": value, "kind": kind} for label, value, kind in rows])
    chart = alt.Chart(data).mark_bar().encode(
        x=alt.X("value:Q", title=unit, axis=alt.Axis(format=form)),
        y=alt.Y("label:N", sort=[row[0] for row in rows], title=None, axis=_wrapped(380)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(colours), range=list(colours.values())), title=None),
    )  # fmt: skip
    return _finished(chart.properties(title=title, width=WIDTH, height=alt.Step(18)))


SAID_BEFORE, SAID_AFTER = "before your data", "after"
BEFORE_AFTER = {SAID_BEFORE: BEFORE, SAID_AFTER: "#3a7fc9"}
PILOT_LIVE = {"in the pilot": "#8b98ad", "live": "#d3702f"}
"""Series → a colour that is seen on white and on black."""
ROW_PIXELS = 60
LINE_BREAK = "|"
"""Breaks long labels of a chart into lines."""


def paired(rows: Sequence[Interval], colours: dict[str, str], unit: str, form: str, logarithmic: bool = False) -> Any:
    """Ranges of two series, one above the other for each label; for pages, where labels are short of room."""
    import altair as alt

    low, high = min(r.low for r in rows), max(r.high for r in rows)
    scale = (
        alt.Scale(type="log", nice=False, domain=[low / 1.1, high * 1.1])
        if logarithmic
        else alt.Scale(domain=[min(0.0, low), high * 1.02])
    )
    data = alt.Data(
        values=[{"label": r.label, "series": r.series, "low": r.low, "middle": r.middle, "high": r.high} for r in rows]
    )
    series = list(colours)
    labels = list(dict.fromkeys(r.label for r in rows))
    base = alt.Chart(data).encode(
        y=alt.Y("label:N", sort=labels, title=None, axis=_wrapped(170)),
        yOffset=alt.YOffset("series:N", sort=series),
        color=alt.Color(
            "series:N", scale=alt.Scale(domain=series, range=list(colours.values())), title=None, legend=alt.Legend(orient="bottom")
        ),
        tooltip=[alt.Tooltip("label:N"), alt.Tooltip("series:N"), *(alt.Tooltip(f"{x}:Q", format=form) for x in ("low", "middle", "high"))],
    )  # fmt: skip
    axis = alt.Axis(format=form, tickCount=5)
    lines = base.mark_rule(strokeWidth=4).encode(x=alt.X("low:Q", title=unit, scale=scale, axis=axis), x2="high:Q")
    dots = base.mark_point(filled=True, size=70).encode(x="middle:Q")
    return _finished((lines + dots).properties(width=WIDTH, height=ROW_PIXELS * len(labels)))


def _wrapped(limit: int) -> Any:
    """An axis whose labels may hold LINE_BREAK."""
    import altair as alt

    return alt.Axis(labelExpr=f"split(datum.value, '{LINE_BREAK}')", labelLimit=limit)


PARTS = ("#2f5d8a", "#d98e04", "#7a9e7e", "#a44a3f", "#8d7fb0", "#5f6b73", "#b3884d", "#5aa2a8", "#c98bb0", "#9aa5b8", "#c4c9cc")
"""Colours of parts of the process, told apart also by those who see fewer colours."""


def stacked(rows: Sequence[tuple[str, str, float]], line: float | None, line_name: str) -> Any:
    """Bars that add up: (bar, part, days); a line across all of them."""
    import altair as alt

    parts = list(dict.fromkeys(part for _, part, _ in rows))
    data = alt.Data(values=[{"bar": bar, "part": part, "days": days, "order": parts.index(part)} for bar, part, days in rows])
    chart: Any = (
        alt.Chart(data)
        .mark_bar(size=26)
        .encode(
            y=alt.Y("bar:N", sort=list(dict.fromkeys(bar for bar, _, _ in rows)), title=None),
            x=alt.X("days:Q", title="days a case", stack="zero"),
            color=alt.Color(
                "part:N", scale=alt.Scale(domain=parts, range=list(PARTS)), title=None, legend=alt.Legend(orient="bottom", columns=2, labelLimit=170)
            ),
            order=alt.Order("order:Q"),
            tooltip=[alt.Tooltip("bar:N", title="world"), alt.Tooltip("part:N"), alt.Tooltip("days:Q", format=".1f")],
        )
    )  # fmt: skip
    if line is not None:
        mark = alt.Chart(alt.Data(values=[{"days": line, "name": line_name}]))
        chart = chart + mark.mark_rule(strokeDash=[5, 4], strokeWidth=2).encode(
            x="days:Q", tooltip=alt.Tooltip("name:N", title="line")
        )
    return _finished(chart.properties(width=WIDTH, height=44 * len({bar for bar, _, _ in rows})))


def _finished(chart: Any) -> Any:
    return (
        chart.configure_view(stroke=None)
        .configure_axis(grid=True, gridColor="rgba(128,134,145,0.25)", domain=False)
        .configure_title(anchor="start")
    )
