"""The pairs of releases that the tests of this folder run for, each set up once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fidelity.pairs import PAIRS, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fidelity.pairs import Pair
    from world.connected import Connected


@pytest.fixture(scope="session", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """Two connected releases; pytest runs all tests of one pair before those of the next."""
    local, remote = request.param
    with paired(local, remote) as both:
        yield both


@pytest.fixture(scope="session")
def world(pair: Pair) -> Connected:
    """What the proofs of ``end_to_end`` ask for."""
    return pair.world
