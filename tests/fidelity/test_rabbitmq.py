"""RabbitMQ's own tools say through a session what they say on the server's own machine.

A part of their commands; ``python -m fidelity.rabbitmq`` runs all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from end_to_end.evidence import COMMAND, WRONG_COOKIE
from end_to_end.machine import FROM_VARIABLE, machine
from fidelity.both_ways import registered_during
from fidelity.rabbitmq import CONTROL, DIAGNOSTICS, FAILING, FOLDER, NODE, rabbitmq, run, words_of
from world.erlang_servers import Inside
from world.processes import Process

from erlconnect.api import is_helper
from erlconnect.session.discovery import choose_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fidelity.both_ways import BothWays

COMMANDS = [
    *("status", "cluster_status", "ping", "list_queues name pid arguments messages"),
    *("environment", "export_definitions - --format=json", "authenticate_user guest wrong"),
    *("eval node().", "eval nodes(hidden)=:=[].", "eval exit(on_purpose)."),
]
DIAGNOSED = [
    *("check_running", "check_port_connectivity", "command_line_arguments", "listeners"),
    *("memory_breakdown", "log_tail_stream --duration 1", "consume_event_stream --duration 1"),
]


@pytest.fixture(scope="module")
def ways() -> Iterator[BothWays]:
    with rabbitmq() as both:
        yield both


@pytest.mark.parametrize("command", COMMANDS)
def test_rabbitmqctl_says_the_same(ways: BothWays, command: str) -> None:
    assert command in CONTROL
    assert (run(ways, "rabbitmqctl", command) != 0) == (command in FAILING)


@pytest.mark.parametrize("command", DIAGNOSED)
def test_rabbitmq_diagnostics_says_the_same(ways: BothWays, command: str) -> None:
    assert command in DIAGNOSTICS
    assert (run(ways, "rabbitmq-diagnostics", command) != 0) == (command in FAILING)


def test_the_node_of_a_tool_that_runs_is_no_choice(ways: BothWays) -> None:
    """As when a readiness probe runs in the container."""
    seen = registered_during(
        ways.direct, words_of("rabbitmqctl", NODE, "eval", "timer:sleep(1000).")
    )
    assert [name for name in seen if not is_helper(name)] == ["rabbit"]
    assert any(name.startswith("rabbitmqcli-") for name in seen)
    ports = dict.fromkeys(seen, 1)
    assert choose_name(ports, wanted=None, expected="", where="here") == "rabbit"


def test_it_needs_no_argument_when_it_is_run_for_its_node(ways: BothWays, tmp_path: Path) -> None:
    """By the variables of ``run`` alone: name, long names, epmd and, as asked for, the cookie."""
    epmd_port = ways.direct.inside.environment["ERL_EPMD_PORT"]
    inside = Inside(folder=tmp_path, cookie=WRONG_COOKIE)
    # Without `env -i`, which would take the variables away.
    tool = [word for word in inside.command(f"{FOLDER}/rabbitmqctl", "status") if word != "-i"]
    words = ["-b", "fixed", NODE, "-o", "address=127.0.0.1", "-o", f"epmd-port={epmd_port}"]
    with (
        machine(epmd=False) as here,
        Process(
            [COMMAND, "run", *words, *FROM_VARIABLE, "--export-cookie", "--", *tool],
            environment=here.environment(),
        ) as process,
    ):
        assert process.wait(60) == 0, process.output
        assert "Status of node rabbit@127.0.0.1 ..." in process.stdout
        assert "RabbitMQ version: " in process.stdout
