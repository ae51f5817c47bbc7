"""Real proxies on own ports of 127.0.0.1: tinyproxy for CONNECT, an ssh for SOCKS 5."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from world.missing import require
from world.ports import free_port, is_open
from world.processes import Process
from world.sshd import SshServer
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TINYPROXY = """\
Port {port}
Listen 127.0.0.1
Timeout 600
LogLevel Info
ConnectPort {allowed}
"""


@contextmanager
def connect_proxy(folder: Path, allowed: int, *, login: str = "") -> Iterator[tuple[str, Process]]:
    """Return its ``HOST:PORT`` and its process; it leads to the port ``allowed`` alone.

    ``login`` is ``NAME:PASSWORD``.
    """
    program = shutil.which("tinyproxy")
    require("tinyproxy", program is not None)
    port = free_port()
    file = folder / "tinyproxy.conf"
    basic = f"BasicAuth {login.replace(':', ' ')}\n" if login else ""
    file.write_text(_TINYPROXY.format(port=port, allowed=allowed) + basic)
    with Process([str(program), "-d", "-c", str(file)]) as process:
        wait_until(lambda: is_open(port), "tinyproxy listens")
        yield f"127.0.0.1:{port}", process


@contextmanager
def socks_proxy(folder: Path) -> Iterator[str]:
    """Return the ``HOST:PORT`` of an ssh client that leads out of an sshd."""
    port = free_port()
    with (
        SshServer(folder) as server,
        Process(server.command("-N", "-D", f"127.0.0.1:{port}")),
    ):
        wait_until(lambda: is_open(port), "ssh listens")
        yield f"127.0.0.1:{port}"
