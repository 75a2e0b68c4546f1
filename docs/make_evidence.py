"""Writes docs/evidence.md: every kind of evidence, every column, what it informs and how, made from the kinds."""

from __future__ import annotations

from pathlib import Path

from scenarios.evidence import pages
from scenarios.evidence.templates import MAPPING

PAGE = Path(__file__).resolve().parent / "evidence.md"
INTRO = """\
# Evidence

Measurements make the answer rest less on guesses. They go into the folder `evidence` of a case folder (a folder with your `case.toml`):

```console
pilotproof evidence init my_case     # templates for every kind, with examples that fit your case; nothing is overwritten
pilotproof evidence check my_case    # what the files hold, what they inform, what is missing, every defect by row and column
```

Begin with what you have. One number ("92 % of 400") is enough to start and stands in the case file itself. Most companies have an export
with one row an invoice and some date columns: see [Your own export](#your-own-export). This page is made from the program by
`docs/make_evidence.py`; the codes of defects are listed in [errors.md](errors.md).

## Rules for all files

"""
EXPORT = """\
## Your own export

`evidence/invoices.csv` (or `.xlsx`, `.parquet`; `cases` instead of `invoices` means the same) is read as `evidence/invoices.toml` says:
which column is the number, which date is which event of which step. `evidence init` writes an example of it with the events and types of
your case. A date alone is enough; more dates locate more of today's days. From it come:

- **today's cases**: days from arrival to end of each case, as an interval if dates have no time; cases still open at the export count with
  their age; how the cases were selected (`selected_by`) is kept, because what was still open is missing from an export of what ended;
  cases of six weeks or more are needed to say how sure the mean is;
- **times** and **approvals**: visits of steps of which two dates are mapped, open ones marked as open;
- **arrivals**: cases a day, if the export holds all cases that came in a period.

A file of its own (`times.csv`, `approvals.csv`, `arrivals.csv`) comes before what the export implies for the same steps. Columns that the mapping
does not name are listed as not used and are not read. Event logs (one row an event) are read with `form = "events"`: repeated
activities become repeated visits, and a case is left out as a whole if one of its rows has a defect.

```toml
{mapping}```

{keys}
"""


def page() -> str:
    """The whole page."""
    mapping = MAPPING.format(
        cases="invoices", types='"PO, standard" = "po_standard"', events='"arrival", "end", "entry.started", "entry.ended", "approve.1.asked", …',
        dates='"Received" = "arrival"\n"Entered" = "entry.ended"\n"Approval requested" = "approve.1.asked"\n"Approved" = "approve.1.decided"\n"Posted" = "end"',
    )  # fmt: skip
    export = EXPORT.format(mapping=mapping, keys=pages.mapping_text())
    settings = f"## `settings.toml`\n\nAsked once for all files.\n\n{pages.settings_text()}\n"
    return f"{INTRO}{pages.RULES}\n{export}{settings}{pages.kinds_text()}".rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
