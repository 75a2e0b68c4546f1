"""The AI step, the review of what it refers, and the late discovery of what it got wrong."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from models import schema, weeks
from models.compositions.basic import service_factor
from models.compositions.build import Builder, expit, law, logit
from models.parameters import Scope
from models.what_if import LEFT_OUT, THRESHOLD
from simulator import workflow as w

Floats = NDArray[np.float64]


def wrong_mark(ai: str) -> str:
    """The mark of a case whose AI output is wrong."""
    return f"{ai}.wrong"


def handled_mark(ai: str) -> str:
    """The mark of a case that the AI has worked on."""
    return f"{ai}.handled"


def accepted_mark(ai: str) -> str:
    """The mark of a case whose output passed without review."""
    return f"{ai}.accepted"


def late_mark(ai: str) -> str:
    """The mark of a case whose error was found late."""
    return f"{ai}.found_late"


_SURE = w.Chance(w.Table.constant(1.0))


def ai(build: Builder, step: schema.Ai) -> list[w.Step]:
    """Routing by week of arrival → data quality → right or wrong → accepted or referred."""
    at, name = build.scope(step), step.id
    first = f"{name}.time" if step.time else _first_quality(step)
    rule = w.Rule((handled_mark(name), build.entry(step.manual)), (_routed(build, at, step),))
    steps: list[w.Step] = [
        w.Branch(name, (rule,), week_of="arrival"),
        w.Mark(handled_mark(name), handled_mark(name), (w.MarkRule(_SURE),), first),
    ]
    steps += _processing(build, at, step)
    steps += _quality(build, at, step)
    shared = np.sqrt(at.column("cluster_correlation"))
    chances = tuple(
        w.MarkRule(w.Chance(w.Table(1 - accuracy), shared=shared), w.Condition.of(*_quality_marks(step, defects)))
        for defects, accuracy in accuracy_by_quality(build, step).items()
    )
    steps.append(w.Mark(wrong_mark(name), wrong_mark(name), chances, f"{name}.accepted", "assign"))
    right, wrong = acceptance(at, step)
    rules = (
        w.MarkRule(w.Chance(w.Table.constant(wrong)), w.Condition.of(wrong_mark(name))),
        w.MarkRule(w.Chance(w.Table.constant(right))),
    )
    steps.append(w.Mark(f"{name}.accepted", f"{name}.accepted", rules, f"{name}.route", "assign"))
    accepted = w.Rule((build.entry(step.accepted),), (), w.Condition.of(f"{name}.accepted"))
    return [*steps, w.Branch(f"{name}.route", (accepted, w.Rule((build.entry(step.referred),))))]


def _processing(build: Builder, at: Scope, step: schema.Ai) -> list[w.Step]:
    """The time the AI takes: a plain delay, or a call to a connected system that may fail."""
    if step.time is None:
        return []
    time, call, ready = law(at, "time", step.time), f"{step.id}.time", _first_quality(step)
    if step.system is None:
        return [w.Delay(call, time, ready, account="ai")]
    failed, route = f"{step.id}.failed", f"{step.id}.called"
    attempts = w.Attempts(
        call, step.system, time, at.column("timeout"), route, failed, step.attempts,
        back_off_seconds=at.column("back_off"), multiplier=2.0, priority=_priority(build),
    )  # fmt: skip
    elsewhere = build.entry(step.unavailable or step.manual)
    return [attempts, w.Branch(route, (w.Rule((elsewhere,), (), w.Condition.of(failed)), w.Rule((ready,))))]


def _routed(build: Builder, at: Scope, step: schema.Ai) -> w.Table:
    """Share of each type that goes to the AI by week of arrival: none before go-live; types never piloted only live."""
    full = build.shares(at, "routed", step.routed).values[..., -1]
    full = np.broadcast_to(full, (*full.shape[:-1], len(build.types))) * (1 - _by_type(build, step, LEFT_OUT))
    piloted = np.asarray([t.piloted for t in build.case.types.values()])
    allowed = np.where(piloted, 1.0, at.on("scope")[:, None])
    curve = np.ones((len(allowed), build.weeks))
    if step.adoption is not None:
        ramp = at.into("adoption")
        adopted = weeks.adoption(ramp.column("start"), ramp.column("weeks"), build.weeks)
        curve = np.where(at.on("organisation")[:, None] > 0, adopted, 1.0)
    live = at.live()[:, None, None]
    after = (full * allowed)[:, :, None] * curve[:, None, :] * live
    return w.Table(np.concatenate([np.zeros((*after.shape[:2], 1)), after], axis=2))


def _first_quality(step: schema.Ai) -> str:
    return next((f"{step.id}.quality.{q}" for q in step.quality), wrong_mark(step.id))


def _quality(build: Builder, at: Scope, step: schema.Ai) -> list[w.Step]:
    names = [f"{step.id}.quality.{q}" for q in step.quality]
    followers = [*names[1:], wrong_mark(step.id)]
    steps: list[w.Step] = []
    for (key, quality), name, following in zip(step.quality.items(), names, followers, strict=False):
        inner = at.into("quality").into(key)
        chance = w.Chance(build.shares(inner, "share", quality.share), volume_slope=inner.column("volume_slope"))
        steps.append(w.Mark(name, name, (w.MarkRule(chance),), following, "assign"))
    return steps


def _quality_marks(step: schema.Ai, defects: tuple[bool, ...]) -> list[str]:
    return [f"{'' if has else '!'}{step.id}.quality.{q}" for q, has in zip(step.quality, defects, strict=True)]


def accuracy_by_quality(build: Builder, step: schema.Ai) -> dict[tuple[bool, ...], Floats]:
    """Accuracy per combination of data defects: shape (draws, types, weeks), week 0 as week 1.

    On the logit scale: type + shift and the type's own shift (data live) + scope penalty (types never piloted) + defects − drift
    (data live). The intercept is solved so that the pilot's mix of piloted types and defects has exactly the pilot's accuracy.
    """
    at = build.scope(step)
    data = at.on("data")[:, None, None]
    penalty = np.asarray([not t.piloted for t in build.case.types.values()]) * at.column("scope_penalty")[:, None]
    base = _intercept(build, step)[:, None] + _by_type(build, step, "type_effect") + penalty
    live = base[:, :, None] + data * (at.column("shift")[:, None] + _by_type(build, step, "type_shift"))[:, :, None]
    if step.drift is not None:
        d = at.into("drift")
        lost = weeks.drift(d.column("logit_drop"), d.column("midpoint_week"), d.column("scale_weeks"), build.weeks)
        live = live - data * np.concatenate([lost[:, :1], lost], axis=1)[:, None, :]
    return {defects: expit(live + effect[:, None, None]) for defects, effect in _defect_effects(build, step).items()}


def _by_type(build: Builder, step: schema.Ai, name: str) -> Floats:
    """A logit difference of each type, shape (draws, types): 0 for a type that neither the case file nor evidence speaks of."""
    at = build.scope(step).into(name)
    zero = np.zeros_like(build.root.on("data"))
    return np.stack([at.now.get(f"{at.path}.{t}", zero) for t in build.types], axis=1)


def _defect_effects(build: Builder, step: schema.Ai) -> dict[tuple[bool, ...], Floats]:
    at, zero = build.scope(step).into("quality"), np.zeros_like(build.root.on("data"))
    effects = {}
    for defects in product((False, True), repeat=len(step.quality)):
        present = [at.into(q).column("effect") for q, has in zip(step.quality, defects, strict=True) if has]
        effects[defects] = sum(present, zero)
    return effects


def case_accuracy(at: Scope, step: schema.Ai) -> Floats:
    """The pilot's accuracy per case; per-field accuracy is raised to the number of fields (independent fields)."""
    stated = at.column("accuracy")
    return stated**step.fields if step.measured == "per_field" else stated


def _intercept(build: Builder, step: schema.Ai) -> Floats:
    """Logit at which the pilot's mix has the pilot's accuracy, by bisection; shape (draws,)."""
    at = build.scope(step)
    weights = _pilot_weights(build, step)
    goal = case_accuracy(at, step)
    low, high = np.full_like(goal, -20.0), np.full_like(goal, 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        mean = sum((expit(middle[:, None] + offset) * weight).sum(axis=1) for offset, weight in weights)
        low, high = np.where(mean < goal, middle, low), np.where(mean < goal, high, middle)
    return (low + high) / 2


def _pilot_weights(build: Builder, step: schema.Ai) -> list[tuple[Floats, Floats]]:
    """(logit offset, weight) per combination of defects in the pilot; arrays of shape (draws, types), weights sum to 1."""
    pilot = replace(build, root=build.root.as_in_pilot())
    effects = _by_type(pilot, step, "type_effect")
    mix = mix_of(pilot, step, np.zeros_like(effects))  # what the pilot had stays what it had
    return [(effects + effect[:, None], mix[defects]) for defects, effect in _defect_effects(pilot, step).items()]


def mix_of(build: Builder, step: schema.Ai, left_out: Floats) -> dict[tuple[bool, ...], Floats]:
    """Weights per combination of defects, shape (draws, types), of the cases meant for the AI: types never piloted only live.

    left_out: shape (draws, types), 1 where a what-if leaves a type to people
    """
    at, scope = build.scope(step).into("quality"), build.root.on("scope")
    shares = np.stack(
        [build.root.now[f"types.{t}.share"] * (1.0 if s.piloted else scope) for t, s in build.case.types.items()], axis=1
    ) * (1 - left_out)
    weights: dict[tuple[bool, ...], Floats] = {(): shares / np.maximum(shares.sum(axis=1), 1e-12)[:, None]}
    for q, spec in step.quality.items():
        share = build.shares(at.into(q), "share", spec.share).values[..., -1]
        weights = {(*d, has): w * (share if has else 1 - share) for d, w in weights.items() for has in (False, True)}
    return weights


def acceptance(at: Scope, step: schema.Ai) -> tuple[Floats, Floats]:
    """P(accepted given right), P(accepted given wrong): fixed by the threshold, from the pilot's coverage and accepted errors.

    Both stay as they are when accuracy changes; coverage follows. A what-if that moves the threshold moves both along the curve on which
    the scores of right and of wrong outputs are normal with one spread (the equal-variance model of Green & Swets 1966).
    """
    pilot = at.as_in_pilot()
    accuracy, coverage, error = case_accuracy(pilot, step), pilot.column("coverage"), pilot.column("accepted_error")
    right = np.clip((coverage - error) / np.maximum(accuracy, 1e-9), 0.0, 1.0)
    wrong = np.clip(error / np.maximum(1 - accuracy, 1e-9), 0.0, 1.0)
    moved = at.now.get(f"{at.path}.{THRESHOLD}")
    return (right, wrong) if moved is None else (ndtr(ndtri(right) + moved), ndtr(ndtri(wrong) + moved))


def review(build: Builder, step: schema.Review) -> list[w.Step]:
    """A person looks; a wrong output is caught with a probability that falls with load and with trust in the AI."""
    at, name, wrong = build.scope(step), step.id, wrong_mark(step.of)
    factor = service_factor(build, at, step.learning, False)
    catch = w.Chance(_catch(build, at, step), load_pool=step.team, load_slope=at.column("load_slope"))
    never = w.Chance(w.Table.constant(0.0))
    following = build.following(step)
    caught = build.entry(step.caught) if step.caught else following
    return [
        w.Serve(name, step.team, law(at, "service", step.service), f"{name}.caught", factor, _priority(build)),
        w.Mark(
            f"{name}.caught",
            f"{name}.caught",
            (w.MarkRule(catch, w.Condition.of(wrong)), w.MarkRule(never)),
            f"{name}.fixed",
            "assign",
        ),
        w.Mark(f"{name}.fixed", wrong, (w.MarkRule(_SURE, w.Condition.of(f"{name}.caught")),), f"{name}.route", "clear"),
        w.Branch(f"{name}.route", (w.Rule((caught,), (), w.Condition.of(f"{name}.caught")), w.Rule((following,)))),
    ]


def _priority(build: Builder) -> tuple[int, ...]:
    return tuple(t.priority for t in build.case.types.values())


def _catch(build: Builder, at: Scope, step: schema.Review) -> w.Table:
    """Catch rate by week after over-reliance: its logit falls by `over_reliance` per logit of accuracy above the pilot's."""
    ai_step = next(s for s in build.case.steps if isinstance(s, schema.Ai) and s.id == step.of)
    pilot = case_accuracy(build.scope(ai_step).as_in_pilot(), ai_step)
    above = logit(mean_accuracy(build, ai_step)) - logit(pilot)[:, None]
    return w.Table(expit(logit(at.column("catch"))[:, None] - at.column("over_reliance")[:, None] * above)[:, None, :])


def mean_accuracy(build: Builder, step: schema.Ai) -> Floats:
    """Accuracy of the mix of types and defects that the AI gets at full adoption; shape (draws, weeks), week 0 as week 1."""
    weights = mix_of(build, step, _by_type(build, step, LEFT_OUT))
    by_quality = accuracy_by_quality(build, step)
    mean: Floats = np.sum([(accuracy * weights[d][:, :, None]).sum(axis=1) for d, accuracy in by_quality.items()], axis=0)
    return mean


def discovery(build: Builder, step: schema.Discovery) -> list[w.Step]:
    """An error left in the case is found here with a probability, marked as found late, and sent to rework."""
    at, name, wrong = build.scope(step), step.id, wrong_mark(step.of)
    chance = w.Chance(w.Table.constant(at.column("chance")))
    found = w.Condition.of(f"{name}.found")
    rules = (w.MarkRule(chance, w.Condition.of(wrong)), w.MarkRule(w.Chance(w.Table.constant(0.0))))
    route = (w.Rule((build.entry(step.to),), (), found), w.Rule((build.following(step),)))
    return [
        w.Mark(name, f"{name}.found", rules, f"{name}.late", "assign"),
        w.Mark(f"{name}.late", late_mark(step.of), (w.MarkRule(_SURE, found),), f"{name}.fixed"),
        w.Mark(f"{name}.fixed", wrong, (w.MarkRule(_SURE, found),), f"{name}.route", "clear"),
        w.Branch(f"{name}.route", route),
    ]
