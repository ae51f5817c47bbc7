from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.railway.railway import DOMAIN, ZONE
from world.knot import KnotServer
from world.railway_api import RailwayApi

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COOKIE = "railway-cookie-6b2e"


@pytest.fixture(scope="session")
def knot() -> Iterator[KnotServer]:
    with KnotServer({DOMAIN: ZONE, "broken.internal": None}) as server:
        yield server


@pytest.fixture
def server(knot: KnotServer) -> str:
    """What stands behind ``-o server=``."""
    return f"127.0.0.1:{knot.port}"


@pytest.fixture
def api() -> Iterator[RailwayApi]:
    variables = {
        "RELEASE_COOKIE": COOKIE,
        "RELEASE_NODE": "shop@shop.railway.internal",
        "ERL_AFLAGS": "-proto_dist inet6_tcp -kernel inet_dist_listen_min 4444"
        " inet_dist_listen_max 4444",
    }
    with RailwayApi(variables) as serving:
        yield serving


@pytest.fixture(autouse=True)
def nobody_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No token, no linked project, and not inside Railway."""
    for name in ("TOKEN", "API_TOKEN", "PROJECT_ID", "ENVIRONMENT_ID"):
        monkeypatch.delenv(f"RAILWAY_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
