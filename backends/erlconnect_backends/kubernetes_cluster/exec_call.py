"""Runs one command inside a container by a websocket, and gives what it wrote.

The first byte of each message is its channel: 1 what the command writes, 2 its errors, 3 how it
ended. Source: constants of ``k8s.io/apimachinery/pkg/util/remotecommand``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from erlconnect_backends.kubernetes_cluster import failures
from erlconnect_backends.kubernetes_cluster.bodies import decoded, message_in
from erlconnect_backends.kubernetes_cluster.exchange import NotHttpError
from erlconnect_backends.kubernetes_cluster.judging import Answered, Asked, judged
from erlconnect_backends.kubernetes_cluster.needs import EXEC
from erlconnect_backends.kubernetes_cluster.trying import AgainError, tried
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError
from erlconnect_backends.kubernetes_cluster.websocket_opening import (
    UpgradeRefusedError,
    open_websocket,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from erlconnect_backends.kubernetes_cluster.cookie_place import CookiePlace
    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece

SECONDS: Final = 15.0
_SUBPROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_OUTPUT, _STATUS = 1, 3
_MAX_BYTES: Final = 8 * 1024 * 1024
_PIECE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command wrote; ``failure`` is empty where it ended well."""

    output: bytes = field(repr=False)
    failure: str


async def run_inside(place: CookiePlace, words: Sequence[str]) -> Outcome:
    """Run ``words``, which must do no harm when they are run twice.

    Raises ``RefusedError``, ``NameNotFoundError``, ``LookupFailedError``, ``LookupTimeoutError``.
    Cancelled, it leaves no connection behind.
    """
    query = [
        ("container", str(place.container["name"])),
        ("stdout", "true"),
        ("stderr", "true"),
        *(("command", word) for word in words),
    ]
    parts = ("namespaces", place.pod.namespace, "pods", place.pod.name, "exec")
    target = f"/api/v1/{'/'.join(quote(part, safe='') for part in parts)}?{urlencode(query)}"
    try:
        async with asyncio.timeout(SECONDS):
            return await tried(lambda: _once(place, target))
    except TimeoutError as error:
        raise failures.silence(place.rest.access, _asked(place), SECONDS) from error


async def _once(place: CookiePlace, target: str) -> Outcome:
    access, what = place.rest.access, _asked(place)
    credentials = await access.credentials()
    try:
        opened = await open_websocket(access, credentials, target, subprotocols=_SUBPROTOCOLS)
        with opened.wire:
            return await _outcome(opened)
    except UpgradeRefusedError as error:
        asked = Asked(
            what=what,
            namespace=place.pod.namespace,
            rights=tuple(sorted(EXEC)),
            needed=place.rest.needed,
        )
        answered = Answered(
            status=error.refusal.status,
            said=message_in(error.refusal.body),
            retry_after=error.refusal.retry_after,
        )
        raise await judged(access, credentials, asked, answered) from error
    except WebSocketFailedError as error:
        raise failures.no_http(access, what) from error
    except OSError as error:
        raise AgainError(failures.unreachable(access, what, error)) from error


def _asked(place: CookiePlace) -> str:
    return f"a look into {place.words}"


async def _outcome(opened: Opened) -> Outcome:
    """Read until the command has ended; ``WebSocketFailedError`` where that is never told."""
    loop, wire, websocket = asyncio.get_running_loop(), opened.wire, opened.websocket
    channels = _Channels()
    channels.take(opened.early)
    while not channels.status:
        if websocket.over:
            raise WebSocketFailedError("the stream ended before the command did")
        await loop.sock_sendall(wire, websocket.outgoing())
        channels.take(websocket.receive(memoryview(await loop.sock_recv(wire, _PIECE_BYTES))))
    return Outcome(output=bytes(channels.output), failure=_failure(bytes(channels.status)))


class _Channels:
    """Sorts messages by channel; what a command says to its errors' channel is not kept."""

    def __init__(self) -> None:
        self.output = bytearray()
        self.status = bytearray()
        self._kept: bytearray | None = None

    def take(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            payload = piece.payload
            if piece.begins and payload:
                self._kept = {_OUTPUT: self.output, _STATUS: self.status}.get(payload[0])
                payload = payload[1:]
            if self._kept is not None:
                self._kept += payload[: _MAX_BYTES - len(self._kept)]


def _failure(status: bytes) -> str:
    """Give the message of a Status; empty where it tells of success."""
    try:
        return "" if decoded(status).get("status") == "Success" else message_in(status)
    except NotHttpError:
        return message_in(status)
