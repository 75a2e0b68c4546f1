"""`evidence init`: templates that fit a case, beside which the user's own files go."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

from models.evidence import names
from models.evidence.events import known_events
from models.evidence.kinds import KINDS
from models.evidence.table import FileKind
from models.schema import Approval, CaseFile, Work
from scenarios.editing import write_atomically
from scenarios.evidence import pages
from scenarios.evidence.read import EXPORTS, evidence_folder
from scenarios.problems import CaseError, Problem

SETTINGS = """\
# What is said once about all files of evidence. README.md lists every key.
schema_version = 1

# Time zone of all dates and times without an offset: take the # away and correct it.
# zone = "Europe/Berlin"

# Last day that the files cover (the day of the export). What has no end by then is open.
# exported = 2026-09-30

# Only for columns that leave it open, such as 1.234 or 03/04/2026:
# decimal = ","
# dates = "day_first"

# Share of a file's rows that may be left out because of defects (they are counted and listed):
# defective_rows_at_most = 0.01

# From this, pseudonyms of people are made. Keep it to yourself; with another one they are others.
salt = "{salt}"
"""
README = """\
# Evidence

Copy or rename an example (`pilot.example.csv` → `pilot.csv`), fill in your own rows, then:

```console
pilotproof evidence check {folder}
```

You need none of these files and may use any of them. The one that most companies have is their own export, one row an invoice with date
columns: save it as `invoices.csv`, `invoices.xlsx` or `invoices.parquet`, rename `invoices.toml.example` to `invoices.toml`, and say there which column is what.

{rules}
## `settings.toml`

{settings}
## `invoices.toml`

{mapping}
{kinds}"""
MAPPING = """\
# How to read your own export, {cases} with their dates. Rename this file to invoices.toml; it is read with invoices.csv, .xlsx or .parquet.
schema_version = 1
form = "wide"                 # one row a case with date columns; "events": one row an event
exported = 2026-09-30         # last day that the export covers
selected_by = "arrival"       # it holds all cases that came ("arrival") or that ended ("end") in this period:
first_day = 2026-09-01
last_day = 2026-09-30
holds = "all"                 # "sample": only some of these cases; then it says nothing of their number and mix
people = ["Clerk"]            # columns that name people: only pseudonyms are kept
leave_out_types = ["credit note"]

[columns]
case = "Number"
type = "Type"
amount = "Amount"
cluster = "Supplier"

# value of the type column = type of the case file
[types]
{types}

# date column = event; possible events: {events}
[dates]
{dates}

# One row an event instead: form = "events", no [dates], and
# [columns]
# case = "Number"
# activity = "Activity"
# time = "Time"
# start = "Started"           # if it says when the activity began
# [activities]
# "Invoice received" = "arrival"
# "Posted" = "end"
"""


def write_templates(folder: Path, case: CaseFile) -> list[tuple[Path, bool]]:
    """Writes what is not there yet. Returns each file, and whether it was written. Raises CaseError (E601, E602)."""
    place = evidence_folder(folder)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise CaseError(str(place), [Problem("E602", "", f"cannot be made: {error.strerror}")]) from None
    done = []
    for name, text in contents(folder, case).items():
        path = place / name
        new = not path.exists() and not path.is_symlink()
        if new:
            write_atomically(path, text)
        done.append((path, new))
    return done


def contents(folder: Path, case: CaseFile) -> dict[str, str]:
    """File name → text of every template."""
    columns = example_columns(case)
    found = {
        "README.md": README.format(
            folder=folder,
            rules=pages.RULES,
            settings=pages.settings_text(),
            mapping=pages.mapping_text(),
            kinds=pages.kinds_text(),
        ),
        "settings.toml": SETTINGS.format(salt=secrets.token_hex(16)),
        "invoices.toml.example": _mapping(case, columns),
        "invoices.example.csv": "\n".join(_export(case, columns)) + "\n",
    }
    for kind in KINDS:
        rows = example_rows(kind, case)
        if rows:
            found[f"{kind.name}.example.csv"] = "\n".join(pages.csv_lines(kind, rows)) + "\n"
    return found


def example_rows(kind: FileKind, case: CaseFile) -> tuple[tuple[str, ...], ...]:
    """The worked example with names of this case in place of those that it does not know; rows that cannot fit are left out."""
    rows = list(kind.example)
    for i, spec in enumerate(kind.columns):
        if spec.kind != "name":
            continue
        fitting = names.fitting(kind.name, spec, case)
        if spec.names == "parameters":
            fitting = _like_the_example(kind, case, fitting)
        used = list(dict.fromkeys(row[i] for row in rows if row[i]))
        if all(name in fitting for name in used):
            continue
        swap = dict(zip(used, fitting, strict=False))
        rows = [(*row[:i], swap[row[i]], *row[i + 1 :]) if row[i] else row for row in rows if not row[i] or row[i] in swap]
    return tuple(rows)


def _like_the_example(kind: FileKind, case: CaseFile, fitting: tuple[str, ...]) -> tuple[str, ...]:
    """Parameters for which the numbers of the example can stand: plain shares that are the same everywhere."""
    known = names.parameters(case)
    wanted = {row[next(i for i, s in enumerate(kind.columns) if s.names == "parameters")] for row in kind.example}
    if wanted <= set(fitting):
        return fitting
    shares = [
        path for path in fitting if known[path].dimension == "share" and known[path].cause is None and path.startswith("steps.")
    ]
    return tuple(shares[:1])


# -- an export


def export_template(case: CaseFile) -> tuple[str, str]:
    """Name and text of the worked example of an export that this case might have."""
    return f"{case.cases_word if case.cases_word in EXPORTS else EXPORTS[1]}.csv", "\n".join(
        _export(case, example_columns(case))
    ) + "\n"


def example_columns(case: CaseFile) -> dict[str, str]:
    """Date column → event, for an export that this case might have."""
    found = {"Received": "arrival"}
    work = next((step for step in case.steps if isinstance(step, Work)), None)
    if work is not None:
        found[f"{(work.label or work.id).capitalize()} done"] = f"{work.id}.ended"
    approval = next((step for step in case.steps if isinstance(step, Approval)), None)
    if approval is not None:
        found |= {"Approval requested": f"{approval.id}.1.asked", "Approved": f"{approval.id}.1.decided"}
    return {**found, "Done": "end"}


def _mapping(case: CaseFile, columns: dict[str, str]) -> str:
    types = "\n".join(
        f"{json.dumps(spec.label or name, ensure_ascii=False)} = {json.dumps(name)}" for name, spec in case.types.items()
    )
    dates = "\n".join(f"{json.dumps(column, ensure_ascii=False)} = {json.dumps(event)}" for column, event in columns.items())
    return MAPPING.format(cases=case.cases_word, types=types, dates=dates, events=", ".join(known_events(case)))


def _export(case: CaseFile, columns: dict[str, str]) -> Iterator[str]:
    yield ";".join(["Number", "Type", "Amount", "Supplier", "Clerk", *columns])
    labels = [spec.label or name for name, spec in case.types.items()]
    last = len(columns) - 1
    for i in range(8):
        is_open = i == 7
        dates = [f"{1 + i + 2 * k:02d}.09.2026" if k < last or not is_open else "" for k in range(len(columns))]
        if is_open and last >= 2:
            dates[last - 1] = ""
        yield ";".join(
            [
                f"INV-{i + 1}",
                labels[i % len(labels)],
                f"{1_234.5 + 100 * i:.2f}".replace(".", ","),
                f"supplier {i % 3}",
                "M. Example",
                *dates,
            ]
        )
    yield ";".join(["INV-9", "credit note", "-50,00", "supplier 1", "M. Example", *(["01.09.2026"] * len(columns))])
