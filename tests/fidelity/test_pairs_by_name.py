"""Names of every kind and equal ones, and floods, for every pair of releases that can connect.

They are the functions of the folder ``end_to_end``: only the releases are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fidelity.pairs import PAIRS
from world.usual import usually

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True, params=PAIRS, ids="-".join)
def _releases(request: pytest.FixtureRequest) -> Iterator[None]:
    with usually(*request.param):
        yield
