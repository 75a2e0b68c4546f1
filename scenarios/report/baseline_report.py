"""What `baseline fit` prints: today's result, what is located, and which two dates locate the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from scenarios.report.basis import basis, basis_line
from scenarios.today import Range, TodayFound
from simulator.clock import DAY


def text(found: TodayFound) -> str:
    """The page."""
    return "\n".join(_lines(found))


def _lines(found: TodayFound) -> Iterator[str]:
    case, report = found.loaded.case, found.report
    yield f"{case.title} · today's result"
    yield ""
    stated = case.baseline.observed.uncertain().median / DAY if case.baseline is not None else float("nan")
    source = f"from the dates of your export (the case states {stated:.1f})" if found.fit is not None else "as the case states it"
    yield f"  observed    {_days(found.observed)} on average, {source}"
    mark = "✓" if report.passed else "✗"
    yield f"  simulated   {report.simulated:.1f} d {mark}   ({report.proposals} futures, {report.rejected} of them cannot produce it)"
    for reason in report.reasons[:3]:
        yield f"              for example: {reason}"
    known = "by known times and by dates" if found.fit is not None else "by steps with known times"
    yield f"  explained   {report.located_share:.0%} {known}; {found.open_days:.1f} d a case are not located"
    if found.legs:
        yield ""
        yield f"  {'between two dates':<44}{'observed, days':>20}{'simulated':>20}"
        for leg in found.legs:
            yield f"  {f'{leg.first} → {leg.last}':<44}{_days(leg.observed):>20}{_days(leg.simulated):>20}"
    if found.places:
        yield ""
        yield f"  {'days before a step that its known times do not explain':<56}{'days a case':>20}"
        for place in found.places:
            what = "located by dates" if place.located else f"export: {place.export}" if place.export else "not located"
            yield f"  {place.step:<56}{_days(place.days):>20}   {what}"
    if found.fit is not None:
        yield ""
        for note in found.fit.notes:
            yield f"  · {note}"
    best = next((p for p in found.places if not p.located and p.export and p.days.mean >= 0.05), None)
    if best is not None:
        yield ""
        yield f"  Next: export the {best.export}: they locate {best.days.mean:.1f} days a case ({best.days.low:.1f} to {best.days.high:.1f})"
    yield f"  {basis_line(found.loaded, found.seed)}"


def _days(days: Range) -> str:
    return f"{days.mean:.1f} ({days.low:.1f} to {days.high:.1f})"


def as_json(found: TodayFound) -> dict[str, Any]:
    """The same as data."""
    return {
        "observed_days": asdict(found.observed),
        "simulated_days": found.report.simulated,
        "passed": found.report.passed,
        "proposals": found.report.proposals,
        "rejected": found.report.rejected,
        "reasons": list(found.report.reasons),
        "explained_share": found.report.located_share,
        "unlocated_days": found.open_days,
        "places": [asdict(p) for p in found.places],
        "legs": [asdict(leg) for leg in found.legs],
        "basis": basis(found.loaded, found.seed),
    }
