"""An end of input, or what is typed into a remote shell, never ends the remote node.

Each situation has its controls: directly the node ends, and with the rule taken out it ends through
a session, too. Which shell ends which node directly was measured; the others have no such control.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.remote_shells import SECONDS, Reach, Shell, direct, through
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

SHELLS = [
    *(Shell(program="erl", local=release, remote=release) for release in ("23", "25", "27", "29")),
    *(Shell(program="erl", local=local, remote="25") for local in ("27", "29")),
    *(Shell(program="iex", local=release, remote=release) for release in ("23", "25", "27", "29")),
]
# Those whose end of input ends the remote node where nothing stands between.
DYING = [
    *(Shell(program="erl", local=local, remote="25") for local in ("27", "29")),
    *(Shell(program="iex", local=release, remote=release) for release in ("27", "29")),
]
DYING_WHEN_DUMB = [
    Shell(program="erl", local="27", remote="25"),
    Shell(program="iex", local="27", remote="27"),
]
TYPED = [
    ("erl", "q()."),
    ("erl", "init:stop()."),
    ("erl", "erlang:halt()."),
    ("erl", "halt(0)."),
    ("erl", "spawn(fun() -> init:stop() end), ok."),
    ("erl", "apply(init, stop, [])."),
    ("iex", "System.halt()"),
    ("iex", "System.stop(0)"),
    ("iex", ":init.stop"),
    ("iex", "0 |> System.halt"),
    ("iex", "spawn(fn -> :erlang.halt() end)"),
    ("iex", "apply(System, :halt, [])"),
]


def nothing(reach: Reach) -> int:
    return reach.run(subprocess.DEVNULL)


def pipe_that_ends(reach: Reach) -> int:
    return reach.run(subprocess.PIPE, b"1 + 1.\n" if reach.shell.program == "erl" else b"1 + 1\n")


def pipe_closed_later(reach: Reach) -> int:
    """Hold it open until the shell has answered."""
    with reach.held() as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"17 * 3.\n" if reach.shell.program == "erl" else b"17 * 3\n")
        child.stdin.flush()
        shown = b""
        while b"51" not in shown:
            piece = os.read(child.stdout.fileno(), 4096)
            assert piece, shown
            shown += piece
        child.stdin.close()
        child.stdout.read()
        return child.wait(SECONDS)


SITUATIONS = [nothing, pipe_that_ends, pipe_closed_later]


def ids(value: object) -> str:
    return value.id if isinstance(value, Shell) else getattr(value, "__name__", "")


@pytest.mark.parametrize("shell", SHELLS, ids=ids)
@pytest.mark.parametrize("situation", SITUATIONS, ids=ids)
def test_an_end_of_input_leaves_the_remote_node_alone(
    shell: Shell, situation: Callable[[Reach], int]
) -> None:
    with through(shell) as reach:
        before = reach.processes
        assert situation(reach) == 0
        assert reach.lives
        wait_until(lambda: reach.processes == before, "as many processes as before")


@pytest.mark.parametrize("shell", DYING, ids=ids)
def test_directly_an_end_of_input_ends_the_remote_node(shell: Shell) -> None:
    with direct(shell) as reach:
        pipe_that_ends(reach)
        reach.remote.process.wait(SECONDS)


@pytest.mark.parametrize("shell", DYING, ids=ids)
def test_without_the_rule_it_ends_it_through_a_session(shell: Shell) -> None:
    with through(shell, "--allow-stop") as reach:
        pipe_that_ends(reach)
        reach.remote.process.wait(SECONDS)


@pytest.mark.parametrize("shell", DYING_WHEN_DUMB, ids=ids)
def test_ctrl_d_at_a_dumb_terminal_leaves_the_remote_node_alone(shell: Shell) -> None:
    with through(shell) as reach:
        with reach.at_terminal(TERM="dumb") as terminal:
            terminal.wait_for("1> ")
            terminal.type("\x04")
            terminal.wait()
        assert reach.lives
        assert reach.remote.evaluate("1 + 1.") == "2"


@pytest.mark.parametrize("shell", DYING_WHEN_DUMB, ids=ids)
def test_directly_ctrl_d_at_a_dumb_terminal_ends_it(shell: Shell) -> None:
    with direct(shell) as reach, reach.at_terminal(TERM="dumb") as terminal:
        terminal.wait_for("1> ")
        terminal.type("\x04")
        terminal.wait()
        reach.remote.process.wait(SECONDS)


@pytest.mark.parametrize(("program", "typed"), TYPED)
@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_what_is_typed_is_refused_in_words(program: str, typed: str, release: str) -> None:
    shell = Shell(program=program, local=release, remote=release)
    with through(shell) as reach, reach.at_terminal() as terminal:
        terminal.wait_for("1> ")
        terminal.type(f"{typed}\r")
        terminal.wait_for("erlconnect refused ")
        terminal.wait_for("2> ")
        dot = "." if program == "erl" else ""
        terminal.type(f"17 * 3{dot}\r")
        terminal.wait_for("51")
        assert reach.lives
        assert reach.session
        assert reach.session.wait_event("refused")["rule"] == "stop"


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
@pytest.mark.parametrize(("program", "typed"), [("erl", "q()."), ("iex", "System.halt()")])
@pytest.mark.parametrize("way", ["direct", "--allow-stop"])
def test_without_the_rule_what_is_typed_ends_it(
    program: str, typed: str, release: str, way: str
) -> None:
    shell = Shell(program=program, local=release, remote=release)
    reaching = direct(shell) if way == "direct" else through(shell, way)
    with reaching as reach, reach.at_terminal() as terminal:
        terminal.wait_for("1> ")
        terminal.type(f"{typed}\r")
        reach.remote.process.wait(SECONDS)


@pytest.mark.parametrize(
    "typed",
    [
        'io:format("~s", ["init:stop()"]).',
        "A = init.",
        "f(), Stop = fun(X) -> X end, Stop(1).",
        "init:get_plain_arguments().",
        "application:which_applications().",
    ],
)
def test_what_only_looks_like_it_passes(typed: str) -> None:
    with (
        through(Shell(program="erl", local="25", remote="25")) as reach,
        reach.at_terminal() as terminal,
    ):
        terminal.wait_for("1> ")
        terminal.type(f"{typed}\r")
        terminal.wait_for("2> ")
        assert "refused" not in terminal.screen
