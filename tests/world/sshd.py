"""A real sshd on an own port of 127.0.0.1, with keys made for one test.

As root it wants a user and a folder of the system's own; it gets both in a mount namespace, so that
the package need not be installed and the machine stays as it is.
"""

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

_PRIVILEGE_SEPARATION = "sshd:x:65534:65534::/run/sshd:/usr/sbin/nologin\n"
_OWN_SYSTEM = (
    'mount -t tmpfs none /run && mkdir /run/sshd && mount --bind "$0" /etc/passwd && exec "$@"'
)
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
        configuration = folder / "sshd_config"
        configuration.write_text(_SERVER.format(port=self.port, folder=folder))
        self._process = Process([*self._own_system(), program, "-D", "-e", "-f", configuration])
        self._process.wait_for_line("Server listening", 20)

    def command(self, *more: str) -> list[str]:
        """Return the words of an ssh that logs in without asking anything."""
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

    def _own_system(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        users = self._folder / "passwd"
        users.write_text(f"{Path('/etc/passwd').read_text()}{_PRIVILEGE_SEPARATION}")
        return ["unshare", "--mount", "sh", "-c", _OWN_SYSTEM, str(users)]
