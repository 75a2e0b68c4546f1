"""How often the AI is right, in the pilot and live, by type; and what it accepts: the fit of the files pilot, production and audit.

Types are pooled in part; what was never piloted carries the scope penalty on top, which only live results of such types can teach.
Errors come together in suppliers and days: counts are divided by a design effect, estimated where eight or more clusters are named, else
from the correlation of the case file (or the settings' own effect). Versions of the AI are never pooled. The hierarchy and its priors
are those of `accuracy_setup`, the graph that of `accuracy_graph`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.accuracy_counts import (
    ENVIRONMENTS,
    UNNAMED,
    AccuracyCounts,
    Checked,
    DesignEffect,
    Environment,
    EvidenceError,
    Group,
    count_results,
)
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import FEWEST_GROUPS, design_effect
from models.evidence.table import Table
from models.fits.accuracy_graph import NUMBERS, SPREADS, Size, compiled, empty
from models.fits.accuracy_setup import SURE_LABELS, Setup, set_up
from models.fits.confidence import Bands, bands_of, edges_with, outcomes
from models.fits.divergence import days_of, split
from models.fits.seam import Sampled, Sampling
from models.posterior import Predictive, SubModel
from models.priors import Prior, prior_of

Floats = NDArray[np.float64]
NAME = "accuracy"
FILES = ("pilot", "production", "audit")
REPLICATES = 400
TARGET_ACCEPT = 0.95
FEW_CASES = 50
"""Below so many checked cases of a type it is said that other types pull its accuracy."""


@dataclass(frozen=True, slots=True, eq=False)
class Unknowns:
    """Draws of what the model does not know, on the logit scale: `number` (rows, 7), `by_type` (rows, 2, types), spreads (rows, 2)."""

    number: Floats
    by_type: Floats
    spread: Floats

    @classmethod
    def of(cls, setup: Setup, number_z: Floats, spread_z: Floats, type_z: Floats) -> Unknowns:
        """From the standard normal variables of the model (or of its prior)."""
        types = len(setup.types)
        number = setup.mean + number_z @ setup.scale.T
        spread = setup.spreads * np.abs(spread_z)
        mean, width, own = np.stack([setup.type_effect.stacked, setup.type_shift.stacked], axis=1)
        return cls(number, mean + (own * width + (1 - own) * spread[:, :, None]) * type_z[:, :, :types], spread)

    def logits(self, setup: Setup) -> Floats:
        """Without defects, (rows, 2, types): in the pilot, live."""
        pilot = self.number[:, :1] + self.by_type[:, 0] + self.number[:, 2:3] * ~setup.piloted
        return np.stack([pilot, pilot + self.number[:, 1:2] + self.by_type[:, 1]], axis=1)


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns of every AI step with results: accuracy, type_effect.*, shift, type_shift.*, scope_penalty, coverage, accepted_error.

    None without the files. Raises UnusableEvidenceError, StoppedError.
    """
    steps = [s for s in case.steps if isinstance(s, schema.Ai)]
    given = [tables[name] for name in FILES if name in tables and len(tables[name])]
    if not given or not steps:
        return None
    parts = [_fit_step(case, step, given, about, sampling, stop, len(steps) == 1) for step in steps]
    found = [p for p in parts if p is not None]
    return _together(found) if found else None


def _together(parts: list[SubModel]) -> SubModel | None:
    def joined(name: str) -> dict[str, Any]:
        return {key: value for part in parts for key, value in getattr(part, name).items()}

    return SubModel(
        NAME, joined("columns"), joined("prior"), np.asarray(sum(p.badness for p in parts)), tuple(d for p in parts for d in p.diagnostics),
        tuple(c for p in parts for c in p.predictive), joined("informed_by"), joined("reported"), joined("coords"),
        tuple(n for p in parts for n in p.notes),
    )  # fmt: skip


def _fit_step(
    case: schema.CaseFile,
    step: schema.Ai,
    tables: list[Table],
    about: EvidenceSettings,
    sampling: Sampling,
    stop: Event | None,
    only: bool,
) -> SubModel | None:
    try:
        counts = counted(case, step, tables, about, only)
    except EvidenceError as error:
        raise UnusableEvidenceError(str(error)) from None
    if not counts.groups:
        return None
    setup = set_up(case, step, counts, labels(about))
    bands = banded(step, tables, counts, about, only)
    found = _result(setup, counts, sample(setup, counts, sampling, stop), sampling, tables)
    if bands is None:
        return found
    at = thresholds(setup, bands, found.reported[f"steps.{step.id}: accuracy"], sampling.seed)
    return replace(found, reported={**found.reported, f"steps.{step.id}: thresholds": at})


def banded(step: schema.Ai, tables: list[Table], counts: AccuracyCounts, about: EvidenceSettings, only: bool) -> Bands | None:
    """Confidence by band, if any row states one. Raises UnusableEvidenceError if a threshold is stated and no row has a confidence."""
    results = [t for t in tables if t.kind.name in ENVIRONMENTS]
    if not any(np.isfinite(t.numbers("confidence")).any() for t in results) and about.threshold is None:
        return None
    effect = max((effect_of(counts, e) for e in ENVIRONMENTS if counts.cases(e)), default=1.0)
    version = "" if counts.version in ("", UNNAMED) else counts.version
    return bands_of(results, step.id, only, effect, edges_with(about.threshold), version)


def thresholds(setup: Setup, bands: Bands, accuracy: Floats, seed: int) -> Floats:
    """By threshold: itself, then 5 %, 50 %, 95 % points of coverage in the pilot, coverage live, and wrong outputs accepted live, each
    as a share of all outputs. Shape (thresholds, 10)."""
    rng = np.random.default_rng([seed, 11])
    mixes = (setup.pilot_mix, setup.live_mix)
    pilot, live = ((mix * accuracy[:, e]).sum(axis=1) for e, mix in enumerate(mixes))
    found = outcomes(bands, live, rng)
    return np.asarray(
        [[o.threshold, *(x for v in (pilot * o.accept_right + (1 - pilot) * o.accept_wrong, o.coverage, o.accepted_error)
                         for x in np.quantile(v, [0.05, 0.5, 0.95]))] for o in found]
    )  # fmt: skip


def sample(setup: Setup, counts: AccuracyCounts, sampling: Sampling, stop: Event | None = None) -> Sampled:
    """Samples the model. At 0.9, 3 of 40 data sets that its prior makes had 4 to 6 divergences among 4,000 draws: smaller steps."""
    size = size_of(setup, counts)
    careful = replace(sampling, target_accept=max(sampling.target_accept, TARGET_ACCEPT))
    return compiled(size).sample(data(setup, counts, size), careful, stop)


# -- counts


def counted(case: schema.CaseFile, step: schema.Ai, tables: list[Table], about: EvidenceSettings, only: bool) -> AccuracyCounts:
    """Counts of one AI step with the design effects that hold where no clusters are named. Raises EvidenceError."""
    correlation = step.cluster_correlation.in_arm("pilot").uncertain().median
    elicited = {e: elicited_effect(case, step, tables, about, e, correlation) for e in ENVIRONMENTS}
    checked: Mapping[Environment, Checked] = about.checked
    return count_results(tables, step.id, only, about.model_version or None, elicited, checked, correlation, about.threshold)


def elicited_effect(
    case: schema.CaseFile,
    step: schema.Ai,
    tables: list[Table],
    about: EvidenceSettings,
    environment: Environment,
    correlation: float,
) -> DesignEffect:
    """For results without clusters: the settings' own; else 1 + (cases of its own cluster that a case meets) × correlation.

    Clusters are drawn as the case file says: cluster k is k^−exponent as frequent as the first.
    """
    if about.design_effect is not None:
        return DesignEffect(about.design_effect, "as the settings state it")
    tried = sum(float(np.nansum(t.numbers("tried"))) for t in tables if t.kind.name == environment)
    clusters, exponent = case.arrivals.clusters, case.arrivals.cluster_exponent
    if clusters <= 1 or tried <= 1:
        return DesignEffect(1.0, "no clusters are known")
    weights = np.arange(1.0, clusters + 1) ** -exponent
    met = (tried - 1) * float(np.square(weights / weights.sum()).sum())
    return DesignEffect(
        1 + met * correlation, f"no clusters named: {clusters} as in the case file, correlation {correlation:.2f}"
    )


def labels(about: EvidenceSettings) -> tuple[Prior, Prior]:
    """Priors of the labels' sensitivity (wrong outputs found wrong) and specificity (right ones found right)."""
    stated = (about.label_sensitivity, about.label_specificity)
    found = [SURE_LABELS if s is None else prior_of(s.uncertain(), "logit", SURE_LABELS.mean, SURE_LABELS.sd) for s in stated]
    return found[0], found[1]


def effect_of(counts: AccuracyCounts, environment: Environment) -> float:
    """The design effect of an environment's counts: of the clusters, where enough are named; never below 1."""
    mine = np.asarray([counts.groups[g].environment == environment for g in counts.group], dtype=bool)
    used = counts.effects[environment].effect
    named = mine & (counts.cluster >= 0)
    if not mine.any() or not named[mine].all():
        return used
    names = np.asarray([str(c) for c in counts.cluster[mine]], dtype=object)
    if len(set(names)) < FEWEST_GROUPS:
        return used
    return max(1.0, design_effect(counts.right[mine], counts.right[mine] + counts.wrong[mine], names, used))


# -- the model's data


def combinations(setup: Setup) -> tuple[Floats, Floats]:
    """Effect of each combination of defects at the middle, (combinations,); their weights, (2, types, combinations)."""
    q = setup.defects
    share = q.known + q.uncertain / (1 + np.exp(-q.mean))
    has = np.asarray(list(product((0.0, 1.0), repeat=len(q.names)))).reshape(2 ** len(q.names), len(q.names))
    weights = np.prod(np.where(has > 0, share[:, :, None, :], 1 - share[:, :, None, :]), axis=-1)
    return has @ q.effect[:, 0], weights


def weights_of(setup: Setup, group: Group) -> Floats:
    """What a group consists of: weights (2, types, combinations) that add up to 1. Its defect, if one is known, is there for sure."""
    _, weights = combinations(setup)
    e, types = ENVIRONMENTS.index(group.environment), setup.types
    mix = setup.live_mix if e else setup.pilot_mix
    of_type = np.asarray([float(t == group.type) for t in types]) if group.type else mix
    mine = weights[e]
    if group.defect:
        q = setup.defects.names.index(group.defect)
        has = np.asarray(list(product((False, True), repeat=len(setup.defects.names))))[:, q]
        mine = np.where(has, mine, 0.0)
        total = mine.sum(axis=1, keepdims=True)
        mine = np.divide(mine, total, out=np.full_like(mine, 1.0) * has / max(has.sum(), 1), where=total > 0)
    found = np.zeros_like(weights)
    found[e] = of_type[:, None] * mine
    return found


def size_of(setup: Setup, counts: AccuracyCounts) -> Size:
    """8 types and 24 groups (or twice that, as often as needed), 4 combinations of defects (or as many as there are)."""
    types, groups = 8, 24
    while types < len(setup.types):
        types *= 2
    while groups < len(counts.groups):
        groups *= 2
    return Size(types, max(4, 2 ** len(setup.defects.names)), groups)


def data(setup: Setup, counts: AccuracyCounts, size: Size) -> dict[str, Any]:
    """The model's data by name, padded to its size."""
    found = empty(size)
    types, n = len(setup.types), len(counts.groups)
    found["numbers"], found["scale"] = setup.mean, setup.scale
    found["spreads"] = setup.spreads
    found["offsets"][:, :, :types] = np.stack([setup.type_effect.stacked, setup.type_shift.stacked], axis=1)
    found["unpiloted"][:types] = ~setup.piloted
    found["anchors"][:, :types] = anchors(setup, counts)
    effects, _ = combinations(setup)
    found["effects"][: len(effects)] = effects
    wide = found["weights"].reshape(size.groups, 2, size.types, size.combinations)
    for i, group in enumerate(counts.groups):
        wide[i] = 0.0
        wide[i, :, :types, : len(effects)] = weights_of(setup, group)
    by = np.asarray([effect_of(counts, g.environment) / 1.0 for g in counts.groups])
    used = np.asarray([counts.effects[g.environment].effect for g in counts.groups])
    found["referred"][:n] = [float(g.referred) for g in counts.groups]
    found["cases"][:n] = np.stack([counts.right_of, counts.tried - counts.right_of], axis=1) / by[:, None]
    for name in ("accepted", "accepted_only", "audited"):
        found[name][:n] = getattr(counts, name) * (used / by)[:, None]
    return found


def anchors(setup: Setup, counts: AccuracyCounts) -> Floats:
    """1 at the type with most cases, in the pilot and live, (2, types); none where only mixtures of types were counted."""
    cases = np.zeros((2, len(setup.types)))
    for group, tried in zip(counts.groups, counts.tried, strict=True):
        if group.type:
            cases[ENVIRONMENTS.index(group.environment), setup.types.index(group.type)] += tried
    return np.asarray((cases > 0) & (np.arange(len(setup.types)) == cases.argmax(axis=1)[:, None]), dtype=np.float64)


# -- what is left of it


def _result(setup: Setup, counts: AccuracyCounts, sampled: Sampled, sampling: Sampling, tables: list[Table]) -> SubModel:
    rng = np.random.default_rng([sampling.seed, 9])
    rows = sampling.chains * sampling.draws
    after = Unknowns.of(setup, *(sampled.values[name] for name in ("number_z", "spread_z", "type_z")))
    before = Unknowns.of(
        setup, rng.standard_normal((rows, len(NUMBERS))), rng.standard_normal((rows, len(SPREADS))), rng.standard_normal((rows, 2, len(setup.types)))
    )  # fmt: skip
    made, prior = columns(setup, after), columns(setup, before)
    accuracy = by_type(setup, after)
    live = (setup.live_mix * accuracy[:, 1]).sum(axis=1)
    reported, coords = _reported(setup, counts, accuracy, tables)
    files = dict.fromkeys(made, tuple(t.kind.name for t in tables))
    checks = tuple(_predictive(setup, counts, after, rng))
    return SubModel(
        NAME, made, prior, -live, sampled.diagnostics, checks, files, reported, coords, tuple(_notes(setup, counts, tables))
    )


def by_type(setup: Setup, unknowns: Unknowns) -> Floats:
    """Accuracy by type with the middle shares of defects, (rows, 2, types): in the pilot, live."""
    effects, weights = combinations(setup)
    p = 1 / (1 + np.exp(-(unknowns.logits(setup)[:, :, :, None] + effects)))
    return np.asarray((p * weights).sum(axis=-1))


def columns(setup: Setup, unknowns: Unknowns) -> dict[str, Floats]:
    """Parameters of the AI step as the simulator takes them; P(accepted) in the pilot's mix."""
    path, step = f"steps.{setup.step.id}", setup.step
    accuracy = (setup.pilot_mix * by_type(setup, unknowns)[:, 0]).sum(axis=1)
    right, wrong = (1 / (1 + np.exp(-unknowns.number[:, i])) for i in (3, 4))
    fields = step.fields if step.measured == "per_field" else 1
    found = {
        f"{path}.accuracy": accuracy ** (1 / fields),
        f"{path}.shift": unknowns.number[:, 1],
        f"{path}.scope_penalty": unknowns.number[:, 2],
        f"{path}.coverage": accuracy * right + (1 - accuracy) * wrong,
        f"{path}.accepted_error": (1 - accuracy) * wrong,
    }
    found |= {f"{path}.type_effect.{name}": unknowns.by_type[:, 0, k] for k, name in enumerate(setup.types)}
    return found | {f"{path}.type_shift.{name}": unknowns.by_type[:, 1, k] for k, name in enumerate(setup.types)}


def _reported(
    setup: Setup, counts: AccuracyCounts, accuracy: Floats, tables: list[Table]
) -> tuple[dict[str, Floats], dict[str, tuple[tuple[str, ...], ...]]]:
    """Accuracy by type, headline gap with its exact split, what was observed; names begin with the AI step."""
    path, types = f"steps.{setup.step.id}", setup.types
    gap = split(accuracy[:, 0], accuracy[:, 1], setup.pilot_mix, setup.live_mix)
    seen = np.asarray([[_seen(counts, e, t) for t in types] for e in ENVIRONMENTS])
    day = [t.times("day")[:, 0] for t in tables if t.kind.name == "production"]
    whole = np.asarray([[counts.cases(e), _right(counts, e), effect_of(counts, e)] for e in ENVIRONMENTS])
    reported = {
        f"{path}: accuracy": accuracy, f"{path}: headline gap": gap.headline, f"{path}: gap from data": gap.data,
        f"{path}: gap from scope": gap.scope, f"{path}: checked and right": seen, f"{path}: observed": whole,
        f"{path}: mix": np.stack([setup.pilot_mix, setup.live_mix]), f"{path}: piloted": setup.piloted.astype(np.float64),
        f"{path}: days of the parallel run": np.asarray([float(days_of(np.concatenate(day)) if day else 0)]),
    }  # fmt: skip
    return reported, {
        f"{path}: accuracy": (ENVIRONMENTS, types),
        f"{path}: checked and right": (ENVIRONMENTS, types, ("checked", "right")),
    }


def _seen(counts: AccuracyCounts, environment: Environment, kind: str) -> tuple[float, float]:
    mine = [g.environment == environment and g.type == kind for g in counts.groups]
    return float(counts.tried[mine].sum()), float(counts.right_of[mine].sum())


def _right(counts: AccuracyCounts, environment: Environment) -> float:
    return float(counts.right_of[[g.environment == environment for g in counts.groups]].sum())


def _predictive(setup: Setup, counts: AccuracyCounts, after: Unknowns, rng: np.random.Generator) -> list[Predictive]:
    """The share right of every group, against replicates with as many effective cases."""
    effects, _ = combinations(setup)
    pick = rng.integers(0, len(after.number), REPLICATES)
    p = 1 / (1 + np.exp(-(after.logits(setup)[pick, :, :, None] + effects)))
    right, wrong, sensitivity, specificity = (1 / (1 + np.exp(-after.number[pick, i])) for i in range(3, 7))
    checks = []
    for i, group in enumerate(counts.groups):
        if counts.tried[i] == 0:
            continue
        share = (p * weights_of(setup, group)).sum(axis=(1, 2, 3))
        if group.referred:
            share = share * (1 - right) / (1 - share * right - (1 - share) * wrong)
        label = share * specificity + (1 - share) * (1 - sensitivity)
        n = max(1, round(counts.tried[i] / effect_of(counts, group.environment)))
        replicated = rng.binomial(n, label) / n
        low, high = np.quantile(replicated, [0.05, 0.95])
        observed = float(counts.right_of[i] / counts.tried[i])
        what = f"{group.environment}, {group.type or 'all types'}{', ' + group.defect if group.defect else ''}: share right"
        checks.append(Predictive(what, observed, float(low), float(high), float((replicated <= observed).mean())))
    return checks


def _notes(setup: Setup, counts: AccuracyCounts, tables: list[Table]) -> list[str]:
    path = f"steps.{setup.step.id}"
    notes = []
    for environment in ENVIRONMENTS:
        n = counts.cases(environment)
        if n:
            effect = effect_of(counts, environment)
            why = (
                "as far as the named clusters show"
                if effect != counts.effects[environment].effect
                else counts.effects[environment].why
            )
            notes.append(
                f"{path}, {environment}: {_right(counts, environment):,.0f} of {n:,.0f} right; errors come together ({why}), so they count as {n / effect:,.0f}."
            )
    silent = [t for k, t in enumerate(setup.types) if not setup.piloted[k] and not _seen(counts, "production", t)[0]]
    if silent:
        notes.append(f"{path}: no result of {', '.join(silent)}: their accuracy is an assumption (scope penalty), not a finding.")
    few = [t for t in setup.types if 0 < max(_seen(counts, e, t)[0] for e in ENVIRONMENTS) < FEW_CASES]
    if few:
        notes.append(
            f"{path}: of {', '.join(few)} few cases were checked (under {FEW_CASES}): what is known of the other types pulls their accuracy "
            "towards them (partial pooling), so their range need not hold the share that was counted."
        )
    if not setup.has_live:
        notes.append(f"{path}: no live results, so what changes from the pilot to live is a belief.")
    if setup.sensitivity is SURE_LABELS or setup.specificity is SURE_LABELS:
        notes.append(f"{path}: {SURE_LABELS.origin} (assumption; settings: label_sensitivity, label_specificity).")
    if counts.overruled:
        notes.append(
            f"{path}: {counts.overruled:,.0f} cases were accepted or referred otherwise than the stated threshold would; the threshold counts."
        )
    if counts.version not in ("", UNNAMED):
        notes.append(f"{path}: results of version {counts.version} only.")
    if not counts.has_acceptance:
        notes.append(
            f"{path}: nothing is known of what was accepted; coverage and accepted errors follow the belief and the accuracy."
        )
    return notes
