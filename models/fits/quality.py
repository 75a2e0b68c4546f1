"""Data defects: how often cases have them, and how much more often on busy days.

As the simulator has it: logit of the share on a day = logit of the share + volume_slope × (cases received that day / expected - 1). The
slope is one number, the share one an arm: both by quadrature, the slope on a grid, each share on a grid given the slope.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import Count, design_effect, equal
from models.evidence.table import Table
from models.evidence.wall_clock import local_seconds
from models.fits.law_priors import arm_named, arm_of
from models.fits.seam import Sampling, StoppedError
from models.fits.shares import Belief, belief_of, inverted, log_binomial, modes, spread_out
from models.fits.timed_laws import predictive_check, standard
from models.posterior import Predictive, SubModel
from models.priors import Prior, prior_of
from models.process import day_factors
from models.schema import Arm
from simulator.clock import DAY

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
NAME = "data defects"
FILES = ("quality",)
PRIOR_ROWS = 4_000
USUAL_SLOPE = Prior(0.0, 0.5, "plain", "usual prior")
SLOPES, LOGITS = 161, 241
MONTH = 31
FEWEST_DAYS = 5
"""From so many days with a volume on, these days' own mean is what was expected; with fewer, the case file's volume is."""


@dataclass(frozen=True, slots=True, eq=False)
class DefectRows:
    """Rows about one defect in one arm: `volume` = the day's volume relative to the expected one less 1 (0 if not known)."""

    suffix: str
    belief: Belief
    volume: Floats
    happened: Floats
    tried: Floats
    design_effect: float


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns `steps.X.quality.D.share` and, if volumes are given, `steps.X.quality.D.volume_slope`; None without rows.

    Raises UnusableEvidenceError for defects whose share is stated by type, StoppedError once `stop` is set.
    """
    table = tables.get("quality")
    if table is None:
        return None
    rng = np.random.default_rng([sampling.seed, 3])
    rows = sampling.chains * sampling.draws
    columns: dict[str, Floats] = {}
    prior: dict[str, Floats] = {}
    checks: list[Predictive] = []
    notes: list[str] = []
    for path, spec, mine in _defects(case, table):
        if stop is not None and stop.is_set():
            raise StoppedError
        groups = _by_arm(case, about, table, mine, spec, f"{path}.share")
        after, before = _fitted(path, spec, groups, rows, rng)
        columns |= after
        prior |= before
        checks += [_check(path, g, after, rng) for g in groups]
        notes += [_note(path, g) for g in groups]
    if not columns:
        return None
    bad = np.asarray(sum(standard(x) for x in columns.values()))
    return SubModel(NAME, columns, prior, bad, (), tuple(checks), dict.fromkeys(columns, FILES), notes=tuple(notes))


def _defects(case: schema.CaseFile, table: Table) -> Iterator[tuple[str, schema.Quality, Bools]]:
    ai_steps = [s for s in case.steps if isinstance(s, schema.Ai)]
    for step in ai_steps:
        for name, spec in step.quality.items():
            blank_is_mine = [s.id for s in ai_steps if name in s.quality] == [step.id]
            steps = table.texts("step")
            mine = equal(table.texts("defect"), name) & (equal(steps, step.id) | (equal(steps, "") if blank_is_mine else False))
            if mine.any():
                yield f"steps.{step.id}.quality.{name}", spec, mine


def _by_arm(
    case: schema.CaseFile, about: EvidenceSettings, table: Table, rows: Bools, spec: schema.Quality, path: str
) -> list[DefectRows]:
    share = spec.share.all
    if share is None:
        raise UnusableEvidenceError(f"{path} is stated by type; count it by type in the file counts (parameter {path}.types.…)")
    where = table.texts("environment")
    arms: dict[str, Arm | None] = {"": None, "pilot": "pilot", "production": "production"}
    suffixes = {str(e): arm_of((share,), path, arms[str(e)]) for e in np.unique(where[rows].astype(str))}
    relative = relative_volume(case, about, table)
    found = []
    for suffix in dict.fromkeys(suffixes.values()):
        mine = rows & np.isin(where.astype(str), [e for e, s in suffixes.items() if s == suffix])
        y, n, day = table.numbers("with_defect")[mine], table.numbers("cases")[mine], table.times("day")[mine, 0]
        if (y > n).any():
            raise UnusableEvidenceError(f"{path}: a row has more cases with the defect than cases")
        names = np.asarray(["" if np.isnan(d) else f"{d:.0f}" for d in day], dtype=object)
        effect = design_effect(y, n, names, about.design_effect)
        found.append(DefectRows(suffix, belief_of(share, arm_named(suffix)), relative[mine], y / effect, n / effect, effect))
    return found


def relative_volume(case: schema.CaseFile, about: EvidenceSettings, table: Table) -> Floats:
    """Each row's volume relative to what was expected of its day, less 1; 0 where it is not known.

    Expected: the case file's pattern of weekdays and month-ends, at the level of the days themselves (each once), or of the case file.
    """
    volume, day = table.numbers("volume"), local_seconds(table.times("day"), case.go_live, about.zone or "UTC")[:, 0]
    known = np.isfinite(volume) & np.isfinite(day)
    numbers = np.floor(np.where(known, day, 0.0) / DAY).astype(np.int64)
    days, index = np.unique(numbers[known], return_inverse=True)
    if not len(days):
        return np.zeros(len(volume))
    first, last = int(days[0]), int(days[-1]) + MONTH  # holidays after the last day decide whether it is among a month's last
    factor = np.asarray(day_factors(case, range(first, last)))[days - first]
    seen = np.bincount(index, volume[known]) / np.bincount(index)
    usable = factor > 0
    level = seen[usable].sum() / max(factor[usable].sum(), 1e-9) if usable.sum() >= FEWEST_DAYS else _stated_level(case)
    expected = np.where(usable, level * factor, np.inf)
    relative = np.zeros(len(volume))
    relative[known] = np.where(np.isfinite(expected[index]), volume[known] / expected[index] - 1, 0.0)
    return relative


def _stated_level(case: schema.CaseFile) -> float:
    """Cases on a day of factor 1, by the case file's middle values."""
    spec = case.arrivals
    year = [f for f in day_factors(case, range(365)) if f > 0]
    if spec.per_working_day is not None:
        return spec.per_working_day.in_arm("as_is").uncertain().median / float(np.mean(year))
    assert spec.per_month is not None
    return spec.per_month.in_arm("as_is").uncertain().median * 12 / 365.25 * 365 / float(np.sum(year))


def _fitted(
    path: str, spec: schema.Quality, groups: Sequence[DefectRows], rows: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Columns after and before the data."""
    believed = prior_of(spec.volume_slope.in_arm("production").uncertain(), "plain", USUAL_SLOPE.mean, USUAL_SLOPE.sd)
    varied = any(np.ptp(g.volume) > 0 for g in groups)
    slope, log_weight = slope_posterior(believed, groups)
    if not varied and spec.volume_slope.in_arm("production").uncertain().fixed is not None:
        slope, log_weight = np.full(2, believed.mean), np.zeros(2)  # nothing speaks of the slope: it stays as stated
    drawn = inverted(spread_out(rows, rng), slope, log_weight)
    nothing = [DefectRows(g.suffix, g.belief, np.zeros(1), np.zeros(1), np.zeros(1), 1.0) for g in groups]
    after = {f"{path}.share{g.suffix}": share_given(g, drawn, rng) for g in groups}
    before = {f"{path}.share{g.suffix}": share_given(g, np.zeros(PRIOR_ROWS), rng) for g in nothing}
    if varied:
        after[f"{path}.volume_slope"] = drawn
        before[f"{path}.volume_slope"] = believed.mean + believed.sd * rng.standard_normal(PRIOR_ROWS)
    return after, before


def slope_posterior(believed: Prior, groups: Sequence[DefectRows]) -> tuple[Floats, Floats]:
    """Slopes and their log posterior density (up to a constant), the shares summed out."""
    wide = np.linspace(believed.mean - 8 * believed.sd, believed.mean + 8 * believed.sd, SLOPES)
    log = _log_slopes(believed, groups, wide)
    weight = np.exp(log - log.max())
    centre = float(np.average(wide, weights=weight))
    sd = float(np.sqrt(np.average((wide - centre) ** 2, weights=weight))) + (wide[1] - wide[0]) / 2
    slope = np.linspace(centre - 8 * sd, centre + 8 * sd, SLOPES)
    return slope, _log_slopes(believed, groups, slope)


def _log_slopes(believed: Prior, groups: Sequence[DefectRows], slope: Floats) -> Floats:
    log = -0.5 * ((slope - believed.mean) / believed.sd) ** 2
    for group in groups:
        x, density = logit_densities(group, slope)
        top = density.max(axis=1)
        log = log + top + np.log(np.exp(density - top[:, None]).sum(axis=1) * (x[:, 1] - x[:, 0]))
    return np.asarray(log)


def logit_densities(group: DefectRows, slope: Floats) -> tuple[Floats, Floats]:
    """For each slope: logits of the share and their log density (slopes, points), from belief and rows."""
    total = Count(float(group.happened.sum()), float(group.tried.sum()), (0.0, 0.0))
    prior = group.belief.normal
    centre, width = modes(prior.mean, prior.sd, total.happened, total.tried, slope * _mean_volume(group))
    x = centre[:, None] + width[:, None] * np.linspace(-9, 9, LOGITS)
    if group.belief.shapes is None:
        log = -0.5 * ((x - prior.mean) / prior.sd) ** 2
    else:
        a, b = group.belief.shapes
        log = a * x - (a + b) * np.logaddexp(0.0, x)
    for volume, y, n in zip(*_condensed(group), strict=True):
        log = log + log_binomial(x + (slope * volume)[:, None], y, n)
    return x, log


def _mean_volume(group: DefectRows) -> float:
    return float(np.average(group.volume, weights=group.tried)) if group.tried.sum() > 0 else 0.0


def _condensed(group: DefectRows) -> tuple[Floats, Floats, Floats]:
    """Rows of the same relative volume (to 1 %) added up: volume, happened, tried."""
    volume, index = np.unique(np.round(group.volume, 2), return_inverse=True)
    happened, tried = (np.asarray(np.bincount(index, x), dtype=np.float64) for x in (group.happened, group.tried))
    return volume, happened, tried


def share_given(group: DefectRows, slope: Floats, rng: np.random.Generator) -> Floats:
    """One draw of the share for each slope."""
    from scipy.special import expit

    nodes, index = np.unique(np.round(slope, 3), return_inverse=True)
    x, density = logit_densities(group, nodes)
    u = rng.random(len(slope))
    drawn = np.empty(len(slope))
    for k in range(len(nodes)):
        mine = index == k
        drawn[mine] = inverted(u[mine], x[k], density[k])
    return np.asarray(expit(drawn))


def _check(path: str, group: DefectRows, after: Mapping[str, Floats], rng: np.random.Generator) -> Predictive:
    from scipy.special import expit, logit

    name = f"{path}.share{group.suffix}"
    slope = after.get(f"{path}.volume_slope", np.zeros(1))
    p = expit(logit(after[name])[:, None] + np.broadcast_to(slope, after[name].shape)[:, None] * group.volume)[::10]
    n = np.maximum(np.rint(group.tried), 1).astype(np.int64)
    return predictive_check(name, float(group.happened.sum() / group.tried.sum()), rng.binomial(n, p).sum(axis=1) / n.sum())


def _note(path: str, group: DefectRows) -> str:
    known = np.count_nonzero(group.volume)
    volume = f"{known} rows with the day's volume" if known else "no row with the day's volume: the slope stays a belief"
    return f"{path}.share{group.suffix}: {group.tried.sum() * group.design_effect:,.0f} cases looked at, {volume}."
