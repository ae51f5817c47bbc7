"""A real RabbitMQ and its own tools: what they say directly, they say through a session."""

from __future__ import annotations

import re
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from end_to_end.evidence import COMMAND, WRONG_COOKIE
from end_to_end.machine import FROM_VARIABLE, machine
from world.connected import LOCAL_COOKIE, REMOTE_COOKIE
from world.epmd import RealEpmd
from world.erlang_servers import Inside
from world.ports import free_port
from world.processes import Process

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

HOST: Final = "rabbit-0.shop.test"
NODE: Final = f"rabbit@{HOST}"
ALIAS: Final = "rabbit@127.0.0.1"
START_SECONDS: Final = 60
PROGRAMS: Final = "/usr/lib/rabbitmq/bin"
CONTROL: Final = [
    *("status", "cluster_status", "ping", "report", "environment", "schema_info", "list_queues"),
    *("list_queues name pid node arguments messages", "list_exchanges", "list_bindings"),
    *("list_connections", "list_channels", "list_consumers", "list_unresponsive_queues"),
    *("list_users", "list_user_permissions guest", "list_user_topic_permissions guest"),
    *("list_user_limits --global", "list_vhosts name tracing", "list_vhost_limits --global"),
    *("list_permissions", "list_topic_permissions", "list_parameters", "list_global_parameters"),
    *("list_policies", "list_operator_policies", "list_feature_flags", "list_ciphers"),
    *("list_hashes", "list_node_auth_attempt_stats", "await_startup", "await_online_nodes 1"),
    *("export_definitions - --format=json", "authenticate_user guest guest", "version"),
    *("authenticate_user guest wrong", "eval node().", "eval nodes(hidden)=:=[].", "force_gc"),
    "eval [node(P)||{P,_}<-[{self(),1}]].",
]
DIAGNOSTICS: Final = [
    *("alarms", "check_alarms", "check_local_alarms", "check_running", "check_virtual_hosts"),
    *("check_port_connectivity", "check_port_listener 1", "check_protocol_listener amqp"),
    *("check_if_node_is_quorum_critical", "check_if_node_is_mirror_sync_critical"),
    *("check_certificate_expiration --unit weeks --within 4", "certificates", "cipher_suites"),
    *("command_line_arguments", "discover_peers", "erlang_version", "erlang_cookie_hash"),
    *("is_booting", "is_running", "list_network_interfaces", "listeners", "log_location"),
    *("log_tail -N 1", "log_tail_stream --duration 1", "maybe_stuck", "memory_breakdown"),
    *("node_health_check", "os_env", "quorum_status none", "resolve_hostname localhost"),
    *("resolver_info", "runtime_thread_stats --sample-interval 1", "server_version"),
    *("stream_status none", "tls_versions", "consume_event_stream --duration 1"),
]
# What is of a moment: numbers, and how many columns they make a table have.
_NUMBERS: Final = re.compile(r"\d+(\.\d+)?")
_SPACES: Final = re.compile(r"[ \t]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the server: by the epmd, the cookie and the name of a machine."""

    inside: Inside
    node: str

    def ask(self, program: str, command: str) -> subprocess.CompletedProcess[str]:
        words = ("--node", self.node, "--longnames", *command.split())
        return self.inside.run(f"{PROGRAMS}/{program}", *words)


@contextmanager
def server(folder: Path, epmd_port: int, dist_port: int) -> Iterator[Process]:
    """Run RabbitMQ with one queue for each of its kinds of data."""
    inside = Inside(
        folder=folder,
        cookie=REMOTE_COOKIE,
        hosts=[HOST],
        home="/var/lib/rabbitmq",
        fresh=["/var/log/rabbitmq"],
        environment={
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_USE_LONGNAME": "true",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(free_port()),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_LOGS": "-",
        },
    )
    with Process(inside.command(f"{PROGRAMS}/rabbitmq-server")) as process:
        process.wait_for_line("Server startup complete", START_SECONDS)
        yield process


def way(folder: Path, node: str, cookie: str, epmd_port: int, *hosts: str) -> Way:
    folder.mkdir()
    environment = {"ERL_EPMD_PORT": str(epmd_port)}
    inside = Inside(folder=folder, cookie=cookie, hosts=hosts, environment=environment)
    return Way(inside=inside, node=node)


@pytest.fixture(scope="module")
def ways() -> Iterator[tuple[Way, Way]]:
    """The server directly, and through a session whose machine has another cookie and epmd."""
    dist_port = free_port()
    with (
        tempfile.TemporaryDirectory() as name,
        RealEpmd(free_port()) as epmd,
        server(Path(name), epmd.port, dist_port),
        machine() as here,
        here.session(
            *("-b", "fixed", NODE, "-o", "address=127.0.0.1"),
            *("-o", f"epmd-port={epmd.port}", *FROM_VARIABLE),
        ) as session,
    ):
        assert session.ready()["aliases"][0]["alias"] == ALIAS
        assert session.ready()["aliases"][0]["dist_port"] == dist_port
        yield (
            way(Path(name) / "direct", NODE, REMOTE_COOKIE, epmd.port, HOST),
            way(Path(name) / "through", ALIAS, LOCAL_COOKIE, here.epmd_port),
        )


def lasting(text: str) -> list[str]:
    """What a tool said, without what differs from one moment to the next."""
    named = text.replace(NODE, "NODE").replace(ALIAS, "NODE")
    masked = _SPACES.sub(" ", _NUMBERS.sub("N", named))
    return masked.splitlines()


@pytest.mark.parametrize(
    ("program", "command"),
    [
        *(("rabbitmqctl", command) for command in CONTROL),
        *(("rabbitmq-diagnostics", command) for command in DIAGNOSTICS),
    ],
)
def test_a_tool_says_the_same(ways: tuple[Way, Way], program: str, command: str) -> None:
    with ThreadPoolExecutor() as pool:
        direct, through = pool.map(lambda one: one.ask(program, command), ways)
    assert through.returncode == direct.returncode
    assert lasting(through.stdout) == lasting(direct.stdout)


def test_its_tools_need_no_argument_when_they_are_run_for_it(ways: tuple[Way, Way]) -> None:
    """By the variables of ``run`` alone: name, long names, epmd and, as it was asked for, cookie."""
    direct, _ = ways
    epmd_port = direct.inside.environment["ERL_EPMD_PORT"]
    with tempfile.TemporaryDirectory() as name, machine(epmd=False) as here:
        inside = Inside(folder=Path(name), cookie=WRONG_COOKIE)
        # Without `env -i`, which would take the variables away.
        tool = [
            word for word in inside.command(f"{PROGRAMS}/rabbitmqctl", "status") if word != "-i"
        ]
        words = ["-b", "fixed", NODE, "-o", "address=127.0.0.1", "-o", f"epmd-port={epmd_port}"]
        with Process(
            [COMMAND, "run", *words, *FROM_VARIABLE, "--export-cookie", "--", *tool],
            environment=here.environment(),
        ) as process:
            assert process.wait(60) == 0, process.output
    assert f"Status of node {ALIAS} ..." in process.stdout
    assert "RabbitMQ version: " in process.stdout
