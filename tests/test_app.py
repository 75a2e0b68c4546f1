"""The app without a browser: every page as its visitor sees and uses it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import tomllib
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from app_pages import links, parts, session
from models.schema import WhatIf
from scenarios.cli import app_command
from scenarios.cli.main import app as command_line
from scenarios.files import load, with_what_if
from scenarios.pages.what_if import effect_page
from scenarios.pages.what_if_controls import changes_of, controls_of
from scenarios.rebuilt import rebuilt
from scenarios.study import Means
from scenarios.study.what_if import effects
from scenarios.what_ifs import State, toml_of
from tests.app_testing import FORBIDDEN, MAIN, opened, settled, texts

ROOT = Path(__file__).parent.parent
CASE = "travel_declarations"


@pytest.fixture(autouse=True)
def _case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A case without queues, so that 200 futures take a moment."""
    monkeypatch.setenv("PILOTPROOF_CASE", CASE)


def control(at: AppTest, label: str) -> Any:
    found = [s for s in at.slider if s.label.startswith(label)]
    assert found, texts(at)
    return found[0]


def test_the_answer_of_the_page_is_that_of_the_command_line() -> None:
    at = opened()
    told = {metric.label: metric.value for metric in at.metric}
    done = CliRunner().invoke(command_line, ["verdict", CASE, "--json"])
    verdict = json.loads(done.stdout)
    assert f"{100 * verdict['probability_low']:.0f} and {100 * verdict['probability_high']:.0f} in 100" in texts(at)
    live = verdict["arms"]["production"]["mean_cycle_time_days"]["estimate"]
    assert told["Live"] == f"{live:.1f} d"


@pytest.mark.parametrize("page", ["answer", "what_if"])
def test_no_code_word_is_on_a_page(page: str) -> None:
    found = texts(opened(page)).lower()
    assert [word for word in FORBIDDEN if word in found] == []


def test_a_moved_control_shows_the_difference_and_is_kept_while_other_pages_are_looked_at() -> None:
    opened("answer")  # whole, so that the card of trust says the same before and after
    at = opened("what_if")
    assert "Nothing is changed yet" in texts(at)
    control(at, "Accuracy, live").set_value(95.0).run()
    settled(at)
    before = texts(at)
    assert "The chance that the promise is kept" in before
    at.switch_page("answer.py").run()
    settled(at)
    at.switch_page("what_if.py").run()
    settled(at)
    assert control(at, "Accuracy, live").value == 95.0
    assert texts(at) == before


def test_the_difference_on_the_page_is_that_of_compare_on_the_saved_file(tmp_path: Path) -> None:
    at = opened("what_if")
    control(at, "Accuracy, live").set_value(95.0).run()
    settled(at)
    at.text_input[0].input("Better")
    next(b for b in at.button if b.label == "Save").click().run()
    settled(at)
    assert any("Accuracy, live 89.5 % → 95 %" in c.value.replace("\\", "") for c in at.caption)  # beside its name
    file = tmp_path / "better.toml"
    file.write_text(_download(at), encoding="utf-8")
    assert tomllib.loads(file.read_text())["what_if_of"] == CASE
    done = CliRunner().invoke(command_line, ["compare", CASE, str(file), "--draws", "200", "--seed", "7", "--json"])
    row = json.loads(done.stdout)["figures"]["mean_cycle_time_days"]
    shown = next(m.value for m in at.metric if m.label == "Difference")
    assert shown.replace("−", "-").replace("+", "").split()[0] == f"{row['difference']:.2f}"


def _download(at: AppTest) -> str:
    loaded = load(CASE)
    return toml_of(at.session_state[f"saved {loaded.hash}"]["Better"], CASE, loaded.hash)


def test_a_link_restores_the_same_numbers_in_a_fresh_browser() -> None:
    at = opened("what_if")
    control(at, "Accuracy, live").set_value(95.0).run()
    settled(at)
    at.session_state["link open"] = True
    at.run()
    settled(at)
    link = next(c.value for c in at.code if "?s=" in c.value)
    numbers = [m.value for m in at.metric]
    fresh = AppTest.from_file(MAIN, default_timeout=60)
    fresh.query_params["s"] = parse_qs(urlsplit(link).query)["s"][0]
    fresh.run()
    settled(fresh)
    fresh.switch_page("what_if.py").run()
    settled(fresh)
    assert control(fresh, "Accuracy, live").value == 95.0
    assert [m.value for m in fresh.metric] == numbers


@pytest.mark.parametrize("text", ["", "x" * 20_000, "eJwDAAAAAAE", "../../etc/passwd", "%00"])
def test_a_bad_link_ends_in_a_plain_message(text: str) -> None:
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.query_params["s"] = text
    at.run()
    assert not at.exception
    assert any("link could not be used" in w.value for w in at.warning)


def with_link(**changed: Any) -> AppTest:
    data = {"v": 1, "c": CASE, "h": "x", "p": "1", "s": {}, "a": None, "n": "mine", "t": "Mine", "w": True} | changed
    at = AppTest.from_file(MAIN, default_timeout=60)
    at.query_params["s"] = base64.urlsafe_b64encode(zlib.compress(json.dumps(data).encode())).decode()
    return at.run()


def test_a_link_to_a_place_of_this_computer_touches_nothing_there(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    for name in (str(victim / "x"), str(tmp_path / "new" / "x"), ".", "a/b", "a\0b", "\ud800"):
        at = with_link(n=name)
        assert not at.exception
        assert any("link could not be used" in w.value for w in at.warning)
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]


@pytest.mark.parametrize("answers", [{"owner": [1]}, {"promise": {"statistic": "²"}}, {"today": {"observed": "9 cows"}}])
def test_a_link_whose_answers_cannot_be_used_leaves_no_case_open(answers: dict[str, Any]) -> None:
    at = with_link(a=answers)
    assert not at.exception
    assert any("You see the example instead" in w.value for w in at.warning)
    assert "mine" not in at.query_params
    assert "mine" not in at.session_state


def test_a_case_under_a_name_that_no_link_can_carry_does_not_travel() -> None:
    loaded = rebuilt(CASE, "My-Case", "Mine", None)
    state = State(CASE, loaded.hash, "1", name="My-Case", title="Mine")
    assert not links._travels(state)
    assert links._travels(replace(state, name="my_case", case_hash=rebuilt(CASE, "my_case", "Mine", None).hash))


def test_the_settings_that_the_command_passes_are_those_of_the_folder() -> None:
    mine = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert mine == tomllib.loads((ROOT / "app_pages" / "config.toml").read_text())
    flags = app_command.settings(ROOT / "app_pages" / "config.toml")
    assert {"--server.maxUploadSize=100", "--browser.gatherUsageStats=false"} <= set(flags)
    assert [flag for flag in flags if "allowedHosts" in flag] == [
        "--server.allowedHosts=localhost",
        "--server.allowedHosts=127.0.0.1",
    ]
    assert '--theme.light.headingFontSizes=["1.6rem", "1.25rem", "1.1rem"]' in flags


def test_an_unknown_case_is_told_before_a_server_starts() -> None:
    command = [sys.executable, "-m", "scenarios.cli.main", "app", "no_such_case"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "no_such_case" in done.stderr
    assert "no such file, folder or shipped scenario" in done.stderr


def test_twenty_visitors_at_once_see_each_their_own_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each moves the accuracy to a level of their own; what they see must be what that level gives, whoever else asks meanwhile."""
    monkeypatch.setattr("models.decisions.verdict.DECISION_DRAWS", 10)  # what is each one's own shows in few futures as well
    levels = [70.0 + 0.5 * i for i in range(20)]  # other tests look at other levels, with more futures

    crowd = [AppTest.from_file(MAIN, default_timeout=60).run() for _ in levels]
    for at in crowd:
        at.switch_page("what_if.py").run()
    for at, accuracy in zip(crowd, levels, strict=True):  # all ask before anybody has an answer
        control(at, "Accuracy, live").set_value(accuracy).run()
    seen = [(texts(settled(at, 300)), [m.value for m in at.metric]) for at in crowd]
    loaded = load(CASE)
    for accuracy, (page, numbers) in zip(levels, seen, strict=True):
        tried = with_what_if(loaded, WhatIf(changes=changes_of(loaded.case, controls_of(loaded.case), {"accuracy": accuracy})))
        effect = list(effects(loaded, tried, 10, 7, Means()))[-1]
        assert f"→ {accuracy:g} %" in page
        assert numbers == [told.value for told in effect_page(effect, "").numbers]
    assert len({tuple(numbers) for _, numbers in seen}) > 10


def test_where_a_login_is_required_nothing_is_shown_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILOTPROOF_LOGIN", "required")
    at = AppTest.from_file(MAIN, default_timeout=60).run()
    assert not at.exception
    assert [b.label for b in at.button] == ["Log in"]
    assert not at.metric


def test_a_case_of_ones_own_leaves_nothing_in_the_cache_of_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PILOTPROOF_CACHE", str(tmp_path))
    at = opened("start")
    at.text_input[0].input("Mine alone").run()
    next(b for b in at.button if b.label == "Show my answer").click().run()
    settled(at)
    at.switch_page("answer.py").run()
    settled(at)
    assert "Mine alone" in texts(at) or "5.48" in texts(at)
    at.switch_page("what_if.py").run()
    control(at, "Accuracy, live").set_value(95.0).run()
    settled(at)
    assert "The chance that the promise is kept" in texts(at)
    assert {path.name.rpartition("-")[0] for path in tmp_path.glob("runs/*")} <= {f"verdict-{CASE}"}  # the example seen first
    assert {path.name.split("-")[1] for path in tmp_path.glob("solved-*")} <= {load(CASE).today}
    assert list((session.workspaces().root / at.session_state["mine"] / session.CACHE).glob("runs/verdict-*"))


@pytest.mark.parametrize(
    "text", ["![x](http://evil.example/x)", ":material/home:", ":smile:", "http://evil.example/x", "www.evil.example", "a@evil.example", "$x^2$", ":red[x]"]
)  # fmt: skip
def test_text_of_users_is_neither_link_nor_icon_nor_formula(text: str) -> None:
    """Signs are escaped; what is drawn even without signs is parted by a joiner that nobody sees."""
    shown = parts.plain(text)
    assert shown.replace("\\", "").replace(parts.JOINER, "") == text.replace("\\", "")
    unescaped = shown.replace("\\", "")
    assert not any(re.search(found, unescaped) for found in (r":\w+(/\w+)?:", r"https?://", r"www\.", r"\w@\w"))
    assert all(shown[i - 1] == "\\" for i, c in enumerate(shown) if c in "[]()!$")


def test_work_that_fails_is_told_and_not_asked_for_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def broken(*_: object) -> Any:
        tries.append(1)
        raise ValueError("figures of nowhere")

    monkeypatch.setattr("scenarios.study.what_if.effects", broken)
    at = opened("what_if")
    control(at, "Accuracy, live").set_value(61.5).run()  # no other test looks at this level
    settled(at)
    for _ in range(3):
        at.run()
    assert "This could not be computed: figures of nowhere" in texts(at)
    assert len(tries) == 1
