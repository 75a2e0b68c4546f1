"""Counts of right and wrong outputs, out of the files `pilot`, `production` and `audit`: the sufficient statistics of accuracy.

Cases are alike if they agree in group (environment, type, known defect), cluster and day: such a cell needs only how many were right
and how many were wrong, so that one row a case and counted rows say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.evidence.refusals import UnusableEvidenceError
from models.evidence.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Environment = Literal["pilot", "production"]
Checked = Literal["all", "referred"]
ENVIRONMENTS: tuple[Environment, ...] = ("pilot", "production")
UNNAMED = "not stated"
UNSURE_FROM = 20
"""So many checked cases without a single accepted one cannot be chance at any usual coverage."""


EvidenceError = UnusableEvidenceError


class SeveralVersionsError(UnusableEvidenceError):
    """Results of several versions of the AI, and none was chosen. `counts`: version → cases."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)
        listed = ", ".join(f"{name}: {n:,} cases" for name, n in counts.items())
        super().__init__(
            f"results of several versions of the AI ({listed}); name the one that goes live: model_version in settings.toml (versions are not pooled)"
        )


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Cases with one probability. `type` "" = all types as they come; `defect` "" = none known; `referred`: only those were checked."""

    environment: Environment
    type: str = ""
    defect: str = ""
    referred: bool = False


@dataclass(frozen=True, slots=True)
class DesignEffect:
    """How much less n correlated cases say than n independent ones: n / effect. `why` in words."""

    effect: float
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyCounts:
    """Checked cases, by cell and by group.

    By cell, shape (cells,): `group`, `cluster`, `day` (positions; −1 = unknown), `right`, `wrong` (a cell without cluster is divided
    by the design effect). By group: `tried` and `right_of` as counted, shape (groups,) · `accepted`, shape (groups, 4): accepted and
    right, referred and right, accepted and wrong, referred and wrong · `accepted_only`, shape (groups, 2): accepted, referred, where
    it is not known which were right · `audited`, shape (groups, 2): right, wrong; these three after the design effect.
    `overruled`: cases whose flag of what was accepted differs from what the stated threshold accepts, which counts.
    """

    groups: tuple[Group, ...]
    clusters: tuple[str, ...]
    days: tuple[str, ...]
    group: Ints
    cluster: Ints
    day: Ints
    right: Floats
    wrong: Floats
    tried: Floats
    right_of: Floats
    accepted: Floats
    accepted_only: Floats
    audited: Floats
    files: Mapping[str, str]
    effects: Mapping[Environment, DesignEffect] = field(default_factory=dict)
    version: str = ""
    overruled: float = 0.0

    def cases(self, environment: Environment, type_: str | None = None) -> float:
        """Checked cases of an environment (and a type), as counted."""
        chosen = [g.environment == environment and type_ in (None, g.type) for g in self.groups]
        return float(self.tried[chosen].sum())

    @property
    def has_acceptance(self) -> bool:
        """Whether anything is known about what was accepted."""
        return bool(self.accepted.sum() + self.accepted_only.sum() + self.audited.sum() > 0)


@dataclass(frozen=True, slots=True)
class _Row:
    group: Group
    cluster: str
    day: str
    tried: float
    right: float
    accepted: float
    accepted_right: float
    overruled: float


def rows_of_step(table: Table, step: str, only: bool) -> NDArray[np.bool_]:
    """Which rows speak of an AI step. `only`: it is the only one, so rows that name none are its own."""
    named = table.texts("step")
    if not only and (named == "").any():
        line = int(table.lines[named == ""][0])
        raise UnusableEvidenceError(f"{table.file}, line {line}: the case has several AI steps, so each row must name its step")
    return np.asarray((named == step) | (only & (named == "")), dtype=bool)


def versions(tables: Sequence[Table], step: str, only: bool) -> dict[str, int]:
    """Version of the AI → checked cases, over the files of results; "not stated" for rows without one."""
    found: Counter[str] = Counter()
    for table in tables:
        if table.kind.name in ENVIRONMENTS:
            mine = rows_of_step(table, step, only)
            for version, tried in zip(table.texts("model_version")[mine], table.numbers("tried")[mine], strict=True):
                found[str(version) or UNNAMED] += int(tried)
    return dict(sorted(found.items()))


def chosen_version(tables: Sequence[Table], step: str, only: bool, version: str | None) -> str:
    """The version to fit: the one named, or the only one. Raises SeveralVersionsError, or UnusableEvidenceError if no row has it."""
    found = versions(tables, step, only)
    if version is None:
        if len(found) > 1:
            raise SeveralVersionsError(found)
        return next(iter(found), UNNAMED)
    if version not in found:
        listed = ", ".join(found) or "none"
        raise UnusableEvidenceError(f'no results of version "{version}"; versions found: {listed}')
    return version


def count_results(
    tables: Sequence[Table],
    step: str,
    only: bool,
    version: str | None,
    effects: Mapping[Environment, DesignEffect],
    checked: Mapping[Environment, Checked],
    correlation: float,
    threshold: float | None = None,
) -> AccuracyCounts:
    """Counts of one AI step and version.

    `effects`: design effect of rows without a cluster · `checked`: which cases were looked at, if not all kinds alike
    `correlation`: of errors within a cluster; takes the place of a fitted one in counts of accepted outputs and audits
    `threshold`: confidence from which outputs are accepted, whatever a row with a confidence says was accepted
    Raises UnusableEvidenceError and SeveralVersionsError.
    """
    kept = chosen_version(tables, step, only, version)
    rows = [row for table in tables for row in _rows(table, step, only, kept, checked, threshold)]
    audits = [row for table in tables if table.kind.name == "audit" for row in _audits(table, step, only)]
    _refuse_unclear_selection(rows, checked)
    groups = tuple(sorted({r.group for r in rows} | {g for g, _, _, _ in audits}))
    used = {e: _used_effect(rows, e, effects, correlation) for e in ENVIRONMENTS}
    clusters = tuple(sorted({r.cluster for r in rows} - {""}))
    days = tuple(sorted({r.day for r in rows} - {""}))
    cells = _cells(rows, groups, clusters, days, effects)
    per_group = _per_group(rows, audits, groups, used)
    files = {t.kind.name: t.file for t in tables}
    return AccuracyCounts(groups, clusters, days, *cells, *per_group, files, used, kept, sum(r.overruled for r in rows))


def _rows(
    table: Table, step: str, only: bool, version: str, checked: Mapping[Environment, Checked], threshold: float | None
) -> Iterator[_Row]:
    environment = next((e for e in ENVIRONMENTS if e == table.kind.name), None)
    if environment is None:
        return
    mine = rows_of_step(table, step, only)
    mine &= np.asarray([(v or UNNAMED) == version for v in table.texts("model_version")], dtype=bool)
    texts = [table.texts(name)[mine] for name in ("type", "defect", "cluster")]
    numbers = [table.numbers(name)[mine] for name in ("tried", "right", "accepted", "accepted_right")]
    days, lines, confidence = table.times("day")[mine, 0], table.lines[mine], table.numbers("confidence")[mine]
    referred = checked.get(environment) == "referred"
    for i in range(len(lines)):
        tried, right, accepted, accepted_right = (float(x[i]) for x in numbers)
        kind, defect, cluster = (str(x[i]) for x in texts)
        _check(f"{table.file}, line {lines[i]}", tried, right, accepted, accepted_right)
        overruled = 0.0
        if threshold is not None and not np.isnan(confidence[i]):
            flagged, accepted = accepted, tried if confidence[i] >= threshold else 0.0
            accepted_right = min(accepted, right)
            overruled = 0.0 if np.isnan(flagged) else abs(flagged - accepted)
        day = "" if np.isnan(days[i]) else f"{environment} {int(days[i] // 86_400):06d}"
        yield _Row(Group(environment, kind, defect, referred), cluster, day, tried, right, accepted, accepted_right, overruled)


def _check(place: str, tried: float, right: float, accepted: float, accepted_right: float) -> None:
    if right > tried:
        raise UnusableEvidenceError(f"{place}: more right ({right:g}) than tried ({tried:g})")
    if accepted > tried:
        raise UnusableEvidenceError(f"{place}: more accepted ({accepted:g}) than tried ({tried:g})")
    if accepted_right > min(accepted, right):
        raise UnusableEvidenceError(f"{place}: more accepted and right ({accepted_right:g}) than accepted or than right")
    if accepted - accepted_right > tried - right:
        raise UnusableEvidenceError(
            f"{place}: more accepted and wrong ({accepted - accepted_right:g}) than wrong ({tried - right:g})"
        )


def _refuse_unclear_selection(rows: Sequence[_Row], checked: Mapping[Environment, Checked]) -> None:
    for environment in ENVIRONMENTS:
        stated = [r for r in rows if r.group.environment == environment and not np.isnan(r.accepted)]
        unclear = sum(r.tried for r in stated) >= UNSURE_FROM and sum(r.accepted for r in stated) == 0
        if unclear and environment not in checked:
            raise UnusableEvidenceError(
                f"none of the checked cases of {environment} was accepted without review: say in settings.toml whether "
                f'only referred outputs were checked, checked = {{ {environment} = "referred" }}, or all alike, "all"'
            )


def _audits(table: Table, step: str, only: bool) -> Iterator[tuple[Group, str, float, float]]:
    """Group, cluster, right and wrong of each row of an audit."""
    mine = rows_of_step(table, step, only)
    kinds, places, clusters = (table.texts(name)[mine] for name in ("type", "environment", "cluster"))
    audited, wrong, accepted = (table.numbers(name)[mine] for name in ("audited", "wrong", "accepted"))
    for i, line in enumerate(table.lines[mine]):
        if wrong[i] > audited[i]:
            raise UnusableEvidenceError(f"{table.file}, line {line}: more wrong ({wrong[i]:g}) than audited ({audited[i]:g})")
        if audited[i] > accepted[i]:
            raise UnusableEvidenceError(
                f"{table.file}, line {line}: more audited ({audited[i]:g}) than accepted ({accepted[i]:g})"
            )
        environment: Environment = "pilot" if places[i] == "pilot" else "production"
        yield Group(environment, str(kinds[i])), str(clusters[i]), float(audited[i] - wrong[i]), float(wrong[i])


def _used_effect(
    rows: Sequence[_Row], environment: Environment, elicited: Mapping[Environment, DesignEffect], correlation: float
) -> DesignEffect:
    """The design effect of sums over all rows of an environment: from the clusters named, else the elicited one."""
    sizes: Counter[str] = Counter()
    for row in rows:
        if row.group.environment == environment:
            sizes[row.cluster] += row.tried  # type: ignore[assignment]
    if not sizes or sizes.get("", 0) > 0:
        return elicited[environment]
    met = sum(n * n for n in sizes.values()) / sum(sizes.values())
    return DesignEffect(
        1 + (met - 1) * correlation, f"{len(sizes)} clusters; a case meets {met:.1f} of its own, correlation {correlation:.2f}"
    )


def _cells(
    rows: Sequence[_Row],
    groups: tuple[Group, ...],
    clusters: tuple[str, ...],
    days: tuple[str, ...],
    effects: Mapping[Environment, DesignEffect],
) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    at = ({g: i for i, g in enumerate(groups)}, {c: i for i, c in enumerate(clusters)}, {d: i for i, d in enumerate(days)})
    cells: dict[tuple[int, int, int], list[float]] = {}
    for row in rows:
        key = (at[0][row.group], at[1].get(row.cluster, -1), at[2].get(row.day, -1))
        weight = 1.0 if row.cluster else 1 / effects[row.group.environment].effect
        cell = cells.setdefault(key, [0.0, 0.0])
        cell[0] += row.right * weight
        cell[1] += (row.tried - row.right) * weight
    keys = np.asarray(sorted(cells), dtype=np.int64).reshape(-1, 3)
    counts = np.asarray([cells[k[0], k[1], k[2]] for k in keys.tolist()], dtype=np.float64).reshape(-1, 2)
    return keys[:, 0], keys[:, 1], keys[:, 2], counts[:, 0], counts[:, 1]


def _per_group(
    rows: Sequence[_Row],
    audits: Sequence[tuple[Group, str, float, float]],
    groups: tuple[Group, ...],
    effects: Mapping[Environment, DesignEffect],
) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    tried, right = np.zeros(len(groups)), np.zeros(len(groups))
    accepted, accepted_only, audited = np.zeros((len(groups), 4)), np.zeros((len(groups), 2)), np.zeros((len(groups), 2))
    for row in rows:
        g, weight = groups.index(row.group), 1 / effects[row.group.environment].effect
        tried[g] += row.tried
        right[g] += row.right
        if row.group.referred or np.isnan(row.accepted):
            continue
        if np.isnan(row.accepted_right):
            accepted_only[g] += np.asarray([row.accepted, row.tried - row.accepted]) * weight
        else:
            wrong = row.accepted - row.accepted_right
            accepted[g] += (
                np.asarray([row.accepted_right, row.right - row.accepted_right, wrong, row.tried - row.right - wrong]) * weight
            )
    for group, _, audited_right, audited_wrong in audits:
        audited[groups.index(group)] += np.asarray([audited_right, audited_wrong]) / effects[group.environment].effect
    return tried, right, accepted, accepted_only, audited
