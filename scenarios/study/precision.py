"""Draws until a figure is precise enough: stages of the same draws, each of which goes on where the one before ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.outcomes import met
from models.schema import CaseFile
from scenarios.files import LoadedCase
from scenarios.store import SolvedCache
from scenarios.study.draws import Collected, Parts, Plan, SeenParts, collect, verdict_plan
from scenarios.study.means import Means
from scenarios.study.stored import cached_parts
from scenarios.study.verdict import VerdictStudy, judged
from simulator.stopping import Look, Rule, ShareRule


@dataclass(frozen=True, slots=True)
class Precision:
    """What was asked for, and what the last look saw; `look` is None if no draw could be judged."""

    rule: Rule
    look: Look | None

    @property
    def reached(self) -> bool:
        """Whether the interval is as narrow as asked for."""
        return self.look is not None and self.look.reached


def collect_until(
    case: CaseFile,
    plan: Plan,
    rule: Rule,
    look: Callable[[Collected], Look],
    seed: int,
    means: Means,
    cache: SolvedCache | None = None,
    parts: Parts | None = None,
) -> tuple[Collected, Precision]:
    """Accepted draws until `look` says stop. They are the first ones of the same sequence as those of a fixed number of draws.

    Ends as well, unprecise, when so many draws are rejected that more are no use. Raises Cancelled.
    """
    kept, wanted = SeenParts(parts or Parts()), rule.first_look
    while True:
        done = collect(case, plan, wanted, seed, means, cache, kept)
        if not done.results:
            return done, Precision(rule, None)
        seen = look(done)
        if seen.next_look is None or len(done.results) < wanted:
            return done, Precision(rule, replace(seen, next_look=None))
        wanted = seen.next_look


def precise_verdict(loaded: LoadedCase, rule: ShareRule, seed: int, means: Means) -> tuple[VerdictStudy, Precision]:
    """The verdict from as many draws as its probability needs to be as precise as the rule asks. Raises Cancelled.

    The draws are kept in the user's cache; one that cannot be used is no error: then nothing is kept.
    """
    with cached_parts(loaded, verdict_plan(loaded.case), rule.at_most, seed, means) as parts:
        return _precise(loaded, rule, seed, means, parts)


def _precise(loaded: LoadedCase, rule: ShareRule, seed: int, means: Means, parts: Parts) -> tuple[VerdictStudy, Precision]:
    case = loaded.case

    if case.posterior is not None:
        rule = replace(rule, effective_share=case.posterior.effective(rule.at_most) / rule.at_most)

    def look(done: Collected) -> Look:
        return rule.look(sum(met(case, r.arms["production"].figures) for r in done.results), len(done.results))

    done, precision = collect_until(
        case, verdict_plan(case), rule, look, seed, means, SolvedCache(loaded.today, seed, loaded.cache), parts
    )
    return judged(case, seed, done, means), precision
