"""Real Erlang nodes that evaluate what a test sends them.

Knows how ``erl`` is started, in which release and which network namespace; how it is asked is in
``erlang_control``. No node here starts an epmd of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from world import releases
from world.erlang_control import LOOP, Control
from world.missing import require
from world.namespaces import prefix as prefix_of
from world.ports import free_port
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

_LISTEN = "inet_dist_listen_min"
_START_SECONDS = 30
_STOP_SECONDS = 5


class ErlangNode:
    """One running node; a context manager that stops it."""

    def __init__(
        self, name: str, *, epmd_port: int, dist_port: int, process: Process, control: Control
    ) -> None:
        """Use :meth:`start`."""
        self.name = name
        self.epmd_port = epmd_port
        self.dist_port = dist_port
        self.process = process
        self._control = control

    @classmethod
    def start(
        cls,
        name: str,
        *,
        epmd_port: int,
        cookie: str,
        release: str = "25",
        flags: Sequence[str] = (),
        short: bool = False,
        environment: Mapping[str, str] | None = None,
        namespace: str | None = None,
        inside: Sequence[str] = (),
    ) -> Self:
        """Start ``name`` (``app@127.0.0.1``) and return when it evaluates.

        ``release`` is the OTP number. The distribution listens on ``dist_port``, a free one
        unless ``flags`` give ``inet_dist_listen_min``. ``environment`` is added to the tests' own;
        ``namespace`` is the name of a network namespace, whose own epmd serves it, and ``inside``
        are the words before a command that shall run in another place. With an empty ``cookie``
        the node takes the one of its HOME.
        """
        root, prefix = _way_in(release, inside if namespace is None else prefix_of(namespace))
        dist_port = _listen_port(flags)
        control = Control(root)
        folder = control.path_in_node.parent
        command = [
            *prefix,
            "erl",
            *("-sname" if short else "-name", name),
            *(("-setcookie", cookie) if cookie else ()),
            *("-noinput", "-start_epmd", "false"),
            *(() if _LISTEN in flags else _listen_flags(dist_port)),
            *flags,
            *("-eval", LOOP),
        ]
        variables = {
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_CRASH_DUMP_BYTES": "0",
            "HOME": str(folder),
            "CONTROL_SOCKET": str(control.path_in_node),
            **(environment or {}),
        }
        node = cls(
            name,
            epmd_port=epmd_port,
            dist_port=dist_port,
            process=Process(command, environment=variables),
            control=control,
        )
        try:
            node._await_start()
        except BaseException:
            node.kill()
            raise
        return node

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        return self.process.pid

    def evaluate(self, expressions: str, timeout: float = 30) -> str:
        """The value of ``expressions`` (``"1 + 1."``), printed on one line.

        All evaluations of a node run in one process, with fresh bindings each. Raises
        AssertionError with the Erlang exception, and TimeoutError, after which the node is of no
        further use.
        """
        worked, printed = self._control.ask(expressions, timeout)
        assert worked, f"{self.name}: {expressions}\n{printed}"
        return printed

    def stop(self) -> None:
        """Halt the node, which takes some milliseconds (``init:stop()`` takes a second)."""
        self._control.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except AssertionError:
            self.process.kill()

    def kill(self) -> None:
        """End the node by SIGKILL, as a crash does."""
        self.process.kill()
        self._control.close()

    def _await_start(self) -> None:
        for _ in range(_START_SECONDS):
            if self._control.accept(1):
                self.evaluate("ok.")
                return
            if self.process.returncode is not None:
                break
        raise AssertionError(f"{self.name} did not start:\n{self.process.output}")


def erl_call(
    node: str, expressions: str, *, cookie: str, epmd_port: int, timeout: float = 30
) -> subprocess.CompletedProcess[str]:
    """Evaluate in ``node`` through the real ``erl_call -e``, which speaks its own distribution."""
    require("erl_call", shutil.which("erl_call") is not None)
    return subprocess.run(
        ["erl_call", "-c", cookie, "-name", node, "-timeout", str(int(timeout)), "-e"],
        input=expressions + "\n",
        env={**os.environ, "ERL_EPMD_PORT": str(epmd_port)},
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout + 5,
    )


def _way_in(release: str, inside: Sequence[str]) -> tuple[Path, list[str]]:
    if release == "25":
        require("OTP 25", shutil.which("erl") is not None)
        return Path("/"), [*inside]
    trees = releases.available()
    require(f"OTP {release}", release in trees)
    return trees[release], [*inside, "chroot", str(trees[release])]


def _listen_port(flags: Sequence[str]) -> int:
    return int(flags[flags.index(_LISTEN) + 1]) if _LISTEN in flags else free_port()


def _listen_flags(port: int) -> list[str]:
    return ["-kernel", _LISTEN, str(port), "inet_dist_listen_max", str(port)]
