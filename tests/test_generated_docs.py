"""Pages made from code are in step with it: the errors with real examples, and the reference of the case file."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from models import schema
from scenarios.problems import CODES

DOCS = Path(__file__).resolve().parent.parent / "docs"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


ERRORS, REFERENCE, EVIDENCE = script("make_errors"), script("make_scenario_reference"), script("make_evidence")
ANSWERS = script("make_answers")


def test_the_page_of_errors_is_in_step():
    assert ERRORS.PAGE.read_text(encoding="utf-8") == ERRORS.page(), "run python docs/make_errors.py"


@pytest.mark.parametrize("code", CODES)
def test_every_code_has_an_example_that_gives_it(code):
    assert f"  {code}  " in ERRORS.message_of(code)


def test_the_reference_is_in_step():
    assert REFERENCE.PAGE.read_text(encoding="utf-8") == REFERENCE.page(), "run python docs/make_scenario_reference.py"


def test_the_page_of_evidence_is_in_step():
    assert EVIDENCE.PAGE.read_text(encoding="utf-8") == EVIDENCE.page(), "run python docs/make_evidence.py"


def test_the_table_of_answers_is_in_step():
    assert ANSWERS.PAGE.read_text(encoding="utf-8") == ANSWERS.page(), "run python docs/make_answers.py"


def test_the_reference_holds_every_table_of_the_schema():
    listed = {model for models in REFERENCE.SECTIONS.values() for model in models}
    reachable = REFERENCE.reachable(schema.CaseFile, set())

    assert {m for m in reachable - listed if not issubclass(m, schema.Belief)} == set()
    assert listed - reachable - {schema.Parameter, schema.StepBase} == set()


def test_every_key_of_every_table_is_listed():
    page = REFERENCE.PAGE.read_text(encoding="utf-8")
    for model in REFERENCE.reachable(schema.CaseFile, set()):
        for name in model.model_fields:
            assert f"| `{name}` |" in page or name in ("kind", "law"), (model.__name__, name)


def test_links_inside_the_pages_lead_somewhere():
    for page in ("errors.md", "scenario-reference.md", "evidence.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        anchors = {
            "".join(c for c in line.lstrip("# ").lower().replace(" ", "-") if c.isalnum() or c in "-_")
            for line in text.splitlines()
            if line.startswith("#")
        }
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= anchors
        assert all((DOCS / file).is_file() for file in re.findall(r"\]\(([\w./-]+)\)", text))
