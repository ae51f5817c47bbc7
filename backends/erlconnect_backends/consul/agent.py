"""The requests to one Consul agent: the catalogue, key/value pairs and the service mesh.

``ConsulClient`` has what the backend and the cookie source ask for, ``MeshAgent`` adds what the
transport ``consul-connect`` needs. This is the only file that imports py-consul: its endpoints know
paths, parameters and how answers are decoded. Its HTTP clients are not used, because they block, so
that a waiting request could not be cancelled, they know no Unix sockets, and a proxy of the
environment would see the token. The endpoints ask through ``_EndpointClient`` instead, and so by
the project's own HTTP client.

HTTP API: https://developer.hashicorp.com/consul/api-docs
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from consul import base
from consul.api.catalog import Catalog
from consul.api.health import Health
from consul.api.kv import KV
from consul.exceptions import ConsulException

from erlconnect.api import (
    ErlconnectError,
    Headers,
    HttpConnection,
    HttpError,
    HttpRequest,
    HttpTooLongError,
    IncompleteAnswerError,
    open_stream,
)
from erlconnect_backends.consul import errors
from erlconnect_backends.consul.errors import StatusError
from erlconnect_backends.consul.instances import Instance, instances_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from erlconnect_backends.consul.access import Access

REQUEST_SECONDS: Final = 5.0
SIDECAR: Final = "-sidecar-proxy"
"""The end of the names that Consul gives sidecars."""
_MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
# Consul lengthens a wait by up to a sixteenth, so that not all clients come back at once.
_JITTER: Final = 1 + 1 / 16
_INTENTION_SECONDS: Final = 1.0
_LEAF_WAIT: Final = "300s"
_PROXY: Final = "connect-proxy"
_UNREADABLE: Final = (
    *(ConsulException, ValueError, LookupError, TypeError, AttributeError),
    RecursionError,  # of JSON that is nested very deeply
    OverflowError,  # of Infinity, which Python's JSON has, where an integer belongs
)


class ConsulClient:
    """What the backend and the cookie source ask one agent."""

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
        """Return the instances of ``service`` that fit, and the index to wait from.

        With ``index`` the answer comes when something has changed since, or after ``wait`` seconds
        and a little more. Raises ``LookupFailedError`` and ``LookupTimeoutError``, ``RefusedError``
        where the token lacks the right, and ``UsageError`` for a filter that Consul rejects.
        """
        # Some releases of py-consul have no parameter for it.
        filters = [("filter", filter_expression)] if filter_expression else []
        with self._errors_for(f"the service {service}", _service_right(service)):
            found = await Health(_EndpointClient(self.access, filters)).service(
                service,
                passing=passing,
                tag=tag or None,
                near=near or None,
                index=index or None,
                wait=f"{wait}s",
            )
            return int(found[0]), instances_of(found[1])

    async def has_sidecars(self, service: str) -> bool:
        """Return whether a sidecar of ``service`` passes its checks: the mesh leads to it."""
        with self._errors_for(f"the sidecars of {service}", _service_right(f"{service}{SIDECAR}")):
            health: Any = Health(_EndpointClient(self.access))  # annotated in part
            found = await health.connect(service, passing=True)
            return bool(instances_of(found[1]))

    async def services(self) -> dict[str, list[str]]:
        """Return the tags of all services that the token may see, by name."""
        with self._errors_for("the services", 'service_prefix "" { policy = "read" }'):
            _, found = await Catalog(_EndpointClient(self.access)).services()
            return {str(name): list(tags or ()) for name, tags in found.items()}

    async def value(self, key: str) -> bytes | None:
        """Return the value of ``key``; ``None`` where there is no such key."""
        with self._errors_for(f"the key {key}", f'key "{key}" {{ policy = "read" }}'):
            _, entry = await KV(_EndpointClient(self.access)).get(key)
            return None if entry is None else entry["Value"] or b""

    async def has_acls(self) -> bool:
        """Return whether anything may be hidden from this token."""
        try:
            await _get(self.access, "/v1/acl/token/self", ())
        except StatusError as error:
            # An agent without ACLs says 401 "ACL support disabled", whatever the token.
            return error.status != HTTPStatus.UNAUTHORIZED
        return True

    async def _json(self, path: str, **parameters: str) -> Any:
        """Return what the agent has at ``path``, for the parts of its API that py-consul lacks."""
        return json.loads((await _get(self.access, path, [*parameters.items()])).body)

    @contextmanager
    def _errors_for(self, what: str, right: str) -> Iterator[None]:
        try:
            yield
        except StatusError as error:
            raise errors.error_for_status(self.access, what, error, right=right) from None
        except _UNREADABLE:
            # Their words may quote the answer, and the answer may be a cookie.
            raise errors.no_consul(self.access.address) from None


def _service_right(service: str) -> str:
    return f'service "{service}" {{ policy = "read" }} and node_prefix "" {{ policy = "read" }}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The leaf certificate of a service with its key, and the roots of the mesh; PEM texts."""

    certificate: str
    private_key: str = field(repr=False)
    roots: tuple[str, ...]
    trust_domain: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A proxy that takes TLS for one instance; ``service_port`` is 0 where it is not registered."""

    address: str
    node_address: str
    port: int
    service_port: int
    datacenter: str
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A listener of a sidecar on this machine; it leads into the mesh as the service ``source``."""

    host: str
    port: int
    source: str
    proxy: str


class MeshAgent(ConsulClient):
    """What the transport asks the agent; errors are those of ``ConsulClient``."""

    @property
    def is_local(self) -> bool:
        """Whether the agent runs on this machine, and so do the services registered with it."""
        host = self.access.address.host
        if self.access.address.path or host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    async def credentials(self, source: str, *, index: int = 0) -> Credentials:
        """Return the present leaf of ``source`` and the present roots.

        With ``index`` the answer comes when there is a newer leaf than that, or after five minutes.
        An agent renews a leaf only while such a request waits for it.
        """
        waiting = {"index": str(index), "wait": _LEAF_WAIT} if index else {}
        path = f"/v1/agent/connect/ca/leaf/{source}"
        right = f'service "{source}" {{ policy = "write" }}'
        with self._errors_for(f"a certificate of {source}", right):
            leaf = await self._json(path, **waiting)
            roots = await self._json("/v1/agent/connect/ca/roots")
            return Credentials(
                certificate=str(leaf["CertPEM"]),
                private_key=str(leaf["PrivateKeyPEM"]),
                # All roots: while the CA is rotated, leaves of the old one are still in use.
                roots=tuple(str(root["RootCert"]) for root in roots["Roots"]),
                trust_domain=str(roots["TrustDomain"]),
                index=int(leaf["ModifyIndex"]),
            )

    async def sidecars(self, destination: str) -> list[Sidecar]:
        """Return what takes TLS for ``destination`` and passes its checks."""
        datacenter = self.access.datacenter
        more = {"dc": datacenter} if datacenter else {}
        rule = '{ policy = "read" }'
        right = f'service_prefix "{destination}" {rule} and node_prefix "" {rule}'
        with self._errors_for(f"the sidecars of {destination}", right):
            path = f"/v1/health/connect/{destination}"
            return [_sidecar(entry) for entry in await self._json(path, passing="1", **more)]

    async def upstreams(self, destination: str) -> list[Upstream]:
        """Return the upstreams to ``destination`` in the registrations of this agent's sidecars."""
        right = 'service_prefix "" { policy = "read" }'
        with self._errors_for("this machine's services", right):
            services = await self._json("/v1/agent/services")
            return [
                _upstream(service, each)
                for service in services.values()
                if service.get("Kind") == _PROXY
                for each in service["Proxy"].get("Upstreams") or ()
                if self._leads_to(each, destination)
            ]

    async def denies(self, source: str, destination: str) -> bool:
        """Return whether the intentions are known to deny it; takes a second at most.

        Never raises: it explains a failure, and must not hide it behind another one.
        """
        try:
            async with asyncio.timeout(_INTENTION_SECONDS):
                answer = await self._json(
                    "/v1/connect/intentions/check", source=source, destination=destination
                )
        except (TimeoutError, ErlconnectError, StatusError, ValueError, RecursionError):
            return False
        return isinstance(answer, dict) and answer.get("Allowed") is False

    def _leads_to(self, upstream: Mapping[str, Any], destination: str) -> bool:
        datacenter = upstream.get("Datacenter") or ""
        return (
            upstream.get("DestinationName") == destination
            # The other type is a prepared query, whose name may equal a service's.
            and upstream.get("DestinationType", "service") == "service"
            and datacenter in ("", self.access.datacenter)
            # An upstream can listen on a Unix socket in place of a port (LocalBindSocketPath).
            and bool(upstream.get("LocalBindPort"))
        )


def _sidecar(entry: Mapping[str, Any]) -> Sidecar:
    node, service = entry["Node"], entry["Service"]
    proxy = service.get("Proxy") or {}
    # A service that speaks the mesh's TLS itself is its own sidecar.
    inner = proxy.get("LocalServicePort") if service.get("Kind") == _PROXY else service["Port"]
    return Sidecar(
        address=str(service["Address"] or node["Address"]),
        node_address=str(node["Address"]),
        port=int(service["Port"]),
        service_port=int(inner or 0),
        datacenter=str(node["Datacenter"]),
        namespace=str(service.get("Namespace") or "default"),
    )


def _upstream(service: Mapping[str, Any], upstream: Mapping[str, Any]) -> Upstream:
    bound = str(upstream.get("LocalBindAddress") or "127.0.0.1")
    return Upstream(
        # A listener on all addresses is reached on the loopback address.
        host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound),  # noqa: S104 - dialled only
        port=int(upstream["LocalBindPort"]),
        source=str(service["Proxy"]["DestinationServiceName"]),
        proxy=str(service["ID"]),
    )


class _EndpointClient:
    """The client that py-consul's endpoints ask through: the agent and the datacenter."""

    def __init__(self, access: Access, more: Sequence[tuple[str, str]] = ()) -> None:
        self.http = _HttpClient(access, more)
        self.dc = access.datacenter or None
        self.consistency = "default"

    def prepare_headers(self, _token: str | None = None) -> dict[str, str]:
        """Return nothing: ``_get`` adds the token to every request."""
        return {}


class _HttpClient:
    """The HTTP client of py-consul's endpoints; ``get`` is enough, because nothing is written."""

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
        reply = await _get(self._access, path, [*(params or ()), *self._more])
        text = reply.body.decode(errors="replace")
        return callback(base.Response(reply.status, reply.headers, text))


async def _get(access: Access, path: str, parameters: Sequence[tuple[str, Any]]) -> Reply:
    """Get ``path``; ``StatusError`` for another status than 200 and 404, else as ``exchange``."""
    if access.namespace:
        # py-consul has no parameter for it.
        parameters = [*parameters, ("ns", access.namespace)]
    reply = await exchange(
        access,
        f"{quote(path, safe='/:')}?{urlencode(parameters)}",
        # In a header: a token in the URL could be written to logs.
        headers={"X-Consul-Token": access.token} if access.token else {},
        seconds=_seconds(dict(parameters)),
    )
    # A key that does not exist is answered with 404, which py-consul turns into ``None``.
    if reply.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
        raise StatusError(reply.status, reply.body.decode(errors="replace"))
    return reply


def _seconds(parameters: Mapping[str, Any]) -> float:
    waiting = float(parameters.get("wait", "0s").removesuffix("s")) if "index" in parameters else 0
    return waiting * _JITTER + REQUEST_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; case does not count in the names of ``headers``."""

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
            return await _send(access, _request(access, target, headers))
    except TimeoutError as error:
        raise errors.timed_out(access.address, seconds) from error
    # From the special to the general: most of these are an HttpError or an OSError, too.
    except HttpTooLongError as error:
        raise errors.too_long(access.address) from error
    except (HttpError, IncompleteAnswerError) as error:
        raise errors.no_http(access.address) from error
    except ssl.SSLError as error:
        raise errors.tls_refused(access.address, error) from error
    except OSError as error:
        raise errors.unreachable(access.address, error) from error


def _request(access: Access, target: str, headers: Mapping[str, str]) -> HttpRequest:
    own = {"Host": access.address.authority, "Connection": "close", "Accept": "application/json"}
    if access.authorization:
        own["Authorization"] = access.authorization
    return HttpRequest(target=target, headers=[*own.items(), *headers.items()])


async def _send(access: Access, request: HttpRequest) -> Reply:
    address = access.address
    place = address.path or (address.host, address.port)
    async with open_stream(place, tls=access.tls, tls_name=access.tls_server_name) as stream:
        response = await HttpConnection(stream).request(request)
        body = await response.read(limit=_MAX_ANSWER_BYTES)
        return Reply(status=response.status, headers=response.headers, body=body)
