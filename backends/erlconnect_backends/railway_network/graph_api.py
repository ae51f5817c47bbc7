"""Railway's GraphQL API: one question and its answer.

Written from Railway's public schema and the queries of its open command-line program; it was never
run against Railway itself. Source: https://docs.railway.com/reference/public-api
"""

from __future__ import annotations

import asyncio
import functools
import http.client
import json
import ssl
import urllib.error
import urllib.request
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from erlconnect.api import (
    ConfigurationError,
    LookupFailedError,
    LookupTimeoutError,
    RefusedError,
    client_context,
    redact,
    remember,
    tls_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

SECONDS: Final = 10.0
_LONGEST_ANSWER: Final = 8 * 1024 * 1024
_REFUSALS: Final = (401, 403)
_SAFE_STARTS: Final = ("https://", "http://127.0.0.1:", "http://[::1]:", "http://localhost:")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another host must not receive the token."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@functools.cache
def _opener() -> urllib.request.OpenerDirector:
    """Return what asks under this program's TLS policy; the system's authorities are read once."""
    return urllib.request.build_opener(
        _NoRedirects, urllib.request.HTTPSHandler(context=client_context())
    )


class GraphApi:
    """Asks with one token: that of a project, or that of a person."""

    def __init__(self, endpoint: str, headers: Mapping[str, str], *, of_project: bool) -> None:
        self._endpoint = endpoint
        self._headers = headers
        self.of_project = of_project

    @classmethod
    def from_environment(cls, endpoint: str, variables: Mapping[str, str]) -> GraphApi | None:
        """Give the API with the token in ``variables``; ``None`` where there is none.

        Raises ``ConfigurationError`` where ``endpoint`` is not safe for a token, and
        where the variable holds none.
        """
        if not endpoint.startswith(_SAFE_STARTS):
            raise ConfigurationError(
                f"-o endpoint={endpoint}: a token must not travel in the clear",
                remedy="Give an https:// address.",
            )
        if token := _token(variables, "RAILWAY_TOKEN"):
            return cls(endpoint, {"Project-Access-Token": token}, of_project=True)
        if token := _token(variables, "RAILWAY_API_TOKEN"):
            return cls(endpoint, {"Authorization": f"Bearer {token}"}, of_project=False)
        return None

    async def ask(self, query: str, **variables: str) -> dict[str, Any]:
        """Ask the query of that name; give ``data`` of the answer.

        Raises ``RefusedError`` where the token has no right, ``LookupTimeoutError`` after 10 s, and
        ``LookupFailedError`` for all else. Cancelled, a thread may still wait for the answer.
        """
        text = resources.files(__package__).joinpath("queries", f"{query}.graphql").read_text()
        body = json.dumps({"query": text, "variables": variables}).encode()
        try:
            answer = json.loads(await asyncio.to_thread(self._post, body))
        except TimeoutError as error:
            raise LookupTimeoutError(
                f"Railway's API did not answer the question for {query} within {SECONDS:g} s",
                remedy="Try again.",
            ) from error
        except (ValueError, RecursionError) as error:  # the latter where it is nested very deeply
            raise self._failed(query, "the answer is no JSON") from error
        if not isinstance(answer, dict):
            raise self._failed(query, "the answer holds no data")
        data, errors = answer.get("data"), answer.get("errors")
        if errors or not isinstance(data, dict) or not data:
            raise self._complaint(query, errors)
        return data

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "erlconnect", **self._headers}
        try:
            request = urllib.request.Request(self._endpoint, body, headers)  # noqa: S310 - checked
            with _opener().open(request, timeout=SECONDS) as reply:
                return bytes(reply.read(_LONGEST_ANSWER))
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _REFUSALS:
                    raise _refused(f"HTTP status {error.code}") from error
                raise self._failed("the query", f"HTTP status {error.code}") from error
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            if isinstance(reason, TimeoutError):
                raise TimeoutError from error
            # An exception's text may quote a header, and so the token.
            words = tls_words(reason) if isinstance(reason, ssl.SSLError) else str(reason)
            seen = redact(words) or type(reason).__name__
            raise self._failed("the query", seen) from None

    def _complaint(self, query: str, errors: Any) -> LookupFailedError | RefusedError:
        listed = errors if isinstance(errors, list) else []
        words = "; ".join(
            str(one.get("message", "")) if isinstance(one, dict) else str(one) for one in listed
        )
        if "not authorized" in words.lower():
            return _refused(redact(words))
        return self._failed(query, redact(words) or "the answer holds no data")

    def _failed(self, query: str, seen: str) -> LookupFailedError:
        return LookupFailedError(
            f"Railway's API at {self._endpoint} could not answer {query}: {seen}",
            remedy="Check -o project= and -o environment=, and Railway's status page.",
        )


def _token(variables: Mapping[str, str], name: str) -> str:
    token = variables.get(name, "")
    remember(token)
    if not (token.isascii() and token.isprintable()):
        raise ConfigurationError(
            f"the variable {name} holds characters that no token has",
            remedy="Set it again, without line ends.",
        )
    return token


def _refused(seen: str) -> RefusedError:
    return RefusedError(
        f"Railway's API refused the token: {seen}",
        remedy="RAILWAY_TOKEN must be a token of this project and environment, "
        "RAILWAY_API_TOKEN one of a person who may see them.",
    )
