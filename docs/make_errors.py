"""Writes docs/errors.md: every error code with an example that really gives it, and what to do."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

from models.evidence.mapping import ExportMapping
from models.evidence.settings import EvidenceSettings
from models.fits.seam import Sampling
from models.posterior import posterior_of
from scenarios.cli.main import known_arm, running
from scenarios.editing import write_atomically
from scenarios.evidence import read_bytes, require_sound
from scenarios.files import load, parsed, validated
from scenarios.fitting import fit_folder
from scenarios.overload import check_today
from scenarios.posterior_file import check_belongs, configuration_hash, read_posterior
from scenarios.problems import CODES, CaseError
from scenarios.records import Record
from scenarios.runs import Manifest, Store
from scenarios.runs.store import remove
from scenarios.study import Means, cluster, replicate
from scenarios.version import package_version
from simulator.cluster import SAME, DifferentWorkersError

DOCS = Path(__file__).resolve().parent
SMALL = DOCS / "examples" / "small.toml"
PAGE = DOCS / "errors.md"
INTRO = """\
# Errors

Bad input never gives a number. A command that refuses its input ends with exit code 2, writes nothing, and names **all** problems
it can see at once: the file, then a line each with a stable code, the place, what is wrong, and what would be right. With `--json`
the same comes as JSON on standard output. A place is a path through the file; steps go by their id: `steps.entry.service.p90`.

Names and the sum of the types' shares are checked even while other parts of a file are wrong; whether the steps fit together, and
whether today's process can do its work, is checked once everything else is right.

Each example below is one change to [`examples/small.toml`](examples/small.toml). This page is made by `docs/make_errors.py`.
"""


@dataclass(frozen=True, slots=True)
class Example:
    """`shown`: what the user wrote. `fail`: does it; raises CaseError. `advice`: what to do."""

    shown: str
    advice: str
    fail: Callable[[], object]


def changed(old: str, new: str, advice: str, shown: str = "") -> Example:
    """The small case with one piece replaced."""
    text = SMALL.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} is not in {SMALL.name} exactly once"

    def fail() -> object:
        return check_today(validated(parsed(text.replace(old, new), Path("case.toml")), "case.toml"))

    return Example(f"```toml\n{shown or new.strip()}\n```", advice, fail)


def command(line: str, advice: str, fail: Callable[[], object]) -> Example:
    """A command as it was typed."""
    return Example(f"```text\n{line}\n```", advice, fail)


def _full_disk() -> object:
    with patch.object(os, "fsync", side_effect=OSError(28, "No space left on device")):
        return write_atomically(Path("case.toml"), "")


SCHEDULER = "tcp://10.0.0.1:8786"
FIRST = Path("runs/first")
MANIFEST = Manifest("decision", "small", "280ff3f250ee", "", 7, 200, 1, ("as_is", "production"), "compiled", {}, "")


def with_a_run(act: Callable[[Store], object]) -> Callable[[], object]:
    """Does something beside a fresh run."""

    def fail() -> object:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), Store.create(FIRST, MANIFEST) as store:
            return act(store)

    return fail


def _cut_off(store: Store) -> object:
    store.write("draws-000", [Record(0, "as_is", 0, 0, None, "an example", {})])
    path = FIRST / "parts" / "draws-000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    return store.read("draws-000")


def _with_notes(_: Store) -> object:
    (FIRST / "notes.txt").touch()
    return remove(FIRST)


def _no_baseline() -> object:
    text = SMALL.read_text(encoding="utf-8").replace("[run]", f"{BASELINE}\n[run]")
    loaded = validated(parsed(text, Path("case.toml")), "case.toml")
    with running(loaded):
        return replicate(loaded.case, "as_is", 1, 7)


def _without_dask() -> object:
    with patch.dict(sys.modules, {"distributed": None}):
        return list(Means(scheduler=SCHEDULER).run(lambda chunk, _: chunk, [0]))


def _older_worker() -> object:
    worker = ("tcp://10.0.0.7:40331", "code is 1f0c8e2b7a55 there, 280ff3f250ee here")
    raise cluster.refused(DifferentWorkersError([worker], SAME), SCHEDULER)


def _elsewhere(act: Callable[[], object]) -> Callable[[], object]:
    """Does something in an empty folder."""

    def fail() -> object:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            return act()

    return fail


def _damaged_fit() -> object:
    Path("my_case").mkdir()
    Path("my_case/posterior.nc").write_bytes(b"not a fit")
    return read_posterior(Path("my_case/posterior.nc"))


def _unlike(**provenance: object) -> Callable[[], object]:
    """A fit that is of something else than the default scenario without evidence."""
    case = load("invoice_processing").case
    known = {"version": package_version(), "configuration": configuration_hash(case), "evidence": {}, **provenance}
    return lambda: check_belongs(Path("my_case/posterior.nc"), posterior_of([], known), case, {})


def _nothing_to_fit() -> object:
    Path("my_case").mkdir()
    Path("my_case/case.toml").write_text(SMALL.read_text(encoding="utf-8"), encoding="utf-8")
    return fit_folder(Path("my_case"), Sampling(7))


TEAM = "headcount = 2\n"
OPTIONS = 'options = [{ to = "answer", share = { simple = 0.1, hard = 0.5 } }, { to = "done" }]'
ANSWER = """kind = "wait"
time = { kind = "exponential", mean = { low = "1 d", likely = "2 d", high = "5 d", source = "elicited", owner = "front office" } }
"""
PARALLEL = """kind = "parallel"
branches = ["ask", "search"]
join = "done"

[[steps]]
id = "ask"
kind = "wait"
time = "1 d"
next = "done"

[[steps]]
id = "search"
kind = "wait"
time = "2 d"
"""
BASELINE = '[baseline]\nobserved = "2 h"\nstandard_error = "0.1 h"\n\n[baseline.places]\nentry = { weight = 1.0 }\n'

SETTINGS = {"zone": "Europe/Berlin", "exported": "2026-10-31"}
INVOICES = "Number;Received;Posted\n"
MAPPING = """selected_by = "arrival"
first_day = 2026-09-01
last_day = 2026-09-30

[columns]
case = "Number"

[dates]
"Received" = "arrival"
"Posted" = "end"
"""


def evidence(name: str, text: str, advice: str, settings: dict[str, str] = SETTINGS, mapping: str = "") -> Example:
    """A file of evidence of the default scenario."""

    def fail() -> object:
        said = EvidenceSettings.model_validate(settings)
        how = ExportMapping.model_validate(parsed(mapping, Path("invoices.toml"))) if mapping else None
        return require_sound(read_bytes(name, text.encode(), load("invoice_processing").case, said, how), "my_case")

    toml = f"```toml\n{mapping.strip()}\n```\n\n" if mapping else ""
    return Example(f"{toml}`{name}`\n\n```csv\n{text.strip() or '(nothing)'}\n```", advice, fail)


EXAMPLES = {
    "E100": changed("share = 0.3", "share = 0,3", "Check the line that the message names. A case file is UTF-8 text in TOML; decimals take a point."),
    "E101": changed(TEAM, 'headcount = 2\nlable = "front office"\n', "Correct the key. All keys are listed in [scenario-reference.md](scenario-reference.md).", 'lable = "front office"'),
    "E102": changed('go_live = 2027-01-04\n', "", "Add the key.", "# no go_live"),
    "E103": changed(TEAM, 'headcount = { pilot = 2, production = 3 }\n', "Write the value in the form that the message names."),
    "E104": changed('team = "clerks"', 'team = "clarks"', "Correct the name, or define what it names."),
    "E105": changed('id = "entry"', 'id = "answer"', "Give each step its own id."),
    "E106": changed("[[steps]]\nid = \"entry\"", '[teams.auditors]\nheadcount = 1\ncalendar = "office"\n\n[[steps]]\nid = "entry"', "Use it or remove it: what nothing uses would silently change nothing. The same holds for a calendar, a connected system, and a source that no `cite` names.", '[teams.auditors]\nheadcount = 1\ncalendar = "office"'),
    "E211": changed("share = 0.3", "share = 0.38", "Correct the shares, or add the missing type.", "[types.hard]\nshare = 0.38"),
    "E212": changed('high = "5 d"', 'high = "36 h"', "`low < likely < high`; `mass` is the probability between low and high (0.9 if left out); not more `right` than `tried`.", 'mean = { low = "1 d", likely = "2 d", high = "36 h" }'),
    "E213": changed("per_working_day = { value = 12", "per_working_day = { value = -12", "Correct the number. What is uncertain must stay in its range in practically every draw.", 'per_working_day = { value = -12, source = "measured" }'),
    "E307": changed('level = "3 d"', 'level = "3"', "Write the unit: `\"3 d\"`, `\"8 %\"`, `\"9.40 USD\"`. Amounts are in the case's currency."),
    "E401": changed(OPTIONS, 'options = [{ to = "done" }]', "Lead a step there, or remove it."),
    "E402": changed("[[steps]]\nid = \"done\"", '[[steps]]\nid = "back"\nkind = "choice"\noptions = [{ to = "entry", share = 0.2 }, { to = "done" }]\n\n[[steps]]\nid = "done"', 'Lead one way of the loop through a step of kind `again`; it says how often, and where cases go after that.', '[[steps]]\nid = "back"\nkind = "choice"\noptions = [{ to = "entry", share = 0.2 }, { to = "done" }]'),
    "E403": changed(ANSWER, PARALLEL, "Follow the message; the rules of each kind of step stand in [scenario-reference.md](scenario-reference.md)."),
    "E404": changed("value = 12", "value = 40", "Today's process runs, so it cannot be overloaded: one of volume, service times, people, working hours and the limits of connected systems is wrong.", 'per_working_day = { value = 40, source = "measured" }'),
    "E405": Example(f"```toml\n{BASELINE}```", "The steps whose times are stated take longer than today's result: check both, the longest waits first.", _no_baseline),
    "E501": changed("warm_up_weeks = 4", "warm_up_weeks = 40", "Warm-up is simulated and thrown away; a few times the longest wait is enough."),
    "E510": evidence("pilot.csv", 'right,tried\n56,"60\n', "Save the file anew from the program that made it, as CSV in UTF-8, .xlsx or .parquet."),
    "E511": evidence("pilots.csv", "right,tried\n56,60\n", "The name of a file says what it is about; [evidence.md](evidence.md) lists all kinds. Put anything else elsewhere."),
    "E512": evidence("pilot.csv", "56,60\n44,50\n", "The first line names the columns. Delete titles above it, and give each column a name of its own."),
    "E513": evidence("pilot.csv", "right,tried,acepted\n56,60,47\n", "Correct the name, or delete the column: what nothing uses would silently change nothing."),
    "E514": evidence("seeded.csv", "shown\n20\n", "Add the column."),
    "E515": evidence("pilot.csv", "right,tried\n56,60\n44,50,1\n", "Often a comma inside a text without quotation marks, or a line break inside a cell."),
    "E516": evidence("pilot.csv", "right,tried\n", "Fill it, or remove it."),
    "E520": evidence("pilot.csv", "right,tried\n56,60\n,50\n", "Fill the cell; if it was not recorded, delete the row."),
    "E521": evidence("pilot.csv", "right,tried\n56,60\nn/a,50\n", "Correct the cell. What was not recorded is an empty cell."),
    "E522": evidence("pilot.csv", "right,tried\n56.5,60\n", "Counts are whole numbers from 0; shares lie between 0 and 1, or are per cent."),
    "E523": evidence("calls.csv", "step;seconds;result\nmatch_ai;1.234;ok\nmatch_ai;2.345;ok\n", "Nobody can tell 1.234 seconds from 1,234. Say it once, or write the column otherwise."),
    "E524": evidence("arrivals.csv", "day,cases\n2026-02-30,128\n", "Correct the cell. Years take four digits; in a spreadsheet, format the column as a date."),
    "E525": evidence("arrivals.csv", "day,cases\n03/04/2026,128\n04/04/2026,119\n", "Say it once for what is left open, or write dates as 2026-04-03."),
    "E526": evidence("times.csv", "step,started,ended\nentry,2026-03-29 02:30,2026-03-29 03:10\n", "Clocks went forward: that hour did not exist. The time is wrong, or of another zone."),
    "E527": evidence("arrivals.csv", "day,cases\n2062-09-01,128\n", "Correct the date; or `exported` in settings.toml, if the export is younger."),
    "E528": evidence("pilot.csv", "type,right,tried\npo_standart,56,60\n", "Write the name as the case file does; `pilotproof scenario show` lists types, steps and parameters."),
    "E530": evidence("pilot.csv", "right,tried\n65,60\n", "One of the numbers is wrong, or they are of different cases."),
    "E531": evidence("times.csv", "step,started,ended\nentry,2026-09-02 09:10,2026-09-01 09:16\n", "One of the dates is wrong, or the columns are swapped."),
    "E532": evidence("arrivals.csv", "day,cases\n2026-09-01,128\n2026-09-01,119\n", "Counting a row twice would make the evidence look stronger than it is. Keep one of them."),
    "E533": evidence("counts.csv", "parameter,happened,tried\nsteps.is_exception.options.1.share,214,1000\nTotal,214,1000\n", "Delete the line: its numbers would be counted twice."),
    "E534": evidence("pilot.csv", "right,tried,environment\n56,60,production\n", "Put the row into the file that it belongs to, or correct it."),
    "E535": evidence("pilot.csv", "step,right,tried\nentry,56,60\n", "Correct the row, or delete it. If it should inform something, the case file has to contain it."),
    "E540": evidence("arrivals.csv", "day,cases\n2026-09-01,128\n", "Write it into settings.toml; it is asked once for all files.", {}),
    "E541": evidence("invoices.csv", INVOICES + "INV-1;2026-09-01;2026-09-12\n", "Correct `invoices.toml`: columns as the file's first line names them, events and types as the case file does.", SETTINGS, MAPPING.replace('"end"', '"end"\n"Approved" = "approve.1.decided"')),
    "E601": command("pilotproof run docs/examples/small.toml --arm pilto", "Correct the argument; `--help` lists all.", lambda: known_arm("pilto")),
    "E602": command("pilotproof scenario fmt case.toml", "Check the folder, its permissions and the space on the disk. The old file is untouched.", _full_disk),
    "E701": command("pilotproof runs show runs", "Name the folder of a run: it holds `manifest.json`. A run of another version is read by that version.", with_a_run(lambda _: Store.open(Path("runs")))),
    "E702": command("pilotproof runs diff runs/first runs/second", "Delete the file that the message names, and run the command that made the run again.", with_a_run(_cut_off)),
    "E703": command("the command that made the run, with another seed", "A run goes on only with the inputs it began with. Take another folder for other inputs; [runs.md](runs.md) says how to compare the two.", with_a_run(lambda store: store.require_same(replace(MANIFEST, seed=8)))),
    "E704": command("the command that made the run, while it is still at work", "Wait for the other process. One that was killed keeps nobody out.", with_a_run(lambda _: Store.open(FIRST, writing=True))),
    "E705": command("pilotproof runs rm runs/first", "Only a folder that holds a run and nothing else is removed.", with_a_run(_with_notes)),
    "E801": command(f"pilotproof run invoice_processing --draws 10000 --out runs/big --scheduler {SCHEDULER}", "Do what the message says: install the extra, start the scheduler or a worker, or look at the workers' logs. A run in a folder goes on with `--resume`. [scale.md](scale.md) has the two commands.", _without_dask),
    "E802": command(f"pilotproof run invoice_processing --draws 10000 --out runs/big --scheduler {SCHEDULER}", "All machines must be the same program on the same kind of processor, or their figures would differ. Install the same versions on the worker that is named, and start it again.", _older_worker),
    "E901": command("pilotproof verdict my_case", "Fit again; nothing is lost but the time.", _elsewhere(_damaged_fit)),
    "E902": command("pilotproof verdict my_case", "A fit belongs to the version that made it. Fit again.", _unlike(version="0.0.9")),
    "E903": command("pilotproof verdict my_case", "What the fit took from case.toml (ranges, steps, types, teams, systems) was changed since. Fit again, or take the change back.", _unlike(configuration="1f0c8e2b7a55")),
    "E904": command("pilotproof verdict my_case", "Fit again: what did not change is taken over.", _unlike(evidence={"pilot.csv": "280ff3f250ee"})),
    "E905": command("pilotproof fit my_case", "Follow the message: correct or leave out the file that it names.", _elsewhere(_nothing_to_fit)),
}  # fmt: skip


def message_of(code: str) -> str:
    """What the program says to the example of a code."""
    try:
        EXAMPLES[code].fail()
    except CaseError as error:
        if all(p.code == code for p in error.problems):
            return error.text()
        raise
    raise AssertionError(f"the example of {code} raises nothing")


def page() -> str:
    """The whole page."""
    assert list(EXAMPLES) == list(CODES), "every code needs an example, in the same order"
    parts = [INTRO]
    for code, meaning in CODES.items():
        example = EXAMPLES[code]
        parts.append(f"## {code} {meaning}\n\n{example.shown}\n\n```text\n{message_of(code)}\n```\n\n{example.advice}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
