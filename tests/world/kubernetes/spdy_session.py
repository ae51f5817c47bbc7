"""SPDY/3.1 streams over any pipe of bytes: a websocket, or a connection after its upgrade.

Knows that clients open streams and what travels on them; what they are for is the receivers'
business. There is no flow control but the pipe's own, as in the library that Kubernetes uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from world.kubernetes.spdy_frames import Data, Frame, FrameReader, FrameWriter, Opened, Ping, Reset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping


class Pipe(Protocol):
    """Bytes both ways; how they are cut into messages means nothing."""

    def messages(self) -> AsyncIterator[bytes]:
        """What comes, until the client has closed."""

    async def send(self, data: bytes) -> None:
        """Send; to a client that has gone it is lost."""


class Receiver(Protocol):
    """Takes what comes on one stream."""

    async def feed(self, data: bytes) -> None:
        """More data."""

    async def end_input(self) -> None:
        """The client sends no more."""

    async def close(self) -> None:
        """The client wants no more either."""


class SpdyStream:
    """One stream that the client has opened."""

    def __init__(self, session: SpdySession, number: int, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.receiver: Receiver | None = None
        self._session = session
        self._number = number

    async def send(self, data: bytes) -> None:
        """Send on the stream."""
        await self._session.send(self._session.frames.data(self._number, data))

    async def end(self) -> None:
        """Send no more on the stream."""
        await self._session.send(self._session.frames.end(self._number))


class SpdySession:
    """All streams of one pipe; ``opened`` is told of each and may give it a receiver."""

    def __init__(self, pipe: Pipe, opened: Callable[[SpdyStream], object]) -> None:
        self.frames = FrameWriter()
        self.send = pipe.send
        self._pipe = pipe
        self._opened = opened
        self._streams: dict[int, SpdyStream] = {}

    async def run(self) -> None:
        """Serve until the client closes, which closes all streams."""
        reader = FrameReader()
        async for message in self._pipe.messages():
            for frame in reader.feed(message):
                await self._take(frame)
        for stream in self._streams.values():
            if stream.receiver:
                await stream.receiver.close()

    async def _take(self, frame: Frame) -> None:
        match frame:
            case Opened():
                await self._open(frame)
            case Data(stream=number, data=data, ended=ended):
                await self._hand_on(number, data, ended)
            case Reset(stream=number):
                stream = self._streams.pop(number, None)
                if stream and stream.receiver:
                    await stream.receiver.close()
            case Ping(number=number) if number % 2:
                await self.send(self.frames.ping(number))

    async def _open(self, frame: Opened) -> None:
        stream = SpdyStream(self, frame.stream, frame.headers)
        self._streams[frame.stream] = stream
        await self.send(self.frames.reply(frame.stream))
        self._opened(stream)
        if frame.ended:
            await self._hand_on(frame.stream, b"", ended=True)

    async def _hand_on(self, number: int, data: bytes, ended: bool) -> None:
        stream = self._streams.get(number)
        if stream is None or stream.receiver is None:
            return
        if data:
            await stream.receiver.feed(data)
        if ended:
            await stream.receiver.end_input()
