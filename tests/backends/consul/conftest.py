"""Two real agents for the tests of this folder, one without ACLs and one that denies by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.consul.catalogues import SERVICES
from world.consul import ConsulAgent
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what this machine's user may have set for the consul program."""
    for name in (
        *("CONSUL_HTTP_ADDR", "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE", "CONSUL_HTTP_SSL"),
        *("CONSUL_HTTP_SSL_VERIFY", "CONSUL_CACERT", "CONSUL_CAPATH", "CONSUL_CLIENT_CERT"),
        *("CONSUL_CLIENT_KEY", "CONSUL_TLS_SERVER_NAME", "CONSUL_NAMESPACE", "CONSUL_HTTP_AUTH"),
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def agent() -> Iterator[ConsulAgent]:
    """An agent without ACLs that has ``SERVICES``."""
    with ConsulAgent() as agent:
        _register_services(agent)
        yield agent


@pytest.fixture(scope="session")
def guarded() -> Iterator[ConsulAgent]:
    """An agent that denies what no policy allows, with the same services."""
    with ConsulAgent(acl=True) as agent:
        _register_services(agent)
        yield agent


def _register_services(agent: ConsulAgent) -> None:
    for service in SERVICES:
        agent.register(service)
    # A sidecar's check of its service is critical until the agent has looked for the first time.
    wait_until(lambda: agent.proxied("meshed"), "the sidecar of meshed passes")
