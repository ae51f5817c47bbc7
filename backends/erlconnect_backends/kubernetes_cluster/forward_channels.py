"""The two channels of one forwarded port: which bytes are data, and what the kubelet says.

Bytes in, facts out: refuses to know websockets and sockets. In ``v4.channel.k8s.io`` the first byte
of a message names its channel, 0 for the port's data and 1 for its errors; each channel begins with
the port in two bytes, little-endian. An end is the websocket's own: neither channel has one.
https://github.com/kubernetes/kubelet/blob/master/pkg/cri/streaming/portforward/websocket.go
"""

from __future__ import annotations

from typing import Final

SUBPROTOCOL: Final = "v4.channel.k8s.io"

_DATA: Final = 0
_ERROR: Final = 1
_PORT_BYTES: Final = 2
_MAX_ERROR_BYTES: Final = 4000


class ForwardProtocolError(Exception):
    """The other side does not speak ``v4.channel.k8s.io`` of one port."""


class ForwardChannels:
    """What arrives for one port. ``opened`` is true as soon as the port's data channel is there."""

    def __init__(self, port: int) -> None:
        self.opened = False
        # An end is the websocket's own.
        self.ended = False
        self._announced: Final = port.to_bytes(_PORT_BYTES, "little")
        # What of its own announcement each channel still has to say.
        self._awaited = [self._announced, self._announced]
        self._channel: int | None = None
        self._error = bytearray()

    @property
    def error(self) -> str:
        """What the kubelet said, on one line; empty where it said nothing."""
        return " ".join(self._error.decode(errors="replace").split())

    def receive(self, payload: memoryview, *, begins: bool) -> memoryview:
        """Take a piece of a message and give the data in it, perhaps none.

        ``begins`` says that it is the first piece. Raises ``ForwardProtocolError``.
        """
        if begins:
            self._channel = None
        if self._channel is None:
            if not payload:
                return payload
            self._channel, payload = self._checked(payload[0]), payload[1:]
        payload = self._after_announcement(self._channel, payload)
        if self._channel == _DATA:
            return payload
        self._error += payload[: _MAX_ERROR_BYTES - len(self._error)]
        return payload[:0]

    def _checked(self, channel: int) -> int:
        if channel not in (_DATA, _ERROR):
            raise ForwardProtocolError(f"a message on channel {channel}, which nobody opened")
        return channel

    def _after_announcement(self, channel: int, payload: memoryview) -> memoryview:
        awaited = self._awaited[channel]
        if not awaited:
            return payload
        said = bytes(payload[: len(awaited)])
        if not awaited.startswith(said):
            raise ForwardProtocolError(f"channel {channel} begins with {said!r}, which is no port")
        self._awaited[channel] = awaited[len(said) :]
        self.opened = self.opened or not self._awaited[_DATA]
        return payload[len(said) :]
