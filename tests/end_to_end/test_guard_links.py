"""The guard on links of every kind: several at once, TLS on either side, a cookie that passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import fixed, machine
from end_to_end.scripted_local import linked
from guard.frames import Writer, framed, small
from world.certificates import tls_files
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE, REMOTE_NAME, connected, remote_node
from world.waiting import wait_until

from erlconnect.distribution.etf import Atom, Pid

if TYPE_CHECKING:
    import socket

    from world.connected import Connected

STOP = "try erpc:call(Alias, init, stop, []) catch C:R -> {C, R} end."
REFUSED = "{error,{erpc,refused_by_erlconnect}}"
MALFORMED = {
    "a reference without words": b"Z\x00\x00" + small(b"a@b") + bytes(4),
    "a function inside a function": b"q" + small(b"m") + small(b"f") + b"q" + small(b"m"),
}


def refusals(world: Connected) -> list[dict[str, str]]:
    return [event for event in world.session.events if event["event"] == "refused"]


def test_each_of_several_links_counts_its_own() -> None:
    with connected() as world, world.joined_by("other@127.0.0.1") as other:
        assert world.call(STOP) == REFUSED
        assert other.call(STOP) == REFUSED
        assert other.call("{erpc:call(Alias, erlang, node, []) =:= Alias}.") == "{true}"
        wait_until(lambda: len(refusals(world)) == 2, "both refusals are told")
        assert {event["local_node"] for event in refusals(world)} == {
            world.local.name,
            "other@127.0.0.1",
        }


def test_a_cookie_that_passes_through_changes_nothing() -> None:
    with connected("--cookie-from", "passthrough", local_cookie=REMOTE_COOKIE) as world:
        assert world.call(STOP) == REFUSED
        assert world.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"


@pytest.mark.parametrize("release", ["25", "29"])
def test_tls_on_both_sides_changes_nothing(release: str) -> None:
    with tls_files(release) as files:
        node = files.authority.leaf("node", REMOTE_NAME.partition("@")[2])
        door = files.authority.leaf("door", "127.0.0.1", "localhost")
        mine = files.authority.leaf("mine", "127.0.0.1")
        me = files.authority.leaf("me")
        settings = (
            *("-o", f"transport.tls-ca={files.authority.certificate}"),
            *("-o", f"transport.tls-cert={me.certificate}", "-o", f"transport.tls-key={me.key}"),
            *("-o", f"local-tls-cert={door.certificate}", "-o", f"local-tls-key={door.key}"),
        )
        with connected(
            *settings,
            remote_release=release,
            remote_flags=files.flags(node),
            local_release=release,
            local_flags=files.flags(mine),
        ) as world:
            assert world.call(STOP) == REFUSED
            assert world.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"
            assert world.remote.process.returncode is None


def test_all_targets_are_guarded() -> None:
    with (
        remote_node() as remote,
        machine() as here,
        here.session(*fixed(remote), "--all") as session,
        here.node(cookie=LOCAL_COOKIE) as node,
    ):
        alias = session.ready()["aliases"][0]["alias"]
        assert node.evaluate(f"Alias = '{alias}', {STOP}") == REFUSED
        assert remote.process.returncode is None


@pytest.mark.parametrize("term", MALFORMED)
def test_a_malformed_term_ends_its_link_and_no_other(term: str) -> None:
    with connected() as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        name = "crafted@127.0.0.1"
        with linked(world.ready, name) as sock:
            pid = Pid(node=name, id=9, serial=0, creation=1)
            body = Writer(atom=small).body((6, pid, Atom(""), Atom("nobody")), None)
            sock.sendall(framed(body + MALFORMED[term]))
            sock.settimeout(20)
            assert_ends(sock)
        down = world.session.wait_event("link-down")
        assert (down["local_node"], down["refused"]) == (name, 1)
        assert "malformed-term" in down["reason"]
        assert refusals(world)[0]["rule"] == "terms"
        assert world.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"


def assert_ends(sock: socket.socket) -> None:
    try:
        while sock.recv(4096):
            pass
    except ConnectionResetError:
        return
