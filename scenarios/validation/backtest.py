"""`make backtest`: is the truth recovered end to end? Hidden truth → files of evidence → fit → verdict → what then comes true.

python -m scenarios.validation.backtest [--companies 200] [--outside 50] [--draws 150] [--processes 2] [--folder build/backtest]

One line of JSON a company in `results.jsonl` of the folder; a run that was stopped goes on where it stopped. The summary goes to
docs/backtest.json, from which docs/make_backtest.py makes the page.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import baseline
from models.fits.seam import Sampling
from models.posterior import PosteriorDraws, parts_of
from scenarios.files import load
from scenarios.fitting import fit_folder
from scenarios.store import code_hash
from scenarios.study.draws import Collected, Plan, collect
from scenarios.study.means import Means
from scenarios.validation.company import INSIDE, OUTSIDE, Company, Kind, case_of, company, seed_of
from scenarios.validation.company_case import case_text
from scenarios.validation.company_files import USUAL, write_folder
from scenarios.validation.scoring import LEVELS, pit

Floats = NDArray[np.float64]
SEED = 2_027
PLAN = Plan((("as_is", 1), ("production", 1)))
NAIVE_STEPS = ("inbox", "entry")
"""The steps of today that the AI takes the place of."""
DIGITS = 6
LINES = "results.jsonl"


@dataclass(frozen=True, slots=True)
class Settings:
    """What decides a line: seed, futures of a verdict and before the evidence, which files companies have, and a hash of the code."""

    seed: int = SEED
    draws: int = 150
    prior_draws: int = 100
    files: tuple[str, ...] = USUAL
    code: str = ""

    def key(self) -> str:
        """A hash of these and of the case file: lines of other settings are not mixed."""
        text = json.dumps(asdict(self), sort_keys=True) + case_text(0.0, 0.0)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Line:
    """What is kept of one company. Days, if not said otherwise.

    pit, prior_pit: where the outcome lies among the futures of the verdict, and among those before the evidence
    targets, p, kept: the nine promises, their stated probabilities and whether they were kept · naive: forecast of the business case
    gate: whether the verdict would state a probability · problems: why not · below: column → share of posterior draws below the truth
    """

    settings: str
    company: int
    kind: Kind
    observed: float
    standard_error: float
    outcome: float
    pit: float
    prior_pit: float
    targets: tuple[float, ...]
    p: tuple[float, ...]
    kept: tuple[bool, ...]
    naive: float
    accuracy_seen: float
    gate: bool
    problems: tuple[str, ...]
    rejected: int
    median: float
    width: float
    prior_width: float
    below: Mapping[str, float]

    def text(self) -> str:
        """As one line of JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of(cls, text: str) -> Line:
        """From what `text` gave."""
        data: dict[str, Any] = json.loads(text)
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)


# ---------------------------------------------------------------- one company


def one_company(number: int, kind: Kind, settings: Settings) -> Line:
    """Truth, files, fit, verdict and outcome of one company; the same for the same arguments."""
    truth = company(number, kind, settings.seed)
    rng = np.random.default_rng(seed_of(settings.seed, number, kind, "files"))
    with TemporaryDirectory() as made:
        folder = Path(made)
        write_folder(folder, truth, settings.files, rng)
        fit_folder(folder, Sampling(seed_of(settings.seed, number, kind, "fit")))
        fitted = load(str(folder)).case
        seen = _accuracy_seen(folder)
    before = _futures(case_of(truth.observed, truth.standard_error).case, settings.prior_draws, truth, settings.seed, "prior")
    after = _futures(fitted, settings.draws, truth, settings.seed, "verdict")
    return _line(truth, before, after, fitted.posterior, seen, settings)


def _futures(case: Any, draws: int, truth: Company, seed: int, purpose: Any) -> Collected:
    return collect(case, PLAN, draws, seed_of(seed, truth.number, truth.kind, purpose), Means(threads=1))


def _line(
    truth: Company, before: Collected, after: Collected, posterior: PosteriorDraws | None, seen: float, settings: Settings
) -> Line:
    rng = np.random.default_rng(seed_of(settings.seed, truth.number, truth.kind, "place"))
    prior, verdict = _days(before), _days(after)
    targets = np.quantile(prior, LEVELS)
    problems = _problems(truth, after, posterior)
    return Line(
        settings.key(), truth.number, truth.kind, _rounded(truth.observed), _rounded(truth.standard_error), _rounded(truth.outcome),
        _rounded(pit(truth.outcome, verdict, rng.random())), _rounded(pit(truth.outcome, prior, rng.random())),
        tuple(map(_rounded, targets)), tuple(_rounded((verdict <= t).mean()) for t in targets),
        tuple(bool(truth.outcome <= t) for t in targets), _rounded(_naive(truth, before, seen)), _rounded(seen),
        not problems, problems, len(after.rejected), _rounded(np.median(verdict)), _width(verdict), _width(prior), _below(truth, posterior),
    )  # fmt: skip


def _rounded(x: float) -> float:
    return round(float(x), DIGITS)


def _days(done: Collected) -> Floats:
    """Mean cycle days of production in every future."""
    return np.asarray([r.arms["production"].figures["mean_cycle_time_days"] for r in done.results])


def _width(days: Floats) -> float:
    """From the 5 % to the 95 % point."""
    return _rounded(float(np.diff(np.quantile(days, [0.05, 0.95]))[0]))


def _problems(truth: Company, after: Collected, posterior: PosteriorDraws | None) -> tuple[str, ...]:
    """Why the verdict states no probability: checks of the fits, and the gate of today's result."""
    checks = [f"{s.name}: {d.name}" for s in posterior.sub_models for d in s.diagnostics if not d.passed] if posterior else []
    case = case_of(truth.observed, truth.standard_error).case
    assert case.baseline is not None
    report = baseline.report(case.baseline, [r.solved for r in after.results if r.solved is not None], after.rejected)
    return (*checks, *(() if report.passed else ("today's result",)))


def _naive(truth: Company, before: Collected, seen: float) -> float:
    """The usual business case: today's mean less the pilot's accuracy times the days of the steps that the AI takes over."""
    saved = sum(before.start.as_is.step_days[step] for step in NAIVE_STEPS) if before.start is not None else 0.0
    return truth.observed - seen * saved


def _accuracy_seen(folder: Path) -> float:
    """Right of tried in the pilot's file; the case file's likely value without one."""
    import csv

    file = folder / "evidence" / "pilot.csv"
    if not file.exists():
        return 0.89
    rows = list(csv.DictReader(file.open(encoding="utf-8")))
    return sum(int(r["right"]) for r in rows) / sum(int(r["tried"]) for r in rows)


def _below(truth: Company, posterior: PosteriorDraws | None) -> dict[str, float]:
    """Where the truth lies in every fitted column that is a parameter."""
    found = {}
    for sub_model in posterior.sub_models if posterior is not None else ():
        for name, x in sub_model.columns.items():
            path, arm = parts_of(name)
            if path in truth.draws.values:
                true = truth.draws.values[path][arm or "production"][0]  # type: ignore[index]
                found[name] = _rounded(float(np.mean(x < true)))
    return found


# ---------------------------------------------------------------- many companies


def known_lines(file: Path, settings: Settings) -> dict[tuple[Kind, int], Line]:
    """The companies that are done. A last line that was cut off is removed. Raises ValueError for lines of other settings."""
    if not file.exists():
        return {}
    text = file.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        file.write_text(whole, encoding="utf-8")
    lines = [Line.of(line) for line in whole.splitlines()]
    if any(line.settings != settings.key() for line in lines):
        raise ValueError(
            f"{file} holds companies of other settings or of other code: begin anew with --fresh, or name another --folder"
        )
    return {(line.kind, line.company): line for line in lines}


def wanted(companies: int, outside: int) -> list[tuple[Kind, int]]:
    """All companies of a run, in order."""
    return [(INSIDE, k) for k in range(companies)] + [(kind, k) for kind in OUTSIDE for k in range(outside)]


def run(file: Path, jobs: Sequence[tuple[Kind, int]], settings: Settings, processes: int = 1) -> list[Line]:
    """Every company of `jobs`: those already in the file as they are, the others appended to it, whole lines only."""
    known = known_lines(file, settings)
    todo = [job for job in jobs if job not in known]
    file.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with file.open("a", encoding="utf-8") as out:
        for i, line in enumerate(_made(todo, settings, processes), 1):
            out.write(line.text() + "\n")
            out.flush()
            known[line.kind, line.company] = line
            _progress(i, len(todo), (time.monotonic() - began) / i)
    return [known[job] for job in jobs]


def _made(todo: Sequence[tuple[Kind, int]], settings: Settings, processes: int) -> Iterator[Line]:
    """Lines as they are finished. Each process compiles the models once."""
    if processes <= 1 or len(todo) <= 1:
        yield from (one_company(number, kind, settings) for kind, number in todo)
        return
    with ProcessPoolExecutor(min(processes, len(todo)), get_context("spawn")) as pool:
        for done in as_completed([pool.submit(one_company, number, kind, settings) for kind, number in todo]):
            yield done.result()


def _progress(done: int, total: int, seconds: float) -> None:
    sys.stderr.write(f"\r\x1b[K{done}/{total} companies, {seconds:.1f} s each, {seconds * (total - done) / 60:.0f} min left")
    sys.stderr.write("\n" if done == total else "")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    from scenarios.validation.backtest_summary import summary

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--companies", type=int, default=200, help="companies inside the model")
    parser.add_argument("--outside", type=int, default=50, help="companies of each kind outside it")
    parser.add_argument("--draws", type=int, default=150, help="futures of a verdict")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("build/backtest"))
    parser.add_argument("--out", type=Path, default=Path("docs/backtest.json"), help="where the summary goes")
    parser.add_argument("--fresh", action="store_true", help="begin anew: forget the companies done")
    asked = parser.parse_args(arguments)
    settings = Settings(asked.seed, asked.draws, code=code_hash())
    if asked.fresh:
        shutil.rmtree(asked.folder, ignore_errors=True)
    lines = run(asked.folder / LINES, wanted(asked.companies, asked.outside), settings, asked.processes)
    asked.out.write_text(json.dumps(summary(lines, settings), indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
