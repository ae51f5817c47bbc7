"""The bytes of one forwarded port, pumped between a socketpair and a websocket, and the news of it.

Knows when a port counts as open. Refuses to know what the messages of the websocket mean.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from erlconnect.api import StreamPump
from erlconnect_backends.kubernetes_cluster.forward_channels import ForwardProtocolError
from erlconnect_backends.kubernetes_cluster.signs_of_life import SilentError
from erlconnect_backends.kubernetes_cluster.websocket import WebSocketFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from erlconnect_backends.kubernetes_cluster.forward_codec import ForwardCodec
    from erlconnect_backends.kubernetes_cluster.websocket import Opened

# No word of these protocols says that a port took the connection. A kubelet that is refused says so
# at once, so that an answer to something later, and a little patience, stand for it.
_ANSWER_SECONDS: Final = 0.5
_COMPLAINT_SECONDS: Final = 0.1
_AT_ONCE: Final = "the stream was closed at once"


class ForwardPump(StreamPump):
    """Pumps over ``opened``, which it owns, what ``make_codec`` makes of the bytes.

    What that is given has to be called whenever ``opened``, ``answered`` or ``spoken`` changes.
    Made and waited for in one loop; the stream may outlive it.
    """

    def __init__(
        self,
        opened: Opened,
        make_codec: Callable[[Opened, Callable[[], None]], ForwardCodec],
        *,
        name: str,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._forward = make_codec(opened, self._tell)
        super().__init__(opened.wire, self._forward, name=name, at_end=self._tell)

    @property
    def complaint(self) -> str:
        """What the kubelet said of the port, or the API server of the stream; mostly nothing."""
        return self._forward.error or self._forward.websocket.farewell

    @property
    def last_words(self) -> str:
        """What ended it; empty where it was an orderly end."""
        return self.complaint or _words(self.failure)

    async def refusal(self) -> str:
        """Wait until the port is known to be open or not; give why it is not, empty where it is."""
        while not (self._forward.opened or self.ended.is_set()):
            await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                while not (self._forward.answered or self._forward.spoken or self.ended.is_set()):
                    await self._change()
        with suppress(TimeoutError):
            async with asyncio.timeout(_COMPLAINT_SECONDS):
                while not (self._forward.spoken or self.ended.is_set()):
                    await self._change()
        if self.ended.is_set() and not self._forward.spoken:
            return self.last_words or _AT_ONCE
        return ""

    async def gone(self) -> None:
        """Wait until it has ended."""
        while not self.ended.is_set():
            await self._change()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _tell(self) -> None:
        # The stream may outlive the loop.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._changed.set)


def _words(failure: Exception | None) -> str:
    match failure:
        case None:
            return ""
        case SilentError() | ForwardProtocolError():
            return f"the way through the API server was given up: {failure}"
        case WebSocketFailedError() | ssl.SSLError():
            return "the API server, or something on the way to it, cut the stream"
        case _:
            why = getattr(failure, "strerror", None) or failure
            return f"the connection to the API server broke: {why}"
