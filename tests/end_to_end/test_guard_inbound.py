"""A hostile remote node tries to run code here, by every way that OTP's own sources offer.

Each way writes a file on this machine. The control is the same node with ``--inbound full``: there
each way works, so that what is refused is the message and not the attempt.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from world.connected import connected
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

# L is the local node, M, F and A the call that writes the file, Told a process here that is known
# there, G its group leader, Guessed the processes of the system by their numbers.
WAYS = {
    "spawn": "spawn(L, M, F, A)",
    "spawn_link": "spawn_link(L, M, F, A)",
    "spawn_monitor": "spawn_monitor(L, M, F, A)",
    "spawn_opt": "spawn_opt(L, M, F, A, [{priority, high}])",
    "spawn_request": "spawn_request(L, M, F, A)",
    "spawn of a fun": "spawn(L, fun() -> apply(M, F, A) end)",
    "proc_lib:spawn": "proc_lib:spawn(L, M, F, A)",
    "proc_lib:spawn_link": "proc_lib:spawn_link(L, M, F, A)",
    "erpc:call": "erpc:call(L, M, F, A)",
    "erpc:call of a fun": "erpc:call(L, fun() -> apply(M, F, A) end)",
    "erpc:cast": "erpc:cast(L, M, F, A)",
    "erpc:multicall": "erpc:multicall([L], M, F, A)",
    "erpc:multicast": "erpc:multicast([L], M, F, A)",
    "erpc:send_request": "erpc:send_request(L, M, F, A)",
    "rpc:call": "rpc:call(L, M, F, A)",
    "rpc:cast": "rpc:cast(L, M, F, A)",
    "rpc:block_call": "rpc:block_call(L, M, F, A)",
    "rpc:async_call": "rpc:async_call(L, M, F, A)",
    "rpc:multicall": "rpc:multicall([L], M, F, A)",
    "rpc:eval_everywhere": "rpc:eval_everywhere([L], M, F, A)",
    "rex, a call": "gen_server:call({rex, L}, {call, M, F, A, G}, 2000)",
    "rex, a blocking call": "gen_server:call({rex, L}, {block_call, M, F, A, G}, 2000)",
    "rex, a cast": "gen_server:cast({rex, L}, {cast, M, F, A, G})",
    "rex, as C nodes ask": "{rex, L} ! {self(), {call, M, F, A, G}}",
    "net_kernel, spawn": "gen_server:call({net_kernel, L}, {spawn, M, F, A, G}, 2000)",
    "net_kernel, spawn_link": "gen_server:call({net_kernel, L}, {spawn_link, M, F, A, G}, 2000)",
    "user puts": "{user, L} ! {io_request, self(), r, {put_chars, unicode, M, F, A}}",
    "user puts, the old way": "{user, L} ! {io_request, self(), r, {put_chars, M, F, A}}",
    "user puts several": "{user, L} ! {io_request, self(), r, "
    "{requests, [{put_chars, unicode, <<>>}, {put_chars, unicode, M, F, A}]}}",
    "a group leader puts": "G ! {io_request, self(), r, {put_chars, unicode, M, F, A}}",
    "a group leader puts several": "G ! {io_request, self(), r, "
    "{requests, [{put_chars, unicode, M, F, A}]}}",
    "standard_error puts": "{standard_error, L} ! "
    "{io_request, self(), r, {put_chars, unicode, M, F, A}}",
    "a child of kernel_safe_sup": "supervisor:start_child({kernel_safe_sup, L}, "
    "#{id => make_ref(), start => {M, F, A}, restart => temporary})",
    "a child of kernel_sup": "supervisor:start_child({kernel_sup, L}, "
    "#{id => make_ref(), start => {M, F, A}, restart => temporary})",
    "a child of logger_sup": "supervisor:start_child({logger_sup, L}, "
    "#{id => make_ref(), start => {M, F, A}, restart => temporary})",
    "a child of a guessed supervisor": "[P ! {'$gen_call', {self(), make_ref()}, {start_child, "
    "#{id => make_ref(), start => {M, F, A}, restart => temporary}}} || P <- Guessed]",
    "the state of a server": "sys:replace_state({kernel_safe_sup, L}, "
    "fun(S) -> apply(M, F, A), S end, 2000)",
    "the state of a guessed server": "[P ! {system, {self(), make_ref()}, {replace_state, "
    "fun(S) -> apply(M, F, A), S end}} || P <- Guessed]",
    "the file server writes": "gen_server:call({file_server_2, L}, "
    "{write_file, hd(A), <<>>}, 2000)",
    "the file server opens": "gen_server:call({file_server_2, L}, "
    "{open, hd(A), [write, binary]}, 2000)",
    "the file server makes a folder": "gen_server:call({file_server_2, L}, "
    "{make_dir, hd(A)}, 2000)",
    "a log event's text": "{logger_proxy, L} ! "
    '{log, error, fun(_) -> apply(M, F, A), {"", []} end, [], #{}}',
    "a log event's callback": "{logger_proxy, L} ! {log, error, #{a => 1}, #{gl => G, "
    'time => 1, report_cb => fun(_) -> apply(M, F, A), {"", []} end}}',
}
ATTEMPT = """
    L = {local}, {{Told, G}} = persistent_term:get(told), M = file, F = write_file,
    A = ["{file}", <<"here">>],
    ["<" ++ Index | _] = string:split(pid_to_list(Told), "."),
    Guessed = [list_to_pid(lists:flatten(io_lib:format("<~s.~b.0>", [Index, N])))
               || N <- lists:seq(1, 63)],
    spawn(fun() -> [Told, Guessed, G, L, M, F, A], {way} end), ok.
"""


@pytest.fixture(scope="module")
def full() -> Iterator[Connected]:
    with told("--inbound", "full") as world:
        yield world


@pytest.fixture(scope="module")
def guarded() -> Iterator[Connected]:
    with told() as world:
        yield world


@contextmanager
def told(*options: str) -> Iterator[Connected]:
    """Two connected nodes; the remote one knows a process here and its group leader."""
    with connected(*options) as world:
        tell = "erpc:call(Alias, persistent_term, put, [told, {self(), group_leader()}])."
        assert world.call(tell) == "ok"
        yield world


def attempt(world: Connected, way: str, file: Path) -> None:
    words = ATTEMPT.format(local=world.caller, file=file, way=WAYS[way])
    assert world.remote.evaluate(words) == "ok"


@pytest.fixture
def file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "written"


def refusals(world: Connected) -> list[dict[str, str]]:
    return [event for event in world.session.events if event["event"] == "refused"]


@pytest.mark.parametrize("way", WAYS)
def test_the_remote_node_runs_nothing_here(guarded: Connected, way: str, file: Path) -> None:
    before = len(refusals(guarded))
    attempt(guarded, way, file)
    wait_until(lambda: len(refusals(guarded)) > before, "the refusal is told")
    # Whatever the way started has been done when a later answer comes.
    assert guarded.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"
    assert not file.exists()
    event = refusals(guarded)[-1]
    assert (event["rule"], event["direction"]) == ("inbound", "inward")
    assert "--inbound full" in event["remedy"]


@pytest.mark.parametrize("way", [way for way in WAYS if "guessed" not in way])
def test_with_inbound_full_each_way_works(full: Connected, way: str, file: Path) -> None:
    attempt(full, way, file)
    wait_until(file.exists, f"{way} wrote the file")
    assert refusals(full) == []


@pytest.mark.parametrize("way", [way for way in WAYS if "guessed" in way])
def test_with_inbound_full_a_guess_works(way: str, file: Path) -> None:
    """It may end the local node, too: not every process understands such a message."""
    with told("--inbound", "full") as world:
        attempt(world, way, file)
        wait_until(file.exists, f"{way} wrote the file")


def test_what_a_remote_shell_needs_passes(guarded: Connected) -> None:
    """Text in every form, and reports of a process that crashed with a group leader here."""
    before = refusals(guarded)
    crash = "erpc:call(Alias, erlang, spawn, [erlang, error, [told_in_a_report]])."
    guarded.call(crash)
    wait_until(lambda: "told_in_a_report" in guarded.local.process.output, "the report is here")
    for text in ('io, format, ["in ~ts~n", ["words"]]', 'io, put_chars, ["in words\\n"]'):
        assert guarded.call(f"erpc:call(Alias, {text}).") == "ok"
    assert guarded.call("net_adm:ping(Alias).") == "pong"
    assert guarded.remote.evaluate(f"net_adm:ping({guarded.caller}).") == "pong"
    assert refusals(guarded) == before
