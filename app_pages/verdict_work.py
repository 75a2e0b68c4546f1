"""The answer of a case as work that tightens by itself; every page that needs the simulated futures asks for the same work."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from app_pages.session import SEED, ask
from models.decisions.verdict import DECISION_DRAWS
from scenarios.files import LoadedCase
from scenarios.jobs import Look, Step, Work
from scenarios.study import Means
from scenarios.study.stored import tightening
from scenarios.version import package_version


def work_of(loaded: LoadedCase) -> Work:
    """The study of the verdict on ever more futures."""

    def steps() -> Iterator[Step]:
        for study in tightening(loaded, DECISION_DRAWS, SEED, Means()):
            yield Step(study, len(study.results), DECISION_DRAWS)

    return steps


def key_of(loaded: LoadedCase) -> Hashable:
    """Equal for everybody who asks the same of the same case."""
    return "verdict", loaded.file, loaded.hash, SEED, package_version()


def ask_verdict(loaded: LoadedCase) -> tuple[Hashable, Look]:
    """Asks for it, or joins those who did; the key under which it is looked at again."""
    key = key_of(loaded)
    return key, ask("verdict", key, work_of(loaded))
