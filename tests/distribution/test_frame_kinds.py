from __future__ import annotations

import pytest

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.frame_kinds import check_frame


@pytest.mark.parametrize("kind", [b"\x83D", b"\x83E", b"\x83F", b"p\x83", b"p\0", b"p\xff"])
def test_known_kinds(kind: bytes) -> None:
    check_frame(2, int.from_bytes(kind, "big"), 100)


@pytest.mark.parametrize(
    "kind", [b"\x83C", b"\x83G", b"\x83h", b"\0\0", b"D\x83", b"o\x83", b"q\0"]
)
def test_unknown_kinds_are_named(kind: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=f"kind {kind[0]} {kind[1]}"):
        check_frame(2, int.from_bytes(kind, "big"), 100)


def test_a_frame_may_be_as_long_as_the_limit() -> None:
    check_frame(100, 0x8344, 100)
    with pytest.raises(RemoteProtocolError, match=r"101 bytes.*\(100\)"):
        check_frame(101, 0x8344, 100)
