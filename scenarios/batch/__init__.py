"""Plans of many simulations: which cases, which values of their parameters, which arms, how many futures, and one table of it all."""

from scenarios.batch.design import Column, Point
from scenarios.batch.plan import Plan, Prepared, prepare, read_plan
from scenarios.batch.runner import frame, run
from scenarios.batch.summary import Summary

__all__ = ["Column", "Plan", "Point", "Prepared", "Summary", "frame", "prepare", "read_plan", "run"]
