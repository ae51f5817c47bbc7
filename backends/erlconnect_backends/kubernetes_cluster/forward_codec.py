"""What the messages of a websocket mean for one forwarded port, as the codec of a pump.

Two kinds there are, ``channel_codec`` and ``tunnel_codec``. Refuses to know how the websocket came
to be. Neither closes halves: when either side ends, the other one is closed as soon as it has taken
what came before.
"""

from __future__ import annotations

import ssl
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Protocol

from erlconnect_backends.kubernetes_cluster.forward_channels import ForwardProtocolError
from erlconnect_backends.kubernetes_cluster.signs_of_life import SignsOfLife
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from erlconnect_backends.kubernetes_cluster.websocket import Opened, Piece, WebSocket


class ForwardedPort(Protocol):
    """What has arrived for one port."""

    opened: bool
    ended: bool
    """Whether it says no more, though the websocket is open."""

    @property
    def error(self) -> str:
        """What the kubelet said, on one line; empty where it said nothing."""


class ForwardCodec(ABC):
    """What both ways have in common, as a ``StreamCodec``."""

    half_closes = False

    def __init__(
        self,
        opened: Opened,
        port: ForwardedPort,
        changed: Callable[[], None],
        life: SignsOfLife | None = None,
    ) -> None:
        self._port = port
        self.over = False
        self.failure: Exception | None = None
        self.spoken = False
        self.websocket: WebSocket = opened.websocket
        self._early = opened.early
        self._changed = changed
        self._life = life or SignsOfLife()

    @property
    def opened(self) -> bool:
        """Whether the other side has begun to forward."""
        return self._port.opened

    @property
    @abstractmethod
    def answered(self) -> bool:
        """Whether it has answered something that was sent later."""

    @property
    def error(self) -> str:
        """What the kubelet said of the port."""
        return self._port.error

    @abstractmethod
    def encode(self, data: memoryview) -> None:
        """Make a message of it."""

    @abstractmethod
    def _contents(self, piece: Piece) -> Iterable[memoryview]:
        """Give the port's data in a piece of a message."""

    def early(self) -> Sequence[memoryview]:
        """Give what came with the server's agreement."""
        return self._taken(self._early)

    def decode(self, data: memoryview) -> Sequence[memoryview]:
        """Give the port's data, and keep what is said of it."""
        self._life.seen()
        return self._taken(self.websocket.receive(data))

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
        before = self.opened, self.answered, self.spoken
        contents: list[memoryview] = []
        try:
            for piece in pieces:
                contents += self._contents(piece)
        except (ssl.SSLError, WebSocketFailedError, ForwardProtocolError) as error:
            self.failure = error
        self.over = bool(self.websocket.over or self._port.ended or self.error or self.failure)
        self.spoken = self.spoken or bool(contents)
        if before != (self.opened, self.answered, self.spoken):
            self._changed()
        return contents
