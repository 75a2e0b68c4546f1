"""The part of docs/verification.md on the fits: oracles, named with their tests, and calibration by simulation from docs/sbc.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

CALIBRATION = Path(__file__).resolve().parent / "sbc.json"
FIT_ORACLES = (
    ("accuracy", "test_fit_accuracy", "test_an_independent_sampler_gives_the_same", "a random-walk Metropolis sampler with a likelihood written anew"),
    ("accuracy", "test_fit_accuracy", "test_rows_and_counts_say_the_same", "one row a case and one row a group: the same data, so the same draws"),
    ("accuracy", "test_fit_accuracy", "test_clusters_widen_the_interval_as_they_should", "errors that come together: the naive interval fails, ours covers"),
    ("accuracy", "test_fit_accuracy", "test_the_simulator_computes_the_accuracy_that_was_fitted", "the simulator's accuracy by type of every draw, to 1e-9"),
    ("thresholds", "test_fit_confidence", "test_the_chances_of_being_accepted_are_beta", "tails of a Dirichlet are Beta"),
    ("catch rate", "test_fit_catch", "test_a_flat_prior_gives_the_beta_of_the_counts", "Beta of the counts"),
    ("catch rate", "test_fit_catch", "test_the_grid_is_the_integral", "the grid against adaptive integration"),
    ("shares", "test_fit_shares", "test_beliefs_without_a_view_give_jeffreys_posterior_exactly", "Jeffreys' Beta"),
    ("shares", "test_fit_shares", "test_an_elicited_share_is_updated_as_beta", "Beta of belief and counts"),
    ("shares", "test_fit_shares", "test_partial_pooling_agrees_with_brute_force", "partial pooling by brute force over a grid"),
    ("times", "test_fit_durations", "test_sufficient_statistics_give_the_likelihood_of_the_rows", "row by row against sufficient statistics"),
    ("times", "test_fit_durations", "test_the_sampler_agrees_with_quadrature_passes_its_checks_and_costs_the_same_for_a_million_rows", "quadrature; a million rows cost what a thousand cost"),
    ("times", "test_fit_durations", "test_an_exponential_is_gamma", "Gamma of count and exposure"),
    ("times", "test_fit_durations", "test_open_visits_recover_the_truth_and_dropping_them_is_biased", "open visits censored"),
    ("times", "test_fit_durations", "test_an_export_chosen_by_its_end_recovers_the_truth_and_ignoring_that_is_biased", "chosen by their end: truncated"),
    ("arrivals", "test_fit_arrivals", "test_shares_of_types_are_dirichlet", "Dirichlet of belief and counts"),
    ("readiness", "test_fit_shares", "test_readiness_is_bayes_rule", "Bayes' rule"),
    ("today's result", "test_fit_baseline", "test_intervals_cover_in_ninety_of_a_hundred", "intervals of the mean cover"),
)  # fmt: skip


def fit_oracle_lines() -> list[str]:
    """The table of oracles of the fits."""
    rows = (f"| {fit} | `{module}::{test}` | {meaning} |" for fit, module, test, meaning in FIT_ORACLES)
    return ["| fit | test | compared with |", "| --- | --- | --- |", *rows]


def calibration_lines(file: Path = CALIBRATION) -> list[str]:
    """The table of calibration by simulation; a sentence where it was not made yet."""
    if not file.exists():
        return ["Not made yet: `make sbc`."]
    found = json.loads(file.read_text(encoding="utf-8"))
    return [
        "A truth is drawn from the prior, data are made from it, the fit runs at full length, and the truth's rank among its draws is noted: if fit and model are right,",
        "ranks are uniform. Chi-square over ten bins; a fit is rejected if Holm's procedure rejects one of its quantities at .01. *Sees*: the smallest shift of a posterior, in",
        "its own standard deviations, that is found with a chance of 80 %. In brackets: the standard error that chance alone leaves. Fits that do not pass their checks carry no verdict and are left out.",
        "",
        "| fit | fits | passed their checks | rejected | sees | quantity | ranks | p | 50 % intervals hold | 90 % intervals hold |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(line for name, x in found.items() for line in _rows(name, x)),
    ]


def _rows(name: str, x: dict[str, object]) -> Iterator[str]:
    quantities = x["quantities"]
    assert isinstance(quantities, list)
    rejected = x["rejected"]
    told = ", ".join(map(str, rejected)) if isinstance(rejected, list) and rejected else "none"
    for i, q in enumerate(quantities):
        head = f"| {name} | {x['fits']} | {x['passed_gate']} | {told} | {x['detectable']:.2f} " if i == 0 else "| | | | | "
        covered = (f"{q[f'covered_{n}']:.3f} (± {q[f'error_{n}']:.3f})" for n in (50, 90))
        yield f"{head}| {q['name']} | {q['ranks']} | {q['p']:.3f} | {' | '.join(covered)} |"
