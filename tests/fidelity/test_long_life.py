"""What a long session meets: a closed laptop, a network that goes, an epmd that restarts.

Links end in time, the alias stays, and what comes back is used without anybody's doing.
"""

from __future__ import annotations

import signal
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import FROM_VARIABLE, machine
from end_to_end.mirrored import assert_calls_work, mirrored
from end_to_end.test_failures_of_targets import remote_host
from fidelity.life import CONNECT, DIAL_ALL_THE_TIME, DOWN, STILL_UP, WATCH, told
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.namespaces import Namespace, prefix
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.session import ErlconnectSession

# A silent node is given up after at most 10 s.
TICKS = ("-kernel", "net_ticktime", "8")
SLEEP_SECONDS = 121


def cpu_seconds(session: ErlconnectSession) -> float:
    """What the session has used of the processors so far."""
    fields = Path(f"/proc/{session.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.timeout(SLEEP_SECONDS + 120)
def test_the_session_sleeps_as_a_closed_laptop_does() -> None:
    with mirrored(remote_flags=TICKS, local_flags=TICKS) as world:
        assert world.call("true = monitor_node(Alias, true), net_adm:ping(Alias).") == "pong"
        world.remote.evaluate(f"monitor_node({world.caller}, true).")
        slept = time.monotonic()
        world.session.process.signal(signal.SIGSTOP)
        assert world.call(DOWN, 40) == "down"
        assert world.remote.evaluate(DOWN, 40) == "down"
        tries = 0
        while time.monotonic() < slept + SLEEP_SECONDS:
            tries += 1
            assert world.call("net_adm:ping(Alias).") == "pang"
        world.session.process.signal(signal.SIGCONT)
        assert_calls_work(world)
        world.session.wait_event("link-down")
        # Whoever gave up during the sleep is not shown to the remote node any more.
        wait_until(lambda: told(world.session).count("error") == tries, "each is told once")
        errors = [one for one in world.session.events if one["event"] == "error"]
        assert {one["cause"] for one in errors} == {"local-node"}
        assert "given up waiting" in errors[0]["message"]
        # The new link may come up before the old one's end is looked at.
        up, *rest = told(world.session, "link-up", "link-down")
        assert (up, sorted(rest)) == ("link-up", ["link-down", "link-up"])


@contextmanager
def far_away() -> Iterator[tuple[Namespace, ErlangNode]]:
    """A remote node on a host of its own, reached over a wire that can be cut."""
    with (
        Namespace() as host,
        RealEpmd(4369, address=None, prefix=prefix(host.name)),
        ErlangNode.start(
            f"app@{host.address}",
            epmd_port=4369,
            cookie=REMOTE_COOKIE,
            flags=TICKS,
            namespace=host.name,
        ) as node,
    ):
        yield host, node


@pytest.mark.timeout(180)
def test_the_network_goes_and_comes_back() -> None:
    with (
        far_away() as (host, remote),
        machine() as here,
        here.session("-b", "fixed", remote.name, *FROM_VARIABLE) as session,
        here.node(flags=TICKS) as local,
    ):
        before = session.ready()["aliases"]
        assert local.evaluate(WATCH) == "true"
        host.cut()
        assert local.evaluate(DOWN, 40) == "down"
        session.wait_event("link-down")
        used = cpu_seconds(session)
        dials = int(local.evaluate(DIAL_ALL_THE_TIME, 60))
        # Each dial waits for the network; without a network at once, each waits for its turn.
        assert dials <= 12
        assert cpu_seconds(session) - used < 2
        assert told(session, "target-lost") == ["target-lost"]
        host.mend()
        wait_until(lambda: local.evaluate(CONNECT) == "true", "the link is back", 60)
        session.wait_event("link-up", number=2)
        assert session.ready()["aliases"] == before
        assert told(session, "link-up", "link-down", "target-replaced", "stopped") == [
            *("link-up", "link-down", "link-up")
        ]


def test_epmd_restarts_time_and_again_and_no_link_notices() -> None:
    with (
        remote_host() as host,
        host.node() as remote,
        machine(epmd=False) as here,
        RealEpmd(here.epmd_port) as epmd,
        here.session(
            *("-b", "fixed", remote.name, "-o", f"dist-port={remote.dist_port}"), *FROM_VARIABLE
        ) as session,
        here.node() as local,
    ):
        port = session.ready()["aliases"][0]["local_port"]
        assert local.evaluate(WATCH) == "true"
        for _ in range(5):
            epmd.restart()
            wait_until(lambda: epmd.names().get("app") == port, "the alias is back", 5)
        assert local.evaluate(STILL_UP) == "still_up"
        assert told(session) == ["ready", "link-up"]
