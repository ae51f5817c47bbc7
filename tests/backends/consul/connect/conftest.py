"""One real agent for the tests of a file; each uses services of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world.consul import ConsulAgent

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def agent() -> Iterator[ConsulAgent]:
    """An agent without ACLs: everybody may do everything but what intentions deny."""
    with ConsulAgent() as running:
        yield running
