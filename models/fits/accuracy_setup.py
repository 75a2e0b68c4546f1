"""What the accuracy model is told before it sees results: types, their weights, and every prior as mean and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.accuracy_counts import AccuracyCounts
from models.priors import Prior, Scale, prior_of, to_scale
from models.schema import Arm, Parameter
from models.uncertainty import Uncertain

Floats = NDArray[np.float64]
SPREAD_OF_TYPES = 0.75
"""Scale of the half-normal that holds the spread of types, logit."""
SPREAD_OF_SHIFTS = 0.5
NARROWEST, USUAL_WIDTH = 0.1, 1.0
"""Of the logits of acceptance: the least, and where the case file has a plain value or counts."""
SURE_LABELS = Prior(float(to_scale(0.995, "logit")), 0.5, "logit", "labels are taken to be right in about 99.5 % of cases")
ARMS: tuple[Arm, Arm] = ("pilot", "production")
_MANY = (np.arange(2_000) + 0.5) / 2_000


@dataclass(frozen=True, slots=True, eq=False)
class Offsets:
    """Normal priors of one number a type: mean, width, and whether that width is the case file's own (1) or shared and learned (0)."""

    mean: Floats
    width: Floats
    own: Floats

    @property
    def stacked(self) -> Floats:
        """Mean, width, own: shape (3, types)."""
        return np.stack([self.mean, self.width, self.own])


@dataclass(frozen=True, slots=True, eq=False)
class Defects:
    """The data defects. Shares by environment and type: `known` + `uncertain` · expit(mean + sd · z), shape (2, types, defects).

    `names`: keys of the case file · `effect`: mean and sd of the logit difference, (defects, 2) · `by_type`: 1 if each type has its
    own share, 0 if one holds for all, (defects,)
    """

    names: tuple[str, ...]
    effect: Floats
    by_type: Floats
    known: Floats
    uncertain: Floats
    mean: Floats
    sd: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Acceptance:
    """logits of P(accepted given right) and P(accepted given wrong): mean (2,) + scale (2, 3) · (z of the level, of the first, of the second)."""

    mean: Floats
    scale: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """All that the model needs beside the counts. `pilot_mix`, `live_mix`: weights of types at their middle values, sum 1."""

    case: schema.CaseFile
    step: schema.Ai
    types: tuple[str, ...]
    piloted: NDArray[np.bool_]
    pilot_mix: Floats
    live_mix: Floats
    level: Prior
    type_effect: Offsets
    shift: Prior
    type_shift: Offsets
    penalty: Prior
    defects: Defects
    acceptance: Acceptance
    sensitivity: Prior
    specificity: Prior
    has_live: bool

    @property
    def mean(self) -> Floats:
        """Prior means of the single numbers, in the order of `accuracy_graph.NUMBERS`, shape (7,)."""
        level, shift, penalty = (p.mean for p in (self.level, self.shift, self.penalty))
        return np.asarray([level, shift, penalty, *self.acceptance.mean, self.sensitivity.mean, self.specificity.mean])

    @property
    def scale(self) -> Floats:
        """What turns seven standard normals into the numbers' deviations from their means, (7, 7): diagonal but for acceptance."""
        level, shift, penalty = (p.sd for p in (self.level, self.shift, self.penalty))
        found = np.diag([level, shift, penalty, 0.0, 0.0, self.sensitivity.sd, self.specificity.sd])
        found[3:5, [0, 3, 4]] = self.acceptance.scale
        return found

    @property
    def spreads(self) -> Floats:
        """Scales of the half-normals of types and shifts. Without live results types are not given shifts of their own."""
        return np.asarray([SPREAD_OF_TYPES, SPREAD_OF_SHIFTS if self.has_live else 0.0])


def set_up(
    case: schema.CaseFile,
    step: schema.Ai,
    counts: AccuracyCounts,
    labels: tuple[Prior, Prior],
) -> Setup:
    """The set-up of one AI step. `labels`: chance that a wrong output is found wrong (sensitivity), a right one right (specificity)."""
    types = tuple(case.types)
    piloted = np.asarray([t.piloted for t in case.types.values()])
    shares = {arm: _shares(case, arm) for arm in ARMS}
    live, unpiloted = _live(counts, types, piloted)
    accuracy = case_accuracy_belief(step)
    pilot_mix = _normalised(shares["pilot"] * piloted)
    effects, defects = _offsets(step.type_effect, types, "pilot"), _defects(step, types)
    believed = prior_of(accuracy, "logit", 2.0, 1.0)
    level = _level(believed, pilot_mix, effects, defects)
    return Setup(
        case, step, types, piloted, pilot_mix, _normalised(shares["production"]), level, effects,
        _moved(step.shift, -0.3, 0.7, live),
        _offsets(step.type_shift, types, "production"),
        _moved(step.scope_penalty, -0.5, 0.5, unpiloted),
        defects,
        _acceptance(step, accuracy, believed), *labels, live,
    )  # fmt: skip


def _level(accuracy: Prior, mix: Floats, effects: Offsets, defects: Defects) -> Prior:
    """The level at which the pilot's mix of types and defects, as believed, has the believed accuracy on average."""
    from scipy.optimize import brentq
    from scipy.special import expit

    rng = np.random.default_rng(0)
    spread = SPREAD_OF_TYPES * np.abs(rng.standard_normal((len(_MANY), 1)))
    width = effects.own * effects.width + (1 - effects.own) * spread
    offset = effects.mean + width * rng.standard_normal((len(_MANY), len(mix)))
    shares = defects.known[0] + defects.uncertain[0] * expit(defects.mean[0])
    offset = offset + (rng.random((len(_MANY), *shares.shape)) < shares) @ defects.effect[:, 0]

    def surplus(level: float) -> float:
        return float((expit(level + offset) @ mix).mean() - expit(accuracy.mean))

    reach = float(np.abs(offset).max()) + 1.0
    return replace(accuracy, mean=float(brentq(surplus, accuracy.mean - reach, accuracy.mean + reach)))


def case_accuracy_belief(step: schema.Ai) -> Uncertain:
    """The belief about the pilot's accuracy per case: per-field accuracy is raised to the number of fields."""
    stated = step.accuracy.in_arm("pilot").uncertain()
    n = step.fields if step.measured == "per_field" else 1
    if stated.fixed is not None:
        return Uncertain(stated.fixed**n, counted=stated.counted)
    return Uncertain(None, lambda u: stated.quantile(u) ** n, stated.counted)


def _normalised(weights: Floats) -> Floats:
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _live(counts: AccuracyCounts, types: tuple[str, ...], piloted: NDArray[np.bool_]) -> tuple[bool, bool]:
    """Whether there are live results at all, and of types never piloted (alone, or among all as they come)."""
    seen = counts.tried + counts.audited.sum(axis=1) > 0
    live = {g.type for g, any_ in zip(counts.groups, seen, strict=True) if any_ and g.environment == "production"}
    return bool(live), any(t == "" or not piloted[types.index(t)] for t in live) and not piloted.all()


def _shares(case: schema.CaseFile, arm: Arm) -> Floats:
    return np.asarray([middle(spec.share, arm) for spec in case.types.values()])


def middle(parameter: Parameter, arm: Arm) -> float:
    """The middle value of a parameter in an arm."""
    return parameter.in_arm(arm).uncertain().median


def _moved(parameter: Parameter, usual_mean: float, usual_sd: float, evidence: bool) -> Prior:
    """A logit difference: the usual width is given to a plain value only where evidence can speak of it."""
    belief = parameter.in_arm("production").uncertain()
    return prior_of(belief, "plain", usual_mean, usual_sd if evidence else 0.0)


def _offsets(stated: Mapping[str, Parameter], types: tuple[str, ...], arm: Arm) -> Offsets:
    mean, width, own = (np.zeros(len(types)) for _ in range(3))
    for k, name in enumerate(types):
        if name in stated:
            belief = stated[name].in_arm(arm).uncertain()
            prior = prior_of(belief, "plain", 0.0, 0.0)
            mean[k], width[k], own[k] = prior.mean, prior.sd, float(prior.sd > 0)
    return Offsets(mean, width, own)


def _defects(step: schema.Ai, types: tuple[str, ...]) -> Defects:
    names = tuple(step.quality)
    shape = (2, len(types), len(names))
    known, uncertain, mean, sd = (np.zeros(shape) for _ in range(4))
    effect, by_type = np.zeros((len(names), 2)), np.zeros(len(names))
    for q, spec in enumerate(step.quality.values()):
        prior = _belief_prior(spec.effect, "pilot", "plain")
        effect[q], by_type[q] = (prior.mean, prior.sd), float(spec.share.all is None)
        for e, arm in enumerate(ARMS):
            for k, kind in enumerate(types):
                share = share_of_type(spec.share, kind)
                if share is None:
                    continue
                prior = _belief_prior(share, arm, "logit")
                uncertain[e, k, q] = prior.sd > 0
                known[e, k, q] = 0.0 if prior.sd > 0 else middle(share, arm)
                mean[e, k, q], sd[e, k, q] = prior.mean, prior.sd
    return Defects(names, effect, by_type, known, uncertain, mean, sd)


def share_of_type(share: schema.ShareByType, kind: str) -> Parameter | None:
    """The parameter that holds the share of a type; None for a type that is left out (its share is 0)."""
    return share.all if share.all is not None else share.types.get(kind)


def _belief_prior(parameter: Parameter, arm: Arm, scale: Scale) -> Prior:
    """Of a number that results cannot teach on their own: a plain value stays plain; counts in the case file are its belief."""
    belief = parameter.in_arm(arm).uncertain()
    return prior_of(Uncertain(belief.fixed, belief.inverse), scale, 0.0, 0.0)


def _acceptance(step: schema.Ai, accuracy: Uncertain, believed: Prior) -> Acceptance:
    """Priors of P(accepted given right or wrong) from the independent beliefs about accuracy, coverage and accepted errors.

    They depend on the accuracy, so that coverage and accepted errors keep their beliefs: a straight line of the logits on the level,
    by least squares over those draws of the beliefs that can be (an accepted share of right outputs of less than 1). Where the case
    file has a plain value or counts, the usual width 1 on the logit instead.
    """
    coverage, error = (p.in_arm("pilot").uncertain() for p in (step.coverage, step.accepted_error))
    rng = np.random.default_rng(0)
    right, covered, wrong = (rng.permutation(b.quantile(_MANY)) for b in (accuracy, coverage, error))
    chances = (covered - wrong) / np.maximum(right, 1e-9), wrong / np.maximum(1 - right, 1e-9)
    can_be = np.logical_and.reduce([(c > 0) & (c < 1) for c in chances])
    mean, scale = np.zeros(2), np.zeros((2, 3))
    known = [np.ones(can_be.sum()), (to_scale(right[can_be], "logit") - believed.mean) / max(believed.sd, 1e-9)]
    for i, (chance, stated) in enumerate(zip(chances, (coverage, error), strict=True)):
        if stated.fixed is not None or stated.counted or not can_be.any():
            mean[i], scale[i, 1 + i] = float(to_scale(np.clip(np.median(chance), 1e-3, 1 - 1e-3), "logit")), USUAL_WIDTH
            continue
        logit = to_scale(chance[can_be], "logit")
        slope = np.linalg.lstsq(np.stack(known, axis=1), logit, rcond=None)[0]
        rest = logit - slope @ known
        width = max(float(rest.std()), NARROWEST)
        mean[i], scale[i, : len(slope) - 1], scale[i, 1 + i] = slope[0], slope[1:], width
        known.append(rest / width)
    return Acceptance(mean, scale)
