"""A ping goes through the handshake alone, tells its phases, and needs no Erlang here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from end_to_end.examined import run
from end_to_end.machine import VARIABLE, fixed, machine
from end_to_end.scripted_remote import ScriptedRemote, plays
from world.connected import REMOTE_NAME, remote_node
from world.epmd import RealEpmd
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
NO_ERLANG = {"PATH": "/nonexistent"}
KNOCK = ["lookup", "transport", "connect", "send_name", "status", "challenge"]
TEXT = """\
lookup TIME
transport TIME
connect TIME
send_name TIME
status TIME
challenge TIME
reply TIME
ack TIME
tick TIME
app@127.0.0.1 at 127.0.0.1:PORT by direct answered in TIME, cookie from env accepted, \
OTP 25 to 27 by its flags
"""


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


def test_text_for_people(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        ended = run(here, "ping", *fixed(remote), environment=NO_ERLANG)
        assert (ended.code, ended.stderr) == (0, "")
        shown = re.sub(r" +\d+\.\d ms", " TIME", ended.stdout)
        assert shown.replace(f":{remote.dist_port} ", ":PORT ") == TEXT


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_each_release_goes_through_the_whole_handshake(release: str) -> None:
    with remote_node(REMOTE_NAME, release=release) as node, machine(epmd=False) as here:
        ended = run(here, "ping", *fixed(node), "--json", environment=NO_ERLANG)
        assert ended.code == 0, ended.stdout
        phases = ended.of("phase")
        assert [one["phase"] for one in phases] == [*KNOCK, "reply", "ack", "tick"]
        (pong,) = ended.of("pong")
        assert ended.events[-1] == pong
        assert pong["seconds"] == pytest.approx(sum(one["seconds"] for one in phases), abs=1e-4)
        assert (pong["node"], pong["dist_port"]) == (REMOTE_NAME, node.dist_port)
        assert (pong["transport"], pong["cookie_source"]) == ("direct", "env")
        assert pong["creation"] == int(node.evaluate("erlang:system_info(creation)."))
        assert node.evaluate("{nodes(), nodes(hidden)}.") == "{[],[]}"
        assert node.process.output == ""


def test_epmd_is_a_phase_where_it_is_asked() -> None:
    with remote_node(APP) as node, machine(epmd=False) as here:
        port = node.evaluate('os:getenv("ERL_EPMD_PORT").').strip('"')
        words = ["-b", "fixed", APP, "-o", f"epmd-port={port}", "--cookie-from", f"env:{VARIABLE}"]
        ended = run(here, "ping", *words, "--json")
        assert [one["phase"] for one in ended.of("phase")][:4] == [
            "lookup",
            "transport",
            "epmd",
            "connect",
        ]


def test_without_any_cookie_it_is_a_knock(remote: ErlangNode) -> None:
    words = ["-b", "fixed", APP, "-o", f"dist-port={remote.dist_port}"]
    with machine(cookie=None, epmd=False) as here:
        ended = run(here, "ping", *words, "--json", environment=NO_ERLANG)
        assert ended.code == 0
        assert [one["phase"] for one in ended.of("phase")] == KNOCK
        (warning,) = ended.of("warning")
        assert "only knocked" in warning["message"]
        assert ended.of("pong")[0]["cookie_source"] is None
        assert not (here.home / ".erlang.cookie").exists()
        assert remote.process.output == ""


def test_passthrough_is_a_knock_too(remote: ErlangNode) -> None:
    words = [*fixed(remote), "--cookie-from", "passthrough"]
    with machine(epmd=False) as here:
        ended = run(here, "ping", *words, "--json")
        assert [one["phase"] for one in ended.of("phase")] == KNOCK
        assert ended.code == 0


def test_a_failure_comes_after_the_phases_that_went_well(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        wrong = {VARIABLE: "wrong-cookie-77d2"}
        ended = run(here, "ping", *fixed(remote), "--json", environment=wrong)
        assert [one["phase"] for one in ended.of("phase")] == [*KNOCK, "reply"]
        assert ended.events[-1]["event"] == "error"
        assert (ended.code, ended.events[-1]["cause"]) == (77, "remote-cookie-rejected")
        ended = run(here, "ping", *fixed(remote), "-q", environment=wrong)
        assert ended.stdout == ""
        assert "rejected the cookie (variable PRODUCTION_COOKIE)" in ended.stderr


def test_silence_ends_with_try_again() -> None:
    with ScriptedRemote(plays(steps=1)) as scripted, machine(epmd=False) as here:
        words = ["-b", "fixed", APP, "-o", f"dist-port={scripted.port}"]
        ended = run(here, "ping", *words, "--json")
        assert [one["phase"] for one in ended.of("phase")][-1] == "status"
        assert ended.code == 75


def test_nobody_is_an_error() -> None:
    with RealEpmd(free_port()) as epmd, machine(epmd=False) as here:
        ended = run(here, "ping", "-b", "fixed", APP, "-o", f"epmd-port={epmd.port}")
        assert ended.code == 69
        assert "knows no node" in ended.stderr
