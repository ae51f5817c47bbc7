"""The nodes that the embedded EPMD knows, and its answer to each request.

Knows which names are taken and by whom, as opaque numbers of connections; knows no connection and
no clock. A registration is forgotten when its owner is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from erlconnect.epmd.replies import (
    KILL_REFUSED,
    Alive2Response,
    DumpResponse,
    NamesResponse,
    Port2Response,
)
from erlconnect.epmd.requests import (
    Alive2Request,
    DumpRequest,
    KillRequest,
    NamesRequest,
    PortPlease2Request,
    Request,
)

_MAX_NAME: Final = 255
_NEW_VERSION: Final = 6
_REFUSED_CREATION: Final = 99
# Up to 3 a creation is one of the old, small ones.
_FIRST_CREATION: Final = 4
_OLD_CREATIONS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to send, and whether the connection now stands for a registered node."""

    reply: bytes
    registered: bool = False


class Directory:
    """Names and their owners, answered for as OTP's epmd answers while nodes are registered."""

    def __init__(self, port: int, *, creation: int) -> None:
        """``port`` is the EPMD's own; ``creation`` the number that the next node gets."""
        self._port = port
        self._creation = creation
        self._nodes: dict[str, tuple[Alive2Request, int]] = {}

    def answer(self, request: Request, owner: int) -> Answer:
        """Answer a request that came over the connection with the number ``owner``."""
        match request:
            case Alive2Request():
                return self._register(request, owner)
            case PortPlease2Request():
                return Answer(reply=self._port_of(request.node_name).encode())
            case NamesRequest():
                names = tuple((name, node.port_no) for name, (node, _) in self._nodes.items())
                return Answer(reply=NamesResponse(epmd_port_no=self._port, nodes=names).encode())
            case DumpRequest():
                known = tuple((name, n.port_no, owner) for name, (n, owner) in self._nodes.items())
                return Answer(reply=DumpResponse(epmd_port_no=self._port, nodes=known).encode())
            case KillRequest():
                return Answer(reply=KILL_REFUSED)
            case _:
                # STOP_REQ: epmd closes the connection without a word.
                return Answer(reply=b"")

    def forget(self, owner: int) -> None:
        """Drop what ``owner`` registered, because its connection is gone."""
        self._nodes = {name: node for name, node in self._nodes.items() if node[1] != owner}

    def _register(self, request: Alive2Request, owner: int) -> Answer:
        old = request.highest_version < _NEW_VERSION
        if request.node_name in self._nodes or not _usable(request.node_name):
            refused = Alive2Response(result=1, creation=_REFUSED_CREATION, old=old)
            return Answer(reply=refused.encode())
        self._nodes[request.node_name] = (request, owner)
        accepted = Alive2Response(result=0, creation=self._next_creation(old=old), old=old)
        return Answer(reply=accepted.encode(), registered=True)

    def _next_creation(self, *, old: bool) -> int:
        self._creation = max((self._creation + 1) & 0xFFFFFFFF, _FIRST_CREATION)
        return self._creation % _OLD_CREATIONS + 1 if old else self._creation

    def _port_of(self, name: str) -> Port2Response:
        if name not in self._nodes:
            return Port2Response(result=1)
        node, _ = self._nodes[name]
        return Port2Response(
            result=0,
            port_no=node.port_no,
            node_type=node.node_type,
            protocol=node.protocol,
            highest_version=node.highest_version,
            lowest_version=node.lowest_version,
            node_name=name,
            extra=node.extra,
        )


def _usable(name: str) -> bool:
    """Whether a line of NAMES_RESP can hold the name; blanks and line ends would break it."""
    return len(name) <= _MAX_NAME and name.isprintable() and " " not in name
