from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from erlconnect.epmd.name_choice import candidates

name_parts = st.text("ab-_1", min_size=1, max_size=6)


def test_the_plain_name_then_the_suffix_then_numbers() -> None:
    assert list(islice(candidates("app", "prod"), 4)) == ["app", "app-prod", "app-2", "app-3"]
    assert list(islice(candidates("app"), 3)) == ["app", "app-2", "app-3"]


def test_a_suffix_holds_only_what_a_node_name_may_hold() -> None:
    assert list(islice(candidates("app", "prod/shop.eu "), 2))[1] == "app-prod-shop-eu"
    assert list(islice(candidates("app", "//"), 2)) == ["app", "app-2"]


def test_there_is_an_end() -> None:
    assert list(candidates("app"))[-1] == "app-999"


@given(name_parts, st.text(max_size=6))
def test_livebook_never_sees_two_dashes_in_a_row(name: str, suffix: str) -> None:
    assert not [candidate for candidate in candidates(name, suffix) if "--" in candidate]


@given(name_parts, st.text(max_size=6))
def test_later_candidates_differ_from_the_first(name: str, suffix: str) -> None:
    first, *later = candidates(name, suffix)
    assert first not in later
