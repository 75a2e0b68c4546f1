"""The two-pool model for Cimba, which compiles classes; imported only where it is installed. One process a case."""

from __future__ import annotations

from typing import Any

import cimba as cb
from cimba import inputs

from benchmarks import two_pools

AUTOMATED, CHECK_SHARE, DELAY = two_pools.AUTOMATED, two_pools.CHECK_SHARE, two_pools.DELAY


class Case(cb.Model):
    office: cb.Ref[Office]

    @cb.process
    def life(self) -> None:
        arrived = cb.now()
        cb.hold(AUTOMATED)
        if self.office.luck.next() < CHECK_SHARE:
            self.office.checkers.acquire()
            cb.hold(self.office.check.next())
            self.office.checkers.release()
        self.office.approvers.acquire()
        cb.hold(self.office.approve.next())
        self.office.approvers.release()
        cb.hold(DELAY)
        self.office.total += cb.now() - arrived


class Office(cb.Model):
    gap: cb.Input[float] = inputs.dist.exponential(mean=two_pools.GAP)
    luck: cb.Input[float] = inputs.dist.uniform()
    check: cb.Input[float] = inputs.dist.lognormal(mean=two_pools.CHECK_MU, sigma=two_pools.CHECK_SIGMA)
    approve: cb.Input[float] = inputs.dist.exponential(mean=two_pools.APPROVE)
    checkers: cb.Resource = cb.Resource(capacity=4)
    approvers: cb.Resource = cb.Resource(capacity=3)
    cases: cb.Param[int] = two_pools.CASES
    total: cb.Output[float]

    @cb.on_start
    def start(self) -> None:
        self.total = 0.0

    @cb.process
    def source(self) -> None:
        for _ in range(self.cases):
            cb.hold(self.gap.next())
            cb.spawn(Case, office=self)


def experiment() -> Any:
    return cb.Experiment(Office(), replications=1, window=cb.Window.until_idle(), seed=1)


def mean_cycle(results: Any) -> float:
    return float(results[next(iter(results.by_object))].total.values[0, 0]) / two_pools.CASES
