"""The evidence report of a case folder, put together from its fit and, unless only the fit is asked for, from simulations."""

from __future__ import annotations

from pathlib import Path

from models.outcomes import target_value
from models.posterior import PosteriorDraws
from models.schema import CaseFile
from scenarios.files import LoadedCase, load, require_case_folder
from scenarios.posterior_file import FILE
from scenarios.problems import CaseError, Problem
from scenarios.report import learned_report as r
from scenarios.report.accuracy_report import accuracy_sections
from scenarios.report.sections import Section
from scenarios.study import Means
from scenarios.study.one_at_a_time import moves
from scenarios.study.penalties import penalties
from scenarios.study.stored import stored_verdict
from scenarios.study.together import together


def report_of(folder: Path, seed: int, means: Means, draws: int, simulate: bool) -> tuple[LoadedCase, list[Section]]:
    """All sections, findings first. Raises CaseError if nothing was fitted, Cancelled."""
    require_case_folder(folder)
    loaded = load(str(folder))
    posterior = loaded.case.posterior
    if posterior is None:
        raise CaseError(str(folder), [Problem("E905", FILE, "nothing was fitted yet", f"pilotproof fit {folder}")])
    found = learned_sections(loaded.case, posterior)
    if simulate:
        found += simulated_sections(loaded, seed, means, draws)
    return loaded, [*found, *trust_sections(posterior)]


def learned_sections(case: CaseFile, posterior: PosteriorDraws) -> list[Section]:
    """What the fits say by themselves: accuracy, how much was learned, what contradicts."""
    conflicts = r.conflict_section(case, posterior)
    found = [*accuracy_sections(case, posterior), r.contraction_section(case, posterior)]
    return found if conflicts is None else [*found, conflicts]


def trust_sections(posterior: PosteriorDraws) -> list[Section]:
    """Whether the fits can be trusted."""
    predictive = r.predictive_section(posterior)
    found = [r.checks_section(posterior), r.notes_section(posterior.sub_models)]
    return found if predictive is None else [predictive, *found]


def _fits(loaded: LoadedCase) -> bool:
    return loaded.case.posterior is None or loaded.case.posterior.passed


def simulated_sections(
    loaded: LoadedCase, seed: int, means: Means, draws: int, shown: int = r.SHOWN, width: int = 60
) -> list[Section]:
    """What the answer depends on; why nothing can be said if there is no verdict. `shown`, `width`: see `moves_section`. Raises Cancelled."""
    case = loaded.case
    study = stored_verdict(loaded, draws, seed, means)
    if study.verdict.probability is None:
        why = (
            "A fit did not pass its checks."
            if not _fits(loaded)
            else "In too many futures your figures cannot produce today's result."
        )
        return [Section("next", "Nothing can be said about the chance yet", (f"{why} See pilotproof verdict {loaded.file}.",))]
    outcomes = [target_value(case, result.arms["production"].figures) for result in study.results]
    sections = [r.moves_section(moves(case, outcomes, seed, means), f"the chance in {len(outcomes)} futures", shown, width)]
    few = max(10, draws // 3)
    settings = penalties(loaded, few, seed, means)
    joint = together(loaded, case.posterior, few, seed, means) if case.posterior is not None else ()
    before = [r.penalty_section(case, settings)] if settings else []
    before += [r.together_section(case, joint)] if joint else []
    return [*before, *sections]
