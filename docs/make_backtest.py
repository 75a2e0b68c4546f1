"""Writes docs/backtest.md from docs/backtest.json: python -m docs.make_backtest. `make backtest` makes the figures; this only tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scenarios.validation.company import INSIDE, MEANING, OUTSIDE

HERE = Path(__file__).resolve().parent
FIGURES, PAGE = HERE / "backtest.json", HERE / "backtest.md"
Figures = Mapping[str, Any]

HEAD = """\
# Is the truth recovered?

Made by `python -m docs.make_backtest` from `docs/backtest.json`, the figures of `make backtest`.

Every company is made up: a hidden truth is drawn from the beliefs of its case file; today's result and files of evidence of realistic
size are generated from that truth by code that knows nothing of the fits; the files are read and fitted, and the verdict is asked for
nine promises. Then the truth is run through one future that nobody has seen, and each promise is kept or not.

**This tests the software, not whether your case resembles the model.** Inside the model the probabilities must be right, whatever the
company: if they were not, a fit, the calibration to today's result or the simulation would be wrong. The rows *outside the model* show
what becomes of the probabilities when the world breaks an assumption that the case file states and the evidence cannot contradict.

The nine promises of a company are the 10 to 90 % points of what was to be expected before its evidence, so they differ by company and do
not depend on what the evidence said. All intervals are 90 %, from drawing whole companies again: the nine promises of one company share one truth.
"""

LIMITS = """\
## What this does not show

- A real workflow need not be the one of the case file: queues nobody drew, waits of another shape, people who work around the AI.
- The truth is drawn from the beliefs of the case file. Overconfident ranges make overconfident verdicts; nothing here can tell.
- The companies are small (24 cases a working day, six weeks judged) and differ in their numbers, not in their process.
- The business case is a plain one: today's mean less the pilot's accuracy times the days of the steps that the AI takes over.
"""


def page(figures: Figures) -> str:
    """The whole page."""
    kinds: Figures = {kind: figures["kinds"][kind] for kind in (INSIDE, *OUTSIDE) if kind in figures["kinds"]}
    inside = kinds[INSIDE]
    lines = [HEAD, *_companies(kinds)]
    if "pit" in inside:
        lines += [*_places(inside), *_reliability(inside), *_signing(inside, figures["sign_from"]), *_parameters(inside)]
    lines += [*_outside(kinds), LIMITS]
    return "\n".join(lines)


def _companies(kinds: Figures) -> Iterator[str]:
    yield "## Companies"
    yield ""
    yield "| kind | companies | of these with a probability | why not (companies) |"
    yield "| --- | --- | --- | --- |"
    for kind, x in kinds.items():
        why = ", ".join(f"{name}: {n}" for name, n in x["reasons"].items()) or "–"
        yield f"| {kind} | {x['companies']} | {x['judged']} | {why} |"
    yield ""
    yield "Kinds with fewer than five judged companies are counted only; with fewer than about a hundred the figures below are a first look."
    yield ""
    yield "A verdict whose fits fail a check of convergence, or that cannot reproduce today's result, states no probability; it is not judged below."
    yield ""


def _places(x: Figures) -> Iterator[str]:
    pit = x["pit"]
    yield "## Where the outcome lies among the futures of the verdict"
    yield ""
    yield "If the verdict is right, outcomes fall evenly: each tenth of its futures holds a tenth of the outcomes."
    yield ""
    yield "| | value | 90 % interval | right would be |"
    yield "| --- | --- | --- | --- |"
    yield f"| mean place (bias) | {_row(pit['mean'], 3)} | 0.5 |"
    yield f"| spread of places (above 1: verdict too sure; below 1: not sure enough) | {_row(pit['spread'], 2)} | 1 |"
    for level, share in pit["central"].items():
        yield f"| outcomes within the middle {level.replace('%', ' %')} | {_row(share, 2)} | {float(level[:-1]) / 100:.2f} |"
    yield f"| Kolmogorov-Smirnov distance | {_row(pit['ks'], 3)} | p = {pit['p']:.2f} |"
    yield ""
    if pit["spread"]["low"] > 1:
        yield "The interval of the spread lies above 1: verdicts are a little too sure, which is not explained yet. High chances are kept less often than stated (below)."
        yield ""
    yield (
        "Shares of outcomes by tenth of the verdict's futures: " + ", ".join(f"{b['value']:.0%}" for b in pit["histogram"]) + "."
    )
    yield ""
    yield f"Evidence made the middle 90 % of the outcome {_percent(x['narrower'])} narrower than before it."
    yield ""


def _reliability(x: Figures) -> Iterator[str]:
    yield "## Do promises come true as often as stated?"
    yield ""
    yield "| stated | forecasts | companies | mean stated | kept | 90 % interval |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for b in x["reliability"]:
        row = f"| {b['low']:.0%} to {b['high']:.0%} | {b['forecasts']} | {b['companies']} | {b['stated']:.0%}"
        yield f"{row} | {b['kept']['value']:.0%} | {b['kept']['low']:.0%} to {b['kept']['high']:.0%} |"
    yield ""
    yield "| forecasts | Brier score | 90 % interval | reliability (lower is better) | resolution (higher is better) | uncertainty |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, key in (("verdict", "brier"), ("before the evidence", "brier_before")):
        b = x[key]
        yield f"| {name} | {_row(b['score'], 3)} | {b['reliability']:.4f} | {b['resolution']:.3f} | {b['uncertainty']:.3f} |"
    yield ""


def _signing(x: Figures, sign_from: float) -> Iterator[str]:
    rules = {
        "business_case": "business case: sign if its forecast meets the promise",
        "rule": f"sign if P ≥ {sign_from:.0%}",
        "rule_before": f"sign if P ≥ {sign_from:.0%} before the evidence",
    }
    yield "## Beside the usual business case"
    yield ""
    yield "| rule | promises signed | of these not kept | 90 % interval | Brier score of its yes or no |"
    yield "| --- | --- | --- | --- | --- |"
    for key, name in rules.items():
        s = x["signed"][key]
        failed = (
            f"{s['failed']['value']:.0%} | {s['failed']['low']:.0%} to {s['failed']['high']:.0%}"
            if s["signed"]["value"]
            else "– | –"
        )
        yield f"| {name} | {s['signed']['value']:.0%} | {failed} | {s['brier']['value']:.3f} |"
    yield ""


def _parameters(x: Figures) -> Iterator[str]:
    yield "## Where true parameters lie in their posterior"
    yield ""
    yield f"Right or not is judged with all {len(x['parameters'])} at once (Holm): the smallest p-value must stay above {0.01 / max(1, len(x['parameters'])):.4f}."
    yield ""
    yield "| parameter | companies | mean place (0.5) | spread (1) | KS distance | p |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name, p in x["parameters"].items():
        yield f"| `{name}` | {p['companies']} | {p['mean']:.2f} | {p['spread']:.2f} | {p['ks']:.3f} | {p['p']:.3f} |"
    yield ""


def _outside(kinds: Figures) -> Iterator[str]:
    yield "## Outside the model"
    yield ""
    yield from (f"- *{kind}*: {MEANING[kind]}" for kind in OUTSIDE)
    yield ""
    yield "| kind | mean place | spread | within the middle 90 % | Brier score | P ≥ 80 % not kept | business case not kept |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for kind, x in kinds.items():
        if "pit" in x:
            pit, signed = x["pit"], x["signed"]
            cells = (
                pit["mean"],
                pit["spread"],
                pit["central"]["90%"],
                x["brier"]["score"],
                signed["rule"]["failed"],
                signed["business_case"]["failed"],
            )
            yield f"| {kind} | " + " | ".join(_short(c) for c in cells) + " |"
    yield ""


def _row(x: Figures, digits: int) -> str:
    return f"{x['value']:.{digits}f} | {x['low']:.{digits}f} to {x['high']:.{digits}f}"


def _short(x: Figures) -> str:
    """A figure and its interval; a share of nothing is a dash."""
    if x["value"] is None:
        return "–"
    return f"{x['value']:.2f} ({x['low']:.2f} to {x['high']:.2f})"


def _percent(x: Figures) -> str:
    return f"{x['value']:.0%} ({x['low']:.0%} to {x['high']:.0%})"


def main() -> None:
    """Writes the page, if there are figures."""
    if FIGURES.exists():
        PAGE.write_text(page(json.loads(FIGURES.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
