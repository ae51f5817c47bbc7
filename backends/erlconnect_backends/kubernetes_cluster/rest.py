"""Asks an API server: which answers are errors, and what is worth another try.

Refuses to know what the objects mean. Status codes:
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import NameNotFoundError
from erlconnect_backends.kubernetes_cluster import failures
from erlconnect_backends.kubernetes_cluster.bodies import decoded, lines, message_in, whole
from erlconnect_backends.kubernetes_cluster.exchange import NotHttpError, Request, exchange
from erlconnect_backends.kubernetes_cluster.judging import Answered, Asked, judged
from erlconnect_backends.kubernetes_cluster.trying import AgainError, tried

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping

    from erlconnect.api import ErlconnectError
    from erlconnect_backends.kubernetes_cluster.cluster_access import ClusterAccess, Credentials
    from erlconnect_backends.kubernetes_cluster.exchange import Response
    from erlconnect_backends.kubernetes_cluster.questions import Question
    from erlconnect_backends.kubernetes_cluster.rights import Right

REQUEST_SECONDS: Final = 10.0
"""How long one answer may take."""

_GOOD: Final = (HTTPStatus.OK, HTTPStatus.CREATED)
_PAGE: Final = "500"


class Rest:
    """Reads objects with one access.

    ``needed`` are the rights of the whole task: the Role in an error gives all of them.
    """

    def __init__(self, access: ClusterAccess, *, needed: Iterable[Right] = ()) -> None:
        self.access = access
        self.needed = frozenset(needed)

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

    async def version(self, question: Question) -> str:
        """Give the version of a list from which its changes can be watched. Raises as ``get``."""
        answer = await self.get(question.narrowed({"limit": "1"}))
        return str((answer.get("metadata") or {}).get("resourceVersion") or "")

    async def watch(self, question: Question) -> AsyncGenerator[Mapping[str, Any]]:
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
        try:
            async with exchange(self.access, credentials, _request(question)) as response:
                if response.status not in _GOOD:
                    raise await self._judged(response, question, credentials)
                yield response
        except ssl.SSLCertVerificationError as error:
            raise failures.unreachable(self.access, str(question), error) from error
        except NotHttpError as error:
            raise failures.no_http(self.access, str(question)) from error
        except OSError as error:
            raise AgainError(failures.unreachable(self.access, str(question), error)) from error

    async def _judged(
        self, response: Response, question: Question, credentials: Credentials
    ) -> AgainError | ErlconnectError:
        asked = Asked(
            what=str(question),
            namespace=question.namespace,
            rights=(question.right,),
            needed=self.needed,
        )
        answered = Answered(
            status=response.status,
            said=message_in(await whole(response)),
            retry_after=response.headers.get("Retry-After", ""),
        )
        return await judged(self.access, credentials, asked, answered)


def _request(question: Question) -> Request:
    if question.body is None:
        return Request(method="GET", target=question.target)
    return Request(method="POST", target=question.target, body=json.dumps(question.body).encode())
