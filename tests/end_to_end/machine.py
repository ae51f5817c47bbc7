"""The machine of one user: a HOME with a cookie, an epmd port, folders for what is temporary.

Knows where erlconnect and Erlang look on it; what runs on it is started through it.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from world.connected import LOCAL_COOKIE, LOCAL_NAME, REMOTE_COOKIE, home_with_cookie
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.session import ErlconnectSession
from world.usual import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

VARIABLE = "PRODUCTION_COOKIE"
FROM_VARIABLE = ("--cookie-from", f"env:{VARIABLE}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """``home`` and ``runtime`` (for XDG_RUNTIME_DIR and TMPDIR) are this machine's own."""

    home: Path
    runtime: Path
    epmd_port: int

    def session(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> ErlconnectSession:
        """Run ``erlconnect --json`` here, with the remote cookie in a variable."""
        return ErlconnectSession.start(
            *arguments,
            epmd_port=self.epmd_port,
            home=self.home,
            environment={**self.environment(), **(environment or {})},
        )

    def environment(self) -> dict[str, str]:
        """What sessions here find in their environment."""
        return {
            "HOME": str(self.home),
            "ERL_EPMD_PORT": str(self.epmd_port),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "TMPDIR": str(self.runtime),
            VARIABLE: REMOTE_COOKIE,
        }

    def node(
        self, name: str = LOCAL_NAME, *, cookie: str = LOCAL_COOKIE, flags: Sequence[str] = ()
    ) -> ErlangNode:
        """Run a real Erlang node here."""
        return ErlangNode.start(
            name,
            epmd_port=self.epmd_port,
            cookie=cookie,
            release=USUAL.local,
            flags=flags,
            short="." not in name and ":" not in name,
        )

    def left_over_files(self) -> list[str]:
        """What was left in the folders for temporary files."""
        return sorted(str(path.relative_to(self.runtime)) for path in self.runtime.rglob("*"))


@contextmanager
def machine(*, cookie: str | None = LOCAL_COOKIE, epmd: bool = True) -> Iterator[Machine]:
    """A machine with a real epmd, or without any, for the session to serve one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in ("home", "runtime"):
            (folder / each).mkdir(mode=0o700)
        if cookie is not None:
            home_with_cookie(folder / "home", cookie)
        here = Machine(
            home=folder / "home",
            runtime=folder / "runtime",
            epmd_port=free_port(),
        )
        if not epmd:
            yield here
            return
        with RealEpmd(here.epmd_port):
            yield here


def fixed(remote: ErlangNode) -> list[str]:
    """The words that lead to ``remote`` by its port."""
    host = remote.name.partition("@")[2]
    address = host if host.startswith("127.") else "127.0.0.1"
    return [
        *("-b", "fixed", remote.name, "-o", f"address={address}"),
        *("-o", f"dist-port={remote.dist_port}", *FROM_VARIABLE),
    ]


def alias_of(ready: Mapping[str, Any], form: str = "alias") -> str:
    """The alias of ``ready``, quoted for Erlang."""
    return f"'{ready['aliases'][0][form]}'"


def is_gone(pid: int) -> bool:
    """Whether no process has that id any more."""
    return not Path(f"/proc/{pid}").exists()
