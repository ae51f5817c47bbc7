"""The backends that are built in keep the contract, over a real name server where they ask one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world.knot import KnotServer

from erlconnect.api import Query
from erlconnect.plugin_manager import Catalogue, Kind
from erlconnect.testing import check_backend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from erlconnect.api import Backend

_ZONE = """
shop 5 SRV 0 0 4000 shop-1.pods
shop 5 SRV 0 0 4000 shop-0.pods
shop 5 SRV 1 0 0 shop-2.pods
shop-0.pods A 10.3.0.1
shop-1.pods A 10.3.0.2
shop-2.pods AAAA fd00::3
plain A 10.3.0.9
plain A 10.3.0.8
plain AAAA fd00::9
"""


def built_in(backend: str, **options: str) -> Backend:
    catalogue = Catalogue()
    settings = catalogue.settings(
        Kind.BACKEND, backend, options=options, inherited={}, environment={}
    )
    return catalogue.create(Kind.BACKEND, backend, settings)


@pytest.fixture(scope="module")
def name_server() -> Iterator[str]:
    with KnotServer({"cluster.local": _ZONE, "broken.test": None}) as knot:
        yield f"127.0.0.1:{knot.port}"


async def test_fixed_keeps_the_contract() -> None:
    await check_backend(built_in("fixed"), Query(service="shop@10.3.2.1"))


@pytest.mark.parametrize("service", ["shop.cluster.local", "plain.cluster.local"])
@pytest.mark.parametrize("missing", ["nobody.cluster.local", "shop.broken.test"])
async def test_dns_keeps_the_contract(name_server: str, service: str, missing: str) -> None:
    backend = built_in("dns", server=name_server)
    await check_backend(backend, Query(service=service), missing=Query(service=missing))


@pytest.mark.parametrize("record", ["srv", "a", "aaaa"])
async def test_dns_over_tcp_keeps_the_contract(name_server: str, record: str) -> None:
    service = "shop.cluster.local" if record == "srv" else "plain.cluster.local"
    backend = built_in("dns", server=name_server, record=record, tcp="true")
    missing = Query(service="nobody.cluster.local")
    await check_backend(backend, Query(service=service), missing=missing)
