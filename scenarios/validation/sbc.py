"""Simulation-based calibration of every fit: draw from the prior, make data, fit at full length, rank the truth among the draws.

`make sbc` (FITS=200 each) writes docs/sbc.json, which docs/verification.md shows. Ranks among 99 evenly spaced draws in ten bins;
chi-square for each quantity, Holm over all quantities of a model at .01 (Talts et al. 2018; Holm 1979). Fits that do not pass the gate
are counted and left out, as they would carry no verdict. `detectable`: the smallest shift of a posterior, in its own standard
deviations, that the test finds with a chance of 80 % at the level of a single quantity after Holm's first step.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.fits.seam import Sampling
from models.posterior import Diagnostic
from scenarios.validation import calibrated_fits as c

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "sbc.json"
BINS, THINNED = 10, 99
LEVEL = 0.01
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A fit that can be calibrated: prior → truth, truth → data, data → draws by quantity (last axes as in the truth) and checks."""

    name: str
    prior: Callable[[np.random.Generator], Mapping[str, Floats]]
    data: Callable[[np.random.Generator, Any], Any]
    fit: Callable[[Any, Sampling], tuple[Mapping[str, Floats], tuple[Diagnostic, ...]]]


MODELS: tuple[Calibrated, ...] = (
    Calibrated("accuracy", c.accuracy_prior, c.accuracy_data, c.accuracy_fit),
    Calibrated("times", c.times_prior, c.times_data, c.times_fit),
    Calibrated("volumes", c.volume_prior, c.volume_data, c.volume_fit),
    Calibrated("shares", c.shares_prior, c.shares_data, c.shares_fit),
    Calibrated("catch", c.catch_prior, c.catch_data, c.catch_fit),
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """One quantity: ranks seen, p value of their uniformity, shares of 50 % and 90 % intervals that hold the truth, and the standard
    errors that chance allows them."""

    name: str
    ranks: int
    p: float
    covered_50: float
    covered_90: float
    error_50: float
    error_90: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """One fit. passed_gate of fits · rejected: quantities that Holm rejects at .01 · detectable: shift in posterior sd."""

    name: str
    fits: int
    passed_gate: int
    quantities: tuple[Quantity, ...]
    rejected: tuple[str, ...]
    detectable: float


def calibrate(model: Calibrated, fits: int, seed: int = 1, progress: Callable[[int], None] = lambda _: None) -> Calibration:
    """Runs `fits` fits one after the other."""
    seen: dict[str, list[Ints]] = {}
    passed = 0
    for k in range(fits):
        rng = np.random.default_rng([seed, zlib.crc32(model.name.encode()), k])
        truth = model.prior(rng)
        draws, checks = model.fit(model.data(rng, truth), Sampling(int(rng.integers(2**31))))
        progress(k + 1)
        if not all(check.passed for check in checks):
            continue
        passed += 1
        for name, ranks in c.ranks(truth, draws, THINNED).items():
            seen.setdefault(name, []).append(np.ravel(ranks))
    quantities = tuple(quantity(name, np.stack(ranks)) for name, ranks in seen.items())
    smallest = min((q.ranks for q in quantities), default=0)
    return Calibration(
        model.name, fits, passed, quantities, holm({q.name: q.p for q in quantities}),
        detectable(smallest, len(quantities)) if smallest else float("nan"),
    )  # fmt: skip


def quantity(name: str, ranks: Ints) -> Quantity:
    """From ranks of shape (fits, elements). Elements of a fit are exchangeable or independent; their ranks are pooled."""
    flat = ranks.ravel()
    at = (flat + 0.5) / (THINNED + 1)
    low, high = np.abs(at - 0.5) <= 0.25, np.abs(at - 0.5) <= 0.45
    errors = [float(np.sqrt(level * (1 - level) / len(flat))) for level in (0.5, 0.9)]
    return Quantity(name, len(flat), uniformity(flat), float(low.mean()), float(high.mean()), errors[0], errors[1])


def uniformity(ranks: Ints) -> float:
    """p value of the chi-square test that ranks 0 … 99 fall into ten bins evenly."""
    from scipy.stats import chi2

    counts = np.bincount(ranks * BINS // (THINNED + 1), minlength=BINS)
    expected = len(ranks) / BINS
    return float(chi2.sf(np.square(counts - expected).sum() / expected, BINS - 1))


def holm(p: Mapping[str, float], level: float = LEVEL) -> tuple[str, ...]:
    """The names that Holm's step-down test rejects."""
    rejected = []
    for i, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        if value > level / (len(p) - i):
            break
        rejected.append(name)
    return tuple(rejected)


def detectable(ranks: int, quantities: int) -> float:
    """Smallest shift of a normal posterior, in its standard deviations, found with chance POWER at level LEVEL / quantities.

    The truth's place in a posterior shifted by δ has the bin probabilities Φ(Φ⁻¹(edge) + δ); the chi-square statistic is then noncentral.
    """
    from scipy.optimize import brentq
    from scipy.stats import chi2, ncx2, norm

    limit, edges = chi2.isf(LEVEL / quantities, BINS - 1), norm.ppf(np.linspace(0, 1, BINS + 1))

    def power(shift: float) -> float:
        p = np.diff(norm.cdf(edges + shift))
        return float(ncx2.sf(limit, BINS - 1, max(ranks * np.square(p - 1 / BINS).sum() * BINS, 1e-12)))

    return float(brentq(lambda shift: power(shift) - POWER, 1e-6, 10.0))


def as_data(found: Calibration) -> dict[str, Any]:
    """Plain data, rounded to what chance leaves of it."""
    data = asdict(found)
    data["detectable"] = round(found.detectable, 3)
    data["quantities"] = [{k: round(v, 4) if isinstance(v, float) else v for k, v in q.items()} for q in data["quantities"]]
    return data


def _show(name: str, of: int, done: int) -> None:
    sys.stderr.write(f"\r{name}: {done} of {of}   ")


def main(arguments: list[str] | None = None) -> None:
    """Calibrates the models asked for and writes their results into the file, beside those that are there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=200)
    parser.add_argument("--model", choices=[m.name for m in MODELS], action="append")
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    known: dict[str, Any] = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {}
    for model in MODELS:
        if options.model is None or model.name in options.model:
            known[model.name] = as_data(calibrate(model, options.fits, progress=partial(_show, model.name, options.fits)))
            options.out.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    sys.stderr.write("\n")


if __name__ == "__main__":
    main()
