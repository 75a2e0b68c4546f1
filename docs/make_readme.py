"""Puts the verdict of the default scenario, as printed, and its picture into README.md and docs/days.svg."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from scenarios import study
from scenarios.cli.main import DEFAULT_DRAWS
from scenarios.files import load
from scenarios.report import verdict_text
from scenarios.store import SolvedCache

ROOT = Path(__file__).resolve().parent.parent
DRAWS, SEED = DEFAULT_DRAWS, 7
COLOURS = ("#2f5d8a", "#d98e04", "#7a9e7e", "#a44a3f", "#8d7fb0", "#5f6b73", "#c4c9cc")
WIDTH, BAR, GAP, LEFT, TOP = 760, 34, 26, 120, 70


def picture(result: study.VerdictStudy) -> str:
    """Where the days go, in three stacked bars, with the promise as a line; an SVG with a text alternative."""
    arms = {name: verdict_text.days_by_name(result, arm) for arm, name in verdict_text.ARM_NAMES.items()}
    names = [n for n in arms["today"] if max(days.get(n, 0.0) for days in arms.values()) >= 0.2]
    longest = max(sum(days.values()) for days in arms.values())
    scale = (WIDTH - LEFT - 60) / longest
    level = verdict_text.target_level(result.case)
    title = f"{max(arms['live'], key=arms['live'].get).capitalize()}, not accuracy, hold the days"
    parts = [f'<text x="0" y="22" font-size="18" font-weight="600">{escape(title)}</text>']
    parts.append(
        f'<text x="0" y="44" font-size="13" fill="#555">mean days per {escape(result.case.case_word)}, {len(result.results)} simulated futures</text>'
    )
    for i, (arm, days) in enumerate(arms.items()):
        y, x = TOP + i * (BAR + GAP), float(LEFT)
        parts.append(f'<text x="{LEFT - 10}" y="{y + 22}" font-size="14" text-anchor="end">{escape(arm)}</text>')
        for k, name in enumerate(names):
            width = days.get(name, 0.0) * scale
            parts.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[k % len(COLOURS)]}"><title>{escape(name)}: {days.get(name, 0.0):.1f} d</title></rect>'
            )
            x += width
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 22}" font-size="14">{sum(days.values()):.1f} d</text>')
    line, bottom = LEFT + level * scale, TOP + 3 * (BAR + GAP) - GAP + 8
    parts.append(f'<line x1="{line:.1f}" x2="{line:.1f}" y1="{TOP - 8}" y2="{bottom}" stroke="#111" stroke-dasharray="4 3"/>')
    parts.append(f'<text x="{line:.1f}" y="{TOP - 12}" font-size="12" text-anchor="middle">promise {level:.0f} d</text>')
    for k, name in enumerate(names):
        x, y = (k % 3) * 250, bottom + 26 + (k // 3) * 22
        parts.append(
            f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{COLOURS[k % len(COLOURS)]}"/><text x="{x + 18}" y="{y}" font-size="13">{escape(name)}</text>'
        )
    height = bottom + 40 + ((len(names) - 1) // 3) * 22
    summary = "; ".join(f"{arm}: {sum(days.values()):.1f} days" for arm, days in arms.items())
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" role="img" aria-label="{escape(title)}. {escape(summary)}">'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *parts, "</svg>"]) + "\n"


def main() -> None:
    """Rewrites the block between the markers in README.md."""
    loaded = load("invoice_processing")
    result = study.verdict(loaded.case, DRAWS, SEED, cache=SolvedCache(loaded.hash, SEED))
    (ROOT / "docs" / "days.svg").write_text(picture(result), encoding="utf-8")
    readme = ROOT / "README.md"
    page = verdict_text.page(result, loaded)
    block = f"<!-- verdict -->\n```text\n{page}\n```\n<!-- end of verdict -->"
    text = re.sub(
        r"<!-- verdict -->.*?<!-- end of verdict -->", lambda _: block, readme.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
