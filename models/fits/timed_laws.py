"""From the times of some laws of the case file to a sub-model: lognormals sampled together, exponentials in closed form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evidence.duration_cells import Cell, log_seconds
from models.evidence.refusals import UnusableEvidenceError
from models.fits.durations import CellPrior, Prepared, sample_cells
from models.fits.law_priors import USUAL_LOG_SD, Z90, arm_named, gamma_of, law_prior, stated_parameters
from models.fits.seam import Sampling
from models.laws import Exponential, Law
from models.posterior import Predictive, SubModel
from models.priors import prior_of
from models.schema import Parameter
from models.units import duration_text

Floats = NDArray[np.float64]
PRIOR_ROWS = 4_000
REPLICATES = 400
UNLIKELY = 0.005
"""An observed figure with less than this share of replicates on one side of it says that the shape is wrong."""
ROUGH = 0.5
"""An exponential takes times that are known to this share of themselves at their middle; rougher ones are refused."""


@dataclass(frozen=True, slots=True, eq=False)
class TimedLaw:
    """A law of the case file and the evidence about it.

    path: place of the law, as `steps.entry.service` · arm: "" or `@` and the arm its columns are for · files: kinds of files
    factor: what the observed times are multiplied by in the case file · multiplier: what a reminder leaves, at multiplier_path
    """

    path: str
    law: Law
    cell: Cell
    arm: str = ""
    files: tuple[str, ...] = ()
    factor: float = 1.0
    multiplier: Parameter | None = None
    multiplier_path: str = ""

    def column(self, name: str) -> str:
        """Column of one of the law's numbers."""
        return f"{self.path}.{name}{self.arm}"

    @property
    def informs_multiplier(self) -> bool:
        return self.multiplier is not None and bool((self.cell.terms[:, [1, 3]] > 0).any())

    def prior(self) -> CellPrior:
        """Raises UnusableEvidenceError unless the law is a lognormal."""
        return law_prior(self.law, self.path, arm_named(self.arm), self.multiplier)

    def columns(self, prior: CellPrior, theta: Floats) -> dict[str, Floats]:
        """Columns of a lognormal law in base units, from working numbers (rows, 3)."""
        sigma, first = np.exp(theta[:, 1]), np.exp(theta[:, 0]) / self.factor
        if prior.by_mean:
            columns = {self.column("mean"): first, self.column("cv"): np.sqrt(np.expm1(np.minimum(sigma**2, 100.0)))}
        else:
            columns = {self.column("median"): first, self.column("p90"): first * np.exp(Z90 * sigma)}
        if self.informs_multiplier:
            columns[f"{self.multiplier_path}{self.arm}"] = 1 / (1 + np.exp(-theta[:, 2]))
        return columns


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """Of one law: columns after and before the data, the log of the mean time, checks."""

    columns: dict[str, Floats]
    prior: dict[str, Floats]
    log_mean: Floats
    predictive: list[Predictive]


def fit_laws(
    name: str, laws: Sequence[TimedLaw], sampling: Sampling, stop: Event | None = None, notes: Sequence[str] = ()
) -> SubModel:
    """The posterior of all laws together. Raises UnusableEvidenceError for a law that times cannot inform, StoppedError once `stop` is set."""
    if not laws:
        raise UnusableEvidenceError(f"{name}: there are no rows to fit")
    for timed in laws:
        stated_parameters(timed.law, timed.path)
    rng = np.random.default_rng([sampling.seed, 1])
    rows = sampling.chains * sampling.draws
    sampled = [t for t in laws if not isinstance(t.law, Exponential)]
    prepared = [Prepared.of(t.cell, t.prior()) for t in sampled]
    draws, checks = sample_cells(prepared, sampling, stop)
    fitted = [_log_normal(t, p.prior, draws[:, k], rng) for k, (t, p) in enumerate(zip(sampled, prepared, strict=True))]
    fitted += [_exponential(t, rows, rng) for t in laws if isinstance(t.law, Exponential)]
    ordered = [*sampled, *(t for t in laws if isinstance(t.law, Exponential))]
    counts = {f"{t.path}{t.arm}: visits": np.asarray([t.cell.visits, t.cell.open_visits]) for t in laws}
    return SubModel(
        name,
        {c: x for f in fitted for c, x in f.columns.items()},
        {c: x for f in fitted for c, x in f.prior.items()},
        np.asarray(sum(standard(f.log_mean) for f in fitted)),
        checks,
        tuple(p for f in fitted for p in f.predictive),
        {c: t.files for t, f in zip(ordered, fitted, strict=True) for c in f.columns},
        counts,
        dict.fromkeys(counts, (("all", "open"),)),
        (
            *notes,
            *(_note(t) for t in laws),
            *(_shape_note(t, f.predictive) for t, f in zip(ordered, fitted, strict=True) if _misfits(f.predictive)),
        ),
    )


def standard(values: Floats) -> Floats:
    """With mean 0 and standard deviation 1 (0 throughout if they are all the same)."""
    spread = float(values.std())
    return np.asarray((values - values.mean()) / (spread if spread > 0 else 1.0))


def _note(timed: TimedLaw) -> str:
    cell = timed.cell
    open_ = (
        f", {cell.open_visits:,.0f} of them not ended when last seen: they count as lasting at least so long"
        if cell.open_visits
        else ""
    )
    roughly = f"; {_same_instant(cell):.0%} ended within the interval in which they began" if _same_instant(cell) > 0.5 else ""
    before = "" if isinstance(timed.law, Exponential) else f" Before: {timed.prior().first.origin}."
    return f"{timed.path}{timed.arm}: {cell.visits:,.0f} times{open_}{roughly}.{before}"


def _misfits(checks: Sequence[Predictive]) -> bool:
    return any(not UNLIKELY < c.share_below < 1 - UNLIKELY for c in checks)


def _shape_note(timed: TimedLaw, checks: Sequence[Predictive]) -> str:
    worst = max(checks, key=lambda c: abs(c.share_below - 0.5))
    return (
        f"{timed.path}{timed.arm}: a lognormal is not the shape of these times ({worst.what.rpartition(': ')[2]}: {worst.observed:.0%} "
        f'seen, {worst.low:.0%} to {worst.high:.0%} fitted); quantiles of the file itself (kind = "empirical") serve better.'
    )


def _same_instant(cell: Cell) -> float:
    return float(cell.doubles[cell.doubles[:, 0] <= 0, 3].sum() / max(cell.visits, 1.0))


# -- one law


def _log_normal(timed: TimedLaw, prior: CellPrior, theta: Floats, rng: np.random.Generator) -> _Fitted:
    believed = prior.mean + prior.sd * rng.standard_normal((PRIOR_ROWS, 3))
    mu, sigma, _ = prior.mu_sigma_multiplier(theta)
    columns = timed.columns(prior, theta)
    before = {name: x for name, x in timed.columns(prior, believed).items() if name in columns}
    return _Fitted(columns, before, mu + sigma**2 / 2, life_checks(timed, mu, sigma, rng))


def life_checks(timed: TimedLaw, mu: Floats, sigma: Floats, rng: np.random.Generator) -> list[Predictive]:
    """Share of visits longer than about the observed median and 90 % time, by the product limit, against replicates.

    A replicate draws, age by age, how many of the visits at risk end, with the law of one draw. mu, sigma: shape (rows,).
    """
    life = timed.cell.life
    if life is None:
        return []
    from scipy.special import log_ndtr

    chosen = rng.choice(len(mu), REPLICATES)
    z = (log_seconds(life.edges) - mu[chosen, None]) / sigma[chosen, None]
    hazard = -np.expm1(np.diff(np.maximum(log_ndtr(-z), -700.0), axis=1))
    at_risk = np.rint(life.at_risk).astype(np.int64)
    ended = rng.binomial(at_risk, np.clip(hazard, 0.0, 1.0))
    replicated = np.cumprod(1 - ended / np.maximum(at_risk, 1), axis=1)
    observed = life.survival()
    found = []
    for share in (0.5, 0.1):
        k = int(np.argmin(np.abs(observed - share)))
        what = f"{timed.path}{timed.arm}: share longer than {duration_text(float(life.edges[k + 1]))}"
        found.append(predictive_check(what, float(observed[k]), replicated[:, k]))
    return found


def predictive_check(what: str, observed: float, replicated: ArrayLike) -> Predictive:
    """Where an observed figure lies among replicated ones (with their 5 % and 95 %); ties count half."""
    x = np.asarray(replicated, dtype=np.float64)
    below = float((x < observed).mean() + (x == observed).mean() / 2)
    return Predictive(what, observed, float(np.quantile(x, 0.05)), float(np.quantile(x, 0.95)), below)


def _exponential(timed: TimedLaw, rows: int, rng: np.random.Generator) -> _Fitted:
    """The rate is Gamma, conjugate to exact and to open times; the prior of the log of the mean is matched in mean and variance."""
    assert isinstance(timed.law, Exponential)
    shape, rate, ended, seconds = exponential_posterior(timed)
    after = 1 / rng.gamma(shape + ended, 1 / (rate + seconds), rows) / timed.factor
    before = 1 / rng.gamma(shape, 1 / rate, PRIOR_ROWS) / timed.factor
    name = timed.column("mean")
    return _Fitted({name: after}, {name: before}, np.log(after), [])


def exponential_posterior(timed: TimedLaw) -> tuple[float, float, float, float]:
    """Shape and rate of the Gamma prior of the rate, and what the data add to them: ended visits, and seconds in all.

    Raises UnusableEvidenceError for data that have no such closed form.
    """
    assert isinstance(timed.law, Exponential)
    cell = timed.cell
    middle = (cell.doubles[:, 0] + cell.doubles[:, 1] - cell.doubles[:, 2]) / 2
    width = cell.doubles[:, 1] - cell.doubles[:, 0] + cell.doubles[:, 2]
    mean = (cell.total + middle @ cell.doubles[:, 3]) / max(cell.n + cell.doubles[:, 3].sum(), 1.0)
    if (width > ROUGH * mean).any() or (cell.terms[:, 4] < 0).any() or (cell.terms[:, [1, 3]] > 0).any():
        raise UnusableEvidenceError(
            f"{timed.path} is stated as exponential; dates without a time, reminders and exports chosen by their end need "
            'kind = "lognormal" with a first guess of median and p90'
        )
    belief = timed.law.mean.in_arm(arm_named(timed.arm)).uncertain()
    shape, rate = gamma_of(prior_of(belief, "log", float(np.log(max(belief.median, 1e-3))), USUAL_LOG_SD))
    seconds = cell.total + middle @ cell.doubles[:, 3] + cell.terms[:, 0] @ cell.terms[:, 4]
    return shape, rate, cell.n + float(cell.doubles[:, 3].sum()), float(seconds)
