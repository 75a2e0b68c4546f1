"""A report as sections: a finding, sentences, a table, a chart; the same for the terminal, a page and JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH = 130


@dataclass(frozen=True, slots=True)
class TableOf:
    """Rows of texts under headings; `data`: the same rows unrounded, for JSON. The first column is aligned to the left."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    data: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """title: the finding, in words · chart: makes an Altair chart, only when a page is drawn · described: what the chart shows."""

    key: str
    title: str
    sentences: tuple[str, ...] = ()
    table: TableOf | None = None
    chart: Callable[[], Any] | None = None
    described: str = ""


def as_text(heading: str, sections: Sequence[Section], foot: Sequence[str] = ()) -> str:
    """For the terminal."""
    lines = [heading, ""]
    for section in sections:
        lines += [f"  {section.title}", *_table(section.table), *_sentences(section.sentences), ""]
    return "\n".join([*lines, *(f"  {line}" for line in foot)])


def _sentences(sentences: Sequence[str]) -> Iterator[str]:
    for sentence in sentences:
        yield from textwrap.wrap(sentence, WIDTH, initial_indent="   · ", subsequent_indent="     ")


def _table(table: TableOf | None) -> Iterator[str]:
    if table is None or not table.rows:
        return
    widths = [max(len(row[i]) for row in (table.headings, *table.rows)) for i in range(len(table.headings))]
    for row in (table.headings, *table.rows):
        first, *others = (cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True)))
        yield f"    {'   '.join([first, *others])}".rstrip()


def as_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """Key, finding, sentences and rows of every section."""
    return [
        {"key": s.key, "finding": s.title, "sentences": list(s.sentences), "rows": list(s.table.data) if s.table else []}
        for s in sections
    ]


def as_html(heading: str, sections: Sequence[Section], foot: Sequence[str] = ()) -> str:
    """One page that needs nothing else: no script, no link; charts are drawings within it. All text is escaped."""
    body = [f"<h1>{escape(heading)}</h1>"]
    for section in sections:
        body += [f'<section id="{escape(section.key)}">', f"<h2>{escape(section.title)}</h2>", *_html(section), "</section>"]
    body += [f"<footer>{''.join(f'<p>{escape(line)}</p>' for line in foot)}</footer>"]
    return _PAGE.format(title=escape(heading), style=_STYLE, body="\n".join(body))


def _html(section: Section) -> Iterator[str]:
    if section.chart is not None:
        from scenarios.report.charts import svg

        yield f'<figure tabindex="0" role="img" aria-label="{escape(section.described or section.title)}">{svg(section.chart())}</figure>'
    if section.table is not None and section.table.rows:
        cells = "".join(f'<th scope="col">{escape(h)}</th>' for h in section.table.headings)
        yield f'<div class="table" tabindex="0" role="region" aria-label="{escape(section.title)}"><table><thead><tr>{cells}</tr></thead><tbody>'
        for first, *others in section.table.rows:
            yield f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in others)}</tr>'
        yield "</tbody></table></div>"
    if section.sentences:
        yield f"<ul>{''.join(f'<li>{escape(sentence)}</li>' for sentence in section.sentences)}</ul>"


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --paper: #fff; --line: #c9cfd8; --soft: #5b6575; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebf0; --paper: #14181f; --line: #3a4352; --soft: #a5aebc; } figure { background: #fff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
figure { margin: 0 0 1rem; overflow-x: auto; } figure svg { min-width: 44rem; max-width: 100%; height: auto; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; font-weight: 400; white-space: normal; min-width: 12rem; } thead th { color: var(--soft); font-weight: 600; }
ul { padding-left: 1.2rem; overflow-wrap: anywhere; } td:last-child { color: var(--soft); } footer { margin-top: 3rem; color: var(--soft); font-size: .85rem; }
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
