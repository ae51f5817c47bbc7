"""Asks an API server: which answers are errors, and what is worth another try.

Refuses to know what the objects mean. Status codes:
https://kubernetes.io/docs/reference/using-api/api-concepts/

Tries again what may work a moment later, as often as its time allows.

Two requests at the same time, so that a slow server costs its time once.

What another answer than the one that was asked for means, for requests and streams alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar

from erlconnect.api import HttpError, NameNotFoundError
from erlconnect_backends.kubernetes import errors
from erlconnect_backends.kubernetes.connection import exchange
from erlconnect_backends.kubernetes.requests import Right, role_yaml

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Collection,
        Coroutine,
        Iterable,
        Mapping,
    )
    from contextlib import AbstractAsyncContextManager

    from erlconnect.api import ErlconnectError, HttpResponse
    from erlconnect_backends.kubernetes.cluster_access import ClusterAccess
    from erlconnect_backends.kubernetes.connection import Credentials
    from erlconnect_backends.kubernetes.requests import ApiRequest

BUDGET_SECONDS: Final = 14.0
"""Of one request with all its tries and pauses."""
_PAUSES: Final = (0.2, 0.6, 1.8)
Answer = TypeVar("Answer")


class RetryableError(Exception):
    """``error`` may go away by itself; ``pause`` is how long the server wants to be left alone."""

    def __init__(self, error: ErlconnectError, *, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause


async def retry(once: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return what ``once`` gives; after the last try, and where time is too short, its error."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BUDGET_SECONDS
    for usual_pause in _PAUSES:
        try:
            return await once()
        except RetryableError as again:
            pause = usual_pause if again.pause is None else again.pause
            if loop.time() + pause > until:
                raise again.error from again.__cause__
        await asyncio.sleep(pause)
    try:
        return await once()
    except RetryableError as again:
        raise again.error from again.__cause__


First = TypeVar("First")
Second = TypeVar("Second")


async def gather_two(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Return what both give. Where one fails, the other is cancelled, and its error is raised."""
    task = asyncio.current_task()
    assert task  # noqa: S101 - we run in one
    cancelled_before = task.cancelling()
    try:
        async with asyncio.TaskGroup() as group:
            one, other = group.create_task(first), group.create_task(second)
    except BaseExceptionGroup as failed:
        # A group of Python 3.11.2 leaves the request by which it woke us, and then every later
        # ``asyncio.timeout`` of this task would take its own end for a cancellation.
        if task.cancelling() > cancelled_before:
            task.uncancel()
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return one.result(), other.result()


_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """What was asked for, the rights that it needs, and those of the whole task."""

    what: str
    namespace: str
    rights: tuple[Right, ...]
    needed: Collection[Right] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """A status and what was said with it; ``retry_after`` is the header of that name."""

    status: int
    said: str = field(repr=False)
    retry_after: str = ""


async def error_for_status(
    access: ClusterAccess, credentials: Credentials, asked: ApiCall, answered: ApiResponse
) -> RetryableError | ErlconnectError:
    """Return what to raise; new credentials are there already where that helps."""
    if answered.status == HTTPStatus.UNAUTHORIZED:
        refusal = errors.not_logged_in(access, asked.what, answered.said)
        renewed = await access.renew(credentials)
        return RetryableError(refusal, pause=0) if renewed.differ_from(credentials) else refusal
    if answered.status == HTTPStatus.FORBIDDEN:
        return errors.forbidden(
            access,
            asked.what,
            answered.said,
            missing=" or ".join(map(str, asked.rights)),
            namespace=asked.namespace,
            role=role_yaml({*asked.needed, *asked.rights}, namespace=asked.namespace),
        )
    pause = _seconds(answered.retry_after)
    error = errors.answered(access, asked.what, answered.status, answered.said, pause=pause)
    if answered.status in _BUSY or answered.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryableError(error, pause=pause)
    return error


def _seconds(retry_after: str) -> float | None:
    """Return the number of seconds; a date, which API servers do not send, counts as none."""
    return float(retry_after) if retry_after.isdigit() else None


REQUEST_SECONDS: Final = 10.0
"""How long one answer may take."""
_GOOD: Final = (HTTPStatus.OK, HTTPStatus.CREATED)
_PAGE: Final = "500"
# A page of 500 pods is a few megabytes; custom resources may be much larger.
_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_MESSAGE_BYTES: Final = 2000


class ApiClient:
    """Reads objects with one access.

    ``needed`` are the rights of the whole task: the Role in an error gives all of them.
    """

    def __init__(self, access: ClusterAccess, *, needed: Iterable[Right] = ()) -> None:
        self.access = access
        self.needed = frozenset(needed)

    async def get(self, request: ApiRequest) -> Mapping[str, Any]:
        """Return the answer, an object or a list. Cancelled, it leaves no connection behind.

        Raises ``NameNotFoundError`` where there is none, ``RefusedError`` where it may not be seen,
        ``LookupFailedError`` or ``LookupTimeoutError`` where the server could not answer.
        """
        return await retry(lambda: self._once(request))

    async def find(self, request: ApiRequest) -> Mapping[str, Any] | None:
        """Return the object; ``None`` where there is none. Else as ``get``."""
        try:
            return await self.get(request)
        except NameNotFoundError:
            return None

    async def items(self, request: ApiRequest) -> list[Mapping[str, Any]]:
        """Return all objects that fit, page by page. Raises as ``get``."""
        found: list[Mapping[str, Any]] = []
        page = {"limit": _PAGE}
        while True:
            answer = await self.get(request.narrowed(page))
            found += answer.get("items") or ()
            rest = (answer.get("metadata") or {}).get("continue")
            if not rest:
                return found
            page = {"limit": _PAGE, "continue": str(rest)}

    async def version(self, request: ApiRequest) -> str:
        """Return the version of a list from which its changes can be watched. Raises as ``get``."""
        answer = await self.get(request.narrowed({"limit": "1"}))
        return str((answer.get("metadata") or {}).get("resourceVersion") or "")

    async def watch(self, request: ApiRequest) -> AsyncGenerator[Mapping[str, Any]]:
        """Return the changes to what fits as they happen, until the server ends the answer.

        Raises as ``get``, without another try. Closed or cancelled, it leaves no connection behind.
        """
        try:
            async with self._asked(request) as response:
                async for line in response.lines(limit=_MAX_BYTES):
                    yield decoded(line)
        except RetryableError as again:
            raise again.error from again.__cause__

    async def _once(self, request: ApiRequest) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS), self._asked(request) as response:
                return decoded(await response.read(limit=_MAX_BYTES))
        except TimeoutError as error:
            silence = errors.silence(self.access, str(request), REQUEST_SECONDS)
            raise RetryableError(silence) from error

    @contextlib.asynccontextmanager
    async def _asked(self, request: ApiRequest) -> AsyncIterator[HttpResponse]:
        """Return the answer if it is the one that was asked for; everything else is an error."""
        credentials = await self.access.credentials()
        try:
            async with _exchange(self.access, credentials, request) as response:
                if response.status not in _GOOD:
                    raise await self._judged(response, request, credentials)
                yield response
        except ssl.SSLCertVerificationError as error:
            raise errors.unreachable(self.access, str(request), error) from error
        except HttpError as error:
            raise errors.no_http(self.access, str(request)) from error
        except OSError as error:
            raise RetryableError(errors.unreachable(self.access, str(request), error)) from error

    async def _judged(
        self, response: HttpResponse, request: ApiRequest, credentials: Credentials
    ) -> RetryableError | ErlconnectError:
        asked = ApiCall(
            what=str(request),
            namespace=request.namespace,
            rights=(request.right,),
            needed=self.needed,
        )
        answered = ApiResponse(
            status=response.status,
            said=message_in(await response.read(limit=_MAX_BYTES)),
            retry_after=response.headers.get("Retry-After", ""),
        )
        return await error_for_status(self.access, credentials, asked, answered)


def _exchange(
    access: ClusterAccess, credentials: Credentials, request: ApiRequest
) -> AbstractAsyncContextManager[HttpResponse]:
    if request.body is None:
        return exchange(access.endpoint, credentials, request.target)
    body = json.dumps(request.body).encode()
    return exchange(access.endpoint, credentials, request.target, method="POST", body=body)


def decoded(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object. Raises ``HttpError`` where it is none."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # the latter where it is nested very deeply
        # Its words would quote the answer, which may hold a secret.
        raise HttpError("not JSON") from None
    if not isinstance(content, dict):
        raise HttpError("no JSON object")
    return content


def message_in(body: bytes) -> str:
    """Return what an error's body says: the message of a ``Status``, or its text."""
    try:
        return str(decoded(body).get("message") or "")
    except HttpError:
        return body[:_MAX_MESSAGE_BYTES].decode(errors="replace")
