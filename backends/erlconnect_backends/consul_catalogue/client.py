"""Asks one agent; the only file that imports py-consul.

py-consul knows the API: paths, parameters, how answers are decoded. The bytes go through
``exchange``, by py-consul's own way to replace its HTTP client. It lacks namespaces, and filters in
some releases, so both are added here. HTTP API: https://developer.hashicorp.com/consul/api-docs
"""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from consul import base
from consul.exceptions import ConsulException

from erlconnect_backends.consul_catalogue import failures
from erlconnect_backends.consul_catalogue.exchange import exchange
from erlconnect_backends.consul_catalogue.failures import StatusError
from erlconnect_backends.consul_catalogue.instances import Instance, instances_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from erlconnect_backends.consul_catalogue.access import Access

REQUEST_SECONDS: Final = 5.0
SIDECAR: Final = "-sidecar-proxy"
"""The end of the names that Consul gives sidecars."""

# Consul lengthens a wait by up to a sixteenth.
_JITTER: Final = 1 + 1 / 16
_UNREADABLE: Final = (
    *(ConsulException, ValueError, LookupError, TypeError, AttributeError),
    RecursionError,  # of JSON that is nested very deeply
    OverflowError,  # of Infinity, which Python's JSON has, where an integer belongs
)


class _HttpClient:
    """What py-consul asks through. Nothing here writes to Consul, so that ``get`` is all."""

    def __init__(self, access: Access, parameters: Sequence[tuple[str, str]]) -> None:
        self._access = access
        self._parameters = [*parameters]
        if access.namespace:
            self._parameters.append(("ns", access.namespace))

    async def get(
        self,
        callback: Callable[[base.Response], Any],
        path: str,
        *,
        params: Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        **_unused: Any,
    ) -> Any:
        """Give what ``callback`` makes of the answer."""
        parameters = [*(params or ()), *self._parameters]
        reply = await exchange(
            self._access,
            f"{quote(path, safe='/:')}?{urlencode(parameters)}",
            headers=headers or {},
            seconds=_seconds(dict(parameters)),
        )
        text = reply.body.decode(errors="replace")
        if reply.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            raise StatusError(reply.status, text)
        return callback(base.Response(reply.status, reply.headers, text))


def _seconds(parameters: Mapping[str, Any]) -> float:
    waiting = float(parameters.get("wait", "0s").removesuffix("s")) if "index" in parameters else 0
    return waiting * _JITTER + REQUEST_SECONDS


class AsyncConsul(base.Consul):
    """py-consul's API, reading only, in which every call gives a coroutine.

    A call raises ``StatusError`` where the agent answers with another status than 200 and 404,
    ``ConsulException`` where the answer makes no sense, and what ``exchange`` raises.
    """

    def __init__(self, access: Access, *, parameters: Sequence[tuple[str, str]] = ()) -> None:
        self._access = access
        self._parameters = parameters
        address = access.address
        super().__init__(host=address.host, port=address.port, dc=access.datacenter or None)
        # The library would take a token of the environment before the one that it is given.
        self.token = access.token

    def http_connect(self, *_place: Any, **_more: Any) -> _HttpClient:
        """Give the HTTP client; who is asked stands in ``access`` alone."""
        return _HttpClient(self._access, self._parameters)


class ConsulClient:
    """The questions of the backend and of the cookie source, to one agent."""

    def __init__(self, access: Access) -> None:
        self.access = access

    async def instances(
        self,
        service: str,
        *,
        passing: bool = True,
        tag: str = "",
        near: str = "",
        filter_expression: str = "",
        index: int = 0,
        wait: int = 0,
    ) -> tuple[int, list[Instance]]:
        """Give the instances of ``service`` that fit, and the index to wait from.

        With ``index`` the answer comes when something has changed since, or after ``wait`` seconds
        and a little more. Raises ``LookupFailedError`` and its kin, ``RefusedError`` where the
        token is not good for it, ``UsageError`` for a filter that Consul does not understand.
        """
        filters = [("filter", filter_expression)] if filter_expression else []
        with self._telling(f"the service {service}", _service_right(service)):
            found = await self._api(filters).health.service(
                service,
                passing=passing,
                tag=tag or None,
                near=near or None,
                index=index or None,
                wait=f"{wait}s",
            )
            return int(found[0]), instances_of(found[1])

    async def sidecars(self, service: str) -> list[Instance]:
        """Give what takes connections to ``service`` through the mesh and passes its checks."""
        with self._telling(
            f"the sidecars of {service}", _service_right(f"{service}-sidecar-proxy")
        ):
            found = await self._api().health.connect(service, passing=True)
            return instances_of(found[1])

    async def services(self) -> dict[str, list[str]]:
        """Give the tags of all services that the token may see, by name."""
        with self._telling("the services", 'service_prefix "" { policy = "read" }'):
            _, found = await self._api().catalog.services()
            return {str(name): list(tags or ()) for name, tags in found.items()}

    async def value(self, key: str) -> bytes | None:
        """Give the value of ``key``; ``None`` where there is no such key."""
        with self._telling(f"the key {key}", f'key "{key}" {{ policy = "read" }}'):
            _, entry = await self._api().kv.get(key)
            return None if entry is None else entry["Value"] or b""

    def _api(self, parameters: Sequence[tuple[str, str]] = ()) -> Any:
        return AsyncConsul(self.access, parameters=parameters)

    async def has_acls(self) -> bool:
        """Say whether anything may be hidden from this token."""
        try:
            api = self._api()
            await api.http.get(
                lambda _: None, "/v1/acl/token/self", headers=api.prepare_headers(self.access.token)
            )
        except StatusError as error:
            return error.status != HTTPStatus.UNAUTHORIZED
        return True

    @contextmanager
    def _telling(self, what: str, right: str) -> Iterator[None]:
        try:
            yield
        except StatusError as error:
            raise failures.answered(self.access, what, error, right=right) from None
        except _UNREADABLE:
            # Their words may quote the answer, and the answer may be a cookie.
            raise failures.no_consul(self.access.address) from None


def _service_right(service: str) -> str:
    return f'service "{service}" {{ policy = "read" }} and node_prefix "" {{ policy = "read" }}'
