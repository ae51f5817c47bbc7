"""Remote nodes that are no cluster, each at an address and port of its own, listed by SRV records.

What stands for a pod here is one node: it can come back at another address.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from world.connected import REMOTE_COOKIE
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ZONE = "shop.test"


class Pods:
    """``name`` is the real name, with ``{}`` for the number of the pod or the same for all."""

    def __init__(self, name: str, size: int, stack: ExitStack, flags: Sequence[str]) -> None:
        self._name = name
        self._flags = flags
        self._stack = stack
        self._places: dict[int, tuple[str, ErlangNode]] = {}
        for number in range(1, size + 1):
            self._start(number, f"127.0.1.{number}")
        self.knot = stack.enter_context(KnotServer({_ZONE: self._records()}))

    def words(self) -> list[str]:
        """The words that lead to all of them."""
        server = f"server=127.0.0.1:{self.knot.port}"
        return ["-b", "dns", f"_dist._tcp.{_ZONE}", "-o", server, "-o", "basename=app", "--all"]

    def move(self, number: int) -> ErlangNode:
        """End a pod's node and start it anew at another address, which is listed now."""
        self._places[number][1].kill()
        node = self._start(number, f"127.0.2.{number}")
        self.knot.replace(_ZONE, self._records())
        return node

    def _start(self, number: int, address: str) -> ErlangNode:
        interface = f"{{{address.replace('.', ',')}}}"
        node = ErlangNode.start(
            self._name.format(number),
            epmd_port=free_port(),
            cookie=REMOTE_COOKIE,
            flags=(
                *("-erl_epmd_port", str(port := free_port())),
                *("-kernel", "inet_dist_listen_min", str(port), "inet_dist_listen_max", str(port)),
                *("inet_dist_use_interface", interface),
                *self._flags,
            ),
            environment={"POD": str(number)},
        )
        self._places[number] = address, self._stack.enter_context(node)
        return node

    def _records(self) -> str:
        lines = []
        for number, (address, node) in sorted(self._places.items()):
            lines.append(f"_dist._tcp SRV {number} 0 {node.dist_port} shop-{number}")
            lines.append(f"shop-{number} A {address}")
        return "\n".join(lines)


@contextmanager
def pods(name: str, size: int, *, flags: Sequence[str] = ()) -> Iterator[Pods]:
    """Run ``size`` pods."""
    with ExitStack() as stack:
        yield Pods(name, size, stack, flags)
