"""Readiness and staging checks: imperfect tests of whether a cause of trouble is under control. Bayes' rule, in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.conditions import CAUSES
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.share_cells import equal
from models.evidence.table import Table
from models.fits.seam import Sampling
from models.fits.shares import spread_out
from models.posterior import SubModel
from models.schema import Cause

Floats = NDArray[np.float64]
NAME = "readiness"
FILES = ("readiness",)
PRIOR_ROWS = 4_000


def fit(
    case: schema.CaseFile,
    tables: Mapping[str, Table],
    ready: Mapping[Cause, float],
    sampling: Sampling,
    stop: Event | None = None,
) -> SubModel | None:
    """Columns `conditions.CAUSE.ready`: 1 in draws in which the cause is under control, 0 in the others; None without the file.

    ready: P(under control) before the checks, 0 for a cause that is left out; with 0 (or 1) no check changes anything. Checks of one
    cause are independent given its state. Raises UnusableEvidenceError for chances outside 0 to 1, or checks that cannot have come out so.
    """
    table = tables.get("readiness")
    if table is None or not len(table):
        return None
    rng = np.random.default_rng([sampling.seed, 5])
    rows = sampling.chains * sampling.draws
    causes = [c for c in CAUSES if equal(table.texts("cause"), c).any()]
    before = {c: ready.get(c, 0.0) for c in causes}
    after = {c: probability_ready(before[c], *outcomes(table, c), c) for c in causes}
    columns = {column(c): (spread_out(rows, rng) < after[c]).astype(np.float64) for c in causes}
    prior = {column(c): (spread_out(PRIOR_ROWS, rng) < before[c]).astype(np.float64) for c in causes}
    figures = {f"{c}: P(under control) before and after the checks": np.asarray([before[c], after[c]]) for c in causes}
    return SubModel(
        NAME, columns, prior, -np.asarray(sum(columns.values())), (), (), dict.fromkeys(columns, FILES), figures,
        dict.fromkeys(figures, (("before", "after"),)), tuple(_note(table, c, before[c], after[c]) for c in causes),
    )  # fmt: skip


def column(cause: Cause) -> str:
    """The column that says whether a cause is under control."""
    return f"conditions.{cause}.ready"


def outcomes(table: Table, cause: Cause) -> tuple[Floats, Floats]:
    """P(the outcome that each check of a cause had, if ready), and if not. Shape (checks,) each."""
    mine = equal(table.texts("cause"), cause)
    passed, sensitivity, slack = (table.numbers(c)[mine] for c in ("passed", "passes_if_ready", "passes_if_not"))
    if not ((sensitivity >= 0) & (sensitivity <= 1) & (slack >= 0) & (slack <= 1)).all():
        raise UnusableEvidenceError(
            f"readiness, {cause}: passes_if_ready and passes_if_not are chances from 0 to 1, needed for every check"
        )
    if np.isnan(passed).any():
        raise UnusableEvidenceError(
            f"readiness, {cause}: a check without an outcome; say in passed whether it passed, or leave it out"
        )
    return np.where(passed > 0, sensitivity, 1 - sensitivity), np.where(passed > 0, slack, 1 - slack)


def probability_ready(before: float, if_ready: Floats, if_not: Floats, cause: str = "") -> float:
    """P(ready | checks) = π Π a / (π Π a + (1 − π) Π b). Raises UnusableEvidenceError if neither state can have led to the outcomes."""
    if not 0 <= before <= 1:
        raise UnusableEvidenceError(f"readiness, {cause}: the chance before the checks ({before:g}) is no chance from 0 to 1")
    yes, no = before * float(np.prod(if_ready)), (1 - before) * float(np.prod(if_not))
    if yes + no == 0:
        raise UnusableEvidenceError(
            f"readiness, {cause}: by the stated chances these outcomes are impossible; a chance of exactly 0 or 1 is seldom meant"
        )
    return yes / (yes + no)


def _note(table: Table, cause: Cause, before: float, after: float) -> str:
    passed = table.numbers("passed")[equal(table.texts("cause"), cause)]
    moved = "" if 0 < before < 1 else " It was held for certain before, so the checks change nothing."
    return f"{cause}: {passed.sum():.0f} of {len(passed)} checks passed; P(under control) {before:.0%} before, {after:.0%} after.{moved}"
