from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from distribution import terms
from distribution.profile import repeatable
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.name_search import NameSearch

if TYPE_CHECKING:
    from random import Random

APP = terms.pattern("app@10.0.0.1")
DEV = terms.pattern("dev@127.0.0.1")
FLOATS = b"F@\x12\0\0\0\0\0\0" * 2000
ADDRESSES = b"k\0\x09someone@." * 2000
HARD_DATA = [b"\0" * 9000, FLOATS, ADDRESSES, FLOATS + ADDRESSES, bytes(range(256)) * 40]


@pytest.mark.parametrize("data", HARD_DATA)
@pytest.mark.parametrize("name", [APP, DEV])
def test_a_name_is_found_between_whatever(data: bytes, name: bytes) -> None:
    search = NameSearch([APP, DEV])

    for at in (0, 1, 5000, len(data)):
        place = search.first_place(data[:at] + name + data[at:], 0, len(data) + len(name))
        assert at <= place < at + len(name)


@pytest.mark.parametrize("data", HARD_DATA)
def test_where_no_name_is_none_is_found(data: bytes) -> None:
    search = NameSearch([APP, DEV])

    for _ in range(2):
        assert search.first_place(data, 0, len(data)) == len(data)
        assert search.first_place(data, 100, 5000) == 5000


def test_a_byte_that_did_well_is_looked_for_first_the_next_time() -> None:
    search = NameSearch([APP, DEV])

    assert APP[search.first_place(APP, 0, len(APP))] == ord("@")
    assert search.first_place(FLOATS, 0, len(FLOATS)) == len(FLOATS)
    assert APP[search.first_place(APP, 0, len(APP))] == ord(".")


@pytest.mark.parametrize("dense", [3000, 16384, 40_000, 150_000])
@pytest.mark.parametrize("clear", [0, 3, 20_000, 150_000])
def test_a_name_behind_a_stretch_where_every_byte_is_frequent_is_found(
    dense: int, clear: int
) -> None:
    search = NameSearch([APP, DEV])
    before = (b"@.0a" * dense)[:dense] + bytes(clear)
    data = before + APP + bytes(100)

    assert len(before) <= search.first_place(data, 0, len(data)) < len(before) + len(APP)
    assert search.first_place(before, 0, len(before)) == len(before)
    assert search.first_place(data, len(before) + 3, len(data)) < len(data)


def test_names_without_a_common_byte_are_found_all_the_same() -> None:
    search = NameSearch([b"\1a", b"\1b"])

    assert search.first_place(b"..\1b", 0, 4) == 3
    assert [match.start() for match in search.engine.finditer(b"\1a\1b\1c")] == [1, 3]


def test_places_of_names_inside_each_other_are_all_given() -> None:
    short = terms.pattern("app@host-of-the-first-zone.example.org-000000")
    longer = terms.pattern("-app@host-of-the-first-zone.example.org-000000")
    search = NameSearch([short, longer])

    (match,) = search.engine.finditer(longer)
    assert {match.start() - anchor for pattern, anchor in search.anchors if pattern == longer} == {
        0
    }


def test_without_names_there_is_nothing_to_find() -> None:
    assert NameSearch([]).first_place(b"a@b", 0, 3) == 3


@repeatable
@given(st.randoms(use_true_random=True))
def test_every_order_of_bytes_gives_the_same_answer(random: Random) -> None:
    names = list(map(terms.pattern, terms.names(random)))
    search = NameSearch(names)
    for _ in range(4):
        data = random.choice(HARD_DATA)[: random.randint(0, 9000)]
        if random.random() < 0.5:
            at = random.randint(0, len(data))
            data = data[:at] + random.choice(names) + data[at:]
        place = search.first_place(data, 0, len(data))

        ends = [data.find(name) + len(name) for name in names if name in data]
        assert (place < len(data)) == bool(ends)
        assert place <= min(ends, default=len(data))
