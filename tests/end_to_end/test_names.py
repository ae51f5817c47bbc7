"""Every kind of remote name reached by every kind of local node."""

from __future__ import annotations

import pytest
from end_to_end.mirrored import assert_calls_work, load_mirror, mirrored
from world.connected import REMOTE_NAME

LONGEST = "app@" + ".".join(["a" * 62] * 4)
LONG_ALIAS = "an-application-with-a-long-alias"


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        pytest.param("app@127.0.0.9", "app", id="as long as its alias"),
        pytest.param(REMOTE_NAME, "app", id="longer than its alias"),
        pytest.param(LONGEST, "app", id="as long as Erlang allows"),
        pytest.param("app@127.0.0.9", LONG_ALIAS, id="shorter than its alias"),
        pytest.param("app@remote-pod-7", "app", id="a short name"),
        pytest.param("app@remote-pod-7", LONG_ALIAS, id="a short name shorter than its alias"),
        pytest.param("app@127.0.0.1", "app", id="equal to its alias"),
    ],
)
def test_long_short_and_ipv6_nodes_reach_it_at_the_same_time(name: str, alias: str) -> None:
    with (
        mirrored("--as", alias, remote_name=name) as world,
        world.joined_by("mix@localhost", short=True) as short,
        world.joined_by("six@::1", flags=("-proto_dist", "inet6_tcp")) as ipv6,
    ):
        for other in (short, ipv6):
            load_mirror(other.local, beside=world.remote)
        for one, host in ((world, "127.0.0.1"), (short, "localhost"), (ipv6, "::1")):
            assert one.alias == f"'{alias}@{host}'"
            assert_calls_work(one)
        callers = sorted([world.caller, short.caller, ipv6.caller])
        assert world.remote.evaluate("lists:sort(nodes(hidden)).") == f"[{','.join(callers)}]"
        host = "erlconnect.invalid" if "." in name else "invalid"
        assert {caller[1:-1].partition("@")[2] for caller in callers} == {host}


def test_a_short_named_node_is_called_after_its_machine() -> None:
    """``iex --sname dev`` has the machine's name, and still dials ``app@localhost``."""
    with (
        mirrored(remote_name="app@remote-pod-7") as world,
        world.joined_by("mix", short=True) as short,
    ):
        load_mirror(short.local, beside=world.remote)
        short.local.name = short.local.evaluate("atom_to_list(node()).").strip('"')
        assert short.alias == "'app@localhost'"
        assert_calls_work(short)


def test_a_node_without_a_name_gets_one_from_the_remote_node() -> None:
    with mirrored(local_name="undefined@127.0.0.1") as world:
        assert world.call("{node(), net_kernel:connect_node(Alias)}.") == "{nonode@nohost,true}"
        given = world.local.evaluate("atom_to_list(node()).").strip('"')
        assert given.endswith("@127.0.0.1")
        up = world.session.wait_event("link-up")
        assert (up["local_node"], up["caller_name"]) == (given, given)
        world.local.name = given
        assert_calls_work(world)
        assert world.remote.evaluate("nodes(hidden).") == f"['{given}']"


def test_the_caller_name_that_was_asked_for_is_the_one_seen() -> None:
    with mirrored("--caller-name", "release-console@127.0.0.1") as world:
        assert world.remote.evaluate("net_kernel:allow(['release-console@127.0.0.1']).") == "ok"
        assert_calls_work(world)
        assert world.caller == "'release-console@127.0.0.1'"
        assert world.remote.evaluate("nodes(hidden).") == f"[{world.caller}]"
