"""Adoption and drift after go-live: what is believed until weekly figures come, and what they teach then.

No pilot can teach either. With weekly figures: adoption by a grid of (start, weeks); drift by weighting draws of (drop, midpoint, scale)
from their prior, with the level of accuracy summed out (these checks see only the accuracy of the weeks themselves).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import schema, weeks
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.share_cells import equal
from models.evidence.table import Table
from models.fits.seam import MIN_ESS, Sampling, StoppedError
from models.fits.shares import log_binomial, spread_out
from models.fits.timed_laws import predictive_check, standard
from models.posterior import Diagnostic, Predictive, SubModel
from models.priors import Prior, prior_of

Floats = NDArray[np.float64]
NAME = "after go-live"
FILES = ("weekly",)
PRIOR_ROWS = 4_000
PROPOSED = 10_000
USUAL = {
    "start": Prior(0.0, 1.0, "logit", "usual prior"), "weeks": Prior(float(np.log(12)), 0.5, "log", "usual prior"),
    "logit_drop": Prior(0.0, 0.8, "plain", "usual prior"), "midpoint_week": Prior(6.0, 2.0, "plain", "usual prior"),
    "scale_weeks": Prior(float(np.log(1.2)), 0.6, "log", "usual prior"),
}  # fmt: skip
USUAL_LEVEL_SD = 0.7
LEVELS = np.linspace(-4, 4, 121)
GRID = 121
FEWEST_WEEKS = 4
"""From so many weeks on it can be told whether they scatter more than chance."""
WATCHED_WEEK = 12


@dataclass(frozen=True, slots=True, eq=False)
class Weekly:
    """Figures of one AI step by week: sent of eligible, right of checked; 0 where a week has none. Shape (rows,)."""

    week: NDArray[np.int64]
    eligible: Floats
    sent: Floats
    checked: Floats
    right: Floats


def fit(case: schema.CaseFile, tables: Mapping[str, Table], sampling: Sampling, stop: Event | None = None) -> SubModel | None:
    """Columns `steps.X.adoption.…` and `steps.X.drift.…` of the AI steps that have them; None if there is no such step.

    Without rows of a step its columns are draws of the belief, and the notes say so. Raises UnusableEvidenceError, StoppedError.
    """
    steps = [s for s in case.steps if isinstance(s, schema.Ai) and (s.adoption or s.drift)]
    if not steps:
        return None
    rng = np.random.default_rng([sampling.seed, 6])
    parts = [p for s in steps for p in _parts(case, s, tables, sampling.chains * sampling.draws, rng, stop)]
    columns = {c: x for p in parts for c, x in p.columns.items()}
    return SubModel(
        NAME, columns, {c: x for p in parts for c, x in p.prior.items()}, np.asarray(sum(p.badness for p in parts)),
        tuple(d for p in parts for d in p.diagnostics), tuple(c for p in parts for c in p.predictive),
        {c: FILES for p in parts if p.rows for c in p.columns}, {}, {}, tuple(p.note for p in parts),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    columns: Mapping[str, Floats]
    prior: Mapping[str, Floats]
    badness: Floats
    note: str
    rows: int = 0
    diagnostics: tuple[Diagnostic, ...] = ()
    predictive: tuple[Predictive, ...] = ()


def _parts(
    case: schema.CaseFile, step: schema.Ai, tables: Mapping[str, Table], rows: int, rng: np.random.Generator, stop: Event | None
) -> Iterator[_Part]:
    found = weekly(case, step, tables.get("weekly"))
    if stop is not None and stop.is_set():
        raise StoppedError
    if step.adoption is not None:
        yield _adoption(f"steps.{step.id}.adoption", step.adoption, found, rows, rng)
    if step.drift is not None:
        yield _drift(step, step.drift, found, rows, rng)


def weekly(case: schema.CaseFile, step: schema.Ai, table: Table | None) -> Weekly:
    """The rows of a step. Raises UnusableEvidenceError for weeks before the first, or rows that could be of several steps."""
    if table is None:
        return Weekly(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(4)))
    named, several = table.texts("step"), sum(isinstance(s, schema.Ai) for s in case.steps) > 1
    if several and equal(named, "").any():
        raise UnusableEvidenceError("weekly: the case has several AI steps; name one in every row")
    mine = equal(named, step.id) | equal(named, "")
    week = table.numbers("week")[mine]
    if (week < 1).any():
        raise UnusableEvidenceError("weekly: weeks count from 1, the first after go-live")
    numbers = [np.nan_to_num(table.numbers(c)[mine]) for c in ("eligible", "sent", "checked", "right")]
    if (numbers[1] > numbers[0]).any() or (numbers[3] > numbers[2]).any():
        raise UnusableEvidenceError("weekly: more sent than eligible, or more right than checked")
    return Weekly(week.astype(np.int64), *numbers)


def _believed(name: str, parameter: schema.Parameter) -> Prior:
    """A plain value gets its usual width, as everywhere: once weekly figures come it is only a centre."""
    usual = USUAL[name]
    return prior_of(parameter.in_arm("production").uncertain(), usual.scale, usual.mean, usual.sd)


def _belief_draws(parameter: schema.Parameter, rows: int, rng: np.random.Generator) -> Floats:
    return parameter.in_arm("production").uncertain().quantile(spread_out(rows, rng))


# -- adoption


def _adoption(path: str, spec: schema.Adoption, found: Weekly, rows: int, rng: np.random.Generator) -> _Part:
    used = found.eligible > 0
    if not used.any():
        columns, prior = (
            {f"{path}.{n}": _belief_draws(getattr(spec, n), k, rng) for n in ("start", "weeks")} for k in (rows, PRIOR_ROWS)
        )
        late = standard(columns[f"{path}.weeks"]) - standard(columns[f"{path}.start"])
        return _Part(columns, prior, late, f"{path}: a belief only; it can be learned from weekly figures after go-live.")
    believed = _believed("start", spec.start), _believed("weeks", spec.weeks)
    start, ramp, log_weight, effect = adoption_grid(believed, found)
    cell = _systematic(log_weight.reshape(-1), rows, rng)
    i, j = np.unravel_index(cell, log_weight.shape)
    jitter = rng.random((2, rows)) - 0.5
    drawn = {
        f"{path}.start": _expit(start[i] + jitter[0] * (start[1] - start[0])),
        f"{path}.weeks": np.exp(ramp[j] + jitter[1] * (ramp[1] - ramp[0])),
    }
    prior = {f"{path}.{n}": b.quantile(spread_out(PRIOR_ROWS, rng)) for n, b in zip(("start", "weeks"), believed, strict=True)}
    checks = _adoption_check(path, drawn, found, effect, rng)
    worth = f"; weeks scatter more than chance, so each case counts {1 / effect:.2f}" if effect > 1 else ""
    note = f"{path}: {used.sum()} weeks with {found.eligible.sum():,.0f} cases{worth}."
    return _Part(
        drawn, prior, standard(drawn[f"{path}.weeks"]) - standard(drawn[f"{path}.start"]), note, int(used.sum()), (), checks
    )


def adoption_grid(believed: tuple[Prior, Prior], found: Weekly) -> tuple[Floats, Floats, Floats, float]:
    """Logits of start, logs of weeks, log posterior weights (start, weeks), and the design effect of weeks (1 with few weeks)."""
    used = found.eligible > 0
    y, n, week = found.sent[used], found.eligible[used], found.week[used]
    boxes = [(p.mean, p.sd) for p in believed]
    effect = 1.0
    for turn in range(5):
        start, ramp = (np.linspace(m - 6 * s, m + 6 * s, GRID) for m, s in boxes)
        curve = weeks.adoption(np.repeat(_expit(start), GRID), np.tile(np.exp(ramp), GRID), int(week.max()))[:, week - 1]
        logit = np.log(curve) - np.log1p(-np.minimum(curve, 1 - 1e-12))
        grid = log_binomial(logit, y / effect, n / effect).sum(axis=1).reshape(GRID, GRID)
        log = (
            grid
            - 0.5 * ((start - believed[0].mean) / believed[0].sd)[:, None] ** 2
            - 0.5 * ((ramp - believed[1].mean) / believed[1].sd) ** 2
        )
        if turn == 2 and len(y) >= FEWEST_WEEKS:  # the grid is fine enough by now
            best = curve[int(np.argmax(log))]
            effect = max(1.0, float((np.square(y - n * best) / (n * best * (1 - best) + 1e-9)).sum() / max(len(y) - 2, 1)))
        boxes = [_box(x, log, axis) for x, axis in ((start, 0), (ramp, 1))]
    return start, ramp, log, effect


def _box(x: Floats, log_weight: Floats, axis: int) -> tuple[float, float]:
    """Mean and standard deviation of one axis of a grid, at least half a step."""
    weight = np.exp(log_weight - log_weight.max()).sum(axis=1 - axis)
    mean = float(np.average(x, weights=weight))
    return mean, max(float(np.sqrt(np.average((x - mean) ** 2, weights=weight))), float(x[1] - x[0]) / 2)


def _adoption_check(
    path: str, drawn: Mapping[str, Floats], found: Weekly, effect: float, rng: np.random.Generator
) -> tuple[Predictive, ...]:
    used = found.eligible > 0
    week, n = found.week[used], found.eligible[used]
    curve = weeks.adoption(drawn[f"{path}.start"][::10], drawn[f"{path}.weeks"][::10], int(week.max()))[:, week - 1]
    last = int(np.argmax(week))
    made = rng.binomial(max(round(n[last] / effect), 1), np.clip(curve[:, last], 0, 1)) / max(round(n[last] / effect), 1)
    return (predictive_check(f"{path}: share sent in week {week[last]}", float(found.sent[used][last] / n[last]), made),)


# -- drift


def _drift(step: schema.Ai, spec: schema.Drift, found: Weekly, rows: int, rng: np.random.Generator) -> _Part:
    path = f"steps.{step.id}.drift"
    names = ("logit_drop", "midpoint_week", "scale_weeks")
    used = found.checked > 0
    if not used.any():
        columns, prior = ({f"{path}.{n}": _belief_draws(getattr(spec, n), k, rng) for n in names} for k in (rows, PRIOR_ROWS))
        note = f"{path}: a belief only; no pilot can teach it, it can be learned from weekly checks after go-live."
        return _Part(columns, prior, standard(columns[f"{path}.logit_drop"]), note)
    believed = [_believed(n, getattr(spec, n)) for n in names]
    proposed = [b.quantile(spread_out(PROPOSED, rng)) for b in believed]
    log_weight = drift_log_weights(proposed, accuracy_level(step), found)
    weight = np.exp(log_weight - log_weight.max())
    ess = float(weight.sum() ** 2 / np.square(weight).sum())
    chosen = _systematic(log_weight, rows, rng)
    drawn = {f"{path}.{n}": x[chosen] for n, x in zip(names, proposed, strict=True)}
    prior = {f"{path}.{n}": x[:PRIOR_ROWS] for n, x in zip(names, proposed, strict=True)}
    drop, midpoint, scale = drawn.values()
    lost = weeks.drift(drop, midpoint, scale, WATCHED_WEEK)[:, -1]
    check = Diagnostic("effective draws of the drift", ess, f"at least {MIN_ESS:g}", ess >= MIN_ESS)
    note = f"{path}: {used.sum()} weeks with {found.checked.sum():,.0f} checked outputs; the level of accuracy itself is left to the other fit."
    return _Part(drawn, prior, standard(lost), note, int(used.sum()), (check,))


def accuracy_level(step: schema.Ai) -> Prior:
    """Logit of accuracy live before any drift: the pilot's, shifted, and no better known than that."""
    pilot = prior_of(step.accuracy.in_arm("pilot").uncertain(), "logit", 2.0, 1.0)
    shift = prior_of(step.shift.in_arm("production").uncertain(), "plain", -0.3, 0.7)
    return Prior(pilot.mean + shift.mean, float(np.hypot(shift.sd, USUAL_LEVEL_SD)), "logit", "pilot and shift")


def drift_log_weights(proposed: Sequence[Floats], level: Prior, found: Weekly) -> Floats:
    """Log-likelihood of the weekly checks for each proposed (drop, midpoint, scale), the level summed out; shape (proposed,)."""
    used = found.checked > 0
    y, n, week = found.right[used], found.checked[used], found.week[used]
    drop, midpoint, scale = proposed
    lost = weeks.drift(drop, midpoint, scale, int(week.max()))[:, week - 1]
    total = np.full((len(lost), len(LEVELS)), 0.0)
    for k in range(len(week)):
        total += log_binomial(level.mean + level.sd * LEVELS - lost[:, k : k + 1], y[k], n[k])
    total -= LEVELS**2 / 2
    top = total.max(axis=1)
    return np.asarray(top + np.log(np.exp(total - top[:, None]).sum(axis=1)))


def _systematic(log_weight: Floats, rows: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers drawn by weight, evenly spread, in random order."""
    cumulative = np.cumsum(np.exp(log_weight - log_weight.max()))
    return np.asarray(
        np.minimum(np.searchsorted(cumulative / cumulative[-1], spread_out(rows, rng)), len(log_weight) - 1), dtype=np.int64
    )


def _expit(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))
