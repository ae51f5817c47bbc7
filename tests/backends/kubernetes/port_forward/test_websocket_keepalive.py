"""When silence is asked about, and when it is taken for the end."""

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
    life = Keepalive(ping=15, patience=60)
    assert life.seconds_left() == 15
    clock.now += 14
    assert not life.ask()
    clock.now += 1
    assert life.ask()
    assert not life.ask()
    assert life.seconds_left() == 15
    clock.now += 15
    assert life.ask()


def test_a_sign_of_life_begins_it_anew(clock: Clock) -> None:
    life = Keepalive(ping=15, patience=60)
    clock.now += 59
    life.seen()
    clock.now += 14
    assert not life.ask()
    assert life.seconds_left() == 1


def test_patience_ends(clock: Clock) -> None:
    life = Keepalive(ping=50, patience=60)
    clock.now += 50
    assert life.ask()
    assert life.seconds_left() == 10
    clock.now += 10
    with pytest.raises(KeepaliveTimeoutError, match="60 s"):
        life.ask()


def test_a_wait_is_never_none_at_all(clock: Clock) -> None:
    life = Keepalive(ping=15, patience=60)
    clock.now += 100
    assert 0 < life.seconds_left() < 1
