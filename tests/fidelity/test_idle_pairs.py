"""Every pair of releases at the same time, with nothing to say for a minute: no link ends."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from end_to_end.machine import fixed, machine
from fidelity.pairs import PAIRS
from world.connected import LOCAL_COOKIE, remote_node
from world.erlang import ErlangNode

if TYPE_CHECKING:
    from end_to_end.machine import Machine

RELEASES = sorted({release for pair in PAIRS for release in pair})
IDLE_SECONDS = 60
# A node that hears nothing for 10 s gives the other one up.
TICKS = ("-kernel", "net_ticktime", "8")
WATCH = """
    [true = net_kernel:hidden_connect_node(Node) || Node <- {nodes}],
    [true = monitor_node(Node, true) || Node <- {nodes}].
"""
LOST = "receive {{nodedown, Node}} -> Node after {milliseconds} -> none end."
SEEN = "{lists:sort(nodes(hidden)), [net_adm:ping(N) || N <- nodes(hidden)]}."


def local_node(here: Machine, release: str) -> ErlangNode:
    return ErlangNode.start(
        f"dev{release}@127.0.0.1",
        epmd_port=here.epmd_port,
        cookie=LOCAL_COOKIE,
        release=release,
        flags=TICKS,
    )


def aliases(local: str) -> str:
    """What a local node of that release connects to."""
    return "[" + ",".join(f"'app{remote}@127.0.0.1'" for one, remote in PAIRS if one == local) + "]"


@pytest.mark.timeout(IDLE_SECONDS + 90)
def test_no_link_of_any_pair_ends_while_nobody_speaks() -> None:
    with ExitStack() as stack:
        here = stack.enter_context(machine())
        sessions = []
        for release in RELEASES:
            remote = stack.enter_context(
                remote_node(f"app{release}@127.0.0.9", release=release, flags=TICKS)
            )
            sessions.append(stack.enter_context(here.session(*fixed(remote))))
        for session in sessions:
            session.ready()
        locals_ = {one: stack.enter_context(local_node(here, one)) for one in RELEASES}
        for release, node in locals_.items():
            node.evaluate(WATCH.format(nodes=aliases(release)))
        first, *others = locals_.values()
        lost = first.evaluate(LOST.format(milliseconds=IDLE_SECONDS * 1000), IDLE_SECONDS + 30)
        assert [lost, *(node.evaluate(LOST.format(milliseconds=0)) for node in others)] == [
            "none"
        ] * len(RELEASES)
        for release, node in locals_.items():
            expected = aliases(release)
            pongs = ",".join(["pong"] * (expected.count("app")))
            assert node.evaluate(SEEN) == f"{{{expected},[{pongs}]}}"
        told = [one["event"] for session in sessions for one in session.events]
        assert sorted(told) == sorted(["ready"] * len(RELEASES) + ["link-up"] * len(PAIRS))
