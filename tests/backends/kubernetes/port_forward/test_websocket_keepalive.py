"""When a quiet connection is pinged, and when it counts as dead."""

from __future__ import annotations

import pytest

from erlconnect_backends.kubernetes import websocket
from erlconnect_backends.kubernetes.websocket import Keepalive, KeepaliveTimeoutError


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(websocket, "time", clock)
    return clock


def test_silence_is_asked_about_once_in_a_while(clock: Clock) -> None:
    keepalive = Keepalive(ping=15, limit=60)
    assert keepalive.seconds_left() == 15
    clock.now += 14
    assert not keepalive.ping_due()
    clock.now += 1
    assert keepalive.ping_due()
    assert not keepalive.ping_due()
    assert keepalive.seconds_left() == 15
    clock.now += 15
    assert keepalive.ping_due()


def test_a_sign_of_life_begins_it_anew(clock: Clock) -> None:
    keepalive = Keepalive(ping=15, limit=60)
    clock.now += 59
    keepalive.received()
    clock.now += 14
    assert not keepalive.ping_due()
    assert keepalive.seconds_left() == 1


def test_it_gives_up_after_the_limit(clock: Clock) -> None:
    keepalive = Keepalive(ping=50, limit=60)
    clock.now += 50
    assert keepalive.ping_due()
    assert keepalive.seconds_left() == 10
    clock.now += 10
    with pytest.raises(KeepaliveTimeoutError, match="60 s"):
        keepalive.ping_due()


def test_a_wait_is_never_none_at_all(clock: Clock) -> None:
    keepalive = Keepalive(ping=15, limit=60)
    clock.now += 100
    assert 0 < keepalive.seconds_left() < 1
