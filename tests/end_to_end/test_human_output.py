"""What people see: the result on stdout, everything else on stderr, nothing twice."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import COMMAND, WRONG_COOKIE, assert_no_secret, assert_secret
from end_to_end.machine import fixed, machine
from end_to_end.terminal import AtTerminal
from world.connected import remote_node
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
ESCAPE = "\x1b"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


@contextmanager
def in_pipes(here: Machine, *words: str, **variables: str) -> Iterator[Process]:
    with Process([COMMAND, *words], environment={**here.environment(), **variables}) as process:
        yield process


def test_a_pipe_gets_the_result_alone(remote: ErlangNode) -> None:
    with machine() as here, in_pipes(here, *fixed(remote)) as process:
        process.wait_for_line("erl_call", 30, stream="stdout")
        first = process.stdout.splitlines()[0]
        assert first == f"{APP} at 127.0.0.1:{remote.dist_port} (fixed)"
        assert f"ERL_EPMD_PORT={here.epmd_port} iex --name dev@127.0.0.1 --remsh {APP}" in (
            process.stdout
        )
        assert process.stderr == ""
        result = process.stdout
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
            process.wait_for_line(f"dev@127.0.0.1 is connected to {APP} as dev-", stream="stderr")
        process.wait_for_line(f"dev@127.0.0.1 left {APP}: the local node closed", stream="stderr")
        assert process.stdout == result
        assert ESCAPE not in process.output
        assert_secret(process)


def test_each_line_to_copy_is_a_command_that_works(remote: ErlangNode) -> None:
    """Those that need no terminal of their own; ``erl_call`` is one of them."""
    with machine() as here, in_pipes(here, *fixed(remote)) as process:
        line = process.wait_for_line("erl_call", 30, stream="stdout")
        shown = subprocess.run(
            ["sh", "-c", line],
            env={**os.environ, **here.environment()},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        # erl_call calls itself by a short name, and so it sees the short alias.
        assert shown.stdout == "app@localhost"


def test_a_refusal_is_said_once_until_a_link_comes_up(remote: ErlangNode) -> None:
    refused = "does not know the local cookie"
    with (
        machine() as here,
        in_pipes(here, *fixed(remote)) as process,
        here.node("one@127.0.0.1", cookie=WRONG_COOKIE) as one,
        here.node("two@127.0.0.1", cookie=WRONG_COOKIE) as two,
        here.node() as right,
    ):
        process.wait_for_line("erl_call", 30, stream="stdout")
        for _ in range(3):
            for node in (one, two):
                assert node.evaluate(CONNECT) == "false"
        assert right.evaluate(CONNECT) == "true"
        process.wait_for_line("dev@127.0.0.1 is connected", stream="stderr")
        assert process.stderr.count(refused) == 2
        assert one.evaluate(CONNECT) == "false"
        wait_until(lambda: process.stderr.count(refused) == 3, "it is said again")
        assert f"one@127.0.0.1 could not reach {APP}: one@127.0.0.1 {refused}" in process.stderr
        assert "--local-cookie-file" in process.stderr
        assert_secret(process)


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}])
def test_a_terminal(remote: ErlangNode, variables: dict[str, str]) -> None:
    with (
        machine() as here,
        AtTerminal(*fixed(remote), environment={**here.environment(), **variables}) as terminal,
    ):
        terminal.wait_for("erl_call")
        plain = COLOUR.sub("", terminal.screen)
        assert "looking for app@127.0.0.1" in plain
        assert f"{APP} at 127.0.0.1:{remote.dist_port} (fixed)" in plain
        assert bool(re.search(r"\x1b\[3\dm", terminal.screen)) is not bool(variables)
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert "stopped: interrupted" in terminal.screen
        assert_no_secret(terminal.screen)


def test_an_error_for_people_has_its_remedy_in_the_next_line(remote: ErlangNode) -> None:
    with (
        machine(epmd=False) as here,
        in_pipes(here, *fixed(remote), "-o", "dist-port=1") as process,
    ):
        assert process.wait(20) == 69
        message, remedy = process.stderr.splitlines()
        assert message.startswith("error: ")
        assert "127.0.0.1, port 1" in message
        assert "check that the node runs" in remedy
        assert process.stdout == ""


def test_quiet_is_the_result_and_errors(remote: ErlangNode) -> None:
    with (
        machine() as here,
        in_pipes(here, *fixed(remote), "-q") as process,
        here.node() as local,
        here.node("stranger@127.0.0.1", cookie=WRONG_COOKIE) as stranger,
    ):
        process.wait_for_line("erl_call", 30, stream="stdout")
        assert local.evaluate(CONNECT) == "true"
        assert stranger.evaluate(CONNECT) == "false"
        process.wait_for_line("does not know the local cookie", stream="stderr")
        assert "is connected" not in process.output


def test_verbose_logs_and_tells_no_secret(remote: ErlangNode) -> None:
    with machine() as here, in_pipes(here, *fixed(remote), "-v") as process, here.node() as local:
        process.wait_for_line("erl_call", 30, stream="stdout")
        assert local.evaluate(CONNECT) == "true"
        process.wait_for_line("dev@127.0.0.1 has the flags", stream="stderr")
        assert_secret(process)


def test_nothing_turns_on_a_screen_after_an_error() -> None:
    with (
        machine() as here,
        AtTerminal("-b", "fixed", "app@127.0.0.9", environment=here.environment()) as terminal,
    ):
        assert terminal.wait() == 69
        assert terminal.shown.startswith("error: ")
        assert "looking for" not in terminal.shown
