"""Real nodes for this folder: started once for each file that asks for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "real@127.0.0.1"
COOKIE = "between-tests"


@pytest.fixture(scope="module")
def node() -> Iterator[ErlangNode]:
    """The host's own Erlang."""
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(NAME, epmd_port=epmd.port, cookie=COOKIE) as started,
    ):
        yield started


@pytest.fixture(scope="module", params=["23", "25", "27", "29"])
def any_node(request: pytest.FixtureRequest) -> Iterator[ErlangNode]:
    """Erlang in each release there is."""
    release = str(request.param)
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(NAME, epmd_port=epmd.port, cookie=COOKIE, release=release) as started,
    ):
        yield started
