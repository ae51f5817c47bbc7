"""A remote node, a session of the installed command and a local node, each as users run them.

Every part has its own epmd port and its own cookie, so that whatever works, works because of the
session between them.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.session import ErlconnectSession
from world.usual import USUAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

REMOTE_COOKIE = "remote-cookie-8f3a"
LOCAL_COOKIE = "local-cookie-51c7"
REMOTE_NAME = "app@remote-pod-0.app.default.svc.cluster.local"
LOCAL_NAME = "dev@127.0.0.1"
REMOTE_COOKIE_VARIABLE = "TEST_REMOTE_COOKIE"


class Relay(Protocol):
    """What stands between the session and the remote node."""

    port: int


@dataclass(slots=True, kw_only=True)
class Connected:
    """All that stands; ``alias`` is in the form that ``local`` dials, quoted for Erlang."""

    remote: ErlangNode
    session: ErlconnectSession
    local: ErlangNode
    ready: dict[str, Any]
    local_epmd_port: int
    home: Path

    @property
    def alias(self) -> str:
        return f"'{self.ready['aliases'][0][_form(self.local.name)]}'"

    def call(self, expressions: str, timeout: float = 60) -> str:
        """Evaluate at the local node; ``Alias`` is bound to the alias."""
        return self.local.evaluate(f"Alias = {self.alias}, {expressions}", timeout)

    @property
    def caller(self) -> str:
        """The local node's name on the remote side, quoted for Erlang; waits for its link."""

        def is_up(line: str) -> bool:
            event = json.loads(line)
            return bool(event["event"] == "link-up" and event["local_node"] == self.local.name)

        line = self.session.process.wait_for_line(is_up, stream="stdout")
        return f"'{json.loads(line)['caller_name']}'"

    @contextmanager
    def joined_by(
        self,
        name: str,
        *,
        release: str | None = None,
        flags: Sequence[str] = (),
        short: bool = False,
    ) -> Iterator[Connected]:
        """Run another local node at the same session; it is ``local`` of what this gives."""
        with ErlangNode.start(
            name,
            epmd_port=self.local_epmd_port,
            cookie=LOCAL_COOKIE,
            release=release or USUAL.local,
            flags=flags,
            short=short,
        ) as node:
            yield replace(self, local=node)


def _form(local_name: str) -> str:
    host = local_name.partition("@")[2]
    if ":" in host:
        return "ipv6_alias"
    return "alias" if "." in host else "short_alias"


@contextmanager
def remote_node(
    name: str = REMOTE_NAME,
    *,
    release: str | None = None,
    flags: Sequence[str] = (),
    short: bool = False,
) -> Iterator[ErlangNode]:
    """Run a remote node with an epmd of its own."""
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(
            name,
            epmd_port=epmd.port,
            cookie=REMOTE_COOKIE,
            release=release or USUAL.remote,
            flags=flags,
            short=short,
        ) as node,
    ):
        yield node


@contextmanager
def session_to(
    remote: ErlangNode,
    *options: str,
    home: Path,
    epmd_port: int,
    environment: Mapping[str, str] | None = None,
    cookie: str = REMOTE_COOKIE,
    dist_port: int | None = None,
) -> Iterator[ErlconnectSession]:
    """Run ``erlconnect -b fixed`` to ``remote``, with the cookie in a variable.

    ``dist_port`` is that of a relay before ``remote``.
    """
    host = remote.name.partition("@")[2]
    address = host if host.startswith("127.") else "127.0.0.1"
    port = dist_port or remote.dist_port
    with ErlconnectSession.start(
        *("-b", "fixed", remote.name, "-o", f"address={address}"),
        *("-o", f"dist-port={port}", "--cookie-from", f"env:{REMOTE_COOKIE_VARIABLE}"),
        *options,
        epmd_port=epmd_port,
        home=home,
        environment={REMOTE_COOKIE_VARIABLE: cookie, **(environment or {})},
    ) as session:
        yield session


def home_with_cookie(folder: Path, cookie: str = LOCAL_COOKIE) -> Path:
    """Return ``folder`` the cookie file of a user."""
    file = folder / ".erlang.cookie"
    file.write_text(cookie)
    file.chmod(0o400)
    return folder


@contextmanager
def connected(
    *options: str,
    remote_name: str = REMOTE_NAME,
    remote_release: str | None = None,
    remote_flags: Sequence[str] = (),
    local_name: str = LOCAL_NAME,
    local_release: str | None = None,
    local_flags: Sequence[str] = (),
    local_short: bool = False,
    local_cookie: str = LOCAL_COOKIE,
    relay: Callable[[int], AbstractContextManager[Relay]] | None = None,
) -> Iterator[Connected]:
    """Run all three, and a real epmd for the local side; the local node has not dialled yet.

    ``relay`` makes what the session dials instead of the remote node's port, which it is given.
    """
    with ExitStack() as stack:
        home = home_with_cookie(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        epmd_port = free_port()
        stack.enter_context(RealEpmd(epmd_port))
        remote = stack.enter_context(
            remote_node(
                remote_name,
                release=remote_release,
                flags=remote_flags,
                short="." not in remote_name.partition("@")[2],
            )
        )
        port = stack.enter_context(relay(remote.dist_port)).port if relay else None
        session = stack.enter_context(
            session_to(remote, *options, home=home, epmd_port=epmd_port, dist_port=port)
        )
        ready = session.ready()
        local = stack.enter_context(
            ErlangNode.start(
                local_name,
                epmd_port=epmd_port,
                cookie=local_cookie,
                release=local_release or USUAL.local,
                flags=local_flags,
                short=local_short,
            )
        )
        yield Connected(
            remote=remote,
            session=session,
            local=local,
            ready=ready,
            local_epmd_port=epmd_port,
            home=home,
        )
