"""Arms lowered for a block of draws, once a process: threads that need the same block wait for the one that makes it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The values made last, by their keys; safe to share between threads."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self._values: OrderedDict[Hashable, Future[Value]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What `make` gives, which is called once for a key that is kept. What it raises reaches all who wait, and is not kept."""
        with self._lock:
            value = self._values.get(key)
            mine = value is None
            if value is None:
                value = self._values[key] = Future()
            self._values.move_to_end(key)
            while len(self._values) > self.kept:
                self._values.popitem(last=False)
        if mine:
            try:
                value.set_result(make())
            except BaseException as error:
                value.set_exception(error)
                with self._lock:
                    self._values.pop(key, None)
        return value.result()
