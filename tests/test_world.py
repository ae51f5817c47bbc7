"""The world that the other tests stand on does what it says."""

from __future__ import annotations

import contextlib
import socket
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rcode
import pytest
from world import leftovers, missing, namespaces
from world.epmd import RealEpmd
from world.erlang import ErlangNode, erl_call
from world.knot import KnotServer
from world.namespaces import Namespace
from world.ports import free_port
from world.processes import Process
from world.recording_relay import RecordingRelay
from world.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

COOKIE = "WORLDCOOKIE"


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_a_node_of_each_release_evaluates_and_is_registered(epmd: RealEpmd, release: str) -> None:
    with ErlangNode.start(
        "w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE, release=release
    ) as node:
        assert node.evaluate("erlang:system_info(otp_release).") == f'"{release}"'
        assert node.evaluate("{node(), 1 + 1}.") == "{'w@127.0.0.1',2}"
        assert node.evaluate('[16#e9, <<"é"/utf8>>].') == '[233,<<"é"/utf8>>]'
        assert epmd.names() == {"w": node.dist_port}


@pytest.mark.parametrize("release", ["23", "27", "29"])
def test_the_machines_release_connects_to_the_others(epmd: RealEpmd, release: str) -> None:
    with (
        ErlangNode.start("here@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE) as here,
        ErlangNode.start(
            "there@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE, release=release
        ) as there,
    ):
        assert here.evaluate("net_kernel:connect_node('there@127.0.0.1').") == "true"
        wait_until(
            lambda: there.evaluate("nodes().") == "['here@127.0.0.1']", "the other one knows it"
        )


def test_an_exception_of_a_node_fails_the_test(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE) as node:
        with pytest.raises(AssertionError, match="badarith"):
            node.evaluate("1 / 0.")
        assert node.evaluate("still_here.") == "still_here"


def test_a_node_that_did_not_answer_in_time_says_so_ever_after(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE) as node:
        with pytest.raises(TimeoutError):
            node.evaluate("timer:sleep(60_000).", timeout=0.1)
        with pytest.raises(AssertionError, match=r"not been answered yet: timer:sleep"):
            node.evaluate("ok.")


def test_messages_wait_from_one_evaluation_to_the_next(epmd: RealEpmd) -> None:
    with ErlangNode.start("w", epmd_port=epmd.port, cookie=COOKIE, short=True) as node:
        node.evaluate("self() ! hello.")
        assert node.evaluate("receive Message -> Message after 0 -> none end.") == "hello"


def test_a_node_that_cannot_start_says_why(epmd_port: int) -> None:
    with pytest.raises(AssertionError, match=r"did not start:[\s\S]*econnrefused"):
        ErlangNode.start("w@127.0.0.1", epmd_port=epmd_port, cookie=COOKIE)


def test_a_node_halts_when_its_test_is_gone(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE) as node:
        node._control.close()
        assert node.process.wait() == 0


def test_erl_call_reaches_a_node(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE):
        answer = erl_call("w@127.0.0.1", "node().", cookie=COOKIE, epmd_port=epmd.port)
        assert answer.stdout == "{ok, 'w@127.0.0.1'}"


def test_a_restarted_epmd_knows_no_names(epmd: RealEpmd) -> None:
    with ErlangNode.start("w@127.0.0.1", epmd_port=epmd.port, cookie=COOKIE):
        assert list(epmd.names()) == ["w"]
        epmd.restart()
        assert epmd.names() == {}


def test_home_holds_a_private_cookie(home: Path) -> None:
    cookie = home / ".erlang.cookie"
    assert cookie.stat().st_mode & 0o777 == 0o400
    assert len(cookie.read_text()) == 20


def ask(server: KnotServer, name: str, record: str) -> dns.message.Message:
    question = dns.message.make_query(name, record)
    return dns.query.udp(question, "127.0.0.1", port=server.port, timeout=5)


def test_knot_answers_srv_with_addresses_and_fails_as_told() -> None:
    zones = {"cluster.local": "a A 127.0.0.1\n_x._tcp SRV 0 0 4444 a", "broken.test": None}
    with KnotServer(zones) as server:
        answer = ask(server, "_x._tcp.cluster.local", "SRV")
        assert "SRV 0 0 4444 a.cluster.local." in answer.to_text()
        assert [str(record[0]) for record in answer.additional] == ["127.0.0.1"]
        assert ask(server, "no.cluster.local", "A").rcode() == dns.rcode.NXDOMAIN
        assert ask(server, "a.broken.test", "A").rcode() == dns.rcode.SERVFAIL
        server.replace("cluster.local", "a A 127.0.0.9")
        assert str(ask(server, "a.cluster.local", "A").answer[0][0]) == "127.0.0.9"


def test_a_namespace_does_not_get_the_address_of_one_before() -> None:
    addresses = []
    for _ in range(30):
        with Namespace() as network:
            addresses.append(network.address)
    assert len(set(addresses)) == len(addresses)


def test_a_node_in_a_namespace_is_a_remote_host() -> None:
    with (
        Namespace({"app.railway.internal": "127.0.0.1"}) as remote,
        RealEpmd(4369, address=None, prefix=namespaces.prefix(remote.name)) as epmd,
        ErlangNode.start(
            f"app@{remote.address6}",
            epmd_port=4369,
            cookie=COOKIE,
            flags=["-proto_dist", "inet6_tcp"],
            namespace=remote.name,
        ) as node,
    ):
        assert list(epmd.names()) == ["app"]
        assert node.evaluate('inet:getaddr("app.railway.internal", inet).') == "{ok,{127,0,0,1}}"
        for address in (remote.address, remote.address6):
            socket.create_connection((address, node.dist_port), timeout=5).close()
        remote.cut()
        with pytest.raises(OSError, match=r"timed out|unreachable|No route"):
            socket.create_connection((remote.address, node.dist_port), timeout=0.5)
        remote.mend()
        for address in (remote.address, remote.address6):
            wait_until(partial(answers, address, node.dist_port), "the wire is up again")


def answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def test_the_relay_records_holds_and_resets(epmd: RealEpmd) -> None:
    with (
        RecordingRelay(epmd.port) as relay,
        socket.create_connection(("127.0.0.1", relay.port), timeout=5) as client,
    ):
        connection = relay.wait_connection()
        relay.hold()
        client.sendall(b"\x00\x01n")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert connection.from_client == b""
        relay.release()
        client.settimeout(5)
        assert client.recv(4) == epmd.port.to_bytes(4, "big")
        assert connection.from_client == b"\x00\x01n"
        assert connection.from_target == epmd.port.to_bytes(4, "big")


def test_the_relay_cuts_and_resets(epmd: RealEpmd) -> None:
    with RecordingRelay(epmd.port) as relay:
        with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as client:
            relay.wait_connection(1).cut()
            assert client.recv(1) == b""
        with socket.create_connection(("127.0.0.1", relay.port), timeout=5) as client:
            relay.wait_connection(2).reset()
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_a_process_keeps_its_streams_apart_and_ends_with_its_children() -> None:
    script = "echo out; echo err >&2; sleep 60 & echo $!; wait"
    with Process(["sh", "-c", script]) as process:
        child = int(process.wait_for_line(str.isdigit))
        process.wait_for_line("err", stream="stderr")
        assert process.stdout.split() == ["out", str(child)]
        with pytest.raises(AssertionError, match="no line with 'nothing'"):
            process.wait_for_line("nothing", timeout=0.1)
    assert process.returncode == -15
    assert not any(reader.is_alive() for reader in process._readers), "the child still writes"


def test_what_outlives_the_run_is_named_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leftovers, "_MARK", "ERLCONNECT_TEST_RUN_INNER")
    monkeypatch.setattr(leftovers, "_ENDING_SECONDS", 0.1)
    with Process(["sleep", "61"], environment={"ERLCONNECT_TEST_RUN_INNER": "1"}) as process:
        assert leftovers.end_leftovers() == [f"process {process.pid} still ran: sleep 61"]
        assert process.wait() == -9


def test_missing_peers_are_counted_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "_counts", Counter())
    assert missing.summary_lines() == ["missing peers: none"]
    for peer in ("OTP 27", "knotd", "OTP 27"):
        with pytest.raises(pytest.skip.Exception, match=f"missing peer: {peer}"):
            missing.require(peer, present=False)
    assert missing.summary_lines() == [
        "missing peers: OTP 27 (2 tests)",
        "missing peers: knotd (1 test)",
    ]


def test_ports_are_free_and_never_given_twice() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    with socket.create_server(("::1", ports[0]), family=socket.AF_INET6):
        pass
