"""Programs that others wrote for nodes that see each other, run between the two sides.

mnesia, global and pg want both nodes visible, which nobody should do with a real cluster: these
two nodes have no other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import fixed, machine
from end_to_end.mirrored import mirrored
from end_to_end.terminal import AtTerminal
from fidelity.pairs import PROGRAMS
from world.connected import REMOTE_NAME, remote_node
from world.missing import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode

ALIAS = "'app@127.0.0.1'"
LOCAL = "'dev@127.0.0.1'"
ERLANG_FILES = Path("/usr/lib/erlang/usr")
# One node's table on both: what either writes, both read, in transactions of both at once.
SHARED_TABLE = f"""
    {{ok, [{ALIAS}]}} = mnesia:change_config(extra_db_nodes, [{ALIAS}]),
    {{atomic, ok}} = mnesia:add_table_copy(orders, node(), ram_copies),
    ok = mnesia:wait_for_tables([orders], 10000),
    {{lists:sort(mnesia:table_info(orders, ram_copies)), mnesia:dirty_read(orders, 1)}}.
"""
COUNT = """
    Count = fun() ->
        [{orders, count, Number}] = mnesia:read(orders, count, write),
        mnesia:write({orders, count, Number + 1})
    end,
    [{atomic, ok} = mnesia:transaction(Count) || _ <- lists:seq(1, 200)],
"""
COUNTED = """
    (fun Wait() ->
        case mnesia:dirty_read(orders, count) of
            [{_, _, 400}] -> true;
            _ -> timer:sleep(50), Wait()
        end
    end)().
"""
BOTH_MEMBERS = """
    (fun Wait() ->
        case pg:get_members(staff) of
            [_, _] = Two -> lists:sort([node(Pid) || Pid <- Two]);
            _ -> timer:sleep(20), Wait()
        end
    end)().
"""
STORM = """
    Node = Alias,
    Look = fun() ->
        Pids = rpc:call(Node, erlang, processes, []),
        Items = [registered_name, memory, message_queue_len, current_function, links],
        Seen = [rpc:call(Node, erlang, process_info, [Pid, Items]) || Pid <- Pids],
        Tables = [rpc:call(Node, ets, info, [Table]) || Table <- rpc:call(Node, ets, all, [])],
        Owners = [node(Owner) || [_ | _] = Table <- Tables, {owner, Owner} <- Table],
        Linked = [node(Pid) || [_ | _] = One <- Seen, {links, Pids} <- One, Pid <- Pids],
        {lists:usort([node(Pid) || Pid <- Pids] ++ Owners ++ Linked), length(Seen) > 30}
    end,
    Watchers = [spawn_monitor(fun() -> exit([Look() || _ <- lists:seq(1, 5)]) end)
                || _ <- lists:seq(1, 20)],
    lists:usort(lists:append([receive {'DOWN', Monitor, process, Pid, Looks} -> Looks end
                              || {Pid, Monitor} <- Watchers])).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """Two nodes that list each other in ``nodes()``."""

    remote: ErlangNode
    local: ErlangNode
    caller: str


@contextmanager
def visible() -> Iterator[Visible]:
    """Confirm ``--visible`` as a person does, and connect; either node may call the other."""
    with (
        remote_node() as remote,
        machine() as here,
        AtTerminal(
            *fixed(remote), "--visible", "--inbound", "full", environment=here.environment()
        ) as terminal,
    ):
        terminal.wait_for("Go on? [y/N]:")
        terminal.type("y\n")
        terminal.wait_for("--remsh")
        with here.node() as local:
            assert local.evaluate(f"net_kernel:connect_node({ALIAS}).") == "true"
            assert local.evaluate("nodes().") == f"[{ALIAS}]"
            caller = remote.evaluate("nodes().").strip("[]")
            yield Visible(remote=remote, local=local, caller=caller)
        terminal.type("\x03")
        assert terminal.wait() == 130


def test_mnesia_replicates_a_table_between_the_two() -> None:
    with visible() as both:
        require("mnesia", both.local.evaluate("code:which(mnesia).") != "non_existing")
        for node in (both.remote, both.local):
            assert node.evaluate("mnesia:start().") == "ok"
        both.remote.evaluate("{atomic, ok} = mnesia:create_table(orders, []).")
        both.remote.evaluate("mnesia:dirty_write({orders, 1, {self(), node()}}).")
        both.remote.evaluate("mnesia:dirty_write({orders, count, 0}).")
        copies, _, row = both.local.evaluate(SHARED_TABLE)[1:-1].partition("],[")
        assert copies == f"[{ALIAS},{LOCAL}"
        assert row.endswith(f",{ALIAS}}}}}]")
        written = "mnesia:sync_transaction(fun() -> mnesia:write({orders, 2, node()}) end)."
        assert both.local.evaluate(written) == "{atomic,ok}"
        assert (
            both.remote.evaluate("mnesia:dirty_read(orders, 2).") == f"[{{orders,2,{both.caller}}}]"
        )
        both.remote.evaluate(f"spawn(fun() -> {COUNT} counted end), ok.")
        both.local.evaluate(f"{COUNT} counted.", 60)
        for node in (both.local, both.remote):
            assert node.evaluate(COUNTED, 60) == "true"


def test_global_and_pg_are_shared_by_visible_nodes() -> None:
    with visible() as both:
        both.remote.evaluate("yes = global:register_name(cashier, self()).")
        assert both.local.evaluate("global:sync(), node(global:whereis_name(cashier)).") == ALIAS
        both.local.evaluate("yes = global:register_name(clerk, self()).")
        assert both.remote.evaluate("node(global:whereis_name(clerk)).") == both.caller
        for node in (both.remote, both.local):
            node.evaluate("{ok, _} = pg:start_link(), ok = pg:join(staff, self()).")
        assert both.local.evaluate(BOTH_MEMBERS) == f"[{ALIAS},{LOCAL}]"
        assert both.remote.evaluate(BOTH_MEMBERS) == f"['{REMOTE_NAME}',{both.caller}]"


def test_global_and_pg_are_each_sides_own_where_nodes_are_hidden() -> None:
    with mirrored() as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        for node in (world.remote, world.local):
            node.evaluate("{ok, _} = pg:start_link(), ok = pg:join(staff, self()).")
        world.remote.evaluate("yes = global:register_name(cashier, self()).")
        assert world.call("global:sync(), global:whereis_name(cashier).") == "undefined"
        # What is asked for there is answered all the same, by its owner.
        there = "erpc:call(Alias, global, whereis_name, [cashier])"
        assert world.call(f"node({there}).") == ALIAS
        members = "[node(Pid) || Pid <- pg:get_members(staff)]."
        assert world.local.evaluate(members) == f"[{LOCAL}]"
        assert world.remote.evaluate(members) == f"['{REMOTE_NAME}']"


@pytest.mark.timeout(180)
def test_twenty_watchers_look_at_every_process_and_table_there() -> None:
    """As many calls as observer_cli makes in an hour; a process may be gone when it is asked."""
    with mirrored() as world:
        assert world.call(STORM, 150) == f"[{{[{ALIAS}],true}}]"
        assert world.session.returncode is None


@pytest.fixture(scope="module")
def c_node() -> Iterator[Path]:
    """A program made with Erlang's own library for C."""
    require("tcc", shutil.which("tcc") is not None)
    require("erlang-dev", (ERLANG_FILES / "lib/libei.a").exists())
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "c_node"
        libraries = [f"-L{ERLANG_FILES / 'lib'}", "-lei", "-lpthread"]
        include = f"-I{ERLANG_FILES / 'include'}"
        words = ["tcc", "-o", str(program), str(PROGRAMS / "c_node.c"), include, *libraries]
        subprocess.run(words, check=True, timeout=60)
        yield program


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_c_node_calls_and_gets_its_own_names_back(c_node: Path, host: str) -> None:
    with mirrored() as world:
        done = subprocess.run(
            [c_node, "cnode", host, world.home / ".erlang.cookie", f"app@{host}"],
            env={**os.environ, "ERL_EPMD_PORT": str(world.local_epmd_port)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        node, to, returned = done.stdout.splitlines()
        assert node.replace("'", "") == f"node app@{host}"
        assert to == "to c_node_client"
        text = ",".join(str(byte) for byte in f"app@{host}".encode())
        expected = f"[app@{host}, cnode@{host}, <cnode@{host}.0.1>, #Bin<{text}>]}}"
        assert returned.replace("'", "").endswith(expected)
        up = world.session.wait_event("link-up")
        assert (up["local_node"], up["alias"]) == (f"cnode@{host}", f"app@{host}")
