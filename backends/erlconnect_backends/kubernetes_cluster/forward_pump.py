"""The bytes of one forwarded port, pumped between a socketpair and a websocket.

Refuses to know how the websocket came to be. This protocol has no closed halves: when either side
ends, the other one is closed as soon as it has taken what came before.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from erlconnect.api import StreamPump
from erlconnect_backends.kubernetes_cluster.forward_channels import (
    ForwardChannels,
    ForwardProtocolError,
)
from erlconnect_backends.kubernetes_cluster.signs_of_life import SignsOfLife
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece, WebSocket


class ForwardPump(StreamPump):
    """Pumps to ``port`` over ``opened``, which it owns.

    ``changed`` is called in its thread whenever one of these changes: ``opened``, ``answered``,
    ``spoken`` and ``ended``.
    """

    def __init__(
        self,
        opened: Opened,
        port: int,
        *,
        name: str,
        changed: Callable[[], None],
        life: SignsOfLife | None = None,
    ) -> None:
        self._forward = _ForwardCodec(opened, port, changed, life or SignsOfLife())
        super().__init__(opened.wire, self._forward, name=name, at_end=changed)

    @property
    def opened(self) -> bool:
        """Whether the other side has begun to forward."""
        return self._forward.channels.opened

    @property
    def answered(self) -> bool:
        """Whether it has answered a ping since."""
        return self._forward.websocket.answered

    @property
    def spoken(self) -> bool:
        """Whether the port has said something."""
        return self._forward.spoken

    @property
    def complaint(self) -> str:
        """What the kubelet said of the port, or the API server of the stream; mostly nothing."""
        return self._forward.channels.error or self._forward.websocket.farewell


class _ForwardCodec:
    """Puts data into messages and takes it out of them, as a ``StreamCodec``."""

    half_closes = False

    def __init__(
        self, opened: Opened, port: int, changed: Callable[[], None], life: SignsOfLife
    ) -> None:
        self.over = False
        self.failure: Exception | None = None
        self.spoken = False
        self.channels = ForwardChannels(port)
        self.websocket: WebSocket = opened.websocket
        self._early = opened.early
        self._changed = changed
        self._life = life
        # Its first byte stays 0, which is the channel of data.
        self._message = memoryview(bytearray(1 + StreamPump.piece_bytes))

    def early(self) -> Sequence[memoryview]:
        """Give what came with the server's agreement."""
        return self._taken(self._early)

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Give the port's data, and keep what is said of it."""
        self._life.seen()
        return self._taken(self.websocket.receive(data))

    def encode(self, data: memoryview) -> None:
        """Make a message of it."""
        self._message[1 : 1 + len(data)] = data
        self.websocket.send(self._message[: 1 + len(data)])

    def say_farewell(self) -> None:
        """Close the websocket, which is the only end there is."""
        self.websocket.close()

    def outgoing(self) -> bytes:
        """Give what was made."""
        return self.websocket.outgoing()

    def seconds_left(self, *, listening: bool) -> float:
        """Ask for a sign of life when it is time for that; raises ``SilentError``."""
        if not listening:
            # Who does not read cannot tell whether the other side is silent.
            self._life.seen()
        elif self._life.ask():
            self.websocket.ping()
        return self._life.seconds_left()

    def _taken(self, pieces: Iterable[Piece]) -> Sequence[memoryview]:
        before = self.channels.opened, self.websocket.answered, self.spoken
        contents: list[memoryview] = []
        try:
            for piece in pieces:
                if content := self.channels.receive(piece.payload, begins=piece.begins):
                    contents.append(content)  # noqa: PERF401 - what came before a failure counts
        except (ssl.SSLError, WebSocketFailedError, ForwardProtocolError) as error:
            self.failure = error
        self.over = bool(self.websocket.over or self.channels.error or self.failure)
        self.spoken = self.spoken or bool(contents)
        if self.channels.opened and not before[0]:
            self.websocket.ping()
        if before != (self.channels.opened, self.websocket.answered, self.spoken):
            self._changed()
        return contents
