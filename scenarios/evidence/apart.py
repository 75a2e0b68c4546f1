"""Checks files of strangers in a process of its own: it is ended when it takes too long, and it cannot take the memory of the server.

What a reader does with a hostile file cannot be interrupted from within (a library that unpacks, a regular expression that backtracks),
and a crash of one would end the pages of all visitors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from models.evidence.defects import Defect
from models.evidence.evidence import Evidence, FileFigures, Informed
from scenarios.evidence.limits import BOUNDS, LIMITS, Bounds, Limits
from scenarios.problems import CaseError, Problem

POLL_SECONDS = 0.05
START_SECONDS = 30.0
"""Until the other process has begun to read, on a busy machine."""
VALUES_SHOWN = 60
"""Distinct values of a column of an export that are told, to be mapped one by one."""
MAX_ANSWER_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class ExportSeen:
    """An export as it lies there, to help with its mapping: columns, and the distinct texts of those that hold few."""

    columns: tuple[str, ...]
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. `kinds`: of which there are usable rows, also those that an export implies · `exports`: by file name."""

    files: tuple[FileFigures, ...] = ()
    defects: tuple[Defect, ...] = ()
    kinds: tuple[str, ...] = ()
    has_cycles: bool = False
    exports: Mapping[str, ExportSeen] = field(default_factory=dict)

    @property
    def blocked(self) -> bool:
        """Whether a defect must be put right before the evidence may be used."""
        return any(d.blocks for d in self.defects)


def checking(folder: Path, bounds: Bounds = BOUNDS, limits: Limits = LIMITS) -> Generator[Checked | None, None, None]:
    """Gives None every moment until the check ended, then what it found. To stop it, close the generator. Raises CaseError (the case itself).

    What cannot be read within the bounds is a defect of the file that was being read.
    """
    with tempfile.TemporaryFile() as out:
        told = {"folder": str(folder), "memory": bounds.memory, "limits": asdict(limits)}
        process = begun("scenarios.evidence.apart", told, out)
        try:
            if (yield from until_ended(process, out, bounds.seconds)):
                yield _found(lines_of(out), process.returncode, bounds)
            else:
                yield _given_up(_reading(out), f"takes longer than {bounds.seconds:g} s to read")
        finally:
            process.kill()
            process.wait()


def checked(folder: Path, bounds: Bounds = BOUNDS, limits: Limits = LIMITS) -> Checked:
    """The same, waited for."""
    return next(found for found in checking(folder, bounds, limits) if found is not None)


def checked_here(folder: Path, limits: Limits = LIMITS) -> Checked:
    """The same in this process and without bounds, for files of one's own and for tests. Raises CaseError."""
    return _from_json(_read(folder, limits, lambda _: None))


def until_ended(process: subprocess.Popen[bytes], out: IO[bytes], seconds: float) -> Generator[None, None, bool]:
    """Gives None every moment, and returns whether the process ended within `seconds` of beginning to read."""
    reading, until = "", time.monotonic() + START_SECONDS
    while process.poll() is None:
        if not reading and (reading := _reading(out)):
            until = time.monotonic() + seconds
        if time.monotonic() > until:
            return False
        yield None
        time.sleep(POLL_SECONDS)
    return True


def waited(ending: Generator[None, None, bool]) -> bool:
    """The same, waited for."""
    while True:
        try:
            next(ending)
        except StopIteration as end:
            return bool(end.value)


def begun(module: str, told: Mapping[str, Any], out: IO[bytes]) -> subprocess.Popen[bytes]:
    """Starts a module in a process of its own; it is told what to do as its one argument, in JSON, and answers into `out`."""
    root = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH")
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"), "1")
    surroundings = {**os.environ, **single, "PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, json.dumps(told)],
        stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.DEVNULL, env=surroundings,
    )  # fmt: skip


def lines_of(out: IO[bytes]) -> list[dict[str, Any]]:
    """What the other process has said; a line that is not whole yet is left out."""
    text = os.pread(out.fileno(), MAX_ANSWER_BYTES, 0).decode(errors="replace")
    return [json.loads(line) for line in text.split("\n")[:-1]]


def _reading(out: IO[bytes]) -> str:
    """The file that was begun last."""
    return next((str(line["begun"]) for line in reversed(lines_of(out)) if "begun" in line), "")


def _given_up(file: str, why: str) -> Checked:
    remedy = "export a shorter period, or only the columns that are needed; or remove it"
    return Checked(defects=(Defect("E510", file, why, remedy),))


def _found(lines: list[dict[str, Any]], code: int, bounds: Bounds) -> Checked:
    last = lines[-1] if lines else {}
    if "problems" in last:
        raise CaseError(str(last["file"]), [Problem(**p) for p in last["problems"]])
    if "files" in last:
        return _from_json(last)
    file = next((str(line["begun"]) for line in reversed(lines) if "begun" in line), "")
    if "memory" in last:
        return _given_up(file, f"needs more than {bounds.memory / 1e9:.1f} GB of memory to read")
    return _given_up(
        file,
        f"cannot be read: the program that reads it broke off, perhaps since it takes more than {bounds.memory / 1e9:.1f} GB of memory",
    )


# -- what goes from one process to the other


def as_json(evidence: Evidence, exports: Mapping[str, ExportSeen]) -> dict[str, Any]:
    """What was found, without the rows themselves."""
    return {
        "files": [asdict(f) for f in evidence.files],
        "defects": [asdict(d) for d in evidence.defects],
        "kinds": list(evidence.tables),
        "has_cycles": evidence.cycles is not None,
        "exports": {name: asdict(seen) for name, seen in exports.items()},
    }


def _from_json(data: Mapping[str, Any]) -> Checked:
    return Checked(
        tuple(_figures(f) for f in data["files"]),
        tuple(Defect(**d) for d in data["defects"]),
        tuple(data["kinds"]),
        bool(data["has_cycles"]),
        {
            name: ExportSeen(tuple(seen["columns"]), {column: tuple(values) for column, values in seen["values"].items()})
            for name, seen in data["exports"].items()
        },
    )


def _figures(data: Mapping[str, Any]) -> FileFigures:
    informs = tuple(Informed(i["column"], i["meaning"], tuple(i["parameters"])) for i in data["informs"])
    period = None if data["period"] is None else (data["period"][0], data["period"][1])
    lists = {name: tuple(data[name]) for name in ("not_used", "notes")}
    return FileFigures(**{**data, **lists, "informs": informs, "period": period})


# -- the other process


def main() -> None:
    """Reads the evidence of a folder and says what it found, a line of JSON each; the last one is the answer."""
    told = json.loads(sys.argv[1])
    take_at_most(int(told["memory"]))
    try:
        found = _read(Path(told["folder"]), Limits(**told["limits"]), lambda name: say({"begun": name}))
    except CaseError as error:
        found = {"file": error.file, "problems": [asdict(p) for p in error.problems]}
    except MemoryError:
        found = {"memory": True}
    say(found)


def take_at_most(memory: int) -> None:
    """From now on this process gets no more than so many bytes of memory."""
    try:
        import resource
    except ImportError:  # Windows has no such bound; the time is bounded there too
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def say(found: Mapping[str, Any]) -> None:
    """One line to the process that started this one."""
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


def _read(folder: Path, limits: Limits, begun: Callable[[str], None]) -> dict[str, Any]:
    from scenarios.evidence.read import evidence_folder, read_evidence
    from scenarios.files import load_without_fit

    case = load_without_fit(str(folder)).case
    evidence = read_evidence(folder, case, limits, begun)
    return as_json(evidence, dict(_exports(evidence_folder(folder), limits)))


def _exports(place: Path, limits: Limits) -> Iterator[tuple[str, ExportSeen]]:
    from scenarios.evidence.read import EXPORTS, files_in, raw_table

    for path in files_in(place):
        if path.stem.lower() in EXPORTS:
            try:
                raw = raw_table(path.name, path.read_bytes(), limits)
            except (CaseError, OSError):
                continue  # told as a defect already
            texts = {name: [str(v) for v in column.values if v is not None] for name, column in raw.columns.items()}
            few = {name: tuple(sorted(values)) for name, values in texts.items() if len(values) <= VALUES_SHOWN}
            yield path.name, ExportSeen(tuple(raw.columns), few)


if __name__ == "__main__":
    main()
