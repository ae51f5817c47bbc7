"""A real release, as ``mix release`` makes it: a shell in it, and its own script run for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import COMMAND
from end_to_end.machine import FROM_VARIABLE, machine
from end_to_end.terminal import AtTerminal
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.missing import require
from world.ports import free_port
from world.processes import Process
from world.waiting import wait_until

from erlconnect.api import cookie_in_flags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = "app@127.0.0.1"
SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One that runs, and how it is found."""

    script: Path
    pid: str
    words: list[str]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it, without dependencies and so without a network."""
    require("mix", shutil.which("mix") is not None)
    folder = tmp_path_factory.mktemp("release")
    environment = {**os.environ, "HOME": str(folder), "MIX_ENV": "prod"}
    for place, words in ((folder, "new built"), (folder / "built", "release --quiet")):
        subprocess.run(
            ["mix", *words.split()],
            cwd=place,
            env=environment,
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
    return folder / "built/_build/prod/rel/built/bin/built"


@contextmanager
def running(script: Path, epmd: RealEpmd, **more: str) -> Iterator[Process]:
    variables = {
        "HOME": str(script.parent),
        "ERL_EPMD_PORT": str(epmd.port),
        "RELEASE_NODE": APP,
        "RELEASE_DISTRIBUTION": "name",
        "RELEASE_COOKIE": REMOTE_COOKIE,
        "ERL_FLAGS": "-start_epmd false",
        **more,
    }
    with Process([script, "start"], environment=variables) as process:
        wait_until(lambda: "app" in epmd.names(), "it is registered", 30)
        yield process


@pytest.fixture(scope="module")
def release(script: Path) -> Iterator[Release]:
    with RealEpmd(free_port()) as epmd, running(script, epmd) as process:
        words = ["-b", "fixed", APP, "-o", f"epmd-port={epmd.port}", *FROM_VARIABLE]
        yield Release(script=script, pid=str(process.pid), words=words)


def test_its_shell_is_iex(release: Release) -> None:
    with (
        machine(epmd=False) as here,
        AtTerminal("shell", *release.words, environment=here.environment()) as terminal,
    ):
        terminal.wait_for(f"iex({APP})1> ")
        terminal.type('Enum.join(["its", "pid", System.pid()], "-")\r')
        terminal.wait_for(f'"its-pid-{release.pid}"')
        terminal.type("\x03")
        terminal.wait_for("(a)bort")
        terminal.type("a\r")
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ("abcdef\n", ""),
        ("-84BlQcX_abc", ""),
        ("abcdef", "-setcookie fromerlflags"),
        ("abcdef", "-setcookie o@h PEER"),
        ("abc def", "-setcookie 'o@h' it's"),
    ],
    ids=["newline", "dash", "two", "peer", "quote"],
)
def test_its_cookie_is_what_its_variables_are_read_as(
    script: Path, tmp_path: Path, given: str, flags: str
) -> None:
    (tmp_path / ".erlang.cookie").write_text(REMOTE_COOKIE)
    (tmp_path / ".erlang.cookie").chmod(0o400)
    variables = {"RELEASE_COOKIE": given, "ERL_FLAGS": f"-start_epmd false {flags}"}
    cookie = cookie_in_flags(variables) or REMOTE_COOKIE
    taken = not given.startswith("-") and flags != "-setcookie fromerlflags"
    assert cookie == (given if taken else REMOTE_COOKIE)
    with (
        RealEpmd(free_port()) as epmd,
        running(script, epmd, HOME=str(tmp_path), **variables),
        machine(epmd=False) as here,
    ):
        words = ["-b", "fixed", APP, "-o", f"epmd-port={epmd.port}"]
        own = {**here.environment(), "RELEASE_COOKIE": cookie}
        done = subprocess.run(
            [COMMAND, "ping", *words, "--cookie-from", "env:RELEASE_COOKIE"],
            env=own,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_script_reaches_it_by_the_variables(release: Release) -> None:
    call = "IO.write([System.pid(), to_string(Node.alive?())])"
    with (
        machine(epmd=False) as here,
        Process(
            [COMMAND, "run", *release.words, "--export-cookie", "--", release.script, "rpc", call],
            environment=here.environment(),
        ) as process,
    ):
        assert process.wait(60) == 0, process.output
        assert process.stdout == f"{release.pid}true"
