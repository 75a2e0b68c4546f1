"""What experts say, shown back and pooled: closed forms, properties of mixtures, disagreement, rows of a table."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import digamma, polygamma
from scipy.stats import beta as beta_law

from models.elicitation import ElicitationError
from models.evidence.kinds import EXPERTS
from models.evidence.table import Table
from models.leaves import leaves
from models.pooling import Opinion, Pool, PoolingError, pooled, pools_of
from models.uncertainty import belief_of
from models.views import View, logit_beta, overlap, view_of, worth
from scenarios.files import load
from tests.test_cli import refused, run

U = np.linspace(0.01, 0.99, 99)
SHARES = st.tuples(st.floats(0.02, 0.9), st.floats(0.02, 0.3), st.floats(0.1, 0.9)).map(
    lambda t: (t[0], t[0] + t[2] * min(t[1], 0.97 - t[0]), t[0] + min(t[1], 0.97 - t[0]))
)
FORMS = st.sampled_from(["share", "accuracy", "duration", "number"])
MASSES = st.sampled_from([0.5, 0.8, 0.9, 1.0])


def view(form: str, triple: tuple[float, float, float], mass: float) -> View:
    try:
        return view_of(form, *triple, mass)
    except ElicitationError:
        assume(False)
        raise


views = st.builds(view, FORMS, SHARES, MASSES)


@settings(deadline=None)
@given(FORMS, SHARES, MASSES)
def test_a_view_is_the_distribution_of_the_case_file(form, triple, mass):
    stated = {"low": triple[0], "likely": triple[1], "high": triple[2], "mass": mass}
    if form == "duration":
        stated = {key: f"{value} s" if key != "mass" else value for key, value in stated.items()}

    assert view(form, triple, mass).quantile(U) == pytest.approx(belief_of(form, stated).quantile(U), rel=1e-9)


@settings(deadline=None)
@given(views)
def test_chances_and_quantiles_undo_each_other(found):
    assert found.cdf(found.quantile(U)) == pytest.approx(U, abs=1e-6)


def test_a_number_that_can_be_negative_is_normal_around_the_middle():
    found = view_of("number", -1.0, -0.5, 0.0, 0.9)

    assert found.family == "normal"
    assert found.quantile([0.5]) == pytest.approx([-0.5])
    assert found.cdf(np.array([0.0])) - found.cdf(np.array([-1.0])) == pytest.approx([0.9])


def test_what_a_view_is_worth():
    share = view_of("share", 0.05, 0.1, 0.2)
    assert (
        worth("share", "plain", *share.moments("plain"))
        == pytest.approx(share.first + share.second)
        == pytest.approx(46.78, abs=0.01)
    )
    times = view_of("duration", 1.0, 2.0, 10.0)
    assert worth("duration", "log", *times.moments("log"), 0.5) == pytest.approx(np.log(1.25) / times.second**2)
    assert np.isnan(worth("number", "plain", 0.0, 1.0))


@settings(deadline=None)
@given(st.floats(0.5, 300), st.floats(0.5, 300))
def test_the_beta_of_a_logit_mean_and_width_is_found_again(a, b):
    mean, variance = digamma(a) - digamma(b), polygamma(1, a) + polygamma(1, b)

    assert logit_beta(float(mean), float(variance)) == pytest.approx((a, b), rel=1e-6)


# -- the pool


def pool(*opinions: tuple[View, float]) -> Pool:
    return Pool(tuple(Opinion(f"expert {i}", v, w) for i, (v, w) in enumerate(opinions)))


def same_form(form: str) -> Any:
    return st.lists(
        st.tuples(st.builds(view, st.just(form), SHARES, st.sampled_from([0.5, 0.9])), st.floats(0.1, 5)), min_size=1, max_size=4
    )


@given(st.sampled_from(["share", "accuracy", "duration"]).flatmap(same_form))
@settings(max_examples=25, deadline=None)
def test_a_pool_is_the_weighted_mixture_of_its_experts(opinions):
    mixture = pool(*opinions)
    x = mixture.quantile(U)
    total = sum(w for _, w in opinions)
    chances = sum(w / total * v.cdf(x) for v, w in opinions)

    assert chances == pytest.approx(U, abs=1e-6)
    assert mixture.cdf(x) == pytest.approx(U, abs=1e-6)
    assert (np.diff(x) > 0).all()
    own = np.array([v.quantile(U) for v, _ in opinions])
    assert (own.min(axis=0) - 1e-9 <= x).all()
    assert (x <= own.max(axis=0) + 1e-9).all()


@given(views)
@settings(max_examples=30, deadline=None)
def test_experts_who_agree_are_worth_what_each_is(found):
    twice = pool((found, 1.0), (found, 3.0))

    assert twice.quantile(U) == pytest.approx(found.quantile(U))
    alone = worth(found.dimension, found.scale, *found.moments(found.scale))
    assert twice.worth() == pytest.approx(alone, rel=1e-6, nan_ok=True)
    assert twice.overlap == pytest.approx(1.0)
    assert twice.disagreement() == ""


def test_experts_who_differ_make_the_pool_less_sure_than_each():
    a, b = view_of("share", 0.75, 0.9, 0.97), view_of("share", 0.5, 0.8, 0.95)
    both = pool((a, 1.0), (b, 1.0))

    assert both.worth() < min(worth("share", "plain", *v.moments("plain")) for v in (a, b)) * 1.2
    assert both.worth() == pytest.approx(_beta_worth(a, b))


def _beta_worth(*found: View) -> float:
    laws = [beta_law(v.first, v.second) for v in found]
    mean = np.mean([law.mean() for law in laws])
    variance = np.mean([law.var() + law.mean() ** 2 for law in laws]) - mean**2
    return float(mean * (1 - mean) / variance - 1)


def test_an_expert_with_weight_0_is_kept_and_not_heard():
    a, b = view_of("share", 0.75, 0.9, 0.97), view_of("share", 0.1, 0.2, 0.3)
    mixture = pool((a, 1.0), (b, 0.0))

    assert len(mixture.opinions) == 2
    assert mixture.quantile(U) == pytest.approx(a.quantile(U))
    assert mixture.disagreement() == ""


def test_overlap_is_what_two_distributions_have_in_common():
    a, b = view_of("number", -1.0, 0.0, 1.0), view_of("number", -0.5, 0.5, 1.5)
    apart = 0.5 / a.second

    from scipy.stats import norm

    assert overlap([a, b]) == pytest.approx(2 * norm.cdf(-apart / 2), abs=0.002)


def test_ranges_that_do_not_touch_are_said():
    mixture = pool((view_of("share", 0.75, 0.9, 0.97), 1.0), (view_of("share", 0.3, 0.4, 0.5), 1.0))

    assert mixture.overlap < 0.01
    assert "expert 0 says 75 % to 97 % and expert 1 says 30 % to 50 %" in mixture.disagreement()


# -- rows of a table

CATCH = "steps.review.catch"
LEAVES = {leaf.path: leaf for leaf in leaves(load("invoice_processing").case)}
ROWS = [("A", CATCH, "", "0.75", "0.9", "0.97", 0.9, 1.0), ("B", CATCH, "", "50 %", "80 %", "95 %", 0.9, 2.0)]


def table(*rows: tuple[Any, ...]) -> Table:
    names = ("expert", "parameter", "environment", "low", "likely", "high", "sure", "weight")
    cells = list(zip(*rows, strict=True))
    columns = {n: np.array(c, dtype=object if i < 6 else np.float64) for i, (n, c) in enumerate(zip(names, cells, strict=True))}
    return Table(EXPERTS, "evidence/experts.csv", columns, np.arange(2, 2 + len(rows)))


def test_a_table_becomes_a_sub_model():
    extra = ("A", "steps.match_ai.permanent", "production", "1 %", "3 %", "8 %", np.nan, np.nan)
    found = pooled(table(*ROWS, extra), LEAVES, rows=500, seed=3)

    assert found.name == "experts"
    assert set(found.columns) == set(found.prior) == {CATCH, "steps.match_ai.permanent@production"}
    u = (np.arange(500) + 0.5) / 500
    mixture = pools_of(table(*ROWS), LEAVES)[CATCH]
    assert mixture.weights == pytest.approx((1 / 3, 2 / 3))
    assert np.sort(found.columns[CATCH]) == pytest.approx(mixture.quantile(u))
    assert np.sort(found.prior[CATCH]) == pytest.approx(LEAVES[CATCH].parameter.uncertain().quantile(u))
    assert not found.badness.any()
    assert found.informed_by[CATCH] == ("evidence/experts.csv",)
    assert found.reported["experts"].tolist() == [2.0, 1.0]
    assert abs(np.corrcoef(*found.columns.values())[0, 1]) < 0.2
    assert found.passed


def test_the_same_seed_gives_the_same_rows():
    one, two, other = (pooled(table(*ROWS), LEAVES, 100, seed).columns[CATCH] for seed in (1, 1, 2))

    assert (one == two).all()
    assert (one != other).any()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("C", "steps.revue.catch", "", "0.1", "0.2", "0.3", 0.9, 1.0), "no such parameter"),
        (("C", CATCH, "production", "0.1", "0.2", "0.3", 0.9, 1.0), "does not differ"),
        (("C", CATCH, "", "0.3", "0.2", "0.1", 0.9, 1.0), "low (30 %) must lie below high (10 %)"),
        (("C", CATCH, "", "0.1", "0.4", "0.3", 0.9, 1.0), "must lie between low"),
        (("C", CATCH, "", "10", "20", "30", 0.9, 1.0), "for per cent write"),
        (("C", CATCH, "", "0.1", "0.2", "0.3", 0.0, 1.0), "how sure"),
        (("C", CATCH, "", "0.1", "0.2", "0.3", 0.9, -1.0), "weight"),
        (("A", CATCH, "", "0.1", "0.2", "0.3", 0.9, 1.0), "more than once"),
        (("C", "steps.match.service.median", "", "1", "2", "3", 0.9, 1.0), "has no unit"),
    ],
)  # fmt: skip
def test_rows_that_say_nothing_possible_are_named_with_their_line(row, message):
    with pytest.raises(PoolingError) as caught:
        pools_of(table(*ROWS, row), LEAVES)

    assert [line for line, _ in caught.value.problems] == [4]
    assert message in caught.value.problems[0][1]


def test_experts_without_any_weight_are_refused():
    with pytest.raises(PoolingError, match="above 0"):
        pools_of(table(*((*row[:7], 0.0) for row in ROWS)), LEAVES)


# -- the command


def test_elicit_shows_back_what_was_said():
    result = run("elicit", "5%", "10%", "20%", "--as", "share")

    assert result.returncode == 0
    assert (
        "5.09 %            11.2 %            20.2 %" in " ".join(result.stdout.split()).replace(" % ", " %            ") + "   "
    )
    assert "about 47 cases" in result.stdout
    assert "{ low = " in result.stdout


def test_elicit_as_json():
    result = run("elicit", "1 d", "2 d", "10 d", "--as", "duration", "--cv", "0.5", "--json")
    data = json.loads(result.stdout)

    assert data["quantiles"]["0.5"] == pytest.approx(3.2612 * 86_400, rel=1e-4)
    assert data["equivalent_observations"] == pytest.approx(np.log(1.25) / 0.69926**2, rel=1e-4)
    assert json.loads(run("elicit", "-1", "-0.5", "0", "--as", "number", "--json").stdout)["equivalent_observations"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["5%", "30%", "20%", "--as", "share"], "E212", "must lie between"),
        (["5", "10", "20", "--as", "share"], "E601", "lies outside 0 to 1"),
        (["1", "2", "3", "--as", "duration"], "E601", "has no unit"),
        (["1", "2", "3", "--as", "numbers"], "E601", 'did you mean "number"?'),
        (["1", "2", "3", "--as", "number", "--sure", "0%"], "E601", "--sure"),
        (["1", "2", "3", "--as", "number", "--sure", "much"], "E601", "--sure"),
        (["1", "2", "3", "--as", "number", "--cv", "0"], "E601", "--cv"),
        (["1", "2", "--as", "number"], "E601", "high"),
        (["0%", "50%", "100%", "--as", "accuracy"], "E212", "strictly between"),
    ],
)
def test_elicit_refuses_what_fits_no_distribution(arguments, code, message):
    assert message in refused(run("elicit", *arguments), code)
