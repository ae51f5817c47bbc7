"""erlconnect needs no rights: no root, no /etc/hosts, no address of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from end_to_end.evidence import COMMAND, words_of
from end_to_end.machine import Machine, alias_of, fixed
from world.connected import remote_node
from world.missing import require
from world.ports import free_port
from world.processes import Process
from world.session import ErlconnectSession

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


def ways_down() -> list[tuple[list[str], int]]:
    """The words before a command that take every right away, and whose its files then are."""
    if os.geteuid() != 0:
        return [([], os.geteuid())]
    plain = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    namespace = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    # Where only root can read the interpreter, the second way still can.
    return [(plain, NOBODY), (namespace, 0)]


@contextmanager
def machine_of_nobody() -> Iterator[tuple[Machine, list[str]]]:
    """A machine without an epmd, and the words before a command of its unprivileged user."""
    usable = [way for way in ways_down() if works(way[0])]
    require("an unprivileged user", bool(usable))
    words, owner = usable[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for each in ("home", "runtime"):
            (folder / each).mkdir(mode=0o700)
            os.chown(folder / each, owner, -1)
        yield (
            Machine(home=folder / "home", runtime=folder / "runtime", epmd_port=free_port()),
            words,
        )


def works(words: list[str]) -> bool:
    if words and shutil.which(words[0]) is None:
        return False
    done = subprocess.run([*words, COMMAND, "--version"], capture_output=True, check=False)
    return done.returncode == 0


def status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{field}:")).partition(":")[2].strip()


def test_a_user_without_any_right_connects() -> None:
    with remote_node("app@127.0.0.1") as remote, machine_of_nobody() as (here, words):
        process = Process(
            [*words, COMMAND, *fixed(remote), "--json"], environment=here.environment()
        )
        with ErlconnectSession(process) as session:
            ready = session.ready()
            assert "erlconnect" in words_of(session.pid)
            assert int(status(session.pid, "CapEff"), 16) == 0
            ping = f"io:put_chars(atom_to_list(net_adm:ping({alias_of(ready)}))), halt()."
            erl = ["erl", "-noinput", "-name", "dev@127.0.0.1", "-start_epmd", "false"]
            with Process([*words, *erl, "-eval", ping], environment=here.environment()) as local:
                assert local.wait(30) == 0
                assert local.output == "pong"
            assert session.interrupt() == 130
        assert here.left_over_files() == []
        assert [path.name for path in here.home.iterdir()] == [".erlang.cookie"]
