"""Instances that come and go while a session runs, and what links that are up know of it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

from end_to_end.machine import FROM_VARIABLE, machine
from world.cluster import cluster
from world.pods import pods
from world.waiting import wait_until

if TYPE_CHECKING:
    from end_to_end.machine import Machine
    from world.session import ErlconnectSession

SECONDS = 40
OFTEN = ("-o", "look-again=1")
MOVED = "app@shop-2.shop.test"
FIRST, SECOND, THIRD = (f"'{name}@127.0.0.1'" for name in ("app", "app-2", "app-3"))


def aliases(ready: dict[str, Any]) -> dict[str, str]:
    return {one["alias"]: one["node"] for one in ready["aliases"]}


def registered(here: Machine) -> list[str]:
    """The names in the local epmd."""
    words = ["epmd", "-port", str(here.epmd_port), "-names"]
    listing = subprocess.run(words, check=True, capture_output=True, text=True, timeout=10).stdout
    return re.findall(r"^name (\S+) at", listing, re.MULTILINE)


def warning(session: ErlconnectSession, words: str) -> str:
    """The first warning with these words."""

    def is_it(line: str) -> bool:
        event = json.loads(line)
        return event["event"] == "warning" and words in event["message"]

    line = session.process.wait_for_line(is_it, SECONDS, stream="stdout")
    return str(json.loads(line)["message"])


def test_one_that_comes_gets_an_alias_and_one_that_goes_loses_it() -> None:
    with (
        cluster(2) as remote,
        machine() as here,
        here.session(*remote.words(), *FROM_VARIABLE, *OFTEN) as session,
        here.node() as dev,
    ):
        first, second = (f"app@127.0.1.{number}" for number in (1, 2))
        assert aliases(session.ready()) == {"app@127.0.0.1": first, "app-2@127.0.0.1": second}
        assert dev.evaluate(f"net_adm:ping({FIRST}).") == "pong"

        third = remote.start(3)
        remote.list_only(remote.nodes)
        again = session.wait_event("ready", SECONDS, number=2)
        assert aliases(again) == {
            "app@127.0.0.1": first,
            "app-2@127.0.0.1": second,
            "app-3@127.0.0.1": third.name,
        }
        told = warning(session, "new: ")
        assert told.startswith(
            "new: app-3@127.0.0.1; links that are up (1) do not know these names"
        )
        assert dev.evaluate(f"net_adm:ping({THIRD}).") == "pong"
        # The link that was up keeps its table whole: the new node has its real name in it.
        nodes = f"lists:sort(erpc:call({FIRST}, erlang, nodes, []))."
        assert dev.evaluate(nodes) == f"[{SECOND},'{third.name}']"
        assert dev.evaluate(f"disconnect_node({FIRST}), {nodes}") == f"[{SECOND},{THIRD}]"

        # A link that works keeps its alias, whatever is listed; the alias goes with the link.
        remote.list_only([remote.nodes[0]])
        lost = session.wait_event("target-lost", SECONDS)
        assert (lost["alias"], lost["node"]) == ("app-2@127.0.0.1", second)
        assert "not listed any more" in lost["message"]
        assert dev.evaluate(f"erpc:call({THIRD}, erlang, node, []).") == THIRD
        assert dev.evaluate(f"disconnect_node({THIRD}), net_adm:ping({SECOND}).") == "pang"
        lost = session.wait_event("target-lost", SECONDS, number=2)
        assert (lost["alias"], lost["node"]) == ("app-3@127.0.0.1", third.name)
        assert set(registered(here)) == {"dev", "app"}

        # Whoever comes back has the name that it had; whoever is new the first one that is free.
        fourth = remote.start(4)
        remote.list_only([remote.nodes[0], fourth, third])
        assert aliases(session.wait_event("ready", SECONDS, number=3)) == {
            "app@127.0.0.1": first,
            "app-3@127.0.0.1": third.name,
            "app-2@127.0.0.1": fourth.name,
        }


def test_a_lookup_that_fails_changes_nothing() -> None:
    with (
        cluster(2) as remote,
        machine() as here,
        here.session(*remote.words(), *FROM_VARIABLE, *OFTEN) as session,
        here.node() as dev,
    ):
        session.ready()
        remote.list_only([])
        told = warning(session, "stay as they are")
        assert "pods.shop.test" in told
        remote.knot.stop()
        assert "stay as they are" in warning(session, "could not")
        assert dev.evaluate(f"[net_adm:ping(N) || N <- [{FIRST}, {SECOND}]].") == "[pong,pong]"
        assert [event["event"] for event in session.events].count("target-lost") == 0


def test_one_that_is_restarted_elsewhere_keeps_its_alias() -> None:
    """As a pod of a stateful set does: the name stays, the address is another one."""
    with (
        pods("app@shop-{}.shop.test", 2) as remote,
        machine() as here,
        here.session(*remote.words(), *FROM_VARIABLE, *OFTEN) as session,
        here.node() as dev,
    ):
        expected = {"app@127.0.0.1": "app@shop-1.shop.test", "app-2@127.0.0.1": MOVED}
        assert aliases(session.ready()) == expected
        assert dev.evaluate(f"net_adm:ping({SECOND}).") == "pong"
        pid = dev.evaluate(f"put(before, erpc:call({SECOND}, erlang, whereis, [init])), ok.")
        assert pid == "ok"
        remote.move(2)
        ping = f"net_adm:ping({SECOND})."
        wait_until(lambda: dev.evaluate(ping) == "pong", "it is found again", SECONDS)
        told = session.wait_event("target-replaced", SECONDS)
        assert (told["alias"], told["node"], told["old_node"]) == ("app-2@127.0.0.1", MOVED, MOVED)
        assert told["address"] == "127.0.2.2"
        # A pid of the node before it is no pid of this one.
        same = f"erpc:call({SECOND}, erlang, whereis, [init]) =:= get(before)."
        assert dev.evaluate(same) == "false"
        told_events = [event["event"] for event in session.events]
        assert told_events.count("ready") == 1
        assert told_events.count("target-lost") == 0


def test_instances_that_share_one_real_name_are_kept_apart() -> None:
    with (
        pods("app@127.0.0.1", 3) as remote,
        machine() as here,
        here.session(*remote.words(), *FROM_VARIABLE, *OFTEN) as session,
        here.node() as dev,
    ):
        three = [name.strip("'") for name in (FIRST, SECOND, THIRD)]
        assert aliases(session.ready()) == dict.fromkeys(three, "app@127.0.0.1")
        all_three = f"[{FIRST},{SECOND},{THIRD}]"
        names = f"[erpc:call(N, erlang, node, []) || N <- {all_three}]."
        assert dev.evaluate(names) == all_three
        numbers = f'[erpc:call(N, os, getenv, ["POD"]) || N <- {all_three}].'
        assert dev.evaluate(numbers) == '["1","2","3"]'
        pids = f"[node(erpc:call(N, erlang, whereis, [init])) || N <- {all_three}]."
        assert dev.evaluate(pids) == all_three
        told = warning(session, "is the real name of app@127.0.0.1, app-2@127.0.0.1, app-3")
        assert "in the links of each it means that one, elsewhere it stays as it is" in told
