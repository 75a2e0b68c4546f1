"""Lognormal times of many laws at once, from sufficient statistics, in one compiled model.

Each law of the case file is a cell with three numbers: `first`, the log of its median (or of its mean, as the case file states it), the
log of sigma, and the logit of what a reminder leaves of a wait. Cells do not inform each other: nothing makes entering data and
answering a request alike. So they are sampled together, as many as the tables of the model hold, and in several goes if there are more.

A cell's numbers are centre + root × z, with the mode and the curvature of its own posterior: the sampler meets the same shape whether
there are ten rows or ten million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evidence.duration_cells import NODES, Cell, double_nodes, log_likelihood
from models.fits.seam import Compiled, Sampling
from models.posterior import Diagnostic
from models.priors import Prior

Floats = NDArray[np.float64]
PARTS = ("first", "log_sigma", "logit_multiplier")
ROOT_HALF = float(np.sqrt(0.5))
SMALLEST = 1e-300
"""Chances below it (37 standard deviations out) count as this."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many cells, and of all cells how many rows with one interval and with two, the tables of a compiled model hold."""

    cells: int
    terms: int
    doubles: int

    def holds(self, used: Floats) -> bool:
        """Whether as many cells, terms and doubles fit in."""
        return bool((used <= (self.cells, self.terms, self.doubles)).all())


SMALL, LARGE = Size(4, 64, 16), Size(16, 128, 48)
"""A law or two of one's own are sampled five times as fast in the small tables."""


@dataclass(frozen=True, slots=True, eq=False)
class CellPrior:
    """Priors of a cell: `first` the log of the median (or, with `by_mean`, of the mean), log sigma, logit of the multiplier."""

    first: Prior
    log_sigma: Prior
    logit_multiplier: Prior
    by_mean: bool

    @property
    def mean(self) -> Floats:
        return np.asarray([self.first.mean, self.log_sigma.mean, self.logit_multiplier.mean])

    @property
    def sd(self) -> Floats:
        return np.asarray([self.first.sd, self.log_sigma.sd, self.logit_multiplier.sd])

    def mu_sigma_multiplier(self, theta: Floats) -> tuple[Floats, Floats, Floats]:
        """Working numbers (…, 3) → mu, sigma, multiplier."""
        sigma = np.exp(theta[..., 1])
        mu = theta[..., 0] - (sigma**2 / 2 if self.by_mean else 0.0)
        return mu, sigma, 1 / (1 + np.exp(-theta[..., 2]))


def log_posterior(cell: Cell, prior: CellPrior, theta: Floats) -> Floats:
    """Of one cell, up to a constant; theta (…, 3)."""
    density = -0.5 * np.square((theta - prior.mean) / prior.sd).sum(axis=-1)
    return np.asarray(density + log_likelihood(cell, *prior.mu_sigma_multiplier(theta)))


# -- the compiled model


def build_model(size: Size) -> Any:
    """The PyMC model of as many cells; all data are padded to fixed shapes and enter as `pm.Data`."""
    pm, pt = _libraries()
    with pm.Model(coords={"part": list(PARTS), "cell": range(size.cells)}) as model:
        d = {name: pm.Data(name, value) for name, value in pack([], size).items()}
        z = pm.Flat("z", dims=("part", "cell"))
        theta = d["centre"] + (d["root"] * z[None]).sum(axis=1)
        first, log_sigma = theta[0], theta[1]
        mu = first - d["by_mean"] * pt.exp(2 * log_sigma) / 2
        square = d["s2"] - 2 * mu * d["s1"] + d["n"] * mu**2
        exact = -d["n"] * log_sigma - square * pt.exp(-2 * log_sigma) / 2
        prior = -0.5 * pt.sqr((theta - d["prior_mean"]) / d["prior_sd"])
        pm.Potential("log_posterior", prior.sum() + exact.sum() + _intervals(d, theta, size).sum())
    return model


def _intervals(d: Mapping[str, Any], theta: Any, size: Size) -> Any:
    """Weighted log chances of the rows: single intervals first, then those with one interval a node of their start."""
    _, pt = _libraries()
    own = theta[:, d["cell"]]
    sigma, inverse = pt.exp(own[1]), 1 + pt.exp(-own[2])
    mu = own[0] - d["row_by_mean"] * sigma**2 / 2
    low = (pt.log(d["low"] + d["low_rest"] * inverse) - mu) / sigma
    high = (pt.log(d["high"] + d["high_rest"] * inverse) - mu) / sigma
    side = pt.sign(low + high) * ROOT_HALF  # the tail in which the difference loses no digits
    chance = d["node"] * pt.sign(side) * (pt.erfc(side * low) - pt.erfc(side * high)) / 2
    double = chance[size.terms :].reshape((size.doubles, len(NODES))).sum(axis=1)
    return d["weight"] * pt.log(pt.maximum(pt.concatenate([chance[: size.terms], double]), SMALLEST))


def _libraries() -> tuple[Any, Any]:
    """PyMC and PyTensor's tensors, loaded when a model is built (neither has types)."""
    return import_module("pymc"), import_module("pytensor.tensor")


@lru_cache(maxsize=2)
def compiled(size: Size) -> Compiled:
    """The model of a size, compiled once a process (20 to 40 s)."""
    return Compiled(lambda: build_model(size), ("z",))


# -- data of the model


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A cell with its prior, and the mode and root of the curvature of its posterior."""

    cell: Cell
    prior: CellPrior
    centre: Floats
    root: Floats

    @classmethod
    def of(cls, cell: Cell, prior: CellPrior) -> Prepared:
        """Finds the mode by Nelder-Mead and the curvature there by differences."""
        from scipy.optimize import minimize

        def loss(theta: Any) -> float:
            value = -float(log_posterior(cell, prior, theta))
            return value if np.isfinite(value) else 1e300

        start = _start(cell, prior)
        simplex = np.vstack([start, start + np.diag(np.minimum(prior.sd, 0.3))])
        options: Any = {"initial_simplex": simplex, "xatol": 1e-6, "fatol": 1e-6, "maxiter": 4_000, "maxfev": 4_000}
        mode = np.asarray(minimize(loss, start, method="Nelder-Mead", options=options).x)
        return cls(cell, prior, mode, _root(loss, mode, prior.sd))


def _start(cell: Cell, prior: CellPrior) -> Floats:
    start = prior.mean.copy()
    if cell.n >= 3:
        mu, sigma = cell.s1 / cell.n, np.sqrt(max(cell.s2 / cell.n - (cell.s1 / cell.n) ** 2, 1e-4))
        start[:2] = mu + (sigma**2 / 2 if prior.by_mean else 0.0), np.log(sigma)
    return start


def _root(loss: Callable[[Floats], float], mode: Floats, prior_sd: Floats) -> Floats:
    """Lower triangular root of the inverse of the curvature; steps are matched to the posterior's width along each axis."""
    here, steps = loss(mode), prior_sd * 0.1
    for _ in range(4):
        curve = np.asarray([loss(mode + e) + loss(mode - e) - 2 * here for e in np.diag(steps)])
        steps = np.clip(steps / np.sqrt(np.maximum(curve, 1e-8)) * 0.3, steps * 1e-3, prior_sd)
    pairs = [(a, b) for a in np.diag(steps) for b in np.diag(steps)]
    four = [loss(mode + a + b) - loss(mode + a - b) - loss(mode - a + b) + loss(mode - a - b) for a, b in pairs]
    hessian = np.reshape(four, (3, 3)) / (4 * np.outer(steps, steps))
    try:
        return np.asarray(np.linalg.cholesky(np.linalg.inv((hessian + hessian.T) / 2)))
    except np.linalg.LinAlgError:
        return np.diag(steps)


def pack(cells: Sequence[Prepared], size: Size) -> dict[str, NDArray[Any]]:
    """The data of the compiled model: cells padded with a standard normal prior and no rows. Raises ValueError if they do not fit."""
    data: dict[str, NDArray[Any]] = {
        "centre": np.zeros((3, size.cells)), "root": np.tile(np.eye(3)[:, :, None], (1, 1, size.cells)), "by_mean": np.zeros(size.cells),
        "prior_mean": np.zeros((3, size.cells)), "prior_sd": np.ones((3, size.cells)), "n": np.zeros(size.cells), "s1": np.zeros(size.cells), "s2": np.zeros(size.cells),
    }  # fmt: skip
    for k, p in enumerate(cells):
        data["centre"][:, k], data["root"][:, :, k], data["by_mean"][k] = p.centre, p.root, float(p.prior.by_mean)
        data["prior_mean"][:, k], data["prior_sd"][:, k] = p.prior.mean, p.prior.sd
        data["n"][k], data["s1"][k], data["s2"][k] = p.cell.n, p.cell.s1, p.cell.s2
    rows = _rows(cells, size)
    rows["low"], rows["high"] = np.maximum(rows["low"], 1e-26), np.minimum(rows["high"], 1e26)
    by_mean = data["by_mean"][rows["cell"]]
    return data | rows | {"row_by_mean": by_mean}


def _rows(cells: Sequence[Prepared], size: Size) -> dict[str, NDArray[Any]]:
    """The rows of all cells: terms, then the nodes of the doubles, both padded with weight 0."""
    terms, doubles = (
        np.concatenate([np.empty((0, w)), *t])
        for t, w in (([p.cell.terms for p in cells], 5), ([p.cell.doubles for p in cells], 4))
    )
    low, high, node = double_nodes(doubles)
    none = np.zeros_like(low)
    names = ("low", "low_rest", "high", "high_rest", "node")
    fills = (1.0, 0.0, 2.0, 0.0, 1.0)
    singles = (*terms.T[:4], np.ones(len(terms)))
    nodes = (low, none, high, none, node)
    rows = {
        name: np.concatenate([_padded(single, size.terms, fill), _padded(of_node, size.doubles, fill).reshape(-1)])
        for name, single, of_node, fill in zip(names, singles, nodes, fills, strict=True)
    }
    rows["weight"] = np.concatenate([_padded(terms[:, 4], size.terms, 0.0), _padded(doubles[:, 3], size.doubles, 0.0)])
    owners = [
        np.repeat(np.arange(len(cells)), [len(t) for t in tables])
        for tables in ([p.cell.terms for p in cells], [p.cell.doubles for p in cells])
    ]
    rows["cell"] = np.concatenate(
        [_padded(owners[0], size.terms, 0), np.repeat(_padded(owners[1], size.doubles, 0), len(NODES))]
    ).astype(np.int64)
    return rows


def _padded(values: NDArray[Any], size: int, fill: float) -> NDArray[Any]:
    if len(values) > size:
        raise ValueError(f"{len(values)} rows do not fit into a table of {size}")
    return np.concatenate([values, np.full((size - len(values), *values.shape[1:]), fill, dtype=values.dtype)])


def goes(cells: Sequence[Prepared]) -> list[list[int]]:
    """Numbers of the cells that are sampled together, so that each go fits the tables."""
    found: list[list[int]] = []
    used = np.zeros(3)
    for k, p in enumerate(cells):
        size = np.asarray([1, len(p.cell.terms), len(p.cell.doubles)])
        if not found or not LARGE.holds(used + size):
            found.append([])
            used = np.zeros(3)
        found[-1].append(k)
        used = used + size
    return found


def size_of(cells: Sequence[Prepared]) -> Size:
    """The smallest tables that hold the cells."""
    used = np.asarray([len(cells), sum(len(p.cell.terms) for p in cells), sum(len(p.cell.doubles) for p in cells)])
    return SMALL if SMALL.holds(used) else LARGE


def sample_cells(
    cells: Sequence[Prepared], sampling: Sampling, stop: Event | None = None
) -> tuple[Floats, tuple[Diagnostic, ...]]:
    """Joint draws (rows, cells, 3) of the working numbers, and the checks of the sampler, each at its worst of all goes."""
    draws = np.empty((sampling.chains * sampling.draws, len(cells), 3))
    checks: list[tuple[Diagnostic, ...]] = []
    for number, members in enumerate(goes(cells)):
        mine = [cells[k] for k in members]
        size = size_of(mine)
        found = compiled(size).sample(pack(mine, size), replace(sampling, seed=sampling.seed + number), stop)
        z = found.values["z"]
        for i, (k, p) in enumerate(zip(members, mine, strict=True)):
            draws[:, k] = p.centre + z[:, :, i] @ p.root.T
        checks.append(found.diagnostics)
    return draws, worst(checks)


def worst(checks: Sequence[tuple[Diagnostic, ...]]) -> tuple[Diagnostic, ...]:
    """Of several goes: the first that failed each check, or the first."""
    if not checks:
        return ()
    by_name = [[d for c in checks for d in c if d.name == name] for name in (d.name for d in checks[0])]
    return tuple(next((d for d in same if not d.passed), same[0]) for same in by_name)
