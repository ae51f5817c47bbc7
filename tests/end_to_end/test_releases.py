"""Erlang releases on both sides of a link: each as the remote node, and as the local one."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.mirrored import assert_calls_work, load, load_mirror, mirrored, release_of
from world.connected import REMOTE_NAME
from world.recording_relay import RecordingRelay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

# OTP 23 and releases from 26 on refuse each other, with or without a session between them.
PAIRS = [
    ("25", "23"),
    ("23", "25"),
    ("25", "27"),
    ("27", "25"),
    ("25", "29"),
    ("29", "25"),
    ("27", "29"),
    ("29", "27"),
]


@pytest.mark.parametrize(("local", "remote"), PAIRS)
def test_every_release_calls_every_other(local: str, remote: str) -> None:
    with mirrored(local_release=local, remote_release=remote) as world:
        assert (release_of(world.local), release_of(world.remote)) == (local, remote)
        assert_calls_work(world)
        large = "material:large([Alias, node()], 200)"
        assert world.call(f"mirror:same(Alias, {large}).") == "same"
        from_there = "erpc:call(Alias, material, large, [[Alias, node()], 200])"
        assert world.call(f"mirror:same(Alias, {from_there}).") == "same"
        if "23" not in (local, remote):
            load("calls", world.remote, world.local)
            assert world.call("calls:linked(Alias).") == "{true,'app@127.0.0.1'}"
            assert world.call("calls:monitored_from_there(Alias).") == "{true,true}"
            assert world.call("calls:aliased(Alias).") == "{'app@127.0.0.1',normal,dropped}"


def test_native_records_carry_names() -> None:
    with mirrored(local_release="29", remote_release="29") as world:
        load("native_records", world.remote, world.local)
        assert_calls_work(world)
        made = "Made = {material:atoms(300), native_records:make([Alias, node()], 5000)}"
        seen = "erpc:call(Alias, native_records, named_here, [Made])"
        same = "erpc:call(Alias, mirror, identity, [Made]) =:= Made"
        assert world.call(f"{made}, {{{seen}, {same}}}.") == "{5000,true}"
        world.session.terminate()
        told = [event["event"] for event in world.session.events]
        assert told == ["ready", "link-up", "link-down", "stopped"]


@pytest.mark.parametrize("shorter", ["there", "here"])
def test_a_fun_of_shorter_names_never_claims_more_bytes_than_it_has(shorter: str) -> None:
    """OTP 23 ends the link over a fun whose Size reaches beyond its message; newer ones do not."""
    if shorter == "there":
        names = ["--as", "an-application-with-a-long-alias", "--caller-name", "d@x"]
        settings = {"remote_name": "b@c", "remote_release": "23"}
    else:
        names, settings = ["--as", "b"], {"remote_name": REMOTE_NAME, "local_release": "23"}
    with mirrored(*names, **settings) as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        for names_in_fun, paddings in ((1, "[0 | lists:seq(60000, 66000, 61)]"), (20000, "[0]")):
            fun = f"material:nested(lists:duplicate({names_in_fun}, Alias) ++ [node(), Alias])"
            terms = f"[material:inline({fun}, Padding) || Padding <- {paddings}]"
            assert world.call(f"lists:usort([mirror:same(Alias, T) || T <- {terms}]).") == "[same]"
        world.session.terminate()
        assert world.session.wait_event("link-down")["reason"] == "the session ended"


@contextmanager
def old_handshake_with(remote_release: str) -> Iterator[tuple[Connected, RecordingRelay]]:
    """A local OTP 23 that says an 'n' hello: ``-erl_epmd_port`` makes it think all nodes are old.

    That is the port of every node then, also of its own, so that it listens on another address.
    """
    relays: list[RecordingRelay] = []

    def relay(port: int) -> RecordingRelay:
        relays.append(RecordingRelay(port))
        return relays[0]

    with mirrored(remote_release=remote_release, relay=relay) as world:
        port = world.ready["aliases"][0]["local_port"]
        flags = ("-erl_epmd_port", str(port), "-kernel", "inet_dist_use_interface", "{127,0,0,2}")
        with world.joined_by("old@127.0.0.1", release="23", flags=flags) as old:
            yield old, relays[0]


def test_the_old_handshake_with_its_complement_goes_through() -> None:
    with old_handshake_with("23") as (world, relay):
        assert world.call("net_kernel:hidden_connect_node(Alias).") == "true"
        said = bytes(relay.wait_connection(2).from_client)
        name = world.caller[1:-1].encode()
        assert said[2:5] == b"n\0\5"
        complement = 2 + 7 + len(name)
        assert said[complement - len(name) : complement + 3] == name + b"\0\x09c"
        load_mirror(world.local)
        assert_calls_work(world)


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        pytest.param("25", "does not accept the old handshake", id="25 closes"),
        pytest.param("27", "status not_allowed", id="27 says why"),
    ],
)
def test_a_node_that_refuses_the_old_handshake_says_so(remote: str, told: str) -> None:
    with old_handshake_with(remote) as (world, _):
        assert world.call("net_kernel:hidden_connect_node(Alias).") == "false"
        error = world.session.wait_event("error")
        assert (error["code"], error["cause"]) == (77, "not-allowed")
        assert told in error["message"]
        assert (error["local_node"], error["alias"]) == ("old@127.0.0.1", "app@127.0.0.1")
