"""A minute of the soak; ``python -m fidelity.soak`` does it for as long as asked."""

from __future__ import annotations

import pytest
from fidelity.soak import Held, growth, rounds


@pytest.mark.timeout(240)
def test_a_session_under_everything_at_once_does_not_grow() -> None:
    held = list(rounds(60))
    assert len(held) >= 8
    assert growth(held) == []


def test_growth_would_be_seen() -> None:
    def of(number: int) -> Held:
        return Held(memory=50_000_000 + number * 1_000_000, threads=5, descriptors=10 + number)

    assert growth([of(number) for number in range(40)]) == [
        "memory: 6.45e+07 became 8.45e+07",
        "descriptors: 24.5 became 44.5",
    ]
