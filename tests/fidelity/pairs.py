"""The releases of Erlang on both sides of a link, and what stands for one pair of them.

Knows which releases connect without a session between them. Per pair: a remote node, a session
and a local node, and on demand a local node that dials the remote one itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from end_to_end.mirrored import load, mirrored
from world.connected import LOCAL_NAME, REMOTE_COOKIE
from world.erlang import ErlangNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

PROGRAMS: Final = Path(__file__).parent / "programs"
PAIRS: Final = [
    *(("23", "23"), ("23", "25"), ("25", "23"), ("25", "25")),
    *(("25", "27"), ("27", "25"), ("25", "29"), ("29", "25")),
    *(("27", "27"), ("27", "29"), ("29", "27"), ("29", "29")),
]
"""Local and remote release of every pair that connects."""
REFUSING: Final = [("23", "27"), ("27", "23"), ("23", "29"), ("29", "23")]
"""The newer one asks for what OTP 23 does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two releases that are connected by a session; ``local`` and ``remote`` are their numbers."""

    local: str
    remote: str
    world: Connected

    @contextmanager
    def direct(self) -> Iterator[ErlangNode]:
        """Run a local node on the remote side of the session, where it needs none."""
        with resolving(self.world.remote, LOCAL_NAME, release=self.local) as node:
            yield node


@contextmanager
def resolving(remote: ErlangNode, name: str, *, release: str) -> Iterator[ErlangNode]:
    """Run a hidden node beside ``remote`` that knows where the host of that one's name is."""
    with ErlangNode.start(
        name,
        epmd_port=remote.epmd_port,
        cookie=REMOTE_COOKIE,
        release=release,
        flags=("-hidden",),
    ) as node:
        host = remote.name.partition("@")[2]
        known = f'ok = inet_db:add_host({{127,0,0,1}}, ["{host}"])'
        node.evaluate(f"{known}, inet_db:set_lookup([file, native]).")
        yield node


@contextmanager
def paired(local: str, remote: str, *options: str, **settings: str) -> Iterator[Pair]:
    """Connect the two releases, with ``mirror`` and ``calls`` in both nodes."""
    with mirrored(*options, local_release=local, remote_release=remote, **settings) as world:
        load("calls", world.remote, world.local)
        assert world.call("net_adm:ping(Alias).") == "pong"
        yield Pair(local=local, remote=remote, world=world)
        said = world.remote.process.output + world.local.process.output
        assert "Invalid distribution message" not in said
