"""How often something happens: any share of the case file, from the file of counts and from what other files count on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from models import schema
from models.evidence.refusals import UnusableEvidenceError
from models.evidence.settings import EvidenceSettings
from models.evidence.share_cells import Count, Tally, equal, total
from models.evidence.table import Table
from models.fits.approvals import rejections
from models.fits.latency import failures
from models.fits.law_priors import arm_named, arm_of
from models.fits.seam import Sampling, StoppedError
from models.fits.shares import Belief, belief_of, by_type, one_share, prior_by_type, prior_share
from models.fits.timed_laws import predictive_check, standard
from models.leaves import leaves
from models.posterior import Predictive, SubModel
from models.schema import Arm, Parameter

Floats = NDArray[np.float64]
NAME = "how often things happen"
PRIOR_ROWS = 4_000
BETTER_IF_HIGHER = (".resolves", ".routed")
"""Shares that make the promise easier to keep when they are higher; all others make it harder."""
WATCHED = 0.05
"""A difference between pilot and production by more than this (a share) is reported with its probability."""
_TYPES = ".types."


@dataclass(frozen=True, slots=True, eq=False)
class ShareCell:
    """One share in one arm, its belief and its counts; `path` without the type, `type` "" if it is the same for all types."""

    path: str
    type: str
    suffix: str
    parameter: Parameter
    belief: Belief
    count: Count
    files: tuple[str, ...]

    @property
    def column(self) -> str:
        return f"{self.path}{_TYPES + self.type if self.type else ''}{self.suffix}"


def fit(
    case: schema.CaseFile, tables: Mapping[str, Table], about: EvidenceSettings, sampling: Sampling, stop: Event | None = None
) -> SubModel | None:
    """Columns of all shares that were counted: in `counts`, by ways calls ended, by decisions of approvers. None if nothing was.

    Raises UnusableEvidenceError for counts of something that cannot be told apart, StoppedError once `stop` is set.
    """
    tallies = [*counted(tables), *failures(case, tables), *rejections(case, tables)]
    cells = share_cells(case, [t for t in tallies if t.tried.sum() > 0], about)
    if not cells:
        return None
    rng = np.random.default_rng([sampling.seed, 2])
    rows = sampling.chains * sampling.draws
    columns: dict[str, Floats] = {}
    prior: dict[str, Floats] = {}
    spreads: dict[str, Floats] = {}
    for key, group in _groups(cells).items():
        if stop is not None and stop.is_set():
            raise StoppedError
        after, before, spread = _drawn(group, rows, rng)
        columns |= after
        prior |= before
        if spread is not None:
            spreads[f"{key}: spread of types (logit)"] = spread
    return SubModel(
        NAME, columns, prior, _badness(columns), (), tuple(_check(c, columns[c.column], rng) for c in cells if c.count.tried > 0),
        {c.column: c.files for c in cells if c.files}, spreads | differences(case, columns), {}, tuple(_notes(cells)),
    )  # fmt: skip


def counted(tables: Mapping[str, Table]) -> list[Tally]:
    """The rows of the file `counts`, by parameter. Results that come together: the cluster, or else the day."""
    table = tables.get("counts")
    if table is None:
        return []
    path, group = table.texts("parameter"), _together(table)
    found = []
    for name in dict.fromkeys(path.tolist()):
        mine = equal(path, str(name))
        labels = (table.texts("type")[mine], table.texts("environment")[mine], group[mine])
        found.append(Tally(str(name), *labels, table.numbers("happened")[mine], table.numbers("tried")[mine], "counts"))
    return found


def _together(table: Table) -> NDArray[np.object_]:
    clusters, day = table.texts("cluster"), table.times("day")[:, 0]
    names = [c or ("" if np.isnan(d) else f"day {d:.0f}") for c, d in zip(clusters, day, strict=True)]
    return np.asarray(names, dtype=object)


# -- which shares


def share_cells(case: schema.CaseFile, tallies: Sequence[Tally], about: EvidenceSettings) -> list[ShareCell]:
    """The shares with counts (and, where shares differ by type, the other types). Raises UnusableEvidenceError."""
    known = {leaf.path: leaf.parameter for leaf in leaves(case)}
    cells: list[ShareCell] = []
    for base, kinds in _by_base(known, tallies).items():
        if isinstance(next(iter(kinds.values())), schema.Accuracy):
            raise UnusableEvidenceError(
                f"{base}: what an AI got right belongs into the files pilot and production, not into counts"
            )
        mine = [t for t in tallies if t.path.partition(_TYPES)[0] == base]
        for suffix in _suffixes(base, kinds, mine):
            cells += [_cell(case, base, kind, suffix, p, mine, about) for kind, p in kinds.items()]
    return cells


def _by_base(known: Mapping[str, Parameter], tallies: Sequence[Tally]) -> dict[str, dict[str, Parameter]]:
    """Path without type → type ("" = all) → parameter."""
    found: dict[str, dict[str, Parameter]] = {}
    for base in dict.fromkeys(t.path.partition(_TYPES)[0] for t in tallies):
        if base in known:
            found[base] = {"": known[base]}
        else:
            found[base] = {p.removeprefix(base + _TYPES): x for p, x in known.items() if p.startswith(base + _TYPES)}
        if not found[base]:
            raise UnusableEvidenceError(f"{base} is not a share of the case file; state it there first, as a guess")
    return found


def _suffixes(base: str, kinds: Mapping[str, Parameter], tallies: Sequence[Tally]) -> list[str]:
    seen = dict.fromkeys(str(e) for t in tallies for e in t.environment)
    arms: dict[str, Arm | None] = {"": None, "pilot": "pilot", "production": "production"}
    return list(dict.fromkeys(arm_of(tuple(kinds.values()), base, arms[e]) for e in seen))


def _cell(
    case: schema.CaseFile,
    base: str,
    kind: str,
    suffix: str,
    parameter: Parameter,
    tallies: Sequence[Tally],
    about: EvidenceSettings,
) -> ShareCell:
    chosen = []
    for tally in tallies:
        rows = equal(tally.environment, suffix[1:]) if suffix else np.ones(len(tally.tried), dtype=np.bool_)
        of_type = tally.path.partition(_TYPES)[2]
        if kind and not of_type:
            if equal(tally.type, "")[rows].any():
                raise UnusableEvidenceError(
                    f"{base} is stated by type: fill the column type, or count {base}{_TYPES}{kind} by name"
                )
            rows = rows & equal(tally.type, kind)
        if (not kind or not of_type or of_type == kind) and rows.any():
            chosen.append(tally.select(rows))
    count = total(chosen, about.design_effect) if chosen else Count(0.0, 0.0, (0.0, 0.0))
    belief = belief_of(parameter, arm_named(suffix), support_offset(case, base, suffix))
    return ShareCell(base, kind, suffix, parameter, belief, count, tuple(dict.fromkeys(t.file for t in chosen)))


def support_offset(case: schema.CaseFile, base: str, suffix: str) -> float:
    """What the pilot's support added to the logit of `resolves` while it was counted: the case file holds the share without it."""
    step, _, rest = base.removeprefix("steps.").partition(".levels.")
    level, _, name = rest.partition(".")
    desk = next((s for s in case.steps if isinstance(s, schema.Desk) and s.id == step), None)
    if desk is None or name != "resolves" or suffix != "@pilot":
        return 0.0
    support = desk.levels[int(level) - 1].support
    return 0.0 if support is None else support.bonus.in_arm("pilot").uncertain().median


def _groups(cells: Sequence[ShareCell]) -> dict[str, list[ShareCell]]:
    found: dict[str, list[ShareCell]] = {}
    for cell in cells:
        found.setdefault(f"{cell.path}{cell.suffix}", []).append(cell)
    return found


def _drawn(
    group: Sequence[ShareCell], rows: int, rng: np.random.Generator
) -> tuple[dict[str, Floats], dict[str, Floats], Floats | None]:
    """Columns after and before the counts, and the spread of types if there are several."""
    if len(group) == 1:
        cell = group[0]
        after, before = one_share(cell.belief, cell.count, rows, rng), prior_share(cell.belief, PRIOR_ROWS, rng)
        return {cell.column: after}, {cell.column: before}, None
    beliefs = [c.belief for c in group]
    shares, spread = by_type(beliefs, [c.count for c in group], rows, rng)
    believed = prior_by_type(beliefs, PRIOR_ROWS, rng)
    return (
        {c.column: shares[:, k] for k, c in enumerate(group)},
        {c.column: believed[:, k] for k, c in enumerate(group)},
        spread,
    )


# -- figures


def _badness(columns: Mapping[str, Floats]) -> Floats:
    signs = {name: -1.0 if name.partition("@")[0].endswith(BETTER_IF_HIGHER) else 1.0 for name in columns}
    return np.asarray(sum(signs[name] * standard(x) for name, x in columns.items()))


def differences(case: schema.CaseFile, columns: Mapping[str, Floats]) -> dict[str, Floats]:
    """Production minus pilot of each share counted in both, and P(it lies further from the pilot's than `WATCHED`).

    For `resolves` of a desk it is the rate of escalation that is compared.
    """
    found = {}
    for name in columns:
        base = name.removesuffix("@pilot")
        if name.endswith("@pilot") and f"{base}@production" in columns:
            gap = columns[f"{base}@production"] - columns[name]
            escalates = base.endswith(".resolves")
            what = f"{base}: {'escalation rate, ' if escalates else ''}production minus pilot"
            found[what] = -gap if escalates else gap
            found[f"{what}, P(above {WATCHED:.0%})"] = np.asarray([(found[what] > WATCHED).mean()])
    return found


def _check(cell: ShareCell, draws: Floats, rng: np.random.Generator) -> Predictive:
    """The observed share against replicated ones."""
    from scipy.special import expit, logit

    p = expit(logit(np.clip(draws, 1e-12, 1 - 1e-12)) + cell.belief.offset)
    n = max(round(cell.count.tried), 1)
    return predictive_check(cell.column, cell.count.raw[0] / max(cell.count.raw[1], 1.0), rng.binomial(n, p) / n)


def _notes(cells: Sequence[ShareCell]) -> list[str]:
    notes = []
    for cell in cells:
        y, n = cell.count.raw
        if n == 0:
            notes.append(f"{cell.column}: not counted; known by the other types.")
            continue
        effect = cell.count.design_effect
        worth = f"; results that come together make them worth {cell.count.tried:,.0f}" if effect > 1 else ""
        notes.append(f"{cell.column}: {y:,.0f} of {n:,.0f}{worth}.")
        if cell.belief.offset:
            notes.append(f"{cell.column}: counted with the pilot's support, whose help is taken out.")
        elif cell.suffix == "@production" and cell.path.endswith(".resolves"):
            notes.append(f"{cell.column}: taken as counted without the project's support.")
    return notes
