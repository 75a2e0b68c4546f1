"""Planted faults: small errors written into the source of the simulator, each with the test that must notice it.

A test that cannot fail proves nothing. `world` loads the simulator and one test module afresh, with a fault or without, beside
the modules already loaded; `tests/test_planted_faults.py` lets every check pass without its fault and fail with it. In a world the
kernel is not compiled: Python runs it as it stands, which gives the same and saves ten seconds a fault.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import numba

from simulator.engines import EngineName

TESTS = Path(__file__).parent
ROOT = TESTS.parent


@dataclass(frozen=True)
class Fault:
    """In `module`, `right` (which stands there once) becomes `wrong`; `check` is "test file::test" that must fail.

    `given`: the arguments of a parametrised check.
    """

    name: str
    module: str
    right: str
    wrong: str
    check: str
    given: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return self.name

    @property
    def engine(self) -> EngineName:
        """By which engine the check is played, if it asks."""
        return "compiled" if self.module in ("kernel", "compiled_engine") else "simpy"

    def plant(self, source: str) -> str:
        """The source with the fault. Raises ValueError unless the right text stands there exactly once."""
        if source.count(self.right) != 1:
            raise ValueError(f"{self.name}: {self.module} holds {source.count(self.right)} times: {self.right}")
        return source.replace(self.right, self.wrong)


class _Loader(SourceFileLoader):
    """Compiles the module of the fault with it, and the others as they are."""

    def __init__(self, name: str, path: str, fault: Fault | None) -> None:
        super().__init__(name, path)
        self.fault = fault

    def get_code(self, fullname: str) -> CodeType:
        if self.fault is not None and fullname == f"simulator.{self.fault.module}":
            return compile(self.fault.plant(Path(self.path).read_text(encoding="utf-8")), self.path, "exec")
        return _sound(self.path)


@cache
def _sound(path: str) -> CodeType:
    """A module without a fault, compiled once for all worlds."""
    return compile(Path(path).read_text(encoding="utf-8"), path, "exec")


class _Finder(MetaPathFinder):
    """Finds the simulator's modules before anyone else does."""

    def __init__(self, fault: Fault | None) -> None:
        self.fault = fault

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != "simulator":
            return None
        file = ROOT / "simulator" / f"{name or '__init__'}.py"
        loader = _Loader(fullname, str(file), self.fault)
        return importlib.util.spec_from_file_location(
            fullname, file, loader=loader, submodule_search_locations=None if name else [str(file.parent)]
        )


def _of_a_world(module: str) -> bool:
    """The simulator, and what of the tests holds its classes or engines."""
    return module.partition(".")[0] == "simulator" or module.startswith(("tests.engines", "tests.oracles"))


@contextmanager
def world(test_file: str, fault: Fault | None = None) -> Iterator[ModuleType]:
    """The test module on a simulator of its own that is not compiled; what was loaded before comes back afterwards."""
    kept = {name: module for name, module in sys.modules.items() if _of_a_world(name)}
    finder, name, config = _Finder(fault), f"planted_{test_file}", numba.config
    for module in kept:
        del sys.modules[module]
    sys.meta_path.insert(0, finder)
    compiled, config.DISABLE_JIT = config.DISABLE_JIT, 1
    try:
        spec = importlib.util.spec_from_file_location(name, TESTS / f"{test_file}.py")
        assert spec is not None
        assert spec.loader is not None
        tests = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tests)
        yield tests
    finally:
        config.DISABLE_JIT = compiled
        sys.meta_path.remove(finder)
        for module in [m for m in sys.modules if m == name or _of_a_world(m)]:
            del sys.modules[module]
        sys.modules.update(kept)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """A fault that makes the simulator run for ever becomes an error (where the system has alarms)."""

    def give_up(*_: object) -> None:
        raise TimeoutError(f"still running after {seconds} seconds")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def check_of(fault: Fault, tests: ModuleType) -> Callable[[], None]:
    """The named check of a fault, ready to call."""
    test = getattr(tests, fault.check.partition("::")[2])

    def check() -> None:
        if hasattr(tests, "PLAYED_BY"):
            tests.PLAYED_BY = fault.engine
        test(*fault.given)

    return check


EXACT, EQUAL, KERNEL, RANDOM, CLOCK, DRAWS, SHAPES, CHECKS = (
    "test_exact",
    "test_equality",
    "test_kernel",
    "test_common_random_numbers",
    "test_clock",
    "test_draws",
    "test_distributions",
    "test_checks",
)

FAULTS = (
    # The queue
    Fault(
        "forgot to release the unit",
        "simpy_engine",
        "pool.in_use -= 1",
        "pool.in_use -= 0",
        f"{EXACT}::test_e4_arrivals_every_4_and_service_5_wait_one_more_each",
    ),
    Fault(
        "last come, first served",
        "simpy_engine",
        "(priority, now, token.case.index, token.number, entry, token)",
        "(priority, -now, token.case.index, token.number, entry, token)",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "priority ignored",
        "simpy_engine",
        "(priority, now, token.case.index, token.number, entry, token)",
        "(0, now, token.case.index, token.number, entry, token)",
        f"{EXACT}::test_e4_the_urgent_type_starts_first_even_when_it_arrives_in_the_instant_of_the_start",
    ),
    Fault(
        "one start beyond capacity",
        "simpy_engine",
        "if pool.in_use >= units or",
        "if pool.in_use > units or",
        f"{EXACT}::test_e7_no_start_beyond_capacity_no_idle_unit_beside_a_queue_no_overtaking",
    ),
    Fault(
        "one unit always idle",
        "simpy_engine",
        "if pool.in_use >= units or",
        "if pool.in_use >= max(1, units - 1) or",
        f"{EXACT}::test_e7_no_start_beyond_capacity_no_idle_unit_beside_a_queue_no_overtaking",
    ),
    Fault(
        "work starts in the order of events of an instant",
        "simpy_engine",
        "LAST = EventPriority(2)",
        "LAST = EventPriority(0)",
        f"{EXACT}::test_e4_the_urgent_type_starts_first_even_when_it_arrives_in_the_instant_of_the_start",
    ),
    Fault(
        "the queue is not woken at the opening",
        "simpy_engine",
        "min(pool.next_change(now), rate_limited)",
        "rate_limited",
        f"{EXACT}::test_e13_what_comes_at_night_starts_at_the_opening",
    ),
    # Service times
    Fault(
        "service 3 % longer",
        "steps",
        "rounded(quantile(first(case, visit)) * factor(",
        "rounded(1.03 * quantile(first(case, visit)) * factor(",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "durations cut off instead of rounded",
        "steps",
        "math.floor(seconds + 0.5)",
        "math.floor(seconds)",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "week of queueing instead of week of start",
        "simpy_engine",
        "self.service[step](token.case, token.visit, now)",
        "self.service[step](token.case, token.visit, token.entered)",
        f"{EXACT}::test_the_week_of_a_service_is_the_week_of_its_start_not_of_its_queueing",
    ),
    Fault(
        "warm-up off by one second",
        "simpy_engine",
        "self.service[step](token.case, token.visit, now)",
        "self.service[step](token.case, token.visit, now - 1)",
        f"{EXACT}::test_e11_the_last_second_of_the_warm_up_is_week_0_and_go_live_is_week_1",
    ),
    Fault(
        "weeks beyond the table start again",
        "steps",
        "else by_week[-1]",
        "else by_week[week % len(by_week)]",
        f"{EXACT}::test_e11_the_last_second_of_the_warm_up_is_week_0_and_go_live_is_week_1",
    ),
    Fault(
        "lognormal with half its sigma",
        "quantiles",
        "math.exp(p[0] + p[1] * _normal_quantile(u))",
        "math.exp(p[0] + 0.5 * p[1] * _normal_quantile(u))",
        f"{EXACT}::test_e5_without_queues_the_cycle_time_is_the_sum_of_the_cases_own_durations",
    ),
    Fault(
        "tables uniform in u",
        "distributions",
        "return np.concatenate([lower, [0.5], 1.0 - lower[::-1]])",
        "return np.linspace(0, 1, 1_027)[1:-1]",
        f"{SHAPES}::test_the_table_of_a_lognormal_with_sigma_1_2_is_as_exact_as_demanded",
    ),
    Fault(
        "a reminder shortens the whole wait",
        "quantiles",
        "after + (x - after) * multiplier",
        "x * multiplier",
        f"{SHAPES}::test_the_engine_reads_a_kink_of_an_exponential_wait",
    ),
    # Deadlines
    Fault(
        "a deadline does not cancel the queue entry",
        "simpy_engine",
        "        token.waiting = False\n        pool.change_waiting(now, -1)",
        "        pool.change_waiting(now, -1)",
        f"{EXACT}::test_e4_a_case_that_gave_up_is_never_served_later",
    ),
    Fault(
        "an abandoned wait leaves no row",
        "simpy_engine",
        "self._row(token, token.step, pool.number, NEVER, now, TIMED_OUT)",
        "pass",
        f"{EXACT}::test_e4_a_case_that_gives_up_after_4_hours_leaves_queue_area_4",
    ),
    Fault(
        "a deadline cuts started work",
        "simpy_engine",
        "if not token.waiting or token.entry != entry:",
        "if token.entry != entry:",
        f"{EXACT}::test_e4_a_deadline_one_second_later_comes_too_late_and_started_work_is_never_cut",
    ),
    Fault(
        "a grant at the deadline's instant leaks a unit",
        "simpy_engine",
        "change_waiting(now, -1)\n        self._row(",
        "in_use += 1\n        self._row(",
        f"{EXACT}::test_e4_a_deadline_beats_the_unit_that_is_freed_at_the_same_instant_and_leaks_nothing",
    ),
    Fault(
        "a freed unit beats the deadline of the same instant",
        "simpy_engine",
        "timer = Timeout(self.env, due - now)",
        "timer = Timeout(self.env, due - now + 1e-3)",
        f"{EXACT}::test_e4_a_deadline_beats_the_unit_that_is_freed_at_the_same_instant_and_leaks_nothing",
    ),
    Fault(
        "a planned end beats the deadline of the same instant",
        "steps",
        "elif token.due <= end:",
        "elif token.due < end:",
        f"{EXACT}::test_a_timer_cuts_a_delay_at_its_deadline_and_wins_a_tie_with_the_planned_end",
    ),
    Fault(
        "a deadline counts closed hours",
        "steps",
        "token.due = now + limit if clock is None else clock.add(now, limit)",
        "token.due = now + limit",
        f"{EXACT}::test_a_timer_on_a_working_calendar_counts_open_time_only",
    ),
    # What is open at the end, and the edges of a run
    Fault(
        "unfinished visits dropped",
        "simpy_engine",
        "        self._write_waiting()\n        cases",
        "        cases",
        f"{EXACT}::test_e4_three_jobs_at_once_stopped_at_12_leave_queue_area_17_and_busy_area_12",
    ),
    Fault(
        "events on the horizon are processed",
        "simpy_engine",
        "self.env.run(until=self.program.stop)",
        "self.env.run(until=self.program.stop + 1)",
        f"{EXACT}::test_e11_an_arrival_exactly_on_the_horizon_does_not_enter",
    ),
    Fault(
        "an end on the horizon counts as reached",
        "ledger",
        'late = columns["ended"] >= program.stop',
        'late = columns["ended"] > program.stop',
        f"{EXACT}::test_e11_what_would_end_exactly_on_the_horizon_is_open",
        (12, False),
    ),
    # Calendars
    Fault(
        "weekend counted",
        "clock",
        "hours.get(WEEKDAYS[when.weekday()], ())",
        "hours.get(WEEKDAYS[min(when.weekday(), 4)], ())",
        f"{EXACT}::test_e13_work_of_4_hours_started_on_friday_at_16_ends_on_monday_at_12",
    ),
    Fault(
        "holidays worked",
        "clock",
        "if when in closed:",
        "if when in closed and when.weekday() > 4:",
        f"{CLOCK}::test_work_skips_a_holiday",
    ),
    Fault(
        "batch run on the wrong day",
        "clock",
        "when = go_live + timedelta(days=day)",
        "when = go_live + timedelta(days=day + 1)",
        f"{EXACT}::test_e13_a_payment_run_takes_what_came_before_it_closes",
        (0, 86_400 + 36_000),
    ),
    Fault(
        "a window holds its end",
        "clock",
        "if i >= 0 and second < self.ends[i]:\n            return second",
        "if i >= 0 and second <= self.ends[i]:\n            return second",
        f"{CLOCK}::test_a_window_holds_its_start_and_not_its_end",
    ),
    Fault(
        "hours read as minutes",
        "clock",
        "start, end = h1 * HOUR + m1 * MINUTE, h2 * HOUR + m2 * MINUTE",
        "start, end = h1 * MINUTE + m1, h2 * MINUTE + m2",
        f"{CLOCK}::test_hours_are_seconds_after_midnight",
        ("09:00-17:30", (32_400, 63_000)),
    ),
    Fault(
        "a hidden unit: a back-off of at least a minute",
        "steps",
        "return lambda k: rounded(base * multiplier**k)",
        "return lambda k: max(60, rounded(base * multiplier**k) - 1)",
        f"{EXACT}::test_e12_hours_to_minutes_divides_every_time_by_60_and_changes_nothing_else",
    ),
    Fault(
        "closing time does not suspend work",
        "simpy_engine",
        "end, token.step = pool.open_time.add(now, seconds), self",
        "end, token.step = now + seconds, self",
        f"{EXACT}::test_e13_work_of_4_hours_started_on_friday_at_16_ends_on_monday_at_12",
    ),
    Fault(
        "headcount of the week before",
        "futures",
        "mine[np.minimum(week, len(mine) - 1)]",
        "mine[np.minimum(np.maximum(week - 1, 0), len(mine) - 1)]",
        f"{EXACT}::test_headcount_by_week_holds_from_monday_midnight_and_its_last_column_for_ever",
    ),
    Fault(
        "absences forgotten",
        "futures",
        "return cell_starts, cell_ends, present - missing",
        "return cell_starts, cell_ends, present",
        f"{EXACT}::test_absences_suspend_work_in_progress_when_nobody_is_left",
    ),
    # Calls, batches, forks, loops, marks
    Fault(
        "retry without back-off",
        "steps",
        "time += back_off(k)",
        "time += 0",
        f"{EXACT}::test_three_attempts_with_doubling_back_off_end_after_45_seconds_and_set_the_failure_mark",
    ),
    Fault(
        "outages ignored",
        "steps",
        "if down.is_open(time):",
        "if False:",
        f"{EXACT}::test_outages_and_planned_downtime_both_stop_an_endpoint",
    ),
    Fault(
        "the connection is kept during the back-off",
        "simpy_engine",
        "pool.in_use -= 1",
        "pool.in_use -= back_off is None",
        f"{EXACT}::test_a_limited_endpoint_queues_attempts_and_is_free_during_the_back_off",
    ),
    Fault(
        "a batch never leaves by waiting",
        "simpy_engine",
        "members[0][0] + batch.longest <= now",
        "members[0][0] + batch.longest < now",
        f"{EXACT}::test_a_batch_leaves_when_it_is_full_or_when_the_first_has_waited_long_enough",
    ),
    Fault(
        "a join forgets how long the early branches waited",
        "steps",
        "visit, -1, since, since, now, DONE))",
        "visit, -1, now, now, now, DONE))",
        f"{EXACT}::test_a_fork_waits_for_its_slowest_branch_and_the_rows_of_the_others_say_so",
    ),
    Fault(
        "a mark cleared in a branch comes back at the join",
        "steps",
        "return (at_fork & ~cleared) | set_by_any",
        "return at_fork | set_by_any",
        f"{EXACT}::test_marks_meet_at_a_join_set_wins_over_cleared_and_both_over_unchanged",
    ),
    Fault(
        "one rework too many",
        "steps",
        "token.step = to if visit < limit else otherwise",
        "token.step = to if visit <= limit else otherwise",
        f"{EXACT}::test_a_goto_repeats_exactly_its_limit_and_counts_the_visits",
    ),
    Fault(
        "forbidden marks ignored",
        "program",
        "sum(1 << self.mark[m] for m in when.forbidden)",
        "0",
        f"{EXACT}::test_a_condition_needs_its_required_marks_and_none_of_its_forbidden_ones",
    ),
    Fault(
        "a chance reads the queue of its own instant",
        "simpy_engine",
        "waiting = self.waiting_before if self.changed_at == now else self.waiting",
        "waiting = self.waiting",
        f"{EXACT}::test_a_chance_reads_the_queue_as_it_stood_at_the_end_of_the_previous_instant",
    ),
    Fault(
        "data age in minutes",
        "steps",
        "feed.age(now) / HOUR",
        "feed.age(now) / 60",
        f"{EXACT}::test_data_age_of_one_hour_makes_the_known_share_stale",
    ),
    # Random numbers
    Fault(
        "accuracy inverted",
        "steps",
        "if u < total:",
        "if u >= total:",
        f"{EXACT}::test_e11_an_accuracy_of_0_or_1_is_never_or_always_right",
        (1.0, 0),
    ),
    Fault(
        "seed shared by replications",
        "futures",
        "return _future(program, draw, seed, number, *_arrivals(program, draw, seed, number), shared)",
        "return _future(program, draw, seed, 0, *_arrivals(program, draw, seed, 0), shared)",
        f"{EXACT}::test_e9_replications_and_seeds_differ_from_each_other",
    ),
    Fault(
        "one stream of draws, so that a draw inside a branch shifts the rest",
        "steps",
        "return at_first_visit[case.index]",
        "return at_first_visit.pop(0)",
        f"{RANDOM}::test_one_more_percent_of_exceptions_leaves_exactly_the_99_percent_whose_route_stays",
    ),
    Fault(
        "draws depend on how much has happened so far",
        "steps",
        "token.visit, token.entered = visit, now\n            if token.timer",
        "token.visit, token.entered = visit + len(engine.rows) % 2, now\n            if token.timer",
        f"{RANDOM}::test_a_new_exception_service_time_leaves_exactly_the_70_percent_that_never_see_it",
    ),
    Fault(
        "draws by position of the step",
        "steps",
        "[draws.purpose_of(name) for name in program.step_ids]",
        "[draws.purpose_of(str(i)) for i in range(len(program.step_ids))]",
        f"{RANDOM}::test_another_order_of_the_steps_leaves_every_case",
    ),
    Fault(
        "every visit draws the same",
        "steps",
        "if visit > 0:",
        "if visit < 0:",
        f"{RANDOM}::test_a_second_visit_has_draws_of_its_own_and_leaves_those_of_the_first",
    ),
    Fault(
        "branches of a fork draw alike",
        "steps",
        "[draws.purpose_of(name) for name in program.step_ids]",
        "[draws.purpose_of('fork')] * len(program.steps)",
        f"{RANDOM}::test_the_branches_of_a_fork_draw_by_step",
    ),
    Fault(
        "arrivals sorted into the day",
        "futures",
        '_instants(arrivals.hours, day, uniform("arrivals:instant"))',
        'np.sort(_instants(arrivals.hours, day, uniform("arrivals:instant")))',
        f"{RANDOM}::test_more_volume_adds_cases_and_moves_none",
        (0.0,),
    ),
    Fault(
        "a cluster decides at the share squared",
        "steps",
        "if share > 0.0 and second(case, visit) < share:",
        "if share > 0.0 and second(case, visit) < share * share:",
        f"{RANDOM}::test_partly_shared_chances_keep_the_probability_and_correlate_by_the_square_of_the_share",
    ),
    Fault(
        "nine rounds of Philox",
        "draws",
        "_ROUNDS = 10",
        "_ROUNDS = 9",
        f"{DRAWS}::test_the_first_known_answer",
    ),
    Fault(
        "visits share the slot bits",
        "draws",
        "(visit << 20) + slot",
        "visit + slot",
        f"{DRAWS}::test_visit_and_slot_do_not_overlap_in_the_detail",
    ),
    # The compiled engine
    Fault(
        "kernel: forgot to release the unit",
        "kernel",
        "M[q + Q_IN_USE] -= 1",
        "M[q + Q_IN_USE] -= 0",
        f"{EXACT}::test_e4_arrivals_every_4_and_service_5_wait_one_more_each",
    ),
    Fault(
        "kernel: last come, first served",
        "kernel",
        "rank = (priority << EVENT_BITS) + now - M[H_BEGIN]",
        "rank = (priority << EVENT_BITS) - now",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "kernel: priority ignored",
        "kernel",
        "rank = (priority << EVENT_BITS) + now - M[H_BEGIN]",
        "rank = now - M[H_BEGIN]",
        f"{EXACT}::test_e4_the_urgent_type_starts_first_even_when_it_arrives_in_the_instant_of_the_start",
    ),
    Fault(
        "kernel: a queue that is out of order",
        "kernel",
        "if rank < M[c] or (rank == M[c] and who <= M[c + 1]):",
        "if True:",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "kernel: one start beyond capacity",
        "kernel",
        "if M[q + Q_IN_USE] >= units or",
        "if M[q + Q_IN_USE] > units or",
        f"{EXACT}::test_e7_no_start_beyond_capacity_no_idle_unit_beside_a_queue_no_overtaking",
    ),
    Fault(
        "kernel: a drop of capacity takes the unit from running work",
        "kernel",
        "    units = _units(M, pool, now)\n    while",
        "    units = _units(M, pool, now)\n    M[q + Q_IN_USE] = min(M[q + Q_IN_USE], units)\n    while",
        f"{EQUAL}::test_a_drop_of_capacity_lets_running_work_go_on_and_holds_back_the_next",
    ),
    Fault(
        "kernel: the queue is not woken at the opening",
        "kernel",
        "at = min(_next_change(M, pool, now), M[q + Q_FREE_FROM] if limited else NEVER)",
        "at = M[q + Q_FREE_FROM] if limited else NEVER",
        f"{EXACT}::test_e13_what_comes_at_night_starts_at_the_opening",
    ),
    Fault(
        "kernel: a place in the queue outlives its case's leaving",
        "kernel",
        "if M[t + T_TICKET] == ticket:",
        "if M[t + T_TICKET] != NOBODY:",
        f"{EQUAL}::test_a_token_that_leaves_a_queue_and_comes_back_in_one_tick_has_one_place_in_it",
    ),
    Fault(
        "kernel: a freed unit beats the deadline of the same instant",
        "kernel",
        "_schedule(M, max(now, M[t + T_DUE]), TIME_OUT, _slot_of(M, t))",
        "_schedule(M, max(now, M[t + T_DUE]) + 1, TIME_OUT, _slot_of(M, t))",
        f"{EXACT}::test_e4_a_deadline_beats_the_unit_that_is_freed_at_the_same_instant_and_leaks_nothing",
    ),
    Fault(
        "kernel: a planned end beats the deadline of the same instant",
        "kernel",
        "elif M[t + T_DUE] <= end:",
        "elif M[t + T_DUE] < end:",
        f"{EXACT}::test_a_timer_cuts_a_delay_at_its_deadline_and_wins_a_tie_with_the_planned_end",
    ),
    Fault(
        "kernel: durations cut off instead of rounded",
        "kernel",
        "math.floor(seconds + 0.5)",
        "math.floor(seconds)",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "kernel: nine rounds of Philox",
        "kernel",
        "for _ in range(10):",
        "for _ in range(9):",
        f"{EXACT}::test_e1_in_brief",
    ),
    Fault(
        "kernel: every visit draws the same",
        "kernel",
        "(visit << VISIT_SHIFT) + slot",
        "slot",
        f"{EQUAL}::test_generated_workflows_give_equal_ledgers",
        (3,),
    ),
    Fault(
        "kernel: the last week of a table is the one before it",
        "kernel",
        "last = M[table + 3] - 1",
        "last = max(M[table + 3] - 2, 0)",
        f"{EXACT}::test_e11_the_last_second_of_the_warm_up_is_week_0_and_go_live_is_week_1",
    ),
    Fault(
        "kernel: every visit is counted twice",
        "kernel",
        "M[at] += np.int64(1) << shift",
        "M[at] += np.int64(2) << shift",
        f"{EXACT}::test_a_goto_repeats_exactly_its_limit_and_counts_the_visits",
    ),
    Fault(
        "kernel: the count of a step runs into that of the next",
        "kernel",
        "at, shift = M[H_VISITS_AT] + M[t + T_ROOT] * M[H_VISIT_WORDS] + (i >> 2), (i & 3) << 4",
        "at, shift = M[H_VISITS_AT] + M[t + T_ROOT] * M[H_VISIT_WORDS] + (i >> 3), (i & 3) << 4",
        f"{EQUAL}::test_timer_goes_on_over_several_covered_steps",
    ),
    Fault(
        "kernel: a reminder is ignored",
        "kernel",
        "if kink >= 0 and x > D[kink]:",
        "if False:",
        f"{EXACT}::test_a_reminder_shortens_what_is_left_of_a_long_wait",
    ),
    Fault(
        "kernel: the back-off is a power too long",
        "kernel",
        "math.pow(D[slot + 2], float(k))",
        "math.pow(D[slot + 2], float(k + 1))",
        f"{EXACT}::test_three_attempts_with_doubling_back_off_end_after_45_seconds_and_set_the_failure_mark",
    ),
    Fault(
        "kernel: outages ignored",
        "kernel",
        "if _is_open(M, M[H_CALENDARS] + 2 * M[H_POOLS] + M[f + C_A], start):",
        "if False:",
        f"{EXACT}::test_outages_and_planned_downtime_both_stop_an_endpoint",
    ),
    Fault(
        "kernel: the rate limit is forgotten",
        "kernel",
        "M[q + Q_FREE_FROM] = now + (_rounded(D[gap]) if gap >= 0 else 0)",
        "M[q + Q_FREE_FROM] = now",
        f"{EXACT}::test_a_rate_limit_starts_calls_at_least_its_gap_apart",
    ),
    Fault(
        "kernel: absences at a gate ignored",
        "kernel",
        "if people_from < 0:",
        "if True:",
        f"{EQUAL}::test_gate_draws_one_of_several_people_each_visit",
    ),
    Fault(
        "kernel: a chance reads the queue of its own instant",
        "kernel",
        "waiting = M[q + Q_WAITING_BEFORE] if M[q + Q_CHANGED_AT] == now else M[q + Q_WAITING]",
        "waiting = M[q + Q_WAITING]",
        f"{EXACT}::test_a_chance_reads_the_queue_as_it_stood_at_the_end_of_the_previous_instant",
    ),
    Fault(
        "kernel: the share of a cluster is inverted",
        "kernel",
        "if share > 0.0 and second < share:",
        "if share > 0.0 and second >= share:",
        f"{EQUAL}::test_cases_of_one_cluster_share_a_decision",
    ),
    Fault(
        "kernel: a batch is released one early",
        "kernel",
        "M[q + Q_SIZE] >= size or",
        "M[q + Q_SIZE] >= size - 1 or",
        f"{EXACT}::test_a_batch_leaves_when_it_is_full_or_when_the_first_has_waited_long_enough",
    ),
    Fault(
        "kernel: a mark cleared in a branch comes back at the join",
        "kernel",
        "(at_fork & ~cleared) | set_by_any",
        "at_fork | set_by_any",
        f"{EXACT}::test_marks_meet_at_a_join_set_wins_over_cleared_and_both_over_unchanged",
    ),
    Fault(
        "kernel: the days of the quick branch are booked, not those of the slow one",
        "kernel",
        "row = M[child + T_LAST_ROW] if child != winner else 0",
        "row = M[child + T_LAST_ROW] if child == winner else 0",
        f"{EQUAL}::test_branches_wait_for_each_other_at_the_join",
    ),
    Fault(
        "kernel: the rows of a branch are not chained",
        "kernel",
        "M[t + T_LAST_ROW] = r",
        "pass",
        f"{EQUAL}::test_branches_wait_for_each_other_at_the_join",
    ),
    Fault(
        "kernel: a freed token still waits at its join",
        "kernel",
        "M[t + T_CASE], M[t + T_STEP] = NOBODY, M[H_FREE]",
        "M[t + T_STEP] = M[H_FREE]",
        f"{EQUAL}::test_a_fork_in_a_loop_counts_its_visits_and_disarms_the_timer",
    ),
    Fault(
        "kernel: rows that find no room are lost",
        "kernel",
        "M[H_STATUS] = ROWS_FULL",
        "pass",
        f"{KERNEL}::test_too_little_space_is_never_a_wrong_number",
        ("rows", 3),
    ),
    Fault(
        "kernel: queued cases that find no room are lost",
        "kernel",
        "M[H_STATUS] = QUEUES_FULL",
        "pass",
        f"{KERNEL}::test_too_little_space_is_never_a_wrong_number",
        ("queue", 3),
    ),
    Fault(
        "kernel: unfinished visits dropped",
        "kernel",
        "        _write_unfinished(M)\n        if",
        "        if",
        f"{EXACT}::test_e4_three_jobs_at_once_stopped_at_12_leave_queue_area_17_and_busy_area_12",
    ),
    Fault(
        "kernel: events on the horizon are processed",
        "kernel",
        "if now >= until:",
        "if now > until:",
        f"{EXACT}::test_e11_an_arrival_exactly_on_the_horizon_does_not_enter",
    ),
    Fault(
        "kernel: closing time does not suspend work",
        "kernel",
        "end = _add(M, M[H_CALENDARS] + pool, now, seconds)",
        "end = now + seconds",
        f"{EXACT}::test_e13_work_of_4_hours_started_on_friday_at_16_ends_on_monday_at_12",
    ),
    Fault(
        "kernel: sums count closed hours as work",
        "kernel",
        "work = o - open_until(M, tables + pool, started)",
        "work = until - started",
        f"{EQUAL}::test_work_is_suspended_at_closing_time_and_keeps_its_unit",
    ),
    Fault(
        "kernel: sums by week put everything into the week of its start",
        "kernel",
        "edge = min(end, G[G_EDGE] + (week + 1) * WEEK)",
        "edge = end",
        f"{EQUAL}::test_the_sums_of_a_visit_are_cut_at_the_end_of_each_week",
    ),
    Fault(
        "kernel: a back-off counts as holding a unit",
        "kernel",
        "if pool >= 0 and result < WITHOUT_POOL:",
        "if pool >= 0:",
        f"{EQUAL}::test_limited_attempts_queue_and_free_the_unit_in_the_back_off",
    ),
    Fault(
        "kernel: cases outside the question are counted",
        "kernel",
        "if arrival < G[G_FIRST] or arrival >= G[G_LAST]:",
        "if arrival < G[G_FIRST]:",
        f"{EQUAL}::test_the_sums_are_of_the_cases_asked_for",
    ),
    # Refusals
    Fault(
        "unbounded loops accepted",
        "checks",
        'not (isinstance(s, Goto) and place == "to")',
        "not isinstance(s, Goto | Branch)",
        f"{CHECKS}::test_an_unbounded_loop_is_refused_and_a_bounded_one_is_not",
    ),
)
"""What stands first in verification.md section 9 is all here; the rest is ours."""
