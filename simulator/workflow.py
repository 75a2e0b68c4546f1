"""The description of a workflow: twelve primitives, pools, calendars, endpoints, arrivals.

Every numeric field is a `Column`: one number, or one number per draw. The structure (which step follows which) is the same
for all draws, so a workflow is lowered once (`simulator.program`) whatever the number of draws. Meaning: docs/workflow.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.clock import Calendar
from simulator.distributions import Column, Distribution


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Numbers by case type and week: shape (types, weeks) or (draws, types, weeks); an axis of length 1 holds for all."""

    values: NDArray[np.float64]

    @classmethod
    def constant(cls, value: Column) -> Table:
        """The same number (or one number a draw) for every type and week."""
        return cls(np.asarray(value, dtype=np.float64)[..., None, None])

    @classmethod
    def of(cls, values: ArrayLike) -> Table:
        """From nested lists or an array of shape (types, weeks) or (draws, types, weeks)."""
        array = np.asarray(values, dtype=np.float64)
        if array.ndim not in (2, 3):
            raise ValueError(f"a table has the axes (types, weeks) or (draws, types, weeks), not {array.ndim} axes")
        return cls(array)


ONE = Table.constant(1.0)


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds when every required mark is set and no forbidden mark is."""

    required: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *marks: str) -> Condition:
        """Marks that must be set; a leading `!` means: must not be set."""
        return cls(frozenset(m for m in marks if not m.startswith("!")), frozenset(m[1:] for m in marks if m.startswith("!")))


ALWAYS = Condition()


@dataclass(frozen=True, slots=True, eq=False)
class Chance:
    """A probability by type and week that may depend on the day's volume, a pool's load, data age and the case's cluster."""

    base: Table
    volume_slope: Column = 0.0
    load_pool: str = ""
    load_slope: Column = 0.0
    age_calendar: Calendar | None = None
    age_rate_per_hour: Column = 0.0
    shared: Column = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Interruption:
    """Alternating up and down periods of one endpoint or person, in seconds."""

    between: Distribution
    length: Distribution


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """Headcount (by week: shape (weeks,) or (draws, weeks), rounded) during the windows of a calendar."""

    calendar: Calendar
    headcount: Table


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Interchangeable people or slots. Capacity = sum of the open shifts' headcounts minus those absent."""

    name: str
    shifts: tuple[Shift, ...]
    absence: Interruption | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Endpoint:
    """An external system: random outages, planned downtime, concurrency (0 = no limit) and rate limit (gap, 0 = none)."""

    name: str
    outage: Interruption | None = None
    downtime: Calendar | None = None
    concurrency: int = 0
    gap_seconds: Column = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Delay:
    """Waits on its clock: elapsed time, or the open time of a calendar."""

    id: str
    duration: Distribution
    next: str
    clock: Calendar | None = None
    factor: Table = ONE
    account: str = "delay"


@dataclass(frozen=True, slots=True, eq=False)
class Serve:
    """Queues for one unit of a pool, then is served in the pool's open time. Smaller priority numbers go first."""

    id: str
    pool: str
    duration: Distribution
    next: str
    factor: Table = ONE
    priority: tuple[int, ...] = ()
    account: str = "work"


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """Passes at the first opening at or after entry + lead that is not in the absence of the person drawn."""

    id: str
    openings: Calendar
    next: str
    lead_seconds: Column = 0.0
    people: int = 0
    absence: Interruption | None = None
    account: str = "gate"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """Targets with a probability table each (the last target takes the remainder), used when the condition holds."""

    targets: tuple[str, ...]
    probabilities: tuple[Table, ...] = ()
    when: Condition = ALWAYS


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Sends the token to one of several steps; `week_of` says whose week the tables use."""

    id: str
    rules: tuple[Rule, ...]
    week_of: Literal["now", "arrival"] = "now"


@dataclass(frozen=True, slots=True, eq=False)
class MarkRule:
    chance: Chance
    when: Condition = ALWAYS


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """Sets, clears or assigns one mark with the chance of the first rule that applies."""

    id: str
    mark: str
    rules: tuple[MarkRule, ...]
    next: str
    action: Literal["set", "clear", "assign"] = "set"


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """Calls an endpoint with time-out, retries and back-off; sets `failure_mark` when all attempts failed."""

    id: str
    endpoint: str
    latency: Distribution
    timeout_seconds: Column
    next: str
    failure_mark: str
    attempts: int = 1
    transient: Table = field(default_factory=lambda: Table.constant(0.0))
    permanent: Table = field(default_factory=lambda: Table.constant(0.0))
    back_off_seconds: Column = 0.0
    multiplier: Column = 1.0
    priority: tuple[int, ...] = ()
    account: str = "integration"


@dataclass(frozen=True, slots=True, eq=False)
class Timer:
    """Arms a deadline for the covered steps; a token that still waits there when it is due goes to `to`.

    The limit is a number of seconds, or a distribution from which each visit draws its own patience.
    """

    id: str
    limit_seconds: Column | Distribution
    covers: tuple[str, ...]
    to: str
    next: str
    clock: Calendar | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Fork:
    """Starts one token per branch; they meet at `join`."""

    id: str
    branches: tuple[str, ...]
    join: str


@dataclass(frozen=True, slots=True, eq=False)
class Join:
    id: str
    next: str
    account: str = "join"


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Gathers tokens until `size` wait or the oldest has waited `max_wait_seconds`."""

    id: str
    size: Column
    max_wait_seconds: Column
    next: str
    account: str = "gate"


@dataclass(frozen=True, slots=True, eq=False)
class Goto:
    """Sends the token to `to` the first `limit` times, then to `otherwise`."""

    id: str
    to: str
    limit: int
    otherwise: str


@dataclass(frozen=True, slots=True, eq=False)
class End:
    id: str
    result: str = "done"


Step = Delay | Serve | Gate | Branch | Mark | Attempts | Timer | Fork | Join | Batch | Goto | End


@dataclass(frozen=True, slots=True, eq=False)
class Arrivals:
    """Cases per day: negative binomial (Poisson at `day_cv` 0) around `per_day` times the day's factor.

    `day_factor[i]` belongs to day `first_day + i` counted from go-live. Instants are uniform over the open time of
    `hours` in that day. `shares`: one column a type, adding up to 1. `clusters`: their number; cluster k (from 0) has
    a weight of (k + 1) ** -`cluster_exponent`.
    """

    per_day: Column
    day_factor: tuple[float, ...]
    first_day: int
    hours: Calendar
    shares: tuple[Column, ...]
    day_cv: Column = 0.0
    clusters: int = 1
    cluster_exponent: Column = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Workflow:
    """The whole process of one arm. Steps in any order; the first one is where cases start."""

    types: tuple[str, ...]
    steps: tuple[Step, ...]
    pools: tuple[Pool, ...]
    arrivals: Arrivals | None = None
    endpoints: tuple[Endpoint, ...] = ()
