"""Erlang servers that others wrote, as Debian packages them: RabbitMQ and ejabberd, and their tools.

``python -m world.erlang_servers`` builds the tree that they run in by chroot. Each process gets
mounts of its own, so that nothing of it stays in the tree and the machine sees nothing of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from world import trees
from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TREE: Final = "erlang-servers"
_SUITE: Final = "bookworm"
# The tools are scripts, and such a tree has only what is named here.
_SCRIPTING: Final = "dash,bash,coreutils,sed,grep,gawk,procps,hostname,findutils,libc-bin"
_PACKAGES: Final = f"{_SCRIPTING},base-passwd,rabbitmq-server,ejabberd"
_SECONDS: Final = 120
_OWN_MOUNTS: Final = """
    mount -t proc proc "$TREE/proc"
    mount --bind "$HOSTS" "$TREE/etc/hosts"
    for folder in $FRESH; do mount -t tmpfs none "$TREE$folder"; done
    cp "$COOKIE" "$TREE$HOME/.erlang.cookie"
    chmod 400 "$TREE$HOME/.erlang.cookie"
    chown -R "$OWNER" $(for folder in $FRESH; do echo "$TREE$folder"; done)
    exec chroot --userspec="$OWNER" "$TREE" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """How one program of the tree runs: its user, its home with a cookie, its own empty folders.

    ``folder`` is a temporary one of the test's; ``hosts`` are names for 127.0.0.1.
    """

    folder: Path
    cookie: str
    hosts: Sequence[str] = ()
    home: str = "/root"
    fresh: Sequence[str] = ()
    owner: str = "0:0"
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *words: str) -> list[str]:
        """Give the words that run ``words`` in the tree; skip the test where there is no tree."""
        tree = trees.available(_TREE)
        require("RabbitMQ and ejabberd", tree is not None)
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": self.home,
            **_mark_of_the_run(),
            **self.environment,
            "TREE": str(tree),
            "OWNER": self.owner,
            "FRESH": " ".join([self.home, *self.fresh]),
            "COOKIE": str(self._write("cookie", self.cookie)),
            "HOSTS": str(
                self._write("hosts", f"127.0.0.1 {' '.join(['localhost', *self.hosts])}\n")
            ),
        }
        settings = [f"{name}={text}" for name, text in variables.items()]
        return [
            "env",
            "-i",
            *settings,
            "unshare",
            "--mount",
            "sh",
            "-ec",
            _OWN_MOUNTS,
            "sh",
            *words,
        ]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run ``words`` in the tree to their end; what it says on stderr stands behind the rest."""
        return subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_SECONDS,
        )

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        return path


def _mark_of_the_run() -> dict[str, str]:
    """What every process of a test run inherits, so that none is left behind unseen."""
    return {
        name: text for name, text in os.environ.items() if name.startswith("ERLCONNECT_TEST_RUN")
    }


def _check(tree: Path) -> None:
    for program in ("rabbitmqctl", "ejabberdctl"):
        if not (tree / "usr/sbin" / program).exists():
            raise LookupError(f"Debian's {_SUITE} has no {program}")
    # Places that programs mount their own over.
    (tree / "root").mkdir(exist_ok=True)
    (tree / "etc/hosts").touch()


def main() -> int:
    """Build the tree if it is missing; 1 if it could not be built."""
    if trees.available(_TREE):
        return 0
    building = lambda: trees.build(_TREE, _SUITE, _PACKAGES, _check)  # noqa: E731 - one call
    return 0 if trees.build_and_tell("RabbitMQ and ejabberd", building) else 1


if __name__ == "__main__":
    sys.exit(main())
