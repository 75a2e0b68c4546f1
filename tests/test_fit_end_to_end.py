"""A case folder with every example file of evidence: fitted with all samplers at full length, judged, and reported."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from scenarios.cli.main import app

pytestmark = pytest.mark.xdist_group("sampler")


SAMPLED = {"accuracy", "service", "latency", "approvals", "arrivals"}


def run(*arguments: str):
    return CliRunner().invoke(app, list(arguments))


@pytest.mark.slow
def test_all_examples_from_template_to_verdict(tmp_path):
    folder = tmp_path / "mine"
    assert run("case", "new", str(folder), "--from", "invoice_processing").exit_code == 0
    assert run("evidence", "init", str(folder)).exit_code == 0
    evidence = folder / "evidence"
    settings = evidence / "settings.toml"
    settings.write_text(settings.read_text().replace("# zone", "zone"))
    for example in evidence.glob("*.example.csv"):
        if not example.name.startswith("invoices"):
            example.rename(evidence / example.name.replace(".example", ""))
    fitted = run("fit", str(folder), "--json")
    assert fitted.exit_code == 0, fitted.output
    data = json.loads(fitted.stdout)
    assert data["passed"]
    assert {s["name"] for s in data["sub_models"]} >= SAMPLED
    told = [note for s in data["sub_models"] if s["name"] == "catch" for note in s["notes"]]
    assert any("steps.review.catch: the view in the file experts does not speak here" in note for note in told)
    verdict = run("verdict", str(folder), "--json", "--draws", "24")
    assert verdict.exit_code == 0, verdict.output
    judged = json.loads(verdict.stdout)
    assert (
        judged["probability"] is None
    )  # three requests to approvers leave waits of months possible: today's 14 days often cannot be
    assert judged["baseline"]["rejected_draws"] > 0.2 * judged["baseline"]["proposals"]
    report = run("evidence", "report", str(folder), "--quick", "--json")
    assert report.exit_code == 0, report.output
    keys = {s["key"] for s in json.loads(report.stdout)["sections"]}
    assert {"accuracy send_to_ai", "divergence send_to_ai", "learned", "predictive", "checks", "notes"} <= keys
