"""What every output prints as its basis: case, hash, seed, version, and where its numbers come from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from models.leaves import leaves
from models.posterior import parts_of
from models.schema import CaseFile
from scenarios.catalogue import shipped_names
from scenarios.files import LoadedCase
from scenarios.version import package_version

CLASSES = ("measured", "elicited", "benchmark", "guess")


def source_counts(case: CaseFile) -> dict[str, int]:
    """Number of stated parameters by source class; what evidence was fitted counts as measured."""
    fitted = set() if case.posterior is None else {parts_of(name)[0] for name in case.posterior.names()}
    counts = Counter[str]("measured" if leaf.path in fitted else leaf.parameter.source for leaf in leaves(case) if leaf.stated)
    return {name: counts.get(name, 0) for name in CLASSES}


def sources_line(case: CaseFile) -> str:
    """The counts by source class in words."""
    return " · ".join(f"{count} {name}" for name, count in source_counts(case).items() if count)


def basis_line(loaded: LoadedCase, seed: int) -> str:
    """Case, hash, seed and version in one line."""
    kind = "example" if loaded.file in shipped_names() and not Path(loaded.file).exists() else "file"
    posterior = loaded.case.posterior
    fitted = "" if posterior is None else f" · evidence fitted ({posterior.hash})"
    tried = "" if loaded.case.what_if is None else f" · what if: {loaded.case.what_if.title}"
    tried += ", saved when the case was another one" if loaded.case_changed else ""
    return f"case: {kind} {loaded.file}{fitted}{tried} · hash {loaded.hash} · seed {seed} · version {package_version()}"


def basis(loaded: LoadedCase, seed: int) -> dict[str, object]:
    """The same for JSON."""
    fitted = {} if loaded.case.posterior is None else {"posterior_hash": loaded.case.posterior.hash}
    return {"case": loaded.file, "scenario_hash": loaded.hash, **fitted, "seed": seed, "version": package_version()}
