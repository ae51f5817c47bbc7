from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from backends.dns.zones import ZONES
from world.knot import KnotServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def knot() -> Iterator[KnotServer]:
    with KnotServer(ZONES) as server:
        yield server


@pytest.fixture
def server(knot: KnotServer) -> str:
    """What stands behind ``-o server=``."""
    return f"127.0.0.1:{knot.port}"
