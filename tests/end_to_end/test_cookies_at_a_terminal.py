"""Cookies that people type, and where they cannot."""

from __future__ import annotations

import pytest
from end_to_end.evidence import assert_no_secret
from end_to_end.machine import fixed, machine
from end_to_end.terminal import AtTerminal
from world.cluster import cluster
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE, remote_node

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."


def test_a_typed_cookie_is_not_on_the_screen() -> None:
    with (
        remote_node(APP) as remote,
        machine() as here,
        AtTerminal(
            *fixed(remote), "--cookie-from", "prompt", environment=here.environment()
        ) as terminal,
    ):
        terminal.wait_for(f"Cookie of {APP}: ")
        terminal.type(f"{REMOTE_COOKIE}\n")
        terminal.wait_for("--remsh")
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert_no_secret(terminal.screen)


def test_a_cookie_is_typed_once_for_all_targets_found_at_once() -> None:
    with (
        cluster(3) as remote,
        machine() as here,
        AtTerminal(
            *remote.words(), "--cookie-from", "prompt", environment=here.environment()
        ) as terminal,
    ):
        terminal.wait_for_question("Cookie of app@127.0.1.")
        terminal.type(f"{REMOTE_COOKIE}\n")
        terminal.wait_for("--remsh")
        terminal.type("\x03")
        assert terminal.wait() == 130
        assert terminal.screen.count("Cookie of ") == 1


def test_ctrl_c_instead_of_a_cookie() -> None:
    with (
        remote_node(APP) as remote,
        machine() as here,
        AtTerminal(
            *fixed(remote), "--cookie-from", "prompt", environment=here.environment()
        ) as terminal,
    ):
        terminal.wait_for_question(f"Cookie of {APP}: ")
        terminal.type("secr\x03")
        assert terminal.wait() == 130
        assert here.left_over_files() == []


@pytest.mark.parametrize("flag", ["--cookie", "--setcookie"])
def test_there_is_no_way_to_write_a_cookie_where_ps_shows_it(flag: str) -> None:
    with (
        machine(epmd=False) as here,
        here.session("-b", "fixed", APP, flag, LOCAL_COOKIE) as session,
    ):
        assert session.wait() == 2
        assert flag in session.wait_event("error")["message"]
        assert LOCAL_COOKIE not in session.process.output
