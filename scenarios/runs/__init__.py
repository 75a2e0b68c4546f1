"""Stored runs: a folder with a manifest and Parquet parts that can be interrupted, resumed, compared and recomputed."""

from scenarios.runs.manifest import Manifest, case_text, manifest_of
from scenarios.runs.store import Store

__all__ = ["Manifest", "Store", "case_text", "manifest_of"]
