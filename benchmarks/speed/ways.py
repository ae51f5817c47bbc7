"""Three ways from a local node to one remote node: direct, through socat, through erlconnect.

Each way has a local node and an epmd of its own, so that all three stay connected at once and a
run can change from one to the next without a handshake.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.processes import Process
from world.session import ErlconnectSession

from erlconnect.epmd.messages import Alive2Request, frame

if TYPE_CHECKING:
    from collections.abc import Iterator

DIRECT = "direct"
SOCAT = "socat"
ERLCONNECT = "erlconnect"
_REMOTE_HOST = "127.3.2.1"
_WORKLOAD = Path(__file__).with_name("workload.erl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A local node that is connected; ``remote`` is the remote node as it calls it there."""

    name: str
    local: ErlangNode
    remote: str
    relay: int | None
    """The process id of what stands between, if anything does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """The remote node, and what all nodes share."""

    node: ErlangNode
    cookie: str
    folder: Path
    epmd_port: int

    @property
    def short_name(self) -> str:
        return self.node.name.partition("@")[0]


@contextlib.contextmanager
def remote_node() -> Iterator[Remote]:
    """The one remote node, with the workloads loaded."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        subprocess.run(["erlc", "-o", folder, _WORKLOAD], check=True)
        cookie = secrets.token_hex(16)
        (folder / ".erlang.cookie").write_text(cookie)
        (folder / ".erlang.cookie").chmod(0o400)
        port = _epmd(stack)
        name = f"app@{_REMOTE_HOST}"
        flags = ("-pa", str(folder))
        node = ErlangNode.start(name, epmd_port=port, cookie=cookie, flags=flags)
        stack.callback(node.stop)
        yield Remote(node=node, cookie=cookie, folder=folder, epmd_port=port)


@contextlib.contextmanager
def all_ways(remote: Remote) -> Iterator[dict[str, Way]]:
    """The three ways by name, connected."""
    with contextlib.ExitStack() as stack:
        ways = [opener(remote) for opener in (direct_way, socat_way, erlconnect_way)]
        connected = [stack.enter_context(way) for way in ways]
        yield {way.name: way for way in connected}


@contextlib.contextmanager
def direct_way(remote: Remote) -> Iterator[Way]:
    """Without anything between; the remote node's own epmd knows the way."""
    with _local(DIRECT, remote, remote.epmd_port) as local:
        yield _connected(Way(name=DIRECT, local=local, remote=remote.node.name, relay=None))


@contextlib.contextmanager
def socat_way(remote: Remote) -> Iterator[Way]:
    """Through ``socat`` with buffers as large as erlconnect's, for this one connection."""
    with contextlib.ExitStack() as stack:
        epmd_port, port = _epmd(stack), free_port()
        listen = f"TCP-LISTEN:{port},bind={_REMOTE_HOST},reuseaddr,nodelay"
        target = f"TCP:{_REMOTE_HOST}:{remote.node.dist_port},nodelay"
        relay = stack.enter_context(Process(["socat", "-b", "262144", listen, target]))
        stack.enter_context(_registered(remote.short_name, port, epmd_port))
        local = stack.enter_context(_local(SOCAT, remote, epmd_port))
        yield _connected(Way(name=SOCAT, local=local, remote=remote.node.name, relay=relay.pid))


@contextlib.contextmanager
def erlconnect_way(remote: Remote) -> Iterator[Way]:
    """Through the installed command."""
    with contextlib.ExitStack() as stack:
        epmd_port = _epmd(stack)
        session = stack.enter_context(erlconnect_session(remote, epmd_port))
        alias = session.ready()["aliases"][0]["alias"]
        local = stack.enter_context(_local(ERLCONNECT, remote, epmd_port))
        yield _connected(Way(name=ERLCONNECT, local=local, remote=alias, relay=session.pid))


def erlconnect_session(remote: Remote, epmd_port: int) -> ErlconnectSession:
    """Start ``erlconnect`` towards the remote node, on an epmd of its own."""
    return ErlconnectSession.start(
        *("-b", "fixed", remote.node.name, "-o", f"address={_REMOTE_HOST}"),
        *("-o", f"dist-port={remote.node.dist_port}"),
        epmd_port=epmd_port,
        home=remote.folder,
    )


def _epmd(stack: contextlib.ExitStack) -> int:
    return stack.enter_context(RealEpmd(free_port(), address=_REMOTE_HOST)).port


@contextlib.contextmanager
def _local(way: str, remote: Remote, epmd_port: int) -> Iterator[ErlangNode]:
    """A hidden node: visible ones would learn of each other from the remote node and connect."""
    flags = ("-hidden", "-pa", str(remote.folder))
    name = f"{way}@127.0.0.1"
    node = ErlangNode.start(name, epmd_port=epmd_port, cookie=remote.cookie, flags=flags)
    try:
        yield node
    finally:
        node.stop()


def _connected(way: Way) -> Way:
    answer = way.local.evaluate(f"net_kernel:connect_node('{way.remote}').")
    assert answer == "true", f"{way.name}: connecting to {way.remote} gave {answer}"
    return way


@contextlib.contextmanager
def _registered(name: str, port: int, epmd_port: int) -> Iterator[None]:
    """Keep ``name`` in an epmd, as a node on ``port`` would."""
    with socket.create_connection(("127.0.0.1", epmd_port), timeout=5) as connection:
        connection.sendall(frame(Alive2Request(port_no=port, node_name=name)))
        response = connection.recv(16)
        assert response[1:2] == b"\0", f"epmd refused {name}: {response!r}"
        yield
