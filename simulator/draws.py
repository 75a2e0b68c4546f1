"""Addressed random numbers: Philox4x32-10, a counter-based generator.

Every number is a pure function of (seed; future, entity, purpose, detail), so a change to one part of a model moves no draw
of any other part. Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
Addresses: docs/workflow.md section 4.
"""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK = 0xFFFFFFFF
_ROUNDS = 10
MAX_VISIT = 4_095
MAX_TOKEN = 15
MAX_ORDINAL = 65_535
DAY_OFFSET = 8_192


class Entity(IntEnum):
    """Kinds of things that own draws."""

    CASE = 0
    STREAM = 1
    CLUSTER = 2
    PARAMETER = 3


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Four 32-bit words from a 128-bit counter and a 64-bit key."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & _MASK, (p0 >> 32) ^ c3 ^ k1, p0 & _MASK
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def philox_arrays(
    counter: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike], key: tuple[int, int]
) -> tuple[NDArray[np.uint64], ...]:
    """The same for arrays of counter words (broadcast); each word as uint64 below 2**32."""
    mask, shift = np.uint64(_MASK), np.uint64(32)
    c0, c1, c2, c3 = (word.copy() for word in np.broadcast_arrays(*(np.asarray(w, dtype=np.uint64) for w in counter)))
    k0, k1 = key
    for _ in range(_ROUNDS):  # in place: new arrays for every operation would take half of the time
        p0, p1 = np.multiply(c0, np.uint64(_M0), out=c0), np.multiply(c2, np.uint64(_M1), out=c2)
        c1 ^= p1 >> shift
        c1 ^= np.uint64(k0)
        c3 ^= p0 >> shift
        c3 ^= np.uint64(k1)
        p1 &= mask
        p0 &= mask
        c0, c1, c2, c3 = c1, p1, c3, p0
        k0, k1 = (k0 + _W0) & _MASK, (k1 + _W1) & _MASK
    return c0, c1, c2, c3


def key_of(seed: int) -> tuple[int, int]:
    """The generator's key. Raises ValueError unless 0 <= seed < 2**64."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed {seed} must be between 0 and 2**64 - 1")
    return seed & _MASK, seed >> 32


@lru_cache(maxsize=4096)
def purpose_of(name: str) -> int:
    """A stable 32-bit hash of a step's id or a stream's name."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest(), "little")


def case_entity(day: ArrayLike, ordinal: ArrayLike) -> NDArray[np.uint64]:
    """Entity numbers of cases: their day since go-live and their ordinal in it."""
    index = (np.asarray(day, dtype=np.int64) + DAY_OFFSET) * (MAX_ORDINAL + 1) + np.asarray(ordinal, dtype=np.int64)
    return index.astype(np.uint64)


def entity_of(kind: Entity, index: int) -> int:
    """Entity number of the `index`-th thing of a kind."""
    return (int(kind) << 30) + index


def detail_of(visit: int, slot: int = 0) -> int:
    """The last word of an address."""
    return (visit << 20) + slot


def uniforms(seed: int, future: int, entity: int, purpose: int, detail: int = 0) -> tuple[float, float]:
    """The two uniforms at one address, strictly inside (0, 1), 52 bits each."""
    w0, w1, w2, w3 = philox((future, entity, purpose, detail), key_of(seed))
    first, second = ((w0 << 32) + w1) >> 12, ((w2 << 32) + w3) >> 12
    return (first + 0.5) * 2.0**-52, (second + 0.5) * 2.0**-52


def uniform_arrays(
    seed: int, future: ArrayLike, entity: ArrayLike, purpose: int, detail: ArrayLike = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same for arrays of futures, entities and details (broadcast); equal to `uniforms` bit for bit."""
    words = philox_arrays((future, entity, np.uint64(purpose), detail), key_of(seed))
    return _unit(words[0], words[1]), _unit(words[2], words[3])


def _unit(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Two words as a number strictly inside (0, 1)."""
    high <<= np.uint64(32)
    high += low
    high >>= np.uint64(12)
    unit = high.astype(np.float64)
    unit += 0.5
    unit *= 2.0**-52
    return unit
