"""Real nodes in pods that only the API server leads to."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from backends.kubernetes.port_forward.kubectl_on_path import kubectl_on_path, without_kubectl
from end_to_end.evidence import rss
from end_to_end.machine import FROM_VARIABLE, Machine, alias_of, machine
from end_to_end.scripted_local import dialled
from end_to_end.scripted_remote import hear
from end_to_end.test_memory import FLOOD, SINK, highest_rss
from world.connected import LOCAL_NAME, REMOTE_COOKIE
from world.kubernetes.api import KubernetesApi
from world.kubernetes.deployments import ErlangDeployment, Template
from world.ports import free_port
from world.waiting import wait_until

from erlconnect.distribution.handshake_messages import Status, StatusKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from world.erlang import ErlangNode
    from world.kubernetes.erlang_pods import ErlangPod
    from world.session import ErlconnectSession

MEGABYTE = 1024 * 1024
PORT_FORWARD = "/portforward"
LOOPBACK_ONLY = ("-kernel", "inet_dist_use_interface", "{127,0,0,1}")

# The remote node sends to a process that the local one has registered.
INBOUND = ("--inbound", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A cluster with one pod, and the machine of a user."""

    api: KubernetesApi
    shop: ErlangDeployment
    kubeconfig: Path
    here: Machine

    @property
    def pod(self) -> ErlangPod:
        return self.shop.pods[0]

    def session(self, *options: str, path: str = "") -> ErlconnectSession:
        return self.here.session(
            *("-b", "fixed", self.pod.node.name, *FROM_VARIABLE),
            *("--transport", "kubernetes-port-forward"),
            *("-o", f"transport.kubeconfig={self.kubeconfig}"),
            *("-o", f"transport.pod={self.pod.name}", "-o", "transport.namespace=shop"),
            *options,
            environment={"PATH": path} if path else None,
        )


@contextmanager
def world(tmp_path: Path, *flags: str) -> Iterator[World]:
    with (
        KubernetesApi() as api,
        ErlangDeployment(api.cluster, "shop", Template(cookie=REMOTE_COOKIE, flags=flags)) as shop,
        machine() as here,
    ):
        kubeconfig = api.kubeconfig(tmp_path / "kubeconfig")
        yield World(api=api, shop=shop, kubeconfig=kubeconfig, here=here)


def call(session: ErlconnectSession, local: ErlangNode, expressions: str) -> str:
    """Evaluate at ``local``; ``Alias`` is bound to the session's alias."""
    return local.evaluate(f"Alias = {alias_of(session.ready())}, {expressions}", 60)


def test_a_node_that_listens_on_loopback_alone(tmp_path: Path) -> None:
    with (
        world(tmp_path, *LOOPBACK_ONLY) as there,
        there.session() as session,
        there.here.node() as local,
    ):
        assert call(session, local, "net_adm:ping(Alias).") == "pong"
        echoed = "Sent = rand:bytes(64 bsl 20), erpc:call(Alias, erlang, hd, [[Sent]]) =:= Sent."
        assert call(session, local, echoed) == "true"
        assert session.ready()["transport"] == "kubernetes-port-forward"
        there.pod.kill()
        assert session.wait_event("link-down")["local_node"] == LOCAL_NAME


def test_every_answer_of_the_api_takes_three_seconds(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        there.api.faults.delay(3)
        with there.session() as session, there.here.node() as local:
            ready = session.ready()
            for name in ("first@127.0.0.1", "second@127.0.0.1"):
                begin = time.monotonic()
                with dialled(ready, name) as link:
                    assert Status.parse(hear(link)).kind is StatusKind.OK
                assert time.monotonic() - begin < 1
                # By then another tunnel stands.
                time.sleep(5)
            assert call(session, local, "net_adm:ping(Alias).") == "pong"


def test_no_node_listens_there(tmp_path: Path) -> None:
    port = free_port()
    with world(tmp_path) as there, there.session("-o", f"dist-port={port}") as session:
        error = session.wait_event("error", 20)
        assert session.wait() == error["code"] == 69
        assert f"Port {port} of pod shop/{there.pod.name} could not be reached" in error["message"]
        assert f"127.0.0.1:{port}: connect: connection refused" in error["message"]
        assert "only what listens on loopback" in error["remedy"]


def test_two_opposed_floods_of_a_gigabyte_cost_no_memory(tmp_path: Path) -> None:
    with (
        world(tmp_path) as there,
        there.session(*INBOUND) as session,
        there.here.node() as local,
    ):
        remote = there.pod.node
        assert call(session, local, "net_adm:ping(Alias).") == "pong"
        caller = f"'{session.wait_event('link-up')['caller_name']}'"
        for node in (local, remote):
            node.evaluate(SINK)
        idle = rss(session.pid)
        ways = ((local, alias_of(session.ready())), (remote, caller))
        with ThreadPoolExecutor() as floods:
            up, down = (
                floods.submit(
                    sender.evaluate, FLOOD.format(node=to, size=MEGABYTE, count=1024), 100
                )
                for sender, to in ways
            )
            most = highest_rss(session.pid, up, down)
        assert (up.result(), down.result()) == ("true", "true")
        assert most - idle < 16 * MEGABYTE


# 256 MB to somebody who does not read, until its sender has to wait.
STUCK = """
    Data = binary:copy(<<7>>, 1 bsl 20),
    register(sender, spawn(fun() -> [{{sink, {node}}} ! {{data, Data}} || _ <- lists:seq(1, 256)],
        {{sink, {node}}} ! {{tell, self()}},
        receive {{seen, Seen}} -> receive {{ask, Who}} -> Who ! {{seen, Seen}} end end end)),
    (fun Wait() ->
        case process_info(whereis(sender), status) of
            {{status, suspended}} -> stuck;
            {{status, _}} -> timer:sleep(10), Wait()
        end
    end)().
"""
SEEN = """
    sender ! {ask, self()},
    receive {seen, Seen} -> maps:values(Seen) after 60000 -> timeout end.
"""


@pytest.mark.parametrize("reader", ["local", "remote"])
def test_who_does_not_read_stops_the_sender_and_costs_no_memory(
    tmp_path: Path, reader: str
) -> None:
    with (
        world(tmp_path) as there,
        there.session(*INBOUND) as session,
        there.here.node() as local,
    ):
        assert call(session, local, "net_adm:ping(Alias).") == "pong"
        caller = f"'{session.wait_event('link-up')['caller_name']}'"
        sides = {"local": (local, caller), "remote": (there.pod.node, alias_of(session.ready()))}
        sleeper, address = sides.pop(reader)
        ((sender, _),) = sides.values()
        sleeper.evaluate(SINK)
        idle = rss(session.pid)
        sleeper.process.signal(signal.SIGSTOP)
        assert sender.evaluate(STUCK.format(node=address)) == "stuck"
        assert rss(session.pid) - idle < 16 * MEGABYTE
        sleeper.process.signal(signal.SIGCONT)
        assert sender.evaluate(SEEN, 70) == "[256]"
        assert rss(session.pid) - idle < 16 * MEGABYTE


@pytest.mark.parametrize("status", [400, 403, 405, 426])
def test_websockets_are_refused_and_kubectl_leads_there(tmp_path: Path, status: int) -> None:
    with world(tmp_path) as there, kubectl_on_path() as path:
        there.api.faults.answer(status, "portforward.* v4.channel.k8s.io$")
        with there.session(path=path) as session, there.here.node() as local:
            assert call(session, local, "net_adm:ping(Alias).") == "pong"
            said = session.wait_event("warning")["message"]
            assert f"shop/{there.pod.name} goes through kubectl port-forward: " in said
            assert str(status) in said
            echoed = "Sent = rand:bytes(8 bsl 20), erpc:call(Alias, erlang, hd, [[Sent]]) =:= Sent."
            assert call(session, local, echoed) == "true"
            assert session.interrupt() == 130


def test_a_pod_that_is_gone_is_named(tmp_path: Path) -> None:
    with world(tmp_path) as there, there.here.node() as local, there.session() as session:
        session.ready()
        name = there.pod.name
        there.shop.remove(there.pod)
        begin = time.monotonic()
        assert call(session, local, "net_adm:ping(Alias).") == "pang"
        assert time.monotonic() - begin < 7
        error = session.wait_event("error")
        assert f'pods "{name}" not found' in error["message"]


def test_websockets_are_refused_and_there_is_no_kubectl(tmp_path: Path) -> None:
    with world(tmp_path) as there:
        there.api.faults.answer(403, PORT_FORWARD)
        with there.session(path=without_kubectl()) as session:
            error = session.wait_event("error", 20)
            assert session.wait() == error["code"] == 77
        assert "create pods/portforward or get pods/portforward" in error["message"]
        assert 'resources: ["pods/portforward"]' in error["remedy"]


def test_a_pod_that_ends_keeps_its_link_while_others_reach_the_new_one(tmp_path: Path) -> None:
    """The way to the old pod is kubectl, which would end with the transport."""
    with world(tmp_path) as there, kubectl_on_path() as path:
        there.api.faults.answer(403, "portforward.* v4.channel.k8s.io$")
        options = ("-o", f"kubeconfig={there.kubeconfig}", "-o", "namespace=shop")
        with (
            there.here.session(
                *("-b", "kubernetes", "deploy/shop", *options, *FROM_VARIABLE),
                environment={"PATH": path},
            ) as session,
            there.here.node() as first,
            there.here.node("other@127.0.0.1") as second,
        ):
            old = there.pod
            which = "erpc:call(Alias, erlang, system_info, [creation])"
            before = call(session, first, f"{which}.")
            there.shop.add()
            there.shop.terminate(old)
            anew = f"Which = {which}, true = erlang:disconnect_node(Alias), Which."
            wait_until(lambda: call(session, second, anew) != before, "the new pod is reached", 30)
            assert session.wait_event("target-replaced")
            assert call(session, first, f"{which}.") == before
            downs = [event for event in session.events if event["event"] == "link-down"]
            assert LOCAL_NAME not in [event["local_node"] for event in downs]
