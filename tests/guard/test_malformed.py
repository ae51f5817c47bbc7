"""Terms that no decoder should get are found in every message, and text is none."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from guard.frames import LOCAL, REFERENCE, REMOTE, Writer, framed, small

from erlconnect.distribution.errors import RemoteProtocolError
from erlconnect.distribution.etf import Atom, Pid
from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.guard.link_guard import GuardConfig, LinkGuard, Refusal

FUN_HEAD = struct.pack(">IB", 60, 2) + bytes(16) + struct.pack(">II", 7, 0)
PID = b"X" + small(b"a@b") + bytes(12)
MALFORMED = {
    "a reference without words": b"Z\x00\x00" + small(b"a@b") + bytes(4),
    "a reference without words inside": b"h\x02a\x01l\x00\x00\x00\x01Z\x00\x00"
    + small(b"a@b")
    + bytes(4)
    + b"j",
    "a function whose arity is a function": b"q" + small(b"m") + small(b"f") + b"q",
    "a function whose arity is a binary": b"q" + small(b"m") + small(b"f") + b"m\x00\x00\x00\x00",
    "a function whose name is a number": b"q" + small(b"m") + b"a\x01a\x01",
    "a fun whose index is a tuple": b"p" + FUN_HEAD + small(b"m") + b"h\x00a\x01" + PID,
    "a fun whose process is a number": b"p" + FUN_HEAD + small(b"m") + b"a\x01a\x01a\x01",
}
WELL = {
    "text like them": b"Z\x00\x00w q w p\x00" * 9,
    "a function": Atom("q"),
    "pids with such numbers": [
        Pid(node="app@127.0.0.1", id=number, serial=0, creation=0x77)
        for number in (90, 112, 113, 0x7177)
    ],
}


def ended(payload: bytes, *, first: bytes = b"", inward: bool = False) -> list[Refusal]:
    told: list[Refusal] = []
    link = LinkGuard(
        GuardConfig(allow_stop=True, inbound="full"), flags=0xD07DF7FBD, tell=told.append
    )
    rewriter = Rewriter(CompiledMapping({}), guard=link.inward if inward else link.outward)
    body = Writer(atom=small).body((22, LOCAL, REMOTE), None)
    buffer = bytearray(first + framed(body + payload))
    with pytest.raises(RemoteProtocolError, match="malformed-term"):
        rewriter.process(buffer, 0, len(buffer))
    return told


@pytest.mark.parametrize("inward", [False, True])
@pytest.mark.parametrize("term", MALFORMED)
def test_it_ends_the_link_in_both_directions(term: str, *, inward: bool) -> None:
    """No option allows it."""
    before = framed(Writer(atom=small).body((22, LOCAL, REMOTE), Atom("before")))
    told = ended(MALFORMED[term], first=before * 3, inward=inward)
    assert [(one.rule, one.what) for one in told] == [("terms", "malformed-term")]


@pytest.mark.parametrize("term", WELL)
def test_what_only_looks_like_it_passes(term: str) -> None:
    value: Any = WELL[term]
    frame = Writer().message((22, LOCAL, REMOTE), (value, REFERENCE))
    told: list[Refusal] = []
    link = LinkGuard(GuardConfig(), flags=0xD07DF7FBD, tell=told.append)
    rewriter = Rewriter(CompiledMapping({}), guard=link.outward)
    for data in (frame, Writer().message((22, LOCAL, REMOTE), (value, REFERENCE)) * 20):
        buffer = bytearray(data)
        _, segments = rewriter.process(buffer, 0, len(buffer))
        assert b"".join(segments) == data
    assert told == []


def test_a_single_small_message_is_looked_at_too() -> None:
    link = LinkGuard(GuardConfig(), flags=0xD07DF7FBD, tell=lambda _: None)
    rewriter = Rewriter(CompiledMapping({}), guard=link.outward)
    body = Writer(atom=small).body((22, LOCAL, REMOTE), None)
    frame = bytearray(framed(body + MALFORMED["a reference without words"]))
    assert not rewriter.passes(frame, len(frame))
