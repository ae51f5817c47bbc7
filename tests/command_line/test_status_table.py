"""The units in which people read numbers of `status`."""

from __future__ import annotations

import pytest

from erlconnect.command_line.status_table import duration, size


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_250_000, "1.2 MB"), (3e18, "3000.0 PB")],
)
def test_bytes(number: float, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (200_000, "2 d")]
)
def test_times(seconds: int, text: str) -> None:
    assert duration(seconds) == text
