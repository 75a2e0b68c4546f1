"""Accuracy in the evidence report: pilot against live by type, whether it fell by more than the threshold, and why."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.fits.divergence import MIN_DAYS, THRESHOLD, chance_above, observed
from models.posterior import PosteriorDraws, SubModel
from models.schema import Ai, CaseFile
from scenarios.report import charts
from scenarios.report.sections import Section, TableOf

Floats = NDArray[np.float64]
NAMES = ("in the pilot", "live")


def accuracy_sections(case: CaseFile, posterior: PosteriorDraws) -> list[Section]:
    """Two sections for every AI step with a fit of its accuracy."""
    found = next((s for s in posterior.sub_models if s.name == "accuracy"), None)
    if found is None:
        return []
    steps = [s for s in case.steps if isinstance(s, Ai) and f"steps.{s.id}: accuracy" in found.reported]
    sections = [(_by_type(case, step, found), _divergence(case, step, found), _thresholds(step, found)) for step in steps]
    return [section for of_step in sections for section in of_step if section is not None]


def _by_type(case: CaseFile, step: Ai, found: SubModel) -> Section:
    path = f"steps.{step.id}"
    accuracy, seen, piloted = (found.reported[f"{path}: {name}"] for name in ("accuracy", "checked and right", "piloted"))
    names = [spec.label or name for name, spec in case.types.items()]
    mix = found.reported[f"{path}: mix"]
    whole = np.stack([(mix[e] * accuracy[:, e]).sum(axis=1) for e in (0, 1)], axis=1)
    rows, data = [], []
    for k, name in enumerate(names):
        known = ["checked" if seen[e, k, 0] else "no evidence" for e in (0, 1)]
        counted = [f"{seen[e, k, 1]:,.0f} of {seen[e, k, 0]:,.0f}" if seen[e, k, 0] else "–" for e in (0, 1)]
        fell = chance_above(accuracy[:, 0, k] - accuracy[:, 1, k])
        rows.append(
            (
                name + ("" if piloted[k] else " (never piloted)"),
                counted[0],
                _range(accuracy[:, 0, k]),
                counted[1],
                _range(accuracy[:, 1, k]),
                f"{fell:.0%}",
            )
        )
        data.append({"type": list(case.types)[k], "piloted": bool(piloted[k]), "pilot": _points(accuracy[:, 0, k]), "live": _points(accuracy[:, 1, k]),
                     "evidence": known, "chance_fell_by_threshold": fell})  # fmt: skip
    rows.append(
        (
            "the mix as it comes",
            "",
            _range(whole[:, 0]),
            "",
            _range(whole[:, 1]),
            f"{chance_above(whole[:, 0] - whole[:, 1]):.0%}",
        )
    )
    drawn = [charts.Interval(n, NAMES[e], *_points(accuracy[:, e, k])) for k, n in enumerate(names) for e in (0, 1)]
    title = f"{step.label or step.id}: {whole[:, 0].mean():.0%} right in the pilot, {whole[:, 1].mean():.0%} live"
    silent = [n for k, n in enumerate(names) if not seen[1, k, 0]]
    sentences = [f"No live result of {', '.join(silent)}: what stands there is an assumption."] if silent else []
    return Section(
        f"accuracy {step.id}", title, tuple(sentences),
        TableOf(("type", "right, pilot", "accuracy in the pilot", "right, live", "accuracy live", f"fell by {100 * THRESHOLD:.0f} points"), tuple(rows), tuple(data)),
        lambda: charts.intervals(drawn, title, "accuracy, 5 % to 95 %", dict(zip(NAMES, (charts.PILOT, charts.LIVE), strict=True))),
        "ranges of accuracy by type, in the pilot and live",
    )  # fmt: skip


def _divergence(case: CaseFile, step: Ai, found: SubModel) -> Section:
    path = f"steps.{step.id}"
    gap, data, scope = (found.reported[f"{path}: {name}"] for name in ("headline gap", "gap from data", "gap from scope"))
    chance = chance_above(gap)
    sentences = list(_told(path, found))
    sentences.append(
        f"Of the gap of {_points_of(gap)} points, {_points_of(data)} come from the data (the same types do worse live) and {_points_of(scope)} from the scope "
        "(another mix of types live). One order: data first, at the live mix; then the mix, at the pilot's accuracy."
    )
    rows = (
        ("headline: pilot's mix in the pilot less live mix live", _points_of(gap), f"{chance:.0%}"),
        ("of it data", _points_of(data), f"{chance_above(data):.0%}"),
        ("of it scope", _points_of(scope), f"{chance_above(scope):.0%}"),
    )
    made = {
        "headline_points": _points(100 * gap),
        "data_points": _points(100 * data),
        "scope_points": _points(100 * scope),
        "chance_above_threshold": chance,
    }
    title = f"Live accuracy falls short of the pilot's by more than {100 * THRESHOLD:.0f} points with a chance of {chance:.0%}"
    return Section(
        f"divergence {step.id}",
        title,
        tuple(sentences),
        TableOf(("gap, points", "5 % to 95 %", f"above {100 * THRESHOLD:.0f}"), rows, (made,)),
    )


def _thresholds(step: Ai, found: SubModel) -> Section | None:
    """What each threshold would accept; None if no row states a confidence."""
    at = found.reported.get(f"steps.{step.id}: thresholds")
    if at is None:
        return None
    limit = step.accepted_error.in_arm("pilot").uncertain().median
    kept = [row for row in at if row[9] <= limit]
    title = (
        f"A threshold of {kept[0][0]:g} or more keeps wrong outputs accepted live within {limit:.1%} of all; it accepts {kept[0][5]:.0%}"
        if kept
        else f"No threshold keeps wrong outputs accepted live within {limit:.1%} of all"
    )
    sentences = (
        f"{limit:.1%} is what the case file expects to be accepted and wrong. Kept means: with a chance of 95 %. "
        "Confidence is taken to tell right from wrong live as well as it did in the checked cases.",
    )
    rows = tuple((f"{row[0]:g}", *(_share_range(row[i : i + 3]) for i in (1, 4, 7))) for row in at)
    names = ("accepted_pilot", "accepted_live", "accepted_wrong_live")
    data = tuple(
        {"threshold": row[0], **{n: [float(x) for x in row[i : i + 3]] for n, i in zip(names, (1, 4, 7), strict=True)}}
        for row in at.tolist()
    )
    return Section(
        f"thresholds {step.id}", title, sentences,
        TableOf(("accepted from", "accepted in the pilot", "accepted live", "wrong and accepted live, of all"), rows, data),
    )  # fmt: skip


def _share_range(points: Floats) -> str:
    low, middle, high = (100 * x for x in points)
    return f"{middle:.1f} % ({low:.1f} to {high:.1f})"


def _told(path: str, found: SubModel) -> Iterator[str]:
    """What the samples alone can tell: difference of observed rates, cannot tell, length of the parallel run."""
    (n_pilot, right_pilot, effect_pilot), (n_live, right_live, effect_live) = found.reported[f"{path}: observed"].tolist()
    if min(n_pilot, n_live) <= 0:
        yield f"There are no checked cases {'in the pilot' if n_pilot <= 0 else 'live'}, so nothing was compared: the gap is a belief."
        return
    seen = observed((right_pilot / effect_pilot, right_live / effect_live), (n_pilot / effect_pilot, n_live / effect_live))
    yield (
        f"Observed: {right_pilot / n_pilot:.1%} right in the pilot, {right_live / n_live:.1%} live, a difference of {100 * seen.difference:.1f} points "
        f"± {100 * seen.half_width:.1f} (95 %), whatever types were checked."
    )
    if seen.cannot_tell:
        largest = max(effect_pilot, effect_live)
        need = int(np.ceil(seen.cases_to_tell * largest))
        yield f"Cannot tell: samples this small could miss a fall of {100 * THRESHOLD:.0f} points. About {need:,} checked cases a side would show it."
    days = int(found.reported[f"{path}: days of the parallel run"][0])
    if 0 < days < MIN_DAYS:
        yield f"The parallel run covers {days} days; {MIN_DAYS} are the least in which a month-end and the rarer cases come up."


def _points(values: Floats) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)


def _range(values: Floats) -> str:
    low, middle, high = (100 * x for x in _points(values))
    return f"{middle:.0f} % ({low:.0f} to {high:.0f})"


def _points_of(values: Floats) -> str:
    low, middle, high = (100 * x for x in _points(values))
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"
