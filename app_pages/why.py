"""Why: where the days go, by what mechanism, and what happens week by week.

The first two parts and the teams come from the answer itself; what needs further simulated futures is begun when its part is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar

import streamlit as st

from app_pages import parts
from app_pages.parts import UNFINISHED, plain
from app_pages.session import SEED, ask, current_case, jobs, polling, user
from app_pages.verdict_work import ask_verdict
from models.decisions.verdict import DECISION_DRAWS
from scenarios.exhibits import MEASURES
from scenarios.files import LoadedCase
from scenarios.jobs import Look, Step, Work
from scenarios.pages import why_causes, why_days, why_mechanism, why_story, why_teams, why_weeks
from scenarios.pages.answer import AnswerPage, answer_page, days_chart, days_rows, unlocated
from scenarios.study import Means, VerdictStudy
from scenarios.study.causes_apart import causes_apart
from scenarios.version import package_version

Drawing = Callable[[Any], None]
Made = TypeVar("Made")


def page() -> None:
    """The page: the answer's own parts first, then those that are opened."""
    loaded = current_case()
    key, look = ask_verdict(loaded)
    st.title("Why: where the days go, and what the AI changes", anchor=False)
    watched(key, look, lambda study: answer_parts(study, loaded), "Simulated futures")
    st.header("Look closer", anchor=False)
    section("causes", "What does each cause do, alone and last?", lambda: causes_part(loaded))
    section("weeks", "What happens week by week after go-live?", lambda: weeks_part(loaded, key, look))
    section("teams", "How busy is each team?", lambda: watched(key, look, teams_part, ""))
    section("story", f"What happens to one {plain(loaded.case.case_word)}?", lambda: story_part(loaded))
    watched(key, look, lambda study: trust(once(f"answer {loaded.unfitted}", study, lambda: answer_page(study, loaded))), "")


def section(name: str, label: str, draw: Callable[[], None]) -> None:
    """A part that computes only while it is open; what it asked for is given up when it is closed.

    Whether it is open is kept when the page is left, which expanders do not do by themselves.
    """
    opened = f"why {name} opened"
    part = st.expander(label, key=f"why {name}", on_change="rerun", expanded=st.session_state.get(opened, False))
    st.session_state[opened] = part.open
    if part.open:
        with part:
            draw()
    else:
        jobs().cancel(user(), f"why {name}")


def watched(key: Hashable, look: Look, draw: Drawing, what: str) -> None:
    """Draws what a job has found so far, and looks again by itself until it is done. `what`: named beside its progress, "" shows none."""
    st.fragment(_watch, run_every=polling(look))(key, look.state in UNFINISHED, draw, what)


def _watch(key: Hashable, waiting: bool, draw: Drawing, what: str) -> None:
    look = jobs().look(key)
    if waiting and look.state not in UNFINISHED:
        st.rerun()
    if look.state == "failed":
        if what:
            parts.failed(look)
    elif look.answer is not None:
        parts.computing(look)
        draw(look.answer)
        if what:
            parts.progress(look, what)
    elif what:
        st.caption("Simulating the first futures …")
        st.skeleton(height=240)


def once(name: str, of: object, make: Callable[[], Made]) -> Made:
    """What was made of the same answer before: a fragment that looks again draws it again, and need not compute it again."""
    kept = st.session_state.get(f"why kept {name}")
    if kept is None or kept[0] is not of:
        kept = of, make()
        st.session_state[f"why kept {name}"] = kept
    made: Made = kept[1]
    return made


def key_of(kind: str, loaded: LoadedCase, *more: Hashable) -> Hashable:
    """Equal for everybody who asks the same of the same case."""
    return kind, loaded.file, loaded.hash, SEED, package_version(), *more


# -- from the answer


def answer_parts(study: VerdictStudy, loaded: LoadedCase) -> None:
    """Where the days go, and the mechanism; without an answer, why there is none."""
    shown = once(f"answer {loaded.unfitted}", study, lambda: answer_page(study, loaded))
    st.caption(plain(f"{shown.question} {shown.verdict}."))
    if study.verdict.probability is None:
        st.markdown(plain(shown.sentence))
        return
    days_part(study, shown, loaded)
    mechanism_part(study)


def days_part(study: VerdictStudy, shown: AnswerPage, loaded: LoadedCase) -> None:
    """Bars, and a table whose columns add up."""
    days = once("days", study, lambda: why_days.days_table(study))
    st.header("Where the days go", anchor=False)
    described = "Bars of days, today, as in the pilot and live; each bar adds up to the mean."
    parts.chart(
        days_chart(shown, loaded.case),
        days.finding,
        described,
        days_rows(shown),
        "days by part",
        height=parts.bars_height({part.name for part in shown.days}),
    )
    with st.expander("The same as a table that adds up", key="why table", on_change="rerun") as part:
        if part.open:
            table(why_days.days_shown(days))
            st.caption(plain(days.how))
            take(why_days.days_data(days), "days table")


def mechanism_part(study: VerdictStudy) -> None:
    """The chain of sentences, each with the origin of its figures."""
    links = once("mechanism", study, lambda: why_mechanism.mechanism(study))
    st.header("By what mechanism", anchor=False)
    for number, link in enumerate(links, 1):
        st.markdown(f"{number}. **{plain(link.lead)}.** {text(link.text)}", help="  \n".join(plain(line) for line in link.how))
    for sentence in unlocated(study):
        st.markdown(text(sentence))
    with st.expander("Where these figures come from"):
        st.markdown("\n".join(f"- {text(line)}" for line in why_mechanism.traced(links)))


def teams_part(study: VerdictStudy) -> None:
    """A cell for every team and week, and the people behind it."""
    found = once("teams", study, lambda: why_teams.teams(study)) if study.results else None
    if found is None:
        st.markdown("No team works in this case.")
        return
    described = "One row a team, one cell a week after go-live, live; the darker, the busier."
    parts.chart(
        why_teams.teams_chart(found),
        found.finding,
        described,
        why_teams.teams_rows(found),
        "load of teams",
        height=120 + 34 * len(found.teams),
    )
    table(why_teams.teams_shown(found))
    st.markdown(text(why_teams.full_teams(found)))
    st.caption(plain(found.how))


def tied(words: str) -> str:
    """No unit is parted from its number."""
    return re.sub(r"(?<=\d) (?=%|d\b|days\b|h\b|min\b|s\b)", "\u00a0", words)


def text(sentence: str) -> str:
    """A sentence for Markdown."""
    return plain(tied(sentence))


def table(rows: Iterable[dict[str, str]]) -> None:
    """A small table of texts."""
    parts.table({key: tied(value) for key, value in row.items()} for row in rows)


def trust(shown: AnswerPage) -> None:
    """The card beside the answer, here below what explains it."""
    parts.trust(shown.checks, shown.rests_on, shown.basis)


def take(rows: list[dict[str, Any]], name: str) -> None:
    """A table to take away."""
    from scenarios.pages.tables import as_csv

    if st.session_state.get(parts.COMPUTING):
        return
    st.download_button(
        "Data of this table", as_csv(rows), f"{name}.csv", "text/csv", key=f"table {name}", type="tertiary", icon=":material/download:",
        on_click="ignore",
    )  # fmt: skip


# -- each cause


def causes_part(loaded: LoadedCase) -> None:
    """The four causes, on ever more futures."""
    key = key_of("causes", loaded)
    watched(key, ask("why causes", key, causes_work(loaded)), draw_causes, "Simulated futures, eleven worlds each")


def causes_work(loaded: LoadedCase) -> Work:
    """Eleven worlds over the same futures."""

    def steps() -> Iterator[Step]:
        for found in causes_apart(loaded, DECISION_DRAWS, SEED, Means()):
            yield Step(found, found.futures, DECISION_DRAWS)

    return steps


def draw_causes(found: Any) -> None:
    """Differences with their ranges, in a chart and in words."""
    if found.futures < 2:
        st.markdown("The figures do not fit together in enough simulated futures to compare causes.")
        return
    shown = why_causes.causes(found)
    described = "Two dots for every cause, alone and last, with 90 % ranges, around a line at nothing."
    parts.chart(why_causes.causes_chart(shown), shown.finding, described, why_causes.causes_rows(shown), "causes", height=300)
    table(why_causes.causes_shown(shown))
    for sentence in shown.sentences:
        st.markdown(text(sentence))
    with st.expander("What each cause switches on"):
        st.markdown("\n".join(f"- {text(line)}" for line in why_causes.switches_shown(shown)))
    st.caption(plain(shown.how))


# -- week by week


def weeks_part(loaded: LoadedCase, verdict: Hashable, look: Look) -> None:
    """The result by week from the answer's futures; what emerges from futures of its own; what goes in."""
    watched(verdict, look, draw_by_week, "")
    names = [m.short for m in MEASURES]
    chosen = st.selectbox("Also week by week", names, key="why measure", persist_state="session")
    key = key_of("weeks", loaded)
    watched(key, ask("why weeks", key, weeks_work(loaded)), lambda e: draw_emerging(e, chosen), "Simulated runs")
    draw_inputs(loaded)


def weeks_work(loaded: LoadedCase) -> Work:
    """The exhibit, a slice two worlds of one future."""

    def steps() -> Iterator[Step]:
        for found, done, total in why_weeks.growing_exhibit(loaded, why_weeks.FUTURES, SEED, Means()):
            yield Step(found, done, total)

    return steps


def draw_by_week(study: VerdictStudy) -> None:
    """Lines over the weeks of arrival."""
    if not study.results:
        return
    found = once("by week", study, lambda: why_weeks.by_week(study))
    described = "Lines by week of arrival, as in the pilot and live, with the range of futures; a dashed line for today."
    parts.chart(why_weeks.by_week_chart(found), found.finding, described, why_weeks.by_week_data(found), "result by week")
    st.caption(plain(found.how))


def draw_emerging(exhibit: Any, chosen: str) -> None:
    """One measure week by week, and whether a decline emerges."""
    found = once("emerging", exhibit, lambda: why_weeks.emerging(exhibit))
    measure, title = next((m, title) for m, title in found.measures if m.short == chosen)
    described = f"Lines by week, as in the pilot and live. {measure.what}"
    parts.chart(
        why_weeks.emerging_chart(exhibit, measure),
        title,
        described,
        why_weeks.emerging_rows(exhibit, measure),
        "weeks as they emerge",
    )
    st.markdown("\n".join(f"- {text(sentence)}" for sentence in found.sentences))
    if found.findings:
        st.markdown(
            text(
                f"{measure.short[0].upper()}{measure.short[1:]}, {measure.unit} against the pilot's conditions, with 99 % ranges:"
            )
        )
        table(why_weeks.emerging_shown(found, measure))
    st.caption(plain(found.how))


def draw_inputs(loaded: LoadedCase) -> None:
    """Every number that changes by week, with its source."""
    rows = why_weeks.inputs(loaded.case)
    st.markdown("**What goes in week by week, as assumed or measured**")
    if not rows:
        st.markdown("No number of this case changes by week after go-live.")
        return
    table(why_weeks.inputs_shown(rows))
    st.markdown("\n".join(f"- {text(line)}" for line in why_weeks.inputs_sources(rows)))
    if quiet := why_weeks.still(rows):
        st.markdown(plain(quiet))
    take(why_weeks.inputs_data(rows), "numbers by week")


# -- one case


def story_part(loaded: LoadedCase) -> None:
    """Which case, and its story."""
    word = loaded.case.case_word
    world = st.segmented_control(
        "World", list(why_story.WORLDS), default="live", required=True, key="why world", persist_state="session"
    )
    which = st.selectbox(
        f"Which {plain(word)}",
        list(why_story.WHICH_NAMES),
        format_func=why_story.WHICH_NAMES.__getitem__,
        key="why which",
        persist_state="session",
    )
    number = 0
    if which == "number":
        number = int(
            st.number_input("Number, from 0 in the order of arrival", 0, 10_000_000, 0, key="why number", persist_state="session")
        )
    key = key_of("story", loaded, world, which, number)

    def steps() -> Iterator[Step]:
        for done, found in enumerate(why_story.told(loaded, world, which, number, SEED), 1):
            yield Step(found, done, 2)

    watched(key, ask("why story", key, steps), draw_story, "Simulated worlds")


def draw_story(found: why_story.Told) -> None:
    """The time line, in words, and as a table."""
    rows = why_story.story_rows(found)
    if rows:
        described = "Bars in the order of the steps, from arrival to end, coloured by what the time was."
        height = 130 + 30 * len({row["step"] for row in rows}) + 18 * len({row["what"] for row in rows})
        parts.chart(why_story.story_chart(found), why_story.headline(found), described, rows, "story", height=height)
    else:
        st.markdown(f"**{plain(why_story.headline(found))}**")
    for sentence in why_story.sentences(found):
        st.markdown(text(sentence))
    if rows:
        table(why_story.events_shown(found))
    st.caption(plain(why_story.HOW))


page()
