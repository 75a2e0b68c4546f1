"""`fit`: all sub-models of a case folder from its evidence, one after the other; what did not change is taken over from the last fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from models.evidence.refusals import UnusableEvidenceError
from models.fits.baseline import BaselineEvidenceError, fit_baseline
from models.fits.seam import Sampling, StoppedError
from models.posterior import PosteriorDraws, SubModel, posterior_of
from scenarios.files import LoadedCase, load_without_fit, require_case_folder
from scenarios.posterior_file import FILE, configuration_hash, evidence_hashes, read_posterior, write_posterior
from scenarios.problems import CaseError, Problem
from scenarios.version import package_version

if TYPE_CHECKING:
    from models.evidence.cycles import Cycles
    from models.evidence.evidence import Evidence

Progress = Callable[[str, int, int], None]
EXPERTS = "experts"


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What every fit is given."""

    loaded: LoadedCase
    evidence: Evidence
    sampling: Sampling
    stop: Event


@dataclass(frozen=True, slots=True)
class Fitter:
    """One sub-model. `kinds`: the kinds of evidence it reads; it is fitted if one of them is there · `sampled`: slow, so it comes last."""

    name: str
    kinds: tuple[str, ...]
    fit: Callable[[Work], SubModel | None]
    sampled: bool = False


def _accuracy(work: Work) -> SubModel | None:
    from models.fits import accuracy

    return accuracy.fit(work.loaded.case, work.evidence.tables, work.evidence.settings, work.sampling, work.stop)


def _catch(work: Work) -> SubModel | None:
    from models.fits import catch

    return catch.fit(work.loaded.case, work.evidence.tables, work.evidence.settings, work.sampling, work.stop)


def _plain(module: str) -> Callable[[Work], SubModel | None]:
    """The fit of a module of `models.fits`."""

    def fit(work: Work) -> SubModel | None:
        from importlib import import_module

        found = import_module(f"models.fits.{module}")
        result: SubModel | None = found.fit(
            work.loaded.case, work.evidence.tables, work.evidence.settings, work.sampling, work.stop
        )
        return result

    return fit


def _readiness(work: Work) -> SubModel | None:
    from models.fits import readiness

    settings = work.evidence.settings
    return readiness.fit(work.loaded.case, work.evidence.tables, settings.ready, work.sampling, work.stop)


def _drift(work: Work) -> SubModel | None:
    from models.fits import drift

    return (
        drift.fit(work.loaded.case, work.evidence.tables, work.sampling, work.stop) if "weekly" in work.evidence.tables else None
    )


def _experts(work: Work) -> SubModel | None:
    from models.leaves import leaves
    from models.pooling import pooled

    table = work.evidence.tables.get("experts")
    known = {leaf.path: leaf for leaf in leaves(work.loaded.case)}
    rows = work.sampling.chains * work.sampling.draws
    return None if table is None else pooled(table, known, rows, work.sampling.seed)


def _baseline(work: Work) -> SubModel | None:
    return None if work.evidence.cycles is None else fit_baseline(work.evidence.cycles, work.loaded.case, work.sampling.seed)


FITTERS: tuple[Fitter, ...] = (
    Fitter("accuracy", ("pilot", "production", "audit"), _accuracy, sampled=True),
    Fitter("catch", ("seeded",), _catch),
    Fitter("service", ("times",), _plain("service"), sampled=True),
    Fitter("outside", ("times",), _plain("outside"), sampled=True),
    Fitter("latency", ("calls", "outages"), _plain("latency"), sampled=True),
    Fitter("approvals", ("approvals",), _plain("approvals"), sampled=True),
    Fitter("shares", ("counts", "calls", "approvals"), _plain("events")),
    Fitter("quality", ("quality", "arrivals"), _plain("quality")),
    Fitter("arrivals", ("arrivals",), _plain("arrivals"), sampled=True),
    Fitter("readiness", ("readiness",), _readiness),
    Fitter("drift", ("weekly",), _drift),
    Fitter(EXPERTS, ("experts",), _experts),
    Fitter("baseline", ("export",), _baseline),
)


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What `fit` left: the posterior, and which sub-models were fitted now, or taken over."""

    posterior: PosteriorDraws
    fresh: tuple[str, ...]
    kept: tuple[str, ...]


def fit_folder(
    folder: Path,
    sampling: Sampling,
    progress: Progress = lambda *_: None,
    stop: Event | None = None,
    only: frozenset[str] | None = None,
) -> Fitted:
    """Fits the evidence of a case folder and writes `posterior.nc`, also if a check failed (it then carries no verdict).

    `only`: sub-models to fit; all others are taken over as they are. Raises CaseError for defects and for evidence that cannot be
    used (E905), StoppedError.
    """
    from scenarios.evidence import read_evidence
    from scenarios.evidence.read import require_sound

    require_case_folder(folder)
    loaded = load_without_fit(str(folder))
    evidence = read_evidence(folder, loaded.case)
    require_sound(evidence, str(folder))
    if not evidence.tables and evidence.cycles is None:
        remedy = f"pilotproof evidence init {folder} writes templates"
        raise CaseError(str(folder), [Problem("E905", "evidence", "holds nothing that could be fitted", remedy)])
    before = _last(folder)
    fitted = fit_evidence(Work(loaded, evidence, sampling, stop or Event()), before, progress, only)
    known = {**fitted.posterior.provenance, "evidence": evidence_hashes(folder)}
    posterior = replace(fitted.posterior, provenance=known)
    write_posterior(folder / FILE, posterior)
    return replace(fitted, posterior=posterior)


def fit_evidence(
    work: Work, before: PosteriorDraws | None = None, progress: Progress = lambda *_: None, only: frozenset[str] | None = None
) -> Fitted:
    """The same from evidence in memory. `before`: an earlier fit whose unchanged sub-models are taken over."""
    keys: Mapping[str, str] = before.provenance.get("keys", {}) if before is not None else {}
    old = {s.name: s for s in before.sub_models} if before is not None else {}
    wanted = [f for f in FITTERS if _has(work.evidence, f)]
    keep = {f.name for f in wanted if f.name in old and (keys.get(f.name) == _key(work, f) or not _asked(f, only))}
    fit_now = [f for f in wanted if f.name not in keep and _asked(f, only)]
    found = {name: old[name] for name in keep} | _fitted(work, fit_now, progress)
    models = _data_before_views([found[f.name] for f in FITTERS if f.name in found])
    made_of = {f.name: keys.get(f.name, "") if f.name in keep else _key(work, f) for f in wanted if f.name in found}
    try:
        posterior = posterior_of(models, _provenance(work, made_of))
    except ValueError as error:
        raise CaseError(work.loaded.file, [Problem("E905", "", str(error), "leave one of the files out")]) from None
    return Fitted(posterior, tuple(f.name for f in fit_now if f.name in found), tuple(f.name for f in FITTERS if f.name in keep))


def _asked(fitter: Fitter, only: frozenset[str] | None) -> bool:
    return only is None or fitter.name in only


def _fitted(work: Work, fitters: list[Fitter], progress: Progress) -> dict[str, SubModel]:
    """What the fits find, by name. Those without a sampler come first; the evidence of the others is read up to the point where sampling
    would begin before any of them compiles, so that what cannot be used is said at once and not after minutes. Raises CaseError."""
    found: dict[str, SubModel] = {}
    problems: list[Problem] = []
    read_only = replace(work, stop=Event())
    read_only.stop.set()
    quick, slow = [f for f in fitters if not f.sampled], [f for f in fitters if f.sampled]
    for given, those in ((work, quick), (read_only, slow)):
        for fitter in those:
            try:
                _keep(found, work, fitter, fitter.fit(given))
            except StoppedError:
                if given is work:
                    raise
            except (UnusableEvidenceError, BaselineEvidenceError) as error:
                problems.append(Problem("E905", fitter.name, str(error)))
    if problems:
        raise CaseError(work.loaded.file, problems)
    for i, fitter in enumerate(f for f in slow if f.name not in found):
        progress(f"{fitter.name} (its model is compiled first)", i, len(slow))
        _keep(found, work, fitter, fitter.fit(work))
    progress("done", len(slow), len(slow))
    return found


def _keep(found: dict[str, SubModel], work: Work, fitter: Fitter, made: SubModel | None) -> None:
    if made is not None and made.columns:
        found[fitter.name] = replace(made, name=fitter.name, informed_by=_files(work.evidence, made))


def _data_before_views(models: list[SubModel]) -> list[SubModel]:
    """Experts' views only of what no other fit speaks of; the fit that does notes which views it leaves out."""
    views = next((s for s in models if s.name == EXPERTS), None)
    if views is None:
        return models
    found = [_noting(s, [name for name in s.columns if name in views.columns]) for s in models if s is not views]
    told = {name for s in found for name in s.columns}
    left = replace(views, columns=_less(views.columns, told), prior=_less(views.prior, told))
    return [*found, left] if left.columns else found


def _noting(model: SubModel, unused: list[str]) -> SubModel:
    remedy = "this fit's data do; to have the view as its prior, write it into the case file"
    notes = (f"{name}: the view in the file experts does not speak here, {remedy}" for name in unused)
    return replace(model, notes=(*model.notes, *notes))


def _less(columns: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: x for name, x in columns.items() if name not in names}


def _files(evidence: Evidence, found: SubModel) -> dict[str, tuple[str, ...]]:
    """The files themselves where a fit names kinds of evidence."""
    names = {kind: table.file for kind, table in evidence.tables.items()}
    return {column: tuple(names.get(f, f) for f in files) for column, files in found.informed_by.items()}


def _has(evidence: Evidence, fitter: Fitter) -> bool:
    if fitter.kinds == ("export",):
        return evidence.cycles is not None
    return any(kind in evidence.tables for kind in fitter.kinds)


def _key(work: Work, fitter: Fitter) -> str:
    """A hash of all that a sub-model depends on."""
    digests = {f.name: f.sha256 for f in work.evidence.files}
    files = sorted({t.file for kind, t in work.evidence.tables.items() if kind in fitter.kinds or fitter.name == EXPERTS})
    if work.evidence.cycles is not None and fitter.kinds == ("export",):
        files.append(work.evidence.cycles.file)
    parts = [
        package_version(), configuration_hash(work.loaded.case), work.evidence.settings.model_dump_json(exclude={"salt"}),
        json.dumps(asdict(work.sampling), sort_keys=True), *(f"{name} {digests.get(name, '')}" for name in files),
    ]  # fmt: skip
    if fitter.name == "baseline":
        parts.append(str(work.loaded.case.baseline))
    if work.evidence.cycles is not None and work.evidence.cycles.file in files:
        parts.append(_as_mapped(work.evidence.cycles))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _as_mapped(cycles: Cycles) -> str:
    """A hash of what the mapping makes of an export: the same file means something else under another one."""
    found = hashlib.sha256(repr((cycles.selected_by, cycles.window, cycles.exported, list(cycles.events))).encode())
    for instants in (cycles.arrival, cycles.end, *cycles.events.values()):
        found.update(instants.tobytes())
    found.update("\n".join(map(str, [*cycles.case, *cycles.type])).encode())
    return found.hexdigest()


def _provenance(work: Work, keys: Mapping[str, str]) -> dict[str, Any]:
    """What the fit was made from; without clock times, so that the same inputs give the same bytes."""
    from scenarios.runs.manifest import versions

    return {
        "version": package_version(),
        "versions": {**versions(), **_stack()},
        "configuration": configuration_hash(work.loaded.case),
        "evidence_hash": work.evidence.hash,
        "sampling": asdict(work.sampling),
        "keys": dict(keys),
    }


def _stack() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("pymc", "nutpie", "pytensor", "arviz")}


def _last(folder: Path) -> PosteriorDraws | None:
    """The last fit, if there is one that can be read."""
    try:
        return read_posterior(folder / FILE) if (folder / FILE).exists() else None
    except CaseError:
        return None
