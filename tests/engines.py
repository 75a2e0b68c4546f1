"""The engines that tests share: one of each kind in a process, as its packed programs and its memory are worth keeping."""

from __future__ import annotations

from functools import cache

import numpy as np

from simulator.engines import Engine, EngineName, engine_of
from simulator.program import Program
from simulator.summary import Question, Summary

SUMS = ("ended", "marks", "groups", "seconds", "visits", "work", "busy", "queue")


@cache
def engine(name: EngineName) -> Engine:
    return engine_of(name)


def question(program: Program) -> Question:
    """Half of the run, so that cases before and after it must be left out, and a group of its own for every step."""
    quarter = (program.stop - program.begin) // 4
    groups = np.int64(1) << (np.arange(len(program.steps)) % 62)
    return Question(program.begin + quarter, program.stop - quarter, groups)


def assert_same_sums(found: Summary, expected: Summary) -> None:
    """Every array, in shape and in every number."""
    for name in SUMS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name, strict=True)
