"""Phases, their times and how they ended."""

from __future__ import annotations

import pytest

from erlconnect.proxy.timing import Timer


def test_phases_are_kept_in_the_order_in_which_they_end() -> None:
    stopwatch = Timer()
    with stopwatch.phase("knock", "10.3.2.1:1"), stopwatch.phase("status"):
        pass
    names = [(phase.name, phase.detail) for phase in stopwatch.phases]
    assert names == [("status", ""), ("knock", "10.3.2.1:1")]
    inner, outer = stopwatch.phases
    assert 0 <= inner.seconds <= outer.seconds
    assert outer.error is None


def test_an_error_is_noted_and_goes_on() -> None:
    stopwatch = Timer()
    failure = ValueError("no")
    with pytest.raises(ValueError, match="no"), stopwatch.phase("status"):
        raise failure
    assert stopwatch.phases[0].error is failure


def test_a_long_life_keeps_only_the_latest() -> None:
    stopwatch = Timer()
    for number in range(1000):
        with stopwatch.phase(str(number)):
            pass
    assert len(stopwatch.phases) == 200
    assert stopwatch.phases[-1].name == "999"


def test_one_that_nobody_reads_holds_on_to_nothing() -> None:
    stopwatch = Timer.disabled()
    with pytest.raises(ValueError, match="no"), stopwatch.phase("status"):
        raise ValueError("no")
    assert not stopwatch.phases
