"""The distribution over TLS: real nodes of every release, and what is said when it fails."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import trustme
from end_to_end.machine import FROM_VARIABLE, fixed, machine
from end_to_end.mirrored import assert_calls_work, assert_reconnects, mirrored
from world.certificates import WANTS_CERTIFICATE, Certificate, TlsFiles, tls_files
from world.connected import REMOTE_NAME, connected, remote_node
from world.held import Held, held
from world.pods import pods
from world.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from world.erlang import ErlangNode

ERLCONNECT = Path(sys.executable).with_name("erlconnect")
HOST = REMOTE_NAME.partition("@")[2]
WORKERS = min(32, (os.cpu_count() or 1) + 4)


def words(**settings: Path | str) -> list[str]:
    """The settings of the transport, as words."""
    given = {key.replace("_", "-"): value for key, value in settings.items()}
    return [word for key, value in given.items() for word in ("-o", f"transport.{key}={value}")]


@pytest.mark.parametrize(
    ("release", "version"),
    [
        ("23", "tlsv1.2"),
        ("25", "tlsv1.2"),
        ("25", "tlsv1.3"),
        ("27", "tlsv1.2"),
        ("27", "tlsv1.3"),
        ("29", "tlsv1.2"),
        ("29", "tlsv1.3"),
    ],
)
def test_a_node_that_speaks_tls_is_called_like_any_other(release: str, version: str) -> None:
    with tls_files(release) as files:
        node, me = files.authority.leaf("node", HOST), files.authority.leaf("me")
        settings = words(
            tls_ca=files.authority.certificate, tls_cert=me.certificate, tls_key=me.key
        )
        flags = files.flags(node, WANTS_CERTIFICATE, f"{{versions,['{version}']}}")
        with mirrored(*settings, remote_release=release, remote_flags=flags) as world:
            assert_calls_work(world)
            echoed = (
                "Sent = rand:bytes(64 bsl 20), erpc:call(Alias, erlang, hd, [[Sent]]) =:= Sent."
            )
            assert world.call(echoed) == "true"
            assert_reconnects(world)


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_a_local_node_may_speak_tls_too(release: str) -> None:
    with tls_files(release) as files:
        door = files.authority.leaf("door", "127.0.0.1", "localhost")
        mine = files.authority.leaf("mine", "127.0.0.1")
        settings = ["-o", f"local-tls-cert={door.certificate}", "-o", f"local-tls-key={door.key}"]
        names = {"local_release": release, "remote_release": "25"}
        with mirrored(*settings, local_flags=files.flags(mine), **names) as world:
            assert_calls_work(world)
            with world.joined_by("plain@127.0.0.1") as plain:
                assert plain.call("erpc:call(Alias, erlang, node, []) =:= Alias.") == "true"


class Remote(NamedTuple):
    files: TlsFiles
    node: ErlangNode

    def failure(self, *settings: str) -> tuple[int, str, str, str]:
        """Code, cause, message and remedy of a session that cannot open."""
        with machine() as here, here.session(*fixed(self.node), *settings) as session:
            error = session.wait_event("error", 20)
            assert session.wait() == error["code"]
        return error["code"], error["cause"], error["message"], error["remedy"]


@contextmanager
def speaking_tls(release: str) -> Iterator[Remote]:
    with tls_files(release) as files:
        flags = files.flags(files.authority.leaf("node", HOST), WANTS_CERTIFICATE)
        with remote_node(release=release, flags=flags) as node:
            yield Remote(files, node)


def test_a_nodes_certificate_that_has_expired_is_told_as_one() -> None:
    """No question of whom to trust: another CA would not help."""
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    authority = trustme.CA()
    with tls_files() as files:
        own = authority.issue_cert(HOST, not_after=yesterday)
        node = Certificate(certificate=files.folder / "node.pem", key=files.folder / "node.key")
        trusted = files.folder / "trusted.pem"
        own.cert_chain_pems[0].write_to_path(node.certificate)
        own.private_key_pem.write_to_path(node.key)
        authority.cert_pem.write_to_path(trusted)
        with remote_node(flags=files.flags(node)) as remote:
            code, cause, message, remedy = Remote(files, remote).failure(*words(tls_ca=trusted))
    assert (code, cause) == (77, "refused")
    assert "certificate has expired" in message
    assert "is past its last day" in remedy
    assert "transport.tls-ca" not in remedy


@pytest.mark.parametrize("release", ["23", "25", "27", "29"])
def test_what_is_wrong_with_trust_is_said_in_words(release: str) -> None:
    with speaking_tls(release) as remote:
        files = remote.files
        trusted = words(tls_ca=files.authority.certificate)
        me, another = files.authority.leaf("me"), files.stranger.leaf("another")
        shown = words(tls_cert=me.certificate, tls_key=me.key)

        code, cause, message, remedy = remote.failure()
        assert (code, cause) == (76, "not-distribution")
        assert "speaks the distribution over TLS (-proto_dist inet_tls)" in message
        assert "-o transport.tls-ca=" in remedy

        code, cause, message, remedy = remote.failure(*trusted)
        assert (code, cause) == (77, "refused")
        assert "no certificate was shown to it" in message
        assert "-o transport.tls-cert=" in remedy

        strange = words(tls_cert=another.certificate, tls_key=another.key)
        code, cause, message, _ = remote.failure(*trusted, *strange)
        assert (code, cause) == (77, "refused")
        assert f"with {another.certificate} shown to it" in message
        assert "unknown ca" in message

        code, cause, message, _ = remote.failure(*words(tls_ca=files.stranger.certificate), *shown)
        assert (code, cause) == (77, "refused")
        assert "is not trusted here" in message

        code, cause, message, remedy = remote.failure(
            *trusted, *shown, *words(tls_server_name="billing.test")
        )
        assert (code, cause) == (77, "refused")
        assert f"a certificate for {HOST}, and billing.test was expected" in message
        assert "-o transport.tls-server-name=" in remedy


def test_a_certificate_for_another_name_is_taken_for_the_name_that_was_given() -> None:
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", "*.shop.test"))
        trusted = words(tls_ca=files.authority.certificate, tls_server_name="shop-1.shop.test")
        with mirrored(*trusted, remote_flags=flags) as world:
            assert_calls_work(world)


def test_a_node_that_is_trusted_by_its_own_certificate() -> None:
    with tls_files() as files:
        node = files.stranger.leaf("node", HOST)
        trusted = words(tls_ca=node.certificate)
        with mirrored(*trusted, remote_flags=files.flags(node)) as world:
            assert_calls_work(world)


def test_all_instances_each_with_its_own_name_in_one_certificate() -> None:
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", "*.shop.test"))
        trusted = words(tls_ca=files.authority.certificate)
        with (
            pods("app@shop-{}.shop.test", 3, flags=flags) as remote,
            machine() as here,
            here.session(*remote.words(), *trusted, *FROM_VARIABLE) as session,
            here.node() as dev,
        ):
            assert len(session.ready()["aliases"]) == 3
            every = "['app@127.0.0.1','app-2@127.0.0.1','app-3@127.0.0.1']"
            called = f"[erpc:call(N, erlang, node, []) || N <- {every}]."
            assert dev.evaluate(called) == every


def no_more_than(before: Held, pid: int) -> bool:
    """The loop's own threads come as they are needed and stay."""
    now = held(pid)
    return now.descriptors <= before.descriptors and now.threads <= before.threads + WORKERS


def test_a_thousand_reconnects_over_tls_leave_nothing_behind() -> None:
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", HOST))
        trusted = words(tls_ca=files.authority.certificate)
        with mirrored(*trusted, remote_flags=flags) as world:
            again = (
                "lists:usort([begin disconnect_node(Alias), net_kernel:hidden_connect_node(Alias)"
                " end || _ <- lists:seq(1, %d)])."
            )
            assert world.call(again % 100) == "[true]"
            before = held(world.session.pid)
            assert world.call(again % 1000, 110) == "[true]"
            wait_until(lambda: no_more_than(before, world.session.pid), "all is given back")
            # What is of use no more goes in rounds of some 10 MB; a link that stays is 40 kB.
            assert held(world.session.pid).memory - before.memory < 16 << 10


def test_it_goes_through_a_program_as_well() -> None:
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", HOST))
        way = ["--via", "socat - TCP:%h:%p"]
        trusted = words(tls_ca=files.authority.certificate)
        with mirrored(*way, *trusted, remote_flags=flags) as world:
            assert_calls_work(world)
            assert world.ready["transport"] == "command"


def test_epmd_is_asked_in_the_open() -> None:
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", "127.0.0.1"))
        with machine() as here, here.node("app@127.0.0.1", flags=flags) as node:
            place = ["-o", f"epmd-port={here.epmd_port}", "--as", "other"]
            trusted = words(tls_ca=files.authority.certificate)
            to = ["-b", "fixed", node.name, *place, *trusted, *FROM_VARIABLE]
            with here.session(*to) as session:
                assert session.ready()["aliases"][0]["dist_port"] == node.dist_port


def test_a_plain_node_is_not_taken_for_one_that_speaks_tls() -> None:
    with tls_files() as files, remote_node() as node:
        code, cause, message, remedy = Remote(files, node).failure(
            *words(tls_ca=files.authority.certificate)
        )
        assert (code, cause) in [(75, "timed-out"), (76, "not-distribution")]
        assert "did not answer in TLS" in message
        assert "Leave out the settings transport.tls-" in remedy


def test_a_local_node_that_speaks_tls_to_an_alias_without_a_certificate() -> None:
    with tls_files() as files, remote_node() as remote, machine() as here:
        flags = files.flags(files.authority.leaf("mine", "127.0.0.1"))
        with here.session(*fixed(remote)) as session, here.node(flags=flags) as dev:
            session.ready()
            assert dev.evaluate("net_adm:ping('app@127.0.0.1').") == "pang"
            error = session.wait_event("error")
            assert (error["code"], error["cause"]) == (76, "local-node")
            assert "the local node speaks the distribution over TLS" in error["message"]
            assert "-o local-tls-cert=" in error["remedy"]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"", "broke off the handshake: the connection was closed before its first message"),
        (b"\x16", "ended the TLS handshake: connection reset by peer"),
    ],
)
def test_a_local_connection_that_is_reset_is_no_bug(said: bytes, told: str) -> None:
    with tls_files() as files, remote_node() as remote, machine() as here:
        door = files.authority.leaf("door", "127.0.0.1")
        settings = ["-o", f"local-tls-cert={door.certificate}", "-o", f"local-tls-key={door.key}"]
        with here.session(*fixed(remote), *settings) as session:
            (alias,) = session.ready()["aliases"]
            with socket.create_connection(("127.0.0.1", alias["local_port"])) as local:
                local.sendall(said)
                local.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            error = session.wait_event("error")
            assert (error["code"], error["cause"]) == (76, "local-node"), error
            assert told in error["message"]


@pytest.mark.parametrize("release", ["25", "29"])
def test_a_local_node_that_does_not_trust_the_alias(release: str) -> None:
    with tls_files(release) as files:
        door = files.stranger.leaf("door", "127.0.0.1")
        settings = ["-o", f"local-tls-cert={door.certificate}", "-o", f"local-tls-key={door.key}"]
        flags = files.flags(files.authority.leaf("mine", "127.0.0.1"))
        with connected(*settings, local_release=release, local_flags=flags) as world:
            assert world.call("net_adm:ping(Alias).") == "pang"
            error = world.session.wait_event("error")
            assert (error["code"], error["cause"]) == (76, "local-node")
            assert "unknown ca" in error["message"]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("transport.tls-ca={folder}/missing.pem", "missing.pem cannot be read: No such file"),
        ("transport.tls-ca={folder}/me.key", "me.key holds no certificate that can be read"),
        ("transport.tls-key={folder}/me.key", "me.key is a key without a certificate"),
        ("transport.tls-cert={folder}/me.pem", "me.pem cannot be used"),
        ("local-tls-cert={folder}/me.pem", "me.pem cannot be used"),
        ("local-tls-key={folder}/me.key", "me.key is a key without a certificate"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(settings: str, told: str) -> None:
    with tls_files() as files, machine() as here:
        files.authority.leaf("me")
        place = ["-b", "fixed", "app@127.0.0.1", "-o", "dist-port=1", *FROM_VARIABLE]
        with here.session(*place, "-o", settings.format(folder=files.folder)) as session:
            error = session.wait_event("error")
            assert (error["code"], error["cause"]) == (78, "configuration")
            assert told in error["message"]


def test_it_is_pinged_without_any_erlang_here() -> None:
    with speaking_tls("29") as remote, machine() as here:
        me = remote.files.authority.leaf("me")
        trusted = words(tls_ca=remote.files.authority.certificate)
        shown = words(tls_cert=me.certificate, tls_key=me.key)
        done = subprocess.run(
            [ERLCONNECT, "ping", *fixed(remote.node), *trusted, *shown, "--json"],
            env={**os.environ, **here.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert json.loads(done.stdout.splitlines()[-1])["node"] == REMOTE_NAME


@pytest.mark.parametrize("name", ['name = "direct", ', ""])
def test_a_profile_names_files_beside_itself(name: str) -> None:
    with speaking_tls("25") as remote, machine() as here:
        me = remote.files.authority.leaf("me")
        file = remote.files.folder / "config.toml"
        files = f'tls-ca = "authority.pem", tls-cert = "{me.certificate.name}", tls-key = "me.key"'
        file.write_text(f'[profiles.secure]\nbackend = "fixed"\ntransport = {{ {name}{files} }}\n')
        place = ["-o", "address=127.0.0.1", "-o", f"dist-port={remote.node.dist_port}"]
        profile = ["-p", "secure", "--config", str(file)]
        with here.session(REMOTE_NAME, *profile, *place, *FROM_VARIABLE) as session:
            assert session.ready()["aliases"][0]["node"] == REMOTE_NAME
        checked = subprocess.run(
            [ERLCONNECT, "profiles", "check", "--config", str(file)],
            env={**os.environ, **here.environment()},
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
