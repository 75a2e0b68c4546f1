"""pilotproof from Python. The five lines that cover most needs:

>>> import pilotproof as pp
>>> case = pp.load("invoice_processing")                        # a shipped name, a TOML file or a case folder
>>> better = pp.change(case, {"steps.review.catch": 0.95})      # a frozen copy; the original stays as it is
>>> future = pp.simulate(better, arm="production", seed=7)      # one simulated future at the middle values
>>> frames = pp.frames(future)                                  # tidy pandas frames: cases, visits, pools, weeks
>>> sorted(frames)
['cases', 'pools', 'visits', 'weeks']

`new_case` makes a folder for your own case, `interview` lays your answers over it. `verdict` and `compare` take the same case; `batch` takes a plan of many simulations. This module is the only documented import; it loads nothing heavy by itself.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from models.schema import Arm
    from scenarios.files import LoadedCase
    from scenarios.interview.answers import Answers
    from scenarios.interview.apply import Interviewed
    from scenarios.report.compare_report import Comparison
    from scenarios.study import Run, VerdictStudy

__all__ = [
    "batch",
    "change",
    "compare",
    "frames",
    "interview",
    "load",
    "new_case",
    "scenarios",
    "simulate",
    "verdict",
    "verdict_data",
]


def check_own_packages() -> None:
    """Names a foreign top-level `simulator`, `models` or `scenarios` that hides ours. Raises ImportError."""
    here = Path(__file__).resolve().parent
    for name in ("simulator", "models", "scenarios"):
        spec = importlib.util.find_spec(name)
        origin = spec.origin if spec is not None else None
        if origin is None or Path(origin).resolve().parent.parent != here:
            found = f"another one is found at {origin}" if origin else "it is not found"
            raise ImportError(f'pilotproof needs its own package "{name}", but {found}; start elsewhere or rename it')


def load(case: str | Path) -> LoadedCase:
    """Reads and validates a case. Raises scenarios.problems.CaseError, which lists every problem."""
    check_own_packages()
    from scenarios.files import load as load_case

    return load_case(str(case))


def new_case(folder: str | Path, source: str = "invoice_processing", extend: bool = False) -> Path:
    """Makes a case folder from a scenario; all its numbers count as guesses. `extend`: hold only the differences. Raises CaseError."""
    check_own_packages()
    from scenarios.case_folder import new_case as make

    return make(Path(folder), source, extend)


def interview(folder: str | Path, answers: Answers | Mapping[str, Any]) -> Interviewed:
    """Lays answers to the eight questions over a case folder and writes its `case.toml`; what is left out stays a guess.

    >>> import tempfile, pilotproof as pp
    >>> folder = pp.new_case(tempfile.mkdtemp() + "/mine")
    >>> found = pp.interview(folder, {"promise": {"level": "7 d"}, "pilot": {"accuracy": "92 %", "tried": 400}})
    >>> found.known[1].answer, found.assumed[-1]
    ('92 %', 'the accuracy is taken to count documents, as in the example')

    The questions are in `scenarios.interview.questions`. Raises CaseError with all problems; then nothing is written.
    """
    check_own_packages()
    from scenarios.interview.answers import Answers as Said
    from scenarios.interview.store import interviewed

    return interviewed(Path(folder), answers if isinstance(answers, Said) else Said.of(answers))


def scenarios() -> tuple[str, ...]:
    """Names of the shipped scenarios."""
    from scenarios.catalogue import shipped_names

    return shipped_names()


def change(case: LoadedCase, values: Mapping[str, Any]) -> LoadedCase:
    """A validated copy with some values replaced; keys are parameter paths such as `steps.review.catch`. Raises CaseError."""
    from scenarios.files import changed

    return changed(case, values)


def simulate(case: LoadedCase, arm: Arm = "production", seed: int = 7, future: int = 0) -> Run:
    """One simulated future of one arm at the middle values of all parameters, calibrated to the baseline."""
    from scenarios.store import SolvedCache
    from scenarios.study import replicate_one

    return replicate_one(case.case, arm, seed, future, SolvedCache(case.hash, seed))


def frames(run: Run) -> dict[str, pd.DataFrame]:
    """The future as tidy frames; columns are documented in `scenarios.frames`."""
    from scenarios import frames as f

    return {"cases": f.cases(run.case, run), "visits": f.visits(run), "pools": f.pools(run), "weeks": f.weeks(run)}


def verdict(case: LoadedCase, draws: int = 200, seed: int = 7) -> VerdictStudy:
    """How probable the promise is: three arms under `draws` accepted draws."""
    from scenarios.store import SolvedCache
    from scenarios.study import verdict as judge

    return judge(case.case, draws, seed, cache=SolvedCache(case.hash, seed))


def verdict_data(case: LoadedCase, study: VerdictStudy) -> dict[str, Any]:
    """The same as `pilotproof verdict --json`."""
    from scenarios.report.verdict_json import as_json

    return as_json(study, case)


def batch(plan: str | Path | Mapping[str, Any], out: str | Path | None = None, threads: int | None = None) -> pd.DataFrame:
    """All simulations of a plan (a TOML file, or the same as plain data) as one tidy frame; docs/batch.md says what it holds.

    `out`: a folder in which it is kept, and goes on where it stopped; or a new .csv or .parquet file. Raises CaseError.
    """
    check_own_packages()
    from scenarios.batch import frame
    from scenarios.study import Means

    return frame(plan, Means(threads=threads), None if out is None else Path(out))


def compare(
    first: LoadedCase,
    second: LoadedCase,
    arm: Arm = "production",
    replications: int = 8,
    seed: int = 7,
    draws: int | None = None,
) -> Comparison:
    """Paired differences of two cases over the same futures; with `draws` also the chance that each keeps its promise."""
    from scenarios.report.compare_report import compare as pair

    return pair(first, second, arm, replications, seed, draws=draws)
