"""Reads and checks the evidence of a case: a folder of files, or the bytes of one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.evidence.cycles import Cycles
from models.evidence.defects import Defect
from models.evidence.evidence import Evidence, FileFigures, Informed
from models.evidence.informs import informed
from models.evidence.kinds import KINDS, kind_named
from models.evidence.mapping import ExportMapping
from models.evidence.settings import EvidenceSettings
from models.evidence.table import FileKind, Selection, Table
from models.schema import CaseFile
from scenarios.evidence.csv_file import read_csv
from scenarios.evidence.derived import derived_tables
from scenarios.evidence.export import Export, check_mapping, read_export
from scenarios.evidence.findings import Findings
from scenarios.evidence.limits import LIMITS, Limits
from scenarios.evidence.merging import merged
from scenarios.evidence.parquet_file import read_parquet
from scenarios.evidence.parse import Context, Parser, parse_kind
from scenarios.evidence.raw import RawTable, UnreadableError
from scenarios.evidence.xlsx_file import read_xlsx
from scenarios.evidence.zones import DAY, Zone
from scenarios.files import problems_of, read_toml, require_case_folder
from scenarios.problems import CaseError, Problem, nearest

FOLDER, SETTINGS = "evidence", "settings.toml"
EXPORTS = ("invoices", "cases")
"""Names of an export of one's own; its mapping is the TOML file of the same name."""
READERS = {".csv": read_csv, ".parquet": read_parquet}


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file gave."""

    figures: FileFigures
    defects: tuple[Defect, ...]
    table: Table | None = None
    export: Export | None = None


def read_evidence(
    folder: Path | str, case: CaseFile, limits: Limits = LIMITS, begun: Callable[[str], None] = lambda _: None
) -> Evidence:
    """All evidence of a case folder. Defects are in the result; raises CaseError only if there is no such case folder.

    `begun`: hears the name of each file before it is opened.
    """
    place = evidence_folder(Path(folder))
    problems, settings = Findings(f"{FOLDER}/{SETTINGS}", limits.listed), EvidenceSettings.model_validate({})
    if (place / SETTINGS).is_file():
        settings = _toml(place / SETTINGS, EvidenceSettings, problems) or settings
    if problems.defects:
        return Evidence({}, None, settings, problems.result(False))
    context = Context.of(case, settings, limits)
    parts = []
    for path in files_in(place):
        begun(f"{FOLDER}/{path.name}")
        parts.append(_read_file(path, place, context))
    return _together([*parts, *_mappings_alone(place, parts, limits)], case, context)


def _mappings_alone(place: Path, parts: list[_Part], limits: Limits) -> list[_Part]:
    """A mapping without its export would be passed over in silence."""
    found, read = [], {Path(part.figures.name).stem.lower() for part in parts}
    for name in EXPORTS:
        if (place / f"{name}.toml").is_file() and name not in read:
            findings = Findings(f"{FOLDER}/{name}.toml", limits.listed)
            findings.add(
                "E511",
                f"is a mapping, and there is no {name}.csv, .xlsx or .parquet beside it",
                "put your export there, or remove it",
            )
            found.append(_Part(FileFigures(findings.file, "", "", ""), findings.result(False)))
    return found


def evidence_folder(folder: Path) -> Path:
    """Where the evidence of a case folder lies, whether or not it is there. Raises CaseError for what is no case folder."""
    require_case_folder(folder)
    return folder / FOLDER


def read_bytes(
    name: str,
    data: bytes,
    case: CaseFile,
    settings: EvidenceSettings,
    mapping: ExportMapping | None = None,
    limits: Limits = LIMITS,
) -> Evidence:
    """One file that was uploaded as `name` (`pilot.csv`, `invoices.xlsx` with its mapping). Defects are in the result; raises nothing."""
    context = Context.of(case, settings, limits)
    safe = Path(name.replace("\\", "/")).name
    findings = Findings(safe, limits.listed)
    if _ignored(safe) or not _known(safe, findings):
        if not findings.defects:
            findings.add("E511", "is a kind of file that is never read", "name it after a kind of evidence: pilot.csv")
        return Evidence({}, None, settings, findings.result(False))
    return _together([_read_data(safe, data, mapping, context, findings)], case, context)


def headers_of(name: str, data: bytes, limits: Limits = LIMITS) -> tuple[str, ...]:
    """The columns of a file, to help with its mapping. Raises CaseError if it cannot be read."""
    return tuple(raw_table(name, data, limits).columns)


def raw_table(name: str, data: bytes, limits: Limits = LIMITS) -> RawTable:
    """The cells of a file before anything is known of their meaning. Raises CaseError if it cannot be read."""
    try:
        return _raw(name, data, limits, Path(name).stem.lower())
    except UnreadableError as error:
        raise CaseError(name, [Problem(error.code, "", error.message, error.remedy)]) from None


def require_sound(evidence: Evidence, name: str) -> None:
    """Raises CaseError with every defect if any of them blocks. `name`: of the case folder."""
    if evidence.blocked:
        rest = sum(sum(f.unlisted.values()) for f in evidence.files)
        problems = [
            Problem(d.code, f"{d.file}{f', {d.place}' if d.place else ''}", d.message, d.remedy) for d in evidence.defects
        ]
        more = [Problem("E510", "", f"and {rest:,} more defects", f"pilotproof evidence check {name} lists them")] if rest else []
        raise CaseError(name, [*problems, *more])


# -- files of a folder


def files_in(place: Path) -> list[Path]:
    """What lies in the folder and is to be read, in the order of names."""
    if not place.is_dir():
        return []
    return sorted((path for path in place.iterdir() if not _ignored(path.name)), key=lambda path: path.name)


def _ignored(name: str) -> bool:
    """Files that are never read: examples, notes for people, settings, mappings, hidden files."""
    lower = name.lower()
    mappings = tuple(f"{export}.toml" for export in EXPORTS)
    return lower.startswith((".", "~$")) or ".example" in lower or lower in ("readme.md", SETTINGS, *mappings)


def _known(name: str, findings: Findings) -> bool:
    """Whether a file is of a kind that informs something; says what it may be called otherwise."""
    stem, suffix = Path(name).stem.lower(), Path(name).suffix.lower()
    known = [*(kind.name for kind in KINDS), EXPORTS[0]]
    if stem not in known and stem not in EXPORTS:
        findings.add("E511", "is no known kind of evidence and would inform nothing", nearest(stem, known))
        return False
    if suffix not in (*READERS, ".xlsx"):
        findings.add("E511", *_other_suffix(suffix))
        return False
    return True


def _read_file(path: Path, place: Path, context: Context) -> _Part:
    findings = Findings(f"{FOLDER}/{path.name}", context.limits.listed)
    figures = FileFigures(findings.file, "", "", "")
    if not _known(path.name, findings):
        return _Part(figures, findings.result(False))
    try:
        if not path.is_file():
            raise UnreadableError("E510", "is not a file", "remove it")
        with path.open("rb") as stream:
            data = stream.read(context.limits.bytes + 1)
    except (OSError, UnreadableError) as error:
        why = error.message if isinstance(error, UnreadableError) else f"cannot be read: {error.strerror}"
        findings.add("E510", why)
        return _Part(figures, findings.result(False))
    mapping = None
    if path.stem.lower() in EXPORTS:
        toml = place / f"{path.stem.lower()}.toml"
        problems = Findings(f"{FOLDER}/{toml.name}", context.limits.listed)
        mapping = _toml(toml, ExportMapping, problems) if toml.is_file() else None
        if problems.defects:
            return _Part(replace(figures, sha256=hashlib.sha256(data).hexdigest()), problems.result(False))
    return _read_data(findings.file, data, mapping, context, findings)


def _toml(path: Path, model: Any, problems: Findings) -> Any:
    """A TOML file as a model; None and its problems if it is not one."""
    from pydantic import ValidationError

    try:
        data = read_toml(path)
        return model.model_validate(data)
    except CaseError as error:
        problems.add_problems(error.problems)
    except ValidationError as error:
        problems.add_problems(problems_of(error, data, model))
    return None


# -- one file


def _read_data(name: str, data: bytes, mapping: ExportMapping | None, context: Context, findings: Findings) -> _Part:
    stem = Path(name).stem.lower()
    kind = kind_named(stem)
    title = kind.title if kind is not None else "Export of one's own"
    figures = FileFigures(name, kind.name if kind is not None else "export", title, hashlib.sha256(data).hexdigest())
    try:
        raw = _raw(name, data, context.limits, stem)
    except UnreadableError as error:
        findings.add(error.code, error.message, error.remedy, error.row)
        return _Part(figures, findings.result(False))
    if kind is not None:
        return _of_kind(raw, kind, figures, context, findings)
    return _of_export(raw, mapping, figures, context, findings)


def _raw(name: str, data: bytes, limits: Limits, wanted: str = "") -> RawTable:
    if len(data) > limits.bytes:
        raise UnreadableError(
            "E510",
            f"is larger than {limits.bytes // 1_000_000:,} MB",
            "export a shorter period, or only the columns that are needed",
        )
    if not data:
        raise UnreadableError("E516", "is empty", "a header line and a line for each row")
    suffix = Path(name).suffix.lower()
    for mark, right in ((b"PK\x03\x04", ".xlsx"), (b"PAR1", ".parquet"), (b"\xd0\xcf\x11\xe0", ".xls")):
        if data.startswith(mark) and suffix != right:
            remedy = "save it as .xlsx or .csv" if right == ".xls" else f"name it {right}"
            raise UnreadableError("E510", f'is not a {suffix} file, whatever its name says: it looks like "{right}"', remedy)
    if suffix == ".xlsx":
        return read_xlsx(data, limits, wanted)
    if suffix not in READERS:
        raise UnreadableError("E511", *_other_suffix(suffix))
    return READERS[suffix](data, limits)


def _other_suffix(suffix: str) -> tuple[str, str]:
    return f'files that end in "{suffix[:20]}" are not read', "save it as .csv, .xlsx or .parquet"


def _of_kind(raw: RawTable, kind: FileKind, figures: FileFigures, context: Context, findings: Findings) -> _Part:
    table, parser = parse_kind(raw, kind, context, findings)
    table = replace(table, selection=_selection(context)) if kind.name in ("times", "approvals") else table
    informs = informed(table, context.case)
    if len(table) and not informs:
        findings.add("E535", "informs nothing: no column that says something holds a value", kind.meaning)
    totals = {
        spec.name: float(np.nansum(table.numbers(spec.name)))
        for spec in kind.columns
        if spec.kind == "count" and spec.name in table.columns and spec.name not in _NO_SUM
    }
    totals = totals if len(table) else {}
    notes = list(parser.notes)
    dated = [spec.name for spec in kind.columns if spec.kind in ("day", "time") and spec.name in table.columns]
    if dated and context.settings.exported is None:
        notes.append("dates are not checked against the day of the export: say it in settings.toml (exported)")
    spans = [table.times(name) for name in dated]
    return _Part(
        _counted(replace(figures, informs=informs, totals=totals, period=_period(spans, context.zone)), parser, notes),
        _result(parser, context),
        table,
    )


_NO_SUM = ("level", "week", "at_a_time")
"""Counts that are numbers of something, not amounts of it."""


def _selection(context: Context) -> Selection | None:
    s, zone = context.settings, context.zone
    if not s.selected_by or s.first_day is None or s.last_day is None or zone is None:
        return None
    days = zone.days(np.asarray([s.first_day.toordinal() - _EPOCH, s.last_day.toordinal() - _EPOCH]))
    return Selection(s.selected_by, float(days[0, 0]), float(days[1, 1]))


_EPOCH = 719_163


def _of_export(raw: RawTable, mapping: ExportMapping | None, figures: FileFigures, context: Context, findings: Findings) -> _Part:
    if mapping is None:
        stem = Path(figures.name).stem.lower()
        findings.add(
            "E541",
            "has no mapping: which of its columns are which dates is not said",
            f"write {stem}.toml; pilotproof evidence init writes an example",
        )
        return _Part(figures, findings.result(False))
    problems = Findings(f"{figures.name.rpartition('.')[0]}.toml", context.limits.listed)
    check_mapping(mapping, raw, context, problems)
    if context.zone is None:
        from scenarios.evidence.dates import NO_ZONE

        problems.add(*NO_ZONE[:3])
    if problems.defects:
        return _Part(replace(figures, rows_read=len(raw) + len(raw.ragged)), problems.result(False))
    export, parser = read_export(raw, mapping, context, findings)
    if export is None:
        return _Part(_counted(figures, parser, parser.notes), _result(parser, context))
    c = export.cycles
    totals = {"cases": float(len(c)), "open": float(c.open.sum())}
    for currency in sorted(set(c.currency[~np.isnan(c.amount)].tolist())):
        totals[f"amount {currency}".strip()] = float(np.nansum(c.amount[c.currency == currency]))
    found = replace(
        figures,
        totals=totals,
        period=_period([c.arrival, c.end], context.zone),
        rows_left_out=export.left_out,
        not_used=export.not_used,
    )
    return _Part(_counted(found, parser, parser.notes), _result(parser, context), export=export)


def _counted(figures: FileFigures, parser: Parser, notes: list[str]) -> FileFigures:
    ragged, bad = len(parser.raw.ragged), int(parser.bad.sum())
    read = len(parser.raw) + ragged
    used = read - ragged - bad - figures.rows_left_out
    return replace(
        figures,
        rows_read=read,
        rows_used=used,
        rows_defective=ragged + bad,
        unlisted=parser.findings.unlisted,
        notes=tuple(dict.fromkeys(notes)),
    )


def _result(parser: Parser, context: Context) -> tuple[Defect, ...]:
    """The defects of a file; those of rows do not block if the settings allow so many rows to be left out."""
    defective = len(parser.raw.ragged) + int(parser.bad.sum())
    share = defective / max(1, len(parser.raw) + len(parser.raw.ragged))
    return parser.findings.result(0 < share <= context.settings.defective_rows_at_most)


def _period(spans: list[Any], zone: Zone | None) -> tuple[str, str] | None:
    """First and last local day of some instants."""
    starts = np.concatenate([span[:, 0] for span in spans]) if spans else np.zeros(0)
    starts = starts[~np.isnan(starts)]
    if not len(starts) or zone is None:
        return None
    days = np.floor(zone.local(np.asarray([starts.min(), starts.max()])) / DAY)
    first, last = (str(np.datetime64(int(day), "D")) for day in days)
    return first, last


# -- all files


def _together(parts: list[_Part], case: CaseFile, context: Context) -> Evidence:
    """Tables by kind, with what an export implies; a setting that several files miss is asked for once."""
    parts, twice = _one_of_each(parts)
    tables = {part.table.kind.name: part.table for part in parts if part.table is not None and len(part.table)}
    figures = {part.figures.name: part.figures for part in parts if part.figures.sha256}
    defects = [d for part in parts for d in part.defects] + twice
    cycles: Cycles | None = None
    for part in parts:
        if part.export is not None and context.zone is not None:
            cycles = part.export.cycles
            derived = derived_tables(part.export, case, context.zone)
            tables, used, notes = merged(tables, derived)
            if not part.export.whole:
                notes.append("a sample, as its mapping says: not used as arrivals")
            found = figures[part.figures.name]
            figures[part.figures.name] = replace(
                found, informs=_informed_by_export(cycles, used, case), notes=(*found.notes, *notes)
            )
    return Evidence(tables, cycles, context.settings, _asked_once(defects), tuple(figures[name] for name in sorted(figures)))


def _one_of_each(parts: list[_Part]) -> tuple[list[_Part], list[Defect]]:
    """Two files of one kind are a defect of the second; it is not used."""
    seen: dict[str, str] = {}
    kept, twice = [], []
    for part in parts:
        kind = part.figures.kind
        if kind and kind in seen:
            other = seen[kind].rpartition("/")[2]
            twice.append(Defect("E511", part.figures.name, f"is of the same kind as {other}", "keep one of them"))
            kept.append(_Part(part.figures, part.defects))
        else:
            seen[kind] = part.figures.name
            kept.append(part)
    return kept, twice


def _asked_once(defects: list[Defect]) -> tuple[Defect, ...]:
    """The same missing setting is one defect of the settings, however many files need it."""
    asked = {
        d.message: replace(d, file=f"{FOLDER}/{SETTINGS}", row=None, column="", blocks=True) for d in defects if d.code == "E540"
    }
    return (*asked.values(), *(d for d in defects if d.code != "E540"))


def _informed_by_export(cycles: Cycles, derived: Mapping[str, Table], case: CaseFile) -> tuple[Informed, ...]:
    """What an export informs: today's result, where its days lie, and the parameters of the tables it implies."""
    places = case.baseline.places if case.baseline is not None else {}
    found = [Informed("arrival, end", "today's result", ("baseline.observed",) if case.baseline is not None else ())]
    for event in cycles.events:
        step = event.partition(".")[0]
        found.append(Informed(event, "where today's days lie", (f"baseline.places.{step}",) if step in places else ()))
    for name, table in derived.items():
        for item in informed(table, case):
            found.append(Informed(f"{name}: {item.column}", item.meaning, item.parameters))
    return tuple(found)
