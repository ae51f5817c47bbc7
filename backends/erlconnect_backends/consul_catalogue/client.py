"""Asks one agent; the only file that imports py-consul.

py-consul's endpoints know the API: paths, parameters, how answers are decoded. Its clients are not
taken: the endpoints are given one of ours, whose bytes go through ``exchange``. They lack
namespaces, and filters in some releases, so both are added here. HTTP API: https://developer.hashicorp.com/consul/api-docs
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from consul import base
from consul.api.catalog import Catalog
from consul.api.health import Health
from consul.api.kv import KV
from consul.exceptions import ConsulException

from erlconnect_backends.consul_catalogue import failures
from erlconnect_backends.consul_catalogue.exchange import exchange
from erlconnect_backends.consul_catalogue.failures import StatusError
from erlconnect_backends.consul_catalogue.instances import Instance, instances_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from erlconnect_backends.consul_catalogue.access import Access
    from erlconnect_backends.consul_catalogue.exchange import Reply

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

    def __init__(self, access: Access, more: Sequence[tuple[str, str]]) -> None:
        self._access = access
        self._more = more

    async def get(
        self,
        callback: Callable[[base.Response], Any],
        path: str,
        *,
        params: Sequence[tuple[str, Any]] | None = None,
        **_unused: Any,
    ) -> Any:
        """Return what ``callback`` makes of the answer."""
        reply = await _asked(self._access, path, [*(params or ()), *self._more])
        text = reply.body.decode(errors="replace")
        return callback(base.Response(reply.status, reply.headers, text))


class _Agent:
    """What py-consul's endpoints need of their client: who is asked, and in which datacenter."""

    def __init__(self, access: Access, more: Sequence[tuple[str, str]] = ()) -> None:
        self.http = _HttpClient(access, more)
        self.dc = access.datacenter or None
        self.consistency = "default"

    def prepare_headers(self, _token: str | None = None) -> dict[str, str]:
        """Return nothing: the token goes with every request, whoever asks."""
        return {}


async def _asked(access: Access, path: str, parameters: Sequence[tuple[str, Any]]) -> Reply:
    """Get ``path``; ``StatusError`` for another status than 200 and 404, else as ``exchange``."""
    if access.namespace:
        parameters = [*parameters, ("ns", access.namespace)]
    reply = await exchange(
        access,
        f"{quote(path, safe='/:')}?{urlencode(parameters)}",
        headers={"X-Consul-Token": access.token} if access.token else {},
        seconds=_seconds(dict(parameters)),
    )
    if reply.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
        raise StatusError(reply.status, reply.body.decode(errors="replace"))
    return reply


def _seconds(parameters: Mapping[str, Any]) -> float:
    waiting = float(parameters.get("wait", "0s").removesuffix("s")) if "index" in parameters else 0
    return waiting * _JITTER + REQUEST_SECONDS


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
            found = await Health(_Agent(self.access, filters)).service(
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
            health: Any = Health(_Agent(self.access))  # annotated in part
            found = await health.connect(service, passing=True)
            return instances_of(found[1])

    async def services(self) -> dict[str, list[str]]:
        """Give the tags of all services that the token may see, by name."""
        with self._telling("the services", 'service_prefix "" { policy = "read" }'):
            _, found = await Catalog(_Agent(self.access)).services()
            return {str(name): list(tags or ()) for name, tags in found.items()}

    async def value(self, key: str) -> bytes | None:
        """Give the value of ``key``; ``None`` where there is no such key."""
        with self._telling(f"the key {key}", f'key "{key}" {{ policy = "read" }}'):
            _, entry = await KV(_Agent(self.access)).get(key)
            return None if entry is None else entry["Value"] or b""

    async def has_acls(self) -> bool:
        """Say whether anything may be hidden from this token."""
        try:
            await _asked(self.access, "/v1/acl/token/self", ())
        except StatusError as error:
            return error.status != HTTPStatus.UNAUTHORIZED
        return True

    async def _json(self, path: str, **parameters: str) -> Any:
        """Return what the agent has at ``path``, for the parts of its API that py-consul lacks."""
        return json.loads((await _asked(self.access, path, [*parameters.items()])).body)

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
