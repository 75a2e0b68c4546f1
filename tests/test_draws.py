"""Random numbers have addresses: known answers, scalar equals vector, one address one number, uniform inside (0, 1)."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from simulator.draws import (
    MAX_ORDINAL,
    MAX_VISIT,
    Entity,
    case_entity,
    detail_of,
    entity_of,
    key_of,
    philox,
    philox_arrays,
    purpose_of,
    uniform_arrays,
    uniforms,
)

ONES = 0xFFFFFFFF
WORD = st.integers(0, ONES)
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
"""Random123, tests/kat_vectors, philox 4x32 10: all zeros, all ones, digits of pi."""


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS, ids=["zeros", "ones", "pi"])
def test_philox_gives_the_known_answers_of_random123(
    counter: tuple[int, int, int, int], key: tuple[int, int], words: tuple[int, int, int, int]
) -> None:
    assert philox(counter, key) == words
    assert tuple(int(w) for w in philox_arrays(counter, key)) == words


def test_the_first_known_answer() -> None:
    assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)


@given(st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=8), WORD, WORD)
@settings(max_examples=50, deadline=None)
def test_the_vector_generator_equals_the_scalar_one_word_for_word(
    counters: list[tuple[int, int, int, int]], low: int, high: int
) -> None:
    columns = np.asarray(counters, dtype=np.uint64).T
    vector = np.stack(philox_arrays((columns[0], columns[1], columns[2], columns[3]), (low, high)), axis=1)
    assert [tuple(row) for row in vector.tolist()] == [philox(counter, (low, high)) for counter in counters]


@given(st.integers(0, 2**64 - 1), WORD, WORD, WORD, WORD)
@settings(max_examples=100, deadline=None)
def test_vector_uniforms_equal_scalar_uniforms_bit_for_bit(
    seed: int, future: int, entity: int, purpose: int, detail: int
) -> None:
    first, second = uniform_arrays(seed, future, np.asarray([entity]), purpose, detail)
    assert (float(first[0]), float(second[0])) == uniforms(seed, future, entity, purpose, detail)


def test_the_two_uniforms_are_the_upper_52_bits_of_the_word_pairs_shifted_by_a_half() -> None:
    w0, w1, w2, w3 = 0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8
    first, second = uniforms(0, 0, 0, 0, 0)
    assert first == (((w0 * 2**32 + w1) >> 12) + 0.5) / 2**52 == 0.3990464708489646
    assert second == (((w2 * 2**32 + w3) >> 12) + 0.5) / 2**52 == 0.7357127844834425


def test_the_smallest_and_the_largest_uniform_are_inside_the_open_interval() -> None:
    smallest, largest = (0 + 0.5) * 2.0**-52, (2**52 - 1 + 0.5) * 2.0**-52
    assert 0 < smallest < largest < 1
    assert -np.log1p(-largest) < 37  # an exponential time is at most 36.7 means long, never infinite


def test_the_seed_is_64_bits_low_word_first() -> None:
    assert key_of(2**32 * 7 + 5) == (5, 7)
    assert key_of(2**64 - 1) == (ONES, ONES)
    assert uniforms(5, 0, 0, 0) != uniforms(2**32 * 7 + 5, 0, 0, 0)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_64_bits_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=r"must be between 0 and 2\*\*64 - 1"):
        key_of(seed)


def test_every_part_of_the_address_changes_the_number() -> None:
    address = {"seed": 1, "future": 2, "entity": 3, "purpose": 4, "detail": 5}
    changed = [uniforms(**(address | {name: 99})) for name in address]
    assert len({uniforms(**address), *changed}) == 6
    columns = [uniform_arrays(**(address | {name: 99})) for name in address]
    assert [(float(a), float(b)) for a, b in columns] == changed


def test_the_number_at_an_address_does_not_depend_on_what_was_asked_before() -> None:
    alone = uniforms(11, 2, 77, purpose_of("review"), detail_of(1))
    for other in range(50):
        uniforms(11, 2, other, purpose_of("triage"), 0)
    assert uniforms(11, 2, 77, purpose_of("review"), detail_of(1)) == alone
    block, _ = uniform_arrays(11, 2, np.arange(100), purpose_of("review"), detail_of(1))
    assert float(block[77]) == alone[0]


def test_cases_get_16_bits_for_the_ordinal_and_14_for_the_day() -> None:
    assert int(case_entity(0, 0)) == 8_192 * 65_536
    assert int(case_entity(-8_192, 0)) == 0
    assert int(case_entity(8_191, MAX_ORDINAL)) == 2**30 - 1
    assert int(case_entity(3, 7)) - int(case_entity(2, 7)) == 65_536


def test_the_four_kinds_of_entities_never_share_a_number() -> None:
    ranges = {kind: (entity_of(kind, 0), entity_of(kind, 2**30 - 1)) for kind in Entity}
    assert ranges == {
        Entity.CASE: (0, 2**30 - 1),
        Entity.STREAM: (2**30, 2**31 - 1),
        Entity.CLUSTER: (2**31, 2**31 + 2**30 - 1),
        Entity.PARAMETER: (2**31 + 2**30, ONES),
    }


def test_visit_and_slot_do_not_overlap_in_the_detail() -> None:
    assert detail_of(1) == 2**20
    assert detail_of(0, slot=1) == 1
    assert detail_of(MAX_VISIT, 2**20 - 1) == ONES
    details = {detail_of(v, s) for v, s in product((0, 1, 2, MAX_VISIT), range(200))}
    assert len(details) == 4 * 200


def test_the_purpose_of_a_name_is_stable_across_machines_and_versions() -> None:
    assert [purpose_of(name) for name in ("approve", "arrivals:count", "triage", "review")] == [
        1_001_268_692,
        160_586_968,
        2_240_337_893,
        529_826_334,
    ]
    assert purpose_of("") == int.from_bytes(bytes.fromhex("1271cf25"), "little")  # blake2b-32 of nothing


def test_one_whole_address_gives_this_number_for_ever() -> None:
    entity = int(case_entity(0, 0))
    pair = uniforms(20_260_105, 3, entity, purpose_of("review"), detail_of(1, 3))
    assert pair == (0.19880423512762835, 0.05307222030388703)


def test_uniforms_over_cases_purposes_and_futures_are_uniform_and_unrelated() -> None:
    """Fixed seed; Kolmogorov-Smirnov and correlation at 100,000 numbers, alpha 0.001 / 6: sees a shift of 0.004."""
    n, bound = 100_000, stats.norm.ppf(1 - 0.001 / 12) / np.sqrt(100_000)
    entity = case_entity(np.arange(n) // 1_000, np.arange(n) % 1_000)
    first, second = uniform_arrays(7, 0, entity, purpose_of("review"))
    other_purpose, _ = uniform_arrays(7, 0, entity, purpose_of("triage"))
    other_future, _ = uniform_arrays(7, 1, entity, purpose_of("review"))
    assert 0 < first.min() < first.max() < 1
    assert stats.kstest(first, "uniform").pvalue > 0.001 / 6
    assert stats.kstest(second, "uniform").pvalue > 0.001 / 6
    for other in (second, other_purpose, other_future):
        assert abs(np.corrcoef(first, other)[0, 1]) < bound
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < bound
