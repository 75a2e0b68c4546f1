"""Today's result and where its days lie: what was observed, what the steps explain, what nobody has located."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import baseline as b
from models.legs import COLUMN, dated_legs, dates_of
from models.posterior import SubModel
from scenarios.files import LoadedCase, load, load_without_fit
from scenarios.problems import CaseError, Problem
from scenarios.store import SolvedCache
from scenarios.study import Means, Plan, collect
from simulator.clock import DAY

Floats = NDArray[np.float64]
Progress = Callable[..., None]
TODAY = Plan((("as_is", 1),))


@dataclass(frozen=True, slots=True)
class Range:
    """Mean, and the 5 % and 95 % points over the futures."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """A step where days may lie that nobody has located: days a case, which dates locate them, whether dates were given."""

    step: str
    days: Range
    export: str
    located: bool


@dataclass(frozen=True, slots=True)
class LegFound:
    """A dated stretch: mean days a case as observed, and in the simulation of today."""

    first: str
    last: str
    observed: Range
    simulated: Range


@dataclass(frozen=True, slots=True, eq=False)
class TodayFound:
    """Everything about today's result. observed: mean days with its sampling error · explained: days of the known steps."""

    loaded: LoadedCase
    seed: int
    observed: Range
    report: b.BaselineReport
    places: tuple[PlaceFound, ...]
    legs: tuple[LegFound, ...]
    fit: SubModel | None

    @property
    def open_days(self) -> float:
        """Days a case that nobody has located."""
        return sum(place.days.mean for place in self.places if not place.located)


def today_of(case: str | Path, draws: int, seed: int, progress: Progress, stop: Event) -> TodayFound:
    """Fits the dates of an export if a folder has one, and reproduces today's result in `draws` futures. Raises CaseError, Cancelled."""
    name = str(case)
    loaded = load_without_fit(name)
    if loaded.case.baseline is None:
        remedy = "state [baseline] with observed and standard_error, or answer question 2 of the interview"
        raise CaseError(name, [Problem("E905", "baseline", "the case does not state today's result", remedy)])
    if Path(name).is_dir() and _has_export(Path(name), loaded):
        from models.fits.seam import Sampling
        from scenarios.fitting import fit_folder

        fit_folder(Path(name), Sampling(seed), progress, stop, frozenset({"baseline"}))
    return found_in(load(name), draws, seed, Means(progress=progress, stop=stop))


def _has_export(folder: Path, loaded: LoadedCase) -> bool:
    from scenarios.evidence import read_evidence
    from scenarios.evidence.read import require_sound

    evidence = read_evidence(folder, loaded.case)
    require_sound(evidence, str(folder))
    return evidence.cycles is not None


def found_in(loaded: LoadedCase, draws: int, seed: int, means: Means) -> TodayFound:
    """The same of a case as it is known now. Raises CaseError if no future reproduces today's result."""
    case = loaded.case
    assert case.baseline is not None
    done = collect(case, TODAY, draws, seed, means, SolvedCache(loaded.today, seed, loaded.cache))
    solved = [r.solved for r in done.results if r.solved is not None]
    report = b.report(case.baseline, solved, done.rejected, dates_of(case))
    if not solved:
        reason = done.rejected[0].reason if done.rejected else "no future could be simulated"
        raise CaseError(loaded.file, [Problem("E405", "baseline", reason, "check today's result and the longest waits")])
    fit = next((s for s in case.posterior.sub_models if s.name == "baseline"), None) if case.posterior is not None else None
    legs = tuple(_legs(loaded, solved, fit)) if fit is not None else ()
    places = tuple(_places(loaded, solved))
    return TodayFound(loaded, seed, _range(np.asarray([s.goal_days for s in solved])), report, places, legs, fit)


def _places(loaded: LoadedCase, solved: list[b.Solved]) -> list[PlaceFound]:
    baseline, located = loaded.case.baseline, dates_of(loaded.case).located
    assert baseline is not None
    found = []
    for name, place in baseline.places.items():
        days = np.asarray([s.unlocated_days * s.shares.get(name, 0.0) for s in solved])
        found.append(PlaceFound(name, _range(days), place.export, name in located))
    return sorted(found, key=lambda p: (p.located, -p.days.mean))


def _legs(loaded: LoadedCase, solved: list[b.Solved], fit: SubModel) -> list[LegFound]:
    return [
        LegFound(
            leg.first, leg.last, _range(fit.columns[f"{COLUMN}{leg.last}"] / DAY),
            _range(np.asarray([sum(s.as_is.step_days.get(step, 0.0) for step in leg.steps) for s in solved])),
        )
        for leg in dated_legs(loaded.case)
    ]  # fmt: skip


def _range(values: Floats) -> Range:
    low, high = np.quantile(values, [0.05, 0.95])
    return Range(float(values.mean()), float(low), float(high))
