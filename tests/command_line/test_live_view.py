"""Rates between two looks at a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from erlconnect.command_line.live_view import Throughput

if TYPE_CHECKING:
    import pytest


def session(**links: tuple[int, int]) -> dict[str, Any]:
    listed = [
        {"local_node": name, "since": "then", "bytes_in": numbers[0], "bytes_out": numbers[1]}
        for name, numbers in links.items()
    ]
    return {"pid": 7, "aliases": [{"alias": "app@127.0.0.1", "links": listed}]}


def speeds(status: dict[str, Any]) -> list[tuple[int, int]]:
    [alias] = status["aliases"]
    return [(one["bytes_in_per_second"], one["bytes_out_per_second"]) for one in alias["links"]]


def test_a_rate_is_what_came_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 12.0, 12.0])
    monkeypatch.setattr("erlconnect.command_line.live_view.time.monotonic", lambda: next(clock))
    looked = Throughput()
    assert speeds(looked.add(session(dev=(100, 50)))) == [(0, 0)]
    # The second link is new: what it carried before nobody looked is no rate.
    assert speeds(looked.add(session(dev=(1100, 50), other=(9000, 1)))) == [(500, 0), (0, 0)]
