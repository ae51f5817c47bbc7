"""What a long session meets: sleep, networks that go, epmds that restart, nodes that come anew.

Links end in time, the alias stays, and what comes back is used without anybody's doing.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import FROM_VARIABLE, machine
from end_to_end.mirrored import assert_calls_work, mirrored
from end_to_end.test_failures_of_targets import remote_host
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.namespaces import Namespace, prefix
from world.ports import free_port
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.session import ErlconnectSession

ALIAS = "'app@127.0.0.1'"
CONNECT = f"net_kernel:connect_node({ALIAS})."
# A silent node is given up after at most 10 s.
TICKS = ("-kernel", "net_ticktime", "8")
SLEEP_SECONDS = 62
DOWN = "receive {nodedown, _} -> down after 30000 -> still_up end."
# What a program does that does not look at what its sends give: Erlang dials for each.
DIAL_ALL_THE_TIME = f"""
    Until = erlang:monotonic_time(millisecond) + 10000,
    (fun Dial(Times) ->
        false = net_kernel:connect_node({ALIAS}),
        case erlang:monotonic_time(millisecond) < Until of
            true -> Dial(Times + 1);
            false -> Times
        end
    end)(1).
"""


def told(session: ErlconnectSession, *events: str) -> list[str]:
    return [one["event"] for one in session.events if not events or one["event"] in events]


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
        assert told(world.session, "link-up", "link-down") == [
            "link-up",
            "link-down",
            "link-up",
        ] or (told(world.session, "link-up", "link-down") == ["link-up", "link-up", "link-down"])


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
        assert local.evaluate(CONNECT) == "true"
        local.evaluate(f"monitor_node({ALIAS}, true).")
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


def test_a_target_that_is_away_is_not_asked_for_without_pause() -> None:
    """Erlang would dial some hundred times a second; the target's side sees a few tries."""
    with remote_host() as host, machine() as here, ExitStack() as life:
        life.enter_context(host.node())
        words = ["-b", "fixed", "app@127.0.0.1", "-o", f"epmd-port={host.epmd_port}"]
        with here.session(*words, *FROM_VARIABLE) as session, here.node() as local:
            session.ready()
            life.close()
            dials = int(local.evaluate(DIAL_ALL_THE_TIME, 60))
            assert 3 < dials < 15
            assert told(session, "error", "target-lost").count("error") == dials
            assert told(session, "target-lost") == ["target-lost"]
            with host.node():
                assert local.evaluate(CONNECT) == "true"
                # And the next loss is waited for as shortly as the first.
                assert local.evaluate(f"erlang:disconnect_node({ALIAS}).") == "true"
                began = time.monotonic()
                wait_until(lambda: local.evaluate(CONNECT) == "true", "it is back at once")
                assert time.monotonic() - began < 5


def test_a_remote_node_comes_back_with_a_new_creation() -> None:
    """Pids of its first life are dead, whatever processes have their numbers now."""
    port = free_port()
    bound = f"Alias = {ALIAS}, Stale = persistent_term:get(stale), "
    alive = "erpc:call(Alias, erlang, is_process_alive, [Stale])"
    now = "rpc:call(Alias, erlang, whereis, [init])"
    down = "receive {'DOWN', _, process, Stale, Reason} -> Reason after 20000 -> nothing end"
    with remote_host() as host, machine() as here, ExitStack() as first_life:
        first_life.enter_context(host.node(port=port))
        words = ["-b", "fixed", "app@127.0.0.1", "-o", f"dist-port={port}", *FROM_VARIABLE]
        with here.session(*words) as session, here.node() as local:
            session.ready()
            keep = f"persistent_term:put(stale, rpc:call({ALIAS}, erlang, whereis, [init]))."
            assert local.evaluate(keep) == "ok"
            assert local.evaluate(f"{bound} {alive}.") == "true"
            local.evaluate(f"monitor_node({ALIAS}, true).")
            first_life.close()
            assert local.evaluate(DOWN) == "down"
            with host.node(port=port):
                assert local.evaluate(CONNECT) == "true"
                assert (
                    local.evaluate(f"{bound} {{node(Stale) =:= Alias, {now} =:= Stale}}.")
                    == "{true,false}"
                )
                assert local.evaluate(f"{bound} {alive}.") == "false"
                assert local.evaluate(f"{bound} monitor(process, Stale), {down}.") == "noproc"
                session.wait_event("link-up", number=2)
                assert "target-replaced" not in told(session)


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
        assert local.evaluate(f"monitor_node({ALIAS}, true), {CONNECT}") == "true"
        for _ in range(5):
            epmd.restart()
            wait_until(lambda: epmd.names().get("app") == port, "the alias is back", 5)
        assert (
            local.evaluate("receive {nodedown, _} -> down after 0 -> still_up end.") == "still_up"
        )
        assert told(session) == ["ready", "link-up"]


@contextmanager
def silent_name_server(port: int) -> Iterator[list[bytes]]:
    """Whoever asks gets no answer; what was asked is kept."""
    asked: list[bytes] = []
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", port))
        server.settimeout(0.1)
        over = threading.Event()

        def keep() -> None:
            while not over.is_set():
                try:
                    asked.append(server.recv(4096))
                except TimeoutError:
                    continue

        keeper = threading.Thread(target=keep)
        keeper.start()
        try:
            yield asked
        finally:
            over.set()
            keeper.join()


def test_the_name_server_is_away_while_the_node_moves() -> None:
    records = "app A 127.0.0.1\n_dist._tcp.app SRV 0 0 {port} app"
    with remote_host() as host, machine() as here, ExitStack() as lives:
        first = lives.enter_context(host.node("app@app.shop.test"))
        with ExitStack() as names:
            knot = names.enter_context(
                KnotServer({"shop.test": records.format(port=first.dist_port)})
            )
            words = ["-b", "dns", "_dist._tcp.app.shop.test", "-o", f"server=127.0.0.1:{knot.port}"]
            session = lives.enter_context(here.session(*words, *FROM_VARIABLE))
            local = lives.enter_context(here.node())
            session.ready()
            assert local.evaluate(CONNECT) == "true"
            local.evaluate(f"monitor_node({ALIAS}, true).")
            names.close()
            assert (
                local.evaluate("receive {nodedown, _} -> down after 3000 -> still_up end.")
                == "still_up"
            )
            first.kill()
            assert local.evaluate(DOWN) == "down"
            with silent_name_server(knot.port) as asked:
                dials = int(local.evaluate(DIAL_ALL_THE_TIME, 60))
            assert dials <= 12
            assert 0 < len(asked) < 60
            assert told(session, "target-lost") == ["target-lost"]
            errors = [one["cause"] for one in session.events if one["event"] == "error"]
            assert set(errors) <= {"lookup-timeout", "timed-out", "lookup-failed"}, errors
            with (
                host.node("app@app.shop.test") as second,
                KnotServer({"shop.test": records.format(port=second.dist_port)}, port=knot.port),
            ):
                wait_until(lambda: local.evaluate(CONNECT) == "true", "it is found again", 60)
                moved = session.wait_event("target-replaced")
                assert moved["dist_port"] == second.dist_port
