"""Services in a real mesh: registrations, Consul's own proxies, and TLS servers with its leaves."""

from __future__ import annotations

import socket
import ssl
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from world.consul import PROGRAM
from world.listeners import listening
from world.ports import free_port
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from world.consul import ConsulAgent


def register(
    agent: ConsulAgent,
    service: str,
    port: int,
    *,
    sidecar_port: int,
    address: str = "127.0.0.1",
    upstreams: Sequence[tuple[str, int]] = (),
) -> str:
    """Register ``service`` and its sidecar, which nobody runs yet; return the service's id.

    Others can find it when this returns.
    """
    service_id = f"{service}-{port}"
    sidecar = {
        "Address": "127.0.0.1",
        "Port": sidecar_port,
        # The check that Consul would add is critical for its first ten seconds.
        "Check": {"AliasService": service_id},
        "Proxy": {
            "LocalServiceAddress": "127.0.0.1",
            "Upstreams": [
                {"DestinationName": name, "LocalBindPort": number} for name, number in upstreams
            ],
        },
    }
    agent.register(
        {
            "Name": service,
            "ID": service_id,
            "Address": address,
            "Port": port,
            "Connect": {"SidecarService": sidecar},
        }
    )
    wait_until(lambda: service_id in agent.proxied(service), f"Consul knows {service_id}'s sidecar")
    return service_id


@contextmanager
def sidecar(
    agent: ConsulAgent,
    service: str,
    port: int,
    *,
    address: str = "127.0.0.1",
    upstreams: Sequence[tuple[str, int]] = (),
) -> Iterator[Process]:
    """Register ``service`` at ``port`` and run Consul's proxy as its sidecar until the end."""
    own_port = free_port()
    service_id = register(
        agent, service, port, sidecar_port=own_port, address=address, upstreams=upstreams
    )
    with Process(
        [str(PROGRAM), "connect", "proxy", "-sidecar-for", service_id],
        environment=agent.environment(),
    ) as proxy:
        for each in (own_port, *(number for _, number in upstreams)):
            await_listener(each)
        yield proxy
    agent.deregister(service_id)


@contextmanager
def upstream_proxy(agent: ConsulAgent, source: str, destination: str) -> Iterator[int]:
    """Run Consul's proxy with one upstream, as users do by hand; return the port it listens on."""
    port = free_port()
    words = ["connect", "proxy", "-service", source, "-upstream", f"{destination}:{port}"]
    with Process([str(PROGRAM), *words], environment=agent.environment()):
        await_listener(port)
        yield port


@contextmanager
def natively(
    agent: ConsulAgent, service: str, handle: Callable[[ssl.SSLSocket], None]
) -> Iterator[int]:
    """Serve TLS with the leaf of ``service`` and no proxy; asks nobody who may connect."""
    context = server_context(agent, service)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as stream:
            handle(stream)

    with listening(serve) as port:
        yield port


def server_context(agent: ConsulAgent, service: str) -> ssl.SSLContext:
    """What a server of ``service`` needs; it asks its clients for a certificate of the mesh."""
    leaf = agent.request("GET", f"/agent/connect/ca/leaf/{service}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata="\n".join(roots(agent)))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(leaf["CertPEM"] + leaf["PrivateKeyPEM"])
        file.flush()
        context.load_cert_chain(file.name)
    return context


def roots(agent: ConsulAgent) -> list[str]:
    """The certificates of the mesh's CA."""
    return [root["RootCert"] for root in agent.request("GET", "/connect/ca/roots")["Roots"]]


def identity(agent: ConsulAgent, service: str) -> str:
    """The URI that certificates of ``service`` carry."""
    domain = agent.request("GET", "/connect/ca/roots")["TrustDomain"]
    return f"spiffe://{domain}/ns/default/dc/dc1/svc/{service}"


def await_listener(port: int) -> None:
    """Wait until somebody listens on ``port``, without connecting."""

    def is_taken() -> bool:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                return True
        return False

    wait_until(is_taken, f"somebody listens on port {port}")
