"""Who has to know which cookie, what happens where one is wrong, and that none is ever shown."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import WRONG_COOKIE, assert_explained, assert_secret, failure
from end_to_end.machine import VARIABLE, alias_of, fixed, machine
from world.cluster import cluster
from world.connected import LOCAL_NAME, REMOTE_COOKIE, remote_node
from world.recording_relay import RecordingRelay

if TYPE_CHECKING:
    from pathlib import Path

    from world.erlang import ErlangNode
    from world.recording_relay import RecordedConnection

APP = "app@127.0.0.1"
CONNECT = f"net_kernel:connect_node('{APP}')."


def sent(connection: RecordedConnection) -> str:
    """The tags of the handshake frames that went to the remote node."""
    tags, rest = "", bytes(connection.from_client)
    while len(rest) > 2 and (end := 2 + int.from_bytes(rest[:2], "big")) <= len(rest):
        tags, rest = tags + chr(rest[2]), rest[end:]
    return tags


def through(relay: RecordingRelay, remote: ErlangNode) -> list[str]:
    """The words that lead to ``remote`` by ``relay``."""
    return [*fixed(remote), "-o", f"dist-port={relay.port}"]


def test_a_wrong_local_cookie_never_reaches_the_remote_node() -> None:
    with (
        remote_node(APP) as remote,
        RecordingRelay(remote.dist_port) as relay,
        machine() as here,
        here.session(*through(relay, remote), "-v") as session,
    ):
        session.ready()
        with here.node("stranger@127.0.0.1", cookie=WRONG_COOKIE) as stranger:
            assert stranger.evaluate(CONNECT) == "false"
            error = session.wait_event("error")
            assert_explained(
                error,
                code=77,
                cause="local-cookie-wrong",
                says=("stranger@127.0.0.1 does not know the local cookie", ".erlang.cookie"),
                advises="--local-cookie-file",
            )
            assert (error["alias"], error["local_node"]) == (APP, "stranger@127.0.0.1")
        assert [sent(connection) for connection in relay.connections] == ["N", "N"]
        with here.node() as local:
            assert local.evaluate(CONNECT) == "true"
            assert sent(relay.wait_connection(3)).startswith("Nr")
        assert_secret(session.process)
        assert "Connection attempt" not in remote.process.output


def test_a_wrong_remote_cookie_is_called_that_and_the_session_goes_on() -> None:
    with (
        remote_node(APP) as remote,
        machine() as here,
        here.session(*fixed(remote), "-v", environment={VARIABLE: WRONG_COOKIE}) as session,
        here.node() as local,
    ):
        session.ready()
        assert local.evaluate(CONNECT) == "false"
        assert_explained(
            session.wait_event("error"),
            code=77,
            cause="remote-cookie-rejected",
            says=(
                f"{APP} at 127.0.0.1:{remote.dist_port} rejected the cookie",
                f"variable {VARIABLE}",
                "closed the connection after challenge_reply",
            ),
            advises="--cookie-from",
        )
        remote.evaluate(f"erlang:set_cookie('{WRONG_COOKIE}').")
        assert local.evaluate(CONNECT) == "true"
        assert_secret(session.process)


def test_with_passthrough_the_two_nodes_check_each_other() -> None:
    with (
        remote_node(APP) as remote,
        machine() as here,
        here.session(*fixed(remote), "-v", "--cookie-from", "passthrough") as session,
    ):
        assert session.ready()["cookie_source"] == "passthrough"
        with here.node("stranger@127.0.0.1") as stranger:
            assert stranger.evaluate(CONNECT) == "false"
            assert_explained(
                session.wait_event("error"),
                code=77,
                cause="remote-cookie-rejected",
                says=(APP, "the local node's own", "after challenge_reply"),
                advises="the same cookie",
            )
        with here.node(cookie=REMOTE_COOKIE) as local:
            assert local.evaluate(CONNECT) == "true"
            assert local.evaluate(f"erpc:call('{APP}', erlang, node, []).") == f"'{APP}'"
        assert_secret(session.process)


@pytest.mark.parametrize(
    ("words", "code", "cause", "says", "advises"),
    [
        (["env:NO_SUCH"], 77, "cookie-not-found", "NO_SUCH is not set", "Export NO_SUCH"),
        (["file:/nowhere/x"], 77, "cookie-not-found", "/nowhere/x does not exist", "the path"),
        (["prompt", "--no-input"], 77, "cookie-not-found", "have to be typed", "--cookie-from"),
        (["prompt"], 77, "cookie-not-found", "no terminal", "env:NAME"),
        (["vault"], 78, "unknown-plugin", "vault", "erlconnect plugins"),
        (["command:false"], 77, "cookie-not-found", "false failed with exit status 1", "by hand"),
    ],
)
def test_no_cookie_ends_the_session_before_anything_is_registered(
    words: list[str], code: int, cause: str, says: str, advises: str
) -> None:
    with remote_node(APP) as remote, machine(epmd=False) as here:
        error = failure(here.session(*fixed(remote), "--cookie-from", *words))
    assert_explained(error, code=code, cause=cause, says=(says,), advises=advises)


def test_letters_beyond_ascii_and_a_newline_from_a_secret() -> None:
    with (
        remote_node(APP) as remote,
        machine() as here,
        here.session(*fixed(remote), environment={VARIABLE: "clé-secrète\n"}) as session,
        here.node() as local,
    ):
        assert "newline" in session.wait_event("warning")["message"]
        session.ready()
        remote.evaluate('erlang:set_cookie(list_to_atom("clé-secrète")).')
        assert local.evaluate(CONNECT) == "true"
        assert "secr" not in session.process.output


def test_a_machine_without_a_cookie_gets_one_as_erlang_makes_it() -> None:
    """So that ``erl -name dev@127.0.0.1`` needs no flag, whoever came first."""
    with (
        remote_node(APP) as remote,
        machine(cookie=None) as here,
        here.session(*fixed(remote)) as session,
    ):
        alias = alias_of(session.ready())
        cookie = here.home / ".erlang.cookie"
        assert cookie.stat().st_mode & 0o777 == 0o400
        ping = f"io:put_chars(atom_to_list(net_adm:ping({alias}))), halt()."
        shown = subprocess.run(
            ["erl", "-noinput", "-name", LOCAL_NAME, "-start_epmd", "false", "-eval", ping],
            env={**os.environ, **here.environment()},
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert shown.stdout == "pong"
        assert cookie.read_text() not in session.process.output


def test_a_keyring_keeps_the_remote_cookie() -> None:
    """Stored by the keyring's own command; a plain file is the store, as there is no desktop."""
    with remote_node(APP) as remote, machine() as here:
        store = {
            "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
            "XDG_DATA_HOME": str(here.home),
        }
        subprocess.run(
            [sys.executable, "-m", "keyring", "set", "erlconnect", "app"],
            env={**os.environ, **here.environment(), **store},
            input=REMOTE_COOKIE,
            check=True,
            text=True,
            capture_output=True,
            timeout=30,
        )
        words = [*fixed(remote), "--cookie-from", "keyring", "-v"]
        with here.session(*words, environment=store) as session, here.node() as local:
            assert session.ready()["aliases"][0]["cookie_source"] == "keyring"
            assert local.evaluate(CONNECT) == "true"
            assert_secret(session.process)


@pytest.mark.parametrize("status", [0, 1])
def test_a_cookie_command_runs_once_for_all_targets_found_at_once(
    tmp_path: Path, status: int
) -> None:
    runs = tmp_path / "runs"
    program = tmp_path / "secret"
    program.write_text(
        f"#!/bin/sh\necho once >>{runs}\nsleep 0.5\necho ${VARIABLE}\nexit {status}\n"
    )
    program.chmod(0o700)
    with (
        cluster(3) as remote,
        machine() as here,
        here.session(*remote.words(), "--cookie-from", f"command:{program}") as session,
    ):
        if status:
            assert session.wait_event("error")["cause"] == "cookie-not-found"
        else:
            session.ready_with(3)
    assert runs.read_text() == "once\n"
