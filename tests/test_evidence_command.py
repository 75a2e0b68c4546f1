"""`pilotproof evidence init` and `evidence check`, and reading a whole case folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from scenarios.catalogue import shipped_path
from scenarios.evidence import read_evidence, require_sound
from scenarios.problems import CaseError
from tests.evidence_files import case, csv_text, xlsx
from tests.test_cli import run
from tests.test_evidence_export import GERMAN, ROWS

SAID = 'schema_version = 1\nzone = "Europe/Berlin"\nexported = 2026-11-30\nsalt = "a salt for tests"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(shipped_path("invoice_processing"), tmp_path / "case.toml")
    return tmp_path


@pytest.fixture
def place(folder: Path) -> Path:
    (folder / "evidence").mkdir()
    (folder / "evidence" / "settings.toml").write_text(SAID, encoding="utf-8")
    return folder / "evidence"


def check(place: Path, *options: str):
    return run("evidence", "check", str(place.parent), *options)


def test_a_new_folder_says_what_is_missing(folder):
    result = run("evidence", "check", str(folder))

    assert result.returncode == 0
    assert "0 files of evidence · 0 rows used · no defects" in result.stdout
    assert "Not there" in result.stdout
    assert "invoices" in result.stdout
    found = json.loads(run("evidence", "check", str(folder), "--json").stdout)
    assert len(found["missing"]) == 14
    assert "steps.send_to_ai.accuracy" in found["missing"][0]["parameters"]


@pytest.mark.parametrize("name", ["invoice_processing", "claims_intake", "travel_declarations"])
def test_templates_check_once_they_are_renamed(tmp_path, name):
    shutil.copy(shipped_path(name), tmp_path / "case.toml")
    result = run("evidence", "init", str(tmp_path))
    place = tmp_path / "evidence"
    before = run("evidence", "check", str(tmp_path))
    for path in list(place.iterdir()):
        if ".example" in path.name:
            path.rename(place / path.name.replace(".example", ""))
    settings = (place / "settings.toml").read_text(encoding="utf-8")
    unsaid = run("evidence", "check", str(tmp_path))
    (place / "settings.toml").write_text(settings.replace("# zone", "zone"), encoding="utf-8")
    after = run("evidence", "check", str(tmp_path))

    assert (result.returncode, before.returncode, unsaid.returncode) == (0, 0, 2)
    assert unsaid.stdout.count("E540") == 1
    assert after.returncode == 0, after.stdout
    assert "no defects" in after.stdout
    assert "M. Example" not in after.stdout


def test_init_overwrites_nothing(folder):
    first = run("evidence", "init", str(folder))
    (folder / "evidence" / "settings.toml").write_text(SAID, encoding="utf-8")
    (folder / "evidence" / "pilot.example.csv").unlink()
    second = run("evidence", "init", str(folder))

    assert "wrote" in first.stdout
    assert second.stdout.count("wrote") == 1
    assert "pilot.example.csv" in second.stdout
    assert (folder / "evidence" / "settings.toml").read_text(encoding="utf-8") == SAID


def test_salts_differ(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copy(folder / "case.toml", other / "case.toml")
    for each in (folder, other):
        run("evidence", "init", str(each))
    texts = {(each / "evidence" / "settings.toml").read_text(encoding="utf-8") for each in (folder, other)}
    assert len(texts) == 2


def test_a_report_with_figures_and_what_they_inform(place):
    (place / "pilot.csv").write_text("type,right,tried,accepted\npo_standard,56,60,47\nnon_po,44,50,\n", encoding="utf-8")
    (place / "README.md").write_text("notes", encoding="utf-8")
    (place / ".DS_Store").write_bytes(b"x")
    result = check(place)
    found = json.loads(check(place, "--json").stdout)

    assert result.returncode == 0
    assert "evidence/pilot.csv · Results of the pilot" in result.stdout
    assert "2 rows read, 2 used, 0 with defects" in result.stdout
    assert "sums: tried 110, right 100, accepted 47" in result.stdout
    assert "accepted: coverage → steps.send_to_ai.coverage" in result.stdout
    assert found["blocked"] is False
    assert found["files"][0]["rows"] == {"read": 2, "used": 2, "with_defects": 0, "left_out": 0}
    assert found["tables"] == {"pilot": {"file": "evidence/pilot.csv", "rows": 2}}
    assert found["files"][0]["sha256"]


def test_defects_end_with_exit_code_2_and_are_all_listed(place):
    (place / "pilot.csv").write_text("right,tried\n" + "7,6\n" * 60, encoding="utf-8")
    (place / "notes.txt").write_text("x", encoding="utf-8")
    (place / "sub").mkdir()
    result = check(place)
    found = json.loads(check(place, "--json").stdout)

    assert result.returncode == 2
    assert "62 defects" in result.stdout
    assert result.stdout.count("E530") == 2
    assert "E530  and 10 more" in result.stdout
    assert "rows 2 to 51 (50 rows), column right" in result.stdout
    assert found["defects_in_all"] == 62
    assert {d["code"] for d in found["defects"]} == {"E511", "E530"}
    assert max(d["row"] for d in found["defects"] if d["code"] == "E530") == 51


def test_a_few_defects_alike_keep_a_line_each_and_rows_apart_are_named(place):
    """Rows 2 to 4 and 6 are wrong alike, 8 to 10 in another way."""
    rows = [*["7,6"] * 3, "5,6", "7,6", "5,6", *["5,x"] * 3]
    (place / "pilot.csv").write_text("right,tried\n" + "\n".join(rows) + "\n", encoding="utf-8")
    lines = check(place).stdout.splitlines()

    assert sum("rows 2 to 4, 6 (4 rows), column right" in line for line in lines) == 1
    assert [n for n in range(2, 12) if any(f"row {n}, column tried" in line for line in lines)] == [8, 9, 10]


def test_two_files_of_a_kind(place):
    (place / "pilot.csv").write_text("right,tried\n5,6\n", encoding="utf-8")
    (place / "pilot.xlsx").write_bytes(xlsx([["right", "tried"], [5, 6]]))
    found = read_evidence(place.parent, case())
    assert [(d.code, d.file) for d in found.defects] == [("E511", "evidence/pilot.xlsx")]


def test_a_mapping_without_its_export(place):
    (place / "invoices.toml").write_text("", encoding="utf-8")
    found = read_evidence(place.parent, case())
    assert [(d.code, d.file) for d in found.defects] == [("E511", "evidence/invoices.toml")]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ('zon = "UTC"', "E101", 'did you mean "zone"'),
        ('zone = "Europe/Berln"', "E103", 'did you mean "Europe/Berlin"'),
        ('decimal = "komma"', "E103", "is not possible"),
        ("design_effect = 0.5", "E213", "must be at least 1"),
        ("schema_version = 2", "E103", "version 2"),
        ("zone = ", "E100", "is not TOML"),
        ("label_sensitivity = { low = 0.9, likely = 0.8, high = 0.95 }", "E212", "likely"),
    ],
)
def test_settings_that_cannot_be(place, text, code, message):
    (place / "settings.toml").write_text(text, encoding="utf-8")
    (place / "pilot.csv").write_text("right,tried\n7,6\n", encoding="utf-8")
    result = check(place)

    assert result.returncode == 2
    assert f"{code}  " in result.stdout
    assert message in result.stdout
    assert "E530" not in result.stdout


def test_settings_hold_beliefs(place):
    (place / "settings.toml").write_text(
        f"{SAID}label_sensitivity = {{ low = 0.8, likely = 0.95, high = 0.99 }}\n", encoding="utf-8"
    )
    said = read_evidence(place.parent, case()).settings
    assert said.label_sensitivity.uncertain().median == pytest.approx(0.93, abs=0.02)
    assert said.label_specificity is None


def test_an_export_beside_files_of_its_kinds(place):
    (place / "invoices.csv").write_text(csv_text([GERMAN, *ROWS], ";"), encoding="utf-8")
    (place / "invoices.toml").write_text(
        'selected_by = "arrival"\nfirst_day = 2026-09-01\nlast_day = 2026-09-30\npeople = ["Bearbeiter"]\nleave_out_types = ["Gutschrift"]\n'
        '[columns]\ncase = "Belegnummer"\ntype = "Belegart"\n[types]\n"Bestellbezug" = "po_standard"\n"ohne Bestellung" = "non_po"\n'
        '[dates]\n"Rechnungseingang" = "arrival"\n"Erfasst am" = "entry.started"\n"Notiz" = "entry.ended"\n"Gebucht" = "end"\n"Angefordert" = "match.started"\n'
        '"Freigegeben" = "match.ended"\n',
        encoding="utf-8",
    )
    (place / "times.csv").write_text("step,minutes\nentry,5.5\n", encoding="utf-8")
    (place / "arrivals.csv").write_text("day,cases\n2026-09-01,100\n", encoding="utf-8")
    text = (place / "invoices.csv").read_text(encoding="utf-8").replace(";x\n", ";\n")
    (place / "invoices.csv").write_text(text, encoding="utf-8")
    found = read_evidence(place.parent, case())

    assert found.defects == ()
    assert found.tables["times"].file == "evidence/times.csv, evidence/invoices.csv"
    assert found.tables["times"].texts("step").tolist() == ["entry", "match", "match"]
    assert found.tables["times"].numbers("minutes")[0] == 5.5
    assert found.tables["arrivals"].file == "evidence/arrivals.csv"
    notes = next(f for f in found.files if f.name == "evidence/invoices.csv").notes
    assert notes == ("also used as times for match", "not used as arrivals, because evidence/arrivals.csv says it")
    assert "Muster" not in check(place).stdout + check(place, "--json").stdout


def test_only_folders_hold_evidence(folder, tmp_path):
    for name, message in (
        (folder / "case.toml", f"is a file, not a case folder; name the folder that it lies in: {folder}"),
        (folder / "nowhere", "no such folder; make one first"),
        ("invoice_processing", "no such folder; make one first"),
        (folder / "empty", "holds no case.toml"),
    ):
        (folder / "empty").mkdir(exist_ok=True)
        for command in ("init", "check"):
            result = run("evidence", command, str(name))
            assert result.returncode == 2
            assert message in result.stderr
            assert result.stdout == ""


def test_the_hash_changes_with_the_files_and_not_with_the_salt(place):
    (place / "pilot.csv").write_text("right,tried\n5,6\n", encoding="utf-8")
    first = read_evidence(place.parent, case()).hash
    (place / "settings.toml").write_text(SAID.replace("a salt", "other"), encoding="utf-8")
    salted = read_evidence(place.parent, case()).hash
    (place / "pilot.csv").write_text("right,tried\n5,7\n", encoding="utf-8")
    assert first == salted != read_evidence(place.parent, case()).hash


def test_a_fit_gets_all_defects_or_sound_evidence(place):
    (place / "pilot.csv").write_text("right,tried\n" + "7,6\n" * 60, encoding="utf-8")
    with pytest.raises(CaseError) as caught:
        require_sound(read_evidence(place.parent, case()), "my_case")
    assert len(caught.value.problems) == 51
    assert "10 more defects" in caught.value.text()
    (place / "pilot.csv").write_text("right,tried\n5,6\n", encoding="utf-8")
    require_sound(read_evidence(place.parent, case()), "my_case")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_is_not_waited_for(place):
    os.mkfifo(place / "pilot.csv")
    (place / "audit.csv").symlink_to("/nowhere")
    found = read_evidence(place.parent, case())
    assert [(d.code, d.message) for d in found.defects] == [("E510", "is not a file")] * 2


def test_names_of_files_cannot_move_the_cursor(place):
    (place / "\x1b[2J.csv").write_text("x", encoding="utf-8")
    assert "\x1b" not in check(place).stdout
