"""`posterior.nc`: what the fits of a case found, as netCDF 4, one group a sub-model; and whether it belongs to the case.

A group holds the columns (variable name = parameter path, with `@arm` where it speaks of one arm), `prior/` the same before the data,
`reported/` the further figures. Texts (checks, files, notes, names along axes, provenance) are JSON in attributes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models.posterior import Diagnostic, PosteriorDraws, Predictive, SubModel, posterior_of
from models.schema import CaseFile
from scenarios.problems import CaseError, Problem

FILE = "posterior.nc"
SCHEMA_VERSION = 1
CONFIGURATION = ("calendars", "types", "arrivals", "teams", "systems", "steps")
"""The parts of a case file that a fit depends on: beliefs and structure, not the promise nor the money."""
_REMEDY = "fit it again: pilotproof fit {folder}"
_LEAVE_OUT = "leave it out of the archive and fit the evidence again"


def evidence_hashes(folder: Path) -> dict[str, str]:
    """File of evidence → SHA-256 of its bytes (12 hex digits), of those that are read: no examples, notes, hidden files."""
    place = folder / "evidence"
    files = sorted(place.iterdir()) if place.is_dir() else []
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in files
        if path.is_file() and not path.name.startswith((".", "~$")) and ".example" not in path.name and path.name != "README.md"
    }


def configuration_hash(case: CaseFile) -> str:
    """A hash of what a fit depends on of the case file."""
    data = case.model_dump(mode="json", include=set(CONFIGURATION))
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:12]


def write_posterior(path: Path, posterior: PosteriorDraws) -> None:
    """Writes the file as a whole or not at all. Raises CaseError (E901) if it cannot be written."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".posterior-", suffix=".nc")
        os.close(handle)
        draft = Path(name)
        try:
            write_netcdf(draft, posterior)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise CaseError(str(path), [Problem("E901", "", f"cannot be written: {error.strerror or error}")]) from None


def write_netcdf(path: Path, posterior: PosteriorDraws) -> None:
    """Writes the file where it stands. Raises OSError."""
    import h5netcdf

    with h5netcdf.File(path, "w") as file:
        file.attrs["schema_version"] = SCHEMA_VERSION
        file.attrs["provenance"] = json.dumps(posterior.provenance, sort_keys=True)
        file.attrs["sub_models"] = json.dumps([s.name for s in posterior.sub_models])
        file.attrs["draws"] = posterior_of(posterior.sub_models, {}).hash
        for s in posterior.sub_models:
            group = file.create_group(s.name)
            _arrays(group, {**s.columns, "badness": s.badness}, "row")
            _arrays(group.create_group("prior"), s.prior, "prior_row")
            _arrays(group.create_group("reported"), s.reported, "at")
            texts = {
                "diagnostics": [asdict(d) for d in s.diagnostics],
                "predictive": [asdict(p) for p in s.predictive],
                "informed_by": dict(s.informed_by),
                "coords": dict(s.coords),
                "notes": list(s.notes),
            }
            for key, value in texts.items():
                group.attrs[key] = json.dumps(value)


def _arrays(group: Any, arrays: Mapping[str, Any], stem: str) -> None:
    """Variables; every length gets a dimension of its own."""
    for name, array in arrays.items():
        values = np.asarray(array, dtype=np.float64)
        dimensions = tuple(f"{stem}_{length}" for length in values.shape)
        for dimension, length in zip(dimensions, values.shape, strict=True):
            if dimension not in group.dimensions:
                group.dimensions[dimension] = length
        group.create_variable(name.replace("/", "∕"), dimensions, data=values)


def read_posterior(path: Path) -> PosteriorDraws:
    """Reads the file. Raises CaseError (E901) if it is none, or another version's."""
    import h5netcdf

    remedy = _REMEDY.format(folder=path.parent)
    try:
        with h5netcdf.File(path, "r") as file:
            version = int(file.attrs["schema_version"])
            if version != SCHEMA_VERSION:
                what = f"has format version {version}, this version of pilotproof reads {SCHEMA_VERSION}"
                raise CaseError(str(path), [Problem("E902", "schema_version", what, remedy)])
            models = [_sub_model(file[name], name) for name in json.loads(file.attrs["sub_models"])]
            found = posterior_of(models, _provenance(json.loads(file.attrs["provenance"])))
            if found.hash != str(file.attrs["draws"]):
                raise CaseError(str(path), [Problem("E901", "", "its draws are not those that were written", remedy)])
            return found
    except CaseError:
        raise
    except (OSError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError):
        what = "cannot be read as a fit: it is cut off, damaged, or of another kind"
        raise CaseError(str(path), [Problem("E901", "", what, remedy)]) from None


MAX_NUMBERS = 20_000_000
"""In a fit of strangers; one of a large case holds a twentieth of it."""
MAX_OBJECTS, MAX_DEPTH = 20_000, 4


def require_harmless(path: Path, name: str) -> None:
    """Refuses a fit of strangers that refers to other files or states more numbers than a fit holds, before any of it is read.

    `name`: what it is called in messages. Raises CaseError (E901).
    """
    import h5py  # type: ignore[import-untyped]

    try:
        with h5py.File(path, "r") as file:
            wrong = _harm(file)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError):
        wrong = "cannot be read as a fit: it is cut off, damaged, or of another kind"
    if wrong:
        raise CaseError(name, [Problem("E901", "", wrong, _LEAVE_OUT)])


def _harm(file: Any) -> str:
    """What is dangerous in a file; "" if nothing is."""
    import h5py

    waiting, objects, numbers = [(file, 0)], 0, 0
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            objects += 1
            if objects > MAX_OBJECTS or depth > MAX_DEPTH:
                return "holds more than a fit does"
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                return "refers to another place, which a fit never does"
            found = group[name]
            if isinstance(found, h5py.Group):
                waiting.append((found, depth + 1))
            elif not isinstance(found, h5py.Dataset) or found.dtype.kind != "f" or found.external or found.is_virtual:
                return "holds something else than numbers of its own"
            else:
                chunk = int(np.prod(found.chunks or (0,), dtype=object))
                numbers += max(int(found.size or 0), chunk)
                if numbers > MAX_NUMBERS:
                    return "states more numbers than a fit holds"
    return ""


# -- fits of strangers, in a process of their own

SECONDS, MEMORY = 20.0, 2_000_000_000
"""What reading a fit of strangers may cost; one of a large case takes a second."""


def require_readable(path: Path, name: str, seconds: float = SECONDS, memory: int = MEMORY) -> None:
    """Refuses a fit of strangers that does harm or cannot be read, before this process opens it.

    The library that reads it can loop for ever in a damaged file and lets nothing else run meanwhile, so another process reads it first.
    One of another format version is left to the caller. `name`: what it is called in messages. Raises CaseError (E901).
    """
    from scenarios.evidence.apart import begun, lines_of, until_ended, waited

    with tempfile.TemporaryFile() as out:
        process = begun("scenarios.posterior_file", {"path": str(path), "name": name, "memory": memory}, out)
        try:
            ended = waited(until_ended(process, out, seconds))
            said = lines_of(out) if ended and process.returncode == 0 else []
        except ValueError:  # a process that broke off in the middle of a line
            said = []
        finally:
            process.kill()
            process.wait()
    last = said[-1] if said else {}
    problems = [Problem(p["code"], p["place"], p["message"], _LEAVE_OUT) for p in last.get("problems", [])]
    if "problems" not in last:
        what = "is damaged or no fit: it cannot be read in reasonable time and memory"
        problems = [Problem("E901", "", what, _LEAVE_OUT)]
    if any(p.code == "E901" for p in problems):
        raise CaseError(name, problems)


def main() -> None:
    """Reads a fit and says what is wrong with it."""
    from scenarios.evidence.apart import say, take_at_most

    told = json.loads(sys.argv[1])
    take_at_most(int(told["memory"]))
    say({"begun": told["name"]})
    problems: tuple[Problem, ...] = ()
    try:
        require_harmless(Path(told["path"]), told["name"])
        read_posterior(Path(told["path"]))
    except CaseError as error:
        problems = error.problems
    say({"problems": [asdict(p) for p in problems]})


def _sub_model(group: Any, name: str) -> SubModel:
    columns = _read(group)
    text = {key: json.loads(group.attrs[key]) for key in ("diagnostics", "predictive", "informed_by", "coords", "notes")}
    found = SubModel(
        name,
        {key: values for key, values in columns.items() if key != "badness"},
        _read(group["prior"]),
        columns["badness"],
        tuple(Diagnostic(**d) for d in text["diagnostics"]),
        tuple(Predictive(**p) for p in text["predictive"]),
        {key: tuple(files) for key, files in text["informed_by"].items()},
        _read(group["reported"]),
        {key: tuple(tuple(names) for names in axes) for key, axes in text["coords"].items()},
        tuple(text["notes"]),
    )
    _require_draws(found)
    _require_texts(found)
    return found


def _require_draws(found: SubModel) -> None:
    """Every column has a number in every row, and is one. Raises ValueError."""
    if found.badness.ndim != 1 or not found.badness.size:
        raise ValueError("no rows")
    for values in (*found.columns.values(), found.badness):
        if values.shape != found.badness.shape or not np.isfinite(values).all():
            raise ValueError("rows without a number")
    if any(values.ndim != 1 or not values.size for values in found.prior.values()):
        raise ValueError("no rows before the data")


def _require_texts(found: SubModel) -> None:
    """What is said about the draws is of its kind; a figure itself may be NaN, that a check failed. Raises ValueError."""
    figures = [d.value for d in found.diagnostics]
    figures += [x for p in found.predictive for x in (p.observed, p.low, p.high, p.share_below)]
    texts = [found.name, *found.notes, *(text for d in found.diagnostics for text in (d.name, d.limit))]
    texts += [p.what for p in found.predictive]
    texts += [file for files in found.informed_by.values() for file in files]
    texts += [name for axes in found.coords.values() for names in axes for name in names]
    if not all(type(x) is float or (type(x) is int and float(x) == x) for x in figures):
        raise ValueError("a figure that is no number")
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(d.passed, bool) for d in found.diagnostics):
        raise ValueError("a text that is none")


def _provenance(data: Any) -> dict[str, Any]:
    """What a fit was made from, with its tables of texts. Raises ValueError."""
    if not isinstance(data, dict):
        raise ValueError("no table")
    for table in (data.get("evidence", {}), data.get("keys", {})):
        if not isinstance(table, dict) or not all(isinstance(text, str) for text in table.values()):
            raise ValueError("no table of texts")
    return data


def _read(group: Any) -> dict[str, Any]:
    return {str(name).replace("∕", "/"): np.asarray(group.variables[name][...]) for name in group.variables}


def check_belongs(path: Path, posterior: PosteriorDraws, case: CaseFile, evidence: Mapping[str, str]) -> None:
    """Refuses a fit of another program version (E902), of another case file (E903) or of other evidence (E904). Raises CaseError.

    `evidence`: file → hash, as it is now.
    """
    from scenarios.version import package_version

    known, problems, remedy = posterior.provenance, list[Problem](), _REMEDY.format(folder=path.parent)
    if known.get("version") != package_version():
        what = f"was fitted by version {known.get('version')}, this is {package_version()}"
        problems.append(Problem("E902", "version", what, remedy))
    if known.get("configuration") != configuration_hash(case):
        what = "was fitted for other contents of case.toml (steps, types, teams, systems or their numbers)"
        problems.append(Problem("E903", "case.toml", what, remedy))
    then: Mapping[str, str] = known.get("evidence", {})
    for name in sorted({*then, *evidence}):
        if then.get(name) != evidence.get(name):
            how = "is new" if name not in then else "is gone" if name not in evidence else "was changed"
            problems.append(Problem("E904", f"evidence/{name}", f"{how} since the fit", remedy))
    if problems:
        raise CaseError(str(path), problems)


if __name__ == "__main__":
    main()
