"""The two-pool model in other tools: bare SimPy, Ciw, Cimba, and a bare loop in C++. Cases a second on one thread.

All but C++ and SimPy belong to the dependency group `bench`; one that is not installed gets a row that says so.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from benchmarks import native, two_pools
from benchmarks.measure import Row, Turns, in_turns
from benchmarks.scenes import Runner, Scene
from simulator.compiled_engine import CompiledEngine
from simulator.simpy_engine import simulate
from simulator.summary import cycle_seconds

TOLERANCE = 0.1
"""The mean cycle times of all programs must agree so far, or they do not simulate the same."""
OURS, SIMPY, PLAIN = "compiled engine, two-pool model", "SimPy engine, the same model", "plain SimPy program, the same model"


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def ciw_program() -> Callable[[], float]:
    """The model as a network of four nodes."""
    import ciw

    t, endless = two_pools, float("inf")
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(1 / t.GAP), None, None, None],
        service_distributions=[
            ciw.dists.Deterministic(t.AUTOMATED),
            ciw.dists.Lognormal(t.CHECK_MU, t.CHECK_SIGMA),
            ciw.dists.Exponential(1 / t.APPROVE),
            ciw.dists.Deterministic(t.DELAY),
        ],
        number_of_servers=[endless, 4, 3, endless],
        routing=[[0.0, t.CHECK_SHARE, 1 - t.CHECK_SHARE, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]],
    )

    def work() -> float:
        ciw.seed(1)
        simulation = ciw.Simulation(network)
        simulation.simulate_until_max_customers(t.CASES, method="Finish")
        ends = [case.data_records for case in simulation.nodes[-1].all_individuals]
        return float(sum(r[-1].exit_date - r[0].arrival_date for r in ends) / len(ends))

    return work


def cimba_program() -> Callable[[], float]:
    """The model with one process a case, compiled by Cimba; one trial on one worker."""
    from benchmarks.cimba_model import experiment, mean_cycle

    prepared: Any = experiment()
    return lambda: mean_cycle(prepared.run(workers=1))


def cpp_program() -> Callable[[], float]:
    """The bare loop, with the faster flags."""
    programs = {flags: partial(native.bare_two_pools, flags) for flags in native.FLAGS}
    turns = in_turns(programs, repeat=dict.fromkeys(programs, 20))
    return programs[min(programs, key=turns.median)]


@cache
def others() -> tuple[dict[str, Callable[[], float]], list[Row]]:
    """The programs of other tools, each run once, and a row for each tool that is missing.

    To be called before the kernel is: Cimba adds types to Numba, which does not take them in once it has compiled something else.
    """
    programs, missing = {}, []
    for package, name, make in (("ciw", "Ciw", ciw_program), ("cimba", "Cimba", cimba_program)):
        if found := installed(package):
            programs[f"{name} {found}, the same model"] = one = make()
            one()
        else:
            missing.append(Row(f"{name}, the same model", "not measured", note=f"not installed (pip install {package})"))
    if native.compiler() is not None:
        programs["bare loop in C++, the same model"] = cpp_program()
    else:
        missing.append(Row("bare loop in C++, the same model", "not measured", note="no C++ compiler found"))
    return programs, missing


def rows() -> list[Row]:
    programs, missing = others()
    model = two_pools.program()
    arrivals = two_pools.future(model, 1)
    runner = Runner(Scene(model, arrivals))
    work: dict[str, Callable[[], object]] = {
        OURS: runner.run,
        SIMPY: lambda: simulate(model, 0, arrivals),
        PLAIN: lambda: two_pools.plain_simpy(1),
        **programs,
    }
    mean = float(cycle_seconds(CompiledEngine().ledger(model, 0, arrivals)).mean())
    means = {PLAIN: two_pools.plain_simpy(1), **{name: program() for name, program in programs.items()}}
    assert all(abs(other / mean - 1) <= TOLERANCE for other in means.values()), f"not the same model: {mean}, {means}"
    repeat = {name: 20 for name in work if name == OURS or "C++" in name} | {name: 5 for name in work if "Cimba" in name}
    turns = in_turns(work, repeat=repeat)
    return [_row(name, turns) for name in work] + missing


def _row(name: str, turns: Turns) -> Row:
    speed = f"{two_pools.CASES / turns.median(name):,.0f} cases a second"
    if name == OURS:
        return Row(name, speed, note="ledger rows written; the mean cycle times of all programs agree within 10 %")
    ratio = turns.ratio(name, OURS)
    note = f"compiled is {ratio:.1f} × faster ({turns.span(name, OURS)})"
    if name == SIMPY:
        plain = turns.ratio(name, PLAIN)
        return Row(
            name,
            speed,
            "≤ 2 × the plain program's time",
            plain <= 2,
            f"{plain:.2f} × its time ({turns.span(name, PLAIN)}); {note}",
        )
    if "C++" in name:
        return Row(
            name,
            speed,
            note=f"compiled takes {1 / ratio:.1f} × its time; it writes no rows and draws no addressed random numbers",
        )
    if "Cimba" in name:
        return Row(name, speed, "compiled ≥ 3 × faster", ratio >= 3, note)
    return Row(name, speed, "compiled faster", ratio > 1, note)
