"""The tools that people use, each by the very line that the command prints for it to copy."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.elixir import start_iex
from end_to_end.evidence import COMMAND
from end_to_end.machine import fixed, machine
from end_to_end.terminal import AtTerminal
from world.connected import REMOTE_NAME, remote_node
from world.missing import require
from world.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

ELIXIR = sorted(Path("/usr/lib/elixir/lib").glob("*/ebin"))
SECONDS = 30
# What is behind observer's tabs: the same calls to the same modules.
OBSERVER = """
    Node = 'app@127.0.0.1',
    Call = fun(Function, Arguments) -> rpc:call(Node, observer_backend, Function, Arguments) end,
    {otp_release, Release} = lists:keyfind(otp_release, 1, Call(sys_info, [])),
    Tables = Call(get_table_list, [ets, [{sys_hidden, false}, {unread_hidden, false}]]),
    Collector = spawn_link(Node, observer_backend, etop_collect, [self()]),
    Processes = receive {Collector, Info} -> element(9, Info) end,
    {ok, Monitor} = appmon_info:start_link(Node, self(), []),
    appmon_info:app_ctrl(Monitor, Node, true, []),
    Applications = receive {delivery, Monitor, app_ctrl, Node, Listed} -> Listed end,
    Owners = [Owner || Table <- Tables, {owner, Owner} <- Table]
        ++ [Port || [{port_id, Port} | _] <- Call(get_port_list, [])]
        ++ [element(2, Process) || Process <- Processes]
        ++ [Pid || {Pid, kernel, _} <- Applications],
    {Release, length(Processes) > 20, lists:usort([node(Owner) || Owner <- Owners])}.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A remote node, the user's machine, and the text that the command printed there."""

    remote: ErlangNode
    here: Machine
    session: Process
    text: str

    def line(self, beginning: str) -> str:
        """The one line to copy whose command begins so."""
        lines = [line.strip() for line in self.text.splitlines() if line.startswith("  ")]
        (line,) = [line for line in lines if line.split(" ", 1)[1].startswith(beginning)]
        return line

    @property
    def environment(self) -> dict[str, str]:
        """The user's, without the port of epmd, which the lines themselves name."""
        variables = {**os.environ, "HOME": str(self.here.home), "TERM": "xterm"}
        return {name: text for name, text in variables.items() if name != "ERL_EPMD_PORT"}


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """The command as people run it, to a node that has Elixir and what observer asks for."""
    paths = [word for path in ELIXIR for word in ("-pa", str(path))]
    with (
        remote_node(flags=paths) as remote,
        machine() as here,
        Process([COMMAND, *fixed(remote)], environment=here.environment()) as session,
    ):
        session.wait_for_line("erl_call -name", SECONDS, stream="stdout")
        yield Told(remote=remote, here=here, session=session, text=session.stdout)


@contextmanager
def shell(told: Told, beginning: str, **variables: str) -> Iterator[AtTerminal]:
    """The line at a terminal of its own; its node is left as people leave it."""
    environment = {**told.environment, **variables}
    line = told.line(beginning)
    with AtTerminal("-c", line, environment=environment, program="sh") as terminal:
        yield terminal
        terminal.type("\x03")
        terminal.wait_for("(a)bort")
        terminal.type("a\r")
        terminal.wait()


def test_the_text_names_node_and_alias_and_where_epmd_is(told: Told) -> None:
    first, second, *_ = told.text.splitlines()
    assert first == f"{REMOTE_NAME} at 127.0.0.1:{told.remote.dist_port} (fixed)"
    assert second.startswith("is app@127.0.0.1 here, by direct, cookie from env, in the running")
    assert told.line("erl_call").startswith(f"ERL_EPMD_PORT={told.here.epmd_port} erl_call ")


@pytest.mark.parametrize("line", ["iex --name", "iex --sname"])
def test_iex_opens_a_shell_in_the_remote_node(told: Told, line: str) -> None:
    require("iex", shutil.which("iex") is not None)
    start_iex(told.remote)
    with shell(told, line) as iex:
        iex.wait_for(f"iex({REMOTE_NAME})1> ")
        iex.type('Enum.join(["its", "pid", System.pid()], "-")\r')
        iex.wait_for(f'"its-pid-{told.remote.pid}"')
        # What the remote node prints and computes names it as it calls itself.
        iex.type("node() |> to_string() |> String.length()\r")
        iex.wait_for(f"\n{len(REMOTE_NAME)}")


def test_erl_opens_a_shell_in_the_remote_node(told: Told) -> None:
    with shell(told, "erl -name dev@127.0.0.1 -remsh") as erl:
        erl.wait_for(f"({REMOTE_NAME})1> ")
        erl.type('lists:join($-, ["its", "pid", os:getpid()]).\r')
        erl.wait_for(f'["its",45,"pid",45,"{told.remote.pid}"]')


def erl_call(told: Told, apply: str) -> str:
    """What the line prints with this to apply instead of its own."""
    require("erl_call", shutil.which("erl_call") is not None)
    line = told.line("erl_call").replace("'erlang node []'", shlex.quote(apply))
    done = subprocess.run(
        line,
        shell=True,
        env=told.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_erl_call_prints_the_alias(told: Told) -> None:
    """In the form of its own name, which is made of this machine's."""
    assert erl_call(told, "erlang node []") in ("app@127.0.0.1", "app@localhost")


def test_erl_call_gets_a_large_answer_in_one_frame(told: Told) -> None:
    """It is written in C and knows neither atom cache nor fragments: names stand inline."""
    alias = erl_call(told, "erlang node []")
    number = 10 * 1024 * 1024 // len(REMOTE_NAME)
    answer = erl_call(told, f"lists duplicate [{number}, '{alias}']")
    assert answer == f"[{', '.join([alias] * number)}]"


@pytest.fixture
def display() -> Iterator[str]:
    """A screen that nobody sees."""
    require("Xvfb", shutil.which("Xvfb") is not None)
    screen = ("-screen", "0", "1024x768x24", "-nolisten", "tcp")
    with Process(["Xvfb", "-displayfd", "1", *screen]) as server:
        yield ":" + server.wait_for_line(str.isdigit, SECONDS, stream="stdout")


def test_observer_opens_and_lists_the_remote_node(told: Told, display: str) -> None:
    with told.here.node("asks@127.0.0.1") as local:
        require("observer", local.evaluate("code:which(observer).") != "non_existing")
    with shell(told, "erl -name dev@127.0.0.1 -eval", DISPLAY=display) as erl:
        erl.wait_for("1> ")
        # The prompt is there before observer is.
        erl.type("(fun W() -> whereis(observer) =:= undefined andalso W() end)().\r")
        erl.wait_for("2> ")
        # It offers the names of the local epmd, at the local node's own host.
        erl.type('{lists:keymember("app", 1, element(2, net_adm:names())), nodes(hidden)}.\r')
        erl.wait_for("{true,['app@127.0.0.1']}")


def test_what_observer_asks_a_node_is_answered(told: Told) -> None:
    with told.here.node() as local:
        require("runtime_tools", local.evaluate("code:which(observer_backend).") != "non_existing")
        assert local.evaluate("net_kernel:hidden_connect_node('app@127.0.0.1').") == "true"
        assert local.evaluate(OBSERVER) == "{\"25\",true,['app@127.0.0.1']}"
