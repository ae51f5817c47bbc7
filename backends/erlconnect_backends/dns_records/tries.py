"""Asks one name server after the other until one of them answers.

Knows patience: how long a try lasts, who is asked again, and how much goes on at once. Refuses to
know what is asked and what is a usable answer.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from erlconnect_backends.dns_records.exchange import (
    OpenStream,
    ask_by_datagram,
    ask_by_stream,
    is_cut,
    open_tcp,
)
from erlconnect_backends.dns_records.failures import Complaint, broken_way, no_answer, silence

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from erlconnect_backends.dns_records.records import Question
    from erlconnect_backends.dns_records.servers import NameServer

Answered = TypeVar("Answered")

_MAX_AT_ONCE: Final = 16
_FIRST_TRY_SHARE: Final = 0.2  # of the whole time; each further round is twice as long


class Tries:
    """Asks ``servers`` in turn; all questions together keep at most 16 exchanges open.

    ``seconds`` is how long the whole search may take, and paces the tries. ``tcp`` asks over TCP at
    once; ``open_stream`` is the way to a server for whatever goes over TCP.
    """

    def __init__(
        self,
        servers: Sequence[NameServer],
        *,
        tcp: bool,
        seconds: float,
        open_stream: OpenStream = open_tcp,
    ) -> None:
        self._servers = tuple(servers)
        self._tcp = tcp
        self._first_try_seconds = seconds * _FIRST_TRY_SHARE
        self._open_stream = open_stream
        self._slots = asyncio.Semaphore(_MAX_AT_ONCE)

    async def ask(
        self,
        question: Question,
        query: bytes,
        read: Callable[[bytes], Answered],
        *,
        until: float,
    ) -> tuple[NameServer, Answered]:
        """Give the first answer that ``read`` takes; it raises ``Complaint`` for the others.

        Who said nothing is asked again, until the event loop's time is ``until``. Raises
        ``LookupFailedError``, and ``LookupTimeoutError`` where nobody said anything. Cancelled, it
        leaves no socket behind.
        """
        complaints: dict[NameServer, Complaint] = {}
        pending, seconds = self._servers, self._first_try_seconds
        while True:
            for server in pending:
                try:
                    async with asyncio.timeout_at(until):
                        return server, read(await self._ask_one(query, server, seconds))
                except TimeoutError:
                    complaints.setdefault(server, silence(self._way))
                except Complaint as complaint:
                    complaints[server] = complaint
            pending = tuple(server for server in pending if complaints[server].silent)
            seconds *= 2
            if not pending or asyncio.get_running_loop().time() >= until:
                raise no_answer(question, complaints)

    @property
    def _way(self) -> str:
        return "TCP" if self._tcp else "UDP"

    async def _ask_one(self, query: bytes, server: NameServer, seconds: float) -> bytes:
        if not self._tcp:
            by_datagram = partial(ask_by_datagram, query, server)
            answer = await self._in_time("UDP", by_datagram, seconds)
            if not is_cut(answer):
                return answer
        by_stream = partial(ask_by_stream, query, server, self._open_stream)
        return await self._in_time("TCP", by_stream, seconds)

    async def _in_time(
        self, way: str, exchange: Callable[[], Awaitable[bytes]], seconds: float
    ) -> bytes:
        async with self._slots:
            try:
                async with asyncio.timeout(seconds):
                    return await exchange()
            except TimeoutError:
                raise silence(way) from None
            except (OSError, EOFError) as error:
                raise broken_way(way, error) from error
