"""Which laws of the case file times can inform, and what the case file believes of them on the scale of the fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.evidence.refusals import UnusableEvidenceError
from models.fits.durations import CellPrior
from models.laws import Exponential, Law, Lognormal
from models.priors import Prior, prior_of
from models.schema import Arm, Parameter

Floats = NDArray[np.float64]
Z90 = 1.2815515655446004
"""The 90 % quantile of a standard normal."""
USUAL_LOG_SD = 1.0
"""Usual width of the log of a median or mean: two thirds within a factor of 2.7."""
USUAL_LOG_SIGMA = Prior(float(np.log(0.8)), 0.5, "log", "usual prior (the case file states no spread)")
USUAL_LOGIT_SD = 1.0
NARROWEST, WIDEST = 0.1, 1.0
"""Limits of the prior width of log sigma taken from ranges of median and p90: they are stated apart, but say one thing together."""
_RANGE = "the case file's range"
_AROUND = np.linspace(-3, 3, 61)


def stated_parameters(law: Law, path: str) -> tuple[Parameter, ...]:
    """The two numbers of a lognormal or the one of an exponential. Raises UnusableEvidenceError for other laws."""
    match law:
        case Lognormal(median=Parameter() as median, p90=Parameter() as p90):
            return median, p90
        case Lognormal(mean=Parameter() as mean, cv=Parameter() as cv):
            return mean, cv
        case Exponential():
            return (law.mean,)
        case _:
            raise UnusableEvidenceError(
                f"{path} is stated as {law.kind}; times inform a lognormal (median and p90, or mean and cv) or an exponential: "
                'write kind = "lognormal" with a first guess of median and p90'
            )


def arm_of(parameters: tuple[Parameter, ...], path: str, seen_in: Arm | None) -> str:
    """The suffix of the columns of some parameters: "" if they are the same in all arms, else `@` and an arm.

    seen_in: the arm that the evidence speaks of, None if its rows do not say. What was seen today is `production` where the case file
    says that today is as in production. Raises UnusableEvidenceError if the rows do not say, or the parameters differ in this.
    """
    differing = {p.pilot is not None for p in parameters}
    if len(differing) > 1:
        raise UnusableEvidenceError(
            f"{path}: some of its numbers differ by arm and some do not; give pilot and production for all of them"
        )
    if differing == {False}:
        return ""
    if seen_in is None:
        raise UnusableEvidenceError(f"{path} differs by arm: say in the column environment where the rows were measured")
    as_is = all(p.as_is is not None for p in parameters)
    return "@production" if seen_in == "as_is" and not as_is else f"@{seen_in}"


def arm_named(suffix: str) -> Arm:
    """The arm whose belief a column with this suffix has."""
    return "pilot" if suffix == "@pilot" else "as_is" if suffix == "@as_is" else "production"


def multiplier_prior(parameter: Parameter | None, arm: Arm) -> Prior:
    """Of the logit of what a reminder leaves."""
    if parameter is None:
        return Prior(0.0, USUAL_LOGIT_SD, "logit", "no reminder")
    return prior_of(parameter.in_arm(arm).uncertain(), "logit", 0.0, USUAL_LOGIT_SD)


def law_prior(law: Law, path: str, arm: Arm, multiplier: Parameter | None = None) -> CellPrior:
    """The prior of a lognormal law. Raises UnusableEvidenceError for any other."""
    parameters = stated_parameters(law, path)
    if not isinstance(law, Lognormal):
        raise UnusableEvidenceError(f"{path} is an exponential: it has no spread of its own")
    first, second = (p.in_arm(arm).uncertain() for p in parameters)
    centre = prior_of(first, "log", float(np.log(max(first.median, 1e-3))), USUAL_LOG_SD)
    left = multiplier_prior(multiplier, arm)
    if law.mean is not None:
        return CellPrior(centre, _sigma_of_cv(prior_of(second, "log", 0.0, USUAL_LOG_SIGMA.sd)), left, True)
    return CellPrior(centre, _sigma_of_quantiles(centre, prior_of(second, "log", 0.0, USUAL_LOG_SD)), left, False)


def _sigma_of_cv(cv: Prior) -> Prior:
    """Log sigma from the log of cv: sigma² = ln(1 + cv²); the usual width unless the case file gives a range."""
    if cv.mean < np.log(1e-3):
        return USUAL_LOG_SIGMA
    centre = float(np.log(np.log1p(np.exp(2 * cv.mean))) / 2)
    if cv.origin != _RANGE:
        return Prior(centre, USUAL_LOG_SIGMA.sd, "log", cv.origin)
    logs = np.log(np.log1p(np.exp(2 * (cv.mean + cv.sd * _AROUND)))) / 2
    weights = np.exp(-(_AROUND**2) / 2)
    mean = float(np.average(logs, weights=weights))
    return Prior(mean, float(np.sqrt(np.average((logs - mean) ** 2, weights=weights))), "log", cv.origin)


def _sigma_of_quantiles(median: Prior, p90: Prior) -> Prior:
    """Log sigma from the logs of median and p90; the usual width unless the case file gives a range of one of them."""
    gap = p90.mean - median.mean
    if gap < 1e-3:
        return USUAL_LOG_SIGMA
    widths = [p.sd for p in (median, p90) if p.origin == _RANGE]
    centre = float(np.log(gap / Z90))
    if not widths:
        return Prior(centre, USUAL_LOG_SIGMA.sd, "log", p90.origin)
    return Prior(centre, float(np.clip(np.hypot.reduce(widths) / gap, NARROWEST, WIDEST)), "log", _RANGE)


def gamma_of(prior: Prior) -> tuple[float, float]:
    """Shape and rate of the Gamma of a rate 1 / x, whose log has the mean and variance of the prior of log x."""
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    shape = float(brentq(lambda a: float(polygamma(1, a)) - prior.sd**2, 1e-3, 1e9))
    return shape, float(np.exp(digamma(shape) + prior.mean))
