"""``$(VAR)`` exactly as the kubelet reads it: each case is one of its own source's tests."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlconnect_backends.kubernetes_cluster.expansion import parts

VALUES = {"VAR_A": "A", "VAR_B": "B", "VAR_REF": "$(VAR_A)", "VAR_EMPTY": ""}


def expanded(text: str) -> str:
    return "".join(
        VALUES.get(piece, f"$({piece})") if is_name else piece for is_name, piece in parts(text)
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(VAR_A)", "A"),
        ("___$(VAR_B)___", "___B___"),
        ("$(VAR_A)_$(VAR_B)", "A_B"),
        ("$(VAR_REF)", "$(VAR_A)"),  # a value is not expanded again
        ("foo$(VAR_EMPTY)bar", "foobar"),
        ("$$(VAR_A)", "$(VAR_A)"),
        ("$$$(VAR_A)", "$A"),
        ("$$$$(VAR_A)", "$$(VAR_A)"),
        ("$(VAR_UNKNOWN)", "$(VAR_UNKNOWN)"),
        ("$()", "$()"),
        ("$VAR_A", "$VAR_A"),
        ("${VAR_A}", "${VAR_A}"),
        ("$(VAR_A", "$(VAR_A"),
        ("foo$(foo)bar", "foo$(foo)bar"),
        ("$?_boo_$!", "$?_boo_$!"),
        ("$", "$"),
        ("$$", "$"),
        ("f0000-$", "f0000-$"),
        ("\n$(VAR_A)\n", "\nA\n"),
        ("$(VAR_A)$", "A$"),
        ("$(VAR_A)(VAR_B)", "A(VAR_B)"),
        ("$$(VAR_A", "$(VAR_A"),
        ("$($(VAR_A)", "$($(VAR_A)"),
        ("", ""),
    ],
)
def test_references_and_dollars(text: str, value: str) -> None:
    assert expanded(text) == value


@given(st.text(alphabet="$()A"))
def test_without_known_names_only_pairs_of_dollars_change(text: str) -> None:
    pieces = list(parts(text))
    rebuilt = "".join(f"$({piece})" if is_name else piece for is_name, piece in pieces)
    assert rebuilt.replace("$", "").count("(") == text.count("(")
    assert len(rebuilt) <= len(text)
