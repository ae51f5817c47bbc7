from __future__ import annotations

import pytest

from erlconnect.distribution.names import NodeName


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("app@127.0.0.1", True),
        ("app@pod-1", False),
        ("app@::1", True),
        ("rpc-1_a@a.b.c", True),
        ("a@b", False),
    ],
)
def test_a_name_is_split_at_its_at_sign(text: str, long: bool) -> None:
    parsed = NodeName.parse(text)

    assert str(parsed) == text
    assert parsed.name + "@" + parsed.host == text
    assert parsed.long is long


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("app", "no '@'"),
        ("@host", "before the '@'"),
        ("a b@host", "before the '@'"),
        ("é@host", "before the '@'"),
        ("app@", "host"),
        ("app@a@b", "host"),
        ("app@a b", "host"),
        ("app@a\n", "host"),
        ("a@" + "b" * 254, "255 bytes"),
        ("a@" + "é" * 127, "255 bytes"),
    ],
)
def test_what_is_no_name_says_which_part_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        NodeName.parse(text)


def test_255_bytes_are_a_name() -> None:
    assert NodeName.parse("a@" + "b" * 253).name == "a"


def test_a_host_that_is_not_in_utf_8_is_told_without_a_codecs_words() -> None:
    with pytest.raises(ValueError, match="the host is not in UTF-8"):
        NodeName.parse("a@h\udce9st")
