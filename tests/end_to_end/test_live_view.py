"""What stands below the lines of a session at a terminal: its links, drawn anew each second."""

from __future__ import annotations

import fcntl
import re
import signal
import struct
import termios
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_no_secret
from end_to_end.machine import fixed, machine
from end_to_end.terminal import AtTerminal
from world.connected import remote_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
HEAD = re.compile(r"local node +for +in +out +in/s +out/s +rewritten")


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


@contextmanager
def connect(
    here: Machine, remote: ErlangNode, *options: str, **variables: str
) -> Iterator[AtTerminal]:
    environment = {**here.environment(), **variables}
    with AtTerminal(*fixed(remote), *options, environment=environment) as terminal:
        terminal.wait_for("erl_call -name")
        yield terminal


def test_links_come_and_go_below_the_lines(remote: ErlangNode) -> None:
    with machine() as here, connect(here, remote) as terminal:
        terminal.wait_for(f"{APP} is {APP} at 127.0.0.1:{remote.dist_port}")
        terminal.wait_for("no links")
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
            terminal.wait_for("dev@127.0.0.1 is connected to app@127.0.0.1 as dev-")
            terminal.wait_for("rewritten")
            assert HEAD.search(plain(terminal.screen))
            terminal.wait_for("dev@127.0.0.1  ")
        terminal.wait_for("dev@127.0.0.1 left app@127.0.0.1")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert terminal.screen.rstrip().endswith("stopped: interrupted")
        assert terminal.screen.count("erl_call -name") == 1
        assert terminal.screen.rindex("\x1b[?25h") > terminal.screen.rindex("\x1b[?25l")
        assert_no_secret(terminal.screen)


def plain(screen: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)


def resize(terminal: AtTerminal, columns: int) -> None:
    fcntl.ioctl(terminal.keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))


def test_it_fits_into_a_terminal_that_becomes_narrow(remote: ErlangNode) -> None:
    with machine() as here, connect(here, remote, COLUMNS="") as terminal:
        resize(terminal, 120)
        with here.node("a-local-node-with-a-long-name@127.0.0.1") as local:
            assert local.evaluate(CONNECT) == "true"
            terminal.wait_for("a-local-node-with-a-long-name@127.0.0.1  ")
            resize(terminal, 30)
            terminal.wait_for("…")
            before = len(terminal.screen)
            terminal.wait_for("…", number=terminal.screen.count("…") + 2)
            drawn = plain(terminal.screen[before:])
            assert max(map(len, re.split(r"[\r\n]+", drawn))) <= 30


@pytest.mark.parametrize(
    ("options", "variables"),
    [(("-q",), {}), (("-v",), {}), (("--json",), {}), ((), {"TERM": "dumb"})],
)
def test_where_it_is_not_wanted_nothing_is_drawn(
    remote: ErlangNode, options: tuple[str, ...], variables: dict[str, str]
) -> None:
    with (
        machine() as here,
        AtTerminal(
            *fixed(remote), *options, environment={**here.environment(), **variables}
        ) as terminal,
        here.node() as local,
    ):
        terminal.wait_for("local_port" if options == ("--json",) else "erl_call -name")
        assert local.evaluate(CONNECT) == "true"
        remote.evaluate("timer:sleep(1500).")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert not HEAD.search(plain(terminal.screen))
        assert "no links" not in terminal.screen


def test_no_colour(remote: ErlangNode) -> None:
    with machine() as here, connect(here, remote, NO_COLOR="1") as terminal, here.node() as local:
        assert local.evaluate(CONNECT) == "true"
        terminal.wait_for("rewritten")
        assert not re.search(r"\x1b\[[0-9;]*(3|4|9|10)[0-7]m", terminal.screen)


def test_a_terminal_that_is_stopped_stops_no_node_and_no_signal(remote: ErlangNode) -> None:
    """Ctrl-S: the thread that draws waits; links and the end do not."""
    with machine() as here, connect(here, remote) as terminal, here.node() as local:
        assert local.evaluate(CONNECT) == "true"
        terminal.wait_for("rewritten")
        terminal.type("\x13")
        remote.evaluate("timer:sleep(2500).")
        assert local.evaluate(f"erpc:call('{APP}', erlang, '+', [1, 2]).", timeout=5) == "3"
        with here.node("another@127.0.0.1") as another:
            assert another.evaluate(CONNECT, timeout=5) == "true"
        terminal.signal(signal.SIGTERM)
        assert terminal.ended(timeout=15) == 0
        assert here.left_over_files() == []
