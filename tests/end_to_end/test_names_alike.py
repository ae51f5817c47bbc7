"""Names that are alike: the renaming is a permutation, so that no two ever become one."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from end_to_end.mirrored import assert_calls_work, load_mirror, mirrored
from world.connected import LOCAL_COOKIE, LOCAL_NAME, REMOTE_COOKIE, REMOTE_NAME, session_to
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port
from world.usual import USUAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.connected import Connected

SWAPPED = """
    Real = '{real}',
    Both = #{{Alias => alias, Real => real, node() => local, {caller} => caller}},
    There = material:finding(Both),
    {{erpc:call(Alias, erlang, atom_to_list, [Real]),
      erpc:call(Alias, erlang, list_to_atom, [atom_to_list(Alias)]) =:= Real,
      erpc:call(Alias, mirror, identity, [Real]) =:= Real,
      erpc:call(Alias, erlang, apply, [There, []]),
      erpc:call(Alias, mirror, identity, [Both]) =:= Both,
      (fun(Term) -> erpc:call(Alias, mirror, identity, [Term]) =:= Term end)(
          material:inline(material:mixed([Alias, node(), Real, {caller}], 1000), 10))}}.
"""

# The remote node calls the local one in these tests.
FULL = ("--inbound", "full")


def test_the_real_name_and_the_alias_change_places() -> None:
    """What the local side calls by the real name is there what bears the alias: another node."""
    with mirrored() as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        swapped = world.call(SWAPPED.format(real=REMOTE_NAME, caller=world.caller))
        assert swapped == '{"app@127.0.0.1",true,true,{4,alias},true,true}'


def test_the_local_name_and_the_caller_name_change_places() -> None:
    with mirrored() as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        caller = world.caller
        assert world.call("erpc:call(Alias, erlang, atom_to_list, [node()]).") == (
            f'"{caller[1:-1]}"'
        )
        there = f"erpc:call(Alias, erlang, atom_to_list, [{caller}])."
        assert world.call(there) == f'"{LOCAL_NAME}"'


def test_the_remote_node_may_have_the_local_node_s_name() -> None:
    """A chain: alias to real name, which is the local name, to caller name, and back."""
    with mirrored("--as", "other", remote_name=LOCAL_NAME) as world:
        assert_calls_work(world)
        assert world.call("erpc:call(Alias, erlang, atom_to_list, [Alias]).") == f'"{LOCAL_NAME}"'
        there = f"erpc:call(Alias, erlang, atom_to_list, [{world.caller}])."
        assert world.call(there) == '"other@127.0.0.1"'
        three = f"Three = material:map([Alias, node(), {world.caller}], 100)"
        same = "erpc:call(Alias, mirror, identity, [Three]) =:= Three."
        assert world.call(f"{three}, {same}") == "true"


@contextmanager
def third_node(world: Connected, name: str, *, beside: str) -> Iterator[None]:
    """Run a third node in the remote node's world or in the local one's; they are connected."""
    known_to, cookie = {
        "remote": (world.remote, REMOTE_COOKIE),
        "local": (world.local, LOCAL_COOKIE),
    }[beside]
    epmd_port = int(known_to.evaluate('list_to_integer(os:getenv("ERL_EPMD_PORT")).'))
    with ErlangNode.start(name, epmd_port=epmd_port, cookie=cookie):
        assert known_to.evaluate(f"net_kernel:hidden_connect_node('{name}').") == "true"
        yield


@pytest.mark.parametrize(
    ("name", "name_here"),
    [
        pytest.param("shop@127.0.0.1", "shop@127.0.0.1", id="like none"),
        pytest.param("other@127.0.0.1", REMOTE_NAME, id="like the alias"),
        pytest.param(LOCAL_NAME, "caller", id="like the local node"),
    ],
)
def test_pids_of_a_third_node_of_the_cluster_pass_and_come_back(name: str, name_here: str) -> None:
    with mirrored("--as", "other") as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        third = world.caller if name_here == "caller" else f"'{name_here}'"
        with third_node(world, name, beside="remote"):
            found = f"Pid = erpc:call(Alias, rpc, call, [{third}, erlang, whereis, [kernel_sup]])"
            assert world.call(f"{found}, node(Pid).") == third
            text = "erpc:call(Alias, erlang, atom_to_list, [node(Pid)])"
            assert world.call(f"{found}, {text}.") == f'"{name}"'
            same = "erpc:call(Alias, mirror, identity, [[Pid, Alias]]) =:= [Pid, Alias]"
            assert world.call(f"{found}, {same}.") == "true"
            children = "erpc:call(Alias, supervisor, which_children, [Pid])"
            nodes = f"lists:usort([node(Child) || {{_, Child, _, _}} <- {children}])"
            assert world.call(f"{found}, {nodes}.") == f"[{third}]"


def test_pids_of_a_third_node_here_pass_and_come_back() -> None:
    with mirrored() as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        with third_node(world, "neighbour@127.0.0.1", beside="local"):
            found = "Pid = rpc:call('neighbour@127.0.0.1', erlang, whereis, [kernel_sup])"
            assert world.call(f"{found}, mirror:same(Alias, [Pid, Alias, node()]).") == "same"
            children = "supervisor:which_children(erpc:call(Alias, mirror, identity, [Pid]))"
            nodes = f"lists:usort([node(Child) || {{_, Child, _, _}} <- {children}])"
            assert world.call(f"{found}, {nodes}.") == "['neighbour@127.0.0.1']"


def test_two_machines_with_nodes_of_one_name_reach_a_node_at_the_same_time() -> None:
    with mirrored() as one, ExitStack() as stack:
        epmd_port = stack.enter_context(RealEpmd(free_port())).port
        session = stack.enter_context(
            session_to(one.remote, *FULL, home=one.home, epmd_port=epmd_port)
        )
        ready = session.ready()
        local = stack.enter_context(
            ErlangNode.start(
                LOCAL_NAME, epmd_port=epmd_port, cookie=LOCAL_COOKIE, release=USUAL.local
            )
        )
        other = replace(one, session=session, local=local, ready=ready, local_epmd_port=epmd_port)
        load_mirror(local, beside=one.remote)
        for world in (one, other, one):
            assert_calls_work(world)
        assert one.caller != other.caller
        callers = ",".join(sorted([one.caller, other.caller]))
        assert one.remote.evaluate("lists:sort(nodes(hidden)).") == f"[{callers}]"


def test_one_node_reaches_one_node_through_two_sessions() -> None:
    with mirrored() as one, ExitStack() as stack:
        session = stack.enter_context(
            session_to(one.remote, *FULL, home=one.home, epmd_port=one.local_epmd_port)
        )
        other = replace(one, session=session, ready=session.ready())
        assert one.alias != other.alias
        for world in (one, other, one):
            assert_calls_work(world)
        assert one.caller != other.caller
        assert one.local.evaluate("lists:sort(nodes(hidden)).") == (
            f"[{','.join(sorted([one.alias, other.alias]))}]"
        )
        assert one.session.wait_event("link-up")["node"] == session.wait_event("link-up")["node"]
