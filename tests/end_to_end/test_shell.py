"""``erlconnect shell``: one command at a terminal, and a prompt of the remote node."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.elixir import start_iex
from end_to_end.evidence import COMMAND, WRONG_COOKIE, assert_no_secret, family, words_of
from end_to_end.machine import fixed, is_gone, machine
from end_to_end.terminal import AtTerminal
from end_to_end.test_tools import ELIXIR
from world.connected import REMOTE_COOKIE, REMOTE_NAME, remote_node
from world.missing import require
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

PROMPT = f"({REMOTE_NAME})1> "


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    """Without Elixir."""
    with remote_node() as node:
        yield node


@pytest.fixture(scope="module")
def elixir_remote() -> Iterator[ErlangNode]:
    with node_with_elixir() as node:
        yield node


@contextmanager
def node_with_elixir(name: str = REMOTE_NAME) -> Iterator[ErlangNode]:
    """A remote node that runs Elixir and has IEx, as a release does."""
    require("iex", shutil.which("iex") is not None)
    with remote_node(name) as node:
        start_iex(node)
        yield node


@contextmanager
def shell(
    here: Machine, remote: ErlangNode, *options: str, **variables: str
) -> Iterator[AtTerminal]:
    words = ["shell", *fixed(remote), *options]
    with AtTerminal(*words, environment={**here.environment(), **variables}) as terminal:
        yield terminal


def quit_erl(terminal: AtTerminal) -> None:
    """As people leave a remote shell: Ctrl-G, and q."""
    terminal.type("\x07")
    terminal.wait_for("-->")
    terminal.type("q\r")


def assert_nothing_is_left(here: Machine) -> None:
    assert here.left_over_files() == []
    assert sorted(path.name for path in here.home.iterdir()) == [".erlang.cookie"]


def test_erl_opens_where_the_remote_node_has_no_elixir(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        with shell(here, remote) as terminal:
            terminal.wait_for(PROMPT)
            assert f"{REMOTE_NAME} at 127.0.0.1:{remote.dist_port} (fixed)" in terminal.screen
            terminal.type('lists:join($-, ["its", "pid", os:getpid()]).\r')
            terminal.wait_for(f'["its",45,"pid",45,"{remote.pid}"]')
            terminal.type("nodes(hidden).\r")
            terminal.wait_for("['shell-")
            terminal.wait_for("@erlconnect.invalid")
            assert remote.evaluate("nodes().") == "[]"
            quit_erl(terminal)
            assert terminal.wait() == 0
        assert_no_secret(terminal.screen)
        assert_nothing_is_left(here)


def test_iex_opens_where_the_remote_node_runs_it(elixir_remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        with shell(here, elixir_remote) as terminal:
            terminal.wait_for(f"iex({REMOTE_NAME})1> ")
            terminal.type('Enum.join(["its", "pid", System.pid()], "-")\r')
            terminal.wait_for(f'"its-pid-{elixir_remote.pid}"')
            # Ctrl-C is the shell's: erl's menu comes, and erlconnect goes on.
            terminal.type("\x03")
            terminal.wait_for("(a)bort")
            terminal.type("c\r")
            terminal.type('Enum.join(["still", "here"], "-")\r')
            terminal.wait_for('"still-here"')
            terminal.type("\x03")
            terminal.wait_for("(a)bort", number=2)
            terminal.type("a\r")
            assert terminal.wait() == 0
        assert_nothing_is_left(here)


def test_elixir_that_does_not_run_is_none() -> None:
    """Its files are there, and iex could not start."""
    with (
        remote_node(flags=[word for path in ELIXIR for word in ("-pa", str(path))]) as remote,
        machine(epmd=False) as here,
        shell(here, remote) as terminal,
    ):
        terminal.wait_for(PROMPT)
        quit_erl(terminal)
        assert terminal.wait() == 0


def test_erl_opens_where_the_remote_elixir_is_another() -> None:
    """OTP 27 comes with Elixir 1.18, whose IEx has no use for that of 1.14."""
    require("iex", shutil.which("iex") is not None)
    with remote_node(release="27") as remote, machine(epmd=False) as here:
        start_iex(remote)
        with shell(here, remote) as terminal:
            terminal.wait_for(PROMPT)
            said = " ".join(terminal.screen.split())
            assert "so this is erl; --iex tries it all the same. With Elixir 1.18 here" in said
            quit_erl(terminal)
            assert terminal.wait() == 0
        with shell(here, remote, "--iex") as terminal:
            terminal.wait_for("it may end at once")
            terminal.wait_for("Shell process terminated!")


def test_erl_can_be_asked_for(elixir_remote: ErlangNode) -> None:
    with machine(epmd=False) as here, shell(here, elixir_remote, "--erl") as terminal:
        terminal.wait_for(PROMPT)
        quit_erl(terminal)
        assert terminal.wait() == 0


def test_it_shares_neither_cookie_nor_epmd_nor_name_with_anybody(remote: ErlangNode) -> None:
    """The cookie is in a file that nobody else can read, and in no argument and no environment."""
    with machine() as here, shell(here, remote) as terminal, here.node("shell@127.0.0.1"):
        (here.home / "notes").write_text("mine")
        terminal.wait_for(PROMPT)
        [erl] = [pid for pid in family(terminal.pid) if "beam" in words_of(pid)]
        variables = environment_of(erl)
        home = Path(variables["HOME"])
        cookie = home / ".erlang.cookie"
        assert home.is_relative_to(here.runtime)
        assert home.parent.stat().st_mode & 0o777 == home.stat().st_mode & 0o777 == 0o700
        assert cookie.stat().st_mode & 0o777 == 0o400
        text = cookie.read_text()
        assert re.fullmatch("[A-Z]{20}", text)
        assert text != (here.home / ".erlang.cookie").read_text()
        assert variables["ERL_EPMD_PORT"] != str(here.epmd_port)
        for pid in family(terminal.pid):
            assert_no_secret(words_of(pid))
            assert text not in words_of(pid)
            assert text not in str(environment_of(pid))
        quit_erl(terminal)
        assert terminal.wait() == 0


def test_the_home_holds_everything_else_that_is_the_users(remote: ErlangNode) -> None:
    with machine() as here:
        (here.home / ".tool-versions").write_text("erlang 25\n")
        with shell(here, remote) as terminal:
            terminal.wait_for(PROMPT)
            [erl] = [pid for pid in family(terminal.pid) if "beam" in words_of(pid)]
            home = Path(environment_of(erl)["HOME"])
            assert (home / ".tool-versions").read_text() == "erlang 25\n"
            quit_erl(terminal)
            assert terminal.wait() == 0


def test_with_passthrough_the_cookie_is_the_users_own(remote: ErlangNode) -> None:
    """Nobody between knows it; the home stays as it is."""
    words = ("--cookie-from", "passthrough")
    with machine(cookie=REMOTE_COOKIE) as here, shell(here, remote, *words) as terminal:
        terminal.wait_for(PROMPT)
        [erl] = [pid for pid in family(terminal.pid) if "beam" in words_of(pid)]
        assert environment_of(erl)["HOME"] == str(here.home)
        assert environment_of(erl)["ERLCONNECT_COOKIE_FILE"] == str(here.home / ".erlang.cookie")
        quit_erl(terminal)
        assert terminal.wait() == 0


def test_the_name_over_there_is_the_same_each_time(remote: ErlangNode) -> None:
    """Every new one would stay in the remote node's atom table for ever."""
    names = set()
    with machine(epmd=False) as here:
        for _ in range(2):
            with shell(here, remote) as terminal:
                terminal.wait_for(PROMPT)
                names.add(remote.evaluate("nodes(hidden)."))
                quit_erl(terminal)
                assert terminal.wait() == 0
            wait_until(lambda: remote.evaluate("nodes(hidden).") == "[]", "it is gone")
    [name] = names
    assert re.fullmatch(r"\['shell-\w+-[0-9a-f]{8}@erlconnect\.invalid'\]", name)


def test_a_wrong_cookie_opens_no_shell(remote: ErlangNode) -> None:
    with (
        machine() as here,
        shell(here, remote, PRODUCTION_COOKIE=WRONG_COOKIE) as terminal,
    ):
        assert terminal.wait() == 77
        assert "cookie" in terminal.screen
        assert "Eshell" not in terminal.screen
        assert_no_secret(terminal.screen)
        assert_nothing_is_left(here)


def test_a_node_that_is_not_there_opens_no_shell() -> None:
    words = ["shell", "-b", "fixed", "app@127.0.0.1", "-o", "dist-port=1"]
    with machine() as here, AtTerminal(*words, environment=here.environment()) as terminal:
        assert terminal.wait() == 69
        assert "error: " in terminal.screen
        assert_nothing_is_left(here)


def test_ctrl_c_while_it_opens(remote: ErlangNode) -> None:
    words = ["shell", *fixed(remote), "--cookie-from", "command:sleep 60"]
    with machine() as here, AtTerminal(*words, environment=here.environment()) as terminal:
        terminal.wait_for("fetching the cookie")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert_nothing_is_left(here)


def test_a_signal_ends_shell_and_session_and_leaves_the_terminal_usable(
    remote: ErlangNode,
) -> None:
    with machine(epmd=False) as here, shell(here, remote) as terminal:
        terminal.wait_for(PROMPT)
        [erl] = [pid for pid in family(terminal.pid) if "beam" in words_of(pid)]
        assert not terminal.echoes
        os.kill(terminal.pid, signal.SIGTERM)
        wait_until(lambda: is_gone(erl), "erl ended")
        terminal.wait()
        assert terminal.echoes
        assert_nothing_is_left(here)


def test_a_terminal_that_is_closed_ends_all(remote: ErlangNode) -> None:
    with machine(epmd=False) as here, shell(here, remote) as terminal:
        terminal.wait_for(PROMPT)
        everybody = family(terminal.pid)
        terminal.hang_up()
        terminal.wait()
        wait_until(lambda: all(map(is_gone, everybody)), "everybody ended")
        assert_nothing_is_left(here)


def test_what_a_crash_leaves_is_removed_by_the_next_run(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        with shell(here, remote) as terminal:
            terminal.wait_for(PROMPT)
            family_before = family(terminal.pid)[1:]
            os.kill(terminal.pid, signal.SIGKILL)
            terminal.hang_up()
            wait_until(lambda: all(map(is_gone, family_before)), "the shell noticed")
        assert any(name.endswith(".erlang.cookie") for name in here.left_over_files())
        with Process(
            [COMMAND, "run", *fixed(remote), "--", "true"], environment=here.environment()
        ) as process:
            assert process.wait(30) == 0
        assert_nothing_is_left(here)


@pytest.mark.parametrize("words", [["--iex"], []])
def test_what_is_not_installed_is_named(
    remote: ErlangNode, words: list[str], tmp_path: Path
) -> None:
    with machine() as here, shell(here, remote, *words, PATH=str(tmp_path)) as terminal:
        assert terminal.wait() == 78
        assert "erl is not on the PATH" in terminal.screen


def test_a_pipe_is_refused(remote: ErlangNode) -> None:
    """Erl and iex would evaluate in the local node then, and say nothing of it."""
    with machine() as here:
        done = subprocess.run(
            [COMMAND, "shell", *fixed(remote)],
            input="node().\n",
            env={**os.environ, **here.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 2
        assert "needs a terminal" in done.stderr


def environment_of(pid: int) -> dict[str, str]:
    variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(one.decode().split("=", 1) for one in variables if b"=" in one)
