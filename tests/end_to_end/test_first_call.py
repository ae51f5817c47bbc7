"""The shortest way: a real local node calls a real remote one through the installed command."""

from __future__ import annotations

from world.connected import LOCAL_COOKIE, REMOTE_COOKIE, REMOTE_NAME, connected


def test_the_remote_node_answers_under_its_alias() -> None:
    with connected() as world:
        assert world.call("net_adm:ping(Alias).") == "pong"
        assert world.call("erpc:call(Alias, erlang, node, []).") == "'app@127.0.0.1'"
        assert world.remote.evaluate("node().") == f"'{REMOTE_NAME}'"
        up = world.session.wait_event("link-up")
        assert up["node"] == REMOTE_NAME
        assert up["local_node"] == "dev@127.0.0.1"
        assert world.session.interrupt() == 130
        shown = world.session.process.output
    assert REMOTE_COOKIE not in shown
    assert LOCAL_COOKIE not in shown
