"""Asks an API server: which answers are errors, and what is worth another try.

Refuses to know what the objects mean. Status codes:
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import ErlconnectError, NameNotFoundError
from erlconnect_backends.kubernetes_cluster import failures
from erlconnect_backends.kubernetes_cluster.bodies import decoded, lines, message_in, whole
from erlconnect_backends.kubernetes_cluster.exchange import NotHttpError, Request, exchange
from erlconnect_backends.kubernetes_cluster.rights import Right, role_yaml
from erlconnect_backends.kubernetes_cluster.trying import AgainError, tried

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials
    from erlconnect_backends.kubernetes_cluster.exchange import Response
    from erlconnect_backends.kubernetes_cluster.questions import Question

REQUEST_SECONDS: Final = 10.0
"""How long one answer may take."""

_PAGE: Final = "500"
_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Rest:
    """Reads objects with one access.

    ``needed`` are the rights of the whole task: the Role in an error gives all of them.
    """

    def __init__(self, access: ClusterAccess, *, needed: Iterable[Right] = ()) -> None:
        self.access = access
        self._needed = frozenset(needed)

    async def get(self, question: Question) -> Mapping[str, Any]:
        """Give the answer, an object or a list. Cancelled, it leaves no connection behind.

        Raises ``NameNotFoundError`` where there is none, ``RefusedError`` where it may not be seen,
        ``LookupFailedError`` or ``LookupTimeoutError`` where the server could not answer.
        """
        return await tried(lambda: self._once(question))

    async def find(self, question: Question) -> Mapping[str, Any] | None:
        """Give the object; ``None`` where there is none. Else as ``get``."""
        try:
            return await self.get(question)
        except NameNotFoundError:
            return None

    async def items(self, question: Question) -> list[Mapping[str, Any]]:
        """Give all objects that fit, page by page. Raises as ``get``."""
        found: list[Mapping[str, Any]] = []
        page = {"limit": _PAGE}
        while True:
            answer = await self.get(question.narrowed(page))
            found += answer.get("items") or ()
            rest = (answer.get("metadata") or {}).get("continue")
            if not rest:
                return found
            page = {"limit": _PAGE, "continue": str(rest)}

    async def watch(self, question: Question) -> AsyncIterator[Mapping[str, Any]]:
        """Give the changes to what fits as they happen, until the server ends the answer.

        Raises as ``get``, without another try. Closed or cancelled, it leaves no connection behind.
        """
        try:
            async with self._asked(question) as response:
                async for line in lines(response):
                    yield decoded(line)
        except AgainError as again:
            raise again.error from again.__cause__

    async def _once(self, question: Question) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS), self._asked(question) as response:
                return decoded(await whole(response))
        except TimeoutError as error:
            silence = failures.silence(self.access, str(question), REQUEST_SECONDS)
            raise AgainError(silence) from error

    @contextlib.asynccontextmanager
    async def _asked(self, question: Question) -> AsyncIterator[Response]:
        """Give the answer if it is the one that was asked for; everything else is an error."""
        credentials = await self.access.credentials()
        request = Request(method="GET", target=question.target)
        try:
            async with exchange(self.access, credentials, request) as response:
                if response.status != HTTPStatus.OK:
                    raise await self._judged(response, question, credentials)
                yield response
        except ssl.SSLCertVerificationError as error:
            raise failures.unreachable(self.access, str(question), error) from error
        except NotHttpError as error:
            raise AgainError(failures.no_http(self.access, str(question))) from error
        except OSError as error:
            raise AgainError(failures.unreachable(self.access, str(question), error)) from error

    async def _judged(
        self, response: Response, question: Question, credentials: Credentials
    ) -> AgainError | ErlconnectError:
        status, what = response.status, str(question)
        said = message_in(await whole(response))
        if status == HTTPStatus.UNAUTHORIZED:
            refusal = failures.not_logged_in(self.access, what, said)
            renewed = await self.access.renew(credentials)
            return AgainError(refusal, pause=0) if renewed.differ_from(credentials) else refusal
        if status == HTTPStatus.FORBIDDEN:
            return self._forbidden(question, said)
        error = failures.answered(self.access, what, status, said)
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return AgainError(error, pause=_seconds(response.headers.get("Retry-After")))
        return error

    def _forbidden(self, question: Question, said: str) -> ErlconnectError:
        rights = self._needed | {question.right}
        return failures.forbidden(
            self.access,
            str(question),
            said,
            missing=str(question.right),
            namespace=question.namespace,
            role=role_yaml(rights, namespace=question.namespace),
        )


def _seconds(retry_after: str | None) -> float | None:
    """Give the number of seconds; a date, which API servers do not send, counts as none."""
    return float(retry_after) if retry_after and retry_after.isdigit() else None
