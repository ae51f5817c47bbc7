"""Why a stream ended, where its transport knows more than that it did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erlconnect.api import ExplainsEnd

if TYPE_CHECKING:
    import socket

    from erlconnect.api import Dialer


async def why_ended(dialer: Dialer, stream: socket.socket) -> str:
    """Ask the transport; empty where it knows nothing."""
    return await dialer.why_ended(stream) if isinstance(dialer, ExplainsEnd) else ""
