"""A private network over IPv6 alone: replicas in namespaces of their own, found by a real DNS.

Each replica is a real node with ``-proto_dist inet6_tcp`` on port 4444 and an epmd of its own,
behind a wire with the MTU of Railway. The API of Railway is a stand-in.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_explained, assert_secret, failure, family, words_of
from end_to_end.machine import FROM_VARIABLE, alias_of, machine
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.namespaces import Namespace, prefix
from world.railway_api import PROJECT_TOKEN, RailwayApi

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.session import ErlconnectSession

NAME = "shop@shop.railway.internal"
OVER_IPV6 = "-proto_dist inet6_tcp"
FLAGS = f"{OVER_IPV6} -kernel inet_dist_listen_min 4444 inet_dist_listen_max 4444"
PORT = ("-o", "dist-port=4444")
NO_ROUTE = "fd99:99::1"


@dataclass(slots=True, kw_only=True)
class Replica:
    """One namespace with one node; ``epmd`` is on 4369 in it."""

    network: Namespace
    epmd: RealEpmd
    node: ErlangNode


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Three replicas and the name server that knows them."""

    replicas: list[Replica]
    knot: KnotServer

    def zone(self) -> str:
        return zone_of([each.network.address6 for each in self.replicas])

    def session(
        self, here: Machine, *words: str, environment: dict[str, str] | None = None
    ) -> ErlconnectSession:
        server = f"server=127.0.0.1:{self.knot.port}"
        words = ("-b", "railway", *words, "-o", server)
        return here.session(*words, environment=environment)


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with railway_network() as made:
        yield made


@contextmanager
def railway_network() -> Iterator[Network]:
    with ExitStack() as stack:
        replicas = [stack.enter_context(replica()) for _ in range(3)]
        addresses = sorted(each.network.address6 for each in replicas)
        replicas.sort(key=lambda each: addresses.index(each.network.address6))
        knot = stack.enter_context(KnotServer({"railway.internal": zone_of(addresses)}))
        yield Network(replicas=replicas, knot=knot)


def zone_of(addresses: list[str]) -> str:
    """All replicas of ``shop``, one with a dead one before it, and one that no route leads to."""
    records = [f"shop AAAA {address}" for address in addresses]
    records += [f"worn AAAA {address}" for address in (dead_before(addresses), addresses[2])]
    return "\n".join([*records, f"lost AAAA {NO_ROUTE}"])


def dead_before(addresses: list[str]) -> str:
    """An address on the last replica's wire that nobody has, and that is listed first."""
    return f"{addresses[2].removesuffix('::2')}::1f"


@contextmanager
def replica() -> Iterator[Replica]:
    with Namespace() as network:
        hosts = Path("/etc/netns") / network.name / "hosts"
        hosts.write_text(f"::1 localhost\n{network.address6} shop.railway.internal\n")
        link = network.name.replace("-", "")
        for words in (["-n", network.name, "link", "set", f"{link}p"], ["link", "set", link]):
            subprocess.run(["ip", *words, "mtu", "1280"], check=True)
        with (
            RealEpmd(4369, address=None, prefix=prefix(network.name)) as epmd,
            ErlangNode.start(
                NAME,
                epmd_port=4369,
                cookie=REMOTE_COOKIE,
                flags=shlex.split(FLAGS),
                namespace=network.name,
            ) as node,
        ):
            yield Replica(network=network, epmd=epmd, node=node)


def pid_of(node: ErlangNode) -> str:
    return node.evaluate("os:getpid().")


@pytest.mark.parametrize("words", [(), PORT], ids=["epmd", "dist-port"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_replica_is_reached(network: Network, number: int, words: tuple[str, ...]) -> None:
    wanted = network.replicas[number]
    address = wanted.network.address6
    with (
        machine() as here,
        network.session(here, "shop", "--node", address, *words, *FROM_VARIABLE) as session,
        here.node() as local,
    ):
        ready = session.ready()
        entry = ready["aliases"][0]
        assert (ready["backend"], ready["transport"]) == ("railway", "direct")
        assert (entry["node"], entry["address"], entry["dist_port"]) == (NAME, address, 4444)
        assert entry["facts"]["replica"] == f"{number + 1} of 3"
        there = local.evaluate(f"erpc:call({alias_of(ready)}, os, getpid, []).")
        assert there == pid_of(wanted.node)
        assert_secret(session.process)


def test_frames_larger_than_the_wires_packets(network: Network) -> None:
    with (
        machine() as here,
        network.session(here, "shop", *PORT, *FROM_VARIABLE) as session,
        here.node() as local,
    ):
        alias = alias_of(session.ready())
        echoed = f"Data = rand:bytes(8 bsl 20), Data =:= erpc:call({alias}, erlang, hd, [[Data]])."
        assert local.evaluate(echoed) == "true"


def test_a_dead_replica_that_is_listed_first_costs_three_seconds(network: Network) -> None:
    alive = network.replicas[2].network.address6
    with (
        machine() as here,
        network.session(here, "worn", *PORT, *FROM_VARIABLE) as session,
        here.node() as local,
    ):
        began = session.wait_event("warning", 15)
        assert "passed over" in began["message"]
        assert dead_before([alive] * 3) in began["message"]
        ready = session.ready(10)
        assert ready["aliases"][0]["address"] == alive
        assert local.evaluate(f"net_adm:ping({alias_of(ready)}).") == "pong"


def test_epmd_is_gone_and_the_port_is_known(network: Network) -> None:
    with replica() as own, machine() as here:
        own.epmd.kill()
        shut = f"\nshut AAAA {own.network.address6}"
        network.knot.replace("railway.internal", network.zone() + shut)
        error = failure(network.session(here, "shut", *FROM_VARIABLE))
        assert_explained(
            error, code=69, cause="epmd", says=(own.network.address6,), advises="-o dist-port="
        )
        with network.session(here, "shut", *PORT, *FROM_VARIABLE) as session:
            assert session.ready()["aliases"][0]["node"] == NAME


@contextmanager
def no_route() -> Iterator[None]:
    """Make this machine say so, as one that never joined the private network does."""
    route = ("unreachable", f"{NO_ROUTE}/128")
    subprocess.run(["ip", "-6", "route", "add", *route], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "-6", "route", "delete", *route], check=True)


@pytest.mark.parametrize(
    ("words", "cause"), [(PORT, "unreachable"), ((), "epmd")], ids=["dist-port", "epmd"]
)
def test_a_name_that_resolves_and_no_route(
    network: Network, words: tuple[str, ...], cause: str
) -> None:
    with no_route(), machine() as here:
        error = failure(network.session(here, "lost", *words, *FROM_VARIABLE))
    assert_explained(
        error,
        code=69,
        cause=cause,
        says=(NO_ROUTE, "no route"),
        advises="The address belongs to a private network: join it (a VPN?)",
    )
    assert "--via" in error["remedy"]


def test_a_replica_by_the_zone_of_its_link_local_address(network: Network) -> None:
    """What Railway's DNS never gives, and what somebody beside the replica may type."""
    wanted = network.replicas[1]
    wire = wanted.network.name.replace("-", "")
    words = ["ip", "-n", wanted.network.name, "-6", "-j", "addr", "show", "scope", "link"]
    shown = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    (address,) = [info["local"] for device in shown for info in device.get("addr_info", []) if info]
    with (
        machine() as here,
        network.session(
            here, "shop", *PORT, *FROM_VARIABLE, "-o", f"transport.host={address}%{wire}"
        ) as session,
        here.node() as local,
    ):
        there = local.evaluate(f"erpc:call({alias_of(session.ready())}, os, getpid, []).")
        assert there == pid_of(wanted.node)


@pytest.mark.parametrize(("family", "code"), [("6", 0), ("4", 78)])
def test_a_family_that_is_preferred(network: Network, family: str, code: int) -> None:
    with (
        machine() as here,
        network.session(
            here, "shop", *PORT, *FROM_VARIABLE, "-o", f"transport.family={family}"
        ) as session,
    ):
        if code:
            error = session.wait_event("error", 20)
            assert session.wait() == error["code"] == code
            assert "IPv4" in error["message"] + error["remedy"]
        else:
            assert session.ready()["aliases"][0]["node"] == NAME


def test_a_local_node_over_ipv6(network: Network) -> None:
    with (
        machine() as here,
        network.session(here, "shop", *PORT, *FROM_VARIABLE) as session,
        here.node("dev@::1", flags=shlex.split(OVER_IPV6)) as local,
    ):
        alias = alias_of(session.ready(), "ipv6_alias")
        assert alias == "'shop@::1'"
        assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias


def test_the_variables_of_the_service_are_enough(network: Network) -> None:
    variables = {"RELEASE_COOKIE": REMOTE_COOKIE, "RELEASE_NODE": NAME, "ERL_AFLAGS": FLAGS}
    with (
        RailwayApi(variables) as api,
        machine() as here,
        network.session(
            here,
            *("shop", "-o", f"endpoint={api.endpoint}"),
            environment={"RAILWAY_TOKEN": PROJECT_TOKEN},
        ) as session,
        here.node() as local,
    ):
        ready = session.ready()
        assert ready["cookie_source"] == "railway-variables"
        assert (ready["aliases"][0]["dist_port"], ready["aliases"][0]["node"]) == (4444, NAME)
        assert ready["aliases"][0]["facts"]["project"] == "market"
        assert local.evaluate(f"net_adm:ping({alias_of(ready)}).") == "pong"
        assert_secret(session.process)
        assert PROJECT_TOKEN not in session.process.output
        assert all(PROJECT_TOKEN not in words_of(pid) for pid in family(session.pid))


def test_a_command_inside_looks_the_name_up(network: Network) -> None:
    """``lookup=never``; its death in the middle of a call ends the link and not the session."""
    inside = [*prefix(network.replicas[0].network.name), "socat", "-", "TCP6:%h:%p"]
    with (
        machine() as here,
        network.session(
            here,
            *("shop", "-o", "lookup=never", *PORT, *FROM_VARIABLE, "--via", shlex.join(inside)),
        ) as session,
        here.node() as local,
    ):
        ready = session.ready()
        assert ready["transport"] == "command"
        alias = alias_of(ready)
        there = local.evaluate(f"erpc:call({alias}, os, getpid, []).")
        assert there == pid_of(network.replicas[0].node)
        streaming = (
            f"Self = self(), spawn(fun() -> Self ! (catch erpc:call({alias}, erlang, md5,"
            " [rand:bytes(256 bsl 20)])) end), ok."
        )
        local.evaluate(streaming)
        began = time.monotonic()
        for pid in family(session.pid)[1:]:
            os.kill(pid, signal.SIGKILL)
        down = session.wait_event("link-down")
        print(f"a dead command was told after {time.monotonic() - began:.2f} s")
        assert "ended with signal 9" in down["reason"]
        assert time.monotonic() - began < 5
        assert local.evaluate(f"net_adm:ping({alias}).") == "pong"
        assert_secret(session.process)
