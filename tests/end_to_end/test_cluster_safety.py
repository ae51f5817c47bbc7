"""A developer's node joins a production cluster, works and leaves, and the cluster stays whole.

OTP 25's ``global`` (prevent_overlapping_partitions) makes nodes disconnect from each other when one
member cannot reach the rest; a developer's node never can.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import assert_secret
from end_to_end.machine import alias_of, fixed, machine
from end_to_end.terminal import AtTerminal
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NAMES = ("shop-1@127.0.0.1", "shop-2@127.0.0.1", "shop-3@127.0.0.1")
MINUTE_SECONDS = 60.0
# Every coming and going of visible nodes, from now on, in the order seen.
WATCH = """
    ok = net_kernel:monitor_nodes(true, [{node_type, visible}, nodedown_reason]).
"""
SEEN = """
    (fun Seen() -> receive {Kind, Node, _} -> [{Kind, Node} | Seen()] after 0 -> [] end end)().
"""
JOIN = """
    [true = net_kernel:connect_node(Alias) || Alias <- Aliases],
    ok = global:sync(),
    yes = global:re_register_name(node(), self()),
    case whereis(pg) of undefined -> {ok, _} = pg:start(pg); _ -> ok end,
    ok = pg:join(developers, self()),
    Aliases = lists:sort(nodes(hidden)),
    nodes().
"""
# Calls, a global lock, a global name that only the cluster knows: three seconds of them.
WORK = """
    Until = erlang:monotonic_time(millisecond) + 3000,
    (fun Work(Calls) ->
        [Alias = node(erpc:call(Alias, erlang, whereis, [global_name_server])) || Alias <- Aliases],
        ok = global:trans({till, self()}, fun() -> ok end),
        undefined = global:whereis_name(cashier),
        [_] = pg:get_local_members(developers),
        timer:sleep(50),
        case erlang:monotonic_time(millisecond) < Until of
            true -> Work(Calls + 1);
            false -> Calls
        end
    end)(1).
"""


@contextmanager
def cluster(release: str = "25") -> Iterator[list[ErlangNode]]:
    """Three nodes of one production cluster, each connected to both others and watching them."""
    with ExitStack() as stack:
        port = stack.enter_context(RealEpmd(free_port())).port
        nodes = [
            stack.enter_context(
                ErlangNode.start(name, epmd_port=port, cookie=REMOTE_COOKIE, release=release)
            )
            for name in NAMES
        ]
        nodes[0].evaluate(f"[true = net_kernel:connect_node(Node) || Node <- {others(NAMES[0])}].")
        wait_until(lambda: all(map(is_whole, nodes)), "every node sees both others")
        for node in nodes:
            node.evaluate("ok = global:sync().")
            node.evaluate(WATCH)
        yield nodes


def others(name: str) -> str:
    return "[" + ",".join(f"'{each}'" for each in NAMES if each != name) + "]"


def is_whole(node: ErlangNode) -> bool:
    return node.evaluate("lists:sort(nodes()).") == others(node.name)


def hidden_at(nodes: Sequence[ErlangNode]) -> list[str]:
    return [node.evaluate("nodes(hidden).") for node in nodes]


def lost_each_other(nodes: Sequence[ErlangNode], seen: dict[str, str]) -> bool:
    """Whether any node saw another of the cluster go; adds to what each has ``seen``."""
    for node in nodes:
        seen[node.name] += node.evaluate(SEEN)
    return any(f"{{nodedown,'{name}'}}" in each for name in NAMES for each in seen.values())


@pytest.mark.timeout(180)
def test_visible_local_nodes_come_work_for_a_minute_and_go() -> None:
    with cluster() as nodes, machine() as here, ExitStack() as stack:
        assert "false" not in nodes[0].evaluate(
            "application:get_env(kernel, prevent_overlapping_partitions)."
        )
        nodes[1].evaluate("yes = global:register_name(cashier, self()).")
        sessions = [stack.enter_context(here.session(*fixed(node))) for node in nodes[:2]]
        aliases = [alias_of(session.ready()) for session in sessions]
        bound = f"Aliases = [{','.join(aliases)}], "
        end = time.monotonic() + MINUTE_SECONDS
        with here.node() as local, here.node("colleague@127.0.0.1") as colleague:
            local.evaluate("pong = net_adm:ping('colleague@127.0.0.1').")
            assert local.evaluate(bound + JOIN) == "['colleague@127.0.0.1']"
            assert colleague.evaluate(bound + JOIN) == "['dev@127.0.0.1']"
            callers = [sessions[0].wait_event("link-up", number=n)["caller_name"] for n in (1, 2)]
            while time.monotonic() < end:
                assert int(local.evaluate(bound + WORK)) > 5
                assert all(map(is_whole, nodes))
                at_first, at_second, at_third = hidden_at(nodes)
                assert all(f"'{caller}'" in at_first for caller in callers)
                assert at_second != "[]"
                assert at_third == "[]"
            assert nodes[2].evaluate("node(global:whereis_name(cashier)).") == f"'{NAMES[1]}'"
            assert nodes[2].evaluate("global:registered_names().") == "[cashier]"
            colleague.kill()
            sessions[0].wait_event("link-down")
        wait_until(lambda: hidden_at(nodes) == ["[]"] * 3, "the callers are gone")
        for node in nodes:
            assert node.evaluate(SEEN) == "[]"
            assert is_whole(node)
            assert node.process.output == "", "nothing of it is in the cluster's logs"
        for session in sessions:
            assert_secret(session.process)
            assert not [one for one in session.events if one["event"] in ("warning", "error")]


def test_visible_is_what_its_question_warns_of() -> None:
    """The caller is a member now, which the others cannot reach: the cluster falls apart.

    Not at every join, but soon.
    """
    with (
        cluster() as nodes,
        machine() as here,
        AtTerminal(
            *fixed(nodes[0]), "--visible", "--inbound", "full", environment=here.environment()
        ) as terminal,
    ):
        terminal.wait_for("disconnect production nodes from each other. Go on? [y/N]:")
        terminal.type("y\n")
        terminal.wait_for("--remsh")
        seen = dict.fromkeys(NAMES, "")
        for _ in range(20):
            with here.node() as local:
                local.evaluate(f"true = net_kernel:connect_node('{NAMES[0]}').")
                with suppress(AssertionError):
                    wait_until(lambda: lost_each_other(nodes, seen), "the cluster falls apart", 1)
                    break
        else:
            pytest.fail("the cluster stayed whole")
        assert "{nodeup,'dev-" in seen[NAMES[0]]
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_visible_is_only_what_was_confirmed() -> None:
    with (
        machine() as here,
        AtTerminal(
            "-b", "fixed", "app@127.0.0.1", "--visible", environment=here.environment()
        ) as terminal,
    ):
        terminal.wait_for("[y/N]:")
        terminal.type("\n")
        assert terminal.wait() == 130
        assert "stopped before anything was opened" in terminal.screen
