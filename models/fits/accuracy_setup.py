"""What the accuracy model is told before it sees results: types, their weights, and every prior as mean and width."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.accuracy_counts import AccuracyCounts
from models.fits import clustering
from models.priors import Prior, Scale, prior_of, to_scale
from models.schema import Arm, Parameter
from models.uncertainty import Uncertain

Floats = NDArray[np.float64]
SPREAD_OF_TYPES = 0.75
"""Scale of the half-normal that holds the spread of types, logit."""
SPREAD_OF_SHIFTS = 0.5
SPREAD_OF_DAYS = 0.3
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
    accept_right: Prior
    accept_wrong: Prior
    sensitivity: Prior
    specificity: Prior
    cluster_spread: Prior
    has_live: bool
    has_live_unpiloted: bool

    @property
    def numbers(self) -> tuple[Prior, ...]:
        """Priors of the single numbers, in the order of `accuracy_model.NUMBERS`."""
        chances = (self.accept_right, self.accept_wrong, self.sensitivity, self.specificity)
        return (self.level, self.shift, self.penalty, *chances, self.cluster_spread)

    @property
    def spreads(self) -> Floats:
        """Scales of the half-normals of types, shifts, days. Without live results types are not given shifts of their own."""
        return np.asarray([SPREAD_OF_TYPES, SPREAD_OF_SHIFTS if self.has_live else 0.0, SPREAD_OF_DAYS])


def set_up(
    case: schema.CaseFile,
    step: schema.Ai,
    counts: AccuracyCounts,
    labels: tuple[Prior, Prior],
    given: Mapping[str, Floats],
) -> Setup:
    """The set-up of one AI step. `labels`: chance that a wrong output is found wrong (sensitivity), and that a right one is found right (specificity) · `given`: columns of other fits, in place of beliefs."""
    types = tuple(case.types)
    piloted = np.asarray([t.piloted for t in case.types.values()])
    shares = {arm: _shares(case, arm, given) for arm in ARMS}
    live, unpiloted = _live(counts, types, piloted)
    accuracy = case_accuracy_belief(step)
    level = prior_of(accuracy, "logit", 2.0, 1.0)
    right, wrong = _acceptance(step, accuracy)
    return Setup(
        case, step, types, piloted,
        _normalised(shares["pilot"] * piloted), _normalised(shares["production"]),
        level,
        _offsets(step.type_effect, types, "pilot"),
        _moved(step.shift, -0.3, 0.7, live),
        _offsets(step.type_shift, types, "production"),
        _moved(step.scope_penalty, -0.5, 0.5, unpiloted),
        _defects(step, types, given),
        right, wrong, *labels,
        clustering.spread_prior(step.cluster_correlation.in_arm("pilot").uncertain(), float(1 / (1 + np.exp(-level.mean)))),
        live, unpiloted,
    )  # fmt: skip


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


def _shares(case: schema.CaseFile, arm: Arm, given: Mapping[str, Floats]) -> Floats:
    return np.asarray([middle(spec.share, f"types.{t}.share", arm, given) for t, spec in case.types.items()])


def middle(parameter: Parameter, path: str, arm: Arm, given: Mapping[str, Floats]) -> float:
    """The middle value of a parameter in an arm: of another fit's draws if there are any, else of the belief."""
    known = given_in(path, arm, given)
    return parameter.in_arm(arm).uncertain().median if known is None else float(np.median(known))


def given_in(path: str, arm: Arm, given: Mapping[str, Floats]) -> Floats | None:
    """Another fit's draws of a parameter in an arm, if there are any."""
    return given.get(f"{path}@{arm}", given.get(path))


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


def _defects(step: schema.Ai, types: tuple[str, ...], given: Mapping[str, Floats]) -> Defects:
    names = tuple(step.quality)
    shape = (2, len(types), len(names))
    known, uncertain, mean, sd = (np.zeros(shape) for _ in range(4))
    effect, by_type = np.zeros((len(names), 2)), np.zeros(len(names))
    for q, (name, spec) in enumerate(step.quality.items()):
        path = f"steps.{step.id}.quality.{name}"
        prior = _belief_prior(spec.effect, f"{path}.effect", "pilot", "plain", given)
        effect[q], by_type[q] = (prior.mean, prior.sd), float(spec.share.all is None)
        for e, arm in enumerate(ARMS):
            for k, kind in enumerate(types):
                share, place = share_of_type(spec.share, f"{path}.share", kind)
                if share is None:
                    continue
                prior = _belief_prior(share, place, arm, "logit", given)
                uncertain[e, k, q] = prior.sd > 0
                known[e, k, q] = 0.0 if prior.sd > 0 else middle(share, place, arm, given)
                mean[e, k, q], sd[e, k, q] = prior.mean, prior.sd
    return Defects(names, effect, by_type, known, uncertain, mean, sd)


def share_of_type(share: schema.ShareByType, path: str, kind: str) -> tuple[Parameter | None, str]:
    """The parameter that holds the share of a type, and its path; None for a type that is left out (its share is 0)."""
    return (share.all, path) if share.all is not None else (share.types.get(kind), f"{path}.types.{kind}")


def _belief_prior(parameter: Parameter, path: str, arm: Arm, scale: Scale, given: Mapping[str, Floats]) -> Prior:
    """Of a number that results cannot teach on their own: a plain value stays plain; counts in the case file are its belief."""
    known = given_in(path, arm, given)
    if known is not None:
        x = to_scale(known, scale)
        return Prior(float(x.mean()), float(x.std()), scale, "another fit")
    belief = parameter.in_arm(arm).uncertain()
    return prior_of(Uncertain(belief.fixed, belief.inverse), scale, 0.0, 0.0)


def _acceptance(step: schema.Ai, accuracy: Uncertain) -> tuple[Prior, Prior]:
    """Priors of P(accepted given right) and P(accepted given wrong), from the beliefs about coverage and accepted errors."""
    coverage, error = (p.in_arm("pilot").uncertain() for p in (step.coverage, step.accepted_error))
    rng = np.random.default_rng(0)
    level, share, wrong = (rng.permutation(b.quantile(_MANY)) for b in (accuracy, coverage, error))
    chances = (share - wrong) / np.maximum(level, 1e-9), wrong / np.maximum(1 - level, 1e-9)
    wide = [coverage.fixed is not None or coverage.counted, error.fixed is not None or error.counted]
    return tuple(_chance_prior(c, w) for c, w in zip(chances, wide, strict=True))  # type: ignore[return-value]


def _chance_prior(chance: Floats, usual_width: bool) -> Prior:
    x = to_scale(np.clip(chance, 1e-3, 1 - 1e-3), "logit")
    return Prior(
        float(x.mean()),
        1.0 if usual_width else max(float(x.std()), 0.1),
        "logit",
        "coverage and accepted errors of the case file",
    )
