"""What evidence taught, on its way into a simulation: rows, arms, files, refusals, runs that are kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import h5netcdf
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from models import parameters
from models.conditions import PRODUCTION
from models.posterior import Diagnostic, PosteriorDraws, SubModel, posterior_of
from scenarios.cli.main import app
from scenarios.files import changed, load, with_posterior
from scenarios.posterior_file import check_belongs, configuration_hash, evidence_hashes, read_posterior, write_posterior
from scenarios.problems import CaseError
from scenarios.runs import Store
from scenarios.study import Means
from scenarios.study.stored import decide, resume, stored_case
from scenarios.study.verdict import verdict
from scenarios.version import package_version

pytestmark = pytest.mark.xdist_group("sampler")


CATCH, SHIFT, PERMANENT = "steps.review.catch", "steps.send_to_ai.shift", "steps.match_ai.permanent"
ROWS = 400


def sub_model(name: str = "review", ess: float = 4_000.0, passed: bool = True, **columns: np.ndarray) -> SubModel:
    rng = np.random.default_rng(len(name))
    values = columns or {CATCH: rng.uniform(0.7, 0.9, ROWS)}
    check = Diagnostic("effective draws, bulk", ess, "at least 400", passed)
    return SubModel(name, values, values, next(iter(values.values())), (check,), notes=("ein Hinweis",))


def posterior(*models: SubModel, **provenance: object) -> PosteriorDraws:
    known = {"version": package_version(), "configuration": configuration_hash(load("invoice_processing").case), "evidence": {}}
    return posterior_of(models or (sub_model(),), {**known, **provenance})


def fitted(*models: SubModel):
    return with_posterior(load("invoice_processing"), posterior(*models))


# ---------------------------------------------------------------- rows


def test_a_draw_takes_one_row_of_a_sub_model_whatever_is_drawn_with_it():
    rng = np.random.default_rng(1)
    one, two = rng.normal(size=ROWS), rng.normal(size=ROWS)
    case = fitted(sub_model("ai", **{CATCH: one, SHIFT: two})).case
    many, few = parameters.sample(case, 7, range(50)), parameters.sample(case, 7, range(10, 20))
    first, second = many.values[CATCH]["production"], many.values[SHIFT]["production"]
    rows = [int(np.flatnonzero(one == x)[0]) for x in first]
    assert np.array_equal(two[rows], second)
    assert np.array_equal(few.values[CATCH]["production"], first[10:20])
    assert len(set(rows)) > 40


def test_parameters_without_evidence_keep_their_draws():
    plain, with_evidence = load("invoice_processing").case, fitted().case
    before, after = parameters.sample(plain, 7, range(20)), parameters.sample(with_evidence, 7, range(20))
    moved = {
        p for p in before.values for arm in parameters.ARMS if not np.array_equal(before.values[p][arm], after.values[p][arm])
    }
    assert moved == {CATCH}


def test_the_middle_values_are_the_medians_of_the_columns():
    case = fitted().case
    assert parameters.sample(case, 7, None).values[CATCH]["pilot"][0] == np.median(case.posterior.sub_models[0].columns[CATCH])


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_a_declared_correlation_joins_the_orders_and_moves_no_margin(correlation):
    """Place in the order of badness: uniform whatever the correlation; the normal scores of two sub-models correlate as declared.

    With 4,000 draws the standard error of a correlation is 0.016 (5 of them), the Kolmogorov distance stays below 1.95/√4000 with
    probability 0.999.
    """
    from scipy.stats import norm

    columns = {CATCH: np.arange(4_000.0)}, {SHIFT: np.arange(4_000.0)}
    joint = posterior(sub_model("a", **columns[0]), sub_model("b", **columns[1])).correlated(correlation)
    found = joint.draws(7, range(4_000))
    a, b = (np.sort(found[name]) for name in (CATCH, SHIFT))
    for ordered in (a, b):
        assert np.abs((ordered + 0.5) / 4_000 - (np.arange(4_000) + 0.5) / 4_000).max() < 1.95 / np.sqrt(4_000)
    scores = [norm.ppf((found[name] + 0.5) / 4_000) for name in (CATCH, SHIFT)]
    assert abs(np.corrcoef(*scores)[0, 1] - correlation) < 5 * 0.016


def test_evidence_of_one_arm_moves_that_arm_alone_and_today_where_today_is_as_live():
    live = np.full(ROWS, 0.2)
    case = fitted(sub_model("calls", **{f"{PERMANENT}.all@production".replace(".all", ""): live})).case
    draws = parameters.sample(case, 7, range(3))
    plain = parameters.sample(load("invoice_processing").case, 7, range(3))
    assert draws.values[PERMANENT]["production"].tolist() == [0.2] * 3
    assert draws.values[PERMANENT]["as_is"].tolist() == [0.2] * 3
    assert draws.values[PERMANENT]["pilot"].tolist() == plain.values[PERMANENT]["pilot"].tolist()
    assert draws.columns(PRODUCTION)[PERMANENT].tolist() == [0.2] * 3
    heads = "teams.entry_clerks.headcount"  # says today's value itself
    case = fitted(sub_model("heads", **{f"{heads}@production": np.full(ROWS, 9.0)})).case
    assert parameters.sample(case, 7, range(1)).values[heads]["as_is"].tolist() == [4.0]


def test_a_cause_that_is_under_control_stays_as_in_the_pilot():
    ready = np.arange(ROWS) % 2.0
    case = fitted(sub_model("readiness", **{"conditions.integration.ready": ready})).case
    draws = parameters.sample(case, 7, range(40))
    under = draws.values["conditions.integration.ready"]["production"] > 0
    columns, values = draws.columns(PRODUCTION), draws.values[PERMANENT]
    assert 5 < under.sum() < 35
    assert columns["conditions.integration"].tolist() == (1.0 - under).tolist()
    assert np.array_equal(columns[PERMANENT], np.where(under, values["pilot"], values["production"]))


def test_a_what_if_that_states_a_value_takes_its_place():
    loaded = fitted(sub_model("two", **{CATCH: np.full(ROWS, 0.9), SHIFT: np.full(ROWS, -1.0)}))
    what_if = changed(loaded, {CATCH: {"value": 0.5}})
    values = parameters.sample(what_if.case, 7, range(2)).values
    assert values[CATCH]["production"].tolist() == [0.5, 0.5]
    assert values[SHIFT]["production"].tolist() == [-1.0, -1.0]
    assert len({loaded.hash, what_if.hash, load("invoice_processing").hash}) == 3


def test_two_fits_of_one_parameter_are_refused():
    with pytest.raises(ValueError, match="two fits"):
        posterior(sub_model("a"), sub_model("b"))


# ---------------------------------------------------------------- verdict


def test_draws_are_worth_no_more_than_the_sample_they_come_from():
    known = posterior(sub_model("a", ess=300.0), sub_model("b", 900.0, True, **{SHIFT: np.zeros(ROWS)}))
    assert known.effective(200) == pytest.approx(1 / (1 / 200 + 1 / 300))
    case = with_posterior(load("invoice_processing"), known).case
    narrow, wide = verdict(load("invoice_processing").case, 6, 7), verdict(case, 6, 7)
    assert wide.verdict.probability is not None
    assert wide.verdict.standard_error == pytest.approx(
        (wide.verdict.probability * (1 - wide.verdict.probability) / known.effective(6)) ** 0.5
    )
    assert narrow.verdict.probability is not None


def test_a_fit_that_did_not_converge_carries_no_verdict():
    study = verdict(fitted(sub_model("review", 100.0, passed=False)).case, 3, 7)
    assert study.verdict.probability is None


# ---------------------------------------------------------------- the file


def test_a_fit_is_the_same_after_writing_and_reading(tmp_path):
    rng = np.random.default_rng(3)
    model = replace(
        sub_model(),
        reported={"accuracy by type": rng.normal(size=(ROWS, 2)), "headline/gap": rng.normal(size=ROWS)},
        coords={"accuracy by type": (("po", "ünlike"),)},
        informed_by={CATCH: ("seeded.csv",)},
    )
    known = posterior(model)
    write_posterior(tmp_path / "posterior.nc", known)
    found = read_posterior(tmp_path / "posterior.nc")
    assert (found.hash, found.provenance) == (known.hash, known.provenance)
    (read,) = found.sub_models
    assert (read.name, read.diagnostics, read.coords, read.informed_by, read.notes) == (
        model.name, model.diagnostics, model.coords, model.informed_by, model.notes
    )  # fmt: skip
    for group in ("columns", "prior", "reported"):
        mine, other = getattr(model, group), getattr(read, group)
        assert mine.keys() == other.keys()
        assert all(np.array_equal(mine[name], other[name]) for name in mine)
    assert [p.name for p in tmp_path.iterdir()] == ["posterior.nc"]


def problem_codes(act) -> list[str]:
    with pytest.raises(CaseError) as caught:
        act()
    return [p.code for p in caught.value.problems]


def test_what_does_not_belong_is_refused_with_the_reason(tmp_path):
    case, path = load("invoice_processing").case, tmp_path / "posterior.nc"
    check_belongs(path, posterior(), case, {})
    assert problem_codes(lambda: check_belongs(path, posterior(version="0.0.1"), case, {})) == ["E902"]
    other = changed(load("invoice_processing"), {CATCH: {"value": 0.5}}).case
    assert problem_codes(lambda: check_belongs(path, posterior(), other, {})) == ["E903"]
    promise = changed(load("invoice_processing"), {"target.level": "8 d"}).case
    check_belongs(path, posterior(), promise, {})  # what was promised is not what was fitted
    evidence = posterior(evidence={"pilot.csv": "a", "gone.csv": "b"})
    assert problem_codes(lambda: check_belongs(path, evidence, case, {"pilot.csv": "c", "new.csv": "d"})) == ["E904"] * 3


@pytest.mark.parametrize("content", [b"", b"not a netCDF file", b"\x89HDF\r\n\x1a\n" + b"\0" * 100])
def test_a_damaged_file_is_told_plainly(tmp_path, content):
    (tmp_path / "posterior.nc").write_bytes(content)
    assert problem_codes(lambda: read_posterior(tmp_path / "posterior.nc")) == ["E901"]


def test_changed_draws_are_noticed(tmp_path):
    """One byte of one draw; the file itself can still be read."""
    path, mine = tmp_path / "posterior.nc", posterior()
    write_posterior(path, mine)
    assert read_posterior(path).names() == mine.names()
    column = next(iter(mine.sub_models[0].columns.values()))
    data = bytearray(path.read_bytes())
    at = bytes(data).find(np.asarray(column, dtype=np.float64).tobytes())
    assert at > 0
    data[at + 6] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CaseError, match="not those that were written"):
        read_posterior(path)


def test_another_format_is_told_as_such(tmp_path):
    path = tmp_path / "posterior.nc"
    write_posterior(path, posterior())
    with h5netcdf.File(path, "a") as file:
        file.attrs["schema_version"] = 99
    assert problem_codes(lambda: read_posterior(path)) == ["E902"]


def with_attribute(group: str, name: str, value: object):
    def change(file: h5py.File) -> None:
        file[group].attrs[name] = value

    return change


CHECK = {"name": "draws", "value": 1.0, "limit": "at least 400", "passed": True}


@pytest.mark.parametrize(
    "change",
    [
        with_attribute("/", "schema_version", np.inf),
        *(
            with_attribute("/", "provenance", text)
            for text in ("[]", '{"evidence": [1]}', '{"evidence": null}', '{"evidence": {"a": 1}}', '{"keys": [1]}')
        ),
        *(
            with_attribute("review", "diagnostics", json.dumps([{**CHECK, **wrong}]))
            for wrong in ({"value": "abc"}, {"value": None}, {"value": 10**400}, {"value": True}, {"passed": "no"}, {"name": 1})
        ),
        with_attribute("review", "notes", "[1]"),
        with_attribute("review", "informed_by", '{"a": [null]}'),
    ],
)
def test_contents_that_no_fit_has_are_told_plainly(tmp_path, change):
    """Also where what is written as a hash of the draws fits them."""
    path = tmp_path / "posterior.nc"
    write_posterior(path, posterior())
    with h5py.File(path, "a") as file:
        change(file)
        columns = {name: file["review"][name][...] for name in (CATCH,)}
        file.attrs["draws"] = posterior_of((SubModel("review", columns, {}, columns[CATCH]),), {}).hash
    assert problem_codes(lambda: read_posterior(path)) == ["E901"]


@pytest.mark.parametrize(
    ("values", "badness"),
    [
        (np.full(ROWS, np.nan), np.zeros(ROWS)),
        (np.full(ROWS, np.inf), np.zeros(ROWS)),
        (np.zeros(0), np.zeros(0)),
        (np.zeros((ROWS, 2)), np.zeros(ROWS)),
        (np.zeros(ROWS + 1), np.zeros(ROWS)),
        (np.zeros(ROWS), np.full(ROWS, np.nan)),
    ],
)
def test_rows_that_no_fit_has_are_told_plainly(tmp_path, values, badness):
    path = tmp_path / "posterior.nc"
    write_posterior(path, posterior(SubModel("review", {CATCH: values}, {}, badness)))
    assert problem_codes(lambda: read_posterior(path)) == ["E901"]


def test_a_failure_within_the_library_is_told_plainly(tmp_path, monkeypatch):
    def failing(*_: object) -> None:
        raise RuntimeError("Unable to get group info")

    monkeypatch.setattr(h5netcdf, "File", failing)
    assert problem_codes(lambda: read_posterior(tmp_path / "posterior.nc")) == ["E901"]


def case_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "evidence").mkdir(parents=True)
    (folder / "case.toml").write_text('extends = "invoice_processing"\nschema_version = 1\nname = "mine"\ntitle = "Mine"\n')
    return folder


def test_commands_take_the_folder_with_its_fit(tmp_path):
    folder = case_folder(tmp_path)
    plain = load(str(folder))
    (folder / "evidence" / "seeded.csv").write_text("shown,caught\n20,18\n")
    assert load(str(folder)).unfitted == ("seeded.csv",)
    made = posterior(configuration=configuration_hash(plain.case), evidence=evidence_hashes(folder))
    write_posterior(folder / "posterior.nc", made)
    found = load(str(folder))
    assert found.case.posterior is not None
    assert found.case.posterior.hash == made.hash
    assert found.hash != plain.hash
    (folder / "evidence" / "seeded.csv").write_text("shown,caught\n20,19\n")
    result = CliRunner().invoke(app, ["verdict", str(folder), "--draws", "1"])
    assert result.exit_code == 2 or isinstance(result.exception, CaseError)


# ---------------------------------------------------------------- runs


def test_a_kept_run_carries_its_fit_and_goes_on_with_it(tmp_path):
    loaded = fitted()
    whole, begun = tmp_path / "whole", tmp_path / "begun"
    decide(loaded, 6, 7, Means(), whole)
    decide(loaded, 6, 7, Means(), begun)
    for name in ("result.json", "parts/draws-000005.parquet"):
        (begun / name).unlink()
    resume(begun, Means())
    for path in sorted(p.relative_to(whole) for p in whole.rglob("*") if p.is_file()):
        assert (whole / path).read_bytes() == (begun / path).read_bytes(), path
    with Store.open(begun) as store:
        assert stored_case(begun, store.manifest).case.posterior.hash == loaded.case.posterior.hash
    write_posterior(begun / "posterior.nc", posterior(sub_model("other")))
    (begun / "result.json").unlink()
    assert problem_codes(lambda: resume(begun, Means())) == ["E703"]
