"""Two ways through the same sshd to the same remote node, each with a local node of its own."""

from __future__ import annotations

import shlex
import socket
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.processes import Process
from world.session import ErlconnectSession
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speed.ways import Remote
    from world.sshd import SshServer

VIA = "--via 'ssh -W'"
PLAIN = "ssh -L"


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A connected local node; ``remote`` is the remote node as it calls it there."""

    local: ErlangNode
    remote: str


@contextmanager
def via_ssh(remote: Remote, sshd: SshServer) -> Iterator[Way]:
    """Through erlconnect, which starts an ssh of its own for the stream."""
    host = remote.node.name.partition("@")[2]
    with (
        RealEpmd(free_port()) as epmd,
        ErlconnectSession.start(
            *("-b", "fixed", remote.node.name, "-o", f"address={host}"),
            *("-o", f"dist-port={remote.node.dist_port}"),
            *("--via", shlex.join(sshd.command("-W", "%h:%p"))),
            epmd_port=epmd.port,
            home=remote.folder,
        ) as session,
    ):
        alias = session.ready()["aliases"][0]["alias"]
        with _local("via", remote, epmd.port) as local:
            yield _connected(Way(local=local, remote=alias))


@contextmanager
def plain_ssh(remote: Remote, sshd: SshServer) -> Iterator[Way]:
    """Through a forwarded port, on which the local node looks for every other node."""
    host, port = remote.node.name.partition("@")[2], free_port()
    forward = f"{host}:{port}:{host}:{remote.node.dist_port}"
    with Process(sshd.command("-N", "-L", forward)), RealEpmd(free_port()) as epmd:
        wait_until(lambda: _listens(host, port), "ssh forwards the port")
        flags = ("-erl_epmd_port", str(port), "-dist_listen", "false")
        with _local("plain", remote, epmd.port, *flags) as local:
            yield _connected(Way(local=local, remote=remote.node.name))


def _local(name: str, remote: Remote, epmd_port: int, *flags: str) -> ErlangNode:
    """A hidden node: visible ones would learn of each other from the remote node and connect."""
    return ErlangNode.start(
        f"{name}@127.0.0.1", epmd_port=epmd_port, cookie=remote.cookie, flags=("-hidden", *flags)
    )


def _connected(way: Way) -> Way:
    answer = way.local.evaluate(f"net_kernel:connect_node('{way.remote}').")
    assert answer == "true", f"connecting to {way.remote} gave {answer}"
    return way


def _listens(host: str, port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection((host, port), timeout=5):
        return True
    return False
