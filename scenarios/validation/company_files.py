"""The evidence that a made-up company has: files as people have them, generated from its hidden truth.

Written apart from the fits and from the simulator's compositions: rules are those of the documentation, in plain NumPy, so that an error
in either is not repeated here.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.validation.company import Company
from scenarios.validation.company_case import case_text

Floats = NDArray[np.float64]
Rng = np.random.Generator
FILES = ("pilot", "production", "counts", "approvals", "times", "quality", "seeded")
USUAL = tuple(name for name in FILES if name != "times")
"""What companies have if not stated otherwise; each file of times costs 7 s of sampling a law."""
SETTINGS = 'schema_version = 1\nzone = "UTC"\nexported = 2026-11-30\nsalt = "made up"\n'
MIX = {"plain": 0.6, "lined": 0.25, "foreign": 0.15}
PILOTED = ("plain", "lined")
SUPPLIERS = 60
MISLABELLED = 0.5
"""Share of wrong outputs labelled right, in companies of the kind `labels`."""
SOUND_LABELS, SPREAD_OF_LABELS = 0.995, 0.5
"""Elsewhere: how often labels of right, and of wrong, outputs are right. Middle, and spread on the logit, between companies: as the
documentation says that fits assume."""
FIRST, DAYS = np.datetime64("2026-09-01T08:00", "s"), 90
EXPORTED = np.datetime64("2026-12-01T00:00", "s")
AI, DEFECT = "steps.send_to_ai", "steps.send_to_ai.quality.missing_fields"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of each a company has. `foreign`: whether its parallel run saw the type that was never piloted."""

    pilot: int
    production: int
    foreign: bool
    exceptions: int
    resolved: int
    requests: int
    minutes: int
    waits: int
    profile: int
    seeded: int

    @classmethod
    def drawn(cls, rng: Rng) -> Sizes:
        """As companies have them: 100 to 400 pilot results, 50 to 200 of a parallel run, 50 to 400 of the rest."""
        pilot, production = int(rng.integers(100, 401)), int(rng.integers(50, 201))
        foreign = bool(rng.random() < 0.5)
        return cls(pilot, production, foreign, *(int(n) for n in rng.integers(50, [401, 121, 201, 101, 201, 401, 81])))


def write_folder(folder: Path, company: Company, files: Sequence[str], rng: Rng) -> None:
    """Writes the company's case folder: its case file and its evidence."""
    (folder / "evidence").mkdir(parents=True, exist_ok=True)
    (folder / "case.toml").write_text(case_text(company.observed, company.standard_error), encoding="utf-8")
    (folder / "evidence" / "settings.toml").write_text(SETTINGS, encoding="utf-8")
    for name, text in evidence(company, Sizes.drawn(rng), rng).items():
        if name in files:
            (folder / "evidence" / f"{name}.csv").write_text(text, encoding="utf-8")


def evidence(company: Company, sizes: Sizes, rng: Rng) -> dict[str, str]:
    """Name of a kind of evidence → its CSV file."""
    suppliers, labels = rng.random(SUPPLIERS), _labels(company, rng)
    seen = tuple(MIX) if sizes.foreign else PILOTED
    return {
        "pilot": _results(company, "pilot", PILOTED, sizes.pilot, suppliers, labels, rng),
        "production": _results(company, "production", seen, sizes.production, suppliers, labels, rng),
        "counts": _counts(company, sizes, rng),
        "approvals": _approvals(company, sizes.requests, rng),
        "times": _times(company, sizes, rng),
        "quality": _quality(company, sizes.profile, rng),
        "seeded": _seeded(company, sizes.seeded, rng),
    }


# ---------------------------------------------------------------- results of the AI


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """Cases that somebody checked, one entry a case: type (position in MIX), supplier, and what is true and labelled of it."""

    kind: NDArray[np.int64]
    supplier: NDArray[np.int64]
    right: NDArray[np.bool_]
    labelled: NDArray[np.bool_]
    accepted: NDArray[np.bool_]


def chance_right(company: Company, live: bool, kind: str, defect: bool) -> float:
    """P(right) of one case. The level is that at which the pilot's types and defects, in their mix, have the pilot's accuracy."""
    logit = _level(company) + company.value(f"{AI}.type_effect.{kind}")
    logit += 0.0 if kind in PILOTED else company.value(f"{AI}.scope_penalty")
    if live:
        logit += company.value(f"{AI}.shift") + company.value(f"{AI}.type_shift.{kind}")
    return float(_expit(logit + defect * company.value(f"{DEFECT}.effect")))


def _level(company: Company) -> float:
    from scipy.optimize import brentq

    share, effect = company.value(f"{DEFECT}.share", "pilot"), company.value(f"{DEFECT}.effect")
    weight = np.asarray([MIX[k] for k in PILOTED])
    offset = np.asarray([company.value(f"{AI}.type_effect.{k}") for k in PILOTED])

    def surplus(level: float) -> float:
        p = (1 - share) * _expit(level + offset) + share * _expit(level + offset + effect)
        return float((weight * p).sum() / weight.sum()) - company.value(f"{AI}.accuracy")

    return float(brentq(surplus, -20.0, 20.0))


def _labels(company: Company, rng: Rng) -> tuple[float, float]:
    """How often a right output, and a wrong one, is labelled right in this company."""
    right, wrong = _expit(_logit(SOUND_LABELS) + SPREAD_OF_LABELS * rng.standard_normal(2))
    return float(right), MISLABELLED if company.kind == "labels" else float(1 - wrong)


def checked(
    company: Company, live: bool, kinds: Sequence[str], n: int, suppliers: Floats, labels: tuple[float, float], rng: Rng
) -> Results:
    """`n` checked cases. `suppliers`: one uniform each; cases of a supplier use it with a chance of √correlation · `labels`: how often
    a right output, and a wrong one, is labelled right."""
    names = list(MIX)
    weight = np.asarray([MIX[k] for k in kinds])
    kind = np.asarray([names.index(k) for k in kinds])[rng.choice(len(kinds), n, p=weight / weight.sum())]
    rank = 1.0 / np.arange(1, SUPPLIERS + 1)
    supplier = rng.choice(SUPPLIERS, n, p=rank / rank.sum())
    defect = rng.random(n) < company.value(f"{DEFECT}.share", "production" if live else "pilot")
    table = np.asarray([[chance_right(company, live, k, d) for d in (False, True)] for k in names])
    shared = rng.random(n) < np.sqrt(company.value(f"{AI}.cluster_correlation"))
    right = np.where(shared, suppliers[supplier], rng.random(n)) >= 1 - table[kind, defect.astype(int)]
    accuracy, error = company.value(f"{AI}.accuracy"), company.value(f"{AI}.accepted_error")
    if_right, if_wrong = (company.value(f"{AI}.coverage") - error) / accuracy, error / (1 - accuracy)
    accepted = rng.random(n) < np.where(right, if_right, if_wrong)
    labelled = rng.random(n) < np.where(right, *labels)
    return Results(kind, supplier, right, labelled, accepted)


def _results(
    company: Company, where: str, kinds: Sequence[str], n: int, suppliers: Floats, labels: tuple[float, float], rng: Rng
) -> str:
    """One row for each type and supplier; companies of the kind `clusters` do not name the supplier."""
    r = checked(company, where == "production", kinds, n, suppliers, labels, rng)
    cell = r.kind * SUPPLIERS + r.supplier
    rows: list[list[object]] = []
    for value in np.unique(cell):
        mine = cell == value
        name = "" if company.kind == "clusters" else f"supplier {value % SUPPLIERS + 1}"
        counts = (mine, mine & r.labelled, mine & r.accepted, mine & r.accepted & r.labelled)
        rows.append([list(MIX)[value // SUPPLIERS], name, "v1", *(int(np.count_nonzero(c)) for c in counts)])
    return _csv(["type", "cluster", "model_version", "tried", "right", "accepted", "accepted_right"], rows)


# ---------------------------------------------------------------- the rest


def _counts(company: Company, sizes: Sizes, rng: Rng) -> str:
    exception, resolves = "steps.is_exception.options.1.share", "steps.exceptions.levels.1.resolves"
    rows: list[list[object]] = [
        [exception, "", rng.binomial(sizes.exceptions, company.value(exception)), sizes.exceptions],
        [resolves, "production", rng.binomial(sizes.resolved, company.value(resolves)), sizes.resolved],
    ]
    return _csv(["parameter", "environment", "happened", "tried"], rows)


def _approvals(company: Company, n: int, rng: Rng) -> str:
    """Requests of the last ninety days; those not answered until the export are open."""
    asked = FIRST + (rng.random(n) * DAYS * 86_400).astype(np.int64).astype("timedelta64[s]")
    answered = asked + _seconds(_lognormal(company, "steps.approve.levels.1.response", n, rng))
    rows: list[list[object]] = [
        [_time(a), _time(d) if d < EXPORTED else "", "approved" if d < EXPORTED else ""]
        for a, d in zip(asked, answered, strict=True)
    ]
    return _csv(["asked", "decided", "decision"], rows)


def _times(company: Company, sizes: Sizes, rng: Rng) -> str:
    """Minutes of data entry as measured, and waits in the inbox by two dates, open ones among them."""
    minutes = _lognormal(company, "steps.entry.service", sizes.minutes, rng) / 60
    rows: list[list[object]] = [["entry", "", "", f"{m:.2f}"] for m in minutes]
    came = FIRST + (rng.random(sizes.waits) * DAYS * 86_400).astype(np.int64).astype("timedelta64[s]")
    left = came + _seconds(_lognormal(company, "steps.inbox.time", sizes.waits, rng))
    rows += [["inbox", _time(a), _time(b) if b < EXPORTED else "", ""] for a, b in zip(came, left, strict=True)]
    return _csv(["step", "entered", "ended", "minutes"], rows)


def _quality(company: Company, n: int, rng: Rng) -> str:
    found = rng.binomial(n, company.value(f"{DEFECT}.share"))
    return _csv(["defect", "environment", "cases", "with_defect"], [["missing_fields", "production", n, found]])


def _seeded(company: Company, n: int, rng: Rng) -> str:
    """Errors shown to reviewers with nothing waiting: the catch rate without the load of work."""
    caught = rng.binomial(n, company.value("steps.review.catch"))
    return _csv(["reviewer", "waiting_per_head", "shown", "caught"], [["A", "0", n, caught]])


def _lognormal(company: Company, path: str, n: int, rng: Rng) -> Floats:
    """Seconds, from the law's mean and coefficient of variation."""
    mean, cv = company.value(f"{path}.mean"), company.value(f"{path}.cv")
    sigma = np.sqrt(np.log1p(cv**2))
    return np.asarray(rng.lognormal(np.log(mean) - sigma**2 / 2, sigma, n))


def _expit(x: float | Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.asarray(x))))


def _logit(x: float) -> float:
    return float(np.log(x / (1 - x)))


def _seconds(x: Floats) -> NDArray[np.timedelta64]:
    return np.rint(x).astype(np.int64).astype("timedelta64[s]")


def _time(t: np.datetime64) -> str:
    return str(t).replace("T", " ")


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()
