"""The remote shells of every release, ``erl -remsh`` and ``iex --remsh``, with any input.

Knows how each is started, through a session or beside the remote node; a test says what it is fed.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from end_to_end.elixir import start_iex
from end_to_end.terminal import AtTerminal
from world import releases
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE, connected, remote_node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from world.erlang import ErlangNode
    from world.session import ErlconnectSession

SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """One shell and its node: ``program`` is ``erl`` or ``iex``, the others OTP releases."""

    program: str
    local: str
    remote: str

    @property
    def id(self) -> str:
        return f"{self.program} {self.local}>{self.remote}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """A remote node, and the words and variables with which a shell reaches it."""

    shell: Shell
    remote: ErlangNode
    node: str
    cookie: str
    epmd_port: int
    session: ErlconnectSession | None = None

    @property
    def command(self) -> list[str]:
        tree = releases.available().get(self.shell.local)
        name, cookie, remsh = (
            ("--name", "--cookie", "--remsh")
            if self.shell.program == "iex"
            else ("-name", "-setcookie", "-remsh")
        )
        return [
            *(("chroot", str(tree)) if tree else ()),
            *(self.shell.program, name, "shell@127.0.0.1", cookie, self.cookie),
            *(remsh, self.node),
        ]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "ERL_EPMD_PORT": str(self.epmd_port),
            "ERL_FLAGS": "-start_epmd false",
            "ERL_CRASH_DUMP_BYTES": "0",
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
        }

    @property
    def processes(self) -> str:
        """How many processes the remote node has."""
        return self.remote.evaluate("length(processes()).")

    @property
    def lives(self) -> bool:
        return self.remote.process.returncode is None

    def run(self, stdin: IO[bytes] | int, text: bytes | None = None) -> int:
        """Run the shell to its end; ``text`` is what a pipe brings before it ends."""
        ran = subprocess.run(
            self.command,
            env={**os.environ, **self.environment},
            stdin=None if text is not None else stdin,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        return ran.returncode

    @contextmanager
    def held(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run the shell with pipes that stay open."""
        with subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as child:
            try:
                yield child
            finally:
                child.kill()

    @contextmanager
    def at_terminal(self, **variables: str) -> Iterator[AtTerminal]:
        """Run the shell at a terminal, as a person does."""
        program, *words = self.command
        environment = {**self.environment, **variables}
        with AtTerminal(*words, environment=environment, program=program) as terminal:
            yield terminal


@contextmanager
def through(shell: Shell, *options: str) -> Iterator[Reach]:
    """Reach a remote node through a session."""
    with connected(*options, remote_release=shell.remote, local_name="other@127.0.0.1") as world:
        if shell.program == "iex":
            start_iex(world.remote)
        yield Reach(
            shell=shell,
            remote=world.remote,
            node=world.alias.strip("'"),
            cookie=LOCAL_COOKIE,
            epmd_port=world.local_epmd_port,
            session=world.session,
        )


@contextmanager
def direct(shell: Shell) -> Iterator[Reach]:
    """Reach a remote node without anything between."""
    with remote_node("app@127.0.0.1", release=shell.remote) as remote:
        if shell.program == "iex":
            start_iex(remote)
        yield Reach(
            shell=shell,
            remote=remote,
            node=remote.name,
            cookie=REMOTE_COOKIE,
            epmd_port=remote.epmd_port,
        )
