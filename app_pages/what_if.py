"""What if: move a number of the time after go-live, and see what it is worth in the same simulated futures."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app_pages import links, parts, saved
from app_pages.parts import UNFINISHED, plain
from app_pages.session import SEED, ask, current_case, jobs, polling
from app_pages.verdict_work import ask_verdict, key_of
from models.decisions.verdict import DECISION_DRAWS
from models.schema import WhatIf
from scenarios.files import LoadedCase, with_what_if
from scenarios.jobs import Look, Step, Work
from scenarios.no_queues import live_days
from scenarios.pages.answer import answer_page
from scenarios.pages.what_if import (
    EffectPage,
    changes_described,
    curve_chart,
    curve_finding,
    curve_rows,
    described,
    effect_page,
    without_queues,
)
from scenarios.pages.what_if_controls import GROUPS, Control, changes_of, controls_of, rounded_now
from scenarios.problems import CaseError
from scenarios.report import charts
from scenarios.store import SolvedCache
from scenarios.study import Means
from scenarios.study.accuracy_curve import STAGES, curves
from scenarios.study.middle import median_baseline
from scenarios.study.what_if import effects
from scenarios.version import package_version


@st.cache_data(max_entries=128, ttl=3_600, show_spinner=False)
def controls(_loaded: LoadedCase, case_hash: str) -> tuple[Control, ...]:
    """The controls of a case; `case_hash` is the key."""
    return controls_of(_loaded.case)


@st.cache_data(max_entries=256, ttl=3_600, show_spinner=False)
def words_of(_loaded: LoadedCase, _what_if: WhatIf, case_hash: str, changes: str) -> str:
    """What a what-if of a case changes; the hash and the changes are the key."""
    return changes_described(_loaded.case, controls(_loaded, case_hash), _what_if)


@dataclass(frozen=True, slots=True)
class Tried:
    """What is tried out: the case under it, in words, and its settings."""

    loaded: LoadedCase
    words: str
    settings: Mapping[str, float]


def page() -> None:
    """Controls first; then what they are worth."""
    loaded = current_case()
    ask_verdict(loaded)
    st.title("What if …", anchor=False)
    st.caption(
        "Move a number of the time after go-live. Both sides live through the same simulated futures, so only the change makes the difference."
    )
    shown = controls(loaded, loaded.hash)
    settings = controls_shown(loaded, shown, links.settings_wanted(loaded, shown))
    tried = tried_case(loaded, shown, settings)
    if tried is None:
        st.info("Nothing is changed yet. For example, raise the accuracy, or put one more person on a team.")
    else:
        worth(loaded, tried)
        saved.keep(loaded, tried.loaded)
    saved.compared(loaded, effect_of, lambda found: words_of(loaded, found, loaded.hash, found.model_dump_json()))
    curve(tried.loaded if tried is not None else loaded)
    links.offer(loaded, settings)
    look = jobs().look(key_of(loaded))
    if look.answer is not None:
        answer = answer_page(look.answer, loaded)
        parts.trust(answer.checks, answer.rests_on, answer.basis)


# -- controls


def name_of(loaded: LoadedCase, control: Control) -> str:
    """The key of a control's widget: another case has controls of its own, and so has every reset."""
    return f"try {loaded.hash} {st.session_state.get(resets(loaded), 0)} {control.id}"


def resets(loaded: LoadedCase) -> str:
    """Where it is counted how often the controls of a case were put back."""
    return f"resets {loaded.hash}"


def controls_shown(loaded: LoadedCase, shown: tuple[Control, ...], wanted: Mapping[str, float]) -> dict[str, float]:
    """All controls by group; the values that differ from now. wanted: values to begin with."""
    kept: dict[str, float] = st.session_state.setdefault(f"settings {loaded.hash}", {})
    kept.update(wanted)
    groups = [group for group in GROUPS if any(c.group == group for c in shown)]
    if not groups:
        st.info("This case has no AI, team or connected system whose numbers could be moved here.")
        return {}
    with st.container(border=True):
        for tab, group in zip(st.tabs(list(groups)), groups, strict=True):
            with tab:
                mine = [c for c in shown if c.group == group]
                for control in (c for c in mine if not c.fine):
                    moved(loaded, control, kept)
                if any(c.fine for c in mine):
                    with st.expander("By type and by defect of the data"):
                        for control in (c for c in mine if c.fine):
                            moved(loaded, control, kept)
                st.caption(f"{GROUPS[group][0].upper()}{GROUPS[group][1:]}.")
        st.button("Back to the case as it is", on_click=reset, args=(loaded,), type="tertiary", icon=":material/undo:")
    return dict(kept)


def moved(loaded: LoadedCase, control: Control, kept: dict[str, float]) -> None:
    """One control; what is moved is kept while other pages are looked at."""
    key, now = name_of(loaded, control), rounded_now(control)
    start = kept.get(control.id, now)
    label, hint = plain(control.label), plain(control.help)
    if control.unit == "yes or no":
        value = float(st.toggle(label, bool(start), key=key, help=hint))
    elif control.unit in ("people", "week"):
        value = float(st.slider(label, int(control.low), int(control.high), int(start), int(control.step), key=key, help=hint))
    else:
        form = "%.1f %%" if control.unit == "%" else "%.0f %% of now"
        value = float(st.slider(label, control.low, control.high, float(start), control.step, key=key, help=hint, format=form))
    if abs(value - now) > 1e-9:
        kept[control.id] = value
    else:
        kept.pop(control.id, None)


def reset(loaded: LoadedCase) -> None:
    """All controls at their present values. They get new keys: a browser keeps the value of a control that it knows, and sends it again."""
    st.session_state[f"settings {loaded.hash}"] = {}
    st.session_state[resets(loaded)] = st.session_state.get(resets(loaded), 0) + 1


def tried_case(loaded: LoadedCase, shown: tuple[Control, ...], settings: Mapping[str, float]) -> Tried | None:
    """The case under the settings; None if they change nothing."""
    if not settings:
        return None
    try:
        words = described(shown, settings)
        return Tried(
            with_what_if(loaded, WhatIf(title=words[:200] or "what if", changes=changes_of(loaded.case, shown, settings))),
            words,
            settings,
        )
    except CaseError as error:
        parts.tell(error)
        st.stop()
    except ValueError as error:
        st.error(plain(error))
        st.stop()


# -- what it is worth


def work_of(base: LoadedCase, tried: LoadedCase) -> Work:
    """The effect on ever more futures; what the answer simulated of the base case already is taken from there."""
    verdict = key_of(base)

    def known() -> Any:
        look = jobs().look(verdict)
        return look.answer.results if look.answer is not None else ()

    def steps() -> Iterator[Step]:
        for effect in effects(base, tried, DECISION_DRAWS, SEED, Means(), known):
            yield Step(effect, len(effect.futures), DECISION_DRAWS)

    return steps


def effect_of(base: LoadedCase, tried: LoadedCase, place: str) -> tuple[Hashable, Look]:
    """Asks for an effect; the key under which it is looked at again."""
    key = "effect", base.file, base.hash, tried.hash, SEED, package_version()
    return key, ask(place, key, work_of(base, tried))


def worth(base: LoadedCase, tried: Tried) -> None:
    """The effect so far; it looks again by itself until it is whole."""
    key, look = effect_of(base, tried.loaded, "effect")
    st.fragment(effect_shown, run_every=polling(look))(key, base, tried, look.state in UNFINISHED)


def effect_shown(key: Hashable, base: LoadedCase, tried: Tried, waiting: bool) -> None:
    """One look at it."""
    look = jobs().look(key)
    if waiting and look.state not in UNFINISHED:
        st.rerun()
    st.header(plain(tried.words), anchor=False)
    if look.state == "failed":
        parts.failed(look)
    elif look.answer is None:
        with st.container(border=True):
            if jobs().look(key_of(base)).answer is not None:  # today's result is solved, so that this takes a quarter of a second
                st.markdown(plain(first_estimate(base, tried.loaded, base.hash, tried.loaded.hash)))
            st.skeleton(height=80)
    else:
        parts.computing(look)
        effect_drawn(effect_page(look.answer, tried.words))
        parts.progress(look, "Simulated futures")


@st.cache_data(max_entries=256, ttl=3_600, show_spinner=False)
def first_estimate(_base: LoadedCase, _tried: LoadedCase, base_hash: str, tried_hash: str) -> str:
    """The instant answer; the two hashes are the key."""
    solved = (
        median_baseline(_base.case, SEED, Means(), SolvedCache(_base.today, SEED, _base.cache))
        if _base.case.baseline is not None
        else None
    )
    days = solved.per_visit if solved is not None else {}
    return without_queues(_base.case, live_days(_base.case, days), live_days(_tried.case, days))


def effect_drawn(page: EffectPage) -> None:
    """The difference, then the level, then where it comes from."""
    with st.container(border=True):
        parts.large(page.headline, 1.4)
        st.markdown(plain(page.chance))
        st.markdown(plain(page.still))
    parts.metrics(page.numbers)
    rows = [{"world": world, "part of the process": name, "days a case": round(days, 3)} for world, name, days in page.days]
    drawing = charts.stacked(list(page.days), None, "")
    parts.chart(
        drawing,
        page.finding,
        "Bars of days a case, live, without and with the change.",
        rows,
        "effect",
        parts.bars_height({name for _, name, _ in page.days}),
    )


# -- the curve


def curve(loaded: LoadedCase) -> None:
    """The result over accuracy, once somebody opens it."""
    with st.expander("Which accuracy would be enough?", key="curve open", on_change="rerun") as opened:
        if not opened.open:
            return
        key = "curve", loaded.file, loaded.hash, SEED, package_version()

        def steps() -> Iterator[Step]:
            for done, found in enumerate(curves(loaded, SEED, Means()), 1):
                yield Step(found, done, len(STAGES))

        look = ask("curve", key, steps)
        st.fragment(curve_shown, run_every=polling(look))(key, loaded, look.state in UNFINISHED)


def curve_shown(key: Hashable, loaded: LoadedCase, waiting: bool) -> None:
    """One look at the curve."""
    look = jobs().look(key)
    if waiting and look.state not in UNFINISHED:
        st.rerun()
    if look.state == "failed":
        parts.failed(look)
    elif look.answer is None:
        st.skeleton(height=260)
    else:
        parts.computing(look)
        rows = curve_rows(look.answer, loaded.case)
        described_as = "A curve of the result live over the accuracy of the AI, with its range and the promise."
        parts.chart(
            curve_chart(look.answer, loaded.case), curve_finding(look.answer, loaded.case), described_as, rows, "curve", 320
        )
        st.caption(
            f"Every level in the same {look.answer.points[0].futures} simulated futures; the threshold stays, so more accuracy means that more is "
            "accepted without review. The band holds the mean of all futures with 90 %."
        )
        parts.progress(look, "Stages")


page()
