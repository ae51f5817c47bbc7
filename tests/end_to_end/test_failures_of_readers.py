"""Who reads what a session says may go away or fall asleep; the session serves on."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import COMMAND
from end_to_end.machine import fixed, machine
from world.connected import remote_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."
RECONNECT_OFTEN = f"""
    [begin
        true = net_kernel:connect_node('{APP}'),
        true = erlang:disconnect_node('{APP}')
    end || _ <- lists:seq(1, 150)],
    done.
"""


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


def test_readers_that_go_away_do_not_end_the_session(remote: ErlangNode) -> None:
    """As in ``erlconnect ... | head -1``."""
    for words, first in (([], "app@127.0.0.1 at"), (["--json"], '"ready"')):
        with machine() as here, here.node() as local:
            child = subprocess.Popen(
                [COMMAND, *fixed(remote), *words],
                env={**os.environ, **here.environment()},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                assert child.stdout
                assert child.stderr
                assert first in child.stdout.readline()
                child.stdout.close()
                child.stderr.close()
                for _ in range(2):
                    assert local.evaluate(CONNECT) == "true"
                    assert local.evaluate(f"erlang:disconnect_node('{APP}').") == "true"
                child.terminate()
                assert child.wait(10) == 0
            finally:
                child.kill()
                child.wait(10)


def test_a_reader_that_falls_asleep_does_not_stop_the_session(remote: ErlangNode) -> None:
    """As a program does that only waits for ``ready``; later it is told what it missed."""
    with machine() as here, here.node() as local:
        child = subprocess.Popen(
            [COMMAND, *fixed(remote), "--json"],
            env={**os.environ, **here.environment()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        with child:
            try:
                assert child.stdout
                assert '"ready"' in child.stdout.readline()
                assert local.evaluate(RECONNECT_OFTEN) == "done"
                assert local.evaluate(CONNECT) == "true"
                assert json.loads(child.stdout.readline())["event"] == "link-up"
                for _ in range(100):
                    child.stdout.readline()
                assert local.evaluate(f"erlang:disconnect_node('{APP}').") == "true"
                told = json.loads(child.stdout.readline())
                while told["event"] != "warning":
                    told = json.loads(child.stdout.readline())
                assert "lines were left out here" in told["message"]
                child.terminate()
                rest = child.stdout.read()
                assert json.loads(rest.splitlines()[-1])["event"] == "stopped"
                assert child.wait(10) == 0
            finally:
                child.kill()
