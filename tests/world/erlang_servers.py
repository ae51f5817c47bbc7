"""RabbitMQ and ejabberd with their tools, as Debian packages them: servers that others wrote.

``python -m world.erlang_servers`` builds the tree that they run in by chroot. Each process gets
mounts of its own, so that nothing of it stays in the tree and the machine sees nothing of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from world import trees
from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_TREE: Final = "erlang-servers"
_SUITE: Final = "bookworm"
# The tools are scripts, and such a tree has only what is named here.
_SCRIPTING: Final = "dash,bash,coreutils,sed,grep,gawk,procps,hostname,findutils,libc-bin"
_PACKAGES: Final = f"{_SCRIPTING},base-passwd,rabbitmq-server,ejabberd"
_SECONDS: Final = 120
_USERS: Final = (
    "root:x:0:0:root:/root:/bin/sh\nejabberd:x:111:111:ejabberd:/var/lib/ejabberd:/bin/sh\n"
)
_OWN_MOUNTS: Final = """
    mount -t proc proc "$TREE/proc"
    mount --bind "$FOLDER" "$TREE/mnt"
    mount --bind "$FOLDER/hosts" "$TREE/etc/hosts"
    for folder in $FRESH; do
        mount -t tmpfs none "$TREE$folder"
        chown "$OWNER" "$TREE$folder"
    done
    cp "$FOLDER/cookie" "$TREE$HOME/.erlang.cookie"
    chmod 400 "$TREE$HOME/.erlang.cookie"
    chown "$OWNER" "$TREE$HOME/.erlang.cookie"
    exec chroot --userspec="$OWNER" "$TREE" "$@"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """How one program of the tree runs: its user, its home with a cookie, its own empty folders.

    ``folder`` is a temporary one of the test's, and ``/mnt`` inside; ``hosts`` are names for
    127.0.0.1.
    """

    folder: Path
    cookie: str
    hosts: Sequence[str] = ()
    home: str = "/root"
    fresh: Sequence[str] = ()
    owner: str = "0:0"
    environment: Mapping[str, str] = field(default_factory=dict)

    def command(self, *words: str) -> list[str]:
        """Return the words that run ``words`` in the tree; skip the test where there is no tree."""
        tree = trees.available(_TREE)
        require("RabbitMQ and ejabberd", tree is not None)
        self.folder.chmod(0o755)
        (self.folder / "cookie").write_text(self.cookie)
        (self.folder / "hosts").write_text(f"127.0.0.1 {' '.join(['localhost', *self.hosts])}\n")
        variables = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": self.home,
            **_mark_of_the_run(),
            **self.environment,
            "TREE": str(tree),
            "OWNER": self.owner,
            "FRESH": " ".join([self.home, *self.fresh]),
            "FOLDER": str(self.folder),
        }
        settings = [f"{name}={text}" for name, text in variables.items()]
        own = ["unshare", "--mount", "sh", "-ec", _OWN_MOUNTS, "sh"]
        return ["env", "-i", *settings, *own, *words]

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


def _mark_of_the_run() -> dict[str, str]:
    """What every process of a test run inherits, so that none is left behind unseen."""
    mark = "ERLCONNECT_TEST_RUN"
    return {name: text for name, text in os.environ.items() if name.startswith(mark)}


def _complete(tree: Path) -> None:
    """Add what the packages' scripts would have: users, awk, places to mount something over."""
    for program in ("rabbitmqctl", "ejabberdctl"):
        if not (tree / "usr/sbin" / program).exists():
            raise LookupError(f"Debian's {_SUITE} has no {program}")
    (tree / "usr/bin/awk").symlink_to("gawk")
    (tree / "root").mkdir(exist_ok=True)
    (tree / "mnt").mkdir(exist_ok=True)
    (tree / "etc/passwd").write_text(_USERS)


def build() -> None:
    """Build the tree unless it is there. Raises CalledProcessError, LookupError."""
    trees.build(_TREE, _SUITE, _PACKAGES, _complete)


def main() -> int:
    """Build the tree if it is missing; 1 if it could not be built."""
    there = trees.available(_TREE) is not None
    return 0 if there or trees.build_and_tell("RabbitMQ and ejabberd", build) else 1


if __name__ == "__main__":
    sys.exit(main())
