"""Several names in one command, each with an alias of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from end_to_end.machine import FROM_VARIABLE, Machine, machine
from world.connected import REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ERLCONNECT = Path(sys.executable).with_name("erlconnect")
SHOP, BILLING = "shop@127.0.0.9", "billing@127.0.0.9"


@contextmanager
def two_nodes() -> Iterator[list[str]]:
    """The words that lead to two nodes in one epmd."""
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start(SHOP, epmd_port=epmd.port, cookie=REMOTE_COOKIE),
        ErlangNode.start(BILLING, epmd_port=epmd.port, cookie=REMOTE_COOKIE),
    ):
        place = ["-o", "address=127.0.0.1", "-o", f"epmd-port={epmd.port}"]
        yield ["-b", "fixed", *place, *FROM_VARIABLE]


def test_one_session_serves_both() -> None:
    with two_nodes() as words, machine() as here, here.session(SHOP, BILLING, *words) as session:
        aliases = {one["alias"]: one["node"] for one in session.ready()["aliases"]}
        assert aliases == {"shop@127.0.0.1": SHOP, "billing@127.0.0.1": BILLING}
        with here.node() as dev:
            called = "erpc:multicall(['shop@127.0.0.1', 'billing@127.0.0.1'], erlang, node, [])."
            assert dev.evaluate(called) == "[{ok,'shop@127.0.0.1'},{ok,'billing@127.0.0.1'}]"
            # Names of another service stay what they are: it may belong to another cluster.
            sent = f"erpc:call('shop@127.0.0.1', erlang, atom_to_list, ['{BILLING}'])."
            assert dev.evaluate(sent) == f'"{BILLING}"'
            sent = "erpc:call('shop@127.0.0.1', erlang, atom_to_list, ['billing@127.0.0.1'])."
            assert dev.evaluate(sent) == '"billing@127.0.0.1"'


def test_if_one_cannot_be_opened_none_is() -> None:
    with (
        two_nodes() as words,
        machine() as here,
        here.session(SHOP, "attic@127.0.0.9", *words, "-o", "node={basename}@127.0.0.9") as session,
    ):
        error = session.wait_event("error", 20)
        assert (error["code"], error["cause"]) == (2, "several-nodes")
        assert session.wait() == 2
        assert [event["event"] for event in session.events] == ["error"]
        assert names(here) == ""


def names(here: Machine) -> str:
    """What the local epmd has registered."""
    words = ["epmd", "-port", str(here.epmd_port), "-names"]
    listing = subprocess.run(words, check=True, capture_output=True, text=True, timeout=10).stdout
    return listing.partition("\n")[2]


def test_people_see_where_each_alias_leads_and_the_commands_once() -> None:
    with two_nodes() as words, machine() as here:
        process = subprocess.Popen(
            [ERLCONNECT, SHOP, BILLING, *words],
            env={**os.environ, **here.environment()},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        with process:
            printed = [process.stdout.readline() for _ in range(10)]
            process.terminate()
        assert printed[0].startswith(f"{SHOP} at 127.0.0.1:")
        assert printed[1].startswith("is shop@127.0.0.1 here, by direct, cookie from env, in the")
        assert printed[2].startswith(f"{BILLING} at 127.0.0.1:")
        assert printed[3].startswith("is billing@127.0.0.1 here, by direct, cookie from env")
        assert printed[5].endswith("iex --name dev@127.0.0.1 --remsh shop@127.0.0.1\n")
