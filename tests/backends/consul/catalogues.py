"""The services of these tests, and short ways to ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect.api import Query
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.testing import StandaloneSession
from erlconnect_backends.consul.backend import ConsulBackend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from erlconnect.api import CookieSource, Target

SERVICES: list[dict[str, Any]] = [
    {
        "Name": "shop",
        "ID": "shop-2",
        "Address": "10.3.0.2",
        "Port": 25002,
        "Tags": ["green", "v2"],
    },
    {
        "Name": "shop",
        "ID": "shop-1",
        "Address": "10.3.0.1",
        "Port": 25001,
        "Tags": ["blue", "v2"],
        "Meta": {"zone": "a"},
    },
    {
        "Name": "shop",
        "ID": "shop-3",
        "Address": "10.3.0.3",
        "Port": 25003,
        "Check": {"Name": "beat", "TTL": "1h"},
    },
    {"Name": "by-epmd", "ID": "by-epmd", "Address": "", "Port": 4369},
    {"Name": "portless", "ID": "portless", "Address": "portless.example"},
    {"Name": "six", "ID": "six", "Address": "fd00:0:0::6", "Port": 25006},
    {"Name": "ill", "ID": "ill", "Port": 25010, "Check": {"Name": "beat", "TTL": "1h"}},
    {
        "Name": "meshed",
        "ID": "meshed",
        "Port": 25020,
        "Tags": ["v2"],
        "Connect": {"SidecarService": {"Check": {"AliasService": "meshed"}}},
    },
    {"Name": "nowhere", "ID": "nowhere", "Address": "no host", "Port": 25030},
]


def backend(**options: str) -> ConsulBackend:
    """The backend ``consul`` as the session makes it; keys are written with underscores."""
    catalogue = Catalogue()
    settings = catalogue.settings(
        Kind.BACKEND, "consul", options=_keys(options), inherited={}, environment={}
    )
    created = catalogue.create(Kind.BACKEND, "consul", settings)
    assert isinstance(created, ConsulBackend)
    return created


def cookie_source(**options: str) -> CookieSource:
    """The cookie source ``consul-kv`` as the session makes it."""
    catalogue = Catalogue()
    settings = catalogue.settings(
        Kind.COOKIE_SOURCE, "consul-kv", options=_keys(options), inherited={}, environment={}
    )
    return catalogue.create(Kind.COOKIE_SOURCE, "consul-kv", settings)


def _keys(options: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in options.items()}


async def found(service: str, **options: str) -> Sequence[Target]:
    """What the backend finds for ``service``; a warning fails the test."""
    session = StandaloneSession()
    targets = await backend(**options).discover(Query(service=service), session)
    assert session.warnings == []
    return targets
