"""Clusters of each release that tears itself apart over a visitor it cannot reach, and visitors."""

from __future__ import annotations

import pytest
from end_to_end.machine import alias_of, fixed, machine
from end_to_end.test_cluster_safety import JOIN, SEEN, WORK, cluster, hidden_at, is_whole
from fidelity.pairs import PAIRS
from world.connected import LOCAL_COOKIE, LOCAL_NAME
from world.erlang import ErlangNode
from world.waiting import wait_until

# OTP 25 brought prevent_overlapping_partitions. Each visitor starts visible, as people start it.
VISITS = [(local, remote) for local, remote in PAIRS if remote != "23"]


@pytest.mark.parametrize(("local", "remote"), VISITS)
def test_a_cluster_stays_whole_while_a_visible_node_comes_works_and_goes(
    local: str, remote: str
) -> None:
    with (
        cluster(remote) as nodes,
        machine() as here,
        here.session(*fixed(nodes[0])) as session,
    ):
        bound = f"Aliases = [{alias_of(session.ready())}], "
        with ErlangNode.start(
            LOCAL_NAME, epmd_port=here.epmd_port, cookie=LOCAL_COOKIE, release=local
        ) as visitor:
            assert visitor.evaluate(bound + JOIN) == "[]"
            assert int(visitor.evaluate(bound + WORK)) > 5
            assert all(map(is_whole, nodes))
            caller = session.wait_event("link-up")["caller_name"]
            assert hidden_at(nodes) == [f"['{caller}']", "[]", "[]"]
        wait_until(lambda: hidden_at(nodes) == ["[]"] * 3, "the visitor is gone")
        for node in nodes:
            assert node.evaluate(SEEN) == "[]"
            assert is_whole(node)
            assert node.process.output == ""
