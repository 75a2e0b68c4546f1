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
    longest = max([sum(days for bar, _, days in rows if bar == one) for one in {bar for bar, _, _ in rows}] + [line or 0.0])
    chart: Any = (
        alt.Chart(data)
        .mark_bar()
        .encode(
            y=alt.Y("bar:N", sort=list(dict.fromkeys(bar for bar, _, _ in rows)), title=None),
            x=alt.X("days:Q", title="days a case", stack="zero", scale=alt.Scale(domain=[0, longest or 1.0], nice=True)),
            color=alt.Color(
                "part:N", scale=alt.Scale(domain=parts, range=list(PARTS)), title=None, legend=alt.Legend(orient="bottom", columns=1, labelLimit=340)
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
    return _on_page(chart.properties(width=WIDTH, height=44 * len({bar for bar, _, _ in rows})))


def _on_page(chart: Any) -> Any:
    """Lines that are faint on a light and on a dark page alike."""
    return (
        chart.configure_view(stroke=None)
        .configure_axis(grid=True, gridColor="#8a93a3", gridOpacity=0.25, domain=False)
        .configure_title(anchor="start")
    )


def curve(
    rows: Sequence[tuple[float, float, float, float]],
    across: str,
    up: str,
    level: float,
    level_name: str,
    now: float,
    now_name: str,
) -> Any:
    """A curve (x, y, low, high) with its range, a level to be reached and the place of now."""
    import altair as alt

    data = alt.Data(values=[{"x": x, "y": y, "low": low, "high": high} for x, y, low, high in rows])
    wide = alt.Scale(domain=[min(r[0] for r in rows), max(r[0] for r in rows)], nice=False)
    # stated bounds: pages draw a chart before its data is there, and bounds of nothing are told to the console
    tall = alt.Scale(domain=[min(level, *(r[2] for r in rows)), max(level, *(r[3] for r in rows))], nice=True)
    base: Any = alt.Chart(data).encode(x=alt.X("x:Q", title=across, scale=wide))
    band = base.mark_area(opacity=0.25, color=AFTER).encode(y=alt.Y("low:Q", title=up, scale=tall), y2="high:Q")
    line = base.mark_line(point=True, color=AFTER).encode(
        y="y:Q", tooltip=[alt.Tooltip("x:Q", title=across, format=".0f"), alt.Tooltip("y:Q", title=up, format=".2f")]
    )
    marks: Any = alt.Chart(alt.Data(values=[{"y": level, "name": level_name}]))
    rule = marks.mark_rule(strokeDash=[5, 4], color=LIVE, strokeWidth=2).encode(y="y:Q")
    text = marks.mark_text(align="left", dx=4, dy=-6, color=LIVE).encode(y="y:Q", x=alt.value(0), text="name:N")
    here: Any = alt.Chart(alt.Data(values=[{"x": now, "name": now_name}]))
    place = here.mark_rule(strokeDash=[2, 3], color=PILOT).encode(x=alt.X("x:Q", title=across))
    said = here.mark_text(align="left", dx=4, dy=8, color=PILOT).encode(x="x:Q", y=alt.value(0), text="name:N")
    return _finished((band + line + rule + text + place + said).properties(width=WIDTH, height=260))


def _finished(chart: Any) -> Any:
    return (
        chart.configure_view(stroke=None)
        .configure_axis(grid=True, gridColor="rgba(128,134,145,0.25)", domain=False)
        .configure_title(anchor="start")
    )


ALONE_LAST = {"alone": "#4a8fd6", "last": "#d9772b"}
WORLD_COLOURS = {"today": "#7a8699", "as in the pilot": "#4a8fd6", "live": "#d9772b"}
"""Colours that can be told from a light and from a dark page."""


def differences(rows: Sequence[Interval], unit: str, form: str) -> Any:
    """Differences with their ranges around a line at nothing: a pair of dots a label."""
    import altair as alt

    data = alt.Data(
        values=[{"label": r.label, "series": r.series, "low": r.low, "middle": r.middle, "high": r.high} for r in rows]
    )
    series = list(dict.fromkeys(r.series for r in rows))
    base = alt.Chart(data).encode(
        y=alt.Y("label:N", sort=list(dict.fromkeys(r.label for r in rows)), title=None, axis=alt.Axis(labelFontSize=13)),
        yOffset=alt.YOffset("series:N", sort=series),
        color=alt.Color(
            "series:N", scale=alt.Scale(domain=series, range=[ALONE_LAST.get(s, BEFORE) for s in series]), title=None,
            legend=alt.Legend(orient="bottom"),
        ),
        tooltip=[
            alt.Tooltip("label:N", title="cause"), alt.Tooltip("series:N", title="switched on"),
            *(alt.Tooltip(f"{k}:Q", format=form) for k in ("low", "middle", "high")),
        ],
    )  # fmt: skip
    lines = base.mark_rule(strokeWidth=3).encode(x=alt.X("low:Q", title=unit, axis=alt.Axis(format=form)), x2="high:Q")
    dots = base.mark_point(filled=True, size=90, opacity=1).encode(x="middle:Q")
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(strokeDash=[4, 4], color="#8a93a3").encode(x="zero:Q")
    return _on_page((zero + lines + dots).properties(width=WIDTH))


@dataclass(frozen=True, slots=True)
class WeekPoint:
    """One value of a series in a week, with its range."""

    week: int
    series: str
    value: float
    low: float
    high: float


def weekly(
    points: Sequence[WeekPoint], unit: str, weeks: str, form: str, band: str = "", line: float | None = None, line_name: str = ""
) -> Any:
    """Lines over weeks; `band`: the series whose range is drawn; a dashed line across all weeks."""
    import altair as alt

    series = list(dict.fromkeys(p.series for p in points))
    names = [*([line_name] if line is not None else []), *series]
    last = max((p.week for p in points), default=1)
    rows: list[dict[str, Any]] = [
        {"week": p.week, "series": p.series, "value": p.value, "low": p.low, "high": p.high} for p in points
    ]
    if line is not None:
        rows += [{"week": w, "series": line_name, "value": line, "low": line, "high": line} for w in (1, last)]
    x = alt.X(
        "week:Q", title=weeks, axis=alt.Axis(tickMinStep=1, format="d"), scale=alt.Scale(domain=[1, max(2, last)], nice=False)
    )
    top = max([p.high for p in points] + ([line] if line is not None else []), default=1.0)
    y = alt.Y("value:Q", title=unit, scale=alt.Scale(domain=[0, top or 1.0]))
    colour = alt.Color(
        "series:N", scale=alt.Scale(domain=names, range=[WORLD_COLOURS.get(n, BEFORE) for n in names]), title=None,
        legend=alt.Legend(orient="bottom", symbolOpacity=1, symbolType="stroke", symbolStrokeWidth=3),
    )  # fmt: skip
    tooltip = [alt.Tooltip("series:N", title="world"), alt.Tooltip("week:Q"), alt.Tooltip("value:Q", title=unit, format=form)]

    def layer(name: str) -> Any:
        return alt.Chart(alt.Data(values=[row for row in rows if row["series"] == name]))

    drawn = [layer(name).mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour, tooltip=tooltip) for name in series]
    if line is not None:
        drawn.append(layer(line_name).mark_line(strokeWidth=2, strokeDash=[5, 4]).encode(x=x, y=y, color=colour, tooltip=tooltip))
    if band:
        range_of = alt.Y("low:Q", title=unit, scale=alt.Scale(domain=[0, top or 1.0]))
        drawn.insert(0, layer(band).mark_area(opacity=0.18).encode(x=x, y=range_of, y2="high:Q", color=colour))
    return _on_page(alt.layer(*drawn).properties(width=WIDTH))


def heat(rows: Sequence[tuple[str, int, float]], what: str, form: str) -> Any:
    """A cell for every (row, week), the darker the nearer to 1."""
    import altair as alt

    data = alt.Data(values=[{"row": row, "week": week, "value": value} for row, week, value in rows])
    last = max((week for _, week, _ in rows), default=1)
    chart: Any = alt.Chart(data).mark_rect(stroke="#ffffff", strokeWidth=0.5).encode(
        x=alt.X("week:O", title="week after go-live", axis=alt.Axis(labelAngle=0, values=[1, *range(4, last + 1, 4)], ticks=False)),
        y=alt.Y("row:N", sort=list(dict.fromkeys(row for row, _, _ in rows)), title=None, axis=alt.Axis(labelLimit=130)),
        color=alt.Color(
            "value:Q", title=what, scale=alt.Scale(domain=[0, 0.5, 0.85, 1], range=["#dfeaf5", "#86b3dd", "#e8913b", "#b02a1f"], clamp=True, interpolate="rgb"),
            legend=alt.Legend(orient="bottom", format=form, gradientLength=130),
        ),
        tooltip=[alt.Tooltip("row:N", title="team"), alt.Tooltip("week:O"), alt.Tooltip("value:Q", title=what, format=form)],
    )  # fmt: skip
    return _on_page(chart.properties(width=WIDTH))


def timeline(rows: Sequence[tuple[str, str, float, float]], unit: str) -> Any:
    """Stretches of time one under the other: (row, kind, from, to); a tick marks where each row begins, however short it is."""
    import altair as alt

    kinds = list(dict.fromkeys(kind for _, kind, _, _ in rows))
    data = alt.Data(values=[{"row": r, "kind": k, "from": a, "to": b, "hours": 24 * (b - a)} for r, k, a, b in rows])
    base = alt.Chart(data).encode(
        y=alt.Y("row:N", sort=list(dict.fromkeys(r for r, _, _, _ in rows)), title=None, axis=alt.Axis(labelLimit=115)),
        color=alt.Color(
            "kind:N", scale=alt.Scale(domain=kinds, range=list(PARTS)), title=None,
            legend=alt.Legend(orient="bottom", columns=1, labelLimit=220),
        ),
        tooltip=[
            alt.Tooltip("row:N", title="step"), alt.Tooltip("kind:N", title="what it was"), alt.Tooltip("hours:Q", format=".1f"),
            alt.Tooltip("from:Q", title=f"from, {unit}", format=".2f"),
        ],
    )  # fmt: skip
    end = max((b for _, _, _, b in rows), default=1.0)
    stretches = base.mark_bar(height=14).encode(x=alt.X("from:Q", title=unit, scale=alt.Scale(domain=[0, end or 1.0])), x2="to:Q")
    ticks = base.mark_tick(thickness=2, size=14).encode(x="from:Q")
    return _on_page((stretches + ticks).properties(width=WIDTH))
