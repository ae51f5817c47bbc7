"""Our own client connected to a real node, and random terms to say to it."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

from world.connected import REMOTE_COOKIE

from erlconnect.api import Cookie
from erlconnect.client.calls import Returned, call
from erlconnect.client.connection import (
    CLAIMED_FLAGS,
    MAX_FRAME,
    NodeConnection,
    background,
    node_connection,
)
from erlconnect.client.group_leader import GroupLeader
from erlconnect.distribution.etf import (
    Atom,
    Bitstring,
    Export,
    ImproperList,
    Map,
    Pid,
    Port,
    Reference,
    Term,
    encode,
)
from erlconnect.proxy.node_client import NodeClient
from erlconnect.proxy.timing import Timer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from world.erlang import ErlangNode

CALLER = "test-client@erlconnect.invalid"


class Client:
    """A connection, and a group leader whose output is in ``output``."""

    def __init__(self, connection: NodeConnection) -> None:
        self.connection = connection
        self.output: list[str] = []
        self.leader = GroupLeader(connection, self.output.append)

    async def call(self, module: str, function: str, *args: Term) -> Term:
        """What a call returns that has to return."""
        outcome = await call(
            self.connection, module, function, args, group_leader=self.leader.pid, seconds=60
        )
        assert isinstance(outcome, Returned), outcome
        return outcome.value


@asynccontextmanager
async def client_of(node: ErlangNode, *, flags: int = CLAIMED_FLAGS) -> AsyncIterator[Client]:
    sock = socket.create_connection(("127.0.0.1", node.dist_port))
    sock.setblocking(False)
    own = NodeClient(
        sock,
        caller_name=CALLER,
        where=f"{node.name} at 127.0.0.1:{node.dist_port}",
        stopwatch=Timer(),
        flags=flags,
        max_frame=MAX_FRAME,
    )
    try:
        await own.shake_hands(Cookie(REMOTE_COOKIE, origin="a test"), _nothing)
        async with node_connection(own, node.name) as connection:
            client = Client(connection)
            async with background(client.leader.serve()):
                yield client
    finally:
        await own.close()


async def _nothing() -> str:
    return ""


_LETTERS = "abyzAZ09_@.- \n\t\"'\\#{éßÿλж語😀\x00\x1b\x7f\x9f"


class Author:
    """Makes random terms; ``written`` leaves out those that have no syntax."""

    def __init__(self, seed: int, *, written: bool = False) -> None:
        self.random = Random(seed)
        self._leaves: list[Callable[[], Term]] = [
            self.atom,
            self.integer,
            lambda: self.random.choice([0.0, 1.5, -2.25, 1e22, 1e-7, self.random.random() * 1e10]),
            lambda: self.random.randbytes(self.random.randint(0, 12)),
            lambda: self.text().encode(),
            lambda: [ord(letter) for letter in self.text()],
            lambda: Bitstring(self.random.choice([b"\x80", b"ab\xe0"]), self.random.choice([1, 3])),
            lambda: Export(
                module=self.name(), function=self.name(), arity=self.random.randint(0, 9)
            ),
            list,
            tuple,
            Map,
        ]
        if not written:
            self._leaves += [self.pid, self.port, self.reference]

    def terms(self, count: int) -> list[Term]:
        return [self.term(12) for _ in range(count)]

    def term(self, leaves: int) -> Term:
        if leaves <= 1 or self.random.random() < 0.2:
            return self._clean(self.random.choice(self._leaves)())
        parts = [self.term(leaves // 3) for _ in range(self.random.randint(1, 5))]
        match self.random.randrange(4):
            case 0:
                return parts
            case 1:
                return tuple(parts)
            case 2:
                tails: list[Term] = [self.integer(), self.atom(), (1,)]
                tail = self.random.choice(tails)
                return ImproperList(tuple(parts), tail)
        keys = {encode(canonical(part)): part for part in parts}
        return Map(tuple((key, self.term(2)) for key in keys.values()))

    def text(self) -> str:
        return "".join(self.random.choices(_LETTERS, k=self.random.randint(0, 8)))

    def atom(self) -> Atom:
        common = ["ok", "error", "nil", "true", "end", "Elixir.Shop.Release", "a@b", "f!", ""]
        return Atom(self.random.choice([*common, self.text()]))

    def name(self) -> str:
        """An atom of ASCII: ``io_lib`` prints the bytes of any other one, in funs."""
        return "".join(self.random.choices("abyzAZ09_@.- \n'\\", k=self.random.randint(0, 8)))

    def integer(self) -> int:
        bits = self.random.choice([4, 8, 31, 32, 60, 64, 200, 2100])
        return self.random.randint(-(2**bits), 2**bits)

    def pid(self) -> Pid:
        return Pid(node="a@b", id=self.random.getrandbits(15), serial=3, creation=7)

    def port(self) -> Port:
        return Port(node="a@b", id=self.random.getrandbits(28), creation=7)

    def reference(self) -> Reference:
        words = (self.random.getrandbits(18), self.random.getrandbits(32), 9)
        return Reference(node="a@b", creation=7, words=words)

    @staticmethod
    def _clean(term: object) -> Term:
        if isinstance(term, Bitstring):  # the bits beyond its end are zero
            last = term.data[-1] >> (8 - term.last_bits) << (8 - term.last_bits)
            return Bitstring(term.data[:-1] + bytes([last]), term.last_bits)
        return term  # type: ignore[return-value]


def canonical(term: Term) -> Term:
    """``term`` with the pairs of its maps in one order."""
    match term:
        case tuple():
            return tuple(map(canonical, term))
        case list():
            return [canonical(one) for one in term]
        case ImproperList():
            return ImproperList(tuple(map(canonical, term.elements)), canonical(term.tail))
        case Map():
            pairs = [(canonical(key), canonical(value)) for key, value in term.pairs]
            return Map(tuple(sorted(pairs, key=lambda pair: encode(pair[0]))))
    return term


def same(left: Sequence[Term], right: Term) -> None:
    """Compare by what is on the wire, where 1 and 1.0 differ."""
    assert isinstance(right, list)
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        assert encode(canonical(one)) == encode(canonical(other)), (one, other)
