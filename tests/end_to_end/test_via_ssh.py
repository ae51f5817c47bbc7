"""``--via 'ssh -W …'`` with a real sshd between two real nodes."""

from __future__ import annotations

import os
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from world.connected import Connected, connected, home_with_cookie, remote_node, session_to
from world.ports import free_port
from world.sshd import SshServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    with SshServer(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(scope="module")
def world(sshd: SshServer) -> Iterator[Connected]:
    with connected("--via", shlex.join(sshd.command("-W", "%h:%p"))) as made:
        yield made


def test_the_transport_is_said(world: Connected) -> None:
    assert world.ready["transport"] == "command"


def test_a_call_goes_through(world: Connected) -> None:
    assert world.call("erpc:call(Alias, erlang, node, []).") == "'app@127.0.0.1'"


def test_64_megabytes_each_way(world: Connected) -> None:
    """The remote node gives back what it got; both ways are compared by their digests."""
    assert (
        world.call(
            "Data = rand:bytes(64 bsl 20), "
            "There = erpc:call(Alias, erlang, md5, [Data]), "
            "There =:= erlang:md5(Data) andalso "
            "Data =:= erpc:call(Alias, erlang, hd, [[Data]])."
        )
        == "true"
    )


def test_a_login_that_fails_is_told_in_the_words_of_ssh(sshd: SshServer, tmp_path: Path) -> None:
    words = sshd.command("-W", "%h:%p")
    words[words.index("-i") + 1] = str(tmp_path / "no-key")
    with remote_node() as remote:
        home = home_with_cookie(tmp_path)
        options = ("--via", shlex.join(words))
        with session_to(remote, *options, home=home, epmd_port=free_port()) as session:
            error = session.wait_event("error")
            assert session.wait() == error["code"] == 69
    assert "ssh ended with exit code 255" in error["message"]
    assert "Permission denied" in error["message"]


def test_a_killed_ssh_ends_the_link_and_the_next_call_starts_another(world: Connected) -> None:
    world.call("net_adm:ping(Alias).")
    for child in _children(world.session.pid):
        os.kill(child, signal.SIGKILL)
    down = world.session.wait_event("link-down")
    assert "ssh ended with signal 9" in down["reason"]
    assert world.call("net_adm:ping(Alias).") == "pong"


def _children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]
