"""What every composition needs: names of the neighbours, columns, and the translation of laws and shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import schema, units, weeks
from models.parameters import Scope
from simulator import distributions as d
from simulator.clock import Calendar
from simulator.workflow import Interruption, Table

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Builder:
    """The case under construction: calendars, case types, weeks with their own column, and where each step is entered."""

    case: schema.CaseFile
    calendars: Mapping[str, Calendar]
    root: Scope
    weeks: int
    entries: Mapping[str, str]
    followers: Mapping[str, str]

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(self.case.types)

    def entry(self, step_id: str) -> str:
        """The primitive at which a step of the case file is entered."""
        return self.entries[step_id]

    def following(self, step: schema.StepBase) -> str:
        """The primitive that follows a step: its `next`, or the next step in the list."""
        return self.entry(step.next or self.followers[step.id])

    def scope(self, step: schema.StepBase) -> Scope:
        return self.root.into("steps").into(step.id)

    def calendar(self, name: str | None) -> Calendar | None:
        return None if name is None else self.calendars[name]

    def shares(self, scope: Scope, name: str, spec: schema.ShareByType) -> Table:
        """A probability by type, before and after go-live."""
        inner = scope.into(name)
        if spec.all is not None:
            return weeks.table(scope.today(name), scope.column(name))
        zero = np.zeros_like(next(iter(self.root.now.values())))
        by_type = [
            weeks.table(inner.into("types").today(t), inner.into("types").column(t))
            if t in spec.types
            else weeks.table(zero, zero)
            for t in self.types
        ]
        return weeks.by_type(by_type)


def law(scope: Scope, name: str, time: schema.Time) -> d.Distribution:
    """The distribution of a duration in seconds, one per draw."""
    return _law(scope.into(name), time.law)


def _law(at: Scope, spec: object) -> d.Distribution:
    c = at.column
    match spec:
        case schema.Constant():
            return d.Constant(c("value"))
        case schema.Exponential():
            return d.Exponential(c("mean"))
        case schema.Lognormal(median=None):
            return d.Lognormal.from_mean_cv(c("mean"), c("cv"))
        case schema.Lognormal():
            return d.Lognormal.from_median_p90(c("median"), c("p90"))
        case schema.Gamma():
            shape = 1 / np.square(c("cv"))
            return d.Gamma(shape, c("mean") / shape)
        case schema.Weibull():
            return d.Weibull(c("shape"), c("scale"))
        case schema.Uniform():
            return d.Uniform(c("low"), c("high"))
        case schema.Triangular(kind="triangular"):
            return d.Triangular(c("low"), c("likely"), c("high"))
        case schema.Triangular():
            return d.Pert(c("low"), c("likely"), c("high"))
        case schema.Empirical():
            values = np.asarray([units.seconds(v) for _, v in spec.quantiles])
            return d.Empirical(tuple(p for p, _ in spec.quantiles), c("scale")[:, None] * values)
        case schema.Mixture():
            parts = tuple(_law(at.into("parts").into(str(i + 1)), part) for i, part in enumerate(spec.parts))
            return d.Mixture(tuple(spec.weights), parts)
        case _:
            raise TypeError(f"no distribution for {type(spec).__name__}")


def reminded(scope: Scope, base: d.Distribution, remind: schema.Reminder | None) -> d.Distribution:
    """The same wait with a reminder that multiplies what remains."""
    if remind is None:
        return base
    at = scope.into("remind")
    return d.Kinked(base, at.column("after"), at.column("multiplier"))


def interruption(scope: Scope, between: schema.Time, length: schema.Time, names: tuple[str, str]) -> Interruption:
    """Alternating up and down times from two laws of the case file."""
    return Interruption(law(scope, names[0], between), law(scope, names[1], length))


def logit(p: Floats) -> Floats:
    """Log odds; probabilities are kept within 1e-9 of 0 and 1."""
    q = np.clip(p, 1e-9, 1 - 1e-9)
    return np.log(q / (1 - q))


def expit(x: Floats) -> Floats:
    """The inverse of `logit`."""
    return 1 / (1 + np.exp(-x))
