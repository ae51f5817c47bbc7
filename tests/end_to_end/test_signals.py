"""How a session ends: by which signal with which code, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import family, words_of
from end_to_end.machine import FROM_VARIABLE, fixed, is_gone, machine
from end_to_end.scripted_remote import ScriptedRemote, plays
from end_to_end.terminal import AtTerminal
from world.connected import remote_node
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode
    from world.session import ErlconnectSession

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
DOWN = f"receive {{nodedown, '{APP}'}} -> down after 5000 -> up end."


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


def on_port(port: int) -> list[str]:
    """What ``ss`` shows of a TCP port, without connections that are over and only remembered."""
    shown = subprocess.run(
        ["ss", "-Hanpt", f"sport = :{port} or dport = :{port}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return [line for line in shown.stdout.splitlines() if not line.startswith("TIME-WAIT")]


def assert_nothing_is_left(here: Machine, session: ErlconnectSession, *ports: int) -> None:
    assert is_gone(session.pid)
    for port in ports:
        assert on_port(port) == []
    assert here.left_over_files() == []
    assert sorted(path.name for path in here.home.iterdir()) == [".erlang.cookie"]
    assert session.process.stderr == ""


@pytest.mark.parametrize(
    ("number", "code", "reason"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 0, "terminated"),
        (signal.SIGHUP, 0, "the terminal went away"),
    ],
)
def test_a_signal_ends_a_busy_session_and_nothing_is_left(
    remote: ErlangNode, number: signal.Signals, code: int, reason: str
) -> None:
    with machine(epmd=False) as here, here.session(*fixed(remote)) as session:
        port = session.ready()["aliases"][0]["local_port"]
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
            local.evaluate(f"erlang:monitor_node('{APP}', true).")
            local.evaluate(
                f"spawn(fun L() -> {{nobody, '{APP}'}} ! binary:copy(<<1>>, 9000000), L() end)."
            )
            session.process.signal(number)
            assert session.process.wait(10) == code
            assert local.evaluate(DOWN) == "down"
        assert [one["event"] for one in session.events[-2:]] == ["link-down", "stopped"]
        assert session.events[-1]["reason"] == reason
        assert session.events[-2]["reason"] == "the session ended"
        assert_nothing_is_left(here, session, port, here.epmd_port)
    wait_until(lambda: remote.evaluate("nodes(hidden).") == "[]", "the remote node saw it go")


def test_a_crash_leaves_nothing_that_stops_the_next_run(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        with here.session(*fixed(remote)) as session, ExitStack() as stack:
            first = session.ready()
            local = stack.enter_context(here.node())
            assert local.evaluate(CONNECT) == "true"
            local.evaluate(f"erlang:monitor_node('{APP}', true).")
            caller = session.wait_event("link-up")["caller_name"]
            session.kill()
            assert local.evaluate(DOWN) == "down"
            with here.session(*fixed(remote)) as second:
                again = second.ready()
                assert again["aliases"][0]["alias"] == first["aliases"][0]["alias"]
                assert again["epmd"]["embedded"]
                assert local.evaluate(CONNECT) == "true"
                assert second.wait_event("link-up")["caller_name"] == caller
                assert second.interrupt() == 130
        assert here.left_over_files() == []


def test_only_the_first_signal_counts(remote: ErlangNode) -> None:
    with machine(epmd=False) as here, here.session(*fixed(remote)) as session:
        session.ready()
        session.process.signal(signal.SIGTERM)
        # Signals that wait together are delivered in an order of the kernel's own.
        wait_until(lambda: _delivered(session.pid), "the first signal was delivered")
        for _ in range(2):
            session.process.signal(signal.SIGINT)
        assert session.process.wait(10) == 0
        assert session.events[-1] == {"schema": 1, "event": "stopped", "reason": "terminated"}
        assert_nothing_is_left(here, session, here.epmd_port)


def test_a_signal_while_the_remote_node_keeps_silent() -> None:
    with (
        ScriptedRemote(plays(steps=0)) as silent_one,
        machine(epmd=False) as here,
        here.session(
            "-b", "fixed", APP, "-o", f"dist-port={silent_one.port}", *FROM_VARIABLE
        ) as session,
    ):
        wait_until(lambda: silent_one.connections, "it is being knocked on")
        assert session.interrupt(2) == 130
        assert_nothing_is_left(here, session, here.epmd_port)


def test_a_signal_while_a_name_server_keeps_silent() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, machine(epmd=False) as here:
        mute.bind(("127.0.0.1", 0))
        mute.settimeout(20)
        server = f"server=127.0.0.1:{mute.getsockname()[1]}"
        with here.session("-b", "dns", "shop.test", "-o", server) as session:
            mute.recv(512)
            assert session.interrupt(2) == 130
            assert_nothing_is_left(here, session, here.epmd_port)


def test_a_signal_while_the_cookie_command_runs(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        words = ["--cookie-from", "command:sleep 60"]
        with here.session(*fixed(remote), *words) as session:
            wait_until(lambda: running(session.pid, "sleep 60"), "it runs")
            command = running(session.pid, "sleep 60")[0]
            assert session.terminate() == 0
            assert is_gone(command)
            assert_nothing_is_left(here, session, here.epmd_port)


def running(pid: int, words: str) -> list[int]:
    """The processes that are exactly ``words``, among the descendants of ``pid``."""
    return [each for each in family(pid) if words_of(each).strip() == words]


def test_a_terminal_that_is_closed(remote: ErlangNode) -> None:
    with (
        machine(epmd=False) as here,
        AtTerminal(*fixed(remote), environment=here.environment()) as terminal,
    ):
        terminal.wait_for("--remsh")
        terminal.hang_up()
        assert terminal.wait() == 0
        assert here.left_over_files() == []
        assert on_port(here.epmd_port) == []


@pytest.mark.parametrize("command", [["connect"], ["run"]])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_after_an_error_changes_nothing(
    command: list[str], number: signal.Signals
) -> None:
    """The command is called as a function, so that the signal comes surely after its loop."""
    program = (
        "import os, sys\n"
        "from erlconnect.command_line.app import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as ended:\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "    raise\n"
    )
    words = [*command, "-b", "fixed", APP, "-o", "dist-port=1", *FROM_VARIABLE]
    with machine(epmd=False) as here:
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                program,
                *words,
                *(["--", "true"] if command == ["run"] else []),
            ],
            env={**os.environ, **here.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    assert (done.returncode, "Traceback" in done.stderr) == (69, False), done.stderr


def _delivered(pid: int) -> bool:
    """Return whether no signal waits for the process, which may have ended by now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return "zombie" in status or all(
        int(line.split()[1], 16) == 0
        for line in status.splitlines()
        if line.startswith(("SigPnd", "ShdPnd"))
    )
