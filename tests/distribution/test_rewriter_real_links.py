"""What real nodes send through a rewriter, and what they make of what comes out of it.

The test is a node itself. A real node sends it a message; its bytes come back to that node with the
two names swapped, and do so once more: then the message has to be the one that was sent.
"""

from __future__ import annotations

import struct
from random import Random
from typing import TYPE_CHECKING

import pytest
from distribution.conftest import COOKIE, NAME
from distribution.peer import ATOM_CACHE, FLAGS_OF_29, FRAGMENTS, Peer
from distribution.reference import renamed
from distribution.streams import Receiver, relayed

from erlconnect.distribution.handshake_messages import StatusKind
from erlconnect.distribution.name_mapping import CompiledMapping, permutation
from erlconnect.distribution.rewriter import Rewriter

if TYPE_CHECKING:
    from world.erlang import ErlangNode

PEERS = ["a-much-longer-name-of-a-peer@127.0.0.1", "p@b", "peer@127.0.0.1"]
FLAGS_OF_RELEASES = {
    "23": 0x101DF7FBD,
    "25": 0xD07DF7FBD,
    "27": 0xD07DF7FBD,
    "29": 0x6D07DF7FBD,
}
LAST = b"the-last-message"
MESSAGE = """
Many = [list_to_atom("atom" ++ integer_to_list(N)) || N <- lists:seq(1, 400)],
Message = [
    {node(), self(), make_ref(), [node(), '%(peer)s']},
    #{node() => self(), Many => {fun(X) -> {X, self(), node()} end, 1 bsl 100}},
    [{N, node(), '%(peer)s', self(), fun() -> {N, node()} end} || N <- lists:seq(1, 600)],
    binary:copy(term_to_binary([node(), '%(peer)s']), 3000),
    {Many, node(), lists:seq(1, 300), "text", 1.5, <<1:7>>, '%(peer)s'},
    binary:copy(<<"p">>, 70000),
    [{node(), N, <<N:32>>} || N <- lists:seq(1, 3000)]
],
"""


def conversation(node: ErlangNode, peer: Peer, name: str, message: str) -> list[bytes]:
    """Have the real node send a message to the peer; return the frames."""
    node.evaluate(
        MESSAGE
        % {"peer": name}
        + f"case whereis(echo) of undefined -> register(echo, self()); _ -> ok end, {message}"
        f"{{echo, '{name}'}} ! <<\"{LAST.decode()}\">>."
    )
    return peer.frames_until(LAST)


def send_back(node: ErlangNode, peer: Peer, rewriter: Rewriter, frames: list[bytes]) -> None:
    peer.send(relayed(rewriter, b"".join(frames)))
    node.evaluate(f'receive <<"{LAST.decode()}">> -> ok after 20000 -> error(no_message) end.')


def swap(name: str) -> CompiledMapping:
    return CompiledMapping(permutation([(NAME, name)]))


def cut_again(frames: list[bytes], random: Random) -> list[bytes]:
    """Cut later fragments into smaller ones; OTP lets a sender choose their sizes."""
    pieces: dict[int, list[list[bytes]]] = {}
    for frame in frames:
        (sequence,) = struct.unpack_from(">Q", frame, 6) if frame[4:6] != b"\x83D" else (0,)
        if frame[4:6] == b"\x83E":
            pieces.setdefault(sequence, []).append([])
        if frame[4:6] in (b"\x83E", b"\x83F"):
            cut = [] if frame[4:6] == b"\x83E" else _pieces(frame[22:], random)
            pieces[sequence][-1] += cut or [b""]
    out = []
    for frame in frames:
        sequence = int.from_bytes(frame[6:14], "big")
        if frame[4:6] == b"\x83E":
            left = pieces[sequence].pop(0)
            heads = [b"\x83E" + frame[6:14] + struct.pack(">Q", len(left)) + frame[22:]]
            heads += [
                b"\x83F" + frame[6:14] + struct.pack(">Q", len(left) - at) + piece
                for at, piece in enumerate(left[1:], 1)
            ]
            out += [struct.pack(">I", len(body)) + body for body in heads]
        elif frame[4:6] != b"\x83F":
            out.append(frame)
    return out


def _pieces(payload: bytes, random: Random) -> list[bytes]:
    out = []
    while payload:
        size = random.choice([0, 1, 2, 5, 17, 40, 300, 9000])
        out.append(payload[:size])
        payload = payload[size:]
    return out


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("without", [0, ATOM_CACHE, FRAGMENTS, ATOM_CACHE | FRAGMENTS])
def test_a_real_node_gets_its_own_message_back(
    any_node: ErlangNode, name: str, without: int
) -> None:
    flags = FLAGS_OF_29 & ~without
    with Peer(any_node.dist_port, name, COOKIE, flags) as peer:
        frames = conversation(
            any_node, peer, name, f"put(sent, Message), {{echo, '{name}'}} ! Message,"
        )
        rewriter = Rewriter(swap(name))
        random = Random(name)
        send_back(any_node, peer, rewriter, cut_again(frames, random))
        swapped = f"receive Got -> {{echo, '{name}'}} ! Got, hd(Got) after 0 -> none end"
        any_node.evaluate(f"{swapped}, {{echo, '{name}'}} ! <<\"{LAST.decode()}\">>.")
        again = Rewriter(swap(name))
        send_back(any_node, peer, again, cut_again(peer.frames_until(LAST), random))

        assert any_node.evaluate("receive Got -> Got =:= get(sent) after 0 -> none end.") == "true"
        assert rewriter.unparseable == again.unparseable == 0
        assert rewriter.rewritten > (2000 if without & ATOM_CACHE else 0)


def test_the_bytes_of_a_real_node_are_read_alike(any_node: ErlangNode) -> None:
    name = PEERS[0]
    with Peer(any_node.dist_port, name, COOKIE, FLAGS_OF_29) as peer:
        stream = b"".join(conversation(any_node, peer, name, f"{{echo, '{name}'}} ! Message,"))
    sent = Receiver().receive(stream)
    got = Receiver().receive(relayed(Rewriter(swap(name)), stream, range(0, len(stream), 7001)))

    table = {NAME.encode(): name.encode(), name.encode(): NAME.encode()}
    assert [m.events for m in got] == [renamed(m.events, table) for m in sent]
    assert sent[-2].kind == "fragmented"
    assert all(fun.exact for message in sent for fun in message.funs)


def test_of_real_small_messages_hardly_a_frame_is_walked(node: ErlangNode) -> None:
    name = PEERS[2]
    some = """
    {I, self(), make_ref(), node(), #{time => erlang:monotonic_time(),
     text => <<"on real@127.0.0.1">>}, {ok, [{item, I * 1.5, atom_to_list(node())}]}}
    """
    with Peer(node.dist_port, name, COOKIE) as peer:
        frames = conversation(
            node, peer, name, f"[{{echo, '{name}'}} ! {some} || I <- lists:seq(1, 20000)],"
        )
    rewriter = Rewriter(swap(name))
    relayed(rewriter, b"".join(frames), range(0, 4_000_000, 65_536))

    assert rewriter.frames > 20_000
    assert rewriter.rewritten > 0
    assert rewriter.scanned / rewriter.frames < 0.001


def test_the_handshake_tells_flags_and_creation(any_node: ErlangNode) -> None:
    with Peer(any_node.dist_port, "knocks@127.0.0.1", COOKIE) as peer:
        assert peer.status.kind is StatusKind.OK
        assert peer.challenge.name == NAME
        assert not peer.challenge.old
        assert any_node.evaluate("erlang:system_info(creation).") == str(peer.challenge.creation)
        release = any_node.evaluate("erlang:system_info(otp_release).").strip('"')
        assert peer.challenge.flags == FLAGS_OF_RELEASES[release]
