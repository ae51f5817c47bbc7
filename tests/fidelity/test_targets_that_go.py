"""Targets that go away for a while, and what is done until they are back."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from end_to_end.machine import FROM_VARIABLE, machine
from end_to_end.test_failures_of_targets import remote_host
from fidelity.life import ALIAS, CONNECT, DIAL_ALL_THE_TIME, DOWN, STILL_UP, WATCH, told
from world.knot import KnotServer
from world.ports import free_port
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


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
            session.wait_event("error", number=dials)
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
                there = local.evaluate(f"{bound} {{node(Stale) =:= Alias, {now} =:= Stale}}.")
                assert there == "{true,false}"
                assert local.evaluate(f"{bound} {alive}.") == "false"
                assert local.evaluate(f"{bound} monitor(process, Stale), {down}.") == "noproc"
                session.wait_event("link-up", number=2)
                assert "target-replaced" not in told(session)


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
            assert local.evaluate(WATCH) == "true"
            names.close()
            assert local.evaluate(STILL_UP) == "still_up"
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
