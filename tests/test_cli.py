"""The command line as a user meets it: exit codes, plain messages, JSON alone on standard output, quiet ends, no traceback."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from typer.main import get_command

from scenarios.cli import main as main_module
from scenarios.files import load
from tests.case_builder import SMALL_FILE

SMALL = str(SMALL_FILE)
ROOT = SMALL_FILE.parents[2]
COMMAND = [sys.executable, "-m", "scenarios.cli.main"]
HEAVY = ("numpy", "scipy", "simpy", "pandas", "tomlkit", "holidays", "models", "simulator")


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str, cwd: Path | None = None) -> Result:
    """The command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["pilotproof", *arguments]),
        patch.object(main_module, "_prepare_streams"),
        redirect_stdout(out),
        redirect_stderr(err),
        contextlib.chdir(cwd or Path.cwd()),
        pytest.raises(SystemExit) as caught,
    ):
        main_module.main()
    return Result(int(caught.value.code or 0), out.getvalue(), err.getvalue())


def run_outside(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True, text=True, encoding="utf-8", cwd=ROOT, timeout=120, check=False, env={**os.environ, **environment},
    )  # fmt: skip


def refused(result: Result, code: str) -> str:
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert f"  {code}  " in result.stderr
    return result.stderr


# -- start-up


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["scenario", "--help"], ["scenario", "list"], ["verdict", "--help"]]
)
def test_help_and_list_load_nothing_heavy(arguments):
    """pydantic is loaded by typer itself for a command's options; plain help and the version do without."""
    heavy = HEAVY if len(arguments) > 1 else (*HEAVY, "pydantic")
    program = f"import sys; sys.argv = ['pilotproof', *{arguments!r}]\nfrom scenarios.cli.main import main\n"
    program += f"try: main()\nexcept SystemExit: print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)

    assert result.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_package():
    assert run("--version") == Result(0, f"pilotproof {version('pilotproof')}\n", "")


def test_without_a_command_it_prints_help():
    result = run()

    assert result.returncode == 2
    assert "Usage: " in result.stderr
    assert "verdict" in result.stderr


def test_every_command_has_a_sentence_of_help():
    for group in ([], ["scenario"]):
        lines = run(*group, "--help").stdout.split("Commands:\n")[1].splitlines()
        assert all(re.match(r"  \w+ +\w+", line) for line in lines if line), lines


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command with its whole name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    for key, each in (inner or {}).items():
        yield from leaves(each, f"{name} {key}".strip())


def test_the_readme_lists_every_command_with_options_that_exist():
    commands = dict(leaves(get_command(main_module.app)))
    rows = re.findall(r"^\| `pilotproof (.*?)` \|(.*)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    groups = {name.split()[0] for name in commands if " " in name}
    named = {" ".join(line.split()[: 2 if line.split()[0] in groups else 1]): f"{line} {words}" for line, words in rows}

    assert set(named) == set(commands)
    for name, text in named.items():
        assert set(re.findall(r"--\w+", text)) <= {option for p in commands[name].params for option in p.opts}, name


# -- bad input


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["verdict", "nowhere"], "E100", "no such file, folder or shipped scenario"),
        (["verdict", "invoice_procesing"], "E100", 'did you mean "invoice_processing"?'),
        (["run", SMALL, "--arm", "pilto"], "E601", 'did you mean "pilot"?'),
        (["run", SMALL, "--engine", "fast"], "E601", 'no engine "fast"'),
        (["run", SMALL, "--replications", "0"], "E601", "--replications"),
        (["run", SMALL, "--seed", "-1"], "E601", "--seed"),
        (["run", SMALL, "--seed", "x"], "E601", "--seed"),
        (["run", SMALL, "--colour", "red"], "E601", "No such option"),
        (["run"], "E601", "needs a case"),
        (["verdikt", SMALL], "E601", "No such command"),
        (["run", SMALL, "--out", "."], "E601", "exists already"),
        (["compare", SMALL, "nowhere"], "E100", "no such file"),
        (["trace", "nowhere"], "E100", "no such file"),
        (["scenario", "check", "nowhere"], "E100", "no such file"),
        (["scenario", "show", "nowhere"], "E100", "no such file"),
        (["scenario", "diff", SMALL, "nowhere"], "E100", "no such file"),
        (["scenario", "fmt", "nowhere.toml"], "E100", "cannot be read"),
        (["scenario", "fmt", "."], "E100", "cannot be read"),
        (["scenario", "fmt", "claims_intake"], "E601", "is a shipped scenario and read-only"),
        (["scenario", "fmt", "claims_intake"], "E601", "scenario new my_claims_intake.toml --from claims_intake"),
        (["scenario", "fmt", "claims_intake", "--check"], "E601", "read-only"),
        (["scenario", "new", "x.toml", "--from", "nowhere"], "E100", "no such file"),
        (["scenario", "new", "no/such/folder/x.toml"], "E601", "its folder does not exist"),
        (["scenario", "new", SMALL], "E601", "exists already"),
    ],
    ids=lambda value: " ".join(Path(v).name for v in value[:4]) if isinstance(value, list) else "",
)
def test_bad_arguments_give_a_code_and_exit_code_2(tmp_path, arguments, code, message):
    assert message in refused(run(*arguments, cwd=tmp_path), code)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    file = tmp_path / "wrong.toml"
    text = SMALL_FILE.read_text().replace('team = "clerks"', 'team = "clarks"').replace("share = 0.3\n", "share = 0.38\n")
    file.write_text(text.replace('level = "3 d"', 'level = "3"'))
    return file


@pytest.mark.parametrize(
    "command", [["verdict"], ["run"], ["trace"], ["scenario", "check"], ["scenario", "show"], ["compare", SMALL]]
)
def test_all_problems_of_a_file_in_one_run(wrong, command):
    message = refused(run(*command, str(wrong)), "E104")

    assert message.splitlines()[0] == f"{wrong}: 3 problems"
    assert [line.split()[0] for line in message.splitlines()[1:]] == ["E307", "E104", "E211"]


@pytest.mark.parametrize(
    "command", [["verdict"], ["run"], ["trace"], ["scenario", "check"], ["scenario", "show"], ["compare", SMALL]]
)
def test_the_same_as_json(wrong, command):
    result = run(*command, str(wrong), "--json")
    data = json.loads(result.stdout)

    assert (result.returncode, result.stderr) == (2, "")
    assert data["file"] == str(wrong)
    assert [p["code"] for p in data["problems"]] == ["E307", "E104", "E211"]
    assert set(data["problems"][0]) == {"code", "place", "message", "remedy"}


def test_wrong_arguments_as_json():
    result = run("run", SMALL, "--seed", "-1", "--json")

    assert result.returncode == 2
    assert [p["code"] for p in json.loads(result.stdout)["problems"]] == ["E601"]


@pytest.mark.parametrize("command", [["verdict"], ["run"], ["scenario", "check"], ["compare", SMALL]])
def test_an_overloaded_today_is_refused_before_anything_is_simulated(tmp_path, command):
    file = tmp_path / "busy.toml"
    file.write_text(SMALL_FILE.read_text().replace("value = 12", "value = 60"))

    assert "at least 5 people" in refused(run(*command, str(file)), "E404")


def test_a_baseline_that_cannot_be_reproduced(tmp_path):
    file = tmp_path / "case.toml"
    baseline = '[baseline]\nobserved = "2 h"\nstandard_error = "0.1 h"\n\n[baseline.places]\nentry = { weight = 1.0 }\n\n[run]'
    file.write_text(SMALL_FILE.read_text().replace("[run]", baseline))

    assert "sourced steps alone" in refused(run("run", str(file)), "E405")
    assert json.loads(run("run", str(file), "--json").stdout)["problems"][0]["code"] == "E405"


def test_nothing_half_written_when_the_disk_refuses(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")

    assert "file" in refused(run("run", SMALL, "--replications", "1", "--out", str(blocker / "out")), "E602")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_case_number_beyond_the_last_case():
    refused(run("trace", SMALL, "--case", "100000000"), "E601")


def test_a_fault_of_the_program_is_no_traceback_either():
    program = "from scenarios.cli import main as m\nm.app = lambda **_: 1 / 0\nm.main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)

    assert result.returncode == 70
    assert "a fault of the program, not of your file (ZeroDivisionError: division by zero)" in result.stderr
    assert "Traceback" not in result.stderr


# -- pipes, interrupts, terminals


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize("command", ["scenario show invoice_processing", "scenario schema", "scenario list --json"])
def test_a_reader_that_stops_early_ends_the_program_quietly(command):
    line = f"{sys.executable} -m scenarios.cli.main {command} | head -n 1"
    result = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, cwd=ROOT)

    assert result.stderr == ""
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_ctrl_c_ends_with_130_and_one_word():
    process = subprocess.Popen(
        [*COMMAND, "run", SMALL, "--replications", "100000"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 – a background job inherits it ignored
    )  # fmt: skip
    time.sleep(4)
    process.send_signal(signal.SIGINT)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert (process.returncode, out, err) == (130, "", "stopped\n")


def test_a_terminal_without_our_letters():
    result = run_outside("scenario", "show", SMALL, PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")

    assert result.returncode == 0
    assert "Traceback" not in result.stderr


# -- what the commands say


def test_list_names_the_shipped_scenarios_the_default_first():
    result = run("scenario", "list", "--json")
    rows = json.loads(result.stdout)

    assert rows[0]["name"] == "invoice_processing"
    assert all(len(line) <= 120 for line in run("scenario", "list").stdout.splitlines())
    assert all(row["title"] and row["description"] for row in rows)
    assert result.stderr == ""


def test_check_says_hash_and_load():
    text = run("scenario", "check", SMALL)
    data = json.loads(run("scenario", "check", SMALL, "--json").stdout)

    assert text.returncode == 0
    assert re.fullmatch(rf"{re.escape(SMALL)}: no problems · hash [0-9a-f]{{12}} · load today: clerks \d+ %\n", text.stdout)
    assert data["problems"] == []
    assert data["scenario_hash"] == load(SMALL).hash
    assert 0.3 < data["load_today"]["clerks"] < 0.7


def test_a_shipped_name_shows_no_path_of_this_machine():
    result = run("scenario", "check", "invoice_processing", "--json")

    assert json.loads(result.stdout)["file"] == "invoice_processing"
    assert str(ROOT) not in result.stdout


def test_new_check_diff_and_format_of_a_new_case(tmp_path):
    made = run("scenario", "new", "our case.toml", "--extends", cwd=tmp_path)
    assert (made.returncode, made.stdout) == (0, "wrote our case.toml; next: pilotproof scenario check 'our case.toml'\n")
    file = tmp_path / "our case.toml"
    file.write_text(file.read_text() + "[arrivals]\nper_month=2600\n")

    assert run("scenario", "check", str(file)).returncode == 0
    assert run("scenario", "diff", "invoice_processing", str(file)).stdout == (
        "arrivals.per_month: 2500 → 2600\narrivals.per_month.source: benchmark → guess\n"
    )
    rows = json.loads(run("scenario", "diff", "invoice_processing", str(file), "--json").stdout)
    assert rows[0] == {"place": "arrivals.per_month", "first": "2500", "second": "2600"}
    assert run("scenario", "diff", str(file), str(file)).stdout == "no difference in meaning\n"


def test_fmt_says_what_it_did_and_check_changes_nothing(tmp_path):
    file = tmp_path / "case.toml"
    file.write_text(SMALL_FILE.read_text().replace("[run]", "# why\n[run]").replace('level = "3 d"', "level='3 d'"))
    before, meaning = file.read_text(), load(str(file)).hash

    checked = run("scenario", "fmt", "--check", "case.toml", cwd=tmp_path)
    assert (checked.returncode, file.read_text()) == (1, before)
    assert "not in canonical form" in checked.stdout
    assert run("scenario", "fmt", "case.toml", cwd=tmp_path).stdout == "case.toml: formatted\n"
    assert run("scenario", "fmt", "--check", "case.toml", cwd=tmp_path).returncode == 0
    assert run("scenario", "fmt", "case.toml", cwd=tmp_path).stdout == "case.toml: in canonical form\n"
    assert "# why\n[run]" in file.read_text()
    assert load(str(file)).hash == meaning


def test_fmt_takes_a_case_folder_and_prefers_an_own_file_to_a_shipped_name(tmp_path):
    text = SMALL_FILE.read_text().replace('level = "3 d"', "level='3 d'")
    for file in (tmp_path / "folder" / "case.toml", tmp_path / "claims_intake"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    assert run("scenario", "fmt", "folder", cwd=tmp_path).stdout == f"{Path('folder') / 'case.toml'}: formatted\n"
    assert run("scenario", "fmt", "claims_intake", cwd=tmp_path).stdout == "claims_intake: formatted\n"


def test_the_remedy_for_a_shipped_scenario_works(tmp_path):
    remedy = run("scenario", "fmt", "claims_intake", cwd=tmp_path).stderr.split("pilotproof ")[1].split()

    assert run(*remedy, cwd=tmp_path).returncode == 0
    assert run("scenario", "fmt", remedy[2], cwd=tmp_path).returncode == 0


def test_schema_is_a_json_schema_that_allows_plain_values():
    schema = json.loads(run("scenario", "schema").stdout)

    assert schema["additionalProperties"] is False
    assert {"type": ["number", "string"]} in schema["$defs"]["Duration"]["anyOf"]
    assert {"type": ["number", "string"]} in schema["$defs"]["Time"]["anyOf"]


def test_run_gives_the_same_json_twice_and_nothing_else():
    first, second = (run_outside("run", SMALL, "--replications", "2", "--json") for _ in range(2))

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert isinstance(json.loads(first.stdout), dict)
