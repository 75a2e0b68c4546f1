"""Formulas of queueing theory: what the simulations of `simulator.textbook` are compared with.

Rates and times are in units of time; a wait that would grow for ever is infinite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def erlang_b(servers: int, load: float) -> float:
    """Share lost by M/M/c/c (Erlang 1917): B(0) = 1, B(n) = load B(n-1) / (n + load B(n-1))."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(servers: int, load: float) -> float:
    """Probability of waiting in M/M/c: C = B / (1 - (1 - B) load / c)."""
    blocked = erlang_b(servers, load)
    return blocked / (1 - (1 - blocked) * load / servers)


def mmc_wait(servers: int, rate: float, service: float) -> float:
    """Mean wait in M/M/c: C / (c / service - rate)."""
    if rate * service >= servers:
        return math.inf
    return erlang_c(servers, rate * service) / (servers / service - rate)


def pollaczek_khinchine(rate: float, service: float, cv_squared: float) -> float:
    """Mean wait in M/G/1: rate E[S²] / (2 (1 - rate E[S])), E[S²] = service² (1 + cv²)."""
    load = rate * service
    return load * service * (1 + cv_squared) / (2 * (1 - load)) if load < 1 else math.inf


def cobham(servers: int, rates: Sequence[float], service: float, place: int) -> float:
    """Mean wait of class `place` (0 goes first) in M/M/c with non-preemptive priority and one mean service time.

    Cobham (1954): W0 / ((1 - s(k-1)) (1 - s(k))), W0 = C service / c, s(k) = load per server of classes up to k.
    """
    above, upto = (sum(rates[:k]) * service / servers for k in (place, place + 1))
    start = erlang_c(servers, sum(rates) * service) * service / servers
    return start / ((1 - above) * (1 - upto)) if upto < 1 else math.inf


def finite_room_loss(servers: int, room: int, rate: float, service: float) -> float:
    """Probability of a full system in M/M/c/K (c + waiting = room): the last state of the birth-death chain."""
    weights = [1.0]
    for n in range(1, room + 1):
        weights.append(weights[-1] * rate * service / min(n, servers))
    return weights[-1] / sum(weights)


def impatient_loss(servers: int, rate: float, service: float, patience: float) -> float:
    """Share that leaves M/M/c after waiting the constant `patience` p (Baccelli and Hébuterne 1981).

    With d = c / service - rate: J = (1 - e^(-d p)) / d + e^(-d p) service / c, share = (1 - d J) / (E + rate J), where
    E = Σ_{j<c} (load^j / j!) / (load^(c-1) / (c-1)!) = 1 / B(c-1), Erlang's loss with one server less.
    """
    d = servers / service - rate
    j = (-math.expm1(-d * patience) / d if d else patience) + math.exp(-d * patience) * service / servers
    return (1 - d * j) / (1 / erlang_b(servers - 1, rate * service) + rate * j)


def erlang_a_loss(servers: int, rate: float, service: float, patience: float) -> float:
    """Share that leaves M/M/c+M with exponential patience: (Lq / patience) / rate, from the birth-death equations."""
    weights, states = [1.0], 400
    for n in range(1, states):
        leaving = min(n, servers) / service + max(0, n - servers) / patience
        weights.append(weights[-1] * rate / leaving)
    queue = sum((n - servers) * w for n, w in enumerate(weights) if n > servers) / sum(weights)
    return queue / patience / rate


def rework_time(rate: float, service: float, again: float) -> float:
    """Mean time in M/M/1 whose cases return with probability p: r / (1 - r) / rate, r = rate service / (1 - p)."""
    load = rate * service / (1 - again)
    return load / (1 - load) / rate if load < 1 else math.inf


def tandem_time(rate: float, services: Sequence[float]) -> float:
    """Mean time in M/M/1 stations in series (Burke 1956): Σ 1 / (1 / service - rate)."""
    return sum(1 / (1 / service - rate) if rate * service < 1 else math.inf for service in services)


def inspection_wait(gaps: Sequence[float]) -> float:
    """Mean wait of a Poisson arrival for openings with these gaps: Σ gap² / (2 Σ gap)."""
    return sum(gap**2 for gap in gaps) / (2 * sum(gaps))


def retries_time(
    latency: float,
    timeout: float,
    transient: float,
    attempts: int,
    back_off: float,
    growth: float,
) -> float:
    """Mean time of a call with retries at exponential latency L, cut at the time-out.

    An attempt takes E min(L, timeout) and fails with q = P(L > timeout) + P(L <= timeout) transient; attempt k happens
    with q^k, the back-off after it (back_off growth^k) with q^(k+1) unless it was the last.
    """
    late = math.exp(-timeout / latency)
    q = late + (1 - late) * transient
    calls = sum(q**k for k in range(attempts)) * latency * (1 - late)
    return calls + sum(back_off * growth**k * q ** (k + 1) for k in range(attempts - 1))
