"""Rates between two statuses, and the units in which people read numbers."""

from __future__ import annotations

from typing import Any

import pytest

from erlconnect.command_line.status import Throughput, duration, size


def session(**links: tuple[int, int]) -> dict[str, Any]:
    listed = [
        {"local_node": name, "since": "then", "bytes_in": numbers[0], "bytes_out": numbers[1]}
        for name, numbers in links.items()
    ]
    return {"pid": 7, "aliases": [{"alias": "app@127.0.0.1", "links": listed}]}


def speeds(status: dict[str, Any]) -> list[tuple[int, int]]:
    [alias] = status["aliases"]
    return [(one["bytes_in_per_second"], one["bytes_out_per_second"]) for one in alias["links"]]


def test_a_rate_is_what_came_between_two_statuses(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 12.0])
    monkeypatch.setattr("erlconnect.command_line.status.time.monotonic", lambda: next(clock))
    throughput = Throughput()
    assert speeds(throughput.add(session(dev=(100, 50)))) == [(0, 0)]
    # The second link is new: what it carried before its first status is no rate.
    assert speeds(throughput.add(session(dev=(1100, 50), other=(9000, 1)))) == [(500, 0), (0, 0)]


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
