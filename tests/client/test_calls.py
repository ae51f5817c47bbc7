"""Calls over our own connection to real nodes: what they end with, and what is left of them."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from client.nodes import CALLER, client_of
from world.connected import remote_node
from world.waiting import wait_until

from erlconnect.client.calls import Raised, Returned, call, stop_refused
from erlconnect.client.connection import CLAIMED_FLAGS, LONGEST_MESSAGE
from erlconnect.distribution.control import Operation
from erlconnect.distribution.etf import Atom, Map, Pid, Term
from erlconnect.distribution.flags import DistributionFlag
from erlconnect.errors import AnswerTooLargeError, RefusedError, TimedOutError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from client.nodes import Client
    from world.erlang import ErlangNode

# Without them a call goes through rex, frames are passed through, exits come without a payload.
BARE = CLAIMED_FLAGS & ~int(
    DistributionFlag.SPAWN | DistributionFlag.FRAGMENTS | DistributionFlag.EXIT_PAYLOAD
)
FOR_EVER: list[Term] = [Atom("erlang"), Atom("hibernate"), [Atom("erlang"), Atom("node"), []]]
WAYS = pytest.mark.parametrize("flags", [CLAIMED_FLAGS, BARE], ids=["spawn-request", "rex"])


@pytest.fixture(scope="module", params=["23", "25", "27", "29"])
def node(request: pytest.FixtureRequest) -> Iterator[ErlangNode]:
    with remote_node("app@127.0.0.1", release=request.param) as node:
        yield node


async def outcome(client: Client, module: str, function: str, *args: Term) -> object:
    return await call(
        client.connection, module, function, args, group_leader=client.leader.pid, seconds=30
    )


@WAYS
async def test_what_a_call_ends_with(node: ErlangNode, flags: int) -> None:
    async with client_of(node, flags=flags) as client:
        assert client.connection.spawns == (flags == CLAIMED_FLAGS)
        assert await outcome(client, "erlang", "node") == Returned(value=Atom(node.name))
        raised = await outcome(client, "erlang", "error", Atom("boom"))
        assert isinstance(raised, Raised)
        assert (raised.kind, raised.reason) == ("error", "boom")
        assert isinstance(raised.stack, list)
        # The frames of erl_eval stand for it where the call went through rex.
        assert raised.stack[0][0] in ("erlang", "erl_eval")
        assert await outcome(client, "erlang", "exit", 1) == Raised(kind="exit", reason=1)
        assert await outcome(client, "erlang", "throw", b"x") == Raised(kind="throw", reason=b"x")
        undefined = await outcome(client, "erlang", "no_such_function")
        assert isinstance(undefined, Raised)
        assert undefined.reason == "undef"
    assert node.process.output == ""


@WAYS
async def test_output_comes_in_its_order_and_input_has_ended(node: ErlangNode, flags: int) -> None:
    async with client_of(node, flags=flags) as client:
        await client.call("io", "put_chars", [*b"caf", 233, [b" \xe2\x98\x83\n"]])
        await client.call("io", "format", [*b"~ts ~p~n"], [[233], [Atom("x")]])
        assert "".join(client.output) == "café ☃\né [x]\n"
        assert await client.call("io", "get_line", [*b"name? "]) == "eof"
        assert await client.call("io", "get_chars", [*b"> "], 3) == "eof"
        error = (Atom("error"), Atom("terminated"))
        assert await client.call("io", "scan_erl_exprs", [*b"1> "]) == error


async def test_a_shell_at_our_group_leader_leaves_the_node_alone(node: ErlangNode) -> None:
    """That of OTP 25 and older halts its node at an end of input."""
    async with client_of(node) as client:
        shell = await client.call("shell", "start")
        assert isinstance(shell, Pid)
        alive = f'is_process_alive(list_to_pid("<0.{shell.id}.{shell.serial}>")).'
        await asyncio.to_thread(
            wait_until, lambda: node.evaluate(alive) == "false", "the shell has ended"
        )
    assert node.evaluate("ok.") == "ok"


@WAYS
@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_call_that_is_given_up_is_killed(
    node: ErlangNode, flags: int, cancelled: bool
) -> None:
    async with client_of(node, flags=flags) as client:
        if cancelled:
            task = asyncio.ensure_future(outcome(client, "erlang", "apply", *FOR_EVER))
            await wait_for(node, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            with pytest.raises(TimedOutError, match="was killed"):
                await call(
                    client.connection,
                    "erlang",
                    "apply",
                    FOR_EVER,
                    group_leader=client.leader.pid,
                    seconds=0.5,
                )
    await wait_for(node, 0)


def hibernating(node: ErlangNode) -> int:
    """How many processes hibernate whose group leader is ours."""
    return int(
        node.evaluate(
            "length([P || P <- processes(), "
            "{current_function, {erlang, hibernate, 3}} <- [process_info(P, current_function)], "
            f"{{group_leader, G}} <- [process_info(P, group_leader)], node(G) =:= '{CALLER}'])."
        )
    )


async def wait_for(node: ErlangNode, number: int) -> None:
    await asyncio.to_thread(
        wait_until, lambda: hibernating(node) == number, f"{number} calls are there"
    )


@WAYS
async def test_a_process_does_not_outlive_the_connection(node: ErlangNode, flags: int) -> None:
    async with client_of(node, flags=flags) as client:
        task = asyncio.ensure_future(outcome(client, "erlang", "apply", *FOR_EVER))
        await wait_for(node, 1)
        client.connection._own._socket.close()
    await wait_for(node, 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_large_answer_comes_in_fragments_and_a_larger_one_not_at_all(
    node: ErlangNode,
) -> None:
    async with client_of(node) as client:
        size = 20_000_000
        value = await client.call("binary", "copy", b"x", size)
        assert value == b"x" * size
        with pytest.raises(AnswerTooLargeError, match="64 MB"):
            await client.call("binary", "copy", b"x", LONGEST_MESSAGE + 1)


async def test_the_end_of_the_node_is_an_error_and_no_wait() -> None:
    with remote_node("app@127.0.0.1") as node:
        async with client_of(node) as client:
            task = asyncio.ensure_future(outcome(client, "timer", "sleep", Atom("infinity")))
            await client.call("erlang", "node")
            node.kill()
            with pytest.raises(UnreachableError, match="closed the connection"):
                await task


async def test_a_quiet_connection_is_kept(node: ErlangNode) -> None:
    """The node's tick time is set so low that silence would end it within this test."""
    with remote_node("app@127.0.0.1", flags=("-kernel", "net_ticktime", "4")) as ticking:
        async with client_of(ticking) as client:
            assert await client.call("timer", "sleep", 6000) == "ok"


async def test_what_watches_our_processes_is_told_that_they_are_gone(node: ErlangNode) -> None:
    async with client_of(node) as client:
        gone = client.connection.new_pid()
        client.connection.forget(gone)
        evaluated = await client.call(
            "erl_eval",
            "exprs",
            await forms(client, "R = monitor(process, P), receive {'DOWN', R, _, _, W} -> W end."),
            [(Atom("P"), gone)],
        )
        assert isinstance(evaluated, tuple)
        assert evaluated[1] == "noproc"


async def forms(client: Client, text: str) -> Term:
    scanned = await client.call("erl_scan", "string", [*text.encode()])
    assert isinstance(scanned, tuple)
    parsed = await client.call("erl_parse", "parse_exprs", scanned[1])
    assert isinstance(parsed, tuple)
    return parsed[1]


@pytest.mark.parametrize(
    ("module", "function", "args", "expected"),
    [
        ("init", "stop", [], "init:stop/0"),
        ("erlang", "halt", [0, []], "erlang:halt/2"),
        ("Elixir.System", "halt", [0], "System:halt/1"),
        ("application", "stop", [Atom("kernel")], "application:stop/1"),
        ("application", "stop", [Atom("shop")], None),
        ("init", "get_status", [], None),
        # Calls of other functions that would make such a call.
        ("erlang", "apply", [Atom("init"), Atom("stop"), []], "init:stop/0"),
        ("timer", "apply_after", [1, Atom("erlang"), Atom("halt"), [0]], "erlang:halt/1"),
        ("Elixir.Code", "eval_string", [b"System.halt()"], "System:halt/0"),
    ],
)
def test_calls_that_end_a_node(
    module: str, function: str, args: list[Term], expected: str | None
) -> None:
    if expected is None:
        stop_refused(module, function, args)
        return
    with pytest.raises(RefusedError, match=f"^{re.escape(expected)} would end or restart"):
        stop_refused(module, function, args)


def test_operations_are_those_of_the_specification() -> None:
    names = (
        "LINK=1 SEND=2 EXIT=3 UNLINK=4 NODE_LINK=5 REG_SEND=6 GROUP_LEADER=7 EXIT2=8 SEND_TT=12 "
        "EXIT_TT=13 REG_SEND_TT=16 EXIT2_TT=18 MONITOR_P=19 DEMONITOR_P=20 MONITOR_P_EXIT=21 "
        "SEND_SENDER=22 SEND_SENDER_TT=23 PAYLOAD_EXIT=24 PAYLOAD_EXIT_TT=25 PAYLOAD_EXIT2=26 "
        "PAYLOAD_EXIT2_TT=27 PAYLOAD_MONITOR_P_EXIT=28 SPAWN_REQUEST=29 SPAWN_REQUEST_TT=30 "
        "SPAWN_REPLY=31 SPAWN_REPLY_TT=32 ALIAS_SEND=33 ALIAS_SEND_TT=34 UNLINK_ID=35 "
        "UNLINK_ID_ACK=36 ALTACT_SIG_SEND=37"
    )
    assert " ".join(f"{one.name}={int(one)}" for one in Operation) == names


def test_a_map_finds_values_by_what_erlang_calls_equal() -> None:
    term = Map(((1.0, b"float"), (1, b"integer"), ([2], b"list")))
    assert (term.get(1), term.get([2]), term.get(3)) == (b"integer", b"list", None)
