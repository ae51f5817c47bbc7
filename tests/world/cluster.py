"""A remote cluster of real nodes: one address and one name each, all on one port, no epmd.

``app@127.0.1.1`` to ``app@127.0.1.N`` are connected and visible to each other, as pods are that
share a name part. A name server lists those that it is told to.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from world.connected import REMOTE_COOKIE
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ZONE = "shop.test"
SERVICE = f"pods.{ZONE}"


@dataclass(slots=True, kw_only=True)
class Cluster:
    """``nodes`` run; ``knot`` lists their addresses as A records of ``SERVICE``."""

    nodes: list[ErlangNode]
    knot: KnotServer
    port: int
    stack: ExitStack

    def words(self) -> list[str]:
        """The words that lead to every node of the cluster."""
        return [
            *("-b", "dns", SERVICE, "--all", "-o", f"server=127.0.0.1:{self.knot.port}"),
            *("-o", "record=a", "-o", "basename=app", "-o", f"dist-port={self.port}"),
        ]

    def list_only(self, nodes: Sequence[ErlangNode]) -> None:
        """Have the name server list these and no others."""
        self.knot.replace(ZONE, records(nodes))

    def start(self, number: int) -> ErlangNode:
        """Run one more node, in the cluster and not listed yet."""
        node = self.stack.enter_context(_node(number, self.port))
        assert node.evaluate(f"net_kernel:connect_node('{self.nodes[0].name}').") == "true"
        self.nodes.append(node)
        return node


@contextmanager
def cluster(size: int) -> Iterator[Cluster]:
    """Run ``size`` nodes and a name server that lists them."""
    port = free_port()
    with ExitStack() as stack:
        with ThreadPoolExecutor(2) as starters:
            started = list(starters.map(lambda number: _node(number, port), range(1, size + 1)))
        nodes = [stack.enter_context(node) for node in started]
        others = ",".join(f"'{node.name}'" for node in nodes[1:])
        joined = nodes[0].evaluate(f"lists:usort([net_kernel:connect_node(N) || N <- [{others}]]).")
        assert joined == ("[true]" if others else "[]")
        knot = stack.enter_context(KnotServer({ZONE: records(nodes)}))
        yield Cluster(nodes=nodes, knot=knot, port=port, stack=stack)


def records(nodes: Sequence[ErlangNode]) -> str:
    """The zone that lists these nodes."""
    lines = [f"pods A {node.name.partition('@')[2]}" for node in nodes]
    return "\n".join([*lines, "empty TXT nothing", ""])


def _node(number: int, port: int) -> ErlangNode:
    listen = ("-erl_epmd_port", str(port), "-kernel", "inet_dist_listen_min", str(port))
    interface = ("inet_dist_use_interface", f"{{127,0,1,{number}}}")
    return ErlangNode.start(
        f"app@127.0.1.{number}",
        epmd_port=free_port(),
        cookie=REMOTE_COOKIE,
        flags=(*listen, *interface, "inet_dist_listen_max", str(port)),
    )
