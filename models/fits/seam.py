"""The seam to the sampler: a PyMC model is compiled once and sampled with any data; plain arrays come out. Only here: nutpie, ArviZ.

Data enter as `pm.Data` of fixed shapes (unused rows are padded so that they contribute nothing), so that new evidence needs no new
compilation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from threading import Event, Lock
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.posterior import Diagnostic

Floats = NDArray[np.float64]
MAX_R_HAT = 1.01
MIN_ESS = 400.0
MIN_BFMI = 0.3
MAX_DIVERGENT_SHARE = 0.001
POLL_SECONDS = 0.1


class StoppedError(Exception):
    """The fit was stopped before it was finished."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is sampled; all of it is stated, nothing is left to a sampler's defaults."""

    seed: int
    chains: int = 4
    tune: int = 1_000
    draws: int = 1_000
    target_accept: float = 0.9
    cores: int = 1

    def preview(self) -> Sampling:
        """Shorter, for a first look; it does not pass the checks."""
        return replace(self, chains=2, tune=600, draws=500)


@dataclass(frozen=True, slots=True, eq=False)
class Sampled:
    """Joint draws, all chains one after the other: name → (draws, …), and the checks of the sampler."""

    values: Mapping[str, Floats]
    diagnostics: tuple[Diagnostic, ...]


@dataclass(slots=True, eq=False)
class Compiled:
    """A model that is compiled when it is first sampled, once. `build` makes the PyMC model; `names`: the variables that are kept."""

    build: Callable[[], Any]
    names: tuple[str, ...]
    _sampler: Any = None
    _lock: Lock = field(default_factory=Lock)

    @property
    def sampler(self) -> Any:
        """nutpie's compiled model."""
        import nutpie

        with self._lock, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self._sampler is None:
                self._sampler = nutpie.compile_pymc_model(self.build(), backend="numba", freeze_model=False)
            return self._sampler

    def sample(self, data: Mapping[str, ArrayLike], settings: Sampling, stop: Event | None = None) -> Sampled:
        """Samples with new data (the names of the model's `pm.Data`). Raises StoppedError once `stop` is set, before it compiles."""
        import nutpie

        if stop is not None and stop.is_set():
            raise StoppedError
        with_data = self.sampler.with_data(**{name: np.asarray(value) for name, value in data.items()}) if data else self.sampler
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            running = nutpie.sample(
                with_data, draws=settings.draws, tune=settings.tune, chains=settings.chains, cores=settings.cores,
                seed=settings.seed, target_accept=settings.target_accept, save_warmup=False, progress_bar=False, blocking=False,
            )  # fmt: skip
            while not _finished(running):
                if stop is not None and stop.is_set():
                    running.abort()
                    raise StoppedError
            trace = running.wait()
        chains = {name: np.asarray(trace["posterior"][name], dtype=np.float64) for name in self.names}
        flat = {name: x.reshape(-1, *x.shape[2:]) for name, x in chains.items()}
        return Sampled(flat, diagnose(chains, trace["sample_stats"]))


def _finished(running: Any) -> bool:
    """Waits a moment. (Asking a running sampler of nutpie 0.16 whether it is finished raises the same TimeoutError.)"""
    try:
        running._sampler.wait(POLL_SECONDS)
    except TimeoutError:
        return False
    return True


def diagnose(chains: Mapping[str, Floats], stats: Any) -> tuple[Diagnostic, ...]:
    """Divergences, largest R-hat, smallest bulk and tail ESS over all varying elements, smallest E-BFMI.

    Vehtari et al. 2021 (rank-normalised R-hat, bulk and tail ESS) and Betancourt 2016 (E-BFMI), as ArviZ computes them.
    """
    import arviz as az

    columns = [x.reshape(*x.shape[:2], -1)[:, :, k] for x in chains.values() for k in range(int(np.prod(x.shape[2:], initial=1)))]
    varying = [c for c in columns if np.ptp(c) > 0]
    r_hat = max((float(az.rhat(c)) for c in varying), default=np.nan)
    bulk = min((float(az.ess(c, method="bulk")) for c in varying), default=np.nan)
    tail = min((float(az.ess(c, method="tail")) for c in varying), default=np.nan)
    diverging = np.asarray(stats["diverging"])
    energy = np.asarray(stats["energy"], dtype=np.float64)
    bfmi = float(np.min(az.bfmi(energy)))
    share = float(diverging.mean())
    return (
        Diagnostic(
            "divergent transitions", float(diverging.sum()), f"under {MAX_DIVERGENT_SHARE:.1%}", share < MAX_DIVERGENT_SHARE
        ),
        Diagnostic("R-hat", r_hat, f"at most {MAX_R_HAT}", r_hat <= MAX_R_HAT),
        Diagnostic("effective draws, bulk", bulk, f"at least {MIN_ESS:g}", bulk >= MIN_ESS),
        Diagnostic("effective draws, tail", tail, f"at least {MIN_ESS:g}", tail >= MIN_ESS),
        Diagnostic("E-BFMI", bfmi, f"above {MIN_BFMI}", bfmi > MIN_BFMI),
    )
