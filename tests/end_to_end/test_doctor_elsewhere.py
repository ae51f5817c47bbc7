"""A doctor with several targets, through commands, with profiles, and when it is interrupted."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from end_to_end.directory import NAME, real_directory
from end_to_end.evidence import connections
from end_to_end.examined import examined, run
from end_to_end.machine import FROM_VARIABLE, VARIABLE, fixed, machine
from end_to_end.scripted_remote import ScriptedRemote, plays
from end_to_end.terminal import AtTerminal
from world.certificates import tls_files
from world.connected import remote_node
from world.missing import require
from world.waiting import wait_until

if TYPE_CHECKING:
    from end_to_end.machine import Machine

APP = "app@127.0.0.1"


def test_the_first_target_that_answers_is_looked_at() -> None:
    with real_directory() as directory, machine() as here:
        server = f"server=127.0.0.1:{directory.dns_port}"
        words = ["-b", "dns", "_dist._tcp.two.shop.test", "-o", server, *FROM_VARIABLE]
        ended = examined(here, *words)
        assert ended.code == 0
        assert ended.steps["discovery"]["seen"].startswith("2 targets: ")
        assert NAME in ended.steps["handshake"]["seen"]
        assert ended.steps["port"]["seen"] == (
            f"127.0.0.1:{directory.dist_port} accepts connections"
        )
        passed, chosen = (one["message"] for one in ended.of("warning"))
        assert passed.startswith("passed over: ")
        assert "2 targets" in chosen


@pytest.mark.parametrize("command", ["doctor", "ping"])
def test_through_a_command(command: str) -> None:
    require("socat", shutil.which("socat") is not None)
    with remote_node(APP) as remote, machine(epmd=False) as here:
        via = ("--via", "socat - TCP:%h:%p")
        ended = run(here, command, *fixed(remote), *via, "--json")
        assert ended.code == 0, ended.stdout
        if command == "doctor":
            assert ended.steps["tunnel"]["seen"] == "command is open"
        else:
            assert ended.of("pong")[0]["transport"] == "command"
        assert remote.evaluate("nodes(hidden).") == "[]"


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_over_tls(release: str) -> None:
    with tls_files(release) as files:
        flags = files.flags(files.authority.leaf("node", "127.0.0.1"))
        with remote_node(APP, release=release, flags=flags) as remote, machine(epmd=False) as here:
            me = files.authority.leaf("me")
            settings = [
                f"tls-ca={files.authority.certificate}",
                f"tls-cert={me.certificate}",
                f"tls-key={me.key}",
            ]
            trust = [word for one in settings for word in ("-o", f"transport.{one}")]
            ended = run(here, "ping", *fixed(remote), *trust, "--json")
            assert ended.code == 0, ended.stdout
            assert ended.of("phase")[-1]["phase"] == "tick"
            steps = examined(here, *fixed(remote), *trust).steps
            assert steps["remote-erlang"]["seen"] == f"OTP {release}, net_ticktime 60 s"
            assert remote.evaluate("nodes(hidden).") == "[]"


def test_a_node_with_a_short_name() -> None:
    with remote_node("app@localhost", short=True) as remote, machine(epmd=False) as here:
        words = ["-b", "fixed", "app@localhost", "-o", "address=127.0.0.1", *FROM_VARIABLE]
        ended = run(here, "doctor", *words, "-o", f"dist-port={remote.dist_port}", "--json")
        assert ended.code == 0, ended.stdout
        assert remote.process.output == ""


def written(here: Machine, text: str) -> tuple[str, str]:
    file = here.home / "erlconnect.toml"
    file.write_text(text)
    return "--config", str(file)


def test_a_profile_says_where_to_look_and_a_look_asks_nothing() -> None:
    with remote_node(APP) as remote, machine(epmd=False) as here:
        profile = f"""
            [profiles.staging]
            backend = "fixed"
            dist-port = {remote.dist_port}
            confirm = true
            cookie = {{ from = "env", name = "{VARIABLE}" }}
        """
        config = written(here, profile)
        for words in (["-p", "staging", APP], [f"staging/{APP}"]):
            ended = examined(here, *words, *config)
            assert ended.code == 0, ended.stdout
            assert ended.steps["cookie-check"]["status"] == "ok"
        for command in ("ping", "targets"):
            assert run(here, command, f"staging/{APP}", *config).code == 0


def test_without_a_target_every_profile_is_checked() -> None:
    with machine() as here:
        config = written(here, '[profiles.staging]\nbackend = "fixed"\nspeed = 3\n')
        ended = examined(here, *config)
        step = ended.steps["configuration"]
        assert (step["status"], step["code"], ended.code) == ("failed", 78, 78)
        assert "line 3" in step["seen"]
        assert "erlconnect profiles check" in step["remedy"]
        assert ended.failed == ["configuration"]


@pytest.mark.parametrize("command", ["doctor", "ping", "targets"])
def test_ctrl_c_ends_it_and_leaves_nothing(command: str) -> None:
    with ScriptedRemote(plays(steps=0)) as remote, machine(epmd=False) as here:
        words = ["-b", "fixed", APP, "-o", f"dist-port={remote.port}", *FROM_VARIABLE]
        words = [word for word in words if command != "targets" or word not in FROM_VARIABLE]
        with AtTerminal(command, *words, environment=here.environment()) as terminal:
            wait_until(lambda: remote.connections > 0, "it knocks")
            assert connections(terminal.pid)
            terminal.type("\x03")
            assert terminal.wait() == 130
            assert "stopped before it was done" in terminal.screen
            assert "Traceback" not in terminal.screen
        assert here.left_over_files() == []
