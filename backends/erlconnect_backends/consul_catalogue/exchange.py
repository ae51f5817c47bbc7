"""One HTTP request to an agent and its answer: over TCP, TLS or a Unix socket.

py-consul's own way is not taken: it blocks, so that a waiting request could not be cancelled, it
knows no Unix sockets, and a proxy of the environment would see the token. Refuses to know what is
asked.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from erlconnect.api import (
    Headers,
    HttpConnection,
    HttpError,
    HttpRequest,
    HttpTooLongError,
    IncompleteAnswerError,
    open_stream,
)
from erlconnect_backends.consul_catalogue import failures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from erlconnect_backends.consul_catalogue.access import Access

_MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; the names of ``headers`` are found in any spelling."""

    status: int
    headers: Headers
    body: bytes


async def exchange(
    access: Access, target: str, *, headers: Mapping[str, str], seconds: float
) -> Reply:
    """Get ``target`` (``/v1/...``, quoted, with its query) on a connection of its own.

    Raises ``LookupFailedError`` where the agent cannot be reached or does not speak HTTP, and
    ``LookupTimeoutError`` after ``seconds``. Cancelled, it leaves no connection behind.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _asked(access, _request(access, target, headers))
    except TimeoutError as error:
        raise failures.silence(access.address, seconds) from error
    except HttpTooLongError as error:
        raise failures.too_long(access.address) from error
    except (HttpError, IncompleteAnswerError) as error:
        raise failures.no_http(access.address) from error
    except ssl.SSLError as error:
        raise failures.tls_refused(access.address, error) from error
    except OSError as error:
        raise failures.unreachable(access.address, error) from error


def _request(access: Access, target: str, headers: Mapping[str, str]) -> HttpRequest:
    own = {"Host": access.address.authority, "Connection": "close", "Accept": "application/json"}
    if access.authorization:
        own["Authorization"] = access.authorization
    return HttpRequest(target=target, headers=[*own.items(), *headers.items()])


async def _asked(access: Access, request: HttpRequest) -> Reply:
    address = access.address
    place = address.path or (address.host, address.port)
    async with open_stream(place, tls=access.tls, tls_name=access.tls_server_name) as stream:
        response = await HttpConnection(stream).request(request)
        body = await response.read(limit=_MAX_ANSWER_BYTES)
        return Reply(status=response.status, headers=response.headers, body=body)
