"""Which tests a quick run has, and that none of them starts a peer unnoticed."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from quick import PEERS, TESTS, Reach
from world.connected import remote_node
from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.knot import KnotServer
from world.missing import require
from world.namespaces import Namespace
from world.ports import free_port
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# What the code under test starts is not seen in a test's code, and this file is no test of ours.
STARTS_A_PEER = """
import os, subprocess

def test_a_peer():
    subprocess.run(["{name}"], check=True)

def test_a_script_that_is_called_as_a_peer(tmp_path):
    (tmp_path / "{name}").symlink_to("/bin/true")
    subprocess.run(["{name}"], check=True, env={{"PATH": str(tmp_path)}})
"""


def through_a_helper() -> ErlangNode:
    def inner() -> ErlangNode:
        with remote_node("app@127.0.0.1") as node:
            return node

    return inner()


def in_its_own_import() -> object:
    from world.sshd import SshServer

    return SshServer


def needs_no_peer(tmp_path: Path) -> None:
    wait_until(lambda: free_port() > 0, "a port", 1)
    (tmp_path / "file").write_text("text")


@pytest.mark.parametrize(
    "thing",
    [
        *(ConsulAgent, RealEpmd, ErlangNode, KnotServer, Namespace, Process, require),
        *(remote_node, through_a_helper, in_its_own_import),
    ],
)
def test_what_starts_a_peer_is_found(thing: object) -> None:
    assert Reach().starts_processes(thing)


@pytest.mark.parametrize("thing", [free_port, wait_until, needs_no_peer])
def test_what_starts_none_is_quick(thing: object) -> None:
    assert not Reach().starts_processes(thing)


@pytest.mark.parametrize("name", ["erl", "epmd", "consul", "knotd"])
def test_a_quick_run_fails_where_a_peer_is_started(tmp_path: Path, name: str) -> None:
    """It is one by its name and by where this machine has it; here a script is, on PATH."""
    assert name in PEERS
    there = tmp_path / "bin" / name
    there.parent.mkdir()
    there.write_text("#!/bin/sh\n")
    there.chmod(0o700)
    (tmp_path / "test_peer.py").write_text(STARTS_A_PEER.format(name=name))
    said = quick_run(tmp_path, ["test_peer.py"])
    assert f"a quick test started {name}" in said
    assert "2 passed, 1 error" in said


def test_a_quick_run_leaves_out_what_starts_a_peer() -> None:
    said = quick_run(TESTS, ["--collect-only", "epmd/test_client.py", "epmd/test_messages.py"])
    assert "test_messages.py" in said
    assert "deselected" in said


def quick_run(folder: Path, words: Sequence[str]) -> str:
    """What a quick run of the tests in ``folder`` says, with the hooks of our own tests."""
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    hooks = ["-p", "conftest"] if folder != TESTS else []
    command = [sys.executable, "-m", "pytest", *hooks, "--quick", "-q", *words]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(TESTS), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr
