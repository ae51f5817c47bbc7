"""Which name of a remote epmd is meant, and the way to a node that no epmd knows."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from end_to_end.evidence import assert_explained, failure
from end_to_end.machine import FROM_VARIABLE, alias_of, machine
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

HELPERS = ("rpc-5f3a-app", "rem-77c2-app")


@contextmanager
def remote_host(*names: str) -> Iterator[int]:
    """A host with one node for each of ``names``; gives its epmd's port."""
    with ExitStack() as stack:
        port = stack.enter_context(RealEpmd(free_port())).port
        for name in names:
            stack.enter_context(
                ErlangNode.start(f"{name}@127.0.0.1", epmd_port=port, cookie=REMOTE_COOKIE)
            )
        yield port


def asking(name: str, epmd_port: int, *more: str) -> list[str]:
    words = ["-b", "fixed", f"{name}@127.0.0.1", "-o", f"epmd-port={epmd_port}"]
    return [*words, *FROM_VARIABLE, *more]


def test_helpers_of_somebody_s_console_are_passed_over() -> None:
    with remote_host("app", *HELPERS) as epmd_port, machine(epmd=False) as here:
        words = asking("ghost", epmd_port)
        with here.session(*words) as session:
            assert session.ready()["aliases"][0]["node"] == "app@127.0.0.1"
            told = session.wait_event("warning")["message"]
            assert "expected to be ghost@127.0.0.1 calls itself app@127.0.0.1" in told
            alias = alias_of(session.ready())
            with here.node() as local:
                assert local.evaluate(f"erpc:call({alias}, erlang, node, []).") == alias


def test_of_several_names_the_user_has_to_choose() -> None:
    with remote_host("app", "worker", HELPERS[0]) as epmd_port, machine(epmd=False) as here:
        assert_explained(
            failure(here.session(*asking("ghost", epmd_port))),
            code=2,
            cause="several-nodes",
            says=(f"127.0.0.1:{epmd_port} knows app, rpc-5f3a-app, worker", "which one"),
            advises="--node app",
        )
        assert_explained(
            failure(here.session(*asking("ghost", epmd_port, "--node", "workre"))),
            code=2,
            cause="several-nodes",
            says=("'workre' is not one of them",),
            advises="--node app",
        )
        for name in ("worker", "worker@127.0.0.1", HELPERS[0]):
            with here.session(*asking("ghost", epmd_port, "--node", name)) as session:
                found = session.ready()["aliases"][0]["node"]
                assert found.partition("@")[0] == name.partition("@")[0]
        with here.session(*asking("worker", epmd_port)) as session:
            assert session.ready()["aliases"][0]["alias"] == "worker@127.0.0.1"


def test_only_helpers_are_no_node() -> None:
    with remote_host(HELPERS[0]) as epmd_port, machine(epmd=False) as here:
        assert_explained(
            failure(here.session(*asking("app", epmd_port))),
            code=69,
            cause="no-node-found",
            says=(f"127.0.0.1:{epmd_port} knows no node (rpc-5f3a-app)",),
            advises="-o dist-port=",
        )


def test_a_node_that_no_epmd_knows_is_reached_by_its_port() -> None:
    port, nobody = free_port(), free_port()
    flags = ("-erl_epmd_port", str(port), "-kernel", "inet_dist_listen_min", str(port))
    with (
        ErlangNode.start(
            "app@127.0.0.1",
            epmd_port=nobody,
            cookie=REMOTE_COOKIE,
            flags=(*flags, "inet_dist_listen_max", str(port)),
        ),
        machine() as here,
    ):
        assert_explained(
            failure(here.session(*asking("app", nobody))),
            code=69,
            cause="epmd",
            says=(f"the epmd at 127.0.0.1:{nobody} could not be asked", "refused the connection"),
            advises="-o dist-port=",
        )
        words = asking("app", nobody, "-o", f"dist-port={port}")
        with here.session(*words) as session, here.node() as local:
            alias = alias_of(session.ready())
            assert local.evaluate(f"net_adm:ping({alias}).") == "pong"


def test_what_listens_on_the_epmd_port_is_none() -> None:
    """The distribution port in the place of epmd's, as people mix them up."""
    with remote_host("app") as epmd_port, machine(epmd=False) as here:
        with here.session(*asking("app", epmd_port)) as session:
            dist_port = session.ready()["aliases"][0]["dist_port"]
        error = failure(here.session(*asking("app", dist_port)))
        assert (error["code"], error["cause"]) == (69, "epmd")
        assert f"127.0.0.1:{dist_port}" in error["message"]
        assert "-o dist-port=" in error["remedy"]


def test_a_target_really_called_as_the_local_node_is() -> None:
    """Its alias is another name, and each node sees itself as it is."""
    with (
        remote_host("dev") as epmd_port,
        machine() as here,
        here.node() as local,
        here.session(*asking("dev", epmd_port)) as session,
    ):
        entry = session.ready()["aliases"][0]
        assert (entry["alias"], entry["node"]) == ("dev-2@127.0.0.1", "dev@127.0.0.1")
        assert "the name dev is taken" in session.wait_event("warning")["message"]
        assert local.evaluate(call("erlang, node, []")) == "'dev-2@127.0.0.1'"
        assert local.evaluate(call("erlang, node, [self()]")) == "'dev@127.0.0.1'"
        assert (
            local.evaluate(call("erlang, whereis, [init]")[:-1] + " =:= whereis(init).") == "false"
        )
        assert local.evaluate("node(" + call("erlang, whereis, [init]")[:-1] + ").") == (
            "'dev-2@127.0.0.1'"
        )


def call(what: str) -> str:
    return f"erpc:call('dev-2@127.0.0.1', {what})."
