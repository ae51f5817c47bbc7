"""``erlconnect status``: what runs, told by the sessions themselves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from end_to_end.evidence import COMMAND, assert_no_secret
from end_to_end.machine import fixed, machine
from end_to_end.terminal import AtTerminal
from world.connected import remote_node
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
SHOP = "shop@127.0.0.1"
FLOOD = """
    spawn(fun F() ->
        {nobody, 'app@127.0.0.1'} ! binary:copy(<<1>>, 100000), timer:sleep(10), F()
    end).
"""


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


def status(here: Machine, *options: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [COMMAND, "status", *options],
        env={**os.environ, **here.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert_no_secret(done.stdout + done.stderr)
    return done


def sessions(here: Machine) -> list[dict[str, Any]]:
    done = status(here, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_flooded(here: Machine) -> bool:
    links = sessions(here)[0]["aliases"][0]["links"]
    return bool(links) and links[0]["bytes_out_per_second"] > 100_000


def test_two_sessions_with_links_bytes_and_rates(remote: ErlangNode) -> None:
    with (
        machine() as here,
        here.session(*fixed(remote)) as one,
        here.node() as local,
    ):
        one.ready()
        with here.session(*fixed(remote), "--as", "shop") as two:
            two.ready()
            assert local.evaluate(f"net_kernel:connect_node('{APP}').") == "true"
            local.evaluate(FLOOD)
            wait_until(lambda: is_flooded(here), "the flood is seen in the rates", 30)
            first, second = sessions(here)
            assert [first["pid"], second["pid"]] == [one.pid, two.pid]
            assert first["targets"] == [APP]
            assert second["aliases"][0]["alias"] == SHOP
            assert second["aliases"][0]["links"] == []
            [link] = first["aliases"][0]["links"]
            assert link["local_node"] == "dev@127.0.0.1"
            assert link["caller_name"].startswith("dev-")
            assert link["bytes_out"] >= 100_000
            assert link["bytes_out_per_second"] > 100_000 > link["bytes_in_per_second"]
            assert link["frames_out"] > 0
            assert link["rewritten"] > 0

            shown = status(here).stdout.splitlines()
            assert shown[0].startswith(f"{APP}: pid {one.pid}, for ")
            assert shown[1].rstrip() == f"  {APP} is {APP} at 127.0.0.1:{remote.dist_port}"
            assert re.match(r"    local node +for +in +out +in/s +out/s +rewritten", shown[2])
            assert re.match(r"    dev@127.0.0.1 +\d+ s +[\d.]+ k?B +[\d.]+ .?B", shown[3])
            assert shown[4].startswith(f"{APP}: pid {two.pid}, for ")
            assert shown[6].strip() == "no links"
        assert [each["pid"] for each in sessions(here)] == [one.pid]


def test_a_link_that_ended_is_not_listed(remote: ErlangNode) -> None:
    with machine() as here, here.session(*fixed(remote)) as session:
        session.ready()
        with here.node() as local:
            assert local.evaluate(f"net_kernel:connect_node('{APP}').") == "true"
            assert len(sessions(here)[0]["aliases"][0]["links"]) == 1
        session.wait_event("link-down")
        assert sessions(here)[0]["aliases"][0]["links"] == []


def test_a_session_that_still_opens(remote: ErlangNode) -> None:
    with (
        machine() as here,
        here.session(*fixed(remote), "--cookie-from", "command:sleep 60") as session,
    ):
        wait_until(lambda: sessions(here), "it is listed")
        [only] = sessions(here)
        assert (only["pid"], only["aliases"]) == (session.pid, [])
        assert "still opening" in status(here).stdout


def test_nothing_runs() -> None:
    with machine() as here:
        done = status(here)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "no session is running\n")
        assert sessions(here) == []
        assert here.left_over_files() == []


def test_what_a_crash_left_behind_is_no_session(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        with here.session(*fixed(remote)) as session:
            session.ready()
            session.kill()
        assert "erlconnect/session-0/status" in here.left_over_files()
        assert sessions(here) == []
        with here.session(*fixed(remote)) as again:
            again.ready()
            assert [each["pid"] for each in sessions(here)] == [again.pid]
            assert again.interrupt() == 130
        assert here.left_over_files() == []


def test_a_session_that_is_stopped_is_named_and_not_waited_for(remote: ErlangNode) -> None:
    with machine() as here, here.session(*fixed(remote)) as session:
        session.ready()
        session.process.signal(signal.SIGSTOP)
        try:
            done = status(here)
        finally:
            session.process.signal(signal.SIGCONT)
        assert done.returncode == 0
        assert done.stderr.splitlines()[0] == (
            f"note: the session with pid {session.pid} does not answer"
        )
        assert [each["pid"] for each in sessions(here)] == [session.pid]


def test_nobody_else_can_ask(remote: ErlangNode) -> None:
    with machine() as here, here.session(*fixed(remote)) as session:
        session.ready()
        folder = here.runtime / "erlconnect"
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.rglob("*")}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert modes == {"session-0.lock": 0o600, "session-0": 0o700, "status": 0o600}


def test_watch_goes_on_until_ctrl_c(remote: ErlangNode) -> None:
    with machine() as here, here.session(*fixed(remote)) as session:
        session.ready()
        with AtTerminal("status", "--watch", environment=here.environment()) as terminal:
            terminal.wait_for("no links")
            with here.node() as local:
                assert local.evaluate(f"net_kernel:connect_node('{APP}').") == "true"
                terminal.wait_for("dev@127.0.0.1")
            terminal.type("\x03")
            assert terminal.wait() == 130
            assert "Traceback" not in terminal.screen


def test_watch_in_a_pipe_repeats_the_objects(remote: ErlangNode) -> None:
    with (
        machine() as here,
        here.session(*fixed(remote)) as session,
        subprocess.Popen(
            [COMMAND, "status", "--watch", "--json"],
            env={**os.environ, **here.environment()},
            stdout=subprocess.PIPE,
            text=True,
        ) as watching,
    ):
        session.ready()
        assert watching.stdout
        pids = [json.loads(watching.stdout.readline())["pid"] for _ in range(2)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
        assert pids == [session.pid, session.pid]
