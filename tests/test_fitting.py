"""`fit`, `baseline fit` and `evidence report` on a case folder, with fits that need no sampler."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models import parameters
from models.fits.seam import Sampling, StoppedError
from models.learned import contraction, learned, word_of
from models.posterior import SubModel, posterior_of
from scenarios.cli.main import app
from scenarios.files import load
from scenarios.fitting import fit_folder
from scenarios.problems import CaseError
from scenarios.study import Means
from scenarios.study.penalties import penalties
from scenarios.study.together import together

pytestmark = pytest.mark.xdist_group("sampler")


COUNTS = "parameter,happened,tried\nsteps.is_exception.options.1.share,214,1000\n"
READY = "check,cause,passed,passes_if_ready,passes_if_not\nload test,integration,yes,0.95,0.4\n"
EXCEPTION = "steps.is_exception.options.1.share"


def folder_with(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "mine"
    (folder / "evidence").mkdir(parents=True)
    (folder / "case.toml").write_text('extends = "invoice_processing"\nschema_version = 1\nname = "mine"\ntitle = "Mine"\n')
    for name, text in {"settings_toml": 'schema_version = 1\nzone = "UTC"\n', **files}.items():
        stem, _, suffix = name.rpartition("_")
        (folder / "evidence" / f"{stem}.{suffix}").write_text(text)
    return folder


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


def export(cases: int = 800, weeks: int = 20, entry_days: float = 8.0) -> tuple[str, str]:
    """A wide export with a date of entry, and its mapping."""
    rng = np.random.default_rng(4)
    first = np.datetime64("2026-01-05T09:00", "m")
    rows = ["number,received,entered,done"]
    for k in range(cases):
        came = first + np.timedelta64(int(k / cases * (weeks * 7 - 1) * 1440), "m")
        entered = came + np.timedelta64(int(rng.exponential(entry_days) * 1440), "m")
        done = entered + np.timedelta64(int(rng.exponential(6.0) * 1440), "m")
        rows.append(f"{k},{came},{entered},{done}".replace("T", " "))
    mapping = (
        'schema_version = 1\nselected_by = "arrival"\nfirst_day = 2026-01-05\nlast_day = 2026-05-24\nexported = 2026-12-31\n'
        '[columns]\ncase = "number"\n[dates]\nreceived = "arrival"\nentered = "entry.ended"\ndone = "end"\n'
    )
    return "\n".join(rows) + "\n", mapping


def test_a_folder_is_fitted_and_every_command_uses_it(tmp_path):
    folder = folder_with(tmp_path, counts_csv=COUNTS)
    fitted = fit_folder(folder, Sampling(7))
    assert fitted.fresh == ("shares",)
    assert fitted.posterior.passed
    loaded = load(str(folder))
    values = parameters.sample(loaded.case, 7, range(400)).values[EXCEPTION]["production"]
    assert values.mean() == pytest.approx(0.214, abs=0.005)
    assert values.std() == pytest.approx(0.013, abs=0.003)
    shown = run("scenario", "show", str(folder))
    assert shown.exit_code == 0


def test_what_did_not_change_is_not_fitted_again(tmp_path):
    folder = folder_with(tmp_path, counts_csv=COUNTS, readiness_csv=READY)
    first = fit_folder(folder, Sampling(7))
    before = (folder / "posterior.nc").read_bytes()
    again = fit_folder(folder, Sampling(7))
    assert (again.fresh, again.kept) == ((), first.fresh)
    assert (folder / "posterior.nc").read_bytes() == before
    (folder / "evidence" / "counts.csv").write_text(COUNTS.replace("214", "300"))
    changed = fit_folder(folder, Sampling(7))
    assert (changed.fresh, changed.kept) == (("shares",), ("readiness",))
    assert fit_folder(folder, Sampling(8)).kept == ()


def test_defects_and_unusable_evidence_leave_the_last_fit_alone(tmp_path):
    folder = folder_with(tmp_path, counts_csv=COUNTS)
    fit_folder(folder, Sampling(7))
    before = (folder / "posterior.nc").read_bytes()
    (folder / "evidence" / "counts.csv").write_text(COUNTS.replace("214", "2140"))
    with pytest.raises(CaseError, match="E530"):
        fit_folder(folder, Sampling(7))
    assert (folder / "posterior.nc").read_bytes() == before
    with pytest.raises(CaseError, match="E905"):
        fit_folder(folder_with(tmp_path / "empty"), Sampling(7))


def test_a_stopped_fit_writes_nothing(tmp_path, monkeypatch):
    from models.fits import events

    def stopped(*_: object) -> None:
        raise StoppedError

    folder = folder_with(tmp_path, counts_csv=COUNTS)
    monkeypatch.setattr(events, "fit", stopped)
    with pytest.raises(StoppedError):
        fit_folder(folder, Sampling(7))
    assert not (folder / "posterior.nc").exists()


def test_the_commands_print_and_end_well(tmp_path):
    folder = folder_with(tmp_path, counts_csv=COUNTS)
    result = run("fit", str(folder), "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    assert data["passed"]
    (row,) = [p for p in data["parameters"] if p["parameter"] == EXCEPTION]
    assert row["learned"] == "learned"
    assert row["files"] == ["evidence/counts.csv"]
    text = run("fit", str(folder)).output
    assert "unchanged since the last fit" in text
    page = tmp_path / "report.html"
    result = run("evidence", "report", str(folder), "--quick", "--html", str(page))
    assert result.exit_code == 0, result.output
    html = page.read_text()
    assert "<script" not in html
    assert "http" not in html.replace("http://www.w3.org", "")
    assert "1 learned" in html


def test_hostile_names_are_escaped_in_the_page(tmp_path):
    folder = folder_with(tmp_path, counts_csv=COUNTS)
    (folder / "case.toml").write_text(
        'extends = "invoice_processing"\nschema_version = 1\nname = "mine"\ntitle = "<script>alert(1)</script>"\n'
    )
    fit_folder(folder, Sampling(7))
    page = tmp_path / "report.html"
    assert run("evidence", "report", str(folder), "--quick", "--html", str(page)).exit_code == 0
    assert "<script" not in page.read_text()


def test_the_report_says_what_to_measure_next(tmp_path):
    """The smallest example: an answer from outside of 1 to 5 days decides, and whether one clerk or two do the work."""
    folder = folder_with(tmp_path)
    text = (Path(__file__).parent.parent / "docs" / "examples" / "small.toml").read_text()
    (folder / "case.toml").write_text(text.replace('level = "3 d"', 'level = "1.1 d"'))
    path = "steps.question.options.1.share.types.hard"
    (folder / "evidence" / "counts.csv").write_text(f"parameter,type,happened,tried\n{path},hard,52,100\n")
    fit_folder(folder, Sampling(7))
    result = run("evidence", "report", str(folder), "--draws", "40", "--json")
    assert result.exit_code == 0, result.output
    sections = {s["key"]: s for s in json.loads(result.stdout)["sections"]}
    assert {"learned", "next", "checks", "notes"} <= sections.keys()
    assert "together" not in sections  # there is one fit only
    moved = sections["next"]["rows"]
    assert {row["parameter"] for row in moved[:2]} == {"steps.answer.time.mean", "teams.clerks.headcount"}
    (answer,) = [row for row in moved if row["parameter"] == "steps.answer.time.mean"]
    assert answer["outcome"][0] < 1.1 < answer["outcome"][1]
    assert answer["chance"][0] - answer["chance"][1] > 0.5
    (hard,) = [row for row in moved if row["parameter"] == path]
    assert hard["outcome"][0] < hard["outcome"][1]
    assert hard["range_stated"]
    (heads,) = [row for row in moved if row["parameter"] == "teams.clerks.headcount"]
    assert heads["values"] == [1.0, 2.0, 3.0]
    assert not heads["range_stated"]


def test_the_answer_is_shown_at_several_penalties_of_types_never_piloted():
    found = penalties(load("invoice_processing"), 4, 7, Means())
    assert [p.penalty for p in found] == [0.0, -0.6, pytest.approx(-0.6 - 1.6449 * 0.5, abs=1e-3)]
    accuracies = [p.accuracy for p in found]
    assert accuracies == sorted(accuracies, reverse=True)
    assert accuracies[0] - accuracies[2] > 0.02
    assert penalties(with_all_piloted(), 4, 7, Means()) == ()


def with_all_piloted():
    loaded = load("invoice_processing")
    data = loaded.case.model_dump(mode="json", exclude_unset=True)
    types = {name: {**spec, "piloted": True} for name, spec in data["types"].items()}
    return replace(loaded, case=type(loaded.case).model_validate({**data, "types": types}))


def test_baseline_fit_locates_days_by_dates(tmp_path):
    rows, mapping = export()
    folder = folder_with(tmp_path, invoices_csv=rows, invoices_toml=mapping)
    result = run("baseline", "fit", str(folder), "--draws", "5", "--json")
    assert result.exit_code == 0, result.output
    data = json.loads(result.stdout)
    legs = {leg["last"]: leg for leg in data["legs"]}
    assert legs["entry.ended"]["observed"]["mean"] == pytest.approx(8.0, abs=1.0)
    assert legs["entry.ended"]["simulated"]["mean"] == pytest.approx(legs["entry.ended"]["observed"]["mean"], abs=0.5)
    assert data["observed_days"]["mean"] == pytest.approx(14.0, abs=1.5)
    located = {place["step"]: place["located"] for place in data["places"]}
    assert located == {"entry": True, "match": False, "exceptions": False, "approve": False}
    text = run("baseline", "fit", str(folder), "--draws", "5").output
    assert "located by dates" in text
    assert "Next: export the" in text


def test_baseline_fit_without_an_export_says_what_is_not_located():
    result = run("baseline", "fit", "invoice_processing", "--draws", "5")
    assert result.exit_code == 0, result.output
    assert "as the case states it" in result.output
    assert "Next: export the" in result.output


# ---------------------------------------------------------------- what was learned


def test_contraction_of_known_distributions():
    """Normal before (sd 2) and after (sd 1): three quarters of the variance are gone; a log scale for times."""
    rng = np.random.default_rng(1)
    before, after = rng.normal(0, 2, 200_000), rng.normal(5, 1, 200_000)
    assert contraction(before, after) == pytest.approx(0.75, abs=0.01)
    assert contraction(np.ones(5), np.ones(5)) == 0.0
    assert [word_of(x) for x in (0.5, 0.49, 0.1, 0.09, -1.0, None)] == [
        "learned", "weak", "weak", "assumption", "assumption", "from the data alone"
    ]  # fmt: skip
    path = "steps.inbox.time.median"
    model = SubModel("x", {path: np.exp(after)}, {path: np.exp(before)}, after)
    (row,) = learned(posterior_of([model], {}), load("invoice_processing").case)
    assert row.contraction == pytest.approx(0.75, abs=0.01)
    assert row.dimension == "duration"


def test_a_volume_ten_times_smaller_than_believed_is_told():
    """1,900 cases a month within a factor of five before, 190 after: on the scale of ratios that is far, on that of differences it is not."""
    rng = np.random.default_rng(2)
    before, after = 1_900 * np.exp(rng.normal(0, 1, 50_000)), 190 * np.exp(rng.normal(0, 0.06, 50_000))
    path = "arrivals.per_month"
    (row,) = learned(posterior_of([SubModel("x", {path: after}, {path: before}, after)], {}), load("invoice_processing").case)
    assert row.conflict is not None
    assert row.conflict.distance == pytest.approx(-np.log(10), abs=0.05)
    assert row.conflict.strength == "some"


DEFECTS = "defect,environment,cases,with_defect\nmissing_fields,production,400,{}\n"


def test_data_far_from_what_was_believed_are_told(tmp_path):
    """Invoices with missing fields: believed to be 4 to 16 % live; 40 % of 400 were seen, then 8 %."""
    folder = folder_with(tmp_path, quality_csv=DEFECTS.format(160))
    result = run("fit", str(folder))
    assert result.exit_code == 0, result.output
    assert "lies far outside what was believed" in result.output
    found = run("evidence", "report", str(folder), "--quick", "--json")
    sections = {s["key"]: s for s in json.loads(found.stdout)["sections"]}
    assert "far outside" in " ".join(sections["conflict"]["sentences"])
    quiet = folder_with(tmp_path / "other", quality_csv=DEFECTS.format(32))
    assert "outside what was believed" not in run("fit", str(quiet)).output


def test_the_chance_if_bad_news_come_together(tmp_path):
    """Three fits in a row of the default case: rows of the sub-models pair differently, today's result is reproduced either way."""
    ready = "check,cause,passed,passes_if_ready,passes_if_not\nload test,integration,yes,0.95,0.4\n"
    settings = 'schema_version = 1\nzone = "UTC"\nready = { integration = 0.5 }\n'
    folder = folder_with(tmp_path, counts_csv=COUNTS, readiness_csv=ready, settings_toml=settings)
    fit_folder(folder, Sampling(7))
    loaded = load(str(folder))
    posterior = loaded.case.posterior
    assert posterior is not None
    assert len(posterior.sub_models) == 2
    found = together(loaded, posterior, 12, 1, Means())
    assert [(t.correlation, t.found.futures) for t in found] == [(0.0, 12), (0.5, 12)]
    assert found[0].found.outcome != found[1].found.outcome
    alone = replace(posterior, sub_models=posterior.sub_models[:1])
    assert together(loaded, alone, 12, 1, Means()) == ()


def test_what_cannot_be_used_is_said_before_anything_is_sampled(tmp_path, monkeypatch):
    """An export of four weeks beside results of the AI: refused before any model is compiled, and nothing is written."""
    monkeypatch.setattr("nutpie.compile_pymc_model", lambda *_, **__: pytest.fail("compiled"))
    table, mapping = export(cases=200, weeks=4)
    mapping = mapping.replace("2026-05-24", "2026-02-01")
    pilot = "type,tried,right\npo_standard,400,368\n"
    folder = folder_with(tmp_path, pilot_csv=pilot, counts_csv=COUNTS, invoices_csv=table, invoices_toml=mapping)
    with pytest.raises(CaseError, match="export a longer period"):
        fit_folder(folder, Sampling(7))
    assert not (folder / "posterior.nc").exists()


def test_another_mapping_of_the_same_export_is_another_fit(tmp_path):
    """The date of entry is taken out of the mapping: the baseline is fitted anew, without its leg."""
    table, mapping = export()
    folder = folder_with(tmp_path, invoices_csv=table, invoices_toml=mapping)
    assert "baseline" in fit_folder(folder, Sampling(7)).fresh
    assert "baseline" in fit_folder(folder, Sampling(7)).kept
    (folder / "evidence" / "invoices.toml").write_text(mapping.replace('entered = "entry.ended"\n', ""))
    again = fit_folder(folder, Sampling(7))
    assert "baseline" in again.fresh
    assert not any("entry" in name for name in again.posterior.names())
