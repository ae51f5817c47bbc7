"""What becomes of frames: the same message is refused in every form, and all else is untouched."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from guard.frames import LOCAL, REFERENCE, REMOTE, WRITERS, Writer
from hypothesis import given
from hypothesis import strategies as st

from erlconnect.distribution.bounded_terms import decode_prefix
from erlconnect.distribution.control import AtomCache, read_control
from erlconnect.distribution.etf import Atom, ImproperList
from erlconnect.distribution.name_mapping import CompiledMapping
from erlconnect.distribution.rewriter import Rewriter
from erlconnect.guard.link_guard import GuardConfig, LinkGuard, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

A = Atom
FLAGS = 0xD07DF7FBD  # what OTP 25 sends
NAMES = {"app@127.0.0.1": "app@10.3.2.1", "dev@127.0.0.1": "dev-me-819403ad@erlconnect.invalid"}
ALIAS_TAG = ImproperList((A("alias"),), REFERENCE)
OPTIONS = [A("monitor")]
SPAWN = (29, REFERENCE, LOCAL, LOCAL, (A("init"), A("stop"), 0), OPTIONS)
ERPC = (29, REFERENCE, LOCAL, LOCAL, (A("erpc"), A("execute_call"), 4), OPTIONS)
TO_REX = (6, LOCAL, A(""), A("rex"))
CALL: tuple[Any, ...] = (A("call"), A("init"), A("stop"), [], LOCAL)
STOPPING: dict[str, tuple[tuple[Any, ...], Any]] = {
    "a spawn request": (SPAWN, []),
    "a traced spawn request": ((30, *SPAWN[1:], []), []),
    "erpc": (ERPC, [REFERENCE, A("init"), A("stop"), []]),
    "erpc with an argument": (ERPC, [REFERENCE, A("erlang"), A("halt"), [1]]),
    "apply by erpc": (ERPC, [REFERENCE, A("erlang"), A("apply"), [A("init"), A("stop"), []]]),
    "rex": (TO_REX, (A("$gen_call"), (LOCAL, ALIAS_TAG), CALL)),
    "a cast to rex": (TO_REX, (A("$gen_cast"), (A("cast"), *CALL[1:]))),
    "rex, as C nodes ask": (TO_REX, (LOCAL, CALL)),
    "rex by a priority signal": ((37, 8, LOCAL, A("rex")), (LOCAL, CALL)),
    "a message to init": ((6, LOCAL, A(""), A("init")), (A("stop"), A("normal"))),
    "a spawn of old": (
        (6, LOCAL, A(""), A("net_kernel")),
        (A("$gen_call"), (LOCAL, REFERENCE), (A("spawn"), A("init"), A("stop"), [], LOCAL)),
    ),
}
HARMLESS: list[tuple[tuple[Any, ...], Any]] = [
    ((22, LOCAL, REMOTE), (A("stop"), A("init"), [])),
    ((22, LOCAL, REMOTE), b"init:stop()"),
    ((2, A(""), REMOTE), [A("init"), A("stop"), []]),
    ((6, LOCAL, A(""), A("shop")), (LOCAL, CALL)),
    (ERPC, [REFERENCE, A("lists"), A("reverse"), [[1, 2]]]),
    ((29, REFERENCE, LOCAL, LOCAL, (A("init"), A("get_status"), 0), OPTIONS), []),
    (TO_REX, (A("$gen_call"), (LOCAL, ALIAS_TAG), (A("call"), A("erlang"), A("node"), [], LOCAL))),
    ((19, LOCAL, A("rex"), REFERENCE), None),
    ((1, LOCAL, REMOTE), None),
    ((33, LOCAL, REFERENCE), (ALIAS_TAG, 5)),
    ((99, LOCAL, A("init"), A("stop")), (A("stop"), A("normal"))),
]


class Direction:
    """The guarded way outward, as the relay uses it."""

    def __init__(self, names: dict[str, str] | None = None, **config: Any) -> None:
        self.told: list[Refusal] = []
        self.link = LinkGuard(GuardConfig(**config), flags=FLAGS, tell=self.told.append)
        self.rewriter = Rewriter(CompiledMapping(names or {}), guard=self.link.outward)

    def feed(self, *pieces: bytes) -> bytes:
        buffer, start, out = bytearray(), 0, b""
        for piece in pieces:
            buffer += piece
            start, segments = self.rewriter.process(buffer, start, len(buffer))
            out += b"".join(segments)
            del segments
            buffer, start = buffer[start:], 0
        assert not buffer
        return out


def messages(data: bytes) -> list[tuple[tuple[Any, ...], Any]]:
    """What a receiver makes of whole frames."""
    found, at, cache = [], 0, AtomCache()
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        if data[at + 4] == ord("p"):
            control = read_control(data, at + 6, end)
            payload, atoms = control.payload + 1, cast("tuple[Any, ...]", ())
        else:
            header = cache.read_header(data, at + 6, end)
            control = read_control(data, header.terms, end, header.atoms)
            payload, atoms = control.payload, tuple(header.atoms)
        carried = decode_prefix(data, payload, end, atoms)[0] if payload < end else None
        found.append((control.terms, carried))
        at = end
    return found


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("written", WRITERS)
@pytest.mark.parametrize("call", STOPPING)
def test_a_call_is_refused_in_every_form(call: str, written: str, *, known: bool) -> None:
    writer, direction = WRITERS[written](), Direction()
    if known:
        direction.feed(writer.message((22, LOCAL, REMOTE), [STOPPING[call]]))
    sent = direction.feed(writer.message(*STOPPING[call]))
    assert [told.rule for told in direction.told] == ["stop"]
    assert all(control[:1] == (6,) and control[3] == "undefined" for control, _ in messages(sent))
    assert len(direction.rewriter.answers) <= 1


@pytest.mark.parametrize("written", WRITERS)
@pytest.mark.parametrize("call", STOPPING)
def test_with_allow_stop_it_goes_as_it_came(call: str, written: str) -> None:
    frame = WRITERS[written]().message(*STOPPING[call])
    direction = Direction(allow_stop=True)
    assert direction.feed(frame) == frame
    assert direction.told == []


@pytest.mark.parametrize("written", WRITERS)
def test_what_is_harmless_goes_as_it_came(written: str) -> None:
    writer, direction = WRITERS[written](), Direction()
    frames = [writer.message(*message) for _ in range(3) for message in HARMLESS]
    assert direction.feed(*frames) == b"".join(frames)
    assert direction.feed(b"".join(frames)) == b"".join(frames)
    assert direction.told == []
    assert direction.rewriter.answers == []


@pytest.mark.parametrize("size", [1, 7, 40, 10_000])
@pytest.mark.parametrize("call", ["a spawn request", "erpc", "rex", "a message to init"])
def test_fragments_of_a_refused_message_are_all_left_out(call: str, size: int) -> None:
    writer, direction = Writer(), Direction()
    control, payload = STOPPING[call]
    frames = writer.fragments(control, payload, size)
    between = writer.message((22, LOCAL, REMOTE), A("between"))
    behind = writer.message((22, LOCAL, REMOTE), A("behind"))
    sent = direction.feed(frames[0], between, *frames[1:], behind)
    assert [carried for _, carried in messages(sent)] == [[], "between", "behind"]
    assert len(direction.told) == 1


@given(st.lists(st.sampled_from([*STOPPING, *range(len(HARMLESS))]), max_size=12), st.data())
def test_it_does_not_matter_how_the_bytes_arrive(
    chosen: Sequence[str | int], draw: st.DataObject
) -> None:
    writer = Writer()
    stream = b"".join(
        writer.message(*(STOPPING[one] if isinstance(one, str) else HARMLESS[one]))
        for one in chosen
    )
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    pieces = [stream[a:b] for a, b in pairwise([0, *cuts, len(stream)])]
    whole, cut = Direction(NAMES), Direction(NAMES)
    assert cut.feed(*pieces) == whole.feed(stream)
    assert cut.told == whole.told
    assert len(cut.told) == sum(isinstance(one, str) for one in chosen)


def test_names_change_in_what_the_guard_has_made() -> None:
    direction = Direction(NAMES)
    sent = direction.feed(Writer().message(*STOPPING["erpc"]))
    assert b"dev-me-819403ad@erlconnect.invalid" in sent
    assert b"dev@127.0.0.1" not in sent


def test_what_a_refused_message_brought_into_the_cache_is_known_behind_it() -> None:
    writer, direction = Writer(), Direction()
    control, _ = STOPPING["erpc"]
    refused = writer.message(control, [REFERENCE, A("init"), A("stop"), [A("never_said")]])
    behind = writer.message((22, LOCAL, REMOTE), (A("never_said"), A("init")))
    assert messages(direction.feed(refused, behind))[-1][1] == ("never_said", "init")


def test_a_header_of_255_atoms_is_no_known_one() -> None:
    """Its first byte is one that nothing else begins with."""
    writer, direction = Writer(), Direction()
    many = writer.message((22, LOCAL, REMOTE), [A(f"atom{number}") for number in range(253)])
    behind = writer.message(ERPC, [REFERENCE, A("init"), A("stop"), []])
    direction.feed(many, behind)
    assert [told.what for told in direction.told] == ["init:stop/0"]


@pytest.mark.parametrize("operation", [2, 22, 33])
def test_an_inline_atom_among_cached_ones_is_seen(operation: int) -> None:
    """As two atoms of one message that share a slot are sent."""
    control = {2: (2, A(""), REMOTE), 22: (22, LOCAL, REMOTE), 33: (33, LOCAL, REFERENCE)}
    writer, direction = Writer(), Direction()
    asked: tuple[Any, ...] = (A("get_until"), A("unicode"), [], A("erl_scan"), A("tokens"), [])
    request = (A("io_request"), REMOTE, REFERENCE, asked)
    frame = bytearray(Writer().message((22, REMOTE, LOCAL), request))
    direction.link.inward.examine(frame, 0, len(frame))
    message = (control[operation], (A("other"), REFERENCE, A("eof")))
    received = direction.feed(writer.message(*message))
    cached = writer.message(*message)
    assert direction.feed(cached) == cached
    head = cached.index(b"h\x03R", 30)
    inline = cached[4:head] + b"h\x03w\x08io_reply" + cached[head + 4 :]
    received += direction.feed(len(inline).to_bytes(4, "big") + inline)
    assert [told.what for told in direction.told] == ["end-of-input"]
    assert messages(received)[-1][1][2] == ("error", "terminated")
