"""Which other nodes a link knows by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.name_mapping import inverse
from erlconnect.proxy.handshake import HandshakeResult
from erlconnect.proxy.link import link_names
from erlconnect.session.alias_registry import peer_aliases

DEV = "dev@127.0.0.1"
OTHERS = [("app-2", "app@10.3.2.2"), ("app-3", "app@10.3.2.3")]


@pytest.mark.parametrize(
    ("local_node", "form"),
    [(DEV, "127.0.0.1"), ("dev@laptop", "localhost"), ("dev@::1", "::1")],
)
def test_others_are_known_in_the_form_of_the_local_node(local_node: str, form: str) -> None:
    assert peer_aliases(OTHERS, local_node, "app@10.3.2.1") == [
        (f"app-2@{form}", "app@10.3.2.2"),
        (f"app-3@{form}", "app@10.3.2.3"),
    ]


def test_a_name_that_several_share_is_none_of_theirs() -> None:
    shared = [*OTHERS, ("app-4", "app@10.3.2.2")]
    assert peer_aliases(shared, DEV, "app@10.3.2.1") == [("app-3@127.0.0.1", "app@10.3.2.3")]


def test_the_links_own_node_has_its_name_for_itself() -> None:
    same = [("app-2", "app@127.0.0.1"), ("app-3", "app@127.0.0.1")]
    assert peer_aliases(same, DEV, "app@127.0.0.1") == []


def test_a_local_node_is_never_taken_for_another_alias() -> None:
    assert peer_aliases(OTHERS, "app-2@127.0.0.1", "app@10.3.2.1") == [
        ("app-3@127.0.0.1", "app@10.3.2.3")
    ]


NUMBERS = st.integers(1, 12)


@given(
    own=NUMBERS,
    # Real names of which some are the aliases of others, and some are shared.
    reals=st.dictionaries(NUMBERS, NUMBERS, max_size=10),
    node=NUMBERS,
)
def test_a_links_table_is_always_a_permutation(own: int, reals: dict[int, int], node: int) -> None:
    others = [(f"app-{name}", f"app-{real}@127.0.0.1") for name, real in reals.items()]
    real = f"app-{node}@127.0.0.1"
    pairs = peer_aliases([one for one in others if one[0] != f"app-{own}"], DEV, real)
    names = link_names(
        HandshakeResult(
            local_node=DEV,
            caller_name="dev-me-01234567@erlconnect.invalid",
            alias=f"app-{own}@127.0.0.1",
            node=real,
            neighbours=pairs,
            local_flags=0,
            remote_flags=0,
        )
    )
    assert set(names) == set(names.values())
    assert {old: inverse(names)[new] for old, new in names.items()} == {old: old for old in names}
    assert names.get(f"app-{own}@127.0.0.1", real) == real
    for alias, other in pairs:
        assert names.get(alias, other) == other
