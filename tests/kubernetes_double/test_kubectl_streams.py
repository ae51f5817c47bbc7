"""The real kubectl forwards ports and runs commands through the double, to the last byte."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kubernetes_double.echo import digest_after_echo, digest_of
from world.kubernetes import data_manifests, manifests
from world.waiting import wait_until

if TYPE_CHECKING:
    from kubernetes_double.echo import Echo
    from world.kubernetes.api import KubernetesApi
    from world.kubernetes.kubectl import Kubectl

MEGABYTES = 1 << 20
SECONDS = 20


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), SECONDS)


def test_megabytes_both_ways_at_once(kubectl: Kubectl, echo: Echo) -> None:
    data = os.urandom(8 * MEGABYTES)
    with kubectl.forwarding("pod/shop-1", f":{echo.port}") as (_, port), connect(port) as to_pod:
        assert digest_after_echo(to_pod, data) == digest_of(data)


def test_several_connections_and_the_end_of_each(kubectl: Kubectl, echo: Echo) -> None:
    data = os.urandom(MEGABYTES)
    with kubectl.forwarding("pod/shop-1", f":{echo.port}") as (process, port):
        for _ in range(3):
            with connect(port) as one, connect(port) as other:
                assert digest_after_echo(one, data) == digest_of(data)
                one.shutdown(socket.SHUT_WR)
                assert one.recv(1) == b""
                assert digest_after_echo(other, data) == digest_of(data)
        assert process.returncode is None


@pytest.mark.parametrize("target", ["deployment/shop", "service/shop", "shop-1"])
def test_what_leads_to_the_pod(
    api: KubernetesApi, kubectl: Kubectl, echo: Echo, target: str
) -> None:
    owner = api.objects.put(manifests.deployment("shop", namespace="shop"))
    api.objects.put(manifests.replica_set(owner, suffix="6d4cf56db6"))
    ports = [{"port": echo.port, "targetPort": echo.port, "protocol": "TCP"}]
    api.objects.put(data_manifests.service("shop", {"app": "shop"}, ports, namespace="shop"))
    with kubectl.forwarding(target, f":{echo.port}") as (_, port), connect(port) as to_pod:
        assert digest_after_echo(to_pod, b"hello") == digest_of(b"hello")


def test_a_port_on_which_nobody_listens(kubectl: Kubectl) -> None:
    with kubectl.forwarding("pod/shop-1", ":1") as (process, port):
        with connect(port) as to_pod:
            assert to_pod.recv(1) == b""
        assert process.wait(SECONDS) == 1  # this is kubectl's own way: one refusal ends it all
    assert "error forwarding port 1 to pod" in process.output
    assert "dial tcp4 127.0.0.1:1: connect: connection refused" in process.output
    assert "lost connection to pod" in process.output


def test_the_server_goes_away_under_a_forward(
    api: KubernetesApi, kubectl: Kubectl, echo: Echo
) -> None:
    with kubectl.forwarding("pod/shop-1", f":{echo.port}") as (process, port):
        with connect(port) as to_pod:
            assert digest_after_echo(to_pod, b"hello") == digest_of(b"hello")
            api.go_away()
            assert process.wait(SECONDS) == 1
        assert "lost connection to pod" in process.output
    assert "refused" in kubectl.fails("get", "pods")
    api.come_back()
    assert kubectl.says("get", "pods", "-o", "name") == "pod/shop-1"


def test_a_command_with_both_outputs_and_a_code(kubectl: Kubectl) -> None:
    done = kubectl.run("exec", "shop-1", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout) == (3, b"out\n")
    assert done.stderr == b"err\ncommand terminated with exit code 3\n"


def test_a_command_that_a_signal_ends(kubectl: Kubectl) -> None:
    done = kubectl.run("exec", "shop-1", "--", "sh", "-c", "kill -9 $$")
    assert done.returncode == 137


def test_megabytes_through_a_command(kubectl: Kubectl) -> None:
    data = os.urandom(4 * MEGABYTES)
    done = kubectl.run("exec", "-i", "shop-1", "--", "cat", given=data)
    assert done.returncode == 0, done.stderr
    assert digest_of(done.stdout) == digest_of(data)


def test_a_command_that_is_not_there(kubectl: Kubectl) -> None:
    said = kubectl.fails("exec", "shop-1", "--", "no-such-program")
    assert 'exec: "no-such-program": executable file not found in $PATH' in said


def test_containers_by_name(api: KubernetesApi, kubectl: Kubectl) -> None:
    containers = [manifests.container("app"), manifests.container("mesh")]
    api.objects.put(manifests.pod("shop-1", namespace="shop", containers=containers))
    done = kubectl.run("exec", "shop-1", "-c", "mesh", "--", "echo", "here")
    assert done.stdout == b"here\n", done.stderr
    assert "container none is not valid for pod shop-1" in kubectl.fails(
        "exec", "shop-1", "-c", "none", "--", "true"
    )


def test_a_client_that_is_killed_takes_its_command_with_it(kubectl: Kubectl) -> None:
    with kubectl.started("exec", "shop-1", "--", "sh", "-c", "echo $$; exec sleep 600") as client:
        pid = client.wait_for_line(str.isdigit, stream="stdout")
        assert Path("/proc", pid).exists()
        client.kill()
    wait_until(lambda: not Path("/proc", pid).exists(), "the command has ended")


@pytest.fixture
def no_websockets(api: KubernetesApi) -> None:
    """Be behind a proxy that knows no websockets."""
    api.faults.answer(400, where="^GET .*/(portforward|exec)")


@pytest.mark.usefixtures("no_websockets")
def test_without_websockets_kubectl_forwards_by_spdy_alone(
    api: KubernetesApi, kubectl: Kubectl, echo: Echo
) -> None:
    data = os.urandom(4 * MEGABYTES)
    with kubectl.forwarding("pod/shop-1", f":{echo.port}") as (_, port):
        with connect(port) as one, connect(port) as other:
            assert digest_after_echo(one, data) == digest_of(data)
            assert digest_after_echo(other, data) == digest_of(data)
        assert api.requests.seen("^POST .*/portforward")


@pytest.mark.usefixtures("no_websockets")
def test_without_websockets_kubectl_runs_commands_by_spdy_alone(
    api: KubernetesApi, kubectl: Kubectl
) -> None:
    data = os.urandom(MEGABYTES)
    words = ("exec", "-i", "shop-1", "--", "sh", "-c", "cat; echo err >&2; exit 3")
    done = kubectl.run(*words, given=data)
    assert done.returncode == 3
    assert digest_of(done.stdout) == digest_of(data)
    assert done.stderr == b"err\ncommand terminated with exit code 3\n"
    assert api.requests.seen("^POST .*/exec")
