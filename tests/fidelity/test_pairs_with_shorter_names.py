"""What fragments are proved by, for every pair of releases, with names that become shorter.

``test_pairs`` has those that become longer on the way out; funs that lose bytes are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fidelity.pairs import PAIRS, paired

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

OPTIONS = ("--as", "an-application-with-a-long-alias", "--caller-name", "d@x")


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def world(request: pytest.FixtureRequest) -> Iterator[Connected]:
    local, remote = request.param
    with paired(local, remote, *OPTIONS, remote_name="b@c") as pair:
        yield pair.world
