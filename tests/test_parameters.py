"""Parameters: their paths, their addressed draws, and the columns of every arm and set of causes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from models import parameters
from models.conditions import CAUSES, PILOT, PRODUCTION, combinations_of_causes
from models.leaves import leaves
from models.parameters import ARMS, LIVE, sample, with_values
from scenarios.catalogue import shipped_names
from scenarios.files import load
from tests.tiny import BY_HAND, ai, by_arm, team, tiny, work

UNSURE = {"low": "1 h", "likely": "2 h", "high": "5 h"}


def case(**changes):
    """Two uncertain service times, and one parameter for each cause."""
    return tiny(
        ai(shift=by_arm({"mean": 0.0, "sd": 0.1}, {"mean": -0.5, "sd": 0.1}, "data"), accepted="work"),
        work(service=UNSURE),
        work("more", {"kind": "lognormal", "median": UNSURE, "p90": "9 h"}),
        BY_HAND,
        teams={"team": team(by_arm(2, 1, "organisation"))},
        types={"a": {"share": by_arm(0.7, 0.6, "scope", as_is=0.7)}, "b": {"share": by_arm(0.3, 0.4, "scope", as_is=0.3)}},
        **changes,
    )


def test_a_path_is_the_place_in_the_file():
    paths = [leaf.path for leaf in leaves(case())]
    assert len(paths) == len(set(paths))
    assert {
        "types.a.share",
        "teams.team.headcount",
        "arrivals.per_working_day",
        "steps.ai.accuracy",
        "steps.ai.routed",
        "steps.work.service.value",
        "steps.more.service.median",
        "steps.more.service.p90",
    } <= set(paths)


def test_numbered_and_named_parts_have_paths():
    parts = [{"kind": "constant", "value": "1 h"}, {"kind": "exponential", "mean": "2 h"}]
    named = tiny(
        {"id": "go", "kind": "choice", "options": [{"to": "work", "share": {"types": {"a": 0.5}}}, {"to": "done"}]},
        work(service={"kind": "mixture", "weights": [0.5, 0.5], "parts": parts}),
        teams={"team": team()},
    )
    paths = {leaf.path for leaf in leaves(named)}
    assert {"steps.go.options.1.share.types.a", "steps.work.service.parts.1.value", "steps.work.service.parts.2.mean"} <= paths


def test_defaults_are_not_stated():
    stated = {leaf.path: leaf.stated for leaf in leaves(case())}
    assert stated["steps.ai.accuracy"]
    assert not stated["steps.work.factor"]
    assert not stated["arrivals.day_cv"]


def test_without_draws_every_parameter_is_at_its_median():
    medians = sample(case(), 1, None)
    assert len(medians) == 1
    for leaf in leaves(case()):
        for arm in ARMS:
            assert medians.values[leaf.path][arm] == pytest.approx(leaf.parameter.in_arm(arm).uncertain().median)


def test_another_parameter_moves_no_other():
    """Adding a team with an uncertain cost leaves all other columns as they are, bit for bit."""
    before = sample(case(), 7, range(20))
    after = sample(case(money={"ai_cost_per_case": {"low": 1, "likely": 2, "high": 4}}), 7, range(20))
    assert set(after.values) - set(before.values) == {"money.ai_cost_per_case"}
    for path, arms in before.values.items():
        for arm in ARMS:
            assert np.array_equal(arms[arm], after.values[path][arm]), path


def test_a_draw_does_not_depend_on_how_many_are_asked_for():
    many, one = sample(case(), 7, range(30)), sample(case(), 7, range(17, 18))
    for path, arms in many.values.items():
        assert arms["production"][17] == one.values[path]["production"][0]
    picked = many.select([17])
    assert picked.numbers == (17,)
    assert picked.values["steps.work.service.value"]["pilot"] == one.values["steps.work.service.value"]["pilot"]


def test_two_parameters_have_their_own_numbers():
    """Two service times with the same belief: rank correlation of 4,000 draws within 5 standard errors of 0."""
    draws = sample(case(), 3, range(4_000))
    a, b = (draws.values[p]["production"] for p in ("steps.work.service.value", "steps.more.service.median"))
    ranks = np.corrcoef(np.argsort(np.argsort(a)), np.argsort(np.argsort(b)))[0, 1]
    assert abs(ranks) < 5 / np.sqrt(4_000)


def test_a_parameter_has_the_same_random_number_in_all_arms():
    """The pilot's and the live shift differ by exactly 0.5 in every draw: same sd, same number."""
    arms = sample(case(), 7, range(50)).values["steps.ai.shift"]
    assert arms["pilot"] - arms["production"] == pytest.approx(np.full(50, 0.5))
    assert np.array_equal(arms["as_is"], arms["production"])


def test_draws_follow_their_belief():
    """Kolmogorov-Smirnov on 2,000 draws, p > 1e-4 (a right program fails once in 10,000 seeds)."""
    from scipy import stats

    found = sample(case(), 11, range(2_000)).values["steps.work.service.value"]["production"]
    belief = next(leaf.parameter.uncertain() for leaf in leaves(case()) if leaf.path == "steps.work.service.value")
    u = np.linspace(0.0005, 0.9995, 2_000)
    assert stats.ks_2samp(found, belief.quantile(u)).pvalue > 1e-4


# ---------------------------------------------------------------- arms and causes


def test_the_arms_are_the_causes_at_their_ends():
    draws = sample(case(), 7, range(3))
    for on, arm in ((PILOT, "pilot"), (PRODUCTION, "production")):
        columns = draws.columns(on)
        for path, arms in draws.values.items():
            assert np.array_equal(columns[path], arms[arm]), path
        assert all(columns[f"conditions.{c}"].tolist() == [float(c in on)] * 3 for c in CAUSES)
        assert columns[LIVE].tolist() == [1.0] * 3
    today = draws.today()
    assert today[LIVE].tolist() == [0.0] * 3
    assert all(np.array_equal(today[path], arms["as_is"]) for path, arms in draws.values.items())


@pytest.mark.parametrize("name", shipped_names())
def test_causes_write_disjoint_columns(name):
    """Of every shipped scenario: no column is written by two causes, and all differences between the arms are."""
    draws = sample(load(name).case, 7, range(3))
    written = [set(draws.written_by(cause)) for cause in CAUSES]
    assert sum(map(len, written)) == len(set().union(*written))
    moved = {p for p, arms in draws.values.items() if not np.array_equal(arms["pilot"], arms["production"])}
    assert moved <= set().union(*written)


def test_the_order_of_causes_does_not_matter():
    """Writing the causes one after the other, in any order, ends in the columns of the set."""
    draws = sample(case(), 7, range(3))
    assert len(combinations_of_causes()) == 16
    for on in combinations_of_causes():
        expected = draws.columns(on)
        for order in permutations(sorted(on)):
            columns = draws.columns(PILOT)
            for cause in order:
                columns.update(draws.written_by(cause))
            assert set(columns) == set(expected)
            assert all(np.array_equal(columns[path], expected[path]) for path in expected)


def test_values_can_be_set_in_every_arm():
    fixed = with_values(sample(case(), 7, range(3)), {"steps.ai.shift": -1.0})
    assert all(fixed.values["steps.ai.shift"][arm].tolist() == [-1.0] * 3 for arm in ARMS)
    with pytest.raises(KeyError):
        with_values(fixed, {"steps.ai.nothing": 0.0})


def test_a_scope_sees_now_today_and_the_pilot():
    draws = sample(case(), 7, None)
    scope = parameters.Scope("", draws.columns(PRODUCTION), draws.today(), draws.columns(PILOT)).into("types").into("a")
    assert (scope.column("share"), scope.today("share"), scope.as_in_pilot().column("share")) == (0.6, 0.7, 0.7)
    assert (scope.live(), scope.on("scope"), scope.as_in_pilot().on("scope")) == (1.0, 1.0, 0.0)
