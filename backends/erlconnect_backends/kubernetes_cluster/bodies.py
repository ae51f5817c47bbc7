"""The bodies of answers: whole, line by line, as JSON. Everything has a limit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from erlconnect_backends.kubernetes_cluster.exchange import NotHttpError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from erlconnect_backends.kubernetes_cluster.exchange import Response

_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_SAID: Final = 2000


async def whole(response: Response) -> bytes:
    """Read to the end; ``NotHttpError`` where there is none."""
    body = bytearray()
    async for piece in response.pieces:
        body += piece
        if len(body) > _MAX_BYTES:
            raise NotHttpError
    return bytes(body)


async def lines(response: Response) -> AsyncIterator[bytes]:
    """Give the lines of an answer that comes by and by."""
    waiting = b""
    async for piece in response.pieces:
        *complete, waiting = (waiting + piece).split(b"\n")
        if len(waiting) > _MAX_BYTES:
            raise NotHttpError
        for line in complete:
            if line.strip():
                yield line


def decoded(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; ``NotHttpError`` where it is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # the latter where it is nested very deeply
        # Its words would quote the answer, which may hold a secret.
        raise NotHttpError from None
    if not isinstance(content, dict):
        raise NotHttpError
    return content


def message_in(body: bytes) -> str:
    """Give what an error's body says: the message of a Status, or its text."""
    try:
        return str(decoded(body).get("message") or "")
    except NotHttpError:
        return body[:_MAX_SAID].decode(errors="replace")
