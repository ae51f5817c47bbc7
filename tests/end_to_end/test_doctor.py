"""A doctor finds nothing wrong where nothing is, and leaves nothing behind where it looked."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from end_to_end.examined import Ended, examined, run
from end_to_end.machine import FROM_VARIABLE, fixed, machine
from end_to_end.terminal import AtTerminal
from end_to_end.test_cluster_safety import cluster, is_whole
from world.connected import REMOTE_COOKIE, REMOTE_NAME, remote_node
from world.missing import require
from world.releases import available

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

APP = "app@127.0.0.1"
LOCAL = ["local-erlang", "local-elixir", "local-epmd", "local-names", "local-cookie"]
REMOTE = [
    "discovery",
    "rights",
    "tunnel",
    "remote-epmd",
    "port",
    "handshake",
    "cookie",
    "cookie-check",
    "tick",
    "remote-erlang",
    "runtime-tools",
    "remote-elixir",
    "guard",
]
WHOLE = """\
configuration  ok       TIME  files and variables are understood
discovery      ok       TIME  1 target: app@127.0.0.1
rights         ok       TIME  the lookup was answered
tunnel         ok       TIME  direct is open
remote-epmd    skipped              not asked, because the port is known
port           ok       TIME  127.0.0.1:PORT accepts connections
handshake      ok       TIME  app@127.0.0.1 answers, OTP 25 to 27 by its flags
cookie         ok       TIME  env has it (variable PRODUCTION_COOKIE)
cookie-check   ok       TIME  both sides have proved it; the node sees us as hidden
tick           ok       TIME  a tick went there, and what net_adm:ping asks was answered
remote-erlang  ok       TIME  OTP 25, net_ticktime 60 s
runtime-tools  ok       TIME  Observer finds what it needs there
remote-elixir  note     TIME  the node has no Elixir, which `iex --remsh` and Livebook ask
                                    Take `erl -remsh`, which does not.
guard          ok       TIME  what would stop the remote node is refused (--allow-stop allows it); \
so is what would run code here (--inbound full allows it)
local-erlang   ok       TIME  OTP 25 (ERL), and OTP 25 there: they talk with each other
local-elixir   ok       TIME  Elixir VERSION (ELIXIR)
local-epmd     ok       TIME  one runs on port EPMD and knows no names
local-names    ok       TIME  app@127.0.0.1 and dev: not registered here
local-cookie   ok       TIME  HOME/.erlang.cookie is as Erlang wants it
19 steps: 17 ok, 1 note, 1 skipped
"""


def settled(shown: str, replaced: Mapping[str, str]) -> str:
    """What was shown, without what is another each time."""
    for text, name in replaced.items():
        shown = shown.replace(text, name)
    shown = re.sub(r" +\d+\.\d ms", " TIME", shown).replace("ok TIME", "ok       TIME")
    shown = re.sub(r"\(/\S*/erl\)", "(ERL)", shown.replace("note TIME", "note     TIME"))
    return re.sub(r"Elixir [\d.]+ \(/\S*/elixir\)", "Elixir VERSION (ELIXIR)", shown)


def statuses(ended: Ended) -> dict[str, str]:
    return {name: step["status"] for name, step in ended.steps.items()}


def test_text_for_people() -> None:
    with remote_node(APP) as remote, machine() as here:
        ended = run(here, "doctor", *fixed(remote))
        assert ended.stderr == ""
        assert ended.code == 0
        shown = settled(
            ended.stdout,
            {
                f":{remote.dist_port} ": ":PORT ",
                f"port {here.epmd_port} ": "port EPMD ",
                str(here.home): "HOME",
            },
        )
        assert shown == WHOLE


def test_json_for_programs_says_the_same() -> None:
    with remote_node(APP) as remote, machine() as here:
        ended = examined(here, *fixed(remote))
        text = run(here, "doctor", *fixed(remote)).stdout.splitlines()
        told = [line.split(maxsplit=2)[:2] for line in text if line[0] not in " 1"]
        assert [[step["step"], step["status"]] for step in ended.events] == told
        for step in ended.events:
            assert list(step) == ["schema", "event", "step", "status", "seconds", "seen", "remedy"]
            assert (step["schema"], step["event"]) == (1, "step")
            assert step["seconds"] >= 0
            assert any(step["seen"] in line for line in text)


def test_without_a_target_it_looks_at_this_machine() -> None:
    with machine() as here:
        ended = examined(here)
        assert list(ended.steps) == ["configuration", *LOCAL]
        assert set(statuses(ended).values()) == {"ok"}
        assert ended.code == 0
        assert ended.stderr == ""


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_every_release_answers_and_keeps_nothing_of_the_visit(release: str) -> None:
    with remote_node(REMOTE_NAME, release=release) as remote, machine() as here:
        processes = "lists:sort([process_info(Pid, initial_call) || Pid <- processes()])."
        before = remote.evaluate(processes)
        ended = examined(here, *fixed(remote))
        failed = {"local-erlang"} if release == "23" else set()
        assert set(ended.failed) <= failed
        assert list(ended.steps) == ["configuration", *REMOTE, *LOCAL]
        assert ended.steps["remote-erlang"]["seen"] == f"OTP {release}, net_ticktime 60 s"
        assert ended.steps["cookie-check"]["status"] == ended.steps["tick"]["status"] == "ok"
        assert remote.evaluate("{nodes(), nodes(hidden)}.") == "{[],[]}"
        assert remote.evaluate(processes) == before
        assert remote.process.output == ""


def test_what_the_guard_lets_through_is_a_note() -> None:
    with remote_node(APP) as remote, machine() as here:
        guarded = examined(here, *fixed(remote)).steps["guard"]
        assert guarded["status"] == "ok"
        open_ = examined(here, *fixed(remote), "--allow-stop", "--inbound", "full").steps["guard"]
        assert open_["status"] == "note"
        assert "passes (--allow-stop)" in open_["seen"]
        assert "run code here (--inbound full)" in open_["seen"]


def test_a_remote_elixir_and_its_runtime_tools_are_found(tmp_path: Path) -> None:
    flags = ("-pa", "/usr/lib/elixir/lib/elixir/ebin")
    with remote_node(APP, flags=flags) as remote, machine() as here:
        steps = examined(here, *fixed(remote)).steps
        assert re.fullmatch(r"Elixir \d+\.\d+\.\d+", steps["remote-elixir"]["seen"])
        assert steps["runtime-tools"]["status"] == "ok"
        assert steps["local-elixir"]["status"] == "ok"
        other = program(tmp_path, "elixir", "echo 1.99.3")
        steps = examined(here, *fixed(remote), environment=other).steps
        assert steps["local-elixir"]["status"] == "note"
        assert "Elixir 1.99.3 here and " in steps["local-elixir"]["seen"]
        assert "Livebook" in steps["local-elixir"]["seen"]


def program(folder: Path, name: str, script: str) -> dict[str, str]:
    """An environment in which the program ``name`` is a shell script."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}


def test_releases_that_refuse_each_other_are_named(tmp_path: Path) -> None:
    """The Erlang of this machine is 23, in a tree of its own; that over there is 27."""
    require("OTP 23", "23" in available())
    with remote_node(APP, release="27") as remote, machine() as here:
        tree = available()["23"]
        old = program(tmp_path, "erl", f'exec chroot {tree} erl "$@"')
        ended = examined(here, *fixed(remote), environment=old)
        assert ended.failed == ["local-erlang"]
        step = ended.steps["local-erlang"]
        assert (step["code"], step["cause"], ended.code) == (77, "not-allowed", 77)
        assert "OTP 23 here and OTP 27 there refuse each other" in step["seen"]
        assert "OTP 24" in step["remedy"]


def test_a_cluster_stays_whole_and_counts_no_visitor() -> None:
    with cluster() as nodes, machine() as here:
        for node in nodes:
            assert examined(here, *fixed(node)).code == 0
        assert all(map(is_whole, nodes))
        for node in nodes:
            assert node.evaluate("nodes(hidden).") == "[]"
            assert "disconnect" not in node.process.output


def test_a_link_that_is_up_stays_so_whatever_the_visitor_is_called() -> None:
    name = "console@ops.example"
    with (
        remote_node(APP) as remote,
        machine() as here,
        here.session(*fixed(remote), "--caller-name", name) as session,
        here.node() as local,
    ):
        session.ready()
        assert local.evaluate(f"net_kernel:connect_node('{APP}').") == "true"
        assert examined(here, *fixed(remote)).code == 0
        ended = examined(here, *fixed(remote), "--caller-name", name)
        assert ended.failed == ["cookie-check"]
        assert (ended.code, ended.steps["cookie-check"]["cause"]) == (77, "name-in-use")
        assert ended.steps["handshake"]["status"] == "ok"
        assert remote.evaluate("nodes(hidden).") == f"['{name}']"
        assert not [one for one in session.events if one["event"] == "link-down"]


def test_names_that_are_taken_here_are_told() -> None:
    with remote_node(APP) as remote, machine() as here, here.node(), here.node(APP):
        step = examined(here, *fixed(remote)).steps["local-names"]
        assert step["status"] == "note"
        assert "app is registered here" in step["seen"]
        assert "no second dev starts" in step["seen"]
        assert "--as" in step["remedy"]


def test_a_terminal_gets_colours_and_no_colour_is_obeyed() -> None:
    with machine() as here:
        with AtTerminal("doctor", environment=here.environment()) as terminal:
            assert terminal.wait() == 0
            assert "\x1b[32m" in terminal.screen
        plain = {**here.environment(), "NO_COLOR": "1"}
        with AtTerminal("doctor", environment=plain) as terminal:
            assert terminal.wait() == 0
            assert "\x1b[3" not in terminal.screen


def test_quiet_tells_only_what_is_to_be_known() -> None:
    with machine(cookie=None) as here:
        ended = run(here, "doctor", "-q", "-b", "fixed", APP, "-o", "dist-port=1", *FROM_VARIABLE)
        lines = ended.stdout.splitlines()
        assert [line.split()[:2] for line in lines[::2]] == [["port", "failed"]]
        assert ended.code == 69
        assert REMOTE_COOKIE not in ended.stdout
