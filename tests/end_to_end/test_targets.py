"""A list of what a lookup finds, with what each target says of itself."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.directory import NAME, Directory, real_directory
from end_to_end.examined import run
from end_to_end.machine import machine
from end_to_end.terminal import AtTerminal
from world.connected import REMOTE_COOKIE, remote_node
from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.examined import Ended
    from end_to_end.machine import Machine

FIELDS = [
    "schema",
    "event",
    "expected",
    "address",
    "epmd_port",
    "facts",
    "answers",
    "node",
    "dist_port",
    "transport",
    "creation",
    "flags",
    "otp",
]


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with real_directory() as made:
        yield made


def listed(directory: Directory, here: Machine, service: str, *words: str) -> Ended:
    server = f"server=127.0.0.1:{directory.dns_port}"
    return run(here, "targets", "-b", "dns", service, "-o", server, *words)


def test_one_object_for_each_target_in_the_order_of_the_lookup(directory: Directory) -> None:
    with machine(epmd=False) as here:
        ended = listed(directory, here, "_dist._tcp.two.shop.test", "--json")
        assert (ended.code, ended.stderr) == (0, "")
        dead, alive = ended.of("target")
        assert list(alive) == FIELDS
        assert alive["schema"] == 1
        assert (alive["answers"], alive["node"], alive["expected"]) == (True, NAME, None)
        assert (alive["address"], alive["dist_port"]) == ("127.0.0.1", directory.dist_port)
        assert (alive["transport"], alive["otp"]) == ("direct", "25 to 27")
        assert alive["creation"] > 0
        assert {"PUBLISHED", "HANDSHAKE_23", "FRAGMENTS"} <= set(alive["flags"])
        assert alive["facts"]["target"] == "shop-0.shop.test"
        assert list(dead) == [*FIELDS, "error"]
        assert (dead["answers"], dead["node"], dead["transport"]) == (False, None, None)
        assert (dead["dist_port"], dead["flags"]) == (directory.dead_port, [])
        assert (dead["error"]["code"], dead["error"]["cause"]) == (75, "timed-out")
        assert "did not accept a connection" in dead["error"]["message"]


def test_plain_columns_in_a_pipe(directory: Directory) -> None:
    with machine(epmd=False) as here:
        ended = listed(directory, here, "_dist._tcp.two.shop.test")
        head, dead, alive = ended.stdout.splitlines()
        assert head.split() == ["NODE", "ADDRESS", "PORT", "ANSWERS", "OTP", "FACTS"]
        assert dead.split()[:5] == [
            "?@shop-9.shop.test",
            "127.0.0.1",
            str(directory.dead_port),
            "no",
            "(timed-out)",
        ]
        assert alive.split()[:4] == [NAME, "127.0.0.1", str(directory.dist_port), "yes"]
        assert dead.index("127.0.0.1") == alive.index("127.0.0.1") == head.index("ADDRESS")
        assert "no answer: 127.0.0.1:" in ended.stderr
        assert "\x1b" not in ended.stdout + ended.stderr


def test_a_table_at_a_terminal(directory: Directory) -> None:
    server = f"server=127.0.0.1:{directory.dns_port}"
    words = ["targets", "-b", "dns", "_dist._tcp.two.shop.test", "-o", server]
    with (
        machine(epmd=False) as here,
        AtTerminal(*words, environment=here.environment()) as terminal,
    ):
        assert terminal.wait() == 0
        assert "ANSWERS" in terminal.screen
        assert "\x1b[32myes" in terminal.screen


def test_a_failed_lookup_is_an_error_and_no_empty_list(directory: Directory) -> None:
    with machine(epmd=False) as here:
        ended = listed(directory, here, "ghost.shop.test", "--json")
        assert [event["event"] for event in ended.events] == ["error"]
        assert (ended.code, ended.events[0]["cause"]) == (69, "name-not-found")


@contextmanager
def instances(agent: ConsulAgent, count: int) -> Iterator[list[ErlangNode]]:
    """So many nodes of one service, registered with their ports."""
    with ExitStack() as stack:
        epmd = stack.enter_context(RealEpmd(free_port()))
        nodes = []
        for number in range(1, count + 1):
            name = f"shop-{number}@127.0.0.1"
            node = ErlangNode.start(name, epmd_port=epmd.port, cookie=REMOTE_COOKIE)
            nodes.append(stack.enter_context(node))
            place = {"Address": "127.0.0.1", "Port": node.dist_port}
            agent.register({"Name": "shop", "ID": f"shop-{number}", "Tags": ["blue"], **place})
        yield nodes


def test_every_instance_of_a_service_is_knocked_at_and_none_keeps_a_trace() -> None:
    with ConsulAgent() as agent, instances(agent, 3) as nodes, machine(epmd=False) as here:
        words = ["-b", "consul", "shop", "-o", f"address={agent.address}", "--json"]
        found = run(here, "targets", *words).of("target")
        assert [one["node"] for one in found] == [node.name for node in nodes]
        assert [one["facts"]["id"] for one in found] == ["shop-1", "shop-2", "shop-3"]
        assert all(one["facts"]["tag"] == "blue" for one in found)
        for node in nodes:
            assert node.evaluate("nodes(hidden).") == "[]"
            assert node.process.output == ""


def test_several_targets_that_are_one_node_all_answer() -> None:
    """A node takes one knock under a name at a time, and answers the others ``nok``."""
    with ConsulAgent() as agent, remote_node("shop@127.0.0.1") as node, machine() as here:
        for number in range(8):
            place = {"Address": "127.0.0.1", "Port": node.dist_port}
            agent.register({"Name": "shop", "ID": f"shop-{number}", **place})
        words = ["-b", "consul", "shop", "-o", f"address={agent.address}", "--json"]
        found = run(here, "targets", *words).of("target")
        assert [one["node"] for one in found] == [node.name] * 8


@pytest.mark.parametrize(
    ("release", "shown"), [("23", "23"), ("27", "25 to 27"), ("29", "29 or newer")]
)
def test_the_flags_tell_the_release(release: str, shown: str) -> None:
    with remote_node("app@127.0.0.1", release=release) as node, machine(epmd=False) as here:
        words = ["-b", "fixed", node.name, "-o", f"dist-port={node.dist_port}", "--json"]
        assert run(here, "targets", *words).of("target")[0]["otp"] == shown
