"""One knock at one port of a target, in the open or over TLS, as a session's choices say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from erlconnect.errors import NotDistributionError
from erlconnect.proxy.frame_stream import LENGTH_SIZE, TLS_LENGTH_SIZE
from erlconnect.proxy.knock import knock
from erlconnect.proxy.refusals import tls_missing
from erlconnect.session.dialling import dialled, seconds_until
from erlconnect.session.endings import why_ended
from erlconnect.session.tls_dialer import HANDSHAKE_SECONDS, speaks_tls

if TYPE_CHECKING:
    from erlconnect.api import Dialer, Target
    from erlconnect.proxy.knock import Knocked
    from erlconnect.proxy.stopwatch import Stopwatch
    from erlconnect.session.local_names import CallerNames
    from erlconnect.session.tls_dialer import TlsClient

_log = logging.getLogger(__name__)


class Knocker:
    """``stopwatch`` learns of the phases ``connect`` and ``knock``, and of the messages in it."""

    def __init__(
        self, callers: CallerNames, *, tls: TlsClient | None, stopwatch: Stopwatch
    ) -> None:
        self._callers = callers
        self._tls = tls
        self._stopwatch = stopwatch

    @property
    def length_size(self) -> int:
        """How many bytes the length of a handshake's frame has."""
        return TLS_LENGTH_SIZE if self._tls else LENGTH_SIZE

    def way(self, target: Target, dialer: Dialer) -> Dialer:
        """Give the way to the distribution of ``target``; epmd never speaks TLS."""
        if self._tls is None:
            return dialer
        return self._tls.over(dialer, host=target.node.host, address=target.address)

    async def knock(self, target: Target, dialer: Dialer, port: int, until: float) -> Knocked:
        """Knock, until ``until`` and the time for TLS. Raises what ``proxy.knock`` raises."""
        where = f"{target.address}:{port}"
        way = self.way(target, dialer)
        until += HANDSHAKE_SECONDS if self._tls else 0
        with self._stopwatch.phase("connect", where):
            connected = await dialled(way, port, where, until)
        with connected as sock, self._stopwatch.phase("knock", where):
            try:
                knocked = await knock(
                    sock,
                    caller_name=self._callers.of_knock(long=target.node.long),
                    where=where,
                    deadline=seconds_until(until),
                    transport_words=lambda: why_ended(way, sock),
                    length_size=self.length_size,
                    stopwatch=self._stopwatch,
                )
            except NotDistributionError as error:
                if self._tls is None and await speaks_tls(dialer, port):
                    raise tls_missing(where) from error
                raise
        _log.debug("%s answered the knock: %s, creation %d", where, knocked.node, knocked.creation)
        return knocked
