"""What-ifs: changes of the time after go-live, as files, as settings of controls, and in paired futures."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.parameters import sample
from models.schema import WhatIf
from models.what_if import THRESHOLD
from scenarios.files import LoadedCase, changed, hash_of, load, with_what_if
from scenarios.pages.start_laid import folder_name
from scenarios.pages.what_if import changes_described, curve_finding, described, effect_page, saved_row, without_queues
from scenarios.pages.what_if_controls import changes_of, controls_of
from scenarios.problems import CaseError
from scenarios.report import compare_report
from scenarios.study import Means
from scenarios.study.accuracy_curve import LEVELS, curves
from scenarios.study.ai_level import level
from scenarios.study.penalties import live_accuracy
from scenarios.study.what_if import Effect, effects, stages
from scenarios.what_ifs import LinkError, State, decoded, encoded, name_of, toml_of
from tests import tiny

SEED = 7
EXAMPLE = "invoice_processing"


def tried(loaded: LoadedCase, **changes: Any) -> LoadedCase:
    named = {path.replace("__", "."): change for path, change in changes.items()}
    return with_what_if(loaded, WhatIf.model_validate({"changes": named}))


def test_today_is_not_touched_and_everything_else_keeps_its_random_numbers() -> None:
    loaded = load(EXAMPLE)
    moved = tried(loaded, teams__reviewers__headcount={"add": 2}, steps__review__catch={"logit": 1.0})
    before, after = (sample(case.case, SEED, range(20)) for case in (loaded, moved))
    for path, arms in before.values.items():
        assert np.array_equal(arms["as_is"], after.values[path]["as_is"])
        if path not in moved.case.what_if.changes:  # type: ignore[union-attr]
            assert all(np.array_equal(arms[arm], after.values[path][arm]) for arm in arms)
    heads = "teams.reviewers.headcount"  # its cause is the organisation: as in the pilot it stays
    assert np.array_equal(after.values[heads]["production"], before.values[heads]["production"] + 2)
    assert np.array_equal(after.values[heads]["pilot"], before.values[heads]["pilot"])
    odds = [d.values["steps.review.catch"]["production"] for d in (before, after)]
    assert np.allclose(*(np.log(x / (1 - x)) + shift for x, shift in zip(odds, (1.0, 0.0), strict=True)))


def test_no_value_leaves_what_its_number_may_be() -> None:
    """The middle of the share stays below 1; a tenth of its values would not."""
    moved = tried(load(EXAMPLE), steps__review__catch={"add": 0.1}, teams__reviewers__headcount={"times": 2.0})
    values = sample(moved.case, SEED, range(200)).values["steps.review.catch"]["production"]
    assert values.max() == 1.0
    assert values.min() < 1.0


def test_a_case_without_a_what_if_keeps_its_hash_and_one_with_it_solves_today_under_the_same() -> None:
    loaded = load(EXAMPLE)
    moved = tried(loaded, teams__reviewers__headcount={"add": 1})
    assert with_what_if(moved, None).hash == loaded.hash == moved.today != moved.hash


@pytest.mark.parametrize(
    ("path", "change", "code"),
    [
        ("steps.nowhere.catch", {"add": 1.0}, "E104"),
        ("types.non_po.share", {"times": 2.0}, "E213"),
        ("baseline.observed", {"add": 1.0}, "E213"),
        ("arrivals.per_month", {"times": 2.0}, "E213"),
        ("teams.reviewers.headcount", {"add": -5.0}, "E213"),
        ("teams.reviewers.headcount", {"logit": 1.0}, "E103"),
        ("steps.review.catch", {"set": "30 min"}, "E307"),
        ("steps.review.catch", {"set": 1.2}, "E307"),
        ("steps.approve.levels.1.response.median", {"add": 3_600.0}, "E103"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_place(path: str, change: dict[str, Any], code: str) -> None:
    with pytest.raises(CaseError) as error:
        tried(load(EXAMPLE), **{path: change})
    (problem,) = error.value.problems
    assert (problem.code, problem.place) == (code, f"what_if.changes.{path}")


def test_a_change_says_exactly_one_thing() -> None:
    for change in ({}, {"add": 1.0, "times": 2.0}, {"times": -1.0}, {"add": float("nan")}):
        with pytest.raises(ValueError, match=r"exactly one|greater than|finite"):
            WhatIf.model_validate({"changes": {"steps.review.catch": change}})


# -- the level of the AI


def test_the_level_is_that_of_the_model_and_its_inverses_reach_their_goals() -> None:
    loaded = load(EXAMPLE)
    found = level(loaded.case)
    assert found is not None
    assert found.accuracy() == pytest.approx(live_accuracy(loaded.case, SEED), abs=1e-12)
    for goal in (0.6, 0.9, 0.97):
        moved = tried(loaded, steps__send_to_ai__shift={"add": found.shift_to(goal)})
        assert live_accuracy(moved.case, SEED) == pytest.approx(goal, abs=1e-9)
        again = level(tried(loaded, **{f"steps.send_to_ai.{THRESHOLD}": {"add": found.threshold_to(goal)}}).case)
        assert again is not None
        assert again.accepted() == pytest.approx(goal, abs=1e-9)
        one = level(tried(loaded, **{"steps.send_to_ai.type_shift.non_po": {"add": found.shift_of_type_to("non_po", goal)}}).case)
        assert one is not None
        assert one.accuracy_of("non_po") == pytest.approx(goal, abs=1e-9)
        assert one.accuracy_of("po_standard") == pytest.approx(found.accuracy_of("po_standard"), abs=1e-12)
    assert found.accuracy(found.shift_to(1.0)) > 1 - 1e-6


def test_a_lower_threshold_accepts_more_of_the_right_and_of_the_wrong_ones() -> None:
    loaded = load(EXAMPLE)
    found = [level(tried(loaded, **{f"steps.send_to_ai.{THRESHOLD}": {"add": by}}).case) for by in (-0.5, 0.0, 0.5)]
    shares = [(f.right, f.wrong) for f in found if f is not None]
    assert shares == sorted(shares)
    assert shares[0][1] < shares[1][1] < shares[2][1]


# -- controls


@pytest.mark.parametrize("name", ["invoice_processing", "claims_intake", "travel_declarations"])
def test_every_control_of_the_shipped_scenarios_can_go_to_both_ends(name: str) -> None:
    loaded = load(name)
    controls = controls_of(loaded.case)
    assert len({c.id for c in controls}) == len(controls)
    assert all(c.low <= c.now <= c.high for c in controls)
    assert changes_of(loaded.case, controls, {c.id: c.now for c in controls}) == {}
    for end in ("low", "high"):
        changes = changes_of(loaded.case, controls, {c.id: getattr(c, end) for c in controls})
        assert with_what_if(loaded, WhatIf(changes=changes)).case.what_if is not None


def test_controls_offer_accuracy_threshold_scope_review_approvals_systems_support_and_staff() -> None:
    controls = controls_of(load(EXAMPLE).case)
    assert {c.group for c in controls} == {"AI", "Scope", "Review", "People", "Approvals and waits", "Systems"}
    ids = {c.id for c in controls}
    assert {
        "accuracy",
        "accepted",
        "accuracy non_po",
        "type po_complex",
        "steps.review.catch",
        "team reviewers",
        "support exceptions 1",
    } <= ids


@pytest.mark.parametrize(
    "settings", [{"nothing": 1.0}, {"accuracy": 101.0}, {"accuracy": float("nan")}, {"team reviewers": -3.0}]
)
def test_settings_that_cannot_be_are_named(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"no control|outside"):
        changes_of(load(EXAMPLE).case, controls_of(load(EXAMPLE).case), settings)


def test_what_is_changed_is_said_with_its_unit() -> None:
    controls = controls_of(load(EXAMPLE).case)
    words = described(controls, {"accuracy": 90.0, "team entry_clerks": 1.0, "team reviewers": 3.0, "support exceptions 1": 12.0})
    assert "Accuracy, live 83.5 % → 90 %" in words
    assert "data entry 4 → 1 person" in words
    assert "AI review 1 → 3 people" in words
    assert "Support of the exception desk until week 6 → 12" in words
    for control in controls:
        for end in (control.low, control.high):
            said = described(controls, {control.id: end})
            assert end == control.now or any(
                unit in said for unit in (" %", " people", " person", "until week", "left to people")
            )


@pytest.mark.parametrize("name", ["invoice_processing", "claims_intake", "travel_declarations"])
def test_what_a_saved_what_if_changes_is_said_as_it_was_when_it_was_tried(name: str) -> None:
    loaded = load(name)
    controls = controls_of(loaded.case)
    for end in ("low", "high"):
        settings = {c.id: getattr(c, end) for c in controls if getattr(c, end) != c.now}
        for some in (settings, *({k: v} for k, v in settings.items())):
            what_if = WhatIf(changes=changes_of(loaded.case, controls, some))
            assert changes_described(loaded.case, controls, what_if) == described(controls, some)


def test_what_no_control_changes_is_said_by_its_place() -> None:
    loaded = load(EXAMPLE)
    what_if = WhatIf.model_validate(
        {
            "changes": {
                "steps.review.catch": {"times": 0.9},
                "steps.send_to_ai.shift": {"set": 0.5},
                "teams.reviewers.headcount": {"add": 1},
            }
        }
    )
    words = changes_described(loaded.case, controls_of(loaded.case), what_if)
    assert words == "AI review 1 → 2 people; steps.review.catch changed; steps.send_to_ai.shift changed"


def test_a_share_of_nothing_can_be_raised() -> None:
    loaded, path = load(EXAMPLE), "steps.match_ai.permanent"
    control = replace(next(c for c in controls_of(loaded.case) if c.id == path), now=0.0, how="set")
    what_if = WhatIf(changes=changes_of(loaded.case, [control], {path: 5.0}))
    assert what_if.changes[path].set == 0.05
    assert with_what_if(loaded, what_if).case.what_if == what_if
    assert changes_described(loaded.case, [control], what_if).endswith("0 % → 5 %")


# -- effects


@pytest.fixture(scope="module")
def small() -> LoadedCase:
    """A hundred cases a day; what the AI does not accept, a team works on for an hour each."""
    case = tiny.tiny(
        tiny.ai(manual="work", referred="work", shift={"mean": -0.5, "sd": 0.3}), tiny.work(service="1 h"), teams={"team": tiny.team(4)},
        arrivals={"per_working_day": 70, "calendar": "always"},
    )  # fmt: skip
    return LoadedCase(case, "tiny", hash_of(case))


def test_an_effect_is_that_of_compare_for_the_same_futures_and_grows_from_few(small: LoadedCase, tmp_path: Path) -> None:
    moved = tried(small, **{"steps.ai.shift": {"add": 2.0}})
    seen = list(effects(small, moved, 12, SEED, Means()))
    assert [len(e.futures) for e in seen] == [5, 10, 12]
    compared = compare_report.compare(small, moved, "production", 0, SEED, draws=12)
    row = next(r for r in compared.rows if r.name == "mean_cycle_time_days")
    page = effect_page(seen[-1], "accuracy")
    assert page.difference == row.difference.difference
    assert compared.chance is not None
    assert (page.chance_before, page.chance_after) == (compared.chance.first.estimate, compared.chance.second.estimate)
    assert page.before == pytest.approx(row.first, abs=1e-12)


def test_what_is_known_of_the_base_case_is_taken_from_there(small: LoadedCase) -> None:
    moved = tried(small, **{"steps.ai.shift": {"add": 2.0}})
    plain = list(effects(small, moved, 6, SEED, Means()))[-1]
    from scenarios.study import collect, verdict_plan

    known = collect(small.case, verdict_plan(small.case), 6, SEED).results
    taken = list(effects(small, moved, 6, SEED, Means(), lambda: known))[-1]
    assert [o.figures for o in taken.before] == [o.figures for o in plain.before]
    assert effect_page(taken, "x").headline == effect_page(plain, "x").headline


def test_a_change_without_effect_says_so(small: LoadedCase) -> None:
    same = tried(small, **{"steps.ai.shift": {"add": 0.0}})
    page = effect_page(list(effects(small, same, 5, SEED, Means()))[-1], "nothing")
    assert not page.told
    assert page.headline == "No difference: no simulated case comes out otherwise."


def shifted(small: LoadedCase, *days: float) -> Effect:
    """An effect of so many days on the target, future by future."""
    plain = list(effects(small, tried(small, **{"steps.ai.shift": {"add": 0.0}}), len(days), SEED, Means()))[-1]
    name = "mean_cycle_time_days"
    after = tuple(replace(o, figures={**o.figures, name: o.figures[name] + by}) for o, by in zip(plain.before, days, strict=True))
    return replace(plain, after=after)


@pytest.mark.parametrize(
    "days", [(-0.001, -0.002, -0.001, -0.002), (0.001, -0.002, 0.002, 0.0), (-0.004, -0.0045, -0.005, -0.0045)]
)
def test_a_difference_that_is_shown_as_zero_is_none(small: LoadedCase, days: tuple[float, ...]) -> None:
    effect = shifted(small, *days)
    page = effect_page(effect, "a little")
    assert page.headline == "No difference to speak of: at most 0.01 d."
    assert next(n.value for n in page.numbers if n.label == "Difference") == "0"
    for text in (*(f"{n.value} {n.how}" for n in page.numbers), saved_row("a", effect).difference):
        assert "−0.00" not in text
        assert "+0.00" not in text
    assert "would change nothing" in without_queues(small.case, np.asarray([1.0, 2.0]), np.asarray([1.0, 2.0 + days[0]]))


def test_a_difference_that_cannot_be_told_from_nothing_keeps_its_range(small: LoadedCase) -> None:
    page = effect_page(shifted(small, -0.3, 0.3, -0.2, 0.2), "")
    assert page.headline.startswith("Not distinguishable from nothing: between −0.")


def test_the_largest_part_is_not_called_most_of_the_difference(small: LoadedCase) -> None:
    moved = tried(small, **{f"steps.ai.left_out.{name}": {"set": 1.0} for name in small.case.types})
    assert effect_page(next(effects(small, moved, 5, SEED, Means())), "").finding.startswith(
        "The largest part of the difference: "
    )


def test_leaving_all_types_to_people_is_today_after_go_live(small: LoadedCase) -> None:
    left = tried(small, **{f"steps.ai.left_out.{name}": {"set": 1.0} for name in small.case.types})
    effect = list(effects(small, left, 5, SEED, Means()))[-1]
    assert all(o.figures["ai_share"] == 0 for o in effect.after)
    assert all(o.figures["ai_share"] > 0 for o in effect.before)


def test_more_futures_each_time_and_the_last_one_exact() -> None:
    assert list(stages(200)) == [5, 10, 20, 40, 80, 120, 160, 200]
    assert list(stages(7)) == [5, 7]
    assert list(stages(3)) == [3]


def test_the_curve_rises_to_an_ai_that_is_always_right_and_says_what_reaches_the_promise(small: LoadedCase) -> None:
    curve = next(curves(small, SEED, Means()))
    assert tuple(p.accuracy for p in curve.points) == LEVELS
    values = [p.result.estimate for p in curve.points]
    assert values[0] > values[-1]
    level_days = 0.001
    hopeless = changed(
        small, {"target": {**small.case.target.model_dump(mode="json", exclude_unset=True), "level": f"{level_days} d"}}
    )
    assert curve_finding(curve, hopeless.case).startswith("No accuracy reaches")
    easy = changed(small, {"target": {**small.case.target.model_dump(mode="json", exclude_unset=True), "level": "300 d"}})
    assert curve_finding(curve, easy.case).startswith("Any accuracy from 50 %")


def test_the_curve_of_a_tried_accuracy_is_that_of_the_case_with_the_mark_elsewhere(small: LoadedCase) -> None:
    found = level(small.case)
    assert found is not None
    team = {"teams.team.headcount": {"add": 1.0}}
    for others in ({}, team):
        untouched = next(curves(tried(small, **others) if others else small, SEED, Means()))
        moved = next(curves(tried(small, **others, **{"steps.ai.shift": {"add": found.shift_to(0.95)}}), SEED, Means()))
        assert moved.now == pytest.approx(0.95, abs=1e-9)
        for one, other in zip(moved.points, untouched.points, strict=True):
            assert one.accuracy == other.accuracy
            assert (one.result.estimate, one.kept) == pytest.approx((other.result.estimate, other.kept), rel=1e-9)


@pytest.mark.parametrize("name", ["invoice_processing", "claims_intake", "travel_declarations"])
def test_a_curve_can_be_made_of_every_accuracy_that_can_be_tried(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenarios.study.accuracy_curve.LEVELS", (0.9, 1.0))
    monkeypatch.setattr("scenarios.study.accuracy_curve.STAGES", (2,))
    loaded = load(name)
    controls = controls_of(loaded.case)
    for accuracy in (60.0, 95.0, 100.0):
        changes = changes_of(loaded.case, controls, {"accuracy": accuracy})
        (curve,) = curves(with_what_if(loaded, WhatIf(changes=changes)), SEED, Means())
        assert curve.now == pytest.approx(accuracy / 100, abs=1e-6)


def test_an_ai_that_is_better_live_than_in_the_pilot_has_a_curve_too() -> None:
    """Its shift and that of an AI that is always right together are more than a shift may be."""
    case = tiny.tiny(tiny.ai(manual="work", referred="work", shift=0.7), tiny.work(service="1 h"), teams={"team": tiny.team(4)})
    assert next(curves(LoadedCase(case, "tiny", hash_of(case)), SEED, Means())).points[-1].accuracy == 1.0


# -- files and links


def test_a_file_is_read_back_as_the_same_case(tmp_path: Path) -> None:
    loaded = load(EXAMPLE)
    changes = changes_of(
        loaded.case, controls_of(loaded.case), {"accuracy": 91.5, "team reviewers": 2.0, "type non_po_large": 0.0}
    )
    what_if = WhatIf(title='a "quoted" = name', changes=changes)
    file = tmp_path / "better.toml"
    file.write_text(toml_of(what_if, EXAMPLE, loaded.hash), encoding="utf-8")
    again = load(str(file))
    assert again.hash == with_what_if(loaded, what_if).hash
    assert again.case.what_if == what_if
    assert not again.case_changed
    file.write_text(toml_of(what_if, EXAMPLE, "000000000000"), encoding="utf-8")
    assert load(str(file)).case_changed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('schema_version = 1\nwhat_if_of = "nowhere"\n[changes]\n"steps.review.catch" = { add = 0.1 }', "E100"),
        ('schema_version = 1\nwhat_if_of = "invoice_processing"\nchanges = {}', ""),
        ('schema_version = 1\nwhat_if_of = "invoice_processing"\n[changes]\n"steps.review.catch" = { plus = 0.1 }', ""),
        ('schema_version = 2\nwhat_if_of = "invoice_processing"\n[changes]\n"steps.review.catch" = { add = 0.1 }', ""),
    ],
)
def test_a_bad_file_gets_one_plain_message(text: str, code: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CaseError) as error:
        load(str(file))
    assert error.value.problems[0].code.startswith(code or "E")


def test_a_link_gives_back_what_it_was_made_of() -> None:
    state = State(EXAMPLE, "1a2dc45a2fc4", "0.1.0", {"accuracy": 91.5}, {"owner": "Ünal", "given": []}, "my_case", "t")
    assert decoded(encoded(state)) == state


@given(st.text(max_size=200))
def test_a_damaged_link_ends_in_a_plain_message(text: str) -> None:
    with pytest.raises(LinkError, match="link"):
        decoded(text)


def test_a_link_that_unpacks_to_too_much_is_refused() -> None:
    bomb = base64.urlsafe_b64encode(zlib.compress(b'{"v":1,"c":"' + b"a" * 3_000_000 + b'"}', 9)).decode()
    with pytest.raises(LinkError, match=r"more than any|longer than any"):
        decoded(bomb)


def test_the_example_of_the_reference_is_a_what_if(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "scenario-reference.md").read_text(encoding="utf-8")
    start = text.index("```toml", text.index("## A what-if of a case")) + len("```toml\n")
    file = tmp_path / "example.toml"
    file.write_text(text[start : text.index("```", start)], encoding="utf-8")
    found = load(str(file)).case.what_if
    assert found is not None
    assert len(found.changes) == 5


def link(**changed: Any) -> str:
    """A link with other content than pilotproof gives one."""
    data = {"v": 1, "c": EXAMPLE, "h": "x", "p": "1", "s": {}, "a": None, "n": "my_case", "t": "Mine", "w": True} | changed
    return base64.urlsafe_b64encode(zlib.compress(json.dumps(data).encode())).decode()


@pytest.mark.parametrize(
    "name",
    ["/tmp/victim/x", ".", "..", "a/b", "a\\b", "a\0b", "\ud800", "a\nb", " ", "Köln", "a" * 61, "_x", "9", "a.b", "my_case\n"],
)
def test_a_link_names_no_place_but_what_start_makes_of_a_title(name: str) -> None:
    with pytest.raises(LinkError, match="this link"):
        decoded(link(n=name))


@pytest.mark.parametrize("title", ["x" * 81, "two\nlines", "\0", "\ud800"])
def test_a_link_gives_no_title_that_start_does_not_allow(title: str) -> None:
    with pytest.raises(LinkError, match="this link"):
        decoded(link(t=title))


@pytest.mark.parametrize("title", ["Mine!", "Köln 2027", "9" * 80, "日本語", "", "x" * 80])
def test_every_name_and_title_that_start_makes_travels_in_a_link(title: str) -> None:
    state = decoded(link(n=folder_name(title), t=title))
    assert (state.name, state.title) == (folder_name(title), title)


def test_a_number_or_a_half_character_that_no_page_could_show_is_refused() -> None:
    for changes in (
        {"s": {"a": 10**400}},
        {"s": {"\ud800": 1}},
        {"a": {"owner": "\udfff"}},
        {"a": {"\ud800": {}}},
        {"h": "\ud800"},
    ):
        with pytest.raises(LinkError, match="this link"):
            decoded(link(**changes))


def test_titles_that_differ_in_letters_that_are_not_latin_get_files_of_their_own() -> None:
    titles = ["日本語 案一", "中文 方案", "案 1", "方 1", "x" * 60 + "a", "x" * 60 + "b", "🚀", "🎉", "Better", "Köln 2027"]
    names = [name_of(title) for title in titles]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and name.isidentifier() and len(name) < 80 for name in names)
    assert names[-2:] == ["better", "koln_2027"]
    assert name_of("Ko\u0308ln 日") == name_of("Köln 日")
