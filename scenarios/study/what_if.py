"""What a change is worth: live with and without it, in the same simulated futures, on ever more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from models.outcomes import Outcome
from models.schema import CaseFile
from scenarios.files import LoadedCase
from scenarios.store import SolvedCache
from scenarios.study.draws import CHUNK, Collected, DrawResult, Plan, SeenParts, collect
from scenarios.study.means import Means

LIVE = Plan((("production", 1),), again=False)
Known = Callable[[], Sequence[DrawResult]]


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """Live, future by future, without (`before`) and with (`after`) a change. futures: their numbers."""

    case: CaseFile
    futures: tuple[int, ...]
    before: tuple[Outcome, ...]
    after: tuple[Outcome, ...]


def effects(base: LoadedCase, tried: LoadedCase, draws: int, seed: int, means: Means, known: Known = tuple) -> Iterator[Effect]:
    """The effect of a what-if (`tried`, of the case `base`) on ever more futures, the last on `draws` of them.

    known: what was simulated of the base case already, in order. Today is the same in both, so its solutions serve both. Raises Cancelled.
    """
    cache = SolvedCache(base.today, seed, base.cache)
    mine, theirs = SeenParts(), SeenParts()
    for count in stages(draws):
        after = collect(tried.case, LIVE, count, seed, means, cache, theirs)
        before = (
            known() if len(known()) >= len(after.results) else collect(base.case, LIVE, count, seed, means, cache, mine).results
        )
        yield _paired(base.case, before, after)


def stages(draws: int) -> Iterator[int]:
    """A first look at few futures, then about twice as many each time."""
    count = CHUNK
    while count < draws:
        yield count
        count = 2 * count if count < 80 else count + 40
    yield draws


def _paired(case: CaseFile, before: Sequence[DrawResult], after: Collected) -> Effect:
    first = {r.draw: r.arms["production"] for r in before}
    both = [r for r in after.results if r.draw in first]
    return Effect(
        case, tuple(r.draw for r in both), tuple(first[r.draw] for r in both), tuple(r.arms["production"] for r in both)
    )
