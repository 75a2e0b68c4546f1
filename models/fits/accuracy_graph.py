"""The accuracy model as a PyMC graph, compiled once for a size and sampled with any case's priors and counts.

logit of accuracy without data defects: in the pilot level + type + scope penalty (types never piloted); live + shift + the type's own
shift. Defects add their effects; a group of cases is a mix of types and combinations of defects, averaged over as the simulator does.
Right outputs are labelled right with probability `specificity`, wrong ones wrong with `sensitivity`. P(accepted | right) and
P(accepted | wrong) are one pair for all, as one threshold is. Counts are effective: divided by their design effect before.

What the sampler moves is chosen for its ease, the model stays the same. Results fix the sum of the level and the most frequent type's
own effect, not the two apart: that sum is one variable, a rotation of the pair by an angle that the spread sets (two independent
standard normals stay such). Spreads have a sign, which the types' effects take along: no wall at 0 to creep along.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from models.fits.seam import Compiled

NUMBERS = ("level", "shift", "penalty", "accept_right", "accept_wrong", "sensitivity", "specificity")
"""Unknown single numbers, on the scale of their normal prior: logits."""
SPREADS = ("type_spread", "shift_spread")
KEPT = ("number_z", "spread_z", "type_z")
"""The variables that are kept; all have a standard normal prior, the spreads a half-normal one."""
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Size:
    """How many types, combinations of defects and groups of cases a compiled model holds; unused ones have no weight and no cases."""

    types: int
    combinations: int
    groups: int


@lru_cache(maxsize=4)
def compiled(size: Size) -> Compiled:
    """The compiled model of a size, once a process."""
    return Compiled(lambda: _model(size), KEPT)


def empty(size: Size) -> dict[str, Any]:
    """The model's data, without any case: names and shapes.

    numbers: means, (7,) · scale: of seven standard normals, (7, 7) · spreads: half-normal scales · offsets: (3, 2, types) mean, own width, whether the width is its own ·
    effects: logit of each combination of defects · weights: (groups, 2 · types · combinations) · cases: (groups, 2) right, wrong ·
    anchors: (2, types), 1 at the most frequent type in the pilot, and live · accepted: (groups, 4) accepted and right, referred and right, accepted and wrong, referred and wrong · accepted_only: (groups, 2) ·
    audited: (groups, 2) right, wrong
    """
    groups = size.groups
    return {
        "numbers": np.zeros(len(NUMBERS)), "scale": np.eye(len(NUMBERS)), "spreads": np.ones(2), "offsets": np.zeros((3, 2, size.types)),
        "unpiloted": np.zeros(size.types), "anchors": np.zeros((2, size.types)), "effects": np.zeros(size.combinations),
        "weights": np.full((groups, 2 * size.types * size.combinations), 1.0 / (2 * size.types * size.combinations)),
        "referred": np.zeros(groups), "cases": np.zeros((groups, 2)), "accepted": np.zeros((groups, 4)),
        "accepted_only": np.zeros((groups, 2)), "audited": np.zeros((groups, 2)),
    }  # fmt: skip


def _model(size: Size) -> Any:
    from importlib import import_module

    pm: Any = import_module("pymc")
    pt: Any = import_module("pytensor.tensor")
    coords = {
        "number": NUMBERS,
        "spread": SPREADS,
        "environment": ("pilot", "live"),
        "type": [f"type {k}" for k in range(size.types)],
    }
    with pm.Model(coords=coords) as built:
        d = {name: pm.Data(name, value) for name, value in empty(size).items()}
        mean, width, own = d["offsets"][0], d["offsets"][1], d["offsets"][2]
        signed = pm.Normal("signed_spread", dims="spread")
        wide = own * width + (1 - own) * (d["spreads"] * signed)[:, None]
        number_z, type_z = _rotated(
            pt, d, wide, pm.Normal("moved_number", dims="number"), pm.Normal("moved_type", dims=("environment", "type"))
        )
        number = d["numbers"] + pt.dot(d["scale"], number_z)
        by_type = mean + wide * type_z
        pm.Deterministic("number_z", number_z)
        pm.Deterministic("spread_z", abs(signed))
        pm.Deterministic("type_z", type_z * (own + (1 - own) * pt.sign(signed)[:, None]))
        pilot = number[0] + by_type[0] + number[2] * d["unpiloted"]
        logit = pt.stack([pilot, pilot + number[1] + by_type[1]])
        p = pt.dot(d["weights"], pm.math.sigmoid(logit[:, :, None] + d["effects"]).flatten())
        pm.Potential("results", _log_likelihood(pt, p, pm.math.sigmoid(number[3:]), d))
    return built


def _rotated(pt: Any, d: Any, wide: Any, number: Any, by_type: Any) -> tuple[Any, Any]:
    """Standard normal variables of the numbers and of the types. In each environment the anchor's is turned with the level (the shift)."""
    anchors = d["anchors"]
    sd, of_anchor = pt.diag(d["scale"])[:2], (anchors * wide).sum(axis=1)
    length = pt.sqrt(sd**2 + of_anchor**2 + TINY)
    cosine, sine = (sd + TINY) / length, of_anchor / length
    anchored, used = (anchors * by_type).sum(axis=1), anchors.sum(axis=1)
    turned = number[:2] * cosine - anchored * sine
    other = number[:2] * sine + anchored * cosine
    numbers = pt.concatenate([used * turned + (1 - used) * number[:2], number[2:]])
    return numbers, by_type * (1 - anchors) + anchors * other[:, None]


def _log_likelihood(pt: Any, p: Any, chances: Any, d: Any) -> Any:
    """Labels, then what was accepted given the label, what was accepted where labels are unknown, and audits of accepted outputs."""
    right, wrong, sensitivity, specificity = (chances[i] for i in range(4))
    accepted = p * right + (1 - p) * wrong
    among = pt.switch(d["referred"] > 0, p * (1 - right) / (1 - accepted + TINY), p)  # only referred outputs were looked at
    label = among * specificity + (1 - among) * (1 - sensitivity)
    taken_right, taken_wrong = p * right * specificity, (1 - p) * wrong * (1 - sensitivity)
    of_right = (taken_right + taken_wrong) / (p * specificity + (1 - p) * (1 - sensitivity) + TINY)
    of_wrong = (p * right * (1 - specificity) + (1 - p) * wrong * sensitivity) / (
        p * (1 - specificity) + (1 - p) * sensitivity + TINY
    )
    sound = (taken_right + taken_wrong) / (accepted + TINY)

    def binomial(yes: Any, no: Any, chance: Any) -> Any:
        return (yes * pt.log(chance + TINY) + no * pt.log(1 - chance + TINY)).sum()

    cases, quads, only, audited = d["cases"], d["accepted"], d["accepted_only"], d["audited"]
    return (
        binomial(cases[:, 0], cases[:, 1], label)
        + binomial(quads[:, 0], quads[:, 1], of_right)
        + binomial(quads[:, 2], quads[:, 3], of_wrong)
        + binomial(only[:, 0], only[:, 1], accepted)
        + binomial(audited[:, 0], audited[:, 1], sound)
    )
