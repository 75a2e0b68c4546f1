"""Arms of one future share what they draw alike, and nothing else."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from models import parameters
from scenarios.arms import Arms, OneFuture
from scenarios.catalogue import shipped_names
from scenarios.files import changed, load
from scenarios.study.draws import decision_plan
from simulator.compiled_engine import CompiledEngine
from simulator.futures import Future, realise

OPTIONS = {
    "fewer_come": {"title": "half the volume", "changes": {"arrivals.per_month": {"value": 1250, "source": "guess"}}},
    "worse_erp": {"title": "more outages", "changes": {"systems.erp.outage.every.mean": {"value": "5 d", "source": "guess"}}},
}


def same(one: Future, other: Future) -> list[str]:
    """Names of the fields in which two futures differ."""
    pairs = [(f.name, getattr(one, f.name), getattr(other, f.name)) for f in fields(Future)]
    return [name for name, a, b in pairs if not (np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b)]


@pytest.mark.parametrize("name", shipped_names())
def test_a_shared_future_is_the_one_that_the_arm_draws_by_itself(name):
    case = load(name).case
    if name == "invoice_processing":
        loaded = load(name)
        data = case.model_dump(mode="json", exclude_unset=True)
        case = type(case).model_validate({**data, "options": {**data["options"], **OPTIONS}})
        assert loaded.case != case
    arms = Arms(case, parameters.sample(case, 3, range(2))).prepare(arm for arm, _ in decision_plan(case).arms)
    one = OneFuture(arms, 1, 5, CompiledEngine())
    shared = 0
    for arm, lowered in arms.known.items():
        future = one.future(arm)
        assert same(future, realise(lowered.program, 1, 3, 5)) == [], arm
        shared += any(future.arrival is other.arrival for _, other in one.seen if other is not future)
    assert shared >= len(arms.known) - 3  # today has a run of its own, and an option may change who comes


def test_an_option_is_the_live_arm_of_the_case_with_its_changes():
    loaded = load("invoice_processing")
    (name,) = loaded.case.options
    engine = CompiledEngine()

    def live(case, arm):
        arms = Arms(case, parameters.sample(case, 3, range(1))).prepare([arm])
        return OneFuture(arms, 0, 0, engine).outcome(arm, {}).figures

    by_hand = changed(loaded, loaded.case.options[name].changes).case
    assert live(loaded.case, f"option:{name}") == live(by_hand, "production")
    assert live(loaded.case, f"option:{name}") != live(loaded.case, "production")  # else the example would show nothing


def test_an_unknown_arm_is_refused():
    case = load("invoice_processing").case
    with pytest.raises(KeyError):
        Arms(case, parameters.sample(case, 3, range(1))).prepare(["prodction"])
