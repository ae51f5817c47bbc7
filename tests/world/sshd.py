"""A real sshd on an own port of 127.0.0.1, with keys made for one test."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Self

from world.missing import require
from world.ports import free_port
from world.processes import Process

if TYPE_CHECKING:
    from types import TracebackType

_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/user.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
"""


class SshServer:
    """Runs when the constructor returns; ``command`` logs in. Ends as a context manager."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd") or "/usr/sbin/sshd"
        require("sshd", Path(program).exists() and shutil.which("ssh") is not None)
        self.port = free_port()
        self._folder = folder
        for name in ("host", "user"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
            )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        configuration = folder / "sshd_config"
        configuration.write_text(_SERVER.format(port=self.port, folder=folder))
        self._process = Process([program, "-D", "-e", "-f", configuration])
        self._process.wait_for_line("Server listening", 20)

    def command(self, *more: str) -> list[str]:
        """Give the words of an ssh that logs in without asking anything."""
        options = ["BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        words = [word for option in options for word in ("-o", option)]
        user = getpass.getuser()
        login = [*words, "-o", "LogLevel=ERROR", "-i", str(self._folder / "user"), "-l", user]
        return ["ssh", *login, "-p", str(self.port), *more, "127.0.0.1"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
