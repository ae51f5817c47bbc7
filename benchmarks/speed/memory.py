"""What a session needs in memory: while a gigabyte passes, and for links that do nothing."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

from world.epmd import RealEpmd
from world.ports import free_port

from erlconnect.distribution.flags import PROBE_FLAGS
from erlconnect.distribution.handshake import Initiator
from erlconnect.distribution.handshake_messages import (
    ChallengeReply,
    SendName,
    gen_challenge,
    gen_digest,
)
from speed.figures import Figure, Wanted
from speed.usage import forget_peak, peak_bytes, resident_bytes
from speed.ways import ERLCONNECT, erlconnect_session, erlconnect_way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speed.ways import Remote

_MEGABYTE = 1_000_000
_PIECES = 4
_PIECE_MEGABYTES = 250


def memory_figures(remote: Remote, *, quick: bool) -> Iterator[Figure]:
    """Measure one after the other, each in a session of its own."""
    for direction in ("up", "down"):
        yield _growth(remote, direction, 1 if quick else _PIECES)
    yield _idle_links(remote, 20 if quick else 200)


def _growth(remote: Remote, direction: str, pieces: int) -> Figure:
    with erlconnect_way(remote) as way:
        assert way.relay is not None
        before = resident_bytes(way.relay)
        forget_peak(way.relay)
        kind = f"{{binary, {_PIECE_MEGABYTES}}}"
        call = f"workload:{direction}('{way.remote}', {kind}, {pieces})."
        way.local.evaluate(call, timeout=300)
        grown = (peak_bytes(way.relay) - before) / _MEGABYTE
    return Figure(
        feature="106",
        workload=f"{pieces} binaries of {_PIECE_MEGABYTES} MB, {direction}",
        unit="MB more at the peak",
        values={ERLCONNECT: grown},
        value=grown,
        is_ratio=False,
        wanted=Wanted(sign="≤", bound=4.0),
    )


def _idle_links(remote: Remote, number: int) -> Figure:
    with contextlib.ExitStack() as stack:
        epmd = stack.enter_context(RealEpmd(free_port()))
        session = stack.enter_context(erlconnect_session(remote, epmd.port))
        port = session.ready()["aliases"][0]["local_port"]
        for index in range(number):
            link = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            _shake_hands(link, f"idle{index}@127.0.0.1", remote.cookie)
        session.wait_event("link-up", number=number)
        used = resident_bytes(session.pid) / _MEGABYTE
    return Figure(
        feature="106",
        workload=f"{number} idle links",
        unit="MB",
        values={ERLCONNECT: used},
        value=used,
        is_ratio=False,
        wanted=Wanted(sign="≤", bound=100.0),
    )


def _shake_hands(link: socket.socket, name: str, cookie: str) -> None:
    initiator = Initiator()
    _send(link, initiator.send_name(SendName(name=name, flags=PROBE_FLAGS, creation=1)))
    initiator.recv_status(_receive(link))
    challenge = initiator.recv_challenge(_receive(link)).challenge
    reply = ChallengeReply(challenge=gen_challenge(), digest=gen_digest(challenge, cookie))
    _send(link, initiator.send_challenge_reply(reply))
    initiator.recv_challenge_ack(_receive(link))


def _send(link: socket.socket, body: bytes) -> None:
    link.sendall(len(body).to_bytes(2) + body)


def _receive(link: socket.socket) -> bytes:
    size = int.from_bytes(link.recv(2, socket.MSG_WAITALL))
    return link.recv(size, socket.MSG_WAITALL)
