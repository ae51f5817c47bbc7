"""Real nodes that only a real mesh leads to, the machine of a user, and what tests ask of them."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from backends.consul.connect.mesh import sidecar
from world.connected import LOCAL_COOKIE, LOCAL_NAME, REMOTE_COOKIE
from world.erlang import ErlangNode
from world.ports import free_port
from world.session import ErlconnectSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.consul import ConsulAgent

# Nobody listens there: the node is reached through the mesh or not at all.
ADDRESS = "127.0.0.99"
NODE = "shop@127.0.0.99"


@contextmanager
def meshed_node(agent: ConsulAgent) -> Iterator[ErlangNode]:
    """Run a node that knows no epmd, registered as ``shop`` with a sidecar."""
    port = str(free_port())
    interface = ("inet_dist_use_interface", "{127,0,0,1}")
    ports = ("-kernel", "inet_dist_listen_min", port, "inet_dist_listen_max", port, *interface)
    with (
        ErlangNode.start(
            NODE,
            epmd_port=free_port(),
            cookie=REMOTE_COOKIE,
            flags=("-erl_epmd_port", port, *ports),
        ) as node,
        sidecar(agent, "shop", node.dist_port, address=ADDRESS),
    ):
        yield node


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """This machine: a home and an epmd."""

    agent: ConsulAgent
    home: Path
    epmd_port: int

    def session(self, *options: str) -> ErlconnectSession:
        return ErlconnectSession.start(
            *("-b", "consul", "shop", "--cookie-from", "env:REMOTE"),
            *options,
            epmd_port=self.epmd_port,
            home=self.home,
            environment={"REMOTE": REMOTE_COOKIE, **self.agent.environment()},
        )

    def node(self, name: str = LOCAL_NAME) -> ErlangNode:
        return ErlangNode.start(name, epmd_port=self.epmd_port, cookie=LOCAL_COOKIE)


def call(session: ErlconnectSession, local: ErlangNode, expressions: str) -> str:
    """Evaluate at ``local``; ``Alias`` is bound to the session's alias."""
    alias = session.ready()["aliases"][0]["alias"]
    return local.evaluate(f"Alias = '{alias}', {expressions}", 60)


def assert_called_with_64_megabytes(session: ErlconnectSession, local: ErlangNode) -> None:
    assert call(session, local, "net_adm:ping(Alias).") == "pong"
    echoed = "Sent = rand:bytes(64 bsl 20), erpc:call(Alias, erlang, hd, [[Sent]]) =:= Sent."
    assert call(session, local, echoed) == "true"
    assert session.wait_event("link-up")["node"] == NODE


def assert_never_down(session: ErlconnectSession) -> None:
    """The first local node's link came up once and stays."""
    downs = [event for event in session.events if event["event"] == "link-down"]
    assert LOCAL_NAME not in [event["local_node"] for event in downs]


def certificate_of(agent: ConsulAgent) -> str:
    """The present leaf of the session's source."""
    return str(agent.request("GET", "/agent/connect/ca/leaf/erlconnect")["CertPEM"])


def rotate(agent: ConsulAgent) -> None:
    """Have Consul's CA make a new key for itself, and new leaves with it."""
    made = subprocess.run(
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout"],
        capture_output=True,
        text=True,
        check=True,
    )
    configuration = agent.request("GET", "/connect/ca/configuration")
    configuration["Config"]["PrivateKey"] = made.stdout
    agent.request("PUT", "/connect/ca/configuration", configuration)


def children(pid: int) -> list[int]:
    """The children of a process that has one thread that starts any."""
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()
