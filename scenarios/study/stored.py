"""Runs that are kept: the decision run and the verdict in parts that survive, and replications in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from models.outcomes import met
from models.posterior import PosteriorDraws
from models.schema import Arm
from scenarios.files import LoadedCase, with_posterior
from scenarios.posterior_file import read_posterior, write_netcdf
from scenarios.problems import CaseError, Problem
from scenarios.records import encode
from scenarios.runs import Manifest, Store, manifest_of
from scenarios.runs.manifest import POSTERIOR
from scenarios.runs.store import RESULT
from scenarios.store import SolvedCache
from scenarios.study.draws import (
    CHUNK,
    Chunk,
    Collected,
    DrawsDone,
    Job,
    Parts,
    Plan,
    SeenParts,
    collect,
    decision_plan,
    simulate_chunk,
    verdict_plan,
)
from scenarios.study.means import Means
from scenarios.study.middle import FUTURES_PER_DRAW
from scenarios.study.replications import Replication, ReplicationParts, Replications, records_of, replicate, replications_of
from scenarios.study.verdict import VerdictStudy, judged
from simulator.engines import ENGINES, Engine, EngineName, engine_of
from simulator.user_cache import user_cache


class StoredParts(Parts):
    """Chunks of draws as parts of a run folder."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def load(self, first: int) -> DrawsDone | None:
        name = f"draws-{first:06d}"
        return DrawsDone.of(self.store.read(name)) if self.store.has(name) else None

    def save(self, first: int, done: DrawsDone) -> None:
        self.store.write(f"draws-{first:06d}", done.records())


class CachedParts(Parts):
    """The same in the user's cache, where what cannot be read or kept is no error: it is computed anew, or not kept.

    `store`: None if the folder cannot be used. A context manager, which gives the folder's lock back.
    """

    def __init__(self, folder: Path, manifest: Manifest, posterior: PosteriorDraws | None = None) -> None:
        self.store: Store | None = None
        with suppress(CaseError):
            self.store = opened(folder, manifest, posterior)

    def load(self, first: int) -> DrawsDone | None:
        with suppress(CaseError):
            return StoredParts(self.store).load(first) if self.store is not None else None
        return None

    def save(self, first: int, done: DrawsDone) -> None:
        try:
            if self.store is not None:
                StoredParts(self.store).save(first, done)
        except CaseError:
            self.close()

    def finish(self, result: Mapping[str, Any]) -> None:
        """Says that the run is complete."""
        with suppress(CaseError):
            if self.store is not None and not self.store.finished:
                self.store.finish(result)

    def close(self) -> None:
        """Keeps nothing from now on."""
        if self.store is not None:
            self.store.close()
        self.store = None

    def __enter__(self) -> CachedParts:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class StoredReplications(ReplicationParts):
    """Chunks of replications as parts of a run folder."""

    def __init__(self, store: Store, arm: Arm) -> None:
        self.store, self.arm = store, arm

    def load(self, first: int) -> tuple[Replication, ...] | None:
        name = f"futures-{first:06d}"
        if not self.store.has(name):
            return None
        return replications_of(self.store.read(name))

    def save(self, first: int, done: tuple[Replication, ...]) -> None:
        self.store.write(f"futures-{first:06d}", records_of(self.arm, done))


# -- the decision run and the verdict


def decision_manifest(loaded: LoadedCase, plan: Plan, draws: int, seed: int, means: Means) -> Manifest:
    """What a run of a plan depends on."""
    return manifest_of(loaded, "decision", seed, draws, FUTURES_PER_DRAW, plan.names(), means.engine)


def own_folder(loaded: LoadedCase, plan: Plan, draws: int, seed: int, means: Means) -> Path:
    """Where a run is kept if no folder was named: in the user's cache, by all that its figures depend on."""
    kind = "verdict" if plan == verdict_plan(loaded.case) else "decision"
    everything = decision_manifest(loaded, plan, draws, seed, means).text()
    return (
        (loaded.cache or user_cache())
        / "runs"
        / f"{kind}-{loaded.case.name}-{hashlib.sha256(everything.encode()).hexdigest()[:16]}"
    )


def opened(folder: Path, manifest: Manifest, posterior: PosteriorDraws | None = None) -> Store:
    """The run in a folder, new or begun before. Raises CaseError if it is another run, in use, or cannot be written."""
    if not (folder / "manifest.json").exists():
        keep = None if posterior is None else partial(_keep, posterior)
        return Store.create(folder, manifest, keep)
    store = Store.open(folder, writing=True)
    try:
        store.require_same(manifest)
    except CaseError:
        store.close()
        raise
    return store


def _keep(posterior: PosteriorDraws, folder: Path) -> None:
    write_netcdf(folder / POSTERIOR, posterior)


def stored_case(folder: Path, manifest: Manifest) -> LoadedCase:
    """The case of a kept run with what its evidence had taught. Raises CaseError if that is not there or was changed."""
    loaded = manifest.loaded(str(folder / "manifest.json"))
    if POSTERIOR not in manifest.evidence:
        return loaded
    posterior = read_posterior(folder / POSTERIOR)
    if posterior.hash != manifest.evidence[POSTERIOR]:
        what = f"is not the fit that the run began with ({posterior.hash}, not {manifest.evidence[POSTERIOR]})"
        raise CaseError(str(folder), [Problem("E703", POSTERIOR, what, "take it from a copy, or begin a run in another folder")])
    return with_posterior(loaded, posterior)


def require_same_figures(store: Store, job: Job, known: Mapping[str, Any], engine: Engine) -> None:
    """Computes a stored draw anew before a begun run goes on: a changed manifest or part, or a processor that computes differently,
    would otherwise mix two runs. Raises CaseError (E703)."""
    whole = [] if store.finished else [name for name in store.parts() if store.has(name)]
    if not whole:
        return
    stored = store.read(whole[-1])
    mine = [row for row in stored if row.draw == stored[0].draw]
    if encode(simulate_chunk(Chunk.of(job, mine[0].draw, known, 1), engine).records()) != encode(mine):
        what = f"draw {mine[0].draw} comes out otherwise now: this part or the manifest was changed, or this processor computes differently"
        remedy = "take both from a copy, go on with the machine that began it, or begin a run in another folder"
        raise CaseError(str(store.folder), [Problem("E703", whole[-1], what, remedy)])


def decide(loaded: LoadedCase, draws: int, seed: int, means: Means, folder: Path | None = None) -> VerdictStudy:
    """The decision run: simulated where it is not stored yet, and judged. Raises CaseError, Cancelled."""
    plan = decision_plan(loaded.case)
    place = folder or own_folder(loaded, plan, draws, seed, means)
    with opened(place, decision_manifest(loaded, plan, draws, seed, means), loaded.case.posterior) as store:
        cache, engine = SolvedCache(loaded.today, seed, loaded.cache), engine_of(means.engine)
        require_same_figures(store, Job.of(loaded.case, seed, plan, cache, means), cache.known, engine)
        done = collect(loaded.case, plan, draws, seed, means, cache, StoredParts(store))
        study = judged(loaded.case, seed, done, means)
        if not store.finished:
            store.finish(_result(study, done))
    return study


def cached_parts(loaded: LoadedCase, plan: Plan, draws: int, seed: int, means: Means) -> CachedParts:
    """The chunks of a run of a plan in the user's cache."""
    manifest = decision_manifest(loaded, plan, draws, seed, means)
    return CachedParts(own_folder(loaded, plan, draws, seed, means), manifest, loaded.case.posterior)


def plan_for(needed: Plan, loaded: LoadedCase, draws: int, seed: int, means: Means) -> Plan:
    """The decision run if a finished one is kept, which holds all arms; else what is needed."""
    whole = decision_plan(loaded.case)
    return whole if (own_folder(loaded, whole, draws, seed, means) / RESULT).exists() else needed


def stored_verdict(loaded: LoadedCase, draws: int, seed: int, means: Means) -> VerdictStudy:
    """The verdict from a finished decision run if there is one, else from the arms it needs, kept in the user's cache.

    Raises Cancelled, ClusterRefusedError.
    """
    plan = plan_for(verdict_plan(loaded.case), loaded, draws, seed, means)
    with cached_parts(loaded, plan, draws, seed, means) as parts:
        done = collect(loaded.case, plan, draws, seed, means, SolvedCache(loaded.today, seed, loaded.cache), parts)
        study = judged(loaded.case, seed, done, means)
        parts.finish(_result(study, done))
    return study


def tightening(loaded: LoadedCase, draws: int, seed: int, means: Means) -> Iterator[VerdictStudy]:
    """The verdict on ever more futures, the last one that of `stored_verdict`: each goes on where the one before it ended.

    Raises Cancelled.
    """
    plan = plan_for(verdict_plan(loaded.case), loaded, draws, seed, means)
    with cached_parts(loaded, plan, draws, seed, means) as kept:
        for count, done in in_slices(loaded, plan, draws, seed, means, kept):
            study = judged(loaded.case, seed, done, means)
            if count == draws:
                kept.finish(_result(study, done))
            yield study


def in_slices(
    loaded: LoadedCase, plan: Plan, draws: int, seed: int, means: Means, kept: Parts
) -> Iterator[tuple[int, Collected]]:
    """A plan on ever more draws: how many were asked for, and all that is collected so far. `kept`: where chunks are besides."""
    cache, seen = SolvedCache(loaded.today, seed, loaded.cache), SeenParts(kept)
    for count in growing(draws):
        yield count, collect(loaded.case, plan, count, seed, means, cache, seen)


def growing(draws: int) -> Iterator[int]:
    """How many draws are looked at after each slice: two chunks at a time, so that a slice takes about a second."""
    return iter([*range(2 * CHUNK, draws, 2 * CHUNK), draws])


def _result(study: VerdictStudy, done: Collected) -> dict[str, Any]:
    """What a finished run says of itself."""
    v = study.verdict
    kept = {
        arm: sum(met(study.case, r.arms[arm].figures) for r in done.results)
        for arm in (done.results[0].arms if done.results else ())
    }
    return {
        "probability": v.probability,
        "low": v.low,
        "high": v.high,
        "verdict": v.verdict,
        "accepted_draws": len(done.results),
        "rejected_draws": len(done.rejected),
        "promise_kept_in": kept,
        "laws_broken": list(done.broken()),
        "checked_by_all_laws": done.audited(),
    }


# -- replications in a folder


def replicate_into(loaded: LoadedCase, arm: Arm, replications: int, seed: int, means: Means, folder: Path) -> Replications:
    """Replications of one arm, kept in a folder. Raises CaseError, BaselineError, Cancelled."""
    manifest = manifest_of(loaded, "replications", seed, 0, replications, (arm,), means.engine)
    with opened(folder, manifest, loaded.case.posterior) as store:
        parts = StoredReplications(store, arm)
        result = replicate(loaded.case, arm, replications, seed, means, SolvedCache(loaded.today, seed, loaded.cache), parts)
        if not store.finished:
            broken = sorted({name for run in result.runs for name, passed in run.laws.items() if not passed})
            store.finish({"replications": len(result.runs), "laws_broken": broken})
    return result


def resume(folder: Path, means: Means) -> VerdictStudy | Replications | None:
    """Goes on with the run in a folder; None if it is finished and whole. Raises CaseError if this program or its libraries differ."""
    with Store.open(folder) as store:
        if store.finished and all(store.has(name) for name in store.parts()):
            return None
        manifest = store.manifest
    loaded = stored_case(folder, manifest)
    engine: EngineName | None = next((name for name in ENGINES if name == manifest.engine), None)
    if engine is None:
        raise CaseError(str(folder), [Problem("E701", "engine", f'no engine "{manifest.engine}"')])
    means = replace(means, engine=engine)
    if manifest.kind == "decision":
        return decide(loaded, manifest.draws, manifest.seed, means, folder)
    arm: Any = manifest.arms[0]
    return replicate_into(loaded, arm, manifest.replications, manifest.seed, means, folder)
