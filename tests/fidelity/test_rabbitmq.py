"""RabbitMQ's own tools say through a session what they say on the server's own machine.

A part of their commands; ``python -m fidelity.rabbitmq`` runs all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fidelity.rabbitmq import CONTROL, DIAGNOSTICS, FAILING, rabbitmq, run

if TYPE_CHECKING:
    from collections.abc import Iterator

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
