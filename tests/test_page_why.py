"""The page Why: parts that add up, causes over the same futures, weeks, teams and a story, and what a reader sees of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomlkit
from streamlit.testing.v1 import AppTest

from models.conditions import CAUSES
from models.schema import CaseFile
from scenarios import exhibits
from scenarios.files import LoadedCase, load, validated
from scenarios.pages import why_causes, why_days, why_mechanism, why_story, why_teams, why_weeks
from scenarios.study import Means, VerdictStudy, verdict
from scenarios.study.causes_apart import ALL_BUT, ALONE, APART, CausesApart, Effect, apart, causes_apart, interval
from scenarios.study.draws import collect
from simulator.clock import DAY
from simulator.statistics import Estimate
from simulator.summary import cycle_seconds
from tests.app_testing import opened, settled, texts
from tests.case_builder import AI, small, with_changes
from tests.test_cli import run

SEED, FEW = 7, 6
CODE_WORDS = (
    "posterior",
    "prior",
    "draw",
    "replication",
    "arm",
    "shapley",
    "evppi",
    "evsi",
    "standard error",
    "as_is",
    "production",
    "contraction",
    "logit",
)


def plan() -> dict[str, Any]:
    """A case with an AI, two teams one of which loses a person in week 3, and a cause of every kind."""
    ai = {
        **AI, "label": "the machine", "manual": "entry", "accepted": "done", "referred": "entry", "shift": -0.8,
        "adoption": {"start": 0.5, "weeks": 4}, "coverage": 0.3,
    }  # fmt: skip
    data = with_changes({
        "steps.first": ai,
        "steps.answer.time": {"kind": "exponential", "mean": "2 d"},
        "teams.clerks": {
            "headcount": {"pilot": 2, "production": 2, "cause": "organisation"}, "calendar": "office", "label": "the clerks",
            "change": {"from_week": 3, "headcount": {"pilot": 2, "production": 1, "cause": "organisation"}},
        },
    })  # fmt: skip
    data["types"]["hard"] = {"share": 0.3, "piloted": False, "label": "hard ones"}
    return data


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PILOTPROOF_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def loaded() -> LoadedCase:
    return validated(plan(), "case.toml")


@pytest.fixture(scope="module")
def study(loaded: LoadedCase) -> VerdictStudy:
    return verdict(loaded.case, FEW, SEED)


# -- where the days go


def test_the_table_adds_up_as_it_is_and_as_it_is_shown(study):
    days = why_days.days_table(study)

    for world in range(3):
        assert sum(row.days[world] for row in days.rows) == pytest.approx(days.total.days[world], abs=1e-12)
        assert sum(round(100 * float(row.shown[world])) for row in days.rows) == round(100 * float(days.total.shown[world]))
    means = [
        np.mean([r.arms[arm].figures["mean_cycle_time_days"] for r in study.results]) for arm in ("as_is", "pilot", "production")
    ]
    assert days.total.days == pytest.approx(means, abs=1e-9)
    assert [float(text) for text in days.total.shown] == pytest.approx(means, abs=0.0051)


@pytest.mark.parametrize(
    ("values", "shown"),
    [([1 / 3, 1 / 3, 1 / 3], [34, 33, 33]), ([0.005, 0.005], [1, 0]), ([-0.004, 1.004], [0, 100]), ([], [])],
)
def test_rounded_values_add_up_to_the_rounded_sum(values, shown):
    assert why_days.adding_up(values) == shown


def test_the_difference_shown_is_the_difference_of_what_is_shown(study):
    for row in why_days.days_shown(why_days.days_table(study)):
        change = float(row["live − today"].replace("−", "-"))
        assert change == pytest.approx(float(row["live"]) - float(row["today"]), abs=1e-9)


def test_days_and_means_are_those_of_the_command_line(tmp_path):
    file = tmp_path / "case.toml"
    file.write_text(tomlkit.dumps(plan()), encoding="utf-8")
    shown = json.loads(run("verdict", str(file), "--draws", str(FEW), "--seed", str(SEED), "--json").stdout)

    days = why_days.days_table(verdict(load(str(file)).case, FEW, SEED))

    for world, arm in enumerate(("as_is", "pilot", "production")):
        assert days.total.days[world] == pytest.approx(shown["arms"][arm]["mean_cycle_time_days"]["estimate"], rel=1e-8)
        assert sum(shown["where_the_days_go"][arm].values()) == pytest.approx(days.total.days[world], rel=1e-7)
    queue = next(row for row in days.rows if row.name.startswith("waits for others outside"))
    assert queue.days[2] == pytest.approx(shown["where_the_days_go"]["production"]["outside_wait"], rel=1e-8)


# -- the mechanism


def test_the_chain_says_the_figures_of_the_model(study):
    links = {link.lead: link for link in why_mechanism.mechanism(study)}
    accepted = np.mean([r.arms["production"].figures["accepted_share"] for r in study.results])

    assert "right in 90 % of the cases" in links["Level"].text
    assert f"{100 * accepted:.0f} % pass without review" in links["What passes without review"].text
    assert "What 100 % accuracy would give" in links
    assert list(links)[:3] == ["Level", "What passes without review", "Which queues change"]


def test_every_link_says_world_weeks_and_sample(study):
    for link in why_mechanism.mechanism(study):
        assert link.how
    lines = " ".join(why_mechanism.traced(why_mechanism.mechanism(study)))
    assert f"weeks 5 to 8, mean of {FEW} simulated futures" in lines
    assert "live," in lines
    assert "today and live," in lines


def test_a_case_without_an_ai_has_no_level():
    leads = [link.lead for link in why_mechanism.mechanism(verdict(validated(small(), "x").case, 2, SEED))]

    assert "Level" not in leads
    assert "What stays" in leads


def test_days_by_step_are_all_days(study):
    for arm in ("as_is", "production"):
        by_step = why_mechanism.days_by_step(study, arm)
        mean = np.mean([r.arms[arm].figures["mean_cycle_time_days"] for r in study.results])
        assert sum(by_step.values()) == pytest.approx(mean, abs=1e-9)


def test_reviews_a_week_are_counted_from_the_cases():
    """Every second case goes to the AI and all it gets are referred: reviews are half of what arrives."""
    data = plan()
    data["steps"][0] |= {"routed": 0.5, "coverage": 0.0, "accepted_error": 0.0, "referred": "look"}
    data["steps"][0].pop("adoption")
    data["types"]["hard"]["piloted"] = True
    look = {
        "id": "look",
        "kind": "review",
        "of": data["steps"][0]["id"],
        "team": "clerks",
        "service": "1 min",
        "catch": 1.0,
        "next": "done",
    }
    data["steps"].insert(1, look)
    found = verdict(validated(data, "x").case, 4, SEED)
    cases = np.mean([r.arms["production"].figures["cases"] for r in found.results])

    assert why_mechanism.reviews_a_week(found, "production") == pytest.approx(cases / 4 / 2, rel=0.1)


# -- causes


def test_causes_are_differences_over_the_same_futures(loaded, study):
    done = collect(loaded.case, APART, FEW, SEED)
    found = apart(loaded.case, done)

    live = np.asarray([r.arms["production"].figures["mean_cycle_time_days"] for r in study.results])
    pilot = np.asarray([r.arms["pilot"].figures["mean_cycle_time_days"] for r in study.results])
    assert found.whole == pytest.approx(live - pilot, abs=1e-12)
    organisation = next(e for e in found.effects if e.cause == "organisation")
    alone = np.asarray([r.arms["organisation"].figures["mean_cycle_time_days"] for r in done.results])
    others = np.asarray([r.arms["data+integration+scope"].figures["mean_cycle_time_days"] for r in done.results])
    assert organisation.alone == pytest.approx(alone - pilot)
    assert organisation.last == pytest.approx(live - others)
    integration = next(e for e in found.effects if e.cause == "integration")
    assert not integration.alone.any()
    assert not integration.last.any()


def test_causes_tighten_and_end_with_the_number_asked_for(loaded):
    looks = list(causes_apart(loaded, 15, SEED, Means()))

    assert [look.futures for look in looks] == [10, 15]
    for early, late in zip(looks[0].effects, looks[1].effects, strict=True):
        assert late.alone[:10] == pytest.approx(early.alone)


def test_every_cause_is_there_alone_and_last():
    assert set(ALONE) == set(ALL_BUT) == set(CAUSES)
    assert all(ALONE[c] | ALL_BUT[c] == set(CAUSES) and not ALONE[c] & ALL_BUT[c] for c in CAUSES)


def effects(case: CaseFile, **alone: list[float]) -> CausesApart:
    rows = tuple(Effect(c, np.asarray(alone.get(c, [0.0] * 4)), np.asarray(alone.get(c, [0.0] * 4)) / 2) for c in CAUSES)
    return CausesApart(case, rows, sum((r.alone for r in rows), np.zeros(4)))


def test_causes_in_words(loaded):
    shown = why_causes.causes(effects(loaded.case, data=[1.0, 1.1, 0.9, 1.0], scope=[-1.0, 1.0, 0.5, -0.5]))
    by_name = {row.name: row for row in shown.rows}

    assert shown.finding == "Data costs most: +1.00 days alone, +0.50 if it comes last"
    assert by_name["Data"].said[0].startswith("+1.00 days (+0.9")
    assert by_name["Scope"].said[0].startswith("cannot be told from nothing (−")
    assert by_name["Integration"].said == ("changes nothing in any simulated future",) * 2
    assert "Alone they add up to +1.00, last to +0.50 days" in shown.sentences[1]
    assert any("hard ones" in what for what in by_name["Scope"].switches)
    assert any("the clerks" in what for what in by_name["Organisation"].switches)


def test_the_range_is_the_90_per_cent_range_of_the_mean():
    values = np.asarray([1.0, 2.0, 3.0, 4.0])
    e = interval(values)

    assert e.high - e.estimate == pytest.approx(2.35336 * values.std(ddof=1) / 2, rel=1e-4)  # t(0.95, 3)
    assert interval(values[:1]).low == -np.inf


def test_shares_are_told_in_percentage_points_and_fewer_in_time_is_worse(loaded):
    target = loaded.case.target.model_copy(
        update={"statistic": "share_within", "direction": "at_least", "level": "60 %", "within": "3 d"}
    )
    case = loaded.case.model_copy(update={"target": target})
    shown = why_causes.causes(effects(case, data=[-0.10, -0.11, -0.09, -0.10], scope=[0.2, 0.2, 0.21, 0.19]))

    assert shown.unit == "percentage points"
    assert shown.finding.startswith("Data costs most: −10.0 percentage points alone")


@pytest.mark.parametrize(
    ("low", "mean", "high", "words"),
    [
        (0.1, 0.2, 0.3, "+0.20 days (+0.10 to +0.30)"),
        (-0.1, 0.2, 0.5, "cannot be told from nothing (−0.10 to +0.50 days)"),
        (0.0, 0.0, 0.0, "changes nothing in any simulated future"),
        (-0.3, -0.2, -0.1, "−0.20 days (−0.30 to −0.10)"),
    ],
)
def test_a_difference_in_words(low, mean, high, words):
    assert why_causes.said(Estimate(mean, low, high, 0.1), "days", 2) == words


# -- weeks


def test_the_weeks_grow_into_the_exhibit(loaded):
    looks = list(why_weeks.growing_exhibit(loaded, 3, SEED, Means()))
    whole = exhibits.simulate(loaded.case, 3, SEED, loaded.case.target.weeks[1])

    assert [done for _, done, _ in looks] == list(range(0, 19, 2))
    first = next(e for e, _, _ in looks if e is not None)
    last = looks[-1][0]
    assert (first.futures, last.futures) == (2, 3)
    for arm in exhibits.ARMS:
        np.testing.assert_array_equal(last.above[arm], whole.above[arm])
        np.testing.assert_array_equal(last.below[arm], whole.below[arm])
        np.testing.assert_array_equal(first.above[arm], whole.above[arm][:2])


def made_up(case: CaseFile, late: float) -> exhibits.Exhibit:
    """Four futures of 12 weeks in which review backlog live grows by `late` from week 4 on; all else is the same everywhere."""
    noise = np.asarray([-0.01, 0.0, 0.01, 0.0])[:, None]
    above = {arm: np.ones((4, len(exhibits.MEASURES), 12)) for arm in exhibits.ARMS}
    above["all"][:, 1, 3:] += late + noise
    target = case.target.model_copy(update={"weeks": (5, 12)})
    return exhibits.Exhibit(
        case.model_copy(update={"target": target}), SEED, above, {arm: np.ones_like(a) for arm, a in above.items()}
    )


def test_what_emerges_is_said_and_so_is_what_does_not(loaded):
    grows, flat = (why_weeks.emerging(made_up(loaded.case, late)) for late in (5.0, 0.0))
    backlog = exhibits.MEASURES[1]

    assert {m.short: t for m, t in grows.measures}[backlog.short].startswith("Review backlog: a decline emerges, +5.00 cases")
    assert {m.short: t for m, t in flat.measures}[backlog.short] == "Review backlog: no decline emerges"
    assert flat.sentences[0] == "All four causes together: no decline emerges."
    rows = list(why_weeks.emerging_shown(grows, backlog))
    assert [row["live"] for row in rows] == ["all four causes", *(f"{cause} alone" for cause in exhibits.CAUSES)]
    assert rows[0]["weeks 1–3"].startswith("0.00 (")
    assert rows[0]["weeks 4–12"] == rows[0]["change"]
    assert rows[0]["change"].startswith("+5.00 (")
    assert [row["what that says"] for row in rows] == ["a decline emerges", *["no decline"] * 4]
    assert not any("*" in sentence for sentence in (*grows.sentences, *flat.sentences))


def test_a_promise_that_ends_early_cannot_show_a_decline(loaded):
    exhibit = made_up(loaded.case, 5.0)
    short = replace(exhibit, case=loaded.case)  # weeks 5 to 8

    assert "cannot be said" in why_weeks.emerging(short).sentences[0]


def test_the_weeks_are_the_means_of_the_futures(study):
    found = why_weeks.by_week(study)
    week = next(r for r in found.rows if (r.world, r.week) == ("live", 6))

    assert week.days == pytest.approx(np.mean([r.arms["production"].by_week[6] for r in study.results]))
    assert {r.week for r in found.rows if r.world == "as in the pilot"} == set(range(1, 9))
    assert found.today == pytest.approx(np.mean([r.arms["as_is"].figures["mean_cycle_time_days"] for r in study.results]))


def test_every_number_that_changes_by_week_is_listed_with_its_source():
    for name in ("invoice_processing", "claims_intake"):
        case = load(name).case
        rows = why_weeks.inputs(case)
        items = exhibits.weekly_inputs(case, 26)
        assert len(rows) == len(items)
        for row, item in zip(rows, items, strict=True):
            assert row.source
            if item.unit != "logit":
                assert row.values == item.values
        shown = list(why_weeks.inputs_shown(rows))
        assert not any("_" in row["number"] for row in shown)
        assert all("logit" not in line for line in why_weeks.inputs_sources(rows))
        assert all(f"week {case.target.weeks[1]}" in row for row in shown)


def test_support_is_told_in_odds():
    rows = why_weeks.inputs(load("invoice_processing").case)
    support = next(r for r in rows if r.name == "exception desk: support")

    assert support.values[0] == pytest.approx(np.exp(0.5))
    assert support.values[-1] == 1.0
    assert "guessed (project support leaves after week 6)" in support.source


# -- teams


def test_the_load_of_a_team_is_that_of_the_runs(study):
    found = why_teams.teams(study)
    clerks = found.teams[0]

    weeks = study.results[0].arms["production"].weeks
    loads = [r.arms["production"].utilisation["clerks"][weeks == 4][0] for r in study.results]
    assert clerks.by_week[3] == pytest.approx(np.mean(loads))
    assert found.finding == f"The clerks is busiest: {100 * np.nanmax(clerks.by_week):.0f} % in week {clerks.busiest}"
    assert clerks.people[:4] == (2, 2, 1, 1)
    assert why_teams.people_words(clerks.people) == "2, from week 3: 1"


def test_a_case_without_teams_has_no_load(study):
    assert why_teams.teams(replace(study, case=study.case.model_copy(update={"teams": {}}))) is None


# -- one story


def test_the_story_is_that_of_the_command_line(tmp_path):
    file = tmp_path / "case.toml"
    file.write_text(tomlkit.dumps(plan()), encoding="utf-8")
    shown = json.loads(run("trace", str(file), "--case", "11", "--seed", str(SEED), "--json").stdout)

    first, last = why_story.told(load(str(file)), "live", "number", 11, SEED)

    assert first.elsewhere == ()
    assert last.story.cycle_days == pytest.approx(shown["cycle_days"], abs=1e-6)
    assert [e["when"] for e in shown["events"]] == [
        row["when"].replace("\N{NON-BREAKING HYPHEN}", "-") for row in why_story.events_shown(last)
    ]
    bars = why_story.story_rows(last)
    assert max(bar["to, days"] for bar in bars) == pytest.approx(shown["cycle_days"], abs=1e-5)
    assert sum(bar["hours"] for bar in bars) == pytest.approx(sum(shown["hours"].values()), abs=1e-4)


def test_the_same_case_in_the_other_worlds(loaded):
    *_, live = why_story.told(loaded, "live", "number", 3, SEED)
    *_, today = why_story.told(loaded, "today", "number", 3, SEED)

    assert dict(live.elsewhere) == dict(today.elsewhere)
    assert dict(live.elsewhere)["live"] == live.story.cycle_days
    assert dict(live.elsewhere)["today"] == today.story.cycle_days


def cycles(loaded: LoadedCase) -> np.ndarray:
    """Days of all cases of the promised weeks, live."""
    future = why_story.run_of(loaded, "production", SEED)
    return cycle_seconds(future.ledger)[why_story.in_target_weeks(loaded.case, future)] / DAY


def test_typical_slow_and_fast_are_what_they_say(loaded):
    days = {which: next(why_story.told(loaded, "live", which, 0, SEED)).story.cycle_days for which in ("fast", "typical", "slow")}
    all_days = cycles(loaded)

    assert days["fast"] <= days["typical"] <= days["slow"]
    assert np.mean(all_days < days["slow"]) == pytest.approx(0.9, abs=0.02)
    assert np.mean(all_days < days["typical"]) == pytest.approx(0.5, abs=0.02)


def test_a_number_beyond_the_last_gives_the_last(loaded):
    told = next(why_story.told(loaded, "live", "number", 10**6, SEED))

    assert told.story.number == told.count - 1
    assert f"of {told.count}" in next(iter(why_story.sentences(told)))


def test_a_case_without_any_step_took_no_time(loaded):
    story = replace(next(why_story.told(loaded, "live", "typical", 0, SEED)).story, events=(), cycle_days=0.0)

    assert why_story.headline(why_story.Told(story, "live", 1, ())) == "This case took no time"


def test_the_story_in_words(loaded):
    *_, told = why_story.told(loaded, "live", "slow", 0, SEED)
    said = " ".join(why_story.sentences(told))

    assert f"{told.story.cycle_days:.2f} days" in said
    assert "The same case with the same luck: today" in said
    assert "[" not in said
    assert why_story.headline(told).startswith(f"This case took {told.story.cycle_days:.1f} days; ")


# -- the page


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("case") / "case.toml"
    found.write_text(tomlkit.dumps(plan()), encoding="utf-8")
    return found


def few_futures(patch: pytest.MonkeyPatch) -> None:
    """The module that others import first, so that it keeps its own number; then the one that the page reads anew."""
    patch.setattr("app_pages.verdict_work.DECISION_DRAWS", 10)
    patch.setattr("models.decisions.verdict.DECISION_DRAWS", 10)


@pytest.fixture
def at(file: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("PILOTPROOF_CASE", str(file))
    few_futures(monkeypatch)
    monkeypatch.setattr("scenarios.pages.why_weeks.FUTURES", 2)
    return opened("why")


def open_part(at: AppTest, name: str) -> AppTest:
    at.session_state[f"why {name}"] = True
    return settled(at.run())


def charts(at: AppTest) -> list[str]:
    return [chart.proto.alt for chart in at.get("vega_lite_chart")]


def tables(at: AppTest) -> str:
    return "\n".join(table.value.to_string() for table in at.table)


def test_the_page_shows_days_and_mechanism_at_once(at):
    shown = texts(at)

    assert len(at.title) == 1
    assert [h.value for h in at.header] == ["Where the days go", "By what mechanism", "Look closer", "Can I trust this?"]
    assert "1. **Level.** In the pilot the AI was right in 90" in shown
    assert "Can I trust this?" in shown
    assert len(charts(at)) == 1
    assert "costs most" not in shown


def test_the_table_of_days_opens(at):
    open_part(at, "table")

    assert "all, days on average" in tables(at)
    assert "live − today" in tables(at)


def test_causes_open_and_are_simulated(at):
    shown = texts(open_part(at, "causes"))

    for cause in CAUSES:
        assert cause.capitalize() in tables(at)
    assert "changes nothing in any simulated future" in tables(at)
    assert "Scope: the AI also gets the types that the pilot never had. Here: the machine: also gets hard ones." in shown
    assert "10 simulated futures; both sides" in shown


def test_weeks_open_and_the_measure_can_be_chosen(at):
    shown = texts(open_part(at, "weeks"))
    assert "Escalation rate week by week" in shown
    assert "it cannot be said" in shown
    assert "the machine: adoption" in shown

    at.selectbox(key="why measure").select("review backlog")
    assert "Review backlog week by week" in texts(settled(at.run()))


def test_teams_open(at):
    shown = texts(open_part(at, "teams"))

    assert "The clerks is busiest: " in shown
    assert "2, from week 3: 1" in tables(at).replace("\\", "")


def test_a_story_is_chosen_and_told(at):
    open_part(at, "story")
    assert "This case took " in texts(at)

    at.selectbox(key="why which").select("number")
    settled(at.run())
    at.number_input(key="why number").set_value(5)
    at.segmented_control(key="why world").set_value("today")
    shown = texts(settled(at.run()))
    assert re.search(r"Case number 5 of \d+ .*, today\. Arrived", shown)


def test_no_code_word_on_the_page(at):
    for name in ("table", "causes", "weeks", "teams", "story"):
        open_part(at, name)
    helps = [m.help for m in at.markdown if getattr(m, "help", None)]
    everything = "\n".join([texts(at), tables(at), *charts(at), *helps]).lower()

    for word in CODE_WORDS:
        assert not re.search(rf"\b{re.escape(word)}s?\b", everything), word


def test_a_case_without_an_answer_says_why(tmp_path, monkeypatch):
    data = plan() | {"baseline": {"observed": "0.01 d", "standard_error": "0.001 d"}}
    place = tmp_path / "case.toml"
    place.write_text(tomlkit.dumps(data), encoding="utf-8")
    monkeypatch.setenv("PILOTPROOF_CASE", str(place))
    few_futures(monkeypatch)

    shown = texts(opened("why"))

    assert "No answer" in shown
    assert "By what mechanism" not in shown


def test_text_of_users_is_never_markdown(tmp_path, monkeypatch):
    data = plan()
    data["teams"]["clerks"]["label"] = "**bold** <b>x</b> [a](http://x)"
    place = tmp_path / "case.toml"
    place.write_text(tomlkit.dumps(data), encoding="utf-8")
    monkeypatch.setenv("PILOTPROOF_CASE", str(place))
    few_futures(monkeypatch)

    at = open_part(opened("why"), "teams")

    assert any(r"\*\*bold\*\* \<b\>x" in m.value for m in at.markdown)
    assert not any("**bold** <b>" in m.value for m in at.markdown)
