"""The only place that runs things: arms × draws × replications of a case, and the studies made of them."""

from scenarios.study.draws import Collected, DrawResult, DrawsDone, Parts, Plan, collect, decision_plan, verdict_plan
from scenarios.study.means import Means, Progress, quiet
from scenarios.study.middle import BaselineError, median_baseline
from scenarios.study.replications import Replication, Replications, replicate, replicate_one
from scenarios.study.single import Run, run_arm
from scenarios.study.verdict import Extreme, VerdictStudy, judged, verdict

__all__ = [
    "BaselineError", "Collected", "DrawResult", "DrawsDone", "Extreme", "Means", "Parts", "Plan", "Progress",
    "Replication", "Replications", "Run", "VerdictStudy", "collect", "decision_plan", "judged", "median_baseline", "quiet",
    "replicate", "replicate_one", "run_arm", "verdict", "verdict_plan",
]  # fmt: skip
