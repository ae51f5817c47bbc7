"""Two real agents for the tests of this folder, one without ACLs and one that denies by default."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from consul_catalogue.catalogues import SERVICES
from world.consul import ConsulAgent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide what this machine's user may have set for the consul program."""
    for name in (
        *("CONSUL_HTTP_ADDR", "CONSUL_HTTP_TOKEN", "CONSUL_HTTP_TOKEN_FILE", "CONSUL_HTTP_SSL"),
        *("CONSUL_HTTP_SSL_VERIFY", "CONSUL_CACERT", "CONSUL_CAPATH", "CONSUL_CLIENT_CERT"),
        *("CONSUL_CLIENT_KEY", "CONSUL_TLS_SERVER_NAME", "CONSUL_NAMESPACE"),
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def agent() -> Iterator[ConsulAgent]:
    """An agent without ACLs that has ``SERVICES``."""
    with ConsulAgent() as agent:
        for service in SERVICES:
            agent.register(service)
        yield agent


@pytest.fixture(scope="session")
def guarded() -> Iterator[ConsulAgent]:
    """An agent that denies what no policy allows, with the same services."""
    with ConsulAgent(acl=True) as agent:
        for service in SERVICES:
            agent.register(service)
        yield agent
