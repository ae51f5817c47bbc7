"""``erlconnect run``: any program, with its node where it looks for one."""

from __future__ import annotations

import shlex
import shutil
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import COMMAND, WRONG_COOKIE, assert_no_secret, family, words_of
from end_to_end.machine import fixed, is_gone, machine
from end_to_end.terminal import AtTerminal
from world.connected import LOCAL_COOKIE, remote_node
from world.missing import require
from world.processes import Process
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from end_to_end.machine import Machine
    from world.erlang import ErlangNode

APP = "app@127.0.0.1"
REMARK = f"{APP} at 127.0.0.1"
CALL = """
    true = net_kernel:connect_node(list_to_atom(os:getenv("ERLCONNECT_ALIAS"))),
    io:format("~s", [erpc:call('app@127.0.0.1', os, getpid, [])]),
    halt(5).
"""
ELIXIR_CALL = """
    alias = String.to_atom(System.get_env("ERLCONNECT_ALIAS"))
    IO.write(:erpc.call(alias, :os, :getpid, []))
"""


@pytest.fixture(scope="module")
def remote() -> Iterator[ErlangNode]:
    with remote_node(APP) as node:
        yield node


@contextmanager
def run(
    here: Machine,
    remote: ErlangNode,
    *command: str,
    options: tuple[str, ...] = (),
    **variables: str,
) -> Iterator[Process]:
    with Process(
        [COMMAND, "run", *fixed(remote), *options, "--", *command],
        environment={**here.environment(), **variables},
    ) as process:
        yield process


def printed(here: Machine, remote: ErlangNode, *command: str) -> tuple[int, str]:
    """The exit code of ``command`` and what it printed; nothing is left of the session."""
    with run(here, remote, *command) as process:
        code = process.wait(60)
        assert here.left_over_files() == []
        assert_no_secret(process.output)
        return code, process.stdout


def test_erl(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        words = ("erl", "-noinput", "-name", "dev@127.0.0.1", "-eval", CALL)
        assert printed(here, remote, *words) == (5, str(remote.pid))


def test_elixir(remote: ErlangNode) -> None:
    require("elixir", shutil.which("elixir") is not None)
    with machine(epmd=False) as here:
        words = ("elixir", "--name", "dev@127.0.0.1", "-e", ELIXIR_CALL)
        assert printed(here, remote, *words) == (0, str(remote.pid))


def test_mix(remote: ErlangNode) -> None:
    require("mix", shutil.which("mix") is not None)
    with machine(epmd=False) as here:
        (here.home / "task.exs").write_text(ELIXIR_CALL)
        script = str(here.home / "task.exs")
        words = ("elixir", "--name", "dev@127.0.0.1", "-S", "mix", "run", "--no-mix-exs", script)
        assert printed(here, remote, *words) == (0, str(remote.pid))


def test_erl_call(remote: ErlangNode) -> None:
    require("erl_call", shutil.which("erl_call") is not None)
    with machine(epmd=False) as here:
        words = ("erl_call", "-name", APP, "-a", "os getpid []")
        assert printed(here, remote, *words) == (0, f'"{remote.pid}"')


def test_two_at_a_time_are_two_nodes_over_there(remote: ErlangNode) -> None:
    """Both are dev@127.0.0.1, each in an epmd of its own."""
    hidden = "net_kernel:connect_node('app@127.0.0.1'), io:put_chars(\"up\\n\")."
    words = ("erl", "-noinput", "-name", "dev@127.0.0.1", "-eval", hidden)
    with (
        machine(epmd=False) as here,
        run(here, remote, *words) as one,
        run(here, remote, *words) as two,
    ):
        for process in (one, two):
            process.wait_for_line("up", 30, stream="stdout")
        assert remote.evaluate("length(nodes(hidden)).") == "2"
        assert remote.evaluate("nodes().") == "[]"


def variables(here: Machine, remote: ErlangNode, *options: str, **more: str) -> dict[str, str]:
    with run(here, remote, "env", options=options, **more) as process:
        assert process.wait(30) == 0
        return dict(line.split("=", 1) for line in process.stdout.splitlines())


def test_the_variables(remote: ErlangNode) -> None:
    with machine() as here:
        found = variables(here, remote, ERL_FLAGS="+S 1", ERL_EPMD_ADDRESS="127.0.0.1")
        assert found["ERL_EPMD_PORT"] != str(here.epmd_port)
        assert "ERL_EPMD_ADDRESS" not in found
        assert found["HOME"] == str(here.home)
        assert found["ERL_FLAGS"] == "+S 1 -hidden -start_epmd false"
        expected = {
            "ELIXIR_ERL_OPTIONS": "-hidden",
            "ERLCONNECT_ALIAS": APP,
            "ERLCONNECT_SHORT_ALIAS": "app@localhost",
            "ERLCONNECT_NODE": APP,
            "ERLCONNECT_COOKIE_FILE": str(here.home / ".erlang.cookie"),
            "LIVEBOOK_DISTRIBUTION": "name",
            "LIVEBOOK_NODE": "livebook@127.0.0.1",
            "RABBITMQ_NODENAME": APP,
            "RABBITMQ_USE_LONGNAME": "true",
            "RELEASE_DISTRIBUTION": "name",
            "RELEASE_NODE": APP,
        }
        assert {name: found.get(name) for name in expected} == expected
        assert LOCAL_COOKIE not in str(found)


def test_the_cookie_is_among_them_if_it_is_asked_for(remote: ErlangNode) -> None:
    with machine() as here:
        found = variables(here, remote, "--export-cookie")
        holding = {name: text for name, text in found.items() if LOCAL_COOKIE in text}
        assert holding == {
            "ERLCONNECT_COOKIE": LOCAL_COOKIE,
            "LIVEBOOK_COOKIE": LOCAL_COOKIE,
            "LIVEBOOK_DEFAULT_RUNTIME": f"attached:{APP}:{LOCAL_COOKIE}",
            "RABBITMQ_ERLANG_COOKIE": LOCAL_COOKIE,
            "RELEASE_COOKIE": LOCAL_COOKIE,
        }


def test_the_alias_can_have_another_name(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        assert variables(here, remote, "--as", "shop")["ERLCONNECT_ALIAS"] == "shop@127.0.0.1"


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -9 $$", 137), ("kill $$", 143)])
def test_the_exit_code_is_the_programs(remote: ErlangNode, script: str, code: int) -> None:
    with machine(epmd=False) as here:
        assert printed(here, remote, "sh", "-c", script) == (code, "")


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (signal.SIGINT, "INT"),
        (signal.SIGTERM, "TERM"),
        (signal.SIGHUP, "HUP"),
        (signal.SIGUSR1, "USR1"),
    ],
)
def test_a_signal_is_for_the_program(remote: ErlangNode, number: signal.Signals, name: str) -> None:
    script = f"trap 'echo caught {name}; exit 9' {name}; echo waiting; while :; do sleep 0.05; done"
    with machine(epmd=False) as here, run(here, remote, "sh", "-c", script) as process:
        process.wait_for_line("waiting", 30)
        process.signal(number)
        assert process.wait(20) == 9
        assert process.stdout.splitlines() == ["waiting", f"caught {name}"]
        assert here.left_over_files() == []


def test_ctrl_c_reaches_the_program_once(remote: ErlangNode) -> None:
    # A signal just before a read is one that Python hears only after it; a pipe tells at once.
    script = """
import os, select, signal
heard, tell = os.pipe()
os.set_blocking(tell, False)
signal.set_wakeup_fd(tell)
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"caught\\n"))
print("waiting", flush=True)
select.select([heard], [], [])
print("got", input(), flush=True)
raise SystemExit(4)
"""
    words = ["run", *fixed(remote), "--", "python3", "-c", script]
    with machine() as here, AtTerminal(*words, environment=here.environment()) as terminal:
        terminal.wait_for("waiting")
        terminal.type("\x03")
        terminal.wait_for("caught")
        terminal.type("a line\r")
        terminal.wait_for("got a line")
        assert terminal.wait() == 4
        assert terminal.screen.count("caught") == 1


def test_stdin_is_the_programs(remote: ErlangNode) -> None:
    with machine(epmd=False) as here:
        line = shlex.join([str(COMMAND), "run", *fixed(remote), "--", "cat"])
        with Process(
            ["sh", "-c", f"printf 'a\\nb\\n' | {line}"], environment=here.environment()
        ) as process:
            assert process.wait(30) == 0
            assert process.stdout == "a\nb"


def test_a_session_that_cannot_open_starts_nothing() -> None:
    words = ["run", "-b", "fixed", APP, "-o", "dist-port=1", "--", "echo", "started"]
    with machine() as here, Process([COMMAND, *words], environment=here.environment()) as process:
        assert process.wait(30) == 69
        assert process.stdout == ""
        assert "error: " in process.stderr
        assert here.left_over_files() == []


def test_a_program_that_does_not_exist_opens_no_session(remote: ErlangNode) -> None:
    with machine() as here, run(here, remote, "no-such-program") as process:
        assert process.wait(30) == 78
        assert "no-such-program" in process.stderr
        assert REMARK not in process.stderr


def test_json_of_the_program_is_no_word_for_us(remote: ErlangNode) -> None:
    with machine() as here, run(here, remote, "no-such-program", "--json") as process:
        assert process.wait(30) == 78
        assert process.stderr.startswith("error: ")


def test_what_is_refused_is_told(remote: ErlangNode) -> None:
    words = ("erl", "-noinput", "-name", "dev@127.0.0.1", "-eval", CALL)
    with (
        machine(epmd=False) as here,
        run(here, remote, *words, PRODUCTION_COOKIE=WRONG_COOKIE) as process,
    ):
        assert process.wait(60) != 5
        assert "cookie" in process.stderr
        assert_no_secret(process.stderr)


def test_a_program_that_heeds_the_signal_takes_the_session_with_it(remote: ErlangNode) -> None:
    with machine(epmd=False) as here, run(here, remote, "sleep", "60") as process:
        wait_until(lambda: sleeping(process), "it runs")
        [child] = sleeping(process)
        process.signal(signal.SIGTERM)
        assert process.wait(20) == 143
        assert is_gone(child)


def sleeping(process: Process) -> list[int]:
    return [pid for pid in family(process.pid) if words_of(pid).startswith("sleep 60")]


def test_stderr_says_which_node_is_meant_and_stdout_is_the_programs(remote: ErlangNode) -> None:
    with machine() as here, run(here, remote, "echo", "result") as process:
        assert process.wait(30) == 0
        assert process.stdout == "result"
        where, guard = process.stderr.splitlines()
        assert where == f"{REMARK}:{remote.dist_port} (fixed)"
        assert guard.startswith("guard: what would stop the remote node is refused")


def test_it_says_what_the_guard_lets_through(remote: ErlangNode) -> None:
    options = ("--allow-stop", "--inbound", "full")
    with machine() as here, run(here, remote, "true", options=options) as process:
        assert process.wait(30) == 0
        assert "passes (--allow-stop); it may run code here (--inbound full)" in process.stderr


def test_quiet_says_nothing_at_all(remote: ErlangNode) -> None:
    with machine() as here, run(here, remote, "true", options=("-q",)) as process:
        assert process.wait(30) == 0
        assert process.output == ""
