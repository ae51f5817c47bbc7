"""Faults on demand, for API requests and for streams; any thread may change them at any time."""

from __future__ import annotations

import asyncio
import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from world.kubernetes.statuses import status

if TYPE_CHECKING:
    from collections.abc import Mapping

_GATE_SECONDS: Final = 0.02
_WORDS: Final = {
    400: ("BadRequest", "the request is malformed"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden by the test"),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: etcdserver: request timed out"),
    502: ("InternalError", "bad gateway"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within the allotted duration"),
}


@dataclass(slots=True, kw_only=True)
class Fault:
    """What happens to requests that match ``where``; ``times`` is how many it still meets."""

    where: re.Pattern[str]
    times: int | None
    delay: float = 0
    code: int = 0
    headers: Mapping[str, str]
    reset: bool = False

    def body(self) -> dict[str, Any]:
        """The ``Status`` that is answered."""
        reason, message = _WORDS.get(self.code, ("Unknown", f"the test answers {self.code}"))
        return status(self.code, reason, message)


class Faults:
    """The faults that are in force.

    ``where`` is a regular expression, looked for in a request as ``RequestLog`` writes it; without
    it every request is meant. Without ``times`` a fault stays until ``clear()``.
    """

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.stalled = False

    def delay(self, seconds: float, where: str = "", times: int | None = None) -> None:
        """Let requests wait before anything is done."""
        self._add(Fault(where=re.compile(where), times=times, delay=seconds, headers={}))

    def answer(
        self,
        code: int,
        where: str = "",
        times: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Answer requests with ``code`` and a Status, e.g. 429 with ``{"Retry-After": "1"}``."""
        self._add(Fault(where=re.compile(where), times=times, code=code, headers=headers or {}))

    def reset(self, where: str = "", times: int | None = None) -> None:
        """Reset the connection that such a request comes on (RST, no TLS alert)."""
        self._add(Fault(where=re.compile(where), times=times, reset=True, headers={}))

    def stall(self) -> None:
        """Let all streams stand still: nothing is read, sent or answered, pings neither."""
        self.stalled = True

    def clear(self) -> None:
        """End all faults."""
        with self._lock:
            self._faults = []
        self.stalled = False

    def meeting(self, text: str) -> list[Fault]:
        """The faults that this request meets now, each counted."""
        with self._lock:
            met = [fault for fault in self._faults if fault.where.search(text)]
            for fault in met:
                if fault.times is not None:
                    fault.times -= 1
            self._faults = [fault for fault in self._faults if fault.times != 0]
            return met

    async def gate(self) -> None:
        """Return when streams may flow."""
        while self.stalled:  # noqa: ASYNC110 - another thread ends it
            await asyncio.sleep(_GATE_SECONDS)

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)
