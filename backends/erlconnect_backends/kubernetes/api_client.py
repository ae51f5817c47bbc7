"""The client of an API server: lists, objects and watches, with limits and further tries.

``ApiClient`` sends the requests of ``requests`` on connections of ``connection``. ``retry`` tries
again what may work a moment later, ``error_for_status`` says what an answer other than the expected
one means; ``exec`` and ``port_forward`` use both for their websockets. What the objects mean is
their callers' business.

Status codes: https://kubernetes.io/docs/reference/using-api/api-concepts/
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

# For one request with all its tries and pauses.
BUDGET_SECONDS: Final = 14.0
_PAUSES: Final = (0.2, 0.6, 1.8)
Answer = TypeVar("Answer")
First = TypeVar("First")
Second = TypeVar("Second")
_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
# For one try.
REQUEST_SECONDS: Final = 10.0
_GOOD: Final = (HTTPStatus.OK, HTTPStatus.CREATED)
_PAGE: Final = "500"
# A page of 500 pods is a few megabytes; custom resources may be much larger.
_MAX_BYTES: Final = 64 * 1024 * 1024
_MAX_MESSAGE_BYTES: Final = 2000


class ApiClient:
    """Reads objects of one API server.

    ``needed`` are the rights of the whole task: the Role in an error has all of them.
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
        """Return all objects that fit, asked for page by page. Raises as ``get``."""
        found: list[Mapping[str, Any]] = []
        page = {"limit": _PAGE}
        while True:
            answer = await self.get(request.narrowed(page))
            found += answer.get("items") or ()
            rest = (answer.get("metadata") or {}).get("continue")
            # Without ``continue`` this was the last page of the list.
            if not rest:
                return found
            page = {"limit": _PAGE, "continue": str(rest)}

    async def version(self, request: ApiRequest) -> str:
        """Return the version of a list from which its changes can be watched. Raises as ``get``."""
        # The version is the list's, however few of its objects come along.
        answer = await self.get(request.narrowed({"limit": "1"}))
        return str((answer.get("metadata") or {}).get("resourceVersion") or "")

    async def watch(self, request: ApiRequest) -> AsyncGenerator[Mapping[str, Any]]:
        """Yield the changes to what fits as they happen, until the server ends the answer.

        Raises as ``get``, without another try. Closed or cancelled, it leaves no connection behind.
        """
        try:
            async with self._response(request) as response:
                async for line in response.lines(limit=_MAX_BYTES):
                    yield decoded(line)
        except RetryableError as again:
            raise again.error from again.__cause__

    async def _once(self, request: ApiRequest) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS), self._response(request) as response:
                return decoded(await response.read(limit=_MAX_BYTES))
        except TimeoutError as error:
            silence = errors.silence(self.access, str(request), REQUEST_SECONDS)
            raise RetryableError(silence) from error

    @contextlib.asynccontextmanager
    async def _response(self, request: ApiRequest) -> AsyncIterator[HttpResponse]:
        """Yield the response where its status is a good one; raise for everything else."""
        credentials = await self.access.credentials()
        try:
            async with _exchange(self.access, credentials, request) as response:
                if response.status not in _GOOD:
                    raise await self._error_of(response, request, credentials)
                yield response
        # Before OSError, its base class: another try would meet the same certificate.
        except ssl.SSLCertVerificationError as error:
            raise errors.unreachable(self.access, str(request), error) from error
        except HttpError as error:
            raise errors.no_http(self.access, str(request)) from error
        except OSError as error:
            raise RetryableError(errors.unreachable(self.access, str(request), error)) from error

    async def _error_of(
        self, response: HttpResponse, request: ApiRequest, credentials: Credentials
    ) -> RetryableError | ErlconnectError:
        call = ApiCall(
            what=str(request),
            namespace=request.namespace,
            rights=(request.right,),
            needed=self.needed,
        )
        answer = ApiResponse(
            status=response.status,
            said=message_in(await response.read(limit=_MAX_BYTES)),
            retry_after=response.headers.get("Retry-After", ""),
        )
        return await error_for_status(self.access, credentials, call, answer)


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
    """Return the text of an error's body: the message of a ``Status``, or its text."""
    try:
        return str(decoded(body).get("message") or "")
    except HttpError:
        return body[:_MAX_MESSAGE_BYTES].decode(errors="replace")


class RetryableError(Exception):
    """``error`` may go away by itself; the server asked for a pause of ``pause`` seconds."""

    def __init__(self, error: ErlconnectError, *, pause: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.pause = pause


async def retry(once: Callable[[], Awaitable[Answer]]) -> Answer:
    """Return what ``once`` returns.

    After the last try, and where the time is too short for another, raise the error that it raised.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + BUDGET_SECONDS
    for usual_pause in _PAUSES:
        try:
            return await once()
        except RetryableError as again:
            # Retry-After of the server counts more than the usual pause.
            pause = usual_pause if again.pause is None else again.pause
            # A pause beyond the budget would only delay the same error.
            if loop.time() + pause > until:
                raise again.error from again.__cause__
        await asyncio.sleep(pause)
    try:
        return await once()
    except RetryableError as again:
        raise again.error from again.__cause__


async def gather_two(
    first: Coroutine[Any, Any, First], second: Coroutine[Any, Any, Second]
) -> tuple[First, Second]:
    """Return the results of both, which run at the same time.

    Where one fails, the other is cancelled, and the error of the first is raised as it is.
    """
    task = asyncio.current_task()
    assert task  # noqa: S101 - we run in one
    cancelled_before = task.cancelling()
    try:
        async with asyncio.TaskGroup() as group:
            one, other = group.create_task(first), group.create_task(second)
    except BaseExceptionGroup as failed:
        # A TaskGroup of Python 3.11.2 leaves a cancellation request behind on its own task. Every
        # later ``asyncio.timeout`` of that task would then raise CancelledError at its end.
        if task.cancelling() > cancelled_before:
            task.uncancel()
        raise failed.exceptions[0] from failed.exceptions[0].__cause__
    return one.result(), other.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """What was asked for, the rights that it needs, and those of the whole task."""

    what: str
    namespace: str
    rights: tuple[Right, ...]
    needed: Collection[Right] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResponse:
    """A status and its message; ``retry_after`` is the header of that name."""

    status: int
    said: str = field(repr=False)
    retry_after: str = ""


async def error_for_status(
    access: ClusterAccess, credentials: Credentials, call: ApiCall, response: ApiResponse
) -> RetryableError | ErlconnectError:
    """Return what to raise for a status that was not expected.

    After 401 the credentials are renewed here, so that another try has new ones.
    """
    if response.status == HTTPStatus.UNAUTHORIZED:
        refusal = errors.not_logged_in(access, call.what, response.said)
        renewed = await access.renew(credentials)
        # The same credentials again would get the same 401.
        return RetryableError(refusal, pause=0) if renewed.differ_from(credentials) else refusal
    if response.status == HTTPStatus.FORBIDDEN:
        return errors.forbidden(
            access,
            call.what,
            response.said,
            missing=" or ".join(map(str, call.rights)),
            namespace=call.namespace,
            role=role_yaml({*call.needed, *call.rights}, namespace=call.namespace),
        )
    pause = _seconds(response.retry_after)
    error = errors.answered(access, call.what, response.status, response.said, pause=pause)
    if response.status in _BUSY or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return RetryableError(error, pause=pause)
    return error


def _seconds(retry_after: str) -> float | None:
    """Return the number of seconds; API servers send no date, the other form of this header."""
    return float(retry_after) if retry_after.isdigit() else None
