"""Releases that refuse each other refuse each other through a session, and it says why."""

from __future__ import annotations

import pytest
from end_to_end.evidence import assert_explained
from fidelity.pairs import REFUSING, resolving
from world.connected import LOCAL_NAME, connected

# The newer of the two is the one that refuses, whichever side it is on.
REASONS = ("has no UNLINK_ID, V4_NC, which a newer Erlang release refuses", "(status not_allowed)")


@pytest.mark.parametrize(("local", "remote"), REFUSING)
def test_what_is_refused_directly_is_refused_with_a_reason(local: str, remote: str) -> None:
    connect = "net_kernel:hidden_connect_node"
    with connected(local_release=local, remote_release=remote) as world:
        with resolving(world.remote, LOCAL_NAME, release=local) as direct:
            assert direct.evaluate(f"{connect}('{world.remote.name}').") == "false"
        assert world.call(f"{connect}(Alias).") == "false"
        assert_explained(
            world.session.wait_event("error"),
            code=77,
            cause="not-allowed",
            says=(world.remote.name, REASONS[local == "23"]),
            advises="too old or too new" if local == "23" else "OTP 26 and later refuse OTP 23",
        )
        assert "link-up" not in [event["event"] for event in world.session.events]
