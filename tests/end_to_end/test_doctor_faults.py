"""Every fault that can be injected has a line of its own, with its code and what to do."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from end_to_end.directory import real_directory
from end_to_end.examined import examined, run
from end_to_end.machine import FROM_VARIABLE, VARIABLE, fixed, machine
from end_to_end.scripted_remote import ScriptedRemote, plays
from plugins.transports.sockets import silent
from world.certificates import tls_files
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE, remote_node
from world.consul import ConsulAgent
from world.epmd import RealEpmd
from world.erlang import ErlangNode
from world.namespaces import Namespace
from world.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from end_to_end.directory import Directory
    from end_to_end.machine import Machine

APP = "app@127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The words that run into it, and what its step has to say."""

    words: list[str]
    step: str
    code: int
    cause: str
    seen: str
    remedy: str
    environment: Mapping[str, str] = field(default_factory=dict)
    skipped: tuple[str, ...] = ()


def at(port: int) -> list[str]:
    return ["-b", "fixed", APP, "-o", f"dist-port={port}", *FROM_VARIABLE]


@contextmanager
def wrong_cookie() -> Iterator[Fault]:
    with remote_node(APP) as remote:
        yield Fault(
            words=fixed(remote),
            environment={VARIABLE: "wrong-cookie-77d2"},
            step="cookie-check",
            code=77,
            cause="remote-cookie-rejected",
            seen="closed the connection after challenge_reply",
            remedy="--cookie-from",
            skipped=("tick", "remote-erlang", "runtime-tools", "remote-elixir"),
        )
        assert "Invalid challenge reply" in remote.process.output


@contextmanager
def no_cookie() -> Iterator[Fault]:
    with remote_node(APP) as remote:
        yield Fault(
            words=[*fixed(remote), "--cookie-from", "env:NOBODY_SET_THIS"],
            step="cookie",
            code=77,
            cause="cookie-not-found",
            seen="NOBODY_SET_THIS is not set",
            remedy="",
            skipped=("cookie-check", "tick", "remote-erlang"),
        )


@contextmanager
def not_allowed() -> Iterator[Fault]:
    with remote_node(APP) as remote:
        remote.evaluate("ok = net_kernel:allow(['console@ops.example']).")
        yield Fault(
            words=fixed(remote),
            step="handshake",
            code=77,
            cause="not-allowed",
            seen="does not allow the name erlconnect-knock-",
            remedy="--caller-name",
            skipped=("cookie-check", "tick"),
        )


@contextmanager
def closed_port() -> Iterator[Fault]:
    port = free_port()
    yield Fault(
        words=at(port),
        step="port",
        code=69,
        cause="unreachable",
        seen=f"port {port} (127.0.0.1: refused the connection)",
        remedy="nobody listens on port",
        skipped=("handshake", "cookie-check", "tick", "remote-erlang"),
    )


@contextmanager
def silent_port() -> Iterator[Fault]:
    with silent("127.0.0.1") as (_, port):
        yield Fault(
            words=at(port),
            step="port",
            code=75,
            cause="timed-out",
            seen=f"127.0.0.1:{port} did not accept a connection within",
            remedy="Check that the node runs",
            skipped=("handshake",),
        )


@contextmanager
def only_tls() -> Iterator[Fault]:
    """A real node that was started with ``-proto_dist inet_tls``."""
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", "127.0.0.1"))
        with remote_node(APP, flags=flags) as remote:
            yield Fault(
                words=fixed(remote),
                step="handshake",
                code=76,
                cause="not-distribution",
                seen="speaks the distribution over TLS",
                remedy="transport.tls-ca=",
                skipped=("cookie-check", "tick"),
            )


@contextmanager
def untrusted_tls() -> Iterator[Fault]:
    """A node whose certificate nobody here trusts: dialling ends there, before any handshake."""
    with tls_files() as files:
        flags = files.flags(files.authority.leaf("node", "127.0.0.1"))
        with remote_node(APP, flags=flags) as remote:
            stranger = files.stranger.certificate
            yield Fault(
                words=[*fixed(remote), "-o", f"transport.tls-ca={stranger}"],
                step="port",
                code=77,
                cause="refused",
                seen="",
                remedy="transport.tls-ca=",
                skipped=("handshake", "cookie-check", "tick"),
            )


@contextmanager
def suspended_node() -> Iterator[Fault]:
    with remote_node(APP) as remote:
        remote.process.signal(signal.SIGSTOP)
        try:
            yield Fault(
                words=fixed(remote),
                step="handshake",
                code=75,
                cause="timed-out",
                seen="accepted the connection, but its status did not come",
                remedy="overloaded or suspended",
                skipped=("cookie-check",),
            )
        finally:
            remote.process.signal(signal.SIGCONT)


@contextmanager
def not_otp() -> Iterator[Fault]:
    """A node that lets everybody in and has no process that answers."""
    with ScriptedRemote(plays(steps=3)) as remote:
        yield Fault(
            words=at(remote.port),
            step="tick",
            code=75,
            cause="timed-out",
            seen="its process net_kernel did not answer",
            remedy="is no Erlang/OTP node",
            skipped=("remote-erlang", "runtime-tools", "remote-elixir"),
        )


@contextmanager
def no_remote_epmd() -> Iterator[Fault]:
    port = free_port()
    yield Fault(
        words=["-b", "fixed", APP, "-o", f"epmd-port={port}", *FROM_VARIABLE],
        step="remote-epmd",
        code=69,
        cause="epmd",
        seen=f"the epmd at 127.0.0.1:{port} could not be asked",
        remedy="-o dist-port=",
        skipped=("port", "handshake"),
    )


@contextmanager
def wedged_remote_epmd() -> Iterator[Fault]:
    with RealEpmd(free_port()) as epmd:
        stop(epmd, signal.SIGSTOP)
        yield Fault(
            words=["-b", "fixed", APP, "-o", f"epmd-port={epmd.port}", *FROM_VARIABLE],
            step="remote-epmd",
            code=75,
            cause="timed-out",
            seen=f"the epmd at 127.0.0.1:{epmd.port} did not answer within",
            remedy="-o dist-port=",
            skipped=("port", "handshake"),
        )
        stop(epmd, signal.SIGCONT)


@contextmanager
def several_names() -> Iterator[Fault]:
    with (
        RealEpmd(free_port()) as epmd,
        ErlangNode.start("app@127.0.0.1", epmd_port=epmd.port, cookie=REMOTE_COOKIE),
        ErlangNode.start("jobs@127.0.0.1", epmd_port=epmd.port, cookie=REMOTE_COOKIE),
    ):
        words = ["-b", "fixed", "shop@127.0.0.1", "-o", f"epmd-port={epmd.port}", *FROM_VARIABLE]
        yield Fault(
            words=words,
            step="remote-epmd",
            code=2,
            cause="several-nodes",
            seen="knows app, jobs",
            remedy="--node",
            skipped=("port", "handshake"),
        )


def stop(epmd: RealEpmd, number: signal.Signals) -> None:
    epmd._process.signal(number)


@contextmanager
def no_way_there() -> Iterator[Fault]:
    """An address of a private network whose wire is cut: nothing comes back, or "no route"."""
    with Namespace() as network:
        network.cut()
        yield Fault(
            words=["-b", "fixed", f"app@{network.address}", "-o", "dist-port=4444"],
            step="port",
            code=75,
            cause="timed-out",
            seen=f"{network.address}:4444 did not accept a connection",
            remedy="join the network (a VPN), or go through a command inside it, e.g. `--via",
            skipped=("handshake",),
        )


@contextmanager
def missing_backend() -> Iterator[Fault]:
    yield Fault(
        words=["-b", "fixd", APP],
        step="discovery",
        code=78,
        cause="unknown-plugin",
        seen="'fixd'",
        remedy="fixed",
        skipped=("rights", "tunnel", "cookie"),
    )


@contextmanager
def token_without_rights() -> Iterator[Fault]:
    with ConsulAgent(acl=True) as agent:
        yield Fault(
            words=["-b", "consul", "shop", "-o", f"address={agent.address}"],
            step="rights",
            code=77,
            cause="refused",
            seen="token",
            remedy="",
            skipped=("discovery", "tunnel", "cookie"),
        )


@contextmanager
def wedged_local_epmd() -> Iterator[Fault]:
    """Something that accepts and says nothing sits on this machine's epmd port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        yield Fault(
            words=[],
            environment={"ERL_EPMD_PORT": str(port)},
            step="local-epmd",
            code=69,
            cause="epmd",
            seen=f"the local epmd on port {port} did not answer within",
            remedy=f"`lsof -i :{port}` names it",
            skipped=("local-names",),
        )


FAULTS = [
    wrong_cookie,
    no_cookie,
    not_allowed,
    closed_port,
    silent_port,
    only_tls,
    untrusted_tls,
    suspended_node,
    not_otp,
    no_remote_epmd,
    wedged_remote_epmd,
    several_names,
    no_way_there,
    missing_backend,
    token_without_rights,
    wedged_local_epmd,
]


@pytest.mark.parametrize("inject", FAULTS, ids=lambda one: str(one.__name__))
def test_a_fault_has_its_own_line(inject: Callable[[], AbstractContextManager[Fault]]) -> None:
    with machine(epmd=False) as here, inject() as fault:
        assert_told(here, fault)


def assert_told(here: Machine, fault: Fault) -> None:
    """One step fails, those that need it are skipped, and the rest is looked at all the same."""
    ended = examined(here, *fault.words, environment=fault.environment)
    assert ended.failed == [fault.step], ended.stdout
    step = ended.steps[fault.step]
    assert (step["code"], step["cause"], ended.code) == (fault.code, fault.cause, fault.code)
    assert fault.seen in step["seen"]
    assert fault.remedy in step["remedy"]
    for name in fault.skipped:
        assert ended.steps[name]["status"] == "skipped", name
        assert ended.steps[name]["seen"]
    assert ended.steps["local-erlang"]["status"] == "ok"
    assert ended.stderr == ""


@pytest.fixture(scope="module")
def directory() -> Iterator[Directory]:
    with real_directory() as made:
        yield made


@pytest.mark.parametrize(
    ("service", "code", "cause", "seen", "remedy"),
    [
        ("ghost.shop.test", 69, "name-not-found", "NXDOMAIN", "spelling"),
        ("shop.broken.test", 69, "lookup-failed", "SERVFAIL", "Try again"),
        ("empty.shop.test", 69, "no-node-found", "has no such record", "instances that are ready"),
    ],
)
def test_what_a_name_server_says(
    directory: Directory, service: str, *, code: int, cause: str, seen: str, remedy: str
) -> None:
    fault = Fault(
        words=["-b", "dns", service, "-o", f"server=127.0.0.1:{directory.dns_port}"],
        step="discovery",
        code=code,
        cause=cause,
        seen=seen,
        remedy=remedy,
        skipped=("rights", "tunnel", "port", "cookie"),
    )
    with machine(epmd=False) as here:
        assert_told(here, fault)


def test_a_name_server_that_says_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute, machine(epmd=False) as here:
        mute.bind(("127.0.0.1", 0))
        server = f"server=127.0.0.1:{mute.getsockname()[1]}"
        fault = Fault(
            words=["-b", "dns", "shop.test", "-o", server],
            step="discovery",
            code=75,
            cause="lookup-timeout",
            seen="did not answer over UDP in time",
            remedy="",
            skipped=("rights", "tunnel"),
        )
        assert_told(here, fault)


@pytest.mark.parametrize(
    ("mode", "content", "cause", "seen"),
    [
        (0o644, LOCAL_COOKIE, "configuration", "its mode is 0644"),
        (0o400, "", "cookie-not-found", "is empty"),
    ],
)
def test_a_cookie_file_that_erlang_refuses(
    mode: int, content: str, *, cause: str, seen: str
) -> None:
    with machine(cookie=None) as here:
        file = here.home / ".erlang.cookie"
        file.write_text(content)
        file.chmod(mode)
        ended = examined(here)
        assert ended.failed == ["local-cookie"]
        step = ended.steps["local-cookie"]
        assert step["cause"] == cause
        assert seen in step["seen"]
        assert ended.code == step["code"]


def test_no_erlang_here_is_a_note_and_no_failure() -> None:
    with remote_node(APP) as remote, machine() as here, ExitStack():
        ended = examined(here, *fixed(remote), environment={"PATH": "/nonexistent"})
        assert ended.code == 0
        assert ended.steps["local-erlang"]["status"] == "note"
        assert "no erl on PATH" in ended.steps["local-erlang"]["seen"]
        assert ended.steps["remote-erlang"]["seen"].startswith("OTP 25")


def test_a_configuration_that_cannot_be_used() -> None:
    with machine() as here:
        file = here.home / "broken.toml"
        file.write_text("default-profile = \n")
        ended = examined(here, "-b", "fixed", APP, "--config", str(file))
        assert ended.failed == ["configuration"]
        assert ended.code == 78
        assert ended.steps["tunnel"]["status"] == "skipped"
        assert ended.steps["local-epmd"]["status"] == "ok"


def test_a_backend_without_a_target_is_a_usage_error() -> None:
    with machine() as here:
        ended = run(here, "doctor", "-b", "consul")
        assert ended.code == 2
        assert "Name a TARGET" in ended.stderr
        assert ended.stdout == ""
